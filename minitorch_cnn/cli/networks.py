"""What ``--model`` means, and the commands that look at a network: ``gradcheck`` and ``summary``."""

import importlib
import sys
from pathlib import Path

import minitorch_cnn
from minitorch_cnn import models, nn, training
from minitorch_cnn.backend.arguments import described
from minitorch_cnn.cli.arguments import at_least, file_to_write, name_of, positive, shape
from minitorch_cnn.data.files import atomic_file
from minitorch_cnn.training.checkpoint import load_saved

NETWORKS = {"lenet": lambda: models.LeNet().apply(models.xavier_uniform), "lenet-modern": models.LeNetModern}
INITIAL = {"lenet": "Xavier-uniform"}  # the weights of those that do not keep their layers' own
SPEC = f"{', '.join(NETWORKS)}, or MODULE:NAME: a module, and in it a network or what makes one when called"


def network_of(spec):
    """The network that ``--model`` means, with the weights that its training begins with.

    LeNet's are Xavier-uniform, as in the chapter. A network of the user's keeps those that it was made with.

    Parameters
    ----------
    spec : str
        A name in `NETWORKS`, or ``module:name``, where the name is that of a network or of what makes one.

    Returns
    -------
    nn.Module

    Raises
    ------
    RuntimeError
        If there is no such network, or the user's code fails.
    """
    if spec in NETWORKS:
        return NETWORKS[spec]()
    if ":" not in spec:
        names = ", ".join(NETWORKS)
        raise RuntimeError(f"--model expected {names}, or a module and a name, such as mynet:Net, got {spec!r}")
    model = _named("--model", spec)
    if not isinstance(model, nn.Module) and callable(model):
        model = explained(f"--model {spec}", model)
    if not isinstance(model, nn.Module):
        raise RuntimeError(f"--model {spec}: expected an nn.Module or what makes one, got {type(model).__name__}")
    return model


def trained_network(path, best=False, spec=None, for_images=False):
    """A trained network, in evaluation mode, and the file that its weights are from.

    Parameters
    ----------
    path : str or Path
        The folder of a run, its checkpoint, or a file of weights.
    best : bool, default False
        Of a run's folder, take the epoch of the best test accuracy.
    spec : str, optional
        The network, as for `network_of`; by default the one that the run was trained with, which a file of weights
        alone does not tell: LeNet.
    for_images : bool, default False
        Refuse one that is not for the images of Fashion-MNIST.

    Returns
    -------
    nn.Module, Path

    Raises
    ------
    RuntimeError
        If there is nothing to read, if it is damaged, or if it does not fit the network.
    """
    path = Path(path)
    if path.is_file():
        if best:
            raise RuntimeError(f"--best is for the folder of a run, and {path} is a file: leave one of them out")
        saved = load_saved(path)
        weights = saved.model
    else:
        run = training.Run(path)
        saved, path = run.load(), run.best if best else run.checkpoint
        weights = run.load_weights(best=True) if best else saved.model
    spec = spec or str(saved.recipe.get("model", "lenet"))
    net = network_of(spec)
    try:
        net.load_state_dict(weights)
    except (RuntimeError, ValueError, TypeError) as error:
        raise RuntimeError(f"the weights in {path} are not those of --model {spec}: {error}") from error
    if for_images:
        check_for_images(net, spec)
    return net.eval(), path


def check_for_images(net, spec):
    """Refuse a network that does not map grey images of 28×28 pixels to one number for each of ten classes.

    Returns
    -------
    Tensor
        Its outputs, of two images.

    Raises
    ------
    RuntimeError
    """
    images, expected = minitorch_cnn.zeros(2, 1, 28, 28), (2, 10)
    y = explained(f"--model {spec}", net.eval(), images)
    net.train()
    is_tensor = isinstance(y, minitorch_cnn.Tensor)
    if not is_tensor or y.shape != expected or not y.is_floating_point():
        came = f"{y.shape} of {y.dtype}" if is_tensor else described(y)
        raise RuntimeError(
            f"--model {spec}: of images of shape {images.shape}, expected floating-point outputs of shape {expected}, "
            f"one for each class, got {came}"
        )
    return y


def gradcheck(arguments):
    """Compare the gradients of a network, of its input and of all its parameters, with difference quotients.

    It runs in float64 on a batch of random numbers; its outputs are added up with random weights. With --pair, two
    functions of arrays are compared, forward(*arrays) and backward(dy, *arrays).
    """
    settings = {"eps": arguments.eps, "atol": arguments.atol, "fast_mode": not arguments.full}
    settings["progress"] = not arguments.quiet
    minitorch_cnn.manual_seed(arguments.seed)
    report = (_check_pair if arguments.pair else _check_model)(arguments, settings)
    if not arguments.quiet:
        print(report)
    elif not report.ok:
        print(report.message())
    if arguments.plot:
        with atomic_file(arguments.plot) as file:
            file.write(report.to_png())
        print(f"the error against the step size is drawn in {arguments.plot}")
    if not report.passes(allow_kinks=True):
        wrong = [row.name for row in report.rows if row.is_mistake and not row.is_operation]
        if not wrong:
            raise RuntimeError("the gradients agree, but an operation is wrong by itself")
        raise RuntimeError(f"the check failed for the gradients with respect to {', '.join(wrong)}")


