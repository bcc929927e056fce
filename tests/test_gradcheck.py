"""gradcheck lets right derivatives pass and rejects wrong ones: some twenty, each a slip that somebody once made."""

import re
from types import MappingProxyType

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn.autograd import Function
from minitorch_cnn.nn import functional as F


def double(*shape):
    return mt.randn(*shape, dtype=mt.float64, requires_grad=True)


# --- wrong derivatives. Each class says its slip. ---------------------------------------------------------------


class WrongSign(Function):
    """y = a - b;  db = dy."""

    def forward(self, a, b):
        return a - b

    def backward(self, dy, _y, _a, _b):
        return dy, dy


class SwappedFactors(Function):
    """y = a b;  da = dy a,  db = dy b."""

    def forward(self, a, b):
        return a * b

    def backward(self, dy, _y, a, b):
        return dy * a, dy * b


class ForgottenSquare(Function):
    """y = a / b;  db = -dy a / b."""

    def forward(self, a, b):
        return a / b

    def backward(self, dy, _y, a, b):
        return dy / b, -dy * a / b


class ForgottenDy(Function):
    """y = exp x;  dx = y, and dy is lost."""

    def forward(self, x):
        return np.exp(x)

    def backward(self, dy, y, _x):
        return (y,)


class SigmoidOfTheInput(Function):
    """y = σ(x);  dx = dy x (1 - x): the formula wants y."""

    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy, _y, x):
        return (dy * x * (1 - x),)


class TanhWithoutSquare(Function):
    """y = tanh x;  dx = dy (1 - y)."""

    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy, y, _x):
        return (dy * (1 - y),)


class PowWithoutExponent(Function):
    """y = x³;  dx = dy x²."""

    def forward(self, x):
        return x**3

    def backward(self, dy, _y, x):
        return (dy * x**2,)


class ReluOfDy(Function):
    """y = max(x, 0);  dx = max(dy, 0)."""

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy, _y, _x):
        return (mt.relu(dy),)


class ClampThatPasses(Function):
    """y = clamp(x, -0.5, 0.5);  dx = dy everywhere."""

    def forward(self, x):
        return np.clip(x, -0.5, 0.5)

    def backward(self, dy, _y, _x):
        return (dy,)


class MeanWithoutN(Function):
    """y = mean x;  dx = dy: the 1/N is forgotten."""

    def forward(self, x):
        return x.mean()

    def backward(self, dy, _y, x):
        return (dy.expand(x.shape),)


