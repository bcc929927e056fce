"""Tensors from numbers: given, constant, counted or random."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from minitorch_cnn.autograd.mode import quiet
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import as_device, asarray, device_of, dtypes, filled, get_array_module, to_numpy
from minitorch_cnn.backend import from_dlpack as share_by_dlpack
from minitorch_cnn.backend.annotations import DeviceLike, DType, Ints, TensorLike
from minitorch_cnn.backend.arguments import described, is_array_like, whole
from minitorch_cnn.backend.random import Generator, default_generator
from minitorch_cnn.ops.operands import convert, plain
from minitorch_cnn.ops.shape import as_size

__all__ = [
    "arange", "as_tensor", "empty", "eye", "from_dlpack", "from_numpy", "full", "full_like", "linspace", "normal",
    "ones", "ones_like", "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "range", "tensor",
    "zeros", "zeros_like", "FloatTensor", "LongTensor",
]  # fmt: skip

# --- from data -------------------------------------------------------------------------------------------


def tensor(data: Any, *, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False) -> Tensor:
    """A tensor of given numbers; they are copied.

    Parameters
    ----------
    data : number, nested sequence, array or Tensor
        Python floats become float32, whole numbers int64; arrays keep their type.
    dtype : dtype, optional
        ``minitorch_cnn.float32`` or another; or the name that NumPy or Python has for it.
    device : Device or str, optional
        By default the CPU, or where `data` is.
    requires_grad : bool

    Raises
    ------
    TypeError
        If `data` is not made of numbers.
    ValueError
        If nested sequences differ in length.
    RuntimeError
        If a number in a sequence does not fit into an integer type that was asked for.

    Examples
    --------
    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    array = data.array if isinstance(data, Tensor) else data
    if not hasattr(array, "strides"):
        array = np.asarray(array) if is_array_like(array) else None
    given = array is not None
    device = device_of(array) if device is None and given else as_device(device)
    dtype = None if dtype is None else dtypes.as_dtype(dtype)
    if given:
        array = plain(array, data)
    else:
        array, dtype = _counted_out(data, dtype)
    source = array
    if dtype is None or dtype == array.dtype:
        array = asarray(source, device)
    else:
        with quiet():  # a number too large for its type is infinite
            array = asarray(source, device, dtype)
    is_shared = given and type(array) is type(source) and get_array_module(array).may_share_memory(array, source)
    return Tensor(array.copy() if is_shared else array, requires_grad=requires_grad)


def _counted_out(data, dtype):
    """A number or nested sequence of numbers as an array, and the type that a tensor of it shall have.

    Raises
    ------
    RuntimeError
        If the type is one of integers and cannot hold them.
    """
    kind = _PYTHONS.get(type(data))
    if kind is not None and (dtype is None or dtype is kind):
        low, high = dtypes.bounds(kind)
        if low <= data <= high:
            return np.asarray(data, kind), kind
    data, found = _without_tensors(data)
    if dtype is None and len(found) == 1:
        (dtype,) = found
    array = np.asarray(data)
    if array.dtype.kind == "O" and found and found <= {*_PYTHONS.values()}:  # of integers of more than 64 bits
        array = array.astype(np.float64)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a tensor is made of numbers; got {data!r}, {described(data)}")
    if dtype is None:
        by_kind = {"f": dtypes.float32, "i": dtypes.int64, "u": dtypes.int64}.get(array.dtype.kind, array.dtype)
        dtype = dtypes.promote([(d, 2) for d in found]) if found else by_kind
    if dtype.kind in "iu" and dtype != array.dtype and array.size:
        dtypes.fitted(array.min(), dtype)
        dtypes.fitted(array.max(), dtype)
    return array, dtype


DEEPEST = 64  # dimensions of an array of NumPy's
_PYTHONS = {float: dtypes.float32, int: dtypes.int64, bool: dtypes.bool_}


def _without_tensors(data):
    """Nested sequences with NumPy arrays in the place of tensors, and the types of the numbers in them.

    Raises
    ------
    ValueError
        If they are nested deeper than arrays have dimensions, as a list is that holds itself.
    """
    innermost, depth = data, 0
    while isinstance(innermost, (list, tuple)) and innermost:
        innermost, depth = innermost[0], depth + 1
        if depth > DEEPEST:
            raise ValueError(f"too many dimensions: expected at most {DEEPEST} lists one in the other, got more")
    if isinstance(data, (list, tuple)):
        leaves, kinds = data, set(map(type, data))
        while kinds <= {list, tuple} and kinds:
            leaves = list(chain.from_iterable(leaves))
            kinds = set(map(type, leaves))
        if kinds <= _PYTHONS.keys():
            return data, {_PYTHONS[kind] for kind in kinds}
        pairs = [_without_tensors(part) for part in data]
        return [part for part, _ in pairs], set().union(*(found for _, found in pairs))
    if isinstance(data, Tensor):
        if data.requires_grad:
            warnings.warn(
                "tensor() copies numbers: the gradient of a tensor in a list ends here; stack() keeps it", stacklevel=4
            )
        data = to_numpy(data.array)
    elif is_array_like(data):
        data = np.asarray(data)
    found = _PYTHONS.get(type(data)) or getattr(data, "dtype", None)
    return data, set() if found is None else {found}


