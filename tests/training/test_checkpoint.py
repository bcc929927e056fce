import json
import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn, optim, training
from minitorch_cnn.data import saving
from minitorch_cnn.training import CheckpointError, Epoch, History


def small_run(momentum=0.9):
    """A network and an optimizer with state, after one step."""
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=momentum)
    net(mt.ones(4, 3)).sum().backward()
    optimizer.step()
    return net, optimizer, History([Epoch(1, 0.1 + 0.2, 0.5, 0.25, 1000.0, 1.5)])


def same_weights(net, other):
    state, other_state = net.state_dict(), other.state_dict()
    return state.keys() == other_state.keys() and all(mt.equal(state[name], other_state[name]) for name in state)


def test_round_trip_restores_weights_optimizer_random_numbers_and_history(tmp_path):
    net, optimizer, history = small_run()
    training.save_checkpoint(tmp_path / "c", net, optimizer, history, {"lr": 0.9, "note": "été"})
    drawn = mt.rand(3)

    checkpoint = training.load_checkpoint(tmp_path / "c")
    assert checkpoint.history == history
    assert checkpoint.recipe == {"lr": 0.9, "note": "été"}
    other_net, other_optimizer, _ = small_run()
    checkpoint.restore(other_net, other_optimizer)
    assert mt.equal(mt.rand(3), drawn)
    assert same_weights(net, other_net)
    for net_, optimizer_ in ((net, optimizer), (other_net, other_optimizer)):  # the momentum is the same too
        optimizer_.zero_grad()
        net_(mt.ones(4, 3)).sum().backward()
        optimizer_.step()
    assert same_weights(net, other_net)


def test_a_checkpoint_from_one_device_goes_on_on_another(tmp_path, gpu):
    net, _, history = small_run()
    net.to("cuda")
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    training.save_checkpoint(tmp_path / "c", net, optimizer, history)
    other, other_optimizer, _ = small_run(momentum=0)
    training.load_checkpoint(tmp_path / "c").restore(other, other_optimizer)
    assert same_weights(net.to("cpu"), other)


def test_any_flipped_bit_is_found(tmp_path):
    path = tmp_path / "c"
    net = nn.Linear(1, 1)
    training.save_checkpoint(path, net, optim.SGD(net.parameters(), lr=0.1), History())
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    positions = [*range(8 * 64), *rng.choice(8 * len(good), 1500), *range(8 * (len(good) - 8), 8 * len(good))]
    for position in positions:
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        path.write_bytes(bad)
        with pytest.raises(CheckpointError):
            training.load_checkpoint(path)


def test_a_flipped_bit_in_weights_is_named(tmp_path):
    path = tmp_path / "w"
    training.save_weights(path, nn.Linear(1, 1))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"w is no readable checkpoint, or damaged: .* do not match the digests"):
        training.load_weights(path)


