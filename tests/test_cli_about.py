"""The command info, --print-completion and --quiet."""

import configparser
import re
import sys

import pytest
from helpers import SETTINGS
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data, training
from minitorch_cnn.cli import about
from minitorch_cnn.data import fashion_mnist


def rows(out):
    """The table as a dict of texts."""
    parts = re.split(r"^(\S[\w ]*?)  +", out, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2])}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MINITORCH_CNN_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "nowhere")
    return tmp_path


@pytest.mark.elsewhere("a machine without a GPU")
def test_info_tells_versions_threads_gpu_and_data(command, monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(mt.backend.devices, "_why_absent", None)
    code, out, err = command("info")
    assert (code, err) == (0, "")
    found = rows(out)
    assert list(found) == ["version", "package", "threads", "BLAS", "GPU", "data", "needs", "can use"]
    assert found["version"].startswith(f"minitorch_cnn {mt.__version__}, NumPy 2.")
    assert re.match(r"\d+ share the work of an operation, on \d+ cores", found["threads"])
    assert "threads" in found["BLAS"] and found["GPU"].startswith("none: CuPy")
    assert found["data"] == (
        f"Fashion-MNIST in {folder}: there is no t10k-labels-idx1-ubyte, with or without .gz "
        f"Fashion-MNIST in {folder}/nowhere: there is no t10k-labels-idx1-ubyte, with or without .gz "
        "they will be fetched when they are needed"
    )
    assert re.search(r"matplotlib \d+\.\d+", found["needs"])


def test_info_names_the_gpu(command, standin):
    assert rows(command("info")[1])["GPU"] == mt.cuda.get_device_name()


def test_info_says_that_data_are_damaged_and_that_none_are_fetched(command, monkeypatch, folder):
    monkeypatch.setenv("MINITORCH_CNN_OFFLINE", "1")
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"no labels")
    said = rows(command("info", "--data-dir", folder)[1])["data"]
    assert "is not the t10k-labels-idx1-ubyte of Fashion-MNIST" in said and said.endswith("forbids to fetch them")


def test_info_says_that_data_are_whole(command, monkeypatch, folder):
    monkeypatch.setattr(fashion_mnist, "FILES", {})
    assert rows(command("info")[1])["data"] == f"Fashion-MNIST in {folder}: whole, and verified"


def test_info_knows_what_setup_cfg_names():
    options = configparser.ConfigParser()
    options.read(SETTINGS, encoding="utf-8")
    extras = {name: text for name, text in options["options.extras_require"].items() if name != "test"}
    for kind, texts in (("needs", [options["options"]["install_requires"]]), ("can use", extras.values())):
        named = re.findall(r"^([\w-]+)>", "\n".join(text.strip() for text in texts), re.MULTILINE)
        assert [name for name in named if name != "numpy"] == about.PACKAGES[kind]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_is_printed(command, shell):
    pytest.importorskip("shtab")
    code, out, err = command("--print-completion", shell)
    assert (code, err) == (0, "") and "gradcheck" in out and "--device" in out


def test_completion_names_what_it_needs(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, _, err = command("--print-completion", "bash")
    assert code == 2 and "--print-completion needs shtab: pip install 'minitorch_cnn[completion]'" in err


def test_a_quiet_training_prints_its_result(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, out, err = command("train", "--device", "cpu", "--epochs", 2, "--quiet")
    assert (code, err) == (0, "")
    assert out == f"{training.Run('runs/lenet').load().history[-1]}\nsaved in runs/lenet\n"


def test_a_quiet_gradcheck_prints_what_is_wrong(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "slipping.py").write_text(
        "forward = lambda x: x**2\nright = lambda dy, x: dy * 2 * x\nwrong = lambda dy, x: dy * x\n"
    )
    pair = ("gradcheck", "--quiet", "--shape", "3", "--pair", "slipping:forward")
    assert command(*pair, "slipping:right") == (0, "", "")
    code, out, err = command(*pair, "slipping:wrong")
    assert code == 1 and out.startswith("the gradient with respect to input 0") and out.count("\n") == 1
    assert err.startswith("minitorch-cnn: the check failed for the gradients with respect to input 0")
