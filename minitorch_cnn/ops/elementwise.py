"""Operations that act on each element by itself.

Which `forward` to take: where one function of the library does it and is slow, such as exp or tanh, `by_element`, which
has threads. Where it takes some passes over the memory, or has a kernel on a GPU, a function of arrays with
`parallel.over`, like `sigmoid_of`. Else an expression, like that of `Relu`: threads would wait for the memory.
"""

from __future__ import annotations

import functools
import math
from math import inf
from typing import overload

import numpy as np

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, device_of, get_array_module, parallel
from minitorch_cnn.backend.annotations import TensorLike
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.backend.dtypes import bool_, fitted
from minitorch_cnn.backend.parallel import by_element
from minitorch_cnn.gpu import kernels
from minitorch_cnn.gpu.launch import on_gpu
from minitorch_cnn.ops.operands import floating, promoted, refuse_bool
from minitorch_cnn.ops.steps import sign

__all__ = [
    "abs", "clamp", "cos", "exp", "log", "maximum", "minimum", "relu", "sigmoid", "sin", "sqrt", "tanh", "where",
]  # fmt: skip


class Exp(Function):
    """y = exp x;  dx = dy y."""

    reads = {"dx": "y"}

    def forward(self, x):
        return by_element(get_array_module(x).exp, x)

    def backward(self, dy, y, x):
        return (dy * y,)


class Log(Function):
    """y = log x;  dx = dy / x."""

    reads = {"dx": "x"}

    def forward(self, x):
        return by_element(get_array_module(x).log, x)

    def backward(self, dy, y, x):
        return (dy / x,)


class Sqrt(Function):
    """y = √x;  dx = dy / (2 y)."""

    reads = {"dx": "y"}

    def forward(self, x):
        return by_element(get_array_module(x).sqrt, x)

    def backward(self, dy, y, x):
        return (dy / (2 * y),)


class Sin(Function):
    """y = sin x;  dx = dy cos x."""

    reads = {"dx": "x"}

    def forward(self, x):
        return by_element(get_array_module(x).sin, x)

    def backward(self, dy, y, x):
        return (dy * cos(x),)


class Cos(Function):
    """y = cos x;  dx = -dy sin x."""

    reads = {"dx": "x"}

    def forward(self, x):
        return by_element(get_array_module(x).cos, x)

    def backward(self, dy, y, x):
        return (-dy * sin(x),)


