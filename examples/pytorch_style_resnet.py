"""A small ResNet on images of 3×32×32 as scripts for PyTorch are written: groups of parameters, cosine, clipping.

The images are those of Fashion-MNIST with a border, in three channels: as they are, and their differences across and
down. With the imports changed back, all but `read` is a script for PyTorch. An epoch of all images takes minutes on a
CPU; --examples says how many to take.
"""

import argparse

import minitorch_cnn as torch
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn, optim
from minitorch_cnn.utils.data import DataLoader, TensorDataset


class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))  # (N, planes, H / stride, W / stride)
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, num_blocks, planes=16, num_classes=10):
        super().__init__()
        self.in_planes = planes
        self.conv1 = nn.Conv2d(3, planes, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.layer1 = self._make_layer(planes, num_blocks[0], stride=1)
        self.layer2 = self._make_layer(2 * planes, num_blocks[1], stride=2)
        self.layer3 = self._make_layer(4 * planes, num_blocks[2], stride=2)
        self.linear = nn.Linear(4 * planes, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _make_layer(self, planes, num_blocks, stride):
        layers = []
        for s in [stride] + [1] * (num_blocks - 1):
            layers.append(BasicBlock(self.in_planes, planes, s))
            self.in_planes = planes
        return nn.Sequential(*layers)

    def forward(self, x):  # (N, 3, 32, 32)
        out = F.relu(self.bn1(self.conv1(x)))  # (N, planes, 32, 32)
        out = self.layer3(self.layer2(self.layer1(out)))  # (N, 4 planes, 8, 8)
        out = F.avg_pool2d(out, out.size(3))  # (N, 4 planes, 1, 1)
        return self.linear(torch.flatten(out, 1))  # (N, classes)


def read(train, examples):
    """Images (N, 1, 28, 28) and labels (N,) of Fashion-MNIST; with PyTorch, torchvision has them."""
    from minitorch_cnn.data import FashionMNIST

    dataset = FashionMNIST(train=train)
    images, labels = torch.tensor(dataset.data[:examples]), torch.tensor(dataset.targets[:examples])
    return images[:, None].float() / 255, labels


def in_three_channels(images):
    images = F.pad(images, (2, 2, 2, 2))  # (N, 1, 32, 32)
    across = images - F.pad(images, (1, 0, 0, 0))[..., :-1]
    down = images - F.pad(images, (0, 0, 1, 0))[..., :-1, :]
    x = torch.cat([images, across, down], dim=1)  # (N, 3, 32, 32)
    return (x - x.mean(dim=(0, 2, 3), keepdim=True)) / x.std(dim=(0, 2, 3), keepdim=True)


def groups(net, weight_decay):
    """Weights decay; what has one dimension, biases and batch normalisation, does not."""
    decay = [p for p in net.parameters() if p.dim() > 1]
    rest = [p for p in net.parameters() if p.dim() <= 1]
    return [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def fit(net, train_set, test_set, epochs, lr, batch_size, device="cpu"):
    """Train; return a row for each epoch."""
    net.to(device)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True, drop_last=True)
    test_loader = DataLoader(test_set, batch_size=batch_size)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(groups(net, 5e-4), lr=lr, momentum=0.9, nesterov=True)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(train_loader))
    rows = []
    for epoch in range(1, epochs + 1):
        net.train()
        running_loss, total = 0.0, 0
        for inputs, targets in train_loader:
            inputs, targets = inputs.to(device), targets.to(device)
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), max_norm=5.0)
            optimizer.step()
            scheduler.step()
            running_loss += loss.item() * targets.size(0)
            total += targets.size(0)
        net.eval()
        correct = 0
        with torch.no_grad():
            for inputs, targets in test_loader:
                _, predicted = net(inputs.to(device)).max(1)
                correct += (predicted == targets.to(device)).sum().item()
        rows.append([running_loss / total, correct / len(test_set)])
        print(f"epoch {epoch}: loss {rows[-1][0]:.4f}, test acc {rows[-1][1]:.4f}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--examples", type=int, default=2000)
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    sets = []
    for is_train in (True, False):
        images, labels = read(is_train, args.examples)
        sets.append(TensorDataset(in_three_channels(images), labels))
    net = ResNet([1, 1, 1])
    print(f"{sum(p.numel() for p in net.parameters())} parameters")
    fit(net, *sets, args.epochs, args.lr, args.batch_size, device)


if __name__ == "__main__":
    main()
