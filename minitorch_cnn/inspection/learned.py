"""Pictures of what a network has learned: its filters, and what they make of an image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.inspection.answers import as_drawn, draw_bars, names_of, probabilities_of
from minitorch_cnn.inspection.figures import mosaic, picture, show_image, show_map, show_signed
from minitorch_cnn.inspection.outputs import activations
from minitorch_cnn.nn.layers import Conv2d
from minitorch_cnn.nn.module import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_changes", "draw_filters", "draw_maps", "draw_overview"]

MOST = 16  # maps, or filters, of one layer in a picture
CHANNELS = 8  # of one filter
CONVOLUTIONS = 6  # whose filters are drawn
STAGES = 7  # of the overview
CELLS = 256  # numbers of one stage there
ROWS = 12  # epochs whose filters are shown


def draw_filters(model: Module, *, dark: bool = False) -> Figure:
    """Draw the filters of each convolution: a column for each filter, a row for each channel that it looks at.

    The first six convolutions are drawn, and of each at most the first 16 filters on the first 8 channels.

    Parameters
    ----------
    model : Module
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the model has no `Conv2d`.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> figure = draw_filters(mt.models.LeNet())
    >>> [axes.get_title(loc="left") for axes in figure.axes[::2]]  # between them, the scale of each
    ['layer 0: 6 filters of 5×5', 'layer 3: 16 filters of 5×5, each on 6 channels']
    """
    layers = _filters_of(model)
    grids = [mosaic(weight[:MOST, :CHANNELS].swapaxes(0, 1)) for weight in layers.values()]
    heights = [6.9 * grid.shape[0] / grid.shape[1] for grid in grids]
    with picture(width=8, height=0.55 + sum(height + 0.6 for height in heights), dark=dark, layout="none") as figure:
        whole = figure.get_figheight()
        y = whole - 0.3
        figure.text(0.02, y / whole, "The filters: orange below 0, blue above", fontsize=13, va="center")
        for grid, height, (path, weight) in zip(grids, heights, layers.items()):
            y -= 0.6 + height
            axes = figure.add_axes((0.02, y / whole, 6.9 / 8, height / whole))
            drawn = show_signed(axes, grid, limit=float(np.nanmax(abs(grid))))
            axes.set_title(_title_of_filters(path, weight), loc="left")
            _frameless(axes)
            scale = figure.add_axes((0.02 + 7.05 / 8, y / whole, 0.18 / 8, height / whole))
            limit = drawn.get_clim()[1]
            ticks = [-limit, 0, limit] if height > 0.6 else [-limit, limit]
            figure.colorbar(drawn, cax=scale, ticks=ticks, format="%.2g").outline.set_visible(False)
    return figure


def draw_maps(model: Module, image: Tensor, *, dark: bool = False) -> Figure:
    """Draw what each layer of a network makes of an image, one row for each layer.

    What has a sign is orange below 0 and blue above; what has none is drawn from its smallest to its largest value.

    Parameters
    ----------
    model : Module
    image : Tensor
        Of shape (C, H, W).
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> figure = draw_maps(mt.models.LeNet(), mt.rand(1, 28, 28))
    >>> len(figure.axes)  # the image, and 11 layers: that of Flatten shows nothing new
    12
    """
    seen = [found for found in activations(model, image[None]) if found.type != "Flatten" and found.output.ndim > 1]
    grids = [_one_row(found.output[0]) for found in seen]
    heights = [0.55, *(grid.shape[0] / grid.shape[1] * 6.1 for grid in grids)]
    with picture(
        width=8, height=0.55 + sum(max(size, 0.36) + 0.14 for size in heights), dark=dark, layout="none"
    ) as figure:
        height = figure.get_figheight()
        figure.text(0.02, 1 - 0.2 / height, "An image on its way through the network", fontsize=13, va="center")
        y = height - 0.45
        names = [("image", image.shape), *((f"{one.path}  {one.type}", one.output.shape[1:]) for one in seen)]
        for (name, shape), grid, size in zip(names, [None, *grids], heights):
            y -= max(size, 0.36)
            axes = figure.add_axes(
                (2.2 / 8.5, (y + max(0.18 - size / 2, 0)) / height, 6.1 / 8.5, size / height), anchor="W"
            )
            if grid is None:
                show_image(axes, as_drawn(image.detach().cpu().numpy()))
            elif np.nanmin(grid) < 0:
                show_signed(axes, grid, limit=float(np.nanmax(abs(grid))))
            else:
                show_map(axes, grid)
            _frameless(axes)
            middle = (y + max(size, 0.36) / 2) / height
            figure.text(0.02, middle, name, va="bottom", fontsize=min(11, max(6, 11 * 21 / len(name))))
            figure.text(0.02, middle - 0.03 / height, _product(shape), va="top", color=figure.look.quiet, fontsize=9)
            y -= 0.14
    return figure


def draw_overview(
    model: Module,
    image: Tensor,
    classes: Sequence[str] | None = None,
    label: int | None = None,
    *,
    title: str = "What the network sees",
    dark: bool = False,
) -> Figure:
    """Draw what a trained network sees: an image, its feature maps stage by stage, and the answer.

    A stage is a layer with what follows it element by element, such as a convolution with its sigmoid. Every map is
    drawn from its smallest value to its largest one.

    Parameters
    ----------
    model : Module
        Its output for one image is one number for each class.
    image : Tensor
        Of shape (C, H, W).
    classes : sequence of str, optional
        The names of the classes; by default their numbers.
    label : int, optional
        The true class.
    title : str, optional
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the output of the model is not of shape (1, classes).

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> figure = draw_overview(mt.models.LeNet(), mt.rand(1, 28, 28))
    >>> [axes.get_label() for axes in figure.axes]
    ['image', 'Conv2d', 'AvgPool2d', 'Conv2d', 'AvgPool2d', 'Linear', 'Linear', 'classes']
    """
    found = activations(model, image[None])
    if not found or found[-1].output.ndim != 2:
        came = found[-1].output.shape if found else "none"
        raise ValueError(f"expected a network whose output for one image has the shape (1, classes), got {came}")
    logits = found[-1].output[0]
    stages = _stages(found[:-1])
    names = names_of(classes, len(logits))
    grids = [_as_block(output) for _, output in stages]
    side = 0.118  # inches: a map of n pixels is this times the root of n wide
    sizes = [_inches(grid, output, side) for grid, (_, output) in zip(grids, stages)]
    rooms = [max(w, 0.09 * max(map(len, kinds))) for (w, _), (kinds, _) in zip(sizes, stages)]  # of maps and names
    gap, first, last = 0.24, 1.3, 2.45
    width = 0.2 + first + sum(rooms) + gap * (len(sizes) + 1) + last + 0.1
    height = max([2.3, *(h + 0.2 * len(kinds) for (_, h), (kinds, _) in zip(sizes, stages))]) + 1.0
    with picture(width=width, height=height, dark=dark, layout="none") as figure:
        look, middle = figure.look, (height - 0.35) / 2 / height

        def place(x, w, h, label):
            return figure.add_axes((x / width, middle - h / height / 2, w / width, h / height), label=label)

        def caption(x, w, h, above, below):
            centre = (x + w / 2) / width
            y = middle + (h / 2 + 0.1) / height
            figure.text(centre, y, above, ha="center", va="bottom", fontsize=10.5, linespacing=1.25)
            y = middle - (h / 2 + 0.1) / height
            figure.text(centre, y, below, ha="center", va="top", color=look.quiet, fontsize=10)

        x = 0.2
        axes = place(x, first, first, "image")
        show_image(axes, as_drawn(image.detach().cpu().numpy()))
        caption(x, first, first, "the image" if label is None else names[label], _product(image.shape))
        x += first
        for (kinds, output), grid, (w, h), room in zip(stages, grids, sizes, rooms):
            _arrow(figure, (x + 0.05) / width, (x + gap - 0.05) / width, middle)
            x += gap
            axes = place(x + (room - w) / 2, w, h, kinds[0])
            show_map(axes, _stretched(grid, output))
            _frameless(axes)
            is_maps, most = output.ndim == 3, MOST if output.ndim == 3 else CELLS
            below = f"{most} of {len(output)}" if len(output) > most else f"{len(output)}"
            if is_maps:
                below += f" map{'s' * (len(output) > 1)}\n{_product(output.shape[1:])}"
            caption(x, room, h, "\n".join(kinds), below)
            x += room
        _arrow(figure, (x + 0.05) / width, (x + gap - 0.05) / width, middle)
        tall = min(2.6, height - 1.2)
        axes = place(x + gap + 1.05, last - 1.05, tall, "classes")
        draw_bars(axes, probabilities_of(logits), names, label)
        figure.text(0.2 / width, 1 - 0.28 / height, title, fontsize=14, va="center")
    return figure


def draw_changes(model: Module, states: Mapping[int, Mapping[str, Any]], *, dark: bool = False) -> Figure:
    """Draw how the weights of a network changed from epoch to epoch.

    On the left the filters of the first convolution, a row for each epoch; on the right, for each layer with weights,
    how far they moved in an epoch, relative to their size.

    Parameters
    ----------
    model : Module
        It says which weights are filters; its own are not looked at.
    states : dict of int to dict of str to Tensor
        The `state_dict` after each epoch, by its number.
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are fewer than two epochs.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> nets = [mt.models.LeNet() for _ in range(3)]
    >>> figure = draw_changes(nets[0], {epoch: net.state_dict() for epoch, net in enumerate(nets)})
    >>> [len(line.get_xdata()) for line in figure.axes[-1].lines]
    [2, 2, 2, 2, 2]
    """
    if len(states) < 2:
        raise ValueError(f"expected the weights of at least two epochs, got {len(states)}")
    epochs, names = sorted(states), [name for name, p in model.named_parameters() if p.ndim > 1]
    moved = {
        name: [_distance(states[a][name].numpy(), states[b][name].numpy()) for a, b in itertools.pairwise(epochs)]
        for name in names
    }
    convolutions = [path for path, layer in model.named_modules() if isinstance(layer, Conv2d)]
    rows = sorted({epochs[round(i)] for i in np.linspace(0, len(epochs) - 1, min(ROWS, len(epochs)))})
    with picture(width=8.5, height=0.9 + max(2.6, 0.44 * len(rows)), dark=dark) as figure:
        from matplotlib.ticker import MaxNLocator

        figure.suptitle("How the weights changed from epoch to epoch")
        right = figure
        if convolutions:
            left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
            left.look = right.look = figure.look
            name = f"{convolutions[0]}.weight".lstrip(".")
            filters = np.stack([states[epoch][name].numpy()[:8, 0] for epoch in rows])  # (epochs, filters, KH, KW)
            axes = left.subplots()
            show_signed(axes, mosaic(filters), limit=float(abs(filters).max()))
            _frameless(axes)
            pitch = filters.shape[2] + max(1, round(filters.shape[3] / 10))
            axes.set_yticks([pitch * i + (filters.shape[2] - 1) / 2 for i in range(len(rows))], rows)
            axes.tick_params(length=0)
            axes.set(ylabel="epoch", title=f"filters of layer {convolutions[0]}" if convolutions[0] else "filters")
        axes = right.subplots()
        for place, (name, values) in enumerate(moved.items()):
            path = name.rpartition(".")[0]
            label = f"{path}  {type(model.get_submodule(path)).__name__}"
            axes.plot(epochs[1:], values, "os^Dv<>"[place % 7] + "-", label=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set(xlabel="epoch", title="moved in an epoch, relative to their size", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid()
        axes.legend(ncols=1 + (len(moved) > 6))
    return figure


# --- how ---------------------------------------------------------------------------------------------------


def _filters_of(model):
    """The weights of each convolution, by its path."""
    found = {path: layer.weight for path, layer in model.named_modules() if isinstance(layer, Conv2d)}
    if not found:
        raise ValueError(
            f"expected a network with a Conv2d, got {type(model).__name__} without one: no filters to draw"
        )
    return {path: weight.detach().cpu().numpy() for path, weight in [*found.items()][:CONVOLUTIONS]}


def _title_of_filters(path, weight):
    n, channels, kh, kw = weight.shape
    first = f", the first {MOST} shown" if n > MOST else ""
    each = f", each on {channels} channels" if channels > 1 else ""
    of_each = f", the first {CHANNELS} shown" if channels > CHANNELS else ""
    return f"{f'layer {path}: ' if path else ''}{n} filters of {kh}×{kw}{first}{each}{of_each}"


def _product(shape):
    return "×".join(map(str, shape))


def _distance(before, after):
    return float(np.linalg.norm(after - before) / max(np.linalg.norm(before), 1e-12))


def _frameless(axes):
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _one_row(output):
    """What a layer made of one image, as one row of maps, or as cells in a few lines."""
    if output.ndim == 3:
        return mosaic(output[:MOST], columns=max(min(MOST, len(output)), 8))
    return _padded(output.reshape(-1)[:512], 64)


def _padded(cells, columns):
    rows = -(-len(cells) // columns)
    return np.concatenate([cells, np.full(rows * columns - len(cells), np.nan)]).reshape(rows, columns)


def _stages(found):
    """``(names of layers, output)``: a stage begins with a layer of filters, or where the shape changes.

    Of a stage the last output is shown: maps, or numbers; a map of a single pixel is a number.
    """
    runs = []
    for seen in found:
        output = seen.output[0]
        if seen.type == "Flatten":  # shows nothing new
            continue
        if output.ndim != 3 or output.shape[1:] == (1, 1):
            output = output.reshape(-1)
        has_filters = any(parameter.ndim > 1 for parameter in seen.layer.parameters())
        if runs and runs[-1][1].shape == output.shape and not has_filters:
            runs[-1] = [*runs[-1][0], seen.type], output
        else:
            runs.append(([seen.type], output))
    chosen = sorted({round(i) for i in np.linspace(0, len(runs) - 1, min(STAGES, len(runs)))}) if runs else []
    return [([*runs[i][0][:3], *["..."] * (len(runs[i][0]) > 3)], runs[i][1]) for i in chosen]


def _as_block(output):
    """What a stage made of one image: its maps in a block, or its numbers in a tall one."""
    if output.ndim == 3:
        return mosaic(output[:MOST], columns=math.ceil(math.sqrt(min(len(output), MOST) * 0.6)))
    cells = output.reshape(-1)[:CELLS]
    return _padded(cells, max(1, math.ceil(math.sqrt(len(cells) / 3.5))))


def _inches(grid, output, side):
    """The width and height of a stage: maps of many pixels are larger, but not in proportion."""
    pixel = side / math.sqrt(max(output.shape[-2:])) if output.ndim == 3 else 0.09
    return grid.shape[1] * pixel, grid.shape[0] * pixel


def _stretched(grid, output):
    """A block with each map stretched to the whole range of colours; of numbers, all together."""
    if output.ndim != 3:
        return grid
    maps = output[:MOST]
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return _as_block((maps - low) / np.maximum(high - low, 1e-12))


def _arrow(figure, left, right, y):
    from matplotlib.patches import FancyArrowPatch

    shape = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    arrow = FancyArrowPatch((left, y), (right, y), transform=figure.transFigure, color=figure.look.quiet, **shape)
    figure.add_artist(arrow)
