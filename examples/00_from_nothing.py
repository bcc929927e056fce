"""Everything in one file: a network that learns to tell ten kinds of clothing apart, from NumPy and nothing else.

Read it from top to bottom. A tensor remembers what it was computed from (1); an operation returns its value, and the
rule for the way back (2); LeNet is such operations in a row (3). To learn, it walks back from the
loss (backpropagation), and changes every weight a little, so that the loss falls (4). Names, losses, gradients and
weights are those of the library; only the images come from there.

    python examples/00_from_nothing.py [epochs]
"""

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from minitorch_cnn.data import FashionMNIST  # fetches the images, and gives them as NumPy arrays

# --- 1. The engine: a tensor, and the walk back ----------------------------------------------------------


class Tensor:
    """An array that remembers what it was computed from; `grad` is the derivative of the loss with respect to it."""

    def __init__(self, array, inputs=(), backward_rule=None):
        self.array, self.inputs, self.backward_rule = np.asarray(array), inputs, backward_rule
        self.grad = None  # of the shape of array, once backward has been here

    def backward(self):
        """Walk back from here: leave in every weight and input the derivative of this number with respect to it."""
        order, seen = [], set()

        def visit(tensor):  # first what it was computed from, then the tensor itself
            if tensor not in seen:
                seen.add(tensor)
                for x in tensor.inputs:
                    visit(x)
                order.append(tensor)

        visit(self)
        self.grad = np.ones_like(self.array)
        for y in reversed(order):  # all that was computed from y has been here: y.grad is complete
            if y.inputs:
                for x, dx in zip(y.inputs, y.backward_rule(y.grad)):
                    x.grad = dx if x.grad is None else x.grad + dx  # used twice: the sum of both ways
                y.grad = None  # handed on; only where the walk ends is it kept


def operation(function):
    """Turn a function of arrays, which returns y and the rule from dy to the gradients, into one of tensors."""

    def on_tensors(*inputs, **settings):
        y, backward_rule = function(*[x.array for x in inputs], **settings)
        return Tensor(y, inputs, backward_rule)

    return on_tensors


# --- 2. The operations: dy is the derivative of the loss with respect to y, dx with respect to x ---------


@operation
def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    return y, lambda dy: (dy * y * (1 - y),)


@operation
def flatten(x):  # (N, C, H, W)
    return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape),)  # (N, C·H·W), and back


@operation
def linear(x, w, b):  # (N, I), (O, I), (O,)
    return x @ w.T + b, lambda dy: (dy @ w, dy.T @ x, dy.sum(0))  # (N, O), and back


