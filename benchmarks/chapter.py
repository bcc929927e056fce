"""The chapter's training, side by side with the stock PyTorch script: ``python benchmarks/chapter.py``.

Each run is a process of its own, from the start of Python to its end: imports, reading the data (which minitorch_cnn
verifies), ten epochs with an evaluation after each, and saving (which only minitorch_cnn does). The two alternate.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
from shown import announce, figure, load, save, save_figure, table, times
from turns import ENVIRONMENT, FOLDER, Worker, compare

import minitorch_cnn as mt
from minitorch_cnn.data.fashion_mnist import cache_folder

OURS, THEIRS = "minitorch_cnn", "PyTorch, stock script"
OUTCOME = re.compile(r"loss .*test acc [\d.]+")  # in the lines that both print after an epoch


def commands(folder, epochs, out):
    """How each of the two is started."""
    settings = ["--epochs", str(epochs)]
    return {
        OURS: [sys.executable, "-m", "minitorch_cnn", "train", *settings, "--data-dir", folder, "--out", out],
        THEIRS: [sys.executable, "-W", "ignore", FOLDER / "chapter_pytorch.py", *settings, folder],
    }


def run(command):
    """Seconds of wall clock, and the last epoch's line."""
    begun = time.perf_counter()
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - begun
    return seconds, OUTCOME.findall(done.stdout)[-1]


def measure(folder, epochs, turns):
    """Alternate between the two."""
    seconds, outcomes = {OURS: [], THEIRS: []}, {OURS: [], THEIRS: []}
    for turn in range(turns):
        with tempfile.TemporaryDirectory() as out:
            both = list(commands(folder, epochs, f"{out}/run").items())
            for name, command in both if turn % 2 == 0 else both[::-1]:
                spent, outcome = run(command)
                seconds[name].append(spent)
                outcomes[name].append(outcome)
                print(f"{name}: {spent:.1f} s, {outcome}", flush=True)
    rows = compare({name: np.array(values) for name, values in seconds.items()}, OURS)
    for name in rows:
        rows[name] |= {"each": [round(value, 2) for value in seconds[name]], "outcomes": outcomes[name]}
    return rows


def tables(results):
    """One line for each of the two."""
    epochs = results["settings"]["epochs"]
    rows = [
        [name, f"{row['seconds']:.1f}", times(row["ratio"]), row["outcomes"][-1]]
        for name, row in results["runs"].items()
    ]
    return table(["", f"{epochs} epochs, s", "its time / ours (quartiles)", "result of the last run"], rows)


def plot(results):
    """Every run as a point, on a bar of the median."""
    fig, (ax,) = figure(8, 1.8)
    for i, row in enumerate(results["runs"].values()):
        ax.barh(i, row["seconds"], color=f"C{2 * i}", alpha=0.5, height=0.6)
        ax.plot(row["each"], [i] * len(row["each"]), "o", color=f"C{2 * i}", ms=5)
        ax.annotate(
            f"{row['seconds']:.0f} s", (max(row["each"]), i), xytext=(8, 0), textcoords="offset points", va="center"
        )
    ax.set_yticks(range(len(results["runs"])), list(results["runs"]))
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set(xlabel=f"wall clock of {results['settings']['epochs']} epochs, the whole process (s)")
    save_figure(fig, "chapter")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--data-dir", default=str(cache_folder()), help="folder of Fashion-MNIST, downloaded if missing"
    )
    args = parser.parse_args()

    for train in (True, False):
        mt.data.FashionMNIST(args.data_dir, train=train)  # so that no run has to download it
    used = {}
    for name, factory in ((OURS, "contenders.ours:lenet"), (THEIRS, "contenders.pytorch:lenet")):
        with Worker(factory, {"batch": 8}) as worker:
            used[name] = worker.greeting["versions"]
    announce(f"LeNet on Fashion-MNIST, batch 256, {args.epochs} epochs, with data and evaluation", used)
    runs = measure(args.data_dir, args.epochs, args.turns)
    settings = {"epochs": args.epochs, "turns": args.turns}
    print("\n".join(["", *tables({"settings": settings, "runs": runs})]))
    save("chapter", settings, used, runs=runs)
    plot(load("chapter"))


if __name__ == "__main__":
    main()
