"""Pictures of answers: confusion, mistakes, probabilities."""

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import data, inspection, nn


def test_probabilities_are_the_softmax_of_every_batch():
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3))
    images, labels = mt.rand(7, 1, 2, 2), mt.arange(7) % 3
    found, truth = inspection.probabilities(net, data.DataLoader(data.TensorDataset(images, labels), 3))
    assert net.training
    np.testing.assert_allclose(found, mt.softmax(net.eval()(images), dim=1).detach().numpy(), rtol=1e-6)
    assert truth.tolist() == labels.tolist()
    with pytest.raises(ValueError, match="expected batches of images and labels, got none"):
        inspection.probabilities(net, [])
    with pytest.raises(ValueError, match=r"whose output has the shape \(N, classes\), got \(7, 1, 2, 2\)"):
        inspection.probabilities(nn.Identity(), [(images, labels)])


def test_outputs_that_are_not_finite_are_no_probabilities():
    images = mt.full((2, 1, 28, 28), float("nan"))
    with pytest.raises(ValueError, match="the outputs of the network are not finite"):
        inspection.probabilities(mt.models.LeNet(), [(images, mt.zeros(2, dtype=mt.int64))])


@pytest.mark.parametrize("dark", [False, True])
def test_the_confusion_has_counts_names_and_two_colours(dark):
    figure = inspection.draw_confusion([[6, 0, 2], [1, 4, 0], [0, 0, 9]], ["cat", "dog", "cow"], dark=dark)
    (axes,) = figure.axes
    counts = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert counts == {(0, 0): "6", (0, 2): "2", (1, 0): "1", (1, 1): "4", (2, 2): "9"}, "row: it is; column: said"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog", "cow"]
    assert axes.get_xlabel() == "the network says" and axes.get_ylabel() == "it is"
    assert axes.get_title(loc="left").startswith(f"What is taken for what: {(6 / 8 + 4 / 5 + 1) / 3:.1%} right")
    cells = np.asarray(axes.images[0].get_array(), float)
    assert cells[0, 0, 2] > cells[0, 0, 0] and cells[0, 2, 0] > cells[0, 2, 2], "right is blue, wrong is orange"
    with pytest.raises(ValueError, match=r"a square matrix of counts, got one of shape \(2, 3\)"):
        inspection.draw_confusion(np.ones((2, 3)))


def test_the_mistakes_come_by_certainty():
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((5, 4, 4), np.uint8)
    said = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7], [0.05, 0.95]])
    figure = inspection.draw_mistakes(images, [1, 1, 0, 0, 0], said, ["cat", "dog"], most=3)
    assert [axes.get_title() for axes in figure.axes] == [
        "said dog, 95%\nis cat", "said cat, 90%\nis dog", "said dog, 70%\nis cat",
    ]  # fmt: skip
    assert [axes.get_xlabel() for axes in figure.axes] == ["no. 4", "no. 0", "no. 3"]
    assert figure.axes[0].images[0].get_array()[0, 0] == pytest.approx(4 / 255)
    assert figure.get_suptitle().startswith("4 of 5 are wrong")
    figure = inspection.draw_mistakes(images[:1], [0], said[:1])
    assert figure.get_suptitle() == "All 1 answers are right" and not figure.axes


def test_an_answer_shows_the_original_what_is_seen_and_bars():
    original, seen = np.ones((40, 30, 3)), np.zeros((1, 1, 28, 28))
    figure = inspection.draw_answers([original], seen, [[0.25, 0.75]], ["cat", "dog"], titles=["a.png"])
    left, middle, right = figure.axes
    assert left.get_title() == "a.png" and left.images[0].get_array().shape == (40, 30, 3)
    assert middle.get_title() == "seen at 28×28"
    assert [bar.get_width() for bar in right.patches] == [0.25, 0.75]
    assert [text.get_text() for text in right.texts] == ["25%", "75%"]
