"""Tables with aligned columns: as text that fits a terminal, and for a notebook."""

import html
import re

WIDTH = 80  # characters: the narrowest terminal in use
PIECE = re.compile(r"[A-Z]?[^A-Z .,_-]*[ .,_-]*")  # of a cell, after which it may be broken
LEAST = 7  # characters that a column of text keeps


def table(header, rows, align, width=WIDTH):
    """Lines of text whose columns line up, within a width.

    Where they would be wider, first the header, then the columns of text go on in the next line. Numbers are not
    broken: a table of many columns of them can be wider.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
    align : str
        For each column, ``<`` for text and ``>`` for numbers.
    width : int
        In characters.

    Returns
    -------
    str

    Examples
    --------
    >>> print(table(["layer", "size"], [["first", "150"], ["second", "6"]], "<>"))
    layer   size
    first    150
    second     6
    >>> print(table(["layer", "size, bytes"], [["first", "150"], ["decoder.second", "6"]], "<>", width=15))
              size,
    layer     bytes
    first       150
    decoder.      6
    second
    """
    widths = _fitting(header, rows, align, width - 2 * (len(header) - 1))
    head, *blocks = [[_broken(cell, w) for cell, w in zip(row, widths)] for row in (header, *rows)]
    deepest = max(map(len, head))
    blocks.insert(0, [[""] * (deepest - len(lines)) + lines for lines in head])
    widths = [max(len(line) for lines in column for line in lines) for column in zip(*blocks)]
    return "\n".join(line for block in blocks for line in _lines(block, align, widths))


def html_table(header, rows, align):
    """The same table in HTML, whole lines; what is in the cells is escaped."""
    sides = ["left" if side == "<" else "right" for side in align]
    head = "".join(f"<th style='text-align: {side}'>{html.escape(cell)}</th>" for cell, side in zip(header, sides))
    lines = [
        "".join(f"<td style='text-align: {side}'>{html.escape(cell)}</td>" for cell, side in zip(row, sides))
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _fitting(header, rows, align, room):
    """The widths of the columns: what they need, or less where that leaves no room for all."""
    names = [max((len(piece.strip()) for piece in PIECE.findall(name)), default=0) for name in header]
    cells = [max((len(row[i]) for row in rows), default=0) for i in range(len(header))]
    words = [max((len(word) for row in rows for word in row[i].split()), default=0) for i in range(len(header))]
    texts = [min(word, LEAST) if side == "<" else cell for word, side, cell in zip(words, align, cells)]
    widths = list(map(max, map(len, header), cells))
    for floor in (cells, texts, map(min, texts, words)):
        least = list(map(max, names, floor))
        while sum(widths) > room and (wide := [i for i, width in enumerate(widths) if width > least[i]]):
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _broken(cell, width):
    """The lines of a cell: broken after a sign or before a capital; elsewhere only if it must be."""
    lines = [""]
    for piece in PIECE.findall(cell):
        if lines[-1] and len(lines[-1] + piece.rstrip(" ")) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip(" ")) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip(" ") for line in lines]


def _lines(cells, align, widths):
    for i in range(max(map(len, cells))):
        parts = [lines[i] if i < len(lines) else "" for lines in cells]
        yield "  ".join(f"{part:{side}{w}}" for part, side, w in zip(parts, align, widths)).rstrip()
