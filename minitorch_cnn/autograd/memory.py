"""What a node keeps for `backward`, and whether it is still true.

Of an operand that `backward` does not read, only the outline is kept. Of one that it reads, the values, with the
version that they had: a change in place since then is noticed, and refused.
"""

import inspect
from itertools import chain

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import device_of


class Reads(dict):
    """Of which operands, (output, *inputs), the rule of a `Function` reads the values.

    What its `reads` states, looked up by the inputs whose gradients are wanted: ``(True, False)`` for the first one.

    Raises
    ------
    TypeError
        If `reads` names what is no argument of `backward`.
    """

    def __init__(self, function):
        super().__init__()
        self.stated = None
        if function.reads is not None:
            self.stated = {dx: operands.split() for dx, operands in function.reads.items()}
            _self, _dy, *self.names = inspect.signature(function.backward).parameters
            gradients = [f"d{x}" for x in self.names[1:]]
            operands = chain(*self.stated.values())
            strangers = ({*self.stated} - {*gradients}) | ({*operands} - {*self.names})
            if strangers:
                raise TypeError(
                    f"{function.__name__}.reads speaks of {', '.join(sorted(strangers))}; by the arguments of its "
                    f"backward, the gradients are {', '.join(gradients)}, and the operands {', '.join(self.names)}"
                )

    def __missing__(self, wanted):
        count = 1 + len(wanted)
        if self.stated is None:
            self[wanted] = (True,) * count
        else:
            names = (self.names + self.names[-1:] * count)[:count]  # the last may stand for many, as *xs
            needed = [self.stated.get(f"d{x}", ()) for x, is_wanted in zip(names[1:], wanted) if is_wanted]
            self[wanted] = tuple(name in chain(*needed) for name in names)
        return self[wanted]


class Kept:
    """What a node keeps of its output and its inputs.

    Parameters
    ----------
    name : str
        What the operation is called in messages.
    output : Tensor
    inputs : sequence of Tensor, number or None
    wanted : sequence of bool
        Which inputs a gradient goes to.
    read : sequence of bool
        Which of (output, *inputs) `backward` reads for it.
    """

    __slots__ = ("name", "operands", "versions")

    def __init__(self, name, output, inputs, wanted, read):
        # The output is kept without its place in the graph: it would refer back to its node, and only Python's cyclic
        # garbage collector could then free the graph.
        self.name = name
        self.operands = [output.detach() if read[0] else None, *map(_kept, inputs, wanted, read[1:])]
        self.versions = [x._version if isinstance(x, Tensor) else None for x in self.operands]

    def recalled(self):
        """[output, *inputs], refused if they are freed or changed."""
        if self.operands is None:
            raise RuntimeError(
                f"trying to backward through the graph a second time: what {self.name} remembered was freed by the "
                "first. Pass retain_graph=True to the first backward()"
            )
        for i, (x, version) in enumerate(zip(self.operands, self.versions)):
            if version is not None and x._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an in-place operation: "
                    f"{f'input {i - 1}' if i else 'the output'}, of shape {x.shape}, of {self.name} is at version "
                    f"{x._version}; expected version {version} instead. Change a clone() of it, or change it after "
                    "backward()"
                )
        return self.operands

    def tensors(self):
        """Those whose values are kept."""
        return [x for x in self.operands or () if isinstance(x, Tensor)]

    def release(self, always=False):
        """Forget the values. Where none was kept, there is nothing to lose, and the node may be walked again."""
        if always or any(x is not None and not isinstance(x, Outline) for x in self.operands):
            self.operands = None


class Outline:
    """All that is kept of an input whose values `backward` does not read."""

    __slots__ = ("device", "dtype", "ndim", "requires_grad", "shape")

    def __init__(self, tensor, requires_grad):
        array = tensor.array
        self.shape, self.ndim, self.dtype, self.device = array.shape, array.ndim, array.dtype, device_of(array)
        self.requires_grad = requires_grad

    def __repr__(self):
        return f"an operand of shape {self.shape} without values, since `reads` does not state that they are read"

    def __getattr__(self, name):
        raise AttributeError(f"{name} was asked of {self!r}")


def _kept(x, is_wanted, is_read):
    """What a node keeps of an input: the value if `backward` reads it, else the outline of a tensor."""
    if not isinstance(x, Tensor):
        return x if is_read else None
    if not is_read:
        return Outline(x, is_wanted)
    if not is_wanted:
        return x.detach()  # which does not require grad later either, when other operands are not kept for it
    return x if x._view_of is None else x.alias()  # a view knows its base, and the base may know this node
