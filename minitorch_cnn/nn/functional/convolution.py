"""Convolution, its transpose, and the windows alone: what is asked for is checked, and handed to an operation."""

from minitorch_cnn.backend.arguments import pair
from minitorch_cnn.backend.geometry import check_fit, paddings, span
from minitorch_cnn.nn.functional.checks import images
from minitorch_cnn.nn.functional.padding import framed
from minitorch_cnn.ops.convolution import Convolve, ConvolveTransposed
from minitorch_cnn.ops.windows import Fold, Windows

__all__ = ["conv2d", "conv_transpose2d", "fold", "unfold"]


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
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
    x, is_batch = images("conv2d", input)
    _check("conv2d", input, weight, bias, x.shape[1], weight.shape[1] * groups if weight.ndim == 4 else None)
    o = weight.shape[0]
    if groups < 1 or o % groups:
        raise RuntimeError(f"conv2d: groups={groups} must divide the {o} output channels")
    stride, dilation = pair("stride", stride), pair("dilation", dilation)
    kernel = weight.shape[2:]
    before, after = paddings(padding, kernel, stride, dilation)
    check_fit("conv2d", x.shape[2:], kernel, dilation, before, after)

    convolve = Convolve(stride, dilation, before, after, groups)
    y = convolve(x, weight, bias)  # (N, O, OH, OW)
    return y if is_batch else y[0]


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
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
    x, is_batch = images("conv_transpose2d", input)
    _check("conv_transpose2d", input, weight, None, x.shape[1], weight.shape[0])
    c, kernel = weight.shape[0], weight.shape[2:]
    if groups < 1 or c % groups:
        raise RuntimeError(f"conv_transpose2d: groups={groups} must divide the {c} input channels")
    o = weight.shape[1] * groups
    _check_bias("conv_transpose2d", bias, o)
    stride, dilation = pair("stride", stride), pair("dilation", dilation)
    padding, extra = pair("padding", padding, least=0), pair("output_padding", output_padding, least=0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(f"output_padding {extra} must be smaller than either stride {stride} or dilation {dilation}")

    size = [(n - 1) * s + span(k, d) for n, s, k, d in zip(x.shape[2:], stride, kernel, dilation, strict=True)]
    transposed = ConvolveTransposed(stride, dilation, (0, 0), (0, 0), groups, size)
    y = framed(transposed(x, weight), (0, 0), extra)
    size = y.shape[2:]
    if any(s - 2 * p < 1 for s, p in zip(size, padding, strict=True)):
        raise RuntimeError(f"conv_transpose2d: padding {padding} leaves nothing of an output of size {size}")
    y = y[:, :, padding[0] : size[0] - padding[0], padding[1] : size[1] - padding[1]]  # (N, O, OH, OW)
    if bias is not None:
        y = y + bias.reshape(o, 1, 1)
    return y if is_batch else y[0]


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
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
    x, is_batch = images("unfold", input)
    kernel, dilation = pair("kernel_size", kernel_size), pair("dilation", dilation)
    padding, stride = pair("padding", padding, least=0), pair("stride", stride)
    check_fit("unfold", x.shape[2:], kernel, dilation, padding, padding)
    windows = Windows(kernel, stride, dilation)(framed(x, padding, padding))  # (N, C, OH, OW, KH, KW)
    n, c, oh, ow, kh, kw = windows.shape
    columns = windows.permute(0, 1, 4, 5, 2, 3).reshape(n, c * kh * kw, oh * ow)
    if columns._view_of is not None:  # of windows that share their elements: who writes to one would change others
        columns = columns.clone()
    return columns if is_batch else columns[0]


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
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
    if input.ndim not in (2, 3):
        raise RuntimeError(f"fold expected an input of shape (N, C*KH*KW, L) or (C*KH*KW, L), got {input.shape}")
    columns = input if input.ndim == 3 else input.reshape(1, *input.shape)
    output_size, (kh, kw) = pair("output_size", output_size), pair("kernel_size", kernel_size)
    dilation, stride = pair("dilation", dilation), pair("stride", stride)
    padding = pair("padding", padding, least=0)
    n, rows, length = columns.shape
    if rows % (kh * kw):
        raise RuntimeError(f"fold: the {rows} rows of the input must be a multiple of KH*KW = {kh}*{kw} = {kh * kw}")
    size = tuple(s + 2 * p for s, p in zip(output_size, padding, strict=True))
    check_fit("fold", output_size, (kh, kw), dilation, padding, padding)
    oh, ow = ((s - span(k, d)) // t + 1 for s, k, d, t in zip(size, (kh, kw), dilation, stride, strict=True))
    if length != oh * ow:
        raise RuntimeError(f"fold: an image of {output_size} has {oh} x {ow} = {oh * ow} windows, got {length} columns")
    windows = columns.reshape(n, rows // (kh * kw), kh, kw, oh, ow).permute(0, 1, 4, 5, 2, 3)
    x = Fold((kh, kw), stride, dilation, size)(windows)
    x = x[:, :, padding[0] : size[0] - padding[0], padding[1] : size[1] - padding[1]]  # (N, C, H, W)
    return x if input.ndim == 3 else x[0]


def _check(name, input, weight, bias, channels, expected):
    if weight.ndim != 4:
        raise RuntimeError(
            f"{name} expected a weight of 4 dimensions (O, C / groups, KH, KW), got shape {weight.shape}"
        )
    if channels != expected:
        raise RuntimeError(
            f"{name} expected an input of {expected} channels for a weight of shape {weight.shape}, "
            f"but got {channels} channels (input shape {input.shape})"
        )
    if len({x.dtype for x in (input, weight, bias) if x is not None}) > 1:
        raise RuntimeError(
            f"{name} expected input, weight and bias of one type, got {input.dtype}, {weight.dtype} and "
            f"{getattr(bias, 'dtype', None)}; convert with .to()"
        )
    if not all(weight.shape):
        raise RuntimeError(f"{name} expected a weight with elements, got shape {weight.shape}")
    _check_bias(name, bias, weight.shape[0])


def _check_bias(name, bias, channels):
    if bias is not None and bias.shape != (channels,):
        raise RuntimeError(
            f"{name} expected a bias of shape ({channels},), one for each output channel, got {bias.shape}"
        )
