"""Many channels in, many channels out: each output has a kernel of its own for each input."""

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import d2l


def corr2d_multi_in(X, K):
    """Every channel is correlated with its own kernel, and the results are summed."""
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))


def corr2d_multi_in_out(X, K):
    """One such sum for each output channel."""
    return mt.stack([corr2d_multi_in(X, k) for k in K], 0)


X = mt.stack([mt.arange(9.0).reshape(3, 3), mt.arange(1.0, 10.0).reshape(3, 3)])  # (2, 3, 3)
K = mt.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])  # (2, 2, 2)
print(corr2d_multi_in(X, K))

K = mt.stack((K, K + 1, K + 2), 0)
print(K.shape)  # (outputs, inputs, height, width)
print(corr2d_multi_in_out(X, K))

# The library does the same as one matrix product for the whole batch.
print(mt.allclose(F.conv2d(X.unsqueeze(0), K)[0], corr2d_multi_in_out(X, K)))


def corr2d_multi_in_out_1x1(X, K):
    """A 1×1 kernel looks at a single pixel: it mixes its channels, as a linear layer would."""
    c_i, h, w = X.shape
    c_o = K.shape[0]
    X = X.reshape((c_i, h * w))
    K = K.reshape((c_o, c_i))
    return mt.matmul(K, X).reshape((c_o, h, w))


X = mt.randn(3, 3, 3)
K = mt.randn(2, 3, 1, 1)
print(mt.allclose(corr2d_multi_in_out_1x1(X, K), corr2d_multi_in_out(X, K), atol=1e-6))
