"""DeZero: its layers, its average pooling, its optimizer.

Its last release asks for `np.int`, which NumPy dropped in 1.24, and under NumPy 2 all of its arithmetic becomes that of
float64. So it gets NumPy 1.26 and that name back. Labels are bytes, as its own data sets have them: with wider
integers its gradients would be float64 as well.
"""

# ruff: noqa: E402

import numpy as np

np.int = int

import dezero.functions as F
import dezero.layers as L
from dezero import Model, Parameter, optimizers

from contenders import lenet as task


class LeNet(Model):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = L.Conv2d(6, 5, pad=2, in_channels=1), L.Conv2d(16, 5, in_channels=6)
        self.linear1, self.linear2, self.linear3 = L.Linear(120), L.Linear(84), L.Linear(10)

    def forward(self, x):
        x = F.average_pooling(F.sigmoid(self.conv1(x)), 2, 2)
        x = F.average_pooling(F.sigmoid(self.conv2(x)), 2, 2)
        x = F.flatten(x)
        return self.linear3(F.sigmoid(self.linear2(F.sigmoid(self.linear1(x)))))


def lenet(batch):
    net, arrays = LeNet(), task.weights()
    layers = net.conv1, net.conv2, net.linear1, net.linear2, net.linear3
    for layer, w, b in zip(layers, arrays[::2], arrays[1::2]):
        layer.W, layer.b = Parameter(w if w.ndim == 4 else w.T.copy()), Parameter(b)
    optimizer = optimizers.SGD(lr=task.LR).setup(net)
    x, y = task.batch(batch)
    y = y.astype(np.uint8)

    def step():
        l = F.softmax_cross_entropy(net(x), y)
        net.cleargrads()
        l.backward()
        optimizer.update()
        return l.data

    return task.checked(step)