def im2col(x, k, stride=1):
    """Every window of K×K pixels: (N, C, H, W) → (N, C, K, K, OH, OW)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))  # (N, C, H-K+1, W-K+1, K, K)
    return windows[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)


def col2im(windows, size, stride=1):
    """Add every window to the place that it came from: (N, C, K, K, OH, OW) → (N, C, H, W). The way back of im2col."""
    n, c, k, _, oh, ow = windows.shape
    x = np.zeros((n, c, *size), windows.dtype)
    for i in range(k):
        for j in range(k):
            x[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += windows[:, :, i, j]
    return x


@operation
def conv2d(x, w, b, padding=0):  # (N, C, H, W), (O, C, K, K), (O,)
    (n, _, h, wide), (o, c, k, _), p = x.shape, w.shape, padding
    windows = im2col(np.pad(x, ((0, 0), (0, 0), (p, p), (p, p))), k)  # (N, C, K, K, OH, OW)
    columns = windows.reshape(n, c * k * k, -1)  # (N, C·K·K, OH·OW): each window a column
    filters = w.reshape(o, -1)  # (O, C·K·K): each filter a row
    y = filters @ columns + b[:, None]  # (N, O, OH·OW): each filter times each window

    def backward_rule(dy):  # as in linear, with windows for x
        dy = dy.reshape(n, o, -1)  # (N, O, OH·OW)
        d_columns = filters.T @ dy  # (N, C·K·K, OH·OW)
        d_filters = (dy @ columns.transpose(0, 2, 1)).sum(0)  # (O, C·K·K)
        dx = col2im(d_columns.reshape(windows.shape), (h + 2 * p, wide + 2 * p))  # (N, C, H+2P, W+2P)
        return dx[:, :, p : p + h, p : p + wide], d_filters.reshape(w.shape), dy.sum((0, 2))

    return y.reshape(n, o, *windows.shape[4:]), backward_rule  # (N, O, OH, OW)


@operation
def avg_pool2d(x, kernel_size):  # (N, C, H, W)
    k = kernel_size  # and stride: the windows lie side by side
    windows = im2col(x, k, k)  # (N, C, K, K, OH, OW)

    def backward_rule(dy):  # each pixel has had a part of 1/K² in its mean
        parts = np.broadcast_to(dy[:, :, None, None] / k**2, windows.shape)
        return (col2im(parts, x.shape[2:], k),)

    return windows.mean((2, 3)), backward_rule  # (N, C, OH, OW)


@operation
def cross_entropy(x, target):  # (N, 10), (N,)
    p = np.exp(x - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)  # (N, 10): the probability that the network gives to each class
    truth = np.eye(x.shape[1], dtype=x.dtype)[target]  # (N, 10): 1 for the right class, else 0
    return -np.log(p[truth == 1]).mean(), lambda dy: (dy * (p - truth) / len(x),)


# --- 3. The network --------------------------------------------------------------------------------------


class LeNet:
    """Two convolutions look for patterns, and three linear layers decide: 61,706 numbers to learn."""

    def __init__(self, rng):
        self.parameters = []
        for o, i, *kernel in (6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84):
            bound = np.sqrt(6 / (o + i) / np.prod(kernel))  # Xavier's: signals and gradients keep their size
            weight, bias = rng.uniform(-bound, bound, (o, i, *kernel)), np.zeros(o)
            self.parameters += [Tensor(np.float32(weight)), Tensor(np.float32(bias))]

    def __call__(self, x):  # (N, 1, 28, 28)
        w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = self.parameters
        x = avg_pool2d(sigmoid(conv2d(x, w1, b1, padding=2)), kernel_size=2)  # (N, 6, 28, 28), (N, 6, 14, 14)
        x = avg_pool2d(sigmoid(conv2d(x, w2, b2)), kernel_size=2)  # (N, 16, 10, 10), (N, 16, 5, 5)
        x = sigmoid(linear(flatten(x), w3, b3))  # (N, 400), (N, 120)
        x = sigmoid(linear(x, w4, b4))  # (N, 84)
        return linear(x, w5, b5)  # (N, 10): a score for each class


# --- 4. Learning -----------------------------------------------------------------------------------------


def train_step(net, images, labels, lr):
    """One step of stochastic gradient descent; the loss before it."""
    loss = cross_entropy(net(Tensor(images)), target=labels)
    loss.backward()
    for parameter in net.parameters:
        parameter.array -= lr * parameter.grad  # downhill
        parameter.grad = None
    return loss.array


def main(epochs=1, batch_size=32, lr=0.5):
    rng, start = np.random.default_rng(0), time.perf_counter()
    train, test = FashionMNIST(train=True), FashionMNIST(train=False)
    images, test_images = (np.float32(d.data[:, None] / 255 - 0.2860) / 0.3530 for d in (train, test))  # mean 0, std 1
    net = LeNet(rng)  # images (60000, 1, 28, 28), test_images (10000, 1, 28, 28)
    print(f"A network that knows nothing guesses among ten classes: its loss is near log 10 = {np.log(10):.3f}.")
    for epoch in range(1, epochs + 1):
        batches = rng.permutation(len(images)).reshape(-1, batch_size)  # every image once, in a new order
        for part in np.array_split(batches, 8):
            loss = np.mean([train_step(net, images[i], train.targets[i], lr) for i in part])
            print(f"epoch {epoch}, {time.perf_counter() - start:4.0f} s: loss {loss:.3f} over {part.size} images")
        scores = np.concatenate([net(Tensor(x)).array for x in np.split(test_images, 20)])  # (10000, 10)
        right = np.mean(scores.argmax(1) == test.targets)
        print(f"Of {len(scores):,} images that it has never seen, it names {right:.1%} rightly; by guessing, 10 %.")
    for row in test.data[0, 4:24:2]:  # every second, as letters are twice as high as wide
        print("".join(" .:-=+*#%@"[value * 10 // 256] for value in row.tolist()))
    p = np.exp(scores[0]) / np.exp(scores[0]).sum()
    print("What is this? The network says:", ", ".join(f"{test.classes[i]} {p[i]:.0%}" for i in p.argsort()[:-4:-1]))
    print("Read on: the scripts beside this one, from 01, each about one idea; then docs/source-tour.md.")


if __name__ == "__main__":
    with threadpool_limits(1):  # in products as small as these, the threads of NumPy's library only wait for each other
        main(*map(int, sys.argv[1:]))
