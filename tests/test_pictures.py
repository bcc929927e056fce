"""The pictures of the pages: the command draws what is there, the pages show it, and its words can be read."""

import re
import runpy
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = runpy.run_path(str(DOCS / "pictures.py"))
DRAWN = PICTURES["names"]()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]


def shown(page):
    """The files of the pictures on a page."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'(?:src|srcset)="([^"]+)"', text) + re.findall(r"!\[[^]]*\]\(([^)\s]+)\)", text)
    return [(page.parent / name).resolve() for name in found if "://" not in name]


def test_the_pictures_that_pages_show_are_there():
    assert not [path for page in PAGES for path in shown(page) if not path.is_file()]


def test_what_is_drawn_is_there_and_shown_for_both_grounds():
    files = {f"{name}{ground}.png" for name in DRAWN for ground in ("", "-dark")}
    assert files <= {path.name for page in PAGES for path in shown(page)}
    assert not [name for name in files if not (DOCS / "images" / name).is_file()]


def test_the_map_leads_to_every_example_and_its_picture():
    scripts = sorted(path.name for path in PICTURES["EXAMPLES"].glob("[0-9]*.py"))
    text = (DOCS / "map.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"(../examples/{name})" not in text] == []
    pictures = {path.name for path in shown(DOCS / "map.md")}
    assert [name for name in scripts[1:] if name.replace(".py", ".png") not in pictures] == []


@pytest.mark.parametrize("name", [name for name in DRAWN if not name[0].isdigit()])  # examples have tests of their own
def test_no_word_leaves_the_picture_or_lies_on_another(name, tmp_path):
    figure = DRAWN[name](tmp_path / "picture.png", dark=False)
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    parts = [[*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label] for axes in figure.axes]
    texts = [text for part in parts for text in part if text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    whole = figure.bbox.padded(1)
    outside = [words for words, box in boxes if not (whole.contains(*box.min) and whole.contains(*box.max))]
    assert not outside
    assert not [(a, b) for (a, box), (b, other) in combinations(boxes, 2) if box.padded(-2).overlaps(other.padded(-2))]
