"""PyTorch's own samples, run here: what it computes we compute, what it refuses we refuse.

Nobody here chose these inputs. How many of them there are, and how many are left out for a declared reason, is
committed in counts.json, so that coverage cannot shrink unseen. ``python tests/bank/report.py`` counts them anew.
"""

import re
from pathlib import Path

import pytest
from bank import report, table
from bank.runner_nn import MODULES, OPTIMIZERS
from helpers import needs_torch

pytestmark = pytest.mark.elsewhere("the PyTorch that setup.cfg pins, and what its samples need")


def check(name):
    needs_torch()
    import torch

    result = report.run(name)
    shown = "\n\n".join(" | ".join(failure) for failure in result.failures[:5])
    assert not result.failures, f"{len(result.failures)} samples of {name} differ, among them:\n{shown}"
    if torch.__version__.split("+")[0] == report.committed()["torch"]:
        assert result.as_dict() == report.committed()["counts"][name], "python tests/bank/report.py --update, if meant"


@pytest.mark.parametrize("name", list(table.TABLE))
def test_operation(name):
    check(name)


@pytest.mark.parametrize("name", MODULES)
def test_layer(name):
    check(name)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    check(name)


def test_nothing_is_counted_that_is_not_run():
    assert set(report.committed()["counts"]) == {*table.TABLE, *MODULES, *OPTIMIZERS}


def test_the_report_counts_and_says_when_that_is_not_what_was_saved(monkeypatch, capsys):
    needs_torch()
    monkeypatch.setattr(report, "families", lambda: {"product": ["dot"]})
    saved = report.committed()["counts"]["dot"]
    report.main(["--saved"])
    assert f"| product | 1 | {saved['samples']} |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="counts.json says otherwise"):  # of one operation only
        report.main([])
    assert f"| all | 1 | {saved['samples']} |" in capsys.readouterr().out


def test_the_pages_have_the_counts(capsys):
    needs_torch()
    report.main(["--saved"])
    root, printed = Path(__file__).parents[2], capsys.readouterr().out.strip()
    assert printed in (root / "docs" / "how-it-is-checked.md").read_text(encoding="utf-8")
    _, operations, samples, gradients, second, *_ = re.search(r"^\| all \|.*", printed, re.MULTILINE)[0].split(" | ")
    readme = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert f"{int(samples):,} samples of {operations} operations" in readme
    assert f"{int(gradients):,} gradients and {int(second):,} second derivatives" in readme
