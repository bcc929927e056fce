"""Optimizers, and the schedules of their learning rates."""

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.optim import adam, adaptive, lr_scheduler, optimizer, sgd
from minitorch_cnn.optim.adam import *
from minitorch_cnn.optim.adaptive import *
from minitorch_cnn.optim.optimizer import *
from minitorch_cnn.optim.sgd import *

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["lr_scheduler"]
    __all__ += adam.__all__
    __all__ += adaptive.__all__
    __all__ += optimizer.__all__
    __all__ += sgd.__all__
