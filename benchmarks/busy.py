"""How much a LeNet step slows down where others use the cores: ``python benchmarks/busy.py``.

Two processes that do nothing but count run beside the contenders, on whatever cores the system gives them. Rounds
without them and with them take turns; in each round, every contender takes one turn. What counts is the ratio of its
time in a busy round to that in the quiet round before.
"""

import argparse
import contextlib
import subprocess
import sys
import time

import numpy as np
from lenet_step import OURS, check
from shown import announce, save, table, times
from turns import Worker, significant, take_turns, versions

BUSY = 2  # processes
CONTENDERS = {
    OURS: ("ours", {}),
    f"{OURS}, one thread": ("ours", {"threads": 1}),
    "PyTorch": ("pytorch", {}),
    "PyTorch, one thread": ("pytorch", {"threads": 1}),
}


@contextlib.contextmanager
def others(count):
    """So many processes that keep a core busy each, if there are so many cores."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(0.3)  # until they have started
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(batch, turns, seconds):
    """Seconds per step of each contender in quiet and in busy rounds, and their ratio with its quartiles."""
    quiet, busy = [], []
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(f"contenders.{module}:lenet", {"batch": batch, **options}))
            for name, (module, options) in CONTENDERS.items()
        }
        check(workers)
        for i in range(turns):
            quiet.append(take_turns(workers, 1, seconds, seed=i))
            with others(BUSY):
                busy.append(take_turns(workers, 1, seconds, seed=i))
        used = versions(workers)
    rows = {}
    for name in workers:
        alone, beside = (np.concatenate([measured[name] for measured in rounds]) for rounds in (quiet, busy))
        ratio = [significant(value) for value in np.percentile(beside / alone, [25, 50, 75])]
        rows[name] = {"quiet": significant(np.median(alone)), "busy": significant(np.median(beside)), "ratio": ratio}
    return rows, used


def tables(results):
    """A line for each contender."""
    return table(
        ["", "alone, ms per step", f"beside {BUSY} busy processes, ms", "busy / alone (quartiles)"],
        [
            [name, f"{row['quiet'] * 1e3:.1f}", f"{row['busy'] * 1e3:.1f}", times(row["ratio"])]
            for name, row in results["rows"].items()
        ],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--turns", type=int, default=20, help="rounds of each kind")
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn (default: 0.5)")
    args = parser.parse_args()

    rows, used = measure(args.batch, args.turns, args.seconds)
    announce(f"LeNet, batch {args.batch}: a step beside busy processes", used)
    print("\n".join(["", *tables({"rows": rows})]))
    save("busy", {"batch": args.batch, "turns": args.turns, "seconds per turn": args.seconds}, used, rows=rows)


if __name__ == "__main__":
    main()
