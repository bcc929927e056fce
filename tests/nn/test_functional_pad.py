"""Padding: each mode on each side of its own width, and where it refuses. (The gradients are cases of ``cases.py``.)"""

import numpy as np
import pytest
from helpers import assert_same_as_torch, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_cnn as mt
from minitorch_cnn.nn import functional as F

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # ours: NumPy's


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.tuples(*[st.integers(0, 2)] * 4))
def test_pad_is_numpys_pad(mode, widths):
    left, right, top, bottom = widths
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=MODES[mode])
    np.testing.assert_array_equal(to_numpy(F.pad(mt.tensor(x), widths, mode=mode)), expected)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.tuples(*[st.integers(-1, 2)] * 4))
def test_constant_padding_may_crop(widths):
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    assert_same_as_torch(lambda m, x: m.nn.functional.pad(x, widths, value=2.5), [x])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("widths", [(0, 0), (-1, 0), (-1, -1, 0, 0)], ids=str)
def test_what_is_padded_has_memory_of_its_own(mode, widths):
    """Even where nothing is added: who writes into the result does not change the image."""
    x = mt.ones(1, 1, 3, 4)
    F.pad(x, widths, mode=mode).zero_()
    assert x.sum().item() == 12


def test_integers_can_be_padded():
    assert F.pad(mt.tensor([[1, 2]]), (1, 0)).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: F.pad(x, (1, 2, 3)), r"pair of widths"),
        (lambda x: F.pad(x, (1,) * 10), r"dimension"),
        (lambda x: F.pad(x, (3, 3, 3, 3), mode="reflect"), r"reflect.*at most 2"),
        (lambda x: F.pad(x, (5, 0, 0, 0), mode="circular"), r"at most|more than once|smaller|less|greater"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="zeros"), r"constant.*reflect"),
        (lambda x: F.pad(x, (-3, -3)), r"\(-3, -3\).*more than there is"),
    ],
)
def test_errors_name_the_cause(call, text):
    with pytest.raises((RuntimeError, ValueError, NotImplementedError), match=text):
        call(mt.zeros(1, 1, 3, 4))
