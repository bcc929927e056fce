"""The one file that has everything stays within 200 lines, and gives the library's numbers, in float32, to 1e-6."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import models, optim

PATH = Path(__file__).parents[1] / "examples" / "00_from_nothing.py"
OPERATIONS = {  # name: the same in the library, shapes of the inputs, settings
    "sigmoid": (mt.sigmoid, [(4, 5)], {}),
    "flatten": (lambda x: mt.flatten(x, 1), [(3, 2, 4, 5)], {}),
    "linear": (F.linear, [(6, 5), (4, 5), (4,)], {}),
    "conv2d": (F.conv2d, [(2, 3, 7, 6), (4, 3, 3, 3), (4,)], {"padding": 1}),
    "avg_pool2d": (F.avg_pool2d, [(2, 3, 6, 4)], {"kernel_size": 2}),
    "cross_entropy": (F.cross_entropy, [(5, 10)], {"target": np.array([3, 0, 9, 9, 1])}),
}


@pytest.fixture(scope="module")
def file():
    return runpy.run_path(str(PATH), run_name="from_nothing")


def assert_equal(ours, librarys):
    assert ours.dtype == librarys.numpy().dtype == np.float32
    np.testing.assert_allclose(ours, librarys.numpy(), rtol=1e-6, atol=1e-6)


def test_it_can_be_read_on_one_evening():
    assert len(PATH.read_text(encoding="utf-8").splitlines()) <= 200


def test_only_the_loader_is_the_librarys():
    imports = [
        node for node in ast.walk(ast.parse(PATH.read_text(encoding="utf-8"))) if "Import" in type(node).__name__
    ]
    assert [ast.unparse(node) for node in imports] == [
        "import sys", "import time", "import numpy as np", "from threadpoolctl import threadpool_limits",
        "from minitorch_cnn.data import FashionMNIST",
    ]  # fmt: skip


def test_every_operation_is_compared():
    functions = [node for node in ast.parse(PATH.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.decorator_list] == list(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_the_librarys_value_and_gradients(file, name):
    function, shapes, settings = OPERATIONS[name]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    y = file[name](*map(file["Tensor"], arrays), **settings)
    inputs = [mt.tensor(array, requires_grad=True) for array in arrays]
    settings = {**settings, **({"target": mt.tensor(settings["target"])} if "target" in settings else {})}
    expected = function(*inputs, **settings)
    assert_equal(y.array, expected.detach())
    dy = rng.uniform(-0.1, 0.1, y.array.shape).astype(np.float32)
    gradients = y.backward_rule(dy)
    for ours, librarys in zip(gradients, mt.autograd.grad(expected, inputs, mt.tensor(dy)), strict=True):
        assert_equal(ours, librarys)


def test_a_gradient_is_the_sum_over_all_ways(file):
    """What is used twice, and by something that is used twice."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 3), dtype=np.float32), rng.standard_normal(3, dtype=np.float32)

    def both_ways(linear, sigmoid, x, b):
        y = sigmoid(linear(x, x, b))
        return linear(y, y, b)

    x = file["Tensor"](a)
    both_ways(file["linear"], file["sigmoid"], x, file["Tensor"](b)).backward()
    expected = mt.tensor(a, requires_grad=True)
    both_ways(F.linear, mt.sigmoid, expected, mt.tensor(b)).sum().backward()
    np.testing.assert_allclose(x.grad, expected.grad.numpy(), rtol=1e-5)


def test_lenet_takes_the_librarys_three_steps(file):
    """Each gradient at the first step, each loss, and the weights after the third."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((3, 16, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, (3, 16))
    ours, librarys = file["LeNet"](rng), models.LeNet()
    for parameter, same in zip(librarys.parameters(), ours.parameters, strict=True):
        assert parameter.shape == same.array.shape
        parameter.data[:] = mt.tensor(same.array)

    loss = file["cross_entropy"](ours(file["Tensor"](images[0])), target=labels[0])
    loss.backward()
    F.cross_entropy(librarys(mt.tensor(images[0])), mt.tensor(labels[0])).backward()
    for mine, parameter in zip(ours.parameters, librarys.parameters(), strict=True):
        assert_equal(mine.grad, parameter.grad)
        mine.grad = None

    optimizer = optim.SGD(librarys.parameters(), lr=0.5)
    for x, y in zip(images, labels):
        optimizer.zero_grad()
        expected = F.cross_entropy(librarys(mt.tensor(x)), mt.tensor(y))
        expected.backward()
        optimizer.step()
        assert_equal(file["train_step"](ours, x, y, lr=0.5), expected.detach())
    for mine, parameter in zip(ours.parameters, librarys.parameters(), strict=True):
        assert_equal(mine.array, parameter.detach())


def test_it_learns_and_says_so(file, monkeypatch, capsys):
    class Bars(TinyFashion):
        def __init__(self, train):
            super().__init__(train=train)
            self.data, self.targets = np.tile(self.data, (4, 1, 1)), np.tile(self.targets, 4)

    monkeypatch.setitem(file["main"].__globals__, "FashionMNIST", Bars)
    file["main"](epochs=1)
    printed = capsys.readouterr().out
    assert "near log 10 = 2.303" in printed
    assert printed.count("epoch 1,") == 8
    assert "Of 200 images that it has never seen" in printed
    assert printed.count("%,") == 2  # the three likeliest classes
