"""Sums, products and powers, element by element."""

from minitorch_cnn.autograd import Function, wants_grad
from minitorch_cnn.ops.compare import floor_divide
from minitorch_cnn.ops.elementwise import log, where
from minitorch_cnn.ops.operands import operand_like, promoted
from minitorch_cnn.tensor import Tensor


class Add(Function):
    """y = a + b;  da = dy,  db = dy."""

    def forward(self, a, b):
        return a + b

    def backward(self, dy, _y, _a, _b):
        return dy, dy


class Sub(Function):
    """y = a - b;  da = dy,  db = -dy."""

    def forward(self, a, b):
        return a - b

    def backward(self, dy, _y, _a, _b):
        return dy, -dy if wants_grad(_b) else None


class Mul(Function):
    """y = a b;  da = dy b,  db = dy a."""

    def forward(self, a, b):
        return a * b

    def backward(self, dy, _y, a, b):
        return dy * b if wants_grad(a) else None, dy * a if wants_grad(b) else None


class Div(Function):
    """y = a / b;  da = dy / b,  db = -dy y / b."""

    def forward(self, a, b):
        return a / b

    def backward(self, dy, y, _a, b):
        return dy / b if wants_grad(_a) else None, -dy * y / b if wants_grad(b) else None


class Neg(Function):
    """y = -x;  dx = -dy."""

    def forward(self, x):
        return -x

    def backward(self, dy, _y, _x):
        return (-dy,)


class Pow(Function):
    """y = a^b;  da = dy b a^(b-1),  db = dy y log a;  0^0 is a constant."""

    def forward(self, a, b):
        return a**b

    def backward(self, dy, y, a, b):
        da = db = None
        if wants_grad(a):
            nonzero = where(b == 0, 1.0, b) if isinstance(b, Tensor) else b or 1.0
            da = dy * (b * pow(a, nonzero - 1))
        if wants_grad(b):
            db = dy * (y * log(where((a == 0) & (b >= 0), 1.0, a)))
        return da, db


def add(input, other, *, alpha=1):
    """``input + alpha * other``, broadcast."""
    return Add()(*promoted(input, other if alpha == 1 else mul(other, alpha)))


def sub(input, other, *, alpha=1):
    """``input - alpha * other``, broadcast."""
    return Sub()(*promoted(input, other if alpha == 1 else mul(other, alpha)))


def mul(input, other):
    """``input * other``, broadcast."""
    return Mul()(*promoted(input, other))


def div(input, other):
    """``input / other``, broadcast; of integers in float32."""
    return Div()(*promoted(input, other, floating=True))


def neg(input):
    """``-input``."""
    return Neg()(input)


def pow(input, exponent):
    """``input ** exponent``, broadcast."""
    a, b = promoted(input, exponent)
    return Pow()(a if isinstance(a, Tensor) else operand_like(a, b), b)


def remainder(input, other):
    """``input - other * floor(input / other)``: the sign is that of `other`."""
    return sub(input, mul(floor_divide(input, other), other))
