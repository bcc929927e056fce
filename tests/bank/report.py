"""How many of PyTorch's own samples this library computes as PyTorch does: ``python tests/bank/report.py``.

With ``--update``, runs all of them anew, which takes about a minute, and writes the counts to counts.json.
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


def update():
    """Run everything and write the counts."""
    import torch

    counts = {}
    for name in [name for family in families().values() for name in family]:
        result = run(name)
        if result.failures:
            sys.exit(f"{name}: {len(result.failures)} samples differ, among them {' | '.join(result.failures[0])}")
        counts[name] = result.as_dict()
    text = json.dumps({"torch": torch.__version__.split("+")[0], "counts": counts}, indent=1)
    COUNTS.write_text(text + "\n", encoding="utf-8")


def main():
    """Print one line for each family, and why samples were left out."""
    rows, reasons = {}, Counter()
    for family, names in families().items():
        rows[family] = total = Counter(operations=len(names))
        for name in names:
            counts = dict(committed()["counts"][name])
            skipped = counts.pop("skipped", {})
            total.update(counts)
            total["skipped"] += sum(skipped.values())
            reasons.update(skipped)
    rows["all"] = sum(rows.values(), Counter())
    columns = ("operations", *COLUMNS)
    print(f"Samples of PyTorch {committed()['torch']} that agree\n")
    print("| family | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    for family, row in rows.items():
        print(f"| {family} | " + " | ".join(str(row[column]) for column in columns) + " |")
    print("\nLeft out: " + "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common()))


if __name__ == "__main__":
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[2]), str(here.parents[1])]
    if "--update" in sys.argv:
        update()
    main()
