"""A page to explore a trained LeNet in a browser: one HTML file, which computes everything itself and asks no server.

The page's sources stand in `page/`: `lenet.js` is the arithmetic, forward and backward, with the names of this library.
Here they are put together with what the page is about: weights, test images, and what the run measured.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from minitorch_cnn.autograd import no_grad
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.data.dataset import ImageDataset
from minitorch_cnn.models import LeNet
from minitorch_cnn.nn.module import Module
from minitorch_cnn.ops.creation import tensor

__all__ = ["explore_page"]

PAGE = Path(__file__).with_name("page")
SCRIPTS = (
    "lenet", "data", "text", "drawing", "state", "image", "network", "number", "follow", "learning", "geometry",
    "start",
)  # fmt: skip
LIMIT = 2_000_000  # bytes of a page
IMAGES_PER_CLASS = 5
WRONG_PER_CLASS = 2  # of these, where the network is wrong


def explore_page(
    net: Module,
    dataset: ImageDataset,
    epochs: Mapping[int, Mapping[str, Tensor]] | None = None,
    *,
    history: Sequence = (),
    recipe: dict | None = None,
    name: str = "",
) -> str:
    """Return an HTML page to explore a trained LeNet with: its maps, its gradients, its steps of SGD.

    The page needs no network, no server and no other file. Its weights are those of `net`, in float32; those of earlier
    epochs are rounded to 8 bits, with a scale for each row, so that the page stays below 2 MB. Should they be too
    many, only some are taken, evenly from the first to the last.

    Parameters
    ----------
    net : nn.Module
        A network with LeNet's layers, as `models.LeNet` makes it.
    dataset : ImageDataset
        Test images of 28×28 pixels in ten classes. Five of each class are taken, two of them such that the network
        is wrong about, where there are such.
    epochs : dict of int to dict, optional
        The ``state_dict`` after each epoch before the last; 0 stands for the initial weights.
    history : list of Epoch, optional
        What the run measured: its curves.
    recipe : dict, optional
        The settings of the run. Its ``"lr"`` is among the learning rates to choose from.
    name : str, optional
        What the page is made from, for its last line.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the network, or the weights of an epoch, are not those of a LeNet.

    Examples
    --------
    >>> from minitorch_cnn.data import ImageDataset
    >>> images = ImageDataset(np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10)
    >>> page = explore_page(LeNet(), images)
    >>> page[:15], len(page) < LIMIT
    ('<!doctype html>', True)
    """
    weights = _arrays(net.state_dict(), "the network")
    earlier = {number: _arrays(state, f"epoch {number}") for number, state in sorted((epochs or {}).items())}
    chosen, start = _choose(net, dataset)
    data = {
        "name": name,
        "recipe": recipe or {},
        "history": [[row.epoch, row.loss, row.train_acc, row.test_acc] for row in history],
        "parameters": [[parameter, array.shape] for parameter, array in weights.items()],
        "images": _base64(dataset.data[chosen]),
        "labels": dataset.targets[chosen].tolist(),
        "start": start,
        "epoch": max([len(history), *(number + 1 for number in earlier)]),
        "weights": _base64(np.concatenate([array.ravel() for array in weights.values()])),
        "earlier": [],
    }
    room = LIMIT - len(_fill(data).encode())
    rounded = [[number, *_rounded(arrays)] for number, arrays in earlier.items()]
    fitting = room // (len(json.dumps(rounded[0])) + 2) if rounded else 0
    data["earlier"] = [rounded[i] for i in _evenly(len(rounded), fitting)]
    return _fill(data)


def _arrays(state, what):
    """The weights as NumPy arrays in float32, in LeNet's order, if they are a LeNet's."""
    expected = {name: parameter.shape for name, parameter in LeNet().state_dict().items()}
    found = {name: tuple(parameter.shape) for name, parameter in state.items()}
    if found != expected:
        different = next(name for name in {**expected, **found} if expected.get(name) != found.get(name))
        raise ValueError(
            f"the page draws LeNet alone, and {what} is none: expected {different} of shape "
            f"{expected.get(different, 'none')}, got {found.get(different, 'none')}"
        )
    return {name: np.asarray(state[name].detach().cpu().numpy(), "<f4") for name in expected}


def _choose(net, dataset):
    """Choose test images, class by class: their indices, and the place among them of the one to begin with.

    That is the one that the network names rightly, and is least sure of: its gradients are not near 0.
    """
    with no_grad():
        batches = [
            net(tensor(images[:, None] / np.float32(255))).softmax(1).numpy()
            for images in np.array_split(dataset.data, -(-len(dataset.data) // 1000))
        ]
    probabilities = np.concatenate(batches)  # (N, 10)
    is_wrong = probabilities.argmax(1) != dataset.targets
    chosen = []
    for label in np.unique(dataset.targets):
        right, wrong = (np.flatnonzero((dataset.targets == label) & which) for which in (~is_wrong, is_wrong))
        count = max(IMAGES_PER_CLASS - len(right), min(len(wrong), WRONG_PER_CLASS))
        chosen += [*right[: IMAGES_PER_CLASS - count], *wrong[:count]]
    certainty = probabilities[chosen, dataset.targets[chosen]] + is_wrong[chosen]
    return chosen, int(certainty.argmin())


def _rounded(arrays):
    """Weights in 8 bits, and the scale of each row: w = scale q. A bias is one row."""
    rows = [row for array in arrays.values() for row in np.atleast_2d(array.reshape(len(array), -1).squeeze())]
    scales = [max(float(abs(row).max()), 1e-30) / 127 for row in rows]
    numbers = [np.rint(row / scale).astype("i1") for row, scale in zip(rows, scales)]
    return _base64(np.concatenate(numbers)), _base64(np.array(scales, "<f4"))


def _evenly(count, most):
    """At most so many of the places 0 to count - 1, evenly, the first and the last among them."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, most)).round()})


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _fill(data):
    """The skeleton of the page with its parts in it, and this data: where it says <!-- style --> and so on."""
    scripts = "\n".join(_source(f"{name}.js") for name in SCRIPTS)
    strings = json.loads(_source("strings.json"))
    parts = {
        "noscript": f"<noscript>{' '.join(strings['noscript'].values())}</noscript>",
        "style": f"<style>\n{_source('page.css')}</style>",
        "strings": _json_element("strings", strings),
        "data": _json_element("data", data),
        "scripts": f"<script>\n{scripts}</script>",
    }
    return re.sub("<!-- (style|noscript|strings|data|scripts) -->", lambda match: parts[match[1]], _source("page.html"))


def _source(name):
    return (PAGE / name).read_text(encoding="utf-8")


def _json_element(name, value):
    """An element that holds data. Within it only "<" could mean something to HTML."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
