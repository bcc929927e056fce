import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import backend, data, training


@pytest.fixture(autouse=True)
def _tiny_data_in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)


def train(command, *arguments):
    return command("train", "--device", "cpu", "--batch-size", 32, *arguments)


def weights(folder):
    return training.load_weights(f"{folder}/weights.safetensors")


def same(first, second):
    return all(mt.equal(first[name], second[name]) for name in first)


# --- train -----------------------------------------------------------------------------------------------


def test_train_prints_the_two_lines_of_the_chapter_and_leaves_four_files(command, tmp_path):
    code, out, _ = train(command, "--epochs", 2)
    assert code == 0
    lines = out.splitlines()
    assert lines[:4] == [
        "lenet on Fashion-MNIST: 160 images to train on and 50 to test on",
        "61,706 parameters, at first Xavier-uniform",
        "preset classic: batch size 32, lr 0.9, seed 0, results in runs/lenet",
        "training on cpu",
    ]
    results = r"loss \d\.\d{3}, train acc \d\.\d{3}, test acc \d\.\d{3}"
    assert re.fullmatch(rf"epoch  1/2: {results}, \d+\.\d s", lines[4])
    assert re.fullmatch(results, lines[-6])
    assert re.fullmatch(r"\d+\.\d examples/sec on cpu", lines[-5])
    assert re.fullmatch(r"\d+\.\d s of wall clock, .*", lines[-4])
    assert lines[-3] == "saved in runs/lenet:" and lines[-1].endswith("curves.png, epochs/")
    assert sorted(path.name for path in (tmp_path / "runs/lenet").iterdir()) == sorted([*training.Run.FILES, "epochs"])
    history = training.History.from_csv((tmp_path / "runs/lenet/metrics.csv").read_text())
    assert [row.epoch for row in history] == [1, 2]
    assert str(history[-1]) == lines[-6]


@pytest.mark.parametrize("options", [[], ["--capture"]])
def test_a_captured_step_is_asked_for(command, monkeypatch, options):
    asked, really = [], training.train
    monkeypatch.setattr(training, "train", lambda *args, **kwargs: asked.append(kwargs) or really(*args, **kwargs))
    assert train(command, "--epochs", 1, *options)[0] == 0
    assert [kwargs["capture"] for kwargs in asked] == [bool(options)]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(command):
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert train(command, "--epochs", 1, "--seed", seed, "--out", out)[0] == 0
    assert same(weights("a"), weights("b"))
    assert not same(weights("a"), weights("c"))


def test_a_resumed_run_ends_with_the_very_bits_of_an_uninterrupted_one(command):
    train(command, "--epochs", 3, "--lr", 0.5, "--out", "whole")
    train(command, "--epochs", 1, "--lr", 0.5, "--out", "parts")
    code, out, _ = command("train", "--device", "cpu", "--resume", "--out", "parts", "--epochs", 3)
    assert code == 0
    assert "going on after epoch 1: loss" in out
    assert "batch size 32, lr 0.5" in out
    assert same(weights("whole"), weights("parts"))
    whole, parts = (training.load_checkpoint(f"{out}/checkpoint.safetensors").history for out in ("whole", "parts"))
    assert [row[:4] for row in whole] == [row[:4] for row in parts]


def test_a_second_run_takes_the_next_folder_and_resume_takes_the_latest(command):
    train(command, "--epochs", 1)
    _, out, _ = train(command, "--epochs", 1)
    assert "results in runs/lenet-2" in out
    code, out, _ = command("train", "--resume", "--epochs", 2)
    assert code == 0
    assert "results in runs/lenet-2" in out


def test_a_finished_run_says_how_to_go_further(command):
    train(command, "--epochs", 1)
    code, out, _ = command("train", "--resume")
    assert code == 0
    assert "runs/lenet is finished after epoch 1: loss" in out
    assert "--resume --out runs/lenet --epochs N" in out


def test_results_are_replaced_only_on_request(command):
    train(command, "--epochs", 1, "--out", "here")
    before = weights("here")
    code, _, err = train(command, "--epochs", 1, "--seed", 1, "--out", "here")
    assert code == 1
    assert "here holds the results of a run" in err
    for option in ("--resume", "--overwrite", "--out"):
        assert option in err
    assert same(before, weights("here"))
    assert train(command, "--epochs", 1, "--seed", 1, "--out", "here", "--overwrite")[0] == 0
    assert not same(before, weights("here"))


def test_a_run_does_not_go_on_with_another_recipe(command):
    train(command, "--epochs", 1)
    code, _, err = command("train", "--resume", "--epochs", 2, "--lr", 0.1)
    assert code == 1
    assert err == (
        "minitorch-cnn: runs/lenet was begun with --lr 0.9, it cannot go on with 0.1: "
        "leave --lr out, or start a new run\n"
    )


def test_ctrl_c_leaves_the_last_epoch_and_says_how_to_go_on(command, monkeypatch):
    save = training.Run.save

    def interrupted(run, net, optimizer, history, recipe, **others):
        if len(history) == 2:
            raise KeyboardInterrupt
        save(run, net, optimizer, history, recipe, **others)

    monkeypatch.setattr(training.Run, "save", interrupted)
    code, _, err = train(command, "--epochs", 2, "--out", "run")
    assert code == 130
    assert "Epoch 1 is finished and saved" in err
    assert "minitorch-cnn train --resume --out run" in err
    assert "Traceback" not in err
    monkeypatch.setattr(training.Run, "save", save)
    assert command("train", "--device", "cpu", "--resume", "--out", "run")[0] == 0
    train(command, "--epochs", 2, "--out", "whole")
    assert same(weights("run"), weights("whole"))


