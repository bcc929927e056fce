"""The graph of a computation: its nodes, its text, its picture."""

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import inspection, nn
from minitorch_cnn.inspection import figures, graphs


@pytest.fixture(scope="module")
def lenet():
    net, images, labels = mt.models.LeNet(), mt.rand(4, 1, 28, 28), mt.arange(4)
    loss = nn.functional.cross_entropy(net(images), labels)
    return inspection.graph(loss, net, images=images, labels=labels)


def test_lenet(lenet):
    assert [node.name for node in lenet.operations] == [
        "Convolve", "Sigmoid", "SumWindows", "Convolve", "Sigmoid", "SumWindows", "Reshape", "Linear", "Sigmoid",
        "Linear", "Sigmoid", "Linear", "CrossEntropy",
    ]  # fmt: skip
    assert [node.shape for node in lenet.operations][:7] == [
        (4, 6, 28, 28), (4, 6, 28, 28), (4, 6, 14, 14), (4, 16, 10, 10), (4, 16, 10, 10), (4, 16, 5, 5), (4, 400),
    ]  # fmt: skip
    assert lenet.operations[-1].shape == ()
    parameters = [(node.name, node.shape) for node in lenet.nodes if node.kind == "parameter"]
    assert parameters == [(name, p.shape) for name, p in mt.models.LeNet().named_parameters()]
    assert [node.name for node in lenet.nodes if node.kind == "input"] == ["images", "labels"]
    convolve, sigmoid, pool, again, *_ = lenet.operations
    assert convolve.keeps == ["images"] and sigmoid.keeps == ["output"] and pool.keeps == []
    assert again.keeps == ["input", "weight"] and again.inputs[0] is pool


def test_the_text_fits_a_terminal(lenet):
    lines = str(lenet).splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) == 1 + 13 + 10 + 2
    assert lines[6].split() == ["(3)", "SumWindows", "(2)", "4×6×14×14", "-"]
    assert "<td style='text-align: left'>images, input</td>" in lenet._repr_html_()


@pytest.mark.parametrize("dark", [False, True])
def test_the_picture_has_boxes_shapes_and_both_directions(lenet, dark):
    from matplotlib.colors import to_hex
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    figure = lenet.figure(dark=dark)
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("Convolve") == 2 and texts.count("4×6×28×28") == 2 and "0.weight  6×1×5×5" in texts
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 13 + 10 + 2 + 1, "operations, parameters, inputs, the result"
    green = [box for box in boxes if to_hex(box.get_edgecolor()) == figure.look.colour(figures.GREEN)]
    assert len(green) == 10
    arrows = [to_hex(patch.get_edgecolor()) for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    forward, backward = (arrows.count(figure.look.colour(one)) for one in (figures.BLUE, figures.ORANGE))
    assert (forward, backward) == (1 + 13 + 10 + 2, 1 + 13 + 10), "no gradient goes to images and labels"
    assert inspection.to_svg(figure) == inspection.to_svg(lenet.figure(dark=dark))


def test_nothing_overlaps(lenet):
    """No text stands on another one, and none leaves its box or the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = lenet.figure()
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.axes[0].texts if text.get_text()]
    assert not [(i, j) for i, a in enumerate(extents) for j, b in enumerate(extents[:i]) if a.overlaps(b)]
    width, height = figure.canvas.get_width_height()
    assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in extents)


def test_what_is_used_twice_is_one_node_and_an_arc():
    x = mt.ones(2, 3, requires_grad=True)
    y = x * 2
    found = inspection.graph((mt.exp(y) + y).sum(), x=x)
    scale, exp, add, total = found.operations
    assert add.inputs == [exp, scale] and exp.inputs == [scale] and total.inputs == [add]
    assert [node.name for node in found.nodes if node.kind == "parameter"] == ["x"]
    x = mt.ones(2, requires_grad=True)
    square = inspection.graph((x * x).sum())
    assert [node.name for node in square.nodes] == ["parameter 1", "Mul", "Sum"]
    assert square.operations[0].inputs == [square.nodes[0]] * 2


def test_a_graph_of_gradients():
    x = mt.tensor(2.0, requires_grad=True)
    (dx,) = mt.autograd.grad(x**3, x, create_graph=True)
    found = inspection.graph(dx, x=x)
    assert found.operations[-1].name == "Mul" and "x" in [node.name for node in found.nodes]
    assert found._repr_png_().startswith(b"\x89PNG")


def test_the_result_is_that_of_any_shape():
    x = mt.ones(2, 3, requires_grad=True)
    assert inspection.graph(mt.exp(x)).operations[0].shape == (2, 3)


def test_what_has_no_graph_is_told():
    x = mt.ones(3, requires_grad=True)
    with pytest.raises(TypeError, match="graph expected a Tensor, got ndarray"):
        inspection.graph(np.ones(3))
    with pytest.raises(ValueError, match="no operation led to this tensor: it is a leaf"):
        inspection.graph(x)
    y = mt.exp(x).sum()
    y.backward()
    with pytest.raises(ValueError, match=r"backward\(\) has freed this graph: take it before"):
        inspection.graph(y)


def test_a_long_graph_is_printed_but_not_drawn(monkeypatch):
    monkeypatch.setattr(graphs, "MOST_DRAWN", 3)
    y = mt.ones(1, requires_grad=True)
    for _ in range(4):
        y = mt.exp(y)
    found = inspection.graph(y)
    assert len(str(found).splitlines()) == 6
    with pytest.raises(ValueError, match="at most 3 operations to draw, got 4: print the graph"):
        found.figure()
