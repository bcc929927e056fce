"""Pooling layers: the mean or the largest entry of every window."""

from __future__ import annotations

from collections.abc import Sequence

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import IntOrPair
from minitorch_cnn.backend.arguments import pair
from minitorch_cnn.backend.geometry import span
from minitorch_cnn.nn import functional as F
from minitorch_cnn.nn.module import Module

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "AvgPool2d", "MaxPool2d"]


class AvgPool2d(Module):
    """The mean of every window. (N, C, H, W) → (N, C, OH, OW), or both without N.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        The step from window to window; by default `kernel_size`.
    padding : int or (int, int)
        Zeros on each side.
    ceil_mode : bool
        Whether a last window that sticks out counts.
    count_include_pad : bool
        Whether the zeros of the padding count in the mean.
    divisor_override : int, optional
        Divide by this, not by the size of the window.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> AvgPool2d(2)(mt.arange(4.0).reshape(1, 2, 2)).tolist()
    [[[1.5]]]
    """

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    @property
    def receptive_field(self) -> tuple:
        return self.kernel_size, self.stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(Module):
    """The largest entry of every window. (N, C, H, W) → (N, C, OH, OW), or both without N.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of a window.
    stride : int or (int, int), optional
        The step from window to window; by default `kernel_size`.
    padding : int or (int, int)
        On each side, of -∞: padding is never the largest.
    dilation : int or (int, int)
        The step inside a window.
    return_indices : bool
        Whether to return also where in its (H, W) plane each largest entry was found.
    ceil_mode : bool
        Whether a last window that sticks out counts.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> MaxPool2d(2)(mt.arange(4.0).reshape(1, 2, 2)).tolist()
    [[[3.0]]]
    """

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    @property
    def receptive_field(self) -> tuple:
        kernel, dilation = pair("kernel_size", self.kernel_size), pair("dilation", self.dilation)
        return tuple(map(span, kernel, dilation)), self.stride

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AdaptiveAvgPool2d(Module):
    """Means of windows of such places and sizes that the output has a given size. (N, C, H, W) → (N, C, OH, OW).

    Parameters
    ----------
    output_size : int, None or (int or None, int or None)
        OH and OW; None keeps the input's.
    """

    receptive_field = "all"

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """Largest entries of the windows of `AdaptiveAvgPool2d`. (N, C, H, W) → (N, C, OH, OW).

    Parameters
    ----------
    output_size : int, None or (int or None, int or None)
        OH and OW; None keeps the input's.
    return_indices : bool
        Whether to return also where in its (H, W) plane each largest entry was found.
    """

    def __init__(self, output_size: int | Sequence[int | None] | None, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)
