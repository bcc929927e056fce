"""LeNet on Fashion-MNIST as scripts for PyTorch are written: splits, normalisation, a schedule, a checkpoint.

With the imports changed back, all but `read` is a script for PyTorch. Run it again with more epochs, and it goes on
where it stopped. Ten epochs take a minute or two: try --epochs 1 first.
"""

import argparse
import os

import minitorch_cnn as torch
import minitorch_cnn.nn.functional as F
from minitorch_cnn import nn, optim
from minitorch_cnn.utils.data import DataLoader, Subset, TensorDataset


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # (N, 1, 28, 28)
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # (N, 6, 14, 14)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)  # (N, 16, 5, 5)
        x = x.view(x.size(0), -1)  # (N, 400)
        x = F.relu(self.fc1(x))  # (N, 120)
        x = F.relu(self.fc2(x))  # (N, 84)
        return F.log_softmax(self.fc3(x), dim=1)  # (N, 10)


def read(train):
    """The images and labels of Fashion-MNIST; with PyTorch, torchvision has them."""
    from minitorch_cnn.data import FashionMNIST

    dataset = FashionMNIST(train=train)
    return torch.tensor(dataset.data)[:, None].float() / 255, torch.tensor(dataset.targets)  # (N, 1, 28, 28), (N,)


def split(images, labels, order, share=1 / 6):
    """Two data sets, the second with a share of the examples, normalised by the mean and deviation of the first."""
    held_out = int(len(order) * share)
    kept = images[order[held_out:]]
    dataset = TensorDataset((images - kept.mean()) / kept.std(), labels)
    return Subset(dataset, order[held_out:]), Subset(dataset, order[:held_out])


def train(net, loader, optimizer, device):
    net.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(net(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def test(net, loader, device):
    net.eval()
    total, correct = 0.0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        output = net(images)
        total += F.nll_loss(output, labels, reduction="sum").item()
        prediction = output.argmax(dim=1, keepdim=True)  # (N, 1)
        correct += prediction.eq(labels.view_as(prediction)).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


def fit(net, train_set, valid_set, epochs, lr, batch_size, path, device="cpu"):
    """Train up to an epoch, from the checkpoint at `path` if there is one; return a row for each epoch."""
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    valid_loader = DataLoader(valid_set, batch_size=batch_size)
    net.to(device)
    optimizer = optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)
    rows = []
    if os.path.exists(path):
        checkpoint = torch.load(path)
        net.load_state_dict(checkpoint["net"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
        rows = checkpoint["rows"]
        print(f"going on after epoch {len(rows)}")
    for epoch in range(len(rows) + 1, epochs + 1):
        rate = scheduler.get_last_lr()[0]
        loss = train(net, train_loader, optimizer, device)
        valid_loss, valid_acc = test(net, valid_loader, device)
        scheduler.step()
        rows.append([loss, valid_loss, valid_acc])
        print(f"epoch {epoch}: lr {rate:.5f}, loss {loss:.4f}, valid loss {valid_loss:.4f}, valid acc {valid_acc:.4f}")
        torch.save(
            {
                "net": net.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "rows": rows,
            },
            path,
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--path", default="lenet.ckpt", help="where the checkpoint is")
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = read(train=True)
    train_set, valid_set = split(images, labels, torch.randperm(len(images)))
    fit(LeNet(), train_set, valid_set, args.epochs, args.lr, args.batch_size, args.path, device)


if __name__ == "__main__":
    main()
