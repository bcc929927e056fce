"""Operands of different types, tensors and numbers, brought to one type before an operation is called."""

import numbers

import numpy as np

from minitorch_cnn.autograd import Function
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray, dtypes, filled
from minitorch_cnn.backend.arguments import described, kind_of
from minitorch_cnn.backend.dtypes import is_floating, promote


def is_operand(value):
    """Whether a value can stand beside a tensor in an operation: a tensor, a NumPy array or a number."""
    return isinstance(value, (Tensor, np.ndarray, numbers.Number, np.bool_))


def need_tensor(name, *operands):
    """Refuse an operation on numbers alone, or on what is not ours.

    Raises
    ------
    TypeError
        If no operand is a Tensor.
    """
    if not any(isinstance(x, Tensor) for x in operands):
        raise TypeError(f"{name} expected a Tensor, got {' and '.join(map(described, operands))}")


def refuse_bool(name, x):
    """Refuse an operation on booleans, or on what is no Tensor; returns a Tensor of numbers.

    Raises
    ------
    NotImplementedError
        If `x` is a Tensor of booleans.
    TypeError
        If it is no Tensor.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} expected a Tensor, got {described(x)}")
    if x.array.dtype == dtypes.bool_:
        raise NotImplementedError(f"{name} of booleans is not supported; convert them, for example with .long()")
    return x


def _ranked(value):
    """The type of an operand, and its rank in type promotion."""
    if isinstance(value, Tensor):
        return value.dtype, 2 if value.ndim else 1
    if not isinstance(value, (numbers.Real, np.bool_)):
        raise TypeError(f"expected a number or a Tensor, got {described(value)}")
    return dtypes.of_scalar(value), 0


def promoted(*operands, floating=False, number=dtypes.wrapped):
    """Tensors and numbers in the one type in which they meet.

    Parameters
    ----------
    *operands : Tensor, numpy.ndarray or number
    floating : bool
        Whether integers shall become float32, as division wants it.
    number : function
        How a number is brought into a type: `dtypes.wrapped`, or `dtypes.fitted` where it must fit.

    Returns
    -------
    list of Tensor or number
        A number stays a number, and so is no constant to copy to a GPU.
    """
    if _is_one_floating_type(operands):
        return [x if isinstance(x, Tensor) else float(x) for x in operands]
    operands = [Tensor(plain(x)) if isinstance(x, np.ndarray) else x for x in operands]
    dtype = promote([_ranked(x) for x in operands])
    if floating and not is_floating(dtype):
        dtype = dtypes.float32
    if not any(isinstance(x, Tensor) for x in operands):
        return [Tensor(np.asarray(x, dtype)) for x in operands]
    return [convert(x, x.device, dtype) if isinstance(x, Tensor) else number(x, dtype) for x in operands]


def plain(array, owner=None):
    """An array of numbers without what a subclass of NumPy's makes of them: a matrix, or a mask.

    Parameters
    ----------
    array : array
    owner : object, optional
        What it was made of, to be named in an error.

    Raises
    ------
    TypeError
        If it holds something else than booleans, integers and floating-point numbers of up to 8 bytes.
    ValueError
        If it holds them in the byte order of another machine.
    """
    dtype = array.dtype
    if not dtype.isnative and dtype.kind in "iuf":
        raise ValueError(
            f"expected numbers in the byte order of this machine, got {dtype.str}; use array.astype({dtype.name!r})"
        )
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        came = "an array" if owner is None or owner is array else f"a {kind_of(owner)}"
        raise TypeError(
            f"a tensor is made of booleans, integers or floating-point numbers of up to 8 bytes, got {came} of "
            f"{dtype}: convert it with array.astype(...), or leave out what is no number"
        )
    return np.asarray(array) if isinstance(array, np.ndarray) else array


def _is_one_floating_type(operands):
    """Whether the tensors are all of one floating-point type, which no number beside them can change."""
    dtype = None
    for x in operands:
        if isinstance(x, Tensor):
            dtype = dtype or x.array.dtype
            if x.array.dtype != dtype:
                return False
        elif not isinstance(x, (float, int)):
            return False
    return dtype is not None and is_floating(dtype)


def floating(x):
    """A tensor of floating-point type: integers become float32."""
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a Tensor, got {described(x)}")
    return x if x.is_floating_point() else convert(x, x.device, dtypes.float32)


def operand_like(value, tensor):
    """A value as a tensor of the type and on the device of another, to be written into it."""
    if isinstance(value, Tensor):
        if value.device != tensor.device and value.ndim:
            raise RuntimeError(f"expected a tensor on {tensor.device}, got one on {value.device}; move it with .to()")
        return convert(value, tensor.device, tensor.dtype)
    if isinstance(value, np.ndarray):
        return Tensor(asarray(plain(value), tensor.device, tensor.dtype))
    if is_operand(value):
        return Tensor(filled((), dtypes.fitted(value, tensor.dtype), tensor.device, tensor.dtype))
    return Tensor(asarray(value, tensor.device, tensor.dtype))


class Convert(Function):
    """y = x in another type or on another device;  dx = dy, converted back."""

    reads = {}

    def __init__(self, device, dtype):
        self.device, self.dtype = device, dtype

    def forward(self, x):
        return asarray(x.astype(self.dtype, copy=False), self.device)

    def backward(self, dy, y, x):
        return (convert(dy, x.device, x.dtype),)


def convert(x, device, dtype):
    """A tensor on a device and in a type; itself if it is there already."""
    if x.dtype == dtype and x.device == device:
        return x
    return Convert(device, dtype)(x)
