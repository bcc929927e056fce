import pytest

from minitorch_cnn.training import Epoch, History, LiveCurves


@pytest.fixture
def history():
    first = Epoch(1, 2.3017, 0.1 / 3, 0.1, 9000.0, 7.5)
    return History([first, Epoch(2, 1.25, 0.5, 0.6, 3000.0, 8.5), Epoch(3, 0.9, 0.6, 0.65, 9000.0, 7.0)])


def test_csv_round_trip_is_exact(history):
    text = history.to_csv()
    assert text.splitlines()[0] == "epoch,loss,train_acc,test_acc,examples_per_sec,seconds"
    assert History.from_csv(text) == history


def test_csv_of_another_table_is_refused():
    with pytest.raises(ValueError, match=r"has the columns epoch,loss,.*; got a,b"):
        History.from_csv("a,b\n1,2\n")


def test_speed_is_that_of_all_examples_in_all_seconds(history):
    assert history.examples_per_sec == pytest.approx(3 / (1 / 9000 + 1 / 3000 + 1 / 9000))
    assert history.seconds == 23.0


def test_figure_has_the_three_curves(history):
    (axes,) = history.figure().axes
    curves = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert curves == {
        "train loss": [2.3017, 1.25, 0.9],
        "train acc": [0.1 / 3, 0.5, 0.6],
        "test acc": [0.1, 0.6, 0.65],
    }
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
    assert axes.get_xlabel() == "epoch"
    assert axes.get_title() == "epoch 3: loss 0.900, train acc 0.600, test acc 0.650"
    assert axes.get_ylim()[0] == 0
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(curves)


def test_png_is_a_picture_and_not_blank(history):
    import io

    from matplotlib.image import imread

    pixels = imread(io.BytesIO(history.to_png()), format="png")
    assert pixels.shape == (540, 840, 4)
    assert pixels[..., :3].std() > 0.05


def test_the_axes_of_a_single_epoch_have_one_tick(history):
    (axes,) = History(history[:1]).figure().axes
    assert [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]] == [1]


def test_a_history_shows_itself(history):
    assert history._repr_png_() == history.to_png()
    header, *rows = repr(history).splitlines()
    assert header.split("  ")[0] == "epoch" and rows[0].split()[:2] == ["1", "2.302"]
    assert len(rows) == 3 and max(map(len, rows)) <= 80


def test_live_curves_are_drawn_as_they_stand():
    curves = LiveCurves(epochs=2)
    for report in [(0.5, 2.0, 0.1, None), (1.0, 1.5, 0.2, None), (1.0, None, None, 0.3)]:
        curves(*report)
    (axes,) = curves.figure().axes
    assert {line.get_label(): list(line.get_xdata()) for line in axes.lines} == {
        "train loss": [0.5, 1.0], "train acc": [0.5, 1.0], "test acc": [1.0],
    }  # fmt: skip
    assert axes.get_xlim() == (0, 2)
