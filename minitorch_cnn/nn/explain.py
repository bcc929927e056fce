"""Errors that name the layer: where in a network it went wrong, and the shapes on the way there.

While a module runs, the layers that it calls are listed with the shapes of their outputs. This costs about a
microsecond per layer; the list is thrown away unless an error needs it.
"""

import threading

from minitorch_cnn.nn.hooks import forward_with_hooks

EXPLAINED = (ValueError, TypeError, RuntimeError, IndexError)
LONGEST = 30  # lines of shapes; of a deeper network, the last ones are shown


class Trail(threading.local):
    """The layers that have returned since the outermost module was called: ``(layer, shape of its output)``."""

    layers = None  # a list while a module is running


trail = Trail()


def shape_of(value):
    """The shape of a tensor; the name of its type, of anything else."""
    return getattr(value, "shape", type(value).__name__)


def run(module, args, kwargs):
    """``module.forward(*args, **kwargs)``; an error of it is told with the layer and the shapes on the way there."""
    is_outermost = trail.layers is None
    if is_outermost:
        trail.layers = []
    layers, before = trail.layers, len(trail.layers)
    try:
        output = forward_with_hooks(module, args, kwargs) if module._is_hooked else module.forward(*args, **kwargs)
        if len(layers) == before:  # nothing inside of it was called: it is a layer itself
            layers.append((module, shape_of(output)))
        return output
    except Exception as error:
        if not hasattr(error, "layer"):
            error.layer = module
        if is_outermost and isinstance(error, EXPLAINED):
            explain(error, module, layers, (*args, *kwargs.values()))
        raise
    finally:
        if is_outermost:
            trail.layers = None


def explain(error, model, layers, inputs):
    """Append to an error's text which layer of a model failed, and how the shapes came about.

    Parameters
    ----------
    error : Exception
        Its attribute ``layer`` is the innermost module that was running. Changed in place, so that its type and
        its traceback stay. An error whose arguments are not one text keeps them, and gets a note instead where
        Python has notes (3.11).
    model : Module
        The outermost module.
    layers : list of (Module, tuple or str)
        The layers that have returned, and their outputs' shapes.
    inputs : sequence
        What the model was called with.
    """
    names = {id(module): name for name, module in model.named_modules()}
    lines = [_whereabouts(error.layer, names, model)]
    if layers:
        lines.append("the shapes up to there:")
        lines.append("  input " + ", ".join(str(shape_of(value)) for value in inputs))
        if len(layers) > LONGEST:
            lines.append(f"  ... {len(layers) - LONGEST} layers ...")
        lines += [
            f"  {names.get(id(layer), '?')} {type(layer).__name__} -> {shape}" for layer, shape in layers[-LONGEST:]
        ]
    text = "\n".join(lines)
    if len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n{text}",)
    elif hasattr(error, "add_note"):
        error.add_note(text)


def _whereabouts(layer, names, model):
    described = f"{type(layer).__name__}(...)" if layer._modules else repr(layer)
    if layer is model:
        return f"in {described}"
    if id(layer) not in names:
        return (
            f"in {described}, which is not registered in {type(model).__name__}, so that its parameters are neither "
            "found nor converted: keep layers as attributes, or in nn.ModuleList in place of a Python list"
        )
    return f'in layer "{names[id(layer)]}": {described} of {type(model).__name__}'
