"""Optimizers against PyTorch's, step by step."""

import copy
import itertools

import numpy as np
import pytest
from helpers import assert_close, needs_torch, torch

import minitorch_cnn as mt
from minitorch_cnn.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSprop

rng = np.random.default_rng(6)
STARTS = [rng.standard_normal(shape) for shape in [(3, 2), (4,), ()]]
TARGETS = [rng.standard_normal(start.shape) for start in STARTS]


class Problem:
    """The same three parameters in both libraries, and a loss that is not quadratic."""

    def __init__(self, lib, device="cpu"):
        place = {"device": device} if lib is mt else {}
        self.params = [lib.tensor(start, requires_grad=True, **place) for start in STARTS]
        self.targets = [lib.tensor(target, **place) for target in TARGETS]

    def groups(self, **second):
        return [{"params": self.params[:2]}, {"params": self.params[2], **second}]

    def backward(self, skip=None):
        """Leave gradients; of all parameters but one."""
        for i, (param, target) in enumerate(zip(self.params, self.targets)):
            if i != skip:
                (((param - target) ** 2).sum() + (param**4).sum() / 4).backward()


def assert_same_trajectory(name, settings, second, device="cpu", steps=10):
    needs_torch()
    ours, theirs = Problem(mt, device), Problem(torch)
    optimizer = getattr(mt.optim, name)(ours.groups(**second), **settings)
    torch_optimizer = getattr(torch.optim, name)(theirs.groups(**second), **settings)
    for step in range(steps):
        for problem, opt in ((ours, optimizer), (theirs, torch_optimizer)):
            opt.zero_grad()
            problem.backward(skip=1 if step == 3 else None)  # a parameter without a gradient is left as it is
            opt.step()
        for a, b in zip(ours.params, theirs.params):
            assert a.device.type == device
            assert_close(a, b, 1e-10, f"step {step}")
    return optimizer, torch_optimizer


SGD_SETTINGS = [
    {
        "lr": 0.02,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "maximize": maximize,
    }
    for momentum, dampening, weight_decay, nesterov, maximize in itertools.product(
        (0, 0.9), (0, 0.3), (0, 0.1), (False, True), (False, True)
    )
    if not (nesterov and (momentum == 0 or dampening))
]


@pytest.mark.parametrize("settings", SGD_SETTINGS, ids=str)
def test_sgd(settings, device):
    steps = 5 if settings["maximize"] else 10
    assert_same_trajectory("SGD", settings, {"lr": 0.005, "momentum": 0.5, "dampening": 0}, device, steps)


@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_adam(weight_decay, amsgrad, maximize, device):
    settings = {"lr": 0.1, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize}
    assert_same_trajectory("Adam", settings, {"betas": (0.5, 0.6), "eps": 1e-3}, device)


OTHERS = [
    ("AdamW", {}, {"weight_decay": 0.5, "betas": (0.5, 0.6)}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "maximize": True}, {"weight_decay": 0}),
    ("RMSprop", {}, {"alpha": 0.5, "eps": 1e-3}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}, {"lr": 0.02}),
    ("RMSprop", {"centered": True, "maximize": True}, {"momentum": 0.5}),
    ("Adagrad", {}, {"lr_decay": 0.1, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}, {"lr": 0.05}),
    ("Adadelta", {}, {"rho": 0.5, "eps": 1e-3}),
    ("Adadelta", {"lr": 0.5, "weight_decay": 0.1, "maximize": True}, {"lr": 0.1}),
]


@pytest.mark.parametrize(("name", "settings", "second"), OTHERS, ids=str)
def test_other_optimizers(name, settings, second, device):
    assert_same_trajectory(name, settings, second, device)


STATES = [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("SGD", {}), ("AdamW", {}), ("Adadelta", {})]
STATES += [("RMSprop", {"momentum": 0.9, "centered": True}), ("Adagrad", {"lr_decay": 0.1})]


