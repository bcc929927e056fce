"""What type checkers and editors see: annotations everywhere, the right types, and mistakes where they are."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import typed_uses

import minitorch_cnn as mt

USES = Path(typed_uses.__file__)
ROOMS = ["", "autograd", "checking", "cuda", "d2l", "data", "models", "nn", "nn.functional", "nn.init"]
ROOMS += ["nn.utils", "optim", "optim.lr_scheduler", "training", "inspection", "data.transforms", "utils.data"]


def needs(checker):
    """Skip where a checker is not installed; in continuous integration its absence is a failure."""
    if importlib.util.find_spec(checker) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{checker} is not installed: the package's extra `test` has it")
        pytest.skip(f"{checker} is not installed")


@pytest.fixture
def installed(tmp_path):
    """The Python of an environment where the package is installed: there, checkers mind what it exports."""
    venv.create(tmp_path / "venv", symlinks=True)
    (packages,) = (tmp_path / "venv").glob("**/site-packages")
    (packages / "minitorch_cnn").symlink_to(Path(mt.__file__).parent)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return tmp_path / "venv" / "bin" / "python"


@pytest.fixture
def names(tmp_path):
    """A script that looks at every public name of the library, one a line."""
    found = [f"mt.{room}.{name}".replace("..", ".") for room in ROOMS for name in module_of(room).__all__]
    script = tmp_path / "names.py"
    script.write_text(
        "\n".join(["import minitorch_cnn as mt", *(f"print({name})" for name in found)]), encoding="utf-8"
    )
    return script


def module_of(room):
    return importlib.import_module(f"minitorch_cnn.{room}".rstrip("."))


def checked(*command, cwd):
    done = subprocess.run([sys.executable, "-m", *map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def the_mistakes():
    lines = USES.read_text(encoding="utf-8").splitlines()
    found = {(USES.name, number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(found) == 7
    return found


@pytest.mark.elsewhere("type checkers")
def test_pyright_finds_the_mistakes_alone(installed, names, tmp_path):
    needs("pyright")
    report = json.loads(checked("pyright", "--outputjson", "--pythonpath", installed, USES, names, cwd=tmp_path))
    found = report["generalDiagnostics"]
    errors = {(Path(d["file"]).name, d["range"]["start"]["line"] + 1): d["message"] for d in found}
    assert set(errors) == the_mistakes(), errors


@pytest.mark.elsewhere("type checkers")
def test_mypy_finds_the_mistakes_alone(installed, names, tmp_path):
    needs("mypy")
    text = checked(
        "mypy", "--python-executable", installed, "--cache-dir", tmp_path / "cache", USES, names, cwd=tmp_path
    )
    found = re.findall(r"(\w+\.py):(\d+): error: (.*)", text)
    errors = {(file, int(number)): message for file, number, message in found}
    assert set(errors) == the_mistakes(), errors


def test_the_right_uses_run():
    """So that the types asserted there are not of something that the library refuses."""
    (epoch,) = typed_uses.right()
    assert epoch.loss > 0


def public_functions():
    """Every public function, and every method of a public class that the package defines, by its path."""
    for room in ROOMS:
        module = module_of(room)
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{room}.{name}", found
            elif inspect.isclass(found):
                yield from methods(found)


def methods(cls):
    for name in dir(cls):
        if name.startswith("_") and not re.fullmatch(r"__\w+__", name):
            continue
        method = inspect.getattr_static(cls, name)
        accessors = [method.fget, method.fset, method.fdel] if isinstance(method, property) else [method]
        for function in accessors:
            function = inspect.unwrap(getattr(function, "__func__", function)) if function is not None else None
            if inspect.isfunction(function) and "minitorch_cnn" in function.__code__.co_filename:
                yield f"{cls.__module__}.{cls.__name__}.{name}", function


def test_everything_public_is_annotated():
    bare = {}
    for path, function in public_functions():
        given = function.__annotations__
        own = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
        if missing := [name for name in [*own, "return"] if name not in given]:
            bare[path] = missing
    assert not bare, "\n".join(f"{path} lacks {', '.join(names)}" for path, names in bare.items())


def test_signatures_are_short():
    """What `help` shows of the longest ones fits on a screen: words for kinds of arguments, no paths of modules."""
    for function in (mt.nn.functional.conv2d, mt.nn.Conv2d, mt.Tensor.sum, mt.zeros, mt.d2l.train_ch6, mt.d2l.plot):
        text = str(inspect.signature(function))
        assert "minitorch_cnn." not in text and "numpy" not in text and "Union" not in text
        assert len(text) < 350
