"""The base class of optimizers: groups of parameters with their settings, and the state between steps."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from minitorch_cnn.autograd import enable_grad, no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import asarray, before_step
from minitorch_cnn.backend.annotations import Array, Params
from minitorch_cnn.backend.arguments import described

__all__ = ["Optimizer"]


class Optimizer:
    """The base class of optimizers: a subclass defines ``update(parameter, gradient, state, group)``.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize. A dict is a group with settings of its own: ``{"params": [...], "lr": 0.1}``.
    defaults : dict
        The settings of a group that does not say otherwise.

    Attributes
    ----------
    param_groups : list of dict
        Settings may be changed between steps: ``group["lr"] = 0.01``.
    state : dict
        For each parameter, what past steps have left behind.

    Raises
    ------
    TypeError, ValueError
        If `params` is empty or holds something that cannot be optimized.
    """

    capturable = False  #: whether a step can be part of one that `cuda.capture` records
    like_parameter = ()  #: names of what in the state has its parameter's shape, or is refused by `load_state_dict`

    param_groups: list[dict[str, Any]]
    state: dict[Tensor, dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not {"step", "update", "update_group"}.isdisjoint(vars(cls)):  # what is new in them, no replay would do
            cls.capturable = vars(cls).get("capturable", False)

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor) or not hasattr(params, "__iter__"):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}; "
                + ("pass net.parameters()" if hasattr(params, "parameters") else "put a single tensor into a list")
            )
        self.defaults = defaults
        self.state = {}
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError(
                "optimizer got an empty parameter list: if it is that of a network, its layers are not registered; "
                "keep them as attributes, or in nn.ModuleList in place of a Python list"
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, such as layers that are thawed later.

        Parameters
        ----------
        param_group : dict
            ``"params"``, and settings that differ from the defaults.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError("optimizer parameters need to be ordered; a set is not: use a list instead")
        params = [params] if isinstance(params, Tensor) else list(params)
        for param in params:
            if not isinstance(param, Tensor):
                hint = "; pass net.parameters()" if hasattr(param, "parameters") else ""
                came = type(param).__name__ if hint else described(param)
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {came}{hint}")
            if not param.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor: pass the tensors that it was computed from")
        if len(params) != len(set(params)):
            warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=3)
        if not set(params).isdisjoint(chain.from_iterable(group["params"] for group in self.param_groups)):
            raise ValueError("some parameters appear in more than one parameter group")
        settings = {name: _as_python(value) for name, value in {**self.defaults, **param_group}.items()}
        self.param_groups.append({**settings, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as `backward` adds to those that are there."""
        zero_grad(self._params(), set_to_none)

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the gradients anew and returns the loss.

        Returns
        -------
        Tensor or None
            What `closure` returned.

        Raises
        ------
        RuntimeError
            Within a step that is captured, if the optimizer is not `capturable`.
        """
        before_step.value(self)
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            self.update_group(params, group)
            for param in params:
                param.bump_version()
        return loss

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """Change the parameters of a group that have a gradient, one after the other.

        Parameters
        ----------
        params : list of Tensor
        group : dict
            The settings.
        """
        for param in params:
            gradient = -param.grad.array if group.get("maximize") else param.grad.array
            self.update(param.array, gradient, self.state.setdefault(param, {}), group)

    def update(self, parameter: Array, gradient: Array, state: dict[str, Any], group: dict[str, Any], /) -> None:
        """Change one parameter in place.

        Parameters
        ----------
        parameter, gradient : array
        state : dict
            What past steps have left behind: tensors and numbers by name. ``"step"`` is for a count of steps: PyTorch
            saves it as a tensor, and here it is loaded as a whole number.
        group : dict
            The settings. A setting ``"maximize"``, if there is one, has been seen to: `gradient` is the one to go down.
        """
        raise TypeError(f"{type(self).__name__} must define update(parameter, gradient, state, group)")

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, in PyTorch's form: parameters are numbered in order.

        Returns
        -------
        dict
            ``{"state": {0: {...}, ...}, "param_groups": [{"lr": ..., "params": [0, ...]}, ...]}``
        """
        numbers = {param: number for number, param in enumerate(self._params())}
        groups = [{**group, "params": [numbers[param] for param in group["params"]]} for group in self.param_groups]
        state = {numbers[param]: dict(state) for param, state in self.state.items() if state}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, ours or PyTorch's.

        Parameters
        ----------
        state_dict : dict

        Raises
        ------
        ValueError
            If the groups do not agree in number or in size, or a tensor in the state not with its parameter's shape.
            In this case nothing has been changed.
        """
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved)}, this optimizer {len(self.param_groups)}"
            )
        for theirs, ours in zip(saved, self.param_groups):
            if len(theirs["params"]) != len(ours["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"{len(theirs['params'])} parameters, this optimizer's {len(ours['params'])}"
                )
        params = dict(zip(chain.from_iterable(group["params"] for group in saved), self._params()))
        for number, state in state_dict["state"].items():
            for name in self.like_parameter:
                if name in state and tuple(getattr(state[name], "shape", params[number].shape)) != params[number].shape:
                    raise ValueError(
                        f"loaded state dict doesn't fit: {name} of parameter {number} has shape "
                        f"{tuple(state[name].shape)}, the parameter {params[number].shape}"
                    )
        self.state = {
            params[number]: {name: _loaded(name, value, params[number]) for name, value in state.items()}
            for number, state in state_dict["state"].items()
        }
        for theirs, ours in zip(saved, self.param_groups):
            ours.update({**theirs, "params": ours["params"]})

    def _params(self):
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def zero_grad(leaves, set_to_none=True):
    """Forget the gradients that `backward` has gathered, or make them zeros."""
    for leaf in leaves:
        if set_to_none:
            leaf.grad = None
        elif leaf.grad is not None:
            leaf.grad = leaf.grad.detach().zero_()


def check_rate(lr):
    """Refuse a learning rate that is negative, or not one number.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(lr, (Tensor, numbers.Real)):
        raise TypeError(f"a learning rate must be a number, got {lr!r} of type {type(lr).__name__}")
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element, got shape {lr.shape}")
    if not lr >= 0:
        raise ValueError(f"Invalid learning rate: {lr}")


def _as_python(setting):
    """A NumPy number as the Python number that it is, for checkpoints."""
    return setting.item() if isinstance(setting, np.generic) else setting


def _loaded(name, value, param):
    """A value of a saved state: an array goes to its parameter's device and type, a number stays one."""
    if name == "step":
        return int(value)
    if isinstance(value, Tensor):
        return Tensor(asarray(value.array, param.device, param.dtype).copy())
    if hasattr(value, "detach"):  # PyTorch's
        value = value.detach().cpu().numpy()
    return Tensor(asarray(value, param.device, param.dtype).copy()) if hasattr(value, "__array__") else value
