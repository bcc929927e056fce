"""The classic edition, convolutional networks, old and modern, in the manner of each section; narrower, and on less."""

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn
from minitorch_cnn.nn import functional as F


def test_convolutions_for_images():
    """A kernel that finds edges: given, as a layer, and learned from what it gives."""
    image = torch.zeros(5, 9)
    image[:, 3:7] = 1
    kernel = torch.tensor([[-1.0, 1.0]])
    edges = d2l.corr2d(image, kernel)
    assert edges.tolist() == [[0, 0, 1, 0, 0, 0, -1, 0]] * 5 and d2l.corr2d(image.t(), kernel).abs().sum() == 0

    class Correlation(nn.Module):
        def __init__(self, height, width):
            super().__init__()
            self.kernel, self.offset = nn.Parameter(torch.randn(height, width)), nn.Parameter(torch.zeros(()))

        def forward(self, image):
            return self.offset + d2l.corr2d(image, self.kernel)

    learned, losses = Correlation(1, 2), []
    for _ in range(60):
        loss = (learned(image) - edges).square().mean()
        learned.zero_grad()
        loss.backward()
        for parameter in learned.parameters():
            parameter.data -= 0.5 * parameter.grad
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 100 and torch.allclose(learned.kernel.data, kernel, atol=0.1)
    layer = nn.Conv2d(1, 1, kernel_size=(1, 2))
    layer.weight.data[0, 0], layer.bias.data[0] = learned.kernel.data, learned.offset.item()
    assert torch.allclose(layer(image[None, None])[0, 0], learned(image), atol=1e-6)


def test_padding_and_stride():
    def size(height, width, **settings):
        return nn.Conv2d(1, 1, **settings)(torch.rand(1, 1, height, width)).shape[2:]

    assert size(8, 8, kernel_size=3, padding=1) == size(8, 8, kernel_size=(5, 3), padding=(2, 1)) == (8, 8)
    assert size(8, 8, kernel_size=3, padding=1, stride=2) == (4, 4)
    assert size(8, 8, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4)) == (2, 2)


def test_channels():
    """Sums over input channels, one for each output channel; with 1×1, a product of matrices."""
    image, kernels = torch.randn(3, 4, 5), torch.randn(2, 3, 2, 2)
    maps = [sum(map(d2l.corr2d, image, kernel)) for kernel in kernels]
    assert torch.allclose(torch.stack(maps), F.conv2d(image[None], kernels)[0], atol=1e-5)
    mix = torch.randn(2, 3)
    mixed = torch.mm(mix, image.flatten(1)).reshape(2, 4, 5)
    assert torch.allclose(mixed, F.conv2d(image[None], mix[:, :, None, None])[0], atol=1e-5)


def test_pooling():
    image = torch.arange(9.0).reshape(3, 3)

    def pooled(reduce):
        return [[reduce(image[i : i + 2, j : j + 2]).item() for j in range(2)] for i in range(2)]

    assert pooled(torch.max) == [[4, 5], [7, 8]] == nn.MaxPool2d(2, stride=1)(image[None])[0].tolist()
    assert pooled(torch.mean) == [[2, 3], [5, 6]] == nn.AvgPool2d(2, stride=1)(image[None])[0].tolist()
    images = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert nn.MaxPool2d(3)(images).item() == 10
    assert nn.MaxPool2d(3, padding=1, stride=2)(images)[0, 0].tolist() == [[5, 7], [13, 15]]
    both = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))(torch.cat((images, -images), dim=1))
    assert both[0].tolist() == [[[5, 7], [13, 15]], [[0, -2], [-8, -10]]]


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


def train(net, train_iter, test_iter, epochs, lr, device):
    """A loop of one's own, from the section's helpers; returns the curves."""
    net.to(device).apply(lambda m: nn.init.xavier_uniform_(m.weight) if isinstance(m, nn.Linear | nn.Conv2d) else None)
    optimizer, criterion = torch.optim.SGD(net.parameters(), lr=lr), nn.CrossEntropyLoss()
    curves, stopwatch = d2l.Animator(xlabel="epoch", legend=["loss", "accuracy", "on the test images"]), d2l.Timer()
    for epoch in range(1, epochs + 1):
        net.train()
        sums = d2l.Accumulator(3)
        for images, labels in train_iter:
            stopwatch.start()
            images, labels = images.to(device), labels.to(device)
            scores = net(images)
            loss = criterion(scores, labels)
            net.zero_grad()
            loss.backward()
            optimizer.step()
            sums.add(len(labels) * loss.item(), d2l.accuracy(scores, labels), len(labels))
            stopwatch.stop()
        curves.add(epoch, (sums[0] / sums[2], sums[1] / sums[2], d2l.evaluate_accuracy_gpu(net, test_iter)))
    assert stopwatch.sum() > 0 and len(stopwatch.times) == epochs * len(train_iter)
    return curves.Y


