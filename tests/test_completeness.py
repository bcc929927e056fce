"""Nothing is left untested or undescribed: each operation has a case, each public name a docstring."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from helpers import as_tuple, gradients, make_tensors

import minitorch_cnn as mt
from minitorch_cnn.autograd import Function


def operations():
    """Every subclass of Function that the package defines."""
    for module in pkgutil.walk_packages(mt.__path__, "minitorch_cnn."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, stack = set(), [Function]
    while stack:
        for subclass in stack.pop().__subclasses__():
            stack.append(subclass)
            if subclass.__module__.startswith("minitorch_cnn.") and "forward" in vars(subclass):
                found.add(subclass)
    return found


def test_every_operation_has_a_case(monkeypatch):
    """Runs all cases, forward and twice backward, and notes which operations ran."""
    called, walked = set(), set()
    forward, backward = Function.__call__, Function.gradients
    monkeypatch.setattr(Function, "__call__", lambda self, *xs: called.add(type(self)) or forward(self, *xs))
    monkeypatch.setattr(Function, "gradients", lambda self, dy: walked.add(type(self)) or backward(self, dy))
    with np.errstate(all="ignore"):
        for case in CASES:
            xs = make_tensors(case.arrays())
            ys = [y for y in as_tuple(case.function(mt, *xs)) if y.requires_grad]
            leaves = [x for x in xs if x.requires_grad]
            squares = [(y * y).sum() for y in ys]
            dxs = mt.autograd.grad(squares, leaves, create_graph=True, allow_unused=True) if leaves else []
            gradients([dx for dx in dxs if dx is not None], xs, mt)
    missing = {operation.__name__ for operation in operations() - called}
    assert not missing, f"these operations have no case in cases.py: {sorted(missing)}"
    missing = {operation.__name__ for operation in operations() - walked if "backward" in vars(operation)}
    assert not missing, f"these operations are never differentiated in cases.py: {sorted(missing)}"


def names_used(case):
    """The attribute names in a case's function, and those that it takes as default arguments."""
    code, defaults = case.function.__code__, case.function.__defaults__ or ()
    return {*code.co_names, *(d for d in defaults if isinstance(d, str))}


def test_every_functional_has_a_case_or_a_test_of_its_own(request):
    """Random ones cannot be compared entry by entry; tests/nn covers them by their statistics."""
    covered = set().union(*map(names_used, CASES))
    random = {"dropout", "dropout2d", "rrelu"}
    assert set(mt.nn.functional.__all__) - covered - random == set()


def test_every_public_function_is_called_by_a_case_or_a_test():
    """In the cases or the bank by its name, or in another test as `mt.name`, `nn.name` and so on."""
    sources = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("*.py")]
    called = set(re.findall(r"\b(?:\w+\.)+(\w+)\b|\"(\w+)\"|(?<!def )\b(\w+)\(", "\n".join(sources)))
    called = {name for names in called for name in names}.union(*map(names_used, CASES))
    functions = {name for module, name in PUBLIC if inspect.isfunction(getattr(importlib.import_module(module), name))}
    assert functions - called == set()


PUBLIC = [
    (module.__name__, name)
    for module in (mt, mt.nn, mt.nn.functional, mt.nn.init, mt.optim, mt.data, mt.autograd, mt.cuda)
    for name in getattr(module, "__all__", ())
]


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_public_names_exist_and_are_described(module, name):
    obj = getattr(importlib.import_module(module), name)
    if callable(obj) or inspect.ismodule(obj):
        assert inspect.getdoc(obj), f"{module}.{name} has no docstring"


def test_public_methods_are_described():
    methods = [name for name in dir(mt.Tensor) if not name.startswith("_") and callable(getattr(mt.Tensor, name))]
    assert not [name for name in methods if not inspect.getdoc(getattr(mt.Tensor, name))]


@pytest.mark.parametrize("operation", sorted(operations(), key=lambda f: f.__name__), ids=lambda f: f.__name__)
def test_operations_say_their_mathematics(operation):
    assert operation.__doc__ and "=" in operation.__doc__, "a Function's docstring is a line of mathematics"
