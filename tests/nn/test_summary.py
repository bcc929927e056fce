"""summary lists what a network consists of: against numbers worked out by hand, and by other ways of counting."""

import math

import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.nn import functional as F


def only(net, *shape):
    (row,) = nn.summary(net, shape).rows
    return row


def test_lenet():
    """Parameters, multiply-adds and receptive fields are those that the literature gives."""
    found = nn.summary(mt.models.LeNet(), (1, 1, 28, 28))
    assert found.parameters == 61_706
    assert [row.path for row in found.rows] == [str(i) for i in range(12)]
    assert [row.parameters for row in found.rows if row.parameters] == [156, 2416, 48120, 10164, 850]
    by_hand = [6 * 28 * 28 * 25, 16 * 10 * 10 * 6 * 25, 400 * 120, 120 * 84, 84 * 10]
    assert [row.multiply_adds for row in found.rows if row.multiply_adds] == by_hand
    assert found.multiply_adds == sum(by_hand) == 416_520
    assert [row.receptive_field[0] for row in found.rows[:8]] == [5, 5, 6, 14, 14, 16, 16, math.inf]
    assert found.rows[5].output_shape == (1, 16, 5, 5)
    assert found.bytes == sum(row.bytes for row in found.rows) > 0


def test_the_text_is_a_table():
    net = nn.Sequential(nn.Conv2d(3, 4, (3, 5), bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1000))
    above, header, *lines = str(nn.summary(net, (2, 3, 9, 9))).splitlines()
    assert above.split() == ["multiply-", "receptive", "bytes"]
    assert header.split() == ["layer", "type", "output", "parameters", "adds", "field", "kept"]
    assert lines[0].split() == ["input", "(2,", "3,", "9,", "9)"]
    assert lines[1].startswith("0      Conv2d             (2, 4, 7, 5)         180     12,600        3×5 ")
    assert lines[4].startswith("3      Linear             (2, 1000)          5,000      8,000        all ")
    assert lines[5].split()[:3] == ["total", "5,180", "20,600"]


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ([nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 3, dilation=2)], (3 + 2 * 4,) * 2),
        ([nn.Conv2d(1, 1, (1, 3), stride=(1, 2)), nn.MaxPool2d((2, 2))], (2, 3 + 2)),
        ([nn.AvgPool2d(2), nn.ReLU(), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 3, padding=1)], (2 + 2 * 2,) * 2),
        ([nn.MaxPool2d(2), nn.ConvTranspose2d(1, 1, 2, stride=2), nn.Conv2d(1, 1, 3)], (2 + 2,) * 2),
    ],
)
def test_receptive_fields_are_what_the_output_depends_on(layers, size):
    """Checked against the widest span of input pixels that some output element responds to."""
    net = nn.Sequential(*layers).double().eval()
    assert nn.summary(net, (1, 1, 24, 24)).rows[-1].receptive_field == size
    for module in net.modules():
        if hasattr(module, "weight"):
            module.weight.data.fill_(1.0)
    widest = [0, 0]
    x = mt.rand(1, 1, 24, 24, dtype=mt.float64) + 1
    y = net(x).array
    responds = np.array([[_responds(net, x, y, i, j) for j in range(24)] for i in range(24)])  # (H, W, OH, OW)
    for output in np.moveaxis(responds, (0, 1), (2, 3)).reshape(-1, 24, 24):
        for axis in (0, 1):
            places = np.flatnonzero(output.any(1 - axis))
            widest[axis] = max(widest[axis], int(np.ptp(places)) + 1 if len(places) else 0)
    assert tuple(widest) == size


def _responds(net, x, y, i, j):
    moved = x.clone()
    moved[0, 0, i, j] = 10.0
    return net(moved).array[0, 0] != y[0, 0]


def test_multiply_adds():
    assert only(nn.Conv2d(4, 6, 3, groups=2), 5, 4, 8, 7).multiply_adds == 5 * 6 * 6 * 5 * (2 * 9)
    assert only(nn.ConvTranspose2d(4, 6, 3, stride=2), 5, 4, 8, 7).multiply_adds == 5 * 4 * 8 * 7 * (6 * 9)
    assert only(nn.Linear(3, 7), 5, 2, 3).multiply_adds == 5 * 2 * 7 * 3
    assert only(nn.ReLU(), 5, 3).multiply_adds == 0


