import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn, optim, training
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
