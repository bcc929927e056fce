"""The tests of d2l run on a small data set, and leave no figure open."""

import sys

import pytest
from tiny_fashion import TinyFashion

from minitorch_cnn import data


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
