"""Your own data: from images and labels to a split, a mean, a network, and what it says of new images."""

import numpy as np
from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import data, nn, optim
from minitorch_cnn.inspection.figures import ORANGE, show_image

mt.manual_seed(0)
SHAPES = ["disc", "square", "cross", "ring"]


def draw(shape, rng, size=20):
    """One image (20, 20) of bytes: a shape somewhere, of some size, on noise. Read files here, if you have them."""
    row, column = np.mgrid[:size, :size] - rng.uniform(6, size - 7, (2, 1, 1))
    radius = rng.uniform(3.5, 6)
    away = np.hypot(row, column)
    inside = {
        "disc": away < radius,
        "square": np.maximum(abs(row), abs(column)) < radius * 0.9,
        "cross": (np.minimum(abs(row), abs(column)) < 1.5) & (np.maximum(abs(row), abs(column)) < radius),
        "ring": abs(away - radius * 0.8) < 1.2,
    }[shape]
    return np.clip(inside * rng.uniform(110, 200) + rng.normal(40, 25, (size, size)), 0, 255).astype(np.uint8)


rng = np.random.default_rng(0)
labels = np.arange(1200) % len(SHAPES)
images = np.stack([draw(SHAPES[label], rng) for label in labels])  # (1200, 20, 20)
whole = data.ImageDataset(images, labels)  # bytes in; float32 from 0 to 1 out, (1, 20, 20) each

order = rng.permutation(len(whole))
train, test = data.Subset(whole, order[:1000]), data.Subset(whole, order[1000:])
pixels, _ = train.batch(range(len(train)))
mean, std = pixels.mean().item(), pixels.std().item()
print(f"{len(train)} images to train on, {len(test)} kept aside. Their mean {mean:.3f} and deviation {std:.3f} are")
print("measured on the 1000 alone: of the others, the network must know nothing.")

net = nn.Sequential(
    nn.Conv2d(1, 8, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2),  # (N, 8, 10, 10)
    nn.Conv2d(8, 16, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (N, 16, 5, 5)
    nn.Flatten(), nn.Linear(16 * 5 * 5, len(SHAPES)),  # (N, 4)
)  # fmt: skip
optimizer = optim.Adam(net.parameters(), lr=3e-3)


def right(dataset):
    X, y = dataset.batch(range(len(dataset)))
    with mt.no_grad():
        scores = net((X - mean) / std)
    return F.softmax(scores, dim=1), scores.argmax(1) == y, y


for epoch in range(1, 6):
    for X, y in data.DataLoader(train, batch_size=50, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(net((X - mean) / std), y).backward()
        optimizer.step()
    known, unknown = (right(part)[1].float().mean().item() for part in (train, test))
    print(f"epoch {epoch}: {known:.1%} right of the images it trains on, {unknown:.1%} of those it has never seen")

probabilities, is_right, y = right(test)
print("Class by class, of those it has never seen:")
for k, name in enumerate(SHAPES):
    print(f"  {name}: {int((is_right * (y == k)).sum())} of {int((y == k).sum())}", end=";" if k < 3 else ".\n")

doubtful = np.argsort(probabilities.numpy().max(1))[:6]
with drawing(height=4.3, title="Images never seen: the first six, and the six that it is least sure of") as figure:
    for k, axes in zip([*range(6), *doubtful.tolist()], figure.subplots(2, 6).flat):
        best = int(probabilities[k].argmax())
        show_image(axes, test[k][0][0].numpy(), f"{SHAPES[best]}\n{probabilities[k, best].item():.0%}")
        if not is_right[k].item():
            axes.set_xlabel(f"it is: {SHAPES[y[k].item()]}", color=figure.look.colour(ORANGE))
