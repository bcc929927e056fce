"""A captured step: recorded once, replayed for each batch. It computes what the step does, and starts all at once.

On the stand-in for CuPy nothing is computed while a step is captured; a replay computes what was noted, in the memory
of the capture. So a read back, a call of cuBLAS or a number that Python keeps shows here as it would on a GPU.
"""

import gc

import numpy as np
import pytest
from helpers import to_numpy

import minitorch_cnn as mt
from minitorch_cnn import backend, nn
from minitorch_cnn.gpu.recording import Recording
from minitorch_cnn.nn import functional as F

on_gpu = pytest.mark.parametrize("device", ["cuda"], indirect=True)
rng = np.random.default_rng(4)
ALWAYS_WARM = 10**6  # the step computed as usual, but with the kernels of a captured one


class Run:
    """A network and an optimizer on a device, and a step for them."""

    def __init__(self, device, net=None, optimizer=mt.optim.SGD, warmup=2, step=None, **settings):
        mt.manual_seed(1)
        self.net = (net or small_net)().to(device)
        self.optimizer = optimizer(self.net.parameters(), **{"lr": 0.5, **settings})
        self.captured = mt.cuda.capture(lambda *args: (step or plain_step)(self, *args), warmup=warmup)

    def __call__(self, batch):
        return self.captured(*batch)

    def weights(self):
        return [to_numpy(p) for p in self.net.parameters()]

    def gradients(self):
        return [to_numpy(p.grad) for p in self.net.parameters()]


def plain_step(run, x, y):
    run.optimizer.zero_grad()
    y_hat = run.net(x)
    l = F.cross_entropy(y_hat, y)
    l.backward()
    run.optimizer.step()
    return l.detach(), y_hat.detach()


def small_net():
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.Sigmoid(), nn.AvgPool2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )


def batches(count, device="cuda", size=4, shape=(1, 8, 8), classes=3):
    for _ in range(count):
        x, y = rng.standard_normal((size, *shape), dtype="float32"), rng.integers(0, classes, size)
        yield mt.tensor(x, device=device), mt.tensor(y, device=device)


def assert_equal(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


# --- it computes what the step does --------------------------------------------------------------------------

SETTINGS = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.5, "dampening": 0.2, "weight_decay": 0.1, "maximize": True},
    {"momentum": 0.9, "nesterov": True},
]


@on_gpu
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_weights_are_those_of_uncaptured_steps(device, settings):
    """To the last bit, at each step, and the loss, the outputs and the gradients too."""
    one, other = Run(device, **settings), Run(device, warmup=ALWAYS_WARM, **settings)
    for batch in batches(7):
        for a, b in zip(one(batch), other(batch)):
            assert not a.requires_grad
            assert_equal([to_numpy(a)], [to_numpy(b)])
        assert_equal(one.weights(), other.weights())
        assert_equal(one.gradients(), other.gradients())
    assert one.captured.recording.graph is not None and other.captured.recording.graph is None


@on_gpu
def test_the_step_of_lenet(device):
    runs = [Run(device, net=mt.models.LeNet, lr=0.9, warmup=warmup) for warmup in (1, ALWAYS_WARM)]
    for batch in batches(3, size=2, shape=(1, 28, 28), classes=10):
        for run in runs:
            run(batch)
    assert_equal(runs[0].weights(), runs[1].weights())


