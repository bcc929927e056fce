"""The command ``minitorch-cnn``: train a network on Fashion-MNIST, evaluate what was trained, look into a network."""

import argparse
import sys
import warnings

import minitorch_cnn
from minitorch_cnn import data, training
from minitorch_cnn.cli import about, exploring, networks, onestep, pictures
from minitorch_cnn.cli.arguments import name_of
from minitorch_cnn.cli.recipes import CONVERTERS, PRESET_OF, PRESETS
from minitorch_cnn.cli.running import RUNS, device_of, load_test_data, train
from minitorch_cnn.cli.streams import sturdy_streams
from minitorch_cnn.data.files import escaped
from minitorch_cnn.inspection.tables import table


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        Its arguments; by default, those of the process.

    Returns
    -------
    int
        The exit code: 0 for success, 1 for a failure explained in one message, 3 for a training that diverged, 130
        after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
        A wrong usage exits with 2. A training whose output nobody reads any more goes on to its end.
    """
    with sturdy_streams() as (stdout, _), warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"minitorch-cnn: warning: {escaped(message)}", file=sys.stderr)
        arguments = _parser().parse_args(argv)
        try:
            arguments.command(arguments)
            stdout.flush()
            if stdout.error and not isinstance(stdout.error, BrokenPipeError) and arguments.command is not train:
                raise OSError(f"the output could not be written: {stdout.error}")
        except KeyboardInterrupt as interruption:
            print(escaped(interruption), file=sys.stderr)
            return getattr(interruption, "exit_code", 130)
        except (RuntimeError, OSError) as error:
            print(f"minitorch-cnn: {escaped(error)}", file=sys.stderr)
            return getattr(error, "exit_code", 1)
        except MemoryError as error:
            print(
                f"minitorch-cnn: not enough memory: {escaped(error)}. A smaller --batch-size needs less",
                file=sys.stderr,
            )
            return 1
        except Exception as error:
            if not hasattr(error, "layer"):  # a fault of ours; one that has it came up while a network was called
                raise
            print(f"minitorch-cnn: the network failed: {type(error).__name__}: {escaped(error)}", file=sys.stderr)
            return 1
    return 0


def evaluate(arguments):
    """Measure a trained network on the test images, class by class."""
    device = device_of(arguments.device)
    trained = arguments.checkpoint or training.Run.newest(RUNS).folder
    net, path = networks.trained_network(trained, arguments.best, arguments.model, for_images=True)
    result = training.evaluate(net, load_test_data(arguments), device)

    print(f"{path} on {device}, {result.confusion.sum():,} test images")
    print(f"loss {result.loss:.3f}, test acc {result.accuracy:.3f}\n")
    rows, mistakes = [], result.confusion.copy()
    for i, (name, right) in enumerate(zip(data.FashionMNIST.classes, result.class_accuracy)):
        mistakes[i, i] = 0
        other = mistakes[i].argmax()
        confused = f"{data.FashionMNIST.classes[other]} ({mistakes[i, other]})" if mistakes[i, other] else "-"
        rows.append([name, f"{right:.3f}", confused])
    print(table(["class", "accuracy", "most often taken for (times)"], rows, "<><"))


# --- the command line ------------------------------------------------------------------------------------


def _parser():
    parser = argparse.ArgumentParser(prog="minitorch-cnn", description=__doc__)
    parser.add_argument("--version", action="version", version=f"minitorch-cnn {minitorch_cnn.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_data(pictures.add_plot(commands))
    pictures.add_predict(commands)
    _add_data(exploring.add_explore(commands))
    networks.add_gradcheck(commands)
    networks.add_summary(commands)
    onestep.add_graph(commands)
    onestep.add_trace(commands)
    about.add_info(commands)
    about.add_completion(parser)
    return parser


def _add_train(commands):
    parser = commands.add_parser("train", help="train a network and save the results", description=train.__doc__)
    parser.set_defaults(command=train)

    networks.add_spec(parser, "lenet")
    presets = "; ".join(f"{name}: {preset}" for name, preset in PRESETS.items())
    default = f"classic; for {', '.join(f'{model}, {preset}' for model, preset in PRESET_OF.items())}"
    help = f"settings of a recipe, of which the options below change one: {presets} (default: {default})"
    parser.add_argument("--preset", type=CONVERTERS["preset"], metavar="NAME", help=help)
    for name, help in (
        ("epochs", "times to go through the training images, in all (default: that of the preset)"),
        ("lr", "learning rate (default: that of the preset)"),
        ("batch_size", "images per step (default: that of the preset)"),
        ("seed", "of the initial weights and the shuffling; the same seed gives the same run (default: 0)"),
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", type=CONVERTERS[name], metavar="N", help=help)
    parser.add_argument(
        "--out",
        type=name_of,
        metavar="DIR",
        help=f"folder for the results (default: {RUNS}/lenet, or {RUNS}/lenet-2 and so on if it is taken)",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--resume", action="store_true",
        help="go on with the run in --out, by default the latest, as if it had not stopped",
    )  # fmt: skip
    existing.add_argument("--overwrite", action="store_true", help="replace the results that --out holds")
    parser.add_argument(
        "--capture", action="store_true", help="on a GPU, record the training step once and replay it as one CUDA graph"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print the result alone, in two lines, and no bar")
    _add_place(parser)


def _add_evaluate(commands):
    parser = commands.add_parser("evaluate", help="test what was trained", description=evaluate.__doc__)
    parser.set_defaults(command=evaluate)
    parser.add_argument(
        "checkpoint", nargs="?", type=name_of,
        help=f"a run's folder, its checkpoint, or a safetensors file of weights (default: the latest run in {RUNS})",
    )  # fmt: skip
    networks.add_trained(parser, "that of the run; of a file of weights, lenet")
    _add_place(parser)


def _add_place(parser):
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto",
        help="where to compute; auto is the GPU if one can be used (default: auto)",
    )  # fmt: skip
    _add_data(parser)


def _add_data(parser):
    parser.add_argument(
        "--data-dir", type=name_of, metavar="DIR",
        help="folder of Fashion-MNIST, downloaded if missing (default: the user's cache)",
    )  # fmt: skip
    parser.add_argument("--offline", action="store_true", help="ask no server for data (or set MINITORCH_CNN_OFFLINE)")
    parser.add_argument(
        "--mirror", type=name_of, metavar="URL", help="download from there (or set MINITORCH_CNN_MIRROR)"
    )
