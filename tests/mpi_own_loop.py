"""What `Group` promises to a loop of one's own, as one of two processes: ``mpiexec -n 2 python tests/mpi_own_loop.py``.

Each process computes its part, and for comparison the whole batch by itself.
"""

import sys
from pathlib import Path
from threading import get_ident

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import data, nn, training


class Points(data.Dataset):
    """Points that remember which of them were read."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x, self.y = rng.standard_normal((11, 3)).astype(np.float32), rng.integers(0, 2, 11)
        self.read = []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.read.append(index)
        return mt.from_numpy(self.x[index]), int(self.y[index])


def the_first_process_decides_how_to_start(group):
    mt.manual_seed(group.rank)
    net = nn.Linear(3, 2)
    group.start(net)
    weights = group.world.allgather((net.weight.tolist(), mt.rand(3).tolist()))
    assert weights[0] == weights[1]


def gradients_are_those_of_the_whole_batch(group):
    points = Points()
    for options in ({}, {"collate_fn": data.collate}):
        points.read.clear()
        net, loss = nn.Linear(3, 2), nn.CrossEntropyLoss()
        group.start(net)
        loader = data.DataLoader(points, batch_size=5, shuffle=True, **options)
        state = mt.get_rng_state()
        whole = list(loader)  # batches of 5, 5 and 1: the last has no example for the first process
        mt.set_rng_state(state)
        points.read.clear()
        for (x, y, n), (all_x, all_y) in zip(group.parts(loader), whole, strict=True):
            net.zero_grad()
            loss(net(all_x), all_y).backward()
            expected = [p.grad.numpy().copy() for p in net.parameters()]
            net.zero_grad()
            if len(x):
                loss(net(x), y).backward()
            examples, _ = group.average_gradients(net, len(x) / n, len(x), mt.tensor(1.0))
            assert examples == n == len(all_x)
            for p, gradient in zip(net.parameters(), expected, strict=True):
                np.testing.assert_allclose(p.grad.numpy(), gradient, rtol=1e-6, atol=1e-7)
                assert p.grad.dtype == mt.float32
        if not options:
            assert len(points.read) == (5, 7)[group.rank]  # of 11; an empty part has the form of one that was read


def what_has_no_gradient_gets_none(group):
    used, unused, frozen = nn.Linear(1, 1).double(), nn.Linear(1, 1), nn.Linear(1, 1)
    net = nn.Sequential(used, unused, frozen)
    frozen.requires_grad_(False)
    group.start(net)
    if group.rank:  # the first process has no example
        used(mt.ones(1, 1, dtype=mt.float64)).sum().backward()
    group.average_gradients(net, group.rank)
    assert used.weight.grad.item() == 1.0 and used.weight.grad.dtype == mt.float64
    assert unused.weight.grad is None and frozen.weight.grad is None


def processes_with_other_batches_are_told(group):
    net = nn.Linear(1, 1)
    with pytest.raises(RuntimeError, match=r"add up to 2\.000 of it: the processes do not draw the same batches"):
        group.average_gradients(net, 1.0)


def layers_that_need_the_whole_batch_are_refused(group):
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"Dropout \(layer '1'\) cannot be trained on 2 processes.*shardable = True"):
        training.train(net, [0], [0], group=group)


def the_cores_of_a_machine_are_shared(group):
    threads = {thread for _ in range(20) for thread in training.map_shards(lambda x: get_ident(), mt.ones(8, 1))}
    assert 1 <= len(threads) <= group.threads


def the_first_process_calls_and_all_get_the_result(group):
    called = []
    assert group.once(lambda value: called.append(value) or 3, 1) == 3
    assert called == [1] * (group.rank == 0)
    assert group.sum(np.array([1, group.rank])).tolist() == [2, 1]


if __name__ == "__main__":
    with training.join() as group:
        the_first_process_decides_how_to_start(group)
        gradients_are_those_of_the_whole_batch(group)
        what_has_no_gradient_gets_none(group)
        processes_with_other_batches_are_told(group)
        layers_that_need_the_whole_batch_are_refused(group)
        the_cores_of_a_machine_are_shared(group)
        the_first_process_calls_and_all_get_the_result(group)
        print(f"all is well on rank {group.rank} of {group.size}, shards {group.shards(256)}")