def test_bytes_are_those_that_the_graph_holds():
    """A chain of sigmoids keeps each output once, whoever needs it; parameters do not count."""
    net = nn.Sequential(nn.Linear(10, 20), nn.Sigmoid(), nn.Sigmoid(), nn.Linear(20, 5), nn.Sigmoid())
    rows = nn.summary(net, (3, 10)).rows
    assert [row.bytes for row in rows] == [3 * 10 * 4, 3 * 20 * 4, 3 * 20 * 4, 0, 3 * 5 * 4]
    assert [row.bytes for row in nn.summary(net.double(), (3, 10)).rows] == [3 * 10 * 8, 480, 480, 0, 120]


def test_what_is_not_trained_keeps_nothing():
    net = nn.Sequential(nn.Sigmoid(), nn.Linear(10, 20), nn.Sigmoid(), nn.Linear(20, 5))
    assert nn.summary(net, (3, 10)).rows[0].bytes == 0, "the images need no gradient: the first sigmoid keeps nothing"
    found = nn.summary(net.requires_grad_(False), (3, 10))
    assert found.bytes == 0
    assert (found.parameters, found.multiply_adds) == (325, 3 * (200 + 100))


def test_bytes_scale_with_the_batch():
    net = mt.models.LeNet()
    one, eight = (nn.summary(net, (n, 1, 28, 28)).bytes for n in (1, 8))
    assert eight == 8 * one


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))
        self.scale = nn.Parameter(mt.ones(1))
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        before = F.sigmoid(x)
        return F.relu(self.inside(before) + before * self.scale)


def test_modules_of_modules_and_code_between_layers():
    found = nn.summary(nn.Sequential(nn.Conv2d(1, 2, 5), Residual()), (1, 1, 12, 12))
    assert [(row.path, row.type) for row in found.rows] == [
        ("0", "Conv2d"),
        ("1", "Residual"),
        ("1.inside.0", "Conv2d"),
        ("1.inside.1", "ReLU"),
        ("1.inside.2", "Conv2d"),
        ("1.unused", "Linear"),
    ]
    assert [row.receptive_field for row in found.rows] == [(5, 5), (9, 9), (7, 7), (7, 7), (9, 9), None]
    assert [row.parameters for row in found.rows] == [52, 1, 38, 0, 38, 12]
    assert found.rows[-1].output_shape == "not called"
    plane = 2 * 8 * 8 * 4
    assert found.rows[1].bytes >= 2 * plane, "the sigmoid before, and the relu after the layers inside, are its own"


class Blur(nn.Module):
    """A user's layer, which looks at windows of 3×3 by code of its own."""

    def forward(self, x):
        return F.conv2d(x, mt.ones(1, 1, 3, 3), padding=1)


def test_what_a_users_layer_sees_is_unknown_unless_it_states_it():
    def fields(layer):
        found = nn.summary(nn.Sequential(nn.Conv2d(1, 1, 5), layer, nn.ReLU(), nn.MaxPool2d(2)), (1, 1, 12, 12))
        return [row.receptive_field for row in found.rows], str(found)

    seen, text = fields(Blur())
    assert seen == [(5, 5), None, None, None]
    assert text.splitlines()[4].split()[-2] == "?" and text.splitlines()[-1].startswith("? ")
    stating = Blur()
    for stated in ((3, 1), ((3, 3), (1, 1))):
        stating.receptive_field = stated
        seen, text = fields(stating)
        assert seen == [(5, 5), (7, 7), (7, 7), (8, 8)] and "?" not in text
    stating.receptive_field = "same"
    assert fields(stating)[0] == [(5, 5), (5, 5), (5, 5), (6, 6)]
    stating.receptive_field = "all"
    assert fields(stating)[0] == [(5, 5)] + [(math.inf, math.inf)] * 3
    stating.receptive_field = 3
    with pytest.raises(TypeError, match=r"receptive_field of Blur should be .*\(kernel, stride\), got 3"):
        fields(stating)


@pytest.mark.parametrize(
    ("forward", "seen"),
    [
        (lambda x: x * 2 + x.sigmoid(), (3, 3)),
        (lambda x: F.relu(F.dropout(x), inplace=True).flatten(2), (3, 3)),
        (lambda x: mt.cat([x, F.pad(x, (0, 0, 0, 0))], 1), (3, 3)),
        (lambda x: x - x.mean(), None),
        (lambda x: x.sum((2, 3)), None),
        (lambda x: F.max_pool2d(x, 2), None),
        (lambda x: x[:, :, ::2], None),
        (lambda x: x.mT @ x, None),
    ],
)
def test_operations_that_look_at_each_element_by_itself_are_seen_through(forward, seen):
    layer = nn.Module()
    layer.forward = forward
    assert nn.summary(nn.Sequential(nn.Conv2d(1, 1, 3), layer), (1, 1, 8, 8)).rows[1].receptive_field == seen


