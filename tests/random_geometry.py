"""Random convolutions and poolings of images that hold inf and NaN, by this library and by PyTorch."""

import numpy as np
from helpers import to_numpy

ODD = (np.inf, -np.inf, np.nan)


def pair(rng, low, high):
    """One number, or two of them."""
    numbers = [int(n) for n in rng.integers(low, high, 2)]
    return numbers[0] if rng.random() < 0.5 else tuple(numbers)


def images(rng, n, c, h, w):
    """Images with some pixels that are infinite or NaN, some equal ones, and in memory in any order."""
    x = rng.standard_normal((n, c, h, w)) if rng.random() < 0.7 else rng.integers(-2, 3, (n, c, h, w)).astype(float)
    for i in rng.permutation(3)[: rng.integers(0, 4)]:  # of two NaN in a window, PyTorch's maximum is the last
        x.flat[rng.integers(x.size)] = ODD[i]
    return np.ascontiguousarray(x.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2) if rng.random() < 0.5 else x


def pooling(rng):
    """A function of a library and images, and the images."""
    kernel, stride, padding = pair(rng, 1, 5), pair(rng, 1, 4), pair(rng, 0, 3)
    stride = None if rng.random() < 0.3 else stride
    ceil_mode = bool(rng.random() < 0.5)
    x = images(rng, *rng.integers(1, 4, 2), *rng.integers(1, 9, 2))
    name = ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d")[rng.integers(3)]
    if name == "max_pool2d":
        # A window that lies in the padding alone, as dilation makes them, has PyTorch write beyond its memory.
        options = {"dilation": 1 if padding else pair(rng, 1, 3), "return_indices": bool(rng.random() < 0.5)}
        return (
            name,
            lambda m, x: m.nn.functional.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode, **options),
            [x],
        )
    if name == "avg_pool2d":
        options = {"count_include_pad": bool(rng.random() < 0.5), "divisor_override": (None, 3)[rng.integers(2)]}
        return name, lambda m, x: m.nn.functional.avg_pool2d(x, kernel, stride, padding, ceil_mode, **options), [x]
    size = pair(rng, 1, 6)
    return name, lambda m, x: m.nn.functional.adaptive_avg_pool2d(x, size), [x]


def convolution(rng):
    """A function of a library, images and filters, and these. Padding is 0: it is not multiplied in PyTorch."""
    groups = int(rng.integers(1, 3))
    c, o = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel, stride, dilation, padding = (tuple(rng.integers(a, b, 2)) for a, b in ((1, 4), (1, 4), (1, 3), (0, 3)))
    stride, dilation, padding = ([int(i) for i in v] for v in (stride, dilation, padding))
    x = images(rng, int(rng.integers(1, 4)), c, *rng.integers(3, 9, 2))
    b = rng.standard_normal(o)
    if rng.random() < 0.3:
        w = rng.standard_normal((c, o // groups, *kernel))
        function = lambda m, x, w, b: m.nn.functional.conv_transpose2d(x, w, b, stride, padding, 0, groups, dilation)  # noqa: E731
        return "conv_transpose2d", function, [x, w, b]
    w = rng.standard_normal((o, c // groups, *kernel))
    return "conv2d", lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, stride, padding, dilation, groups), [x, w, b]


def columns(rng):
    """`unfold`, and `fold` of it again."""
    options = [pair(rng, a, b) for a, b in ((1, 4), (1, 3), (0, 3), (1, 4))]
    x = images(rng, *rng.integers(1, 4, 2), *rng.integers(1, 9, 2))
    if rng.random() < 0.5:
        return "unfold", lambda m, x: m.nn.functional.unfold(x, *options), [x]
    size = x.shape[2:]
    return "fold", lambda m, x: m.nn.functional.fold(m.nn.functional.unfold(x, *options), size, *options), [x]


def program(rng):
    """A name, a function of a library and tensors, and the arrays of these."""
    return (pooling, pooling, convolution, columns)[rng.integers(4)](rng)


def outcome(m, function, arrays, **options):
    """The results and the gradients of their sum, as arrays; or the error."""
    xs = [m.tensor(x, requires_grad=True, **options) for x in arrays]
    try:
        ys = function(m, *xs)
    except Exception as error:  # which, is compared
        return error
    ys = ys if isinstance(ys, tuple) else (ys,)
    rng = np.random.default_rng(0)
    dy = m.tensor(rng.standard_normal(tuple(ys[0].shape)), **options)
    dxs = m.autograd.grad(ys[0], xs, dy, allow_unused=True)
    return [np.zeros(0) if y is None else to_numpy(y) for y in (*ys, *dxs)]


def agree(ours, theirs):
    """Whether two outcomes are the same up to rounding."""
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        return isinstance(theirs, Exception) and isinstance(ours, RuntimeError)
    return len(ours) == len(theirs) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)
        for a, b in zip(ours, theirs, strict=True)
    )
