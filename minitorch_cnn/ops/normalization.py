"""Batch normalization as one operation."""

from minitorch_cnn.autograd import Function, is_grad_enabled, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module, parallel
from minitorch_cnn.ops.elementwise import sqrt
from minitorch_cnn.ops.reduce import mean, sum, sum_over
from minitorch_cnn.ops.shape import reshape


class BatchNorm(Function):
    """y = x̂ w + b, for x̂ = (x - μ) / σ;  dx = (dy - mean dy - x̂ mean(dy x̂)) w / σ,  dw = Σ dy x̂,  db = Σ dy.

    Means and sums are those of each channel, over all dimensions but the second; σ² is its variance plus ε.

    Attributes
    ----------
    mean, var : array
        After the call, those of each channel: (1, C, 1, …).
    """

    reads = {"dx": "x w", "dw": "x w", "db": "x w"}  # they are computed together

    def __init__(self, eps):
        self.eps = eps

    def forward(self, x, w, b):
        xp, dims = get_array_module(x), _of_channel(x)
        count = x.size // x.shape[1]
        self.mean = sum_over(dims, lambda x: x, x) / count
        self.var = sum_over(dims, lambda x, mean: (x - mean) ** 2, x, self.mean) / count
        scale = 1 / xp.sqrt(self.var + self.eps)
        scale = scale if w is None else scale * w.reshape(scale.shape)
        shift = [] if b is None else [b.reshape(scale.shape)]
        y = xp.empty_like(x)

        def fill(y, x, mean, scale, *shift):
            xp.subtract(x, mean, out=y)
            y *= scale
            for b in shift:
                y += b

        parallel.over(fill, y, x, self.mean, scale, *shift)
        return y

    def backward(self, dy, y, x, w, b):
        # by their formulas, if the gradients are to have a graph of their own
        dx, dw, db = (self._gradients if is_grad_enabled() else self._gradients_at_once)(dy, x, w)
        return dx, dw if wants_grad(w) else None, db if wants_grad(b) else None

    def _gradients(self, dy, x, w):
        dims = _of_channel(x)
        centred = x - mean(x, dims, keepdim=True)
        sigma = sqrt(mean(centred * centred, dims, keepdim=True) + self.eps)  # (1, C, 1, …)
        x_hat = centred / sigma
        dw, db = sum(dy * x_hat, dims), sum(dy, dims)
        if not wants_grad(x):
            return None, dw, db
        dx = (dy - mean(dy, dims, keepdim=True) - x_hat * mean(dy * x_hat, dims, keepdim=True)) / sigma
        return dx if w is None else dx * reshape(w, sigma.shape), dw, db

    def _gradients_at_once(self, dy, x, w):
        is_wanted, dy, x = wants_grad(x), dy.array, x.array
        xp, dims, count = get_array_module(x), _of_channel(x), x.size // x.shape[1]
        scale = 1 / xp.sqrt(self.var + self.eps)  # (1, C, 1, …)
        db = sum_over(dims, lambda dy: dy, dy)
        dw = sum_over(dims, lambda dy, x, mean: (x - mean) * dy, dy, x, self.mean) * scale
        dx = None
        if is_wanted:
            slope, level = dw * scale / count, db / count
            scale = scale if w is None else scale * w.array.reshape(scale.shape)
            dx = xp.empty_like(x)

            def fill(dx, dy, x, mean, slope, level, scale):
                xp.subtract(mean, x, out=dx)
                dx *= slope
                dx += dy
                dx -= level
                dx *= scale

            parallel.over(fill, dx, dy, x, self.mean, slope, level, scale)
            dx = Tensor(dx)
        return dx, Tensor(dw.reshape(-1)), Tensor(db.reshape(-1))


def _of_channel(x):
    """The dimensions over which the mean of a channel is taken."""
    return (0, *range(2, x.ndim))
