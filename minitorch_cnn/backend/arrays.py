"""NumPy on a CPU, CuPy on a GPU: the array decides; where there is none yet, in `asarray` and `filled`, the device.

Everything above this file writes ``xp = get_array_module(array)`` and then ``xp.exp(array)``. Where the two
libraries really differ, there is a function with a name of its own here.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import sys

import numpy as np

from minitorch_cnn.backend import devices
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.backend.devices import CPU, CUDA, is_available
from minitorch_cnn.backend.settings import Setting

ON_HOST = np.ndarray, np.generic  # the classes of NumPy's arrays, and of its numbers


def get_array_module(array):
    """The library that an array belongs to: ``numpy`` or ``cupy``.

    Raises
    ------
    TypeError
        If it is no array of either.

    Examples
    --------
    >>> get_array_module(np.ones(3)).__name__
    'numpy'
    """
    if isinstance(array, ON_HOST):
        return np
    if isinstance(array, devices.cupy_array_type()):
        return devices.cupy()
    raise TypeError(f"expected a Tensor, or an array of NumPy or CuPy, got {described(array)}")


def device_of(array):
    """The `Device` that an array lives on."""
    if isinstance(array, ON_HOST):
        return CPU
    get_array_module(array)  # which refuses what is no array
    return CUDA


# --- where the libraries differ --------------------------------------------------------------------------


def to_numpy(array):
    """An array as a NumPy array: the same one if it is on the CPU, a copy read from the GPU otherwise."""
    return array.get() if isinstance(array, devices.cupy_array_type()) else np.asarray(array)


def copied_with_owner(array, memo):
    """A copy of an array for `copy.deepcopy`: arrays that share memory share that of their copies. Not on a GPU."""
    owner = array
    while isinstance(getattr(owner, "base", None), np.ndarray):
        owner = owner.base
    if not isinstance(owner, np.ndarray):
        return array.copy()
    copied = copy.deepcopy(owner, memo)
    if owner is array:
        return copied
    memory = copied.transpose(memory_order(owner))
    if not memory.flags.c_contiguous or copied.strides != owner.strides:
        return array.copy()
    offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return np.ndarray(array.shape, array.dtype, memory, offset, array.strides)


# How data of the host comes to the GPU. A recording sets another way in its place.
copy_to_gpu = Setting(lambda data, dtype: devices.cupy().asarray(data, dtype=dtype))


def asarray(data, device=CPU, dtype=None):
    """Data as an array on a device, copied only where that is needed.

    Parameters
    ----------
    data : array, number or nested sequence
    device : Device
    dtype : numpy.dtype, optional
        By default, that of `data`.
    """
    if device == CUDA:
        is_there = isinstance(data, devices.cupy_array_type())
        return (devices.cupy().asarray if is_there else copy_to_gpu.value)(data, dtype=dtype)
    if isinstance(data, devices.cupy_array_type()):
        data = data.get()
    return np.asarray(data, dtype=dtype)


def from_dlpack(owner):
    """An array that shares the memory of another library's, on the device where that is; by its ``__dlpack__``."""
    on_cuda = 2  # the number of CUDA among DLPack's types of devices
    kind, _ = owner.__dlpack_device__()
    return (devices.cupy() if kind == on_cuda else np).from_dlpack(owner)


def share_memory(a, b):
    """Whether one array is a view of the other, as far as can be told."""
    return get_array_module(a).may_share_memory(a, b)


def can_write(array):
    """Whether an array may be written to: no two of its elements share their memory, and NumPy does not forbid it."""
    flags = array.flags
    if not flags.c_contiguous and any(step == 0 and size > 1 for step, size in zip(array.strides, array.shape)):
        return False
    return getattr(flags, "writeable", True)


def filled(shape, value, device=CPU, dtype=None):
    """A new array of one value, made on the device itself: nothing is sent there."""
    return (devices.cupy() if device == CUDA else np).full(shape, value, dtype=dtype)


def add_to_rows(y, b):
    """``y += b``, for `b` with one number for each row of y."""
    # NumPy adds rows to rows in half the time that it takes to add a number to each.
    y += np.broadcast_to(b, (*b.shape[:-1], y.shape[-1])).copy() if device_of(y) == CPU else b


def strided(x, shape, strides):
    """The memory of an array, from its first element on, read with another shape and other strides."""
    if isinstance(x, np.ndarray) and x.flags.c_contiguous:  # as_strided does it too, but takes a few microseconds
        return np.ndarray(shape, x.dtype, x, strides=strides)
    return get_array_module(x).lib.stride_tricks.as_strided(x, shape, strides)


def memory_order(array):
    """The dimensions as they are in memory, from the outermost to the innermost."""
    return tuple(sorted(range(array.ndim), key=lambda i: -abs(array.strides[i])))


def inverse(order):
    """The order of dimensions that undoes another one.

    Examples
    --------
    >>> inverse((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def in_memory_order(function, x, *numbers):
    """``function(x, *numbers)``, element by element, with the result in the memory order of x.

    NumPy sees to that by itself. What CuPy computes lies in the order of the indices, and the batch would not stay
    innermost.
    """
    if get_array_module(x) is np:
        return function(x, *numbers)
    order = memory_order(x)
    return function(x.transpose(order), *numbers).transpose(inverse(order))


def scatter_add(array, index, values):
    """``array[index] += values``, where an element that is indexed k times receives k values.

    On a GPU the order of these sums, and so their last bit, is not the same on every run.
    """
    xp = get_array_module(array)
    xp.add.at(array, index, values)


def synchronize() -> None:
    """Wait until the GPU has finished what it was given; returns at once where there is none, or nothing was given."""
    if devices.cupy_array_type() and is_available():
        devices.cupy().cuda.Stream.null.synchronize()


@functools.cache
def keep_freed_memory():
    """Ask the C library to keep the memory that large arrays leave, for those that follow.

    By default, glibc returns it to the system at once, and the next array pays for fresh pages: up to 40 % of the
    time of a training step. Elsewhere than on glibc this does nothing.
    """
    mmap_threshold, trim_threshold, arena_max = -3, -1, -8  # the names of mallopt's options in malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(mmap_threshold, 32 * 2**20)  # larger ones are not kept; glibc allows no more
        mallopt(trim_threshold, 2**30)
        mallopt(arena_max, 1)  # one pool for all threads: those of other threads are limited in size
