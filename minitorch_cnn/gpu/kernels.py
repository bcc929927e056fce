"""What a GPU computes in one launch where CuPy would need several: each function starts a kernel of kernels.cu.

The plain version, for a CPU and for other types, stands with its operation: in ops/ under `on_gpu`, in optim/sgd.py
with `in_one_launch`. The two agree up to rounding. The matrix product is left to cuBLAS while that can be called.
"""

import math

import numpy as np

from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.geometry import window_counts
from minitorch_cnn.backend.settings import Setting
from minitorch_cnn.gpu.launch import THREADS, counted, dense, grid_for, laid_out_as, launch

# --- sigmoid ---------------------------------------------------------------------------------------------


def sigmoid(x):
    """``1 / (1 + exp(-x))``, in the memory order of x."""
    x = dense(x)
    y = get_array_module(x).empty_like(x)
    launch("sigmoid", y, grid_for(x.size), (THREADS,), x, y, counted("sigmoid", x.size))
    return y


def sigmoid_gradient(dy, y):
    """``dy y (1 - y)``, for y = sigmoid(x)."""
    y = dense(y)
    dy, dx = laid_out_as(y, dy), get_array_module(y).empty_like(y)
    launch("sigmoid_gradient", dx, grid_for(y.size), (THREADS,), dy, y, dx, counted("sigmoid_gradient", y.size))
    return dx


# --- the windows of images -------------------------------------------------------------------------------

LARGEST = 2**22  # elements of the products that are summed to the gradient of filters
_WINDOWS = np.dtype("i4," * 14 + "i4")  # n, c, h, w, oh, ow, kh, kw, sh, sw, dh, dw, top, left, groups


