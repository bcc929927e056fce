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
from minitorch_cnn.backend import parallel


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


def steps_are_those_of_the_whole_batch(group):
    points = Points()
    for options in ({}, {"collate_fn": data.collate}):
        net, twin, loss = nn.Linear(3, 2), nn.Linear(3, 2), nn.CrossEntropyLoss()
        optimizer, by_itself = (mt.optim.SGD(n.parameters(), lr=0.1, momentum=0.9) for n in (net, twin))
        loader = data.DataLoader(points, batch_size=5, shuffle=True, **options)
        batches, mean, shared = group.prepare(net, loader, loss, optimizer)
        twin.load_state_dict(net.state_dict())
        state = mt.get_rng_state()
        whole = list(loader)  # batches of 5, 5 and 1: the last has no example for the first process
        mt.set_rng_state(state)
        points.read.clear()
        for (x, y), (all_x, all_y) in zip(batches, whole, strict=True):
            by_itself.zero_grad()
            loss(twin(all_x), all_y).backward()
            by_itself.step()
            shared.zero_grad()
            mean(net(x), y).backward()
            shared.step()
            assert group.sum(len(x)) == len(all_x)
            for p, expected in zip(net.parameters(), twin.parameters(), strict=True):
                np.testing.assert_allclose(p.grad.numpy(), expected.grad.numpy(), rtol=1e-6, atol=1e-7)
                np.testing.assert_allclose(p.detach().numpy(), expected.detach().numpy(), rtol=1e-6, atol=1e-7)
                assert p.grad.dtype == mt.float32
        if not options:
            assert len(points.read) == (5, 7)[group.rank]  # of 11; an empty part has the form of one that was read
        assert shared.param_groups is optimizer.param_groups and shared.state_dict().keys() == {"state", "param_groups"}


def what_has_no_gradient_gets_none(group):
    used, unused, frozen = nn.Linear(1, 1).double(), nn.Linear(1, 1), nn.Linear(1, 1)
    net = nn.Sequential(used, unused, frozen)
    frozen.requires_grad_(False)
    group.start(net)
    if group.rank:  # the first process has no example
        used(mt.ones(1, 1, dtype=mt.float64)).sum().backward()
    group.average_gradients(net.parameters(), group.rank)
    assert used.weight.grad.item() == 1.0 and used.weight.grad.dtype == mt.float64
    assert unused.weight.grad is None and frozen.weight.grad is None


def processes_with_other_batches_are_told(group):
    net = nn.Linear(1, 1)
    with pytest.raises(RuntimeError, match=r"add up to 2\.000 of it: the processes do not draw the same batches"):
        group.average_gradients(net.parameters(), 1.0)


def what_cannot_be_shared_is_refused(group):
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"Dropout \(layer '1'\) cannot be trained on 2 processes"):
        training.train(net, [0], [0], group=group)
    batches = [(mt.rand(6, 3), mt.tensor([0, 0, 0, 1, 1, 2]))]
    with pytest.raises(ValueError, match=r"need a loss that is the mean over examples"):
        loss = nn.CrossEntropyLoss(reduction="sum")
        training.train(nn.Linear(3, 3), batches, batches, loss=loss, group=group, progress=False)


def random_numbers_for_a_part_alone_are_told(group):
    """Otherwise the processes would go on with other batches each."""
    group.start(nn.Linear(1, 1))
    if group.rank:
        mt.rand(1)
        with pytest.raises(RuntimeError, match="process 1 is not at the same place in the stream of random numbers"):
            list(group.parts([(mt.ones(2, 1), mt.ones(2, 1))]))
    else:
        list(group.parts([(mt.ones(2, 1), mt.ones(2, 1))]))
    group.start(nn.Linear(1, 1))


def another_loss_is_measured_as_on_one_process(group):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((11, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [2.0], [3.0]], np.float32)
    rows = []
    for of in (group, training.Group()):
        mt.manual_seed(1)
        loader = data.DataLoader(data.TensorDataset(mt.tensor(x), mt.tensor(y)), 5, shuffle=True)
        net = nn.Linear(3, 1)
        rows += training.train(net, loader, loader, epochs=1, lr=0.1, loss=nn.MSELoss(), group=of, progress=False)
        rows += [training.evaluate(net, loader, group=of, loss=nn.MSELoss()).loss]
    assert np.isclose(rows[0].loss, rows[2].loss, rtol=1e-6) and np.isclose(rows[1], rows[3], rtol=1e-6)
    assert np.isnan([rows[0].train_acc, rows[0].test_acc]).all()


def all_processes_stop_together(group):
    batches = [(mt.ones(4, 3), mt.tensor([0, 1, 0, 1]))] * 9
    steps = []

    def stop_if_one_wants_to(progress):
        steps.append(progress.batch)
        if group.sum(int(group.rank == 1 and progress.batch == 4)):
            progress.stop()

    history = training.train(nn.Linear(3, 2), batches, batches, group=group, on_step=stop_if_one_wants_to)
    assert (steps, history) == ([1, 2, 3, 4], [])


def the_cores_of_a_machine_are_shared(group):
    threads = {thread for _ in range(20) for thread in parallel.run(lambda part: get_ident(), range(8))}
    assert 1 <= len(threads) <= group.threads == parallel.thread_count()


def the_first_process_calls_and_all_get_the_result(group):
    called = []
    assert group.once(lambda value: called.append(value) or 3, 1) == 3
    assert called == [1] * (group.rank == 0)
    assert group.sum(np.array([1, group.rank])).tolist() == [2, 1]


if __name__ == "__main__":
    with training.join() as group:
        the_first_process_decides_how_to_start(group)
        steps_are_those_of_the_whole_batch(group)
        what_has_no_gradient_gets_none(group)
        processes_with_other_batches_are_told(group)
        what_cannot_be_shared_is_refused(group)
        random_numbers_for_a_part_alone_are_told(group)
        another_loss_is_measured_as_on_one_process(group)
        all_processes_stop_together(group)
        the_cores_of_a_machine_are_shared(group)
        the_first_process_calls_and_all_get_the_result(group)
        print(f"all is well on rank {group.rank} of {group.size}")
