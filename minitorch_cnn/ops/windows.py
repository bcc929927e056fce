"""The windows of an image, on which convolution and pooling stand; and padding.

The windows of an image are its views under a sliding kernel. Laid out as columns they are im2col; the transpose,
which adds every window back to where it came from, is col2im. Each is the other's backward.
"""

from minitorch_cnn.autograd import Function
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.ops.indexing import getitem


class Windows(Function):
    """y[n, c, i, j] = the window of x[n, c] at place (i, j);  dx = all windows of dy added up.

    A view of x if its batch is innermost in memory, else of a copy that has it so.

    Parameters
    ----------
    kernel_size, stride, dilation : pairs of int
    """

    is_view = True

    def __init__(self, kernel_size, stride=(1, 1), dilation=(1, 1)):
        self.geometry = kernel_size, stride, dilation

    def forward(self, x):
        (kh, kw), (sh, sw), (dh, dw) = self.geometry
        x = batch_innermost(x)
        n, c, h, w = x.shape
        oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (w - dw * (kw - 1) - 1) // sw + 1
        # The same memory, read with other strides: to the next window, and to the next element inside of one.
        to_image, to_channel, to_row, to_column = x.strides
        strides = to_image, to_channel, sh * to_row, sw * to_column, dh * to_row, dw * to_column
        as_strided = get_array_module(x).lib.stride_tricks.as_strided
        return as_strided(x, (n, c, oh, ow, kh, kw), strides)  # (N, C, OH, OW, KH, KW)

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
        is_disjoint = dh * (kh - 1) < sh and dw * (kw - 1) < sw
        for i in range(kh):
            rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            for j in range(kw):
                columns = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
                if is_disjoint:  # as in most pooling: nothing is there to add to
                    y[:, :, rows, columns] = x[..., i, j]
                else:
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
        xp = get_array_module(x)
        shape = tuple(before + size + after for size, (before, after) in zip(x.shape, self.widths, strict=True))
        if x.ndim == 4:  # images: as long as they are copied, with the batch innermost
            n, c, h, w = shape
            y = xp.empty((c, h, w, n), dtype=x.dtype).transpose(3, 0, 1, 2)
        else:
            y = xp.empty_like(x, shape=shape)  # in the memory order of x
        y.fill(self.value)
        y[self._inside(x.shape)] = x
        return y

    def backward(self, dy, _y, _x):
        return (getitem(dy, self._inside(_x.shape)),)

    def _inside(self, shape):
        return tuple(slice(before, before + size) for size, (before, _) in zip(shape, self.widths, strict=True))
