"""The training loop of the chapter, and the evaluation after each epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn import cuda, nn, optim
from minitorch_cnn.autograd import no_grad
from minitorch_cnn.backend import deferred_checks
from minitorch_cnn.backend.annotations import Batches, DeviceLike, Loss
from minitorch_cnn.data import DataLoader, Dataset
from minitorch_cnn.nn import functional as F
from minitorch_cnn.ops.shape import cat
from minitorch_cnn.training.distributed import Group
from minitorch_cnn.training.history import History
from minitorch_cnn.training.metrics import Accumulator, are_classes, count_correct
from minitorch_cnn.training.progress import Progress, pairs

__all__ = ["Evaluation", "evaluate", "train"]


def train(
    net: nn.Module,
    train_iter: Batches,
    test_iter: Batches,
    *,
    epochs: int = 10,
    lr: float = 0.9,
    loss: Loss = F.cross_entropy,
    optimizer: optim.Optimizer | None = None,
    device: DeviceLike = None,
    history: History | None = None,
    progress: bool = True,
    on_report: Callable[[float, float, float, float | None], Any] | None = None,
    on_step: Callable[[Progress], Any] | None = None,
    on_epoch: Callable[[optim.Optimizer, History], Any] | None = None,
    group: Group | None = None,
    capture: bool = False,
    within: dict[str, Any] | None = None,
) -> History:
    """Train a network, and measure it as the chapter does.

    Loss and train accuracy are means over an epoch's examples, taken while the weights change; test accuracy is
    measured after each epoch. On a GPU, the data sets are moved there whole, and read as batches there; loss and
    accuracy are read back at the five reports of an epoch.

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
    loss : callable, default `nn.functional.cross_entropy`
        Maps the network's outputs and the targets of a batch to one number, their mean over the examples. Accuracies
        are NaN where the outputs are not (N, classes) or the targets no integers (N,).
    optimizer : optim.Optimizer, optional
        Whatever is to take the steps instead.
    device : device or str, optional
        Where to train; by default, where the network is.
    history : History, optional
        The epochs of a run that goes on; they are not trained again, and new ones are added to the list.
    progress : bool, default True
        Show a bar with the time left, in a terminal or a notebook.
    on_report : callable, optional
        Called about five times an epoch with (epochs so far as a float, train loss, train acc, None), and after it with
        (epochs, None, None, test acc): such as `LiveCurves`, which a notebook shows while they grow.
    on_step : callable, optional
        Called after each step with the `Progress`, on every process. Its ``stop()`` ends the training there.
    on_epoch : callable, optional
        Called after each epoch with (optimizer, history), to save them.
    group : Group, optional
        The processes that share each batch, from `join`. The first one alone shows the bar, reports and saves.
    capture : bool, default False
        Have a GPU replay the step as one CUDA graph, see `cuda.capture`, which says what such a step may not contain.
        Elsewhere it makes no difference.
    within : dict, optional
        Where the first of these epochs was interrupted, from `Progress.within` by way of a checkpoint.

    Returns
    -------
    History
        One `Epoch` for each epoch of the run.

    Raises
    ------
    TypeError
        If `loss` cannot be called with outputs and targets, or a data set is given instead of batches.
    ValueError
        If `train_iter` has no batch, the network or the loss cannot be shared by several processes, or these are to
        `capture`.
    IndexError
        If a label is none of the classes.
    Diverged
        If the loss or a weight becomes infinite or not a number: a RuntimeError. On a GPU, which is asked at reports
        alone, a wrong label may be the reason.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> batch = mt.tensor([[-1.0], [1.0]]), mt.tensor([0, 1])
    >>> history = train(mt.nn.Linear(1, 2), [batch], [batch], epochs=20, progress=False)
    >>> history[-1].epoch, history[-1].test_acc
    (20, 1.0)
    """
    if capture and group is not None and group.size > 1:
        raise ValueError(f"a step of {group.size} processes cannot be captured: they exchange gradients on the host")
    if not isinstance(net, nn.Module):
        raise TypeError(f"expected a network first, got {type(net).__name__}: train(net, train_iter, test_iter)")
    device = device if device is not None else _device_of(net)
    train_iter, test_iter = _on(device, train_iter), _on(device, test_iter)
    if len(train_iter) == 0:
        raise ValueError("train_iter has no batch to train on")
    criterion = loss = _loss_on(device, loss)
    net.to(device)
    optimizer = optimizer if optimizer is not None else optim.SGD(net.parameters(), lr=lr)
    history = history if history is not None else History()
    progress = Progress(
        net, optimizer, history, epochs, len(train_iter), device,
        group=group, within=within, bar=progress, on_report=on_report, on_step=on_step, on_epoch=on_epoch,
    )  # fmt: skip
    net.train()
    if group is not None:
        train_iter, loss, optimizer = group.prepare(net, train_iter, loss, optimizer)
    loss = progress.watch(loss)

    def step(x, y):
        optimizer.zero_grad()
        y_hat = net(x)  # (N, classes)
        l = loss(y_hat, y)
        l.backward()
        optimizer.step()
        return l.detach() * len(x), count_correct(y_hat, y) if are_classes(y_hat, y) else math.nan, len(x)

    step = cuda.capture(step) if capture else step

    with progress.shown():
        for epoch in range(len(history) + 1, epochs + 1):
            net.train()
            with progress.through(epoch, train_iter) as batches:
                for x, y in batches:
                    progress.metric.add(*step(x, y))
            if progress.is_stopped:
                break
            progress.end_epoch(evaluate(net, test_iter, device, group, loss=criterion).accuracy)
    return history


@dataclass
class Evaluation:
    """How a network does on a data set.

    Attributes
    ----------
    loss : float
        Its mean over the examples: the cross-entropy, in nats, unless another loss was given.
    confusion : numpy.ndarray or None
        Entry (i, j) counts the examples of class i that were taken for class j. None, if there are no classes.
    """

    loss: float
    confusion: np.ndarray | None

    @property
    def accuracy(self) -> float:
        """Share of right answers; nan if there are no classes."""
        return math.nan if self.confusion is None else float(self.confusion.trace() / self.confusion.sum())

    @property
    def class_accuracy(self) -> np.ndarray:
        """Share of right answers among the examples of each class; nan for a class without any."""
        if self.confusion is None:
            return []
        right, examples = self.confusion.diagonal(), self.confusion.sum(axis=1)
        return [float(r / n) if n else math.nan for r, n in zip(right, examples)]


def evaluate(
    net: nn.Module,
    data_iter: Batches,
    device: DeviceLike = None,
    group: Group | None = None,
    *,
    loss: Loss = F.cross_entropy,
) -> Evaluation:
    """Measure a network in evaluation mode, and leave each of its modules in the mode it was in.

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
    loss : callable, default `nn.functional.cross_entropy`
        As in `train`.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        If `loss` cannot be called with outputs and targets, or a data set is given instead of batches.
    ValueError
        If `data_iter` has no batch.
    IndexError
        If a label is none of the classes.
    """
    device = device if device is not None else _device_of(net)
    data_iter, loss = _on(device, data_iter), _loss_on(device, loss)
    if group is not None:
        data_iter, loss = group.parts(data_iter), group.mean(loss)
    metric, outcomes, classes = Accumulator(2), [], 0  # sum of losses, examples
    with _evaluating(net.to(device)), no_grad(), deferred_checks():
        for x, y in pairs(data_iter):
            x, y = x.to(device), y.to(device)
            y_hat = net(x)  # (N, classes)
            metric.add(loss(y_hat, y) * len(x), len(x))
            if are_classes(y_hat, y):
                classes = y_hat.shape[1]
                outcomes.append(y.long() * classes + y_hat.argmax(dim=1))  # (N,)
    sums, confusion = np.array([metric[0], metric[1]]), _confusion(outcomes, classes)
    if group is not None:
        sums, confusion = group.sum(sums), confusion if confusion is None else group.sum(confusion)
    if not sums[1]:
        raise ValueError("data_iter has no batch to evaluate on")
    return Evaluation(float(sums[0] / sums[1]), confusion)


def _confusion(outcomes, classes):
    """How often each label was taken for each class, from ``label * classes + class``, one for each example."""
    if not outcomes:
        return None
    outcomes = cat(outcomes).cpu().numpy()
    if (outcomes < 0).any() or (outcomes >= classes**2).any():
        raise IndexError(f"a label is none of the {classes} classes, 0 to {classes - 1}, that the network tells apart")
    return np.bincount(outcomes, minlength=classes**2).reshape(classes, classes)


@contextlib.contextmanager
def _evaluating(net):
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _loss_on(device, loss):
    """A loss that can be called with outputs and targets, its tensors on the device."""
    if isinstance(loss, type) or not callable(loss):
        raise TypeError(f"loss must be a function of outputs and targets, such as nn.MSELoss(), got {loss!r}")
    return loss.to(device) if isinstance(loss, nn.Module) else loss


def _on(device, batches):
    """A loader with its data set on the device; other batches as they are."""
    if isinstance(batches, Dataset) or not hasattr(batches, "__iter__"):
        raise TypeError(
            f"expected batches, got the data set {type(batches).__name__}: make them with "
            "data.DataLoader(dataset, batch_size=256, shuffle=True)"
        )
    return batches.to(device) if isinstance(batches, DataLoader) else batches


def _device_of(net):
    return next((parameter.device for parameter in net.parameters()), "cpu")
