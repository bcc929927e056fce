"""The benchmark of a GPU, as far as it goes without one: equal work, in blocks, counted and shown as it was."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import needs_torch, torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gpu
from contenders import on_gpu
from contenders import ours as on_cpu
from tiny_fashion import TinyFashion

PLACE = "cuda" if torch is not None and torch.cuda.is_available() else "cpu"  # of PyTorch


@pytest.fixture(scope="module")
def losses():
    """Of five steps on a CPU, which test_benchmarks.py compares with explicit formulas."""
    return on_cpu.lenet(8)[1]()


def test_our_step_on_a_gpu_is_that_on_a_cpu(losses, device):
    block, check = on_gpu.ours(8, steps=2, device=device)
    np.testing.assert_allclose(check(), losses, atol=1e-5)
    block()


def test_our_captured_step_is_that_on_a_cpu(device):
    """Of two images: the stand-in runs the kernels of a captured step thread by thread."""
    block, check = on_gpu.ours(2, steps=1, captured=True, device=device)
    np.testing.assert_allclose(check(), on_cpu.lenet(2)[1](), atol=1e-5)
    block()


@pytest.mark.parametrize("mode", ["eager", "graph"] if PLACE == "cuda" else ["eager"])
def test_pytorch_takes_the_same_step(losses, mode):
    needs_torch()
    block, check = on_gpu.pytorch(8, steps=2, mode=mode, device=PLACE)
    np.testing.assert_allclose(check(), losses, atol=1e-5)
    block()


def test_a_block_waits_once_for_all_its_steps():
    events = []
    block, _ = on_gpu.blocks(lambda: events.append("step"), 3, lambda: events.append("wait"))
    block()
    assert events == ["step", "step", "step", "wait"]


def test_steps_are_measured_one_by_one_and_who_cannot_start_is_left_out(capsys):
    contenders = {"ours": ("ours", {}), "again": ("ours", {}), "a stranger": ("stranger", {})}
    rows = gpu.measure_steps(contenders, 8, turns=2, seconds=0.001, steps=3, device="cpu")
    assert list(rows) == ["ours", "again"] and rows["ours"]["ratio"] == [1, 1, 1]
    assert rows["again"]["seconds"] * rows["again"]["images per second"] == pytest.approx(8, rel=0.01)
    assert "without a stranger: contenders.on_gpu:stranger" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="a stranger itself could not be started"):
        gpu.measure_steps({"a stranger": ("stranger", {})}, 8, turns=1, seconds=0)


def test_seconds_are_those_of_a_step_not_of_a_block(monkeypatch):
    workers = {name: SimpleNamespace(greeting={"check": [2.0]}) for name in ("ours", "theirs")}
    monkeypatch.setattr(gpu, "start", lambda *_, **options: workers)
    monkeypatch.setattr(gpu, "take_turns", lambda *_: {"ours": np.full(3, 0.5), "theirs": np.full(3, 1.0)})
    rows = gpu.measure_steps(dict.fromkeys(workers), 256, turns=3, seconds=0.1, steps=50)
    assert rows["ours"]["seconds"] == 0.01 and rows["ours"]["images per second"] == 25_600
    assert rows["theirs"]["ratio"] == [2, 2, 2]


def test_who_computes_something_else_is_turned_away():
    with pytest.raises(RuntimeError, match="the other computes something else"):
        gpu.check({"ours": [2.0, 1.9], "the other": [2.0, 1.8]}, "ours")


@pytest.mark.parametrize("mode", ["eager", "graph"] if PLACE == "cuda" else ["eager"])
def test_both_libraries_train_the_same_epochs(mode, monkeypatch):
    """With all images in one batch, so that the order does not matter; it is no whole one, so that no graph runs."""
    needs_torch()
    monkeypatch.setattr(on_gpu, "data_sets", lambda folder: [TinyFashion(train=True), TinyFashion(train=False)])
    expected = on_gpu.pytorch_epochs(3, None, mode=mode, device=PLACE)[1]()
    found = on_gpu.our_epochs(3, None, device="cpu")[1]()
    assert found == pytest.approx(expected, abs=1e-3 if PLACE == "cuda" else 1e-5)


def test_epochs_are_measured(monkeypatch):
    workers = {"ours": SimpleNamespace(greeting={"check": [0.46789]})}
    monkeypatch.setattr(gpu, "start", lambda *_, **options: workers)
    monkeypatch.setattr(gpu, "take_turns", lambda *_, **options: {"ours": np.array([2.0, 4.0, 3.0])})
    rows = gpu.measure_epochs({"ours": ()}, 10, 3, None)
    assert rows == {"ours": {"seconds": 3.0, "ratio": [1.0, 1.0, 1.0], "loss": 0.468}}


def test_without_fashion_mnist_images_are_random(tmp_path, monkeypatch):
    train, test = on_gpu.data_sets(None)
    assert train.data.shape == (60_000, 28, 28) and test.data.shape == (10_000, 28, 28)
    assert train.targets.max() == 9 and train.data.max() == 255
    monkeypatch.setattr(gpu.data.fashion_mnist, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(gpu.data.fashion_mnist, "DEBIAN_FOLDER", tmp_path)
    folder, name = gpu.find_data(None)
    assert folder is None and name.startswith("random images")
    with pytest.raises(RuntimeError, match="does not hold Fashion-MNIST"):
        gpu.find_data(str(tmp_path))


def test_kernels_and_copies_are_counted(monkeypatch):
    """In a trace of the form that PyTorch's profiler writes, with the steps of a block divided out."""
    needs_torch()
    import torch.profiler

    kinds = ["cpu_op", *["kernel"] * 40, "cuda_runtime", "gpu_memcpy", "gpu_memset", None]

    class Profile:
        def __init__(self, activities):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def export_chrome_trace(self, path):
            Path(path).write_text(json.dumps({"traceEvents": [{"cat": kind} if kind else {} for kind in kinds]}))

    monkeypatch.setattr(torch.profiler, "profile", Profile)
    assert on_gpu.counted("ours", steps=2, batch=4, device="cpu")[1]() == [20, 0.5]


