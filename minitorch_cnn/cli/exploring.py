"""The command ``explore``: a page on a run, for a browser."""

from pathlib import Path

from minitorch_cnn import models, training
from minitorch_cnn.cli.arguments import file_to_write, name_of
from minitorch_cnn.cli.running import RUNS, load_test_data
from minitorch_cnn.data.files import atomic_file
from minitorch_cnn.inspection import explore_page


def explore(arguments):
    """Write a page to explore a trained LeNet with: one HTML file for a browser, which needs no server.

    It shows every number of the network between an image and the ten classes, the gradients on the way back, the epochs
    of the run, and what a step of training does, in English and in Chinese.
    """
    run = training.Run(arguments.run) if arguments.run else training.Run.newest(RUNS)
    checkpoint = run.load()
    spec = checkpoint.recipe.get("model", "lenet")
    if spec != "lenet":
        raise RuntimeError(
            f"explore shows LeNet alone, and {run.folder} holds a run of --model {spec}. For a page, train a LeNet: "
            "minitorch-cnn train"
        )
    last = len(checkpoint.history)
    net = models.LeNet()
    net.load_state_dict(run.load_epoch(last) if checkpoint.within else checkpoint.model)
    earlier = {number: run.load_epoch(number) for number in run.epochs() if number < last}
    dataset = load_test_data(arguments).dataset
    page = explore_page(
        net, dataset, earlier, history=checkpoint.history, recipe=checkpoint.recipe, name=run.folder.name
    ).encode()
    out = Path(arguments.out or run.folder / "explore.html")
    with atomic_file(out) as file:
        file.write(page)
    print(f"{out}: {len(page) / 1e6:.2f} MB. Open it in a browser; it needs no network and no other file")


def add_explore(commands):
    """Add the command ``explore``, and return its parser."""
    parser = commands.add_parser("explore", help="write a page to explore a run with", description=explore.__doc__)
    parser.set_defaults(command=explore)
    parser.add_argument("run", nargs="?", type=name_of, help=f"a run's folder (default: the latest in {RUNS})")
    parser.add_argument(
        "--out",
        type=file_to_write(".html"),
        metavar="FILE.html",
        help="the page (default: explore.html in the run's folder)",
    )
    return parser
