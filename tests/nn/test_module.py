"""Module: what it registers, finds, saves, loads and prints; PyTorch's behaviour where the two can be compared."""

import copy
import pickle

import numpy as np
import pytest
from helpers import needs_torch, of_pinned_torch, to_numpy, torch

import minitorch_cnn as mt
from minitorch_cnn import nn


def lenet(lib):
    return lib.Sequential(
        lib.Conv2d(1, 6, kernel_size=5, padding=2),
        lib.Sigmoid(),
        lib.AvgPool2d(kernel_size=2, stride=2),
        lib.Conv2d(6, 16, kernel_size=5),
        lib.Sigmoid(),
        lib.AvgPool2d(kernel_size=2, stride=2),
        lib.Flatten(),
        lib.Linear(16 * 5 * 5, 120),
        lib.Sigmoid(),
        lib.Linear(120, 84),
        lib.Sigmoid(),
        lib.Linear(84, 10),
    )


def nested(lib):
    """A network with a shared part, a shared parameter, buffers, a missing bias, and parts in parts."""

    class Net(lib.Module):
        def __init__(self):
            super().__init__()
            self.first = lib.Linear(2, 2, bias=False)
            self.body = lib.Sequential(lib.BatchNorm1d(2), lib.ReLU(), lib.Sequential(lib.Linear(2, 2)))
            self.again = self.first
            self.tied = lib.Linear(2, 2)
            self.tied.weight = self.first.weight
            self.nothing = None

        def forward(self, x):
            return self.tied(self.again(self.body(self.first(x))))

    return Net()


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(mt.ones(2))
        self.register_buffer("seen", mt.zeros(2))

    def forward(self, x):
        return x * self.factor


# --- registration ----------------------------------------------------------------------------------------


def test_attributes_are_registered_by_their_type():
    net = Scale()
    assert isinstance(net.factor, nn.Parameter) and net.factor.requires_grad
    assert list(dict(net.named_parameters())) == ["factor"]
    assert list(dict(net.named_buffers())) == ["seen"]
    assert {"factor", "seen"} <= set(dir(net))
    net.part = nn.ReLU()
    assert list(dict(net.named_children())) == ["part"]
    net.plain = 3
    assert net.plain == 3 and "plain" not in dict(net.named_buffers())


def test_a_tensor_assigned_to_a_buffer_stays_a_buffer():
    net = Scale()
    net.seen = mt.ones(2)
    assert net.state_dict()["seen"].tolist() == [1, 1]
    net.seen = None
    assert "seen" not in net.state_dict()


