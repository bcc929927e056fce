"""Layers, and what networks are made of: names and behaviour are those of ``torch.nn``."""

from typing import TYPE_CHECKING

from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.backend.arguments import no_attribute
from minitorch_cnn.nn import containers, functional, init, layers, module, parameter, utils
from minitorch_cnn.nn.containers import *
from minitorch_cnn.nn.layers import *
from minitorch_cnn.nn.module import *
from minitorch_cnn.nn.parameter import *

if TYPE_CHECKING:
    from minitorch_cnn.inspection import summary as summary

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["functional", "init", "utils"]
    __all__ += module.__all__
    __all__ += parameter.__all__
    __all__ += containers.__all__
    __all__ += layers.__all__


if not TYPE_CHECKING:  # with it, to a type checker every name would be one of ours

    def __getattr__(name):
        if name == "summary":  # stands above layers, for it looks at them
            import minitorch_cnn

            return minitorch_cnn.inspection.summary
        raise no_attribute("module 'minitorch_cnn.nn'", name, __all__)
