"""A batch in shards on threads: the same gradients, and never a bit of difference by the number of threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.training import backward_in_shards, forward_in_shards, map_shards, shards


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


def test_the_number_of_threads_does_not_change_a_bit(batch, monkeypatch):
    x, y = (t.to(t.dtype if t.dtype == mt.int64 else mt.float32) for t in batch)
    results = []
    for threads in (1, 2, 4):
        with ThreadPoolExecutor(threads) as pool:
            monkeypatch.setattr(shards, "_threads", lambda pool=pool: pool)
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


def whole_batch_cases():
    weighted = nn.CrossEntropyLoss(weight=mt.tensor(np.arange(1.0, 11.0)))
    return {
        "class weights": (nn.Sequential(), weighted),
        "sum": (nn.Sequential(), nn.CrossEntropyLoss(reduction="sum")),
        "an ignored label": (nn.Sequential(), nn.CrossEntropyLoss(ignore_index=3)),
        "batch normalization": (nn.Sequential(nn.BatchNorm2d(1).double()), nn.CrossEntropyLoss()),
        "dropout": (nn.Sequential(nn.Dropout(0.5)), nn.CrossEntropyLoss()),
        "a module that does not say": (nn.Sequential(FunctionalDropout()), nn.CrossEntropyLoss()),
        "a loss that does not say": (nn.Sequential(), lambda y_hat, y: nn.functional.cross_entropy(y_hat, y).exp()),
    }


class FunctionalDropout(nn.Module):
    """A class of a user's, who did not say that it is shardable."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


@pytest.mark.parametrize("name", whole_batch_cases())
def test_what_cannot_be_split_stays_whole(batch, name):
    x, y = batch
    head, loss = whole_batch_cases()[name]
    net = nn.Sequential(head, nn.Flatten(), nn.Linear(784, 10).double())
    mt.manual_seed(1)
    loss(net(x), y).backward()
    expected = gradients(net)
    net.zero_grad()
    mt.manual_seed(1)
    backward_in_shards(net, loss, x, y)
    assert all(np.array_equal(a, b) for a, b in zip(gradients(net), expected, strict=True))


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


def test_an_error_in_a_shard_names_the_layer(batch):
    x, y = batch
    net = nn.Sequential(nn.Flatten(), nn.Linear(783, 10).double())
    with pytest.raises(RuntimeError, match=r"(?s)783.*784.*layer \"1\""):
        backward_in_shards(net, nn.CrossEntropyLoss(), x, y)


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