def test_a_name_can_change_its_kind():
    net = Scale()
    net.thing = 3
    net.thing = nn.Parameter(mt.zeros(1))
    assert isinstance(net.thing, nn.Parameter)
    net.thing = nn.ReLU()
    assert "thing" not in dict(net.named_parameters()) and isinstance(net.thing, nn.ReLU)
    del net.thing
    assert not hasattr(net, "thing")
    del net.factor, net.seen
    assert list(net.state_dict()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("factor", mt.zeros(2), r"cannot assign 'Tensor' as parameter 'factor' \(nn.Parameter or None expected\)"),
        ("seen", 3, r"cannot assign 'int' as buffer 'seen' \(Tensor or None expected\)"),
        ("part", 3, r"cannot assign 'int' as child module 'part' \(nn.Module or None expected\)"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(name, value, message):
    net = Scale()
    net.part = nn.ReLU()
    with pytest.raises(TypeError, match=message):
        setattr(net, name, value)


def test_registering_says_what_it_wants():
    net = Scale()
    with pytest.raises(TypeError, match=r"cannot assign 'Tensor' as parameter 'x' \(nn.Parameter or None expected\)"):
        net.register_parameter("x", mt.zeros(1))
    with pytest.raises(TypeError, match="cannot assign 'list' as buffer 'x'"):
        net.register_buffer("x", [1.0])
    with pytest.raises(TypeError, match=r"cannot assign 'int' as child module 'x' \(nn.Module or None expected\)"):
        net.add_module("x", 3)
    with pytest.raises(KeyError, match="the name of a parameter can.*t be empty or contain"):
        net.register_parameter("a.b", None)
    with pytest.raises(TypeError, match="should be a string, got int"):
        net.register_buffer(3, None)


def test_a_transient_buffer_is_not_saved():
    net = Scale()
    net.register_buffer("scratch", mt.zeros(1), persistent=False)
    assert "scratch" in dict(net.named_buffers()) and "scratch" not in net.state_dict()


def test_a_forgotten_super_init_is_named():
    class Net(nn.Module):
        def __init__(self, value):
            self.value = value

    for value in (nn.ReLU(), nn.Parameter(mt.zeros(1))):
        with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call: call super\(\).__init__\(\) first"):
            Net(value)
    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first in Net.__init__"):
        list(Net(3).parameters())


def test_a_missing_attribute_is_named():
    with pytest.raises(AttributeError, match=r"^'Scale' object has no attribute 'fcator'$"):
        Scale().fcator  # noqa: B018


def test_a_missing_forward_is_named():
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_a_parameter_is_made_of_a_tensor_and_shares_its_memory():
    data = mt.zeros(2)
    parameter = nn.Parameter(data, requires_grad=False)
    data[0] = 5.0
    assert parameter.tolist() == [5, 0] and not parameter.requires_grad
    with pytest.raises(TypeError, match="list"):
        nn.Parameter([1.0])
    assert repr(nn.Parameter(data)).startswith("Parameter containing:\ntensor([5., 0.]")


# --- walks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lenet, nested])
def test_walks_are_pytorchs(make):
    needs_torch()
    ours, theirs = make(nn), make(torch.nn)
    for walk in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        expected = [(name, type(member).__name__) for name, member in getattr(theirs, walk)()]
        assert [name for name, _ in getattr(ours, walk)()] == [name for name, _ in expected], walk
    for walk in ("parameters", "buffers", "modules", "children"):
        assert len(list(getattr(ours, walk)())) == len(list(getattr(theirs, walk)())), walk
    assert [n for n, _ in ours.named_parameters(prefix="net", recurse=False)] == [
        n for n, _ in theirs.named_parameters(prefix="net", recurse=False)
    ]
    assert [n for n, _ in ours.named_parameters(remove_duplicate=False)] == [
        n for n, _ in theirs.named_parameters(remove_duplicate=False)
    ]
    assert list(ours.state_dict(prefix="net.")) == list(theirs.state_dict(prefix="net."))


@pytest.mark.parametrize("make", [lenet, of_pinned_torch(nested)])
def test_repr_is_pytorchs(make):
    needs_torch()
    assert repr(make(nn)) == repr(make(torch.nn))


def test_a_part_is_found_by_its_path():
    net = nested(nn)
    assert net.get_submodule("body.2.0") is net.body[2][0]
    assert net.get_submodule("") is net
    assert net.get_parameter("body.2.0.weight") is net.body[2][0].weight
    with pytest.raises(
        AttributeError, match=r"Sequential has no part `7`, looking for 'body.7'; its parts are: 0, 1, 2"
    ):
        net.get_submodule("body.7")
    with pytest.raises(AttributeError, match="Linear has no parameter `wieght`.* its parameters are: weight, bias"):
        net.get_parameter("body.2.0.wieght")


def test_apply_goes_from_the_inside_out():
    names = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda module: names.append(type(module).__name__)) is net
    assert names == ["Linear", "ReLU", "Sequential", "Sequential"]


# --- modes, devices, types -------------------------------------------------------------------------------


def test_train_and_eval_reach_every_part():
    net = nested(nn)
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.train().modules())
    with pytest.raises(ValueError, match="training mode is expected to be boolean, got 'yes'"):
        net.train("yes")


