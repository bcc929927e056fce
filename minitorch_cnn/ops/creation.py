"""Tensors from numbers: given, constant, counted or random."""

import math

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import as_device, asarray, device_of, dtypes, filled, get_array_module
from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.random import default_generator
from minitorch_cnn.ops.operands import convert
from minitorch_cnn.ops.shape import as_size

__all__ = [
    "arange", "as_tensor", "empty", "eye", "from_numpy", "full", "full_like", "linspace", "normal", "ones",
    "ones_like", "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "tensor", "zeros", "zeros_like",
]  # fmt: skip

# --- from data -------------------------------------------------------------------------------------------


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A tensor of given numbers; they are copied.

    Parameters
    ----------
    data : number, nested sequence, array or Tensor
        Python floats become float32, whole numbers int64; arrays keep their type.
    dtype : numpy.dtype, optional
    device : Device or str, optional
        By default the CPU, or where `data` is.
    requires_grad : bool

    Raises
    ------
    TypeError
        If `data` is not made of numbers.
    ValueError
        If nested sequences differ in length.

    Examples
    --------
    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    array = data.array if isinstance(data, Tensor) else data
    is_array = hasattr(array, "strides")
    device = device_of(array) if device is None and is_array else as_device(device)
    if not is_array:
        array = np.asarray(array)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"a tensor is made of numbers; got {data!r} of type {type(data).__name__}")
        if not isinstance(data, np.generic):
            dtype = dtype or {"f": dtypes.float32, "i": dtypes.int64}.get(array.dtype.kind)
    source, array = array, asarray(array, device, dtype)
    is_shared = is_array and type(array) is type(source) and get_array_module(array).may_share_memory(array, source)
    return Tensor(array.copy() if is_shared else array, requires_grad=requires_grad)


def as_tensor(data, dtype=None, device=None):
    """Data as a tensor: a tensor stays itself, an array shares its memory; the rest is copied, see `tensor`."""
    if not isinstance(data, Tensor):
        if not hasattr(data, "strides"):
            return tensor(data, dtype=dtype, device=device)
        data = Tensor(data)
    return convert(data, data.device if device is None else as_device(device), np.dtype(dtype or data.dtype))


