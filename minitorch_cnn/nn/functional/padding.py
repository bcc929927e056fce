"""Padding: by a constant, or by elements of the tensor itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.ops.indexing import GetItem
from minitorch_cnn.ops.shape import cat
from minitorch_cnn.ops.windows import Pad

__all__ = ["pad"]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """A tensor with a frame around its last dimensions.

    Parameters
    ----------
    input : Tensor
    pad : sequence of int
        (left, right, top, bottom, ...): how much to put before and after the last dimension, then the one before it,
        and so on. A negative width takes elements away.
    mode : {"constant", "reflect", "replicate", "circular"}
        What the frame holds: one value; the image mirrored at its edge; its edge; its opposite side.
    value : float, optional
        The constant, 0 by default.

    Returns
    -------
    Tensor
        With memory of its own.

    Raises
    ------
    NotImplementedError
        If there is no such mode.
    RuntimeError
        If there is no such dimension, the frame is wider than what the mode can fill it with, or a value is given to
        a mode that takes none.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> pad(mt.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    widths = _widths(input, pad)
    if mode not in MODES:
        raise NotImplementedError(f"unknown padding mode {mode!r}; expected one of {', '.join(MODES)}")
    if mode != "constant" and value is not None and value != 0:
        raise RuntimeError(f"padding mode {mode!r} doesn't take in a value argument, got {value}")
    frame = tuple((max(before, 0), max(after, 0)) for before, after in widths)
    if mode == "constant" or not any(map(any, frame)):  # a copy, also where there is no frame
        return _cropped(Pad(frame, 0.0 if value is None else value)(input), widths)
    if mode == "circular":  # what is taken away does not come back on the other side
        input, widths = _cropped(input, widths), frame
    for dim, (before, after) in enumerate(frame):
        if before or after:
            input = _extended(input, dim, before, after, mode)
    return _cropped(input, widths)


def framed(x, before, after, value=0.0):
    """Images with a frame of one value: `before` and `after` are pairs for height and width."""
    if not any((*before, *after)):
        return x
    return Pad(((0, 0), (0, 0), (before[0], after[0]), (before[1], after[1])), value)(x)


def without_frame(x, widths):
    """Images without so many rows at the top and at the bottom, and columns on the left and on the right."""
    (top, left), (h, w) = widths, x.shape[2:]
    return x[:, :, top : h - top, left : w - left] if top or left else x


def _widths(input, pad):
    """A pair (before, after) for each dimension."""
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"pad expected one pair of widths for each of at most {input.ndim} dimensions, last dimension first; "
            f"got {tuple(pad)} for shape {input.shape}"
        )
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)]
    widths = ([(0, 0)] * (input.ndim - len(pairs))) + pairs[::-1]
    for size, (before, after) in zip(input.shape, widths, strict=True):
        if size + before + after < 0:
            raise RuntimeError(f"pad: the widths {tuple(pad)} take away more than there is in shape {input.shape}")
    return widths


def _cropped(input, widths):
    """Without what negative widths take away."""
    if all(before >= 0 and after >= 0 for before, after in widths):
        return input
    sizes = zip(input.shape, widths, strict=True)
    return input[tuple(slice(max(-before, 0), size - max(-after, 0)) for size, (before, after) in sizes)]


def _extended(input, dim, before, after, mode):
    """One dimension extended at both ends by its own elements."""
    size = input.shape[dim]
    ends, widest = EXTENSIONS[mode]
    if max(before, after) > widest(size):
        raise RuntimeError(
            f"{mode} padding of ({before}, {after}) in dimension {dim} is too wide: at most {widest(size)} "
            f"can be filled from size {size} (input shape {input.shape})"
        )
    left, right = ends(input, dim, before, after)
    pieces = [left] if before else []
    pieces += [input, right] if after else [input]
    return cat(pieces, dim)


def _part(input, dim, *bounds):
    """A slice of one dimension; unlike one by ``input[...]``, also backwards."""
    return GetItem((*[slice(None)] * dim, slice(*bounds)))(input)


# --- the modes: what to put before and after a dimension -------------------------------------------------


def _mirrored(input, dim, before, after):
    """c b | a b c d | c b: the image mirrored at its edge, which is not repeated."""
    start = input.shape[dim] - 2
    end = start - after
    return _part(input, dim, before, 0, -1), _part(input, dim, start, end if end >= 0 else None, -1)


def _edges_repeated(input, dim, before, after):
    """a a | a b c d | d d: the edge, again and again."""

    def repeated(i, times):
        return _part(input, dim, i, i + 1).expand([times if k == dim else -1 for k in range(input.ndim)])

    return repeated(0, before), repeated(input.shape[dim] - 1, after)


def _continued(input, dim, before, after):
    """c d | a b c d | a b: the opposite side."""
    size = input.shape[dim]
    return _part(input, dim, size - before, size), _part(input, dim, 0, after)


# What is put there, and how much of it there can be. "constant" is no row: it is an operation, `Pad` in ops/windows.py.
EXTENSIONS = {
    "reflect": (_mirrored, lambda size: size - 1),
    "replicate": (_edges_repeated, lambda size: math.inf if size else 0),
    "circular": (_continued, lambda size: size),
}
MODES = ("constant", *EXTENSIONS)
