"""The matrix product, in which a network spends its time."""

import math

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.ops.shape import reshape, transpose
from minitorch_cnn.tensor import Tensor


class MatMul(Function):
    """y = a b;  da = dy bᵀ,  db = aᵀ dy."""

    def forward(self, a, b):
        return get_array_module(a).matmul(a, b)

    def backward(self, dy, _y, a, b):
        da = db = None
        if wants_grad(a) and a.array.strides[-2] < a.array.strides[-1]:
            # a is a transposed view, as flattened images are: give its gradient the same memory order
            da = transpose(MatMul()(b, transpose(dy, -2, -1)), -2, -1)
        elif wants_grad(a):
            da = MatMul()(dy, transpose(b, -2, -1))
        if wants_grad(b):
            db = MatMul()(transpose(a, -2, -1), dy)
        return da, db


def matmul(input, other):
    """The matrix product; of vectors the dot product; of stacks of matrices one product each, broadcast.

    Parameters
    ----------
    input : Tensor
        Of shape (..., m, k) or (k,).
    other : Tensor
        Of shape (..., k, n) or (k,).

    Returns
    -------
    Tensor
        Of shape (..., m, n); without m or n where a vector came in.

    Raises
    ------
    RuntimeError
        If k or the type is not the same in both, or one has no dimension.
    TypeError
        If one is not a Tensor.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> mt.matmul(mt.ones(2, 3), mt.ones(3))
    tensor([3., 3.])
    """
    a, b = input, other
    for x in (a, b):
        if not isinstance(x, Tensor):
            raise TypeError(f"matmul expected two Tensors, got {x!r} of type {type(x).__name__}; to scale, use *")
    if a.dtype != b.dtype:
        raise RuntimeError(f"matmul expected two tensors of the same dtype, got {a.dtype} and {b.dtype}; use .to()")
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(
            f"matmul expected at least one dimension in both tensors, got shapes {a.shape} and {b.shape}"
        )
    k = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != k:
        raise RuntimeError(
            f"matmul: shapes {a.shape} and {b.shape} cannot be multiplied: the last size of the first, {a.shape[-1]}, "
            f"must be the {'second to last' if b.ndim > 1 else 'only'} size of the second, {k}"
        )
    if a.ndim > 2 and b.ndim <= 2:  # all rows of the stack in one product
        rows = reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return reshape(matmul(rows, b), (*a.shape[:-1], *b.shape[1:]))
    rows = reshape(a, (1, a.shape[0])) if a.ndim == 1 else a
    columns = reshape(b, (b.shape[0], 1)) if b.ndim == 1 else b
    y = MatMul()(rows, columns)
    if a.ndim == 1:
        y = reshape(y, (*y.shape[:-2], y.shape[-1]))
    return reshape(y, y.shape[:-1]) if b.ndim == 1 else y
