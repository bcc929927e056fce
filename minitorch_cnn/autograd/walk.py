"""The walk back through the graph, from a result to what it was computed from."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import numpy as np

from minitorch_cnn.autograd.function import Function, edge_to
from minitorch_cnn.autograd.hooks import retaining, through_hooks
from minitorch_cnn.autograd.mode import quiet_throughout, set_grad_enabled
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module, keep_freed_memory
from minitorch_cnn.backend.annotations import Tensors
from minitorch_cnn.backend.arguments import described

_accumulating = threading.Lock()  # threads may share leaves


def backward(
    tensors: Tensors,
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of the sum of some tensors to the `grad` of leaves.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        What is differentiated.
    grad_tensors : Tensor or sequence of Tensor or None, optional
        The gradient with respect to each of them; 1 for tensors of one element.
    retain_graph, create_graph : bool
        As in `grad`.
    inputs : Tensor or sequence of Tensor, optional
        What receives a gradient, leaves or results; by default, all leaves.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x, y = mt.tensor(2.0, requires_grad=True), mt.tensor(3.0, requires_grad=True)
    >>> mt.autograd.backward([x * y, x * x], inputs=x)
    >>> x.grad, y.grad
    (tensor(7.), None)
    """
    tensors, gradients = _matched(tensors, grad_tensors)
    targets = None if inputs is None else _targets(inputs)
    found = _propagate(tensors, gradients, None if targets is None else set(targets), retain_graph, create_graph)
    while found:
        place, dx = found.popitem()
        is_shared = create_graph or dx.array.base is not None or _holders(dx) != _ALONE
        _accumulate(place if targets is None else targets[place], dx, is_shared, create_graph)


def _holders(x):
    """How many hold a tensor, and how many its array: `_ALONE` if only the function that asks does."""
    return sys.getrefcount(x), sys.getrefcount(x.array)


def _asked_of_a_new_one():
    x = Tensor(np.empty(0))
    return _holders(x)


_ALONE = _asked_of_a_new_one()


