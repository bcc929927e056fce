# ruff: noqa: E402 - the first imports after the docstring set what the later ones read
"""Fixtures for every test: where it runs, and from which seed; and the rules of a run on a GPU.

With ``MINITORCH_CNN_TEST_DEVICE=cuda`` (``make test-gpu``) what runs on "cuda" runs on a real GPU, without it on
``standin_cupy``. In such a run nothing is skipped: what would be fails. Tests of what the GPU has no part in, and that
need more than such a machine must have, are marked ``elsewhere("what they need")``; they are left out, and counted. So
are those that ask for the stand-in itself, to count its copies.
"""

import os
import sys
from collections import Counter
from pathlib import Path

# The arrays of tests are small, and on shared cores the threads of BLAS spend their time waiting for each other.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # every folder's tests import helpers, cases, oracle, standin_cupy

import standin_cupy

import minitorch_cnn
from minitorch_cnn import backend, cli

REAL_GPU = os.environ.get("MINITORCH_CNN_TEST_DEVICE") == "cuda"


@pytest.fixture
def standin(monkeypatch):
    """The stand-in takes the place of CuPy; its counts of transfers start at zero."""
    monkeypatch.setitem(sys.modules, "cupy", standin_cupy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cupyx"]:  # the real one's other half,
        monkeypatch.delitem(sys.modules, name)  # imported as soon as anybody looks at its attributes
    monkeypatch.setattr(backend.devices, "_why_absent", None)
    standin_cupy.transfers.reset()
    return standin_cupy


@pytest.fixture
def gpu(request):
    """There is a GPU: a real one, or the stand-in's."""
    if not REAL_GPU:
        request.getfixturevalue("standin")


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Each test that asks for a device runs on both."""
    if request.param == "cuda":
        request.getfixturevalue("gpu")
    return request.param


@pytest.fixture
def command(capsys):
    """Run the command in this process; return its exit code, and what it printed to the two streams."""

    def run(*arguments):
        try:
            code = cli.main(list(map(str, arguments)))
        except SystemExit as exit:
            code = exit.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture(autouse=True)
def _seed():
    minitorch_cnn.manual_seed(0)


# --- a run on a GPU ------------------------------------------------------------------------------------------

left_out = Counter()


def pytest_sessionstart():
    if REAL_GPU and (reason := backend.unavailable_reason()):
        pytest.exit(f"the tests were to run on a GPU, but {reason}", returncode=1)


def pytest_report_header():
    if REAL_GPU:
        return f"on a GPU: {minitorch_cnn.cuda.get_device_name()}, CuPy {backend.devices.cupy().__version__}"
    return None


def pytest_collection_modifyitems(config, items):
    if REAL_GPU:
        gone = [item for item in items if needs(item)]
        left_out.update(map(needs, gone))
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not needs(item)]


def needs(item):
    """What a test needs beside a GPU; None for nothing."""
    mark = item.get_closest_marker("elsewhere")
    return mark.args[0] if mark else "the stand-in" if "standin" in item.fixturenames else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if REAL_GPU and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in a run on a GPU: {report.longrepr[-1]}"
    return report


def pytest_terminal_summary(terminalreporter):
    for reason, count in sorted(left_out.items()):
        terminalreporter.write_line(f"left out: {count} tests that need {reason}")