class SoftmaxWithoutSum(Function):
    """y = softmax x;  dx = dy y (1 - y): the diagonal of the Jacobian only."""

    def forward(self, x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward(self, dy, y, _x):
        return (dy * y * (1 - y),)


class MaxSpreadOverAll(Function):
    """y = max x;  every entry receives dy, not only the largest."""

    def forward(self, x):
        return x.max()

    def backward(self, dy, _y, x):
        return (dy.expand(x.shape),)


class MatmulWithoutTranspose(Function):
    """y = a b;  da = dy b: square matrices hide it from a test of shapes."""

    def forward(self, a, b):
        return a @ b

    def backward(self, dy, _y, a, b):
        return dy @ b, a @ dy


class TransposedReshape(Function):
    """y = xᵀ;  dx = dy reshaped, not transposed back."""

    def forward(self, x):
        return x.T

    def backward(self, dy, _y, x):
        return (dy.reshape(x.shape),)


class IndexWithoutAccumulation(Function):
    """y = x[0, 0, 1];  an entry that is taken twice receives one gradient."""

    def forward(self, x):
        return x[[0, 0, 1]]

    def backward(self, dy, _y, x):
        dx = mt.zeros(*x.shape, dtype=x.dtype)
        dx[[0, 0, 1]] = dy
        return (dx,)


class VarianceOfAFixedMean(Function):
    """y = Σ (x - mean)³;  the mean is taken for a constant. (For squares that would be right.)"""

    def forward(self, x):
        return ((x - x.mean()) ** 3).sum()

    def backward(self, dy, _y, x):
        return (dy * 3 * (x - x.mean()) ** 2,)


class Conv(Function):
    """A convolution without padding whose gradients stand in for those with a slip: see its subclasses."""

    options = MappingProxyType({})

    def forward(self, x, w):
        return F.conv2d(mt.Tensor(x), mt.Tensor(w), **self.options).array

    def right(self, dy, x, w, **options):
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        with mt.enable_grad():
            y = F.conv2d(x, w, **{**self.options, **options})
        return mt.autograd.grad(y, [x, w], dy)


class ConvSwappedKernel(Conv):
    """kh and kw are swapped in dw."""

    def backward(self, dy, _y, x, w):
        dx, dw = self.right(dy, x, w)
        return dx, dw.transpose(2, 3)


class ConvFlippedKernel(Conv):
    """dx correlates with the kernel where it must convolve."""

    def backward(self, dy, _y, x, w):
        flipped = mt.tensor(w.array[:, :, ::-1, ::-1].copy())
        return self.right(dy, x, flipped)[0], self.right(dy, x, w)[1]


class ConvWithoutStride(Conv):
    """The gradient is spread with a stride of 1 in place of 2."""

    options = MappingProxyType({"stride": 2})

    def backward(self, dy, _y, x, w):
        near = mt.zeros(x.shape[0], w.shape[0], x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1, dtype=x.dtype)
        near[:, :, : dy.shape[2], : dy.shape[3]] = dy
        return self.right(near, x, w, stride=1)


class ConvUncroppedPadding(Conv):
    """dx is cropped at the wrong corner: the padding before the image is taken for image."""

    options = MappingProxyType({"padding": 1})

    def backward(self, dy, _y, x, w):
        padded = F.pad(x, (1, 1, 1, 1))
        dx, dw = self.right(dy, padded, w, padding=0)
        return dx[:, :, : x.shape[2], : x.shape[3]], dw


class ConvOfOneImage(Conv):
    """dw is that of the first image, not the sum over the batch."""

    def backward(self, dy, _y, x, w):
        return self.right(dy, x, w)[0], self.right(dy[:1], x[:1], w)[1]


class MaxPoolLastWins(Function):
    """y = max of each pair;  the second of each pair receives the gradient."""

    def forward(self, x):
        return x.reshape(-1, 2).max(1)

    def backward(self, dy, _y, x):
        return (mt.stack([dy * 0, dy], 1).reshape(x.shape),)


WRONG = [
    (WrongSign, (3,), (3,)),
    (SwappedFactors, (3,), (3,)),
    (ForgottenSquare, (3,), (3,)),
    (ForgottenDy, (3,)),
    (SigmoidOfTheInput, (3,)),
    (TanhWithoutSquare, (3,)),
    (PowWithoutExponent, (3,)),
    (ReluOfDy, (3, 4)),
    (ClampThatPasses, (3, 4)),
    (MeanWithoutN, (3,)),
    (SoftmaxWithoutSum, (2, 3)),
    (MaxSpreadOverAll, (3,)),
    (MatmulWithoutTranspose, (3, 3), (3, 3)),
    (TransposedReshape, (2, 3)),
    (IndexWithoutAccumulation, (3,)),
    (VarianceOfAFixedMean, (4,)),
    (ConvSwappedKernel, (1, 1, 4, 4), (1, 1, 2, 2)),
    (ConvFlippedKernel, (1, 1, 4, 4), (1, 1, 2, 2)),
    (ConvWithoutStride, (1, 1, 5, 5), (1, 1, 3, 3)),
    (ConvUncroppedPadding, (1, 1, 3, 4), (1, 1, 3, 3)),
    (ConvOfOneImage, (2, 1, 3, 3), (1, 1, 2, 2)),
    (MaxPoolLastWins, (6,)),
]


@pytest.mark.parametrize(
    ("wrong", "shapes"), [(case[0], case[1:]) for case in WRONG], ids=lambda x: getattr(x, "__name__", "")
)
def test_rejects(wrong, shapes):
    with pytest.raises(RuntimeError, match=r"[Jj]acobian|gradient"):
        mt.gradcheck(wrong(), [double(*shape) for shape in shapes])


def test_the_convolution_behind_the_slips_is_right():
    class Right(Conv):
        """No slip."""

        def backward(self, dy, _y, x, w):
            return self.right(dy, x, w)

    assert mt.gradcheck(Right(), [double(2, 1, 4, 4), double(1, 1, 2, 2)])


class WrongSecond(Function):
    """y = x³;  dx = 3 x² dy: right, but computed off the graph, so that it has no derivative of its own."""

    def forward(self, x):
        return x**3

    def backward(self, dy, _y, x):
        return (dy * (3 * x.detach() ** 2),)


def test_gradgradcheck_rejects_what_gradcheck_cannot_see():
    x = [double(3)]
    assert mt.gradcheck(WrongSecond(), x)
    with pytest.raises(RuntimeError):
        mt.gradgradcheck(WrongSecond(), x)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, y: x * y + x.exp(), [(2, 3), (3,)]),
        (lambda x: (x.sum(), x**2), [(3,)]),  # several outputs
        (lambda x, w: F.conv2d(x, w, stride=2, padding=1), [(1, 2, 4, 5), (2, 2, 3, 3)]),
        (lambda x: x.T.reshape(-1), [(2, 3)]),
        (lambda x: x, [()]),
    ],
)
def test_passes(function, shapes, device):
    inputs = [mt.randn(*shape, dtype=mt.float64, device=device, requires_grad=True) for shape in shapes]
    assert mt.gradcheck(function, inputs) is True
    assert mt.gradgradcheck(function, inputs) is True


