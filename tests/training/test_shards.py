"""A batch in shards on threads: the same gradients, and never a bit of difference by the number of threads."""

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.training import backward_in_shards, forward_in_shards, map_shards, shards

ROOT = Path(__file__).parents[2]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return mt.tensor(rng.random((30, 1, 28, 28))), mt.tensor(rng.integers(0, 10, 30))


def lenet():
    mt.manual_seed(0)
    net = mt.models.LeNet().double()
    net.apply(lambda m: nn.init.xavier_uniform_(m.weight) if type(m) in (nn.Linear, nn.Conv2d) else None)
    return net


def gradients(net):
    return [p.grad.numpy().copy() for p in net.parameters()]


@pytest.mark.parametrize("count", [1, 3, 4, 30, 64])
def test_gradients_loss_and_outputs_are_those_of_the_whole_batch(batch, count):
    x, y = batch
    net, loss = lenet(), nn.CrossEntropyLoss()
    expected_l = loss(net(x), y)
    expected_l.backward()
    expected = gradients(net)
    net.zero_grad()
    l, y_hat = backward_in_shards(net, loss, x, y, shards=count)
    assert not l.requires_grad and not y_hat.requires_grad
    np.testing.assert_allclose(l.item(), expected_l.item(), rtol=1e-12)
    np.testing.assert_allclose(y_hat.numpy(), net(x).detach().numpy(), rtol=1e-12)
    for got, want in zip(gradients(net), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-14)


@pytest.fixture
def use_threads():
    yield shards.use_threads
    shards.use_threads(None)


def test_the_number_of_threads_does_not_change_a_bit(batch, use_threads):
    x, y = (t.to(t.dtype if t.dtype == mt.int64 else mt.float32) for t in batch)
    results = []
    for threads in (1, 2, 4):
        use_threads(threads)
        net = lenet().float()
        l, _ = backward_in_shards(net, nn.CrossEntropyLoss(), x, y)
        results.append([l.numpy(), *gradients(net)])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_are_added_to_those_that_are_there(batch):
    x, y = batch
    net, loss = lenet(), nn.CrossEntropyLoss()
    backward_in_shards(net, loss, x, y)
    once = gradients(net)
    backward_in_shards(net, loss, x, y)
    for a, b in zip(once, gradients(net), strict=True):
        np.testing.assert_allclose(b, 2 * a)


