"""The classic edition, convolutional networks, old and modern, in the manner of each section; narrower, and on less."""

import numpy as np
import pytest

import minitorch_cnn as torch
from minitorch_cnn import d2l, nn
from minitorch_cnn.nn import functional as F


def test_convolutions_for_images():
    X = torch.ones((6, 8))
    X[:, 2:6] = 0
    K = torch.tensor([[1.0, -1.0]])
    Y = d2l.corr2d(X, K)
    assert Y.tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6 and not d2l.corr2d(X.t(), K).any()

    class Conv2D(nn.Module):
        def __init__(self, kernel_size):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(kernel_size))
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return d2l.corr2d(x, self.weight) + self.bias

    Conv2D((1, 2))(X).sum().backward()
    conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
    X, Y, losses = X.reshape((1, 1, 6, 8)), Y.reshape((1, 1, 6, 7)), []
    for _ in range(10):
        l = (conv2d(X) - Y) ** 2
        conv2d.zero_grad()
        l.sum().backward()
        conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
        losses.append(l.sum().item())
    assert losses == sorted(losses, reverse=True)
    assert torch.allclose(conv2d.weight.data.reshape((1, 2)), K, atol=0.15)


def test_padding_and_stride():
    def comp_conv2d(conv2d, X):
        Y = conv2d(X.reshape((1, 1, *X.shape)))
        return Y.reshape(Y.shape[2:])

    X = torch.rand(size=(8, 8))
    shapes = [
        comp_conv2d(nn.Conv2d(1, 1, **settings), X).shape
        for settings in (
            {"kernel_size": 3, "padding": 1},
            {"kernel_size": (5, 3), "padding": (2, 1)},
            {"kernel_size": 3, "padding": 1, "stride": 2},
            {"kernel_size": (3, 5), "padding": (0, 1), "stride": (3, 4)},
        )
    ]
    assert shapes == [(8, 8), (8, 8), (4, 4), (2, 2)]


def test_channels():
    def corr2d_multi_in(X, K):
        return sum(d2l.corr2d(x, k) for x, k in zip(X, K))

    def corr2d_multi_in_out(X, K):
        return torch.stack([corr2d_multi_in(X, k) for k in K], 0)

    def corr2d_multi_in_out_1x1(X, K):
        (c_i, h, w), c_o = X.shape, K.shape[0]
        return torch.matmul(K.reshape((c_o, c_i)), X.reshape((c_i, h * w))).reshape((c_o, h, w))

    X, K = torch.normal(0, 1, (3, 4, 5)), torch.normal(0, 1, (2, 3, 2, 2))
    expected = F.conv2d(X.unsqueeze(0), K)[0]
    assert torch.allclose(corr2d_multi_in_out(X, K), expected, atol=1e-5)
    K = torch.normal(0, 1, (2, 3, 1, 1))
    assert float(torch.abs(corr2d_multi_in_out_1x1(X, K) - corr2d_multi_in_out(X, K)).sum()) < 1e-4


def test_pooling():
    def pool2d(X, pool_size, mode="max"):
        p_h, p_w = pool_size
        Y = torch.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
        for i in range(Y.shape[0]):
            for j in range(Y.shape[1]):
                window = X[i : i + p_h, j : j + p_w]
                Y[i, j] = window.max() if mode == "max" else window.mean()
        return Y

    X = torch.arange(9.0).reshape(3, 3)
    assert pool2d(X, (2, 2)).tolist() == [[4, 5], [7, 8]] and pool2d(X, (2, 2), "avg").tolist() == [[2, 3], [5, 6]]
    X = torch.arange(16, dtype=torch.float32).reshape((1, 1, 4, 4))
    assert nn.MaxPool2d(3)(X).tolist() == [[[[10]]]]
    assert nn.MaxPool2d(3, padding=1, stride=2)(X).tolist() == [[[[5, 7], [13, 15]]]]
    X = torch.cat((X, X + 1), 1)
    assert nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))(X)[0, 1].tolist() == [[6, 8], [14, 16]]


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


def init_weights(m):
    if type(m) == nn.Linear or type(m) == nn.Conv2d:  # noqa: E721
        nn.init.xavier_uniform_(m.weight)


