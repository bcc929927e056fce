"""autograd (HIPS): plain NumPy code; the convolution is the one of its package, used as in its own convnet example.

It has no pooling, no cross-entropy and no optimizer: each is written in NumPy.
"""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.signal import convolve

from contenders import lenet as task


def conv(x, w):
    return convolve(x, w, axes=([2, 3], [2, 3]), dot_axes=([1], [0]), mode="valid")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def average(x):
    n, c, h, w = x.shape
    return np.mean(np.reshape(x, (n, c, h // 2, 2, w // 2, 2)), axis=(3, 5))


def cost(parameters, x, y):
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = parameters
    x = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="constant")
    x = average(sigmoid(conv(x, w1) + b1))
    x = average(sigmoid(conv(x, w2) + b2))
    x = np.reshape(x, (len(x), -1))
    x = sigmoid(np.dot(sigmoid(np.dot(x, w3) + b3), w4) + b4)
    x = np.dot(x, w5) + b5
    x = x - np.max(x, axis=1, keepdims=True)
    log_p = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(y)), y])


def lenet(batch):
    arrays = task.weights()
    parameters = []
    for w, b in zip(arrays[::2], arrays[1::2]):
        if w.ndim == 4:  # `convolve` turns the kernel around, and wants (C, O, KH, KW)
            parameters += [w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).copy(), b.reshape(1, -1, 1, 1)]
        else:
            parameters += [w.T.copy(), b]
    x, y = task.batch(batch)
    gradient = value_and_grad(cost)

    def step():
        l, gradients = gradient(parameters, x, y)
        for i, g in enumerate(gradients):
            parameters[i] = parameters[i] - task.LR * g
        return l

    return task.checked(step)
