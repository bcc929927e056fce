"""The commands that look into one training step: ``graph`` and ``trace``."""

import minitorch_cnn
from minitorch_cnn import inspection
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.cli import networks
from minitorch_cnn.cli.arguments import at_least, file_to_write, name_of, shape
from minitorch_cnn.data.files import atomic_file
from minitorch_cnn.nn.functional import cross_entropy


def graph(arguments):
    """List the computation graph of one training step: operations, shapes, and what is kept for the way back.

    The step is one of images of random numbers and random labels; the loss is the cross-entropy.
    """
    model, images, labels = _ingredients(arguments)
    loss = networks.explained("the step", lambda: cross_entropy(model(images), labels))
    found = inspection.graph(loss, model, images=images, labels=labels)
    print(found)
    _draw(found, arguments)


def trace(arguments):
    """List one training step, operation by operation: times, multiply-adds, memory, norms of gradients.

    The step is one of images of random numbers and random labels; the loss is the cross-entropy.
    """
    model, images, labels = _ingredients(arguments)
    found = networks.explained("the step", inspection.trace, model, images, labels=labels, repeat=arguments.repeat)
    print(found)
    _draw(found, arguments)


def _ingredients(arguments):
    """The network, in training mode, random images, and labels."""
    minitorch_cnn.manual_seed(arguments.seed)
    if arguments.run:
        model, _ = networks.trained_network(arguments.run, arguments.best, arguments.model)
    else:
        model = networks.network_of(arguments.model or "lenet")
    images = minitorch_cnn.rand(*arguments.input_shape)
    with minitorch_cnn.no_grad():
        y = networks.explained("the network", model.eval(), images[:1])
    if not isinstance(y, minitorch_cnn.Tensor) or y.ndim != 2:
        came = y.shape if isinstance(y, minitorch_cnn.Tensor) else described(y)
        raise RuntimeError(f"expected a network whose output has the shape (N, classes), got {came}")
    return model.train(), images, minitorch_cnn.randint(0, y.shape[1], (len(images),))


def _draw(found, arguments):
    if arguments.picture:
        figure = found.figure(dark=arguments.dark)
        is_svg = arguments.picture.lower().endswith(".svg")
        with atomic_file(arguments.picture) as file:
            file.write((inspection.to_svg if is_svg else inspection.to_png)(figure))
        print(f"drawn in {arguments.picture}")


# --- the command line ------------------------------------------------------------------------------------


def add_graph(commands):
    """Add the command ``graph``."""
    parser = commands.add_parser("graph", help="list the operations behind a loss", description=graph.__doc__)
    parser.set_defaults(command=graph)
    _add_step(parser)


def add_trace(commands):
    """Add the command ``trace``."""
    parser = commands.add_parser("trace", help="list what a training step costs", description=trace.__doc__)
    parser.set_defaults(command=trace)
    _add_step(parser)
    parser.add_argument(
        "--repeat", type=at_least(1), default=5, metavar="N", help="steps that times are the medians of (default: 5)"
    )


def _add_step(parser):
    parser.add_argument(
        "run", nargs="?", type=name_of, metavar="RUN",
        help="a run's folder, its checkpoint, or a file of weights (default: weights as a training begins with them)",
    )  # fmt: skip
    networks.add_trained(parser, "that of the run, or lenet")
    parser.add_argument(
        "--input-shape", type=shape, default=(256, 1, 28, 28), metavar="N,C,H,W",
        help="with the batch (default: 256,1,28,28)",
    )  # fmt: skip
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="of weights and images (default: 0)")
    parser.add_argument(
        "--picture", type=file_to_write(".png", ".svg"), metavar="FILE", help="draw it as well, as .png or .svg"
    )
    parser.add_argument("--dark", action="store_true", help="for a page with a dark ground")