def as_tensor(data: Any, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Data as a tensor: a tensor stays itself, an array shares its memory; the rest is copied, see `tensor`."""
    if not isinstance(data, Tensor):
        if not hasattr(data, "strides"):
            return tensor(data, dtype=dtype, device=device)
        data = _shown(plain(data))
    dtype = data.dtype if dtype is None else dtypes.as_dtype(dtype)
    return convert(data, data.device if device is None else as_device(device), dtype)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the CPU that shares the memory of a NumPy array.

    Raises
    ------
    TypeError
        If it is not a NumPy array, or not one of numbers.
    ValueError
        If its numbers are in the byte order of another machine.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy expected a numpy.ndarray, got {described(array)}")
    return _shown(plain(array))


def from_dlpack(ext_tensor: Any, *, device: DeviceLike = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's tensor or array, by way of DLPack.

    Parameters
    ----------
    ext_tensor : object
        It has the methods ``__dlpack__`` and ``__dlpack_device__``, as tensors and arrays of PyTorch, JAX, TensorFlow,
        CuPy and NumPy have.
    device : Device or str, optional
        By default where it is. On another one there is a copy.
    copy : bool, optional
        True for memory of its own; False for an error where that cannot be avoided.

    Raises
    ------
    TypeError
        If it is no such object, or does not hold numbers of a type that tensors have.
    BufferError, RuntimeError
        If its library does not give its memory away: of a tensor of PyTorch that requires grad, say.
    ValueError
        If `copy` is False and `device` another one.

    Examples
    --------
    >>> array = np.ones(2)
    >>> x = from_dlpack(array)
    >>> array[0] = 5
    >>> x
    tensor([5., 1.], dtype=float64)
    """
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"from_dlpack expected an object with the method __dlpack__, got {described(ext_tensor)}")
    try:
        array = share_by_dlpack(ext_tensor)
    except (BufferError, RuntimeError) as error:
        raise type(error)(f"from_dlpack got {described(ext_tensor)}. The reason: {error}") from error
    shown = _shown(plain(array))
    device = shown.device if device is None else as_device(device)
    if copy is False and device != shown.device:
        raise ValueError(f"from_dlpack cannot move from {shown.device} to {device} without a copy")
    moved = convert(shown, device, shown.dtype)
    return moved.clone() if copy and moved is shown else moved


def _shown(array):
    """A tensor of an array that its owner may go on to use."""
    made = Tensor(array)
    made._memory.is_shown = True
    return made


class TypedTensor:
    """PyTorch's names of old for the tensors of one type, ``FloatTensor`` and ``LongTensor``.

    Called with a list, an array or a Tensor, the name makes a tensor of its numbers; with sizes, one whose elements are
    yet to be set. ``x.type(FloatTensor)`` converts.

    Raises
    ------
    TypeError
        If it is called with a tuple: PyTorch's ``torch.Size`` would be a size, and any other tuple numbers.

    Examples
    --------
    >>> LongTensor([1, 2]).dtype, LongTensor(2, 3).shape
    (dtype('int64'), (2, 3))
    """

    def __init__(self, name: str, dtype: np.dtype) -> None:
        self.__name__, self.dtype = name, dtype

    def __call__(self, *args: Any) -> Tensor:
        if len(args) == 1 and isinstance(args[0], tuple):
            raise TypeError(
                f"{self.__name__} of a tuple may mean a size or numbers: write {self.__name__}(*size), or "
                f"{self.__name__}(list(numbers)); got {args[0]}"
            )
        if len(args) == 1 and not isinstance(args[0], (int, np.integer)):
            return tensor(args[0], dtype=self.dtype)
        return empty(*args or (0,), dtype=self.dtype)

    def __repr__(self) -> str:
        return self.__name__


FloatTensor, LongTensor = TypedTensor("FloatTensor", dtypes.float32), TypedTensor("LongTensor", dtypes.int64)


