"""Write the tables of docs/benchmarks.md, and draw its pictures, from results/*.json: ``python benchmarks/report.py``.

A table stands between ``<!-- begin NAME -->`` and ``<!-- end -->``. No number in that page is typed by hand.
"""

import re

import chapter
import epoch
import floor
import layers
import lenet_step
import overhead
from shown import FOLDER, load

PAGE = FOLDER.parent / "docs" / "benchmarks.md"
BENCHMARKS = {
    "lenet_step": lenet_step,
    "chapter": chapter,
    "epoch": epoch,
    "layers": layers,
    "overhead": overhead,
    "floor": floor,
}


def render(text):
    """The page with every table as the results have it."""

    def part(match):
        results = load(match["name"])
        body = section(match["name"], results) if results else ["Not measured yet."]
        return "\n".join([f"<!-- begin {match['name']} -->", "", *body, "", "<!-- end -->"])

    return re.sub(r"<!-- begin (?P<name>\w+) -->\n.*?<!-- end -->", part, text, flags=re.DOTALL)


def section(name, results):
    """The tables of a benchmark, and what they were measured on."""
    settings = ", ".join(f"{key} {value}" for key, value in results["settings"].items())
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    used = [f"* {key}: {text}" for key, text in results["versions"].items()]
    return [*BENCHMARKS[name].tables(results), "", f"Measured with {settings}; on {machine}:", "", *used]


def main():
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(render(text), encoding="utf-8")
    for name, benchmark in BENCHMARKS.items():
        if (results := load(name)) and hasattr(benchmark, "plot"):
            benchmark.plot(results)
    print(f"written: {PAGE.relative_to(FOLDER.parent)} and docs/images/")


if __name__ == "__main__":
    main()
