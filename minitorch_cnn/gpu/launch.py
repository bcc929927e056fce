"""How a kernel of kernels.cu is compiled and launched, and what it asks of its arrays."""

import functools
from pathlib import Path

import numpy as np

from minitorch_cnn.backend import get_array_module

THREADS = 256  # of a block, where a thread computes one element
TYPES = np.dtype("float32"), np.dtype("float64")


def has_kernel(*arrays):
    """Whether arrays are on a GPU, and all of one type that the kernels are compiled for."""
    dtype = arrays[0].dtype
    return dtype in TYPES and all(not isinstance(x, np.ndarray) and x.dtype == dtype for x in arrays)


def on_gpu(kernel, typed=(0,)):
    """Decorate the plain version of a function of arrays: on a GPU, another one computes in its place.

    What comes out takes its arguments by position.

    Parameters
    ----------
    kernel : callable
        The other one, with the same arguments.
    typed : tuple of int
        Which of them are arrays that the kernel wants to be of one type, float32 or float64: if they are not, the plain
        version computes. The first of them tells whether they are on a GPU.

    Examples
    --------
    >>> @on_gpu(lambda x, y: "a kernel")
    ... def compute(x, y):
    ...     return "the plain version"
    >>> compute(np.ones(3), 2)
    'the plain version'
    """

    def decorate(plain):
        @functools.wraps(plain)
        def function(*args):
            if isinstance(args[typed[0]], np.ndarray):  # on a CPU: this line is all that the choice costs
                return plain(*args)
            return (kernel if has_kernel(*(args[i] for i in typed)) else plain)(*args)

        return function

    return decorate


def launch(name, like, grid, block, *args):
    """Start a kernel, compiled for the type of the array `like`: a grid of blocks of threads."""
    _kernel(get_array_module(like), name, like.dtype)(grid, block, args)


@functools.cache
def _kernel(xp, name, dtype):
    return _compiled(xp, {"float32": "float", "float64": "double"}[dtype.name]).get_function(name)


@functools.cache
def _compiled(xp, real):
    source = Path(__file__).with_name("kernels.cu").read_text(encoding="utf-8")
    return xp.RawModule(code=source, options=("-std=c++14", f"-DREAL={real}"))


def grid_for(size):
    """How many blocks it takes for one thread to each element."""
    return (max(1, -(-int(size) // THREADS)),)


def counted(name, size):
    """A number of elements as the kernels count: in 32 bits."""
    if size > 2**31 - 2 * THREADS:
        raise ValueError(f"{name}: {size} elements are more than one launch can count; use smaller batches")
    return np.int32(size)


def dense(x):
    """An array whose elements fill a piece of memory without gaps: itself if it is so, in whatever order, or a copy."""
    expected = x.itemsize
    for stride, size in sorted(zip(x.strides, x.shape)):
        if size > 1:
            if stride != expected:
                return get_array_module(x).ascontiguousarray(x)
            expected *= size
    return x


def laid_out_as(like, x):
    """An array of the type and in the memory order of a dense one: itself if it is so, or a copy."""
    if x.strides == like.strides and x.dtype == like.dtype and x.shape == like.shape:
        return x
    y = get_array_module(like).empty_like(like)
    y[...] = x
    return y
