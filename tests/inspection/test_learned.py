"""Pictures of filters, feature maps and changes: what is drawn, of which numbers."""

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import inspection, nn


def drawn(axes):
    """The array that axes show, NaN where nothing is."""
    (image,) = axes.images
    return np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)


def texts(figure):
    return [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("dark", [False, True])
def test_the_filters_are_the_weights(dark):
    net = mt.models.LeNet()
    figure = inspection.draw_filters(net, dark=dark)
    first, _, second, _ = figure.axes
    whole = drawn(second)
    assert whole.shape == (6 * 6 - 1, 16 * 6 - 1), "a column for each filter, a row for each channel"
    np.testing.assert_array_equal(whole[6 * 2 : 6 * 2 + 5, 6 * 7 : 6 * 7 + 5], net[3].weight[7, 2].detach().numpy())
    assert np.isnan(whole[5]).all() and np.isnan(whole[:, 5]).all()
    assert drawn(first).shape == (5, 6 * 6 - 1)
    low, high = first.images[0].get_clim()
    assert -low == high == pytest.approx(np.nanmax(abs(drawn(first))))
    assert figure.get_facecolor()[0] == pytest.approx((0x16 if dark else 0xFD) / 255)


def test_of_a_layer_with_many_filters_the_first_are_drawn_and_it_is_said():
    layers = [nn.Conv2d(3, 40, (1, 3)), *[nn.Conv2d(40, 40, 1) for _ in range(7)]]
    first, _, second, *others = inspection.draw_filters(nn.Sequential(*layers)).axes
    assert drawn(first).shape == (3 * 2 - 1, 16 * 4 - 1) and drawn(second).shape == (8 * 2 - 1, 16 * 2 - 1)
    assert first.get_title(loc="left") == "layer 0: 40 filters of 1×3, the first 16 shown, each on 3 channels"
    assert second.get_title(loc="left").endswith("the first 16 shown, each on 40 channels, the first 8 shown")
    assert len(others) == 1 + 2 * 4, "six convolutions, each with its scale"


def test_a_network_without_filters_is_told():
    with pytest.raises(ValueError, match="a network with a Conv2d, got Linear without one: no filters to draw"):
        inspection.draw_filters(nn.Linear(2, 2))


def test_activations_are_those_of_a_forward_pass_and_the_mode_stays():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3))
    net[1].eval()
    modes, buffers = [part.training for part in net.modules()], net[1].running_mean.clone()
    images = mt.rand(5, 1, 4, 4)
    found = inspection.activations(net, images)
    assert [(one.path, one.type) for one in found][1:3] == [("1", "BatchNorm2d"), ("2", "Dropout")]
    assert found[0].output.shape == (5, 2, 2, 2)
    np.testing.assert_array_equal(found[2].output, found[1].output)
    assert [part.training for part in net.modules()] == modes
    assert mt.equal(net[1].running_mean, buffers)
    np.testing.assert_array_equal(found[-1].output, net.eval()(images).detach().numpy())
    with pytest.raises(TypeError, match="expected a Module, got builtin_function_or_method"):
        inspection.activations(len, images)


def test_the_maps_are_those_of_the_layers():
    net, image = mt.models.LeNet(), mt.rand(1, 28, 28)
    figure = inspection.draw_maps(net, image)
    found = {one.path: one.output[0] for one in inspection.activations(net, image[None])}
    rows = figure.axes
    np.testing.assert_allclose(drawn(rows[0]), image[0].numpy())
    np.testing.assert_array_equal(drawn(rows[1])[:, 31 : 31 + 28], found["0"][1])
    np.testing.assert_array_equal(drawn(rows[7])[0, :64], found["7"][:64])
    assert texts(figure)[1:5] == ["image", "1×28×28", "0  Conv2d", "6×28×28"]
    assert texts(figure)[-2:] == ["11  Linear", "10"]


def test_the_overview_shows_each_stage_and_the_answer():
    net, image = mt.models.LeNet(), mt.rand(1, 28, 28)
    names = [f"class {i}" for i in range(10)]
    figure = inspection.draw_overview(net, image, names, 3, title="What LeNet sees")
    assert [axes.get_label() for axes in figure.axes][-2:] == ["Linear", "classes"]
    found = {one.path: one.output[0] for one in inspection.activations(net, image[None])}
    pooled = drawn(figure.axes[2])
    assert pooled.shape == (3 * 15 - 1, 2 * 15 - 1) and np.nanmin(pooled) == 0 and np.nanmax(pooled) == 1
    lowest, highest = found["2"][3].min(), found["2"][3].max()
    np.testing.assert_allclose(pooled[15:29, 15:29], (found["2"][3] - lowest) / (highest - lowest), rtol=1e-5)
    bars = [bar.get_width() for bar in figure.axes[-1].patches]
    expected = np.exp(found["11"]) / np.exp(found["11"]).sum()
    np.testing.assert_allclose(bars, expected, rtol=1e-5)
    assert {"What LeNet sees", "class 3", "6 maps\n14×14", "Conv2d\nSigmoid", "120"} <= set(texts(figure))
    labels = figure.axes[-1].get_yticklabels()
    assert [label.get_text() for label in labels] == names
    assert [label.get_fontweight() for label in labels].index("bold") == 3


