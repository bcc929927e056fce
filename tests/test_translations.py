"""The Chinese pages say what the English ones say: section by section, all that is not prose is the same in both.

English is the original. A failure names its section: translate what has changed there, and copy its code blocks.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "chapter.md", ROOT / "docs" / "source-tour.md"]
BLOCK = re.compile(r"^```.*?^```$|^<!-- begin \w+ -->$.*?^<!-- end -->$|(?:^ {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def chinese(page):
    return page.with_suffix(".zh.md")


def sections(page):
    """A page's ``(heading, blocks of code, text)``, from heading to heading, without the line about languages."""
    title, _, *lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    found, fenced = [(title.strip(), "")], False
    for line in lines[1:]:
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            found.append((line.strip(), ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return [(heading, BLOCK.findall(text), BLOCK.sub("", text)) for heading, text in found]


def pairs(page):
    """The sections of both languages side by side, each with its English heading, for messages."""
    english, translated = sections(page), sections(chinese(page))
    for (heading, code, text), (_, code_zh, text_zh) in zip(english, translated, strict=True):
        yield f'{page.name}, "{heading}": {chinese(page).name} has another', (code, text), (code_zh, text_zh)


def in_chinese(page, link):
    """Where a link of an English page leads in the Chinese one: to the Chinese page, if there is one."""
    return link.replace(".md", ".zh.md") if (page.parent / link.partition("#")[0]).resolve() in PAGES else link


def same(what, english, translated):
    more, fewer = Counter(english) - Counter(translated), Counter(translated) - Counter(english)
    assert not (more or fewer), f"{what}. Only in English: {list(more)}. Only in Chinese: {list(fewer)}."


def unexplained(block):
    """A block of code; of an indented one that explains its lines in a last column, without this column."""
    return block if block.startswith("```") else re.sub(r"(?<=\S) {3,}(?!.* {3}).*", "", block)


def columns(row):
    """The digits of each cell of a table's row."""
    return [re.findall(r"\d+", cell) for cell in row.strip("|").split("|")]


def test_there_is_a_translation_of_each_page_and_no_other():
    assert sorted([*ROOT.glob("*.zh.md"), *ROOT.glob("docs/*.zh.md")]) == sorted(map(chinese, PAGES))


@each_page
def test_each_page_leads_to_its_other_language(page):
    names = {page: f"[简体中文]({chinese(page).name})", chinese(page): f"[English]({page.name})"}
    for path, line in names.items():
        assert path.read_text(encoding="utf-8").splitlines()[1:4] == ["", line, ""]


@each_page
def test_the_headings_are_the_same(page):
    english, translated = ([heading for heading, *_ in sections(path)] for path in (page, chinese(page)))
    marks = [[re.findall(r"^#+|\d+|`[^`]+`", heading) for heading in headings] for headings in (english, translated)]
    side_by_side = "\n".join(f"{a}  |  {b}" for a, b in zip(english, translated))
    assert marks[0] == marks[1], f"the sections of {page.name} and of {chinese(page).name}:\n{side_by_side}"


@each_page
def test_the_code_blocks_are_the_same(page):
    """Byte for byte, comments too: so tests/test_docs.py runs those of the English pages alone."""
    for what, (code, _), (code_zh, _) in pairs(page):
        blocks, blocks_zh = ([unexplained(block) for block in each] for each in (code, code_zh))
        same(f"{what} line of code", "".join(blocks).splitlines(), "".join(blocks_zh).splitlines())
        assert blocks == blocks_zh, f"{what} order of code"


@each_page
def test_the_links_and_pictures_are_the_same(page):
    for what, (_, text), (_, text_zh) in pairs(page):
        same(f"{what} link", [in_chinese(page, link) for link in LINK.findall(text)], LINK.findall(text_zh))
        images = r'(?:src|srcset|media|width)="([^"]+)"'
        assert re.findall(images, text) == re.findall(images, text_zh), f"{what} picture"


@each_page
def test_the_tables_have_the_same_rows_and_numbers(page):
    for what, (_, text), (_, text_zh) in pairs(page):
        rows, rows_zh = (re.findall(r"^\|.*\|$", each, re.MULTILINE) for each in (text, text_zh))
        assert len(rows) == len(rows_zh), f"{what} number of rows in its tables"
        for row, row_zh in zip(rows, rows_zh):
            assert columns(row) == columns(row_zh), f"{what} row than\n{row}\n{row_zh}"


@each_page
def test_the_text_has_the_same_numbers_and_names_of_code(page):
    for what, (_, text), (_, text_zh) in pairs(page):
        text, text_zh = (re.sub(r"\[[^]]*\]\([^)]*\)|<[^>]*>", "", each) for each in (text, text_zh))
        same(f"{what} name in `code`", re.findall(r"`[^`]+`", text), re.findall(r"`[^`]+`", text_zh))
        same(f"{what} number", re.findall(r"\d[\d,.]*\b", text), re.findall(r"\d[\d,.]*\b", text_zh))


@each_page
def test_a_paragraph_of_a_chinese_page_is_one_line(page):
    """A line break would be shown as a space, which Chinese does not have between words."""
    for heading, _, text in sections(chinese(page)):
        assert not re.search(r"^[^|<>\n].*[^\x00-\x7f].*\n(?![*|<\n]|\d+\. |\Z)", text, re.MULTILINE), heading
