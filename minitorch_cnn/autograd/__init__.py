"""The graph of operations, and the walk back through it.

An operation is a `Function`: its `forward` maps arrays to an array, its `backward` maps tensors to tensors, and
the instance itself is the node of the graph. Because `backward` computes with tensors, a gradient can have a graph
of its own: derivatives of any order. `checking` compares gradients with difference quotients.
"""

from minitorch_cnn.autograd.checking import (
    GradcheckError,
    GradcheckReport,
    gradcheck,
    gradcheck_report,
    gradgradcheck,
    gradgradcheck_report,
)
from minitorch_cnn.autograd.function import Function, wants_grad
from minitorch_cnn.autograd.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from minitorch_cnn.autograd.walk import backward, grad

__all__ = [
    "Function",
    "GradcheckError",
    "GradcheckReport",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradcheck_report",
    "gradgradcheck",
    "gradgradcheck_report",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
    "wants_grad",
]
