"""What a network consists of and costs, layer by layer, measured by running it once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from minitorch_cnn.autograd import Function, enable_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU
from minitorch_cnn.backend.random import get_rng_state, set_rng_state
from minitorch_cnn.inspection.tables import html_table, table
from minitorch_cnn.nn.explain import shape_of
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.state import unchanged
from minitorch_cnn.ops.creation import zeros
from minitorch_cnn.ops.windows import Pad

HEADER = ["layer", "type", "output", "parameters", "multiply-adds", "receptive field", "bytes kept"]
ALIGN = "<<<>>>>"
LEGEND = "? what an element sees is not known: a layer can state its receptive_field, see nn.Module"
PLACE_KEEPING = ("arithmetic", "elementwise", "operands", "steps", "shape")  # files of ops/ that look at no neighbours


@dataclass
class SummaryRow:
    """One call of one layer."""

    path: str  #: where in the model, such as "features.0"; "" for the model itself
    type: str
    output_shape: tuple | str = "not called"
    parameters: int = 0  #: its own, without those that an earlier row has counted
    multiply_adds: int = 0  #: of the product with its weight, for the whole batch
    receptive_field: tuple | None = None  #: (height, width) in pixels of the input; inf: all of it; None: unknown
    bytes: int = 0  #: what it keeps for `backward`, beside parameters and what an earlier row has counted

    @property
    def field(self) -> str:
        """The receptive field as text."""
        if self.receptive_field is None:
            return "-" if self.output_shape == "not called" else "?"
        return "all" if math.inf in self.receptive_field else "×".join(f"{size:g}" for size in self.receptive_field)


@dataclass(repr=False)
class Summary:
    """The layers of a model in the order of their calls. Its text is a table."""

    input_shapes: list[tuple[int, ...]]
    rows: list[SummaryRow] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """The multiplications, each with an addition, of one forward pass of the whole batch."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def bytes(self) -> int:
        """What a forward pass leaves in memory for `backward`, beside the parameters."""
        return sum(row.bytes for row in self.rows)

    def _cells(self):
        cells = [["input", "", str(shape), "", "", "", ""] for shape in self.input_shapes]
        for row in self.rows:
            numbers = [f"{number:,}" if number else "-" for number in (row.parameters, row.multiply_adds, row.bytes)]
            numbers.insert(2, row.field)
            cells.append([row.path or "(whole)", row.type, str(row.output_shape), *numbers])
        return [*cells, ["total", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", "", f"{self.bytes:,}"]]

    def _legend(self):
        return LEGEND if any(row.field == "?" for row in self.rows) else ""

    def __str__(self) -> str:
        return "\n".join(filter(None, [table(HEADER, self._cells(), ALIGN), self._legend()]))

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(HEADER, self._cells(), ALIGN) + self._legend()


def summary(model: Module, input_shape: Sequence[int] | list[tuple[int, ...]]) -> Summary:
    """Run a model once on zeros, and list its layers with what they cost.

    The model is left as it was: its buffers, such as running statistics, and the stream of random numbers are put
    back. It runs in the mode that it is in, for training or evaluation.

    Parameters
    ----------
    model : Module
    input_shape : tuple of int, or list of such tuples
        The shape of the input with the batch, as in ``(1, 1, 28, 28)``; a list for a model of several inputs.

    Returns
    -------
    Summary
        Print it. Its ``rows`` hold the numbers; so do ``parameters``, ``multiply_adds`` and ``bytes`` in total.
        Multiply-adds are those of convolutions, linear layers, and others that have a method `multiply_adds`. A
        receptive field is what the layer states (see `Module`), or else follows from the operations of its `forward`;
        where these do more than look at each element by itself, it is not known. The bytes are counted in the graph:
        the distinct blocks of memory that its operations keep for `backward` when the input requires no gradient.

    Raises
    ------
    TypeError
        If `model` is no Module or the shape is none.

    Examples
    --------
    >>> from minitorch_cnn import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    >>> print(summary(net, (1, 1, 4, 4)))
                                              multiply-  receptive
    layer  type     output        parameters       adds      field  bytes kept
    input           (1, 1, 4, 4)
    0      Conv2d   (1, 2, 2, 2)          20         72        3×3          64
    1      ReLU     (1, 2, 2, 2)           -          -        3×3          32
    2      Flatten  (1, 8)                 -          -        3×3           -
    3      Linear   (1, 3)                27         24        all          32
    total                                 47         96                    128
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary expected a Module, got {type(model).__name__}")
    shapes = input_shape if isinstance(input_shape, list) else [input_shape]
    for shape in shapes:
        if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
            raise TypeError(f"summary expected an input_shape such as (1, 1, 28, 28), or a list of them, got {shape!r}")
    parameters = list(model.parameters())
    like = {"dtype": parameters[0].dtype, "device": parameters[0].device} if parameters else {"device": CPU}
    inputs = [zeros(*shape, **like, requires_grad=True) for shape in shapes]  # so that the graph begins with them
    observer = _Observer(model, inputs)
    state = get_rng_state()
    try:
        with enable_grad(), unchanged(model), observer.watching():
            model(*inputs)
    finally:
        set_rng_state(state)
    return Summary(shapes, observer.rows())


class _Observer:
    """Records the calls of all layers, and which of them the operations of the graph belong to."""

    def __init__(self, model, inputs):
        self.paths = {module: path for path, module in model.named_modules()}
        self.calls = []  # (module, row), in the order in which the calls begin
        self.running = []  # the rows of the calls that have not returned
        self.fields = {x: _Field((1, 1), (1, 1)) for x in inputs}  # of what depends on them: tensors and operations
        self.trained = {x: False for x in inputs}  # whether an operation is recorded for a parameter's sake
        self.counted = {memory_of(x.array)[0] for x in (*model.parameters(), *model.buffers())}
        self.alive = []  # tensors: a block of memory is told from others by its address, so none may be freed meanwhile

    @contextmanager
    def watching(self):
        """Wrap the `forward` of every layer, until the end of the ``with`` block, to see its calls."""
        before = {module: vars(module).get("forward") for module in self.paths}
        for module in self.paths:
            object.__setattr__(module, "forward", self._observed(module, module.forward))
        try:
            yield
        finally:
            for module, forward in before.items():
                del vars(module)["forward"]
                if forward is not None:
                    object.__setattr__(module, "forward", forward)

    def _observed(self, module, forward):
        def observed(*args, **kwargs):
            if self.running:  # what the module around has computed by itself, up to here
                self._claim(args, self.running[-1])
            row = SummaryRow(self.paths[module], type(module).__name__)
            self.calls.append((module, row))
            self.running.append(row)
            output = forward(*args, **kwargs)
            self._claim(output if isinstance(output, (tuple, list)) else (output,), self.running.pop())
            tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
            row.output_shape = shape_of(output)
            if isinstance(output, Tensor):
                row.multiply_adds = module.multiply_adds(tensors[0], output) if tensors else 0
                row.receptive_field = self._receptive_field(module, tensors, output)
            return output

        return observed

    def _claim(self, values, row):
        """Assign the operations behind some tensors to a row, unless they belong to another already."""
        self.alive += values
        stack = [_origin(x) for x in values if isinstance(x, Tensor)]
        while stack:
            node = stack[-1]
            ahead = [edge for edge in getattr(node, "edges", ()) if edge is not None and edge not in self.trained]
            if node in self.trained or not ahead:
                stack.pop()
                if node not in self.trained:
                    self._book(node, row)
            stack += ahead

    def _book(self, node, row):
        edges = [edge for edge in getattr(node, "edges", ()) if edge is not None]
        self.trained[node] = any(self.trained[edge] for edge in edges) if edges else True
        seen = _union(self.fields.get(edge) for edge in edges)
        self.fields[node] = seen if seen is None or _keeps_places(node) else UNKNOWN
        if isinstance(node, Function) and self.trained[node]:
            for array in node.kept.arrays():
                block, size = memory_of(array)
                if block not in self.counted:
                    self.counted.add(block)
                    row.bytes += size

    def _receptive_field(self, module, inputs, output):
        """What an element of the output sees: as the module states it, or else as the graph tells."""
        if module.receptive_field is not None:
            self.fields[_origin(output)] = _through(module, _union(self.fields.get(_origin(x)) for x in inputs))
        seen = self.fields.get(_origin(output))
        return None if seen is None else seen.size

    def rows(self):
        """One row for each call of a layer, and for parts that hold something of their own."""
        counted = set()
        found = []
        for module, row in self.calls:
            row.parameters = _new_parameters(module, counted)
            if not module._modules or row.parameters or row.bytes:
                found.append(row)
        called = {module for module, _ in self.calls}
        for module, path in self.paths.items():
            if module not in called and (number := _new_parameters(module, counted)):
                found.append(SummaryRow(path, type(module).__name__, parameters=number))
        return found


@dataclass(frozen=True)
class _Field:
    """A receptive field: its size, and by how much it moves from one element to the next; (height, width) in pixels."""

    size: tuple | None
    jump: tuple | None


UNKNOWN = _Field(None, None)


def _union(fields):
    """What several tensors see together: the largest of their fields. None: nothing of the input."""
    fields = [field for field in fields if field is not None]
    if not fields or UNKNOWN in fields:
        return UNKNOWN if fields else None
    return _Field(*(tuple(map(max, zip(*parts))) for parts in zip(*((f.size, f.jump) for f in fields))))


def _keeps_places(node):
    """Whether each element of what an operation made comes of the elements at its own place."""
    return type(node).__module__.rpartition(".")[2] in PLACE_KEEPING or isinstance(node, Pad)


def _through(module, seen):
    """The receptive field behind a module that states its own."""
    stated = module.receptive_field
    if seen is None or stated == "same":
        return seen
    if stated == "all":
        return _Field((math.inf, math.inf), (0, 0))
    if not isinstance(stated, tuple) or len(stated) != 2:
        raise TypeError(
            f"receptive_field of {type(module).__name__} should be 'same', 'all' or (kernel, stride), got {stated!r}"
        )
    if seen == UNKNOWN:
        return UNKNOWN
    kernel, stride = (part if isinstance(part, tuple) else (part, part) for part in stated)
    size = tuple(f + (k - 1) * jump for f, k, jump in zip(seen.size, kernel, seen.jump))
    return _Field(size, tuple(jump * s for jump, s in zip(seen.jump, stride)))


def _new_parameters(module, counted):
    """The number of elements in a module's own parameters, but for those already counted."""
    new = [p for p in module._parameters.values() if p is not None and id(p) not in counted]
    counted.update(map(id, new))
    return sum(p.numel() for p in new)


def _origin(tensor):
    """Where a tensor stands in the graph: the operation that made it, or itself."""
    return tensor if tensor.grad_fn is None else tensor.grad_fn


def memory_of(array):
    """The block of memory that an array is a view of: its identity, and its size in bytes."""
    owner = array
    while getattr(array, "base", None) is not None:
        array = array.base
        owner = array if hasattr(array, "nbytes") else owner
    return id(owner), owner.nbytes
