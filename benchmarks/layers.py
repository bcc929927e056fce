"""Single layers, forward and backward, side by side with PyTorch: ``python benchmarks/layers.py``.

Both gradients are asked for, those of the weights and that of the input. First a grid of geometries; then one
convolution as its batch, its channels and its images grow. Peak memory is what a step adds to the resident memory of
a fresh process.
"""

import argparse
import contextlib
import math

import numpy as np
from shown import announce, dot, figure, load, log_scale, save, save_figure, table, times
from turns import Worker, compare, peak_memory, significant, take_turns, versions

OURS, THEIRS = "minitorch_cnn", "PyTorch"
CONTENDERS = {
    OURS: {"library": "minitorch_cnn"},
    THEIRS: {"library": "torch"},
}


def case(kind, *args, shape, batch=32, **options):
    return {"kind": kind, "args": args, "shape": shape, "batch": batch, "options": options}


GEOMETRIES = {
    "conv 3×3, 64 → 64, 28²": case("Conv2d", 64, 64, 3, shape=(64, 28, 28), padding=1),
    "conv 1×1, 64 → 64, 28²": case("Conv2d", 64, 64, 1, shape=(64, 28, 28)),
    "conv 3×3, stride 2, 64 → 128, 28²": case("Conv2d", 64, 128, 3, shape=(64, 28, 28), stride=2, padding=1),
    "conv 3×3, depthwise, 64, 28²": case("Conv2d", 64, 64, 3, shape=(64, 28, 28), padding=1, groups=64),
    "conv 3×3, 4 groups, 64 → 64, 28²": case("Conv2d", 64, 64, 3, shape=(64, 28, 28), padding=1, groups=4),
    "conv 3×3, dilation 2, 64 → 64, 28²": case("Conv2d", 64, 64, 3, shape=(64, 28, 28), padding=2, dilation=2),
    "conv 5×5, 1 → 6, 28²": case("Conv2d", 1, 6, 5, shape=(1, 28, 28), padding=2, batch=256),
    "conv 5×5, 6 → 16, 14²": case("Conv2d", 6, 16, 5, shape=(6, 14, 14), batch=256),
    "conv 7×7, stride 2, 3 → 64, 112²": case("Conv2d", 3, 64, 7, shape=(3, 112, 112), stride=2, padding=3, batch=8),
    "conv 7×7, 16 → 16, 28²": case("Conv2d", 16, 16, 7, shape=(16, 28, 28), padding=3),
    "conv 11×11, 16 → 16, 28²": case("Conv2d", 16, 16, 11, shape=(16, 28, 28), padding=5),
    "transposed conv 2×2, stride 2, 64 → 32, 14²": case("ConvTranspose2d", 64, 32, 2, shape=(64, 14, 14), stride=2),
    "avg pool 2×2, 64, 28²": case("AvgPool2d", 2, shape=(64, 28, 28)),
    "max pool 2×2, 64, 28²": case("MaxPool2d", 2, shape=(64, 28, 28)),
    "max pool 3×3, stride 2, 64, 28²": case("MaxPool2d", 3, shape=(64, 28, 28), stride=2, padding=1),
    "batch norm, 64, 28²": case("BatchNorm2d", 64, shape=(64, 28, 28)),
    "sigmoid, 64, 28²": case("Sigmoid", shape=(64, 28, 28)),
    "linear, 400 → 120": case("Linear", 400, 120, shape=(400,), batch=256),
    "linear, 1024 → 1024": case("Linear", 1024, 1024, shape=(1024,), batch=256),
}


def conv3x3(batch=16, channels=32, size=28):
    return case("Conv2d", channels, channels, 3, shape=(channels, size, size), padding=1, batch=batch)


GROWTH = {
    "batch size (images)": {n: conv3x3(batch=n) for n in (1, 4, 16, 64, 256)},
    "channels": {c: conv3x3(channels=c) for c in (4, 8, 16, 32, 64, 128)},
    "height and width (pixels)": {s: conv3x3(size=s) for s in (7, 14, 28, 56, 112)},
}


def measure(case, turns, seconds):
    """Time, ratio and peak memory of each contender."""
    contenders = {name: {**case, **options} for name, options in CONTENDERS.items()}
    ours = next(iter(contenders))
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker("contenders.layer:layer", options)) for name, options in contenders.items()
        }
        check(workers, ours)
        rows = compare(take_turns(workers, turns, seconds), ours)
        used = versions(workers)
    for name, options in contenders.items():
        rows[name]["memory"] = peak_memory("contenders.layer:layer", options)
    return rows, used


def check(workers, ours):
    """All compute the same gradients."""
    sizes = {name: worker.greeting["check"] for name, worker in workers.items()}
    for name, values in sizes.items():
        if not np.allclose(values, sizes[ours], rtol=1e-3):
            raise RuntimeError(f"{name} computes something else: gradients of size {values}, ours {sizes[ours]}")


