"""The layers, by family."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.nn.layers import activation, convolution, dropout, lazy, linear, loss, normalization, pooling
from minitorch_cnn.nn.layers.activation import *
from minitorch_cnn.nn.layers.convolution import *
from minitorch_cnn.nn.layers.dropout import *
from minitorch_cnn.nn.layers.lazy import *
from minitorch_cnn.nn.layers.linear import *
from minitorch_cnn.nn.layers.loss import *
from minitorch_cnn.nn.layers.normalization import *
from minitorch_cnn.nn.layers.pooling import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = []
    __all__ += activation.__all__
    __all__ += convolution.__all__
    __all__ += dropout.__all__
    __all__ += lazy.__all__
    __all__ += linear.__all__
    __all__ += loss.__all__
    __all__ += normalization.__all__
    __all__ += pooling.__all__
