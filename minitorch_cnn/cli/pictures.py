"""The commands that show what was trained: ``plot`` and ``predict``."""

import sys
from pathlib import Path

import numpy as np

import minitorch_cnn
from minitorch_cnn import data, inspection, training
from minitorch_cnn.cli import networks
from minitorch_cnn.cli.arguments import at_least, file_to_write, name_of, one_of
from minitorch_cnn.cli.running import RUNS, load_test_data
from minitorch_cnn.data.files import atomic_file, escaped, make_folder
from minitorch_cnn.training.checkpoint import load_saved


def plot(arguments):
    """Draw what a run has learned, as PNG files.

    overview: an image, what each stage of the network makes of it, and the answer; curves: loss and accuracy;
    filters: the weights of each convolution; maps: an image through all layers; changes: the weights from epoch to
    epoch; confusion: which class is taken for which; mistakes: those of which the network was most certain. What a
    network has not is left out, and said.
    """
    show = Shown(arguments)
    chosen, drawn = list(dict.fromkeys(arguments.pictures)) or list(PICTURES), 0
    if not {"curves", "filters", "changes"}.issuperset(chosen):
        show.read_images()
    make_folder(show.folder)
    for name in chosen:
        try:
            figure = PICTURES[name](show)
        except (RuntimeError, ValueError, TypeError) as error:  # what a network or a run does not have
            if arguments.pictures:
                raise RuntimeError(f"{name}: {error}") from error
            print(f"minitorch-cnn: {name} is left out: {escaped(error)}", file=sys.stderr)
            continue
        with atomic_file(show.folder / f"{name}.png") as file:
            file.write(inspection.to_png(figure))
        print(show.folder / f"{name}.png", flush=True)
        drawn += 1
    if not drawn:
        raise RuntimeError(f"nothing could be drawn of {show.path}")


class Shown:
    """What pictures are drawn of; data and answers are read when a picture first asks for them."""

    def __init__(self, arguments):
        self.arguments, self.dark = arguments, arguments.dark
        self.path = Path(arguments.run or training.Run.newest(RUNS).folder)
        self.net, _ = networks.trained_network(self.path, arguments.best, arguments.model, for_images=True)
        self.folder = Path(arguments.out or (self.path.parent if self.path.is_file() else self.path) / "pictures")
        saved = load_saved(self.path) if self.path.is_file() else self.run.load()
        name = (arguments.model or saved.recipe.get("model", "lenet")).rpartition(":")[2]
        self.name = {"lenet": "LeNet"}.get(name, name)
        self.classes, self._answers = data.FashionMNIST.classes, None

    def read_images(self):
        """Read the test images, and choose one: an `image` (1, 28, 28) and its `label`."""
        self.images = load_test_data(self.arguments)
        dataset, number = self.images.dataset, self.arguments.image
        if number >= len(dataset):
            raise RuntimeError(f"--image {number}: the test images have the numbers 0 to {len(dataset) - 1}")
        self.image, self.label = dataset[number]

    @property
    def run(self):
        """The run; a file of weights has none."""
        if self.path.is_file():
            raise RuntimeError(f"{self.path} is a file of weights: give the folder of a run")
        return training.Run(self.path)

    @property
    def answers(self):
        """The probabilities of all test images, and their labels."""
        if self._answers is None:
            self._answers = inspection.probabilities(self.net, self.images)
        return self._answers


def _curves_of(show):
    history = show.run.load().history
    if not history:
        raise RuntimeError("no epoch was finished")
    return history.figure(dark=show.dark)


def _overview_of(show):
    title = f"What a trained {show.name} sees"
    return inspection.draw_overview(show.net, show.image, show.classes, show.label, title=title, dark=show.dark)


def _confusion_of(show):
    probabilities, labels = show.answers
    confusion = np.zeros((probabilities.shape[1],) * 2, int)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return inspection.draw_confusion(confusion, show.classes, dark=show.dark)


def _mistakes_of(show):
    probabilities, labels = show.answers
    return inspection.draw_mistakes(show.images.dataset.data, labels, probabilities, show.classes, dark=show.dark)


