"""The windows of an image, on which convolution and pooling stand; and padding.

The windows of an image are its views under a sliding kernel. Laid out as columns they are im2col; the transpose,
which adds every window back to where it came from, is col2im. Each is the other's backward. Both are done along one
axis at a time: windows of rows, then windows of these.

Images have the shape (N, C, H, W) everywhere. In memory they lie as (H, C, W, N), as long as this file makes them: the
batch innermost, so that whatever is taken out of an image is a run of at least N neighbours; the rows outermost, so
that neighbouring rows are one block.
"""

import numpy as np

from minitorch_cnn.autograd import Function
from minitorch_cnn.backend import CPU, device_of, get_array_module, parallel, strided
from minitorch_cnn.backend.geometry import window_count
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.elementwise import choose
from minitorch_cnn.ops.indexing import getitem


class Windows(Function):
    """y[n, c, i, j] = the window of x[n, c] at place (i, j);  dx = all windows of dy added up.

    A view of x if its batch is innermost in memory, else of a copy that has it so.

    Parameters
    ----------
    kernel_size, stride, dilation : pairs of int
    """

    reads = {}
    is_view = True

    def __init__(self, kernel_size, stride=(1, 1), dilation=(1, 1)):
        self.geometry = kernel_size, stride, dilation

    def forward(self, x):
        down, across = zip(*self.geometry, strict=True)
        x = as_in_memory(x).transpose(3, 1, 0, 2)
        return sliding(sliding(x, 2, *down), 3, *across)  # (N, C, OH, OW, KH, KW)

    def backward(self, dy, y, x):
        return (Fold(*self.geometry, x.shape[2:])(dy),)


class Fold(Function):
    """y = all windows x added up, each at the place it came from;  dx = the windows of dy."""

    reads = {}

    def __init__(self, kernel_size, stride, dilation, size):
        self.geometry, self.size = (kernel_size, stride, dilation), size

    def forward(self, x):
        return fold(x, *self.geometry, self.size)

    def backward(self, dy, y, x):
        return (Windows(*self.geometry)(dy),)


class SumWindows(Function):
    """y[n, c, i, j] = the sum of the window of x[n, c] at (i, j), divided by a number;  dx = dy spread likewise."""

    reads = {}

    def __init__(self, kernel_size, stride, divisor=1):
        self.geometry, self.divisor = (kernel_size, stride), divisor

    def forward(self, x):
        return sum_windows(x, *self.geometry, self.divisor)  # (N, C, OH, OW)

    def backward(self, dy, y, x):
        return (SpreadWindows(*self.geometry, self.divisor, x.shape[2:])(dy),)


class SpreadWindows(Function):
    """y = each element of x, over a number, added to all places of its window;  dx = the sums of windows of dy."""

    reads = {}

    def __init__(self, kernel_size, stride, divisor, size):
        self.geometry, self.size = (kernel_size, stride, divisor), size

    def forward(self, x):
        return spread_windows(x, *self.geometry, self.size)  # (N, C, H, W)

    def backward(self, dy, y, x):
        return (SumWindows(*self.geometry)(dy),)


class SumSpans(Function):
    """y[i] = Σ x over the i-th span of a dimension;  dx = each element of dy, added to all of its span."""

    reads = {}

    def __init__(self, dim, spans):
        self.dim, self.spans = dim, spans

    def forward(self, x):
        shape, skipped = list(x.shape), (slice(None),) * self.dim
        shape[self.dim] = len(self.spans)
        y = get_array_module(x).empty_like(x, shape=tuple(shape))
        for i, (start, end) in enumerate(self.spans):
            y[(*skipped, i)] = x[(*skipped, slice(start, end))].sum(axis=self.dim)
        return y

    def backward(self, dy, y, x):
        return (SpreadSpans(self.dim, self.spans, x.shape[self.dim])(dy),)


class SpreadSpans(Function):
    """y = each element of x, added to all of its span of a dimension;  dx = the sum of each span of dy."""

    reads = {}

    def __init__(self, dim, spans, size):
        self.dim, self.spans, self.size = dim, spans, size

    def forward(self, x):
        shape, skipped = list(x.shape), (slice(None),) * self.dim
        shape[self.dim] = self.size
        y = get_array_module(x).zeros_like(x, shape=tuple(shape))
        for i, (start, end) in enumerate(self.spans):
            y[(*skipped, slice(start, end))] += x[(*skipped, slice(i, i + 1))]
        return y

    def backward(self, dy, y, x):
        return (SumSpans(self.dim, self.spans)(dy),)


