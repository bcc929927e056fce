"""Tables of text, with aligned columns."""


def table(header, rows, align):
    """Lines of text whose columns line up.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
    align : str
        For each column, ``<`` for text and ``>`` for numbers.

    Returns
    -------
    str

    Examples
    --------
    >>> print(table(["layer", "size"], [["first", "150"], ["second", "6"]], "<>"))
    layer   size
    first    150
    second     6
    """
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, align, widths)).rstrip() for line in lines
    )