@on_gpu
def test_with_the_products_of_the_library_the_same_up_to_rounding(device):
    captured, plain = Run(device), Run(device)
    for batch in batches(5):
        captured(batch)
        plain_step(plain, *batch)
    for a, b in zip(captured.weights(), plain.weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_step_of_lenet_is_few_launches(standin):
    """70 when this was written: 14 matrix products, 8 for sigmoids, 9 for windows, 2 for the loss, 1 for the update."""
    run = Run("cuda", net=mt.models.LeNet, warmup=1)
    for batch in batches(2, size=2, shape=(1, 28, 28), classes=10):
        run(batch)
    assert len(run.captured.recording.graph.work) <= 72


def test_a_replay_copies_nothing_between_host_and_device(standin):
    run, data = Run("cuda"), list(batches(5))
    for batch in data[:2]:
        run(batch)
    standin.transfers.reset()
    for batch in data[2:]:  # the first of these records
        run(batch)
    assert (standin.transfers.to_host, standin.transfers.to_device) == (0, 0)


def test_recording_computes_nothing(standin, monkeypatch):
    run, data = Run("cuda", momentum=0.9), list(batches(3))
    for batch in data[:2]:
        run(batch)
    before = run.weights()
    monkeypatch.setattr(standin.cuda.Graph, "launch", lambda self: None)
    loss, _ = run(data[2])
    assert_equal(run.weights(), before)
    assert np.isnan(to_numpy(loss))


@on_gpu
def test_a_batch_of_another_size_is_computed_as_usual(device):
    one, other = Run(device, momentum=0.9), Run(device, momentum=0.9, warmup=ALWAYS_WARM)
    full, rest = list(batches(5)), list(batches(1, size=3))
    for batch in full[:3] + rest + full[3:]:
        y_hat = one(batch)[1]
        other(batch) if len(batch[0]) == 4 else plain_step(other, *batch)
        assert len(y_hat) == len(batch[0])
        assert_equal(one.weights(), other.weights())
        assert_equal(one.gradients(), other.gradients())


@on_gpu
def test_settings_that_change_between_steps_take_effect(device):
    settings = {"momentum": 0.9, "weight_decay": 0.1}
    one, other = Run(device, **settings), Run(device, warmup=ALWAYS_WARM, **settings)
    schedulers = [mt.optim.lr_scheduler.StepLR(run.optimizer, step_size=1, gamma=0.5) for run in (one, other)]
    for i, batch in enumerate(batches(7)):
        for run, scheduler in zip((one, other), schedulers):
            group = run.optimizer.param_groups[0]
            group.update([{}, {"maximize": i % 2 == 0}, {"momentum": 0.5}, {"weight_decay": i / 10}][i % 4])
            run(batch)
            scheduler.step()
        assert_equal(one.weights(), other.weights())


@on_gpu
def test_what_a_step_returned_stays(device):
    run = Run(device)
    results = [(loss, to_numpy(loss).copy()) for loss, _ in map(run, batches(6))]
    assert len({float(value) for _, value in results}) == 6
    for loss, value in results:
        assert to_numpy(loss) == value


@on_gpu
def test_gradients_are_added_up_where_the_step_does_not_forget_them(device):
    def step(run, x, y):
        F.cross_entropy(run.net(x), y).backward()

    run, plain = Run(device, step=step), Run(device)
    for batch in batches(5):
        run(batch)
        step(plain, *batch)
    for a, b in zip(run.gradients(), plain.gradients()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@on_gpu
def test_the_gradient_is_there_after_others_were_put_in_its_place(device):
    one, other = Run(device), Run(device, warmup=ALWAYS_WARM)
    for batch in batches(5):
        for run in (one, other):
            run.optimizer.zero_grad()
            run(batch)
        assert_equal(one.gradients(), other.gradients())


@on_gpu
def test_a_graph_from_before_a_replay_is_refused(device):
    run, data = Run(device), list(batches(5))
    for batch in data[:4]:
        run(batch)
    loss = F.cross_entropy(run.net(data[4][0]), data[4][1])
    run(data[4])
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_the_memory_of_the_graph_is_its_own(standin):
    """The pool lives as long as the graph. The stand-in refuses memory of the common pool while it captures."""
    run, data = Run("cuda"), list(batches(4))
    for batch in data[:3]:
        run(batch)
    gc.collect()
    run(data[3])


def test_the_standin_knows_that_a_graph_does_not_keep_its_memory(standin):
    recording, x = Recording(standin), standin.ones(3)
    recording.warm_up(lambda: x + 1)
    recording.record(lambda: x + 1)
    recording.replay()
    recording.pool = None
    with pytest.raises(AssertionError, match="the memory of this graph was given back"):
        recording.replay()


@on_gpu
@pytest.mark.parametrize("calls", [2, 4], ids=["warm", "captured"])
def test_what_was_made_in_a_step_outlives_it(device, calls):
    """Gradients, the momentum and a result lie in memory of the captured step; training may go on without it."""
    run, other, data = Run(device, momentum=0.9), Run(device, momentum=0.9), list(batches(6))
    for batch in data[:calls]:
        loss, _ = run(batch)
        plain_step(other, *batch)
    run.captured = None
    gc.collect()
    others = [mt.ones(1000, device=device) for _ in range(100)]  # these would get the memory
    assert np.isfinite(to_numpy(loss)) and all(np.isfinite(g).all() for g in run.gradients())
    for batch in data[calls:]:
        plain_step(run, *batch)
        plain_step(other, *batch)
    for a, b in zip(run.weights(), other.weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert all((to_numpy(x) == 1).all() for x in others)


# --- where there is nothing to capture ------------------------------------------------------------------------


def test_with_tensors_of_the_cpu_a_step_is_called_as_it_is():
    """And no GPU is asked for: `test_cupy_import.py` sees to that."""
    run = Run("cpu", optimizer=mt.optim.Adam)
    for batch in batches(5, device="cpu"):
        assert run(batch)[0].device == mt.device("cpu")
    assert run.captured.recording is None


def test_no_warm_up_is_refused():
    with pytest.raises(ValueError, match="at least one call to warm up, got warmup=0"):
        mt.cuda.capture(plain_step, warmup=0)


# --- what cannot be captured ----------------------------------------------------------------------------------


def ask(value):
    if value:
        pass


FORBIDDEN = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "print": lambda x: print(x),
    "if": lambda x: ask(x.sum() > 0),
    "cpu": lambda x: x.cpu(),
    "mask": lambda x: x[x > 0],
    "where": lambda x: mt.where(x > 0),
    "tensor": lambda x: mt.tensor([1.0], device="cuda"),
    "random": lambda x: mt.rand(3, device="cuda"),
    "dropout": lambda x: F.dropout(x),
    "list as index": lambda x: x[[0, 1]],
    "cuBLAS": lambda x: backend.devices.cupy().dot(x.array.reshape(-1), x.array.reshape(-1)),
}


FROM_THE_HOST = {"tensor", "random", "dropout", "list as index"}  # CuPy itself would not refuse these


@on_gpu
@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_cannot_be_captured_is_refused(device, name, capsys):
    def step(run, x, y):
        FORBIDDEN[name](x)
        return plain_step(run, x, y)

    run, data = Run(device, step=step), list(batches(3))
    for batch in data[:2]:
        run(batch)
    before = run.weights()
    why = "numbers of the host cannot be copied" if name in FROM_THE_HOST else ""
    with pytest.raises(
        RuntimeError, match=rf"the step cannot be captured: .*{why}.*nothing may be read back \(item\(\)"
    ):
        run(data[2])
    assert_equal(run.weights(), before)
    plain_step(run, *data[2])  # and the device is as before: outside of a capture, all of it works
    FORBIDDEN[name](data[2][0])


@on_gpu
def test_an_optimizer_that_counts_in_python_is_refused_at_once(device):
    run = Run(device, optimizer=mt.optim.Adam, lr=0.1)
    with pytest.raises(RuntimeError, match="Adam cannot be part of a captured step: .* Use SGD"):
        run(next(batches(1)))


@on_gpu
def test_a_captured_step_within_another_is_refused(device):
    inner = Run(device)
    run = Run(device, step=lambda run, x, y: inner((x, y)))
    with pytest.raises(RuntimeError, match="a captured step was called within a captured step"):
        run(next(batches(1)))


@on_gpu
def test_parameters_on_the_cpu_are_refused(device):
    """They would change while the step is recorded, and then never again."""

    def step(run, x, y):
        here.grad = mt.ones(3)
        return plain_step(run, x, y)

    here, run, data = mt.zeros(3, requires_grad=True), Run(device, step=step), list(batches(3))
    run.optimizer.add_param_group({"params": [here]})
    with pytest.raises(RuntimeError, match="SGD expected all parameters on the GPU in a captured step, got one on cpu"):
        for batch in data:
            run(batch)
    assert here.tolist() == [0, 0, 0]


def switch(**settings):
    return lambda run: run.optimizer.param_groups[0].update(settings)


@on_gpu
@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"momentum": 0.9}, switch(momentum=0), "capture the step anew"),
        ({}, switch(momentum=0.9), "capture the step anew"),
        ({"momentum": 0.9}, lambda r: r.optimizer.load_state_dict(r.optimizer.state_dict()), "capture the step anew"),
        ({}, lambda run: setattr(run.net[0].weight, "data", run.net[0].weight.data.clone()), "capture the step anew"),
        ({}, lambda run: run.net.double(), "capture the step anew"),
        ({}, lambda run: run.net.cpu(), "capture the step anew"),
        ({}, lambda run: run.optimizer.add_param_group({"params": [mt.zeros(1)]}), "another number of groups"),
    ],
    ids=["momentum off", "momentum on", "state loaded", "other memory", "other type", "cpu", "a group added"],
)
def test_what_the_graph_does_not_know_of_is_refused(device, settings, change, message):
    run, data = Run(device, **settings), list(batches(5))
    for batch in data[:4]:
        run(batch)
    change(run)
    before = run.weights()
    with pytest.raises(RuntimeError, match=message):
        run(data[4])
    assert_equal(run.weights(), before)


