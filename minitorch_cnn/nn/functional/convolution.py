"""Convolution, its transpose, and the windows alone: the arguments are checked and handed to an operation."""

from __future__ import annotations

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import IntOrPair
from minitorch_cnn.backend.geometry import span
from minitorch_cnn.nn.functional.checks import check_conv2d, check_conv_transpose2d, check_fold, check_unfold
from minitorch_cnn.nn.functional.padding import framed, without_frame
from minitorch_cnn.ops.convolution import Convolve, ConvolveTransposed
from minitorch_cnn.ops.shape import Reshape
from minitorch_cnn.ops.windows import Fold, Windows

__all__ = ["conv2d", "conv_transpose2d", "fold", "unfold"]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
    """The cross-correlation of images with filters.

    ``y[n, o, i, j] = bias[o] + Σ_{c, a, b} weight[o, c, a, b] x[n, c, i·stride + a·dilation, j·stride + b·dilation]``

    For each row of the output, the windows of the padded images are the columns of a matrix (im2col), with the batch
    innermost: its product with the filters, one a row, is that row of the convolution, for the whole batch. How, and
    where the gradients come from, is told in ``ops/convolution.py``.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W).
    weight : Tensor
        Of shape (O, C / groups, KH, KW).
    bias : Tensor, optional
        Of shape (O,).
    stride : int or pair of int
        The step from window to window.
    padding : int, pair of int, "same" or "valid"
        How many zeros to put on each side; "same" as many as keep the size (at stride 1), "valid" none.
    dilation : int or pair of int
        The step from element to element inside a window.
    groups : int
        Into how many groups the channels are split, each with filters of its own.

    Returns
    -------
    Tensor
        Of shape (N, O, OH, OW) or (O, OH, OW), with ``OH = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1``.

    Raises
    ------
    RuntimeError
        If shapes or types do not fit, or the kernel is larger than the padded image.
    ValueError, TypeError
        If an option is out of range.

    References
    ----------
    Chellapilla, Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    >>> k = mt.tensor([[0.0, 1.0], [2.0, 3.0]])
    >>> conv2d(x.reshape(1, 1, 3, 3), k.reshape(1, 1, 2, 2))
    tensor([[[[19., 25.],
              [37., 43.]]]])
    """
    x, geometry = check_conv2d(input, weight, bias, stride, padding, dilation, groups)
    y = Convolve(*geometry)(x, weight, bias)  # (N, O, OH, OW)
    return y if input.ndim == 4 else y[0]


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> Tensor:
    """The transpose of `conv2d`: each element of the input puts its filter, times itself, into the output.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W).
    weight : Tensor
        Of shape (C, O / groups, KH, KW).
    bias : Tensor, optional
        Of shape (O,).
    stride, padding, dilation : int or pair of int
        Those of the convolution whose transpose this is.
    output_padding : int or pair of int
        How much larger the output shall be at its end: several sizes are convolved to one.
    groups : int

    Returns
    -------
    Tensor
        Of shape (N, O, OH, OW) or (O, OH, OW),
        with ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.

    Raises
    ------
    RuntimeError
        If shapes or types do not fit, or `output_padding` is not smaller than stride or dilation.
    """
    x, stride, padding, extra, dilation = check_conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    kernel = weight.shape[2:]
    size = [(n - 1) * s + span(k, d) for n, s, k, d in zip(x.shape[2:], stride, kernel, dilation, strict=True)]
    y = ConvolveTransposed(stride, dilation, (0, 0), (0, 0), groups, size)(x, weight)
    y = without_frame(framed(y, (0, 0), extra), padding)  # (N, O, OH, OW)
    if bias is not None:
        y = y + bias.reshape(-1, 1, 1)
    return (y if input.ndim == 4 else y[0]).as_result()


def unfold(
    input: Tensor, kernel_size: IntOrPair, dilation: IntOrPair = 1, padding: IntOrPair = 0, stride: IntOrPair = 1
) -> Tensor:
    """The windows of images as the columns of a matrix (im2col).

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W).
    kernel_size, dilation, padding, stride : int or pair of int

    Returns
    -------
    Tensor
        Of shape (N, C·KH·KW, L), or (C·KH·KW, L), with one column for each of the L windows.
    """
    x, kernel, dilation, padding, stride = check_unfold(input, kernel_size, dilation, padding, stride)
    windows = Windows(kernel, stride, dilation)(framed(x, padding, padding))  # (N, C, OH, OW, KH, KW)
    n, c, oh, ow, kh, kw = windows.shape
    columns = Reshape((n, c * kh * kw, oh * ow))(windows.permute(0, 1, 4, 5, 2, 3))
    if columns._view is not None:  # windows share their elements: to write to one would change others
        columns = columns.clone()
    return columns if input.ndim == 4 else columns[0]


def fold(
    input: Tensor,
    output_size: IntOrPair,
    kernel_size: IntOrPair,
    dilation: IntOrPair = 1,
    padding: IntOrPair = 0,
    stride: IntOrPair = 1,
) -> Tensor:
    """Images from columns, each added up at the place of its window (col2im): the transpose of `unfold`.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C·KH·KW, L), or (C·KH·KW, L).
    output_size : int or pair of int
        H and W.
    kernel_size, dilation, padding, stride : int or pair of int

    Returns
    -------
    Tensor
        Of shape (N, C, H, W), or (C, H, W).

    Raises
    ------
    RuntimeError
        If the number of rows is no multiple of KH·KW, or the number of columns is not that of the windows.
    """
    columns, size, kernel, dilation, padding, stride, counts = check_fold(
        input, output_size, kernel_size, dilation, padding, stride
    )
    windows = columns.unflatten(1, (-1, *kernel)).unflatten(4, counts)  # (N, C, KH, KW, OH, OW)
    padded = tuple(s + 2 * p for s, p in zip(size, padding, strict=True))
    x = Fold(kernel, stride, dilation, padded)(windows.permute(0, 1, 4, 5, 2, 3))
    x = without_frame(x, padding)  # (N, C, H, W)
    return x if input.ndim == 3 else x[0]
