"""What a type checker is to know of the library, and seven mistakes that it is to find: see test_types.py."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from typing_extensions import assert_type

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import Tensor, d2l, data, nn, optim, training


class Net(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, kernel_size=(3, 3), padding="same")
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes, dtype=mt.float32)
        self.scale = nn.Parameter(mt.ones(1))

    def forward(self, x: Tensor, times: float = 1.0) -> Tensor:
        y = F.max_pool2d(self.norm(self.conv(x)).relu(), 2)
        assert_type(y, Tensor)
        return self.head(y.mean(dim=(2, 3))) * self.scale * times


class Untyped(nn.Module):
    receptive_field = "same"

    def forward(self, images, mask=None):
        return images if mask is None else images * mask


class Square(mt.autograd.Function):
    reads = {"dx": "x"}

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.factor * x**2

    def backward(self, dy: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor]:
        return (dy * 2 * self.factor * x,)


class Numbers(data.Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return mt.full((1, 4, 4), i / 8), i % 2


class Descent(optim.Optimizer):
    def __init__(self, params: Iterator[nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def update(self, w: Any, g: Any, state: dict, settings: dict) -> None:
        w -= settings["lr"] * g


class Softmax(d2l.Classifier):
    def __init__(self, classes: int, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Points(d2l.DataModule):
    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.X, self.y = d2l.synthetic_data(mt.ones(2), 0.5, 2 * self.batch_size)

    def get_dataloader(self, train: bool) -> data.DataLoader:
        return self.get_tensorloader((self.X, self.y), train, slice(0, 4))


@mt.no_grad()
def size(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def right() -> training.History:
    x = mt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for y in (x + 1, 2 - x, x @ x, x[0], x == 1, abs(-x) > 0, x.T, x.sum(), x.max(), x.max(dim=1).indices, x.long()):
        assert_type(y, Tensor)
    assert_type(mt.where(x > 2, x, 0), Tensor)
    assert_type(mt.cat([x, x], dim=1), Tensor)
    assert_type(x.shape, tuple[int, ...])
    assert_type(x.size(0), int)
    Square(2.0)(x).sum().backward()
    assert_type(x.grad, Tensor | None)
    (dx,) = mt.autograd.grad((x * x).sum(), x)
    with mt.no_grad():
        x -= 0.1 * dx
    for row in x:
        assert_type(row, Tensor)

    net = Net(classes=2)
    assert_type(net(mt.rand(8, 1, 4, 4), times=0.5), Tensor)
    assert_type(net.conv.weight, nn.Parameter)
    assert_type(size(net), int)
    Untyped()(x, mask=x > 2)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double().eval()
    assert_type(layers(mt.zeros(3, 4, 4, dtype=mt.float64)), Tensor)
    assert_type(layers[0], nn.Module)
    assert_type(layers[1:], nn.Sequential)
    for p in net.parameters():
        assert_type(p, nn.Parameter)
    with TemporaryDirectory() as folder, io.BytesIO() as file:
        for place in (Path(folder) / "weights", f"{folder}/weights", file):
            mt.save(net.state_dict(), place)
        file.seek(0)
        mt.load(file)
    net.apply(lambda module: None).load_state_dict(net.state_dict())

    batches = data.DataLoader(Numbers(), batch_size=4, shuffle=True)
    optimizer = optim.SGD(
        [{"params": net.conv.parameters(), "lr": 0.1}, {"params": [net.scale]}], lr=0.01, momentum=0.9
    )
    Descent(net.parameters(), lr=0.1).zero_grad()
    loss = F.cross_entropy(net(mt.rand(2, 1, 4, 4)), mt.tensor([0, 1]))
    assert_type(loss, Tensor)
    loss.backward()
    optimizer.step()
    d2l.corr2d(x, x)
    mt.models.LeNet().to(mt.device("cpu"))
    return training.train(
        net, batches, batches, epochs=1, optimizer=optimizer, loss=nn.CrossEntropyLoss(), progress=False
    )


def from_the_book() -> None:
    """What is looked at, and not run: it would train for an epoch."""
    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=256, resize=32)
    assert_type(train_iter, data.DataLoader)
    assert_type(d2l.train_ch6(mt.models.LeNet(), train_iter, test_iter, 1, 0.9, d2l.try_gpu()), training.History)
    metric = d2l.Accumulator(2)
    for X, y in test_iter:
        metric.add(d2l.accuracy(X, y), d2l.size(y))
    assert_type(metric[0] / metric[1], float)
    d2l.train_ch3(mt.models.LeNet(), train_iter, test_iter, nn.CrossEntropyLoss(), 1, lambda size: None)
    d2l.plot([1, 2], [[1.0, 2.0], mt.ones(2)], "x", legend=["a", "b"], xlim=(0, 3))
    d2l.plt.figure().savefig("curves.png")
    model, board = Softmax(classes=10), d2l.ProgressBoard("epoch", xlim=[0, 1])
    assert_type(model(mt.zeros(2, 1, 28, 28)), Tensor)
    d2l.Trainer(max_epochs=1).fit(model, Points(batch_size=4))
    assert_type(board.latest(), dict[str, float])


def wrong(net: Net, x: Tensor) -> None:
    x.summ()  # wrong
    d2l.Accumulator("2")  # wrong
    mt.save(net.state_dict(), 3)  # wrong
    mt.sigmod(x)  # wrong
    nn.Conv2d(1, 4, kernel=3)  # wrong
    net(x, 1.0, x)  # wrong
    F.conv2d(x, weight=[1.0])  # wrong