def test_lenet(capsys):
    """Typed in, and by `train_ch6`: the same curves for the same seed."""
    train_iter, test_iter = d2l.load_data_fashion_mnist(16)
    net, again = lenet(), lenet()
    X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)
    shapes = [(X := layer(X)).shape for layer in net]
    assert [shapes[i] for i in (0, 2, 3, 5, 6, 11)] == [
        (1, 6, 28, 28), (1, 6, 14, 14), (1, 16, 10, 10), (1, 16, 5, 5), (1, 400), (1, 10),
    ]  # fmt: skip
    again.load_state_dict(net.state_dict())
    torch.manual_seed(1)
    losses, _, test_acc = train(net, train_iter, test_iter, 2, 0.9, d2l.try_gpu())
    torch.manual_seed(1)
    history = d2l.train_ch6(again, train_iter, test_iter, 2, 0.9, d2l.try_gpu())
    assert losses == pytest.approx([row.loss for row in history], rel=1e-4)
    assert test_acc == pytest.approx([row.test_acc for row in history])
    assert "examples/sec on c" in capsys.readouterr().out


# --- modern networks -----------------------------------------------------------------------------------------


def learns(net, size, lr=0.1, epochs=4):
    """Whether `train_ch6` brings the loss of two classes down from that of ten, on images of some size."""
    train_iter, test_iter = d2l.load_data_fashion_mnist(8, resize=size)
    assert next(iter(train_iter))[0].shape[2:] == (size, size)
    history = d2l.train_ch6(net, train_iter, test_iter, epochs, lr, d2l.try_gpu())
    return history[-1].loss < 0.6 * history[0].loss


def shapes_of(net, *size):
    X = torch.randn(size=size)
    return [(X := layer(X)).shape for layer in net]


def test_alexnet(bright):
    net = nn.Sequential(
        nn.Conv2d(1, 12, kernel_size=11, stride=4, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(12, 32, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(32, 48, kernel_size=3, padding=1), nn.ReLU(), nn.Conv2d(48, 32, kernel_size=3, padding=1), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2), nn.Flatten(), nn.Linear(32 * 5 * 5, 64), nn.ReLU(), nn.Dropout(p=0.5),
        nn.Linear(64, 64), nn.ReLU(), nn.Dropout(p=0.5), nn.Linear(64, 10),
    )  # fmt: skip
    shapes = shapes_of(net, 1, 1, 224, 224)
    assert [shapes[i] for i in (2, 5, 10, 11)] == [(1, 12, 26, 26), (1, 32, 12, 12), (1, 32, 5, 5), (1, 800)]
    assert learns(net, 224)


def test_vgg(bright):
    def block(inputs, outputs, convolutions):
        sizes = [inputs] + [outputs] * convolutions
        layers = [nn.Sequential(nn.Conv2d(n, outputs, 3, padding=1), nn.ReLU()) for n in sizes[:-1]]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    net = nn.Sequential(
        block(1, 4, 1), block(4, 8, 1), block(8, 16, 2), block(16, 32, 2), block(32, 32, 2),
        nn.Flatten(), nn.Linear(32, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10),
    )  # fmt: skip
    assert [shape[2] for shape in shapes_of(net, 1, 1, 32, 32)[:5]] == [16, 8, 4, 2, 1]
    assert learns(net, 32)


def test_nin(bright):
    def block(inputs, outputs, *first):
        layers = [nn.Conv2d(inputs, outputs, *first)] + [nn.Conv2d(outputs, outputs, 1) for _ in range(2)]
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))

    net = nn.Sequential(
        block(1, 12, 11, 4), nn.MaxPool2d(3, stride=2), block(12, 24, 5, 1, 2), nn.MaxPool2d(3, stride=2),
        nn.Dropout(0.1), block(24, 10, 3, 1, 1), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    )  # fmt: skip
    assert shapes_of(net, 1, 1, 96, 96)[-2:] == [(1, 10, 1, 1), (1, 10)]
    assert learns(net, 96)