def train(net, train_iter, test_iter, num_epochs, lr, device):
    """The training of the section, with the helpers it needs; returns what is drawn."""
    net.apply(init_weights)
    net.to(device)
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=lr), nn.CrossEntropyLoss()
    animator = d2l.Animator(xlabel="epoch", xlim=[1, num_epochs], legend=["train loss", "train acc", "test acc"])
    timer, num_batches = d2l.Timer(), len(train_iter)
    for epoch in range(num_epochs):
        metric = d2l.Accumulator(3)
        net.train()
        for i, (X, y) in enumerate(train_iter):
            timer.start()
            optimizer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            l = loss(y_hat, y)
            l.backward()
            optimizer.step()
            with torch.no_grad():
                metric.add(l * X.shape[0], d2l.accuracy(y_hat, y), X.shape[0])
            timer.stop()
            if (i + 1) % (num_batches // 5) == 0 or i == num_batches - 1:
                animator.add(epoch + (i + 1) / num_batches, (metric[0] / metric[2], metric[1] / metric[2], None))
        animator.add(epoch + 1, (None, None, d2l.evaluate_accuracy_gpu(net, test_iter)))
    assert timer.sum() > 0
    return animator.Y


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
    assert [losses[4], losses[9]] == pytest.approx([row.loss for row in history], rel=1e-4)
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
    def vgg_block(num_convs, in_channels, out_channels):
        layers = []
        for _ in range(num_convs):
            layers += [nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1), nn.ReLU()]
            in_channels = out_channels
        return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))

    blocks, in_channels = [], 1
    for num_convs, out_channels in ((1, 4), (1, 8), (2, 16), (2, 32), (2, 32)):
        blocks.append(vgg_block(num_convs, in_channels, out_channels))
        in_channels = out_channels
    net = nn.Sequential(
        *blocks, nn.Flatten(), nn.Linear(out_channels, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10)
    )
    assert [shape[2] for shape in shapes_of(net, 1, 1, 32, 32)[:5]] == [16, 8, 4, 2, 1]
    assert learns(net, 32)


def test_nin(bright):
    def nin_block(in_channels, out_channels, kernel_size, strides, padding):
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size, strides, padding), nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, kernel_size=1), nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, kernel_size=1), nn.ReLU(),
        )  # fmt: skip

    net = nn.Sequential(
        nin_block(1, 12, kernel_size=11, strides=4, padding=0), nn.MaxPool2d(3, stride=2),
        nin_block(12, 24, kernel_size=5, strides=1, padding=2), nn.MaxPool2d(3, stride=2), nn.Dropout(0.1),
        nin_block(24, 10, kernel_size=3, strides=1, padding=1), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    )  # fmt: skip
    assert shapes_of(net, 1, 1, 96, 96)[-2:] == [(1, 10, 1, 1), (1, 10)]
    assert learns(net, 96)


