"""A tiny autodiff engine, and the convolutional networks on top of it, from arrays alone: NumPy or CuPy.

The names are PyTorch's: ``import minitorch_cnn as torch`` and ``from minitorch_cnn import nn, d2l`` run the
chapter on LeNet.
"""

__version__ = "0.1.0"

from typing import TYPE_CHECKING

import minitorch_cnn.autograd.tensor as _tensor
from minitorch_cnn import autograd, cuda, ops
from minitorch_cnn.autograd import mode as _mode
from minitorch_cnn.autograd.mode import *
from minitorch_cnn.autograd.tensor import *
from minitorch_cnn.backend import random as _random
from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.backend.arguments import no_attribute
from minitorch_cnn.backend.devices import Device as device
from minitorch_cnn.backend.dtypes import bool_ as bool
from minitorch_cnn.backend.dtypes import float32, float64, int32, int64, uint8
from minitorch_cnn.backend.dtypes import float32 as float
from minitorch_cnn.backend.dtypes import float64 as double
from minitorch_cnn.backend.dtypes import int32 as int
from minitorch_cnn.backend.dtypes import int64 as long
from minitorch_cnn.backend.parallel import thread_count as get_num_threads
from minitorch_cnn.backend.parallel import use_threads as set_num_threads
from minitorch_cnn.backend.random import *
from minitorch_cnn.ops import *

from minitorch_cnn import nn, optim  # isort: skip - they stand on all of the above
from minitorch_cnn import checking  # isort: skip
from minitorch_cnn.checking import gradcheck, gradcheck_report, gradgradcheck, gradgradcheck_report  # isort: skip

if TYPE_CHECKING:  # the parts that not every user of tensors needs are imported when they are first asked for
    from minitorch_cnn import d2l, data, inspection, models, training, utils
    from minitorch_cnn.data.saving import load, save
    from minitorch_cnn.utils import backends

_lazy = ("d2l", "data", "inspection", "models", "training", "utils")
_lazy_names = {"load": "data.saving", "save": "data.saving", "backends": "utils"}

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["backends", "d2l", "data", "inspection", "load", "models", "save", "training", "utils"]
    __all__ += ["autograd", "checking", "cuda", "nn", "optim"]
    __all__ += ["bool", "device", "float32", "float64", "int32", "int64", "uint8"]
    __all__ += ["get_num_threads", "set_num_threads"]
    __all__ += ["gradcheck", "gradcheck_report", "gradgradcheck", "gradgradcheck_report"]
    __all__ += _tensor.__all__
    __all__ += _mode.__all__
    __all__ += _random.__all__
    __all__ += ops.__all__


if not TYPE_CHECKING:  # with it, to a type checker every name would be one of ours

    def __getattr__(name):
        if name in _lazy or name in _lazy_names:
            import importlib

            if name in _lazy:
                return importlib.import_module(f"minitorch_cnn.{name}")
            return getattr(importlib.import_module(f"minitorch_cnn.{_lazy_names[name]}"), name)
        raise no_attribute("module 'minitorch_cnn'", name, __all__)
