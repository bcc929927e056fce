"""Descents in two dimensions, and on a small regression by hand or by `optim`. From the chapter on optimisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import nn, optim
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import FilePath
from minitorch_cnn.d2l.plotting import Animator, pyplot
from minitorch_cnn.d2l.regression import evaluate_loss, linreg, load_array, squared_loss
from minitorch_cnn.data import DataLoader
from minitorch_cnn.inspection.figures import BLUE, ORANGE, Look
from minitorch_cnn.ops.creation import normal, zeros
from minitorch_cnn.training import Timer

__all__ = ["annotate", "get_data_ch11", "show_trace_2d", "train_2d", "train_ch11", "train_concise_ch11"]


def annotate(text: str, xy: tuple[float, float], xytext: tuple[float, float]) -> None:
    """Write a text at `xytext` on the axes of `plt`, with an arrow to the point `xy`."""
    pyplot().gca().annotate(text, xy=xy, xytext=xytext, arrowprops={"arrowstyle": "->"})


def train_2d(
    trainer: Callable[..., tuple], steps: int = 20, f_grad: Callable[..., Any] | None = None
) -> list[tuple[float, float]]:
    """Descend from (-5, -2), and print where it ends.

    Parameters
    ----------
    trainer : callable
        Takes a step: maps ``(x1, x2, s1, s2)``, a point and a state that begins with zeros, to the next ones. With
        `f_grad`, that is its fifth argument.
    steps : int, default 20
    f_grad : callable, optional
        The gradient of a function: a pair for ``(x1, x2)``.

    Returns
    -------
    list of (float, float)
        The points, the first included.

    Examples
    --------
    >>> points = train_2d(lambda x1, x2, s1, s2: (x1 / 2, x2 / 2, 0, 0), steps=2)
    epoch 2, x1: -1.250000, x2: -0.500000
    >>> points
    [(-5, -2), (-2.5, -1.0), (-1.25, -0.5)]
    """
    state, results = (-5, -2, 0, 0), [(-5, -2)]
    for _ in range(steps):
        state = trainer(*state, *([] if f_grad is None else [f_grad]))
        results.append(state[:2])
    print("epoch {}, x1: {:f}, x2: {:f}".format(steps, *map(float, results[-1])))
    return results


def show_trace_2d(f: Callable[[Tensor, Tensor], Tensor], results: Sequence[tuple[float, float]]) -> None:
    """Show the points of `train_2d` on the contour lines of `f`, a function of two tensors, in a new figure.

    Parameters
    ----------
    f : callable
        Works element by element.
    results : list of (float, float)
    """
    x1, x2 = np.meshgrid(np.arange(-5.5, 1.0, 0.1), np.arange(-3.0, 1.0, 0.1), indexing="ij")
    with Look().on():
        _, axes = pyplot().subplots(figsize=(3.5, 2.5), layout="constrained")
        axes.set(xlabel="x1", ylabel="x2")
        axes.contour(x1, x2, f(Tensor(x1), Tensor(x2)).numpy(), colors=BLUE, linewidths=1)
        axes.plot(*([float(x) for x in axis] for axis in zip(*results)), "-o", color=ORANGE)


def get_data_ch11(batch_size: int = 10, n: int = 1500, root: FilePath = "../data") -> tuple[DataLoader, int]:
    """Read NASA's measurements of the noise of wings: five numbers each, and the sound pressure to be foretold.

    Parameters
    ----------
    batch_size : int, default 10
    n : int, default 1500
        How many rows to take.
    root : str or Path
        The folder of the file ``airfoil_self_noise.dat``, which is not fetched: it is number 291 of the UCI machine
        learning repository.

    Returns
    -------
    data_iter : DataLoader
        Batches of X, (N, 5), and y, (N,); each column has mean 0 and standard deviation 1.
    features : int
        5.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    """
    path = Path(root) / "airfoil_self_noise.dat"
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: fetch airfoil_self_noise.dat, number 291 of the UCI machine learning repository, and "
            "name its folder: get_data_ch11(root=...)"
        )
    rows = np.loadtxt(path, dtype=np.float32)
    rows = Tensor((rows - rows.mean(axis=0)) / rows.std(axis=0, ddof=1))[:n]
    return load_array((rows[:, :-1], rows[:, -1]), batch_size), rows.shape[1] - 1


def train_ch11(
    trainer_fn: Callable[..., Any],
    states: Any,
    hyperparams: dict[str, Any],
    data_iter: DataLoader,
    feature_dim: int,
    num_epochs: int = 2,
) -> tuple[list[float], list[float]]:
    """Train a linear regression by an optimizer that is a function.

    Parameters
    ----------
    trainer_fn : callable
        ``trainer_fn(params, states, hyperparams)`` takes a step, and sets the gradients to zero.
    states, hyperparams :
        What it is given: whatever it keeps between steps, and a dict of settings.
    data_iter : DataLoader
    feature_dim : int
    num_epochs : int, default 2

    Returns
    -------
    seconds, losses : list of float
        The time so far, and the loss over all of the data, after every 200 examples or each epoch.
    """
    w, b = normal(0.0, 0.01, (feature_dim, 1)).requires_grad_(), zeros(1, requires_grad=True)

    def step():
        trainer_fn([w, b], states, hyperparams)

    return _descend(lambda X: linreg(X, w, b), squared_loss, step, data_iter, num_epochs)


def train_concise_ch11(
    trainer_fn: Callable[..., optim.Optimizer], hyperparams: dict[str, Any], data_iter: DataLoader, num_epochs: int = 4
) -> None:
    """Train a linear regression by an optimizer's class, such as `optim.SGD`, with a dict of its settings."""
    net = nn.Sequential(nn.Linear(len(data_iter.dataset[0][0]), 1))
    nn.init.normal_(net[0].weight, std=0.01)
    optimizer = trainer_fn(net.parameters(), **hyperparams)

    def step():
        optimizer.step()
        optimizer.zero_grad()

    _descend(net, squared_loss, step, data_iter, num_epochs)


def _descend(net, loss, step, data_iter, num_epochs):
    animator = Animator(xlabel="epoch", ylabel="loss", xlim=[0, num_epochs], ylim=[0.22, 0.35])
    seen, total, timer = 0, num_epochs * len(data_iter.dataset), Timer()
    for _ in range(num_epochs):
        for X, y in data_iter:
            loss(net(X), y).mean().backward()
            step()
            seen += len(X)
            if seen // 200 > (seen - len(X)) // 200 or seen == total:
                timer.stop()
                animator.add(seen / total * num_epochs, evaluate_loss(net, data_iter, loss))
                timer.start()
    print(f"loss: {animator.Y[0][-1]:.3f}, {timer.sum() / num_epochs:.3f} sec/epoch")
    return timer.cumsum(), animator.Y[0]
