"""When CuPy is imported, and what is said of one that cannot be: each time in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import backend
from minitorch_cnn.nn import functional as F

TESTS = Path(__file__).parent


@pytest.fixture
def python(tmp_path):
    """Run Python code where `import cupy` runs other code, and says so; return what was printed."""

    def run(code, cupy, version=""):
        package = tmp_path / "cupy"
        package.mkdir()
        source = f"open({str(tmp_path / 'imported')!r}, 'a').write('x')\n{version}\n{cupy}\n"
        (package / "__init__.py").write_text(source)
        path = os.pathsep.join(map(str, (tmp_path, TESTS, TESTS.parent)))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.count = lambda: len((tmp_path / "imported").read_text()) if (tmp_path / "imported").exists() else 0
    return run


CPU_RUNS = {
    "a step": """
import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.nn import functional as F
net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3))
for optimizer in mt.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), mt.optim.Adam(net.parameters()):
    def step(x, y):
        optimizer.zero_grad()
        l = F.cross_entropy(net(x), y)
        l.backward()
        optimizer.step()
        return l
    for step in step, mt.cuda.capture(step):
        step(mt.randn(4, 1, 6, 6, device="cpu"), mt.tensor([0, 1, 2, 0]))
mt.cuda.synchronize()
assert str(net.to("cpu")[0].weight.cpu().device) == "cpu"
""",
    "the training loop": """
import minitorch_cnn as mt
from minitorch_cnn import data, nn, training
loader = data.DataLoader(data.TensorDataset(mt.randn(8, 4), mt.arange(8) % 3), batch_size=4, shuffle=True)
for capture in False, True:
    training.train(nn.Linear(4, 3), loader, loader, epochs=1, device="cpu", progress=False, capture=capture)
""",
    "gradients": """
import minitorch_cnn as mt
assert mt.autograd.gradcheck(lambda x: x.sigmoid() @ x, (mt.randn(3, 3, dtype=mt.float64, requires_grad=True),))
""",
    "the command": """
from minitorch_cnn import cli, data
from tiny_fashion import TinyFashion
data.FashionMNIST = TinyFashion
assert not cli.main(["train", "--device", "cpu", "--epochs", "1", "--batch-size", "80", "--out", "run"])
assert not cli.main(["evaluate", "--device", "cpu", "run"])
assert not cli.main(["gradcheck"])
assert not cli.main(["summary"])
""",
    "what is no tensor": """
import minitorch_cnn as mt
for function in mt.nn.functional.relu, mt.exp, mt.cat:
    for value in [1.0], 1.5, None, {"get": 1}, "text":
        try:
            function(value)
        except Exception as error:
            assert not {"cuda", "import"} & set(str(error).lower().split()), error
try:
    mt.tensor({"get": 1})
except TypeError:
    pass
""",
}


@pytest.mark.parametrize("run", CPU_RUNS)
def test_a_run_on_a_cpu_does_not_import_it(run, python):
    python(CPU_RUNS[run], "raise RuntimeError('it was imported')")
    assert python.count() == 0


ASK = """
import minitorch_cnn as mt
from minitorch_cnn import backend, cli, d2l
assert not mt.cuda.is_available() and mt.cuda.device_count() == 0
assert backend.auto_device() == backend.CPU == d2l.try_gpu()
mt.cuda.synchronize()
mt.ones(2).sigmoid()
try:
    mt.ones(2, device="cuda")
except RuntimeError as error:
    assert backend.unavailable_reason() in str(error)
print(backend.unavailable_reason())
"""
UNUSABLE = {
    "raise PermissionError(13, 'Permission denied', '/nowhere')": "PermissionError: [Errno 13] Permission denied: '/no",
    "raise ImportError('=====\\nFailed to import CuPy.\\n\\nlibcuda.so.1')": "ImportError: ===== Failed to import CuPy",
    "raise OSError('libnvrtc.so.12: cannot open')": "OSError: libnvrtc.so.12: cannot open",
    "raise RuntimeError": "importing it raises RuntimeError. ",
    "def (": "SyntaxError: ",
    "import fastrlock_that_is_missing": "ModuleNotFoundError: No module named 'fastrlock_that_is_missing'",
    "import warnings; warnings.warn('CuPy may not function correctly')": "UserWarning: CuPy may not function correctly",
    "raise ModuleNotFoundError('nothing', name='cupy')": "CuPy is not installed. On a machine with an NVIDIA GPU: pip",
    "": "CuPy 1.2 is installed, but looking for a GPU raises AttributeError: module 'cupy' has no attribute",
    "del __version__": "CuPy of an unknown version is installed, but",  # so is any folder of that name
    "class cuda:\n class runtime:\n  def getDeviceCount(): raise OSError('no such device')": "raises OSError: no such",
    "class cuda:\n class runtime:\n  def getDeviceCount(): return 0": "CuPy 1.2 is installed, but it finds no GPU",
}


@pytest.mark.parametrize("cupy", UNUSABLE)
def test_one_that_cannot_be_used_counts_as_absent(cupy, python):
    """Whatever is raised: the reason tells it. And its import is tried once."""
    reason = python(ASK, cupy, "__version__ = '1.2'")
    assert UNUSABLE[cupy] in reason and reason.count("\n") == 1
    assert python.count() == (cupy != "def (")


def test_ctrl_c_in_the_import_is_no_broken_cupy(python):
    code = """
import minitorch_cnn as mt
try:
    mt.cuda.is_available()
except KeyboardInterrupt:
    print("stopped")
"""
    assert python(code, "raise KeyboardInterrupt") == "stopped\n"


NO_ARRAYS = {"a list": [1.0, -1.0], "the number 1.5": 1.5, "None": None, "type str": "text", "type dict": {"get": 1}}


@pytest.mark.parametrize("what", NO_ARRAYS)
def test_what_is_no_array_is_named(what, device):
    for function in (backend.get_array_module, backend.device_of):
        with pytest.raises(TypeError, match=f"expected a Tensor, or an array of NumPy or CuPy, got .*{what}"):
            function(NO_ARRAYS[what])
    for function in (F.relu, mt.abs, F.sigmoid):
        with pytest.raises(TypeError, match=f"expected a Tensor.* got .*{what}"):
            function(NO_ARRAYS[what])


def test_arrays_of_another_library_are_named():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"got torch's Tensor: convert it with"):
        backend.get_array_module(torch.ones(2))
    np.testing.assert_array_equal(backend.to_numpy(np.float32(2)), 2)