# --- constant and counted --------------------------------------------------------------------------------


def _tensor_of(array, dtype, device, requires_grad):
    return Tensor(asarray(array, as_device(device), dtype), requires_grad=requires_grad)


def _type(dtype, default=dtypes.float32):
    return default if dtype is None else dtypes.as_dtype(dtype)


def _shape(size, keyword=None):
    size = as_size(size if keyword is None else (keyword,))
    return tuple(_size("a size", s) for s in size)


def _size(name, value):
    return whole(name, value, least=0, error=RuntimeError)


def zeros(
    *args: Ints, size: Ints | None = None, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of a shape: ``zeros(2, 3)`` or ``zeros((2, 3))``; float32 unless `dtype` says otherwise."""
    return Tensor(filled(_shape(args, size), 0, as_device(device), _type(dtype)), requires_grad=requires_grad)


def ones(
    *args: Ints, size: Ints | None = None, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """Ones of a shape: ``ones(2, 3)`` or ``ones((2, 3))``; float32 unless `dtype` says otherwise."""
    return Tensor(filled(_shape(args, size), 1, as_device(device), _type(dtype)), requires_grad=requires_grad)


def empty(
    *args: Ints, size: Ints | None = None, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """A tensor whose elements are yet to be set; here they are zeros."""
    return zeros(*args, size=size, dtype=dtype, device=device, requires_grad=requires_grad)


def full(
    size: Ints, fill_value: TensorLike, *, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one value; its type is that of the value unless `dtype` says otherwise.

    Raises
    ------
    RuntimeError
        If the type cannot hold the value.
    """
    if type(fill_value) not in _PYTHONS:
        if isinstance(fill_value, Tensor) and not fill_value.ndim:
            fill_value = fill_value.item()
        if not isinstance(fill_value, (numbers.Real, np.bool_)):
            raise TypeError(f"full expected a number to fill with, got {described(fill_value)}")
    dtype = dtypes.of_scalar(fill_value) if dtype is None else dtypes.as_dtype(dtype)
    value = dtypes.fitted(fill_value, dtype)
    return Tensor(filled(_shape((size,)), value, as_device(device), dtype), requires_grad=requires_grad)


def zeros_like(input: Tensor, *, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a tensor's shape, type and device."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False) -> Tensor:
    """Ones of a tensor's shape, type and device."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def full_like(
    input: Tensor,
    fill_value: TensorLike,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value, in a tensor's shape, type and device."""
    dtype, device = _type(dtype, input.dtype), device or input.device
    return full(input.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def arange(
    start: TensorLike | None = None,
    end: TensorLike | None = None,
    step: TensorLike = 1,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from `start` up to and without `end`; ``arange(n)`` counts from 0.

    Raises
    ------
    RuntimeError
        If `step` is 0 or leads away from `end`.
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise TypeError("arange expected where to end: arange(end) or arange(start, end)")
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (0 if start is None else start, end, step))
    if not all(map(math.isfinite, (start, end, step))):
        raise RuntimeError(f"arange: unsupported range, from {start} to {end} by {step}")
    is_whole = all(isinstance(x, (int, np.integer)) for x in (start, end, step))
    dtype = _type(dtype, dtypes.int64 if is_whole else dtypes.float32)
    if dtype == dtypes.bool_:
        raise NotImplementedError("arange counts in numbers, not in booleans")
    if not dtypes.is_floating(dtype):
        start, end, step = int(start), int(end), int(step)
    if step == 0 or (end - start) / step < 0:
        raise RuntimeError(f"arange: from {start} to {end}, a step must be non-zero and lead there, got {step}")
    return _tensor_of(start + step * np.arange(math.ceil((end - start) / step)), dtype, device, requires_grad)


def range(
    start: float,
    end: float,
    step: float = 1,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from `start` up to `end`, which is among them if a step leads there; in float32, unlike `arange`.

    PyTorch's older name, of which it warns; Python's own ``range`` and `arange` leave `end` out.
    """
    if step == 0 or (end - start) / step < 0:
        raise RuntimeError(f"range: from {start} to {end}, a step must be non-zero and lead there, got {step}")
    count = math.floor((end - start) / step) + 1
    return _tensor_of(start + step * np.arange(count), _type(dtype), device, requires_grad)


def linspace(
    start: TensorLike,
    end: TensorLike,
    steps: int,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers at equal distances, from `start` to `end`, both included."""
    dtype = _type(dtype)
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    if not dtypes.is_floating(dtype):
        start, end = dtypes.fitted(start, dtype), dtypes.fitted(end, dtype)
    return _tensor_of(np.linspace(start, end, _size("steps", steps)), dtype, device, requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: DType = None, device: DeviceLike = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix, zeros elsewhere."""
    n, m = _size("n", n), _size("m", n if m is None else m)
    return _tensor_of(np.eye(n, m), _type(dtype), device, requires_grad)


# --- random ----------------------------------------------------------------------------------------------


def _stream(generator):
    return (generator or default_generator).numpy


def _drawn(draw, name, shape, dtype, device, requires_grad):
    """Random numbers of a floating-point type; of those that NumPy does not draw, in float32 first."""
    dtype = _type(dtype)
    if not dtypes.is_floating(dtype):
        raise NotImplementedError(f"{name} draws floating-point numbers, not {dtype}; randint draws integers")
    array = draw(shape, dtype=dtype if dtype in (dtypes.float32, dtypes.float64) else dtypes.float32)
    return _tensor_of(array, dtype, device, requires_grad)


def rand(
    *args: Ints,
    size: Ints | None = None,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random numbers, uniform on [0, 1): ``rand(2, 3)`` or ``rand(size=(2, 3))``."""
    return _drawn(_stream(generator).random, "rand", _shape(args, size), dtype, device, requires_grad)


def randn(
    *args: Ints,
    size: Ints | None = None,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random numbers, normal with mean 0 and standard deviation 1: ``randn(2, 3)`` or ``randn(size=(2, 3))``."""
    return _drawn(_stream(generator).standard_normal, "randn", _shape(args, size), dtype, device, requires_grad)


def normal(
    mean: Tensor | float = 0.0,
    std: Tensor | float = 1.0,
    size: Ints | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random numbers, normal with a given mean and standard deviation: of a size, or one for each of their elements."""
    if not (bool((std >= 0).all()) if isinstance(std, Tensor) else std >= 0):
        raise RuntimeError(f"normal expects a standard deviation of at least 0, got {std}")
    if size is None:
        like = mean + std
        if not isinstance(like, Tensor):
            raise TypeError("normal expected a size, or a Tensor as mean or std")
        size, dtype, device = like.shape, like.dtype, like.device
    drawn = randn(size=size, generator=generator, dtype=dtype, device=device) * std + mean
    return drawn.requires_grad_() if requires_grad else drawn


def randint(
    low: int | None = None,
    high: Ints | None = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
) -> Tensor:
    """Random whole numbers from `low` up to and without `high`: ``randint(10, (3,))`` or ``randint(2, 5, (3,))``.

    Raises
    ------
    RuntimeError
        If there is no number to draw, or one that could be drawn does not fit into the type.
    """
    if size is None and isinstance(high, (tuple, list)):
        low, high, size = None, low, high
    elif high is None:
        low, high = None, low
    if high is None or not isinstance(size, (tuple, list)):
        raise TypeError(f"randint expected (high, size) or (low, high, size), size a tuple; got size {size!r}")
    low, high = 0 if low is None else whole("low", low), whole("high", high)
    if low >= high:
        raise RuntimeError(f"randint expects low to be less than high, got {low} and {high}")
    dtype = _type(dtype, dtypes.int64)
    lowest, highest = (0, 1) if dtype == dtypes.bool_ else dtypes.bounds(dtype if dtype.kind in "iu" else dtypes.int64)
    if low < lowest or high - 1 > highest:
        raise RuntimeError(f"randint: numbers from {low} to {high - 1} are out of bounds for {dtype}")
    return _tensor_of(_stream(generator).integers(low, high, _shape((size,))), dtype, device, False)


def randperm(n: int, *, generator: Generator | None = None, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """The numbers from 0 to n-1 in random order."""
    n, dtype = _size("n", n), _type(dtype, dtypes.int64)
    if dtype == dtypes.bool_:
        raise NotImplementedError("randperm counts in numbers, not in booleans")
    if n:
        dtypes.fitted(n - 1, dtype)
    return _tensor_of(_stream(generator).permutation(n), dtype, device, False)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random numbers, uniform on [0, 1), in a tensor's shape, type and device."""
    kwargs = {"dtype": _type(dtype, input.dtype), "device": device or input.device, "requires_grad": requires_grad}
    return rand(size=input.shape, generator=generator, **kwargs)


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random numbers, normal with mean 0 and standard deviation 1, in a tensor's shape, type and device."""
    kwargs = {"dtype": _type(dtype, input.dtype), "device": device or input.device, "requires_grad": requires_grad}
    return randn(size=input.shape, generator=generator, **kwargs)
