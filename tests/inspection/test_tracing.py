"""A training step, operation by operation: what is counted agrees with other ways of counting, and nothing changes."""

import threading

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import inspection, nn
from minitorch_cnn.autograd import Function
from minitorch_cnn.backend.random import get_rng_state
from minitorch_cnn.inspection.tracing import in_short


@pytest.fixture(scope="module")
def lenet():
    mt.manual_seed(0)
    net, images, labels = mt.models.LeNet(), mt.rand(4, 1, 28, 28), mt.arange(4)
    return net, images, labels, inspection.trace(net, images, labels=labels, repeat=2)


def test_the_operations_stand_under_their_layers(lenet):
    *_, step = lenet
    assert [(row.layer, row.operation) for row in step.rows[:3]] == [
        ("0", "Convolve"), ("1", "Sigmoid"), ("2", "SumWindows"),
    ]  # fmt: skip
    assert [row.layer for row in step.rows] == [*map(str, range(12)), "loss"]
    assert step.rows[5].output_shape == (4, 16, 5, 5)


def test_costs_are_those_of_the_summary(lenet):
    net, images, _, step = lenet
    listed = nn.summary(net, images.shape)
    assert step.multiply_adds == listed.multiply_adds
    costs = {row.path: row.multiply_adds for row in listed.rows}
    assert [row.multiply_adds for row in step.rows[:-1]] == [costs[row.layer] for row in step.rows[:-1]]
    assert step.bytes == listed.bytes + step.rows[-1].bytes, "a summary has no loss"


def test_norms_are_those_of_the_gradients(lenet):
    net, images, labels, step = lenet
    outputs, x = [], images
    for layer in net:
        x = layer(x)
        x.retain_grad()
        outputs.append(x)
    loss = nn.functional.cross_entropy(x, labels)
    loss.backward()
    for row, output in zip(step.rows, outputs):
        assert row.gradient == pytest.approx(np.linalg.norm(output.grad.numpy()), rel=1e-4)
    assert step.rows[-1].gradient == 1 and step.loss == pytest.approx(loss.item(), rel=1e-5)


def test_times_are_there_and_add_up(lenet):
    *_, step = lenet
    assert all(row.forward > 0 and row.backward > 0 for row in step.rows)
    assert step.forward == sum(row.forward for row in step.rows)
    assert step.seconds > 0 and step.repeat == 2


def test_the_text_fits_a_terminal(lenet):
    *_, step = lenet
    lines = str(step).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-4].startswith("total") and "1.67 M" in lines[-4]
    assert lines[-1].endswith(f"ms, the median of 2; loss {step.loss:.4f}")
    assert "<td style='text-align: left'>Convolve</td>" in step._repr_html_()


def test_the_picture_has_a_bar_for_each_way(lenet):
    *_, step = lenet
    (axes,) = step.figure(dark=True).axes
    forward, backward = axes.containers
    np.testing.assert_allclose([bar.get_width() for bar in forward], [1e3 * row.forward for row in step.rows])
    np.testing.assert_allclose([bar.get_x() for bar in backward], [1e3 * row.forward for row in step.rows])
    assert axes.get_yticklabels()[0].get_text() == "0  Convolve"


def test_nothing_is_changed():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))
    net[0].weight.grad = mt.ones(2, 1, 3, 3)
    before = {name: x.clone() for name, x in net.state_dict().items()}
    call, gradients, state = Function.__call__, Function.gradients, get_rng_state()
    step = inspection.trace(net, mt.ones(5, 1, 4, 4), labels=mt.arange(5) % 3, repeat=1)
    assert {row.layer for row in step.rows} == {"0", "1", "2", "3", "4", "loss"}
    without = [row for row in step.rows if row.backward is None]
    assert len(without) > 5 and len(step._repr_html_().split("others</td>")) <= 4, "in a line for each run of them"
    assert "others: operations that no gradient reaches" in str(step)
    assert all(mt.equal(x, before[name]) for name, x in net.state_dict().items())
    assert mt.equal(net[0].weight.grad, mt.ones(2, 1, 3, 3)) and net[4].weight.grad is None
    assert (Function.__call__, Function.gradients) == (call, gradients)
    assert get_rng_state() == state and net.training
    assert not any(getattr(layer, "_forward_hooks", None) for layer in net.modules())


def test_an_error_leaves_nothing_behind():
    calls = []

    class Failing(nn.Linear):
        def forward(self, x):
            calls.append(Function.__call__)
            if len(calls) == 2:
                raise ValueError("at the second call, which is looked at")
            return super().forward(x)

    call, net = Function.__call__, Failing(2, 2)
    with pytest.raises(ValueError, match="at the second call"):
        inspection.trace(net, mt.ones(1, 2))
    assert calls[1] is not call, "it was looked at"
    assert Function.__call__ is call and not net._forward_hooks and not net._forward_pre_hooks


def test_other_losses_and_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 2)

        def forward(self, x, y):
            return self.a(x) * y

    x, y = mt.rand(4, 3), mt.rand(4, 2)
    step = inspection.trace(Two(), x, y, repeat=1)
    assert [(row.layer, row.operation) for row in step.rows] == [("a", "Linear"), ("", "Mul"), ("loss", "Sum")]
    step = inspection.trace(Two(), x, y, labels=y, loss=nn.MSELoss(), repeat=1)
    assert step.rows[-1].layer == "loss" and step.rows[0].multiply_adds == 4 * 3 * 2
    step = inspection.trace(Two(), x, y, loss=lambda output: (output**2).mean(), repeat=1)
    assert step.loss > 0


def test_the_operations_of_other_threads_are_not_noted():
    class Threaded(nn.Module):
        def forward(self, x):
            thread = threading.Thread(target=lambda: mt.exp(mt.ones(3)))
            thread.start()
            thread.join()
            return x * 2

    step = inspection.trace(Threaded(), mt.ones(2, requires_grad=True), repeat=1)
    assert [row.operation for row in step.rows] == ["Scale", "Sum"]


def test_what_is_wrong_is_told():
    with pytest.raises(TypeError, match="trace expected a Module, got function"):
        inspection.trace(lambda x: x, mt.ones(1))
    with pytest.raises(ValueError, match="expected repeat to be at least 1, got 0"):
        inspection.trace(nn.Linear(1, 1), mt.ones(1), repeat=0)
    calls = []

    class Growing(nn.Linear):
        def forward(self, x):
            calls.append(1)
            return super().forward(x) * 2 if len(calls) > 4 else super().forward(x)

    with pytest.raises(RuntimeError, match="expected the same operations in each step"):
        inspection.trace(Growing(1, 1), mt.ones(1, 1), repeat=2)


@pytest.mark.parametrize(
    ("number", "text", "bytes"),
    [
        (0, "-", "-"),
        (7, "7", "7 B"),
        (999, "999", "999 B"),
        (1000, "1 k", "0.977 KiB"),
        (30_105_600, "30.1 M", "28.7 MiB"),
    ],
)
def test_numbers_in_short(number, text, bytes):
    assert in_short(number) == text and in_short(number, 1024, "B") == bytes
