"""The windows of an image, on which convolution and pooling stand; and padding.

The windows of an image are its views under a sliding kernel. Laid out as columns they are im2col; the transpose,
which adds every window back to where it came from, is col2im. Each is the other's backward.
"""

from minitorch_cnn.autograd import Function
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.ops.indexing import getitem


class Windows(Function):
    """y[n, c, i, j] = the window of x[n, c] at place (i, j), as a view;  dx = all windows of dy added up.

    Parameters
    ----------
    kernel_size, stride, dilation : pairs of int
    """

    is_view = True

    def __init__(self, kernel_size, stride=(1, 1), dilation=(1, 1)):
        self.geometry = kernel_size, stride, dilation

    def forward(self, x):
        (kh, kw), (sh, sw), (dh, dw) = self.geometry
        xp = get_array_module(x)
        x = batch_innermost(x)
        spans = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
        windows = xp.lib.stride_tricks.sliding_window_view(x, spans, axis=(2, 3))
        return windows[:, :, ::sh, ::sw, ::dh, ::dw]  # (N, C, OH, OW, KH, KW)

    def backward(self, dy, _y, _x):
        return (Fold(*self.geometry, _x.shape[2:])(dy),)


class Fold(Function):
    """y = all windows x added up, each at the place it came from;  dx = the windows of dy."""

    def __init__(self, kernel_size, stride, dilation, size):
        self.geometry, self.size = (kernel_size, stride, dilation), size

    def forward(self, x):
        (kh, kw), (sh, sw), (dh, dw) = self.geometry
        n, c, oh, ow = x.shape[:4]
        y = get_array_module(x).zeros((c, *self.size, n), dtype=x.dtype).transpose(3, 0, 1, 2)  # (N, C, H, W)
        for i in range(kh):
            rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            for j in range(kw):
                columns = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
                y[:, :, rows, columns] += x[..., i, j]
        return y

    def backward(self, dy, _y, _x):
        return (Windows(*self.geometry)(dy),)


def batch_innermost(x):
    """The same (N, C, H, W) array with the batch as the fastest axis in memory; a copy only where it is not so yet.

    Then every slice of an image, and every row of its column matrix, is a run of at least N neighbours in memory.
    """
    xp = get_array_module(x)
    return xp.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


class Pad(Function):
    """y = x framed by a constant;  dx = dy without the frame.

    Parameters
    ----------
    widths : tuple of pairs
        For each dimension, how many elements to put before and after.
    value : float
    """

    def __init__(self, widths, value=0.0):
        self.widths, self.value = widths, value

    def forward(self, x):
        shape = tuple(before + size + after for size, (before, after) in zip(x.shape, self.widths, strict=True))
        y = get_array_module(x).empty_like(x, shape=shape)  # in the memory order of x
        y.fill(self.value)
        y[self._inside(x.shape)] = x
        return y

    def backward(self, dy, _y, _x):
        return (getitem(dy, self._inside(_x.shape)),)

    def _inside(self, shape):
        return tuple(slice(before, before + size) for size, (before, _) in zip(shape, self.widths, strict=True))
