"""The element types, and the type of a result of two of them."""

import functools
import math

import numpy as np

float16 = np.dtype("float16")
float32 = np.dtype("float32")
float64 = np.dtype("float64")
int32 = np.dtype("int32")
int64 = np.dtype("int64")
uint8 = np.dtype("uint8")
bool_ = np.dtype("bool")

_OURS = frozenset({float32, float64, int32, int64, uint8, bool_})
_CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2}  # NumPy's letters for: bool, signed and unsigned integer, float


def as_dtype(spec):
    """An element type from what may name one: a dtype, NumPy's class or name of it, or Python's float, int or bool.

    Raises
    ------
    TypeError
        If it names none whose elements are booleans, integers or floating-point numbers of up to 8 bytes.

    Examples
    --------
    >>> as_dtype("float32"), as_dtype(np.int64), as_dtype(float)
    (dtype('float32'), dtype('int64'), dtype('float64'))
    """
    if isinstance(spec, np.dtype):
        if spec in _OURS:
            return spec
        dtype = spec
    else:
        try:
            dtype = None if spec is None else np.dtype(spec)
        except TypeError:
            dtype = None
        if dtype is None:
            raise TypeError(
                f"expected a dtype such as minitorch_cnn.float32, or its name in NumPy, got {spec!r} of type "
                f"{type(spec).__module__}.{type(spec).__name__}"
            )
    if dtype.kind not in _CATEGORIES or dtype.itemsize > 8 or not dtype.isnative:
        raise TypeError(f"elements are booleans, integers or floating-point numbers of up to 8 bytes, got {dtype!r}")
    return dtype


def fitted(number, dtype):
    """A number as a Python number of a type, if that can hold it; what follows the point is cut off an integer's.

    A negative number may stand for an unsigned one, as in PyTorch: -1 is 255 as uint8.

    Raises
    ------
    RuntimeError
        If the type cannot hold it.

    Examples
    --------
    >>> fitted(1.5, uint8), fitted(-1, uint8), fitted(7, bool_)
    (1, 255, True)
    """
    if dtype.kind == "b":
        return bool(number)
    low, high = bounds(dtype)
    if dtype.kind == "f":
        if low <= number <= high or (not isinstance(number, int) and not math.isfinite(number)):
            return float(number)
    elif (low if low or isinstance(number, (float, np.floating)) else -high) <= number <= high:
        return int(number) if low else int(number) % (high + 1)
    raise RuntimeError(f"value cannot be converted to type {dtype} without overflow, got {number!r}")


def wrapped(number, dtype):
    """A number as a Python number of a type; of one too large for an integer type, its last bits, as in PyTorch.

    Examples
    --------
    >>> wrapped(300, uint8), wrapped(2**31, int32)
    (44, -2147483648)
    """
    if dtype.kind == "f":
        return float(number)
    if dtype.kind == "b":
        return bool(number)
    low, high = bounds(dtype)
    return int(number) if low <= number <= high else (int(number) - low) % (high - low + 1) + low


@functools.cache
def bounds(dtype):
    """The smallest and the largest finite number of a type, as Python's."""
    if dtype.kind == "b":
        return False, True
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return (float(info.min), float(info.max)) if dtype.kind == "f" else (info.min, info.max)


def is_floating(dtype):
    """Whether elements of this type can have a gradient."""
    return dtype.kind == "f"


def _category(dtype):
    if dtype.kind not in _CATEGORIES:
        raise TypeError(f"expected a boolean, integer or floating-point type, got {dtype}")
    return _CATEGORIES[dtype.kind]


def of_scalar(value):
    """The type that a Python or NumPy number takes when nothing else is asked for: float32, int64 or bool."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return float32
    raise TypeError(f"expected a number or a Tensor, got {value!r} of type {type(value).__name__}")


def promote(operands):
    """The type in which tensors and numbers meet, by PyTorch's rule.

    Tensors with dimensions decide; a 0-d tensor counts only if it is of a higher category (bool < integer <
    float), and a number only if it is of a higher category still. So neither a Python float nor ``np.float64(2)``
    turns float32 weights into float64.

    Parameters
    ----------
    operands : sequence of (numpy.dtype, int)
        The type of each operand and its rank: 2 for a tensor with dimensions, 1 for a 0-d tensor, 0 for a number.

    Returns
    -------
    numpy.dtype

    Examples
    --------
    >>> promote([(float32, 2), (float64, 0)])
    dtype('float32')
    >>> promote([(int64, 2), (float32, 0)])
    dtype('float32')
    """
    result, top = None, -1
    for rank in (2, 1, 0):
        dtypes = [dtype for dtype, r in operands if r == rank and _category(dtype) > top]
        if dtypes:
            highest = max(map(_category, dtypes))
            peers = [dtype for dtype in dtypes if _category(dtype) == highest]
            result, top = np.result_type(*peers), highest
    return result
