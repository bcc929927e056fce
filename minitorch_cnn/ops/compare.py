"""Comparisons and logic, element by element. The results have no gradient."""

from __future__ import annotations

import numpy as np

from minitorch_cnn.autograd.function import need_one_device
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import filled, get_array_module
from minitorch_cnn.backend.annotations import Dims, TensorLike
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.backend.dtypes import bool_, bounds, is_floating, uint8
from minitorch_cnn.ops.operands import need_tensor, promoted
from minitorch_cnn.ops.shape import by_numpys_name, normalize_dims

__all__ = [
    "all", "allclose", "any", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "eq", "equal", "ge", "gt",
    "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "lt", "ne",
]  # fmt: skip


def _compare(name, input, other):
    """One of the array library's functions of two arrays; the second may be a number."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name} expected a Tensor first, got {described(input)}")
    need_one_device(name, input, other)
    if isinstance(other, (int, np.integer)) and input.array.dtype.kind in "iu":
        low, high = bounds(input.array.dtype)
        if not low <= other <= high:  # above or below them all
            return Tensor(filled(input.shape, getattr(np, name)(0.0, float(other)), input.device, bool_))
    a, b = (x.array if isinstance(x, Tensor) else x for x in promoted(input, other))
    return _computed(name, a, a, b)


def _computed(name, like, *arrays):
    """What a function of the library of the array `like` gives; arrays may be numbers."""
    try:
        return Tensor(getattr(get_array_module(like), name)(*arrays))
    except ValueError as error:
        raise RuntimeError(f"{name}: {error}") from error


def eq(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input == other``."""
    return _compare("equal", input, other)


def ne(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input != other``."""
    return _compare("not_equal", input, other)


def lt(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input < other``."""
    return _compare("less", input, other)


def le(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input <= other``."""
    return _compare("less_equal", input, other)


def gt(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input > other``."""
    return _compare("greater", input, other)


def ge(input: Tensor, other: TensorLike) -> Tensor:
    """Where ``input >= other``."""
    return _compare("greater_equal", input, other)


def _element_by_element(name, *inputs):
    """One of the array library's functions of arrays, as they are."""
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} expected a Tensor, got {described(x)}")
    need_one_device(name, *inputs)
    return _computed(name, inputs[0].array, *[x.array for x in inputs])


def logical_and(input: Tensor, other: TensorLike) -> Tensor:
    """Where both are true."""
    return _element_by_element("logical_and", input, other)


def logical_or(input: Tensor, other: TensorLike) -> Tensor:
    """Where at least one is true."""
    return _element_by_element("logical_or", input, other)


def logical_not(input: Tensor) -> Tensor:
    """Where the element is false or 0."""
    return _element_by_element("logical_not", input)


def isnan(input: Tensor) -> Tensor:
    """Where the element is not a number."""
    return _element_by_element("isnan", input)


def isinf(input: Tensor) -> Tensor:
    """Where the element is infinite."""
    return _element_by_element("isinf", input)


def isfinite(input: Tensor) -> Tensor:
    """Where the element is finite."""
    return _element_by_element("isfinite", input)


def bitwise_and(input: TensorLike, other: TensorLike) -> Tensor:
    """``input & other``, bit by bit: of booleans, where both are true."""
    return _bitwise("bitwise_and", input, other)


def bitwise_or(input: TensorLike, other: TensorLike) -> Tensor:
    """``input | other``, bit by bit: of booleans, where at least one is true."""
    return _bitwise("bitwise_or", input, other)


def bitwise_xor(input: TensorLike, other: TensorLike) -> Tensor:
    """``input ^ other``, bit by bit: of booleans, where one is true and the other is not."""
    return _bitwise("bitwise_xor", input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """``~input``, bit by bit: of booleans, where the element is false."""
    return _bitwise("bitwise_not", input)


def _bitwise(name, *inputs):
    need_tensor(name, *inputs)
    need_one_device(name, *inputs)
    arrays = [x.array if isinstance(x, Tensor) else x for x in promoted(*inputs)]
    array = next(x for x in arrays if hasattr(x, "dtype"))
    if is_floating(array.dtype):
        raise NotImplementedError(f"{name} is for integers and booleans, got {array.dtype}; compare the numbers first")
    return _computed(name, array, *arrays)


def any(input: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true, over all dimensions or along some."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _any_or_all(input, "any", dim, keepdim or keepdims)


def all(input: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true, over all dimensions or along some."""
    dim = dim if axis is None else by_numpys_name(dim, axis)
    return _any_or_all(input, "all", dim, keepdim or keepdims)


def _any_or_all(input, name, dim, keepdim):
    if not isinstance(input, Tensor):
        raise TypeError(f"{name} expected a Tensor, got {described(input)}")
    dims = dim
    if dim is not None and not (isinstance(dim, int) and input.ndim):
        dims = () if isinstance(dim, (tuple, list)) and not dim else normalize_dims(dim, input.ndim)
    answer = Tensor(getattr(input.array.astype(bool), name)(axis=dims, keepdims=keepdim))
    return answer.to(uint8) if input.dtype == uint8 else answer  # as in PyTorch, where uint8 was once its bool


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether ``|input - other| <= atol + rtol * |other|`` holds for all elements.

    Returns
    -------
    bool
    """
    need_one_device("allclose", input, other)
    a, b = input.array, other.array
    return bool(get_array_module(a).allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements.

    Returns
    -------
    bool
    """
    need_one_device("equal", input, other)
    return input.shape == other.shape and bool((input.array == other.array).all())
