"""The graph that a result remembers: its operations with their shapes, as a table and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from minitorch_cnn.autograd.function import Function
from minitorch_cnn.autograd.memory import Outline
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.autograd.walk import topological_order
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE, picture, to_png
from minitorch_cnn.inspection.tables import html_table, table
from minitorch_cnn.nn.module import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Graph", "GraphNode", "graph"]

HEADER, ALIGN = ["", "operation", "of", "output", "keeps for backward"], "><<<<"
PITCH, BOX, LINE = (
    0.74,
    0.36,
    0.22,
)  # inches: from one operation to the next, and of boxes in the middle and at the side
MOST_DRAWN = 200  # operations in a picture


@dataclass
class GraphNode:
    """An operation, or a tensor that none has made."""

    name: str  #: the class of an operation; what a tensor is called
    kind: str  #: "operation", "parameter" (a leaf that receives a gradient) or "input" (one that does not)
    shape: tuple  #: of an operation, that of its output
    inputs: list = field(default_factory=list)  #: of an operation: the nodes that it was called on
    keeps: list = field(default_factory=list)  #: of an operation: what of them `backward` reads, in words


@dataclass(repr=False)
class Graph:
    """The graph behind a result. Its text is a table; a notebook shows its picture."""

    nodes: list  #: in an order in which they can be computed

    @property
    def operations(self) -> list[GraphNode]:
        """The nodes that are operations."""
        return [node for node in self.nodes if node.kind == "operation"]

    def _cells(self):
        number = {id(node): f"({i})" for i, node in enumerate(self.operations, start=1)}
        cells = []
        for node in self.nodes:
            if node.kind == "operation":
                names = ", ".join(number.get(id(x), x.name) for x in node.inputs)
                cells.append([number[id(node)], node.name, names, _as_text(node.shape), ", ".join(node.keeps) or "-"])
            else:
                cells.append(["", "", f"{node.name}, {node.kind}", _as_text(node.shape), ""])
        return cells

    def __str__(self) -> str:
        return table(HEADER, self._cells(), ALIGN)

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(HEADER, self._cells(), ALIGN)

    def _repr_png_(self):
        return to_png(self.figure())

    def figure(self, *, dark: bool = False) -> Figure:
        """Draw the graph: operations from top to bottom, parameters to their left.

        Blue arrows are the way of the values, orange ones that of the gradients. Beside the arrows stand shapes; what
        goes past other operations, on the right, has the shape of what comes out of its operation.

        Parameters
        ----------
        dark : bool, default False
            For a page with a dark ground.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If there are more than 200 operations.
        """
        rows, ys, y = self.operations, {}, 1.75
        if len(rows) > MOST_DRAWN:
            raise ValueError(f"expected at most {MOST_DRAWN} operations to draw, got {len(rows)}: print the graph")
        lefts = [_leaves_beside(node, is_first=i == 0) for i, node in enumerate(rows)]
        for node, leaves in zip(rows, lefts):
            ys[id(node)] = y
            y += max(PITCH, (LINE + 0.06) * len(leaves) + 0.12)
        height = y + 0.35
        with picture(width=8, height=height, dark=dark, layout="none") as figure:
            axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 8), ylim=(height, 0))
            axes.axis("off")
            draw = _Drawing(axes, figure.look)
            draw.legend()
            first = rows[0]
            for leaf in first.inputs:
                if leaf.kind != "operation" and leaf not in lefts[0]:
                    draw.box(4.4, ys[id(first)] - PITCH, 1.9, BOX, leaf)
                    draw.edge(ys[id(first)] - PITCH, ys[id(first)], leaf)
            for place, (node, leaves) in enumerate(zip(rows, lefts)):
                y = ys[id(node)]
                draw.box(4.4, y, 1.9, BOX, node)
                for i, leaf in enumerate(leaves):
                    draw.leaf(y + (i - (len(leaves) - 1) / 2) * (LINE + 0.06), y, leaf)
                for x in node.inputs:
                    if x.kind == "operation" and place and x is rows[place - 1]:
                        draw.edge(ys[id(x)], y, x)
                    elif x.kind == "operation":
                        draw.arc(ys[id(x)], y)
                draw.note(y, ", ".join(node.keeps))
            draw.box(4.4, y + PITCH, 1.9, BOX, GraphNode("the result", "input", ()))
            draw.edge(y, y + PITCH, rows[-1])
        return figure


def graph(tensor: Tensor, model: Module | None = None, **tensors: Tensor) -> Graph:
    """The graph of the operations that led to a tensor.

    It is read before `backward`, which lets it go.

    Parameters
    ----------
    tensor : Tensor
        A result, such as a loss.
    model : Module, optional
        It says what parameters are called.
    **tensors : Tensor
        Others, under the names that they are to have.

    Returns
    -------
    Graph
        Print it, or save its ``figure()``.

    Raises
    ------
    TypeError
        If `tensor` is no Tensor.
    ValueError
        If no operation led to it, or if `backward` has freed the graph.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x, y = mt.ones(2, 3), mt.ones(3, requires_grad=True)
    >>> graph((x * y).sum(), x=x, y=y)
         operation  of            output  keeps for backward
                    x, input      2×3
                    y, parameter  3
    (1)  Mul        x, y          2×3     x
    (2)  Sum        (1)           number  -
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"graph expected a Tensor, got {type(tensor).__name__}")
    if tensor.grad_fn is None:
        raise ValueError("no operation led to this tensor: it is a leaf, or was computed where nothing was recorded")
    reading = _Reading(model, tensors)
    for node in topological_order([tensor.grad_fn])[::-1]:
        reading.read(node)
    reading.nodes[tensor.grad_fn].shape = tensor.shape
    return Graph(reading.found)


