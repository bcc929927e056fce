"""CPU and GPU compared: the same losses, gradients and weights; and a run on a GPU repeats itself to the last bit.

Without a GPU the stand-in takes its place. Then this shows that the same operations run in the same order on both;
what rounding does on a GPU only a GPU can show (``make test-gpu``).

Tolerances, relative to the largest entry of a tensor: 1e-10 in float64, where rounding is 1e-16 for each operation;
1e-4 in float32, with 1e-7. What is lost between is the number of terms of a sum, and that errors of early layers grow
in later steps.
"""

import numpy as np
import pytest
from tiny_fashion import TinyFashion

import minitorch_cnn as mt
from minitorch_cnn import cli, data, models, nn, optim, training

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def lenet():
    return models.LeNet().apply(models.xavier_uniform)


def every_layer():
    """What LeNet lacks: strides, dilation, groups, modes of padding, batch normalization, max pooling, and so on."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=2, padding_mode="reflect", bias=False),  # (N, 4, 15, 15)
        nn.BatchNorm2d(4),  # a bias before it has the gradient 0, and Adam would divide rounding by rounding
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),  # (N, 4, 8, 8)
        nn.Conv2d(4, 6, 2, dilation=2, groups=2, bias=False),  # (N, 6, 6, 6)
        nn.Tanh(),
        nn.ConvTranspose2d(6, 3, 3, stride=2),  # (N, 3, 13, 13)
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),  # (N, 3, 7, 7)
        nn.AdaptiveAvgPool2d(3),  # (N, 3, 3, 3)
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(27, 10),
    )


OPTIMIZERS = {
    "SGD": lambda parameters: optim.SGD(parameters, lr=0.5),
    "SGD, momentum": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda parameters: optim.Adam(parameters, lr=1e-2),
}


def steps(make, device, dtype, make_optimizer, count=5):
    """The losses, the gradients of the first step, and the weights after the last, as NumPy arrays by name."""
    mt.manual_seed(7)
    net = make().to(device, dtype=getattr(mt, dtype))
    optimizer, loss = make_optimizer(net.parameters()), nn.CrossEntropyLoss()
    loader = data.DataLoader(TinyFashion(), 32, shuffle=True).to(device)
    found = {}
    for i, (x, y) in zip(range(count), loader):
        optimizer.zero_grad()
        l = loss(net(x.to(dtype=getattr(mt, dtype))), y)
        l.backward()
        found[f"loss {i}"] = l.detach()
        if i == 0:
            found |= {f"gradient of {name}": p.grad.clone() for name, p in net.named_parameters()}
        optimizer.step()
    found |= {f"{name} after {count} steps": tensor for name, tensor in net.state_dict().items()}
    assert {tensor.device.type for tensor in found.values()} == {mt.device(device).type}
    return {name: tensor.cpu().numpy() for name, tensor in found.items()}


@pytest.mark.parametrize(
    ("make", "dtype", "optimizer"),
    [
        *((make, "float64", optimizer) for make in (lenet, every_layer) for optimizer in OPTIMIZERS),
        (lenet, "float32", "SGD"),  # smooth: with a kink, or Adam's division, a rounding can make all the difference
        (lenet, "float32", "SGD, momentum"),
    ],
)
def test_both_devices_compute_the_same(make, dtype, optimizer, device):
    expected = steps(make, "cpu", dtype, OPTIMIZERS[optimizer])
    found = steps(make, device, dtype, OPTIMIZERS[optimizer])
    assert list(found) == list(expected)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype and array.shape == expected[name].shape, name
        tolerance = TOLERANCE[dtype] * max(1e-3, np.abs(expected[name]).max())
        np.testing.assert_allclose(array, expected[name], rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("make", [lenet, every_layer])
def test_two_runs_on_a_device_are_equal_to_the_bit(make, device):
    runs = [steps(make, device, "float32", OPTIMIZERS["SGD, momentum"], count=5) for _ in range(2)]
    for name, array in runs[0].items():
        np.testing.assert_array_equal(array, runs[1][name], err_msg=name)


def trained(device, capture=False):
    """Two epochs of the training loop, with its evaluations. Few images: the stand-in runs kernels thread by thread."""
    mt.manual_seed(7)
    net = lenet().to(device)
    images = (data.Subset(TinyFashion(train=train), range(10)) for train in (True, False))
    loaders = (data.DataLoader(dataset, 2, shuffle=train) for dataset, train in zip(images, (True, False)))
    history = training.train(net, *loaders, epochs=2, lr=0.5, progress=False, capture=capture)
    return [(row.loss, row.train_acc, row.test_acc) for row in history], net.cpu().state_dict()


each_way = pytest.mark.parametrize("capture", [False, True], ids=["plain", "captured"])


@each_way
def test_two_trainings_on_a_device_are_equal_to_the_bit(capture, device):
    (history, weights), (again, others) = trained(device, capture), trained(device, capture)
    assert history == again
    for name, tensor in weights.items():
        assert mt.equal(tensor, others[name]), name


@each_way
def test_both_devices_train_to_the_same(capture, device):
    (history, weights), (expected, expected_weights) = trained(device, capture), trained("cpu")
    np.testing.assert_allclose([row[0] for row in history], [row[0] for row in expected], rtol=1e-4)
    np.testing.assert_allclose([row[1:] for row in history], [row[1:] for row in expected], atol=0.11)  # one image
    for name, tensor in weights.items():
        np.testing.assert_allclose(tensor.numpy(), expected_weights[name].numpy(), rtol=1e-3, atol=1e-3, err_msg=name)


def test_the_command_trains_evaluates_and_goes_on(device, monkeypatch, tmp_path, capsys):
    """Three epochs, in one run or in two, end with the same weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FashionMNIST", TinyFashion)
    for arguments in (
        ["train", "--epochs", "3", "--out", "whole"],
        ["train", "--epochs", "1", "--out", "parts"],
        ["train", "--epochs", "3", "--out", "parts", "--resume"],
        ["evaluate", "parts"],
    ):
        assert cli.main([*arguments, "--device", device]) == 0
        assert f" on {mt.device(device)}" in capsys.readouterr().out
    whole, parts = (training.load_weights(f"{out}/weights.safetensors") for out in ("whole", "parts"))
    for name, tensor in whole.items():
        assert mt.equal(tensor, parts[name]), name
    assert cli.main(["evaluate", "whole", "--device", "cpu"]) == 0  # what a GPU has trained, a CPU reads
