"""What the layers of a network make of an input."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.nn.module import Module

__all__ = ["Activation", "activations"]


@dataclass
class Activation:
    """What one call of one layer returned."""

    path: str  #: where in the model, such as "features.0"; "" for the model itself
    layer: Module
    output: np.ndarray  #: with the batch, on the CPU

    @property
    def type(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__


def activations(model: Module, images: Tensor) -> list[Activation]:
    """Run a network once, in evaluation mode, and return what each of its layers returned.

    The model is left in the mode that it was in.

    Parameters
    ----------
    model : Module
    images : Tensor
        With the batch, as in (N, 1, 28, 28).

    Returns
    -------
    list of Activation
        In the order of the calls; only of layers that are made of no others, or the model itself.

    Raises
    ------
    TypeError
        If `model` is no Module.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> found = activations(mt.models.LeNet(), mt.zeros(1, 1, 28, 28))
    >>> [(seen.path, seen.type, seen.output.shape) for seen in found[:2]]
    [('0', 'Conv2d', (1, 6, 28, 28)), ('1', 'Sigmoid', (1, 6, 28, 28))]
    """
    if not isinstance(model, Module):
        raise TypeError(f"expected a Module, got {type(model).__name__}")
    found = []
    with ExitStack() as stack, evaluating(model):
        for path, layer in model.named_modules():
            if not layer._modules:

                def note(layer, args, output, path=path):
                    if isinstance(output, Tensor):
                        found.append(Activation(path, layer, output.detach().cpu().numpy().copy()))

                stack.enter_context(layer.register_forward_hook(note))
        model(images)
    return found


@contextmanager
def evaluating(model):
    """Within the block, a model is in evaluation mode and nothing is recorded; then it is in its modes again."""
    modes = {part: part.training for part in model.modules()}
    try:
        with no_grad():
            yield model.eval()
    finally:
        for part, mode in modes.items():
            part.training = mode