def _accumulate(tensor, dx, is_shared, create_graph):
    """Add to the `grad` of a tensor."""
    with _accumulating:
        if tensor.grad is None:
            tensor.grad = dx.clone() if is_shared else dx  # others may have been handed the same memory
        elif create_graph:
            tensor.grad = tensor.grad + dx
        else:
            tensor.grad.add_(dx)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of the sum of some tensors with respect to others; no `grad` is touched.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensor
        What is differentiated, and with respect to what; `inputs` may be leaves or results.
    grad_outputs : Tensor or sequence of Tensor or None, optional
        The gradient with respect to each output; 1 for outputs of one element.
    retain_graph : bool, optional
        Keep what the graph remembers, for a second call. By default, only if `create_graph`.
    create_graph : bool
        Record the computation, so that the gradients can be differentiated again.
    allow_unused : bool
        Return None for an input that the outputs do not depend on, in place of an error.

    Returns
    -------
    tuple of Tensor or None
        One gradient for each input.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.tensor(2.0, requires_grad=True)
    >>> (dx,) = mt.autograd.grad(x**3, x, create_graph=True)
    >>> dx, mt.autograd.grad(dx, x)
    (tensor(12., grad_fn=<Mul>), (tensor(12.),))
    """
    outputs, grad_outputs = _matched(outputs, grad_outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    found = _propagate(outputs, grad_outputs, set(_targets(inputs)), retain_graph, create_graph)
    gradients = tuple(found.get(edge_to(x)) for x in inputs)
    if not allow_unused and any(dx is None for dx in gradients):
        unused = [i for i, dx in enumerate(gradients) if dx is None]
        raise RuntimeError(
            f"the inputs {unused} appear to not have been used in the graph; allow_unused=True gives None for them"
        )
    return gradients


def _matched(outputs, gradients):
    """Lists of outputs and of the gradient, or None, with respect to each."""
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if gradients is None:
        gradients = [None] * len(outputs)
    gradients = list(gradients) if isinstance(gradients, (list, tuple)) else [gradients]
    if len(gradients) != len(outputs):
        raise ValueError(f"expected one grad_output for each of {len(outputs)} outputs, got {len(gradients)}")
    return outputs, gradients


def _targets(inputs):
    """The tensors that a gradient is wanted of, by the place in the graph where it arrives."""
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not inputs:
        raise RuntimeError("inputs cannot be empty; leave it out to differentiate with respect to all leaves")
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensors to differentiate by, got {described(x)}; at position {i}")
        if not x.requires_grad:
            raise RuntimeError(f"input {i} does not require grad; set requires_grad before it is used")
    return {edge_to(x): x for x in inputs}


def _propagate(outputs, gradients, wanted, retain_graph, create_graph):
    """The gradients with respect to the wanted nodes and leaves, or to all leaves, of the graph behind `outputs`."""
    keep_freed_memory()  # training makes arrays of the same sizes again and again
    pending = {}  # node or leaf -> the sum of the gradients that have reached it
    for output, gradient in zip(outputs, gradients, strict=True):
        _gather(pending, edge_to(output), _initial_gradient(output, gradient))
    order = topological_order(pending)
    leading = None if wanted is None else _leading_to(order, wanted)
    retain_graph = create_graph if retain_graph is None else retain_graph
    retained = {edge_to(x): x for x in retaining.values()} if retaining else ()
    found = {}
    with set_grad_enabled(create_graph), quiet_throughout():
        for node in order:
            dy = pending.pop(node, None)
            if dy is None or not (wanted is None or node in wanted or node in leading):
                continue
            if node._hooks:
                dy = through_hooks(node._hooks, dy)
            if node in retained:
                _accumulate(retained[node], dy, True, create_graph)
            if wanted is not None:
                if node in wanted:
                    found[node] = dy  # and go on: it may lead to another one that is wanted
                if node not in leading:
                    continue
            for edge, dx in zip(node.edges, node.gradients(dy), strict=True):
                if dx is not None:
                    _gather(pending, edge, dx)
            if not retain_graph:
                node.release()
        for leaf, dx in pending.items():
            if wanted is None or leaf in wanted:
                found[leaf] = through_hooks(leaf._hooks, dx) if leaf._hooks else dx
    return found


def _initial_gradient(output, gradient):
    """The gradient that the walk starts with."""
    if not output.requires_grad:
        raise RuntimeError(
            "the tensor does not require grad and has no grad_fn: no input of its computation required grad, "
            "or it was computed under no_grad()"
        )
    if gradient is None:
        if output.numel() != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs; this one has shape {output.shape}. "
                "Reduce it, for example by sum(), or pass its gradient"
            )
        return Tensor(get_array_module(output.array).ones_like(output.array))
    if not isinstance(gradient, Tensor):
        raise TypeError(f"the gradient must be a Tensor or None, got {described(gradient)}")
    if gradient.shape != output.shape:
        raise RuntimeError(f"the gradient must have the shape {output.shape} of the tensor, got {gradient.shape}")
    return gradient.to(output.dtype)


def _gather(pending, target, gradient):
    pending[target] = gradient if target not in pending else pending[target] + gradient


def topological_order(sources):
    """The nodes behind some, each before those that it was computed from. Not recursive: graphs are deep."""
    order, seen = [], set()
    stack = [(source, False) for source in sources if isinstance(source, Function)]
    while stack:
        node, is_expanded = stack.pop()
        if is_expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend([(edge, False) for edge in node.edges if isinstance(edge, Function)])
    return order[::-1]


def _leading_to(order, wanted):
    """The nodes through which a gradient must pass to reach one of the wanted ones."""
    leading = set()
    for node in reversed(order):
        if any(edge in wanted or edge in leading for edge in node.edges):
            leading.add(node)
    return leading
