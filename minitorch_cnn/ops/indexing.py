"""Taking out elements by index, and putting them back."""

from __future__ import annotations

import warnings

import numpy as np

from minitorch_cnn.autograd import Function
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, asarray, device_of, get_array_module, memory_order, scatter_add, share_memory
from minitorch_cnn.backend.dtypes import bool_, int64, uint8
from minitorch_cnn.ops.shape import Clone, normalize_dim

__all__ = ["gather"]


class _ByIndex(Function):
    """What the operations with an index have in common."""

    def __init__(self, index):
        self.index = index

    def release(self):
        """Forget the values kept for `backward`; an index that holds arrays is one."""
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        self.kept.release(always=any(hasattr(part, "__len__") for part in parts))


class GetItem(_ByIndex):
    """y = x[index];  dx = 0 with dy added at the index."""

    reads = {}
    is_view = True

    def forward(self, x):
        x, index = located(x, self.index)
        y = x[index]
        if isinstance(y, np.generic):  # a copy, where a view is wanted: NumPy gives one if the index has an Ellipsis
            y = x[(*index, ...)] if isinstance(index, tuple) else x[index, ...]
        return y

    def backward(self, dy, y, x):
        return (PutItem(self.index, x.shape)(dy),)


class PutItem(_ByIndex):
    """y = 0 with x added at the index;  dx = dy[index]."""

    reads = {}

    def __init__(self, index, shape):
        super().__init__(index)
        self.shape = shape

    def forward(self, x):
        y = get_array_module(x).zeros(self.shape, dtype=x.dtype)
        part, index = located(y, self.index)
        if _can_repeat(index):
            scatter_add(part, index, x)
        else:
            part[index] = x
        return y

    def backward(self, dy, y, x):
        return (GetItem(self.index)(dy),)


class SetItem(_ByIndex):
    """y = x after v[index] = value, in the memory of x, for a view v of x;  dx = dy but 0 there, dvalue = dy there.

    Parameters
    ----------
    index
    path : sequence of Function
        What the view v was made of x by; without any, it is x itself.
    """

    reads = {}

    def __init__(self, index, path=()):
        super().__init__(_own(index))
        self.path = [function.again() for function in path]

    def forward(self, x, value):
        self.order = memory_order(x)
        part = x
        for function in self.path:
            part = function.forward(part)
        if not share_memory(part, x) and part.size:
            raise RuntimeError("the tensor that this is a view of was given another memory since; take the view again")
        part, index = located(part, self.index)
        while value.ndim > part[index].ndim and value.shape[0] == 1:
            value = value[0]
        try:
            part[index] = value
        except ValueError as error:
            raise RuntimeError(f"an element assignment does not fit: {error}") from error
        return x

    def backward(self, dy, y, x, value):
        dx = Clone(self.order)(dy)  # in the memory order of x, in which the functions of the path do not copy
        self._part(dx)[self.index] = 0
        dvalue = self._part(dy)[self.index]
        return dx, dvalue.reshape((1,) * (value.ndim - dvalue.ndim) + dvalue.shape)

    def _part(self, x):
        for function in self.path:
            x = function(x)
        return x