@pytest.mark.parametrize("place", [(training, "train"), (training.Run, "save")])
def test_ctrl_c_before_the_first_epoch_is_saved(command, monkeypatch, place):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(*place, interrupt)
    code, _, err = train(command)
    assert code == 130
    assert err.strip() == "No epoch was finished and saved."


def test_ctrl_c_after_resuming_counts_the_epochs_saved_before(command, monkeypatch):
    train(command, "--epochs", 1)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Run, "save", interrupt)
    assert "Epoch 1 is finished and saved" in command("train", "--device", "cpu", "--resume", "--epochs", 2)[2]


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_a_diverging_run_is_explained(command):
    code, _, err = train(command, "--lr", 1e38)
    assert code == 3
    assert re.search(r"the loss became \S+ in epoch 1, .* smaller learning rate than 1e\+38", err)
    assert "Traceback" not in err


# --- evaluate --------------------------------------------------------------------------------------------


def test_evaluate_measures_the_latest_run_class_by_class(command):
    train(command, "--epochs", 1)
    code, out, _ = command("evaluate", "--device", "cpu")
    assert code == 0
    row = training.load_checkpoint("runs/lenet/checkpoint.safetensors").history[-1]
    lines = out.splitlines()
    assert lines[0] == "runs/lenet/checkpoint.safetensors on cpu, 50 test images"
    assert re.fullmatch(rf"loss \d\.\d{{3}}, test acc {row.test_acc:.3f}", lines[1])
    assert [line[:12].strip() for line in lines[4:]] == TinyFashion.classes


@pytest.mark.parametrize("given", ["run", "run/checkpoint.safetensors", "run/weights.safetensors"])
def test_evaluate_takes_a_folder_a_checkpoint_or_weights(command, given):
    train(command, "--epochs", 1, "--out", "run")
    code, out, _ = command("evaluate", given)
    assert code == 0
    assert "test acc" in out


# --- failures --------------------------------------------------------------------------------------------


def test_a_missing_gpu_is_explained(command, monkeypatch):
    monkeypatch.setattr(backend.devices, "unavailable_reason", lambda: "CuPy is not installed")
    code, _, err = command("train", "--device", "cuda")
    assert code == 1
    assert "'cuda' cannot be used: CuPy is not installed" in err
    assert len(err.splitlines()) == 1


def test_missing_data_are_explained(command, monkeypatch):
    def nowhere(*_, **__):
        raise RuntimeError("Fashion-MNIST was not found")

    monkeypatch.setattr(data, "FashionMNIST", nowhere)
    code, _, err = train(command)
    assert (code, err) == (1, "minitorch-cnn: Fashion-MNIST was not found\n")


def test_a_folder_that_cannot_be_written_is_found_before_the_data_are_loaded(command, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FashionMNIST", lambda *_, **__: pytest.fail("the data were loaded"))
    (tmp_path / "file").touch()
    code, _, err = train(command, "--out", "file/run")
    assert code == 1
    assert re.fullmatch(r"minitorch-cnn: cannot write to file/run: .+\. Choose another folder with --out\n", err)


@pytest.mark.parametrize("arguments", [("train", "--resume"), ("evaluate",), ("evaluate", "nowhere")])
def test_no_checkpoint(command, arguments):
    code, _, err = command(*arguments)
    assert code == 1
    assert err.startswith("minitorch-cnn: there is no checkpoint ")


def damage(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)


def test_two_damaged_checkpoints(command, tmp_path):
    train(command, "--epochs", 1, "--out", "run")
    for name in ("checkpoint", "previous"):
        damage(tmp_path / f"run/{name}.safetensors")
    for arguments in (("evaluate", "run"), ("train", "--resume", "--out", "run", "--epochs", 2)):
        code, _, err = command(*arguments)
        assert code == 1
        assert "damaged" in err


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--epochs", "0"], "--epochs: expected a whole number of at least 1, got '0'"),
        (["--epochs", "1.5"], "--epochs: expected a whole number of at least 1, got '1.5'"),
        (["--batch-size", "-4"], "--batch-size: expected a whole number of at least 1, got '-4'"),
        (["--seed", "x"], "--seed: expected a whole number of at least 0, got 'x'"),
        (["--lr", "nan"], "--lr: expected a positive number, got 'nan'"),
        (["--lr", "-1"], "--lr: expected a positive number, got '-1'"),
        (["--lr", "inf"], "--lr: expected a positive number, got 'inf'"),
        (["--lr", "big"], "--lr: expected a positive number, got 'big'"),
        (["--device", "tpu"], "--device: invalid choice"),
        (["--resume", "--overwrite"], "not allowed with argument"),
    ],
)
def test_wrong_usage_exits_with_2(command, arguments, expected):
    code, _, err = command("train", *arguments)
    assert code == 2
    assert expected in err


def test_help_shows_the_defaults(command):
    code, out, _ = command("train", "--help")
    assert code == 0
    text = " ".join(out.split())
    for default in (
        "classic: the chapter's, 10 epochs, lr 0.9, batch size 256;",
        "(default: 0)",
        "(default: auto)",
        "runs/lenet-2",
    ):
        assert default in text
    code, out, _ = command("--help")
    assert code == 0
    assert "train" in out
    assert "evaluate" in out


def test_version_and_no_command(command):
    assert command("--version") == (0, f"minitorch-cnn {mt.__version__}\n", "")
    code, _, err = command()
    assert code == 2
    assert "usage: minitorch-cnn" in err


def test_python_m_is_the_same_command():
    root = Path(mt.__file__).parents[1]
    arguments = [sys.executable, "-m", "minitorch_cnn", "--version"]
    done = subprocess.run(arguments, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == f"minitorch-cnn {mt.__version__}\n"
