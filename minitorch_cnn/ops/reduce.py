"""Sums, means and extremes over dimensions."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple, overload

import numpy as np

from minitorch_cnn.autograd import Function
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, device_of, get_array_module, parallel
from minitorch_cnn.backend.annotations import Dims, DType
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.dtypes import as_dtype, bool_, float16, float32, float64, int64
from minitorch_cnn.ops.arithmetic import pow
from minitorch_cnn.ops.compare import isnan
from minitorch_cnn.ops.elementwise import Abs, maximum, minimum, where
from minitorch_cnn.ops.indexing import getitem, line_index
from minitorch_cnn.ops.operands import convert, refuse_bool
from minitorch_cnn.ops.shape import Expand, Reshape, by_numpys_name, normalize_dim, normalize_dims, reshape
from minitorch_cnn.ops.steps import sign

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumsum", "max", "mean", "min", "norm", "std", "sum", "topk", "var",
]  # fmt: skip


class Extremum(NamedTuple):
    """The extreme elements along a dimension, and where along it they are."""

    values: Tensor
    indices: Tensor


class TopK(NamedTuple):
    """The largest or smallest elements along a dimension, and where along it they are."""

    values: Tensor
    indices: Tensor


class Sum(Function):
    """y = Σ x over some dimensions;  dx = dy, repeated."""

    reads = {}

    def __init__(self, dims, keepdim):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x):
        return sum_of(x, self.dims, self.keepdim)

    def backward(self, dy, y, x):
        return (Expand(x.shape)(Reshape(kept_shape(x.shape, self.dims))(dy)),)


class CumSum(Function):
    """y_i = Σ x_j over j <= i along a dimension, or over j >= i;  dx = the other such sum of dy."""

    reads = {}

    def __init__(self, dim, is_backwards=False):
        self.dim, self.is_backwards = dim, is_backwards

    def forward(self, x):
        turn = (lambda x: get_array_module(x).flip(x, self.dim)) if self.is_backwards else (lambda x: x)
        wide = float64 if x.dtype.kind == "f" else x.dtype  # long sums stay exact enough
        return turn(turn(x).cumsum(axis=self.dim, dtype=wide)).astype(x.dtype)

    def backward(self, dy, y, x):
        return (CumSum(self.dim, not self.is_backwards)(dy),)


class Root(Function):
    """y = √x of a sum of squares x;  dx = dy / (2 y), but 0 where y = 0."""

    reads = {"dx": "y"}

    def forward(self, x):
        return get_array_module(x).sqrt(x)

    def backward(self, dy, y, x):
        return (where(y == 0, 0.0, dy / where(y == 0, 1.0, 2 * y)),)


class Amax(Function):
    """y = max x over some dimensions;  dx = dy where x = y, shared equally among those."""

    reads = {"dx": "y x"}

    def __init__(self, dims, keepdim, nan_is_extreme=False):
        self.dims, self.keepdim, self.nan_is_extreme = dims, keepdim, nan_is_extreme

    def forward(self, x):
        return x.max(axis=self.dims, keepdims=self.keepdim)

    def backward(self, dy, y, x):
        kept = kept_shape(x.shape, self.dims)
        is_extreme = x == reshape(y, kept)
        is_extreme = (is_extreme | isnan(x) if self.nan_is_extreme else is_extreme).to(x.dtype)
        return (reshape(dy, kept) * (is_extreme / sum(is_extreme, self.dims, keepdim=True)),)


class Amin(Amax):
    """y = min x over some dimensions;  dx = dy where x = y, shared equally among those."""

    def forward(self, x):
        return x.min(axis=self.dims, keepdims=self.keepdim)


class Pick(Function):
    """y = the element of x at one index along a dimension;  dx = dy there, else 0."""

    reads = {"dx": "index"}

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x, index):  # the index has size 1 in that dimension
        return get_array_module(x).take_along_axis(x, index, self.dim)

    def backward(self, dy, y, x, index):
        positions = get_array_module(index.array).arange(x.shape[self.dim])
        positions = positions.reshape(-1, *[1] * (x.ndim - self.dim - 1))
        return where(Tensor(positions == index.array), dy, 0.0), None


def sum_of(x, dims, keepdim):
    """The sum of an array over some dimensions."""
    y = sum_over(dims, lambda x: x, x)
    return y if keepdim else y.squeeze(dims)


def sum_over(dims, function, x, *others):
    """``function(x, *others)``, element by element, summed over some dimensions, which stay at size 1.

    If it is large, this is done in parts along the axis that lies outermost in memory. The others are broadcast to x.
    """
    parts = parallel.parts_of(x.size) if device_of(x) == CPU else 1
    if parts == 1:
        return _sum_of_part(function(x, *others), dims)
    axis = parallel.outermost(x)
    before = (slice(None),) * axis
    arrays = x, *(np.broadcast_to(other, x.shape) for other in others)
    sums = parallel.run(
        lambda part: _sum_of_part(function(*[array[(*before, part)] for array in arrays]), dims),
        parallel.slices(x.shape[axis], parts),
    )
    return functools.reduce(np.add, sums) if axis in dims else np.concatenate(sums, axis)


def _sum_of_part(x, dims):
    """The sum of an array, exact enough for millions of terms."""
    # NumPy adds in pairs, which keeps rounding small, what are neighbours in memory. Others it adds one by one: in
    # float32, the sum of 2^25 ones would be 2^24.
    if x.size > 1024 and x.dtype == float32 and _terms(x, dims) > 1024 * _neighbours(x, dims):
        return x.sum(axis=dims, keepdims=True, dtype=float64).astype(float32)
    if x.dtype == float16:
        return x.sum(axis=dims, keepdims=True, dtype=float32).astype(float16)
    return x.sum(axis=dims, keepdims=True, dtype=x.dtype)  # NumPy would sum bytes in 64 bits


def _terms(x, dims):
    """How many terms each sum over some dimensions has."""
    return math.prod(x.shape[i] for i in dims)


def _neighbours(x, dims):
    """How many terms of a sum over some dimensions lie side by side in memory."""
    count = 1
    for step, i in sorted((abs(step), i) for i, step in enumerate(x.strides) if x.shape[i] > 1):
        if i not in dims or step != count * x.itemsize:
            break
        count *= x.shape[i]
    return count


def kept_shape(shape, dims):
    """The shape with the reduced dimensions kept, at size 1."""
    return tuple(1 if i in dims else size for i, size in enumerate(shape))


def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType = None,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The sum over all dimensions, or over one or some.

    Parameters
    ----------
    input : Tensor
        Integers and booleans are summed in int64.
    dim : int or tuple of int, optional
    keepdim : bool
        Keep the dimensions, at size 1.
    dtype : numpy.dtype, optional
        The type to sum in.
    axis, keepdims
        NumPy's names of `dim` and `keepdim`, which every reduction takes, as in PyTorch.
    """
    dims = normalize_dims(dim if axis is None else by_numpys_name(dim, axis), input.ndim)
    if dtype is None:
        dtype = input.dtype if input.is_floating_point() else int64
    else:
        dtype = as_dtype(dtype)
    return Sum(dims, keepdim or keepdims)(convert(input, input.device, dtype))


