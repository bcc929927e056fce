"""Draw the pictures of these pages, each for light and for dark pages: ``python docs/pictures.py [NAME ...]``.

They go to docs/images/NAME.png and NAME-dark.png, those of the scripts in examples/ too, which are run for it. The
pictures of benchmarks are made by the benchmarks.
"""

import argparse
import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np

from minitorch_cnn.inspection.figures import BLUE, GOLD, GREEN, ORANGE, PINK, SKY, picture, show_image

IMAGES = Path(__file__).parent / "images"
EXAMPLES = IMAGES.parents[1] / "examples"
WINDOWS = [BLUE, ORANGE, GREEN, PINK]  # a colour for each window
COLOURS = [*WINDOWS, GOLD, SKY]


# --- what the pictures are made of ---------------------------------------------------------------------------


class Sheet:
    """A figure to draw cells, arrows and words on; one unit is the side of a cell, and y goes down."""

    def __init__(self, figure, width, height):
        self.look = figure.look
        self.axes = figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        self.axes.axis("off")

    def cell(self, x, y, text="", colour=None, alpha=0.3, w=1, h=1, size=12, **settings):
        """A box with a word in it."""
        from matplotlib.patches import Rectangle

        face = self.look.colour(colour) if colour else "none"
        edge = {"facecolor": (face, alpha) if colour else "none", "edgecolor": self.look.quiet, "linewidth": 0.8}
        self.axes.add_patch(Rectangle((x, y), w, h, **edge))
        self.words(x + w / 2, y + h / 2, text, size=size, **settings)

    def grid(self, x, y, numbers, colours=None, **settings):
        """A matrix of cells; `colours` is one for each, or none."""
        for i, row in enumerate(numbers):
            for j, number in enumerate(row):
                self.cell(x + j, y + i, f"{number}", colours[i][j] if colours else None, **settings)

    def outline(self, x, y, w, h, colour, inset=0.0):
        """The frame of a window."""
        from matplotlib.patches import FancyBboxPatch

        frame = FancyBboxPatch(
            (x + inset, y + inset), w - 2 * inset, h - 2 * inset, boxstyle="round,pad=0,rounding_size=0.15",
            facecolor="none", edgecolor=self.look.colour(colour), linewidth=2.4,
        )  # fmt: skip
        self.axes.add_patch(frame)

    def words(self, x, y, text, size=12, colour=None, ha="center", va="center", **settings):
        """Text, in points of a picture 8 inches wide."""
        colour = self.look.colour(colour) if colour in COLOURS else colour or self.look.ink
        self.axes.text(x, y, text, fontsize=size, color=colour, ha=ha, va=va, **settings)

    def arrow(self, start, end, colour=None, bend=0.0, width=1.6, style="-|>"):
        """An arrow from one point to another."""
        colour = self.look.colour(colour) if colour else self.look.quiet
        properties = {"arrowstyle": f"{style},head_width=0.22,head_length=0.4" if style == "-|>" else style}
        properties |= {"color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        properties["connectionstyle"] = f"arc3,rad={bend}"
        self.axes.annotate("", end, start, arrowprops=properties)


def sheet_of(path, dark, width, height, unit=0.4):
    """A picture with a sheet of so many cells."""
    return picture(path, width=width * unit, height=height * unit, dark=dark, layout="none")


# --- the pictures --------------------------------------------------------------------------------------------


def im2col(path, dark):
    """An image, its windows, and the product that is the convolution."""
    image = np.arange(9).reshape(3, 3)
    windows = [image[i : i + 2, j : j + 2] for i in (0, 1) for j in (0, 1)]
    columns = np.stack([window.ravel() for window in windows], axis=1)
    with sheet_of(path, dark, 20.5, 9.6) as figure:
        sheet = Sheet(figure, 20.5, 9.6)
        sheet.words(2.2, 0.7, "the image")
        sheet.grid(0.7, 1.3, image)
        for k, colour in enumerate(WINDOWS):
            sheet.outline(0.7 + k % 2, 1.3 + k // 2, 2, 2, colour, inset=0.06 + 0.06 * k)
        sheet.words(2.2, 5.0, "a kernel of 2×2\nfits in four places")

        sheet.arrow((4.2, 2.8), (5.4, 2.8))
        sheet.words(8.2, 0.7, "its windows")
        for k, (window, colour) in enumerate(zip(windows, WINDOWS)):
            sheet.grid(5.9 + 2.6 * (k % 2), 1.3 + 2.5 * (k // 2), window, [[colour] * 2] * 2)

        sheet.arrow((11.4, 2.8), (12.6, 2.8))
        sheet.words(15.2, 0.7, "im2col: a window is a column")
        sheet.grid(13.2, 1.3, columns, [WINDOWS] * 4)

        y = 7.0
        sheet.words(2.7, y - 0.5, "the kernel, as a row")
        sheet.grid(0.7, y, [[0, 1, 2, 3]])
        sheet.words(5.4, y + 0.5, "@")
        sheet.words(7.7, y + 0.5, "the columns")
        sheet.words(10.2, y + 0.5, "=")
        sheet.words(13.0, y - 0.5, "one number for each window")
        products = [[int(k) for k in np.array([0, 1, 2, 3]) @ columns]]
        sheet.grid(11.0, y, products, [WINDOWS])
        sheet.arrow((15.4, y + 0.5), (16.6, y + 0.5))
        sheet.words(18.1, y - 1.0, "the output")
        sheet.grid(17.1, y - 0.5, np.reshape(products, (2, 2)), [WINDOWS[:2], WINDOWS[2:]])
        sheet.words(4.7, y + 1.6, "first window: 0·0 + 1·1 + 2·3 + 3·4 = 19", size=11, colour=WINDOWS[0])
    return figure


def im2col_rows(path, dark):
    """Only the windows of single rows are copied; rows of the output share them."""
    image = np.arange(16).reshape(4, 4)
    stack = np.concatenate([[row[k : k + 3] for k in range(2)] for row in image])  # (4·2, 3)
    with sheet_of(path, dark, 20.5, 10.4) as figure:
        sheet = Sheet(figure, 20.5, 10.4)
        sheet.words(2.7, 0.7, "the image")
        sheet.grid(0.7, 1.3, image, [[colour] * 4 for colour in WINDOWS])
        sheet.words(2.7, 6.3, "a kernel of 2×2\nfits in 3 · 3 places")
        sheet.arrow((5.1, 3.3), (6.5, 3.3))
        sheet.words(8.7, 0.7, "copied: the windows of each row")
        sheet.grid(7.2, 1.3, stack, [[WINDOWS[i // 2]] * 3 for i in range(8)])
        for i in range(3):
            x, top = 11.2 + 0.55 * i, 1.4 + 2 * i
            sheet.axes.plot([x - 0.25, x, x, x - 0.25], [top, top, top + 3.8, top + 3.8], color=sheet.look.ink, lw=1.6)
            middle = (2.4, 5.3, 8.2)[i]
            sheet.arrow((x + 0.1, top + 1.9), (13.7, middle))
            sheet.grid(14.0, middle - 0.5, [["", ""]], [WINDOWS[i : i + 2]])
            sheet.words(16.4, middle, f"the columns of\noutput row {i}", ha="left")
    return figure


def fold(path, dark):
    """What came back to each window is added where the window came from."""
    with sheet_of(path, dark, 20.5, 6.2) as figure:
        sheet = Sheet(figure, 20.5, 6.2)
        sheet.words(2.9, 0.7, "what came back\nto each window", va="center")
        for k, colour in enumerate(WINDOWS):
            sheet.grid(0.7 + 2.5 * (k % 2), 1.5 + 2.4 * (k // 2), [[1, 1]] * 2, [[colour] * 2] * 2)
        for k, colour in enumerate(WINDOWS):
            x, y = 7.2 + 3.5 * (k % 2), 0.3 + 3.0 * (k // 2)
            for i in range(3):
                for j in range(3):
                    inside = k // 2 <= i < k // 2 + 2 and k % 2 <= j < k % 2 + 2
                    sheet.cell(
                        x + 0.9 * j, y + 0.9 * i, "1" if inside else "", colour if inside else None, w=0.9, h=0.9
                    )
            if k % 2 == 0:
                sheet.words(x + 3.1, y + 1.35, "+", size=14)
        sheet.words(6.8, 4.65, "+", size=14)
        sheet.arrow((5.6, 3.1), (6.8, 3.1))
        sheet.words(14.5, 3.1, "=", size=14)
        sheet.words(17.0, 0.7, "the gradient of the image")
        seen = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
        sheet.grid(15.5, 1.5, seen)
        sheet.words(17.0, 5.2, "each pixel: once for each\nwindow that has seen it", size=11)
    return figure


def memory_order(path, dark):
    """Two images in memory, image by image and pixel by pixel."""
    names = [["00", "01"], ["10", "11"]]
    with sheet_of(path, dark, 20.5, 6.5) as figure:
        sheet = Sheet(figure, 20.5, 6.5)
        for x, letter, colour in ((0.7, "a", BLUE), (0.7, "b", ORANGE)):
            y = 0.9 if letter == "a" else 4.0
            sheet.grid(x, y, [[letter + name for name in row] for row in names], [[colour] * 2] * 2)
        sheet.words(1.7, 0.45, "image a", size=11)
        sheet.words(1.7, 3.55, "image b", size=11)
        pixels = [name for row in names for name in row]
        for y, title, order in (
            (1.3, "image by image, as PyTorch keeps them", [(i, p) for i in "ab" for p in pixels]),
            (
                4.3,
                "pixel by pixel, as this library keeps them: the batch is innermost",
                [(i, p) for p in pixels for i in "ab"],
            ),
        ):
            sheet.words(4.7, y - 0.45, title, ha="left")
            for k, (letter, name) in enumerate(order):
                sheet.cell(4.7 + 1.4 * k, y, letter + name, BLUE if letter == "a" else ORANGE, w=1.4)
        sheet.words(
            4.7, 5.9, "what is done to a pixel is done to a run of neighbours, one of each image", size=11, ha="left"
        )
    return figure


def walk_back(path, dark):
    """y = a b + a, forwards with values, and backwards with derivatives."""
    with sheet_of(path, dark, 20.5, 7.4) as figure:
        sheet = Sheet(figure, 20.5, 7.4)

        def box(x, y, text, value="", colour=None):
            sheet.cell(x, y, text, colour, w=2.4, h=1.1)
            sheet.words(x + 1.2, y - 0.35, value, size=11)

        def edge(start, end, text, at):
            sheet.arrow(start, end)
            sheet.arrow((end[0], end[1] + 0.42), (start[0], start[1] + 0.42), colour=ORANGE)
            sheet.words(*at, text, size=11, colour=ORANGE)

        box(1.0, 1.3, "a = 2", colour=BLUE)
        box(1.0, 4.7, "b = 3", colour=BLUE)
        box(7.4, 3.6, "Mul", "2 · 3 = 6")
        box(13.0, 1.9, "Add", "6 + 2 = 8")
        box(17.4, 1.9, "y = 8", colour=GREEN)
        edge((3.5, 1.45), (12.9, 2.2), "dy = 1", (9.0, 2.75))
        edge((3.5, 2.0), (7.3, 3.75), "dy · b = 3", (4.3, 3.6))
        edge((3.5, 5.05), (7.3, 4.3), "dy · a = 2", (5.6, 5.65))
        edge((9.9, 3.9), (12.9, 2.7), "dy = 1", (12.2, 3.95))
        edge((15.5, 2.25), (17.3, 2.25), "dy = 1", (16.4, 3.1))
        sheet.words(1.0, 0.85, "a.grad = 1 + 3 = 4", size=11, colour=ORANGE, ha="left")
        sheet.words(1.0, 6.25, "b.grad = 2", size=11, colour=ORANGE, ha="left")
        sheet.words(8.6, 6.0, "forward: each operation notes its inputs", size=11, ha="left", colour=sheet.look.quiet)
        sheet.words(8.6, 6.7, "backward: what comes back, times the derivative", size=11, ha="left", colour=ORANGE)
    return figure


def convolution_products(path, dark):
    """The convolution and its two gradients: three products of the same three matrices."""
    filters, places, entries = 3, 6, 4
    with sheet_of(path, dark, 20.5, 11.0) as figure:
        sheet = Sheet(figure, 20.5, 11.0)

        def matrix(x, middle, name, rows, columns, colour, note):
            side = 0.5
            for i in range(rows):
                for j in range(columns):
                    sheet.cell(x + side * j, middle - side * rows / 2 + side * i, "", colour, w=side, h=side)
            sheet.words(x + side * columns / 2, middle - side * rows / 2 - 0.4, name, size=12)
            sheet.words(x + side * columns / 2, middle + side * rows / 2 + 0.4, note, size=9.5, colour=sheet.look.quiet)
            return x + side * columns

        for middle, title, factors, product, note in (
            (1.9, "forward", (("F", filters, entries, BLUE, "a filter a row"),
                              ("C", entries, places, GREEN, "a window a column")),
             ("y", filters, places, ORANGE, "a place a column"), "every window,\nweighed by every filter"),
            (5.7, "to the\nweights", (("dy", filters, places, ORANGE, "what came back"),
                                      ("Cᵀ", places, entries, GREEN, "")),
             ("dF", filters, entries, BLUE, ""), "what each weight saw,\ntimes what came back"),
            (9.2, "to the\nimage", (("Fᵀ", entries, filters, BLUE, ""), ("dy", filters, places, ORANGE, "")),
             ("dC", entries, places, GREEN, ""), "what came back to each\nwindow; then fold"),
        ):  # fmt: skip
            sheet.words(0.6, middle, title, ha="left")
            x = matrix(3.0, middle, *factors[0])
            sheet.words(x + 0.5, middle, "@", size=12)
            x = matrix(x + 1.0, middle, *factors[1])
            sheet.words(x + 0.5, middle, "=", size=12)
            x = matrix(x + 1.0, middle, *product)
            sheet.words(14.0, middle, note, size=11, ha="left")
    return figure


def lenet_walk(path, dark):
    """LeNet's operations with the shapes that go down, and what each hands back on the way up."""
    import minitorch_cnn as mt

    net, h = mt.models.LeNet(), mt.zeros(256, 1, 28, 28)
    rows = [("images", h.shape, "")]
    for layer in net:
        h = layer(h)
        weights = ", ".join(str(parameter.shape) for parameter in layer.parameters())
        rows.append((h.grad_fn.name, h.shape, weights))
    rows.append(("CrossEntropy", (), ""))
    backward = {
        "Convolve": "ConvolveTransposed, FilterGradient", "Sigmoid": "dy y (1 - y)", "Reshape": "dy, put back",
        "SumWindows": "SpreadWindows: a quarter to each", "Linear": "dy w,  dyᵀ x", "CrossEntropy": "(p - e) / N",
    }  # fmt: skip
    height = 1.6 + 0.88 * len(rows)
    with sheet_of(path, dark, 20.5, height) as figure:
        sheet = Sheet(figure, 20.5, height)
        for x, text, colour in ((0.6, "forward", sheet.look.ink), (9.0, "backward hands back", ORANGE)):
            sheet.words(x, 0.55, text, size=11.5, colour=colour, ha="left")
        sheet.words(16.4, 0.55, "parameters get", size=11.5, colour=ORANGE, ha="left")
        for k, (name, shape, weights) in enumerate(rows):
            y = 1.1 + 0.88 * k
            colour = {"Convolve": BLUE, "Linear": BLUE, "SumWindows": GREEN, "CrossEntropy": GOLD}.get(name)
            sheet.cell(0.6, y, name, colour, w=3.4, h=0.66, size=10.5)
            sheet.words(4.3, y + 0.33, f"{shape}" if shape else "one number", size=10.5, ha="left")
            text = backward.get(name, "not wanted: no gradient")
            if k == 1:
                text = "FilterGradient alone"
            sheet.words(9.0, y + 0.33, text, size=10.5, ha="left", colour=ORANGE if k else sheet.look.quiet)
            sheet.words(16.4, y + 0.33, weights, size=9.5, ha="left", colour=ORANGE)
        top, bottom = 1.3, height - 0.7
        sheet.arrow((7.9, top), (7.9, bottom))
        sheet.arrow((8.4, bottom), (8.4, top), colour=ORANGE)
    return figure


def step(path, dark):
    """The five lines of a training step, and the files that each passes through."""
    lines = [
        ("optimizer.zero_grad()", [("optim/optimizer.py", BLUE)]),
        ("y_hat = net(x)", [("nn/module.py\nnn/containers.py", GREEN), ("nn/layers/", GREEN), ("nn/functional/", GREEN),
                            ("ops/", ORANGE)]),
        ("l = loss(y_hat, y)", [("nn/layers/loss.py", GREEN), ("nn/functional/\nlosses.py", GREEN),
                                ("ops/\nclassification.py", ORANGE)]),
        ("l.backward()", [("autograd/tensor.py", PINK), ("autograd/walk.py", PINK), ("ops/: backward", ORANGE)]),
        ("optimizer.step()", [("optim/optimizer.py", BLUE), ("optim/sgd.py", BLUE)]),
    ]  # fmt: skip
    with sheet_of(path, dark, 20.5, 11.0) as figure:
        sheet = Sheet(figure, 20.5, 11.0)
        for k, (line, files) in enumerate(lines):
            y = 0.8 + 1.65 * k
            sheet.words(0.5, y + 0.5, line, size=10.5, ha="left", family="monospace")
            for i, (file, colour) in enumerate(files):
                x = 5.7 + 3.7 * i
                sheet.cell(x, y, file, colour, w=3.25, h=1.0, size=9)
                if i:
                    sheet.arrow((x - 0.5, y + 0.5), (x - 0.05, y + 0.5))
        sheet.arrow((17.2, 3.55), (17.2, 9.2))
        sheet.words(
            17.5, 6.4, "each operation\nis called by\nautograd/\nfunction.py,\nand becomes\na node", size=10, ha="left"
        )
        sheet.cell(
            5.7, 9.3, "backend/: arrays, types, threads; on these the operations compute", SKY, w=14.35, h=1.0, size=10
        )
    return figure


def smooth_abs(path, dark):
    """The operation of add-an-operation.md, and its derivative beside difference quotients."""
    import minitorch_cnn as mt

    smooth_abs = names_of("add-an-operation.md")["smooth_abs"]
    with picture(path, height=3.4, dark=dark) as figure:
        left, right = figure.subplots(1, 2)
        for c, colour, style in ((1.0, BLUE, "-"), (0.3, ORANGE, "--"), (0.05, GREEN, ":")):
            x = mt.linspace(-2, 2, 201).double().requires_grad_()
            y = smooth_abs(x, c)
            y.sum().backward()
            points, h = x.detach()[::10], 1e-5
            quotients = (smooth_abs(points + h, c) - smooth_abs(points - h, c)) / (2 * h)
            settings = {"color": figure.look.colour(colour)}
            left.plot(x.detach().numpy(), y.detach().numpy(), style, label=f"c = {c}", **settings)
            right.plot(x.detach().numpy(), x.grad.numpy(), style, **settings)
            right.plot(points.numpy(), quotients.numpy(), "o", markersize=3.5, **settings)
        left.set(title="y = √(x² + c²) − c", xlabel="x", ylabel="y")
        right.set(title="dx: lines; difference quotients: points", xlabel="x", ylabel="dy/dx")
        left.legend()
        for axes in (left, right):
            axes.grid()
    return figure


def own_data(path, dark):
    """Drawings of your-own-data.md, with the probabilities that its network gives them."""
    page = names_of("your-own-data.md")
    images, test, labels, classes = (page[name] for name in ("images", "test", "labels", "classes"))
    p = np.stack([page["predict"](images[i]) for i in test])  # (N, 3)
    shown = p.max(axis=1).argsort()[[0, 1, 2, -30, -2, -1]]  # three least sure, one between, two most sure
    with picture(path, height=3.0, dark=dark) as figure:
        grid = figure.subplots(2, 6, height_ratios=(3, 2))
        for k, ((top, bottom), i) in enumerate(zip(grid.T, shown)):
            show_image(top, images[test[i]] / 255, f"a {classes[labels[test[i]]]}")
            is_right = [label == labels[test[i]] for label in range(3)]
            colours = [figure.look.colour(BLUE if right else ORANGE) for right in is_right]
            bottom.barh(range(3), p[i], color=colours)
            bottom.set(xlim=(0, 1), ylim=(2.6, -0.6), xticks=[0, 1], yticks=range(3))
            bottom.set_yticklabels(classes if k == 0 else [])
    return figure


def names_of(page):
    """What the code of a page defines, run in a folder of its own."""
    text, found = (Path(__file__).parent / page).read_text(encoding="utf-8"), {"__name__": page}
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                if ">>>" not in block:
                    exec(block, found)
        finally:
            os.chdir(before)
    return found


PICTURES = [
    im2col, im2col_rows, fold, memory_order, walk_back, convolution_products, lenet_walk, step, smooth_abs, own_data,
]  # fmt: skip


def example(name):
    """What draws the picture of an example: the script, run with the folder as its argument."""

    def draw(path, dark):
        before, sys.argv = sys.argv, [f"{name}.py", str(path.parent), *(["--dark"] if dark else [])]
        sys.path.insert(0, str(EXAMPLES))
        try:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        finally:
            sys.argv = before
            sys.path.remove(str(EXAMPLES))

    return draw


def names():
    """What draws each picture, by its name."""
    of_pages = {function.__name__.replace("_", "-"): function for function in PICTURES}
    scripts = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.py") if path.stem != "00_from_nothing")
    return of_pages | {script: example(script) for script in scripts}


def main():
    """Draw those that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; by default, all")
    chosen = parser.parse_args().names or list(names())
    for name in chosen:
        for dark in (False, True):
            path = IMAGES / f"{name}{'-dark' * dark}.png"
            names()[name](path, dark)
            print(f"drawn: {path.relative_to(IMAGES.parents[1])}")


if __name__ == "__main__":
    main()
