"""A tiny autodiff engine, and the convolutional networks on top of it, from arrays alone: NumPy or CuPy.

The names are PyTorch's: ``import minitorch_cnn as torch`` and ``from minitorch_cnn import nn, d2l`` run the
chapter on LeNet.
"""

__version__ = "0.1.0"

from minitorch_cnn import autograd, cuda, ops
from minitorch_cnn.autograd.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minitorch_cnn.autograd.tensor import Tensor, is_floating_point, is_tensor
from minitorch_cnn.backend.arguments import no_attribute
from minitorch_cnn.backend.devices import Device as device
from minitorch_cnn.backend.dtypes import bool_ as bool
from minitorch_cnn.backend.dtypes import float32, float64, int32, int64, uint8
from minitorch_cnn.backend.parallel import thread_count as get_num_threads
from minitorch_cnn.backend.parallel import use_threads as set_num_threads
from minitorch_cnn.backend.random import Generator, default_generator, get_rng_state, manual_seed, set_rng_state
from minitorch_cnn.ops import *

from minitorch_cnn import nn, optim  # isort: skip - they stand on all of the above
from minitorch_cnn import checking  # isort: skip
from minitorch_cnn.checking import gradcheck, gradcheck_report, gradgradcheck, gradgradcheck_report  # isort: skip

_lazy = ("d2l", "data", "inspection", "models", "training")  # the parts that not every user of tensors needs

__all__ = [
    *_lazy, "Generator", "Tensor", "autograd", "bool", "checking", "cuda", "default_generator", "device",
    "enable_grad", "float32", "float64", "get_num_threads", "get_rng_state", "gradcheck", "gradcheck_report",
    "gradgradcheck", "gradgradcheck_report", "int32", "int64", "is_floating_point", "is_grad_enabled", "is_tensor",
    "manual_seed", "nn", "no_grad", "optim", "set_grad_enabled", "set_num_threads", "set_rng_state", "uint8",
]  # fmt: skip
__all__ += ops.__all__


def __getattr__(name):
    """Import the parts that not every user of tensors needs, when they are first asked for."""
    if name in _lazy:
        import importlib

        return importlib.import_module(f"minitorch_cnn.{name}")
    raise no_attribute("module 'minitorch_cnn'", name, __all__)
