"""Every name of the array library that the package uses exists in CuPy, with the keywords that it is called with.

Three things are held against each other: the package's source, the list ``cupy_names.txt``, and the real wheel, which
imports without a GPU and comes with the extra ``test``. What no search finds in the source, such as methods of arrays,
runs on the stand-in, and that takes what the list has and nothing else.
"""

import ast
import inspect
import os
from pathlib import Path

import cupy_names
import pytest
import standin_cupy

import minitorch_cnn

PACKAGE = Path(minitorch_cnn.__file__).parent
MODULES = {"cupy", "get_array_module"}  # the functions that return the array library; the package calls it xp


def dotted(node):
    """``xp.lib.stride_tricks.as_strided`` as text; None if the expression is not a name with attributes."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    if isinstance(node, ast.Call) and (dotted(node.func) or "").split(".")[-1] in MODULES:
        return "xp"
    if isinstance(node, ast.IfExp):  # (cupy() if ... else np).full
        return dotted(node.body)
    return None


def uses(source):
    """Where text uses the array library: ``{("sum", ("axis", "keepdims")): 12, ...}``, with line numbers."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        call = isinstance(node, ast.Call)
        name = dotted(node.func if call else node) if call or isinstance(node, ast.Attribute) else None
        library, _, name = (name or "").partition(".")
        if library == "xp" and name:
            found[name, tuple(k.arg for k in node.keywords if k.arg) if call else ()] = node.lineno
    return found


def uses_of_the_package():
    """The same of every file of the package, with ``"ops/reduce.py:12"`` as the place."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for use, line in uses(path.read_text(encoding="utf-8")).items():
            found[use] = f"{path.relative_to(PACKAGE)}:{line}"
    return found


# What stands inside a type or a ufunc: the list does not go so deep.
INSIDE = {"add.at", "__version__", "cuda.Stream.null", "cuda.Stream.null.synchronize", "cuda.runtime.CUDARuntimeError"}


def exists(names, name):
    """Whether CuPy has the name, or a module of that name."""
    return name in names or name in INSIDE or any(known.startswith(f"{name}.") for known in names)


@pytest.fixture(scope="module")
def wheel():
    """The real CuPy. In continuous integration its absence is a failure."""
    try:
        import cupy
        import cupyx
    except ImportError:
        if os.environ.get("CI") == "true":
            pytest.fail("CuPy is not installed: the check of its names may not be left out here")
        pytest.skip("CuPy is not installed; names are checked from cupy_names.txt alone")
    cupyx.__file__  # noqa: B018 - CuPy leaves it half imported, and who looks at it later would meet the stand-in
    return cupy


# --- the source and the list -----------------------------------------------------------------------------------


def test_the_search_finds_names_and_keywords():
    source = (
        "xp.sum(x, axis=0, keepdims=True)\n"
        "get_array_module(x).lib.stride_tricks.as_strided(x)\n"
        "(devices.cupy() if gpu else np).full(shape, dtype=dtype)\n"
        "f = xp.exp\n"
        "np.ones(3)"
    )
    assert set(uses(source)) == {
        ("sum", ("axis", "keepdims")), ("sum", ()),
        ("lib.stride_tricks.as_strided", ()), ("lib.stride_tricks", ()), ("lib", ()),
        ("full", ("dtype",)), ("full", ()),
        ("exp", ()),
    }  # fmt: skip


def test_the_list_knows_cupy():
    names = cupy_names.load()
    assert names["sum"] == ["a", "axis", "dtype", "out", "keepdims"]
    assert "where" not in names["exp"]
    assert "errstate" not in names


def test_names_and_keywords_exist_in_the_list():
    names = cupy_names.load()
    found = uses_of_the_package()
    assert len(found) > 50, "the search finds the package's calls no more"
    for (name, keywords), place in found.items():
        assert exists(names, name), f"{place}: cupy has no {name}"
        for keyword in keywords:
            known = names.get(name)
            assert known is None or keyword in known, f"{place}: cupy.{name} knows no {keyword}="


# --- the list and the wheel ------------------------------------------------------------------------------------


@pytest.mark.elsewhere("the CuPy that setup.cfg pins")
def test_the_list_is_what_the_wheel_has(wheel):
    written = (Path(cupy_names.__file__).with_suffix(".txt")).read_text(encoding="utf-8").splitlines()
    if written[0] != f"# CuPy {wheel.__version__}" and os.environ.get("CI") != "true":
        pytest.skip(f"the list is that of {written[0]}, installed is {wheel.__version__}")
    assert list(cupy_names.lines()) == written, "python tests/cupy_names.py > tests/cupy_names.txt"


def test_names_and_keywords_exist_in_the_wheel(wheel):
    """Of whatever version: a GPU's machine may have another than the list."""
    for (name, keywords), place in uses_of_the_package().items():
        owner = wheel
        for part in name.split("."):
            assert hasattr(owner, part), f"{place}: CuPy {wheel.__version__} has no {name}"
            owner = getattr(owner, part)
        known = cupy_names.split(cupy_names.parameters(owner))
        for keyword in keywords:
            assert known is None or keyword in known, f"{place}: CuPy's {name} knows no {keyword}="


# --- the list and the stand-in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["add", "sum", "where", "take", "matmul", "concatenate", "lib.stride_tricks.as_strided"]
)
def test_the_standin_has_the_names(standin, name):
    owner = standin
    for part in name.split("."):
        owner = getattr(owner, part)
    assert callable(owner)


def test_the_standin_takes_no_parameter_that_cupy_has_not():
    """Most of its functions are NumPy's, and refuse other keywords when called; these are written out."""
    names, checked = cupy_names.load(), 0
    for prefix, owner in (("", standin_cupy), ("ndarray.", standin_cupy.ndarray)):
        for name, function in vars(owner).items():
            known = names.get(prefix + name)
            if inspect.isfunction(function) and known is not None and not hasattr(function, "__wrapped__"):
                taken = {p for p in inspect.signature(function).parameters if p not in ("self", "args", "kwargs")}
                assert taken <= set(known), f"the stand-in's {prefix}{name} takes {taken - set(known)}"
                checked += 1
    assert checked > 5
