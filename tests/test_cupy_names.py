"""Every name of the array library that the package uses exists in CuPy, with the keywords that it is called with.

Held against ``cupy_names.txt``, written from the real wheel by ``cupy_names.py``; against the wheel itself where it is
installed (it imports without a GPU).
"""

import ast
from pathlib import Path

import cupy_names
import pytest

import minitorch_cnn

PACKAGE = Path(minitorch_cnn.__file__).parent
LIBRARIES = {"xp", "library"}  # what the package calls the array library


def dotted(node):
    """``xp.lib.stride_tricks.as_strided`` as text; None if the expression is not a name with attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("cupy", "get_array_module"):
        return "xp"
    return None


def uses():
    """Where the array library is used: ``{("sum", ("axis", "keepdims")): "ops/reduce.py:12", ...}``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            call = isinstance(node, ast.Call)
            name = dotted(node.func if call else node) if call or isinstance(node, ast.Attribute) else None
            library, _, name = (name or "").partition(".")
            if library in LIBRARIES and name:
                keywords = tuple(k.arg for k in node.keywords if k.arg) if call else ()
                found[name, keywords] = f"{path.relative_to(PACKAGE)}:{node.lineno}"
    return found


# What stands inside a type or a ufunc: the list does not go so deep.
INSIDE = {"add.at", "__version__", "cuda.Stream.null", "cuda.Stream.null.synchronize", "cuda.runtime.CUDARuntimeError"}


def exists(names, name):
    """Whether CuPy has the name, or a module of that name."""
    return name in names or name in INSIDE or any(known.startswith(f"{name}.") for known in names)


def test_the_list_knows_cupy():
    names = cupy_names.load()
    assert names["sum"] == ["a", "axis", "dtype", "out", "keepdims"]
    assert "where" not in names["exp"]
    assert "errstate" not in names


def test_names_and_keywords_exist_in_cupy():
    names = cupy_names.load()
    found = uses()
    assert len(found) > 20, "the search finds the package's calls no more"
    for (name, keywords), place in found.items():
        assert exists(names, name), f"{place}: cupy has no {name}"
        for keyword in keywords:
            known = names.get(name)
            assert known is None or keyword in known, f"{place}: cupy.{name} knows no {keyword}="


def test_names_exist_in_the_installed_cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed; its names are checked from cupy_names.txt")
    for (name, _), place in uses().items():
        owner = cupy
        for part in name.split("."):
            assert hasattr(owner, part), f"{place}: cupy has no {name}"
            owner = getattr(owner, part)


@pytest.mark.parametrize(
    "name", ["add", "sum", "where", "take", "matmul", "concatenate", "lib.stride_tricks.as_strided"]
)
def test_the_standin_has_the_names(standin, name):
    owner = standin
    for part in name.split("."):
        owner = getattr(owner, part)
    assert callable(owner)
