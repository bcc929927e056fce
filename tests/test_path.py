"""benchmarks/path.py counts the source that a training step passes through."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "path.py"


def listed(*options):
    """What the script prints, in a process of its own: the threads of this one would be traced for ever after."""
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    return {line.split(":")[0].split()[-1]: line for line in lines}, last


@pytest.mark.parametrize(
    ("options", "entered"),
    [
        ([], ["nn/functional/convolution.py", "ops/convolution.py", "autograd/walk.py", "optim/sgd.py"]),
        (["--train"], ["data/dataloader.py", "training/loop.py", "autograd/walk.py"]),
    ],
)
def test_the_files_that_a_step_passes_through_are_listed_and_counted(options, entered):
    files, total = listed("--files", *options)
    assert set(entered) <= set(files)
    assert "backward" in files["autograd/walk.py"] and " grad," not in files["autograd/walk.py"]
    counts = re.fullmatch(r"(\d+) files, (\d+) functions, ([\d,]+) source lines", total)
    assert len(files) == int(counts[1])
    assert sum(int(line.split()[1]) for line in files.values()) == int(counts[2])
    assert sum(int(line.split()[0]) for line in files.values()) == int(counts[3].replace(",", ""))
