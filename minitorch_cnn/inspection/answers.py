"""Pictures of what a network answers: probabilities, what is taken for what, and mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_cnn.backend import to_numpy
from minitorch_cnn.backend.annotations import Batches
from minitorch_cnn.inspection.figures import BLUE, ORANGE, picture, show_image
from minitorch_cnn.inspection.outputs import evaluating
from minitorch_cnn.nn.module import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_answers", "draw_confusion", "draw_mistakes", "probabilities"]


def probabilities(model: Module, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """The probability that a network gives to each class, for every image.

    Parameters
    ----------
    model : Module
        Its output is (N, classes), of any numbers: their softmax is taken. It is run in evaluation mode.
    batches : iterable of (Tensor, Tensor)
        Batches of images (N, C, H, W) and labels (N,), such as a `DataLoader`.

    Returns
    -------
    probabilities, labels : numpy.ndarray
        Of shape (N, classes) and (N,).

    Raises
    ------
    ValueError
        If there are no batches, or the output of the model is not of shape (N, classes), or not finite.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> images, labels = mt.rand(4, 1, 28, 28), mt.arange(4)
    >>> found, labels = probabilities(mt.models.LeNet(), [(images[:3], labels[:3]), (images[3:], labels[3:])])
    >>> found.shape, labels.tolist(), bool(np.allclose(found.sum(axis=1), 1))
    ((4, 10), [0, 1, 2, 3], True)
    """
    outputs, labels = [], []
    with evaluating(model):
        for images, truth in batches:
            y = model(images)
            if y.shape != (len(images), *y.shape[1:2]) or y.ndim != 2:
                raise ValueError(f"expected a network whose output has the shape (N, classes), got {y.shape}")
            outputs.append(probabilities_of(to_numpy(y.array)))
            if not np.isfinite(outputs[-1]).all():
                raise ValueError("the outputs of the network are not finite: see whether its weights or the images are")
            labels.append(to_numpy(truth.array))
    if not outputs:
        raise ValueError("expected batches of images and labels, got none")
    return np.concatenate(outputs), np.concatenate(labels)


def draw_confusion(confusion: Any, classes: Sequence[str] | None = None, *, dark: bool = False) -> Figure:
    """Draw how often each class was taken for each: a row for each true class, a column for each answer.

    Right answers are blue, mistakes orange, by their share of the true class; the numbers are counts.

    Parameters
    ----------
    confusion : array_like of int
        Of shape (classes, classes), such as that of `training.evaluate`.
    classes : sequence of str, optional
        Their names; by default their numbers.
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> figure = draw_confusion([[8, 2], [1, 9]], ["cat", "dog"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8', '2', '1', '9']
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"expected a square matrix of counts, got one of shape {confusion.shape}")
    n = len(confusion)
    names = names_of(classes, n)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    right = shares.diagonal().mean()
    with picture(width=max(4.5, 1.9 + 0.64 * n), height=max(3.5, 1.7 + 0.5 * n), dark=dark) as figure:
        from matplotlib.colors import LinearSegmentedColormap, to_rgb

        look, axes = figure.look, figure.subplots()
        colours = [
            LinearSegmentedColormap.from_list("share", [look.ground, look.colour(one)]) for one in (ORANGE, BLUE)
        ]
        cells = colours[0](np.clip(2.5 * shares, 0, 1) ** 0.7)  # mistakes are rare: full from 40 % on
        for i in range(n):
            cells[i, i] = colours[1](shares[i, i])
        show_image(axes, cells[..., :3], vmin=None, vmax=None, cmap=None, aspect="auto")
        if n <= 20:
            for (i, j), count in np.ndenumerate(confusion):
                if count:
                    contrast = abs(cells[i, j, :3].mean() - np.mean(to_rgb(look.ink)))
                    colour = look.ink if contrast > 0.38 else look.ground
                    axes.text(j, i, f"{count:,}", ha="center", va="center", color=colour, fontsize=9.5)
        axes.set_xticks(
            range(n), names, rotation=40 if n > 4 else 0, ha="right" if n > 4 else "center", rotation_mode="anchor"
        )
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0)
        axes.set(xlabel="the network says", ylabel="it is")
        axes.set_title(f"What is taken for what: {right:.1%} right, the mean of all classes", loc="left")
    return figure


