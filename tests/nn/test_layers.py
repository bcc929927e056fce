"""Every layer against PyTorch's of the same name: the output, and the gradient of the input and each parameter."""

import numpy as np
import pytest
from helpers import assert_close, cotangents, is_pinned_torch, needs_torch, of_pinned_torch, to_numpy, torch

import minitorch_cnn as mt
from minitorch_cnn import nn

rng = np.random.default_rng(1)
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # PyTorch's


def pair(make, device="cpu"):
    """A layer of ours and PyTorch's with the same float64 parameters: `make` is called for both libraries."""
    needs_torch()
    theirs = make(torch.nn).double()
    ours = make(nn).double().to(device)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def assert_same_layer(make, *shape, device="cpu", tolerance=1e-10):
    ours, theirs = pair(make, device)
    array = rng.standard_normal(shape)
    x, torch_x = mt.tensor(array, device=device, requires_grad=True), torch.tensor(array, requires_grad=True)
    for _ in range(2):  # a second call finds the first's running averages
        y, torch_y = ours(x), theirs(torch_x)
        assert_close(y, torch_y, tolerance)
        (dy,) = cotangents([y])
        y.backward(mt.tensor(dy, device=device))
        torch_y.backward(torch.tensor(dy))
    assert_close(x.grad, torch_x.grad, tolerance, "input.grad")
    torch_parameters = dict(theirs.named_parameters())
    assert list(dict(ours.named_parameters())) == list(torch_parameters)
    for name, parameter in ours.named_parameters():
        assert parameter.device.type == device
        assert_close(parameter.grad, torch_parameters[name].grad, tolerance, f"{name}.grad")
    for name, tensor in ours.state_dict().items():
        assert_close(tensor, theirs.state_dict()[name], tolerance, name)
    if is_pinned_torch():
        assert repr(ours) == repr(theirs)


CONVOLUTIONS = [
    {},
    {"stride": 2},
    {"stride": (1, 2), "padding": (2, 1)},
    {"padding": "same"},
    {"padding": "valid", "dilation": 2},
    {"padding": "same", "dilation": (1, 2)},
    {"groups": 2, "bias": False},
    {"groups": 4, "padding": 1, "stride": 3},
]


@pytest.mark.parametrize("settings", CONVOLUTIONS, ids=str)
def test_conv2d(settings, device):
    assert_same_layer(lambda lib: lib.Conv2d(4, 8, (3, 2), **settings), 2, 4, 8, 7, device=device)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [0, 2, (1, 3), (3, 0), (0, 2), "same", "valid"], ids=str)
def test_padding_mode_of_asymmetric_padding(mode, padding, device):
    def make(lib):
        return lib.Conv2d(2, 3, (4, 2), padding=padding, padding_mode=mode)

    assert_same_layer(make, 2, 2, 5, 6, device=device)


def test_conv2d_positional_arguments_are_in_pytorchs_order():
    assert_same_layer(lambda lib: lib.Conv2d(4, 6, 3, 2, 1, 2, 2, False, "circular"), 1, 4, 9, 9)


def test_conv2d_without_a_batch_and_with_an_empty_one():
    assert_same_layer(lambda lib: lib.Conv2d(2, 3, 3), 2, 5, 6)
    assert nn.Conv2d(2, 3, 3)(mt.zeros(0, 2, 5, 6)).shape == (0, 3, 3, 4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stride": 2, "padding": 1},
        {"stride": (3, 2), "padding": (0, 1), "output_padding": (2, 1)},
        {"groups": 2, "bias": False},
        {"dilation": (2, 1), "stride": 2},
    ],
    ids=str,
)
def test_conv_transpose2d(settings, device):
    assert_same_layer(lambda lib: lib.ConvTranspose2d(4, 6, (3, 2), **settings), 2, 4, 4, 5, device=device)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.AvgPool2d(2),
        lambda lib: lib.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1)),
        lambda lib: lib.AvgPool2d(3, 2, 1, True, False),
        lambda lib: lib.AvgPool2d(3, divisor_override=4),
        lambda lib: lib.MaxPool2d(2),
        lambda lib: lib.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1)),
        lambda lib: lib.MaxPool2d(3, 2, 1, 2),
        lambda lib: lib.MaxPool2d(3, 2, ceil_mode=True),
        lambda lib: lib.AdaptiveAvgPool2d(1),
        lambda lib: lib.AdaptiveAvgPool2d((3, None)),
        lambda lib: lib.AdaptiveAvgPool2d((4, 5)),
        lambda lib: lib.AdaptiveMaxPool2d(1),
        lambda lib: lib.AdaptiveMaxPool2d((3, None)),
    ],
)
def test_pooling(make, device):
    assert_same_layer(make, 2, 3, 8, 7, device=device)


