"""LeNet, layer by layer: what becomes of an image on its way to ten scores."""

from drawing import save

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import data, inspection, nn, optim

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

X = mt.rand(1, 1, 28, 28)
for layer in net:
    X = layer(X)
    count = sum(p.numel() for p in layer.parameters())
    print(f"{type(layer).__name__:10} {X.shape!s:16} {f'{count:6,} weights' if count else ''}")
total = sum(p.numel() for p in net.parameters())
share = sum(p.numel() for layer in net[7:] for p in layer.parameters()) / total
print(f"{total:,} in all, {share:.0%} of them in the linear layers: a kernel is small, as it is used at every place.")

net.apply(lambda m: nn.init.xavier_uniform_(m.weight) if isinstance(m, nn.Linear | nn.Conv2d) else None)
optimizer = optim.Adam(net.parameters(), lr=2e-3)
train = data.FashionMNIST()
count = min(len(train), 20_000)
for images, labels in data.DataLoader(data.Subset(train, range(count)), batch_size=32, shuffle=True):
    optimizer.zero_grad()
    F.cross_entropy(net(images), labels).backward()
    optimizer.step()

test = data.FashionMNIST(train=False)
image, label = test[19]
p = F.softmax(net(image.unsqueeze(0)), dim=1)[0]
print(f"Trained on {count:,} images, the network is shown a new one, of the class {test.classes[label]}.")
best = sorted(range(10), key=lambda i: -p[i].item())[:3]
print("It says:", ", ".join(f"{test.classes[i]} {p[i].item():.0%}" for i in best))
title = "An image on its way through LeNet: the more it stands out, the larger the number"
save(inspection.draw_overview, net, image, test.classes, label, title=title)
