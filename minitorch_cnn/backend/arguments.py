"""Checks of what users pass: whole numbers, pairs, devices and types, misspelt names, what is no tensor."""

import numbers
import operator

import numpy as np

from minitorch_cnn.backend.devices import Device, as_device
from minitorch_cnn.backend.dtypes import as_dtype


def whole(name, value, least=None, error=ValueError):
    """A whole number, such as a number of channels.

    Raises
    ------
    TypeError
        If it is not one.
    error
        If it is below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if least is not None and number < least:
        raise error(f"{name} must be at least {least}, got {value}")
    return number


def pair(name, value, least=1):
    """A size for height and width: ``3`` becomes ``(3, 3)``.

    Raises
    ------
    TypeError
        If a size is not a whole number.
    RuntimeError
        If there are not one or two of them, or one is below `least`.
    """
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    sizes = sizes * 2 if len(sizes) == 1 else sizes
    try:
        sizes = tuple(map(operator.index, sizes))
    except TypeError:
        raise TypeError(f"{name} must be a whole number or two of them (height, width), got {value!r}") from None
    if len(sizes) != 2 or min(sizes) < least:
        kind = "positive" if least else "non-negative"
        raise RuntimeError(f"{name} must be a {kind} integer or two of them (for height and width), got {value!r}")
    return sizes


def destination(args, device=None, dtype=None):
    """The device and the type that the arguments of a method `to` name; None for what shall stay.

    Parameters
    ----------
    args : sequence
        Each a device or a type, or the name of one, or a tensor to become like; or True or False, other settings.
    device, dtype : optional
        What was given by keyword.

    Raises
    ------
    TypeError
        If one of `args` is neither.
    RuntimeError
        If a text is not the name of a device, or the device cannot be used.
    """
    for arg in args:
        if isinstance(arg, str) and arg in np.sctypeDict:
            dtype = arg
        elif isinstance(arg, (Device, str)):
            device = arg
        elif hasattr(arg, "array"):
            device, dtype = arg.device, arg.dtype
        elif arg is not None and not isinstance(arg, bool):
            dtype = arg
    return None if device is None else as_device(device), None if dtype is None else as_dtype(dtype)


def no_attribute(owner, name, known):
    """The error for a name that `owner` does not have, with what was probably meant, or what there is.

    Parameters
    ----------
    owner : str
        In words, such as ``"module 'minitorch_cnn.nn'"``.
    name : str
    known : sequence of str

    Returns
    -------
    AttributeError
        To be raised.
    """
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    hint = f". Did you mean: {close[0]!r}?" if close else f". It has {', '.join(known)}" if len(known) < 12 else ""
    # obj=None: with it, Python's traceback would add the hint a second time; a notebook's adds none.
    return AttributeError(f"{owner} has no attribute {name!r}{hint}", name=name, obj=None)


def is_array_like(value):
    """Whether NumPy can make an array of an object of another library: an image, a table, a tensor."""
    return any(hasattr(value, name) for name in ("strides", "__array__", "__array_interface__"))


def kind_of(value):
    """The type of a value by its name, with the library that it is of: ``pandas.DataFrame``."""
    library = type(value).__module__.partition(".")[0]
    return type(value).__name__ if library == "builtins" else f"{library}.{type(value).__name__}"


def described(value):
    """What a value that is no Tensor of ours is, and how it becomes one, for a message."""
    library, name = type(value).__module__.partition(".")[0], kind_of(value)
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        return f"{library}'s {type(value).__name__}: convert it with minitorch_cnn.tensor(x.detach().cpu().numpy())"
    if isinstance(value, (tuple, list)) and any(hasattr(part, "requires_grad") for part in value):
        parts = ", ".join(type(part).__name__ for part in value)
        return f"a {name} of ({parts}): take the part that is meant, such as y[0], where a network returned it"
    if isinstance(value, (list, tuple)) or is_array_like(value):
        return f"a {name}: make a Tensor of it with minitorch_cnn.tensor(data)"
    if isinstance(value, (numbers.Number, np.bool_)):
        return f"the number {value!r}: make a Tensor of it with minitorch_cnn.tensor(number)"
    return repr(value) if value is None or library == "minitorch_cnn" else f"a value of type {name}"