def _check_model(arguments, settings):
    """The report on a network, and on an input of random numbers between 0 and 1."""
    model = network_of(arguments.model).double().train(not arguments.eval)
    images = minitorch_cnn.rand(*arguments.input_shape, dtype=minitorch_cnn.float64, requires_grad=True)
    explained(arguments.model, nn.summary, model, arguments.input_shape)  # lazy layers take their sizes
    elements = sum(x.numel() for x in (images, *model.parameters()))
    if not arguments.quiet:
        what = f"{arguments.model}, input {arguments.input_shape}, seed {arguments.seed}"
        print(f"{what}: {elements:,} elements", flush=True)
    return explained(arguments.model, minitorch_cnn.gradcheck_report, model, images, **settings)


def _check_pair(arguments, settings):
    """The report on two functions, on arrays of normally distributed random numbers."""
    if not arguments.shape:
        raise RuntimeError("--pair needs the shape of each input: --shape 2,3 for one, --shape 2,3 --shape 3 for two")
    functions = [_named("--pair", spec) for spec in arguments.pair]
    arrays = [minitorch_cnn.randn(*shape, dtype=minitorch_cnn.float64).numpy() for shape in arguments.shape]
    shapes = " and ".join(map(str, arguments.shape))
    elements = sum(array.size for array in arrays)
    if not arguments.quiet:
        what = f"{' and '.join(arguments.pair)}, inputs {shapes}, seed {arguments.seed}"
        print(f"{what}: {elements:,} elements", flush=True)
    return explained(" and ".join(arguments.pair), minitorch_cnn.checking.check_pair, *functions, *arrays, **settings)


def summary(arguments):
    """List the layers of a network: output shapes, parameters, multiply-adds, receptive fields, memory."""
    print(explained(arguments.model, nn.summary, network_of(arguments.model), arguments.input_shape))


def add_gradcheck(commands):
    """Add the command ``gradcheck``."""
    parser = commands.add_parser("gradcheck", help="check a network's gradients", description=gradcheck.__doc__)
    parser.set_defaults(command=gradcheck)
    _add_model(parser, (2, 1, 28, 28))
    parser.add_argument(
        "--pair", nargs=2, metavar=("MODULE:FORWARD", "MODULE:BACKWARD"),
        help="check two functions of NumPy arrays in place of a network: forward(*arrays), backward(dy, *arrays)",
    )  # fmt: skip
    parser.add_argument(
        "--shape", type=shape, action="append", metavar="N,M", help="with --pair: of an input; once for each"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--fast", action="store_true",
        help="check tensors of more than 100 elements along three random directions (the default)",
    )  # fmt: skip
    extent.add_argument("--full", action="store_true", help="check every element: for LeNet, a minute or two")
    parser.add_argument("--eval", action="store_true", help="check in evaluation mode, as dropout needs")
    for option, convert, default, help in (
        ("--seed", at_least(0), 0, "of the weights and the input"),
        ("--eps", positive, 1e-6, "the step of the difference quotients"),
        ("--atol", positive, 1e-7, "the error allowed, beside a thousandth of the quotient"),
    ):
        parser.add_argument(option, type=convert, default=default, metavar="N", help=f"{help} (default: {default:g})")
    parser.add_argument(
        "--plot", type=file_to_write(".png"), metavar="FILE.png", help="draw the error against the step size"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print what is wrong alone, and no bar")


def add_summary(commands):
    """Add the command ``summary``."""
    parser = commands.add_parser("summary", help="list a network's layers", description=summary.__doc__)
    parser.set_defaults(command=summary)
    _add_model(parser, (1, 1, 28, 28))


def add_spec(parser, default):
    """Add ``--model`` to a command; `default` is for its help."""
    parser.add_argument("--model", type=name_of, metavar="SPEC", help=f"{SPEC} (default: {default})")


def add_trained(parser, default):
    """Add to a command what says which network of a run it is: ``--model``, as `add_spec`, and ``--best``."""
    add_spec(parser, default)
    parser.add_argument(
        "--best", action="store_true", help="of a run's folder, take the epoch of the best test accuracy"
    )


def _add_model(parser, default):
    add_spec(parser, "lenet")
    parser.set_defaults(model="lenet")
    sizes = ",".join(map(str, default))
    parser.add_argument(
        "--input-shape", type=shape, default=default, metavar="N,C,H,W", help=f"with the batch (default: {sizes})"
    )


def _named(option, spec):
    """What ``module:name`` means."""
    module, _, name = spec.partition(":")
    if not name or not all(part.isidentifier() for part in module.split(".")):
        raise RuntimeError(f"{option} expected a module and a name, such as mynet:Net, got {spec!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # what `python -m` does: modules of the present folder are found
    try:
        found = getattr(explained(f"{option} {spec}", importlib.import_module, module), name, None)
    except RuntimeError as error:
        if getattr(error.__cause__, "name", None) in (module, module.partition(".")[0]):
            raise RuntimeError(
                f"{option} {spec}: there is no module {module}: go to the folder that has {module.replace('.', '/')}.py"
            ) from error
        raise
    if found is None:
        raise RuntimeError(f"{option} {spec}: the module {module} has no {name}")
    return found


def explained(what, function, *args, **kwargs):
    """Call a function that runs the user's code; an error from it becomes a message of ours.

    Raises
    ------
    RuntimeError
    """
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        raise RuntimeError(f"{what}: {type(error).__name__}: {error}") from error