def _changes_of(show):
    states = {epoch: show.run.load_epoch(epoch) for epoch in show.run.epochs()}
    return inspection.draw_changes(show.net, states, dark=show.dark)


PICTURES = {
    "overview": _overview_of,
    "curves": _curves_of,
    "filters": lambda show: inspection.draw_filters(show.net, dark=show.dark),
    "maps": lambda show: inspection.draw_maps(show.net, show.image, dark=show.dark),
    "changes": _changes_of,
    "confusion": _confusion_of,
    "mistakes": _mistakes_of,
}


def predict(arguments):
    """Say what a trained network takes a picture for: the three likeliest classes.

    A picture of any size becomes grey, is cut to what stands out from its ground, and made 28×28 pixels. What is dark
    on bright is inverted, because the network has learned from what is bright on black.
    """
    net, _ = networks.trained_network(arguments.run, arguments.best, arguments.model, for_images=True)
    read = []
    for path in arguments.images:
        try:
            read.append(inspection.read_image(path))
        except ValueError as error:
            raise RuntimeError(error) from error
    images = minitorch_cnn.from_numpy(np.stack([pixels.image for pixels in read])[:, None])  # (N, 1, 28, 28)
    nobody_knows = minitorch_cnn.zeros(len(read), dtype=minitorch_cnn.int64)
    probabilities, _ = networks.explained("the network", inspection.probabilities, net, [(images, nobody_knows)])
    classes = data.FashionMNIST.classes
    for path, pixels, found in zip(arguments.images, read, probabilities):
        likeliest = np.argsort(-found, kind="stable")[:3]
        print(f"{path}: " + ", ".join(f"{classes[i]} {found[i]:.1%}" for i in likeliest))
        if pixels.is_inverted:
            print("  it is dark on bright, and was inverted: the network has learned from bright on black")
    if arguments.picture:
        titles = [
            Path(path).name + (", inverted" if pixels.is_inverted else "")
            for path, pixels in zip(arguments.images, read)
        ]
        originals = [pixels.original for pixels in read]
        figure = inspection.draw_answers(
            originals, images.numpy(), probabilities, classes, titles=titles, dark=arguments.dark
        )
        with atomic_file(arguments.picture) as file:
            file.write(inspection.to_png(figure))
        print(f"drawn in {arguments.picture}")


# --- the command line ------------------------------------------------------------------------------------


def add_plot(commands):
    """Add the command ``plot``; returns its parser."""
    parser = commands.add_parser("plot", help="draw what was learned", description=plot.__doc__)
    parser.set_defaults(command=plot)
    parser.add_argument(
        "run", nargs="?", type=name_of, metavar="RUN",
        help=f"a run's folder, its checkpoint, or a file of weights (default: the latest run in {RUNS})",
    )  # fmt: skip
    parser.add_argument(
        "pictures", nargs="*", type=one_of(PICTURES), metavar="PICTURE", help=f"{', '.join(PICTURES)} (default: all)"
    )
    parser.add_argument(
        "--image", type=at_least(0), default=0, metavar="N", help="the test image of overview and maps (default: 0)"
    )
    parser.add_argument("--out", type=name_of, metavar="DIR", help="folder for the pictures (default: RUN/pictures)")
    _add_network(parser)
    return parser


def add_predict(commands):
    """Add the command ``predict``."""
    parser = commands.add_parser("predict", help="say what a picture shows", description=predict.__doc__)
    parser.set_defaults(command=predict)
    parser.add_argument("run", type=name_of, metavar="RUN", help="a run's folder, its checkpoint, or a file of weights")
    parser.add_argument("images", nargs="+", type=name_of, metavar="IMAGE", help="files of pictures: PNG, JPEG, ...")
    parser.add_argument(
        "--picture",
        type=file_to_write(".png"),
        metavar="FILE.png",
        help="draw each picture, what the network sees of it, and its answer",
    )
    _add_network(parser)


def _add_network(parser):
    networks.add_trained(parser, "that of the run; of a file of weights, lenet")
    parser.add_argument("--dark", action="store_true", help="for a page with a dark ground")
