"""Pooling: the mean or the largest entry of every window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray
from minitorch_cnn.backend.annotations import IntOrPair
from minitorch_cnn.backend.geometry import span, window_count
from minitorch_cnn.nn.functional.checks import check_adaptive_pool2d, check_avg_pool2d, check_max_pool2d
from minitorch_cnn.nn.functional.padding import framed
from minitorch_cnn.ops.arithmetic import div
from minitorch_cnn.ops.shape import stack
from minitorch_cnn.ops.windows import MaxWindows, SumSpans, SumWindows

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d", "avg_pool2d", "max_pool2d"]


def avg_pool2d(
    input: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of every window.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W). Means of integers are int64, cut off after the point.
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        By default the kernel size.
    padding : int or pair of int
        How many zeros to put on each side: at most half the kernel size.
    ceil_mode : bool
        Keep a last window that reaches beyond the padded image.
    count_include_pad : bool
        Whether the zeros of the padding count as elements of the mean.
    divisor_override : int, optional
        What to divide the sum by, in place of the number of elements.

    Returns
    -------
    Tensor
        Of shape (N, C, OH, OW), or (C, OH, OW).

    Raises
    ------
    RuntimeError
        If an option is out of range, the padding too large, or the kernel larger than the padded image.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> avg_pool2d(mt.tensor([[[[1.0, 2.0], [3.0, 6.0]]]]), 2)
    tensor([[[[3.]]]])
    """
    x, *geometry = check_avg_pool2d(input, kernel_size, stride, padding, ceil_mode, divisor_override)
    x = x if x.is_floating_point() else x.long()  # a sum of bytes is no byte
    axes = _axes(x, *geometry, ceil_mode)
    divisor = divisor_override or _divisors(axes, x, count_include_pad)
    kernel, stride, *_ = geometry
    x = _with_padding(x, axes, 0)
    if x.is_floating_point() and not isinstance(divisor, Tensor):  # every window is whole
        y = SumWindows(kernel, stride, divisor)(x)  # (N, C, OH, OW)
    else:
        y = div(SumWindows(kernel, stride)(x), divisor, rounding_mode=None if x.is_floating_point() else "trunc")
    return y if input.ndim == 4 else y[0]


@overload
def max_pool2d(
    input: Tensor, kernel_size: IntOrPair, *args: Any, return_indices: Literal[True], **kwargs: Any
) -> tuple[Tensor, Tensor]: ...