class WithAStepOfItsOwn(mt.optim.SGD):
    def step(self):
        super().step()
        self.param_groups[0]["lr"] *= 0.5


class WithAnUpdateOfItsOwn(mt.optim.SGD):
    def update(self, parameter, gradient, state, group):
        parameter -= 2 * group["lr"] * gradient


@on_gpu
@pytest.mark.parametrize("optimizer", [WithAStepOfItsOwn, WithAnUpdateOfItsOwn])
def test_a_subclass_with_a_step_of_its_own_is_not_captured_and_does_its_own(device, optimizer):
    run, batch = Run(device, optimizer=optimizer), next(batches(1))
    assert not run.optimizer.capturable
    with pytest.raises(RuntimeError, match=f"{optimizer.__name__} cannot be part of a captured step"):
        run(batch)
    before = run.weights()
    plain_step(run, *batch)
    rate = 1 if optimizer is WithAnUpdateOfItsOwn else 0.5
    for old, new, gradient in zip(before, run.weights(), run.gradients()):
        np.testing.assert_allclose(new, old - rate * gradient, rtol=1e-6, atol=1e-7)


def test_a_class_with_an_update_of_its_own_says_itself_whether_it_can_be_captured():
    class Declared(WithAnUpdateOfItsOwn):
        capturable = True

        def update(self, parameter, gradient, state, group):
            parameter -= gradient

    class Plain(mt.optim.SGD):
        name = "another name, the same steps"

    assert [c.capturable for c in (mt.optim.SGD, Plain, Declared, WithAnUpdateOfItsOwn)] == [True, True, True, False]
    assert not mt.optim.Adam.capturable and not mt.optim.Optimizer.capturable