def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType = None,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The mean over all dimensions, or over one or some.

    Raises
    ------
    RuntimeError
        If the elements are integers: their mean is none.
    """
    dim = dim if axis is None else by_numpys_name(dim, axis)
    if dtype is not None:
        input = convert(input, input.device, as_dtype(dtype))
    if not input.is_floating_point():
        raise RuntimeError(f"mean expected floating-point elements, got {input.dtype}; convert with .float()")
    if input.dtype == float16:  # their sum may be too large for the type
        return convert(mean(input, dim, keepdim or keepdims, dtype=float32), input.device, float16)
    return sum(input, dim, keepdim or keepdims) / _count(input, dim)


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int = 1,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The variance over all dimensions, or over one or some.

    Parameters
    ----------
    input : Tensor
    dim : int or tuple of int, optional
    unbiased : bool, optional
        The older way to choose a correction of 1 or 0; may stand in the place of `dim`.
    keepdim : bool
        Keep the dimensions, at size 1.
    correction : int
        What is subtracted from the number of elements: 1 for an unbiased estimate, 0 for the mean square deviation.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    dim = dim if axis is None else by_numpys_name(dim, axis)
    if unbiased is not None or correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    deviation = input - mean(input, dim, keepdim=True)
    count = _count(input, dim) - correction
    return sum(deviation * deviation, dim, keepdim or keepdims) / (count if count > 0 else 0)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int = 1,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The standard deviation: the square root of `var`; where it is 0, so is its gradient."""
    return Root()(var(input, dim, unbiased, keepdim or keepdims, correction=correction, axis=axis))


def _count(input, dim):
    return math.prod(input.shape[i] for i in normalize_dims(dim, input.ndim))