class Abs(Function):
    """y = |x|;  dx = dy sign x."""

    reads = {"dx": "x"}

    def forward(self, x):
        return get_array_module(x).absolute(x)

    def backward(self, dy, y, x):
        return (dy * sign(x),)


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x));  dx = dy y (1 - y)."""

    reads = {"dx": "y"}

    def forward(self, x):
        return sigmoid_of(x)

    def backward(self, dy, y, x):
        return (SigmoidGradient()(dy, y),)


class SigmoidGradient(Function):
    """z = g y (1 - y);  dg = dz y (1 - y),  dy = dz g (1 - 2 y)."""

    reads = {"dg": "y", "dy": "g y"}

    def forward(self, g, y):
        return sigmoid_gradient_of(g, y)

    def backward(self, dz, z, g, y):
        dg = SigmoidGradient()(dz, y) if wants_grad(g) else None
        return dg, dz * g * (1 - 2 * y) if wants_grad(y) else None


@on_gpu(kernels.sigmoid)
def sigmoid_of(x):
    """``1 / (1 + exp(-x))`` of an array, in its memory order."""
    xp, y = get_array_module(x), get_array_module(x).empty_like(x)

    def fill(y, x):
        xp.negative(x, out=y)
        xp.exp(y, out=y)  # where this overflows, the quotient is 0, and so it should be
        y += 1
        xp.divide(1, y, out=y)

    parallel.over(fill, y, x, passes=2)
    return y


@on_gpu(kernels.sigmoid_gradient, typed=(0, 1))
def sigmoid_gradient_of(dy, y):
    """``dy y (1 - y)`` of arrays."""
    xp, dx = get_array_module(y), get_array_module(y).empty_like(y)

    def fill(dx, dy, y):
        xp.subtract(1, y, out=dx)
        dx *= y
        dx *= dy

    parallel.over(fill, dx, dy, y)
    return dx


class LogSigmoid(Function):
    """y = log(1 / (1 + exp(-x)));  dx = dy / (1 + exp x)."""

    reads = {"dx": "x"}

    def forward(self, x):
        xp = get_array_module(x)
        return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x)))

    def backward(self, dy, y, x):
        return (dy * sigmoid(-x),)


class NormalCDF(Function):
    """y = Φ(x), the share of normal numbers that are below x;  dx = dy exp(-x² / 2) / √(2π)."""

    reads = {"dx": "x"}

    def forward(self, x):
        return normal_cdf_of(x)

    def backward(self, dy, y, x):
        return (dy * exp(x * x / -2) / math.sqrt(2 * math.pi),)


def normal_cdf_of(x):
    """Φ of an array, to 4e-15: with z = |x| / √2, half of exp(-z²) is left beyond |x|, times a smooth function of z."""
    xp, y = get_array_module(x), get_array_module(x).empty_like(x)

    def fill(y, x):
        z = xp.minimum(xp.absolute(x) / 2**0.5, FAR)
        t = (2 / (2 + z) - NEAR) * (2 / (1 - NEAR)) - 1  # from 1 at z = 0 to -1 at the far end
        later = latest = 0.0  # Clenshaw's sum of the Chebyshev polynomials of t
        for c in tail_coefficients():
            later, latest = c + 2 * t * later - latest, later
        tail = (later - t * latest) * xp.exp(-z * z) / 2
        y[...] = xp.where(x < 0, tail, 1 - tail)

    parallel.over(fill, y, x, passes=20)
    return y


FAR = 6.0  # beyond, less than 1e-16 is left
NEAR = 2 / (2 + FAR)


@functools.cache
def tail_coefficients():
    """The Chebyshev coefficients, from the highest, of ``exp(z²) erfc(z)`` as a function of t: see `normal_cdf_of`."""

    def smooth(t):
        z = 2 / ((t + 1) / 2 * (1 - NEAR) + NEAR) - 2
        return np.array([math.exp(v * v) * math.erfc(v) for v in z])

    return np.polynomial.chebyshev.chebinterpolate(smooth, 20)[::-1].tolist()


class Tanh(Function):
    """y = tanh x;  dx = dy (1 - y²)."""

    reads = {"dx": "y"}

    def forward(self, x):
        return by_element(get_array_module(x).tanh, x)

    def backward(self, dy, y, x):
        return (dy * (1 - y * y),)


class Relu(Function):
    """y = max(x, 0);  dx = dy where y > 0, else 0."""

    reads = {"dx": "y"}

    def forward(self, x):
        return get_array_module(x).maximum(x, 0)

    def backward(self, dy, y, x):
        return (where(y <= 0, 0.0, dy),)


class Clamp(Function):
    """y = min(max(x, low), high);  dx = dy where low <= x <= high;  dlow, dhigh = dy where y is theirs."""

    reads = {"dx": "x low high", "dlow": "x low high", "dhigh": "x low high"}

    def forward(self, x, low, high):
        xp = get_array_module(x)
        y = x if low is None else xp.maximum(x, low)
        return y if high is None else xp.minimum(y, high)

    def backward(self, dy, y, x, low, high):
        low, high = -inf if low is None else low, inf if high is None else high
        dx = where((x >= low) & (x <= high), dy, 0.0) if wants_grad(x) else None
        dlow = where((x < low) & (low < high), dy, 0.0) if wants_grad(low) else None
        dhigh = where((x > high) | (high < low), dy, 0.0) if wants_grad(high) else None
        return dx, dlow, dhigh


def exp(input: Tensor) -> Tensor:
    """e to the power of each element."""
    return Exp()(floating(input))


def log(input: Tensor) -> Tensor:
    """The natural logarithm of each element; NaN for negative ones, -inf for 0."""
    return Log()(floating(input))


def sqrt(input: Tensor) -> Tensor:
    """The square root of each element; NaN for negative ones."""
    return Sqrt()(floating(input))


def sin(input: Tensor) -> Tensor:
    """The sine of each element, an angle in radians."""
    return Sin()(floating(input))


def cos(input: Tensor) -> Tensor:
    """The cosine of each element, an angle in radians."""
    return Cos()(floating(input))


def abs(input: Tensor) -> Tensor:
    """The absolute value of each element; its derivative at 0 is 0."""
    return Abs()(refuse_bool("abs", input))


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))`` of each element x."""
    return Sigmoid()(floating(input))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent of each element."""
    return Tanh()(floating(input))


def relu(input: Tensor) -> Tensor:
    """``max(x, 0)`` of each element x; its derivative at 0 is 0."""
    return Relu()(refuse_bool("relu", input))


def clamp(input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Each element, held between two bounds.

    Parameters
    ----------
    input : Tensor
    min, max : both numbers or both Tensors, optional
        At least one; if ``min > max``, the result is `max`.

    Raises
    ------
    RuntimeError
        If neither bound is given.
    TypeError
        If one is a number and the other a Tensor.
    """
    bounds = [bound for bound in (min, max) if bound is not None]
    if not bounds:
        raise RuntimeError("clamp: at least one of min and max must be given")
    if len({isinstance(bound, Tensor) for bound in bounds}) > 1:
        raise TypeError("clamp expected min and max to be both numbers or both Tensors, got one of each")
    input, *bounds = promoted(input, *bounds, number=fitted)
    return Clamp()(input, *(None if bound is None else bounds.pop(0) for bound in (min, max)))