class FunctionalDropout(nn.Module):
    """A class of a user's, who did not say that it is shardable."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


class Centre(nn.Sequential):
    def forward(self, x):
        return super().forward(x - x.mean(0))


class Noisy(nn.Identity):
    def forward(self, x):
        return x + mt.rand_like(x)


class Noise:
    forward = Noisy.forward


class Mixed(Noise, nn.Identity):
    pass


class Squared(nn.CrossEntropyLoss):
    def forward(self, input, target):
        return super().forward(input, target) ** 2


def given_another_forward():
    module = nn.Identity()
    module.forward = lambda x: x - x.mean(0)
    return module


def in_training(*modules):
    net = nn.Sequential(*modules).eval()
    net[0].train()
    return net


NOT_SHARDABLE = {
    "batch normalization": lambda: nn.BatchNorm2d(1).double(),
    "dropout": lambda: nn.Dropout(0.5),
    "dropout in a network in evaluation": lambda: in_training(nn.Dropout(0.5)),
}
NEVER_SHARDABLE = {
    "batch normalization without running statistics": lambda: nn.BatchNorm2d(1, track_running_stats=False).double(),
    "a module that does not say": lambda: nn.Sequential(FunctionalDropout()),
    "a container with a forward of its own": Centre,
    "a layer with a forward of its own": Noisy,
    "a layer with the forward of another class": Mixed,
    "a layer that was given a forward": given_another_forward,
}
WHOLE_LOSSES = {
    "class weights": lambda: nn.CrossEntropyLoss(weight=mt.tensor(np.arange(1.0, 11.0))),
    "sum": lambda: nn.CrossEntropyLoss(reduction="sum"),
    "an ignored label": lambda: nn.CrossEntropyLoss(ignore_index=3),
    "a loss with a forward of its own": Squared,
    "a function": lambda: lambda y_hat, y: nn.functional.cross_entropy(y_hat, y).exp(),
}
WHOLE = {
    **{name: (make, nn.CrossEntropyLoss) for name, make in {**NOT_SHARDABLE, **NEVER_SHARDABLE}.items()},
    **{name: (nn.Identity, make) for name, make in WHOLE_LOSSES.items()},
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_split_stays_whole(batch, name):
    x, y = batch
    head, loss = (make() for make in WHOLE[name])
    net = nn.Sequential(head, nn.Flatten(), nn.Linear(784, 10).double())
    mt.manual_seed(1)
    loss(net(x), y).backward()
    expected = gradients(net)
    net.zero_grad()
    mt.manual_seed(1)
    backward_in_shards(net, loss, x, y)
    assert all(np.array_equal(a, b) for a, b in zip(gradients(net), expected, strict=True))


@pytest.mark.parametrize("name", NEVER_SHARDABLE)
def test_what_cannot_be_split_stays_whole_in_evaluation(batch, name):
    net = nn.Sequential(NEVER_SHARDABLE[name](), nn.Flatten(), nn.Linear(784, 10).double()).eval()
    with mt.no_grad():
        mt.manual_seed(1)
        expected = net(batch[0])
    mt.manual_seed(1)
    assert mt.equal(forward_in_shards(net, batch[0]), expected)


def is_split(net, x):
    """Whether several threads, or one several times, compute the network."""
    calls = []
    net.append(Counting(calls))
    forward_in_shards(net, x)
    return len(calls) > 1


class Counting(nn.Module):
    """It says that it is shardable, and notes its calls."""

    shardable = True

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def forward(self, x):
        self.calls.append(len(x))
        return x


class Block(nn.Sequential):
    """A subclass that computes nothing of its own."""

    def __init__(self):
        super().__init__(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3), nn.LogSoftmax(1))


class WithList(Counting):
    def __init__(self):
        super().__init__([])
        self.parts = nn.ModuleList([nn.Tanh()])


class Residual(nn.Sequential):
    """A subclass that says again that its own forward is shardable."""

    shardable = True

    def forward(self, x):
        return x + super().forward(x)


def test_own_layers_and_classes_that_say_so_are_split(batch):
    x = batch[0]
    assert is_split(nn.Sequential(lenet()), x)
    assert is_split(nn.Sequential(Block(), Residual(nn.Sigmoid()), nn.MaxPool2d(2)).double(), x)
    assert is_split(nn.Sequential(WithList()), x)
    assert is_split(nn.Sequential(nn.BatchNorm2d(1).double(), nn.Dropout(0.5)).eval(), x)
    assert not is_split(nn.Sequential(nn.Dropout(0.5)), x)


def test_dropout_and_batch_normalization_are_split_in_evaluation(batch):
    x, _ = batch
    net = nn.Sequential(nn.BatchNorm2d(1).double(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(784, 10).double()).eval()
    np.testing.assert_allclose(forward_in_shards(net, x).numpy(), net(x).detach().numpy(), rtol=1e-12)


def test_frozen_and_unused_parameters_get_no_gradient(batch):
    x, y = batch
    net = lenet()
    net[0].weight.requires_grad = False
    net.unused = nn.Parameter(mt.zeros(3, dtype=mt.float64))
    backward_in_shards(net, nn.CrossEntropyLoss(), x, y)
    assert net[0].weight.grad is None and net.unused.grad is None and net[0].bias.grad is not None


def test_images_that_require_a_gradient_receive_it(batch):
    """As those that another network has made: it would learn nothing."""
    x, y = batch
    net, loss, factor = lenet(), nn.CrossEntropyLoss(), mt.tensor(2.0, dtype=mt.float64, requires_grad=True)
    backward_in_shards(net, loss, x * factor, y)
    (expected,) = mt.autograd.grad(loss(net(x * factor), y), factor)
    assert mt.equal(factor.grad, expected)


def test_an_error_in_a_shard_names_the_layer(batch):
    x, y = batch
    net = nn.Sequential(nn.Flatten(), nn.Linear(783, 10).double())
    with pytest.raises(RuntimeError, match=r"(?s)783.*784.*layer \"1\""):
        backward_in_shards(net, nn.CrossEntropyLoss(), x, y)


def test_an_error_on_another_thread_holds_no_shard(use_threads):
    """What a shard has computed is freed with the error, without Python's cyclic garbage collector."""
    use_threads(2)
    both, here, parts = threading.Barrier(2), threading.get_ident(), []

    def fail_there(part):
        parts.append(weakref.ref(part))
        both.wait(20)
        if threading.get_ident() != here:
            raise ValueError("there")

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ValueError, match="there"):
            map_shards(fail_there, mt.ones(2, 3), shards=2)
        assert len(parts) == 2 and all(part() is None for part in parts)
    finally:
        gc.enable()


