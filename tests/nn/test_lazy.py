"""Layers that learn the size of their input from the first one, beside PyTorch's."""

import copy
import pickle

import numpy as np
import pytest
from helpers import assert_close, needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn import nn

MAKERS = [
    (lambda lib: lib.LazyConv2d(6, 3, padding=1), (2, 4, 5, 5)),
    (lambda lib: lib.LazyConv2d(4, (2, 3), stride=2, groups=2, bias=False), (2, 4, 5, 5)),
    (lambda lib: lib.LazyLinear(5), (3, 4)),
    (lambda lib: lib.LazyLinear(5, bias=False), (2, 3, 4)),
    (lambda lib: lib.LazyBatchNorm2d(eps=1e-3), (4, 3, 2, 2)),
    (lambda lib: lib.LazyBatchNorm2d(affine=False), (4, 3, 2, 2)),
    (lambda lib: lib.LazyBatchNorm1d(track_running_stats=False), (4, 3)),
]
each_layer = pytest.mark.parametrize(("make", "shape"), MAKERS)


def network(lib):
    conv = lib.nn.LazyConv2d(3, 2), lib.nn.LazyBatchNorm2d(), lib.nn.ReLU()
    return lib.nn.Sequential(*conv, lib.nn.Flatten(), lib.nn.LazyLinear(4))


@each_layer
def test_the_first_call_makes_it_the_plain_layer(make, shape, device):
    needs_torch()
    ours, theirs = make(nn).to(device), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    array = np.random.default_rng(0).standard_normal(shape).astype("float32")
    ours(mt.tensor(array, device=device)), theirs(torch.tensor(array))
    assert repr(ours) == repr(theirs) and type(ours).__name__ == type(theirs).__name__
    ours.load_state_dict(theirs.state_dict())
    assert_close(ours(mt.tensor(array, device=device)), theirs(torch.tensor(array)), 1e-5)
    for name, parameter in ours.named_parameters():
        assert type(parameter) is nn.Parameter and parameter.device.type == device, name


@each_layer
def test_the_initial_values_are_those_of_the_plain_layer(make, shape):
    mt.manual_seed(3)
    layer = make(nn)
    layer(mt.ones(shape))
    mt.manual_seed(3)
    layer_again = copy.deepcopy(layer)
    layer_again.reset_parameters()
    for name, value in layer.named_parameters():
        assert mt.equal(value, layer_again.get_parameter(name))


def test_an_optimizer_that_was_made_before_trains_it():
    net = network(mt).double()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x = mt.rand(5, 2, 4, 4, dtype=mt.float64)
    net(x)
    before = [parameter.clone() for parameter in net.parameters()]
    net(x).square().sum().backward()
    optimizer.step()
    assert {p.dtype for p in net.parameters()} == {np.dtype("float64")}
    for old, new in zip(before, net.parameters()):
        assert old.shape == new.shape
    assert any(not mt.equal(old, new) for old, new in zip(before, net.parameters()))


def test_a_state_can_be_loaded_before_the_first_call_and_is_kept():
    trained, fresh = network(mt), network(mt)
    x = mt.rand(3, 2, 4, 4)
    trained(x)
    assert str(fresh.load_state_dict(trained.state_dict())) == "<All keys matched successfully>"
    trained.eval(), fresh.eval()
    assert mt.equal(fresh(x), trained(x))
    assert type(fresh[0]) is nn.Conv2d and fresh[0].in_channels == 2
    again = network(mt)
    again.load_state_dict(network(mt).state_dict())  # of one that was not called either
    assert again(x).shape == (3, 4)
    with pytest.raises(RuntimeError, match="size mismatch for 0.weight"):
        trained.load_state_dict(network(mt).state_dict())


def test_a_copy_is_as_lazy():
    net = network(mt)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin(mt.ones(2, 5, 4, 4)).shape == (2, 4)
    assert repr(net[0].weight) == "<UninitializedParameter>" and isinstance(net[1].running_mean, nn.UninitializedBuffer)


@pytest.mark.parametrize(
    "use",
    [
        lambda net: net[0].weight.shape,
        lambda net: sum(p.numel() for p in net.parameters()),
        lambda net: nn.init.xavier_uniform_(net[0].weight),
        lambda net: nn.init.zeros_(net[0].bias),
        lambda net: net[4].weight.normal_(0, 0.01),
        lambda net: nn.functional.linear(mt.ones(2, 3), net[4].weight),
        lambda net: net[1].running_mean.zero_(),
    ],
)
def test_what_needs_the_sizes_says_to_call_the_network_first(use):
    with pytest.raises(RuntimeError, match="is not known before the layer's first call: call the network once"):
        use(network(mt))


@pytest.mark.parametrize(
    ("layer", "shape", "error", "message"),
    [
        (nn.LazyConv2d(2, 3), (4, 4), RuntimeError, "Expected 3D .* input to LazyConv2d"),
        (nn.LazyConv2d(4, 3, groups=2), (1, 3, 4, 4), ValueError, "3 is not divisible by 2"),
        (nn.LazyLinear(2), (), RuntimeError, "expects an input of shape"),
        (nn.LazyBatchNorm2d(), (2, 3), ValueError, "expected 4D"),
    ],
)
def test_an_input_that_does_not_fit_leaves_it_lazy(layer, shape, error, message):
    kind = type(layer)
    with pytest.raises(error, match=message):
        layer(mt.ones(shape))
    assert type(layer) is kind


def test_the_layers_of_a_lazy_network_are_listed():
    net = network(mt)
    assert nn.summary(net, (1, 1, 9, 9)).parameters == sum(x.numel() for x in net.parameters()) > 0


@pytest.mark.parametrize("layer", [nn.LazyLinear(2), nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d()], ids=str)
def test_what_is_no_tensor_is_refused_and_leaves_it_lazy(layer):
    for stranger in ([1.0, 2.0], np.ones((2, 3, 4, 4), np.float32), None):
        with pytest.raises(TypeError, match="Lazy.* expected a Tensor, got"):
            layer(stranger)