def row(name, contenders):
    """A line of the table."""
    cells = [f"{contenders[key]['seconds'] * 1e3:.2f}" for key in CONTENDERS]
    memory = [contenders[key]["memory"] for key in CONTENDERS]
    return [name, *cells, times(contenders[THEIRS]["ratio"]), *memory]


HEAD = [
    "layer", "ours, ms", "PyTorch, ms", "PyTorch's time / ours (quartiles)", "ours, MiB", "PyTorch, MiB",
]  # fmt: skip


def summary(geometries):
    """The geometric mean of PyTorch's time / ours over the geometries, and the least of them with its name."""
    ratios = {name: contenders[THEIRS]["ratio"][1] for name, contenders in geometries.items()}
    least = min(ratios, key=ratios.get)
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    return {"geometric mean": significant(mean), "least": [least, ratios[least]]}


def tables(results):
    """The geometries, then how one of them grows."""
    lines = table(HEAD, [row(name, contenders) for name, contenders in results["geometries"].items()])
    least, ratio = results["summary"]["least"]
    mean = results["summary"]["geometric mean"]
    lines += ["", f"PyTorch's time / ours: {mean:.2f} in the geometric mean of these; at least {ratio:.2f} ({least})."]
    for axis, cases in results["growth"].items():
        lines += ["", *table([axis, *HEAD[1:]], [row(size, contenders) for size, contenders in cases.items()])]
    return lines


def plot(results):
    """One picture of the geometries, and one of the growth."""
    geometries = results["geometries"]
    names = list(geometries)
    fig, (left, right) = figure(10, 0.28 * len(names) + 1.2, columns=2, sharey=True)
    for i, contenders in enumerate(geometries.values()):
        dot(left, i, contenders[THEIRS]["ratio"])
    left.axvline(1, color="black", lw=0.8)
    left.set(xlabel="PyTorch's time / ours (median and quartiles)", ylim=(len(names) - 0.5, -0.5))
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.margins(x=0.12)
    for name, color, marker in zip(CONTENDERS, ("C0", "C2"), "o^"):
        memory = [contenders[name]["memory"] for contenders in geometries.values()]
        there = [i for i, value in enumerate(memory) if value]
        right.plot([memory[i] for i in there], there, marker, color=color, ms=5, label=name)
    right.set(xlabel="peak memory of forward and backward (MiB)")
    right.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    log_scale(left, "x")
    log_scale(right, "x", ticks=(1, 3))
    for ax in (left, right):
        ax.grid(axis="y", lw=0.3)
    save_figure(fig, "layers")

    growth = results["growth"]
    fig, axes = figure(10, 5.5, rows=2, columns=len(growth), sharey="row")
    for column, (axis, cases) in zip(axes.T, growth.items()):
        sizes = [int(size) for size in cases]
        for name in CONTENDERS:
            chosen = [contenders[name] for contenders in cases.values()]
            column[0].plot(sizes, [c["seconds"] * 1e3 for c in chosen], "o-", ms=4, label=name)
            column[1].plot(sizes, [c["memory"] or np.nan for c in chosen], "o-", ms=4, label=name)
        for ax in column:
            log_scale(ax, "x")
            log_scale(ax, "y")
            ax.set_xticks(sizes, sizes)
        column[1].set_xlabel(axis)
    axes[0, 0].set_ylabel("time, forward and backward (ms)")
    axes[1, 0].set_ylabel("peak memory (MiB)")
    axes[0, 0].legend(fontsize=8, frameon=False)
    save_figure(fig, "layers_growth")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one turn (default: 0.1)")
    args = parser.parse_args()

    geometries, growth = {}, {}
    for name, layer in GEOMETRIES.items():
        geometries[name], used = measure(layer, args.turns, args.seconds)
        if len(geometries) == 1:
            announce("Single layers: forward and backward; float32", used)
            print("times of " + ", ".join(CONTENDERS) + "; PyTorch's time / ours (quartiles); then MiB of each")
        print("  ".join(map(str, row(name, geometries[name]))), flush=True)
    for axis, cases in GROWTH.items():
        growth[axis] = {}
        for size, layer in cases.items():
            growth[axis][size], _ = measure(layer, args.turns, args.seconds)
            print("  ".join(map(str, row(f"{axis} {size}", growth[axis][size]))), flush=True)
    settings = {"turns": args.turns, "seconds per turn": args.seconds}
    results = {"geometries": geometries, "summary": summary(geometries), "growth": growth}
    print("\n".join(["", *tables(results)]))
    save("layers", settings, used, **results)
    plot(load("layers"))


if __name__ == "__main__":
    main()