def norm(
    input: Tensor,
    p: float | str = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType = None,
    *,
    axis: Dims = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm ``(Σ |x|ᵖ)^(1/p)`` of the elements, over all dimensions or over some.

    Parameters
    ----------
    input : Tensor
        Of a floating-point type.
    p : float or "fro"
        "fro" is 2, the root of the sum of squares, whose gradient at 0 is 0. Infinity is the largest |x|, minus
        infinity the smallest; 0 counts what is not 0.
    dim : int or tuple of int, optional
    keepdim : bool
        Keep the dimensions, at size 1.
    dtype : numpy.dtype, optional
        The type to compute in.

    Raises
    ------
    RuntimeError
        If the elements are integers, or `p` is "nuc", for which singular values would be needed.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> norm(mt.tensor([3.0, -4.0])), norm(mt.tensor([3.0, -4.0]), 1)
    (tensor(5.), tensor(7.))
    """
    dim, keepdim = dim if axis is None else by_numpys_name(dim, axis), keepdim or keepdims
    x = input if dtype is None else convert(input, input.device, as_dtype(dtype))
    if not x.is_floating_point():
        raise RuntimeError(f"norm expected a floating point tensor as input, got {x.dtype}; convert with .float()")
    p = 2 if p in ("fro", None) else p
    if isinstance(p, str):
        raise RuntimeError(f"norm expected p to be a number or 'fro', got {p!r}")
    if p == 2:
        return Root()(sum(x * x, dim, keepdim))
    if math.isinf(p):
        return (amax if p > 0 else amin)(Abs()(x), () if dim is None else dim, keepdim)
    if p == 0:
        return sum(sign(Abs()(x)), dim, keepdim)
    if p == 1:
        return sum(Abs()(x), dim, keepdim)
    return _power(sum(_power(Abs()(x), p), dim, keepdim), 1 / p)


def _power(x, p):
    """xᵖ of numbers that are not negative, with the gradient 0 at 0, where that of the power may be none."""
    is_zero = x == 0
    return where(is_zero, math.inf if p < 0 else 0.0, pow(where(is_zero, 1.0, x), p))


def cumsum(input: Tensor, dim: int | None = None, *, dtype: DType = None, axis: int | None = None) -> Tensor:
    """The sums of the elements up to each along a dimension, itself included; of integers in int64.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> cumsum(mt.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.])
    """
    dim = normalize_dim(dim if axis is None else by_numpys_name(dim, axis), input.ndim)
    if dtype is None:
        dtype = input.dtype if input.is_floating_point() else int64
    x = convert(input, input.device, as_dtype(dtype))
    return CumSum(dim)(x) if x.ndim else x.clone()


def amax(input: Tensor, dim: Dims = (), keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The largest element over all dimensions, or over one or some; equal ones share the gradient."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return Amax(_searched("amax", input, dim), keepdim or keepdims)(input)


def amin(input: Tensor, dim: Dims = (), keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The smallest element over all dimensions, or over one or some; equal ones share the gradient."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return Amin(_searched("amin", input, dim), keepdim or keepdims)(input)


def _searched(name, input, dim):
    """The dimensions to search in; they must have elements."""
    dims = normalize_dims(dim, input.ndim)
    if 0 in [input.shape[i] for i in dims]:
        error = IndexError if dim or dim == 0 else RuntimeError
        raise error(f"{name}: there are no elements to search in shape {input.shape}, dim {dim}")
    return dims


def argmax(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """The index of the first largest element, in the flattened tensor or along a dimension."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _arg("argmax", refuse_bool("argmax", input), dim, keepdim or keepdims)


