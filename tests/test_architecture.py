"""What the design promises of the source: imports go down, one file names cupy, files are short, importing is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch_cnn

PACKAGE = Path(minitorch_cnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))

# From the bottom to the top. A module may import what stands on its own line or above it.
LAYERS = [
    ["recording", "backend", "launch", "kernels", "dtypes", "random", "table"],
    ["tensor", "operators", "methods", "inplace", "display"],
    ["autograd"],
    ["ops", "creation"],
    ["cuda"],
    ["nn"],
    ["data", "optim", "models"],
    ["training"],
    ["cli", "cli_arguments", "cli_model", "d2l", "__main__"],
]
HEIGHT = {module: height for height, layer in enumerate(LAYERS) for module in layer}

# The one knot: a tensor's methods are operations, and operations make tensors. These look the operations up in the
# complete package when they run.
KNOT = {"operators.py", "methods.py", "inplace.py", "display.py"}


def imported_modules(path):
    """The modules of the package that a file imports: "backend", "nn.functional", or "" for the package itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; write the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "minitorch_cnn":
                yield name.partition(".")[2]


@each_file
def test_imports_go_down(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        return
    assert own in HEIGHT, f"{own} has no place in LAYERS"
    for module in imported_modules(path):
        name = module.split(".")[0]
        if name not in HEIGHT:  # the package itself, or a name from it: everything up to the engine's top
            assert path.name in KNOT or HEIGHT[own] >= HEIGHT["nn"], f"{path.name} imports minitorch_cnn as a whole"
        else:
            assert HEIGHT[name] <= HEIGHT[own], f"{path.name} imports {module}, which stands above it"


@each_file
def test_only_the_backend_names_cupy(path):
    source = path.read_text(encoding="utf-8")
    if path.name != "backend.py":
        names = {getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(ast.parse(source))}
        assert "cupy" not in names and not re.search(r"import cupy|from cupy|import_module\(.cupy", source)
    assert "numpy is xp" not in source and "xp is np" not in source, "name the difference in backend.py"


@each_file
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320


@each_file
def test_nothing_is_asserted_and_nothing_left_open(path):
    source = path.read_text(encoding="utf-8")
    assert not [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    assert not re.search(r"TO" + "DO|FIX" + "ME|XX" + "X", source)


@each_file
def test_only_numpy_is_imported_at_the_top(path):
    """What else a file needs, the function that needs it imports."""
    allowed = {*sys.stdlib_module_names, "numpy", "minitorch_cnn"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed


@pytest.mark.parametrize("module", ["minitorch_cnn", "minitorch_cnn.d2l", "minitorch_cnn.cli"])
def test_importing_is_light(module):
    """It brings nothing heavy, and of its own it costs less than four times NumPy's import."""
    code = (
        "import time; t = time.perf_counter(); import numpy; numpy_time = time.perf_counter() - t\n"
        f"t = time.perf_counter(); import {module}; own_time = time.perf_counter() - t\n"
        "import sys; print(numpy_time, own_time, *sorted(sys.modules))"
    )
    best = 1e9
    for _ in range(3):  # the best of three: a busy machine must not fail the test
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        numpy_time, own_time, *modules = result.stdout.split()
        heavy = {"matplotlib", "requests", "tqdm", "safetensors", "threadpoolctl", "cupy", "torch", "scipy"}
        assert not heavy & set(modules)
        best = min(best, float(own_time) / max(float(numpy_time), 0.05))
        if best < 4:
            return
    pytest.fail(f"import {module} takes {best:.1f} times as long as import numpy")