def test_max_pool2d_with_indices():
    ours, theirs = pair(lambda lib: lib.MaxPool2d(2, return_indices=True))
    array = rng.standard_normal((2, 3, 6, 5))
    for y, torch_y in zip(ours(mt.tensor(array)), theirs(torch.tensor(array))):
        assert_close(y, torch_y)


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias, device):
    assert_same_layer(lambda lib: lib.Linear(3, 4, bias=bias), *shape, device=device)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.Sigmoid(),
        lambda lib: lib.Tanh(),
        lambda lib: lib.ReLU(),
        lambda lib: lib.LeakyReLU(),
        lambda lib: lib.LeakyReLU(0.3),
        lambda lib: lib.GELU(),
        lambda lib: lib.GELU("tanh"),
        lambda lib: lib.Softmax(dim=1),
        lambda lib: lib.LogSoftmax(dim=-1),
        lambda lib: lib.Identity(54, unused=True),
        lambda lib: lib.Flatten(),
        lambda lib: lib.Flatten(0, 1),
        lambda lib: lib.Unflatten(-1, (2, -1)),
        lambda lib: lib.Dropout(0.0),
        lambda lib: lib.Dropout(1.0),
        lambda lib: lib.Dropout(0.3).eval(),
    ],
)
def test_layers_without_parameters(make, device):
    assert_same_layer(make, 2, 3, 4, device=device)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": None},
        {"momentum": 0.4, "eps": 0.1},
        {"affine": False},
        of_pinned_torch({"bias": False}),
        {"track_running_stats": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_batch_norm(settings, mode, device):
    assert_same_layer(lambda lib: lib.BatchNorm2d(3, **settings).train(mode), 4, 3, 2, 5, device=device, tolerance=1e-9)
    assert_same_layer(lambda lib: lib.BatchNorm1d(3, **settings).train(mode), 4, 3, device=device, tolerance=1e-9)
    assert_same_layer(lambda lib: lib.BatchNorm1d(3, **settings).train(mode), 4, 3, 5, device=device, tolerance=1e-9)


def test_batch_norm_evaluates_with_what_it_saw_in_training():
    ours, theirs = pair(lambda lib: lib.BatchNorm2d(2))
    for _ in range(3):
        array = 3 + 2 * rng.standard_normal((4, 2, 3, 3))
        ours(mt.tensor(array)), theirs(torch.tensor(array))
    ours.eval(), theirs.eval()
    assert_close(ours(mt.tensor(array)), theirs(torch.tensor(array)))
    assert ours.num_batches_tracked.item() == 3


def test_batch_norm_in_float32_keeps_it():
    norm = nn.BatchNorm2d(2)
    assert norm(mt.randn(3, 2, 4, 4)).dtype == norm.running_var.dtype == mt.float32


def test_batch_norm_says_what_it_wants():
    with pytest.raises(ValueError, match=r"4D \(N, C, H, W\) input \(got 2D"):
        nn.BatchNorm2d(3)(mt.zeros(4, 3))
    with pytest.raises(ValueError, match="more than 1 value per channel when training"):
        nn.BatchNorm1d(3)(mt.zeros(1, 3))
    with pytest.raises(RuntimeError, match="expects 3 channels, as running_mean has, 4 came"):
        nn.BatchNorm1d(3)(mt.zeros(2, 4))


def test_dropout_zeroes_a_part_and_keeps_the_mean(device):
    x = mt.ones(200, 500, device=device, requires_grad=True)
    y = nn.Dropout(0.3)(x)
    values = to_numpy(y)
    assert abs((values == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(np.unique(values), [0, 1 / 0.7], rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(to_numpy(x.grad), values)
    assert y.dtype == mt.float32


def test_dropout_draws_on_the_host_from_the_seed(device):
    mt.manual_seed(3)
    expected = nn.Dropout()(mt.ones(50))
    mt.manual_seed(3)
    np.testing.assert_array_equal(to_numpy(nn.Dropout()(mt.ones(50, device=device))), to_numpy(expected))


def test_dropout2d_drops_whole_channels(device):
    x = mt.ones(50, 40, 2, 3, device=device, requires_grad=True)
    y = nn.Dropout2d(0.3)(x)
    values = to_numpy(y)
    assert (values == values[..., :1, :1]).all()
    assert abs((values == 0).mean() - 0.3) < 0.03
    np.testing.assert_allclose(np.unique(values), [0, 1 / 0.7], rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(to_numpy(x.grad), values)
    assert nn.Dropout2d().eval()(x) is x
    with pytest.warns(UserWarning, match=r"expects \(N, C, H, W\), got shape \(50, 40, 6\)"):
        nn.functional.dropout2d(x.detach().flatten(2))


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=f"has to be between 0 and 1, but got {p}"):
        nn.Dropout(p)


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.ReLU(inplace=True),
        lambda lib: lib.LeakyReLU(inplace=True),
        lambda lib: lib.Dropout(1.0, inplace=True),
    ],
)
def test_inplace_writes_into_the_input(make):
    ours, theirs = pair(make)
    array = rng.standard_normal((2, 3))
    x, torch_x = mt.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    hidden, torch_hidden = x * 2, torch_x * 2
    assert ours(hidden) is hidden
    theirs(torch_hidden)
    assert_close(hidden, torch_hidden)
    hidden.sum().backward()
    torch_hidden.sum().backward()
    assert_close(x.grad, torch_x.grad)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 2, groups=2), "in_channels must be divisible by groups: 3"),
        (lambda: nn.Conv2d(4, 3, 2, groups=2), "out_channels must be divisible by groups: 3"),
        (lambda: nn.Conv2d(4, 4, 2, groups=0), "groups must be a positive integer, got 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding="full"), "Invalid padding string 'full'"),
        (lambda: nn.Conv2d(1, 1, 3, stride=2, padding="same"), "not supported for strided"),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="zero"), r"must be one of .*'zeros'.* got padding_mode='zero'"),
        (lambda: nn.Conv2d(1, 1, 0), "kernel_size must be a positive integer or two of them .* got 0"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3)), r"kernel_size must be .* got \(3, 3, 3\)"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), "padding must be a non-negative integer .* got -1"),
        (lambda: nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect"), 'Only "zeros" padding mode'),
    ],
)
def test_constructors_say_what_they_want(make, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        make()


def test_a_misspelt_setting_is_named():
    with pytest.raises(TypeError, match="unexpected keyword argument 'kernal_size'"):
        nn.Conv2d(1, 1, kernal_size=3)


def test_a_misspelt_layer_is_corrected():
    with pytest.raises(AttributeError, match="has no attribute 'Sequencial'. Did you mean: 'Sequential'"):
        nn.Sequencial  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'xyzzy'$"):
        nn.xyzzy  # noqa: B018


@pytest.mark.parametrize(
    "make",
    [
        lambda **place: nn.Conv2d(2, 4, 3, **place),
        lambda **place: nn.ConvTranspose2d(2, 4, 3, **place),
        lambda **place: nn.Linear(2, 4, **place),
        lambda **place: nn.BatchNorm2d(2, **place),
    ],
)
def test_parameters_are_made_where_and_of_what_is_asked(make, device):
    layer = make(device=device, dtype=mt.float64)
    tensors = [*layer.parameters(), *(b for n, b in layer.named_buffers() if n != "num_batches_tracked")]
    assert {(tensor.device.type, tensor.dtype) for tensor in tensors} == {(device, mt.float64)}
    assert all(parameter.dtype == mt.float32 for parameter in make().parameters())


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 50, (3, 5), groups=2), nn.Linear(30, 100)])
def test_default_initialisation_is_uniform_within_pytorchs_bound(layer):
    bound = 1 / np.sqrt(30)  # the fan in of both
    weight = to_numpy(layer.weight.detach())
    assert 0.95 * bound < weight.max() <= bound
    assert -bound <= weight.min() < -0.95 * bound
    assert abs(weight.std() / (bound / np.sqrt(3)) - 1) < 0.05
    assert 0.5 * bound < to_numpy(layer.bias.detach()).max() <= bound