# --- how ---------------------------------------------------------------------------------------------------


class _Reading:
    """Makes nodes of what an operation keeps and of where its gradients go."""

    def __init__(self, model, tensors):
        named = [*model.named_parameters()] if model is not None else []
        self.names = {id(x.array): name for name, x in [*named, *tensors.items()]}
        self.nodes, self.found, self.counts = {}, [], {}

    def read(self, function):
        """Add an operation, whose operands are known."""
        if function.kept.operands is None:
            raise ValueError("backward() has freed this graph: take it before, or call backward(retain_graph=True)")
        output, *operands = function.kept.operands
        node = GraphNode(function.name, "operation", output[0].shape if output is not None else ())
        node.keeps += ["output"] * isinstance(output, tuple)
        for edge, operand in zip(function.edges, operands):
            is_kept = isinstance(operand, tuple)
            if not is_kept and not isinstance(operand, Outline):
                continue  # a number, or nothing
            shape = operand[0].shape if is_kept else operand.shape
            x = (
                self.nodes[edge]
                if isinstance(edge, Function)
                else self._leaf(edge, operand[0] if is_kept else None, shape)
            )
            if x.kind == "operation":
                x.shape = shape
            node.inputs.append(x)
            if is_kept:
                node.keeps.append("input" if x.kind == "operation" else x.name.rpartition(".")[2])
        self.nodes[function] = node
        self.found.append(node)

    def _leaf(self, tensor, array, shape):
        """The node of a leaf, or of what needs no gradient: of that, no more than the array is known, if it is kept."""
        array = array if tensor is None else tensor.array
        if array is not None and id(array) in self.nodes:
            return self.nodes[id(array)]
        kind = "input" if tensor is None else "parameter"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        name = self.names.get(id(array), f"{kind} {self.counts[kind]}")
        node = GraphNode(name, kind, shape)
        if array is not None:
            self.nodes[id(array)] = node
        self.found.append(node)
        return node


def _as_text(shape):
    return "×".join(map(str, shape)) if shape else "number"


