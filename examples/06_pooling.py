"""Pooling keeps what is in a window and forgets exactly where. It has no weights."""

import minitorch_cnn as mt
from minitorch_cnn import nn


def pool2d(X, pool_size, mode="max"):
    p_h, p_w = pool_size
    Y = mt.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == "max":
                Y[i, j] = X[i : i + p_h, j : j + p_w].max()
            elif mode == "avg":
                Y[i, j] = X[i : i + p_h, j : j + p_w].mean()
    return Y


X = mt.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
print(pool2d(X, (2, 2)))
print(pool2d(X, (2, 2), "avg"))

# The layers' stride is the size of the window, so that windows do not overlap.
X = mt.arange(16.0).reshape((1, 1, 4, 4))
print(nn.MaxPool2d(3)(X))
print(nn.MaxPool2d(3, padding=1, stride=2)(X))
print(nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))(X))

# Each channel is pooled for itself: as many come out as went in.
X = mt.cat((X, X + 1), 1)
print(nn.MaxPool2d(3, padding=1, stride=2)(X).shape)