def test_the_real_profiler_writes_that_form():
    """A sum is one kernel on a GPU, and none on a CPU."""
    needs_torch()
    x = torch.ones(3, device=PLACE)
    assert on_gpu.count_activities(lambda: x + x) == ((1, 0) if PLACE == "cuda" else (0, 0))


def test_kernels_that_cannot_be_counted(capsys):
    needs_torch()
    counts = gpu.count_kernels({"ours": ("ours", {}), "a stranger": ("stranger", {})}, 4, steps=1, device="cpu")
    assert counts == {"ours": None, "a stranger": None}  # on a CPU there are none to see
    assert "not counted for a stranger" in capsys.readouterr().err


def test_what_was_measured_is_shown():
    row = {"seconds": 0.000251, "images per second": 1.02e6, "ratio": [1.0, 1.0, 1.0]}
    lines = gpu.tables({
        "settings": {"epochs": 10, "data": "random images"},
        "batches": {256: {"ours": row}},
        "kernels": {"ours": [31, 0], "a stranger": None},
        "epochs": {"ours": {"seconds": 1.234, "ratio": [1.0, 1.0, 1.0], "loss": 2.3}},
    })  # fmt: skip
    text = "\n".join(lines)
    assert re.search(r"ours +\| 0\.251 +\| 1,020,000 +\| 1\.00", text)
    assert re.search(r"ours +\| 31 +\| 0", text) and re.search(r"a stranger +\| - +\| -", text)
    assert "10 epochs of batch 256 with evaluation, on random images:" in text and "| 1.23 |" in text
    assert gpu.results_name("NVIDIA H100 80GB HBM3") == "gpu_nvidia_h100_80gb_hbm3"


def test_without_a_gpu_it_says_so_and_fails(monkeypatch):
    monkeypatch.setattr(gpu.backend.devices, "unavailable_reason", lambda: "there is none")
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit, match="measures on a GPU, but there is none"):
        gpu.main()


def test_the_versions_tell_the_driver(standin):
    assert re.search(r"CuPy .*, CUDA 12\.9, driver 13\.1, NumPy", gpu.versions()["minitorch_cnn"])