def _leaves_beside(node, is_first):
    """The leaves that stand to the left of an operation: all, but for the first one's first, which stands above."""
    leaves = [x for x in node.inputs if x.kind != "operation"]
    return leaves[1:] if is_first and leaves and leaves[0] is node.inputs[0] else leaves


class _Drawing:
    """What a graph is drawn with: boxes and arrows, in inches."""

    def __init__(self, axes, look):
        self.axes, self.look = axes, look
        self.forward, self.backward = look.colour(BLUE), look.colour(ORANGE)
        self.arcs = 0

    def box(self, x, y, width, height, node):
        from matplotlib.patches import FancyBboxPatch

        colour = {"operation": self.look.ink, "parameter": self.look.colour(GREEN), "input": self.look.quiet}[node.kind]
        shape = f"round,pad=0,rounding_size={0.06 if node.kind == 'operation' else height / 2}"
        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2), width, height, boxstyle=shape,
                facecolor=self.look.ground, edgecolor=colour, linewidth=1.3, zorder=3,
            )
        )  # fmt: skip
        is_beside = height == LINE
        text = f"{node.name}  {_as_text(node.shape)}" if is_beside else node.name
        size, weight = (8.6, "normal") if is_beside else (11, "bold" if node.kind == "operation" else "normal")
        self.axes.text(x, y, text, ha="center", va="center", fontsize=size, fontweight=weight, zorder=4)

    def arrow(self, start, end, colour, bend=0.0):
        from matplotlib.patches import FancyArrowPatch

        self.axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0, linewidth=1.3, color=colour,
                connectionstyle=f"arc3,rad={bend}", linestyle="-" if colour == self.forward else (0, (3, 2)), zorder=2,
            )
        )  # fmt: skip

    def edge(self, above, below, node):
        """The way from a box to the next one, and back, with the shape of what goes there."""
        top, bottom = above + BOX / 2 + 0.02, below - BOX / 2 - 0.02
        self.arrow((4.32, top), (4.32, bottom), self.forward)
        if node.kind != "input":
            self.arrow((4.48, bottom), (4.48, top), self.backward)
        self.axes.text(4.2, (top + bottom) / 2, _as_text(node.shape), ha="right", va="center", fontsize=9.5)

    def arc(self, above, below):
        """The way past other operations: on the right, not all equally far out."""
        self.arcs += 1
        bend = -0.3 - 0.05 * (self.arcs % 4)
        self.arrow((5.38, above + 0.05), (5.38, below - 0.08), self.forward, bend)
        self.arrow((5.38, below + 0.02), (5.38, above + 0.15), self.backward, -bend * 0.8)

    def leaf(self, at, y, node):
        """A parameter or an input to the left of an operation."""
        self.box(1.45, at, 2.4, LINE, node)
        target = y + (at - y) * 0.45
        self.arrow((2.68, at - 0.03), (3.42, target - 0.03), self.forward)
        if node.kind == "parameter":
            self.arrow((3.42, target + 0.05), (2.68, at + 0.05), self.backward)

    def note(self, y, text):
        self.axes.text(6.6, y, text, va="center", color=self.look.quiet, fontsize=9.5)

    def legend(self):
        self.axes.text(0.25, 0.3, "The graph of the computation", fontsize=13, va="center")
        for x, colour, text, ends in (
            (4.4, self.forward, "values", (0, 0.45)), (6.0, self.backward, "gradients", (0.45, 0))
        ):  # fmt: skip
            self.arrow((x + ends[0], 0.3), (x + ends[1], 0.3), colour)
            self.axes.text(x + 0.55, 0.3, text, va="center", fontsize=10)
        self.axes.text(1.45, 1.2, "parameters", ha="center", va="center", color=self.look.colour(GREEN))
        self.axes.text(6.6, 1.2, "kept for the\nway back", va="center", color=self.look.quiet)
