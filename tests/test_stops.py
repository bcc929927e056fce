"""A training that is stopped, at whatever moment, loses nothing; and it tells the truth about what it has saved."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import cli, data, nn, optim, training
from minitorch_cnn.cli.signals import Interrupted, Signals
from minitorch_cnn.data import saving
from minitorch_cnn.training import Diverged, Run

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
TESTS = Path(__file__).parent


@posix
def test_stopped_at_every_step_and_file_operation_it_ends_as_if_it_had_not_been_stopped():
    """Some 290 times: by SIGKILL, SIGTERM, a second SIGTERM; before, after and within writes; on 1 and 2 threads."""
    command = [sys.executable, str(TESTS / "stopped_runs.py")]
    halves = [subprocess.Popen([*command, str(half), "2"], stdout=subprocess.PIPE, text=True) for half in (0, 1)]
    results = [json.loads(half.communicate(timeout=600)[0]) for half in halves]
    assert sum(result["stopped"] for result in results) > 200
    assert {name: text for result in results for name, text in result["wrong"].items()} == {}


# --- signals -------------------------------------------------------------------------------------------------


@pytest.fixture
def command(capfd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)

    def run(*arguments):
        code = cli.main(["train", "--device", "cpu", "--batch-size", "32", *map(str, arguments)])
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(autouse=True)
def _no_signal_is_ignored():
    """As a shell may have made SIGINT for what it runs in the background."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def signal_at(monkeypatch, step, number):
    """Get a signal in a step of the next training."""
    really, count = optim.SGD.step, [0]

    def counted(self):
        count[0] += 1
        if count[0] == step:
            os.kill(os.getpid(), number)
        return really(self)

    monkeypatch.setattr(optim.SGD, "step", counted)


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_signal_ends_the_training_after_its_batch(command, monkeypatch, name, code):
    before = signal.getsignal(getattr(signal, name))
    signal_at(monkeypatch, 3, getattr(signal, name))
    got, _, err = command("--epochs", 2, "--out", "run")
    assert got == code
    assert "Ending after this batch, with a checkpoint. Once more: at once." in err
    assert "3 of 5 batches of epoch 1 are saved. To go on after them:" in err
    assert "minitorch-cnn train --resume --out run" in err and "Traceback" not in err
    assert signal.getsignal(getattr(signal, name)) is before
    assert Run("run").load().within["batch"] == 3


@posix
def test_a_signal_in_the_last_batch_of_an_epoch_ends_after_the_epoch(command, monkeypatch):
    signal_at(monkeypatch, 5, signal.SIGTERM)
    code, out, err = command("--epochs", 2, "--out", "run")
    assert code == 143 and "Epoch 1 is finished and saved. To go on after it:" in err and "epoch  1/2" in out
    assert Run("run").load().within is None


@posix
@pytest.mark.parametrize("step", [5, 7])
def test_a_rate_that_falls_goes_on_falling_where_it_was(command, monkeypatch, step):
    modern = ("--model", "lenet-modern", "--epochs", 2)
    assert command(*modern, "--out", "whole")[0] == 0
    with monkeypatch.context() as patch:
        signal_at(patch, step, signal.SIGTERM)
        assert command(*modern, "--out", "run")[0] == 143
    code, _, err = command("--resume", "--out", "run", "--epochs", 3)
    assert code == 1 and "begun with --epochs 2, it cannot go on with 3 (with --preset modern, all steps follow" in err
    assert command("--resume", "--out", "run")[0] == 0
    whole, parts = (Path(folder, "weights.safetensors").read_bytes() for folder in ("whole", "run"))
    assert whole == parts
    whole, parts = (Run(folder).load() for folder in ("whole", "run"))
    assert whole.schedule == parts.schedule and whole.optimizer["param_groups"] == parts.optimizer["param_groups"]


@posix
def test_what_nohup_ignores_stays_ignored(command, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signal_at(monkeypatch, 3, signal.SIGHUP)
        assert command("--epochs", 1, "--out", "run")[0] == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@posix
def test_before_and_after_the_steps_a_signal_ends_at_once():
    with Signals() as signals:
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.exit_code == 143
        signals.is_noting = True
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.exit_code == 130


def test_what_an_old_run_has_saved_is_not_said_of_the_one_that_replaces_it(command, monkeypatch):
    command("--epochs", 1, "--out", "run")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupt)
    code, _, err = command("--out", "run", "--overwrite")
    assert code == 130 and err.strip() == "No epoch was finished and saved."


