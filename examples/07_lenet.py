"""Train LeNet on Fashion-MNIST. Ten epochs, as in the chapter, take a minute or two: try --epochs 1 first."""

import argparse

import minitorch_cnn as mt
from minitorch_cnn import d2l, nn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--lr", type=float, default=0.9)
arguments = parser.parse_args()

mt.manual_seed(0)

net = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),
    nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(),
    nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Flatten(),  # from 16 planes of 5×5 to 400 features
    nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(),
    nn.Linear(120, 84), nn.Sigmoid(),
    nn.Linear(84, 10),  # no sigmoid: the loss wants the scores as they are
)  # fmt: skip

X = mt.rand(size=(1, 1, 28, 28), dtype=mt.float32)
for layer in net:
    X = layer(X)
    print(layer.__class__.__name__, "output shape: \t", X.shape)

train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=256)
history = d2l.train_ch6(net, train_iter, test_iter, arguments.epochs, arguments.lr, d2l.try_gpu())
history.figure().savefig("lenet.png")
print("the curves are in lenet.png")
