"""Functions of tensors that layers are made of, by family."""

from minitorch_cnn.nn.functional.activations import log_softmax, relu, sigmoid, softmax, tanh
from minitorch_cnn.nn.functional.affine import linear
from minitorch_cnn.nn.functional.convolution import conv2d, conv_transpose2d, fold, unfold
from minitorch_cnn.nn.functional.losses import cross_entropy, mse_loss, nll_loss
from minitorch_cnn.nn.functional.normalization import batch_norm
from minitorch_cnn.nn.functional.padding import pad
from minitorch_cnn.nn.functional.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minitorch_cnn.nn.functional.regularization import dropout

__all__ = [
    "conv2d",
    "conv_transpose2d",
    "unfold",
    "fold",
    "pad",
    "avg_pool2d",
    "max_pool2d",
    "adaptive_avg_pool2d",
    "sigmoid",
    "tanh",
    "relu",
    "softmax",
    "log_softmax",
    "linear",
    "batch_norm",
    "dropout",
    "cross_entropy",
    "nll_loss",
    "mse_loss",
]
