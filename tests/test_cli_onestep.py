"""``graph`` and ``trace``: what they print, draw and refuse."""

import pytest

import minitorch_cnn as mt
from minitorch_cnn import training

SMALL = ("--input-shape", "4,1,28,28")


@pytest.fixture(autouse=True)
def _there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_graph_prints_and_draws_lenets(command, tmp_path):
    code, out, err = command("graph", *SMALL, "--picture", "g.svg", "--dark")
    assert (code, err) == (0, "")
    assert "(13)  CrossEntropy  (12), labels" in out and "images, input             4×1×28×28" in out
    assert out.endswith("drawn in g.svg\n") and b"<svg" in (tmp_path / "g.svg").read_bytes()[:600]
    assert command("graph", *SMALL, "--picture", "g.png")[0] == 0
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_trace_of_what_was_trained(command):
    net = mt.models.LeNet()
    with mt.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    training.save_weights("zeros.safetensors", net)
    code, out, err = command("trace", "zeros.safetensors", *SMALL, "--repeat", "1", "--picture", "t.png")
    assert (code, err) == (0, "")
    assert "the median of 1; loss 2.3026" in out, "all classes are equally likely"
    assert "0      Convolve" in out and out.endswith("drawn in t.png\n")


def test_a_network_of_ones_own(command, tmp_path):
    (tmp_path / "own_net.py").write_text(
        "from minitorch_cnn import nn\n"
        "def Net():\n    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 3))\n"
        "def Maps():\n    return nn.Conv2d(1, 1, 1)\n"
    )
    code, out, _ = command("graph", "--model", "own_net:Net", "--input-shape", "2,6")
    assert code == 0 and "2.weight, parameter" in out and "BatchNorm" in out
    code, out, _ = command("trace", "--model", "own_net:Net", "--input-shape", "2,6")
    assert code == 0 and "BatchNorm" in out
    code, _, err = command("trace", "--model", "own_net:Maps", "--input-shape", "2,1,3,3")
    assert code == 1 and "expected a network whose output has the shape (N, classes), got (1, 1, 3, 3)" in err


@pytest.mark.parametrize("name", ["graph", "trace"])
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--picture", "g.pdf"], 2, "expected a name that ends in .png or .svg, got 'g.pdf'"),
        (["--input-shape", "4,3,28,28"], 1, "expected an input of 1 channels"),
        (["nowhere"], 1, "there is no checkpoint nowhere/checkpoint.safetensors"),
        (["--model", "nothing"], 1, "--model expected"),
    ],
)
def test_wrong_usage(command, name, arguments, code, told):
    got, out, err = command(name, *arguments)
    assert got == code and told in err and out == "" and "Traceback" not in err
