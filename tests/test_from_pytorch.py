"""The scripts in PyTorch's style are run by PyTorch too: the same text, but for the imports, gives the same numbers."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data

EXAMPLES = Path(__file__).parents[1] / "examples"
BACK = {
    "import minitorch_cnn as torch\n": "import torch\n",
    "import minitorch_cnn.nn.functional as F\n": "import torch.nn.functional as F\n",
    "from minitorch_cnn import nn, optim\n": "from torch import nn, optim\n",
    "from minitorch_cnn.utils.data import DataLoader": "from torch.utils.data import DataLoader",
}


def both(name):
    """What a script defines here, and in PyTorch; each epoch takes the examples in order, for both to be alike."""
    torch = pytest.importorskip("torch")
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    changed = source
    for here, there in BACK.items():
        assert changed.count(here) == 1, f"{name} has not the line {here!r}"
        changed = changed.replace(here, there)
    scripts = []
    for text in (source, changed):
        names = {"__name__": "script"}
        exec(compile(text, name, "exec"), names)
        loader = names["DataLoader"]
        names["DataLoader"] = lambda *args, loader=loader, **settings: loader(*args, **{**settings, "shuffle": False})
        scripts.append(names)
    assert scripts[1]["torch"] is torch
    return *scripts, torch


def examples_of(train=True):
    dataset = TinyFashion(train=train)
    return dataset.data[:, None] / 255.0, dataset.targets


def start_alike(ours, theirs, torch):
    """Both in float64, with the same weights."""
    theirs.double().load_state_dict({name: torch.tensor(x.numpy()) for name, x in ours.double().state_dict().items()})


def assert_equal_weights(ours, theirs):
    weights = theirs.state_dict()
    assert ours.state_dict().keys() == weights.keys()
    for name, value in ours.state_dict().items():
        np.testing.assert_allclose(value.numpy(), weights[name].numpy(), rtol=0, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    "name, expected",
    [("pytorch_style_lenet.py", "epoch 1: lr 0.05000, loss 2."), ("pytorch_style_resnet.py", "78042 parameters")],
)
def test_as_a_script(name, expected, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    monkeypatch.setattr(sys, "argv", [name, "--epochs", "1"])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.startswith(expected) and " acc 0." in printed


def test_lenet_with_splits_normalisation_schedule_and_checkpoint(tmp_path, capsys):
    """Four epochs, then from the checkpoint to the sixth with a network made anew: the rows and weights of PyTorch."""
    here, there, torch = both("pytorch_style_lenet.py")
    images, labels = examples_of()
    order = np.random.default_rng(0).permutation(len(images))
    ours, theirs = here["LeNet"](), there["LeNet"]()
    start_alike(ours, theirs, torch)
    results, printed = [], []
    for script, net, library, path in ((here, ours, mt, "ours.ckpt"), (there, theirs, torch, "theirs.ckpt")):
        sets = script["split"](library.tensor(images), library.tensor(labels), library.tensor(order))
        assert [len(s) for s in sets] == [134, 26]
        settings = {"lr": 0.02, "batch_size": 16, "path": tmp_path / path}
        script["fit"](net, *sets, epochs=4, **settings)
        again = script["LeNet"]().double()
        results.append((again, script["fit"](again, *sets, epochs=6, **settings)))
        printed.append(capsys.readouterr().out)
    (ours, rows), (theirs, expected) = results
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)
    assert len(rows) == 6 and rows[-1][0] < rows[0][0]
    assert_equal_weights(ours, theirs)
    assert printed[0] == printed[1]
    assert [line.split(",")[0] for line in printed[0].splitlines()] == [
        "epoch 1: lr 0.02000", "epoch 2: lr 0.02000", "epoch 3: lr 0.02000", "epoch 4: lr 0.00600",
        "going on after epoch 4", "epoch 5: lr 0.00600", "epoch 6: lr 0.00600",
    ]  # fmt: skip


def test_their_checkpoint_is_read_here(tmp_path):
    """What the script has saved under PyTorch, it goes on from here: to the same rows as under PyTorch."""
    here, there, torch = both("pytorch_style_lenet.py")
    images, labels = examples_of()

    def fit(script, library, epochs, path):
        sets = script["split"](library.tensor(images), library.tensor(labels), library.arange(len(images)))
        return script["fit"](script["LeNet"]().double(), *sets, epochs=epochs, lr=0.02, batch_size=16, path=path)

    theirs, copy = tmp_path / "theirs.ckpt", tmp_path / "copy.ckpt"
    first = fit(there, torch, 1, theirs)
    copy.write_bytes(theirs.read_bytes())
    rows, expected = fit(here, mt, 2, copy), fit(there, torch, 2, theirs)
    assert rows[:1] == first
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)


def test_a_small_resnet_on_three_channels(capsys):
    here, there, torch = both("pytorch_style_resnet.py")
    ours, theirs = (script["ResNet"]([1, 1, 1], planes=4) for script in (here, there))
    start_alike(ours, theirs, torch)
    results = []
    for script, net, library in ((here, ours, mt), (there, theirs, torch)):
        sets = []
        for train in (True, False):
            images, labels = examples_of(train)
            x = script["in_three_channels"](library.tensor(images[:40]))
            assert x.shape == (40, 3, 32, 32) and x.dtype == library.float64
            sets.append(script["TensorDataset"](x, library.tensor(labels[:40])))
        results.append(script["fit"](net, *sets, epochs=3, lr=0.05, batch_size=16))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-10)
    assert results[0][-1][0] < results[0][0][0]
    assert_equal_weights(ours, theirs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == lines[3:] and lines[2].startswith("epoch 3: loss ")


def test_weights_go_there_and_back(tmp_path, monkeypatch):
    """As docs/from-pytorch.md says it."""
    pytorch = pytest.importorskip("torch")
    import safetensors.torch

    monkeypatch.chdir(tmp_path)
    torch, nn = mt, mt.nn

    def network(nn):
        return nn.Sequential(nn.Conv2d(1, 4, kernel_size=5), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 24**2, 10))

    ours, theirs = network(nn), network(pytorch.nn)
    x = np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)

    def agree():
        with pytorch.no_grad():
            expected = theirs(pytorch.tensor(x)).numpy()
        return np.allclose(ours(torch.tensor(x)).detach().numpy(), expected, atol=1e-4)

    assert not agree()
    ours.load_state_dict(theirs.state_dict())

    assert agree()
    nn.init.ones_(ours[0].weight)
    pytorch.save(theirs.state_dict(), "theirs.pth")
    ours.load_state_dict(torch.load("theirs.pth"))

    assert agree()
    nn.init.ones_(ours[0].weight)
    torch.save(ours.state_dict(), "ours.safetensors")
    theirs.load_state_dict(safetensors.torch.load_file("ours.safetensors"))

    assert agree()