def from_numpy(array):
    """A tensor on the CPU that shares the memory of a NumPy array.

    Raises
    ------
    TypeError
        If it is not a NumPy array.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected a numpy.ndarray, got {type(array).__name__}; use tensor(data) for other data")
    return Tensor(array)


# --- constant and counted --------------------------------------------------------------------------------


def _made(array, dtype, device, requires_grad):
    return Tensor(asarray(array, as_device(device), dtype), requires_grad=requires_grad)


def _shape(size, keyword=None):
    size = as_size(size if keyword is None else (keyword,))
    return tuple(_size("a size", s) for s in size)


def _size(name, value):
    return whole(name, value, least=0, error=RuntimeError)


def zeros(*args, size=None, dtype=None, device=None, requires_grad=False):
    """Zeros of a shape: ``zeros(2, 3)`` or ``zeros((2, 3))``; float32 unless `dtype` says otherwise."""
    return full(_shape(args, size), 0, dtype=dtype or dtypes.float32, device=device, requires_grad=requires_grad)


def ones(*args, size=None, dtype=None, device=None, requires_grad=False):
    """Ones of a shape: ``ones(2, 3)`` or ``ones((2, 3))``; float32 unless `dtype` says otherwise."""
    return full(_shape(args, size), 1, dtype=dtype or dtypes.float32, device=device, requires_grad=requires_grad)


def empty(*args, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor whose elements are yet to be set; here they are zeros."""
    return zeros(*args, size=size, dtype=dtype, device=device, requires_grad=requires_grad)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of one value; its type is that of the value unless `dtype` says otherwise."""
    dtype = dtype or dtypes.of_scalar(fill_value)
    return Tensor(filled(_shape((size,)), fill_value, as_device(device), dtype), requires_grad=requires_grad)


def zeros_like(input, *, dtype=None, device=None, requires_grad=False):
    """Zeros of a tensor's shape, type and device."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(input, *, dtype=None, device=None, requires_grad=False):
    """Ones of a tensor's shape, type and device."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """One value, in a tensor's shape, type and device."""
    dtype, device = dtype or input.dtype, device or input.device
    return full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """The numbers from `start` up to and without `end`; ``arange(n)`` counts from 0.

    Raises
    ------
    RuntimeError
        If `step` is 0 or leads away from `end`.
    """
    start, end = (0, start) if end is None else (start, end)
    if not all(map(math.isfinite, (start, end, step))):
        raise RuntimeError(f"arange: unsupported range, from {start} to {end} by {step}")
    if step == 0 or (end - start) / step < 0:
        raise RuntimeError(f"arange: from {start} to {end}, a step must be non-zero and lead there, got {step}")
    is_whole = all(isinstance(x, (int, np.integer)) for x in (start, end, step))
    dtype = dtype or (dtypes.int64 if is_whole else dtypes.float32)
    if not dtypes.is_floating(dtype):
        start, end, step = int(start), int(end), int(step)
    return _made(start + step * np.arange(math.ceil((end - start) / step)), dtype, device, requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances, from `start` to `end`, both included."""
    dtype = dtype or dtypes.float32
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    if not dtypes.is_floating(dtype):
        start, end = int(start), int(end)
    return _made(np.linspace(start, end, _size("steps", steps)), dtype, device, requires_grad)


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """Ones on the diagonal of an (n, m) matrix, zeros elsewhere."""
    n, m = _size("n", n), _size("m", n if m is None else m)
    return _made(np.eye(n, m), dtype or dtypes.float32, device, requires_grad)


# --- random ----------------------------------------------------------------------------------------------


def _stream(generator):
    return (generator or default_generator).numpy


def rand(*args, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers, uniform on [0, 1): ``rand(2, 3)`` or ``rand(size=(2, 3))``."""
    dtype = dtype or dtypes.float32
    array = _stream(generator).random(_shape(args, size), dtype=dtype)
    return _made(array, dtype, device, requires_grad)


def randn(*args, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers, normal with mean 0 and standard deviation 1: ``randn(2, 3)`` or ``randn(size=(2, 3))``."""
    dtype = dtype or dtypes.float32
    array = _stream(generator).standard_normal(_shape(args, size), dtype=dtype)
    return _made(array, dtype, device, requires_grad)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers, normal with a given mean and standard deviation: of a size, or one for each of their elements."""
    if isinstance(std, (int, float)) and std < 0:
        raise RuntimeError(f"normal expects a standard deviation of at least 0, got {std}")
    if size is None:
        like = mean + std
        size, dtype, device = like.shape, like.dtype, like.device
    drawn = randn(size=size, generator=generator, dtype=dtype, device=device) * std + mean
    return drawn.requires_grad_() if requires_grad else drawn


def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None):
    """Random whole numbers from `low` up to and without `high`: ``randint(10, (3,))`` or ``randint(2, 5, (3,))``."""
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(f"randint expects low to be less than high, got {low} and {high}")
    array = _stream(generator).integers(low, high, _shape((size,)))
    return _made(array, dtype or dtypes.int64, device, False)


def randperm(n, *, generator=None, dtype=None, device=None):
    """The numbers from 0 to n-1 in random order."""
    return _made(_stream(generator).permutation(_size("n", n)), dtype or dtypes.int64, device, False)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers, uniform on [0, 1), in a tensor's shape, type and device."""
    kwargs = {"dtype": dtype or input.dtype, "device": device or input.device, "requires_grad": requires_grad}
    return rand(size=input.shape, generator=generator, **kwargs)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Random numbers, normal with mean 0 and standard deviation 1, in a tensor's shape, type and device."""
    kwargs = {"dtype": dtype or input.dtype, "device": device or input.device, "requires_grad": requires_grad}
    return randn(size=input.shape, generator=generator, **kwargs)
