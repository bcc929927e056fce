"""Optimizers that divide each step by the size of the gradients so far: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import Array, Params
from minitorch_cnn.optim.optimizer import Optimizer, check_rate

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class _Adaptive(Optimizer):
    """What they have in common: settings that are not negative, weight decay, and a state of numbers.

    A subclass has ``initial(settings)``, with what each part of the state begins, by name.
    """

    def __init__(self, params, settings):
        check_rate(settings["lr"])
        for name, value in settings.items():
            if not value >= 0:
                raise ValueError(f"Invalid {'epsilon' if name == 'eps' else name} value: {value}")
        super().__init__(params, settings)

    def begin(
        self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> tuple[Array, dict[str, Any]]:
        """The gradient with the weight decay, and the settings as Python's numbers; in the state, the step counted.

        With a NumPy float64, the products of float32 weights would be float64.
        """
        xp, settings = get_array_module(parameter), {name: float(group[name]) for name in self.defaults}
        if not state:
            state["step"] = 0
            for name, value in self.initial(settings).items():
                state[name] = Tensor(xp.full_like(parameter, value))
        state["step"] += 1
        if settings["weight_decay"]:
            gradient = gradient + settings["weight_decay"] * parameter
        return gradient, settings


class Adagrad(_Adaptive):
    """Adagrad: s ← s + g²,  w ← w - lr / (1 + (t - 1) · lr_decay) · g / (√s + ε), at step t.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
    lr : float
    lr_decay : float
    weight_decay : float
        Pulls the weights towards zero: the gradient of ``weight_decay / 2 · Σ w²``.
    initial_accumulator_value : float
        The first s.
    eps : float
        ε
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If a setting is negative.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.
    """

    like_parameter = ("sum",)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        rates = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay}
        super().__init__(
            params, {**rates, "initial_accumulator_value": initial_accumulator_value, "maximize": maximize}
        )

    def initial(self, settings: dict[str, Any]) -> dict[str, float]:
        return {"sum": settings["initial_accumulator_value"]}

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        gradient, settings = self.begin(parameter, gradient, state, group)
        total = state["sum"].array
        total += gradient * gradient
        lr = settings["lr"] / (1 + (state["step"] - 1) * settings["lr_decay"])
        parameter -= lr * gradient / (get_array_module(total).sqrt(total) + settings["eps"])


class Adadelta(_Adaptive):
    """Adadelta: s ← ρ s + (1 - ρ) g²,  d = g √(u + ε) / √(s + ε),  u ← ρ u + (1 - ρ) d²,  w ← w - lr · d.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
    lr : float
    rho : float
        ρ, from 0 to 1.
    eps : float
        ε
    weight_decay : float
        Pulls the weights towards zero: the gradient of ``weight_decay / 2 · Σ w²``.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """

    like_parameter = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        if not rho <= 1:
            raise ValueError(f"Invalid rho value: {rho}")
        rates = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**rates, "maximize": maximize})

    def initial(self, settings: dict[str, Any]) -> dict[str, float]:
        return {"square_avg": 0, "acc_delta": 0}

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        gradient, settings = self.begin(parameter, gradient, state, group)
        xp, rho, eps = get_array_module(parameter), settings["rho"], settings["eps"]
        square, moved = state["square_avg"].array, state["acc_delta"].array
        square *= rho
        square += (1 - rho) * gradient * gradient
        step = gradient * xp.sqrt(moved + eps) / xp.sqrt(square + eps)
        moved *= rho
        moved += (1 - rho) * step * step
        parameter -= settings["lr"] * step


class RMSprop(_Adaptive):
    """RMSprop: s ← α s + (1 - α) g²,  w ← w - lr · g / (√s + ε).

    Centred, the square of the mean of the gradients is taken from s. With momentum, b ← momentum · b + g / (√s + ε)
    stands in the place of that quotient.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
    lr : float
    alpha : float
        α
    eps : float
        ε
    weight_decay : float
        Pulls the weights towards zero: the gradient of ``weight_decay / 2 · Σ w²``.
    momentum : float
    centered : bool
        Divide by the standard deviation of the gradients, not by their root mean square.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError
        If a setting is negative.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning, 2012; centred: Graves,
    "Generating Sequences With Recurrent Neural Networks", 2013.
    """

    like_parameter = ("square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        rates = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        super().__init__(params, {**rates, "weight_decay": weight_decay, "maximize": maximize})

    def initial(self, settings: dict[str, Any]) -> dict[str, float]:
        names = {"square_avg": True, "momentum_buffer": settings["momentum"], "grad_avg": settings["centered"]}
        return {name: 0 for name, is_used in names.items() if is_used}

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any]) -> None:
        gradient, settings = self.begin(parameter, gradient, state, group)
        alpha, square = settings["alpha"], state["square_avg"].array
        square *= alpha
        square += (1 - alpha) * gradient * gradient
        if settings["centered"]:
            mean = state["grad_avg"].array
            mean += (1 - alpha) * (gradient - mean)
            square = square - mean * mean
        step = gradient / (get_array_module(square).sqrt(square) + settings["eps"])
        if settings["momentum"]:
            buffer = state["momentum_buffer"].array
            buffer *= settings["momentum"]
            buffer += step
            step = buffer
        parameter -= settings["lr"] * step
