"""Convolution, and its two gradients.

The number Σ dy · (x ∗ w) is linear in each of the images x, the filters w and the gradient dy. Its derivative with
respect to dy is the convolution itself; those with respect to x and w are its gradients. So there are three operations,
each is the matrix product of two of the three, and the backward of each is made of the other two.

The matrix is the column matrix of the images (im2col): its columns are their windows. Only the windows of single rows
are copied into it. Rows lie in memory one behind the other, and so do those of a window of KH rows: for each row of
the output, the matrix of its windows is a view of what is there already.
"""

import functools
import math
from collections import namedtuple

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.backend import add_to_rows, get_array_module, parallel
from minitorch_cnn.backend.geometry import window_counts
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.linalg import SHARED, matmul_in_pieces
from minitorch_cnn.ops.windows import as_in_memory, rows_at, sliding, windows_and_pixels

BLOCK = 2**19  # elements of the columns that one thread holds at a time


class Convolve(Function):
    """y = x ∗ w + b;  dx = dy through w,  dw = dy times the windows of x,  db = Σ dy.

    Parameters
    ----------
    stride, dilation, before, after : pairs of int
        For height and width; `before` and `after` are how many zeros frame the images.
    groups : int
    """

    reads = {"dx": "w", "dw": "x"}

    def __init__(self, stride, dilation, before, after, groups):
        self.geometry = stride, dilation, before, after, groups

    def forward(self, x, w, b):
        return convolve(x, w, b, *self.geometry)

    def backward(self, dy, y, x, w, b):
        dx = ConvolveTransposed(*self.geometry, x.shape[2:])(dy, w) if wants_grad(x) else None
        dw = FilterGradient(*self.geometry, w.shape[2:])(x, dy) if wants_grad(w) else None
        db = dy.sum((0, 2, 3)) if wants_grad(b) else None
        return dx, dw, db


class ConvolveTransposed(Function):
    """y = x put through the filters w, backwards;  dx = dy ∗ w,  dw = x times the windows of dy."""

    reads = {"dx": "w", "dw": "x"}

    def __init__(self, stride, dilation, before, after, groups, size):
        self.geometry, self.size = (stride, dilation, before, after, groups), size

    def forward(self, x, w):
        return convolve_transposed(x, w, self.size, *self.geometry)

    def backward(self, dy, y, x, w):
        dx = Convolve(*self.geometry)(dy, w, None) if wants_grad(x) else None
        dw = FilterGradient(*self.geometry, w.shape[2:])(dy, x) if wants_grad(w) else None
        return dx, dw


class FilterGradient(Function):
    """y = g times the windows of x, summed;  dx = g through dy, backwards,  dg = x ∗ dy."""

    reads = {"dx": "g", "dg": "x"}

    def __init__(self, stride, dilation, before, after, groups, kernel_size):
        self.geometry, self.kernel_size = (stride, dilation, before, after, groups), kernel_size

    def forward(self, x, g):
        return filter_gradient(x, g, self.kernel_size, *self.geometry)

    def backward(self, dy, y, x, g):
        dx = ConvolveTransposed(*self.geometry, x.shape[2:])(g, dy) if wants_grad(x) else None
        dg = Convolve(*self.geometry)(x, dy, None) if wants_grad(g) else None
        return dx, dg


# --- on arrays -------------------------------------------------------------------------------------------