class Inception(nn.Module):
    """Four ways beside each other, whose results are joined along the channels."""

    def __init__(self, inputs, single, triple, quintuple, pooled):
        super().__init__()
        self.ways = nn.ModuleList([
            nn.Sequential(nn.Conv2d(inputs, single, 1)),
            nn.Sequential(nn.Conv2d(inputs, triple[0], 1), nn.ReLU(), nn.Conv2d(*triple, 3, padding=1)),
            nn.Sequential(nn.Conv2d(inputs, quintuple[0], 1), nn.ReLU(), nn.Conv2d(*quintuple, 5, padding=2)),
            nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(inputs, pooled, 1)),
        ])  # fmt: skip

    def forward(self, x):
        return F.relu(torch.cat([way(x) for way in self.ways], dim=1))


def test_googlenet(bright):
    b1 = nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
    )
    b2 = nn.Sequential(Inception(8, 4, (4, 8), (2, 4), 4), Inception(20, 8, (8, 12), (2, 6), 6))
    b3 = nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), Inception(32, 8, (8, 16), (2, 8), 8))
    net = nn.Sequential(b1, b2, b3, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(40, 10))
    assert shapes_of(net, 1, 1, 96, 96) == [
        (1, 8, 24, 24), (1, 32, 24, 24), (1, 40, 12, 12), (1, 40, 1, 1), (1, 40), (1, 10),
    ]  # fmt: skip
    assert learns(net, 48)


class BatchNorm(nn.Module):
    """Batch normalisation written out, for images or for rows of features."""

    def __init__(self, features, dims):
        super().__init__()
        self.axes = (0, 2, 3) if dims == 4 else (0,)
        shape = [1, features, 1, 1][:dims]
        self.scale, self.shift = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("var", torch.ones(shape))

    def forward(self, x):
        mean, var = self.mean, self.var
        if self.training:
            mean = x.mean(dim=self.axes, keepdim=True)
            var = (x - mean).square().mean(dim=self.axes, keepdim=True)
            self.mean.mul_(0.9).add_(0.1 * mean.detach())
            self.var.mul_(0.9).add_(0.1 * var.detach())
        return self.scale * (x - mean) / torch.sqrt(var + 1e-5) + self.shift


def test_batch_normalization(bright):
    """From scratch, and the layer: equal in training and after it; LeNet learns faster with it."""
    x = torch.randn(8, 3, 4, 4)
    ours, layer = BatchNorm(3, 4), nn.BatchNorm2d(3)
    np.testing.assert_allclose(ours(x).detach().numpy(), layer(x).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.mean.flatten().numpy(), layer.running_mean.numpy(), atol=1e-6)
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5), BatchNorm(6, 4), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5), BatchNorm(16, 4), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(256, 84), BatchNorm(84, 2), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    history = d2l.train_ch6(net, *d2l.load_data_fashion_mnist(16), 5, 1.0, d2l.try_gpu())
    assert history[-1].loss < history[0].loss / 2
    assert net[1].scale.flatten().shape == (6,) and net[10].var.std().item() > 0


def test_resnet(bright):
    x = torch.rand(4, 3, 6, 6)
    assert d2l.Residual(3, 3)(x).shape == (4, 3, 6, 6)
    assert d2l.Residual(3, 6, use_1x1conv=True, strides=2)(x).shape == (4, 6, 3, 3)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
        nn.Sequential(d2l.Residual(8, 8), d2l.Residual(8, 8)),
        nn.Sequential(d2l.Residual(8, 16, use_1x1conv=True, strides=2), d2l.Residual(16, 16)),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    assert shapes_of(net, 1, 1, 32, 32)[3:6] == [(1, 8, 8, 8), (1, 8, 8, 8), (1, 16, 4, 4)]
    assert learns(net, 32)


class Dense(nn.Module):
    """Each convolution sees the input and the results of all those before it."""

    def __init__(self, inputs, growth, depth):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, growth, 3, padding=1))
            for width in range(inputs, inputs + growth * depth, growth)
        )

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


def test_densenet(bright):
    assert Dense(3, 10, 2)(torch.randn(4, 3, 8, 8)).shape == (4, 23, 8, 8)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1),
        Dense(8, 4, 2), nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1), nn.AvgPool2d(2)),
        Dense(8, 4, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    assert [shape[1:] for shape in shapes_of(net, 1, 1, 32, 32)[4:7]] == [(16, 8, 8), (8, 4, 4), (16, 4, 4)]
    assert learns(net, 32)


def test_resnet18_on_one_device(capsys):
    """What the section on several GPUs trains, where there is one device."""
    net = d2l.resnet18(10, in_channels=3)
    with torch.no_grad():
        assert net.eval()(torch.rand(1, 3, 16, 16)).shape == (1, 10)
    with d2l.Benchmark("a pass"), torch.no_grad():
        net(torch.rand(1, 3, 8, 8))
    assert capsys.readouterr().out.startswith("a pass: ") and len(list(net)) == 10
