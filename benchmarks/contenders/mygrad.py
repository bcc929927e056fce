"""MyGrad: its conv_nd and cross-entropy. It has no average pooling and no optimizer: a mean, and `-=` on the weights.

Its guard against changes of arrays in use is off, as its documentation advises where speed counts.
"""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import sigmoid
from mygrad.nnet.layers import conv_nd
from mygrad.nnet.losses import softmax_crossentropy

from contenders import lenet as task

mg.turn_memory_guarding_off()


def average(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


def lenet(batch):
    arrays = task.weights()
    parameters = [
        mg.tensor(array)
        for w, b in zip(arrays[::2], arrays[1::2])
        for array in ((w, b.reshape(1, -1, 1, 1)) if w.ndim == 4 else (w.T.copy(), b))
    ]
    w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = parameters
    images, labels = task.batch(batch)
    lr = np.float32(task.LR)

    def step():
        x = average(sigmoid(conv_nd(images, w1, stride=1, padding=2) + b1))
        x = average(sigmoid(conv_nd(x, w2, stride=1) + b2))
        x = x.reshape(len(images), -1)
        x = sigmoid(sigmoid(x @ w3 + b3) @ w4 + b4)
        l = softmax_crossentropy(x @ w5 + b5, labels)
        l.backward()
        for parameter in parameters:
            parameter.data -= lr * parameter.grad
        return l.data

    return task.checked(step)