def test_a_single_tensor_is_a_list_of_one():
    assert mt.gradcheck(lambda x: x * x, double(3))


def test_inputs_without_gradient_and_numbers_are_passed_on():
    assert mt.gradcheck(lambda x, y, p: (x * y) ** p, [double(3), mt.tensor([1.0, 2.0, 3.0], dtype=mt.float64), 2])


def test_a_false_result_in_place_of_an_error():
    assert mt.gradcheck(WrongSign(), [double(3), double(3)], raise_exception=False) is False


def test_inputs_are_left_as_they_were():
    x = double(4)
    before = x.tolist()
    mt.gradcheck(lambda x: x**2, [x])
    assert x.tolist() == before and x.grad is None


def test_the_message_shows_both_values():
    x = mt.tensor([2.0], dtype=mt.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"input 0, of shape \(1,\).*index \(0,\)") as error:
        mt.gradcheck(PowWithoutExponent(), [x])
    found = re.search(r"backward gives ([\d.]+), the difference quotient ([\d.]+)", str(error.value))
    analytic, numeric = map(float, found.groups())
    assert numeric / analytic == pytest.approx(3.0, rel=1e-6)


def test_weights_are_no_inputs_of_a_user():
    """Random weights that equal the inputs, drawn from the same seed, would hide the slip of ReluOfDy."""
    for seed in range(5):
        mt.manual_seed(seed)
        with pytest.raises(RuntimeError):
            mt.gradcheck(ReluOfDy(), [double(3, 4)])


def test_single_precision_is_refused():
    """Finite differences in float32 differ from any derivative: the check would say nothing."""
    with pytest.raises((ValueError, RuntimeError, TypeError), match=r"float64|double"):
        mt.gradcheck(lambda x: x * x, [mt.randn(3, requires_grad=True)])


def test_nothing_to_check_is_refused():
    with pytest.raises((ValueError, RuntimeError), match="require"):
        mt.gradcheck(lambda x: x * x, [mt.randn(3, dtype=mt.float64)])
