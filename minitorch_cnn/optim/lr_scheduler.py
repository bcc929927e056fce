"""Learning rates that change with the epoch: call ``scheduler.step()`` at the end of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from minitorch_cnn.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "MultiStepLR", "StepLR"]


class LRScheduler:
    """The base class of schedules: a subclass defines ``get_lr()``.

    As in PyTorch, a step starts from the rate that is in force. So several schedules may change one optimizer's, and a
    rate that was set by hand is kept.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        The number of epochs already trained, minus one; -1 starts anew.

    Attributes
    ----------
    last_epoch : int
        The present epoch, counted from 0.
    base_lrs : list of float
        The rate of each group that the schedule starts from.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        self.last_epoch = last_epoch
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming an optimizer: "
                    "load the optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The rate of each group in the epoch `last_epoch`, from those that are in force."""
        raise TypeError(f"{type(self).__name__} must define get_lr()")

    def step(self) -> None:
        """Go on to the next epoch."""
        self.last_epoch += 1
        self._last_lr = self.get_lr()
        for group, lr in zip(self.optimizer.param_groups, self._last_lr):
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """The rate of each group that the last step has set."""
        return list(self._last_lr)

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if name not in ("optimizer", "base_lrs")}
        settings = [f"{name}={value}" for name, value in shown.items() if not name.startswith("_")]
        rates = ", ".join(f"{float(lr):g}" for lr in self._last_lr)
        return f"{type(self).__name__}({', '.join(settings)}: lr {rates})"

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, which is saved by itself."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        vars(self).update(state_dict)


class StepLR(LRScheduler):
    """lr ← lr · gamma every few epochs; by itself, lr = initial · gamma^⌊epoch / step_size⌋.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Epochs from fall to fall.
    gamma : float
    last_epoch : int

    Raises
    ------
    ValueError
        If `step_size` is not positive.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> optimizer = mt.optim.SGD([mt.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = _positive("step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        falls = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return [group["lr"] * (self.gamma if falls else 1) for group in self.optimizer.param_groups]


class MultiStepLR(LRScheduler):
    """lr ← lr · gamma at each of some epochs.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : iterable of int
        The epochs; one that is named twice counts twice.
    gamma : float
    last_epoch : int
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factor = self.gamma ** self.milestones.count(self.last_epoch)
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class ExponentialLR(LRScheduler):
    """lr ← lr · gamma every epoch.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
    last_epoch : int
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        factor = 1 if self._is_initial else self.gamma
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class LambdaLR(LRScheduler):
    """lr = initial · lr_lambda(epoch).

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of an int, or list of functions
        The factor in an epoch, for all groups, or one function for each. A `state_dict` does not hold it.
    last_epoch : int

    Raises
    ------
    ValueError
        If there is not one function for each group.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> optimizer = mt.optim.SGD([mt.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, one for each group, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [initial * factor(self.last_epoch) for initial, factor in zip(self.base_lrs, self.lr_lambdas)]

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in super().state_dict().items() if name != "lr_lambdas"}


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial - eta_min) · (1 + cos(π · epoch / T_max)) / 2: from initial to eta_min in T_max epochs.

    That is what it gives by itself. A step multiplies lr - eta_min by the quotient of two such factors.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Epochs to the lowest rate.
    eta_min : float
        The lowest rate.
    last_epoch : int

    Raises
    ------
    ValueError
        If `T_max` is not positive.

    References
    ----------
    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016 (without the restarts).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = _positive("T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._is_initial:
            return rates
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the lowest point, 0 / 0 in what is below
            rise = self._factor(1 - self.T_max)
            return [lr + (initial - self.eta_min) * rise for lr, initial in zip(rates, self.base_lrs)]
        change = self._factor(self.last_epoch) / self._factor(self.last_epoch - 1)
        return [self.eta_min + (lr - self.eta_min) * change for lr in rates]

    def _factor(self, epoch):
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


def _positive(name, epochs):
    if not epochs > 0:
        raise ValueError(f"{name} must be positive, got {epochs}: it is a number of epochs")
    return epochs
