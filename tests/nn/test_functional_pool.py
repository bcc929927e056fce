"""Pooling: against loops over every geometry, and the defects that other frameworks had."""

import numpy as np
import oracle
import pytest
from helpers import assert_close, assert_same_as_torch, needs_torch, torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minitorch_cnn as mt
from minitorch_cnn.nn import functional as F

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def small(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def geometries(draw):
    """Padding is at most half of the kernel: more would make windows that hold no pixel, and PyTorch refuses it."""
    kernel, stride, dilation, image = draw(small(1, 4)), draw(small(1, 3)), draw(small(1, 2)), draw(small(1, 7))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    assume(all(oracle.output_size(*sizes) > 0 for sizes in zip(image, kernel, stride, padding, dilation)))
    return image, kernel, stride, padding, dilation


@few
@given(geometries())
def test_max_pool2d_is_a_maximum(geometry):
    image, kernel, stride, padding, dilation = geometry
    x = np.random.default_rng(0).standard_normal((2, 2, *image)) - 3.0  # below 0: padding by zeros would be seen
    expected = oracle.pool(x, kernel, stride, padding, dilation, max)
    assert_close(F.max_pool2d(mt.tensor(x), kernel, stride, padding, dilation), expected, 0)


@few
@given(geometries())
def test_avg_pool2d_is_a_mean(geometry):
    image, kernel, stride, padding, _ = geometry
    assume(all(oracle.output_size(*sizes, 1) > 0 for sizes in zip(image, kernel, stride, padding)))
    x = np.random.default_rng(0).standard_normal((2, 2, *image))
    size = kernel[0] * kernel[1]
    for options, reduce in [
        ({}, lambda pixels: sum(pixels) / size),
        ({"count_include_pad": False}, lambda pixels: sum(pixels) / len(pixels)),
        ({"divisor_override": 7}, lambda pixels: sum(pixels) / 7),
    ]:
        expected = oracle.pool(x, kernel, stride, padding, (1, 1), reduce)
        assert_close(F.avg_pool2d(mt.tensor(x), kernel, stride, padding, **options), expected, 1e-12)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(geometries(), st.booleans(), st.booleans())
def test_pooling_as_in_torch(geometry, ceil_mode, count_include_pad):
    """Every geometry, with ceil_mode and the gradients."""
    image, kernel, stride, padding, dilation = geometry
    x = np.random.default_rng(0).permutation(4 * image[0] * image[1]).reshape(2, 2, *image) - 100.0
    assert_same_as_torch(
        lambda m, x: m.nn.functional.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode, return_indices=True),
        [x],
    )
    if all(oracle.output_size(*sizes, 1) > 0 for sizes in zip(image, kernel, stride, padding)):
        assert_same_as_torch(
            lambda m, x: m.nn.functional.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad), [x]
        )


def test_padding_never_wins_a_maximum(device):
    """DeZero pads with zeros, so that an image of -1 has a border of 0."""
    x = mt.full((1, 1, 4, 4), -1.0, device=device, requires_grad=True)
    y = F.max_pool2d(x, 3, stride=1, padding=1)
    assert y.tolist() == [[[[-1.0] * 4] * 4]]
    y.sum().backward()
    assert float(x.grad.sum()) == 16.0


def test_the_first_of_equal_pixels_wins(device):
    x = mt.zeros(1, 1, 2, 4, device=device, requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]


def test_max_pool2d_lets_nan_through():
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    assert_same_as_torch(lambda m, x: m.nn.functional.max_pool2d(x, 2), [x])


def test_max_pool2d_of_minus_infinity():
    x = np.full((1, 1, 3, 3), -np.inf)
    assert F.max_pool2d(mt.tensor(x), 3, 2, 1).tolist() == [[[[-np.inf] * 2] * 2]]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool"])
def test_the_mean_of_integers_does_not_overflow(dtype):
    """As every sum of integers, that of a window is one of int64; the mean is cut off, as in PyTorch."""
    x = np.array([[[[1, 100], [100, 100]]]], dtype)
    y = F.avg_pool2d(mt.Tensor(x), 2)
    assert y.dtype == mt.int64 and y.item() == x.sum() // 4


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: F.max_pool2d(x, 2, padding=2), r"padding.*half|half.*kernel"),
        (lambda x: F.avg_pool2d(x, 2, padding=2), r"padding.*half|half.*kernel"),
        (lambda x: F.max_pool2d(x, 2, stride=0), r"stride"),
        (lambda x: F.avg_pool2d(x, 0), r"kernel"),
        (lambda x: F.max_pool2d(x, 9), r"kernel|window|small"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=0), r"divisor"),
        (lambda x: F.avg_pool2d(x[0, 0], 2), r"\(N, C, H, W\)|3.*4"),
        (lambda x: F.max_pool2d(x, (2, 2, 2)), r"kernel_size"),
    ],
)
def test_errors_name_the_cause(call, text):
    with pytest.raises((RuntimeError, ValueError), match=text):
        call(mt.zeros(1, 1, 4, 5))


BAD = (float("inf"), float("-inf"), float("nan"))


@pytest.mark.parametrize("size", [1, 2, 3, (2, 5), (4, 1), (None, 3), 7])
@pytest.mark.parametrize("bad", BAD)
def test_adaptive_windows_keep_inf_and_nan_to_themselves(size, bad):
    def function(m, x):
        return m.nn.functional.adaptive_avg_pool2d(x, size)

    x = np.random.default_rng(0).standard_normal((2, 2, 6, 5))
    x[0, 0, 0, 0] = x[1, 1, 3, 2] = bad
    assert_same_as_torch(function, [x])


@pytest.mark.parametrize("dtype", [mt.int64, mt.uint8, mt.bool])
def test_what_pooling_is_not_for(dtype):
    with pytest.raises(NotImplementedError, match="adaptive_avg_pool2d is for floating-point"):
        F.adaptive_avg_pool2d(mt.ones(1, 1, 2, 2, dtype=dtype), 1)
    with pytest.raises(NotImplementedError, match="max_pool2d is for numbers"):
        F.max_pool2d(mt.ones(1, 1, 2, 2, dtype=mt.bool), 2)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("geometry", [(3, None, 0), (3, None, 1), (4, 3, 0), (4, 2, 1), (5, 4, 2), ((1, 5), 3, 0)])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3)])
def test_with_ceil_mode_a_kernel_may_be_larger_than_the_image(name, geometry, size):
    needs_torch()
    x = np.random.default_rng(0).standard_normal((2, 2, *size))

    def function(m, x):
        return getattr(m.nn.functional, name)(x, *geometry, ceil_mode=True)

    try:
        function(torch, torch.tensor(x))
    except RuntimeError:
        with pytest.raises(RuntimeError, match=name):
            function(mt, mt.tensor(x))
    else:
        assert_same_as_torch(function, [x])
