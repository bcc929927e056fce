"""What a node keeps for `backward`, and whether it is still true.

Of an operand that `backward` does not read, only the outline is kept. Of one that it reads, the values, with the
version that they had: a change in place since then is noticed, and refused.
"""

import inspect
from itertools import chain

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import device_of


class Reads(dict):
    """Which of (output, *inputs) a node keeps, for each combination of inputs whose gradients are wanted.

    ``reads[(True, False)]`` if only that of the first is. It follows from the `reads` of the `Function`, is worked out
    when the combination first comes up, and remembered.

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

    def __missing__(self, wanted):  # a dict calls this for what it does not have yet
        count = 1 + len(wanted)
        if self.stated is None:
            self[wanted] = (True,) * count
        else:
            names = (self.names + self.names[-1:] * count)[:count]  # the last may stand for many, as *xs
            needed = set()
            for x, is_wanted in zip(names[1:], wanted):
                if is_wanted:
                    needed.update(self.stated.get(f"d{x}", ()))
            self[wanted] = tuple(name in needed for name in names)
        return self[wanted]


class Kept:
    """What a node keeps of its output and its inputs.

    Parameters
    ----------
    output : Tensor
    inputs : sequence of Tensor, number or None
    wanted : sequence of bool
        Which inputs a gradient goes to.
    read : sequence of bool
        Which of (output, *inputs) `backward` reads for it.
    """

    __slots__ = ("operands",)

    # Arrays are kept, not tensors. The output would refer back to its node, and so would an input that is given a new
    # place in the graph when it is changed: only Python's cyclic garbage collector could then free the graph.

    def __init__(self, output, inputs, wanted, read):
        # of what is read: (array, memory, its version)
        self.operands = [(output.array, output._memory, output._memory.version) if read[0] else None]
        for x, is_wanted, is_read in zip(inputs, wanted, read[1:]):
            if not isinstance(x, Tensor):
                self.operands.append(x if is_read else None)
            elif is_read:
                self.operands.append((x.array, x._memory, x._memory.version))
            else:
                self.operands.append(Outline(x.array, is_wanted))

    def recall(self, node):
        """[output, *inputs] as tensors at their places in the graph, refused if they are freed or changed."""
        if self.operands is None:
            raise RuntimeError(
                f"trying to backward through the graph a second time: what {node.name} remembered was freed by the "
                "first. Pass retain_graph=True to the first backward()"
            )
        recalled = []
        for operand, place in zip(self.operands, (node, *node.edges)):
            if isinstance(operand, tuple):
                array, memory, version = operand
                if memory.version != version:
                    self._complain(node, len(recalled), array, memory, version)
                operand = place  # a leaf
                if not isinstance(place, Tensor):
                    operand = Tensor(array)
                    operand._memory, operand.grad_fn = memory, place
            recalled.append(operand)
        return recalled

    def _complain(self, node, i, array, memory, version):
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an in-place operation: "
            f"{f'input {i - 1}' if i else 'the output'}, of shape {array.shape}, of {node.name} is at version "
            f"{memory.version}; expected version {version} instead. Change a clone() of it, or change it after "
            "backward()"
        )

    def arrays(self):
        """The arrays whose values are kept."""
        return [operand[0] for operand in self.operands or () if isinstance(operand, tuple)]

    def release(self, always=False):
        """Forget the values. Where none was kept, there is nothing to lose, and the node may be walked again."""
        if always or any(x is not None and not isinstance(x, Outline) for x in self.operands):
            self.operands = None


class Outline:
    """All that is kept of an input whose values `backward` does not read."""

    __slots__ = ("device", "dtype", "requires_grad", "shape")

    def __init__(self, array, requires_grad):
        self.shape, self.dtype, self.device = array.shape, array.dtype, device_of(array)
        self.requires_grad = requires_grad

    @property
    def ndim(self):
        """The number of dimensions."""
        return len(self.shape)

    def __repr__(self) -> str:
        return f"an operand of shape {self.shape} without values, since `reads` does not state that they are read"

    def __getattr__(self, name):
        raise AttributeError(f"{name} was asked of {self!r}")
