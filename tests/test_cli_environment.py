"""The command where something is odd: streams, encodings, users, settings. Each in a process of its own."""

import errno
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tiny_fashion import TinyFashion

from minitorch_cnn import data, training
from minitorch_cnn.cli.streams import Stream

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams and users are POSIX's")
COMMAND = [sys.executable, str(Path(__file__).parent / "mpi_command.py")]  # with the small data set
TRAIN = "train --device cpu --batch-size 80 --epochs 1 --out run"


def run(command, folder, **environment):
    """Run a shell's command line, in which `minitorch-cnn` stands for the command on the small data set."""
    quoted = " ".join(f"'{part}'" for part in COMMAND)
    environment = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("minitorch-cnn", quoted)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def is_complete(folder):
    run = training.Run(folder)
    names = sorted(path.name for path in run.folder.iterdir())
    return names == sorted([*run.FILES, "epochs"]) and bool(run.load().history)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_a_training_needs_no_streams(tmp_path, closed):
    done = run(f"minitorch-cnn {TRAIN} {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert is_complete(tmp_path / "run")
    for written in content(tmp_path / "run").values():
        assert b"loss 2" not in written[:200], "the output went into a file"


def test_a_training_whose_output_is_no_longer_read_goes_on_to_its_end(tmp_path):
    done = run(f"minitorch-cnn {TRAIN} --epochs 2 | head -n 1", tmp_path)
    assert done.returncode == 0 and done.stderr == "" and "lenet on Fashion-MNIST" in done.stdout
    assert len(training.Run(tmp_path / "run").load().history) == 2


@pytest.mark.parametrize("command", ["summary", "--help"])
def test_what_nobody_reads_ends_quietly(tmp_path, command):
    done = run(f"minitorch-cnn {command} | true", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    done = run("minitorch-cnn summary > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "minitorch-cnn: the output could not be written: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("encoding", ["cp1251", "ascii"])
def test_signs_that_an_encoding_lacks_are_written_otherwise(tmp_path, encoding):
    done = run(f"minitorch-cnn summary | iconv -f {encoding} -t utf-8", tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and done.stderr == ""
    assert "61,706" in done.stdout and ("×" in done.stdout or "x" in done.stdout) and "?" not in done.stdout


def test_every_stream_falls_silent_instead_of_failing():
    class Failing(io.StringIO):
        def write(self, text):
            raise OSError(errno.EIO, "the terminal has gone")

    lost = Stream(Failing())
    assert lost.write("text") == 4
    assert lost.error.errno == errno.EIO
    lost.flush()
    closed = Stream(io.StringIO())
    closed.close()
    assert closed.write("text") == 4 and isinstance(closed.error, ValueError)


@pytest.mark.parametrize("encoding", ["koi8-r", "cp437", "utf-16", "latin-1", "utf-8"])
def test_no_sign_is_an_error(encoding):
    written = io.BytesIO()
    stream = Stream(io.TextIOWrapper(written, encoding))
    stream.write("a × 2 − b² → c, файл \udcff\n")
    stream.flush()
    text = written.getvalue().decode(encoding)
    assert text.startswith("a ") and "?" not in text and stream.error is None


@pytest.mark.parametrize("backend", ["nonsense", "module://nowhere"])
def test_pictures_are_drawn_whatever_mplbackend_says(tmp_path, backend):
    done = run(f"minitorch-cnn {TRAIN}", tmp_path, MPLBACKEND=backend)
    assert done.returncode == 0 and done.stderr == ""
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_home_is_not_needed():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        user = "setpriv --reuid 12345 --regid 12345 --clear-groups" if os.geteuid() == 0 else ""
        command = f"{user} minitorch-cnn {TRAIN}"
        done = run(command, folder, HOME=None, XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None, MPLCONFIGDIR=None)
        assert done.returncode == 0, done.stderr
        assert is_complete(Path(folder) / "run")


def test_a_disk_that_is_full_while_a_run_goes_on_is_named_with_what_is_saved(tmp_path):
    assert run(f"minitorch-cnn {TRAIN}", tmp_path).returncode == 0
    before = content(tmp_path / "run")
    command = "ulimit -f 40; minitorch-cnn train --device cpu --resume --out run --epochs 2"  # files of 40 kB
    done = run(command, tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(
        r"minitorch-cnn: cannot write to run: File too large: run/\w+.safetensors. Make room there, or see who may "
        r"write to it\nEpoch 1 is finished and saved. To go on after it:\n  minitorch-cnn train --resume --out run\n",
        done.stderr,
    )
    assert content(tmp_path / "run") == before


def test_two_runs_that_begin_at_once_take_two_folders(tmp_path):
    train = TRAIN.replace("--out run", "")
    done = run(f"minitorch-cnn {train} & minitorch-cnn {train} --seed 1; code=$?; wait $! && exit $code", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["lenet", "lenet-2"]
    assert all(map(is_complete, (tmp_path / "runs").iterdir()))


# --- in this process -----------------------------------------------------------------------------------------


@pytest.fixture
def command(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    return command


def test_a_folder_in_use_is_refused(command):
    used = training.Run("run")
    used.lock()
    for arguments in (TRAIN.split(), ["train", "--resume", "--out", "run"], [*TRAIN.split(), "--overwrite"]):
        code, _, err = command(*arguments)
        assert code == 1 and f"run is in use by process {os.getpid()} on " in err
    used.close()
    assert command(*TRAIN.split())[0] == 0


@pytest.mark.parametrize("arguments", [("train", "--out", ""), ("train", "--data-dir", ""), ("evaluate", "")])
def test_an_empty_name_is_refused(command, tmp_path, arguments):
    code, _, err = command(*arguments)
    assert code == 2 and "expected a name, got an empty one" in err
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_leaves_no_folder(command, monkeypatch, tmp_path):
    def nowhere(*_, **__):
        raise RuntimeError("no data, and \x1b[2J a \x07bell")

    monkeypatch.setattr(data, "FashionMNIST", nowhere)
    code, _, err = command("train", "--device", "cpu")
    assert (code, err) == (1, "minitorch-cnn: no data, and \\x1b[2J a \\x07bell\n")
    assert not (tmp_path / "runs/lenet").exists()


def test_offline_and_the_mirror_hold_for_this_command_alone(command, monkeypatch):
    seen = []
    monkeypatch.setattr(data, "FashionMNIST", lambda *_, **__: seen.append(dict(os.environ)) or TinyFashion())
    before = dict(os.environ)
    command(*TRAIN.split(), "--offline", "--mirror", "http://here/")
    assert seen[0]["MINITORCH_CNN_OFFLINE"] == "1" and seen[0]["MINITORCH_CNN_MIRROR"] == "http://here/"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "recipe", [{"epochs": "many"}, {"lr": None}, {"batch_size": 2.5}, {"seed": True}, {"lr": -1}, {"preset": 3}]
)
def test_a_recipe_that_is_not_the_commands(command, recipe):
    command(*TRAIN.split())
    from minitorch_cnn import models, optim

    net = models.LeNet()
    row = training.Run("run").load().history
    training.save_checkpoint("run/checkpoint.safetensors", net, optim.SGD(net.parameters(), lr=0.1), row, recipe)
    code, _, err = command("train", "--resume", "--out", "run")
    assert code == 1 and f"is no run of this command: its {next(iter(recipe))}: expected" in err


def test_a_picture_that_fails_never_costs_a_run(command, monkeypatch):
    def fail(_):
        raise ZeroDivisionError("no picture today")

    monkeypatch.setattr(training.History, "to_png", fail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "default")
        code, _, err = command_with_warnings(command, *TRAIN.split(), "--epochs", 2)
    assert code == 0 and err.count("minitorch-cnn: warning: run/curves.png was not written: no picture today") >= 1
    assert len(training.Run("run").load().history) == 2
    monkeypatch.undo()


def command_with_warnings(command, *arguments):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        return command(*arguments)


def damage(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_ends_with_the_same_weights(command, tmp_path):
    command(*TRAIN.split(), "--epochs", 3)
    whole = (tmp_path / "run/weights.safetensors").read_bytes()
    damage(tmp_path / "run/checkpoint.safetensors")
    code, out, err = command_with_warnings(command, "evaluate", "run")
    assert code == 0 and "test acc" in out and "so the one before it is taken" in err
    code, out, err = command_with_warnings(command, "train", "--device", "cpu", "--resume", "--out", "run")
    assert code == 0 and "going on after epoch 2" in out and "damaged" in err
    assert (tmp_path / "run/weights.safetensors").read_bytes() == whole


def test_evaluate_takes_the_best_on_request(command, tmp_path):
    command(*TRAIN.split(), "--epochs", 3)
    history = training.Run("run").load().history
    code, out, _ = command("evaluate", "run", "--best")
    assert code == 0
    code_of_file, _, err = command("evaluate", "run/weights.safetensors", "--best")
    assert code_of_file == 1 and "--best is for the folder of a run" in err
    assert out.startswith("run/best.safetensors on cpu") and f"test acc {history.best.test_acc:.3f}" in out
