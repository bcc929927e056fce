"""Checkpoints: everything a run needs to go on as if it had never stopped, in one file; see `data.saving`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import random
from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.data.saving import CheckpointError, put_back, read_file, take_out, text_of, write_file
from minitorch_cnn.nn.module import Module
from minitorch_cnn.optim.lr_scheduler import LRScheduler
from minitorch_cnn.optim.optimizer import Optimizer
from minitorch_cnn.training.history import Epoch, History
from minitorch_cnn.training.resumption import check_within

__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint", "load_weights", "save_checkpoint", "save_weights"]


@dataclass(repr=False)
class Checkpoint:
    """A training run between two epochs, or within one.

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
    optimizer_class : str
        The name of the optimizer's class, or nothing.
    within : dict or None
        Where an epoch that was interrupted had come to, for ``train(..., within=...)``.
    schedule : dict
        The ``state_dict`` of a schedule of learning rates, if one was saved.
    """

    model: dict
    optimizer: dict = field(default_factory=dict)
    history: History = field(default_factory=History)
    recipe: dict = field(default_factory=dict)
    rng: dict = field(default_factory=dict)
    optimizer_class: str = ""
    within: dict | None = None
    schedule: dict = field(default_factory=dict)

    def __repr__(self) -> str:
        last = f"epoch {self.history[-1].epoch}, {self.history[-1]}" if self.history else "no whole epoch"
        within = f", {self.within['batch']} of {self.within['batches']} batches more" if self.within else ""
        return f"Checkpoint({last}{within}; {len(self.model)} tensors, recipe {self.recipe})"

    def restore(self, net: Module, optimizer: Optimizer | None = None, schedule: LRScheduler | None = None) -> None:
        """Put a network, its optimizer, its schedule and the random numbers back into the state that was saved.

        Raises
        ------
        CheckpointError
            If they are of another kind than those that were saved. In this case nothing has been changed.
        """
        before, part = optimizer and optimizer.state_dict(), "the network"
        try:
            if net.state_dict().keys() != self.model.keys():  # said of the network, not of how many its optimizer has
                net.load_state_dict(self.model)
            part = f"the {type(optimizer).__name__} optimizer"
            if optimizer is not None:
                self._require_same_optimizer(optimizer)
                optimizer.load_state_dict(self.optimizer)
            part = "the network"
            net.load_state_dict(self.model)
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            if optimizer is not None:
                optimizer.load_state_dict(before)
            raise CheckpointError(f"the checkpoint does not fit {part}: {text_of(error)}") from error
        if schedule is not None:
            schedule.load_state_dict(self.schedule)
        if optimizer is not None:
            random.set_rng_state(self.rng)

    def _require_same_optimizer(self, optimizer):
        """Refuse the state of one of another class, or with other settings, or with settings of another type."""
        if self.optimizer_class not in ("", _class_of(optimizer)):
            raise ValueError(f"it was saved with {self.optimizer_class}")
        for theirs, ours in zip(self.optimizer["param_groups"], optimizer.param_groups):
            of_schedules = {"initial_lr"}
            if theirs.keys() - of_schedules != ours.keys() - of_schedules:
                raise ValueError(f"its settings are {', '.join(sorted(ours))}; saved were {', '.join(sorted(theirs))}")
            for name in ours.keys() - {"params"}:
                if _type_of(theirs[name]) != _type_of(ours[name]):
                    raise ValueError(f"expected {name} to be like {ours[name]!r}, got {theirs[name]!r}")


def save_checkpoint(
    path: FilePath,
    net: Module,
    optimizer: Optimizer,
    history: History,
    recipe: dict[str, Any] | None = None,
    *,
    within: dict[str, Any] | None = None,
    schedule: LRScheduler | None = None,
) -> None:
    """Save a run, so that it can be continued to the last bit.

    Parameters
    ----------
    path : str or Path
        The file; replaced in one step if it exists.
    net : nn.Module
    optimizer : optim.Optimizer
    history : History
    recipe : dict, optional
        The settings of the run.
    within : dict, optional
        Within an epoch: where it has come to, as of `Progress.within`.
    schedule : optim.LRScheduler, optional
        What changes the learning rate.

    Raises
    ------
    TypeError
        If `path` is no path, `net` no network, or the recipe nothing that JSON can hold.
    OSError
        If the file cannot be written. The older checkpoint is then intact.
    """
    tensors = {f"model.{name}": tensor for name, tensor in _state_dict(path, net).items()}
    state = {"history": history, "recipe": recipe or {}, "rng": random.get_rng_state()}
    state["optimizer"] = take_out(optimizer.state_dict(), "optimizer", tensors)
    state["optimizer_class"] = _class_of(optimizer)
    state["within"] = within
    state["schedule"] = schedule.state_dict() if schedule is not None else {}
    write_file(path, tensors, state)


def load_checkpoint(path: FilePath) -> Checkpoint:
    """Read what `save_checkpoint` wrote, and verify every byte of it.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If there is no such file, if it is damaged, if it holds weights alone, or a state that is not one of ours.
    """
    tensors, state = read_file(path)
    if not state:
        raise CheckpointError(f"{path} holds weights, but no state of a training run to continue")
    prefix = "model."
    model = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return Checkpoint(model=model, **_checked(path, state, tensors))


def save_weights(path: FilePath, net: Module) -> None:
    """Save a network's weights alone, under the names of its ``state_dict``.

    Equal weights give equal files, byte for byte. PyTorch reads them with ``safetensors.torch.load_file``.

    Raises
    ------
    TypeError
        If `path` is no path, or `net` no network.
    OSError
        If the file cannot be written. An older one is then intact.
    """
    write_file(path, _state_dict(path, net))


def load_weights(path: FilePath) -> dict[str, Tensor]:
    """Read a network's weights from a file of `save_weights`, of `save_checkpoint`, or of PyTorch's safetensors.

    Returns
    -------
    dict of str to Tensor
        For ``net.load_state_dict``.

    Raises
    ------
    CheckpointError
        If there is no such file, if it is damaged, or of a format or type of numbers that is not read. (Files made
        elsewhere carry no digests to verify.)
    """
    return load_saved(path).model


def load_saved(path):
    """Read a checkpoint; weights alone become one that has nothing else.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        As `load_weights`.
    """
    tensors, state = read_file(path)
    return load_checkpoint(path) if state else Checkpoint(model=tensors)


# --- from a state to what JSON can hold, and back ---------------------------------------------------------


def _state_dict(path, net):
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path first and then the network, got {type(path).__name__} as the path")
    if not hasattr(net, "state_dict"):
        raise TypeError(f"expected a network, such as an nn.Module, got {type(net).__name__}: not its state_dict()")
    return net.state_dict()


def _checked(path, state, tensors):
    """Return the parts of a state, each of the kind that `save_checkpoint` writes, or raise CheckpointError."""
    parts = {}
    state = {"optimizer_class": "", "within": None, "schedule": {}, **state}
    for name, read, expected in (
        ("history", _read_history, "one list of six numbers for each epoch, counted from 1"),
        ("recipe", lambda value: _of(dict, value), "a dictionary"),
        ("rng", _read_rng, "a state of the random numbers"),
        ("optimizer", lambda value: _of(dict, put_back(value, tensors)), "the state of an optimizer"),
        ("optimizer_class", lambda value: _of(str, value), "a name"),
        ("within", check_within, "the state of an epoch"),
        ("schedule", lambda value: _of(dict, value), "the state of a schedule"),
    ):
        try:
            parts[name] = read(state[name])
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
            raise CheckpointError(
                f"{path} is whole, but was not written by save_checkpoint: expected {name} to be {expected}; "
                f"{text_of(error)}"
            ) from error
    return parts


def _read_history(rows):
    history = History(Epoch(*row) for row in _of(list, rows))
    for number, row in enumerate(history, start=1):
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in row) or row.epoch != number:
            raise ValueError(f"got {row!r} in place {number}")
    return history


def _read_rng(value):
    random.Generator().set_state(value)  # of another generator: to see whether it can be
    return value


def _of(kind, value):
    if not isinstance(value, kind):
        raise TypeError(f"got {value!r}")
    return value


def _class_of(optimizer):
    """The name of an optimizer's class; of a user's subclass, that of ours which it derives from."""
    package = __name__.partition(".")[0]
    return next((c.__name__ for c in type(optimizer).__mro__ if c.__module__.partition(".")[0] == package), "")


def _type_of(setting):
    if isinstance(setting, list | tuple):
        return list(map(_type_of, setting))
    if isinstance(setting, Tensor | np.number | int | float) and not isinstance(setting, bool):
        return "a number"
    return type(setting)