def argmin(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """The index of the first smallest element, in the flattened tensor or along a dimension."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _arg("argmin", refuse_bool("argmin", input), dim, keepdim or keepdims)


def _arg(name, input, dim, keepdim):
    dim = None if dim is None else normalize_dim(dim, input.ndim)
    if (input.numel() if dim is None else input.shape[dim] if input.ndim else 1) == 0:
        raise IndexError(f"{name} expected a non-zero size to search, got shape {input.shape} and dim {dim}")
    if input.ndim == 0:
        return Tensor(get_array_module(input.array).zeros_like(input.array, dtype=int64))
    array = input.array.astype("uint8") if input.dtype == bool_ else input.array
    index = arg_extreme(name, array, dim)
    if keepdim:
        xp = get_array_module(array)
        index = xp.asarray(index).reshape(kept_shape(input.shape, range(input.ndim) if dim is None else (dim,)))
    return Tensor(index).to(int64)


def arg_extreme(name, array, axis):
    """``array.argmax(axis)`` or ``array.argmin(axis)``, by name; of equal elements the first, NaN before all others.

    Which one of several NaN, CuPy does not promise. NumPy copies an array to bring the axis innermost in memory, and is
    slow where that is short. There it is faster to compare slices, if these are long.
    """
    if device_of(array) != CPU or axis is None or array.size < 1024 * array.shape[axis]:
        return getattr(array, name)(axis=axis)
    if array.strides[axis] == array.itemsize and array.shape[axis] > 16:
        return getattr(array, name)(axis=axis)
    wins, best_of = {"argmax": (np.greater, np.maximum), "argmin": (np.less, np.minimum)}[name]
    first, *others = np.moveaxis(array, axis, 0)
    best, index = first.copy(order="K"), np.zeros_like(first, np.min_scalar_type(len(others)))
    for i, other in enumerate(others, start=1):
        better = wins(other, best) | ((other != other) & (best == best))  # NaN is unequal to itself
        np.maximum(index, better * index.dtype.type(i), out=index)
        best_of(best, other, out=best)
    return index.astype(np.int64)


@overload
def max(
    input: Tensor, dim: Tensor | None = None, keepdim: bool = False, *, axis: None = None, keepdims: bool = False
) -> Tensor: ...
@overload
def max(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Extremum: ...
def max(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    axis: int | None = None,
    keepdims: bool = False,
) -> Tensor | Extremum:
    """The largest element; with `dim`, the largest along it and their indices; with a tensor, `maximum`.

    Returns
    -------
    Tensor, or a pair (values, indices)
        Of equal elements along `dim`, the first is taken, and it alone receives the gradient.
    """
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _extremum("argmax", Amax, maximum, input, dim, keepdim or keepdims)


@overload
def min(
    input: Tensor, dim: Tensor | None = None, keepdim: bool = False, *, axis: None = None, keepdims: bool = False
) -> Tensor: ...
@overload
def min(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Extremum: ...
def min(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    axis: int | None = None,
    keepdims: bool = False,
) -> Tensor | Extremum:
    """The smallest element; with `dim`, the smallest along it and their indices; with a tensor, `minimum`.

    Returns
    -------
    Tensor, or a pair (values, indices)
        Of equal elements along `dim`, the first is taken, and it alone receives the gradient.
    """
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _extremum("argmin", Amin, minimum, input, dim, keepdim or keepdims)


def _extremum(search, reduce, combine, input, dim, keepdim):
    if dim is None:
        return reduce(_searched("max and min", input, None), False, nan_is_extreme=True)(input)
    if isinstance(dim, Tensor):
        return combine(input, dim)
    dim = normalize_dim(dim, input.ndim)
    if input.ndim == 0:
        return Extremum(input.clone(), _arg(search, input, None, False))
    index = _arg(search, input, dim, True)
    values = pick(input, dim, index)
    if keepdim:
        return Extremum(values, index)
    shape = input.shape[:dim] + input.shape[dim + 1 :]
    return Extremum(reshape(values, shape), reshape(index, shape))


def pick(input, dim, index):
    """One element along a dimension for each place of the others: the index has size 1 in `dim`."""
    return Pick(normalize_dim(dim, input.ndim))(input, index)


def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, axis: int | None = None
) -> TopK:
    """The `k` largest elements along a dimension, from the largest down, and their indices; or the smallest, upwards.

    Parameters
    ----------
    input : Tensor
    k : int
    dim : int
    largest : bool
    sorted : bool
        They are, whatever this says.

    Returns
    -------
    pair (values, indices)
        Of size `k` in that dimension. Of equal elements those that come first; NaN is larger than all numbers.

    Raises
    ------
    RuntimeError
        If there are fewer than `k`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> values, indices = topk(mt.tensor([3.0, 1.0, 7.0]), 2)
    >>> values.tolist(), indices.tolist()
    ([7.0, 3.0], [2, 0])
    """
    dim = normalize_dim(dim if axis is None else by_numpys_name(None if dim == -1 else dim, axis), input.ndim)
    x = refuse_bool("topk", input) if input.ndim else reshape(input, (1,))
    size, k = x.shape[dim], whole("k", k)
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: selected index k out of range: k={k} of {size} elements along dim {dim}")
    xp = get_array_module(x.array)
    if largest:  # by a stable order of the elements from the last to the first
        order = size - 1 - xp.flip(xp.argsort(xp.flip(x.array, dim), axis=dim, kind="stable"), dim)
    else:
        order = xp.argsort(x.array, axis=dim, kind="stable")
    indices = Tensor(xp.take(order, xp.arange(k), axis=dim))
    values = getitem(x, line_index(dim, indices))
    return TopK(values, indices) if input.ndim else TopK(reshape(values, ()), reshape(indices, ()))
