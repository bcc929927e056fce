"""Tables fit a terminal of 80 columns, and lose nothing by it."""

import re

import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import data, nn
from minitorch_cnn.inspection.tables import html_table, table


@pytest.mark.parametrize("width", [20, 30, 40, 80])
def test_a_table_has_the_width_that_it_is_given_and_all_its_text(width):
    header, rows = ["the layer", "output", "bytes"], [["encoder.block1.conv", "(1, 16)", "1,024"], ["", "unknown", "-"]]
    lines = table(header, rows, "<<>", width).splitlines()
    assert max(map(len, lines)) <= max(width, 7 + 7 + 5 + 4)  # no word of the header and no number is broken
    columns = [slice(match.start(), match.end() + 2) for match in re.finditer(r"\S+( \S+)*", lines[-1])]
    assert [lines[-1][column].strip() for column in columns] == ["unknown", "-"]
    text = "".join(lines).replace(" ", "")
    assert sorted(text) == sorted("".join([*header, *rows[0], *rows[1]]).replace(" ", ""))


def test_a_table_without_rows_is_its_header():
    assert table(["a", "b"], [], "<>") == "a  b"


def test_what_stands_in_a_cell_is_no_html():
    assert html_table(["a<b"], [["<script>"]], ">") == (
        "<table><thead><tr><th style='text-align: right'>a&lt;b</th></tr></thead>"
        "<tbody><tr><td style='text-align: right'>&lt;script&gt;</td></tr></tbody></table>"
    )


class Deep(nn.Module):
    """Its layers have long names, large outputs and many parameters."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Sequential(nn.ConvTranspose2d(8, 16, 3), nn.AdaptiveAvgPool2d(16)))
        self.classifier_of_the_images = nn.Linear(4096, 300)

    def forward(self, x):
        return self.classifier_of_the_images(self.encoder(x).flatten(1))


@pytest.mark.parametrize("make", [mt.models.LeNet, Deep])
def test_summaries_and_reports_fit_80_columns(make):
    net = make()
    shape = (1, 1, 28, 28) if make is mt.models.LeNet else (4, 8, 40, 40)
    found = nn.summary(net, shape)
    assert max(map(len, str(found).splitlines())) <= 80
    assert found._repr_html_().count("<tr>") == len(found.rows) + 1 + 2
    report = mt.gradcheck_report(net.double(), mt.rand(*shape, dtype=mt.float64), fast_mode=True, sweep=False)
    assert max(map(len, report.table().splitlines())) <= 80
    row = report.rows[0]
    row.index, row.verdict, row.numeric = (3, 7, 39, 39), "not linear", -1.23456789e-300
    assert max(map(len, report.table().splitlines())) <= 80


def test_what_the_command_prints_fits_80_columns(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    train, trace = ("train", "--device", "cpu", "--epochs"), ("trace", "--input-shape", "2,1,28,28", "--repeat", 1)
    for arguments in (
        (*train, 1),
        ("evaluate",),
        (*train, 2, "--resume"),
        ("summary",),
        ("info",),
        ("--help",),
        trace,
    ):
        _, out, err = command(*arguments)
        assert max(map(len, (out or err).splitlines())) <= 80, arguments
