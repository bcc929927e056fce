import numpy as np
import pytest

import minitorch_cnn as mt
from minitorch_cnn import models, nn

SHAPES = {  # as the chapter prints them
    "Conv2d": [(1, 6, 28, 28), (1, 16, 10, 10)],
    "AvgPool2d": [(1, 6, 14, 14), (1, 16, 5, 5)],
    "Flatten": [(1, 400)],
    "Linear": [(1, 120), (1, 84), (1, 10)],
}


@pytest.fixture
def torch_lenet():
    torch = pytest.importorskip("torch")
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


def test_the_shapes_between_the_layers():
    x, shapes = mt.rand(1, 1, 28, 28), {}
    for layer in models.LeNet():
        x = layer(x)
        shapes.setdefault(type(layer).__name__, []).append(x.shape)
    del shapes["Sigmoid"]
    assert shapes == SHAPES


def test_number_and_names_of_the_parameters():
    net = models.LeNet()
    assert sum(p.numel() for p in net.parameters()) == 61_706
    assert list(net.state_dict()) == [f"{i}.{kind}" for i in (0, 3, 7, 9, 11) for kind in ("weight", "bias")]


def test_weights_of_pytorch_load_by_name_and_give_the_same_logits(torch_lenet):
    import torch

    net = models.LeNet()
    net.load_state_dict({name: mt.from_numpy(value.numpy()) for name, value in torch_lenet.state_dict().items()})
    images = np.random.default_rng(0).random((4, 1, 28, 28), np.float32)
    with torch.no_grad():
        expected = torch_lenet(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(net(mt.from_numpy(images)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_five_training_steps_are_those_of_pytorch(torch_lenet, device):
    import torch

    torch_lenet.double().apply(
        lambda m: torch.nn.init.xavier_uniform_(m.weight) if isinstance(m, torch.nn.Linear | torch.nn.Conv2d) else None
    )
    net = models.LeNet().double()
    net.load_state_dict({name: mt.tensor(value.numpy()) for name, value in torch_lenet.state_dict().items()})
    net.to(device)
    optimizer = mt.optim.SGD(net.parameters(), lr=0.9)
    torch_optimizer = torch.optim.SGD(torch_lenet.parameters(), lr=0.9)

    rng = np.random.default_rng(0)
    losses, torch_losses = [], []
    for _ in range(5):
        x, y = rng.random((8, 1, 28, 28)), rng.integers(0, 10, 8)

        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(net(mt.tensor(x, device=device)), mt.tensor(y, device=device))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

        torch_optimizer.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(torch_lenet(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        torch_optimizer.step()
        torch_losses.append(loss.item())

    np.testing.assert_allclose(losses, torch_losses, rtol=0, atol=1e-10)
    for name, value in torch_lenet.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[name].cpu().numpy(), value.numpy(), rtol=0, atol=1e-10)


def test_xavier_uniform_draws_weights_within_its_bound_and_leaves_biases():
    net = models.LeNet()
    bias = net[7].bias.detach().clone()
    net.apply(models.xavier_uniform)
    largest = net[7].weight.detach().abs().max().item()
    bound = (6 / (400 + 120)) ** 0.5
    assert 0.99 * bound < largest <= bound
    assert mt.equal(net[7].bias, bias)


def test_the_modern_one_has_less_than_a_hundred_thousand_parameters_and_learns():
    net = models.LeNetModern()
    assert sum(p.numel() for p in net.parameters()) < 100_000
    optimizer = mt.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    x, y = mt.rand(16, 1, 28, 28), mt.arange(16) % 10
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
