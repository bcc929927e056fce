"""Learning rates that change with the epoch: call ``scheduler.step()`` at the end of each."""

import math


class LRScheduler:
    """The base class of schedules: a subclass defines ``rate(initial, epoch)``.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        The number of epochs already trained, minus one; -1 starts anew.

    Attributes
    ----------
    base_lrs : list of float
        The rate of each group that the schedule starts from.
    """

    def __init__(self, optimizer, last_epoch=-1):
        self.optimizer = optimizer
        self.last_epoch = last_epoch
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group["initial_lr"] = group["lr"]
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming an optimizer: "
                    "load the optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    def rate(self, initial, epoch):
        """The learning rate of an epoch, counted from 0, for a group that began with `initial`."""
        raise TypeError(f"{type(self).__name__} must define rate(initial, epoch)")

    def step(self):
        """Go on to the next epoch."""
        self.last_epoch += 1
        for initial, group in zip(self.base_lrs, self.optimizer.param_groups):
            group["lr"] = self.rate(initial, self.last_epoch)

    def get_last_lr(self):
        """The rate of each group that is in force now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self):
        """Everything but the optimizer, which is saved by itself."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        vars(self).update(state_dict)


class StepLR(LRScheduler):
    """lr = initial · gamma^⌊epoch / step_size⌋: a fall every few epochs.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Epochs from fall to fall.
    gamma : float
    last_epoch : int

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

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, initial, epoch):
        return initial * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial - eta_min) · (1 + cos(π · epoch / T_max)) / 2: from initial to eta_min in T_max epochs.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Epochs to the lowest rate.
    eta_min : float
        The lowest rate.
    last_epoch : int

    References
    ----------
    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016 (without the restarts).
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, initial, epoch):
        return self.eta_min + (initial - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2
