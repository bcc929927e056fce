"""The graph of operations, and the walk back through it.

An operation is a `Function`: its `forward` maps arrays to an array, its `backward` maps tensors to tensors, and
the instance itself is the node of the graph. Because `backward` computes with tensors, a gradient can have a graph
of its own: derivatives of any order. To be read first: `tensor`, `function`, `walk`, `mode`.
"""

from typing import TYPE_CHECKING

from minitorch_cnn.autograd import mode
from minitorch_cnn.autograd.function import Function, wants_grad
from minitorch_cnn.autograd.mode import *
from minitorch_cnn.autograd.tensor import Tensor, Variable
from minitorch_cnn.autograd.walk import backward, grad
from minitorch_cnn.backend.annotations import MYPY
from minitorch_cnn.backend.arguments import no_attribute

if not MYPY:  # which reads no list that is gathered; without one, it goes by the imports
    __all__ = ["Function", "Tensor", "Variable", "backward", "grad", "wants_grad"]
    __all__ += mode.__all__


if TYPE_CHECKING:
    from minitorch_cnn.checking import gradcheck as gradcheck
    from minitorch_cnn.checking import gradgradcheck as gradgradcheck
else:

    def __getattr__(name):
        """``torch.autograd.gradcheck`` and its kin, by the name that PyTorch has for them; see `checking`."""
        import minitorch_cnn as mt

        if name in mt.checking.__all__:
            return getattr(mt.checking, name)
        raise no_attribute("module 'minitorch_cnn.autograd'", name, [*__all__, *mt.checking.__all__])
