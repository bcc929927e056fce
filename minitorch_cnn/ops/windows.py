"""The windows of an image, on which convolution and pooling stand; and padding.

The windows of an image are its views under a sliding kernel. Laid out as columns they are im2col; the transpose,
which adds every window back to where it came from, is col2im. Each is the other's backward. Both are done along one
axis at a time: windows of rows, then windows of these.

Images have the shape (N, C, H, W) everywhere. In memory they lie as (H, C, W, N), as long as this file makes them: the
batch innermost, so that whatever is taken out of an image is a run of at least N neighbours; the rows outermost, so
that neighbouring rows are one block.
"""

from minitorch_cnn.autograd import Function
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.geometry import window_count
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
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
    """y[n, c, i, j] = the sum of the window of x[n, c] at (i, j);  dx = each element of dy, spread over its window."""

    reads = {}

    def __init__(self, kernel_size, stride):
        self.geometry = kernel_size, stride

    def forward(self, x):
        return sum_windows(x, *self.geometry)  # (N, C, OH, OW)

    def backward(self, dy, y, x):
        return (SpreadWindows(*self.geometry, x.shape[2:])(dy),)


class SpreadWindows(Function):
    """y = each element of x, added to all places of its window;  dx = the sum of each window of dy."""

    reads = {}

    def __init__(self, kernel_size, stride, size):
        self.geometry, self.size = (kernel_size, stride), size

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
    as_strided = get_array_module(x).lib.stride_tricks.as_strided
    return as_strided(x, (*shape, kernel), (*strides, dilation * step))


@on_gpu(kernels.sum_windows)
def sum_windows(x, kernel_size, stride):
    """The sum of each window of images, first down, then across."""
    y = as_in_memory(x)
    for axis, kernel, step in zip((0, 2), kernel_size, stride, strict=True):
        count = window_count(y.shape[axis], kernel, step)
        parts = [y[_places(axis, k, step, count)] for k in range(kernel)]
        y = parts[0] + parts[1] if kernel > 1 else parts[0].copy()
        for part in parts[2:]:
            y += part
    return y.transpose(3, 1, 0, 2)


@on_gpu(kernels.spread_windows)
def spread_windows(x, kernel_size, stride, size):
    """The transpose of `sum_windows`: each element added to all places of its window, in images of a size."""
    y = as_in_memory(x)
    oh, c, ow, n = y.shape
    (kh, kw), (h, w) = kernel_size, size
    if kernel_size == stride and (oh * kh, ow * kw) == size:  # the windows are the tiles of the image
        y = get_array_module(y).broadcast_to(y[:, None, :, :, None], (oh, kh, c, ow, kw, n)).reshape(h, c, w, n)
    else:
        y = overlaid([overlaid([y] * kh, 0, h, stride[0])] * kw, 2, w, stride[1])
    return y.transpose(3, 1, 0, 2)  # (N, C, H, W)


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