def test_a_linear_layer_behind_an_unknown_one_sees_all():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), Blur(), nn.Flatten(), nn.Linear(36, 2))
    assert [row.field for row in nn.summary(net, (1, 1, 8, 8)).rows] == ["3×3", "?", "?", "all"]


def test_a_users_layer_can_state_its_multiply_adds():
    class Counted(Blur):
        def multiply_adds(self, input, output):
            return output.numel() * 9

    assert only(Counted(), 1, 1, 4, 4).multiply_adds == 16 * 9


def test_a_layer_called_twice_has_two_rows_and_counts_its_parameters_once():
    layer = nn.Linear(4, 4)
    found = nn.summary(nn.Sequential(layer, nn.Tanh(), layer), (1, 4))
    assert [row.path for row in found.rows] == ["0", "1", "0"]
    assert [row.parameters for row in found.rows] == [20, 0, 0]
    assert [row.multiply_adds for row in found.rows] == [16, 0, 16]


def test_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    before, state = {name: value.tolist() for name, value in net.state_dict().items()}, mt.get_rng_state()
    names = [sorted(vars(module)) for module in net.modules()]
    with mt.no_grad():
        assert nn.summary(net, (3, 4)).bytes > 0
    assert {name: value.tolist() for name, value in net.state_dict().items()} == before
    assert mt.get_rng_state() == state
    assert [sorted(vars(module)) for module in net.modules()] == names
    assert net.training and all(parameter.grad is None for parameter in net.parameters())


def test_a_buffer_that_forward_replaces_is_put_back():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", mt.zeros(1))
            self.register_buffer("last", None)

        def forward(self, x):
            self.n = self.n + 1
            self.n += 1
            self.last = x
            return x * 2

    net = Counts()
    before = net.n
    nn.summary(net, (1, 2))
    assert net.n is before and net.n.tolist() == [0.0] and net.last is None
    net.double()
    before = net.n
    assert mt.gradcheck(net, mt.ones(2, dtype=mt.float64, requires_grad=True))
    assert net.n is before and net.n.tolist() == [0.0] and net.last is None


def test_an_instance_with_a_forward_of_its_own_keeps_it():
    net = nn.Sequential(nn.ReLU())
    own = net[0].forward = lambda x: x * 2
    assert nn.summary(net, (1, 2)).rows[0].output_shape == (1, 2)
    assert net[0].forward is own


def test_several_inputs():
    class Add(nn.Module):
        def forward(self, a, b):
            return a + b

    found = nn.summary(Add(), [(2, 3), (3,)])
    assert found.rows[0].output_shape == (2, 3)
    assert [line.split("  ")[0] for line in str(found).splitlines()] == ["layer", "input", "input", "(whole)", "total"]


def test_several_outputs():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            y = self.fc(x)
            return y, y.sigmoid()

    rows = nn.summary(Both(), (3, 4)).rows
    assert [(row.path, row.output_shape, row.bytes) for row in rows] == [("", "tuple", 3 * 2 * 4), ("fc", (3, 2), 48)]


def test_on_every_device(device):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).to(device)
    found = nn.summary(net, (1, 1, 4, 4))
    assert (found.parameters, found.multiply_adds) == (47, 96)
    assert found.rows[1].bytes == 32


def test_a_failing_model_names_its_layer_and_is_left_as_it_was():
    net = nn.Sequential(nn.Flatten(), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match=r'expects 5 input features, 4 came(?s:.*)in layer "1"'):
        nn.summary(net, (1, 4))
    assert "forward" not in vars(net[1])


@pytest.mark.parametrize("shape", [4, "1,4", (1, 4.0), [1, 4]])
def test_other_shapes_are_refused(shape):
    with pytest.raises(TypeError, match=r"expected an input_shape such as \(1, 1, 28, 28\)"):
        nn.summary(nn.ReLU(), shape)


def test_other_models_are_refused():
    with pytest.raises(TypeError, match="expected a Module, got function"):
        nn.summary(F.relu, (1, 4))
