"""Every example runs, and prints what its comments promise."""

import runpy
import sys
from pathlib import Path

import pytest
from tiny_fashion import TinyFashion

from minitorch_cnn import data

EXAMPLES = Path(__file__).parents[1] / "examples"
PRINTED = {
    "01_cross_correlation.py": ["tensor([[19.,25.],[37.,43.]])", "tensor([[8.,12.],[20.,24.]])"],
    "02_edge_detection.py": ["[0.,1.,0.,0.,0.,-1.,0.]"],
    "03_learning_a_kernel.py": ["epoch2,loss", "epoch10,loss0.131", "tensor([[1.0272,-0.9532]])"],
    "04_padding_and_stride.py": ["(6,6)(8,8)(8,8)(4,4)(2,2)"],
    "05_channels.py": ["tensor([[56.,72.],[104.,120.]])", "(3,2,2,2)", "TrueTrue"],
    "06_pooling.py": [
        "tensor([[4.,5.],[7.,8.]])tensor([[2.,3.],[5.,6.]])tensor([[[[10.]]]])",
        "[[[[5.,7.],[13.,15.]]]]",
    ],
    "07_lenet.py": ["Flattenoutputshape:(1,400)", "trainingon", "examples/secon", "lenet.png"],
}


def test_every_example_is_tested():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == ["00_from_nothing.py", *PRINTED]


@pytest.mark.parametrize("name", PRINTED)
def test_example(name, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    monkeypatch.setattr(sys, "argv", [name, "--epochs", "1"] if name == "07_lenet.py" else [name])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = "".join(capsys.readouterr().out.split())
    for expected in PRINTED[name]:
        assert expected in printed
