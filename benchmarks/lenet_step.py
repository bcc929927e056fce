"""One LeNet training step, side by side with other frameworks: ``python benchmarks/lenet_step.py``.

A step is forward, cross-entropy, backward and the update of SGD, in float32, each contender on all cores. All start
from the same weights on the same batch, and are turned away if the losses of their first five steps differ. Those
whose environment or compiler is not there are left out; `environments.py` makes the environments.

An older version is measured beside this one from a checkout of its own:

    git worktree add ../old COMMIT
    python benchmarks/lenet_step.py --against ../old
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from environments import python_of
from shown import announce, dot, figure, load, log_scale, save, save_figure, table, times
from turns import SOURCE, Worker, compare, peak_memory, take_turns, versions

OURS = "minitorch_cnn"
CONTENDERS = {
    OURS: ("ours", {}, None),
    "PyTorch": ("pytorch", {}, None),
    "PyTorch, channels_last": ("pytorch", {"channels_last": True}, None),
    "PyTorch, compiled": ("pytorch", {"compiled": True}, None),
    "JAX, jit": ("jax", {}, "numpy2"),
    "DeZero": ("dezero", {}, "numpy1"),
    "MyGrad": ("mygrad", {}, "numpy2"),
    "autograd": ("autograd", {}, "numpy2"),
}


def available(quick=False):
    """The contenders that can run here, as the arguments of a `Worker`."""
    found = {}
    for name, (module, options, environment) in CONTENDERS.items():
        python = python_of(environment) if environment else sys.executable
        if quick and (environment or "compiled" in options):
            continue
        if environment and not python.exists():
            print(f"without {name}: there is no environment {environment}, see environments.py")
        elif "compiled" in options and not (shutil.which("g++") or shutil.which("clang++")):
            print(f"without {name}: there is no C++ compiler")
        else:
            found[name] = f"contenders.{module}:lenet", options, python, SOURCE
    return found


def another(source):
    """The package of another checkout as a contender: the step of its training loop."""
    source = Path(source).resolve()
    if not (source / "minitorch_cnn" / "__init__.py").exists():
        raise FileNotFoundError(f"{source} holds no package minitorch_cnn; git worktree add makes a checkout")
    commit = subprocess.run(
        ["git", "-C", source, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    return {f"{OURS} at {commit}": ("contenders.ours:lenet", {}, sys.executable, source)}


def measure(contenders, batch, turns, seconds):
    """Times, ratios and peak memory at one batch size."""
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(factory, {"batch": batch, **options}, python, source))
            for name, (factory, options, python, source) in contenders.items()
        }
        check(workers)
        rows = compare(take_turns(workers, turns, seconds), OURS)
        used = versions(workers)
    for name, (factory, options, python, source) in contenders.items():
        rows[name]["memory"] = peak_memory(factory, {"batch": batch, **options}, python, source)
    return rows, used


def check(workers):
    """Nobody is to be measured on something else: the losses of five steps from equal weights are equal."""
    losses = {name: worker.greeting["check"] for name, worker in workers.items()}
    for name, values in losses.items():
        if not np.allclose(values, losses[OURS], rtol=0, atol=1e-3):
            raise RuntimeError(f"{name} computes something else: losses {values}, ours {losses[OURS]}")


def tables(results):
    """One table for each batch size."""
    lines = []
    for batch, rows in results["batches"].items():
        lines += ["", f"Batch {batch}:", ""]
        lines += table(
            ["", "ms per step", "its time / ours (quartiles)", "peak memory of a step, MiB"],
            [[name, f"{row['seconds'] * 1e3:.1f}", times(row["ratio"]), row["memory"]] for name, row in rows.items()],
        )
    return lines[1:]


def plot(results):
    """Time per image against the batch size, and the ratios at the chapter's batch size or the one nearest to it."""
    batches = {int(batch): rows for batch, rows in results["batches"].items()}
    names = list(next(iter(batches.values())))
    fig, (left, right) = figure(10, 4, columns=2)
    for i, name in enumerate(names):
        times_per_image = [rows[name]["seconds"] / n * 1e6 for n, rows in batches.items()]
        left.plot(list(batches), times_per_image, "o-", color=f"C{i}", lw=2.5 if name == OURS else 1.2, ms=4)
    log_scale(left, "x")
    log_scale(left, "y")
    left.set_xticks(list(batches), list(batches))
    left.set(xlabel="batch size (images)", ylabel="time of a step per image (µs)")
    batch = min(batches, key=lambda n: abs(n - 256))
    for i, row in enumerate(batches[batch].values()):
        dot(right, i, row["ratio"], f"C{i}")
    right.axvline(1, color="black", lw=0.8)
    right.set_yticks(range(len(names)), names)
    for i, label in enumerate(right.get_yticklabels()):
        label.set_color(f"C{i}")
    right.invert_yaxis()
    log_scale(right, "x")
    right.set(xlabel=f"its time / ours, batch {batch} (median and quartiles)")
    right.margins(x=0.15)
    save_figure(fig, "lenet_step")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 256, 1024], metavar="N")
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one turn (default: 0.1)")
    parser.add_argument("--quick", action="store_true", help="batch 256 against PyTorch alone; nothing is saved")
    parser.add_argument(
        "--against", metavar="DIR", help="a checkout of another version, to measure as well; it is not saved"
    )
    args = parser.parse_args()

    older = another(args.against) if args.against else {}
    contenders, batches = available(args.quick) | older, {}
    for batch in [256] if args.quick else args.batches:
        batches[batch], used = measure(contenders, batch, args.turns, args.seconds)
        if len(batches) == 1:
            announce("LeNet: forward, cross-entropy, backward, SGD; float32", used)
        print("\n".join(["", *tables({"batches": {batch: batches[batch]}})]), flush=True)
    if not args.quick:
        for name in older:
            for measured in (used, *batches.values()):
                del measured[name]
        save("lenet_step", {"turns": args.turns, "seconds per turn": args.seconds}, used, batches=batches)
        plot(load("lenet_step"))


if __name__ == "__main__":
    main()
