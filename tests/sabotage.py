"""Wrong derivatives, each a slip that somebody once made: gradcheck must find every one. A class says its slip."""

from types import MappingProxyType

import numpy as np

import minitorch_cnn as mt
from minitorch_cnn.autograd import Function
from minitorch_cnn.nn import functional as F


class WrongSign(Function):
    """y = a - b;  db = dy."""

    def forward(self, a, b):
        return a - b

    def backward(self, dy, y, a, b):
        return dy, dy


class SwappedFactors(Function):
    """y = a b;  da = dy a,  db = dy b."""

    def forward(self, a, b):
        return a * b

    def backward(self, dy, y, a, b):
        return dy * a, dy * b


class ForgottenSquare(Function):
    """y = a / b;  db = -dy a / b."""

    def forward(self, a, b):
        return a / b

    def backward(self, dy, y, a, b):
        return dy / b, -dy * a / b


class ForgottenDy(Function):
    """y = exp x;  dx = y, and dy is lost."""

    def forward(self, x):
        return np.exp(x)

    def backward(self, dy, y, x):
        return (y,)


class SigmoidOfTheInput(Function):
    """y = σ(x);  dx = dy x (1 - x): the formula wants y."""

    def forward(self, x):
        return 1 / (1 + np.exp(-x))

    def backward(self, dy, y, x):
        return (dy * x * (1 - x),)


class TanhWithoutSquare(Function):
    """y = tanh x;  dx = dy (1 - y)."""

    def forward(self, x):
        return np.tanh(x)

    def backward(self, dy, y, x):
        return (dy * (1 - y),)


class PowWithoutExponent(Function):
    """y = x³;  dx = dy x²."""

    def forward(self, x):
        return x**3

    def backward(self, dy, y, x):
        return (dy * x**2,)


class ReluOfDy(Function):
    """y = max(x, 0);  dx = max(dy, 0)."""

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy, y, x):
        return (mt.relu(dy),)


class ClampThatPasses(Function):
    """y = clamp(x, -0.5, 0.5);  dx = dy everywhere."""

    def forward(self, x):
        return np.clip(x, -0.5, 0.5)

    def backward(self, dy, y, x):
        return (dy,)


class MeanWithoutN(Function):
    """y = mean x;  dx = dy: the 1/N is forgotten."""

    def forward(self, x):
        return x.mean()

    def backward(self, dy, y, x):
        return (dy.expand(x.shape),)


