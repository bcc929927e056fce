"""The chapter's training in PyTorch, as its stock script does it: ``python benchmarks/chapter_pytorch.py FOLDER``.

`d2l.load_data_fashion_mnist`, `d2l.train_ch6` and what they call are written out, so that PyTorch alone is needed.
The samples take the path that torchvision gives them: a PIL image from the bytes, `Compose`, `ToTensor`, one sample
after the other in four worker processes. Only the drawing of the curves is left out.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils import data


class FashionMNIST(data.Dataset):
    """torchvision.datasets.FashionMNIST: all bytes in memory, each sample made when it is asked for."""

    def __init__(self, folder, train, transform):
        prefix = "train" if train else "t10k"
        self.data = torch.from_numpy(read(folder, f"{prefix}-images-idx3-ubyte", 16).reshape(-1, 28, 28))
        self.targets = torch.from_numpy(read(folder, f"{prefix}-labels-idx1-ubyte", 8)).long()
        self.transform = transform

    def __getitem__(self, index):
        img, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(img.numpy(), mode="L")), target

    def __len__(self):
        return len(self.data)


def read(folder, name, header):
    path = Path(folder) / name
    content = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{name}.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=header).copy()


class Compose:
    """torchvision.transforms.Compose."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img


class ToTensor:
    """torchvision.transforms.ToTensor, for a grey PIL image."""

    def __call__(self, pic):
        img = torch.from_numpy(np.array(pic, np.uint8, copy=True))
        img = img.view(pic.size[1], pic.size[0], len(pic.getbands()))
        img = img.permute((2, 0, 1)).contiguous()
        return img.to(dtype=torch.get_default_dtype()).div(255)


def load_data_fashion_mnist(batch_size, folder):
    trans = Compose([ToTensor()])
    mnist_train, mnist_test = FashionMNIST(folder, True, trans), FashionMNIST(folder, False, trans)
    return (
        data.DataLoader(mnist_train, batch_size, shuffle=True, num_workers=4),
        data.DataLoader(mnist_test, batch_size, shuffle=False, num_workers=4),
    )


class Accumulator:
    def __init__(self, n):
        self.data = [0.0] * n

    def add(self, *args):
        self.data = [a + float(b) for a, b in zip(self.data, args)]

    def __getitem__(self, idx):
        return self.data[idx]


def accuracy(y_hat, y):
    cmp = y_hat.argmax(axis=1).type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())


def evaluate_accuracy_gpu(net, data_iter, device):
    net.eval()
    metric = Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            X, y = X.to(device), y.to(device)
            metric.add(accuracy(net(X), y), y.numel())
    return metric[0] / metric[1]


def init_weights(m):
    if type(m) in (nn.Linear, nn.Conv2d):
        nn.init.xavier_uniform_(m.weight)


def train_ch6(net, train_iter, test_iter, num_epochs, lr, device):
    net.apply(init_weights)
    net.to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    loss = nn.CrossEntropyLoss()
    for epoch in range(num_epochs):
        metric = Accumulator(3)
        net.train()
        for X, y in train_iter:
            optimizer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            l = loss(y_hat, y)
            l.backward()
            optimizer.step()
            with torch.no_grad():
                metric.add(l * X.shape[0], accuracy(y_hat, y), X.shape[0])
        train_l, train_acc = metric[0] / metric[2], metric[1] / metric[2]
        test_acc = evaluate_accuracy_gpu(net, test_iter, device)
        print(f"epoch {epoch + 1}: loss {train_l:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="where the files of Fashion-MNIST are")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(),
        nn.Linear(120, 84), nn.Sigmoid(),
        nn.Linear(84, 10),
    )  # fmt: skip
    train_iter, test_iter = load_data_fashion_mnist(256, args.folder)
    train_ch6(net, train_iter, test_iter, args.epochs, 0.9, torch.device("cpu"))


if __name__ == "__main__":
    main()
