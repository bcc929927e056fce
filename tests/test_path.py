"""benchmarks/path.py counts the source that a training step passes through."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import path


def test_a_function_counts_with_its_whole_source():
    from minitorch_cnn.ops import elementwise

    files = path.by_file(path.entered(lambda: elementwise.Exp().forward(path.mt.ones(2).array)))
    names, lines = files["ops/elementwise.py"]
    assert [name for _, name in names] == ["forward"] and len(lines) == 2


def test_the_step_passes_through_the_network_the_walk_and_the_update(capsys):
    files, functions, lines = path.main(["--files"])
    assert 10 < files < functions < lines
    text = capsys.readouterr().out
    for name in ("nn/functional/convolution.py", "ops/convolution.py", "autograd/walk.py", "optim/sgd.py"):
        assert f"  {name}: " in text
    assert text.endswith(f"{files} files, {functions} functions, {lines:,} source lines\n")


def test_the_loop_passes_through_the_loader_as_well(capsys):
    path.main(["--train", "--files"])
    text = capsys.readouterr().out
    assert "  data/dataloader.py: " in text and "  training/loop.py: " in text