def getitem(input, index):
    """``input[index]``: by integers, slices, None, Ellipsis, lists, masks and integer tensors.

    Returns
    -------
    Tensor
        A view if the index has only integers, slices, None and Ellipsis; else a copy.

    Raises
    ------
    IndexError
        If an index is out of range, or there are more indices than dimensions.
    ValueError
        If a slice goes backwards.
    """
    return GetItem(_own(index))(input)


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Of each line along `dim`, the elements at the places that `index` names: y[i, j] = x[index[i, j], j] for dim 0.

    Parameters
    ----------
    input : Tensor
    dim : int
    index : Tensor of int64
        Of as many dimensions as `input`, and in all but `dim` no larger.

    Returns
    -------
    Tensor
        Of the shape of `index`.

    Raises
    ------
    RuntimeError
        If the shapes do not fit, the index holds no int64, or one of its places is not there.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> probabilities = mt.tensor([[0.9, 0.1], [0.3, 0.7]])
    >>> gather(probabilities, 1, mt.tensor([[0], [1]])).tolist()  # those of the labels
    [[0.8999999761581421], [0.699999988079071]]
    """
    return getitem(input, along(input, dim, index))


def along(x, dim, index):
    """The index of NumPy that goes along `dim` by `index`, and along the other dimensions from place to place."""
    dim = normalize_dim(dim, x.ndim)
    if index.dtype != int64:
        raise RuntimeError(f"expected an index of int64, got {index.dtype}; make it one with .long()")
    fits = index.ndim == x.ndim and all(
        n <= m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != dim
    )
    if index.numel() and not fits:
        raise RuntimeError(
            f"expected an index of {x.ndim} dimensions, no larger than shape {x.shape} in all but dimension {dim}, "
            f"got shape {index.shape}"
        )
    if index.numel() and not 0 <= int(index.array.min()) <= int(index.array.max()) < x.shape[dim]:
        raise RuntimeError(f"an index is out of bounds for dimension {dim} with size {x.shape[dim]}")
    return line_index(dim, index)


def line_index(dim, index):
    """`along`, for places that are known to be there."""
    xp = get_array_module(index.array)
    places = [Tensor(xp.arange(n).reshape(-1, *(1,) * (index.ndim - 1 - i))) for i, n in enumerate(index.shape)]
    return (*places[:dim], index, *places[dim + 1 :])


def _own(index):
    """An index that a user gave, its arrays copied, for the user may change them before `backward` reads them.

    As in PyTorch, no slice of it may go backwards, an array of uint8 is a mask, with a warning, and an integer without
    dimensions is a number, so that there is a view.
    """
    if isinstance(index, tuple):
        return tuple(map(_own, index))
    if isinstance(index, slice) and index.step is not None and index.step <= 0:
        raise ValueError(f"the step of a slice must be greater than zero, got {index.step}; index by a list instead")
    if isinstance(index, Tensor):
        index = index.array
    if getattr(index, "dtype", None) == uint8 and not isinstance(index, np.generic):
        warnings.warn(
            "an index of uint8 is a mask, as in PyTorch; say so by mask.bool(), or make it positions by index.long()",
            stacklevel=4,
        )
        return index.astype(bool)
    if isinstance(index, range):
        return list(index)
    if not hasattr(index, "copy"):
        return index
    return int(index) if getattr(index, "ndim", None) == 0 and index.dtype.kind in "iu" else index.copy()


def located(array, index):
    """The part of an array that the integers in an index choose, and an index into it without them.

    NumPy would count an integer that stands beside an array as an array; PyTorch takes it out first.
    """
    index = raw_index(index, array)
    parts = index if isinstance(index, tuple) else (index,)
    integers = [isinstance(part, (int, np.integer)) and not isinstance(part, bool) for part in parts]
    if not any(integers) or not any(hasattr(part, "strides") and part.ndim for part in parts):
        return array, index
    first = []
    for part, is_integer in zip(parts, integers, strict=True):
        if is_integer or part is Ellipsis:
            first.append(part)
        elif part is not None and not isinstance(part, bool):
            first += [slice(None)] * (part.ndim if getattr(part, "dtype", None) == bool_ else 1)
    return array[tuple(first)], tuple(p for p, is_integer in zip(parts, integers, strict=True) if not is_integer)


def raw_index(index, array):
    """An index in the terms of an array's library: tensors, lists and NumPy arrays become arrays on its device."""
    if isinstance(index, tuple):
        return tuple(raw_index(i, array) for i in index)
    if isinstance(index, Tensor):
        index = index.array
    if index is None or index is Ellipsis or isinstance(index, (slice, int, np.integer)):
        return index
    if isinstance(index, float):
        raise IndexError(f"an index must be an integer, a slice, None, Ellipsis, a list or a tensor; got {index!r}")
    on_host = not hasattr(index, "dtype") or isinstance(index, np.ndarray)
    if not hasattr(index, "dtype"):
        try:
            index = np.asarray(index)
        except ValueError as error:
            raise IndexError(f"a list used as an index must have rows of equal length: {error}") from None
        index = index if index.size else index.astype("int64")
    if index.dtype.kind not in "biu":
        raise IndexError(f"a tensor or list used as an index must hold integers or booleans, got {index.dtype}")
    if not on_host and device_of(array) == CPU:
        raise RuntimeError(
            f"expected an index on the CPU for a tensor there, got one on {device_of(index)}; move it with .cpu()"
        )
    return asarray(index, device_of(array)) if on_host else index


def _can_repeat(index):
    """Whether an index may name an element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(hasattr(part, "dtype") and part.ndim and part.dtype != bool_ for part in parts)
