"""Convolution, unfold and fold: against loops over every geometry that Hypothesis finds, and where they refuse."""

import warnings

import numpy as np
import oracle
import pytest
from helpers import assert_close, make_tensors, needs_torch, to_numpy, torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minitorch_cnn as mt
from minitorch_cnn.nn import functional as F

few = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def small(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def geometries(draw):
    """Kernel, stride, padding and dilation, and an image that holds at least one window."""
    kernel, stride, padding, dilation = draw(small(1, 3)), draw(small(1, 3)), draw(small(0, 3)), draw(small(1, 3))
    image = draw(small(1, 6))
    assume(all(oracle.output_size(*sizes) > 0 for sizes in zip(image, kernel, stride, padding, dilation)))
    return image, {"stride": stride, "padding": padding, "dilation": dilation}, kernel


@few
@given(geometries(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
def test_conv2d_is_seven_loops(geometry, n, groups, channels, filters):
    image, options, kernel = geometry
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, groups * channels, *image))
    w = rng.standard_normal((groups * filters, channels, *kernel))
    b = rng.standard_normal(groups * filters)
    expected = oracle.conv2d(x, w, b, groups=groups, **options)
    assert_close(F.conv2d(*make_tensors([x, w, b]), groups=groups, **options), expected, 1e-12)


@few
@given(geometries(), st.integers(0, 2), st.integers(1, 2))
def test_fold_is_the_transpose_of_unfold(geometry, n, c):
    """<unfold x, y> = <x, fold y> for all x and y: the two are transposes as linear maps."""
    image, options, kernel = geometry
    x = mt.randn(n, c, *image, dtype=mt.float64)
    columns = F.unfold(x, kernel, **options)
    y = mt.randn(*columns.shape, dtype=mt.float64)
    left, right = (columns * y).sum(), (x * F.fold(y, image, kernel, **options)).sum()
    assert float(left) == pytest.approx(float(right), abs=1e-10)


@few
@given(geometries())
def test_unfold_holds_the_windows(geometry):
    image, options, kernel = geometry
    x = np.random.default_rng(0).standard_normal((1, 1, *image))
    columns = to_numpy(F.unfold(mt.tensor(x), kernel, **options))
    for column, (_, pixels) in zip(columns[0].T, oracle.windows(x, kernel, **options)):
        assert sorted(v for v in column if v) == sorted(x[p] for p in pixels)


@pytest.mark.parametrize(("image", "kernel"), [((1, 1, 1, 5), (1, 3)), ((1, 1, 5, 1), (3, 1)), ((2, 1, 3, 3), 1)])
def test_unfold_has_memory_of_its_own(image, kernel):
    """Windows of one row are views without a copy, whose columns share elements: a sum in place would be another."""
    x = mt.arange(float(np.prod(image))).reshape(image)
    x = mt.Tensor(x.array.transpose(2, 1, 3, 0).copy().transpose(3, 1, 0, 2))  # the batch innermost in memory
    before, columns = x.tolist(), F.unfold(x, kernel)
    added = mt.randn(*columns.shape)
    expected = (columns + added).tolist()
    columns += added
    assert columns.tolist() == expected and x.tolist() == before


@few
@given(geometries(), st.integers(1, 2))
def test_conv_transpose2d_is_the_transpose_of_conv2d(geometry, groups):
    """<conv x, y> = <x, conv_transpose y>, with output_padding where stride made the input's size ambiguous."""
    image, options, kernel = geometry
    x = mt.randn(1, 2 * groups, *image, dtype=mt.float64)
    w = mt.randn(3 * groups, 2, *kernel, dtype=mt.float64)
    y = F.conv2d(x, w, groups=groups, **options)
    dy = mt.randn(*y.shape, dtype=mt.float64)
    sizes = zip(image, y.shape[2:], kernel, *(options[name] for name in ("stride", "padding", "dilation")))
    rest = tuple(size - ((out - 1) * s - 2 * p + d * (k - 1) + 1) for size, out, k, s, p, d in sizes)
    dx = F.conv_transpose2d(dy, w, output_padding=rest, groups=groups, **options)
    assert dx.shape == x.shape
    assert float((y * dy).sum()) == pytest.approx(float((x * dx).sum()), abs=1e-10)


def test_conv2d_by_hand():
    """The chapter's example: each output is the sum over a window."""
    x = mt.arange(9.0).reshape(1, 1, 3, 3)
    k = mt.tensor([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 1, 2, 2)
    assert F.conv2d(x, k).reshape(2, 2).tolist() == [[19.0, 25.0], [37.0, 43.0]]


@pytest.mark.parametrize("kernel", [(2, 2), (4, 3), (2, 5)])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_of_an_even_kernel(kernel, dilation):
    """Where the padding is odd in total, the larger part comes after the image, as in PyTorch."""
    needs_torch()
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 1, 5, 6)), rng.standard_normal((3, 1, *kernel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns that it copies
        expected = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(w), padding="same", dilation=dilation)
    assert_close(F.conv2d(mt.tensor(x), mt.tensor(w), padding="same", dilation=dilation), expected)


def test_images_without_gradient_cost_none():
    """The first layer of a network computes no gradient of the images."""
    x, w = mt.randn(2, 1, 5, 5), mt.randn(3, 1, 3, 3, requires_grad=True)
    F.conv2d(x, w).sum().backward()
    assert x.grad is None and w.grad.shape == w.shape


def conv_error(*shapes, **options):
    return lambda: F.conv2d(*[mt.zeros(shape) for shape in shapes], **options)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (conv_error((1, 2, 5, 5), (3, 1, 3, 3)), RuntimeError, r"2 channels|channels.*2"),
        (conv_error((5, 5), (3, 1, 3, 3)), RuntimeError, r"3.*4|\(N, C, H, W\)"),
        (conv_error((1, 1, 5, 5), (3, 3)), RuntimeError, r"weight|kernel"),
        (conv_error((1, 1, 2, 5), (1, 1, 3, 3)), RuntimeError, r"[Kk]ernel"),
        (conv_error((1, 1, 5, 5), (4, 1, 3, 3), (3,)), RuntimeError, r"bias"),
        (conv_error((1, 3, 5, 5), (4, 1, 3, 3), groups=2), RuntimeError, r"groups|channels"),
        (conv_error((1, 4, 5, 5), (3, 2, 3, 3), groups=2), RuntimeError, r"groups"),
        (conv_error((1, 1, 5, 5), (1, 1, 3, 3), stride=0), (RuntimeError, ValueError), r"stride"),
        (conv_error((1, 1, 5, 5), (1, 1, 3, 3), padding=-1), (RuntimeError, ValueError), r"padding"),
        (conv_error((1, 1, 5, 5), (1, 1, 3, 3), dilation=0), (RuntimeError, ValueError), r"dilation"),
        (
            conv_error((1, 1, 5, 5), (1, 1, 3, 3), padding="full"),
            (RuntimeError, ValueError),
            r"same.*valid|valid.*same",
        ),
        (conv_error((1, 1, 5, 5), (1, 1, 3, 3), stride=2, padding="same"), (RuntimeError, ValueError), r"same"),
        (conv_error((1, 1, 5, 5), (1, 1, 3, 3), stride=(1, 2, 3)), (RuntimeError, ValueError), r"stride"),
        (lambda: F.conv2d(mt.zeros(1, 1, 3, 3), mt.zeros(1, 1, 2, 2, dtype=mt.float64)), RuntimeError, r"float(32|64)"),
        (lambda: F.unfold(mt.zeros(1, 1, 2, 2), 3), (RuntimeError, ValueError), r"[Kk]ernel|window"),
        (lambda: F.fold(mt.zeros(1, 8, 5), (3, 4), 2), (RuntimeError, ValueError), r"6"),
        (lambda: F.fold(mt.zeros(1, 7, 6), (3, 4), 2), (RuntimeError, ValueError), r"4"),
    ],
)
def test_errors_name_the_cause(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("groups", [1, 2])
def test_the_gradient_of_filters_is_summed_in_parts_where_it_is_large(groups, monkeypatch):
    """All its products, one for each row of the output, would be as many times as large."""
    from minitorch_cnn.ops import convolution

    x, w = mt.rand(2, 4, 9, 5, dtype=mt.float64), mt.rand(6, 4 // groups, 3, 3, dtype=mt.float64, requires_grad=True)

    def gradient():
        (dw,) = mt.autograd.grad((F.conv2d(x, w, groups=groups) ** 2).sum(), w)
        return dw.numpy()

    expected = gradient()
    for largest in (1, 100, 300):
        monkeypatch.setattr(convolution, "BLOCK", largest)
        np.testing.assert_allclose(gradient(), expected, rtol=1e-12)
