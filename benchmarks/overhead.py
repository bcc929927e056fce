"""The engine's overhead per operation, and import time, next to PyTorch's: ``python benchmarks/overhead.py``.

Tensors are 4×4, so that the arithmetic costs next to nothing. An import is a fresh process, `import` and nothing else,
less a process that imports nothing.
"""

import argparse
import contextlib
import subprocess
import sys
import time

import numpy as np
from contenders.operation import OPERATIONS, REPEAT
from shown import announce, figure, load, save, save_figure, table, times
from turns import ENVIRONMENT, Worker, compare, significant, take_turns, versions

OURS, THEIRS = "minitorch_cnn", "PyTorch"
LIBRARIES = {OURS: "minitorch_cnn", THEIRS: "torch"}
IMPORTS = ["numpy", "minitorch_cnn", "torch"]


def measure_operation(name, backward, turns, seconds):
    """Seconds per call and ratio of each library."""
    with contextlib.ExitStack() as stack:
        workers = {
            title: stack.enter_context(
                Worker("contenders.operation:operation", {"library": library, "name": name, "backward": backward})
            )
            for title, library in LIBRARIES.items()
        }
        if not np.allclose(*(worker.greeting["check"] for worker in workers.values()), atol=1e-4):
            raise RuntimeError(f"{name} is not the same in both: {[w.greeting['check'] for w in workers.values()]}")
        measured = take_turns(workers, turns, seconds)
        return compare({key: values / REPEAT for key, values in measured.items()}, OURS), versions(workers)


def measure_imports(turns):
    """Seconds that each import adds to the start of Python: median and quartiles."""
    seconds = {name: [] for name in ["", *IMPORTS]}
    for _ in range(turns):
        for name, values in seconds.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}" if name else ""], env=ENVIRONMENT, check=True)
            values.append(time.perf_counter() - begun)
    nothing = np.array(seconds.pop(""))
    return {
        name: [significant(value, 3) for value in np.percentile(np.array(values) - nothing, [25, 50, 75])]
        for name, values in seconds.items()
    }


def tables(results):
    """Operations, then imports."""
    rows = [
        [
            f"`{name}`",
            direction,
            *(f"{row[title]['seconds'] * 1e6:.2f}" for title in LIBRARIES),
            times(row[THEIRS]["ratio"]),
        ]
        for direction, operations in results["operations"].items()
        for name, row in operations.items()
    ]
    imports = [
        [f"`import {name}`", f"{median * 1e3:.0f} ({low * 1e3:.0f} to {high * 1e3:.0f})"]
        for name, (low, median, high) in results["imports"].items()
    ]
    return [
        *table(["operation", "", "ours, µs", "PyTorch, µs", "PyTorch's time / ours (quartiles)"], rows), "",
        *table(["", "ms (quartiles)"], imports),
    ]  # fmt: skip


def plot(results):
    """Bars for operations, forward and with backward, and for imports."""
    fig, axes = figure(10, 3.4, columns=3)
    for ax, (direction, operations) in zip(axes, results["operations"].items()):
        for i, title in enumerate(LIBRARIES):
            places = np.arange(len(operations)) + (i - 0.5) * 0.38
            ax.barh(
                places,
                [row[title]["seconds"] * 1e6 for row in operations.values()],
                0.36,
                color=f"C{2 * i}",
                label=title,
            )
        ax.set_yticks(range(len(operations)), list(operations), fontsize=8, family="monospace")
        ax.invert_yaxis()
        ax.set(xlabel=f"{direction}, one call (µs)")
    axes[0].legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    medians = [median * 1e3 for _, median, _ in results["imports"].values()]
    spread = [[abs(m - q[i]) * 1e3 for q in results["imports"].values() for m in [q[1]]] for i in (0, 2)]
    axes[2].barh(range(len(medians)), medians, 0.6, color=["C7", "C0", "C2"], xerr=spread, capsize=3)
    for i, median in enumerate(medians):
        axes[2].annotate(
            f"{median:.0f}", (median + spread[1][i], i), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes[2].set_yticks(range(len(medians)), list(results["imports"]), fontsize=8, family="monospace")
    axes[2].invert_yaxis()
    axes[2].margins(x=0.15)
    axes[2].set(xlabel="import, less Python's start (ms)")
    save_figure(fig, "overhead")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.05, help="of one turn (default: 0.05)")
    args = parser.parse_args()

    operations = {"forward": {}, "forward and backward": {}}
    for direction, rows in operations.items():
        for name in OPERATIONS:
            rows[name], used = measure_operation(name, direction != "forward", args.turns, args.seconds)
    announce("Overhead per operation on 4×4 tensors, and import time", used)
    results = {"operations": operations, "imports": measure_imports(args.turns)}
    print("\n".join(["", *tables(results)]))
    save("overhead", {"turns": args.turns, "seconds per turn": args.seconds}, used, **results)
    plot(load("overhead"))


if __name__ == "__main__":
    main()
