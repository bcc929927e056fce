"""Operations that change the shape or the order of elements, not their values."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from minitorch_cnn.autograd import Function
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module, inverse, share_memory
from minitorch_cnn.backend.annotations import Dims, Ints, Tensors
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.ops.operands import promoted

__all__ = [
    "broadcast_to", "cat", "clone", "contiguous", "expand", "flatten", "meshgrid", "permute", "reshape", "squeeze",
    "stack", "t", "transpose", "unbind", "unflatten", "unsqueeze",
]  # fmt: skip


def normalize_dim(dim, ndim):
    """A dimension counted from the front; a 0-d tensor counts as having one.

    Raises
    ------
    IndexError
        If there is no such dimension.
    """
    count = ndim or 1
    if not isinstance(dim, int):
        dim = operator.index(dim)
    if not -count <= dim < count:
        raise IndexError(f"dimension out of range: expected one in [{-count}, {count - 1}], got {dim}")
    return dim % count


def normalize_dims(dim, ndim):
    """Dimensions to reduce, counted from the front; None, () and [] are all of them."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    dims = tuple(normalize_dim(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    if len(set(dims)) < len(dims):
        raise RuntimeError(f"a dimension appears more than once in dim={dim}")
    return dims if ndim else ()


def by_numpys_name(dim, axis):
    """The dimensions that a caller names `axis`, as NumPy does; PyTorch takes either name, and one of them.

    Raises
    ------
    TypeError
        If `dim` is given as well.
    """
    if dim is not None and dim != ():
        raise TypeError(f"dim and axis are two names of one argument; got dim={dim} and axis={axis}")
    return axis


def as_size(size):
    """``(2, 3)`` from the arguments ``2, 3`` or ``(2, 3)``."""
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)) and hasattr(size[0], "__iter__"):
        size = size[0]
    return tuple(map(operator.index, size))


# --- views -----------------------------------------------------------------------------------------------


class Reshape(Function):
    """y = x in another shape;  dx = dy in the shape of x."""

    reads = {}
    is_view = True

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        if x.ndim > 1 and x.shape[:1] == self.shape[:1] and x.strides[0] == min(x.strides):
            # the batch stays as it is, and innermost in memory where it is so
            move = get_array_module(x).moveaxis
            return move(move(x, 0, -1).reshape(*self.shape[1:], x.shape[0]), -1, 0)
        return x.reshape(self.shape)

    def backward(self, dy, y, x):
        return (Reshape(x.shape)(dy),)


class Permute(Function):
    """y = x with its dimensions in another order;  dx = dy with them put back."""

    reads = {}
    is_view = True

    def __init__(self, dims):
        self.dims = dims

    def forward(self, x):
        return x.transpose(self.dims)

    def backward(self, dy, y, x):
        return (Permute(inverse(self.dims))(dy),)


class Expand(Function):
    """y = x, repeated by broadcasting;  dx = dy, summed over the repetitions."""

    reads = {}
    is_view = True

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        return get_array_module(x).broadcast_to(x, self.shape)

    def backward(self, dy, y, x):
        return (dy,)


