"""Differentiable operations, by family: each a `Function` and the function of the public interface that calls it."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.ops import (
    arithmetic,
    classification,
    compare,
    creation,
    elementwise,
    indexing,
    linalg,
    reduce,
    shape,
    steps,
)
from minitorch_cnn.ops.arithmetic import *
from minitorch_cnn.ops.classification import *
from minitorch_cnn.ops.compare import *
from minitorch_cnn.ops.creation import *
from minitorch_cnn.ops.elementwise import *
from minitorch_cnn.ops.indexing import *
from minitorch_cnn.ops.linalg import *
from minitorch_cnn.ops.reduce import *
from minitorch_cnn.ops.shape import *
from minitorch_cnn.ops.steps import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = []
    __all__ += arithmetic.__all__
    __all__ += classification.__all__
    __all__ += compare.__all__
    __all__ += creation.__all__
    __all__ += elementwise.__all__
    __all__ += indexing.__all__
    __all__ += linalg.__all__
    __all__ += reduce.__all__
    __all__ += shape.__all__
    __all__ += steps.__all__
