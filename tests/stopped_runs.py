# ruff: noqa: E402 (the first lines set what the later imports read)
"""Stop a training at each of its steps and file operations, go on with it, and compare: `python stopped_runs.py`.

One process that has everything imported forks one child after the other. A child trains a small network with momentum,
dropout and batch normalization on five batches, for two epochs, by the command; at its k-th operation it kills itself,
or gets a signal. Another child goes on with ``--resume``. Prints a line of JSON: how many were stopped, and each
whose end is not that of a training that was never stopped.
"""

import builtins
import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
root = Path(__file__).parents[1]
sys.path[:0] = [str(root), str(root / "tests")]

import requests  # noqa: F401 (imported here, and not anew in each child)
import safetensors.numpy  # noqa: F401
import tqdm  # noqa: F401
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import cli, data, models, nn, optim, training
from minitorch_cnn.data import files

KILL, ASK, INSIST = "SIGKILL", "SIGTERM", "SIGTERM twice"
LATER = "SIGTERM and later SIGKILL"  # within the save that the first asks for


class Stop:
    """Counts what the training does, and stops it at its k-th operation of a kind."""

    def __init__(self, way=None, kind="file", at=0):
        self.way, self.kind, self.at, self.later = way, kind, at, 0
        self.counts = {"file": 0, "step": 0}
        if way == LATER:  # `at` is an operation of the save
            self.kind, self.at, self.later = "step", 3 if at % 2 else 8, at

    def passes(self, kind):
        """Count one operation; return whether it is the one at which to stop."""
        self.counts[kind] += 1
        if self.later < 0 and kind == "file":  # struck once
            self.later += 1
            if self.later == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.way is not None and kind == self.kind and self.counts[kind] == self.at

    def strike(self):
        if self.way == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        self.later = -self.later
        for _ in range(2 if self.way == INSIST else 1):
            os.kill(os.getpid(), signal.SIGTERM)

    def around(self, function, kind="file"):
        """The function, counted; if it is the one, the stop comes after it, at odd counts before it."""

        def counted(*args, **kwargs):
            strikes = self.passes(kind)
            if strikes and self.at % 2:
                self.strike()
            try:
                return function(*args, **kwargs)
            finally:
                if strikes and not self.at % 2:
                    self.strike()

        return counted

    def install(self):
        for name in ("fsync", "replace", "mkdir", "unlink"):
            setattr(os, name, self.around(getattr(os, name)))
        stop = self

        class File:
            """A file for writing, which can be stopped with half of a content written."""

            def __init__(self, *args):
                self.file = stop.around(builtins.open)(*args)

            def write(self, content):
                if stop.passes("file"):
                    self.file.write(content[: len(content) // 2])
                    self.file.flush()
                    stop.strike()
                    content = content[len(content) // 2 :]
                self.file.write(content)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.file.close()

            def __getattr__(self, name):
                return getattr(self.file, name)

        files.open = File
        optim.SGD.step = self.around(optim.SGD.step, "step")


def prepare():
    """The small network and data in place of LeNet and Fashion-MNIST; pictures that take no time."""
    data.FashionMNIST = TinyFashion
    models.LeNet = lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 12), nn.BatchNorm1d(12), nn.Sigmoid(), nn.Dropout(0.2), nn.Linear(12, 10)
    )
    plain, training.History.to_png = optim.SGD, lambda history: b"picture" + history.to_csv().encode()

    class Momentum(plain):
        def __init__(self, parameters, lr):
            super().__init__(parameters, lr=lr, momentum=0.9)

    optim.SGD = Momentum
    warnings.simplefilter("ignore")


def command(folder, arguments, stop, threads):
    """Run the command in a child; return its exit code, what it printed, and the counts of its operations."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.chdir(folder)
        printed, code = io.StringIO(), 99
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            mt.set_num_threads(threads)
            stop.install()
            try:
                code = cli.main(["train", "--device", "cpu", "--batch-size", "32", "--epochs", "2", *arguments])
            except BaseException as error:
                print(f"{type(error).__name__}: {error}")
        os.write(writing, json.dumps([printed.getvalue(), stop.counts]).encode())
        os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, *(json.loads(text) if text else ("", {}))


def signature(run):
    """All that has to be the same in the end: but for seconds and speed, it is all."""
    last, epochs = run.load(), sorted(run.every_epoch.iterdir())
    moved = hashlib.sha256()
    for number, state in sorted(last.optimizer["state"].items()):
        moved.update(f"{number} {sorted(state)}".encode() + state["momentum_buffer"].numpy().tobytes())
    with open(run.folder / "metrics.csv", newline="") as file:
        table = [row[:4] for row in csv.reader(file)]
    return [
        sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.name != ".lock"),
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in (run.weights, run.best, *epochs)],
        {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in last.model.items()},
        moved.hexdigest(), last.optimizer["param_groups"], last.rng, [row[:4] for row in last.history], table,
        last.within,
    ]  # fmt: skip


def is_true(said, run):
    """Whether what was said of the end of a run is what is on the disk."""
    if "No epoch was finished and saved" in said:
        return not run.checkpoint.exists()
    checkpoint = run.load()
    epochs, within = len(checkpoint.history), checkpoint.within
    told = f"Epoch {epochs} is finished and saved" in said if epochs else "finished and saved" not in said
    return told and (not within or f"{within['batch']} of 5 batches of epoch {epochs + 1} are saved" in said)


def stopped(place, way, kind, at, whole):
    """Stop, go on, compare; return what is wrong, or nothing."""
    folder = Path(tempfile.mkdtemp(dir=place))
    run = training.Run(folder / "run")
    code, said, _ = command(folder, ["--out", "run"], Stop(way, kind, at), threads=1 + at % 2)
    expected = {KILL: {-signal.SIGKILL}, ASK: {143, 0}, INSIST: {143}, LATER: {143, -signal.SIGKILL}}[way]
    if code not in expected:
        return f"ended with {code}: {said}"
    if code == 143 and not is_true(said, run):
        return f"said: {said}"
    if code == 0 and signature(run) != whole:
        return "finished, but otherwise"
    if code:
        how = ["--resume"] if run.checkpoint.exists() else []
        code, said, _ = command(folder, [*how, "--out", "run"], Stop(), threads=2 - at % 2)
        if code:
            return f"went on and ended with {code}: {said}"
    if signature(run) != whole:
        names = ["files", "weights", "model", "momentum", "groups", "random", "history", "table", "within"]
        differ = [name for name, a, b in zip(names, signature(run), whole) if a != b]
        return f"ended otherwise in {differ}"
    shutil.rmtree(folder)
    return None


def main(share, shares):
    prepare()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        begun = time.monotonic()
        code, said, counts = command(place, ["--out", "run"], Stop(), threads=1)
        assert code == 0, said
        whole = signature(training.Run(Path(place, "run")))
        points = [(LATER, "file", at) for at in range(1, 21)]
        points += [
            (way, kind, at)
            for way, kind in itertools.product((KILL, ASK, INSIST), counts)
            for at in range(1, counts[kind] + 1)
        ]
        wrong = {}
        for way, kind, at in points[share::shares]:
            if problem := stopped(place, way, kind, at, whole):
                wrong[f"{way} at {kind} {at}"] = problem
        seconds = time.monotonic() - begun
    print(json.dumps({"stopped": len(points[share::shares]), "wrong": wrong, "seconds": seconds}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["0", "1"]))
