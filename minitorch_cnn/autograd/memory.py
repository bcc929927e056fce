"""What a node keeps for `backward`, and whether it is still true.

Of an operand that `backward` does not read, only the outline is kept. Of one that it reads, the values, with the
version that they had: a change in place since then is noticed, and refused.
"""

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import device_of


class Kept:
    """What a node keeps of its output and its inputs.

    Parameters
    ----------
    name : str
        What the operation is called in messages.
    reads : list of bool
        Which of (output, *inputs) `backward` reads; the last may stand for many inputs, or none.
    output : Tensor
    inputs : sequence of Tensor or number
    """

    __slots__ = ("name", "operands", "versions")

    def __init__(self, name, reads, output, inputs):
        reads_output, *reads = reads
        reads += reads[-1:] * (len(inputs) - len(reads))
        # The output is kept without its place in the graph: it would refer back to its node, and only Python's cyclic
        # garbage collector could then free the graph.
        self.name = name
        self.operands = [output.detach() if reads_output else None, *map(_kept, inputs, reads)]
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

    def __init__(self, tensor):
        array = tensor.array
        self.shape, self.ndim, self.dtype, self.device = array.shape, array.ndim, array.dtype, device_of(array)
        self.requires_grad = tensor.requires_grad


def _kept(x, is_read):
    """What a node keeps of an input: the value if `backward` reads it, else the outline of a tensor."""
    if not isinstance(x, Tensor):
        return x if is_read else None
    if not is_read:
        return Outline(x)
    return x if x._view_of is None else x.alias()  # a view knows its base, and the base may know this node