@pytest.mark.parametrize("content", [b"", b"12345678", b"not a checkpoint at all", b"\xff" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        training.load_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*nowhere"):
        training.load_checkpoint(tmp_path / "nowhere")


def test_weights_alone_are_no_run_to_continue(tmp_path):
    training.save_weights(tmp_path / "w", nn.Linear(1, 1))
    with pytest.raises(CheckpointError, match="holds weights, but no state of a training run"):
        training.load_checkpoint(tmp_path / "w")


def test_weights_load_in_pytorch_by_name(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    training.save_weights(tmp_path / "w", net)
    torch_net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    torch_net.load_state_dict(load_file(tmp_path / "w"))
    x = np.random.default_rng(0).random((3, 1, 4, 4), np.float32)
    expected = torch_net(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(net(mt.from_numpy(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_weights_of_pytorch_load(tmp_path):
    pytest.importorskip("torch")
    from safetensors.numpy import save_file

    values = np.arange(3, dtype=np.float32)
    save_file({"weight": values}, tmp_path / "w", metadata={"format": "pt"})
    assert training.load_weights(tmp_path / "w")["weight"].tolist() == [0, 1, 2]


def test_load_weights_takes_them_out_of_a_checkpoint(tmp_path):
    net, optimizer, history = small_run()
    training.save_checkpoint(tmp_path / "c", net, optimizer, history)
    assert training.load_weights(tmp_path / "c").keys() == net.state_dict().keys()


@pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")
def test_the_file_has_the_mode_of_any_other_file(tmp_path):
    training.save_weights(tmp_path / "w", nn.Linear(1, 1))
    (tmp_path / "other").touch()
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    training.save_weights(tmp_path / "w", nn.Linear(1, 1))
    old = (tmp_path / "w").read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        training.save_weights(tmp_path / "w", nn.Linear(1, 1))
    assert (tmp_path / "w").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


SAVE_FOR_EVER = """
import sys
from minitorch_cnn import nn, training
net = nn.Linear(700, 700)
training.save_weights(sys.argv[1], net)
print("saved", flush=True)
while True:
    training.save_weights(sys.argv[1], net)
"""


@pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")
def test_killed_while_saving_the_file_is_whole(tmp_path):
    for delay in (0.0, 0.004, 0.011):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, str(tmp_path / "w")], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout.readline() == "saved\n"
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        assert training.load_weights(tmp_path / "w")["weight"].shape == (700, 700)


# --- equal files ---------------------------------------------------------------------------------------------


def test_equal_weights_and_states_are_equal_files(tmp_path):
    net, optimizer, history = small_run()
    files = set()
    for _ in range(8):
        training.save_weights(tmp_path / "w", net)
        training.save_checkpoint(tmp_path / "c", net, optimizer, history, {"lr": 0.9})
        files.add((tmp_path / "w").read_bytes() + (tmp_path / "c").read_bytes())
    training.load_checkpoint(tmp_path / "c").restore(net, optimizer)
    training.save_checkpoint(tmp_path / "c", net, optimizer, history, {"lr": 0.9})
    training.save_weights(tmp_path / "w", net)
    files.add((tmp_path / "w").read_bytes() + (tmp_path / "c").read_bytes())
    assert len(files) == 1


# --- of another kind -----------------------------------------------------------------------------------------


def sealed(path, state, tensors=None):
    """A file with right digests, whatever the state is."""
    from safetensors.numpy import save

    tensors = tensors or {f"model.{name}": value.numpy() for name, value in small_run()[0].state_dict().items()}
    path.write_bytes(save(tensors, saving.sealed(tensors, state if isinstance(state, str) else json.dumps(state))))


def good_state():
    return {"history": [], "recipe": {}, "rng": mt.get_rng_state(), "optimizer": {"dict": []}}


def test_a_sealed_state_is_read(tmp_path):
    sealed(tmp_path / "c", good_state())
    assert training.load_checkpoint(tmp_path / "c").history == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("history", 3), ("history", [[1, 2]]), ("history", [3]), ("history", {"a": 1}),
        ("history", [[1, "x", 0, 0, 0, 0]]),
        ("history", [[2, 0.5, 0.5, 0.5, 1.0, 1.0]]), ("history", [[True, 0.5, 0.5, 0.5, 1.0, 1.0]]), ("history", None),
        ("recipe", []), ("recipe", None), ("recipe", "lr"),
        ("rng", {}), ("rng", None), ("rng", {"bit_generator": "MT19937"}), ("rng", [1]),
        ("rng", {"bit_generator": "PCG64", "state": {"state": -1, "inc": "x"}, "has_uint32": 0, "uinteger": 0}),
        ("optimizer", {"tensor": "nowhere"}), ("optimizer", {"dict": [[[], 1]]}), ("optimizer", {"dict": 3}),
        ("optimizer", {}), ("optimizer", 3), ("optimizer", []), ("optimizer_class", 3),
    ],
)  # fmt: skip
def test_a_part_that_is_none_of_ours_is_named(tmp_path, part, value):
    sealed(tmp_path / "c", {**good_state(), part: value})
    with pytest.raises(
        CheckpointError, match=f"c is whole, but was not written by save_checkpoint: expected {part} to"
    ):
        training.load_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("state", ["[]", "3", '"x"', "null", "{", "[" * 100_000, json.dumps({"history": []})])
def test_a_state_that_is_none_of_ours_is_refused(tmp_path, state):
    sealed(tmp_path / "c", state)
    with pytest.raises(CheckpointError):
        training.load_checkpoint(tmp_path / "c")


def change(path, changed):
    """Save a run, with something changed in what the optimizer says of itself."""
    net, optimizer, history = small_run()
    state = optimizer.state_dict()
    changed(state)
    optimizer.state_dict = lambda: state
    training.save_checkpoint(path, net, optimizer, history)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            lambda s: s["state"][0].update(momentum_buffer=mt.zeros(7)),
            r"momentum_buffer of parameter 0 has shape \(7,\)",
        ),
        (lambda s: s["state"].update({9: {}}), "there is no 9"),
        (lambda s: s["param_groups"].append(s["param_groups"][0]), "different number of parameter groups: 2"),
        (lambda s: s["param_groups"][0].update(params=[0]), "1 parameters, this optimizer's 4"),
        (lambda s: s["param_groups"][0].pop("lr"), "its settings are .*; saved were"),
        (lambda s: s["param_groups"][0].update(lr="fast"), "expected lr to be like 0.1, got 'fast'"),
        (lambda s: s["param_groups"][0].update(nesterov=3), "expected nesterov to be like False, got 3"),
        (lambda s: s.pop("param_groups"), "there is no 'param_groups'"),
        (lambda s: s.update(state=3), "SGD optimizer"),
    ],
)
def test_a_state_that_does_not_fit_the_optimizer_changes_nothing(tmp_path, changed, told):
    change(tmp_path / "c", changed)
    net, optimizer, _ = small_run()
    before = saving.serialize({**net.state_dict(), "v": optimizer.state[net[0].weight]["momentum_buffer"]})
    drawn = mt.get_rng_state()
    with pytest.raises(CheckpointError, match=f"does not fit the SGD optimizer: .*{told}|does not fit the {told}"):
        training.load_checkpoint(tmp_path / "c").restore(net, optimizer)
    after = saving.serialize({**net.state_dict(), "v": optimizer.state[net[0].weight]["momentum_buffer"]})
    assert before == after and mt.get_rng_state() == drawn


def test_another_optimizer_and_another_network_are_named(tmp_path):
    net, optimizer, history = small_run()
    training.save_checkpoint(tmp_path / "c", net, optimizer, history)
    checkpoint = training.load_checkpoint(tmp_path / "c")
    with pytest.raises(CheckpointError, match="does not fit the Adam optimizer: it was saved with SGD"):
        checkpoint.restore(net, optim.Adam(net.parameters()))
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    weights = saving.serialize(other.state_dict())
    sgd = optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(CheckpointError, match=r"(?s)does not fit the (SGD optimizer|network): .*\(2, 3\)"):
        checkpoint.restore(other, sgd)
    with pytest.raises(CheckpointError, match=r"(?s)does not fit the network: .*weight"):
        checkpoint.restore(other)
    assert saving.serialize(other.state_dict()) == weights and not sgd.state


def test_an_optimizer_of_ones_own_goes_on_where_it_was(tmp_path):
    class Own(optim.SGD):
        pass

    net, _, history = small_run()
    training.save_checkpoint(
        tmp_path / "c", net, Own(net.parameters(), lr=np.float32(0.1)), history, {"lr": np.int64(3)}
    )
    checkpoint = training.load_checkpoint(tmp_path / "c")
    checkpoint.restore(net, optim.SGD(net.parameters(), lr=0.3))
    assert checkpoint.recipe == {"lr": 3}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04" + bytes(200), "a zip archive, as torch.save"),
        (b"\x80\x02}q" + bytes(200), "a pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "an HDF5 file"),
        (b"\x93NUMPY\x01\x00" + bytes(200), "an array of numpy.save"),
    ],
)
def test_files_of_other_libraries_are_not_called_damaged(tmp_path, content, what):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"x is no safetensors file, but {what}"):
        training.load_weights(tmp_path / "x")