def im2col(x, kernel, stride, dilation, before, after, groups):
    """The windows of images on a GPU as the columns of one matrix for each row of windows, in one launch.

    Parameters
    ----------
    x : array
        Images (N, C, H, W), laid out in memory in any way.
    kernel, stride, dilation : pairs of int
    before, after : pairs of int
        How many rows and columns of zeros to put around the images.
    groups : int
        Of channels.

    Returns
    -------
    array
        (G, OH, KH·(C/G)·KW, OW·N), with rows in the order (kh, c, kw) and columns in the order (ow, n).
    """
    n, c, h, w = x.shape
    oh, ow = window_counts((h, w), kernel, stride, dilation, before, after)
    shape = groups, oh, kernel[0] * (c // groups) * kernel[1], ow * n
    size = counted("im2col", math.prod(shape))
    columns = get_array_module(x).empty(shape, x.dtype)
    geometry = _geometry(x.shape, (oh, ow), kernel, stride, dilation, before, groups)
    launch("im2col", columns, grid_for(size), (THREADS,), x, _image_strides(x), columns, geometry, size)
    return columns


def col2im(columns, shape, kernel, stride, dilation, before, after, groups):
    """Every window of `im2col` added up at the place it came from, on a GPU, in one launch: its transpose.

    Returns
    -------
    array
        Images of the given shape (N, C, H, W), in memory (H, C, W, N).
    """
    n, c, h, w = shape
    counts = window_counts((h, w), kernel, stride, dilation, before, after)
    size = counted("col2im", math.prod(shape))
    xp = get_array_module(columns)
    if columns.strides[3] != columns.itemsize:
        columns = xp.ascontiguousarray(columns)
    x = xp.empty((h, c, w, n), columns.dtype)
    geometry = _geometry(shape, counts, kernel, stride, dilation, before, groups)
    to = np.array([tuple(s // x.itemsize for s in columns.strides[:3])], "i8,i8,i8")
    launch("col2im", x, grid_for(size), (THREADS,), columns, to, x, geometry, size)
    return x.transpose(3, 1, 0, 2)  # (N, C, H, W)


def convolve(x, w, b, stride, dilation, before, after, groups):
    """See `ops.convolution`: the columns of all windows, and one matrix product for each row of them."""
    geometry = stride, dilation, before, after, groups
    y = matmul(_as_rows(w, groups), im2col(x, w.shape[2:], *geometry))  # (G, OH, O/G, OW·N)
    if b is not None:
        y += b.reshape(groups, 1, -1, 1)
    g, oh, o, _ = y.shape
    _, ow = window_counts(x.shape[2:], w.shape[2:], *geometry[:-1])
    return y.transpose(1, 0, 2, 3).reshape(oh, g * o, ow, len(x)).transpose(3, 1, 0, 2)


def convolve_transposed(g, w, size, stride, dilation, before, after, groups):
    """See `ops.convolution`: a matrix product for each row of g, and what comes out added up by `col2im`."""
    columns = matmul(_as_rows(w, groups).transpose(0, 1, 3, 2), _as_products(g, groups))
    shape = len(g), w.shape[1] * groups, *size
    return col2im(columns, shape, w.shape[2:], stride, dilation, before, after, groups)


def filter_gradient(x, g, kernel_size, stride, dilation, before, after, groups):
    """See `ops.convolution`: a matrix product for each row of g, some of them at a time, summed."""
    o, c, (kh, kw) = g.shape[1], x.shape[1] // groups, kernel_size
    columns = im2col(x, kernel_size, stride, dilation, before, after, groups)  # (G, OH, KH·C/G·KW, OW·N)
    products = _as_products(g, groups).transpose(0, 1, 3, 2)  # (G, OH, OW·N, O/G)
    rows = max(1, LARGEST // (columns.shape[2] * o))  # at a time: each has as many sums as there are weights
    parts = [slice(i, i + rows) for i in range(0, max(1, columns.shape[1]), rows)]
    first, *others = (matmul(columns[:, part], products[:, part]).sum(axis=1) for part in parts)
    y = sum(others, first)  # (G, KH·C/G·KW, O/G)
    return y.transpose(0, 2, 1).reshape(o, kh, c, kw).transpose(0, 2, 1, 3)  # (O, C/G, KH, KW)


def _as_rows(w, groups):
    """Filters (O, C/G, KH, KW) as the rows of one matrix for each group: (G, 1, O/G, KH·C/G·KW)."""
    o, c, kh, kw = w.shape
    return w.transpose(0, 2, 1, 3).reshape(groups, 1, o // groups, kh * c * kw)


def _as_products(y, groups):
    """Images (N, O, OH, OW) as a matrix for each row: (G, OH, O/G, OW·N); a view if they lie in memory so."""
    n, o, oh, ow = y.shape
    rows = get_array_module(y).ascontiguousarray(y.transpose(2, 1, 3, 0))
    return rows.reshape(oh, groups, o // groups, ow * n).transpose(1, 0, 2, 3)


def sum_windows(x, kernel, stride, divisor):
    """See `ops.windows`: in one launch, (N, C, OH, OW), in memory (OH, C, OW, N)."""
    n, c, h, w = x.shape
    none, one = (0, 0), (1, 1)
    oh, ow = window_counts((h, w), kernel, stride, one, none, none)
    size = counted("sum_windows", n * c * oh * ow)
    y = get_array_module(x).empty((oh, c, ow, n), x.dtype)
    geometry = _geometry(x.shape, (oh, ow), kernel, stride, one, none, 1)
    launch("sum_windows", y, grid_for(size), (THREADS,), x, _image_strides(x), y, geometry, size)
    if divisor != 1:
        y /= divisor
    return y.transpose(3, 1, 0, 2)


def spread_windows(x, kernel, stride, divisor, size):
    """The transpose of `sum_windows`: each element of x added to all places of its window, in images of H × W.

    It is `col2im`, where each column holds one number throughout: a view of stride 0.
    """
    n, c, oh, ow = x.shape
    xp = get_array_module(x)
    rows = x.transpose(1, 2, 3, 0).reshape(c, oh, 1, ow * n)
    rows = rows if divisor == 1 else rows / divisor
    columns = xp.broadcast_to(rows, (c, oh, kernel[0] * kernel[1], ow * n))
    return col2im(columns, (n, c, *size), kernel, stride, (1, 1), (0, 0), (0, 0), c)


def _image_strides(x):
    return np.array([tuple(s // x.itemsize for s in x.strides)], "i8,i8,i8,i8")


def _geometry(shape, counts, kernel, stride, dilation, before, groups):
    return np.array([(*shape, *counts, *kernel, *stride, *dilation, *before, groups)], _WINDOWS)


# --- cross-entropy ---------------------------------------------------------------------------------------

_LOGITS = np.dtype([("x", "u8"), ("to_row", "i8"), ("to_class", "i8"), ("rows", "i4"), ("classes", "i4")], align=True)


def cross_entropy(x, labels, ignore_index):
    """See `losses_of` in ops/classification.py; a label that is no class has the loss NaN."""
    xp = get_array_module(x)
    labels = xp.ascontiguousarray(labels)
    losses, totals = xp.empty(len(x), x.dtype), xp.empty(3, x.dtype)
    launch("cross_entropy", x, (1,), (THREADS,), _logits(x), labels, np.int64(ignore_index), losses, totals)
    return losses, totals


def cross_entropy_gradient(x, labels, ignore_index, dy, totals, is_mean):
    """See `gradient_of` in ops/classification.py."""
    xp = get_array_module(x)
    labels, dx = xp.ascontiguousarray(labels), xp.empty(x.shape, x.dtype)
    to_dy = np.int64(dy.strides[0] // dy.itemsize if dy.ndim else 0)
    args = _logits(x), labels, np.int64(ignore_index), dy, to_dy, totals, np.int32(is_mean), dx
    launch("cross_entropy_gradient", x, grid_for(len(x)), (THREADS,), *args)
    return dx


def _logits(x):
    to_row, to_class = (stride // x.itemsize for stride in x.strides)
    counted("cross_entropy", x.size)
    return np.array([(x.data.ptr, to_row, to_class, *x.shape)], _LOGITS)


# --- stochastic gradient descent -------------------------------------------------------------------------

_TENSORS = 32  # how many the kernel takes
_PARAMETERS = np.dtype(
    [(name, kind, _TENSORS) for name, kind in (("w", "u8"), ("g", "u8"), ("v", "u8"), ("size", "i4"))], align=True
)


def sgd(parameters, gradients, velocities, settings):
    """One step of stochastic gradient descent for many tensors on a GPU, in place, in one launch for 32 of them.

    Parameters
    ----------
    parameters, gradients, velocities : lists of arrays
        All of one type. Without momentum, the velocities are not touched, and may be the parameters.
    settings : array
        Six numbers: lr, momentum, 1 - dampening, weight_decay, and 1 or 0 for nesterov and maximize.
    """
    gradients = [laid_out_as(w, g) for w, g in zip(parameters, gradients)]
    for i in range(0, len(parameters), _TENSORS):
        some = [arrays[i : i + _TENSORS] for arrays in (parameters, gradients, velocities)]
        table = np.zeros(1, _PARAMETERS)
        table["size"][0, : len(some[0])] = [counted("sgd", array.size) for array in some[0]]
        for name, arrays in zip("wgv", some):
            table[name][0, : len(arrays)] = [array.data.ptr for array in arrays]
        grid = (*grid_for(table["size"].max()), len(some[0]))
        launch("sgd", settings, grid, (THREADS,), table, settings)


# --- the matrix product ----------------------------------------------------------------------------------

_ROWS, _COLUMNS, _DEPTH = 16, 64, 16  # the tile of the kernel
_MATRIX = np.dtype([("batch", "i8"), ("row", "i8"), ("column", "i8")])


def matmul(a, b):
    """The product of matrices (..., M, K) and (..., K, N): by cuBLAS, where no other way is set."""
    return multiply.value(a, b)


def by_cublas(a, b):
    """The product by NVIDIA's library."""
    return get_array_module(a).matmul(a, b)


multiply = Setting(by_cublas)  # a recording sets `in_tiles` in its place


def in_tiles(a, b):
    """The product by a kernel of our own, tile by tile."""
    xp = get_array_module(a)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    if n <= _ROWS < m:  # a tile is wide: let it lie along the longer side of the product
        return in_tiles(b.swapaxes(-1, -2), a.swapaxes(-1, -2)).swapaxes(-1, -2)
    if len(batch) > 1:
        a, b = (xp.broadcast_to(x, (*batch, *x.shape[-2:])).reshape(-1, *x.shape[-2:]) for x in (a, b))
    count = math.prod(batch)
    tiles = -(-m // _ROWS) * -(-n // _COLUMNS) * count
    # A long sum of a small product is cut into parts: else most of the GPU would have nothing to do. A large GPU holds
    # about a thousand blocks at once; the cut depends on the shapes alone, so that the result is the same on every one.
    splits = max(1, min(1024 // max(tiles, 1), k // (4 * _DEPTH)))
    depth = -(-k // splits)
    y = xp.empty((splits, *batch, m, n), a.dtype)
    grid = -(-n // _COLUMNS), -(-m // _ROWS), splits * count
    if y.size:
        sizes = (np.int32(counted("matmul", size)) for size in (count, m, k, n, depth))
        launch("matmul", y, grid, (16, 16), a, _matrix_strides(a), b, _matrix_strides(b), y, *sizes)
    return y[0] if splits == 1 else y.sum(axis=0)


def _matrix_strides(x):
    steps = [0 if size == 1 else stride // x.itemsize for size, stride in zip(x.shape, x.strides)]
    return np.array([((0, *steps) if x.ndim == 2 else tuple(steps))], _MATRIX)
