"""How benchmarks show what they measured: as printed tables, as files of results, as pictures."""

import json
import os
import platform
from pathlib import Path

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
IMAGES = FOLDER.parent / "docs" / "images"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine():
    """What the measurements ran on."""
    processor = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    return {
        "processor": f"{processor or 'unknown'} ({platform.machine()})",
        "cores": CORES,
        "system": platform.system(),
        "Python": platform.python_version(),
    }


def save(name, settings, versions, **results):
    """Write what was measured to results/NAME.json, and say where."""
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": machine(), "versions": versions, "settings": settings, **results}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"saved in {path.relative_to(FOLDER.parent)}")


def load(name):
    """The results of a benchmark, or None if there are none yet."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def announce(title, versions):
    """Print what is measured, and on what."""
    print(title)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    for name, text in versions.items():
        print(f"  {name}: {text}")


def table(head, rows):
    """Lines of a Markdown table; numbers are to be texts already."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return ["| " + " | ".join(str(cell).ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines]


def times(ratio):
    """A ratio with its quartiles, as text."""
    low, median, high = ratio
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def figure(width, height, rows=1, columns=1, **options):
    """A figure and its axes, with what all of them have in common."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained", dpi=150)
    axes = fig.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return fig, axes if rows > 1 else axes[0]


def log_scale(ax, axis, ticks=(1, 2, 5)):
    """A logarithmic axis whose ticks are plain numbers: these, times the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set(**{f"{axis}scale": "log"})
    axis = getattr(ax, f"{axis}axis")
    axis.set_major_locator(LogLocator(subs=ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter("{:g}".format))


def dot(ax, y, ratio, color="C0"):
    """A ratio as a point with its quartiles and its number."""
    low, median, high = ratio
    ax.errorbar(median, y, xerr=[[median - low], [high - median]], fmt="o", color=color, ms=5, capsize=3)
    ax.annotate(
        f"{median:.2f}",
        (high, y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        bbox={"boxstyle": "square,pad=0.1", "color": "white"},
    )


def save_figure(fig, name):
    """Write docs/images/NAME.png; its bytes depend on the numbers alone."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    fig.savefig(IMAGES / f"{name}.png", metadata={"Software": None})
