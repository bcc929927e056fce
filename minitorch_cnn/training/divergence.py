"""Numbers that are infinite or not numbers: what in a training became so first, and what to do about it."""

import copy

from minitorch_cnn.autograd import no_grad

__all__ = ["Diverged"]


class Diverged(RuntimeError):
    """A training came to a loss or a weight that is infinite or not a number, and ended."""

    exit_code = 3


def require_finite_weights(net, when):
    """Look at all weights, before they are saved or trained.

    Parameters
    ----------
    net : Module
    when : str
        Goes into the text, as in "after epoch 3".

    Raises
    ------
    Diverged
        If a parameter is not finite, or a buffer not a number. The text names the first layer that has one.
    """
    if wrong := first_wrong_weight(net):
        raise Diverged(f"{when}, {wrong}")


def first_wrong_weight(net):
    """Return which layer is the first whose weights are not finite, as a text; None if all are."""
    for name, parameter in net.named_parameters():
        if _count_wrong(parameter):
            return f"the first layer whose weights are not finite is {_layer(net, name.rpartition('.')[0])}, {name}"
    for name, buffer in net.named_buffers():
        if buffer.is_floating_point() and bool((buffer != buffer).any().item()):
            return f"the first layer whose buffers are not numbers is {_layer(net, name.rpartition('.')[0])}, {name}"
    return None


def explain(net, loss, x, y, is_first=False):
    """Return what was not finite first in a step whose loss is not: data, weights, labels, a layer or the loss itself.

    Parameters
    ----------
    net, loss : callable
        With the weights that they had in that step.
    x, y : Tensor
        The batch.
    is_first : bool
        Whether it is the first step: its weights are those that the training began with.

    Returns
    -------
    cause : str
    is_divergence : bool
        Whether a smaller learning rate may help; where it is the data, none does.
    """
    if count := _count_wrong(x):
        return f"of the batch's {x.numel():,} numbers, {count:,} are NaN or infinite: look at the data", False
    if wrong := first_wrong_weight(net):
        return (f"already before the first step, {wrong}", False) if is_first else (wrong, True)
    if _counts_for_nothing(loss, y):
        return "no label of the batch counts: all are ignore_index, or of classes with weight 0", False
    if layer := _first_wrong_output(net, x):
        return f"the weights are finite, but the output of {layer} is not", True
    return "the weights are finite, but the loss is not", True


def _count_wrong(tensor):
    return int((~tensor.detach().isfinite()).sum().item()) if tensor.is_floating_point() else 0


def _first_wrong_output(net, x):
    """The layer whose output was the first that is not finite, when a copy of the network is run again."""
    wrong = []
    try:
        net = copy.deepcopy(net)
    except Exception:  # not every network can be copied; the error is to be told all the same
        return None

    def watch(name):
        def look(_module, _args, y):
            if not wrong and hasattr(y, "is_floating_point") and _count_wrong(y):
                wrong.append(_layer(net, name))

        return look

    for name, module in net.named_modules():
        module.register_forward_hook(watch(name), prepend=True)
    with no_grad():
        net(x)
    return wrong[0] if wrong else None


def _layer(net, name):
    module = dict(net.named_modules()).get(name, net)
    return f"{type(module).__name__} (layer {name!r})" if name else type(module).__name__


def _counts_for_nothing(loss, y):
    if y.is_floating_point():
        return False
    ignored, weight = getattr(loss, "ignore_index", -100), getattr(loss, "weight", None)
    counted = set(y.reshape(-1).tolist()) - {ignored}
    return not counted if weight is None else not any(weight[label].item() for label in counted)
