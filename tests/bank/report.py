"""How many of PyTorch's own samples this library computes as PyTorch does: ``python tests/bank/report.py``.

It runs all of them, which takes a minute or two, and prints what it has counted. With ``--update`` it also writes the
counts to counts.json, where the tests look; with ``--saved`` it runs nothing, and prints what stands there.
"""

import functools
import json
import sys
from collections import Counter
from pathlib import Path

COUNTS = Path(__file__).with_name("counts.json")
COLUMNS = ("samples", "gradients", "second derivatives", "strided", "methods", "in place", "errors", "skipped")


@functools.cache
def committed():
    """The counts that the tests assert, and the version of PyTorch that they belong to."""
    return json.loads(COUNTS.read_text(encoding="utf-8"))


def families():
    """What is run, by family."""
    from bank.runner_nn import MODULES, OPTIMIZERS
    from bank.table import FAMILIES

    return {name: list(family) for name, family in FAMILIES.items()} | {"layer": MODULES, "optimizer": OPTIMIZERS}


def run(name):
    """All samples of an operation, a layer or an optimizer; the same ones every time."""
    import torch
    from bank import runner, runner_nn

    import minitorch_cnn as mt

    torch.manual_seed(0)
    mt.manual_seed(0)
    if name in runner_nn.MODULES:
        return runner_nn.run_module(name)
    return (runner_nn.run_optimizer if name in runner_nn.OPTIMIZERS else runner.run)(name)


def count():
    """Run everything, and return the counts by name, as counts.json has them."""
    import torch
    from tqdm import tqdm

    counts = {}
    for name in tqdm([name for family in families().values() for name in family], disable=None, leave=False):
        result = run(name)
        if result.failures:
            sys.exit(f"{name}: {len(result.failures)} samples differ, among them {' | '.join(result.failures[0])}")
        counts[name] = result.as_dict()
    return {"torch": torch.__version__.split("+")[0], "counts": counts}


def show(found):
    """Print one line for each family, and why samples were left out."""
    rows, reasons = {}, Counter()
    for family, names in families().items():
        rows[family] = total = Counter(operations=len(names))
        for name in names:
            counts = dict(found["counts"][name])
            skipped = counts.pop("skipped", {})
            total.update(counts)
            total["skipped"] += sum(skipped.values())
            reasons.update(skipped)
    rows["all"] = sum(rows.values(), Counter())
    columns = ("operations", *COLUMNS)
    print(f"Samples of PyTorch {found['torch']} that agree\n")
    print("| family | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    for family, row in rows.items():
        print(f"| {family} | " + " | ".join(str(row[column]) for column in columns) + " |")
    print("\nLeft out: " + "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common()))


def main(options):
    """Count, or read what was counted; and print it."""
    found = committed() if "--saved" in options else count()
    show(found)
    if "--update" in options:
        COUNTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    elif found != committed():
        sys.exit("\ncounts.json says otherwise: see git diff after --update")


if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[2]), str(here.parents[1])]
    main(sys.argv[1:])