class SoftmaxWithoutSum(Function):
    """y = softmax x;  dx = dy y (1 - y): the diagonal of the Jacobian only."""

    def forward(self, x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward(self, dy, y, x):
        return (dy * y * (1 - y),)


class MaxSpreadOverAll(Function):
    """y = max x;  every entry receives dy, not only the largest."""

    def forward(self, x):
        return x.max()

    def backward(self, dy, y, x):
        return (dy.expand(x.shape),)


class MatmulWithoutTranspose(Function):
    """y = a b;  da = dy b: square matrices hide it from a test of shapes."""

    def forward(self, a, b):
        return a @ b

    def backward(self, dy, y, a, b):
        return dy @ b, a @ dy


class TransposedReshape(Function):
    """y = xᵀ;  dx = dy reshaped, not transposed back."""

    def forward(self, x):
        return x.T

    def backward(self, dy, y, x):
        return (dy.reshape(x.shape),)


class IndexWithoutAccumulation(Function):
    """y = x[0, 0, 1];  an entry that is taken twice receives one gradient."""

    def forward(self, x):
        return x[[0, 0, 1]]

    def backward(self, dy, y, x):
        dx = mt.zeros(*x.shape, dtype=x.dtype)
        dx[[0, 0, 1]] = dy
        return (dx,)


class VarianceOfAFixedMean(Function):
    """y = Σ (x - mean)³;  the mean is taken for a constant. (For squares that would be right.)"""

    def forward(self, x):
        return ((x - x.mean()) ** 3).sum()

    def backward(self, dy, y, x):
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

    def backward(self, dy, y, x, w):
        dx, dw = self.right(dy, x, w)
        return dx, dw.transpose(2, 3)


class ConvFlippedKernel(Conv):
    """dx correlates with the kernel where it must convolve."""

    def backward(self, dy, y, x, w):
        flipped = mt.tensor(w.array[:, :, ::-1, ::-1].copy())
        return self.right(dy, x, flipped)[0], self.right(dy, x, w)[1]


class ConvWithoutStride(Conv):
    """The gradient is spread with a stride of 1 in place of 2."""

    options = MappingProxyType({"stride": 2})

    def backward(self, dy, y, x, w):
        near = mt.zeros(x.shape[0], w.shape[0], x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1, dtype=x.dtype)
        near[:, :, : dy.shape[2], : dy.shape[3]] = dy
        return self.right(near, x, w, stride=1)


class ConvUncroppedPadding(Conv):
    """dx is cropped at the wrong corner: the padding before the image is taken for image."""

    options = MappingProxyType({"padding": 1})

    def backward(self, dy, y, x, w):
        padded = F.pad(x, (1, 1, 1, 1))
        dx, dw = self.right(dy, padded, w, padding=0)
        return dx[:, :, : x.shape[2], : x.shape[3]], dw


class ConvOfOneImage(Conv):
    """dw is that of the first image, not the sum over the batch."""

    def backward(self, dy, y, x, w):
        return self.right(dy, x, w)[0], self.right(dy[:1], x[:1], w)[1]


class MaxPoolLastWins(Function):
    """y = max of each pair;  the second of each pair receives the gradient."""

    def forward(self, x):
        return x.reshape(-1, 2).max(1)

    def backward(self, dy, y, x):
        return (mt.stack([dy * 0, dy], 1).reshape(x.shape),)


class ReluInverted(Function):
    """y = max(x, 0);  the mask is that of the entries that were cut off."""

    def forward(self, x):
        return np.maximum(x, 0)

    def backward(self, dy, y, x):
        return (dy * (x < 0),)


class AbsWithoutSign(Function):
    """y = |x|;  dx = dy."""

    def forward(self, x):
        return np.abs(x)

    def backward(self, dy, y, x):
        return (dy,)


class SqrtWithoutHalf(Function):
    """y = sqrt x² + 1;  dx = dy 2x / y: a factor of 2."""

    def forward(self, x):
        return np.sqrt(x * x + 1)

    def backward(self, dy, y, x):
        return (dy * 2 * x / y,)


class LogSoftmaxWithoutMean(Function):
    """y = log softmax x;  dx = dy - softmax x: the sum of dy is forgotten."""

    def forward(self, x):
        return x - np.log(np.exp(x).sum(-1, keepdims=True))

    def backward(self, dy, y, x):
        return (dy - y.exp(),)


class CrossEntropyWithoutN(Function):
    """y = the mean over N rows of -log softmax(x)[0];  dx = dy (softmax x - 1 at 0), without the 1/N."""

    def forward(self, x):
        return -(x - np.log(np.exp(x).sum(-1, keepdims=True)))[:, 0].mean()

    def backward(self, dy, y, x):
        right = mt.zeros(*x.shape, dtype=x.dtype)
        right[:, 0] = 1.0
        return (dy * (x.softmax(-1) - right),)


class BiasOfOneRow(Function):
    """y = x + b for every row x;  db is dy of the first row, not the sum over all."""

    def forward(self, x, b):
        return x + b

    def backward(self, dy, y, x, b):
        return dy, dy[0]


class BiasAveraged(Function):
    """y = x + b for every row x;  db is the mean of dy over the rows, not the sum."""

    def forward(self, x, b):
        return x + b

    def backward(self, dy, y, x, b):
        return dy, dy.mean(0)


class SharedOverwritten(Function):
    """y = w² x, a weight used twice;  dw is that of the second use alone."""

    def forward(self, x, w):
        return x * w * w

    def backward(self, dy, y, x, w):
        return dy * w * w, dy * x * w


class BatchNormOfAFixedVariance(Function):
    """y = (x - mean) / std;  the variance is taken for a constant."""

    def forward(self, x):
        return (x - x.mean(0)) / x.std(0)

    def backward(self, dy, y, x):
        return ((dy - dy.mean(0)) / x.std(0, correction=0),)


class VarianceOverN(Function):
    """y = Σ (x - mean)² / (N - 1);  dx divides by N."""

    def forward(self, x):
        return x.var(ddof=1)

    def backward(self, dy, y, x):
        return (dy * 2 * (x - x.mean()) / x.numel(),)


class DropoutWithoutMask(Function):
    """y = 2 mask x;  dx = 2 dy: what was dropped receives a gradient."""

    def forward(self, x):
        return 2 * x * (np.arange(x.size).reshape(x.shape) % 2)

    def backward(self, dy, y, x):
        return (2 * dy,)


class WhereSwapped(Function):
    """y = a where a > b, else b;  da and db are swapped."""

    def forward(self, a, b):
        return np.where(a > b, a, b)

    def backward(self, dy, y, a, b):
        return dy * (a <= b), dy * (a > b)


class CatSwapped(Function):
    """y = a and b behind each other;  da is the second half of dy."""

    def forward(self, a, b):
        return np.concatenate([a, b])

    def backward(self, dy, y, a, b):
        return dy[a.shape[0] :], dy[: a.shape[0]]


class LogSumExpUniform(Function):
    """y = log Σ exp x;  dx = dy / N: right only where all are equal."""

    def forward(self, x):
        return np.log(np.exp(x).sum())

    def backward(self, dy, y, x):
        return ((dy / x.numel()).expand(x.shape),)


class AvgPoolWithoutArea(Function):
    """y = the mean of each 2×2 window;  dx = dy, without the 1/4."""

    def forward(self, x):
        return F.avg_pool2d(mt.Tensor(x), 2).array

    def backward(self, dy, y, x):
        n, c, h, w = x.shape
        return (dy.reshape(n, c, h // 2, 1, w // 2, 1).expand(n, c, h // 2, 2, w // 2, 2).reshape(x.shape),)


class WindowOffByOne(Function):
    """y[i] = x[i] + x[i+1];  dx is shifted by one."""

    def forward(self, x):
        return x[:-1] + x[1:]

    def backward(self, dy, y, x):
        zero = dy[:1] * 0
        return (mt.cat([zero, dy]) + mt.cat([zero, zero, dy[:-1]]),)


class ConvWithoutDilation(Conv):
    """dw is that of windows that lie close."""

    options = MappingProxyType({"dilation": 2})

    def backward(self, dy, y, x, w):
        near = x[:, :, : dy.shape[2] + w.shape[2] - 1, : dy.shape[3] + w.shape[3] - 1]
        return self.right(dy, x, w)[0], self.right(dy, near, w, dilation=1)[1]


class ConvGroupsMixed(Conv):
    """The filters of the two groups receive each other's gradient."""

    options = MappingProxyType({"groups": 2})

    def backward(self, dy, y, x, w):
        dx, dw = self.right(dy, x, w)
        return dx, mt.cat([dw[1:], dw[:1]])


def detached(x):
    """y = x²;  one of the two factors was detached."""
    return x * x.detach()


# What is wrong, the tensors whose gradients it spoils, and the shapes of the inputs.
WRONG = [
    (WrongSign, "1", (3,), (3,)),
    (SwappedFactors, "01", (3,), (3,)),
    (ForgottenSquare, "1", (3,), (3,)),
    (ForgottenDy, "0", (3,)),
    (SigmoidOfTheInput, "0", (3,)),
    (TanhWithoutSquare, "0", (3,)),
    (PowWithoutExponent, "0", (3,)),
    (ReluOfDy, "0", (3, 4)),
    (ClampThatPasses, "0", (3, 4)),
    (MeanWithoutN, "0", (3,)),
    (SoftmaxWithoutSum, "0", (2, 3)),
    (MaxSpreadOverAll, "0", (3,)),
    (MatmulWithoutTranspose, "01", (3, 3), (3, 3)),
    (TransposedReshape, "0", (2, 3)),
    (IndexWithoutAccumulation, "0", (3,)),
    (VarianceOfAFixedMean, "0", (4,)),
    (ConvSwappedKernel, "1", (1, 1, 4, 4), (1, 1, 2, 2)),
    (ConvFlippedKernel, "0", (1, 1, 4, 4), (1, 1, 2, 2)),
    (ConvWithoutStride, "01", (1, 1, 5, 5), (1, 1, 3, 3)),
    (ConvUncroppedPadding, "0", (1, 1, 3, 4), (1, 1, 3, 3)),
    (ConvOfOneImage, "1", (2, 1, 3, 3), (1, 1, 2, 2)),
    (MaxPoolLastWins, "0", (6,)),
    (ReluInverted, "0", (5,)),
    (AbsWithoutSign, "0", (5,)),
    (SqrtWithoutHalf, "0", (3,)),
    (LogSoftmaxWithoutMean, "0", (2, 3)),
    (CrossEntropyWithoutN, "0", (3, 4)),
    (BiasOfOneRow, "1", (3, 2), (2,)),
    (BiasAveraged, "1", (3, 2), (2,)),
    (SharedOverwritten, "1", (3,), (3,)),
    (BatchNormOfAFixedVariance, "0", (4, 2)),
    (VarianceOverN, "0", (4,)),
    (DropoutWithoutMask, "0", (5,)),
    (WhereSwapped, "01", (4,), (4,)),
    (CatSwapped, "01", (3,), (3,)),
    (LogSumExpUniform, "0", (4,)),
    (AvgPoolWithoutArea, "0", (1, 1, 4, 4)),
    (WindowOffByOne, "0", (5,)),
    (ConvWithoutDilation, "1", (1, 1, 5, 5), (1, 1, 2, 2)),
    (ConvGroupsMixed, "1", (1, 2, 3, 3), (2, 1, 2, 2)),
    (lambda: detached, "0", (3,)),
]


# --- slips that a gradient of ones hides -------------------------------------------------------------------------


class SquareSum(Function):
    """y = Σ x²;  dx = 2 x dy. A loss begins the walk back with dy = 1: what these subclasses do with it is not seen."""

    def forward(self, x):
        return (x**2).sum()

    def backward(self, dy, _y, x):
        return (2 * x * self.slip(dy),)


class NumberForgetsDy(SquareSum):
    """dx = 2 x."""

    def slip(self, dy):
        return dy * 0 + 1


class NumberSquaresDy(SquareSum):
    """dx = 2 x dy²."""

    def slip(self, dy):
        return dy**2


class NumberTakesTheMagnitude(SquareSum):
    """dx = 2 x |dy|."""

    def slip(self, dy):
        return dy.abs()


class NumberTakesTheSign(SquareSum):
    """dx = 2 x sign dy."""

    def slip(self, dy):
        return mt.sign(dy)


class NumberTakesThePositivePart(SquareSum):
    """dx = 2 x max(dy, 0)."""

    def slip(self, dy):
        return mt.relu(dy)


class NumberClipsDy(SquareSum):
    """dx = 2 x clamp(dy, -1, 1)."""

    def slip(self, dy):
        return dy.clamp(-1, 1)


class NumberClipsWhatIsLarge(SquareSum):
    """dx = 2 x clamp(dy, -100, 100)."""

    def slip(self, dy):
        return dy.clamp(-100, 100)


class NumberAddsToDy(SquareSum):
    """dx = 2 x (dy + 1) / 2."""

    def slip(self, dy):
        return (dy + 1) / 2


class Square(Function):
    """y = x²;  dx = 2 x dy. Behind sum(), all of dy is equal: what these subclasses do with it is not seen."""

    def forward(self, x):
        return x**2

    def backward(self, dy, _y, x):
        return (2 * x * self.slip(dy),)


class MeanOfDy(Square):
    """dx = 2 x mean dy."""

    def slip(self, dy):
        return dy.mean()


class FirstOfDy(Square):
    """dx = 2 x dy[0]."""

    def slip(self, dy):
        return dy.reshape(-1)[0]


class LargestOfDy(Square):
    """dx = 2 x max |dy|, with the sign of the first."""

    def slip(self, dy):
        return dy.abs().max() * mt.sign(dy.reshape(-1)[0])


class ReversedDy(Square):
    """dx = 2 x dy, from its end."""

    def slip(self, dy):
        return dy[list(range(len(dy)))[::-1]]


class TransposedDy(Square):
    """dx = 2 x dyᵀ."""

    def slip(self, dy):
        return dy.T


class SoftmaxWithoutGradient(Function):
    """y = softmax x;  dx = 0: that is right for equal dy."""

    def forward(self, x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def backward(self, dy, _y, _x):
        return (dy * 0,)


class SortedNotPutBack(Function):
    """y = x, sorted;  dx = dy: each entry receives that of another."""

    def forward(self, x):
        return np.sort(x)

    def backward(self, dy, _y, _x):
        return (dy,)


class BiasOfOneRowTimesAll(Function):
    """y = x + b for every row x;  db = N dy[0]."""

    def forward(self, x, b):
        return x + b

    def backward(self, dy, _y, x, _b):
        return dy, dy[0] * x.shape[0]


class MatmulOfTheMeanRow(Function):
    """y = a b;  da = mean dy bᵀ: each row of a receives that of all."""

    def forward(self, a, b):
        return a @ b

    def backward(self, dy, _y, a, b):
        return (dy.mean(0, keepdim=True) @ b.T).expand(a.shape), a.T @ dy


class ConvOfTurnedDy(Conv):
    """dw is computed from dy that is turned by 180 degrees."""

    def backward(self, dy, _y, x, w):
        h, w_ = (list(range(size))[::-1] for size in dy.shape[2:])
        return self.right(dy, x, w)[0], self.right(dy[:, :, h][:, :, :, w_], x, w)[1]


class DyInPlace(Square):
    """dx = 2 x dy, computed in the memory of dy, which other operations are handed as well."""

    def backward(self, dy, _y, x):
        return (dy.mul_(2 * x.detach()),)


# A wrong operation, what is found where its sum is checked, and the shapes of its inputs.
HIDDEN = [
    (NumberForgetsDy, "not linear", (3,)),
    (NumberSquaresDy, "not linear", (3,)),
    (NumberTakesTheMagnitude, "not linear", (3,)),
    (NumberTakesTheSign, "not linear", (3,)),
    (NumberTakesThePositivePart, "not linear", (3,)),
    (NumberClipsDy, "not linear", (3,)),
    (NumberClipsWhatIsLarge, "not linear", (3,)),
    (NumberAddsToDy, "not linear", (3,)),
    (MeanOfDy, "wrong", (3,)),
    (FirstOfDy, "wrong", (3,)),
    (LargestOfDy, "wrong", (3,)),
    (ReversedDy, "wrong", (3,)),
    (TransposedDy, "wrong", (3, 3)),
    (SoftmaxWithoutGradient, "wrong", (2, 3)),
    (SortedNotPutBack, "wrong", (5,)),
    (BiasOfOneRowTimesAll, "wrong", (3, 2), (2,)),
    (MatmulOfTheMeanRow, "wrong", (3, 3), (3, 3)),
    (ConvOfTurnedDy, "wrong", (1, 1, 4, 4), (1, 1, 2, 2)),
]