@on_gpu(kernels.convolve, typed=(0, 1))
def convolve(x, w, b, stride, dilation, before, after, groups):
    """Images (N, C, H, W) times filters (O, C/G, KH, KW), plus a number for each filter: (N, O, OH, OW)."""
    (n, _, *size), (o, c, kh, kw) = x.shape, w.shape
    oh, ow = window_counts(size, (kh, kw), stride, dilation, before, after)
    images = as_in_memory(x)  # (H, C, W, N)
    filters = w.transpose(0, 2, 1, 3).reshape(groups, 1, o // groups, kh * c * kw)
    y = get_array_module(x).empty((oh, groups, o // groups, ow, n), x.dtype)

    def fill(block):
        columns = im2col(images, (kh, kw), stride, dilation, before, groups, block)  # (G, OH, KH·C/G·KW, OW·N)
        part = _at(block, y)  # (G, OH, O/G, OW·N)
        matmul_in_pieces(filters, columns, part)
        if b is not None:
            add_to_rows(part, b.reshape(groups, 1, -1, 1))

    parallel.run(fill, blocks(images, (oh, ow), (kh, kw), stride, dilation, o * c))
    return y.reshape(oh, o, ow, n).transpose(3, 1, 0, 2)


@on_gpu(kernels.filter_gradient, typed=(0, 1))
def filter_gradient(x, g, kernel_size, stride, dilation, before, after, groups):
    """The windows of images (N, C, H, W) times images (N, O, OH, OW), summed: filters (O, C/G, KH, KW)."""
    xp, (n, c, *_), (_, o, oh, ow), (kh, kw) = get_array_module(x), x.shape, g.shape, kernel_size
    images, c = as_in_memory(x), c // groups  # (H, C, W, N)
    g = as_in_memory(g).reshape(oh, groups, o // groups, ow, n)

    def sums(block):
        columns = im2col(images, kernel_size, stride, dilation, before, groups, block)  # (G, OH, KH·C/G·KW, OW·N)
        part = _at(block, g).transpose(0, 1, 3, 2)  # (G, OH, OW·N, O/G)
        sums = xp.empty((*columns.shape[:-1], o // groups), x.dtype)
        return matmul_in_pieces(columns, part, sums).sum(axis=1)  # (G, KH·C/G·KW, O/G)

    first, *others = parallel.run(sums, blocks(images, (oh, ow), kernel_size, stride, dilation, o * c))
    y = sum(others, first)
    return y.transpose(0, 2, 1).reshape(o, kh, c, kw).transpose(0, 2, 1, 3)


@on_gpu(kernels.convolve_transposed, typed=(0, 1))
def convolve_transposed(g, w, size, stride, dilation, before, after, groups):
    """Images (N, O, OH, OW) put through filters (O, C/G, KH, KW) backwards, into images (N, C, H, W) of a size.

    A row of x is the product of those rows of the filters that meet it with the rows of g that they meet it from. What
    stands in the columns of the filters, (C/G, KW), is then added up at the places that it came from.
    """
    xp, (n, o, oh, ow), (_, c, kh, kw), (h, wide) = get_array_module(g), g.shape, w.shape, size
    (sh, sw), (dh, dw), (top, left) = stride, dilation, before
    images = as_in_memory(g).reshape(oh, groups, o // groups, ow * n)
    filters = w.reshape(groups, o // groups, c, kh, kw)[:, :, :, ::-1].transpose(0, 2, 4, 3, 1)
    filters = filters.reshape(groups, c * kw, kh, o // groups)  # the last row of each filter first
    x = xp.empty((h, groups, c, wide, n), g.dtype)

    def fill(rows):
        part = x[rows]
        columns = xp.empty((len(part), groups, c, kw, ow, n), g.dtype)
        products = columns.reshape(len(part), groups, c * kw, ow * n)
        for places, taps, first, step in _meetings(rows.start, rows.stop, oh, kh, sh, dh, top):
            out, some = products[places], filters[:, :, taps]
            depth = some.shape[2] * o // groups
            met = rows_at(images, first, len(out), some.shape[2], step).transpose(0, 2, 1, 3, 4)
            matmul_in_pieces(some.reshape(groups, c * kw, depth), met.reshape(len(out), groups, depth, ow * n), out)
        part[...] = 0
        for k in range(kw):
            windows, pixels = windows_and_pixels(slice(0, ow), sw, k * dw - left, wide)
            part[:, :, :, pixels] += columns[:, :, :, k, windows]

    parts = _parts_of_columns(h * groups * c * kw * ow * n, g.size * c * kh * kw)
    parallel.run(fill, parallel.slices(h, parts))
    return x.reshape(h, groups * c, wide, n).transpose(3, 1, 0, 2)


def im2col(x, kernel_size, stride, dilation, before, groups, block):
    """The windows of framed images (H, C, W, N) as columns, a matrix for each row of the output.

    An element of a column is one of the window (row, channel, column), a column one place and image: of shape
    (G, OH, KH·C/G·KW, OW·N), where `block` says which of OH and which of OW.
    """
    xp, (h, c, wide, n), (kh, kw), (oh, ow) = get_array_module(x), x.shape, kernel_size, block
    x = x.reshape(h, groups, c // groups, wide, n).transpose(1, 0, 2, 3, 4)  # (G, H, C/G, W, N)
    count, width, step = len(range(oh.start, oh.stop, oh.step)), ow.stop - ow.start, oh.step * stride[0] // dilation[0]
    height = (count - 1) * step + kh  # of the rows that the windows see, which are the dilation apart
    seen, rows = windows_and_pixels(slice(0, height), dilation[0], oh.start * stride[0] - before[0], h)
    columns = xp.empty((groups, height, c // groups, kw, width, n), x.dtype)
    for frame in _beside(seen, height):
        columns[:, frame] = 0
    for k in range(kw):
        places, pixels = windows_and_pixels(ow, stride[1], k * dilation[1] - before[1], wide)
        columns[:, seen, :, k, places] = x[:, rows, :, pixels]
        for frame in _beside(places, width):
            columns[:, seen, :, k, frame] = 0
    windows = sliding(columns, 1, kh, step).transpose(0, 1, 6, 2, 3, 4, 5)  # (G, OH, KH, C/G, KW, OW, N)
    return windows.reshape(groups, count, kh * (c // groups) * kw, width * n)  # a view


def _beside(some, count):
    """What there is before and after some of a number of places: a list of slices that are not empty."""
    return [part for part in (slice(0, some.start), slice(some.stop, count)) if part.start < part.stop]


def _at(block, y):
    """A block of images (OH, G, C/G, OW, N) as a matrix for each row, (G, OH, C/G, OW·N): a view."""
    part = y[block[0], :, :, block[1]]
    oh, g, c, ow, n = part.shape
    return part.reshape(oh, g, c, ow * n).transpose(1, 0, 2, 3)


def blocks(images, counts, kernel_size, stride, dilation, multiplications):
    """The rows and the places of windows, cut into blocks of which each is worth a thread, and none needs much memory.

    If windows are dilated, a block takes every k-th row of the output, k = dilation / gcd(stride, dilation): then its
    windows share the same rows of the images.

    Parameters
    ----------
    images : array
        (H, C, W, N).
    counts : pair of int
        OH and OW.
    kernel_size, stride, dilation : pairs of int
    multiplications : int
        For each place of a window, image and element of the kernel.
    """
    (oh, ow), (kh, kw), (_, c, _, n) = counts, kernel_size, images.shape
    parts = _parts_of_columns(oh * c * kw * ow * n, oh * ow * n * kh * kw * multiplications)
    wide = max(2, c * kh * kw * ow * n // BLOCK) if parts > 1 and ow * n >= 2048 else 1
    across = parallel.slices(ow, wide)  # few, for short runs of memory are slow to read and write
    apart = dilation[0] // math.gcd(stride[0], dilation[0])
    down = [
        slice(first + apart * part.start, min(oh, first + apart * part.stop), apart)
        for first in range(min(apart, oh))
        for part in parallel.slices(len(range(first, oh, apart)), parts // len(across) // apart)
    ]
    return [(rows, places) for rows in down for places in across]


def _parts_of_columns(elements, multiplications):
    """Into how many parts to cut columns of so many elements, with which so much is to be multiplied."""
    return 1 if multiplications < SHARED else max(4, elements // BLOCK)


Meeting = namedtuple("Meeting", "rows taps first step")


@functools.cache
def _meetings(start, stop, oh, kh, stride, dilation, top):
    """How rows of images are met by rows of filters: from row i, the k-th meets row i · stride + k · dilation - top.

    Returns
    -------
    list of Meeting
        One for each set of rows of the filters, `taps`, counted from the last; with the `rows` of images that it meets,
        counted from `start`. The first of these is met from the row `first` of g by the first tap, from the row
        ``first + step`` by the second, and so on; the next is met from one row further.

    Examples
    --------
    >>> _meetings(0, 4, oh=2, kh=3, stride=1, dilation=1, top=0)[1]  # row 1 by rows 1 and 0 of the filters
    Meeting(rows=slice(1, 2, 1), taps=slice(1, 3, 1), first=0, step=1)
    """
    found = {}
    for row in range(start, stop):
        met = [(k, *divmod(row + top - k * dilation, stride)) for k in reversed(range(kh))]
        met = [(k, i) for k, i, rest in met if rest == 0 and 0 <= i < oh]
        taps, places = tuple(kh - 1 - k for k, _ in met), [i for _, i in met] or [0]
        begins = row - stride * places[0] if met else row  # the same for rows that meet them one after the other
        found.setdefault((taps, begins), ([], places))[0].append(row - start)
    return [
        Meeting(_as_slice(rows), _as_slice(taps), places[0], _step(places))
        for (taps, _), (rows, places) in found.items()
    ]


def _as_slice(numbers):
    """Whole numbers at equal distances as a slice."""
    return slice(numbers[0], numbers[-1] + 1, _step(numbers)) if numbers else slice(0, 0)


def _step(numbers):
    """Their distance; 1 of a single number."""
    return numbers[1] - numbers[0] if len(numbers) > 1 else 1
