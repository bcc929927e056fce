"""Contenders that take turns, and ratios with their spread.

Each contender is a process of its own (see `worker.py`), so that neither its threads nor its settings of the memory
pool touch another's, and so that each may live in an environment of its own. They take turns within one run: what
else the machine does slows all of them alike, and the ratio of two contenders is taken turn by turn.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parent  # this one is measured, wherever it is installed
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE)}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an import is that of a program that has run before


class Worker:
    """A contender in a process of its own.

    Parameters
    ----------
    factory : str
        ``"module:function"``, for `worker.py`.
    options : dict
        The arguments of that function.
    python : path-like
        The Python of the environment it needs; by default this one.
    source : path-like
        The checkout whose package it imports; by default this one.
    """

    def __init__(self, factory, options, python=sys.executable, source=SOURCE, memory=False):
        flags = ["--memory"] if memory else []
        self.name = f"{factory} {json.dumps(options)}"
        self.process = subprocess.Popen(
            [python, "-W", "ignore", FOLDER / "worker.py", factory, json.dumps(options), *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**ENVIRONMENT, "PYTHONPATH": str(source)},
        )  # fmt: skip
        self.greeting = self._answer()

    def turn(self, seconds):
        """Seconds per step, in a turn that takes about so many seconds."""
        print(seconds, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.__exit__()
            raise RuntimeError(f"{self.name} ended with exit code {self.process.returncode}; see its messages above")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def take_turns(workers, turns, seconds=0.1, pause=0.05, seed=0):
    """Seconds per step, an array for each worker: one number for each turn.

    The order is drawn anew for each round. The pause lets the threads of the last contender fall asleep: they wait
    for more work for some milliseconds, and would do so on the cores of the next one.
    """
    order = list(workers)
    measured = {name: [] for name in workers}
    shuffle = random.Random(seed).shuffle
    for _ in range(turns):
        shuffle(order)
        for name in order:
            time.sleep(pause)
            measured[name].append(workers[name].turn(seconds))
    return {name: np.array(values) for name, values in measured.items()}


def peak_memory(factory, options, python=sys.executable, source=SOURCE):
    """MiB that two steps add to the resident memory of a fresh process, at their peak; None where it cannot be read."""
    with Worker(factory, options, python, source, memory=True) as worker:
        return worker.greeting["peak"]


def compare(measured, ours):
    """Median time of each contender, and the median ratio to our time with its quartiles."""
    rows = {}
    for name, values in measured.items():
        low, ratio, high = np.percentile(values / measured[ours], [25, 50, 75])
        rows[name] = {"seconds": significant(np.median(values)), "ratio": [significant(r) for r in (low, ratio, high)]}
    return rows


def significant(number, digits=4):
    """A number with no more digits than mean something."""
    return float(f"{number:.{digits}g}")


def versions(workers):
    """The versions of every worker, each said once."""
    return {name: worker.greeting["versions"] for name, worker in workers.items()}
