"""Stochastic gradient descent."""

import numpy as np

from minitorch_cnn import kernels
from minitorch_cnn.backend import asarray
from minitorch_cnn.optim.optimizer import Optimizer, check_rate
from minitorch_cnn.recording import at_replay, is_capturing
from minitorch_cnn.tensor import Tensor


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

    like_parameter = ("momentum_buffer",)

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False):
        check_rate(lr)
        if momentum < 0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )
        self._settings = {}  # for each group whose parameters are on a GPU: what the kernel reads there

    @property
    def capturable(self):
        """Yes, but not a subclass with a step of its own: what that does in Python, no replay would do."""
        return type(self).step is SGD.step and type(self).update is SGD.update

    def update(self, parameter, gradient, state, group):
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

    def update_group(self, params, group):
        if type(self).update is not SGD.update or not kernels.can_sgd([param.array for param in params]):
            if is_capturing():
                raise RuntimeError("SGD expected parameters on the GPU, of one type in each group and without gaps")
            return super().update_group(params, group)
        settings = self._settings.get(id(group))
        if settings is None or settings.group is not group or settings.array.dtype != params[0].dtype:
            settings = self._settings[id(group)] = _Settings(group, params[0])
        if group["momentum"]:
            first = [param for param in params if not self._has_velocity(param)]
            if first and is_capturing():
                raise RuntimeError("the first step with momentum is another one than those that follow: warm up longer")
            super().update_group(first, group)
            params = [param for param in params if param not in set(first)]
        if params:
            launch = _Launch(self, params, settings)
            at_replay(launch.prepare)
            launch()

    def _has_velocity(self, param):
        """Whether a parameter has a momentum of its type and in its memory order; one that it has is made so."""
        velocity = self.state.get(param, {}).get("momentum_buffer")
        if velocity is None:
            return False
        before, velocity.array = velocity.array, kernels.laid_out_as(param.array, velocity.array)
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