def draw_mistakes(
    images: Any,
    labels: Any,
    probabilities: Any,
    classes: Sequence[str] | None = None,
    *,
    most: int = 24,
    dark: bool = False,
) -> Figure:
    r"""Draw the mistakes of which a network was most certain: what it said, and what it is.

    Parameters
    ----------
    images : array_like
        Of shape (N, H, W) or (N, C, H, W), bytes or numbers from 0 to 1.
    labels : array_like of int
        The true classes, of shape (N,).
    probabilities : array_like
        Of shape (N, classes), such as those of `probabilities`.
    classes : sequence of str, optional
        Their names; by default their numbers.
    most : int, default 24
        How many to draw.
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> said = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    >>> figure = draw_mistakes(np.zeros((3, 4, 4)), [1, 1, 0], said, ["cat", "dog"])
    >>> [axes.get_title() for axes in figure.axes]
    ['said cat, 90%\nis dog', 'said dog, 60%\nis cat']
    """
    images, labels, probabilities = (np.asarray(array) for array in (images, labels, probabilities))
    names = names_of(classes, probabilities.shape[1])
    said = probabilities.argmax(axis=1)
    certainty = np.where(said == labels, -1.0, probabilities.max(axis=1))
    wrong = int((said != labels).sum())
    chosen = np.argsort(-certainty, kind="stable")[: min(most, wrong)]
    rows = max(1, -(-len(chosen) // 6))
    with picture(width=8, height=0.6 + 1.85 * rows, dark=dark) as figure:
        figure.suptitle(
            f"{wrong:,} of {len(labels):,} are wrong; the network was most certain of these" if wrong else
            f"All {len(labels):,} answers are right"
        )  # fmt: skip
        for place, i in enumerate(chosen, start=1):
            axes = figure.add_subplot(rows, 6, place)
            image = images[i][None] if images.ndim == 3 else images[i]
            show_image(axes, as_drawn(image / 255 if image.dtype == np.uint8 else image))
            title = f"said {names[said[i]]}, {probabilities[i, said[i]]:.0%}\nis {names[labels[i]]}"
            axes.set_title(title, fontsize=8.6, linespacing=1.3)
            axes.set_xlabel(f"no. {i}", fontsize=8, color=figure.look.quiet, labelpad=2)
    return figure


def draw_answers(
    originals: Sequence[Any],
    images: Any,
    probabilities: Any,
    classes: Sequence[str] | None = None,
    *,
    titles: Sequence[str] | None = None,
    dark: bool = False,
) -> Figure:
    """Draw some images, what of them reached the network, and its answers: a row for each.

    Parameters
    ----------
    originals : sequence of array_like
        Each of shape (H, W) or (H, W, 3), numbers from 0 to 1.
    images : array_like
        What the network was given: (N, C, H, W).
    probabilities : array_like
        Of shape (N, classes).
    classes, titles : sequence of str, optional
        The names of the classes and of the images.
    dark : bool, default False
        For a page with a dark ground.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> figure = draw_answers([np.ones((40, 30))], np.zeros((1, 1, 28, 28)), [[0.1, 0.9]], ["cat", "dog"])
    >>> [float(bar.get_width()) for bar in figure.axes[2].patches]
    [0.1, 0.9]
    """
    images, probabilities = np.asarray(images), np.asarray(probabilities)
    names = names_of(classes, probabilities.shape[1])
    with picture(width=8, height=0.15 + 2.45 * len(images), dark=dark) as figure:
        rows = figure.subplots(len(images), 3, squeeze=False, width_ratios=(1.1, 1, 1.25))
        for i, (left, middle, right) in enumerate(rows):
            show_image(left, originals[i], titles[i] if titles else "the image")
            show_image(middle, as_drawn(images[i]), f"seen at {'×'.join(map(str, images[i].shape[1:]))}")
            draw_bars(right, probabilities[i], names)
    return figure


def draw_bars(axes, probabilities, names, label=None):
    """Draw the probability of each class, of more than ten the likeliest; in orange if the answer is wrong."""
    look = axes.figure.look
    shown = np.sort(np.argsort(-probabilities, kind="stable")[:10])
    said = int(probabilities.argmax())
    full = look.colour(ORANGE if label is not None and label != said else BLUE)
    axes.barh(range(len(shown)), probabilities[shown], color=[full if i == said else look.quiet for i in shown])
    axes.set(xlim=(0, 1.22), ylim=(len(shown) - 0.4, -0.6), xticks=[], yticks=range(len(shown)))
    axes.set_yticklabels([names[i] for i in shown], fontsize=10)
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    for tick, i in zip(axes.get_yticklabels(), shown):
        tick.set_color(full if i == said else look.ink)
        tick.set_fontweight("bold" if i == label or (label is None and i == said) else "normal")
    for place, i in enumerate(shown):
        if probabilities[i] >= 0.005:
            axes.text(probabilities[i] + 0.03, place, f"{probabilities[i]:.0%}", va="center", fontsize=9.5)


def names_of(classes, count):
    """The names of classes; where there are none, their numbers."""
    return list(map(str, range(count))) if classes is None else list(classes)


def probabilities_of(logits):
    """The softmax over the last dimension of a NumPy array."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def as_drawn(image):
    """An image (C, H, W) as matplotlib draws it: (H, W, 3) of three channels, else their mean (H, W)."""
    return image.transpose(1, 2, 0).clip(0, 1) if len(image) == 3 else image.mean(axis=0)
