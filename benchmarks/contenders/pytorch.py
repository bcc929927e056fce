"""PyTorch: LeNet as in the chapter; in its default layout, in channels_last, or compiled; on all cores, or on fewer."""

import os

import torch
from torch import nn

from contenders import lenet as task


def lenet(batch, channels_last=False, compiled=False, threads=None):
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), task.weights()):
            parameter.copy_(torch.from_numpy(array))
    x, y = (torch.from_numpy(array) for array in task.batch(batch))
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    forward = torch.compile(net, dynamic=False) if compiled else net
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=task.LR)

    def step():
        optimizer.zero_grad()
        l = loss(forward(x), y)
        l.backward()
        optimizer.step()
        return l.detach()

    return task.checked(step)
