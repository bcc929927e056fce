"""The tables of docs/book.md: each helper that a section needs is there, and the section's test uses it."""

import re
from pathlib import Path

import pytest

from minitorch_cnn import d2l

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "book.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+\.\d+) ([^|]*?) \| ([^|]*?) ?\| ([^|]*?) \|$", re.MULTILINE)
EDITION = re.compile(r"^## (The [\w. ]+ edition)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
EDITIONS = {edition: ROW.findall(text) for edition, text in EDITION.findall(PAGE)}
ROWS = [row for rows in EDITIONS.values() for row in rows]


def sources():
    """The source of each test of d2l, with the functions of its file that it calls, by ``file::name``."""
    found = {}
    for path in HERE.glob("test_*_*.py"):
        parts = re.split(r"^(?=def |class |@pytest|# ---)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        named = {match[1]: part for part in parts if (match := re.match(r"(?:def|class) (\w+)", part))}

        def whole(name, seen, named=named):
            called = set(re.findall(r"\b(\w+)\b", named[name])) & named.keys() - seen - {name}
            return named[name] + "".join(whole(other, seen | called | {name}) for other in sorted(called))

        found |= {f"{path.name}::{name}": whole(name, set()) for name in named if name.startswith("test_")}
    return found


TESTS = sources()


def test_the_tables_are_whole():
    assert list(EDITIONS) == ["The classic edition", "The 1.0 edition"]
    chapters = {edition: {row[0].split(".")[0] for row in rows} for edition, rows in EDITIONS.items()}
    assert chapters["The classic edition"] >= set("234567") | {"11"}
    assert chapters["The 1.0 edition"] >= set("2345678") | {"12"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_section_has_a_test_that_uses_its_helpers(row):
    _, _, helpers, test = row
    if test == "text alone" or test.startswith("not run: "):
        assert not helpers
        return
    source = TESTS[test.strip("`")]
    for helper in re.findall(r"`(\w+)`", helpers):
        assert hasattr(d2l, helper)
        assert re.search(rf"\bd2l\.{helper}\b", source), f"{test} does not use d2l.{helper}"


def test_each_test_has_its_section_and_each_helper_too():
    named = {row[3].strip("`") for row in ROWS}
    others = {"test_the_blocks_are_those_of_pytorch", "test_an_epoch_is_that_of_pytorch"}
    assert {test for test in TESTS if test.split("::")[1] not in others} == {name for name in named if "::" in name}
    helpers = {helper for row in ROWS for helper in re.findall(r"`(\w+)`", row[2])}
    unused = {"float64", "int32", "int64"}  # beside float32
    assert set(d2l.__all__) - helpers == unused and helpers - set(d2l.__all__) == {"plt"}