@pytest.mark.parametrize(("name", "settings"), STATES)
@pytest.mark.parametrize("source", ["ours", "theirs"])
def test_state_is_saved_in_pytorchs_form_and_can_come_from_there(name, settings, source, device):
    settings = {"lr": 0.05, **settings}
    optimizer, torch_optimizer = assert_same_trajectory(name, settings, {"lr": 0.01}, device, steps=3)
    state = copy.deepcopy((optimizer if source == "ours" else torch_optimizer).state_dict())
    assert list(state["state"]) == list(torch_optimizer.state_dict()["state"])
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    for number, entries in torch_optimizer.state_dict()["state"].items():
        assert set(entries) == set(state["state"][number])

    again = Problem(mt, device)
    with mt.no_grad():
        for param, current in zip(again.params, torch_optimizer.param_groups[0]["params"]):
            param.copy_(mt.tensor(current.detach().numpy()))
        again.params[2].copy_(mt.tensor(torch_optimizer.param_groups[1]["params"][0].detach().numpy()))
    resumed = getattr(mt.optim, name)(again.groups(), lr=9.0)
    resumed.load_state_dict(state)
    theirs = Problem(torch)
    theirs.params = [p for group in torch_optimizer.param_groups for p in group["params"]]
    for _ in range(3):
        for problem, opt in ((again, resumed), (theirs, torch_optimizer)):
            opt.zero_grad()
            problem.backward()
            opt.step()
    for a, b in zip(again.params, theirs.params):
        assert_close(a, b)


def test_loaded_state_is_a_copy():
    problem = Problem(mt)
    optimizer = SGD(problem.params, lr=0.1, momentum=0.9)
    problem.backward()
    optimizer.step()
    state = optimizer.state_dict()
    other = SGD(Problem(mt).params, lr=0.1)
    other.load_state_dict(state)
    buffer = other.state[other.param_groups[0]["params"][0]]["momentum_buffer"]
    assert buffer.array is not state["state"][0]["momentum_buffer"].array
    assert other.param_groups[0]["momentum"] == 0.9


def test_state_that_does_not_fit_is_refused():
    params = Problem(mt).params
    state = SGD(params, lr=0.1).state_dict()
    with pytest.raises(ValueError, match="different number of parameter groups: 1, this optimizer 2"):
        SGD([{"params": params[:1]}, {"params": params[1:]}], lr=0.1).load_state_dict(state)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group: 3 parameters, .* 2"):
        SGD(params[:2], lr=0.1).load_state_dict(state)


@pytest.mark.parametrize(("make", "name"), [(lambda p: SGD(p, momentum=0.9), "momentum_buffer"), (Adam, "exp_avg_sq")])
def test_state_of_another_shape_is_refused(make, name):
    w = mt.ones(3, requires_grad=True)
    optimizer = make([w])
    w.sum().backward()
    optimizer.step()
    before, state = optimizer.state[w][name], optimizer.state_dict()
    state["state"][0][name] = mt.zeros(2)
    with pytest.raises(ValueError, match=rf"{name} of parameter 0 has shape \(2,\), the parameter \(3,\)"):
        optimizer.load_state_dict(state)
    assert optimizer.state[w][name] is before


@pytest.mark.parametrize(
    "make", [lambda p, **kw: SGD(p, momentum=np.float64(0.9), **kw), Adam, AdamW, RMSprop, Adagrad, Adadelta]
)
def test_numpy_settings_do_not_turn_float32_into_float64(make, device):
    w = mt.ones(3, device=device, requires_grad=True)
    optimizer = make([w], lr=np.float64(0.1), weight_decay=np.float64(0.1))
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    state = [value for value in optimizer.state[w].values() if isinstance(value, mt.Tensor)]
    assert {w.dtype, *(tensor.dtype for tensor in state)} == {np.dtype("float32")}


