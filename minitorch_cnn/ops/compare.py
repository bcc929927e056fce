"""Questions about elements: comparisons, logic, signs. Their answers have no gradient."""

import numpy as np

from minitorch_cnn.backend import get_array_module
from minitorch_cnn.ops.operands import promoted
from minitorch_cnn.tensor import Tensor


def _compare(name, input, other):
    a, b = (x.array if isinstance(x, Tensor) else x for x in promoted(input, other))
    if isinstance(a, (bool, int, float)):
        a, b, name = b, a, {"less": "greater", "less_equal": "greater_equal"}.get(name, name)
    return Tensor(getattr(get_array_module(a), name)(a, b))


def eq(input, other):
    """Where ``input == other``."""
    return _compare("equal", input, other)


def ne(input, other):
    """Where ``input != other``."""
    return _compare("not_equal", input, other)


def lt(input, other):
    """Where ``input < other``."""
    return _compare("less", input, other)


def le(input, other):
    """Where ``input <= other``."""
    return _compare("less_equal", input, other)


def gt(input, other):
    """Where ``input > other``."""
    return lt(other, input)


def ge(input, other):
    """Where ``input >= other``."""
    return le(other, input)


def _map(name, *inputs):
    arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
    return Tensor(getattr(get_array_module(arrays[0]), name)(*arrays))


def logical_and(input, other):
    """Where both are true."""
    return _map("logical_and", input, other)


def logical_or(input, other):
    """Where at least one is true."""
    return _map("logical_or", input, other)


def logical_not(input):
    """Where the element is false or 0."""
    return _map("logical_not", input)


def isnan(input):
    """Where the element is not a number."""
    return _map("isnan", input)


def isinf(input):
    """Where the element is infinite."""
    return _map("isinf", input)


def isfinite(input):
    """Where the element is finite."""
    return _map("isfinite", input)


def sign(input):
    """-1, 0 or 1 by the sign of each element."""
    return _map("sign", input)


def floor(input):
    """The largest integer not above each element."""
    return _map("floor", input)


def floor_divide(input, other):
    """``floor(input / other)``."""
    a, b = (x.array if isinstance(x, Tensor) else x for x in promoted(input, other))
    with np.errstate(all="ignore"):
        return Tensor(a // b)


def any(input, dim=None, keepdim=False):
    """Whether any element is true, over all dimensions or along some."""
    return Tensor(input.array.astype(bool).any(axis=dim, keepdims=keepdim))


def all(input, dim=None, keepdim=False):
    """Whether all elements are true, over all dimensions or along some."""
    return Tensor(input.array.astype(bool).all(axis=dim, keepdims=keepdim))


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``|input - other| <= atol + rtol * |other|`` holds for all elements.

    Returns
    -------
    bool
    """
    a, b = input.array, other.array
    return bool(get_array_module(a).allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


def equal(input, other):
    """Whether two tensors have the same shape and the same elements.

    Returns
    -------
    bool
    """
    return input.shape == other.shape and bool((input.array == other.array).all())
