"""What the design promises of the source: imports go down, one file imports CuPy, importing is light."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch_cnn

PACKAGE = Path(minitorch_cnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))

# From the ground up: floors, on each of them rooms side by side, and in each room its files in the order in which they
# may import each other. A file may import what stands on a lower floor, or before it in its own room.
HOUSE = [
    {
        "backend": [
            "annotations", "devices", "dtypes", "arguments", "settings", "arrays", "geometry", "random", "parallel",
        ],
    },
    {
        "autograd": [
            "display", "operators", "methods", "mode", "views", "inplace", "tensor", "memory", "function", "hooks",
            "walk",
        ],
    },
    {"gpu": ["launch", "kernels", "sgd", "recording", "capture"]},
    {
        "ops": [
            "operands", "steps", "elementwise", "arithmetic", "shape", "compare", "indexing", "reduce",
            "classification", "linalg", "windows", "convolution", "normalization", "creation",
        ],
    },
    {
        "optim": ["optimizer", "sgd", "adam", "adaptive", "lr_scheduler"],
        "data": [
            "files", "pth", "saving", "idx", "download", "transforms", "dataset", "sampler", "dataloader",
            "folder", "fashion_mnist", "own_files",
        ],
        "cuda": [""],
    },
    {
        "nn": [
            "parameter", "init", "utils", "functional.checks", "functional.affine", "functional.regularization",
            "functional.padding", "functional.activations", "functional.convolution", "functional.pooling",
            "functional.normalization", "functional.losses", "functional", "registry", "state", "hooks", "explain",
            "module", "containers", "layers.activation", "layers.convolution", "layers.dropout", "layers.linear",
            "layers.loss", "layers.normalization", "layers.lazy", "layers.pooling", "layers",
        ],
    },
    {"models": [""], "utils": ["backends", "data"]},
    {
        "inspection": [
            "figures", "notebooks", "tables", "summaries", "outputs", "answers", "learned", "pixels", "graphs",
            "tracing", "explore",
        ],
    },
    {
        "checking": [
            "errors", "line", "diagnosis", "report", "subject", "operations", "compare", "check", "pairs", "assertion",
        ],
        "training": [
            "metrics", "history", "parts", "distributed", "divergence", "resumption", "progress", "loop", "checkpoint",
            "lock", "runs",
        ],
    },
    {
        "d2l": [
            "names", "plotting", "regression", "classification", "convolution", "optimization", "design", "modules",
        ],
    },
    {
        "cli": [
            "arguments", "streams", "signals", "networks", "recipes", "running", "about", "pictures", "onestep",
            "exploring",
            "command",
        ],
    },
    {"__main__": [""]},
]  # fmt: skip
PLACES = {}  # "ops.shape" -> (floor, room, place in the room)
for floor, rooms in enumerate(HOUSE):
    for room, files in rooms.items():
        for place, file in enumerate(files):
            PLACES[f"{room}.{file}" if file else room] = floor, room, place
        PLACES.setdefault(room, (floor, room, len(files)))  # the face of the room

# The one import cycle: a tensor's methods are operations, and operations make tensors. These look the operations up in
# the complete package when they run.
IN_THE_CYCLE = {"autograd", "autograd.operators", "autograd.methods", "autograd.inplace", "autograd.display", "nn"}


def module_of(path):
    """The name of a file's module within the package: "ops.shape"; of a room's face, the room's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes_that_run(tree):
    """The nodes of a syntax tree, but for what type checkers alone read."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            is_for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if not (is_for_checkers and child in node.body):
                nodes.append(child)


def imported_modules(path):
    """The modules of the package that a file imports: "backend.arrays", or "" for the package itself."""
    for node in nodes_that_run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import; write the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "minitorch_cnn":
                name = name.partition(".")[2]
                while name and name not in PLACES:  # a name in a module
                    name = name.rpartition(".")[0]
                yield name


@each_file
def test_imports_go_down(path):
    own = module_of(path)
    if own == "":
        return
    assert own in PLACES, f"{own} has no place in HOUSE"
    floor, room, place = PLACES[own]
    for module in imported_modules(path):
        if module == "":  # the package as a whole
            assert own in IN_THE_CYCLE or floor > PLACES["nn"][0], f"{own} imports minitorch_cnn as a whole"
            continue
        other_floor, other_room, other_place = PLACES[module]
        is_lower = other_floor < floor or (other_room == room and other_place < place)
        assert is_lower, f"{own} imports {module}, which does not stand below it"


def test_the_house_has_no_empty_places():
    files = {module_of(path) for path in FILES} - {""}
    assert set(PLACES) == files
    assert len(list(PACKAGE.glob("*.py"))) <= 6, "at most six modules at the root: a file belongs into a room"


@each_file
def test_one_file_imports_cupy_and_the_backend_alone_names_it(path):
    source = path.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source)))
    if path.parent.name != "backend":
        assert "cupy" not in {getattr(node, "id", None) or getattr(node, "attr", None) for node in nodes}
    if module_of(path) != "backend.devices":
        assert "cupy" not in [node.value for node in nodes if isinstance(node, ast.Constant)]
        assert not re.search(r"import cupy|from cupy", source)
    assert "numpy is xp" not in source and "xp is np" not in source, "name the difference in backend/arrays.py"


def test_nobody_asks_whether_a_step_is_recorded():
    """A recording sets what it needs (backend/settings.py); who captures a step knows of it, and nothing else does."""
    assert [module_of(path) for path in FILES if "gpu.recording" in imported_modules(path)] == ["gpu.capture"]


@each_file
def test_nothing_is_asserted_and_nothing_left_open(path):
    source = path.read_text(encoding="utf-8")
    assert not [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    assert not re.search(r"TO" + "DO|FIX" + "ME|XX" + "X", source)


def test_a_private_name_means_one_thing():
    """No two files define a function or a class of the same private name: a reader could take one for the other."""
    places = {}
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and re.match(r"_[^_]", node.name):
                places.setdefault(node.name, []).append(module_of(path))
    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}


def test_no_file_of_a_room_has_the_name_of_a_function_there():
    """`minitorch_cnn.inspection.summary` is a function, or else a module."""
    for face in PACKAGE.rglob("__init__.py"):
        room = importlib.import_module(f"minitorch_cnn.{module_of(face)}".rstrip("."))
        files = {path.stem for path in face.parent.iterdir()}
        names = getattr(room, "__all__", ())
        assert not [name for name in names if name in files and not inspect.ismodule(getattr(room, name))]


@each_file
def test_only_numpy_is_imported_at_the_top(path):
    """What else a file needs, the function that needs it imports."""
    allowed = {*sys.stdlib_module_names, "numpy", "minitorch_cnn"}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert {name.split(".")[0] for name in names} <= allowed


def test_the_parts_that_not_every_user_of_tensors_needs_are_not_imported():
    code = "import sys, minitorch_cnn; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {f"minitorch_cnn.{name}" for name in minitorch_cnn._lazy} & set(result.stdout.split())


@pytest.mark.parametrize("module", ["minitorch_cnn", "minitorch_cnn.d2l", "minitorch_cnn.cli"])
def test_importing_is_light(module):
    """It brings nothing heavy, and of its own it costs less than four times NumPy's import."""
    code = (
        "import time; t = time.perf_counter(); import numpy; numpy_time = time.perf_counter() - t\n"
        f"t = time.perf_counter(); import {module}; own_time = time.perf_counter() - t\n"
        "import sys; print(numpy_time, own_time, *sorted(sys.modules))"
    )
    best = 1e9
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(3):  # the best of three: bytecode is kept from the first, and a busy machine must not fail the test
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept)
        numpy_time, own_time, *modules = result.stdout.split()
        heavy = {"matplotlib", "requests", "tqdm", "safetensors", "threadpoolctl", "cupy", "torch", "scipy"}
        assert not heavy & set(modules)
        best = min(best, float(own_time) / max(float(numpy_time), 0.05))
        if best < 4:
            return
    pytest.fail(f"import {module} takes {best:.1f} times as long as import numpy")
