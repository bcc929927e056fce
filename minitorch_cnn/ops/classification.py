"""Softmax, log Σ exp, and the cross-entropy of labels and of probabilities."""

from __future__ import annotations

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import Dims, DType
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.backend.dtypes import as_dtype
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.elementwise import clamp, exp, log
from minitorch_cnn.ops.operands import convert, floating
from minitorch_cnn.ops.reduce import kept_shape, sum, sum_of
from minitorch_cnn.ops.shape import by_numpys_name, normalize_dim, normalize_dims, reshape

__all__ = ["log_softmax", "logsumexp", "softmax"]


class Softmax(Function):
    """y = exp x / Σ exp x;  dx = y (dy - Σ dy y)."""

    reads = {"dx": "y"}

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        y = _exp_below_one(x, self.dim)
        return y / sum_of(y, (self.dim,), keepdim=True)

    def backward(self, dy, y, x):
        return (y * (dy - sum(dy * y, self.dim, keepdim=True)),)


class LogSoftmax(Function):
    """y = x - log Σ exp x;  dx = dy - exp(y) Σ dy."""

    reads = {"dx": "y"}

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        xp = get_array_module(x)
        shifted = x - x.max(axis=self.dim, keepdims=True)
        return shifted - xp.log(sum_of(xp.exp(shifted), (self.dim,), keepdim=True))

    def backward(self, dy, y, x):
        return (dy - exp(y) * sum(dy, self.dim, keepdim=True),)


class LogSumExp(Function):
    """y = log Σ exp x over some dimensions;  dx = dy exp x / Σ exp x."""

    reads = {"dx": "x"}

    def __init__(self, dims, keepdim):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x):
        xp = get_array_module(x)
        largest = x.max(axis=self.dims, keepdims=True) if x.size else xp.zeros((), x.dtype)
        self.largest = xp.where(xp.isinf(largest), 0, largest)
        y = xp.log(sum_of(xp.exp(x - self.largest), self.dims, keepdim=True)) + self.largest
        return y if self.keepdim else y.squeeze(self.dims)

    def backward(self, dy, y, x):
        powers = exp(x - Tensor(self.largest))  # exact also where y has lost digits
        return (reshape(dy, kept_shape(x.shape, self.dims)) * (powers / sum(powers, self.dims, keepdim=True)),)


def _exp_below_one(x, dim):
    """exp(x), scaled so that the largest is 1 and nothing overflows."""
    return get_array_module(x).exp(x - x.max(axis=dim, keepdims=True))


def softmax(input: Tensor, dim: int | None = None, dtype: DType = None, *, axis: int | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along a dimension, computed in a type if one is given."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _apply_along(Softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: DType = None, *, axis: int | None = None) -> Tensor:
    """The logarithm of `softmax`, exact where a probability is too small for its own type."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _apply_along(LogSoftmax, input, dim, dtype)


def _apply_along(function, input, dim, dtype):
    if not isinstance(input, Tensor):
        raise TypeError(f"softmax expected a Tensor, got {described(input)}")
    if dtype is not None:
        input = convert(input, input.device, as_dtype(dtype))
    if not input.is_floating_point():
        raise NotImplementedError(f"softmax is for floating-point numbers, got {input.dtype}; pass dtype=float32")
    if dim is None:
        raise TypeError("softmax expected dim, the dimension along which it adds up to 1, got none")
    dim = normalize_dim(dim, input.ndim)
    if input.ndim == 0:
        return reshape(_apply_along(function, reshape(input, (1,)), 0, None), ())
    return function(dim)(input) if input.numel() else exp(input)  # of nothing, in the graph


def logsumexp(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """``log(sum(exp(x)))`` over one or some dimensions, without overflow."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    if dim is None:
        raise TypeError("logsumexp expected dim, the dimension or dimensions to sum over, got none")
    return LogSumExp(normalize_dims(dim, input.ndim), keepdim or keepdims)(floating(input))


# --- cross-entropy ---------------------------------------------------------------------------------------


class CrossEntropy(Function):
    """y = log Σ exp x - x[label] of each row, their sum or their mean;  dx = dy (softmax x - 1 at the label).

    Parameters
    ----------
    ignore_index : int
        The loss of a row with this label is 0, and it does not count for the mean.
    reduction : {"mean", "sum", "none"}
    """

    reads = {"dx": "x labels"}

    def __init__(self, ignore_index, reduction):
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x, labels):
        losses, self.totals = losses_of(x, labels, self.ignore_index)
        return {"none": losses, "sum": self.totals[0], "mean": self.totals[2]}[self.reduction]

    def backward(self, dy, y, x, labels):
        return CrossEntropyGradient(self.ignore_index, self.reduction, self.totals)(dy, x, labels), None