class Inception(nn.Module):
    def __init__(self, in_channels, c1, c2, c3, c4):
        super().__init__()
        self.p1_1 = nn.Conv2d(in_channels, c1, kernel_size=1)
        self.p2_1 = nn.Conv2d(in_channels, c2[0], kernel_size=1)
        self.p2_2 = nn.Conv2d(c2[0], c2[1], kernel_size=3, padding=1)
        self.p3_1 = nn.Conv2d(in_channels, c3[0], kernel_size=1)
        self.p3_2 = nn.Conv2d(c3[0], c3[1], kernel_size=5, padding=2)
        self.p4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.p4_2 = nn.Conv2d(in_channels, c4, kernel_size=1)

    def forward(self, x):
        p1 = F.relu(self.p1_1(x))
        p2 = F.relu(self.p2_2(F.relu(self.p2_1(x))))
        p3 = F.relu(self.p3_2(F.relu(self.p3_1(x))))
        p4 = F.relu(self.p4_2(self.p4_1(x)))
        return torch.cat((p1, p2, p3, p4), dim=1)


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


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        X_hat = (X - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        dims = 0 if len(X.shape) == 2 else (0, 2, 3)
        mean = X.mean(dim=dims, keepdim=True)
        var = ((X - mean) ** 2).mean(dim=dims, keepdim=True)
        X_hat = (X - mean) / torch.sqrt(var + eps)
        moving_mean = momentum * moving_mean + (1.0 - momentum) * mean
        moving_var = momentum * moving_var + (1.0 - momentum) * var
    return gamma * X_hat + beta, moving_mean.data, moving_var.data


class BatchNorm(nn.Module):
    def __init__(self, num_features, num_dims):
        super().__init__()
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.moving_mean, self.moving_var = torch.zeros(shape), torch.ones(shape)

    def forward(self, X):
        if self.moving_mean.device != X.device:
            self.moving_mean, self.moving_var = self.moving_mean.to(X.device), self.moving_var.to(X.device)
        Y, self.moving_mean, self.moving_var = batch_norm(
            X, self.gamma, self.beta, self.moving_mean, self.moving_var, eps=1e-5, momentum=0.9
        )
        return Y


def test_batch_normalization(bright):
    """From scratch, and the layer: equal in training, and LeNet learns faster with it."""
    X = torch.randn(8, 3, 4, 4)
    ours, layer = BatchNorm(3, 4), nn.BatchNorm2d(3)
    np.testing.assert_allclose(ours(X).detach().numpy(), layer(X).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean.flatten().numpy(), layer.running_mean.numpy(), atol=1e-6)
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5), BatchNorm(6, 4), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), BatchNorm(16, 4), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(), nn.Linear(256, 84), nn.BatchNorm1d(84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    history = d2l.train_ch6(net, *d2l.load_data_fashion_mnist(16), 5, 1.0, d2l.try_gpu())
    assert history[-1].loss < history[0].loss / 2
    assert net[1].gamma.reshape((-1,)).shape == (6,)


def test_resnet(bright):
    X = torch.rand(4, 3, 6, 6)
    assert d2l.Residual(3, 3)(X).shape == (4, 3, 6, 6)
    assert d2l.Residual(3, 6, use_1x1conv=True, strides=2)(X).shape == (4, 6, 3, 3)

    def resnet_block(input_channels, num_channels, num_residuals, first_block=False):
        blocks = []
        for i in range(num_residuals):
            if i == 0 and not first_block:
                blocks.append(d2l.Residual(input_channels, num_channels, use_1x1conv=True, strides=2))
            else:
                blocks.append(d2l.Residual(num_channels, num_channels))
        return blocks

    net = nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1), nn.Sequential(*resnet_block(8, 8, 2, first_block=True)),
        nn.Sequential(*resnet_block(8, 16, 2)), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    assert shapes_of(net, 1, 1, 32, 32)[3:6] == [(1, 8, 8, 8), (1, 8, 8, 8), (1, 16, 4, 4)]
    assert learns(net, 32)


def test_densenet(bright):
    def conv_block(input_channels, num_channels):
        return nn.Sequential(
            nn.BatchNorm2d(input_channels), nn.ReLU(), nn.Conv2d(input_channels, num_channels, kernel_size=3, padding=1)
        )

    class DenseBlock(nn.Module):
        def __init__(self, num_convs, input_channels, num_channels):
            super().__init__()
            self.net = nn.Sequential(
                *(conv_block(num_channels * i + input_channels, num_channels) for i in range(num_convs))
            )

        def forward(self, X):
            for block in self.net:
                X = torch.cat((X, block(X)), dim=1)
            return X

    def transition_block(input_channels, num_channels):
        return nn.Sequential(
            nn.BatchNorm2d(input_channels), nn.ReLU(), nn.Conv2d(input_channels, num_channels, kernel_size=1),
            nn.AvgPool2d(kernel_size=2, stride=2),
        )  # fmt: skip

    Y = DenseBlock(2, 3, 10)(torch.randn(4, 3, 8, 8))
    assert (Y.shape, transition_block(23, 10)(Y).shape) == ((4, 23, 8, 8), (4, 10, 4, 4))
    net = nn.Sequential(
        nn.Conv2d(1, 8, kernel_size=7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1), DenseBlock(2, 8, 4), transition_block(16, 8),
        DenseBlock(2, 8, 4), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
        nn.Linear(16, 10),
    )  # fmt: skip
    assert learns(net, 32)


def test_resnet18_on_one_device(capsys):
    """What the section on several GPUs trains, where there is one device."""
    net = d2l.resnet18(10, in_channels=3)
    with torch.no_grad():
        assert net.eval()(torch.rand(1, 3, 16, 16)).shape == (1, 10)
    with d2l.Benchmark("a pass"), torch.no_grad():
        net(torch.rand(1, 3, 8, 8))
    assert capsys.readouterr().out.startswith("a pass: ") and len(list(net)) == 10