def test_from_time_to_time_a_checkpoint_is_saved_within_the_epoch(command, monkeypatch):
    saved, really = [], Run.save
    monkeypatch.setattr(cli.running, "SAVE_EVERY", -1)

    def save(run, *arguments, within=None, **others):
        saved.append(within and within["batch"])
        really(run, *arguments, within=within, **others)

    monkeypatch.setattr(Run, "save", save)
    assert command("--epochs", 2, "--out", "run")[0] == 0
    assert saved == [1, 2, 3, 4, None] * 2


@pytest.mark.filterwarnings("default")
def test_a_checkpoint_within_the_epoch_that_cannot_be_saved_does_not_end_the_training(command, monkeypatch):
    monkeypatch.setattr(cli.running, "SAVE_EVERY", -1)
    really = Run.save

    def save(run, *arguments, within=None, **others):
        if within:
            raise OSError(28, "No space left on device", "run/checkpoint.safetensors")
        really(run, *arguments, **others)

    monkeypatch.setattr(Run, "save", save)
    code, _, err = command("--epochs", 1, "--out", "run")
    told = "minitorch-cnn: warning: no checkpoint was saved within the epoch: No space left on device: run/checkpoint"
    assert code == 0 and told in err
    assert len(Run("run").load().history) == 1


def test_an_interrupted_epoch_needs_the_same_batches(command, monkeypatch):
    signal_at(monkeypatch, 3, signal.SIGINT)
    command("--epochs", 2, "--out", "run")
    checkpoint = Run("run").load()
    net = mt.models.LeNet()
    batches = [(mt.zeros(2, 1, 28, 28), mt.arange(2))] * 4
    with pytest.raises(ValueError, match=r"had 5 batches, this one has 4: .* the data and the size of a batch"):
        training.train(net, batches, batches, epochs=2, within=checkpoint.within, progress=False)


def test_a_schedule_and_a_loaders_own_stream_go_on_where_they_were(tmp_path):
    """Stopped after each batch of an epoch, with a schedule and a loader that shuffles by a generator of its own."""

    def parts():
        mt.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
        optimizer = optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
        examples = data.TensorDataset(mt.rand(20, 3), mt.arange(20) % 2)
        loader = data.DataLoader(examples, 4, shuffle=True, generator=mt.Generator(3))
        return net, optimizer, optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5), loader

    def train(stop_at=None, resume=False):
        net, optimizer, schedule, loader = parts()
        checkpoint = training.load_checkpoint(tmp_path / "c") if resume else training.Checkpoint({})
        if resume:
            checkpoint.restore(net, optimizer, schedule)

        def on_step(progress):
            if (progress.epoch, progress.batch) == (2, stop_at):
                history, within = progress.history, progress.within()
                training.save_checkpoint(tmp_path / "c", net, optimizer, history, within=within, schedule=schedule)
                progress.stop()

        history = training.train(
            net, loader, loader, epochs=3, optimizer=optimizer, history=checkpoint.history, within=checkpoint.within,
            on_step=on_step, on_epoch=lambda *_: schedule.step(), progress=False,
        )  # fmt: skip
        return (
            [row[:4] for row in history],
            saving.serialize(net.state_dict()),
            optimizer.param_groups[0]["lr"],
        )

    whole = train()
    for batch in range(1, 5):
        train(stop_at=batch)
        assert train(resume=True) == whole


# --- what is not finite --------------------------------------------------------------------------------------


def loader(x, y, size=5):
    return data.DataLoader(data.TensorDataset(x, y), size)


