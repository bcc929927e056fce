"""Write down CuPy's public names and the parameters of each: ``python tests/cupy_names.py > tests/cupy_names.txt``.

One a line: ``sum(a, axis, dtype, out, keepdims)``; ``exp(*, out, casting, dtype)`` for a ufunc; a bare name for a
constant or a type; ``?`` where a signature cannot be read. The stand-in for CuPy (``standin_cupy.py``) offers these
names with these parameters and no others, also where CuPy, a wheel of 130 MB, is not installed. Where it is, as in
continuous integration, ``test_cupy_names.py`` holds the list against it; it imports without a GPU.
"""

import inspect
import re
from pathlib import Path

HERE = Path(__file__).parent


def load():
    """Read the list: ``{"sum": ["a", "axis", ...], "pi": None, ...}``; None where any argument may be passed."""
    names = {}
    for line in (HERE / "cupy_names.txt").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"([\w.]+)(?:\((.*)\))?", line)
        if match:
            name, inside = match.groups()
            names[name] = split(inside)
    return names


def split(inside):
    """The text between the parentheses as a list; None where any argument may be passed."""
    known = inside is not None and "**" not in inside and "?" not in inside
    return [p for p in inside.split(", ") if p] if known else None


def parameters(obj):
    """The parameters of a CuPy function, as the text between the parentheses; None for what is no function."""
    if type(obj).__name__ == "ufunc":
        return "*, out, casting, dtype"
    if isinstance(obj, type) or not callable(obj):
        return None
    try:
        signature = inspect.signature(obj)
    except (TypeError, ValueError):  # compiled: the first line of the docstring holds the signature
        match = re.match(
            r"[\w.]+\((.*?)\)(?: ->|$)", (obj.__doc__ or "").strip().splitlines()[0] if obj.__doc__ else ""
        )
        if not match:
            return "?"
        inside = [p.split("=")[0].split(":")[0].strip().split(" ")[-1] for p in match.group(1).split(",")]
        return ", ".join(p for p in inside if p not in ("self", "/"))
    prefix = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return ", ".join(prefix.get(p.kind, "") + p.name for p in signature.parameters.values() if p.name != "self")


def lines():
    """What the installed CuPy has."""
    import cupy

    yield f"# CuPy {cupy.__version__}"
    for prefix, owner in [
        ("", cupy),
        ("ndarray.", cupy.ndarray),
        ("lib.stride_tricks.", cupy.lib.stride_tricks),
        ("linalg.", cupy.linalg),
        ("cuda.", cupy.cuda),
        ("cuda.runtime.", cupy.cuda.runtime),
    ]:
        for name in sorted(dir(owner)):
            if not name.startswith("_") and name not in ("annotations", "np", "numpy"):
                inside = parameters(getattr(owner, name, None))
                if prefix != "cuda.runtime." or inside is not None:  # leave out its several hundred numbers
                    yield f"{prefix}{name}" + ("" if inside is None else f"({inside})")


if __name__ == "__main__":
    print(*lines(), sep="\n")
