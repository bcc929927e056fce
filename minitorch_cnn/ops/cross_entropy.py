"""Cross-entropy of labels as one operation: what a softmax says, measured by what is true."""

from minitorch_cnn import kernels
from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.ops.reduce import softmax, sum
from minitorch_cnn.ops.shape import reshape
from minitorch_cnn.tensor import Tensor


class CrossEntropy(Function):
    """y = log Σ exp x - x[label] of each row, their sum or their mean;  dx = dy (softmax x - 1 at the label).

    Parameters
    ----------
    ignore_index : int
        The loss of a row with this label is 0, and it does not count for the mean.
    reduction : {"mean", "sum", "none"}
    """

    def __init__(self, ignore_index, reduction):
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, x, labels):
        losses, self.totals = kernels.cross_entropy(x, labels, self.ignore_index)
        return {"none": losses, "sum": self.totals[0], "mean": self.totals[2]}[self.reduction]

    def backward(self, dy, _y, x, labels):
        return CrossEntropyGradient(self.ignore_index, self.reduction, self.totals)(dy, x, labels), None


class CrossEntropyGradient(Function):
    """y = dy (softmax x - 1 at the label);  ddy = Σ y / dy dz,  dx = the gradient of softmax for dz dy."""

    def __init__(self, ignore_index, reduction, totals):
        self.ignore_index, self.reduction, self.totals = ignore_index, reduction, totals

    def forward(self, dy, x, labels):
        is_mean = self.reduction == "mean"
        return kernels.cross_entropy_gradient(x, labels, self.ignore_index, dy, self.totals, is_mean)

    def backward(self, dz, _y, dy, x, labels):
        ddy = dx = None
        if wants_grad(dy):
            one = Tensor(get_array_module(dy.array).ones_like(dy.array))
            each = dz * CrossEntropyGradient(self.ignore_index, "sum", self.totals)(one, x, labels)  # (N, C)
            ddy = sum(each, 1) if dy.ndim else sum(each)
            if self.reduction == "mean":
                ddy = ddy / Tensor(self.totals[1])  # of no label that counts: 0 / 0 is NaN, as in PyTorch
        if wants_grad(x):
            p = softmax(x, 1)
            weighted = dz * self._shares(labels.array, dy) * p  # (N, C)
            dx = weighted - p * sum(weighted, 1, keepdim=True)
        return ddy, dx, None

    def _shares(self, labels, dy):
        """The gradient that each row receives, (N, 1)."""
        share = (labels != self.ignore_index).astype(dy.dtype)
        if self.reduction == "mean":
            share /= get_array_module(share).maximum(self.totals[1], 1)  # 1: if none counts, each share is 0
        return Tensor(share[:, None]) * reshape(dy, (-1, 1))
