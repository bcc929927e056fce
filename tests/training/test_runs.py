import os
import time
import warnings

import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn, optim, training
from minitorch_cnn.training import Epoch, History, Run


def save(run):
    net = nn.Linear(1, 1)
    run.prepare()
    run.begin(net)
    run.save(net, optim.SGD(net.parameters(), lr=1.0), History([Epoch(1, 1.0, 0.5, 0.5, 10.0, 1.0)]), {"seed": 3})


def test_a_run_leaves_its_files_and_no_temporary_one(tmp_path):
    run = Run(tmp_path / "deep" / "run")
    save(run)
    assert sorted(path.name for path in run.folder.iterdir()) == sorted([*Run.FILES, "epochs"])
    assert sorted(path.name for path in run.every_epoch.iterdir()) == ["000.safetensors", "001.safetensors"]
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
    assert Run.newest(tmp_path / "runs").folder == tmp_path / "runs"
    for name in ("lenet", "mine"):
        save(Run(tmp_path / "runs" / name))
    os.utime(Run(tmp_path / "runs/lenet").checkpoint, (time.time() + 10,) * 2)
    assert Run.newest(tmp_path / "runs").folder == tmp_path / "runs/lenet"


def test_a_file_in_the_way_is_found_before_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Run(tmp_path / "file" / "run").prepare()


def test_what_a_killed_process_left_is_swept(tmp_path):
    stale = tmp_path / ".curves.png.1-00.tmp"
    stale.touch()
    os.utime(stale, (0, 0))
    of_an_epoch = tmp_path / "epochs" / ".001.safetensors.1-00.tmp"
    of_an_epoch.parent.mkdir()
    of_an_epoch.touch()
    os.utime(of_an_epoch, (0, 0))
    Run(tmp_path).prepare()
    assert not stale.exists() and not of_an_epoch.exists()


@pytest.fixture
def quick(monkeypatch):
    """Pictures that take no time."""
    monkeypatch.setattr(History, "to_png", lambda self: b"\x89PNG" + self.to_csv().encode())


