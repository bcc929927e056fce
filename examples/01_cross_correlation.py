"""A kernel slides over an image. At each place, what lies under it is multiplied with it and summed."""

import minitorch_cnn as mt
from minitorch_cnn import nn


def corr2d(X, K):
    h, w = K.shape
    Y = mt.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


X = mt.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
K = mt.tensor([[0.0, 1.0], [2.0, 3.0]])
print(corr2d(X, K))  # the first entry: 0*0 + 1*1 + 3*2 + 4*3 = 19


# A convolutional layer is that, with a kernel and a bias that can be learned.
class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(mt.rand(kernel_size))
        self.bias = nn.Parameter(mt.zeros(1))

    def forward(self, x):
        return corr2d(x, self.weight) + self.bias


layer = Conv2D((2, 2))
layer(X).sum().backward()

# The gradient goes back through every assignment Y[i, j] = ...: each weight meets the 2×2 pixels that it slid over.
print(layer.weight.grad)