@overload
def max_pool2d(
    input: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
def max_pool2d(
    input: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest entry of every window; of equal ones the first, and it alone receives the gradient.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W).
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        By default the kernel size.
    padding : int or pair of int
        How much to pad on each side, with minus infinity: at most half the kernel size.
    dilation : int or pair of int
        The step from element to element inside a window.
    ceil_mode : bool
        Keep a last window that reaches beyond the padded image.
    return_indices : bool
        Return also where the largest entries stand, as indices into the flattened (H, W) plane.

    Returns
    -------
    Tensor, or a pair of Tensor
        Of shape (N, C, OH, OW), or (C, OH, OW).

    Raises
    ------
    RuntimeError
        If the padding is too large, or the kernel is larger than the padded image.
    """
    x, *geometry = check_max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)
    axes = _axes(x, *geometry, ceil_mode)
    lowest = -math.inf if x.is_floating_point() else np.iinfo(x.dtype).min
    kernel, stride, padding, dilation = geometry
    largest = MaxWindows(kernel, stride, dilation, _first_inside(axes, x) if any(padding) else None)
    y = largest(_with_padding(x, axes, lowest))  # (N, C, OH, OW)
    y = y if input.ndim == 4 else y[0]
    if not return_indices:
        return y
    indices = _plane_indices(Tensor(largest.index).long(), axes, kernel[1]).permute(3, 1, 0, 2)
    return y, indices if input.ndim == 4 else indices[0]


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """The means of windows of such places and sizes that the output has a given size.

    Parameters
    ----------
    input : Tensor
        Of shape (N, C, H, W), or (C, H, W).
    output_size : int or pair of int or None
        OH and OW; None keeps a size. Output i is the mean from ``floor(i H / OH)`` up to ``ceil((i + 1) H / OH)``.

    Returns
    -------
    Tensor
        Of shape (N, C, OH, OW), or (C, OH, OW).
    """
    x, sizes = check_adaptive_pool2d("adaptive_avg_pool2d", input, output_size)
    (h, w), (oh, ow) = x.shape[2:], sizes
    if oh and ow and h % oh == w % ow == 0:  # the windows are the tiles of the image
        kernel = h // oh, w // ow
        y = SumWindows(kernel, kernel)(x) / math.prod(kernel)  # (N, C, OH, OW)
    else:
        rows, columns = _adaptive_spans(h, oh), _adaptive_spans(w, ow)
        counts = [[(bottom - top) * (right - left) for left, right in columns] for top, bottom in rows]
        sums = SumSpans(3, columns)(SumSpans(2, rows)(x))  # (N, C, OH, OW)
        y = sums / Tensor(asarray(np.array(counts, x.dtype).reshape(sizes), x.device))
    return y if input.ndim == 4 else y[0]


def adaptive_max_pool2d(
    input: Tensor, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest entries of windows of such places and sizes that the output has a given size.

    Parameters
    ----------
    input, output_size
        As in `adaptive_avg_pool2d`, whose windows these are.
    return_indices : bool
        Return also where the largest entries stand, as indices into the flattened (H, W) plane.

    Returns
    -------
    Tensor, or a pair of Tensor
        Of shape (N, C, OH, OW), or (C, OH, OW).
    """
    x, (oh, ow) = check_adaptive_pool2d("adaptive_max_pool2d", input, output_size)
    n, c, h, w = x.shape
    tops, lefts = _adaptive_spans(h, oh), _adaptive_spans(w, ow)
    largest = [x[..., t:b, l:r].flatten(2).max(2) for t, b in tops for l, r in lefts]  # of each window, (N, C)
    if not largest:
        return x[:, :, :oh, :ow]
    y = stack([values for values, _ in largest], 2).reshape(n, c, oh, ow)
    y = y if input.ndim == 4 else y[0]
    if not return_indices:
        return y
    corners = [(t, l, r - l) for t, _ in tops for l, r in lefts]
    places = [(t + i // wide) * w + l + i % wide for (t, l, wide), (_, i) in zip(corners, largest)]
    indices = stack(places, 2).reshape(n, c, oh, ow)
    return y, indices if input.ndim == 4 else indices[0]


def _adaptive_spans(size, output_size):
    """Where along an axis each of the adaptive windows starts and ends."""
    return [(i * size // output_size, -(-(i + 1) * size // output_size)) for i in range(output_size)]


# --- where the windows lie -------------------------------------------------------------------------------


class _Axis:
    """The windows along one axis of an image."""

    def __init__(self, size, kernel, stride, padding, dilation, ceil_mode):
        self.size, self.kernel, self.stride, self.padding, self.dilation = size, kernel, stride, padding, dilation
        room = size + 2 * padding + (stride - 1 if ceil_mode else 0)
        self.count = window_count(room, kernel, stride, dilation)
        if ceil_mode and (self.count - 1) * stride >= size + padding:
            self.count -= 1  # the last window must start inside the image or its left padding
        missing = (self.count - 1) * stride + span(kernel, dilation) - (size + 2 * padding)
        self.padding_after = padding + max(0, missing)

    def starts(self):
        """Where in the image each window starts."""
        return np.arange(self.count) * self.stride - self.padding

    def elements(self, count_include_pad):
        """How many elements each window has, with or without those of the padding, but none beyond it."""
        start = self.starts()
        end = np.minimum(start + self.kernel, self.size + self.padding)
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, self.size)
        return end - start


def _axes(x, kernel, stride, padding, dilation, ceil_mode):
    """The windows along height and width."""
    return [_Axis(*a, ceil_mode) for a in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)]


def _with_padding(x, axes, value):
    """The padded images."""
    return framed(x, [a.padding for a in axes], [a.padding_after for a in axes], value)


def _divisors(axes, x, count_include_pad):
    """What to divide each window's sum by: one number, or one for each place, (OH, OW)."""
    if all(a.padding_after == a.padding and (count_include_pad or not a.padding) for a in axes):
        return math.prod(a.kernel for a in axes)  # every window is whole
    rows, columns = (a.elements(count_include_pad) for a in axes)
    return Tensor(asarray(rows[:, None] * columns, x.device, x.dtype))


def _plane_indices(index, axes, kw):
    """The index in the (H, W) plane of the element of each window, (OH, C, OW, N), given its index in the window."""
    rows, columns = axes
    top, left = _corners(axes, [a.starts() for a in axes], index.device)
    i, j = index // kw * rows.dilation + top, index % kw * columns.dilation + left
    return i * columns.size + j


def _first_inside(axes, x):
    """The first row and column of each window that lie in the image: the padding, -inf, may be as large as any."""
    numbers = [-(np.minimum(a.starts(), 0) // a.dilation) for a in axes]
    return [corner.array for corner in _corners(axes, numbers, x.device)]


def _corners(axes, numbers, device):
    """A number for each place along height and along width, to be broadcast over (OH, C, OW, N)."""
    rows, columns = (Tensor(asarray(n, device)) for n in numbers)
    return rows.reshape(axes[0].count, 1, 1, 1), columns.reshape(axes[1].count, 1)
