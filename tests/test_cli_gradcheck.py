"""The commands gradcheck and summary, on LeNet and on a network of the user's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minitorch_cnn import cli

MODEL = """
import minitorch_cnn as mt
from minitorch_cnn import nn

class Cube(mt.autograd.Function):
    def forward(self, x):
        return x**3

    def backward(self, dy, y, x):
        return (dy * SLOPE * x**2,)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(Cube()(self.first(x)))

class Mean(mt.autograd.Function):
    def forward(self, x):
        return x * 1

    def backward(self, dy, _y, x):
        return (dy.mean() + 0 * x,)

class Hidden(nn.Linear):
    def forward(self, x):
        return Mean()(super().forward(x)).sum()

class Kink(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(mt.zeros(2))

    def forward(self, x):
        return (x * 0 + self.bias).relu()

hidden = Hidden(4, 3)
dropout = nn.Sequential(nn.Linear(4, 3), nn.Dropout())

def broken():
    raise KeyError("no such thing")

def forward(x, w):
    return x @ w

def backward(dy, x, w):
    return dy @ w.T, x.T @ dy * SLOPE / 3
"""


@pytest.fixture
def command(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("right_net", "wrong_net"):
        (tmp_path / f"{name}.py").write_text(MODEL.replace("SLOPE", "3" if name == "right_net" else "2"))
        sys.modules.pop(name, None)

    yield command
    for name in ("right_net", "wrong_net"):
        sys.modules.pop(name, None)


def test_gradcheck_of_lenet(command, tmp_path):
    code, out, err = command("gradcheck", "--plot", "error.png")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "lenet, input (2, 1, 28, 28), seed 0: 63,274 elements"
    assert lines[1] == "eps 1e-06, allowed error 1e-07 + 0.001 |quotient|"
    assert len([line for line in lines if line.endswith("  ok")]) == 11
    assert lines[-2].startswith("11 of 11 gradients agree with their difference quotients. ")
    assert lines[-2].endswith("no mistake was found.")
    assert (tmp_path / "error.png").read_bytes().startswith(b"\x89PNG")


def test_gradcheck_of_a_right_and_a_wrong_model(command):
    code, out, err = command("gradcheck", "--model", "right_net:Net", "--input-shape", "2,4", "--full")
    assert (code, err) == (0, "") and "5 of 5 gradients agree" in out and "directions" not in out
    code, out, err = command("gradcheck", "--model", "wrong_net:Net", "--input-shape", "2,4", "--seed", 1)
    assert code == 1
    assert err == (
        "minitorch-cnn: the check failed for the gradients with respect to input 0, parameter first.weight, "
        "parameter first.bias\n"
    )
    assert "the gradient with respect to parameter first.bias, of shape (3,), is wrong in 3 of 3 elements." in out
    assert "backward gives 0.6667 times the quotient" in out


def test_gradcheck_of_nothing_and_of_what_a_sum_hides(command):
    code, out, err = command("gradcheck", "--input-shape", "0,1,28,28")
    assert code and err and "agree" not in out
    sizes = ("--model", "right_net:hidden", "--input-shape", "2,4")
    code, out, err = command("gradcheck", *sizes)
    assert code == 1 and err == "minitorch-cnn: the gradients agree, but an operation is wrong by itself\n"
    assert "the operation Mean, called by itself for a result of shape (2, 3), has a wrong backward" in out


def test_gradcheck_takes_the_settings(command):
    code, out, _ = command(
        "gradcheck", "--model", "right_net:Net", "--input-shape", "1,4", "--eps", "1e-4", "--atol", 0.5
    )
    assert code == 0 and "eps 0.0001, allowed error 0.5 + 0.001 |quotient|" in out


def test_gradcheck_of_dropout_needs_evaluation_mode(command):
    arguments = ("gradcheck", "--model", "right_net:dropout", "--input-shape", "8,4")
    code, _, err = command(*arguments)
    assert code == 1 and "dropout in training" in err and err.count("\n") == 1
    assert command(*arguments, "--eval")[0] == 0


def test_a_kink_is_reported_and_is_no_failure(command):
    code, out, err = command("gradcheck", "--model", "right_net:Kink", "--input-shape", "1,2")
    assert (code, err) == (0, "")
    assert "parameter bias, of shape (2,), meets a kink in 2 of 2 elements" in out
    assert "1 of 2 gradients agree" in out


def test_summary_of_lenet_and_of_a_model(command):
    code, out, err = command("summary")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split()[:3] == ["total", "61,706", "416,520"]
    code, out, _ = command("summary", "--model", "right_net:Net", "--input-shape", "7,4")
    assert code == 0 and "first    Linear  (7, 3)" in out
    assert command("summary", "--model", "right_net:dropout", "--input-shape", "7,4")[0] == 0  # not a class, a network


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "right_net",
            "expected lenet, lenet-modern, or a module and a name, such as mynet:Net, got 'right_net'",
        ),
        (":Net", "expected a module and a name"),
        ("nowhere:Net", "--model nowhere:Net: there is no module nowhere: go to the folder that has nowhere.py"),
        ("right_net:Nett", "--model right_net:Nett: the module right_net has no Nett"),
        ("right_net:broken", "--model right_net:broken: KeyError: 'no such thing'"),
        ("math:pi", "--model math:pi: expected an nn.Module or what makes one, got float"),
        ("right_net:Net", "right_net:Net: RuntimeError: Linear expects 4 input features, 28 came"),
    ],
)
@pytest.mark.parametrize("name", ["gradcheck", "summary"])
def test_wrong_models_are_explained(command, name, model, message):
    code, _, err = command(name, "--model", model)
    assert code == 1 and err.startswith("minitorch-cnn: ") and message in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input-shape", "2,x"), "expected sizes such as 2,1,28,28, got '2,x'"),
        (("--plot", "error.pdf"), "expected a name that ends in .png, got 'error.pdf'"),
        (("--eps", "0"), "expected a positive number, got '0'"),
        (("--seed", "-1"), "expected a whole number of at least 0, got '-1'"),
        (("--fast", "--full"), "not allowed with argument"),
    ],
)
def test_wrong_usage(command, arguments, message):
    code, _, err = command("gradcheck", *arguments)
    assert code == 2 and message in err


def test_a_picture_that_cannot_be_written(command):
    """It is said before the work."""
    code, out, err = command(
        "gradcheck", "--model", "right_net:Net", "--input-shape", "1,4", "--plot", "nowhere/error.png"
    )
    assert code == 2 and out == ""
    assert re.search(r"--plot: there is no folder '.*nowhere' to write 'nowhere/error.png' to", err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "run", "a.png", "--picture", "nowhere/a.png"),
        ("explore", "--out", "nowhere/a.html"),
        ("trace", "--picture", "nowhere/a.svg"),
    ],
)
def test_no_command_works_for_a_folder_that_is_not_there(command, arguments):
    code, out, err = command(*arguments)
    assert code == 2 and out == "" and "there is no folder" in err and "nowhere' to write" in err


def test_gradcheck_of_a_pair_of_functions(command, tmp_path):
    shapes = ("--shape", "2,3", "--shape", "3,2")
    code, out, err = command(
        "gradcheck", "--pair", "right_net:forward", "right_net:backward", *shapes, "--plot", "a.png"
    )
    assert (code, err) == (0, "") and "2 of 2 gradients agree" in out and (tmp_path / "a.png").exists()
    first = "right_net:forward and right_net:backward, inputs (2, 3) and (3, 2), seed 0: 12 elements"
    assert out.splitlines()[0] == first
    code, out, err = command("gradcheck", "--pair", "wrong_net:forward", "wrong_net:backward", *shapes, "--full")
    assert (
        code == 1
        and err.endswith("failed for the gradients with respect to input 1\n")
        and "0.6667 times the quotient" in out
    )


@pytest.mark.parametrize(
    ("pair", "shapes", "message"),
    [
        (("right_net:forward", "right_net:backward"), (), "--pair needs the shape of each input: --shape 2,3 for one"),
        (("right_net:forward", "backward"), ("2,3",), "--pair expected a module and a name"),
        (("right_net:forward", "right_net:back"), ("2,3",), "--pair right_net:back: the module right_net has no back"),
        (("right_net:forward", "right_net:backward"), ("2,3",), "right_net:backward: TypeError: forward() missing 1"),
        (("right_net:forward", "right_net:backward"), ("2,3", "2,3"), "right_net:backward: ValueError: matmul"),
    ],
)
def test_wrong_pairs_are_explained(command, pair, shapes, message):
    code, _, err = command("gradcheck", "--pair", *pair, *(word for shape in shapes for word in ("--shape", shape)))
    assert code == 1 and err.startswith("minitorch-cnn: ") and message in err and "Traceback" not in err


def test_progress_and_time_left_are_shown_in_a_terminal(command, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = command("gradcheck", "--model", "right_net:Net", "--input-shape", "2,4", "--full")
    assert code == 0 and "gradcheck: " in err and "/31 [" in err and "<" in err and "5 of 5" in out


def test_the_installed_command_finds_modules_of_the_present_folder(command, tmp_path):
    """A script's own folder is first in its path, not the present one."""
    code = "import sys; from minitorch_cnn import cli; sys.path.remove(''); sys.exit(cli.main())"
    arguments = ["summary", "--model", "right_net:Net", "--input-shape", "1,4"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
