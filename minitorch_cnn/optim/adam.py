"""Adam, and AdamW."""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import Array, Params
from minitorch_cnn.optim.optimizer import Optimizer, check_rate

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam: steps along the mean of past gradients, in units of their root mean square.

    m ← β₁ m + (1 - β₁) g,  s ← β₂ s + (1 - β₂) g²,  w ← w - lr · m̂ / (√ŝ + ε), where m̂ = m / (1 - β₁ᵗ) and
    ŝ = s / (1 - β₂ᵗ) make up for the start at zero.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
    lr : float
    betas : (float, float)
        β₁ and β₂.
    eps : float
        ε
    weight_decay : float
        Pulls the weights towards zero: the gradient of ``weight_decay / 2 · Σ w²``.
    amsgrad : bool
        Use the largest s so far.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014. AMSGrad: Reddi, Kale and Kumar, "On the
    Convergence of Adam and Beyond", 2018.
    """

    like_parameter = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        check_rate(lr)
        if not eps >= 0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
            raise ValueError(f"betas must be either both floats or both Tensors, got {betas}")
        for index, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        if not weight_decay >= 0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp = get_array_module(parameter)
        # float(): with a NumPy float64, the products of float32 weights would be float64.
        lr, eps, weight_decay = float(group["lr"]), float(group["eps"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        if weight_decay:
            gradient = gradient + weight_decay * parameter
        if not state:
            state["step"] = 0
            names = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))
            state.update({name: Tensor(xp.zeros_like(parameter)) for name in names})
        state["step"] += 1
        mean, square = state["exp_avg"].array, state["exp_avg_sq"].array
        mean += (1 - beta1) * (gradient - mean)
        square *= beta2
        square += (1 - beta2) * gradient * gradient
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"].array
            largest[...] = xp.maximum(largest, square)
            square = largest
        correction1, correction2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        parameter -= lr / correction1 * mean / (xp.sqrt(square) / math.sqrt(correction2) + eps)


class AdamW(Adam):
    """`Adam` whose weight decay is a step of its own, in units of the rate: w ← w - lr · weight_decay · w first.

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, amsgrad, maximize
        Those of `Adam`.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017.
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        parameter *= 1 - float(group["lr"]) * float(group["weight_decay"])
        super().update(parameter, gradient, state, {**group, "weight_decay": 0})
