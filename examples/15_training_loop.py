"""The training loop in the open: every line of it, none hidden in a helper."""

import time

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import data, models, nn, optim
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE

mt.manual_seed(0)
EPOCHS, IMAGES = 3, 12_000  # all 60,000 take five times as long, and lead further

train, test = data.FashionMNIST(train=True), data.FashionMNIST(train=False)
train = data.Subset(train, range(min(IMAGES, len(train))))
train_iter = data.DataLoader(train, batch_size=32, shuffle=True)
test_iter = data.DataLoader(data.Subset(test, range(min(2_000, len(test)))), batch_size=500)

net = models.LeNet().apply(models.xavier_uniform)
loss = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.5)


def normal(X):
    """Images with mean 0 and standard deviation 1: without it, the loss rests at log 10 for longer (see 17)."""
    return (X - 0.2860) / 0.3530


def accuracy(batches):
    net.eval()
    right = count = 0
    with mt.no_grad():  # no graph: nobody will go back
        for X, y in batches:
            right += (net(normal(X)).argmax(1) == y).sum().item()
            count += len(y)
    return right / count


losses, tests = [], [accuracy(test_iter)]
print(f"Before training, {tests[0]:.1%} of the test images are classified rightly: no better than a guess.")
start = time.perf_counter()
for epoch in range(1, EPOCHS + 1):
    net.train()
    for X, y in train_iter:  # X (32, 1, 28, 28), y (32,)
        optimizer.zero_grad()  # the gradients of the step before
        l = loss(net(normal(X)), y)  # forwards: one number, how wrong the batch was
        l.backward()  # backwards: the gradient of every parameter
        optimizer.step()  # parameter -= lr * gradient
        losses.append(l.item())
    tests.append(accuracy(test_iter))
    mean = sum(losses[-len(train_iter) :]) / len(train_iter)
    seconds = time.perf_counter() - start
    print(f"epoch {epoch}: loss {mean:.3f}, {tests[-1]:.1%} of the test images right, {seconds:.1f} s")
print(f"{len(losses)} steps of 32 images each have changed {sum(p.numel() for p in net.parameters()):,} numbers.")

with drawing(height=4.2) as figure:
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    window = max(1, len(losses) // 40)
    means = [sum(losses[max(0, i - window) : i + 1]) / min(i + 1, window + 1) for i in range(len(losses))]
    left.plot(losses, color=figure.look.quiet, alpha=0.35, linewidth=0.7, label="each batch")
    left.plot(means, color=figure.look.colour(BLUE), label=f"mean of {window}")
    left.axhline(2.3026, color=figure.look.colour(ORANGE), linestyle=":", label="log 10: a guess")
    left.set(xlabel="step", ylabel="loss", ylim=(0, max(losses) * 1.3), title="The loss of each batch")
    left.legend(loc="upper right")
    right.plot(range(EPOCHS + 1), tests, "o-", color=figure.look.colour(GREEN))
    right.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1), xticks=range(EPOCHS + 1))
    right.set_title("Test images classified rightly")