def examples(n=20):
    rng = np.random.default_rng(0)
    return mt.from_numpy(rng.random((n, 4)).astype(np.float32)), mt.arange(n) % 2


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("data", r"epoch 1, at batch 2 \(step 2\): of the batch's 20 numbers, 2 are NaN or infinite: look at the data"),
        (
            "start",
            r"at batch 1 \(step 1\): already before the first step, .* not finite is Linear \(layer '2'\), 2\.bias",
        ),
        ("labels", r"at batch 1 \(step 1\): no label of the batch counts: all are ignore_index"),
        ("weights of classes", r"no label of the batch counts: .* or of classes with weight 0"),
    ],
)
def test_what_is_no_divergence_is_not_called_one(case, told):
    x, y = examples()
    net, loss = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2)), nn.functional.cross_entropy
    with mt.no_grad():
        if case == "data":
            x[7, 1], x[9, 3] = math.nan, math.inf
        if case == "start":
            net[2].bias[1] = math.inf
        if case == "labels":
            y[:5] = -100
        if case == "weights of classes":
            y[:5], loss = 1, nn.CrossEntropyLoss(mt.tensor([1.0, 0.0]))
    with pytest.raises(Diverged, match=told + r".* no smaller learning rate than 0\.1 will help\. Nothing of"):
        training.train(net, loader(x, y), loader(x, y), epochs=1, lr=0.1, loss=loss, progress=False)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_the_layer_that_went_first_is_named():
    x, y = examples()
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with mt.no_grad():
        net[0].weight.fill_(1e30)
        net[2].weight.fill_(1e30)
    told = r"the weights are finite, but the output of Linear \(layer '2'\) is not; training diverged\. Try a smaller"
    with pytest.raises(Diverged, match=rf"the loss became nan in epoch 1, at batch 1 \(step 1\): {told}"):
        training.train(net, loader(x, y), loader(x, y), epochs=1, progress=False)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_weights_that_the_last_step_of_an_epoch_made_infinite_are_not_saved(tmp_path):
    x, y = examples()
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    run, step, count = Run(tmp_path / "run"), optimizer.step, [0]
    run.prepare()

    def overflow():
        count[0] += 1
        if count[0] == 8:  # the last of epoch 2
            net[1].weight.grad = mt.full((2, 3), math.inf)
        step()

    optimizer.step = overflow
    told = r"weights became infinite or not a number in epoch 2, at batch 4 \(step 8\): .* \(layer '1'\), 1\.weight"
    with pytest.raises(Diverged, match=told):
        training.train(
            net, loader(x, y), loader(x, y), epochs=3, optimizer=optimizer, progress=False,
            on_epoch=lambda optimizer, history: run.save(net, optimizer, history, {}),
        )  # fmt: skip
    good = run.load()
    assert len(good.history) == 1 and all(weight.isfinite().all() for weight in good.model.values())
    before = run.checkpoint.read_bytes()
    with pytest.raises(Diverged, match=r"after epoch 1, the first layer whose weights are not finite is Linear"):
        run.save(net, optimizer, good.history, {})
    assert run.checkpoint.read_bytes() == before


def test_a_loss_that_explodes_but_stays_finite_gets_one_warning():
    x, y = examples()
    net = nn.Linear(4, 1)
    with pytest.warns(
        RuntimeWarning, match="the loss has grown to .* in epoch 1.* smaller learning rate than 3 may"
    ) as all:
        training.train(
            net, loader(x, y.float()[:, None]), loader(x, y.float()[:, None]), epochs=2, lr=3,
            loss=nn.MSELoss(), progress=False,
        )  # fmt: skip
    assert len(all) == 1


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_network_that_cannot_be_copied_is_no_other_error():
    class Odd(nn.Linear):
        def __deepcopy__(self, memo):
            raise ZeroDivisionError

    x, y = examples()
    net = Odd(4, 2)
    with mt.no_grad():
        net.weight.fill_(3e38)
    with pytest.raises(Diverged, match="the weights are finite, but the loss is not"):
        training.train(net, loader(x, y), loader(x, y), epochs=1, progress=False)


def test_a_run_that_diverges_exits_with_3_and_keeps_what_was_saved(command, monkeypatch):
    command("--epochs", 1, "--out", "run")
    before = Run("run").checkpoint.read_bytes()
    really, of_nan = training.train, lambda y_hat, y: nn.functional.cross_entropy(y_hat, y) * math.nan
    monkeypatch.setattr(training, "train", lambda *args, **settings: really(*args, loss=of_nan, **settings))
    code, _, err = command("--resume", "--out", "run", "--epochs", 2)
    assert code == 3
    assert "in epoch 2, at batch 1 (step 6): the weights are finite, but the loss is not" in err
    assert "Epoch 1 is finished and saved" in err
    assert Run("run").checkpoint.read_bytes() == before