class CrossEntropyGradient(Function):
    """z = g (p - e), for p = softmax x and e = 1 at the label;  dg = Σ dz (p - e),  dx = p (g dz - Σ g dz p)."""

    reads = {"dg": "g x labels", "dx": "g x labels"}

    def __init__(self, ignore_index, reduction, totals):
        self.ignore_index, self.reduction, self.totals = ignore_index, reduction, totals

    def forward(self, g, x, labels):
        return gradient_of(x, labels, self.ignore_index, g, self.totals, self.reduction == "mean")

    def backward(self, dz, z, g, x, labels):
        dg = dx = None
        if wants_grad(g):
            one = Tensor(get_array_module(g.array).ones_like(g.array))
            each = dz * CrossEntropyGradient(self.ignore_index, "sum", self.totals)(one, x, labels)  # (N, C)
            dg = sum(each, 1) if g.ndim else sum(each)
            if self.reduction == "mean":
                dg = dg / Tensor(self.totals[1])  # of no label that counts: 0 / 0 is NaN, as in PyTorch
        if wants_grad(x):
            p = softmax(x, 1)
            weighted = dz * self._shares(labels.array, g) * p  # (N, C)
            dx = weighted - p * sum(weighted, 1, keepdim=True)
        return dg, dx, None

    def _shares(self, labels, g):
        """The part of g that each row receives, (N, 1)."""
        share = (labels != self.ignore_index).astype(g.dtype)
        if self.reduction == "mean":
            share /= get_array_module(share).maximum(self.totals[1], 1)  # 1: if none counts, each share is 0
        return Tensor(share[:, None]) * reshape(g, (-1, 1))


class BinaryCrossEntropy(Function):
    """y = -(t log x + (1 - t) log(1 - x));  dx = dy (x - t) / (x (1 - x)),  dt = dy (log(1 - x) - log x).

    As in PyTorch, a logarithm is at least -100, and the divisor at least 1e-12: a probability of 0 can be learned from.
    """

    reads = {"dx": "x t", "dt": "x"}

    def forward(self, x, t):
        xp = get_array_module(x)
        return (t - 1) * xp.maximum(xp.log1p(-x), -100) - t * xp.maximum(xp.log(x), -100)

    def backward(self, dy, y, x, t):
        dx = dy * (x - t) / clamp(x * (1 - x), min=1e-12) if wants_grad(x) else None
        return dx, dy * (log(1 - x) - log(x)) if wants_grad(t) else None


# --- on arrays -------------------------------------------------------------------------------------------


@on_gpu(kernels.cross_entropy)
def losses_of(x, labels, ignore_index):
    """The loss ``log Σ exp x - x[label]`` of each row, 0 for a label to ignore; their sum, number and mean.

    A label that is no class has the loss NaN, where it is not an IndexError.

    Parameters
    ----------
    x : array
        (N, C).
    labels : array
        (N,), of int64.
    ignore_index : int

    Returns
    -------
    losses : array
        (N,).
    totals : three numbers, as arrays
        The sum of the losses, how many rows count, and the mean.
    """
    xp = get_array_module(x)
    shifted = x - x.max(axis=1, keepdims=True)  # (N, C)
    counts = labels != ignore_index
    index = xp.where(counts, labels, 0)[:, None]  # (N, 1)
    losses = xp.log(xp.exp(shifted).sum(axis=1)) - xp.take_along_axis(shifted, index, 1)[:, 0]
    losses = xp.where(counts, losses, x.dtype.type(0))
    total, count = losses.sum(), counts.sum(dtype=x.dtype)
    return losses, (total, count, total / count)


@on_gpu(kernels.cross_entropy_gradient, typed=(0, 3))
def gradient_of(x, labels, ignore_index, dy, totals, is_mean):
    """``dy (softmax x - 1 at the label)``, for `dy` one number or one for each row; 0 for a label to ignore.

    Parameters
    ----------
    x, labels, ignore_index
        As in `losses_of`.
    dy : array
        () or (N,).
    totals
        What `losses_of` returned.
    is_mean : bool
        Whether `dy` is the gradient with respect to the mean: each row has its part of it.
    """
    xp = get_array_module(x)
    dx = xp.exp(x - x.max(axis=1, keepdims=True))  # (N, C)
    dx /= dx.sum(axis=1, keepdims=True)
    counts = labels != ignore_index
    classes = xp.arange(x.shape[1])
    dx -= classes == labels[:, None]
    scale = dy / totals[1] if is_mean else dy
    return xp.where(counts[:, None], dx * scale.reshape(-1, 1), x.dtype.type(0))
