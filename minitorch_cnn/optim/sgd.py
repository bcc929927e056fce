"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend.annotations import Array, Params
from minitorch_cnn.gpu.sgd import in_one_launch
from minitorch_cnn.optim.optimizer import Optimizer, check_rate

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent: w ← w - lr · v, where v is the gradient or its running sum, the momentum.

    With g the gradient plus ``weight_decay · w``: v ← momentum · v + (1 - dampening) · g, and v = g at the first
    step. Nesterov's variant goes along g + momentum · v.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
    lr : float
    momentum : float
    dampening : float
    weight_decay : float
        Pulls the weights towards zero: the gradient of ``weight_decay / 2 · Σ w²``.
    nesterov : bool
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> w = mt.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.5, 1.0]
    """

    capturable = True
    like_parameter = ("momentum_buffer",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        check_rate(lr)
        if momentum < 0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        rates = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**rates, "nesterov": nesterov, "maximize": maximize})

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        # float(): with a NumPy float64, the products and the momentum of float32 weights would be float64.
        lr, momentum, weight_decay = float(group["lr"]), float(group["momentum"]), float(group["weight_decay"])
        if weight_decay:
            gradient = gradient + weight_decay * parameter
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = Tensor(gradient.copy())
            else:
                velocity.array *= momentum
                velocity.array += (1 - float(group["dampening"])) * gradient
            gradient = gradient + momentum * velocity.array if group["nesterov"] else velocity.array
        parameter -= lr * gradient

    update_group = in_one_launch(update, Optimizer.update_group)
