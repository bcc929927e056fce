"""The graph of operations, and the walk back through it.

An operation is a `Function`: its `forward` maps arrays to an array, its `backward` maps tensors to tensors, and
the instance itself is the node of the graph. Because `backward` computes with tensors, a gradient can have a graph
of its own: derivatives of any order. To be read first: `tensor`, `function`, `walk`, `mode`.
"""

from minitorch_cnn.autograd.function import Function, wants_grad
from minitorch_cnn.autograd.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import backward, grad

__all__ = [
    "Function",
    "Tensor",
    "backward",
    "enable_grad",
    "grad",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
    "wants_grad",
]


def __getattr__(name):
    """``torch.autograd.gradcheck`` and its kin, by the name that PyTorch has for them; see `checking`."""
    import minitorch_cnn as mt

    if name in mt.checking.__all__:
        return getattr(mt.checking, name)
    raise AttributeError(f"module 'minitorch_cnn.autograd' has no attribute {name!r}")
