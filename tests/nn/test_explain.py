"""Errors name the layer: where in the network it went wrong, and the shapes on the way there."""

import threading
import traceback

import pytest

import minitorch_cnn as mt
from minitorch_cnn import nn


def broken_lenet():
    """The second pooling has the wrong kernel size, so that Flatten hands on 144 features, not 400."""
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=5, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120),
    )


def message(function, *args, error=RuntimeError):
    with pytest.raises(error) as info:
        function(*args)
    return str(info.value)


def test_the_wrong_pooling_of_a_lenet_can_be_found():
    text = message(broken_lenet(), mt.zeros(1, 1, 28, 28))
    assert text.splitlines() == [
        "Linear expects 400 input features, 144 came (input shape (1, 144)). Look for the layer before that made "
        "this shape, or change in_features to 144",
        'in layer "7": Linear(in_features=400, out_features=120, bias=True) of Sequential',
        "the shapes up to there:",
        "  input (1, 1, 28, 28)",
        "  0 Conv2d -> (1, 6, 28, 28)",
        "  1 Sigmoid -> (1, 6, 28, 28)",
        "  2 AvgPool2d -> (1, 6, 14, 14)",
        "  3 Conv2d -> (1, 16, 10, 10)",
        "  4 Sigmoid -> (1, 16, 10, 10)",
        "  5 AvgPool2d -> (1, 16, 3, 3)",
        "  6 Flatten -> (1, 144)",
    ]


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))
        self.head = nn.ModuleList([nn.Linear(8, 4), nn.Linear(5, 2)])

    def forward(self, x):
        x = self.features(x)
        for layer in self.head:
            x = layer(x)
        return x


def test_paths_go_through_nested_and_custom_modules():
    text = message(Nested(), mt.zeros(3, 1, 4, 4))
    assert text.splitlines()[1:] == [
        'in layer "head.1": Linear(in_features=5, out_features=2, bias=True) of Nested',
        "the shapes up to there:",
        "  input (3, 1, 4, 4)",
        "  features.0 Conv2d -> (3, 2, 2, 2)",
        "  features.1.0 ReLU -> (3, 2, 2, 2)",
        "  features.1.1 Flatten -> (3, 8)",
        "  head.0 Linear -> (3, 4)",
    ]


def test_an_error_in_a_modules_own_code_names_that_module():
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(x).reshape(-1, 400)

    text = message(nn.Sequential(nn.Flatten(), Wrong()), mt.zeros(2, 3), error=(RuntimeError, ValueError))
    assert 'in layer "1": Wrong(...) of Sequential' in text
    assert "  0 Flatten -> (2, 3)\n  1.act ReLU -> (2, 3)" in text


def test_a_layer_by_itself_is_named_once():
    assert message(nn.Linear(3, 2), mt.zeros(1, 4)).splitlines()[1:] == [
        "in Linear(in_features=3, out_features=2, bias=True)"
    ]


def test_the_error_keeps_its_type_its_identity_and_its_traceback():
    raised = IndexError("here")

    class Wrong(nn.Module):
        def forward(self, x):
            raise raised

    with pytest.raises(IndexError) as info:
        nn.Sequential(Wrong())(mt.zeros(1))
    assert info.value is raised
    assert "raise raised" in "".join(traceback.format_exception(raised))
    assert isinstance(raised.layer, Wrong)


@pytest.mark.parametrize(
    "error",
    [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), ValueError(), ValueError("two", 2), RuntimeError(404)],
    ids=repr,
)
def test_errors_with_other_arguments_keep_them(error):
    text, args = str(error), error.args

    class Wrong(nn.Module):
        def forward(self, x):
            raise error

    with pytest.raises(type(error)):
        nn.Sequential(Wrong())(mt.zeros(1))
    assert (str(error), error.args) == (text, args)
    assert 'in layer "0": Wrong()' in "".join(getattr(error, "__notes__", ['in layer "0": Wrong()']))


def test_errors_of_other_types_pass_untouched():
    class Wrong(nn.Module):
        def forward(self, x):
            raise KeyError("key")

    with pytest.raises(KeyError) as info:
        nn.Sequential(Wrong())(mt.zeros(1))
    assert info.value.args == ("key",)


def test_a_network_works_after_an_error_and_an_error_that_was_caught_leaves_no_trace():
    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.small, self.large = nn.Linear(2, 1), nn.Linear(4, 1)

        def forward(self, x):
            try:
                return self.small(x)
            except RuntimeError:
                return self.large(x)

    net = nn.Sequential(Tries(), nn.Linear(1, 1))
    assert net(mt.zeros(3, 4)).shape == (3, 1)
    first, second = (message(net, mt.zeros(3, 5)) for _ in range(2))
    assert first == second
    assert first.count("in layer") == 1 and 'in layer "0.large"' in first


def test_a_deep_network_shows_its_last_layers():
    net = nn.Sequential(*(nn.Identity() for _ in range(50)), nn.Linear(3, 1))
    lines = message(net, mt.zeros(1, 2)).splitlines()
    assert lines[4:6] == ["  ... 20 layers ...", "  20 Identity -> (1, 2)"]
    assert lines[-1] == "  49 Identity -> (1, 2)"


def test_threads_do_not_mix_their_shapes():
    net, started = broken_lenet(), threading.Barrier(2)
    texts = {}

    def run(n):
        started.wait()
        texts[n] = message(net, mt.zeros(n, 1, 28, 28))

    threads = [threading.Thread(target=run, args=(n,)) for n in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, text in texts.items():
        assert len(text.splitlines()) == 11 and f"  6 Flatten -> ({n}, 144)" in text


def test_what_is_no_tensor_is_named_by_its_type():
    class Pair(nn.Module):
        def forward(self, x, factor):
            return x, factor

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair, self.last = Pair(), nn.Linear(1, 1)

        def forward(self, x, factor):
            return self.last(self.pair(x, factor)[0])

    text = message(Net(), mt.zeros(1, 2), 3.0)
    assert "  input (1, 2), float\n  pair Pair -> tuple" in text


def test_no_error_leaves_no_arrays_alive():
    import gc
    import weakref

    net = broken_lenet()
    gc.disable()
    try:
        x = mt.zeros(1, 1, 28, 28)
        alive = weakref.ref(x)
        with pytest.raises(RuntimeError):
            net(x)
        del x
        assert alive() is None
    finally:
        gc.enable()


def test_a_layer_in_a_plain_list_is_told_to_be_unregistered():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(4, 2)]

        def forward(self, x):
            return self.layers[0](x)

    with pytest.raises(RuntimeError, match="not registered in Net.*nn.ModuleList"):
        Net().double()(mt.rand(2, 4, dtype=mt.float64))
    with pytest.raises(ValueError, match="empty parameter list.*nn.ModuleList"):
        mt.optim.SGD(Net().parameters())