def test_shards_take_over_whether_operations_are_recorded():
    weight = mt.ones(2, requires_grad=True)
    assert all(y.requires_grad for y in map_shards(lambda x: x * weight, mt.ones(8, 2)))
    with mt.no_grad():
        assert not any(y.requires_grad for y in map_shards(lambda x: x * weight, mt.ones(8, 2)))
    assert not forward_in_shards(nn.Linear(2, 2), mt.ones(8, 2)).requires_grad


def test_shards_cover_a_batch_that_they_do_not_divide():
    parts = map_shards(lambda x: x, mt.arange(10), shards=4)
    assert [len(part) for part in parts] == [2, 3, 2, 3]
    assert mt.equal(mt.cat(parts), mt.arange(10))


def test_batches_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"one length, got 6 and 8"):
        backward_in_shards(nn.Linear(3, 2), nn.CrossEntropyLoss(), mt.ones(6, 3), mt.zeros(8, dtype=mt.int64))
    with pytest.raises(ValueError, match=r"one length, got 0 and 8"):
        backward_in_shards(nn.Linear(3, 2), nn.CrossEntropyLoss(), mt.ones(0, 3), mt.zeros(8, dtype=mt.int64))


@pytest.mark.parametrize("loss", [nn.NLLLoss(), nn.MSELoss()])
def test_other_losses_that_are_means_over_examples_are_split(loss):
    net, x = nn.Sequential(nn.Linear(3, 2), Counting([])), mt.rand(10, 3)
    y = mt.rand(10, 2) if isinstance(loss, nn.MSELoss) else mt.zeros(10, dtype=mt.int64)
    expected = loss(net(x), y).item()
    net[1].calls.clear()
    l, _ = backward_in_shards(net, loss, x, y)
    assert sorted(net[1].calls) == [5, 5]
    assert l.item() == pytest.approx(expected)


# --- the threads -----------------------------------------------------------------------------------------


OVERLAP = """
from threading import Event, Thread
from threadpoolctl import threadpool_info
import minitorch_cnn as mt
from minitorch_cnn.training import map_shards

def blas():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

def first(_):
    inside.set()
    leave.wait(20)

def second(_):
    one.join(20)
    print(blas())

inside, leave = Event(), Event()
one, two = (Thread(target=map_shards, args=(f, mt.ones(1))) for f in (first, second))
print(blas())
one.start()
inside.wait(20)
two.start()
two.join(0.2)
leave.set()
two.join(20)
print(blas())
"""


def test_blas_has_its_threads_back_after_two_users_at_a_time():
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", OVERLAP], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, inside, after = done.stdout.splitlines()
    assert before == after
    assert set(inside) <= set("[1, ]")


def test_shards_in_a_shard_are_computed_on_its_thread(use_threads):
    use_threads(1)

    def nested(x):
        return [threading.get_ident(), *map_shards(lambda part: threading.get_ident(), x)]

    done = []
    thread = threading.Thread(target=lambda: done.extend(map_shards(nested, mt.ones(8, 1))), daemon=True)
    thread.start()
    thread.join(20)
    assert len(done) == 2
    assert all(len(set(idents)) == 1 for idents in done)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    map_shards(len, mt.ones(8))
    child = multiprocessing.get_context("fork").Process(target=map_shards, args=(len, mt.ones(8)))
    child.start()
    child.join(20)
    alive = child.is_alive()
    if alive:
        child.kill()
    assert not alive and child.exitcode == 0
