"""Write the tables of docs/benchmarks.md and of README, in both languages, and draw pictures, from results/*.json.

``python benchmarks/report.py``. A table stands between ``<!-- begin NAME -->`` and ``<!-- end -->``. No number in
these pages is typed by hand.
"""

import re

import busy
import chapter
import epoch
import floor
import layers
import lenet_step
import overhead
from shown import FOLDER, load

BENCHMARKS = {
    "lenet_step": lenet_step,
    "busy": busy,
    "chapter": chapter,
    "epoch": epoch,
    "layers": layers,
    "overhead": overhead,
    "floor": floor,
}


def render(page):
    """The text of a page with every table as the results have it."""

    def part(match):
        results = load(match["name"])
        body = PAGES[page](match["name"], results) if results else ["Not measured yet."]
        return "\n".join([f"<!-- begin {match['name']} -->", "", *body, "", "<!-- end -->"])

    text = page.read_text(encoding="utf-8")
    return re.sub(r"<!-- begin (?P<name>\w+) -->\n.*?<!-- end -->", part, text, flags=re.DOTALL)


def section(name, results):
    """The tables of a benchmark, and what they were measured on."""
    settings = ", ".join(f"{key} {value}" for key, value in results["settings"].items())
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    used = [f"* {key}: {text}" for key, text in results["versions"].items()]
    return [*BENCHMARKS[name].tables(results), "", f"Measured with {settings}; on {machine}:", "", *used]


def brief(name, results):
    """The table alone; of LeNet's step, that of the chapter's batch size."""
    if name == "lenet_step":
        results = {"batches": {"256": results["batches"]["256"]}}
    return [line for line in BENCHMARKS[name].tables(results) if line.startswith("|")]


PAGES = {
    FOLDER.parent / "docs" / "benchmarks.md": section,
    FOLDER.parent / "README.md": brief,
    FOLDER.parent / "README.zh.md": brief,
}


def main():
    for page in PAGES:
        page.write_text(render(page), encoding="utf-8")
    for name, benchmark in BENCHMARKS.items():
        if hasattr(benchmark, "plot") and (results := load(name)):
            benchmark.plot(results)
    print(f"written: {', '.join(str(page.relative_to(FOLDER.parent)) for page in PAGES)} and docs/images/")


if __name__ == "__main__":
    main()