# --- functions of two elements ---------------------------------------------------------------------------


class Where(Function):
    """y = a where the condition holds, else b;  da, db = dy where they were taken, else 0."""

    reads = {"da": "condition", "db": "condition"}

    def forward(self, condition, a, b):
        return choose(condition, a, b)

    def backward(self, dy, y, condition, a, b):
        da = Where()(condition, dy, 0.0) if wants_grad(a) else None
        db = Where()(condition, 0.0, dy) if wants_grad(b) else None
        return None, da, db


def choose(condition, a, b):
    """``xp.where(condition, a, b)``, which of NumPy takes a branch for every element: a mask costs a tenth of that.

    Where one choice is the number 0, the other is masked by its bits; a product would make NaN of 0 times infinity.
    """
    on_cpu = device_of(condition) == CPU
    if on_cpu and np.isscalar(a) and _is_zero(a):
        condition, a, b = ~condition, b, a
    if on_cpu and isinstance(a, np.ndarray) and np.isscalar(b) and _is_zero(b):
        bits = np.dtype(f"i{a.itemsize}")
        return np.asarray(a.view(bits) & -condition.astype(bits)).view(a.dtype)
    return get_array_module(condition).where(condition, a, b)


def _is_zero(number):
    return number == 0 and not np.signbit(number)  # -0.0 has a bit


class Maximum(Function):
    """y = max(a, b);  dy goes to the larger, by halves to equals."""

    reads = {"da": "a b", "db": "a b"}

    def forward(self, a, b):
        return get_array_module(a).maximum(a, b)

    def backward(self, dy, y, a, b):
        shared = where(a == b, dy / 2, dy)
        return where(a < b, 0.0, shared), where(a > b, 0.0, shared)


class Minimum(Function):
    """y = min(a, b);  dy goes to the smaller, by halves to equals."""

    reads = {"da": "a b", "db": "a b"}

    def forward(self, a, b):
        return get_array_module(a).minimum(a, b)

    def backward(self, dy, y, a, b):
        shared = where(a == b, dy / 2, dy)
        return where(a > b, 0.0, shared), where(a < b, 0.0, shared)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: TensorLike, other: TensorLike) -> Tensor: ...
def where(
    condition: Tensor, input: TensorLike | None = None, other: TensorLike | None = None
) -> Tensor | tuple[Tensor, ...]:
    """`input` where the condition holds, else `other`; all three broadcast.

    Parameters
    ----------
    condition : Tensor of bool
    input, other : Tensor or number, optional
        Without them, the result is where the condition holds: a tuple with one tensor of indices for each dimension.
    """
    if input is None and other is None:
        return tuple(map(Tensor, get_array_module(condition.array).nonzero(condition.array)))
    if condition.dtype != bool_:
        raise RuntimeError(f"where expected a condition of bool, got {condition.dtype}; write condition != 0")
    a, b = promoted(input, other, number=fitted)
    if not (isinstance(input, Tensor) or isinstance(other, Tensor)):
        a, b = a.to(condition.device), b.to(condition.device)
    return Where()(condition, a, b)


def maximum(input: Tensor, other: TensorLike) -> Tensor:
    """The larger of two elements; equal ones share the gradient by halves."""
    return Maximum()(*_two_tensors("maximum", input, other))


def minimum(input: Tensor, other: TensorLike) -> Tensor:
    """The smaller of two elements; equal ones share the gradient by halves."""
    return Minimum()(*_two_tensors("minimum", input, other))


def _two_tensors(name, input, other):
    for x in (input, other):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} expected two Tensors, got {described(x)}; clamp takes a number")
    return promoted(input, other)