def test_a_step_reads_nothing_back(standin):
    w = mt.ones(3, device="cuda", requires_grad=True)
    w.grad = mt.ones(3, device="cuda")
    optimizers = [SGD([w], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1), Adam([w], amsgrad=True)]
    standin.transfers.reset()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.step()
    assert standin.transfers.to_host == 0


def test_a_step_between_forward_and_backward_is_noticed():
    w = mt.ones(2, requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_a_closure_is_evaluated_with_gradients():
    w = mt.ones(2, requires_grad=True)
    optimizer = SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2
    assert w.tolist() == [0.5, 0.5]


def test_zero_grad():
    w = mt.ones(2, requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    w.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert w.grad is None


def test_an_optimizer_of_ones_own_needs_no_setting_that_it_does_not_use():
    class Signed(Optimizer):
        def update(self, parameter, gradient, state, group):
            parameter -= group["lr"] * np.sign(gradient)

    w = mt.tensor([1.0, 2.0], requires_grad=True)
    for settings, expected in (({"lr": 0.5}, [0.5, 1.5]), ({"lr": 0.5, "maximize": True}, [1.0, 2.0])):
        optimizer = Signed([w], settings)
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        assert w.tolist() == expected


def test_a_group_can_be_added():
    a, b = (mt.ones(1, requires_grad=True) for _ in range(2))
    optimizer = SGD([a], lr=0.1, momentum=0.5)
    optimizer.add_param_group({"params": b, "lr": 1.0})
    assert optimizer.param_groups[1] == {**optimizer.defaults, "lr": 1.0, "params": [b]}
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optimizer.add_param_group({"params": [a]})


W = mt.ones(1, requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([W], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: SGD([W], momentum=-0.5), ValueError, "Invalid momentum value: -0.5"),
        (lambda: SGD([W], weight_decay=-2), ValueError, "Invalid weight_decay value: -2"),
        (lambda: SGD([W], nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
        (lambda: Adam([W], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: Adam([W], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: Adam([W], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
        (lambda: Adam([W], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: AdamW([W], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: RMSprop([W], alpha=-1), ValueError, "Invalid alpha value: -1"),
        (lambda: RMSprop([W], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: Adagrad([W], lr_decay=-1), ValueError, "Invalid lr_decay value: -1"),
        (lambda: Adagrad([W], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: Adadelta([W], rho=1.5), ValueError, "Invalid rho value: 1.5"),
        (lambda: Adadelta([W], rho=-1), ValueError, "Invalid rho value: -1"),
        (lambda: SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda: SGD(W), TypeError, "should be an iterable of Tensors or dicts, but got Tensor"),
        (lambda: SGD([3]), TypeError, "can only optimize Tensors, but one of the params is the number 3"),
        (lambda: SGD([W * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: SGD([{"params": {W}}]), TypeError, "need to be ordered; a set is not"),
        (lambda: SGD([W]).add_param_group([W]), TypeError, "param_group must be a dict, but got list"),
        (lambda: Optimizer([W], {"maximize": False}).update(None, None, {}, {}), TypeError, "must define update"),
    ],
)
def test_what_does_not_fit_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_duplicates_are_warned_of():
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([W, W], lr=0.1)


def test_repr_shows_the_settings():
    assert repr(SGD([W], lr=0.5)).splitlines()[:4] == [
        "SGD (",
        "Parameter Group 0",
        "    dampening: 0",
        "    lr: 0.5",
    ]


@pytest.mark.parametrize("momentum", [0, 0.5])
def test_parameters_and_gradients_may_lie_in_memory_in_any_order(momentum, device):
    """Batches innermost, transposed, with gaps: what is changed is what the indices say."""
    start, gradient = (mt.arange(24.0).reshape(2, 3, 4) + k for k in (1, 30))
    expected = start - 0.5 * gradient - (0.5 * (1 + momentum) * gradient)
    layouts = [
        lambda x: x.clone(),
        lambda x: x.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        lambda x: mt.stack([x, x], 3)[..., 0],
    ]
    for of_parameter, of_gradient in itertools.product(layouts, layouts):
        w = mt.Tensor(of_parameter(start.to(device)).array, requires_grad=True)
        optimizer = mt.optim.SGD([w, mt.zeros(2, device=device)], lr=0.5, momentum=momentum)
        for _ in range(2):
            w.grad = of_gradient(gradient.to(device)).detach()
            optimizer.step()
        assert w.detach().cpu().tolist() == expected.tolist()


def test_parameters_of_several_types_are_changed_on_a_gpu(device):
    ws = [mt.ones(2, dtype=dtype, device=device, requires_grad=True) for dtype in (mt.float32, mt.float64)]
    for w in ws:
        w.grad = mt.ones_like(w)
    mt.optim.SGD(ws, lr=0.25).step()
    assert [w.detach().cpu().tolist() for w in ws] == [[0.75, 0.75]] * 2


def test_an_update_on_a_gpu_is_one_launch(standin, monkeypatch):
    launches = []
    kernel = standin.RawKernel.__call__
    monkeypatch.setattr(standin.RawKernel, "__call__", lambda self, *args: launches.append(1) or kernel(self, *args))
    net = mt.models.LeNet().to("cuda")
    optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    for p in net.parameters():
        p.grad = mt.ones_like(p).detach()
    optimizer.step()
    assert len(launches) == 1


def test_a_parameter_may_change_its_type_between_steps(device):
    net = mt.nn.Linear(3, 2).to(device)
    optimizer = mt.optim.SGD(net.parameters(), lr=0.25)
    for dtype in (mt.float32, mt.float64, mt.float32):
        net.to(dtype)
        before = net.weight.detach().clone()
        net.weight.grad = mt.ones_like(net.weight).detach()
        optimizer.step()
        assert net.weight.dtype == dtype and mt.allclose(net.weight.detach(), before - 0.25)


def test_momentum_lives_on_when_a_parameter_changes_its_type(device):
    w = mt.nn.Parameter(mt.zeros(300, device=device))
    optimizer = mt.optim.SGD([w], lr=1.0, momentum=0.5)
    for dtype in (mt.float32, mt.float64, mt.float32):
        w.data = w.data.to(dtype)
        w.grad = mt.ones_like(w).detach()
        optimizer.step()
    assert w.tolist() == [-1 - 1.5 - 1.75] * 300


def test_a_copied_optimizer_has_settings_of_its_own(device):
    w = mt.ones(2, device=device, requires_grad=True)
    w.grad = mt.ones_like(w)
    optimizer = mt.optim.SGD([w], lr=0.25)
    optimizer.step()
    other = copy.deepcopy(optimizer)
    other.param_groups[0]["lr"] = 0.5
    other.step()
    optimizer.step()
    assert other.param_groups[0]["params"][0].tolist() == [0.25, 0.25] and w.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("lr", [np.float32(0.5), np.float64(0.5), np.array(0.5).item(), mt.tensor(0.5), 0.5])
@pytest.mark.parametrize("optimizer", [SGD, Adam, Adagrad])
def test_rates_of_every_kind_of_number(optimizer, lr):
    w = mt.ones(2, requires_grad=True)
    stepper = optimizer([w], lr=lr)
    assert not isinstance(stepper.param_groups[0]["lr"], np.generic)
    w.grad = mt.ones(2)
    stepper.step()
    assert w.dtype == mt.float32
    assert w.tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("lr", ["0.1", None, [0.1], 1j])
def test_a_rate_that_is_no_number_is_refused(lr):
    with pytest.raises(TypeError, match="a learning rate must be a number"):
        SGD([mt.ones(1, requires_grad=True)], lr=lr)


def test_a_network_in_the_place_of_its_parameters():
    for net in (mt.nn.Linear(2, 2), mt.nn.Sequential(mt.nn.Linear(2, 2))):
        with pytest.raises(TypeError, match=r"pass net.parameters\(\)"):
            SGD(net)
