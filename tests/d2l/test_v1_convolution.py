"""The 1.0 edition, convolutional networks, old and modern, in the manner of each section; narrower, and on less."""

import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn
from minitorch_cnn.nn import functional as F


def learns(model, size, max_epochs=4):
    """Whether training brings the loss of two classes down from that of ten, on images of some size."""
    trainer = d2l.Trainer(max_epochs=max_epochs, num_gpus=1)
    data = d2l.FashionMNIST(batch_size=8, resize=(size, size))
    images = next(iter(data.train_dataloader()))[0]
    assert images.shape == (8, 1, size, size)
    model.apply_init([images], d2l.init_cnn)
    trainer.fit(model, data)
    losses = model.board.fig.axes[0].lines[0].get_ydata()
    return losses[-1] < 0.6 * losses[0]


def summary(model, capsys, *size):
    """What `layer_summary` prints: pairs of a layer's name and its output's shape."""
    capsys.readouterr()
    model.layer_summary(size)
    lines = [line.split(" output shape:\t ") for line in capsys.readouterr().out.splitlines()]
    return [(name, tuple(map(int, shape.strip("(),").split(",")))) for name, shape in lines]


def test_lenet(bright, capsys):
    class Own(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.LazyConv2d(6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
                nn.LazyConv2d(16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
                nn.LazyLinear(120), nn.Sigmoid(), nn.LazyLinear(84), nn.Sigmoid(), nn.LazyLinear(num_classes),
            )  # fmt: skip

    @d2l.add_to_class(Own)
    def layer_summary(self, X_shape):
        x = torch.zeros(X_shape)
        for layer in self.net:
            x = layer(x)
            print(f"{type(layer).__name__} output shape:\t {x.shape}")

    printed = []
    for model in (Own(), d2l.LeNet()):
        model.layer_summary((1, 1, 28, 28))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and printed[1].splitlines()[6] == "Flatten output shape:\t (1, 400)"
    assert learns(Own(lr=0.9), 28) and learns(d2l.LeNet(lr=0.9), 28)
    assert d2l.LeNet(num_classes=3).net[-1].out_features == 3


# --- modern networks -----------------------------------------------------------------------------------------


def test_alexnet(bright, capsys):
    class AlexNet(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.LazyConv2d(12, kernel_size=11, stride=4, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2),
                nn.LazyConv2d(32, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2),
                nn.LazyConv2d(48, kernel_size=3, padding=1), nn.ReLU(),
                nn.LazyConv2d(32, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2),
                nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Dropout(p=0.5), nn.LazyLinear(64), nn.ReLU(),
                nn.Dropout(p=0.5), nn.LazyLinear(num_classes),
            )  # fmt: skip
            self.net.apply(d2l.init_cnn)

    shapes = summary(AlexNet(), capsys, 1, 1, 224, 224)
    assert [shapes[i] for i in (2, 5, 11)] == [
        ("MaxPool2d", (1, 12, 26, 26)), ("MaxPool2d", (1, 32, 12, 12)), ("Flatten", (1, 800)),
    ]  # fmt: skip
    assert learns(AlexNet(lr=0.05), 96, max_epochs=6)


def test_vgg(bright, capsys):
    def block(convolutions, channels):
        layers = [nn.Sequential(nn.LazyConv2d(channels, 3, padding=1), nn.ReLU()) for _ in range(convolutions)]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    class VGG(d2l.Classifier):
        def __init__(self, arch, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            head = [nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Dropout(0.5), nn.LazyLinear(num_classes)]
            self.net = nn.Sequential(*(block(*sizes) for sizes in arch), *head)

    arch = ((1, 4), (1, 8), (2, 16), (2, 16))
    assert summary(VGG(arch), capsys, 1, 1, 64, 64)[3] == ("Sequential", (1, 16, 4, 4))
    assert learns(VGG(arch), 32, max_epochs=6)


def test_nin(bright, capsys):
    def block(channels, *first):
        layers = [nn.LazyConv2d(channels, *first), nn.LazyConv2d(channels, 1), nn.LazyConv2d(channels, 1)]
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))

    class NiN(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                block(12, 11, 4), nn.MaxPool2d(3, stride=2), block(24, 5, 1, 2), nn.MaxPool2d(3, stride=2),
                nn.Dropout(0.5), block(num_classes, 3, 1, 1), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
            )  # fmt: skip

    assert summary(NiN(), capsys, 1, 1, 96, 96)[-2:] == [("AdaptiveAvgPool2d", (1, 10, 1, 1)), ("Flatten", (1, 10))]
    assert learns(NiN(lr=0.1), 96, max_epochs=6)


def test_googlenet(bright, capsys):
    class Inception(nn.Module):
        def __init__(self, single, triple, quintuple, pooled):
            super().__init__()
            self.ways = nn.ModuleList([
                nn.LazyConv2d(single, 1),
                nn.Sequential(nn.LazyConv2d(triple[0], 1), nn.ReLU(), nn.LazyConv2d(triple[1], 3, padding=1)),
                nn.Sequential(nn.LazyConv2d(quintuple[0], 1), nn.ReLU(), nn.LazyConv2d(quintuple[1], 5, padding=2)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.LazyConv2d(pooled, 1)),
            ])  # fmt: skip

        def forward(self, x):
            return F.relu(torch.cat([way(x) for way in self.ways], dim=1))

    class GoogleNet(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(self.stem(), self.body(), nn.LazyLinear(num_classes))

    @d2l.add_to_class(GoogleNet)
    def stem(self):
        return nn.Sequential(nn.LazyConv2d(8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))

    @d2l.add_to_class(GoogleNet)
    def body(self):
        return nn.Sequential(Inception(4, (4, 8), (2, 4), 4), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())

    assert [shape for _, shape in summary(GoogleNet(), capsys, 1, 1, 96, 96)] == [(1, 8, 24, 24), (1, 20), (1, 10)]
    assert learns(GoogleNet(lr=0.1), 48)


def test_batch_normalization(bright, capsys):
    class BNLeNet(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.LazyConv2d(6, kernel_size=5), nn.LazyBatchNorm2d(), nn.Sigmoid(),
                nn.AvgPool2d(kernel_size=2, stride=2), nn.LazyConv2d(16, kernel_size=5), nn.LazyBatchNorm2d(),
                nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(), nn.LazyLinear(84),
                nn.LazyBatchNorm1d(), nn.Sigmoid(), nn.LazyLinear(num_classes),
            )  # fmt: skip

    model = BNLeNet()
    model.layer_summary((2, 1, 28, 28))
    assert "LazyBatch" not in repr(model) and model.net[1].weight.shape == (6,)
    assert learns(BNLeNet(lr=0.1), 28)


def test_resnet(bright, capsys):
    """ResNet, and ResNeXt with its groups."""
    X = torch.randn(4, 3, 6, 6)
    assert d2l.Residual(3)(X).shape == (4, 3, 6, 6)
    assert d2l.Residual(6, use_1x1conv=True, strides=2)(X).shape == (4, 6, 3, 3)

    class ResNet(d2l.Classifier):
        def __init__(self, arch, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            stem = [nn.LazyConv2d(8, 7, 2, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
            self.net = nn.Sequential(nn.Sequential(*stem))
            for number, (depth, channels) in enumerate(arch):
                self.net.add_module(f"stage {number}", self.stage(depth, channels, shrinks=number > 0))
            head = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes))
            self.net.add_module("head", head)

    @d2l.add_to_class(ResNet)
    def stage(self, depth, channels, shrinks):
        first = d2l.Residual(channels, use_1x1conv=True, strides=2) if shrinks else d2l.Residual(channels)
        return nn.Sequential(first, *(d2l.Residual(channels) for _ in range(depth - 1)))

    arch = ((1, 8), (1, 16))
    assert summary(ResNet(arch), capsys, 1, 1, 96, 96)[1:3] == [
        ("Sequential", (1, 8, 24, 24)), ("Sequential", (1, 16, 12, 12)),
    ]  # fmt: skip
    assert learns(ResNet(arch, lr=0.05), 32)
    X = torch.randn(4, 32, 6, 6)
    assert d2l.ResNeXtBlock(32, 16, 1)(X).shape == (4, 32, 6, 6)
    assert d2l.ResNeXtBlock(16, 4, 0.5, use_1x1conv=True, strides=2)(X).shape == (4, 16, 3, 3)


def test_densenet(bright, capsys):
    class Dense(nn.Module):
        def __init__(self, depth, growth):
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Sequential(nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(growth, 3, padding=1))
                for _ in range(depth)
            )

        def forward(self, x):
            for layer in self.layers:
                x = torch.cat([x, layer(x)], dim=1)
            return x

    class DenseNet(d2l.Classifier):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            self.net = nn.Sequential(
                nn.LazyConv2d(8, 7, 2, 3), Dense(2, 4),
                nn.Sequential(nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(8, 1), nn.AvgPool2d(2)), Dense(2, 4),
                nn.Sequential(
                    nn.LazyBatchNorm2d(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(num_classes)
                ),
            )  # fmt: skip

    shapes = [shape for _, shape in summary(DenseNet(), capsys, 2, 1, 32, 32)]
    assert shapes == [(2, 8, 16, 16), (2, 16, 16, 16), (2, 8, 8, 8), (2, 16, 8, 8), (2, 10)]
    assert learns(DenseNet(lr=0.1), 32)


def test_designing_networks(bright, capsys):
    """AnyNet: a stem, stages of ResNeXt blocks, a head; and RegNet, one of them."""

    class AnyNet(d2l.Classifier):
        def __init__(self, stem, stages, lr=0.1, num_classes=10):
            super().__init__()
            self.save_hyperparameters()
            parts = {"stem": nn.Sequential(nn.LazyConv2d(stem, 3, 2, 1), nn.LazyBatchNorm2d(), nn.ReLU())}
            parts |= {f"stage {number}": self.stage(*sizes) for number, sizes in enumerate(stages)}
            parts["head"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(num_classes))
            self.net = nn.Sequential()
            for name, part in parts.items():
                self.net.add_module(name, part)

    @d2l.add_to_class(AnyNet)
    def stage(self, depth, channels, groups, share):
        blocks = [d2l.ResNeXtBlock(channels, groups, share) for _ in range(depth - 1)]
        return nn.Sequential(d2l.ResNeXtBlock(channels, groups, share, use_1x1conv=True, strides=2), *blocks)

    class RegNet(AnyNet):
        def __init__(self, lr=0.1, num_classes=10):
            super().__init__(8, [(1, 8, 4, 1), (2, 16, 4, 1)], lr, num_classes)

    shapes = [shape for _, shape in summary(RegNet(), capsys, 1, 1, 32, 32)]
    assert shapes == [(1, 8, 16, 16), (1, 8, 8, 8), (1, 16, 4, 4), (1, 10)]
    assert learns(RegNet(lr=0.05), 32)


def test_the_blocks_are_those_of_pytorch():
    """Residual and ResNeXtBlock against the same sums of layers in PyTorch, in float64, forward and backward."""
    oracle = pytest.importorskip("torch")
    onn = oracle.nn

    def theirs(block, x):
        layers = {
            name: (onn.Conv2d(m.in_channels, m.out_channels, m.kernel_size, m.stride, m.padding, groups=m.groups)
                   if type(m) is nn.Conv2d else onn.BatchNorm2d(m.num_features)).double()
            for name, m in block.named_children()
        }  # fmt: skip
        for name, layer in layers.items():
            state = getattr(block, name).state_dict()
            layer.load_state_dict({key: oracle.tensor(value.numpy()) for key, value in state.items()})
        y = layers["bn1"](layers["conv1"](x)).relu()
        y = layers["bn2"](layers["conv2"](y))
        if "bn3" in layers:
            y = layers["bn3"](layers["conv3"](y.relu()))
        short = layers["bn4"](layers["conv4"](x)) if "conv4" in layers else None
        if "bn3" not in layers:
            short = layers["conv3"](x) if "conv3" in layers else None
        y = (y + (x if short is None else short)).relu()
        y.square().sum().backward()
        return y, {f"{n}.{k}": p.grad for n, layer in layers.items() for k, p in layer.named_parameters()}

    X = torch.randn(3, 4, 6, 6, dtype=torch.float64)
    for block in (
        d2l.Residual(4, 4), d2l.Residual(4, 6, use_1x1conv=True, strides=2), d2l.Residual(4),
        d2l.ResNeXtBlock(4, 2, 1), d2l.ResNeXtBlock(8, 2, 0.5, use_1x1conv=True, strides=2),
    ):  # fmt: skip
        block(X.float())
        for module in block.modules():
            if hasattr(module, "reset_running_stats"):
                module.reset_running_stats()
        block.double()
        expected, gradients = theirs(block, oracle.tensor(X.numpy()))
        Y = block(X)
        torch.square(Y).sum().backward()
        assert abs(Y.detach().numpy() - expected.detach().numpy()).max() < 1e-10
        ours = dict(block.named_parameters())
        assert ours.keys() == gradients.keys()
        assert max(abs(ours[n].grad.numpy() - g.numpy()).max() for n, g in gradients.items()) < 1e-10
