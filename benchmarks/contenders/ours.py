"""minitorch_cnn: LeNet's step as the chapter writes it; on all cores, or on fewer."""

import numpy as np

import minitorch_cnn as mt
from contenders import lenet as task

try:  # an older package, of another checkout: its training loop had a step of its own, which was its fastest
    from minitorch_cnn.training.shards import backward_in_shards
except ImportError:
    backward_in_shards = None


def lenet(batch, threads=None):
    if threads:
        mt.training.use_threads(threads)
    net, loss = mt.models.LeNet(), mt.nn.CrossEntropyLoss()
    with mt.no_grad():
        for parameter, array in zip(net.parameters(), task.weights()):
            parameter.copy_(mt.tensor(array))
    optimizer = mt.optim.SGD(net.parameters(), lr=task.LR)
    images, labels = task.batch(batch)
    images = np.ascontiguousarray(images.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)  # as our DataLoader lays them
    x, y = mt.as_tensor(images), mt.tensor(labels)

    def step():
        optimizer.zero_grad()
        l = loss(net(x), y)
        l.backward()
        optimizer.step()
        return l

    def older_step():
        optimizer.zero_grad()
        l, _ = backward_in_shards(net, loss, x, y)
        optimizer.step()
        return l

    return task.checked(older_step if backward_in_shards else step)