@on_gpu
def test_to_the_device_where_it_is_changes_nothing(device):
    """As `training.evaluate` does it after each epoch."""
    run, data = Run(device, momentum=0.9), list(batches(5))
    for batch in data:
        run(batch)
        run.net.to(device)
    assert run.captured.recording.graph is not None


@on_gpu
def test_weights_may_be_loaded_between_replays(device):
    one, other = Run(device), Run(device, warmup=ALWAYS_WARM)
    start = {name: value.clone() for name, value in one.net.state_dict().items()}
    for i, batch in enumerate(batches(6)):
        for run in (one, other):
            if i == 4:
                run.net.load_state_dict(start)
            run(batch)
    assert_equal(one.weights(), other.weights())


@on_gpu
def test_a_label_that_is_no_class_makes_the_loss_nan(device):
    run, data = Run(device), list(batches(4))
    for batch in data[:3]:
        assert np.isfinite(to_numpy(run(batch)[0]))
    x, _ = data[3]
    assert np.isnan(to_numpy(run((x, mt.tensor([0, 1, 3, 2], device=device)))[0]))


def test_the_standin_refuses_to_wait_while_it_captures(standin):
    """So does CUDA, for the stream that captures; it lets others be waited for."""
    FORBIDDEN["waiting"] = lambda x: mt.cuda.synchronize()
    try:
        test_what_cannot_be_captured_is_refused("cuda", "waiting", None)
    finally:
        del FORBIDDEN["waiting"]