def content(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def train(run, epochs, accuracies=(0.1, 0.5, 0.3, 0.5, 0.2)):
    """Save some epochs, each with other weights; return what the folder held after each."""
    mt.manual_seed(0)
    net, history, contents = nn.Linear(2, 2), History(), []
    run.begin(net)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(1, epochs + 1):
        net.weight.data.fill_(epoch)
        history.append(Epoch(epoch, 1.0 / epoch, 0.5, accuracies[epoch - 1], 10.0, 1.0))
        run.save(net, optimizer, history, {})
        contents.append(content(run.folder))
    return contents


def test_the_best_epoch_and_the_one_before_are_kept(tmp_path, quick):
    run = Run(tmp_path / "run")
    run.prepare()
    first, second, third, fourth, fifth = train(run, 5)
    assert first["previous.safetensors"] == first["checkpoint.safetensors"]
    assert fifth["previous.safetensors"] == fourth["checkpoint.safetensors"]
    assert fifth["best.safetensors"] == second["weights.safetensors"], "of equal ones the first"
    assert run.load_weights(best=True)["weight"].tolist() == [[2, 2], [2, 2]]
    assert run.load_weights()["weight"].tolist() == [[5, 5], [5, 5]]
    assert len({c["weights.safetensors"] for c in (first, second, third, fourth, fifth)}) == 5


@pytest.mark.parametrize("name", [*Run.FILES, "epochs/002.safetensors"])
@pytest.mark.parametrize("state", ["missing", "older", "damaged"])
def test_each_file_is_repaired(tmp_path, quick, name, state):
    run = Run(tmp_path / "run")
    run.prepare()
    *_, older, whole = train(run, 2)  # its last epoch is the best
    path = run.folder / name
    if state == "missing":
        path.unlink()
    else:
        path.write_bytes(older.get(name, older["weights.safetensors"]) if state == "older" else whole[name][:-3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checkpoint = run.load()
    run.repair(checkpoint)
    if name == "checkpoint.safetensors":  # that of the first epoch is the one to go on from
        assert content(run.folder)["weights.safetensors"] == older["weights.safetensors"]
        assert content(run.folder)["metrics.csv"] == older["metrics.csv"]
        assert run.epochs() == [0, 1], "those of an epoch that is lost go"
    elif name != "previous.safetensors":
        assert content(run.folder) == whole
    assert run.load().history == checkpoint.history


def test_a_damaged_checkpoint_never_becomes_the_one_before(tmp_path, quick):
    run = Run(tmp_path / "run")
    run.prepare()
    train(run, 2)
    good = run.previous.read_bytes()
    run.checkpoint.write_bytes(b"damaged")
    with pytest.warns(RuntimeWarning, match="damaged.*; so the one before it is taken, .*previous.safetensors"):
        history = run.load().history
    net = nn.Linear(2, 2)
    history.append(Epoch(2, 1.0, 0.5, 0.5, 10.0, 1.0))
    run.save(net, optim.SGD(net.parameters(), lr=0.1), history, {})
    assert run.previous.read_bytes() == good


def test_a_run_that_replaces_another_leaves_nothing_of_it(tmp_path, quick):
    run = Run(tmp_path / "run")
    run.prepare()
    train(run, 3)
    old = content(run.folder)
    save(run)
    assert not set(old.values()) & set(content(run.folder).values())


def test_equal_runs_are_equal_folders(tmp_path):
    folders = [Run(tmp_path / name) for name in ("a", "b")]
    for run in folders:
        run.prepare()
        train(run, 3)
    assert content(folders[0].folder) == content(folders[1].folder)


def test_the_weights_of_every_epoch_are_kept(tmp_path, quick):
    run = Run(tmp_path / "run")
    assert run.epochs() == []
    with pytest.raises(training.CheckpointError, match=r"run holds no weights of epoch 0: no epoch's were kept"):
        run.load_epoch(0)
    run.prepare()
    contents = train(run, 3)
    assert run.epochs() == [0, 1, 2, 3]
    assert [run.load_epoch(epoch)["weight"][0, 0].item() for epoch in (1, 2, 3)] == [1, 2, 3]
    mt.manual_seed(0)
    assert mt.equal(run.load_epoch(0)["weight"], nn.Linear(2, 2).weight), "the initial ones"
    assert contents[0]["epochs/001.safetensors"] == contents[0]["weights.safetensors"]
    with pytest.raises(training.CheckpointError, match=r"no weights of epoch 4: there are those of 0, 1, 2, 3"):
        run.load_epoch(4)
    save(run)
    assert run.epochs() == [0, 1], "of the run that replaces it"
    assert run.load_epoch(0)["weight"].shape == (1, 1)


def test_the_initial_weights_that_a_killed_process_has_not_written_are_written_by_the_next(tmp_path, quick):
    run = Run(tmp_path / "run")
    run.prepare()
    *_, whole = train(run, 2)
    (run.every_epoch / "000.safetensors").unlink()
    checkpoint, again = run.load(), Run(run.folder)
    mt.manual_seed(0)
    again.begin(nn.Linear(2, 2))
    again.repair(checkpoint)
    assert content(run.folder) == whole
    again.begin(nn.Linear(2, 2))  # other ones: what is there stays
    again.repair(checkpoint)
    assert content(run.folder) == whole


def test_large_weights_are_kept_of_the_last_epochs_alone(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(training.runs, "LARGEST_KEPT", 100)
    run = Run(tmp_path / "run")
    run.prepare()
    train(run, 2)
    assert run.epochs() == [] and not run.every_epoch.exists() and run.best.exists()


def test_what_people_read_never_costs_a_run(tmp_path, quick):
    run = Run(tmp_path / "run")
    run.prepare()
    (run.folder / "metrics.csv").mkdir()
    with pytest.warns(RuntimeWarning, match=r"metrics.csv was not written: .*something that is no file has this name"):
        train(run, 1)
    assert run.load().history and run.best.exists()


def test_an_empty_name_is_no_folder():
    with pytest.raises(ValueError, match="expected the name of a folder, got an empty one"):
        Run("")


def test_a_fresh_folder_goes_again_if_nothing_was_saved(tmp_path):
    run = Run.fresh(tmp_path / "run")
    run.lock()
    run.close()
    assert not run.folder.exists()
    run = Run(tmp_path / "run")
    run.lock()
    run.close()
    assert run.folder.exists(), "its name was given"