def test_weights_with_foreign_metadata_are_weights(tmp_path):
    from safetensors.numpy import save_file

    for metadata in ({"sha256": "0" * 64}, {"format": "pt"}, {"state": "x", "sha256": "y"}, {"format": "minitorch"}):
        save_file({"weight": np.ones(2, np.float32)}, tmp_path / "w", metadata)
        assert training.load_weights(tmp_path / "w")["weight"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (lambda net: (net, "w"), "expected a path first and then the network, got Linear"),
        (lambda net: ("w", net.state_dict()), r"expected a network, such as an nn.Module, got .*dict"),
        (lambda net: ("w", None), "expected a network, such as an nn.Module, got NoneType"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=told):
        training.save_weights(*arguments(nn.Linear(1, 1)))
    with pytest.raises(TypeError, match=r"expected what JSON can hold, got \{3\}"):
        net, optimizer, history = small_run()
        training.save_checkpoint("c", net, optimizer, history, {"set": {3}})
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_is_named_by_its_own_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*nowhere/w'$"):
        training.save_weights(tmp_path / "nowhere/w", nn.Linear(1, 1))
    with pytest.raises(FileExistsError, match="something that is no file has this name"):
        training.save_weights(tmp_path, nn.Linear(1, 1))


@pytest.mark.skipif(os.name != "posix", reason="devices")
def test_a_device_is_not_replaced():
    with pytest.raises(FileExistsError, match="something that is no file"):
        training.save_weights("/dev/null", nn.Linear(1, 1))
    assert not os.path.isfile("/dev/null")


def test_a_file_that_is_cut_while_it_is_in_use_is_no_bus_error(tmp_path):
    """A program that writes in place cuts the file first; one that was mapped into memory would end this process."""
    net, optimizer, history = small_run()
    training.save_checkpoint(tmp_path / "c", net, optimizer, history)
    good = (tmp_path / "c").read_bytes()
    loaded = training.load_checkpoint(tmp_path / "c")
    for length in range(0, len(good), 7):
        with open(tmp_path / "c", "r+b") as file:
            file.truncate(length)
        with pytest.raises(CheckpointError):
            training.load_checkpoint(tmp_path / "c")
        (tmp_path / "c").write_bytes(good)
        training.load_checkpoint(tmp_path / "c")
    assert same_weights(net, loaded_into(loaded))


def loaded_into(checkpoint):
    net, optimizer, _ = small_run()
    checkpoint.restore(net, optimizer)
    return net


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
def test_every_type_of_numbers_comes_back(tmp_path, dtype):
    from safetensors.numpy import save_file

    values = np.arange(6).reshape(2, 3).astype(dtype)
    save_file({"x": values, "none": values[:0], "one": np.array(values[0, 1])}, tmp_path / "w")
    weights = training.load_weights(tmp_path / "w")
    for name, expected in (("x", values), ("none", values[:0]), ("one", np.array(values[0, 1]))):
        got = weights[name].numpy()
        assert got.dtype == expected.dtype and got.shape == expected.shape and np.array_equal(got, expected)
    weights["x"].fill_(1)
