"""README, CONTRIBUTING and docs/ stay true: their code runs, their excerpts are the source, their links lead somewhere.

The scheme: a ``python`` block with ``>>>`` is a doctest, and any other ``python`` block is run. A block headed
``python source=FILE`` quotes that file; a line of ``...`` stands for lines left out. The blocks of one page share
their names, as a reader types them one after the other. The Chinese pages have the blocks of the English ones, byte for
byte, which tests/test_translations.py holds: they are not run again.
"""

import doctest
import re
import shlex
import textwrap
from pathlib import Path

import pytest
from tiny_fashion import TinyFashion

from minitorch_cnn import data
from minitorch_cnn.cli import command

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ORIGINALS = [page for page in PAGES if not page.name.endswith(".zh.md")]
BLOCK = re.compile(r"^```(\w*) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_original = pytest.mark.parametrize("page", ORIGINALS, ids=lambda page: page.name)


def blocks(page, language):
    """Yield ``(line, rest of the info string, text)`` for each block of a language."""
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        if match[1] == language:
            yield text[: match.start()].count("\n") + 1, match[2], match[3]


def normal(text):
    return [line.rstrip() for line in textwrap.dedent(text).strip("\n").splitlines()]


@each_original
def test_code_runs_and_prints_what_it_says(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    names = {"__name__": "page"}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    for line, source, text in blocks(page, "python"):
        if source:
            continue
        if ">>>" in text:
            test = doctest.DocTestParser().get_doctest(text, names, page.name, str(page), line)
            report = []
            result = doctest.DocTestRunner(optionflags=flags, verbose=False).run(
                test, out=report.append, clear_globs=False
            )
            names.update(test.globs)
            assert not result.failed, "".join(report)
        else:
            exec(compile("\n" * line + text, str(page), "exec"), names)


@each_original
def test_excerpts_are_the_source(page):
    for line, source, text in blocks(page, "python"):
        if source:
            lines = normal((ROOT / source.removeprefix("source=")).read_text(encoding="utf-8"))
            for part in re.split(r"^[ ]*\.\.\.\n", text, flags=re.MULTILINE):
                assert occurs(normal(part), lines), f"{page.name}:{line}: this is not in {source}:\n{part}"


def occurs(part, lines):
    """Whether some consecutive lines are the part, at any indentation."""
    return any(normal("\n".join(lines[i : i + len(part)])) == part for i in range(len(lines) - len(part) + 1))


@each_page
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    outside_of_blocks = BLOCK.sub("", text)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", outside_of_blocks) if "://" not in link]
    assert not [link for link in links if link and not (page.parent / link).exists()]
    named = re.findall(r"`([\w./-]+/[\w./-]*\w\.(?:py|md|cfg|toml|txt))`", outside_of_blocks)
    assert not [
        name for name in named if not any((folder / name).exists() for folder in (ROOT, ROOT / "minitorch_cnn"))
    ]


@each_original
def test_commands_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for _, _, text in blocks(page, "sh"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["make"]:
                assert {word for word in words[1:] if "=" not in word} <= targets, line
            elif words[:1] == ["minitorch-cnn"]:
                command._parser().parse_args(words[1:])


def test_every_example_has_its_section():
    chapter = (ROOT / "docs" / "chapter.md").read_text(encoding="utf-8")
    assert not [path.name for path in (ROOT / "examples").glob("[0-9]*.py") if path.name not in chapter]


def test_the_tour_passes_through_every_part_of_the_package():
    tour = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/source-tour.md"))
    parts = [path.name for path in (ROOT / "minitorch_cnn").iterdir() if path.is_dir() or path.suffix == ".py"]
    missing = [name for name in parts if name not in tour and name != "__pycache__"]
    assert not missing, f"neither the README nor the tour says what one learns from {missing}"


@each_page
def test_nothing_is_left_open(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^\W*[A-Z]+_TABLE\b|\bTO" + r"DO\b|\bT" + r"BD\b", text, re.MULTILINE)


def test_the_tests_that_hold_a_promise_are_there():
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 40
    assert {name for name in named if f"def {name}(" not in source} == set()
