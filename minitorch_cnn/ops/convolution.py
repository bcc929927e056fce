"""Convolution, and its two gradients.

The number Σ dy · (x ∗ w) is linear in each of the images x, the filters w and the gradient dy. Its derivative with
respect to dy is the convolution itself; those with respect to x and w are its gradients. So there are three operations,
each is the matrix product of two of the three, and the backward of each is made of the other two.

The matrix is the column matrix of the images (im2col): its columns are their windows. Only the windows of single rows
are copied into it. Rows lie in memory one behind the other, and so do those of a window of KH rows: for each row of
the output, the matrix of its windows is a view of what is there already.
"""

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.backend import add_to_rows, get_array_module
from minitorch_cnn.backend.geometry import window_count
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.linalg import product
from minitorch_cnn.ops.windows import as_in_memory, overlaid, sliding

LARGEST = 2**22  # elements of the products that are summed to the gradient of filters


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
        stride, dilation, before, after, groups = self.geometry
        columns = im2col(x, w.shape[2:], *self.geometry)  # (G, OH, KH·C/G·KW, OW·N)
        y = product(as_rows(w, groups), columns)  # (G, OH, O/G, OW·N)
        if b is not None:
            add_to_rows(y, b.reshape(groups, 1, -1, 1))
        ow = window_count(x.shape[3] + before[1] + after[1], w.shape[3], stride[1], dilation[1])
        return as_images(y, ow, len(x))

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
        groups = self.geometry[-1]
        filters = as_rows(w, groups).transpose(0, 1, 3, 2)  # (G, 1, KH·C/G·KW, O/G)
        columns = product(filters, as_products(x, groups))  # (G, OH, KH·C/G·KW, OW·N)
        shape = len(x), w.shape[1] * groups, *self.size
        return col2im(columns, shape, w.shape[2:], *self.geometry)

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
        groups, (kh, kw) = self.geometry[-1], self.kernel_size
        o, c = g.shape[1], x.shape[1] // groups
        columns = im2col(x, self.kernel_size, *self.geometry)  # (G, OH, KH·C/G·KW, OW·N)
        products = as_products(g, groups).transpose(0, 1, 3, 2)  # (G, OH, OW·N, O/G)
        rows = max(1, LARGEST // (columns.shape[2] * o))  # at a time: each has as many sums as there are weights
        parts = [slice(i, i + rows) for i in range(0, max(1, columns.shape[1]), rows)]
        first, *others = (product(columns[:, part], products[:, part]).sum(axis=1) for part in parts)
        y = sum(others, first)  # (G, KH·C/G·KW, O/G)
        return y.transpose(0, 2, 1).reshape(o, kh, c, kw).transpose(0, 2, 1, 3)  # (O, C/G, KH, KW)

    def backward(self, dy, y, x, g):
        dx = ConvolveTransposed(*self.geometry, x.shape[2:])(g, dy) if wants_grad(x) else None
        dg = Convolve(*self.geometry)(x, dy, None) if wants_grad(g) else None
        return dx, dg


# --- on arrays -------------------------------------------------------------------------------------------


@on_gpu(kernels.im2col)
def im2col(x, kernel_size, stride, dilation, before, after, groups):
    """The windows of framed images as columns, a matrix for each row of the output: (G, OH, KH·C/G·KW, OW·N).

    An element of a column is one of the window (row, channel, column), a column one place and image.
    """
    down, across = zip(kernel_size, stride, dilation, strict=True)
    rows = sliding(_framed(x, before, after), 2, *across)  # (H, C, OW, N, KW)
    h, c, ow, n, kw = rows.shape
    rows = rows.reshape(h, groups, c // groups, ow, n, kw).transpose(1, 0, 2, 5, 3, 4)
    rows = get_array_module(x).ascontiguousarray(rows)  # (G, H, C/G, KW, OW, N)
    windows = sliding(rows, 1, *down).transpose(0, 1, 6, 2, 3, 4, 5)  # (G, OH, KH, C/G, KW, OW, N)
    rows_of_columns = kernel_size[0] * c // groups * kw
    return windows.reshape(groups, windows.shape[1], rows_of_columns, ow * n)  # a view, unless rows are dilated


@on_gpu(kernels.col2im)
def col2im(columns, shape, kernel_size, stride, dilation, before, after, groups):
    """The transpose of `im2col`: every window added up at the place it came from, in images (N, C, H, W)."""
    (n, c, h, w), (kh, kw), (top, left) = shape, kernel_size, before
    ow = window_count(w + left + after[1], kw, stride[1], dilation[1])
    windows = columns.reshape(groups, columns.shape[1], kh, c // groups, kw, ow, n)
    down, across = zip((h + top + after[0], w + left + after[1]), stride, dilation, strict=True)
    rows = overlaid([windows[:, :, k] for k in range(kh)], 1, *down)  # (G, H, C/G, KW, OW, N)
    x = overlaid([rows[:, :, :, k] for k in range(kw)], 3, *across)  # (G, H, C/G, W, N)
    x = x[:, top : top + h, :, left : left + w].transpose(1, 0, 2, 3, 4)
    return x.reshape(h, c, w, n).transpose(3, 1, 0, 2)


def as_rows(w, groups):
    """Filters (O, C/G, KH, KW) as the rows of one matrix for each group: (G, 1, O/G, KH·C/G·KW)."""
    o, c, kh, kw = w.shape
    return w.transpose(0, 2, 1, 3).reshape(groups, 1, o // groups, kh * c * kw)


def as_products(y, groups):
    """Images (N, O, OH, OW) as a matrix for each row: (G, OH, O/G, OW·N); a view if they lie in memory so."""
    n, o, oh, ow = y.shape
    return as_in_memory(y).reshape(oh, groups, o // groups, ow * n).transpose(1, 0, 2, 3)


def as_images(products, ow, n):
    """What `as_products` made of images, back again; a view if there is one group."""
    g, oh, o, _ = products.shape
    return products.transpose(1, 0, 2, 3).reshape(oh, g * o, ow, n).transpose(3, 1, 0, 2)


def _framed(x, before, after):
    """Images with a frame of zeros, as they are in memory: (H, C, W, N)."""
    if not any((*before, *after)):
        return as_in_memory(x)
    (n, c, h, w), (top, left), (bottom, right) = x.shape, before, after
    y = get_array_module(x).zeros((h + top + bottom, c, w + left + right, n), dtype=x.dtype)
    y[top : top + h, :, left : left + w] = x.transpose(2, 1, 3, 0)
    return y
