"""Sequential and ModuleList."""

from collections import OrderedDict

import pytest
from helpers import needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn import nn


def make(lib):
    return lib.Sequential(lib.Flatten(), lib.Linear(4, 3), lib.ReLU(), lib.Linear(3, 2))


def test_sequential_is_called_in_order():
    net = make(nn)
    x = mt.randn(5, 2, 2)
    y = x
    for layer in net:
        y = layer(y)
    assert mt.equal(net(x), y)


def test_an_empty_sequential_passes_on_its_input():
    x = mt.ones(2)
    assert nn.Sequential()(x) is x


def test_sequential_is_a_sequence():
    net = make(nn)
    assert len(net) == 4
    assert net[-1] is net[3] is list(net)[3]
    assert repr(net[1:3]) == "Sequential(\n  (1): Linear(in_features=4, out_features=3, bias=True)\n  (2): ReLU()\n)"
    assert net[:2][1] is net[1]
    with pytest.raises(IndexError, match="index 4 is out of range: Sequential has 4 modules"):
        net[4]


def test_sequential_can_be_changed():
    net = make(nn)
    net[2] = nn.Tanh()
    assert isinstance(net[2], nn.Tanh)
    assert net.append(nn.Sigmoid()) is net
    net.extend([nn.ReLU()])
    del net[0]
    assert [name for name, _ in net.named_children()] == ["0", "1", "2", "3", "4"]
    assert [type(layer).__name__ for layer in net] == ["Linear", "Tanh", "Linear", "Sigmoid", "ReLU"]
    del net[3:]
    assert len(net) == 3


def test_sequential_with_names():
    net = nn.Sequential(OrderedDict([("conv", nn.Conv2d(1, 2, 3)), ("act", nn.ReLU())]))
    assert net.act is net[1]
    assert list(net.state_dict()) == ["conv.weight", "conv.bias"]
    assert list(dict(net[1:].named_children())) == ["act"]


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="cannot assign 'function' as child module '0'"):
        nn.Sequential(lambda x: x)
    with pytest.raises(TypeError, match="cannot assign 'type' as child module '0'"):
        nn.Sequential(nn.ReLU)


def test_module_list():
    needs_torch()
    ours, theirs = (lib.ModuleList([lib.Linear(2, 2), lib.ReLU()]) for lib in (nn, torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours.append(nn.Tanh())
    assert len(ours) == 3 and len(ours[1:]) == 2 and isinstance(ours[1:], nn.ModuleList)
    assert list(dict(ours[1:].named_children())) == ["0", "1"]
    with pytest.raises(NotImplementedError, match=r"\[ModuleList\] is missing the required"):
        ours(1)


@pytest.mark.parametrize("make", [lambda *modules: nn.Sequential(*modules), lambda *modules: nn.ModuleList(modules)])
def test_containers_grow_and_shrink_as_lists_do(make):
    a, b, c, d = nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Identity()
    net = make(a, b)
    assert list(net.insert(1, c)) == [a, c, b]
    assert list(net.insert(0, d)) == [d, a, c, b]
    assert [*net._modules] == ["0", "1", "2", "3"]
    assert net.pop() is b
    assert net.pop(0) is d
    assert list(net) == [a, c]
    net += [b]
    assert list(net) == [a, c, b]
    both = net + make(d)
    assert type(both) is type(net)
    assert list(both) == [a, c, b, d]
    assert list(net) == [a, c, b]
    for call in (lambda: net.insert(5, a), lambda: net.pop(3)):
        with pytest.raises(IndexError, match="out of range"):
            call()
    with pytest.raises(TypeError, match="unsupported operand"):
        net + [a]  # noqa: RUF005 - a list is no container
    with pytest.raises(TypeError, match="cannot assign 'int' as child module"):
        net.insert(0, 3)
    assert list(net) == [a, c, b]
