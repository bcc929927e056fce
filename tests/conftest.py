# ruff: noqa: E402 - the first imports after the docstring set what the later ones read
"""Fixtures for every test: where it runs, and from which seed.

With ``MINITORCH_CNN_TEST_DEVICE=cuda`` what runs on "cuda" runs on a real GPU, without it on ``standin_cupy``.
"""

import os
import sys
from pathlib import Path

# The arrays of tests are small, and on shared cores the threads of BLAS spend their time waiting for each other.
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # every folder's tests import helpers, cases, oracle, standin_cupy

import standin_cupy

import minitorch_cnn
from minitorch_cnn import backend

REAL_GPU = os.environ.get("MINITORCH_CNN_TEST_DEVICE") == "cuda"


@pytest.fixture
def standin(monkeypatch):
    """The stand-in takes the place of CuPy; its counts of transfers start at zero."""
    monkeypatch.setattr(backend, "cupy", lambda: standin_cupy)
    standin_cupy.transfers.reset()
    return standin_cupy


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    """Each test that asks for a device runs on both. A GPU that was asked for and is not there is a failure."""
    if request.param == "cuda":
        if not REAL_GPU:
            request.getfixturevalue("standin")
        elif not backend.is_available():
            pytest.fail(f"MINITORCH_CNN_TEST_DEVICE=cuda: {backend.unavailable_reason()}")
    return request.param


@pytest.fixture(autouse=True)
def _seed():
    minitorch_cnn.manual_seed(0)
