"""The matrix product, and the linear layer as one operation."""

from __future__ import annotations

import functools
import math

import numpy as np

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, device_of, get_array_module, parallel
from minitorch_cnn.backend.annotations import TensorLike
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.operands import promoted
from minitorch_cnn.ops.shape import reshape, transpose

__all__ = ["dot", "matmul", "mm", "mv"]

SMALL = 10**6  # multiplications: up to here, OpenBLAS does not copy the factors first
ALONE = 2**18  # multiplications: up to here, OpenBLAS has one thread compute; of more, it has to be told
SHARED = 2**23  # multiplications: to share less among threads is not worth it


class MatMul(Function):
    """y = a b;  da = dy bᵀ,  db = aᵀ dy."""

    reads = {"da": "b", "db": "a"}

    def forward(self, a, b):
        return product(a, b)

    def backward(self, dy, y, a, b):
        da = MatMul()(dy, transpose(b, -2, -1)) if wants_grad(a) else None
        db = MatMul()(transpose(a, -2, -1), dy) if wants_grad(b) else None
        return da, db


class Linear(Function):
    """y = x wᵀ + b;  dx = dy w,  dw = dyᵀ x,  db = Σ dy.  The rows of x and y are examples."""

    reads = {"dx": "w", "dw": "x"}

    def forward(self, x, w, b):
        y = product(x, w.T)  # (N, out_features)
        if b is not None:
            y += b
        return y

    def backward(self, dy, y, x, w, b):
        dx = MatMul()(dy, w) if wants_grad(x) else None
        dw = MatMul()(transpose(dy, 0, 1), x) if wants_grad(w) else None
        db = dy.sum(0) if wants_grad(b) else None
        return dx, dw, db


def product(a, b):
    """The matrix product of arrays, on threads; in memory it lies as `a` does.

    So the batch stays innermost through the layers that follow a convolution, and in the gradients on the way back.
    """
    if a.ndim == b.ndim == 2 and a.strides[0] < a.strides[1]:
        return matmul_on_threads(b.T, a.T).T
    return matmul_on_threads(a, b)


@on_gpu(kernels.matmul, typed=(0, 1))
def matmul_on_threads(a, b):
    """The product of matrices (..., M, K) and (..., K, N): parts of its rows or columns, on threads if it is large."""
    xp, (m, k), n = get_array_module(a), a.shape[-2:], b.shape[-1]
    is_one = a.ndim == b.ndim == 2
    if is_one and m * k * n <= ALONE and k > 1:
        return xp.matmul(a, b)
    batch = () if is_one else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = xp.empty((*batch, m, n), xp.result_type(a, b))
    if y.size * k <= SHARED or device_of(a) != CPU:
        return matmul_in_pieces(a, b, y)
    parts = parallel.parts_of(y.size * k // 16)  # 16 multiplications take as long as one pass over an element
    if m > n:
        parallel.run(lambda i: matmul_in_pieces(a[..., i, :], b, y[..., i, :]), parallel.slices(m, parts))
    else:
        parallel.run(lambda i: matmul_in_pieces(a, b[..., i], y[..., i]), parallel.slices(n, parts))
    return y


def matmul_in_pieces(a, b, out):
    """The product of matrices (..., M, K) and (..., K, N) by the array library, into `out`; on one thread.

    OpenBLAS first copies the factors into an order that suits it, but not where a product has up to a million
    multiplications. With AVX-512, matrices as small as those of LeNet are multiplied in half the time like that. So on
    a CPU the columns of the second factor are cut, and where there are few rows, long sums too.
    """
    xp, (m, k), n = get_array_module(a), a.shape[-2:], b.shape[-1]
    if k == 1:  # no sum to take, which BLAS would set up all the same
        return xp.multiply(a, b, out=out)
    if m * k * n <= ALONE or device_of(a) != CPU:
        return xp.matmul(a, b, out=out)
    sums = _sums(m, k) if m * k * n > SMALL else 1
    if sums > 1:
        products = np.empty((*out.shape[:-2], sums, m, n), out.dtype)
        matmul_in_pieces(_cut(a, sums), b.reshape(*b.shape[:-2], sums, k // sums, n), products)
        return np.add.reduce(products, axis=-3, out=out)
    parts = _parts(m, k, n)
    if parts == 1:
        return parallel.held(lambda: np.matmul(a, b, out=out))
    parallel.held(lambda: np.matmul(a[..., None, :, :], _cut(b, parts), out=_cut(out, parts)))
    return out


def _cut(x, parts):
    """A matrix (..., M, N) with its columns cut: (..., parts, M, N / parts), a view."""
    return np.moveaxis(x.reshape(*x.shape[:-1], parts, x.shape[-1] // parts), -2, -3)


@functools.cache
def _parts(m, k, n):
    """Into how many equal parts to cut n columns: as many as it takes, if each is at least 64 wide."""
    least = m * k * n // SMALL + 1
    return next((parts for parts in range(least, n // 64 + 1) if n % parts == 0), 1)


@functools.cache
def _sums(m, k):
    """Into how many equal parts to cut a sum of k terms: of 256 at most, if there are few rows and many terms."""
    return next((parts for parts in range(k // 256 + 1, k // 64) if k % parts == 0), 1) if m <= 32 and k > 1024 else 1


def matmul(input: TensorLike, other: TensorLike) -> Tensor:
    """The matrix product; of vectors the dot product; of stacks of matrices one product each, broadcast.

    Parameters
    ----------
    input : Tensor
        Of shape (..., m, k) or (k,).
    other : Tensor
        Of shape (..., k, n) or (k,). One of the two may be a NumPy array, whose type then meets that of the tensor.

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
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        strangers = [x for x in (a, b) if not isinstance(x, (Tensor, np.ndarray))]
        if strangers:
            raise TypeError(f"matmul expected two Tensors, got {described(strangers[0])}; to scale, use *")
        a, b = promoted(a, b)
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


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, (m, k) and (k, n): `matmul` of nothing else."""
    return _of_dims("mm", input, 2, mat2, 2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix (m, k) and a vector (k,): `matmul` of nothing else."""
    return _of_dims("mv", input, 2, vec, 1)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The dot product of two vectors of one length, a number: `matmul` of nothing else."""
    return _of_dims("dot", input, 1, tensor, 1)


def _of_dims(name, a, a_ndim, b, b_ndim):
    kinds = {1: "a vector", 2: "a matrix"}
    for x, ndim in ((a, a_ndim), (b, b_ndim)):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} expected two Tensors, got {described(x)}")
        if x.ndim != ndim:
            raise RuntimeError(
                f"{name} expected {kinds[a_ndim]} and {kinds[b_ndim]}, got shapes {a.shape} and {b.shape}; matmul "
                "takes others too"
            )
    return matmul(a, b)
