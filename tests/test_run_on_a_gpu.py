"""The rules of ``make test-gpu``, which conftest.py holds: without a GPU it says so, nothing is skipped in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
POSES_AS_CUPY = "import sys, standin_cupy; sys.modules['cupy'] = standin_cupy"
IS_MISSING = "raise ModuleNotFoundError('nothing here', name='cupy')"
IS_BROKEN = "raise PermissionError(13, 'Permission denied', '/nowhere')"


@pytest.fixture
def run(tmp_path):
    """Run a file of tests as on a GPU, with a module in the place of CuPy; return the exit code and the output."""

    def run(source, cupy):
        (tmp_path / "cupy.py").write_text(cupy)
        (tmp_path / "test_it.py").write_text(source)
        path = os.pathsep.join(map(str, (tmp_path, TESTS, TESTS.parent)))
        settings = ["-c", TESTS.parent / "setup.cfg", "--rootdir", tmp_path, "-p", "no:cacheprovider", "-p", "conftest"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *settings, tmp_path / "test_it.py"],
            env={**os.environ, "PYTHONPATH": path, "MINITORCH_CNN_TEST_DEVICE": "cuda"},
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def test_on_a_gpu(run):
    """On "cpu" and on the GPU; and the first line names it."""
    code, output = run("def test_it(device): print('ran on', device)", POSES_AS_CUPY)
    assert code == 0 and "2 passed" in output
    assert "on a GPU: stand-in, CuPy 0 (stand-in)" in output


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (IS_MISSING, "CuPy is not installed. On a machine with an NVIDIA GPU"),
        (IS_BROKEN, "CuPy is installed, but importing it raises PermissionError: [Errno 13] Permission denied"),
    ],
)
def test_without_a_gpu(run, cupy, reason):
    code, output = run("def test_it(): pass", cupy)
    assert code == 1 and "passed" not in output
    assert f"the tests were to run on a GPU, but {reason}" in output


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_it(): pytest.skip('no reason')",
        "import pytest\n@pytest.mark.skipif(True, reason='no reason')\ndef test_it(): pass",
        "import pytest\n@pytest.fixture\ndef fails(): pytest.skip('no reason')\ndef test_it(fails): pass",
    ],
)
def test_a_skip_is_a_failure(run, source):
    code, output = run(source, POSES_AS_CUPY)
    assert code == 1 and "skipped, which is a failure in a run on a GPU" in output and "no reason" in output


def test_what_needs_something_else_is_left_out_and_counted(run):
    source = (
        "import pytest\n"
        "@pytest.mark.elsewhere('a moon')\n@pytest.mark.parametrize('i', [1, 2, 3])\ndef test_other(i): 1 / 0\n"
        "def test_it(): pass"
    )
    code, output = run(source, POSES_AS_CUPY)
    assert code == 0 and "1 passed, 3 deselected" in output
    assert "left out: 3 tests that need a moon" in output
