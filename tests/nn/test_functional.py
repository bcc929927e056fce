"""Activations and the linear map as functions."""

import numpy as np
import pytest
from helpers import assert_same_as_torch

import minitorch_cnn as mt
from minitorch_cnn.nn import functional as F

rng = np.random.default_rng(3)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
def test_activations(name, device):
    x = np.concatenate([rng.standard_normal(20), [0.0, 1e4, -1e4, 700.0, -700.0]])
    assert_same_as_torch(lambda lib, x: getattr(lib.nn.functional, name)(x), [x], device)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(name, dim, device):
    x = rng.standard_normal((3, 4, 2))
    x[0] *= 1e4
    assert_same_as_torch(lambda lib, x: getattr(lib.nn.functional, name)(x, dim), [x], device)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_in_another_type(name):
    y = getattr(F, name)(mt.zeros(3), dim=0, dtype=mt.float64)
    assert y.dtype == mt.float64


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 2), (3, 4, 2, 2)], ids=str)
def test_softmax_without_a_dimension_warns_and_chooses_as_pytorch(shape):
    x = rng.standard_normal(shape)
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax has been deprecated"):
        assert_same_as_torch(lambda lib, x: lib.nn.functional.softmax(x), [x])


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (2, 0, 3), (2, 4, 0)], ids=str)
def test_linear(shape, device):
    arrays = [rng.standard_normal(shape), rng.standard_normal((4, shape[-1])), rng.standard_normal(4)]
    assert_same_as_torch(lambda lib, x, w, b: lib.nn.functional.linear(x, w, b), arrays, device)
    assert_same_as_torch(lambda lib, x, w: lib.nn.functional.linear(x, w), arrays[:2], device)
    assert_same_as_torch(lambda lib, x, w: lib.nn.functional.linear(x, w), [arrays[0], arrays[1][0]], device)


def test_linear_says_what_it_expects_and_what_came():
    with pytest.raises(RuntimeError, match=r"expects 400 input features, 144 came \(input shape \(1, 144\)\)"):
        F.linear(mt.zeros(1, 144), mt.zeros(120, 400))
    with pytest.raises(TypeError, match="expects a Tensor, got a numpy.ndarray"):
        F.linear(np.zeros((1, 4)), mt.zeros(2, 4))
    with pytest.raises(RuntimeError, match=r"expects 4 input features, none came \(input shape \(\)\)"):
        F.linear(mt.tensor(1.0), mt.zeros(2, 4))
    with pytest.raises(RuntimeError, match="type of its weight, float32, got float64"):
        F.linear(mt.zeros(1, 4, dtype=mt.float64), mt.zeros(2, 4))
    with pytest.raises(RuntimeError, match="type of its weight, float32, got uint8"):
        F.linear(mt.zeros(1, 4, dtype=mt.uint8), mt.zeros(2, 4))
    with pytest.raises(RuntimeError, match="a bias of the type of its weight, float32, got float64"):
        F.linear(mt.zeros(1, 4), mt.zeros(2, 4), mt.zeros(2, dtype=mt.float64))
    with pytest.raises(RuntimeError, match=r"a weight of shape \(out_features, in_features\), got \(2, 3, 4\)"):
        F.linear(mt.zeros(1, 4), mt.zeros(2, 3, 4))
    with pytest.raises(RuntimeError, match="Look for the layer before .*, or change in_features to 144"):
        F.linear(mt.zeros(1, 144), mt.zeros(120, 400))
    with pytest.raises(RuntimeError, match="the input has no dimension at all"):
        F.linear(mt.tensor(1.0), mt.zeros(2, 4))


@pytest.mark.parametrize(("weight", "bias"), [((2, 4), (3,)), ((2, 4), (5, 2)), ((2, 4), (1,)), ((4,), (5,))])
def test_linear_refuses_a_bias_of_another_shape(weight, bias):
    """Broadcasting would add a row to each example, or make several outputs of one."""
    with pytest.raises(RuntimeError, match="Linear expects a bias of shape .*, got"):
        F.linear(mt.zeros(5, 4), mt.zeros(weight), mt.zeros(bias))


def test_dropout_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="has to be between 0 and 1, but got 2"):
        F.dropout(mt.ones(3), p=2)


def test_dropout_does_nothing_in_evaluation():
    x = mt.ones(3)
    assert F.dropout(x, 0.5, training=False) is x


def test_batch_norm_needs_statistics_in_evaluation():
    with pytest.raises(RuntimeError, match="needs running_mean and running_var when training is False"):
        F.batch_norm(mt.zeros(2, 3), None, None)
