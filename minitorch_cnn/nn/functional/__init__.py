"""Functions of tensors that layers are made of, by family."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.nn.functional import (
    activations,
    affine,
    convolution,
    losses,
    normalization,
    padding,
    pooling,
    regularization,
)
from minitorch_cnn.nn.functional.activations import *
from minitorch_cnn.nn.functional.affine import *
from minitorch_cnn.nn.functional.convolution import *
from minitorch_cnn.nn.functional.losses import *
from minitorch_cnn.nn.functional.normalization import *
from minitorch_cnn.nn.functional.padding import *
from minitorch_cnn.nn.functional.pooling import *
from minitorch_cnn.nn.functional.regularization import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = []
    __all__ += activations.__all__
    __all__ += affine.__all__
    __all__ += convolution.__all__
    __all__ += losses.__all__
    __all__ += normalization.__all__
    __all__ += padding.__all__
    __all__ += pooling.__all__
    __all__ += regularization.__all__
