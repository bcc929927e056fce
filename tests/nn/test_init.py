"""First values: bounds and spreads as PyTorch's, drawn on the host."""

import math

import numpy as np
import pytest
from helpers import needs_torch, to_numpy, torch

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.nn import init

SHAPE = (64, 32, 3, 2)  # fan in 192, fan out 384


@pytest.mark.parametrize(
    ("fill", "bound"),
    [
        (lambda t: init.uniform_(t, -2, 2), 2),
        (lambda t: init.xavier_uniform_(t), math.sqrt(6 / 576)),
        (lambda t: init.xavier_uniform_(t, gain=5 / 3), 5 / 3 * math.sqrt(6 / 576)),
        (lambda t: init.kaiming_uniform_(t), math.sqrt(6 / 192)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), math.sqrt(1 / 192)),
        (lambda t: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(6 / 384)),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="tanh"), 5 / 3 * math.sqrt(3 / 192)),
    ],
)
def test_uniform(fill, bound, device):
    tensor = nn.Parameter(mt.zeros(SHAPE, device=device))
    assert fill(tensor) is tensor
    values = to_numpy(tensor.detach())
    assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 1e-6)
    assert abs(values.mean()) < 0.02 * bound
    assert abs(values.std() * math.sqrt(3) / bound - 1) < 0.02


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda t: init.normal_(t, 0, 3), 3),
        (lambda t: init.xavier_normal_(t, gain=2), 2 * math.sqrt(2 / 576)),
        (lambda t: init.kaiming_normal_(t), math.sqrt(2 / 192)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="linear"), math.sqrt(1 / 384)),
    ],
)
def test_normal(fill, std, device):
    values = to_numpy(fill(mt.zeros(SHAPE, device=device)))
    assert abs(values.std() / std - 1) < 0.02
    assert abs(values.mean()) < 0.03 * std
    assert np.abs(values).max() > 3 * std


def test_normal_has_a_mean():
    assert abs(init.normal_(mt.zeros(10000), mean=5.0, std=0.1).mean().item() - 5) < 0.01


def test_constants():
    tensor = nn.Parameter(mt.empty(2, 3))
    assert init.constant_(tensor, 2.5).tolist() == [[2.5] * 3] * 2
    assert init.ones_(tensor).tolist() == [[1.0] * 3] * 2
    assert init.zeros_(tensor).tolist() == [[0.0] * 3] * 2
    assert tensor.requires_grad and tensor.is_leaf


def test_a_generator_and_the_seed_decide(device):
    def drawn(**kwargs):
        return to_numpy(init.xavier_uniform_(mt.empty(3, 4, device=device), **kwargs)).tolist()

    first = drawn(generator=mt.Generator().manual_seed(3))
    assert drawn(generator=mt.Generator().manual_seed(3)) == first
    mt.manual_seed(3)
    assert drawn() == first
    assert drawn() != first
    mt.manual_seed(3)
    assert to_numpy(init.xavier_uniform_(mt.empty(3, 4))).tolist() == first


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "conv_transpose2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains_are_pytorchs(name):
    needs_torch()
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


def test_gain_of_a_slope():
    needs_torch()
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
    with pytest.raises(ValueError, match="negative_slope steep not a valid number"):
        init.calculate_gain("leaky_relu", "steep")
    with pytest.raises(ValueError, match="Unsupported nonlinearity gelu; expected one of linear, "):
        init.calculate_gain("gelu")


@pytest.mark.parametrize(
    "fill", [init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_]
)
def test_a_bias_has_no_fans(fill):
    with pytest.raises(ValueError, match=r"fewer than 2 dimensions; this one has the shape \(3,\)"):
        fill(mt.empty(3))


def test_kaiming_refuses_an_unknown_mode_and_warns_of_nothing_to_fill():
    with pytest.raises(ValueError, match=r"Mode fan not supported, please use one of \['fan_in', 'fan_out'\]"):
        init.kaiming_uniform_(mt.empty(3, 3), mode="fan")
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
            fill(mt.empty(0, 3))


def test_the_chapters_initialisation():
    def init_weights(m):
        if type(m) is nn.Linear or type(m) is nn.Conv2d:
            nn.init.xavier_uniform_(m.weight)

    net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.Linear(400, 120))
    bias = net[0].bias.tolist()
    net.apply(init_weights)
    assert net[2].weight.abs().max().item() <= math.sqrt(6 / 520)
    assert 0.9 * math.sqrt(6 / 175) < net[0].weight.abs().max().item() <= math.sqrt(6 / 175)
    assert net[0].bias.tolist() == bias
