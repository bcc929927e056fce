"""train() and eval(): dropout and batch normalization behave in two ways. Neither stops the recording of gradients."""

from drawing import drawing

import minitorch_cnn as mt
from minitorch_cnn import nn
from minitorch_cnn.inspection.figures import BLUE, GREEN, ORANGE

mt.manual_seed(0)

dropout = nn.Dropout(p=0.5)
X = mt.ones(8)
print(f"Dropout in train mode: {dropout.train()(X).tolist()}: about half is 0, the rest doubled.")
print(f"Dropout in eval mode:  {dropout.eval()(X).tolist()}: nothing happens.")

net = nn.Sequential(nn.Linear(20, 100), nn.ReLU(), nn.Dropout(0.5), nn.Linear(100, 1))
x = mt.randn(1, 20)
drawn = net.train()(x.expand(5000, 20)).flatten().detach()  # each row has a dropout of its own
fixed = net.eval()(x).item()
print(f"A network with dropout, asked 5000 times in train mode: {drawn.mean().item():.3f} ± {drawn.std().item():.3f}.")
print(f"In eval mode it says {fixed:.3f} every time, about the same mean: doubling makes up for the zeros.")

norm = nn.BatchNorm1d(1)
mine, companies = mt.tensor([[2.0]]), [mt.randn(7, 1) * 2 + 3 for _ in range(60)]
answers, means, variances = [], [], []
for others in companies:
    answers.append(norm.train()(mt.cat([mine, others]))[0].item())
    means.append(norm.running_mean.item())
    variances.append(norm.running_var.item())
alone = norm.eval()(mine).item()
print(f"Batch norm in train mode turns a 2 into {min(answers):.2f} to {max(answers):.2f}, as its batch decides.")
print(f"Its running averages: mean {means[-1]:.2f} and variance {variances[-1]:.2f}, near the 3 and 4 of the data.")
print(f"In eval mode it uses these averages: 2 becomes {alone:.2f}, whatever else is in the batch.")

recorded = net.eval()(x).requires_grad
with mt.no_grad():
    unrecorded = net(x).requires_grad
print(f"eval() alone still records gradients: {recorded}. It is no_grad() that stops it: {unrecorded}.")

with drawing(width=9, height=3.6) as figure:
    look = figure.look
    first, second, third = figure.subplots(1, 3)
    first.hist(drawn.numpy(), bins=30, color=look.colour(BLUE), alpha=0.6)
    first.axvline(fixed, color=look.colour(ORANGE), label="eval mode")
    first.set(title="dropout: 5000 answers\nin train mode", xlabel="answer", yticks=[])
    first.legend(loc="upper right")
    second.plot(answers, ".", color=look.colour(BLUE), markersize=8, label="train mode")
    second.axhline(alone, color=look.colour(ORANGE), label="eval mode")
    second.set(title="batch norm: what it makes of\na 2, in 60 different batches", xlabel="batch", ylim=(-3, 3))
    second.legend(loc="lower left")
    third.plot(means, color=look.colour(GREEN), label="mean")
    third.plot(variances, color=look.colour(BLUE), label="variance")
    third.axhline(3, color=look.quiet, linestyle=":")
    third.axhline(4, color=look.quiet, linestyle=":")
    third.set(title="its running averages approach\nthose of the data (dotted)", xlabel="batch", ylim=(0, None))
    third.legend(loc="lower right")
