"""Convolution layers."""

from __future__ import annotations

import math

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike, DType, IntOrPair
from minitorch_cnn.backend.arguments import pair, whole
from minitorch_cnn.backend.geometry import paddings, span
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn import init
from minitorch_cnn.nn.functional.padding import EXTENSIONS
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.parameter import Parameter
from minitorch_cnn.ops.creation import empty

__all__ = ["Conv2d", "ConvTranspose2d"]

PADDING_MODES = ("zeros", *EXTENSIONS)


class _Conv(Module):
    """What a convolution and its transpose have in common."""

    weight: Parameter
    bias: Parameter | None
    output_padding = (0, 0)

    def __init__(self, in_channels, out_channels, kernel_size, stride, dilation, groups, padding_mode):
        super().__init__()
        self.in_channels = in_channels = whole("in_channels", in_channels)
        self.out_channels = out_channels = whole("out_channels", out_channels)
        self.groups = groups = whole("groups", groups)
        if groups < 1:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} must be divisible by groups: {channels} is not divisible by {groups}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {PADDING_MODES}, but got padding_mode='{padding_mode}'")
        self.kernel_size = pair("kernel_size", kernel_size)
        self.stride = pair("stride", stride)
        self.dilation = pair("dilation", dilation)
        self.padding_mode = padding_mode

    def _make_parameters(self, weight_shape, bias, device, dtype):
        self.weight = Parameter(empty(*weight_shape, device=device, dtype=dtype))
        self.bias = Parameter(empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight and the bias again."""
        init.default_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0, 0):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv2d(_Conv):
    """Every output channel is the cross-correlation of the image with its own filter. (N, C, H, W) → (N, O, OH, OW).

    OH = ⌊(H + 2·padding - dilation·(KH - 1) - 1) / stride⌋ + 1, and so for OW. The N may be missing.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size : int or (int, int)
        KH and KW.
    stride : int or (int, int)
        The step from window to window.
    padding : int, (int, int), "same" or "valid"
        Rows and columns added on each side; "same": as many as keep H and W; "valid": none.
    dilation : int or (int, int)
        The step inside a window.
    groups : int
        Channels are split into so many groups that do not see each other.
    bias : bool
        Whether every output channel has a number added to it.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding holds.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter
        (O, C / groups, KH, KW), drawn from U(-k, k), k = 1 / √(C / groups · KH · KW).
    bias : Parameter or None
        (O,), drawn from the same.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> Conv2d(1, 6, kernel_size=5, padding=2)(mt.zeros(1, 1, 28, 28)).shape
    (1, 6, 28, 28)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair | str = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, padding_mode)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of 'valid', 'same'")
            if padding == "same" and self.stride != (1, 1):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding = padding
        else:
            self.padding = pair("padding", padding, least=0)
        self._make_parameters((out_channels, in_channels // groups, *self.kernel_size), bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._border(), mode=self.padding_mode)
            padding = 0
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    @property
    def receptive_field(self) -> tuple:
        return tuple(map(span, self.kernel_size, self.dilation)), self.stride

    def multiply_adds(self, input: Tensor, output: Tensor) -> int:
        return output.numel() * math.prod(self.weight.shape[1:])

    def _border(self):
        """The padding as `F.pad` wants it: (left, right, top, bottom)."""
        (top, left), (bottom, right) = paddings(self.padding, self.kernel_size, self.stride, self.dilation)
        return (left, right, top, bottom)


class ConvTranspose2d(_Conv):
    """The transpose of `Conv2d` as a linear map: it makes images larger. (N, C, H, W) → (N, O, OH, OW).

    OH = (H - 1)·stride - 2·padding + dilation·(KH - 1) + output_padding + 1, and so for OW.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O.
    kernel_size, stride, padding : int or (int, int)
        Those of the convolution that this is the transpose of.
    output_padding : int or (int, int)
        Rows and columns added to one side of the output: which of the sizes that the convolution maps to H.
    groups : int
    bias : bool
    dilation : int or (int, int)
    padding_mode : {"zeros"}
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter
        (C, O / groups, KH, KW).
    bias : Parameter or None
        (O,).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        output_padding: IntOrPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrPair = 1,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for ConvTranspose2d, got {padding_mode!r}')
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, groups, padding_mode)
        self.padding = pair("padding", padding, least=0)
        self.output_padding = pair("output_padding", output_padding, least=0)
        self._make_parameters((in_channels, out_channels // groups, *self.kernel_size), bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    @property
    def receptive_field(self) -> tuple:
        spans = map(span, self.kernel_size, self.dilation)
        windows = tuple(-(-s // t) for s, t in zip(spans, self.stride))  # every stride-th element of the kernel is met
        return windows, tuple(1 / t for t in self.stride)

    def multiply_adds(self, input: Tensor, output: Tensor) -> int:
        return input.numel() * math.prod(self.weight.shape[1:])
