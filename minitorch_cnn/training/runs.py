"""The folder of a training run: its checkpoints, weights, table and picture, always of one epoch."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import FilePath, Self
from minitorch_cnn.data.files import STALE_AFTER, atomic_file, make_folder, sweep_temporary_files
from minitorch_cnn.data.saving import CheckpointError, serialize
from minitorch_cnn.training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from minitorch_cnn.training.divergence import require_finite_weights
from minitorch_cnn.training.history import History
from minitorch_cnn.training.lock import FolderLock

if TYPE_CHECKING:
    from minitorch_cnn.nn.module import Module
    from minitorch_cnn.optim.lr_scheduler import LRScheduler
    from minitorch_cnn.optim.optimizer import Optimizer

__all__ = ["Run"]

LARGEST_KEPT = 4 * 2**20  # bytes of an epoch's weights, so that a long training does not fill the disk


class Run:
    """A folder for the results of one training run.

    It holds the checkpoint of the last epoch and the one before, the weights of the last epoch and of the best one,
    the table of all epochs and their picture. The checkpoint is written first, and all else follows from it: what a
    killed process has not written, `repair` writes. The weights of every epoch stay in a folder of their own, so that
    one can see later how the network learned; those of a network of more than 4 MiB, a million numbers, do not.

    Parameters
    ----------
    folder : str or Path
        It need not exist.

    Attributes
    ----------
    folder : Path
    checkpoint : Path
        What `load_checkpoint` reads to continue the run.
    previous : Path
        The checkpoint before that one, should it be damaged; after the first epoch, a copy of it.
    best : Path
        The weights of the epoch with the highest test accuracy.
    every_epoch : Path
        The folder of the weights of every epoch: see `epochs` and `load_epoch`.

    Raises
    ------
    ValueError
        If the name is empty.
    """

    FILES = (
        "checkpoint.safetensors", "previous.safetensors", "weights.safetensors", "best.safetensors",
        "metrics.csv", "curves.png",
    )  # fmt: skip

    def __init__(self, folder: FilePath) -> None:
        if not os.fspath(folder):
            raise ValueError("expected the name of a folder, got an empty one")
        self.folder = Path(folder).expanduser()
        self.checkpoint, self.previous, self.weights, self.best, *_ = (self.folder / name for name in self.FILES)
        self.every_epoch = self.folder / "epochs"
        self._lock, self._is_made, self._initial = None, False, None

    def __repr__(self) -> str:
        try:
            last = History.from_csv((self.folder / "metrics.csv").read_text(encoding="utf-8"))[-1]
        except (OSError, ValueError, IndexError):
            return f"Run({str(self.folder)!r}: no table of epochs)"
        return f"Run({str(self.folder)!r}: epoch {last.epoch}, {last})"

    @classmethod
    def fresh(cls, folder: FilePath) -> Self:
        """Make the first of ``folder``, ``folder-2``, ``folder-3``, ... that is not there, and return its run.

        Of several processes that do this at once, each gets another one.
        """
        number = 1
        while True:
            run = cls(folder if number == 1 else f"{folder}-{number}")
            try:
                make_folder(run.folder, exist_ok=False)
            except FileExistsError:
                if not run.folder.exists():  # a file stands in the way above
                    raise
                number += 1
            else:
                run._is_made = True
                return run

    @classmethod
    def newest(cls, folder: FilePath) -> Self:
        """Return the run that was saved last of those in a folder; the folder itself as a run, if there is none."""
        saved = [run for run in map(cls, Path(folder).glob("*")) if run.checkpoint.is_file()]
        return max(saved, key=lambda run: run.checkpoint.stat().st_mtime, default=cls(folder))

    def has_results(self) -> bool:
        """Whether saving here would replace a file."""
        return any((self.folder / name).exists() for name in self.FILES)

    def prepare(self) -> None:
        """Make the folder, and find out now, not after the first epoch, whether it can be written to.

        Raises
        ------
        OSError
            If it cannot.
        """
        self._make()
        sweep_temporary_files(self.folder, self.FILES, older_than=0 if self._lock else STALE_AFTER)
        sweep_temporary_files(self.every_epoch, ["*.safetensors"], older_than=0 if self._lock else STALE_AFTER)
        tempfile.TemporaryFile(dir=self.folder).close()

    def begin(self, net: Module) -> None:
        """Note the weights that a network begins with: the next `save` or `repair` keeps them, as those of epoch 0.

        Whoever goes on with a run calls it too, before the checkpoint is restored into the network: the process that
        began the run may have been killed before it wrote them.
        """
        self._initial = serialize(net.state_dict())

    def lock(self) -> None:
        """Make the folder, and keep other processes from writing to it until `close` or the end of this one.

        Raises
        ------
        Locked
            If another process has it. The text names that process.
        OSError
            If it cannot be made or written to.
        """
        self._make()
        self._lock = self._lock or FolderLock(self.folder)

    def _make(self):
        if not self.folder.is_dir():
            make_folder(self.folder)

    def close(self) -> None:
        """Unlock the folder; one that `fresh` has made, and that is empty, goes."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self._is_made:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def save(
        self,
        net: Module,
        optimizer: Optimizer,
        history: History,
        recipe: dict[str, Any],
        *,
        within: dict[str, Any] | None = None,
        schedule: LRScheduler | None = None,
    ) -> None:
        """Save everything; each file is replaced in one step, the checkpoint first. Within an epoch, save that alone.

        The arguments are those of `save_checkpoint`.

        Raises
        ------
        Diverged
            If a weight is infinite or not a number. Nothing is written then.
        OSError
            If a checkpoint or weights cannot be written. What cannot be drawn or written for people is a warning.
        """
        require_finite_weights(net, f"after epoch {len(history)}" if within is None else f"in epoch {len(history) + 1}")
        if len(history) + (within is not None) == 1:  # a new run: nothing of one that it replaces may outlive it
            for name in self.FILES[1:]:
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink()
            self._forget_epochs(0)
        else:
            self._keep_previous()
        save_checkpoint(self.checkpoint, net, optimizer, history, recipe, within=within, schedule=schedule)
        self._keep_initial()
        if within is None:
            self._write_results(net.state_dict(), history)
        elif not self.previous.exists():
            self._put(self.previous, self.checkpoint.read_bytes())

    def load(self) -> Checkpoint:
        """Read the last checkpoint; if it is damaged, warn, and read the one before.

        Returns
        -------
        Checkpoint

        Raises
        ------
        CheckpointError
            If neither can be read. The text is about the last one.
        """
        try:
            return load_checkpoint(self.checkpoint)
        except CheckpointError as error:
            try:
                checkpoint = load_checkpoint(self.previous)
            except CheckpointError:
                raise error from None
            warnings.warn(f"{error}; so the one before it is taken, {self.previous}", RuntimeWarning, stacklevel=2)
            return checkpoint

    def load_weights(self, best: bool = False) -> dict[str, Tensor]:
        """Read the weights of the last epoch, or of the one with the highest test accuracy.

        Returns
        -------
        dict of str to Tensor

        Raises
        ------
        CheckpointError
            If there are none, or they are damaged.
        """
        return load_weights(self.best) if best else self.load().model

    def epochs(self) -> list[int]:
        """The numbers of the epochs whose weights are kept, from 0, the weights that the run began with.

        Returns
        -------
        list of int
            Empty for a network of more than 4 MiB.
        """
        names = [path.stem for path in self.every_epoch.glob("*.safetensors")]
        return sorted(int(name) for name in names if name.isdecimal() and len(name) >= 3)

    def load_epoch(self, number: int) -> dict[str, Tensor]:
        """Read the weights after an epoch; of number 0, those that the run began with.

        Returns
        -------
        dict of str to Tensor

        Raises
        ------
        CheckpointError
            If they are not there, or damaged.
        """
        if number not in (kept := self.epochs()):
            there = f"there are those of {', '.join(map(str, kept))}" if kept else "no epoch's were kept"
            raise CheckpointError(f"{self.folder} holds no weights of epoch {number}: {there}")
        return load_weights(self._path_of_epoch(number))

    def repair(self, checkpoint: Checkpoint) -> None:
        """Write each file of the folder that is missing, or not of the checkpoint, which `load` has returned.

        The weights of earlier epochs do not follow from it; those of later ones, of a checkpoint that was lost, go.
        """
        try:
            load_checkpoint(self.checkpoint)
        except CheckpointError:
            self._put(self.checkpoint, self.previous.read_bytes())
        self._forget_epochs(len(checkpoint.history) + 1)
        self._keep_initial()
        self._write_results(checkpoint.model if checkpoint.within is None else None, checkpoint.history)

    def _keep_previous(self):
        """Make the last checkpoint the previous one, unless it is damaged."""
        with contextlib.suppress(CheckpointError):
            load_checkpoint(self.checkpoint)
            self._put(self.previous, self.checkpoint.read_bytes())

    def _write_results(self, weights, history):
        if not self.previous.exists():
            self._put(self.previous, self.checkpoint.read_bytes())
        if weights is not None:
            content = serialize(weights)
            self._put(self.weights, content)
            if history.best == history[-1]:
                self._put(self.best, content)
            self._keep_epoch(len(history), content)
        if not history:
            return
        for name, make in (("metrics.csv", lambda: history.to_csv().encode()), ("curves.png", history.to_png)):
            try:
                self._put(self.folder / name, make())
            except Exception as error:  # a picture, or a table that another program has opened, never costs a run
                warnings.warn(f"{self.folder / name} was not written: {error}", RuntimeWarning, stacklevel=3)

    def _path_of_epoch(self, number):
        return self.every_epoch / f"{number:03}.safetensors"

    def _keep_initial(self):
        if self._initial is not None and not self._path_of_epoch(0).exists():
            self._keep_epoch(0, self._initial)

    def _keep_epoch(self, number, content):
        """Write the weights of an epoch, unless they are large."""
        if len(content) <= LARGEST_KEPT:
            if not self.every_epoch.is_dir():
                make_folder(self.every_epoch)
            self._put(self._path_of_epoch(number), content)

    def _forget_epochs(self, first):
        """Remove the weights of epochs from a number on."""
        for number in self.epochs():
            if number >= first:
                with contextlib.suppress(OSError):
                    self._path_of_epoch(number).unlink()

    def _put(self, path, content):
        """Give a file this content, if it has another one."""
        if not path.is_file() or path.read_bytes() != content:
            with atomic_file(path) as file:
                file.write(content)
