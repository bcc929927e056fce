"""Metrics over many batches: accuracy, loss, seconds."""

from __future__ import annotations

import time

from minitorch_cnn import cuda
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import DeviceLike

__all__ = ["Accumulator", "Timer", "accuracy", "count_correct"]


def count_correct(y_hat: Tensor, y: Tensor) -> Tensor:
    """Count the predictions that are right, without waiting for the device.

    Parameters
    ----------
    y_hat : Tensor
        Scores of shape (N, classes), the largest being the prediction; or predicted classes of shape (N,).
    y : Tensor
        The true classes, of shape (N,); or their probabilities, (N, classes), of which the largest is the truth.

    Returns
    -------
    Tensor
        Their number, a tensor of one integer on the device of `y`.

    Raises
    ------
    ValueError
        If predictions and classes differ in number.
    """
    if y_hat.ndim > 1 and y_hat.shape[1] > 1:
        y = y.argmax(dim=1) if y.shape == y_hat.shape else y  # (N,)
        y_hat = y_hat.detach().argmax(dim=1)  # (N,)
    y = y if y.is_floating_point() else y.long()  # a class need not fit into uint8
    if y_hat.numel() != y.numel():
        raise ValueError(f"accuracy compares one prediction with one label each, got {y_hat.shape} and {y.shape}")
    return (y_hat.reshape(y.shape).to(y.dtype) == y).sum()


def are_classes(y_hat, y):
    """Whether there are right answers to count: scores of several classes (N, C) and labels (N,) that are integers."""
    return y_hat.ndim == 2 and y_hat.shape[1] > 1 and y.ndim == 1 and not y.is_floating_point()


def accuracy(y_hat: Tensor, y: Tensor) -> float:
    """Count the predictions that are right, as a number: `count_correct`, read back from the device.

    Divide by ``len(y)`` for the accuracy in the usual sense. The name is the chapter's.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> y_hat = mt.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    >>> accuracy(y_hat, mt.tensor([0, 2])) / 2
    0.5
    """
    return float(count_correct(y_hat, y))


class Accumulator:
    """Running sums of `n` variables.

    What is added may be numbers or one-element tensors. A tensor is added up on its own device, and read
    only when the sum is asked for: a training step need not wait for the GPU.

    Parameters
    ----------
    n : int
        How many sums.

    Examples
    --------
    >>> metric = Accumulator(2)
    >>> metric.add(3, 4)
    >>> metric.add(1, 4)
    >>> metric[0] / metric[1]
    0.5
    """

    def __init__(self, n: int) -> None:
        self.data = [0.0] * n

    def add(self, *args: Tensor | float) -> None:
        """Add one value to each of the sums.

        Raises
        ------
        ValueError
            If there are not as many values as sums.
        """
        if len(args) != len(self.data):
            raise ValueError(f"this Accumulator keeps {len(self.data)} sums, got {len(args)} values to add")
        values = [value.detach() if isinstance(value, Tensor) else value for value in args]
        self.data = [total + value for total, value in zip(self.data, values)]

    def reset(self) -> None:
        """Set every sum back to zero."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, index: int) -> float:
        return float(self.data[index])

    def __repr__(self) -> str:
        return f"Accumulator({', '.join(f'{float(value):g}' for value in self.data)})"


class Timer:
    """A stopwatch that keeps every lap, in seconds. It runs from the moment it is made.

    Parameters
    ----------
    device : device or str, optional
        A GPU works behind the program's back: with its device given, `start` and `stop` wait until it is done.

    Examples
    --------
    >>> timer = Timer()
    >>> lap = timer.stop()
    >>> timer.sum() == timer.avg() == lap >= 0
    True
    """

    def __init__(self, device: DeviceLike = None) -> None:
        self.times = []
        self.on_gpu = device is not None and str(device).startswith("cuda")
        self.start()

    def start(self) -> None:
        """Begin a lap."""
        self.begun = self._now()

    def stop(self) -> float:
        """End the lap, keep its time and return it."""
        self.times.append(self._now() - self.begun)
        return self.times[-1]

    def avg(self) -> float:
        """Return the mean time of a lap."""
        return sum(self.times) / len(self.times)

    def sum(self) -> float:
        """Return the time of all laps."""
        return sum(self.times)

    def cumsum(self) -> list[float]:
        """Return the times as they added up, one for each lap."""
        return [sum(self.times[: i + 1]) for i in range(len(self.times))]

    def __repr__(self) -> str:
        return f"Timer({len(self.times)} laps, {self.sum():.3f} s)"

    def _now(self):
        if self.on_gpu:
            cuda.synchronize()
        return time.perf_counter()
