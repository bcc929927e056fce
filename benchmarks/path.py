"""How much source one training step passes through: the files, the functions, and the lines of these.

A function counts, with the whole of its source, once it is entered; a line counts once, in whatever it is nested.

    python benchmarks/path.py            # the step as a user types it, of LeNet
    python benchmarks/path.py --train    # training.train, one epoch of two batches
    python benchmarks/path.py --files    # file by file, with the functions
"""

import argparse
import inspect
import sys
import threading
from collections import defaultdict
from pathlib import Path

import minitorch_cnn as mt
from minitorch_cnn import data, nn, training

PACKAGE = Path(mt.__file__).parent


def entered(function):
    """The code objects of the package that are entered while a function runs, on any thread."""
    found = set()

    def trace(frame, _event, _arg):
        if frame.f_code.co_filename.startswith(str(PACKAGE)) and frame.f_code.co_name[0] != "<":
            found.add(frame.f_code)

    before = sys.gettrace(), threading.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before[0])
        threading.settrace(before[1])
    return found


def by_file(codes):
    """File by file: the names of the functions, and the set of their lines."""
    files = defaultdict(lambda: (set(), set()))
    for code in codes:
        lines, first = inspect.getsourcelines(code)
        names, numbers = files[str(Path(code.co_filename).relative_to(PACKAGE))]
        names.add((code.co_firstlineno, code.co_name))
        numbers.update(range(first, first + len(lines)))
    return dict(files)


def typed_step():
    """One step of LeNet, as a user types it; an earlier one has imported what is imported late."""
    net, loss = mt.models.LeNet(), nn.CrossEntropyLoss()
    optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
    x, y = mt.rand(256, 1, 28, 28), mt.randint(10, (256,))

    def step():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step


def one_epoch():
    """`training.train` for an epoch of two batches, with an evaluation."""
    net, images = mt.models.LeNet(), data.TensorDataset(mt.rand(512, 1, 28, 28), mt.randint(10, (512,)))
    loader = data.DataLoader(images, 256, shuffle=True)
    return lambda: training.train(net, loader, loader, epochs=1, lr=0.9, progress=False)


def main(argv=None):
    """Print the counts. Returns them: files, functions, lines."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", action="store_true", help="training.train in place of the step that a user types")
    parser.add_argument("--files", action="store_true", help="file by file")
    arguments = parser.parse_args(argv)
    files = by_file(entered(one_epoch() if arguments.train else typed_step()))
    if arguments.files:
        for name, (names, numbers) in sorted(files.items(), key=lambda item: -len(item[1][1])):
            print(f"{len(numbers):5} {len(names):4}  {name}: {', '.join(name for _, name in sorted(names))}")
    counts = (
        len(files),
        sum(len(names) for names, _ in files.values()),
        sum(len(numbers) for _, numbers in files.values()),
    )
    print("{} files, {} functions, {:,} source lines".format(*counts))
    return counts


if __name__ == "__main__":
    main()
