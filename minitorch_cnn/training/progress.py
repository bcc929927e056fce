"""What surrounds the steps of a training: the stopwatch, the progress bar, and what is told of it on the way."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import deferred_checks
from minitorch_cnn.backend.annotations import Batches, Loss
from minitorch_cnn.backend.devices import Device
from minitorch_cnn.inspection.notebooks import progress_bar
from minitorch_cnn.nn.module import Module
from minitorch_cnn.optim.optimizer import Optimizer
from minitorch_cnn.training.distributed import Group
from minitorch_cnn.training.divergence import Diverged, explain, first_wrong_weight
from minitorch_cnn.training.history import Epoch, History
from minitorch_cnn.training.metrics import Accumulator, Timer
from minitorch_cnn.training.resumption import rest_of, stream_states

__all__ = ["Progress"]

REPORTS_PER_EPOCH = 5
EXPLODED = 100  # times the first loss, or 1 if that is more: losses of small batches scatter


class Progress:
    """Where a training stands. Within ``with progress.through(epoch) as batches``, it yields an epoch's batches.

    Attributes
    ----------
    net, optimizer, history :
        What is trained, what takes the steps, and the epochs so far.
    epoch, batch : int
        Which ones these are, counted from 1.
    epochs, batches : int
        How many epochs the run has, and batches an epoch.
    x, y : Tensor
        The batch, of which this process has its part.
    metric : Accumulator
        Over the epoch so far: the sum of losses, the right answers and the examples, of this process.
    is_stopped : bool
        Whether `stop` was called.
    """

    def __init__(
        self,
        net: Module,
        optimizer: Optimizer,
        history: History,
        epochs: int,
        batches: int,
        device: Device,
        *,
        group: Group | None,
        within: dict[str, Any] | None,
        bar: bool,
        on_report: Callable[..., Any] | None,
        on_step: Callable[[Progress], Any] | None,
        on_epoch: Callable[[Optimizer, History], Any] | None,
    ) -> None:
        self.net, self.optimizer, self.history = net, optimizer, history
        self.epochs, self.batches, self.device, self.group = epochs, batches, device, group
        tells = group is None or group.rank == 0
        self.shows_bar, self.bar, self.on_step = bar and tells, None, on_step
        self.on_report, self.on_epoch = on_report if tells else None, on_epoch if tells else None
        self.epoch, self.batch, self.is_stopped, self.is_saved = 0, 0, False, False
        self.interrupted, self.first_loss = within, None

    def __repr__(self) -> str:
        return f"Progress(epoch {self.epoch} of {self.epochs}, batch {self.batch} of {self.batches})"

    def stop(self) -> None:
        """End the training after this step, as one that was interrupted. Several processes must all do so."""
        self.is_stopped = True

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within the block, a bar shows how much of the run is done, and the time left."""
        within = self.interrupted["batch"] if self.interrupted else 0
        if not self.shows_bar:
            yield
            return
        done = len(self.history) * self.batches + within
        form = "{desc}{percentage:3.0f}%|{bar}| {remaining} left{postfix}"
        with progress_bar(self.epochs * self.batches, done, smoothing=0, bar_format=form) as self.bar:
            yield

    @contextlib.contextmanager
    def through(self, epoch: int, batches: Batches) -> Iterator[Iterator[Any]]:
        """An epoch's batches on the device; after each of them, what is to be told is told."""
        self.epoch, self.batch, self.begun = epoch, 0, time.perf_counter()
        self.metric, self.timer, self.loader = Accumulator(3), Timer(self.device), batches
        self.is_saved = self.interrupted is not None
        self.order = stream_states(batches)
        if self.interrupted is not None:
            batches = self._go_on(batches)
        if self.bar is not None:
            self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        with deferred_checks():
            yield self._batches(batches)

    def within(self) -> dict[str, Any]:
        """Where the epoch has come to, for a checkpoint within it. Several processes must all ask."""
        self.is_saved = True
        sums, now = self._sums(), stream_states(self.loader)
        took = {"seconds": time.perf_counter() - self.begun, "steps_took": self.timer.sum()}
        return {"batch": self.batch, "batches": self.batches, "sums": sums, "order": self.order, "now": now, **took}

    def watch(self, loss: Loss) -> Loss:
        """The same loss; on a CPU, one that is not finite ends the training before its step. On a GPU, reports look."""
        if str(self.device).startswith("cuda"):
            return loss

        def watched(y_hat, y):
            l = loss(y_hat, y)
            if isinstance(l, Tensor) and l.numel() == 1:
                self._look_at(l.item(), loss)
            return l

        return watched

    def end_epoch(self, test_acc: float) -> None:
        """Write the epoch's row, and have it saved."""
        if self.on_report is not None:
            self.on_report(float(self.epoch), None, None, test_acc)
        speed, seconds = self.examples / self.timer.sum(), time.perf_counter() - self.begun
        row = Epoch(self.epoch, self.loss, self.accuracy, test_acc, round(speed, 1), round(seconds, 3))
        self.history.append(row)
        if self.on_epoch is not None:
            if self.bar is not None:
                self.bar.clear()  # what is printed takes the place of the bar, which comes back below it
            self.on_epoch(self.optimizer, self.history)

    def _batches(self, batches):
        lap_over = True
        for self.batch, (x, y) in enumerate(pairs(batches), start=self.batch + 1):  # noqa: B020
            if lap_over:
                self.timer.start()
            self.x, self.y = x.to(self.device), y.to(self.device)
            yield self.x, self.y
            is_report = self.batch % max(1, self.batches // REPORTS_PER_EPOCH) == 0 or self.batch == self.batches
            lap_over = is_report or not self.timer.on_gpu  # to wait for a GPU after each step would leave it idle
            if lap_over:
                self.timer.stop()
            if is_report:
                self._report()
            if self.bar is not None:
                self.bar.update()
            if self.on_step is not None:
                self.on_step(self)
            if self.is_stopped:
                return
        if self.batch < self.batches:
            raise ValueError(
                f"train_iter has {self.batches} batches by its length, but gave {self.batch} in epoch {self.epoch}: "
                "it needs that many in each pass, as a DataLoader has"
            )

    def _report(self):
        total, right, examples = self._sums()
        self.loss, self.accuracy, self.examples = total / examples, right / examples, examples
        self._look_at(self.loss)
        if not self.timer.on_gpu and (wrong := first_wrong_weight(self.net)):
            raise self._diverged("the weights became infinite or not a number", wrong)
        if self.bar is not None:
            counted = {} if math.isnan(self.accuracy) else {"acc": f"{self.accuracy:.3f}"}
            self.bar.set_postfix({"loss": f"{self.loss:.3f}", **counted}, refresh=False)
        if self.on_report is not None:
            self.on_report(self.epoch - 1 + self.batch / self.batches, self.loss, self.accuracy, None)

    def _sums(self):
        sums = [self.metric[i] for i in range(3)]
        return sums if self.group is None else self.group.sum(sums)

    def _go_on(self, batches):
        """The rest of the epoch that was interrupted, with its sums as they were."""
        within, self.interrupted = self.interrupted, None
        self.batch, self.order = within["batch"], within["order"]
        self.begun -= within["seconds"]
        self.timer.times = [within["steps_took"]]
        if self.group is None or self.group.rank == 0:  # they are the sums of all processes
            self.metric.data = list(within["sums"])
        return rest_of(batches, within)

    def _look_at(self, value, loss=None):
        """Raise an error if a loss is not finite, and warn if it has grown beyond measure."""
        if not math.isfinite(value):
            is_first = self.first_loss is None
            causes = explain(self.net, loss, self.x, self.y, is_first) if loss is not None else ("", True)
            raise self._diverged(f"the loss became {value}", *causes)
        if self.first_loss is None:
            self.first_loss = value
        elif value > EXPLODED * max(self.first_loss, 1):
            self.first_loss = math.inf  # said once
            warnings.warn(
                f"the loss has grown to {value:g} in epoch {self.epoch}, at batch {self.batch}: a smaller learning "
                f"rate than {self._lr()} may be needed", RuntimeWarning, stacklevel=3,
            )  # fmt: skip

    def _diverged(self, what, cause, is_divergence=True):
        on_gpu = self.timer.on_gpu
        step = f"{'at or before' if on_gpu else 'at'} batch {self.batch} (step {self._step()})"
        label = ", or a label is none of the classes (on a CPU, the error would name it)" * on_gpu
        advice = f"training diverged{label}. Try a smaller learning rate than {self._lr()}"
        if not is_divergence:
            advice = f"no smaller learning rate than {self._lr()} will help"
        saved = "" if self.is_saved else " Nothing of this epoch was saved."
        return Diverged(f"{what} in epoch {self.epoch}, {step}: {cause}{'; ' * bool(cause)}{advice}.{saved}")

    def _step(self):
        return (self.epoch - 1) * self.batches + self.batch

    def _lr(self):
        return ", ".join(f"{float(group['lr']):g}" for group in self.optimizer.param_groups)


def pairs(batches):
    """Batches, each of which must be a pair of inputs and targets."""
    for batch in batches:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            came = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
            raise ValueError(f"expected batches of two parts, inputs and targets, got {came}; write a loop of your own")
        yield batch
