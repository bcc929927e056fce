"""One step of SGD for many parameters in one launch, and what has to hold when the launch is replayed."""

import weakref
from functools import wraps

import numpy as np

from minitorch_cnn.backend import asarray
from minitorch_cnn.backend.settings import Setting
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import dense, has_kernel, laid_out_as


def in_one_launch(update, one_by_one):
    """SGD's `update_group`: on a GPU, the kernel changes all parameters as `update` would change each.

    Parameters
    ----------
    update : callable
        What the kernel stands for. An optimizer with another update goes one by one.
    one_by_one : callable
        The `update_group` for all that the kernel does not change.
    """

    @wraps(one_by_one)
    def update_group(optimizer, params, group):
        if params and not isinstance(params[0].array, np.ndarray) and type(optimizer).update is update:
            params = change.value(optimizer, params, group)
        one_by_one(optimizer, params, group)

    return update_group


def at_once(optimizer, params, group):
    """Change the parameters of a group now.

    Returns
    -------
    list of Tensor
        Those that are left to change one by one: all that the kernel does not take, or those whose momentum begins.
    """
    if not _has_kernel(params):
        return params
    settings = _settings_of(optimizer, params, group)
    settings.refresh()
    first = [param for param in params if _momentum_of(optimizer, param) is None] if group["momentum"] else []
    params = [param for param in params if param not in set(first)]
    if params:
        for param in params if group["momentum"] else ():
            velocity = _momentum_of(optimizer, param)
            velocity.array = laid_out_as(param.array, velocity.array)
        _Launch(optimizer, params, settings)()
    return first


def recorded(before_replay, optimizer, params, group):
    """Record the change of the parameters of a group, with what is to be called before each replay.

    Returns
    -------
    list
        Nothing is left.
    """
    if not _has_kernel(params):
        raise RuntimeError("SGD expected parameters on the GPU that are of one type in each group and without gaps")
    for param in params if group["momentum"] else ():
        velocity = _momentum_of(optimizer, param)
        if velocity is None or laid_out_as(param.array, velocity.array) is not velocity.array:
            raise RuntimeError("the first step with momentum is another one than those that follow: warm up longer")
    launch = _Launch(optimizer, params, _settings_of(optimizer, params, group))
    before_replay.append(launch.prepare)
    launch()
    return []


change = Setting(at_once)  # a recording sets `recorded` in its place


def _has_kernel(params):
    arrays = [param.array for param in params]
    return has_kernel(*arrays) and all(dense(w) is w for w in arrays)


def _momentum_of(optimizer, param):
    return optimizer.state.get(param, {}).get("momentum_buffer")


class _Launch:
    """The update of a group on a GPU in one launch, with what has to hold when the launch is replayed."""

    def __init__(self, optimizer, params, settings):
        self.optimizer, self.params, self.settings = optimizer, params, settings
        self.gradients = [param.grad for param in params]
        self.arrays, self.places = self._arrays(), self._places()
        self.groups = len(optimizer.param_groups)

    def __call__(self):
        weights, velocities = self.arrays  # kept, so that nobody else gets their memory
        kernels.sgd(weights, [gradient.array for gradient in self.gradients], velocities, self.settings.array)

    def prepare(self):
        """Before a replay: see that the memory is still that of the parameters, and do what Python did in the step."""
        if self._places() != self.places:
            raise RuntimeError(
                "a parameter or its momentum lies elsewhere than when the step was captured, because of "
                "load_state_dict(), to(), or a change of momentum from or to 0; capture the step anew"
            )
        if len(self.optimizer.param_groups) != self.groups:
            raise RuntimeError(
                "the optimizer has another number of groups than when the step was captured; capture anew"
            )
        self.settings.refresh()
        for param, gradient in zip(self.params, self.gradients):
            param.grad = gradient
            param.bump_version()

    def _arrays(self):
        """The arrays that are changed: weights and velocities, or weights twice where there is no momentum."""
        weights = [param.array for param in self.params]
        if not self.settings.group["momentum"]:
            return weights, weights
        velocities = [_momentum_of(self.optimizer, param) for param in self.params]
        return weights, [None if velocity is None else velocity.array for velocity in velocities]

    def _places(self):
        """Where each of them lies, and how."""
        arrays = [array for some in self._arrays() for array in some]
        return [None if a is None else (getattr(a.data, "ptr", "cpu"), a.strides, a.dtype) for a in arrays]


_settings = weakref.WeakKeyDictionary()  # optimizer -> id of a group -> what the kernel reads of its settings


def _settings_of(optimizer, params, group):
    known = _settings.setdefault(optimizer, {})
    settings = known.get(id(group))
    if settings is None or settings.group is not group or settings.array.dtype != params[0].dtype:
        settings = known[id(group)] = _Settings(group, params[0])
    return settings


class _Settings:
    """The settings of a group in the memory of the GPU, rewritten where they have changed."""

    def __init__(self, group, param):
        self.group = group
        self.values = self._values()
        self.array = asarray(np.array(self.values), param.device, param.dtype)

    def refresh(self):
        values = self._values()
        for i, (value, old) in enumerate(zip(values, self.values)):
            if value != old:
                self.array[i : i + 1].fill(value)  # no copy from the host: the number is an argument of a launch
        self.values = values

    def _values(self):
        names = "lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"
        values = [float(self.group[name]) for name in names]
        values[2] = 1 - values[2]
        return values