def reshape(input: Tensor, *shape: Ints) -> Tensor:
    """The same elements, in the order of their indices, in another shape.

    Parameters
    ----------
    input : Tensor
    *shape : int, or one sequence of int
        One size may be -1: it is what the others leave.

    Returns
    -------
    Tensor
        A view where PyTorch gives one, else a copy.

    Raises
    ------
    RuntimeError
        If the numbers of elements differ.
    """
    asked = shape = as_size(shape)
    count = input.numel()
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape = tuple(count // known if s == -1 and known else s for s in shape)
    if math.prod(shape) != count or min(shape, default=0) < 0:
        raise RuntimeError(f"shape {asked} is invalid for input of size {count} (its shape is {input.shape})")
    function = Reshape(shape)
    output = function(input)
    if output._view is None and count:
        _stand_for_view(output, input, function)
    return output


def view(input: Tensor, *shape: Ints) -> Tensor:
    """`reshape`, where that needs no copy.

    Raises
    ------
    RuntimeError
        If it does.
    """
    output = reshape(input, *shape)
    if output._view is None and output.numel():
        raise RuntimeError(
            f"view size {output.shape} is not compatible with how the elements of this tensor, of shape {input.shape}, "
            "lie in memory; use reshape(), which copies them"
        )
    return output


# Images lie in memory with the batch innermost, and in PyTorch with it outermost. So a view that PyTorch gives may take
# a copy here. If nobody else has seen the memory of the base, the base moves to the copy, and there is a view of it
# after all. Else the copy stands for the view, and knows that a change of the one would be lost to the other.


def _stand_for_view(output, input, function):
    """Make the output of a reshape that had to copy what it is in PyTorch."""
    array = _as_in_pytorch(input)
    if not share_memory(function.forward(array), array):
        return
    if _is_free_to_move(input):
        input.array = Reshape(input.shape).forward(output.array)
        output.become_view(input, function)
    else:
        output.become_view(input, function, is_copy=True)


def _as_in_pytorch(tensor):
    """An array without values that lies in memory as the elements of a tensor would in PyTorch."""
    if tensor._view is None:
        return np.empty(tensor.shape, bool)
    array = np.empty(tensor._view.root.shape, bool)
    for function in tensor._view.path():
        array = function.forward(array)
    return array


def _is_free_to_move(tensor):
    """Whether nobody else shows the memory of a tensor."""
    return tensor._view is None and not tensor._memory.is_shown


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from `start_dim` to `end_dim` made one.

    Raises
    ------
    RuntimeError
        If `start_dim` comes after `end_dim`.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"flatten expected a Tensor, got {described(input)}")
    start, end = normalize_dim(start_dim, input.ndim), normalize_dim(end_dim, input.ndim)
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} cannot come after end_dim {end_dim}")
    if start == end and input.ndim:
        return input
    middle = math.prod(input.shape[start : end + 1])
    return reshape(input, (*input.shape[:start], middle, *input.shape[end + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension split into several; one of `sizes` may be -1."""
    dim, rest = normalize_dim(dim, input.ndim), math.prod(s for s in sizes if s != -1)
    sizes = [input.shape[dim] // rest if s == -1 and rest else s for s in sizes]
    if math.prod(sizes) != input.shape[dim]:
        raise RuntimeError(
            f"unflatten: the sizes {tuple(sizes)} don't multiply up to the size {input.shape[dim]} of dim {dim}"
        )
    return reshape(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


def permute(input: Tensor, *dims: Ints) -> Tensor:
    """The dimensions in another order, as a view."""
    given = as_size(dims)
    dims = tuple(normalize_dim(d, input.ndim) for d in given)
    if sorted(dims) != list(range(input.ndim)):
        raise RuntimeError(f"permute expected each of {input.ndim} dimensions once, got {given}")
    return Permute(dims)(input)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged, as a view."""
    dims = list(range(input.ndim))
    a, b = normalize_dim(dim0, input.ndim), normalize_dim(dim1, input.ndim)
    if dims:
        dims[a], dims[b] = b, a
    return permute(input, dims)


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector or a number as it is.

    Raises
    ------
    RuntimeError
        If there are more than two dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with at most 2 dimensions, got {input.ndim}; use transpose or permute"
        )
    return permute(input, *reversed(range(input.ndim)))


def squeeze(input: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor:
    """Without the dimensions of size 1: all of them, or those named."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    dims = () if isinstance(dim, (tuple, list)) and not dim else normalize_dims(dim, input.ndim)
    return reshape(input, [size for i, size in enumerate(input.shape) if size != 1 or i not in dims])


def unsqueeze(input: Tensor, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """With a new dimension of size 1 at `dim`."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    dim = normalize_dim(dim, input.ndim + 1)
    return reshape(input, (*input.shape[:dim], 1, *input.shape[dim:]))


def expand(input: Tensor, *sizes: Ints) -> Tensor:
    """Dimensions of size 1 repeated, and new ones put in front, without a copy; -1 leaves a size as it is.

    Raises
    ------
    RuntimeError
        If a size other than 1 would have to change.
    """
    sizes = as_size(sizes)
    own = (1,) * (len(sizes) - input.ndim) + input.shape
    shape = tuple(s if size == -1 else size for s, size in zip(own[-len(sizes) :] if sizes else (), sizes, strict=True))
    if len(sizes) < input.ndim or any(s not in (1, size) for s, size in zip(own, shape, strict=True)):
        raise RuntimeError(f"expand cannot bring shape {input.shape} to {sizes}: only sizes of 1 can be repeated")
    return Expand(shape)(input)


def broadcast_to(input: Tensor, shape: Ints) -> Tensor:
    """`expand` by NumPy's name."""
    return expand(input, shape)


def repeated(x, sizes):
    """A copy of x so many times along each dimension; further dimensions stand in front."""
    counts = as_size(sizes)
    own = (1,) * (len(counts) - x.ndim) + x.shape
    if len(counts) < x.ndim or min(counts, default=0) < 0:
        raise RuntimeError(f"repeat expected a number, 0 or more, for each of {x.ndim} dimensions, got {counts}")
    once = [size for n in own for size in (1, n)]  # (1, N0, 1, N1, ...)
    twice = [size for pair in zip(counts, own) for size in pair]  # (R0, N0, R1, N1, ...)
    copy = Clone(tuple(range(len(once))))(expand(reshape(x, once), twice))
    return reshape(copy, [r * n for r, n in zip(counts, own)])


def meshgrid(*tensors: Tensors, indexing: Literal["ij", "xy"] | None = None) -> tuple[Tensor, ...]:
    """The coordinates of a grid: for each vector, its elements at every point of the grid.

    Parameters
    ----------
    *tensors : Tensor, or one sequence of Tensor
        The coordinates along each dimension: vectors of sizes n0, n1, ... of one type; a number counts as one element.
    indexing : {"ij", "xy"}
        "ij": results have the shape (n0, n1, ...); "xy": the first two are exchanged, as for pictures, whose rows come
        first. Leaving it out means "ij" and is deprecated, as in PyTorch.

    Returns
    -------
    tuple of Tensor
        Views, in which elements are repeated without a copy.

    Raises
    ------
    RuntimeError
        If there is no tensor, one has two dimensions, the types differ, or `indexing` is something else.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> y, x = meshgrid(mt.arange(2), mt.arange(3), indexing="ij")
    >>> y.tolist(), x.tolist()
    ([[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]])
    """
    is_list = len(tensors) == 1 and isinstance(tensors[0], (list, tuple))
    tensors = _listed("meshgrid", tensors[0] if is_list else tensors, RuntimeError)
    if indexing is None:
        warnings.warn("meshgrid: pass the indexing argument, 'ij' as so far or 'xy'", stacklevel=2)
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f"meshgrid expected indexing to be 'ij' or 'xy', got {indexing!r}")
    if any(x.ndim > 1 for x in tensors) or len({x.dtype for x in tensors}) > 1:
        came = ", ".join(f"{x.dtype} {x.shape}" for x in tensors)
        raise RuntimeError(f"meshgrid expected vectors of one type, got {came}")
    n = len(tensors)
    places = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else range(n)
    shape = [tensors[i].numel() for i in places]
    lines = [reshape(x, [-1 if i == place else 1 for i in range(n)]) for x, place in zip(tensors, places)]
    return tuple(expand(x, shape) for x in lines)


# --- joining and copying ---------------------------------------------------------------------------------


class Cat(Function):
    """y = the inputs one after the other along a dimension;  each dx = its part of dy."""

    reads = {}

    def __init__(self, dim):
        self.dim = dim

    def forward(self, *xs):
        return get_array_module(xs[0]).concatenate(xs, axis=self.dim)

    def backward(self, dy, y, *xs):
        bounds = np.cumsum([0] + [x.shape[self.dim] for x in xs]).tolist()
        skipped = (slice(None),) * self.dim
        return tuple(dy[(*skipped, slice(start, end))] for start, end in pairwise(bounds))


class Clone(Function):
    """y = a copy of x;  dx = dy.

    Parameters
    ----------
    order : tuple of int, optional
        The dimensions as the copy shall have them in memory, from the outermost to the innermost; by default as x.
    """

    reads = {}

    def __init__(self, order=None):
        self.order = order

    def forward(self, x):
        if self.order is None:
            return x.copy(order="K")
        return x.transpose(self.order).copy(order="C").transpose(inverse(self.order))

    def backward(self, dy, y, x):
        return (dy,)


def cat(tensors: Iterable[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors one after the other along a dimension; their other sizes must agree.

    Raises
    ------
    ValueError
        If there is none.
    RuntimeError
        If the shapes do not fit.
    """
    dim = dim if axis is None else by_numpys_name(dim or None, axis)
    tensors = _listed("cat", tensors, ValueError)
    tensors = [x for x in tensors if x.shape != (0,)] or tensors[:1]
    dim = normalize_dim(dim, tensors[0].ndim)
    rest = {(x.ndim, x.shape[:dim], x.shape[dim + 1 :]) for x in tensors}
    if len(rest) > 1 or tensors[0].ndim == 0:
        shapes = ", ".join(str(x.shape) for x in tensors)
        raise RuntimeError(f"cat expected tensors whose sizes agree except in dimension {dim}, got shapes {shapes}")
    return Cat(dim)(*promoted(*tensors))


def stack(tensors: Iterable[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of equal shape side by side along a new dimension.

    Raises
    ------
    RuntimeError
        If there is none, or the shapes differ.
    """
    dim = dim if axis is None else by_numpys_name(dim or None, axis)
    tensors = _listed("stack", tensors, RuntimeError)
    shapes = {x.shape: None for x in tensors}
    if len(shapes) > 1:
        raise RuntimeError(f"stack expected tensors of equal shape, got shapes {', '.join(map(str, shapes))}")
    return cat([unsqueeze(x, dim) for x in tensors], normalize_dim(dim, tensors[0].ndim + 1))


def _listed(name, tensors, error_if_none):
    """A sequence of at least one tensor, as a list."""
    tensors = list(tensors)
    if not tensors:
        raise error_if_none(f"{name} expected at least one tensor, got none")
    for i, x in enumerate(tensors):
        if not hasattr(x, "is_floating_point"):
            raise TypeError(f"{name} expected Tensors, got {described(x)}; at position {i}")
    return tensors


def unbind(input: Tensor, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """The slices along a dimension, without that dimension, as a tuple."""
    dim = dim if axis is None else by_numpys_name(dim or None, axis)
    skipped = (slice(None),) * normalize_dim(dim, input.ndim)
    return tuple(input[(*skipped, i)] for i in range(input.shape[len(skipped)]))


def clone(input: Tensor) -> Tensor:
    """A copy with memory of its own; gradients pass through it."""
    return Clone()(input)


def contiguous(input: Tensor) -> Tensor:
    """The elements in memory in the order of their indices: the tensor itself if they are, else a copy."""
    if input.is_contiguous():
        return input
    function = Clone(tuple(range(input.ndim)))
    copy = function(input)
    if not _as_in_pytorch(input).flags.c_contiguous:
        return copy
    if _is_free_to_move(input):
        input.array = copy.array
        return input
    copy.become_view(input, function, is_copy=True)
    return copy
