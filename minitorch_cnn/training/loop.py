"""The training loop of the chapter, and the evaluation after each epoch."""

import contextlib
import math
import time
from dataclasses import dataclass

import numpy as np

from minitorch_cnn import cuda, nn, optim
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.backend import deferred_checks
from minitorch_cnn.data import DataLoader
from minitorch_cnn.ops.shape import cat
from minitorch_cnn.training.distributed import Group
from minitorch_cnn.training.history import Epoch, History
from minitorch_cnn.training.metrics import Accumulator, Timer, count_correct
from minitorch_cnn.training.shards import backward_in_shards, forward_in_shards

REPORTS_PER_EPOCH = 5


def train(
    net, train_iter, test_iter, *,
    epochs=10, lr=0.9, optimizer=None, device=None, history=None, progress=True, on_report=None, on_epoch=None,
    group=None, capture=False,
):  # fmt: skip
    """Train a classifier with cross-entropy, and measure it as the chapter does.

    Loss and train accuracy are means over an epoch's examples, taken while the weights change; test accuracy is
    measured after each epoch. On a CPU, a batch is computed in shards on all cores (see `backward_in_shards`). On a
    GPU, the data sets are moved there whole, and read as batches there; loss and accuracy are read back at the five
    reports of an epoch.

    Parameters
    ----------
    net : nn.Module
        Maps images (N, C, H, W) to logits (N, classes). It is moved to `device`.
    train_iter, test_iter : iterable of (Tensor, Tensor), with a length
        Batches of images and labels, such as a `data.DataLoader`. A loader's data set is moved to `device` (see
        `data.Dataset.to`); batches of anything else are moved one by one.
    epochs : int, default 10
        How many epochs the run has in all: with a `history` of 3, 10 means 7 more.
    lr : float, default 0.9
        Learning rate of the plain `optim.SGD` that is made when no `optimizer` is given.
    optimizer : optim.Optimizer, optional
        Whatever is to take the steps instead.
    device : device or str, optional
        Where to train; by default, where the network is.
    history : History, optional
        The epochs of a run that goes on; they are not trained again, and new ones are added to the list.
    progress : bool, default True
        Show a progress bar, if the terminal can.
    on_report : callable, optional
        Called about five times an epoch with (epochs so far as a float, train loss, train acc, test acc or None).
    on_epoch : callable, optional
        Called after each epoch with (optimizer, history), to save them.
    group : Group, optional
        The processes that share each batch, from `join`. The first one alone shows the bar and makes the calls.
    capture : bool, default False
        Have a GPU replay the step as one CUDA graph, see `cuda.capture`, which says what such a step may not contain.
        Elsewhere it makes no difference.

    Returns
    -------
    History
        One `Epoch` for each epoch of the run.

    Raises
    ------
    ValueError
        If `train_iter` has no batch, the network cannot be trained by several processes, or these are to `capture`.
    IndexError
        If a label is none of the classes.
    RuntimeError
        If the loss becomes infinite or not a number. On a GPU, which is asked at reports alone, a wrong label may be
        the reason.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> batch = mt.tensor([[-1.0], [1.0]]), mt.tensor([0, 1])
    >>> history = train(mt.nn.Linear(1, 2), [batch], [batch], epochs=20, progress=False)
    >>> history[-1].epoch, history[-1].test_acc
    (20, 1.0)
    """
    batches = len(train_iter)
    if batches == 0:
        raise ValueError("train_iter has no batch to train on")
    group = group if group is not None else Group()
    if capture and group.size > 1:
        raise ValueError(f"a step of {group.size} processes cannot be captured: they exchange gradients on the host")
    device = device if device is not None else _device_of(net)
    net.to(device)
    train_iter, test_iter = _on(device, train_iter), _on(device, test_iter)
    optimizer = optimizer if optimizer is not None else optim.SGD(net.parameters(), lr=lr)
    loss = nn.CrossEntropyLoss()
    history = history if history is not None else History()
    net.train()
    group.start(net)
    if group.rank:
        progress = on_report = on_epoch = None
    on_report = on_report or (lambda *_: None)
    on_epoch = on_epoch or (lambda *_: None)

    def step(x, y, n=None):
        """Learn from n examples, of which x is this process's part, by default all; return sums for the metric."""
        n = n or len(x)
        optimizer.zero_grad()
        l, y_hat = backward_in_shards(net, loss, x, y, group.shards(n))  # y_hat: (N, classes)
        numbers = l * len(x), count_correct(y_hat, y), len(x)
        sums = group.average_gradients(net, len(x) / n, *numbers)
        optimizer.step()
        return sums

    captured = cuda.capture(step)

    for epoch in range(len(history) + 1, epochs + 1):
        begun = time.perf_counter()
        metric = Accumulator(3)  # sum of losses, right answers, examples
        timer, lap_over = Timer(device), True
        net.train()
        bar = _progress_bar(group.parts(train_iter), f"epoch {epoch}/{epochs}", progress)
        with bar, deferred_checks():
            for i, (x, y, n) in enumerate(bar, start=1):
                if lap_over:
                    timer.start()
                x, y = x.to(device), y.to(device)
                metric.add(*(captured(x, y) if capture else step(x, y, n)))
                is_report = i % max(1, batches // REPORTS_PER_EPOCH) == 0 or i == batches
                lap_over = is_report or not timer.on_gpu  # to wait for a GPU after each step would leave it idle
                if lap_over:
                    timer.stop()
                if is_report:
                    train_loss, train_acc = metric[0] / metric[2], metric[1] / metric[2]
                    _require_finite(train_loss, epoch, i, optimizer, timer.on_gpu)
                    bar.set_postfix(loss=f"{train_loss:.3f}", acc=f"{train_acc:.3f}")
                    on_report(epoch - 1 + i / batches, train_loss, train_acc, None)
        test_acc = evaluate(net, test_iter, device, group).accuracy
        on_report(float(epoch), None, None, test_acc)
        seconds = time.perf_counter() - begun
        speed = metric[2] / timer.sum()
        history.append(Epoch(epoch, train_loss, train_acc, test_acc, round(speed, 1), round(seconds, 3)))
        on_epoch(optimizer, history)
    return history


@dataclass
class Evaluation:
    """How a classifier does on a data set.

    Attributes
    ----------
    loss : float
        Mean cross-entropy, in nats.
    confusion : numpy.ndarray
        Entry (i, j) counts the examples of class i that were taken for class j.
    """

    loss: float
    confusion: np.ndarray

    @property
    def accuracy(self):
        """Share of right answers."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def class_accuracy(self):
        """Share of right answers among the examples of each class; nan for a class without any."""
        right, examples = self.confusion.diagonal(), self.confusion.sum(axis=1)
        return [float(r / n) if n else math.nan for r, n in zip(right, examples)]


def evaluate(net, data_iter, device=None, group=None):
    """Measure a classifier in evaluation mode, and leave each of its modules in the mode it was in.

    Parameters
    ----------
    net : nn.Module
        Maps images (N, C, H, W) to logits (N, classes).
    data_iter : iterable of (Tensor, Tensor)
        Batches of images and labels.
    device : device or str, optional
        Where to compute; by default, where the network is.
    group : Group, optional
        The processes that share each batch, from `join`.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If `data_iter` has no batch.
    IndexError
        If a label is none of the classes.
    """
    device = device if device is not None else _device_of(net)
    group = group if group is not None else Group()
    loss = nn.CrossEntropyLoss(reduction="sum")
    total_loss, outcomes = Accumulator(1), []
    with _evaluating(net.to(device)), no_grad(), deferred_checks():
        for x, y, n in group.parts(_on(device, data_iter)):
            x, y = x.to(device), y.to(device).long()
            y_hat = forward_in_shards(net, x, group.shards(n))  # (N, classes)
            total_loss.add(loss(y_hat, y))
            outcomes.append(y * y_hat.shape[1] + y_hat.argmax(dim=1))  # (N,)
    if not outcomes:
        raise ValueError("data_iter has no batch to evaluate on")
    classes = y_hat.shape[1]
    outcomes = cat(outcomes).cpu().numpy()
    if (outcomes < 0).any() or (outcomes >= classes**2).any():
        raise IndexError(f"a label is none of the {classes} classes, 0 to {classes - 1}, that the network tells apart")
    counts = group.sum(np.bincount(outcomes, minlength=classes**2))
    return Evaluation(group.sum(total_loss[0]) / counts.sum(), counts.reshape(classes, classes))


@contextlib.contextmanager
def _evaluating(net):
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _on(device, batches):
    """A loader with its data set on the device; other batches as they are."""
    return batches.to(device) if isinstance(batches, DataLoader) else batches


def _device_of(net):
    return next((parameter.device for parameter in net.parameters()), "cpu")


def _progress_bar(batches, label, visible):
    from tqdm import tqdm

    # None: a bar in a terminal, and nothing in a log file
    return tqdm(batches, desc=label, unit=" batches", leave=False, disable=None if visible else True)


def _require_finite(train_loss, epoch, batch, optimizer, on_gpu):
    if not math.isfinite(train_loss):
        lr = ", ".join(f"{group['lr']:g}" for group in optimizer.param_groups)
        label = ", or a label is none of the classes (on a CPU, the error would name it)" if on_gpu else ""
        raise RuntimeError(
            f"the loss became {train_loss} in epoch {epoch}, at or before batch {batch}: training diverged{label}. "
            f"Try a smaller learning rate than {lr}. Nothing of this epoch was saved."
        )
