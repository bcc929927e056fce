"""Layers, and what networks are made of: names and behaviour are those of ``torch.nn``."""

from minitorch_cnn.nn import functional, init, utils
from minitorch_cnn.nn.containers import ModuleList, Sequential
from minitorch_cnn.nn.layers.activation import LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from minitorch_cnn.nn.layers.convolution import Conv2d, ConvTranspose2d
from minitorch_cnn.nn.layers.dropout import Dropout
from minitorch_cnn.nn.layers.linear import Flatten, Identity, Linear, Unflatten
from minitorch_cnn.nn.layers.loss import CrossEntropyLoss, MSELoss, NLLLoss
from minitorch_cnn.nn.layers.normalization import BatchNorm1d, BatchNorm2d
from minitorch_cnn.nn.layers.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.parameter import Parameter

__all__ = [
    "functional",
    "init",
    "utils",
    "Module",
    "Parameter",
    "Sequential",
    "ModuleList",
    "Conv2d",
    "ConvTranspose2d",
    "AvgPool2d",
    "MaxPool2d",
    "AdaptiveAvgPool2d",
    "Linear",
    "Flatten",
    "Unflatten",
    "Identity",
    "Sigmoid",
    "Tanh",
    "ReLU",
    "Softmax",
    "LogSoftmax",
    "BatchNorm1d",
    "BatchNorm2d",
    "Dropout",
    "CrossEntropyLoss",
    "NLLLoss",
    "MSELoss",
]


def __getattr__(name):
    if name == "summary":  # stands above layers, for it looks at them
        import minitorch_cnn

        return minitorch_cnn.inspection.summary
    from difflib import get_close_matches

    close = get_close_matches(name, __all__, n=1)
    hint = f". Did you mean: '{close[0]}'?" if close else ""
    # obj=None: with it, Python's traceback does not add the hint a second time; a notebook's adds none.
    raise AttributeError(f"module 'minitorch_cnn.nn' has no attribute '{name}'{hint}", name=name, obj=None)