class MaxWindows(Function):
    """y[n, c, i, j] = the largest element of the window of x[n, c] at (i, j);  dx = dy at its place, else 0.

    Parameters
    ----------
    kernel_size, stride, dilation : pairs of int
    corners : pair of arrays, optional
        The first row and the first column of each window that may be taken, of shapes (OH, 1, 1, 1) and (OW, 1), where
        those before hold the smallest number there is.

    Attributes
    ----------
    index : array
        After the call, which element of its window each is: the first of equal ones. (OH, C, OW, N).
    """

    reads = {}

    def __init__(self, kernel_size, stride, dilation, corners=None):
        self.geometry, self.corners = (kernel_size, stride, dilation), corners

    def forward(self, x):
        y, self.index = largest_of_windows(x, *self.geometry)
        if self.corners is not None:
            (top, left), kw, maximum = self.corners, self.geometry[0][1], get_array_module(x).maximum
            self.index = maximum(self.index // kw, top) * kw + maximum(self.index % kw, left)
        return y

    def backward(self, dy, y, x):
        return (PutInWindows(*self.geometry, self.index, x.shape[2:])(dy),)


class PutInWindows(Function):
    """y = each element of x, added at one place of its window;  dx = the elements of dy at these places."""

    reads = {}

    def __init__(self, kernel_size, stride, dilation, index, size):
        self.geometry, self.size = (kernel_size, stride, dilation, index), size

    def forward(self, x):
        return put_in_windows(x, *self.geometry, self.size)

    def backward(self, dy, y, x):
        return (TakeFromWindows(*self.geometry)(dy),)


class TakeFromWindows(Function):
    """y = one element of each window of x;  dx = dy at the places of these, else 0."""

    reads = {}

    def __init__(self, kernel_size, stride, dilation, index):
        self.geometry = kernel_size, stride, dilation, index

    def forward(self, x):
        return take_from_windows(x, *self.geometry)

    def backward(self, dy, y, x):
        return (PutInWindows(*self.geometry, x.shape[2:])(dy),)


class Pad(Function):
    """y = x framed by a constant;  dx = dy without the frame.

    Parameters
    ----------
    widths : tuple of pairs
        For each dimension, how many elements to put before and after.
    value : float
    """

    reads = {}

    def __init__(self, widths, value=0.0):
        self.widths, self.value = widths, value

    def forward(self, x):
        xp = get_array_module(x)
        shape = tuple(before + size + after for size, (before, after) in zip(x.shape, self.widths, strict=True))
        if x.ndim == 4:  # images: as long as they are copied, with the batch innermost
            n, c, h, w = shape
            y = xp.empty((h, c, w, n), dtype=x.dtype).transpose(3, 1, 0, 2)
        else:
            y = xp.empty_like(x, shape=shape)  # in the memory order of x
        y.fill(self.value)
        y[self._inside(x.shape)] = x
        return y

    def backward(self, dy, y, x):
        return (getitem(dy, self._inside(x.shape)),)

    def _inside(self, shape):
        return tuple(slice(before, before + size) for size, (before, _) in zip(shape, self.widths, strict=True))


# --- on arrays -------------------------------------------------------------------------------------------


def as_in_memory(x):
    """Images (N, C, H, W) as the contiguous array (H, C, W, N) that they are in memory; a copy where they are not."""
    return get_array_module(x).ascontiguousarray(x.transpose(2, 1, 3, 0))


def sliding(x, axis, kernel, stride=1, dilation=1):
    """The windows of an array along one axis, their elements along a new last one: a view."""
    # The same memory, read with other strides: to the next window, and to the next element inside of one.
    step, shape, strides = x.strides[axis], list(x.shape), list(x.strides)
    shape[axis], strides[axis] = window_count(shape[axis], kernel, stride, dilation), stride * step
    return strided(x, (*shape, kernel), (*strides, dilation * step))


def rows_at(x, first, count, size, step):
    """Sets of rows of an array, the i-th being first + i, first + i + step, ...: (count, size, ...), a view."""
    row, *rest = x.strides
    return strided(x[first:], (count, size, *x.shape[1:]), (row, step * row, *rest))


@on_gpu(kernels.sum_windows)
def sum_windows(x, kernel_size, stride, divisor):
    """The sum of each window of images, first down, then across, divided by a number."""
    xp, x, (kh, kw), (sh, sw) = get_array_module(x), as_in_memory(x), kernel_size, stride
    h, c, w, n = x.shape
    oh, ow = window_count(h, kh, sh), window_count(w, kw, sw)
    y = xp.empty((oh, c, ow, n), x.dtype)

    def fill(rows):
        part, seen = y[rows], x[rows.start * sh : (rows.stop - 1) * sh + kh]
        down = seen[_places(0, 0, sh, len(part))]
        for k in range(1, kh):
            down = xp.add(down, seen[_places(0, k, sh, len(part))], out=None if k == 1 else down)
        part[...] = down[_places(2, 0, sw, ow)]
        for k in range(1, kw):
            part += down[_places(2, k, sw, ow)]
        if divisor != 1:
            part /= divisor

    parallel.run(fill, parallel.slices_of(y, oh, x.size))
    return y.transpose(3, 1, 0, 2)


@on_gpu(kernels.spread_windows)
def spread_windows(x, kernel_size, stride, divisor, size):
    """The transpose of `sum_windows`: each element added to all places of its window, in images of a size."""
    xp, x, (kh, kw), (sh, sw), (h, w) = get_array_module(x), as_in_memory(x), kernel_size, stride, size
    oh, c, ow, n = x.shape
    y = xp.empty((h, c, w, n), x.dtype)
    is_tiled = kernel_size == stride and (oh * kh, ow * kw) == size
    tiles = y.reshape(oh, kh, c, ow, kw, n) if is_tiled else None  # the windows are the tiles of the image

    def fill_tiles(rows):
        part = x[rows] if divisor == 1 else x[rows] / divisor
        tiles[rows] = part[:, None, :, :, None]

    def fill(rows):
        down = xp.zeros((rows.stop - rows.start, c, ow, n), x.dtype)
        for k in range(kh):
            windows, places = windows_and_pixels(slice(0, oh), sh, k - rows.start, len(down))
            down[places] += x[windows]
        if divisor != 1:
            down /= divisor
        part = y[rows]
        part[...] = 0
        for k in range(kw):
            windows, places = windows_and_pixels(slice(0, ow), sw, k, w)
            part[:, :, places] += down[:, :, windows]

    parallel.run(*((fill_tiles, parallel.slices_of(y, oh)) if is_tiled else (fill, parallel.slices_of(y, h))))
    return y.transpose(3, 1, 0, 2)  # (N, C, H, W)


def largest_of_windows(x, kernel_size, stride, dilation):
    """The largest element of each window (N, C, OH, OW), and which of the window it is, (OH, C, OW, N)."""
    xp, x, (kh, kw), (sh, sw), (dh, dw) = get_array_module(x), as_in_memory(x), kernel_size, stride, dilation
    h, c, w, n = x.shape
    oh, ow = window_count(h, kh, sh, dh), window_count(w, kw, sw, dw)
    y, index = xp.empty((oh, c, ow, n), x.dtype), xp.zeros((oh, c, ow, n), np.min_scalar_type(kh * kw))

    def fill(rows):
        largest, which = y[rows], index[rows]
        elements = (
            x[_places(0, rows.start * sh + i * dh, sh, len(largest))][_places(2, j * dw, sw, ow)]
            for i in range(kh) for j in range(kw)
        )  # fmt: skip
        largest[...] = next(elements)
        for k, element in enumerate(elements, start=1):
            is_larger = element > largest
            xp.maximum(which, is_larger * which.dtype.type(k), out=which)
            xp.maximum(largest, element, out=largest)  # NaN, if one of them is

    parallel.run(fill, parallel.slices_of(y, oh, x.size))
    # NaN is largest, and of several the last is taken, as in PyTorch. On a GPU, to look for one would be to wait.
    if x.dtype.kind == "f" and (device_of(x) != CPU or xp.isnan(y).any()):
        for k in range(kh * kw):
            element = x[_places(0, k // kw * dh, sh, oh)][_places(2, k % kw * dw, sw, ow)]
            index = xp.where(xp.isnan(element), index.dtype.type(k), index)
    return y.transpose(3, 1, 0, 2), index


def put_in_windows(x, kernel_size, stride, dilation, index, size):
    """Images of a size with each element of x (N, C, OH, OW) added at one place of its window."""
    xp, x, (kh, kw), (sh, sw), (dh, dw), (h, w) = (
        get_array_module(x), as_in_memory(x), kernel_size, stride, dilation, size
    )  # fmt: skip
    oh, c, ow, n = x.shape
    y = xp.zeros((h, c, w, n), x.dtype)

    def fill(rows):
        part = y[rows]
        for i in range(kh):
            down, places = windows_and_pixels(slice(0, oh), sh, i * dh - rows.start, len(part))
            for j in range(kw):
                across, columns = windows_and_pixels(slice(0, ow), sw, j * dw, w)
                there = index[down, :, across] == i * kw + j
                part[places, :, columns] += choose(there, x[down, :, across], 0)

    parallel.run(fill, parallel.slices_of(y, h))
    return y.transpose(3, 1, 0, 2)


def take_from_windows(x, kernel_size, stride, dilation, index):
    """The element of each window of images x (N, C, H, W) that an index names: (N, C, OH, OW)."""
    x, (_, kw), (sh, sw), (dh, dw) = as_in_memory(x), kernel_size, stride, dilation
    (oh, c, ow, n), xp = index.shape, get_array_module(x)
    rows = xp.arange(oh).reshape(oh, 1, 1, 1) * sh + index // kw * dh
    columns = xp.arange(ow).reshape(ow, 1) * sw + index % kw * dw
    y = x[rows, xp.arange(c).reshape(c, 1, 1), columns, xp.arange(n)]
    return y.transpose(3, 1, 0, 2)


def windows_and_pixels(windows, stride, offset, size):
    """Window i reads the pixel ``i * stride + offset``, if that is one of the image, from 0 to `size` - 1.

    Parameters
    ----------
    windows : slice
    stride, offset, size : int

    Returns
    -------
    two slices
        Of the windows those whose pixel exists, counted from the first; and these pixels.

    Examples
    --------
    >>> windows_and_pixels(slice(0, 5), stride=2, offset=-1, size=6)  # -1, 1, 3, 5, 7
    (slice(1, 4, None), slice(1, 6, 2))
    """
    first = max(windows.start, -(offset // stride))
    stop = min(windows.stop, (size - 1 - offset) // stride + 1)
    if first >= stop:
        return slice(0, 0), slice(0, 0)
    pixels = slice(first * stride + offset, (stop - 1) * stride + offset + 1, stride)
    return slice(first - windows.start, stop - windows.start), pixels


def overlaid(parts, axis, size, stride=1, dilation=1):
    """Arrays added up, the k-th with its elements at k · dilation, k · dilation + stride, ... along an axis."""
    xp, shape = get_array_module(parts[0]), list(parts[0].shape)
    count, shape[axis] = shape[axis], size
    is_disjoint = dilation * (len(parts) - 1) < stride
    is_covered = is_disjoint and len(parts) * count == size
    make = xp.empty_like if is_covered else xp.zeros_like
    y = make(parts[0], shape=tuple(shape))  # in the memory order of the parts
    for k, part in enumerate(parts):
        places = _places(axis, k * dilation, stride, count)
        if is_disjoint:  # as in most pooling: nothing is there to add to
            y[places] = part
        else:
            y[places] += part
    return y


def _places(axis, start, stride, count):
    """The index of `count` places along an axis, from `start` in steps of `stride`."""
    return (*[slice(None)] * axis, slice(start, start + stride * (count - 1) + 1, stride))


def fold(x, kernel_size, stride, dilation, size):
    """All windows (N, C, OH, OW, KH, KW) added up, each at its place: (N, C, H, W)."""
    down, across = zip(size, stride, dilation, strict=True)
    rows = overlaid([x[..., k, :] for k in range(kernel_size[0])], 2, *down)  # (N, C, H, OW, KW)
    return overlaid([rows[..., k] for k in range(kernel_size[1])], 3, *across)
