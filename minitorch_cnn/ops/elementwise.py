"""Operations that act on each element by itself."""

from math import inf

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.dtypes import bool_
from minitorch_cnn.ops.compare import sign
from minitorch_cnn.ops.operands import floating, operand_like, promoted
from minitorch_cnn.tensor import Tensor


class Exp(Function):
    """y = exp x;  dx = dy y."""

    def forward(self, x):
        return get_array_module(x).exp(x)

    def backward(self, dy, y, _x):
        return (dy * y,)


class Log(Function):
    """y = log x;  dx = dy / x."""

    def forward(self, x):
        return get_array_module(x).log(x)

    def backward(self, dy, _y, x):
        return (dy / x,)


class Sqrt(Function):
    """y = √x;  dx = dy / (2 y)."""

    def forward(self, x):
        return get_array_module(x).sqrt(x)

    def backward(self, dy, y, _x):
        return (dy / (2 * y),)


class Abs(Function):
    """y = |x|;  dx = dy sign x."""

    def forward(self, x):
        return get_array_module(x).absolute(x)

    def backward(self, dy, _y, x):
        return (dy * sign(x),)


class Sigmoid(Function):
    """y = 1 / (1 + exp(-x));  dx = dy y (1 - y)."""

    def forward(self, x):
        xp = get_array_module(x)
        y = xp.negative(x, out=xp.empty_like(x))
        xp.exp(y, out=y)  # where this overflows, the quotient is 0, and so it should be
        y += 1
        return xp.divide(1, y, out=y)

    def backward(self, dy, y, _x):
        return (dy * (y * (1 - y)),)


class Tanh(Function):
    """y = tanh x;  dx = dy (1 - y²)."""

    def forward(self, x):
        return get_array_module(x).tanh(x)

    def backward(self, dy, y, _x):
        return (dy * (1 - y * y),)


class Relu(Function):
    """y = max(x, 0);  dx = dy where y > 0, else 0."""

    def forward(self, x):
        return get_array_module(x).maximum(x, 0)

    def backward(self, dy, y, _x):
        return (where(y <= 0, 0.0, dy),)


class Clamp(Function):
    """y = min(max(x, low), high);  dx = dy where low <= x <= high, else 0."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def forward(self, x):
        return get_array_module(x).clip(x, self.low, self.high)

    def backward(self, dy, _y, x):
        outside = (x < (-inf if self.low is None else self.low)) | (x > (inf if self.high is None else self.high))
        return (where(outside, 0.0, dy),)


def exp(input):
    """e to the power of each element."""
    return Exp()(floating(input))


def log(input):
    """The natural logarithm of each element; NaN for negative ones, -inf for 0."""
    return Log()(floating(input))


def sqrt(input):
    """The square root of each element; NaN for negative ones."""
    return Sqrt()(floating(input))


def abs(input):
    """The absolute value of each element; its derivative at 0 is 0."""
    return Abs()(input)


def sigmoid(input):
    """``1 / (1 + exp(-x))`` of each element x."""
    return Sigmoid()(floating(input))


def tanh(input):
    """The hyperbolic tangent of each element."""
    return Tanh()(floating(input))


def relu(input):
    """``max(x, 0)`` of each element x; its derivative at 0 is 0."""
    return Relu()(input)


def clamp(input, min=None, max=None):
    """Each element, held between two bounds.

    Parameters
    ----------
    input : Tensor
    min, max : number or Tensor, optional
        At least one; if ``min > max``, the result is `max`.

    Raises
    ------
    ValueError
        If neither bound is given.
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input = input if min is None else maximum(input, min)
        return input if max is None else minimum(input, max)
    if isinstance(min, float) or isinstance(max, float):
        input = floating(input)
    return Clamp(min, max)(input)


# --- functions of two elements ---------------------------------------------------------------------------


class Where(Function):
    """y = a where the condition holds, else b;  da, db = dy where they were taken, else 0."""

    def __init__(self, condition):
        self.condition = condition

    def forward(self, a, b):
        return get_array_module(self.condition).where(self.condition, a, b)

    def backward(self, dy, _y, _a, _b):
        da = Where(self.condition)(dy, 0.0) if wants_grad(_a) else None
        db = Where(self.condition)(0.0, dy) if wants_grad(_b) else None
        return da, db


class Maximum(Function):
    """y = max(a, b);  dy goes to the larger, by halves to equals."""

    def forward(self, a, b):
        return get_array_module(a).maximum(a, b)

    def backward(self, dy, _y, a, b):
        half = where(a == b, dy / 2, 0.0)
        return where(a > b, dy, half), where(b > a, dy, half)


def where(condition, input, other):
    """`input` where the condition holds, else `other`; all three broadcast.

    Parameters
    ----------
    condition : Tensor of bool
    input, other : Tensor or number
    """
    if condition.dtype != bool_:
        raise RuntimeError(f"where expected a condition of bool, got {condition.dtype}; write condition != 0")
    a, b = promoted(input, other)
    return Where(condition.array)(a, b)


def maximum(input, other):
    """The larger of two elements; equal ones share the gradient by halves."""
    a, b = promoted(input, other)
    return Maximum()(a, operand_like(b, a) if not isinstance(b, Tensor) else b)


def minimum(input, other):
    """The smaller of two elements; equal ones share the gradient by halves."""
    return -maximum(-input, -other)
