import os
import time

import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn, optim, training
from minitorch_cnn.training import Epoch, History, Run


def save(run):
    net = nn.Linear(1, 1)
    run.prepare()
    run.save(net, optim.SGD(net.parameters(), lr=1.0), History([Epoch(1, 1.0, 0.5, 0.5, 10.0, 1.0)]), {"seed": 3})


def test_a_run_leaves_four_files_and_no_temporary_one(tmp_path):
    run = Run(tmp_path / "deep" / "run")
    save(run)
    assert sorted(path.name for path in run.folder.iterdir()) == sorted(Run.FILES)
    assert training.load_checkpoint(run.checkpoint).recipe == {"seed": 3}
    assert (run.folder / "metrics.csv").read_text().splitlines()[1] == "1,1.0,0.5,0.5,10.0,1.0"
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert mt.equal(
        training.load_weights(run.folder / "weights.safetensors")["weight"],
        training.load_weights(run.checkpoint)["weight"],
    )


def test_a_fresh_run_takes_the_first_free_folder(tmp_path):
    assert Run.fresh(tmp_path / "lenet").folder == tmp_path / "lenet"
    save(Run(tmp_path / "lenet"))
    save(Run(tmp_path / "lenet-2"))
    assert Run.fresh(tmp_path / "lenet").folder == tmp_path / "lenet-3"


def test_the_newest_run_is_the_one_saved_last(tmp_path):
    assert Run.newest(tmp_path / "lenet").folder == tmp_path / "lenet"
    for name in ("lenet", "lenet-2"):
        save(Run(tmp_path / name))
    os.utime(Run(tmp_path / "lenet").checkpoint, (time.time() + 10,) * 2)
    assert Run.newest(tmp_path / "lenet").folder == tmp_path / "lenet"


def test_a_file_in_the_way_is_found_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Run(tmp_path / "file" / "run").prepare()


def test_what_a_killed_process_left_is_swept(tmp_path):
    stale = tmp_path / ".curves.png.1-00.tmp"
    stale.touch()
    os.utime(stale, (0, 0))
    Run(tmp_path).prepare()
    assert not stale.exists()
