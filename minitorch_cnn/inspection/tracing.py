"""One training step, operation by operation: what each makes, how long it takes both ways, and what it keeps."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from minitorch_cnn import cuda
from minitorch_cnn.autograd.function import Function
from minitorch_cnn.autograd.mode import enable_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import CPU, to_numpy
from minitorch_cnn.backend.annotations import Loss
from minitorch_cnn.backend.random import get_rng_state, set_rng_state
from minitorch_cnn.inspection.figures import BLUE, ORANGE, picture, to_png
from minitorch_cnn.inspection.summaries import memory_of
from minitorch_cnn.inspection.tables import html_table, table
from minitorch_cnn.nn.functional.losses import cross_entropy
from minitorch_cnn.nn.module import Module
from minitorch_cnn.nn.state import unchanged
from minitorch_cnn.optim.optimizer import zero_grad

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trace", "TraceRow", "trace"]

HEADER, ALIGN = ["layer", "operation", "output", "forward", "backward", "mult-adds", "kept", "|dy|"], "<<<>>>>>"
LEGEND = [
    "times in ms; kept: memory for the way back, each block of it once;",
    "|dy|: the norm of the gradient with respect to the output",
]

_patching = threading.RLock()


@dataclass
class TraceRow:
    """One call of one operation."""

    layer: str  #: the path of the layer that called it, such as "features.0"; "loss" behind the model
    operation: str
    output_shape: tuple
    forward: float = 0.0  #: seconds, the median of the repetitions
    backward: float | None = None  #: likewise; None if no gradient came here
    multiply_adds: int = 0  #: of the whole batch
    bytes: int = 0  #: what it keeps for `backward`, beside parameters and what an earlier row has counted
    gradient: float | None = None  #: the Euclidean norm of the gradient with respect to the output


@dataclass(repr=False)
class Trace:
    """The operations of a training step, in the order of their calls. Its text is a table."""

    rows: list = field(default_factory=list)
    seconds: float = 0.0  #: of the whole step, forward and backward, with what stands between the operations
    loss: float = 0.0
    repeat: int = 1  #: how many steps the medians are of

    @property
    def forward(self) -> float:
        """Seconds of all operations, forward."""
        return sum(row.forward for row in self.rows)

    @property
    def backward(self) -> float:
        """Seconds of all operations, backward."""
        return sum(row.backward or 0 for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with an addition, of the forward pass of the whole batch."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def bytes(self) -> int:
        """What the forward pass leaves in memory for `backward`, beside the parameters."""
        return sum(row.bytes for row in self.rows)

    def _cells(self):
        cells = []
        for (layer, is_recorded), group in itertools.groupby(self.rows, lambda row: (row.layer, _has_gradient(row))):
            rows, layer = list(group), layer or "(whole)"
            if not is_recorded:  # such as those that follow the statistics of a batch
                forward, products = sum(row.forward for row in rows), sum(row.multiply_adds for row in rows)
                cells.append(
                    [layer, f"{len(rows)} others", "", f"{1e3 * forward:.2f}", "-", in_short(products), "-", "-"]
                )
                continue
            for row in rows:
                times = [f"{1e3 * row.forward:.2f}", f"{1e3 * row.backward:.2f}"]
                costs = [in_short(row.multiply_adds), in_short(row.bytes, 1024, "B"), f"{row.gradient:.2g}"]
                shape = "×".join(map(str, row.output_shape)) or "number"
                cells.append([layer, row.operation, shape, *times, *costs])
        times = [f"{1e3 * self.forward:.2f}", f"{1e3 * self.backward:.2f}"]
        return [*cells, ["total", "", "", *times, in_short(self.multiply_adds), in_short(self.bytes, 1024, "B"), ""]]

    def _summary(self):
        whole = f"the whole step, without the update: {1e3 * self.seconds:.2f} ms, the median of {self.repeat}"
        others = [] if all(map(_has_gradient, self.rows)) else ["others: operations that no gradient reaches"]
        return [*LEGEND, *others, f"{whole}; loss {self.loss:.4f}"]

    def __str__(self) -> str:
        return "\n".join([table(HEADER, self._cells(), ALIGN), *self._summary()])

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(HEADER, self._cells(), ALIGN) + "<br>".join(self._summary())

    def to_png(self) -> bytes:
        """Return `figure` as the bytes of a PNG picture."""
        return to_png(self.figure())

    def figure(self, *, dark: bool = False) -> Figure:
        """Draw how long each operation with a gradient takes, forward and backward.

        Parameters
        ----------
        dark : bool, default False
            For a page with a dark ground.

        Returns
        -------
        matplotlib.figure.Figure
        """
        rows = list(filter(_has_gradient, self.rows))
        with picture(width=8, height=1.3 + 0.3 * len(rows), dark=dark) as figure:
            look, axes = figure.look, figure.subplots()
            places = np.arange(len(rows))
            forward = np.array([1e3 * row.forward for row in rows])
            backward = np.array([1e3 * row.backward for row in rows])
            axes.barh(places, forward, color=look.colour(BLUE), label=f"forward, {forward.sum():.1f} ms")
            axes.barh(
                places, backward, left=forward, color=look.colour(ORANGE), label=f"backward, {backward.sum():.1f} ms"
            )
            axes.set_yticks(places, [f"{row.layer}  {row.operation}" for row in rows])
            axes.set(xlabel="ms", ylim=(len(rows) - 0.4, -0.6))
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            axes.legend(loc="lower right")
            axes.set_title("Where the time of a training step goes", loc="left")
        return figure


def trace(
    model: Module, *inputs: Tensor, labels: Tensor | None = None, loss: Loss | None = None, repeat: int = 5
) -> Trace:
    """Take a training step several times, and list its operations with what they cost.

    No step is made: the weights, their gradients, the buffers and the stream of random numbers are put back. The model
    runs in the mode that it is in. While this runs, another thread's operations are not looked at.

    Parameters
    ----------
    model : Module
    *inputs : Tensor
        What the model is called with.
    labels : Tensor, optional
        What the output is compared with.
    loss : callable, optional
        A function of (output, labels), or without labels of (output,), that gives one number. By default the
        cross-entropy, and without labels the sum.
    repeat : int, default 5
        How many steps the medians of the times are taken of, after a first one that does not count.

    Returns
    -------
    Trace
        Print it. Its ``rows`` hold the numbers; so do ``forward``, ``backward`` (seconds), ``multiply_adds`` and
        ``bytes`` in total.

    Raises
    ------
    TypeError
        If `model` is no Module.
    ValueError
        If `repeat` is less than 1.
    RuntimeError
        If the model does not call the same operations each time.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> step = trace(mt.models.LeNet(), mt.rand(8, 1, 28, 28), labels=mt.arange(8))
    >>> [(row.layer, row.operation, row.output_shape, row.multiply_adds) for row in step.rows][:2]
    [('0', 'Convolve', (8, 6, 28, 28), 940800), ('1', 'Sigmoid', (8, 6, 28, 28), 0)]
    >>> step.rows[-1].layer, step.rows[-1].operation, step.rows[-1].gradient
    ('loss', 'CrossEntropy', 1.0)
    """
    if not isinstance(model, Module):
        raise TypeError(f"trace expected a Module, got {type(model).__name__}")
    if repeat < 1:
        raise ValueError(f"expected repeat to be at least 1, got {repeat}")
    parameters = list(model.parameters())
    gradients, state = [parameter.grad for parameter in parameters], get_rng_state()
    steps = []
    try:
        for i in range(2 * (repeat + 1)):  # by turns not looked at, for the time of the whole, and looked at
            set_rng_state(state)
            zero_grad(parameters)
            with enable_grad(), unchanged(model):
                steps.append(_Step(model, with_norms=i == 1).take(inputs, labels, loss, is_watched=i % 2 == 1))
    finally:
        set_rng_state(state)
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
    for row, first in zip(steps[-1].rows, steps[1].rows):
        row.gradient = first.gradient  # the others were not slowed down by it
    return _medians(steps[3::2], [step.seconds for step in steps[2::2]])


# --- how ---------------------------------------------------------------------------------------------------


class _Step:
    """One training step that is looked at."""

    def __init__(self, model, with_norms):
        self.model, self.with_norms = model, with_norms
        self.rows, self.nodes, self.running, self.is_forward = [], [], ["loss"], True
        self.counted = {memory_of(x.array)[0] for x in (*model.parameters(), *model.buffers())}
        device = next((x.device for x in model.parameters()), CPU)
        self.wait = cuda.synchronize if device != CPU else lambda: None

    def take(self, inputs, labels, loss, is_watched):
        """Run forward and backward; return the `Trace` of this step, without rows if it is not watched."""
        with ExitStack() as stack:
            if is_watched:
                for path, layer in self.model.named_modules():
                    self._hang(stack, path, layer)
                stack.enter_context(self._watching())
            begun = self._now()
            output = self.model(*inputs)
            if loss is not None:
                result = loss(output) if labels is None else loss(output, labels)
            else:
                result = output.sum() if labels is None else cross_entropy(output, labels)
            self._count()
            self.is_forward = False
            result.backward()
            seconds = self._now() - begun
        return Trace(self.rows, seconds, float(result.item()))

    def _now(self):
        self.wait()
        return time.perf_counter()

    def _hang(self, stack, path, layer):
        """Note which layer runs, and at its end what its product cost."""

        def before(layer, args):
            self.running.append(path)
            firsts.append(len(self.rows))

        def after(layer, args, output):
            self.running.pop()
            places = range(firsts.pop(), len(self.rows))
            cost = layer.multiply_adds(args[0], output) if args and isinstance(output, Tensor) else 0
            if cost and places:
                on_parameters = [i for i in places if self._has_parameters(i)]
                self.rows[(on_parameters or places)[0]].multiply_adds += cost

        firsts = []
        stack.enter_context(layer.register_forward_pre_hook(before, prepend=True))
        stack.enter_context(layer.register_forward_hook(after))

    def _has_parameters(self, place):
        """Whether an operation was called on a parameter."""
        return any(isinstance(edge, Tensor) for edge in getattr(self.nodes[place], "edges", ()))

    def _count(self):
        """Count what each operation keeps: each block of memory once."""
        for node, row in zip(self.nodes, self.rows):
            for array in node.kept.arrays() if node is not None else ():
                block, size = memory_of(array)
                if block not in self.counted:
                    self.counted.add(block)
                    row.bytes += size

    @contextmanager
    def _watching(self):
        """Note the operations that this thread calls, and their ways back, but not what these call themselves."""
        call, gradients, thread, is_inside = Function.__call__, Function.gradients, threading.get_ident(), False

        def timed(function, *args):
            nonlocal is_inside
            is_inside = True
            try:
                begun = self._now()
                result = function(*args)
                return result, self._now() - begun
            finally:
                is_inside = False

        def noting_call(function, *inputs):
            if is_inside or not self.is_forward or threading.get_ident() != thread:
                return call(function, *inputs)
            output, seconds = timed(call, function, *inputs)
            row = TraceRow(self.running[-1], function.name, output.shape, seconds)
            self.rows.append(row)
            self.nodes.append(output.grad_fn)
            return output

        def noting_gradients(node, dy):
            if is_inside or node not in self.nodes:
                return gradients(node, dy)
            found, seconds = timed(gradients, node, dy)
            row = self.rows[self.nodes.index(node)]
            row.backward = seconds
            if self.with_norms:
                row.gradient = float(np.linalg.norm(to_numpy(dy.array).ravel()))
            return found

        with _patching:  # one thread at a time
            Function.__call__, Function.gradients = noting_call, noting_gradients
            try:
                yield
            finally:
                Function.__call__, Function.gradients = call, gradients


def _medians(steps, wholes):
    """The last step, with the median times of all, and of the steps that were not looked at."""
    whole = steps[-1]
    for step in steps:
        if [(row.layer, row.operation) for row in step.rows] != [(row.layer, row.operation) for row in whole.rows]:
            raise RuntimeError("expected the same operations in each step, to take the medians of; use repeat=1")
    for row, same in zip(whole.rows, zip(*(step.rows for step in steps))):
        row.forward = statistics.median(one.forward for one in same)
        if row.backward is not None:
            row.backward = statistics.median(one.backward for one in same)
    whole.seconds, whole.repeat = statistics.median(wholes), len(steps)
    return whole


def _has_gradient(row):
    return row.backward is not None


def in_short(number, base=1000, unit=""):
    """A number in three digits with a prefix, as "1.23 M" or "1.17 MiB"."""
    place = 0
    while number >= 1000 and place < 4:
        number, place = number / base, place + 1
    prefix = ["", "k", "M", "G", "T"][place] if base == 1000 else ["", "Ki", "Mi", "Gi", "Ti"][place]
    return f"{number:.3g} {prefix}{unit}".strip() if number else "-"
