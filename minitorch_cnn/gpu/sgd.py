"""One step of SGD for many parameters in one launch, and what has to hold when the launch is replayed."""

import weakref

import numpy as np

from minitorch_cnn.backend import asarray
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import laid_out_as
from minitorch_cnn.gpu.recording import at_replay, is_capturing

_settings = weakref.WeakKeyDictionary()  # optimizer -> id of a group -> what the kernel reads of its settings


def update_on_gpu(optimizer, params, group):
    """Change the parameters of a group in one launch.

    Returns
    -------
    list of Tensor
        Those that are left to change one by one: all that are not on a GPU, and those whose momentum begins.
    """
    if not kernels.can_sgd([param.array for param in params]):
        if is_capturing():
            raise RuntimeError("SGD expected parameters on the GPU, of one type in each group and without gaps")
        return params
    known = _settings.setdefault(optimizer, {})
    settings = known.get(id(group))
    if settings is None or settings.group is not group or settings.array.dtype != params[0].dtype:
        settings = known[id(group)] = _Settings(group, params[0])
    first = [param for param in params if not _has_velocity(optimizer, param)] if group["momentum"] else []
    if first and is_capturing():
        raise RuntimeError("the first step with momentum is another one than those that follow: warm up longer")
    params = [param for param in params if param not in set(first)]
    if params:
        launch = _Launch(optimizer, params, settings)
        at_replay(launch.prepare)
        launch()
    return first


def _has_velocity(optimizer, param):
    """Whether a parameter has a momentum of its type and in its memory order; one that it has is made so."""
    velocity = optimizer.state.get(param, {}).get("momentum_buffer")
    if velocity is None:
        return False
    before, velocity.array = velocity.array, laid_out_as(param.array, velocity.array)
    return velocity.array is before or not is_capturing()


class _Launch:
    """The update of a group on a GPU in one launch, with what has to hold when the launch is replayed."""

    def __init__(self, optimizer, params, settings):
        self.optimizer, self.params, self.settings = optimizer, params, settings
        self.gradients = [param.grad for param in params]
        self.arrays, self.places = self._arrays(), self._places()
        self.groups = len(optimizer.param_groups)

    def __call__(self):
        if not is_capturing():  # else the numbers would be written at each replay
            self.settings.refresh()
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
        velocities = [self.optimizer.state.get(param, {}).get("momentum_buffer") for param in self.params]
        return weights, [None if velocity is None else velocity.array for velocity in velocities]

    def _places(self):
        """Where each of them lies, and how."""
        arrays = [array for some in self._arrays() for array in some]
        return [None if a is None else (getattr(a.data, "ptr", "cpu"), a.strides, a.dtype) for a in arrays]


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