def test_a_seed_gives_the_same_layer_on_every_device(device):
    mt.manual_seed(7)
    expected = nn.Conv2d(2, 3, 4).weight
    mt.manual_seed(7)
    np.testing.assert_array_equal(
        to_numpy(nn.Conv2d(2, 3, 4, device=device).weight.detach()), to_numpy(expected.detach())
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d("1", 6, 3), "in_channels must be a whole number, got '1'"),
        (lambda: nn.Conv2d(1, 6.0, 3), r"out_channels must be a whole number, got 6\.0"),
        (lambda: nn.Conv2d(1, 6, 3, groups=1.5), r"groups must be a whole number, got 1\.5"),
        (lambda: nn.ConvTranspose2d(None, 6, 3), "in_channels must be a whole number, got None"),
        (lambda: nn.Linear(3.0, 2), r"in_features must be a whole number, got 3\.0"),
        (lambda: nn.Linear(3, "2"), "out_features must be a whole number, got '2'"),
        (lambda: nn.BatchNorm2d(2.5), r"num_features must be a whole number, got 2\.5"),
    ],
)
def test_sizes_are_whole_numbers(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_sizes_may_be_numpy_integers():
    layer = nn.Conv2d(np.int64(1), np.int32(2), 3)
    assert repr(layer) == "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"


def test_batch_norm_whose_statistics_are_switched_off_later():
    needs_torch()
    x = [[1.0, 2.0], [3.0, 6.0]]
    layers = [m.nn.BatchNorm1d(2) for m in (mt, torch)]
    outputs = []
    for m, layer in zip((mt, torch), layers):
        layer(m.tensor(x))
        layer.track_running_stats = False
        outputs.append(layer(m.tensor(x) * 2).tolist())
        outputs.append(layer.eval()(m.tensor(x)).tolist())
    assert np.allclose(outputs[:2], outputs[2:], atol=1e-5)
    assert np.allclose(layers[0].running_mean.tolist(), layers[1].running_mean.tolist())
    assert layers[0].num_batches_tracked.item() == 1


def test_batch_norm_of_one_value_says_what_to_do():
    with pytest.raises(ValueError, match=r"drop_last=True.*eval\(\)"):
        mt.nn.BatchNorm1d(2)(mt.ones(1, 2))
    with pytest.raises(ValueError, match="running_mean and running_var must either both"):
        mt.nn.functional.batch_norm(mt.ones(2, 1), mt.zeros(1), None, training=True)
