"""Run every kernel on arrays that end, or begin, at a page that may not be touched: a wrong address ends the process.

A program of its own, for `test_kernels.py`: ``python tests/fenced_kernels.py after`` (or ``before``).
"""

import ctypes
import mmap
import sys

import numpy as np
import standin_cupy

from minitorch_cnn.gpu import kernels
from minitorch_cnn.ops import classification as ce
from minitorch_cnn.ops import elementwise

PAGE = mmap.PAGESIZE
kept = []  # the memory of all arrays


def fenced(host, side):
    """A copy of an array whose last element lies right before a forbidden page, or whose first right after one."""
    pages = -(-max(host.nbytes, 1) // PAGE) + 1
    memory = mmap.mmap(-1, pages * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    kept.append(memory)
    fence, first = (start + (pages - 1) * PAGE, (pages - 1) * PAGE - host.nbytes) if side == "after" else (start, PAGE)
    array = np.frombuffer(memory, host.dtype, host.size, first).reshape(host.shape)
    array[...] = host
    no_access = 0
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(PAGE), no_access):
        raise OSError("mprotect failed")
    return standin_cupy._wrap(array)


def main(side):
    sys.modules["cupy"] = standin_cupy
    standin_cupy.empty = lambda shape, dtype: fenced(np.empty(shape, dtype), side)
    standin_cupy.empty_like = lambda x: fenced(np.empty(x.shape, x.dtype), side)
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return fenced(rng.standard_normal(shape), side)

    x, logits, labels = numbers(3, 4, 5, 6), numbers(300, 3), fenced(rng.integers(-1, 4, 300), side)
    elementwise.sigmoid_gradient_of(x, elementwise.sigmoid_of(x))
    for geometry in [((3, 2), (2, 1), (1, 2), (1, 0), (0, 1), 2), ((2, 2), (2, 2), (1, 1), (0, 0), (0, 0), 1)]:
        kernels.col2im(kernels.im2col(x, *geometry), x.shape, *geometry)
    kernels.spread_windows(kernels.sum_windows(x, (2, 3), (2, 1), 6), (2, 3), (2, 1), 6, x.shape[2:])
    losses, totals = ce.losses_of(logits, labels, -1)
    ce.gradient_of(logits, labels, -1, losses, totals, False)
    for shapes in [((17, 33), (33, 65)), ((2, 6, 600), (2, 600, 3))]:
        for turn in (False, True):
            a, b = (
                numbers(*shape[:-2], *shape[:-3:-1]).swapaxes(-1, -2) if turn else numbers(*shape) for shape in shapes
            )
            kernels.in_tiles(a, b)
    ws = [numbers(size) for size in (1, 300, 7)]
    kernels.sgd(ws, ws, ws, fenced(np.array([0.1, 0.9, 1, 0, 0, 0]), side))
    print("all ran")


if __name__ == "__main__":
    main(sys.argv[1])