def test_requires_grad_freezes():
    net = lenet(nn).requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_zero_grad():
    net = Scale()
    net(mt.ones(2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.factor.grad.tolist() == [0, 0]
    net.zero_grad()
    assert net.factor.grad is None


def test_to_converts_in_place_what_is_floating_point():
    net = nested(nn)
    before = list(net.parameters())
    net(mt.ones(3, 2)).sum().backward()
    assert net.double() is net
    assert all(a is b for a, b in zip(net.parameters(), before))
    assert {p.dtype for p in net.parameters()} == {p.grad.dtype for p in net.parameters()} == {mt.float64}
    assert net.body[0].running_mean.dtype == mt.float64
    assert net.body[0].num_batches_tracked.dtype == mt.int64
    assert {p.dtype for p in net.float().parameters()} == {mt.float32}
    assert {p.dtype for p in net.to(mt.float64).parameters()} == {mt.float64}
    assert {p.dtype for p in net.to(mt.zeros(1)).parameters()} == {mt.float32}


def test_to_moves_parameters_gradients_and_buffers(gpu):
    net = nested(nn)
    net(mt.ones(3, 2)).sum().backward()
    for move, where in (
        (lambda: net.to("cuda"), "cuda"),
        (net.cpu, "cpu"),
        (net.cuda, "cuda"),
        (lambda: net.to("cpu"), "cpu"),
    ):
        assert move() is net
        tensors = [*net.parameters(), *net.buffers(), *(p.grad for p in net.parameters())]
        assert {tensor.device.type for tensor in tensors} == {where}
    net.to("cuda", mt.float64)
    assert {(p.device.type, p.dtype) for p in net.parameters()} == {("cuda", mt.float64)}


def test_a_move_between_forward_and_backward_is_noticed(gpu):
    net = Scale()
    loss = net(mt.ones(2, requires_grad=True)).sum()
    net.to("cpu")  # changes nothing
    loss.backward(retain_graph=True)
    net.to("cuda")
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_an_optimizer_made_before_a_move_keeps_working(gpu):
    net = Scale()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.5)
    net.to("cuda")
    net(mt.ones(2, device="cuda")).sum().backward()
    optimizer.step()
    assert net.factor.device.type == "cuda" and net.factor.tolist() == [0.5, 0.5]


def test_to_a_type_that_cannot_learn_is_refused():
    with pytest.raises(TypeError, match="only accepts floating point dtypes, but got desired dtype=int64"):
        Scale().to(mt.int64)


# --- state -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lenet, nested])
def test_state_goes_to_pytorch_and_back_by_name(make):
    needs_torch()
    ours, theirs = make(nn), make(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({name: torch.tensor(to_numpy(t)) for name, t in ours.state_dict().items()})
    again = make(nn)
    assert repr(again.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    for name, tensor in again.state_dict().items():
        np.testing.assert_array_equal(to_numpy(tensor), to_numpy(ours.state_dict()[name]))


def test_state_shares_memory_and_is_off_the_graph():
    net = Scale()
    state = net.state_dict()
    assert not state["factor"].requires_grad
    assert net.state_dict(keep_vars=True)["factor"] is net.factor
    with mt.no_grad():
        net.factor.fill_(7)
    assert state["factor"].tolist() == [7, 7]


@pytest.mark.parametrize("convert", [lambda a: mt.tensor(a), lambda a: a, lambda a: torch.tensor(a)])
def test_loading_casts_to_the_parameters_type_and_device(convert, device):
    needs_torch()
    net = Scale().to(device)
    factor = net.factor
    net.load_state_dict({"factor": convert(np.array([1.5, 2.5])), "seen": convert(np.array([1, 2]))})
    assert net.factor is factor and factor.requires_grad
    assert (factor.dtype, factor.device.type, factor.tolist()) == (mt.float32, device, [1.5, 2.5])
    assert (net.seen.dtype, net.seen.tolist()) == (mt.float32, [1, 2])


def test_loading_copies():
    net, array = Scale(), np.ones(2, np.float32)
    net.load_state_dict({"factor": array, "seen": array})
    array[:] = 9
    assert net.factor.tolist() == net.seen.tolist() == [1, 1]


def test_what_does_not_fit_is_listed_in_full_and_nothing_is_changed():
    needs_torch()
    ours, theirs = lenet(nn), lenet(torch.nn)
    state = {name: np.full(tensor.shape, 9.0) for name, tensor in ours.state_dict().items()}
    state["0.weight"] = np.zeros((1, 6, 5, 5))
    state["3.bias"] = np.zeros(15)
    del state["7.weight"], state["7.bias"]
    state["12.weight"] = state["extra"] = np.zeros(1)
    before = {name: to_numpy(tensor).copy() for name, tensor in ours.state_dict().items()}
    with pytest.raises(RuntimeError) as ours_error:
        ours.load_state_dict(state)
    with pytest.raises(RuntimeError) as theirs_error:
        theirs.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    expected = str(theirs_error.value).replace("torch.Size([", "(").replace("])", ")")
    assert str(ours_error.value).replace("(15,)", "(15)").replace("(16,)", "(16)") == expected
    for name, tensor in ours.state_dict().items():
        np.testing.assert_array_equal(to_numpy(tensor), before[name])


def test_loading_without_strict_returns_what_was_left_out():
    net = Scale()
    keys = net.load_state_dict({"factor": mt.zeros(2), "other": mt.zeros(1)}, strict=False)
    assert keys.missing_keys == ["seen"] and keys.unexpected_keys == ["other"]
    assert "missing_keys=['seen']" in repr(keys)
    assert net.factor.tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="size mismatch for factor"):
        net.load_state_dict({"factor": mt.zeros(3)}, strict=False)


def test_loading_something_else_is_refused():
    with pytest.raises(TypeError, match="expected state_dict to be dict-like, got list"):
        Scale().load_state_dict([1])
    with pytest.raises(
        RuntimeError, match="the parameter named \"factor\", expected a Tensor.* received <class 'str'>"
    ):
        Scale().load_state_dict({"factor": "1 2", "seen": mt.zeros(2)})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_network_can_be_copied_and_pickled(duplicate):
    net = lenet(nn)
    other = duplicate(net)
    for (name, parameter), twin in zip(net.named_parameters(), other.parameters()):
        assert isinstance(twin, nn.Parameter) and twin is not parameter and twin.requires_grad, name
        np.testing.assert_array_equal(to_numpy(twin.detach()), to_numpy(parameter.detach()))
    with mt.no_grad():
        other[0].weight.zero_()
    assert net[0].weight.abs().sum().item() > 0


@pytest.mark.parametrize("name", ["gpu", "cuda:3", "float33"])
def test_to_an_unknown_device_says_what_there_is(name):
    for thing in (Scale(), mt.zeros(1)):
        with pytest.raises(RuntimeError, match=f"expected the device 'cpu' or 'cuda', got '{name}'"):
            thing.to(name)


def test_loading_bfloat16_names_the_key_and_the_conversion():
    needs_torch()
    state = {"factor": torch.ones(2, dtype=torch.bfloat16), "seen": torch.zeros(2)}
    net = Scale()
    with pytest.raises(RuntimeError, match=r'parameter named "factor".*torch\.bfloat16.*convert it with \.float\(\)'):
        net.load_state_dict(state)


@pytest.mark.parametrize("name", ["x", "forward", "weight", "running", "part"])
@pytest.mark.parametrize("kind", ["parameter", "buffer", "module"])
def test_nothing_else_is_replaced_by_registering(kind, name):
    net = nn.Module()
    net.x, net.weight, net.part = 5, nn.Parameter(mt.ones(1)), nn.ReLU()
    net.register_buffer("running", mt.ones(1))
    value = {"parameter": nn.Parameter(mt.zeros(1)), "buffer": mt.zeros(1), "module": nn.Tanh()}[kind]
    register = getattr(net, f"register_{kind}")
    if (kind, name) in {("parameter", "weight"), ("buffer", "running"), ("module", "part")}:
        register(name, value)
        assert getattr(net, name) is value
    else:
        with pytest.raises(KeyError, match=f"attribute '{name}' exists already"):
            register(name, value)
        assert getattr(net, name) is not value


def test_a_parameter_of_nothing():
    assert nn.Parameter().shape == (0,)
    assert nn.Parameter().requires_grad


# --- hooks -----------------------------------------------------------------------------------------------


def hooked_programs():
    """Each returns lists of numbers."""

    def net(lib):
        class Affine(lib.nn.Module):
            def forward(self, x, factor=2, *, shift=1.0):
                return x * factor + shift

        return Affine(), lib.ones(2)

    def shows_inputs_and_outputs(lib):
        module, x = net(lib)
        seen = []
        module.register_forward_pre_hook(lambda m, args: seen.append([m is module, len(args), args[0].tolist()]))
        module.register_forward_hook(lambda m, args, y: seen.append([m is module, len(args), y.tolist()]))
        return module(x, 3, shift=2.0).tolist(), module.forward(x).tolist(), seen

    def replaces_them(lib):
        module, x = net(lib)
        module.register_forward_pre_hook(lambda m, args: args[0] * 5)
        module.register_forward_pre_hook(lambda m, args: (args[0] + 1, 10))
        module.register_forward_hook(lambda m, args, y: y - args[0])
        module.register_forward_hook(lambda m, args, y: [y, args[1]])
        y, factor = module(x)
        return y.tolist(), factor

    def sees_keywords(lib):
        module, x = net(lib)
        seen = []
        module.register_forward_pre_hook(lambda m, args, kwargs: (args, {**kwargs, "shift": 7.0}), with_kwargs=True)
        module.register_forward_hook(lambda m, args, kwargs, y: seen.append(kwargs), with_kwargs=True)
        return module(x, factor=3).tolist(), seen

    def in_their_order(lib):
        module, x = net(lib)
        seen = []
        for register in (module.register_forward_hook, module.register_forward_pre_hook):
            register(lambda *_: seen.append("first"))
            second = register(lambda *_: seen.append("second"))
            register(lambda *_: seen.append("zeroth"), prepend=True)
            register(lambda *_: seen.append("third"))
            module(x)
            second.remove()
            second.remove()
            with register(lambda *_: seen.append("for a block")):
                module(x)
        module(x)
        return seen

    def in_a_network(lib):
        lib.manual_seed(0)
        layers = lib.nn.Sequential(lib.nn.Flatten(), lib.nn.ReLU(), lib.nn.Flatten())
        shapes = {}
        for name, layer in layers.named_modules():
            layer.register_forward_hook(lambda m, args, y, name=name: shapes.update({name: tuple(y.shape)}))
        layers(lib.ones(2, 3, 4))
        return shapes, list(layers.state_dict()), repr(layers).count("hook")

    def with_a_gradient(lib):
        module, x = net(lib)
        kept = {}
        module.register_forward_hook(lambda m, args, y: y.retain_grad() or kept.update(y=y))
        x.requires_grad_()
        (module(x) ** 2).sum().backward()
        return kept["y"].grad.tolist(), x.grad.tolist()

    return {name: function for name, function in locals().items() if name != "net"}


HOOKED_PROGRAMS = hooked_programs()


@pytest.mark.parametrize("name", HOOKED_PROGRAMS)
def test_forward_hooks_do_as_in_pytorch(name):
    needs_torch()
    assert HOOKED_PROGRAMS[name](mt) == HOOKED_PROGRAMS[name](torch)


def test_an_error_of_a_hook_names_the_layer():
    net = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    net[1].register_forward_pre_hook(lambda module, args: mt.zeros(3, 3))
    with pytest.raises(RuntimeError, match='in layer "1": Linear'):
        net(mt.zeros(3, 2))
    handle = net[0].register_forward_pre_hook(lambda module, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"must return None or \(new_args, new_kwargs\)"):
        net(mt.zeros(3, 2))
    handle.remove()
    with pytest.raises(TypeError, match="a hook must be a function"):
        net.register_forward_hook(3)


def double(module, args, output):
    return output * 2


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copied_network_has_hooks_of_its_own(duplicate):
    net = nn.Sequential(nn.ReLU())
    handle = net.register_forward_hook(double)
    copied = duplicate(net)
    handle.remove()
    net.register_forward_hook(double), net.register_forward_hook(double)
    assert net(mt.ones(1)).item() == 4 and copied(mt.ones(1)).item() == 2
