"""Where the wall clock of an epoch goes, steps, evaluation or data: ``python benchmarks/epoch.py``.

LeNet on Fashion-MNIST by the training loop, in this process. The two ways to make batches, when they are asked for
and ahead on a thread, take turns, an epoch each. Only the first of them does all its work between two steps.
"""

import argparse
import time

import numpy as np
from shown import announce, figure, load, save, save_figure, table, times
from turns import significant
from worker import versions

import minitorch_cnn as mt
from minitorch_cnn import data, training

CONTENDERS = {"batches made when asked for": 0, "batches made ahead, on a thread": 1}


class Epochs:
    """A network in training, and the seconds that each of its epochs spent on what."""

    def __init__(self, sets, batch, workers):
        self.train_iter = data.DataLoader(sets[0], batch, shuffle=True, num_workers=workers)
        self.test_iter = data.DataLoader(sets[1], batch, num_workers=workers)
        self.net = mt.models.LeNet().apply(mt.models.xavier_uniform)
        self.data, self.steps, self.evaluation, self.wall = [], [], [], []

    def turn(self):
        """An epoch; and a pass over both sets without steps, which is what data cost where nothing else is done."""
        reports, begun = [], time.perf_counter()
        (row,) = training.train(
            self.net, self.train_iter, self.test_iter, epochs=1, progress=False,
            on_report=lambda *_: reports.append(time.perf_counter()),
        )  # fmt: skip
        self.steps.append(len(self.train_iter.dataset) / row.examples_per_sec)
        self.evaluation.append(reports[-1] - reports[-2])
        self.wall.append(reports[-1] - begun)  # a row's own seconds are rounded
        begun = time.perf_counter()
        for batches in (self.train_iter, self.test_iter):
            for _ in batches:
                pass
        self.data.append(time.perf_counter() - begun)

    def row(self):
        """Medians, and the wall clock as a multiple of steps and evaluation, with quartiles."""
        names = ("steps", "evaluation", "wall", "data")
        row = {name: significant(np.median(getattr(self, name))) for name in names}
        quartiles = np.percentile(np.divide(self.wall, np.add(self.steps, self.evaluation)), [25, 50, 75])
        return row | {"ratio": [significant(ratio) for ratio in quartiles]}


def measure(sets, batch, turns):
    """Both ways in turns, after an epoch of each that does not count."""
    epochs = {name: Epochs(sets, batch, workers) for name, workers in CONTENDERS.items()}
    for turn in range(turns + 1):
        for each in list(epochs.values()) if turn % 2 else list(epochs.values())[::-1]:
            each.turn()
            if turn == 0:
                each.data, each.steps, each.evaluation, each.wall = [], [], [], []
    return {name: each.row() for name, each in epochs.items()}


def tables(results):
    """A line for each way."""
    return table(
        ["", "steps, s", "evaluation, s", "wall clock, s", "wall / (steps + evaluation)", "data alone, s"],
        [
            [name, *(f"{row[part]:.3f}" for part in ("steps", "evaluation", "wall")), times(row["ratio"]),
             f"{row['data']:.3f}"]
            for name, row in results["epochs"].items()
        ],
    )  # fmt: skip


def plot(results):
    """What an epoch consists of, one bar for each way."""
    fig, (ax,) = figure(8, 1.8)
    names = list(results["epochs"])
    for i, row in enumerate(results["epochs"].values()):
        rest = row["wall"] - row["steps"] - row["evaluation"]
        begun = 0.0
        for part, seconds in {"steps": row["steps"], "evaluation": row["evaluation"], "the rest": rest}.items():
            color = {"steps": "C0", "evaluation": "C1", "the rest": "C3"}[part]
            ax.barh(i, seconds, left=begun, height=0.6, color=color, label=part if i == 0 else None)
            begun += seconds
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="wall clock of an epoch (s)")
    ax.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    save_figure(fig, "epoch")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--images", type=int, default=60_000, help="of the training set (default: all 60,000)")
    parser.add_argument("--data-dir", help="folder of Fashion-MNIST, downloaded if missing")
    args = parser.parse_args()

    train, test = (data.FashionMNIST(args.data_dir, train=train) for train in (True, False))
    train = data.Subset(train, np.arange(min(args.images, len(train))))
    settings = {"images": len(train), "batch size": args.batch_size, "turns": args.turns}
    epochs = measure((train, test), args.batch_size, args.turns)
    used = {"minitorch_cnn": versions()}
    announce("One epoch of LeNet: steps on all cores, evaluation, and the data between them", used)
    print("\n".join(["", *tables({"epochs": epochs}), ""]))
    if len(train) == 60_000:
        save("epoch", settings, used, epochs=epochs)
        plot(load("epoch"))


if __name__ == "__main__":
    main()
