"""Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors file.

A file holds the tensors by name. Its metadata, which safetensors allows as text only, holds the rest as JSON, and
the SHA-256 of every part: the format itself has no checksum, and a flipped bit would load without a word.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import random
from minitorch_cnn.data.files import atomic_file
from minitorch_cnn.training.history import Epoch, History

FORMAT = "minitorch_cnn 1"


class CheckpointError(RuntimeError):
    """A file that is no checkpoint, or a damaged one."""


@dataclass
class Checkpoint:
    """A training run between two epochs.

    Attributes
    ----------
    model : dict of str to Tensor
        The network's ``state_dict``.
    optimizer : dict
        The optimizer's ``state_dict``.
    history : History
        The epochs so far.
    recipe : dict
        The settings of the run, for whoever continues it; anything that JSON can hold.
    rng : dict
        The state of the random numbers, as of `random.get_rng_state`.
    """

    model: dict
    optimizer: dict = field(default_factory=dict)
    history: History = field(default_factory=History)
    recipe: dict = field(default_factory=dict)
    rng: dict = field(default_factory=dict)

    def restore(self, net, optimizer=None):
        """Put a network, its optimizer and the random numbers back into the state that was saved."""
        net.load_state_dict(self.model)
        if optimizer is not None:
            optimizer.load_state_dict(self.optimizer)
            random.set_rng_state(self.rng)


def save_checkpoint(path, net, optimizer, history, recipe=None):
    """Save a run between two epochs, so that it can be continued to the last bit.

    Parameters
    ----------
    path : str or Path
        The file; replaced in one step if it exists.
    net : nn.Module
    optimizer : optim.Optimizer
    history : History
    recipe : dict, optional
        The settings of the run.

    Raises
    ------
    OSError
        If the file cannot be written. The older checkpoint is then intact.
    """
    tensors = {f"model.{name}": tensor for name, tensor in net.state_dict().items()}
    state = {"history": history, "recipe": recipe or {}, "rng": random.get_rng_state()}
    state["optimizer"] = _take_out(optimizer.state_dict(), "optimizer", tensors)
    _write(path, tensors, state)


def load_checkpoint(path):
    """Read what `save_checkpoint` wrote, and verify every byte of it.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If there is no such file, if it is damaged, or if it holds weights alone.
    """
    tensors, state = _read(path)
    if not {"history", "recipe", "rng", "optimizer"} <= state.keys():
        raise CheckpointError(f"{path} holds weights, but no state of a training run to continue")
    prefix = "model."
    model = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    history = History(Epoch(*row) for row in state["history"])
    return Checkpoint(model, _put_back(state["optimizer"], tensors), history, state["recipe"], state["rng"])


def save_weights(path, net):
    """Save a network's weights alone, under the names of its ``state_dict``.

    PyTorch reads the file with ``safetensors.torch.load_file``.
    """
    _write(path, net.state_dict(), {})


def load_weights(path):
    """Read a network's weights from a file of `save_weights`, of `save_checkpoint`, or of PyTorch's safetensors.

    Returns
    -------
    dict of str to Tensor
        For ``net.load_state_dict``.

    Raises
    ------
    CheckpointError
        If there is no such file, or if it is damaged. (Files made elsewhere carry no digests to verify.)
    """
    tensors, state = _read(path)
    return load_checkpoint(path).model if "history" in state else tensors


def _take_out(value, name, tensors):
    """Return a nested `value` as JSON can hold it, its tensors moved to `tensors` under their path's name."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[key, _take_out(item, f"{name}.{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_out(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
    return value


def _put_back(value, tensors):
    """Undo `_take_out`."""
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _put_back(item, tensors) for key, item in value["dict"]}
    return [_put_back(item, tensors) for item in value] if isinstance(value, list) else value


def _write(path, tensors, state):
    from safetensors.numpy import save

    arrays = {name: np.asarray(tensor.detach().cpu().numpy(), order="C") for name, tensor in tensors.items()}
    with atomic_file(path) as file:
        file.write(save(arrays, _sealed(arrays, json.dumps(state))))


def _read(path):
    """Return the tensors of a file and the state in its metadata, both verified."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if "sha256" not in metadata and metadata.get("format") != FORMAT:
            metadata = _sealed(arrays, "{}")  # weights from elsewhere
        if metadata != _sealed(arrays, metadata["state"]):
            raise ValueError("its contents do not match the digests inside")
        state = json.loads(metadata["state"])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no readable checkpoint, or damaged: {error}") from error
    return {name: Tensor(array) for name, array in arrays.items()}, state


def _sealed(arrays, state):
    """Return the metadata of a file: its format, the state, and the SHA-256 of the state and of each array."""
    digests = {"": hashlib.sha256(state.encode()).hexdigest()}
    for name, array in sorted(arrays.items()):
        header = f"{name} {array.dtype.str} {array.shape} ".encode()
        digests[name] = hashlib.sha256(header + array.tobytes()).hexdigest()
    return {"format": FORMAT, "state": state, "sha256": json.dumps(digests)}
