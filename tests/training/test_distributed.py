"""Several processes make the weights of one up to rounding, and one that fails ends them all."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import cli, data, nn, training
from minitorch_cnn.training.parts import Parts

TESTS = Path(__file__).parents[1]
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
launches = pytest.mark.elsewhere("MPI's launcher")
MISSING = None if MPIEXEC and find_spec("mpi4py") else "this needs mpi4py and mpiexec: pip install mpi4py mpich"


@pytest.fixture
def start(tmp_path):
    """Start a script of tests/ on some processes in a folder of the test's own."""
    if MISSING and os.environ.get("CI"):
        pytest.fail(MISSING)
    if MISSING:
        pytest.skip(MISSING)
    started = []

    def start(processes, script, *arguments, fault=None):
        environment = {**os.environ, "MPLBACKEND": "agg", **({"FAULT": fault} if fault else {})}
        command = [MPIEXEC, "-n", str(processes), sys.executable, str(TESTS / script), *map(str, arguments)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **streams))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def train(start):
    """Train on some processes; return the exit code, and what was printed to the two streams."""

    def train(processes, *arguments, fault=None):
        process = start(processes, "mpi_command.py", "train", "--device", "cpu", *arguments, fault=fault)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return train


@pytest.fixture
def train_alone(monkeypatch, tmp_path):
    """Train in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    return lambda *arguments: cli.main(["train", "--device", "cpu", *map(str, arguments)])


def weights(folder):
    return {name: tensor.numpy() for name, tensor in training.load_weights(folder / "weights.safetensors").items()}


def largest_difference(first, second):
    first, second = weights(first), weights(second)
    return max(np.abs(first[name] - second[name]).max() for name in first)


# --- the same weights ------------------------------------------------------------------------------------


@launches
def test_two_processes_make_the_weights_of_one_up_to_rounding(train, train_alone, tmp_path):
    recipe = "--batch-size", 30, "--epochs", 2  # the last batch of an epoch has 10
    assert train_alone(*recipe, "--out", "one") == 0
    code, out, err = train(2, *recipe, "--out", "two")
    assert (code, err) == (0, "")
    assert largest_difference(tmp_path / "one", tmp_path / "two") < 1e-6
    one, two = (training.load_checkpoint(tmp_path / run / "checkpoint.safetensors").history for run in ("one", "two"))
    np.testing.assert_allclose([row[:4] for row in one], [row[:4] for row in two], rtol=1e-6)
    lines = out.splitlines()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shared = next(i for i, line in enumerate(lines) if line.startswith("2 processes share each batch; "))
    assert f"; threads of each: {max(1, cores // 2)}." in lines[shared]
    assert lines[shared + 1] == "  mpiexec -n 2 minitorch-cnn train --resume --out two"
    assert sum(line.startswith("epoch ") for line in lines) == 2


@launches
def test_three_processes_and_a_batch_of_two(train, train_alone, tmp_path):
    recipe = "--batch-size", 79, "--epochs", 2  # 160 = 79 + 79 + 2
    train_alone(*recipe, "--out", "one")
    code, _, err = train(3, *recipe, "--out", "three")
    assert (code, err) == (0, "")
    assert largest_difference(tmp_path / "one", tmp_path / "three") < 1e-6


@launches
def test_a_loop_of_ones_own(start):
    out, err = start(2, "mpi_own_loop.py").communicate(timeout=60)
    assert (out, err) == ("all is well on rank 0 of 2\n", "")


# --- failures --------------------------------------------------------------------------------------------


@launches
def test_a_killed_process_ends_all_and_another_number_goes_on(train, train_alone, tmp_path):
    recipe = "--batch-size", 32, "--epochs", 2  # five steps in each
    code, out, err = train(2, *recipe, "--out", "run", fault="kill 1 7")
    assert code != 0
    assert "Killed" in out + err
    assert "mpiexec -n 2 minitorch-cnn train --resume --out run" in out
    assert len(training.load_checkpoint(tmp_path / "run/checkpoint.safetensors").history) == 1
    code, out, err = train(3, "--resume", "--out", "run")
    assert (code, err) == (0, "")
    assert "going on after epoch 1" in out
    train_alone(*recipe, "--out", "whole")
    assert largest_difference(tmp_path / "run", tmp_path / "whole") < 1e-6


@launches
def test_an_exception_on_one_process_ends_all(train, tmp_path):
    code, _, err = train(2, "--batch-size", 32, "--epochs", 2, "--out", "run", fault="raise 1 7")
    assert code == 1
    assert err.count("Traceback") == 1
    assert re.search(r"ZeroDivisionError on rank 1 of 2, \S+, \S+mpi_command.py:\d+: a fault in step 7\n", err)
    assert "This ends all 2 processes." in err
    assert len(training.load_checkpoint(tmp_path / "run/checkpoint.safetensors").history) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@launches
def test_ctrl_c_ends_all_and_says_how_to_go_on(start):
    """Even while one process waits for the sum of gradients, where no signal reaches Python."""
    arguments = "train", "--device", "cpu", "--batch-size", 32, "--epochs", 2, "--out", "run"
    process = start(2, "mpi_command.py", *arguments, fault="hang 1 7")
    assert process.stderr.readline() == "hanging\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Epoch 1 is finished and saved" in err
    assert "minitorch-cnn train --resume --out run" in err
    assert "Traceback" not in err


@launches
def test_what_all_processes_run_into_is_told_once(train):
    code, _, err = train(2, "--batch-size", 32, "--lr", "1e38")
    assert code == 3
    assert err.count("the loss became") == 1
    assert "Diverged on rank 0 of 2" in err
    assert "Traceback" not in err


# --- what processes can share ----------------------------------------------------------------------------


class World:
    """MPI as the first of two processes sees it, if the other one does and has what it does and has."""

    def bcast(self, value):
        return value

    def allreduce(self, value):
        return 2 * value


@pytest.fixture
def group():
    group = training.Group()
    group.size, group.world = 2, World()
    return group


def batch_norm_without_running_statistics():
    return nn.BatchNorm1d(3, track_running_stats=False).eval()


@pytest.mark.parametrize(
    "make",
    [
        nn.Dropout, lambda: nn.BatchNorm1d(3), lambda: nn.BatchNorm2d(3), lambda: nn.Softmax(0),
        lambda: nn.LogSoftmax(0), batch_norm_without_running_statistics,
    ],
)  # fmt: skip
def test_layers_that_need_the_whole_batch_are_refused(group, make):
    layer = make()
    with pytest.raises(ValueError, match=rf"{type(layer).__name__} \(layer '0.1'\) cannot be trained on 2 processes"):
        group.start(nn.Sequential(nn.Sequential(nn.Flatten(), layer)))


def test_other_layers_and_layers_that_are_frozen_are_shared(group):
    class Block(nn.Module):
        def forward(self, x):
            return x + x.relu()

    group.start(nn.Sequential(mt.models.LeNet(), Block(), nn.LogSoftmax(1), nn.Softmax(-1)))
    group.start(nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.BatchNorm1d(2)).eval())


MEANS = {
    "cross-entropy": (nn.CrossEntropyLoss(), mt.int64),
    "cross-entropy as a function": (nn.functional.cross_entropy, mt.int64),
    "smoothed labels": (nn.CrossEntropyLoss(label_smoothing=0.1), mt.int64),
    "negative log-likelihood": (nn.NLLLoss(), mt.int64),
    "squared error": (nn.MSELoss(), mt.float32),
    "absolute error": (lambda y_hat, y: (y_hat - y).abs().mean(), mt.float32),
}
OTHERS = {
    "sum": (nn.CrossEntropyLoss(reduction="sum"), mt.int64),
    "weights of classes": (nn.CrossEntropyLoss(weight=mt.tensor([1.0, 2.0, 30.0])), mt.int64),
    "an ignored label": (nn.CrossEntropyLoss(ignore_index=0), mt.int64),
    "half of the labels ignored": (nn.NLLLoss(ignore_index=0), mt.int64),
    "perplexity": (lambda y_hat, y: nn.functional.cross_entropy(y_hat, y).exp(), mt.int64),
    "the largest error": (lambda y_hat, y: (y_hat - y).abs().max(), mt.float32),
    "every output with every target": (lambda y_hat, y: ((y_hat[:, :1] - y[:, 0]) ** 2).mean(), mt.float32),
    "squared error, summed": (nn.MSELoss(reduction="sum"), mt.float32),
}


def outputs_and_targets(dtype, n):
    rng = np.random.default_rng(n)
    y_hat = mt.tensor(rng.standard_normal((n, 3)), dtype=mt.float32, requires_grad=True)
    y = np.arange(n) * 2 // max(n, 1) if dtype == mt.int64 else rng.standard_normal((n, 3))
    return y_hat, mt.tensor(y, dtype=dtype)


@pytest.mark.parametrize("n", [1, 2, 7, 128])
@pytest.mark.parametrize("name", MEANS)
def test_a_mean_over_examples_is_shared(group, name, n):
    loss, dtype = MEANS[name]
    y_hat, y = outputs_and_targets(dtype, n)
    assert mt.equal(group.mean(loss)(y_hat, y), loss(y_hat, y))


@pytest.mark.parametrize("n", [2, 7, 128])
@pytest.mark.parametrize("name", OTHERS)
def test_another_loss_is_refused(group, name, n):
    """The gradients of parts, weighted by their numbers of examples, would not add up to those of the batch."""
    loss, dtype = OTHERS[name]
    with pytest.raises(ValueError, match="2 processes share a batch, and need a loss that is the mean over examples"):
        group.mean(loss)(*outputs_and_targets(dtype, n))


def test_a_sum_over_a_single_example_is_refused(group):
    with pytest.raises(ValueError, match="the mean of its two halves"):
        group.mean(nn.MSELoss(reduction="sum"))(*outputs_and_targets(mt.float32, 1))


def test_a_loss_that_is_no_number_is_left_to_the_loop(group):
    y_hat, y = outputs_and_targets(mt.int64, 4)
    assert not group.mean(nn.CrossEntropyLoss())(y_hat * float("nan"), y).isfinite()


def test_an_empty_part_has_no_loss_and_zero_gradients(group):
    net = nn.Linear(3, 3)
    _, y = outputs_and_targets(mt.int64, 0)
    l = group.mean(nn.CrossEntropyLoss())(net(mt.ones(0, 3)), y)
    l.backward()
    assert (l.item(), net.weight.grad.tolist(), net.bias.grad.tolist()) == (0.0, [[0.0] * 3] * 3, [0.0] * 3)


def test_processes_that_would_shuffle_otherwise_are_told(group):
    batches = group.parts([(mt.ones(4, 1), mt.zeros(4))])
    assert len(list(batches)) == 1
    group.world.bcast = lambda state: {**state, "other": 1}
    with pytest.raises(RuntimeError, match="not at the same place in the stream of random numbers"):
        list(batches)


def test_what_one_process_works_with_stays_as_it_is():
    group, net, loss, batches = training.Group(), nn.Dropout(0.5), nn.MSELoss(reduction="sum"), [(1, 2)]
    optimizer = mt.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    prepared = group.prepare(net, batches, loss, optimizer)
    assert all(ours is given for ours, given in zip(prepared, (batches, loss, optimizer), strict=True))


# --- joining, and parts ----------------------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch):
    """As if mpiexec had started this process, one of two."""
    for name in ("OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PMI_SIZE", "2")


@pytest.mark.parametrize("variable", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_RANK"])
def test_a_missing_mpi4py_is_explained(launched, monkeypatch, train_alone, capsys, variable):
    monkeypatch.delenv("PMI_SIZE")
    monkeypatch.setenv(variable, "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert train_alone() == 1
    err = capsys.readouterr().err
    assert "mpiexec started several processes, but mpi4py cannot be used" in err
    assert "pip install 'minitorch_cnn[mpi]'" in err


def test_the_mpiexec_of_another_library_is_noticed(launched, monkeypatch):
    """Otherwise each process would be a group of one, and all would write to one folder."""
    mpi = types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(size=1), Get_library_version=lambda: "Some MPI 4\n")
    monkeypatch.setitem(sys.modules, "mpi4py", types.SimpleNamespace(MPI=mpi))
    with pytest.raises(RuntimeError, match=r"started 2 processes, but mpi4py sees 1: .* uses, Some MPI 4"):
        training.join()


def test_without_mpiexec_nothing_of_mpi_is_imported(launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for size in ("1", None):
        monkeypatch.setenv("PMI_SIZE", size) if size else monkeypatch.delenv("PMI_SIZE")
        with training.join() as group:
            assert (group.rank, group.size) == (0, 1)
            assert group.once(len, "abc") == group.sum(3) == 3


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_parts_cover_each_batch_once(size):
    x = mt.arange(40).reshape(20, 2)
    for batches in ([(x, x)], data.DataLoader(data.TensorDataset(x, x), 5)):
        parts = [Parts(batches, rank, size) for rank in range(size)]
        assert all(len(part) == len(batches) for part in parts)
        for of_one_batch, (whole, _) in zip(zip(*parts, strict=True), batches, strict=True):
            assert mt.equal(mt.cat([x for x, _ in of_one_batch]), whole)
            lengths = [len(x) for x, y in of_one_batch if mt.equal(x, y)]
            assert len(lengths) == size and max(lengths) - min(lengths) <= 1
            assert [part.share for part in parts] == [length / len(whole) for length in lengths]
