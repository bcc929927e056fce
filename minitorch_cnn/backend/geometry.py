"""The arithmetic of kernels, strides and paddings that convolution and pooling share."""

from minitorch_cnn.backend.arguments import pair


def span(kernel, dilation):
    """From the first to the last element of a window: (kernel - 1) * dilation + 1."""
    return (kernel - 1) * dilation + 1


def window_count(size, kernel, stride=1, dilation=1):
    """How many windows fit along an axis."""
    return (size - span(kernel, dilation)) // stride + 1


def window_counts(size, *geometry):
    """How many windows lie along height and along width: of pairs (size, kernel, stride, dilation, before, after)."""
    axes = zip(size, *geometry, strict=True)
    return [window_count(s + before + after, k, step, d) for s, k, step, d, before, after in axes]


def check_fit(name, size, kernel, dilation, before, after):
    """Refuse a kernel that is larger than the padded image.

    Raises
    ------
    RuntimeError
        With the sizes, and what to change.
    """
    padded = tuple(n + b + a for n, b, a in zip(size, before, after, strict=True))
    spans = tuple(map(span, kernel, dilation))
    if any(s > n for s, n in zip(spans, padded, strict=True)):
        dilated = f" (with dilation {dilation}, {spans[0]} x {spans[1]})" if spans != kernel else ""
        raise RuntimeError(
            f"{name}: kernel size {kernel[0]} x {kernel[1]}{dilated} can't be greater than the padded image, "
            f"{padded[0]} x {padded[1]} (input {size[0]} x {size[1]}). Use a smaller kernel or more padding"
        )


def paddings(padding, kernel, stride, dilation):
    """How much to pad before and after, for height and width."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        if stride != (1, 1):
            raise RuntimeError(f"padding='same' is not supported for strided convolutions; the stride is {stride}")
        total = [span(k, d) - 1 for k, d in zip(kernel, dilation, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    if isinstance(padding, str):
        raise RuntimeError(f"padding must be 'same', 'valid', an integer or two of them, got {padding!r}")
    return (pair("padding", padding, least=0),) * 2
