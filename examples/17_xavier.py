"""Xavier's weights: why signals and gradients keep their size, and what the plateau at a loss of 2.30 is."""

import math

from drawing import drawing

import minitorch_cnn as mt
import minitorch_cnn.nn.functional as F
from minitorch_cnn import data, models, nn, optim
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE

mt.manual_seed(0)


def through(layers, init_):
    """The standard deviation of the signal after each of many linear layers, and of the gradient on the way back."""
    x, sizes, hidden = mt.randn(64, 128, requires_grad=True), [], []
    for _ in range(layers):
        layer = nn.Linear(128, 128, bias=False)
        init_(layer.weight)
        x = layer(x)
        x.retain_grad()
        hidden.append(x)
        sizes.append(x.std().item())
    (x * mt.randn(64, 128)).sum().backward()
    return sizes, [x.grad.std().item() for x in hidden]


ways = {
    "too small": (lambda w: nn.init.normal_(w, 0, 0.05), ORANGE),
    "Xavier": (nn.init.xavier_uniform_, BLUE),
    "too large": (lambda w: nn.init.normal_(w, 0, 0.16), GREEN),
}
sizes = {name: through(12, init_) for name, (init_, _) in ways.items()}
for name, (forth, back) in sizes.items():
    print(f"{name:9}: 12 layers make the signal {forth[-1]:9.4f} times as large, the gradient {back[0]:9.4f}.")
print("A sum of n products has n times the variance of one: with weights of variance 1 / n it stays the same.")
print(f"Xavier's is 2 / (n_in + n_out), here {2 / (128 + 128):.4f}: right both ways, if n_in and n_out are equal.")

slope = 0.25  # of the sigmoid, at its steepest
print(f"A sigmoid multiplies a gradient by at most {slope}; LeNet's four together by at most {slope**4:.4f}.")


def learn(prepare, steps=450):
    """The loss of each step of LeNet, and how much its ten scores differ from image to image."""
    mt.manual_seed(1)
    net = models.LeNet().apply(prepare)
    optimizer, losses, spread = optim.SGD(net.parameters(), lr=0.5), [], []
    train = data.FashionMNIST()
    for X, y in data.DataLoader(data.Subset(train, range(min(len(train), 32 * steps))), batch_size=32):
        optimizer.zero_grad()
        scores = net((X - 0.2860) / 0.3530)  # (32, 10)
        l = F.cross_entropy(scores, y)
        l.backward()
        optimizer.step()
        losses.append(l.item())
        spread.append(scores.std(0).mean().item())
    return losses, spread


runs = {"PyTorch's default weights": (learn(lambda m: None), ORANGE), "Xavier": (learn(models.xavier_uniform), BLUE)}
for name, ((losses, spread), _) in runs.items():
    part = max(1, len(losses) // 8)
    early, late = (sum(losses[i : i + part]) / part for i in (2 * part, len(losses) - part))
    print(f"{name}: loss {early:.3f} after a quarter of the steps, when the scores differ by {spread[2 * part]:.4f}")
    print(f"from image to image; at the end loss {late:.3f}, and they differ by {spread[-1]:.4f}.")
print(f"As long as all images get the same scores, the best loss is log 10 = {math.log(10):.4f}: ten classes, equally")
print("frequent. The plateau is the time that four sigmoids in a row need to tell images apart at all.")

with drawing(width=9, height=5.6) as figure:
    look, ((forth, back), (loss, differ)) = figure.look, figure.subplots(2, 2)
    for name, (_, colour) in ways.items():
        for axes, values in zip((forth, back), sizes[name]):
            axes.semilogy(range(1, 13), values, "o-", color=look.colour(colour), label=name)
    forth.set(title="size of the signal, layer by layer", xlabel="layer")
    back.set(title="size of the gradient, which comes from layer 12", xlabel="layer")
    for name, (signal, _) in sizes.items():
        forth.text(12.4, signal[-1], name, va="center")
    forth.set_xlim(None, 15.5)
    for name, ((losses, spread), colour) in runs.items():
        means = [sum(losses[max(0, i - 10) : i + 1]) / len(losses[max(0, i - 10) : i + 1]) for i in range(len(losses))]
        loss.plot(means, color=look.colour(colour), label=name)
        differ.semilogy(spread, color=look.colour(colour), linewidth=1)
    loss.axhline(math.log(10), color=look.quiet, linestyle=":")
    loss.text(len(losses), math.log(10) + 0.06, "log 10", ha="right", color=look.quiet)
    loss.set(title="loss of LeNet", xlabel="step", ylim=(0, 2.8))
    loss.legend(loc="lower left")
    differ.set(title="how much the scores differ between images", xlabel="step")