def test_an_overview_of_any_network():
    deep = nn.Sequential(*[nn.Conv2d(3 if i == 0 else 20, 20, 3 - i % 2, padding=1) for i in range(12)])
    net = nn.Sequential(deep, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 12))
    figure = inspection.draw_overview(net, mt.rand(3, 9, 9))
    assert len(figure.axes) == 9, "the image, seven stages, the answer"
    assert "16 of 20 maps\n11×11" in texts(figure)
    assert len(figure.axes[-1].patches) == 10, "the ten likeliest of twelve"
    with pytest.raises(ValueError, match=r"output for one image has the shape \(1, classes\), got \(1, 20, \d+, \d+\)"):
        inspection.draw_overview(deep, mt.rand(3, 9, 9))


def test_a_stage_begins_with_filters_or_another_shape():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.1), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(4, 3),
    )  # fmt: skip
    figure = inspection.draw_overview(net, mt.rand(1, 8, 8))
    captions = texts(figure)[2:-1:2]
    assert captions == [
        "Conv2d\nBatchNorm2d\nReLU\n...", "MaxPool2d", "Conv2d\nReLU", "AdaptiveAvgPool2d\nDropout",
    ]  # fmt: skip
    assert texts(figure)[9] == "4", "maps of one pixel are numbers"


def test_what_is_not_drawn_of_a_stage_is_said():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 17, 3), nn.Flatten(), nn.Linear(68, 300), nn.Linear(300, 2))
    assert {"1 map\n4×4", "16 of 17 maps\n2×2", "256 of 300"} <= set(
        texts(inspection.draw_overview(net, mt.rand(1, 6, 6)))
    )


@pytest.mark.parametrize("draw", [inspection.draw_overview, inspection.draw_maps])
def test_long_names_have_room(draw):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    inner = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3), nn.Softmax(1))
    net = nn.Sequential()
    net.features_of_images = inner
    figure = draw(net, mt.rand(1, 8, 8))
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in figure.texts if text.get_text()]
    extents += [axes.get_window_extent() for axes in figure.axes if axes.get_label() != "classes"]
    assert not [(i, j) for i, a in enumerate(extents) for j, b in enumerate(extents[:i]) if a.overlaps(b)]


def test_the_changes_are_distances_relative_to_the_weights():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3, 2))
    states = {}
    for epoch, factor in enumerate((1.0, 3.0, 2.4)):
        states[epoch] = {name: mt.full(p.shape, factor) for name, p in net.named_parameters()}
    figure = inspection.draw_changes(net, states)
    left, right = figure.subfigs[0].axes[0], figure.subfigs[1].axes[0]
    for line in right.lines:
        assert list(line.get_xdata()) == [1, 2]
        np.testing.assert_allclose(line.get_ydata(), [2.0, 0.2], rtol=1e-6)
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["0  Conv2d", "2  Linear"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["0", "1", "2"]
    assert drawn(left)[8, 0] == np.float32(2.4) and drawn(left).shape == (11, 11)
    assert inspection.to_png(figure)[1:4] == b"PNG"
    with pytest.raises(ValueError, match="the weights of at least two epochs, got 1"):
        inspection.draw_changes(net, {0: states[0]})


def test_the_changes_of_a_network_without_convolutions_are_curves_alone():
    net = nn.Linear(2, 2)
    figure = inspection.draw_changes(net, {0: net.state_dict(), 4: nn.Linear(2, 2).state_dict()})
    (axes,) = figure.axes
    assert list(axes.lines[0].get_xdata()) == [4]


def test_of_a_long_training_some_epochs_are_drawn():
    net = nn.Conv2d(1, 2, 3)
    figure = inspection.draw_changes(net, {epoch: net.state_dict() for epoch in range(101)})
    shown = [int(label.get_text()) for label in figure.subfigs[0].axes[0].get_yticklabels()]
    assert len(shown) == 12 and shown[0] == 0 and shown[-1] == 100
