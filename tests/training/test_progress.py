"""What a training shows: a bar with the time left in a terminal, nothing in a log, and nothing needed for nothing."""

import re
import sys

import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn, training

BATCH = mt.tensor([[-1.0], [1.0]]), mt.tensor([0, 1])


def train(**settings):
    return training.train(nn.Linear(1, 2), [BATCH] * 5, [BATCH], epochs=3, **settings)


def test_without_a_bar_no_library_for_bars_is_needed(monkeypatch):
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)  # its import fails
    assert len(train(progress=False)) == 3
    with pytest.raises(ImportError):
        train()


def test_a_terminal_shows_how_much_of_the_run_is_left(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(
        on_epoch=lambda _, history: print(f"epoch {len(history)} is over"), on_step=lambda progress: slow(progress.bar)
    )
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"epoch {i} is over" for i in (1, 2, 3)]
    states = re.findall(r"epoch (\d)/3: +(\d+)%\|[^|]*\| (\S+) left(?:, loss=\d\.\d{3}, acc=\d\.\d{3})?", err)
    assert [epoch for epoch, *_ in states] == sorted(epoch for epoch, *_ in states)
    percents = [int(percent) for _, percent, _ in states]
    assert percents == sorted(percents) and percents[0] <= 13 and percents[-1] >= 93
    assert max(len(line) for line in re.split(r"[\r\n]", err)) <= 80
    assert err.endswith("\r"), "the bar vanishes"


def slow(bar):
    """Have the bar drawn at every step, as if each took a second."""
    bar.mininterval, bar.miniters, bar.start_t = 0, 1, bar.start_t - 1


def test_a_run_that_goes_on_begins_where_it_was(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    train(history=training.History(train(progress=False)[:2]))
    assert " 67%|" in capsys.readouterr().err


def test_a_log_file_gets_no_bar(capsys):
    train()
    assert capsys.readouterr() == ("", "")
