"""The commands that look at a network, LeNet or the user's: ``gradcheck`` and ``summary``."""

import errno
import importlib
import os
import sys
from pathlib import Path

import minitorch_cnn
from minitorch_cnn import models, nn
from minitorch_cnn.cli.arguments import at_least, png, positive, shape
from minitorch_cnn.data.files import atomic_file

LENET = "minitorch_cnn.models:LeNet"


def gradcheck(arguments):
    """Compare the gradients of a network, of its input and of all its parameters, with difference quotients.

    It runs in float64 on a batch of random numbers; its outputs are added up with random weights. With --pair, two
    functions of arrays are compared, forward(*arrays) and backward(dy, *arrays).
    """
    if arguments.plot and not Path(arguments.plot).absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments.plot)
    settings = {"eps": arguments.eps, "atol": arguments.atol, "fast_mode": not arguments.full, "progress": True}
    minitorch_cnn.manual_seed(arguments.seed)
    report = (_check_pair if arguments.pair else _check_model)(arguments, settings)
    print(report)
    if arguments.plot:
        with atomic_file(arguments.plot) as file:
            file.write(report.to_png())
        print(f"the error against the step size is drawn in {arguments.plot}")
    if not report.passes(allow_kinks=True):
        wrong = [row.name for row in report.rows if row.is_mistake and not row.is_operation]
        if not wrong:
            raise RuntimeError("the gradients agree, but an operation is wrong by itself")
        raise RuntimeError(f"the gradients with respect to {', '.join(wrong)} disagree with their difference quotients")


def _check_model(arguments, settings):
    """The report on a network, and on an input of random numbers between 0 and 1."""
    model = _model(arguments.model).double().train(not arguments.eval)
    images = minitorch_cnn.rand(*arguments.input_shape, dtype=minitorch_cnn.float64, requires_grad=True)
    elements = sum(x.numel() for x in (images, *model.parameters()))
    print(f"{arguments.model}, input {arguments.input_shape}, seed {arguments.seed}: {elements:,} elements", flush=True)
    return _explained(arguments.model, minitorch_cnn.gradcheck_report, model, images, **settings)


def _check_pair(arguments, settings):
    """The report on two functions, on arrays of normally distributed random numbers."""
    if not arguments.shape:
        raise RuntimeError("--pair needs the shape of each input: --shape 2,3 for one, --shape 2,3 --shape 3 for two")
    functions = [_named("--pair", spec) for spec in arguments.pair]
    arrays = [minitorch_cnn.randn(*shape, dtype=minitorch_cnn.float64).numpy() for shape in arguments.shape]
    shapes = " and ".join(map(str, arguments.shape))
    elements = sum(array.size for array in arrays)
    print(f"{' and '.join(arguments.pair)}, inputs {shapes}, seed {arguments.seed}: {elements:,} elements", flush=True)
    return _explained(" and ".join(arguments.pair), minitorch_cnn.checking.check_pair, *functions, *arrays, **settings)


def summary(arguments):
    """List the layers of a network: output shapes, parameters, multiply-adds, receptive fields, memory."""
    print(_explained(arguments.model, nn.summary, _model(arguments.model), arguments.input_shape))


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
    parser.add_argument("--plot", type=png, metavar="FILE.png", help="draw the error against the step size")


def add_summary(commands):
    """Add the command ``summary``."""
    parser = commands.add_parser("summary", help="list a network's layers", description=summary.__doc__)
    parser.set_defaults(command=summary)
    _add_model(parser, (1, 1, 28, 28))


def _add_model(parser, default):
    parser.add_argument(
        "--model", default=LENET, metavar="MODULE:NAME",
        help=f"a module, and the name in it of a network or of what makes one when called (default: {LENET})",
    )  # fmt: skip
    sizes = ",".join(map(str, default))
    parser.add_argument(
        "--input-shape", type=shape, default=default, metavar="N,C,H,W", help=f"with the batch (default: {sizes})"
    )


def _model(spec):
    """The network that ``module:name`` means."""
    if spec == LENET:
        return models.LeNet()
    model = _named("--model", spec)
    if not isinstance(model, nn.Module) and callable(model):
        model = _explained(f"--model {spec}", model)
    if not isinstance(model, nn.Module):
        raise RuntimeError(f"--model {spec}: expected an nn.Module or what makes one, got {type(model).__name__}")
    return model


def _named(option, spec):
    """What ``module:name`` means."""
    module, _, name = spec.partition(":")
    if not module or not name:
        raise RuntimeError(f"{option} expected a module and a name, such as mynet:Net, got {spec!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # what `python -m` does: modules of the present folder are found
    found = getattr(_explained(f"{option} {spec}", importlib.import_module, module), name, None)
    if found is None:
        raise RuntimeError(f"{option} {spec}: the module {module} has no {name}")
    return found


def _explained(what, function, *args, **kwargs):
    """Call a function that runs the user's code; an error from it becomes a message of ours."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        raise RuntimeError(f"{what}: {type(error).__name__}: {error}") from error
