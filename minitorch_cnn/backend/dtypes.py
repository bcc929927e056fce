"""The element types, and what comes out when two of them meet."""

import numpy as np

float32 = np.dtype("float32")
float64 = np.dtype("float64")
int32 = np.dtype("int32")
int64 = np.dtype("int64")
uint8 = np.dtype("uint8")
bool_ = np.dtype("bool")

_CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2}  # NumPy's letters for: bool, signed and unsigned integer, float


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
