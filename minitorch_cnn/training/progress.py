"""What surrounds the steps of a training: the stopwatch, the progress bar, and what is told of it on the way."""

import contextlib
import math
import time

from minitorch_cnn.backend import deferred_checks
from minitorch_cnn.training.history import Epoch
from minitorch_cnn.training.metrics import Accumulator, Timer

__all__ = ["Progress"]

REPORTS_PER_EPOCH = 5


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
        self, net, optimizer, history, epochs, batches, device, *, group, bar, on_report, on_step, on_epoch
    ):  # fmt: skip
        self.net, self.optimizer, self.history = net, optimizer, history
        self.epochs, self.batches, self.device, self.group = epochs, batches, device, group
        tells = group is None or group.rank == 0
        self.shows_bar, self.on_step = bar and tells, on_step
        self.on_report, self.on_epoch = on_report if tells else None, on_epoch if tells else None
        self.is_stopped = False

    def stop(self):
        """End the training after this step, as one that was interrupted. Several processes must all do so."""
        self.is_stopped = True

    @contextlib.contextmanager
    def through(self, epoch, batches):
        """An epoch's batches on the device; after each of them, what is to be told is told."""
        self.epoch, self.batch, self.begun = epoch, 0, time.perf_counter()
        self.metric, self.timer = Accumulator(3), Timer(self.device)
        with _bar(batches, f"epoch {epoch}/{self.epochs}", self.shows_bar) as bar, deferred_checks():
            yield self._batches(bar)

    def end_epoch(self, test_acc):
        """Write the epoch's row, and have it saved."""
        if self.on_report is not None:
            self.on_report(float(self.epoch), None, None, test_acc)
        speed, seconds = self.examples / self.timer.sum(), time.perf_counter() - self.begun
        row = Epoch(self.epoch, self.loss, self.accuracy, test_acc, round(speed, 1), round(seconds, 3))
        self.history.append(row)
        if self.on_epoch is not None:
            self.on_epoch(self.optimizer, self.history)

    def _batches(self, bar):
        lap_over = True
        for self.batch, (x, y) in enumerate(bar, start=1):
            if lap_over:
                self.timer.start()
            self.x, self.y = x.to(self.device), y.to(self.device)
            yield self.x, self.y
            is_report = self.batch % max(1, self.batches // REPORTS_PER_EPOCH) == 0 or self.batch == self.batches
            lap_over = is_report or not self.timer.on_gpu  # to wait for a GPU after each step would leave it idle
            if lap_over:
                self.timer.stop()
            if is_report:
                self._report(bar)
            if self.on_step is not None:
                self.on_step(self)
            if self.is_stopped:
                return
        if self.batch < self.batches:
            raise ValueError(
                f"train_iter has {self.batches} batches by its length, but gave {self.batch} in epoch {self.epoch}: "
                "it needs that many in each pass, as a DataLoader has"
            )

    def _report(self, bar):
        sums = [self.metric[i] for i in range(3)]
        total, right, examples = sums if self.group is None else self.group.sum(sums)
        self.loss, self.accuracy, self.examples = total / examples, right / examples, examples
        self._require_finite()
        counted = {} if math.isnan(self.accuracy) else {"acc": f"{self.accuracy:.3f}"}
        bar.set_postfix(loss=f"{self.loss:.3f}", **counted)
        if self.on_report is not None:
            self.on_report(self.epoch - 1 + self.batch / self.batches, self.loss, self.accuracy, None)

    def _require_finite(self):
        if not math.isfinite(self.loss):
            lr = ", ".join(f"{group['lr']:g}" for group in self.optimizer.param_groups)
            label = ", or a label is none of the classes (on a CPU, the error would name it)" * self.timer.on_gpu
            raise RuntimeError(
                f"the loss became {self.loss} in epoch {self.epoch}, at or before batch {self.batch}: training "
                f"diverged{label}. Try a smaller learning rate than {lr}. Nothing of this epoch was saved."
            )


def _bar(batches, label, visible):
    from tqdm import tqdm

    # None: a bar in a terminal, and nothing in a log file
    return tqdm(batches, desc=label, unit=" batches", leave=False, disable=None if visible else True)
