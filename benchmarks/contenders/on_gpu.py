"""LeNet on a GPU, in either library: a step, ten epochs, and the kernels that a step starts.

What a GPU is given to do it does behind the program's back. So what is measured here is a block of steps, and the
wait for the last of them. The batch lies on the GPU already, as it does in training with the whole data set there.
"""

import json
import os
import tempfile
import warnings

import numpy as np

from contenders import lenet as task

LR = 0.9  # of the epochs: the chapter's


def blocks(step, steps, synchronize):
    """What a worker needs: `steps` steps and the wait for them as one, and the losses of the first five."""

    def block():
        for _ in range(steps):
            step()
        synchronize()

    return block, task.checked(step)[1]


# --- minitorch_cnn -------------------------------------------------------------------------------------------


def ours(batch, steps, captured=False, device="cuda"):
    """The step of the training loop, which leaves the checks of labels for later; or captured once and replayed."""
    import minitorch_cnn as mt
    from minitorch_cnn.backend import deferred_checks

    net, loss = _our_lenet(device), mt.nn.CrossEntropyLoss()
    optimizer = mt.optim.SGD(net.parameters(), lr=task.LR)
    x, y = (mt.tensor(array, device=device) for array in task.batch(batch))

    def step(x, y):
        optimizer.zero_grad()
        with deferred_checks():
            l = loss(net(x), y)
        l.backward()
        optimizer.step()
        return l.detach()

    if captured:
        step = mt.cuda.capture(step)
    return blocks(lambda: step(x, y), steps, mt.cuda.synchronize)


def our_epochs(epochs, folder, captured=False, device="cuda"):
    """Epochs of the training loop, with evaluation; `check` tells the loss of the last one."""
    import minitorch_cnn as mt

    train, test = (part.to(device) for part in data_sets(folder))
    loaders = mt.data.DataLoader(train, 256, shuffle=True), mt.data.DataLoader(test, 256)

    def run():
        net = _our_lenet(device)
        return mt.training.train(net, *loaders, epochs=epochs, lr=LR, progress=False, capture=captured)[-1].loss

    return run, lambda: [run()]


def _our_lenet(device):
    import minitorch_cnn as mt

    net = mt.models.LeNet()
    with mt.no_grad():
        for parameter, array in zip(net.parameters(), task.weights()):
            parameter.copy_(mt.tensor(array))
    return net.to(device)


# --- PyTorch -------------------------------------------------------------------------------------------------


def pytorch(batch, steps, mode="eager", device="cuda"):
    """`mode` is "eager", "compiled" (by torch.compile), or "graph": the whole step in one CUDA graph."""
    import torch

    net = _their_lenet(torch, device)
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=task.LR)
    x, y = (torch.from_numpy(array).to(device) for array in task.batch(batch))
    forward = torch.compile(lambda x, y: loss(net(x), y), dynamic=False) if mode == "compiled" else None

    def step(x, y):
        optimizer.zero_grad()
        l = forward(x, y) if forward else loss(net(x), y)
        l.backward()
        optimizer.step()
        return l.detach()

    if mode == "graph":
        step = _as_graph(torch, step, net, x, y)
    return blocks(lambda: step(x, y), steps, torch.cuda.synchronize if device == "cuda" else lambda: None)


def _as_graph(torch, step, net, *inputs):
    """A step that copies its inputs to where the graph reads them, and replays it."""
    inputs = [x.clone() for x in inputs]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # choose algorithms, make buffers
            step(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    for parameter in net.parameters():
        parameter.grad = None  # so that the graph has gradients in memory of its own
    with torch.cuda.graph(graph):
        l = step(*inputs)
    _set_weights(torch, net)  # the steps above do not count

    def replay(*batch):
        for static, x in zip(inputs, batch):
            static.copy_(x)
        graph.replay()
        return l

    return replay


def pytorch_epochs(epochs, folder, mode="eager", device="cuda"):
    """The chapter's loop, as fast as PyTorch has it: bytes on the GPU, sums on the GPU, five reports an epoch."""
    import torch

    (images, labels), (test_images, test_labels) = (
        [torch.from_numpy(array).to(device) for array in (part.data, part.targets)] for part in data_sets(folder)
    )
    loss = torch.nn.CrossEntropyLoss()

    def batches(images, labels, order):
        for indices in order.split(256):
            yield images[indices].unsqueeze(1).float() / 255, labels[indices]

    def run():
        net = _their_lenet(torch, device)
        optimizer = torch.optim.SGD(net.parameters(), lr=LR)

        def step(x, y):
            optimizer.zero_grad()
            y_hat = net(x)
            l = loss(y_hat, y)
            l.backward()
            optimizer.step()
            return torch.stack([l.detach() * len(x), (y_hat.detach().argmax(1) == y).sum()])

        whole = step
        if mode == "graph":
            x, y = next(batches(images, labels, torch.arange(256, device=device)))
            whole = _as_graph(torch, step, net, x, y)
        for _ in range(epochs):
            sums = torch.zeros(2, device=device)
            order = torch.randperm(len(images)).to(device)
            for i, (x, y) in enumerate(batches(images, labels, order), start=1):
                sums += (whole if len(x) == 256 else step)(x, y)  # a graph has one shape: not that of the last batch
                if i % 47 == 0:
                    sums.tolist()
            with torch.no_grad():
                order = torch.arange(len(test_images), device=device)
                right = sum((net(x).argmax(1) == y).sum() for x, y in batches(test_images, test_labels, order))
            right.item()
        return sums[0].item() / len(images)

    return run, lambda: [run()]


def _their_lenet(torch, device):
    nn = torch.nn
    if device == "cuda":
        torch.backends.cudnn.benchmark = True  # its best algorithms, found in the first steps
        torch.backends.cudnn.allow_tf32 = False  # float32 for all: PyTorch's convolutions would round to 10 bits
        torch.backends.cuda.matmul.allow_tf32 = False
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    _set_weights(torch, net)
    return net.to(device)


def _set_weights(torch, net):
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), task.weights()):
            parameter.copy_(torch.from_numpy(array))


# --- data ----------------------------------------------------------------------------------------------------


def data_sets(folder):
    """Fashion-MNIST of a folder; with None, random images and labels of its size: the arithmetic is the same."""
    from minitorch_cnn import data

    if folder is not None:
        return [data.FashionMNIST(folder, train=train, download=False) for train in (True, False)]
    rng = np.random.default_rng(2)
    return [
        data.ImageDataset(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n))
        for n in (60_000, 10_000)
    ]


# --- what a step makes the GPU do ------------------------------------------------------------------------------


def counted(library, steps, **options):
    """In the place of the losses, `check` tells the kernels and the copies of one step.

    PyTorch's profiler listens to the driver, which sees what any library of the process starts, and what a graph does.
    """
    block, check = {"ours": ours, "pytorch": pytorch}[library](steps=steps, **options)
    check()  # compiles, captures
    return block, lambda: [count / steps for count in count_activities(block)]


def count_activities(function):
    """How many kernels and copies a function starts, by the trace of PyTorch's profiler."""
    from torch.profiler import ProfilerActivity, profile, supported_activities

    activities = supported_activities() & {ProfilerActivity.CPU, ProfilerActivity.CUDA}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions tell what a profile forgets
        for _ in range(2):  # the first time, the profiler itself has to start
            with profile(activities=activities) as profiler:
                function()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        profiler.export_chrome_trace(path)
        with open(path, encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
    kinds = [event.get("cat") for event in events]
    return kinds.count("kernel"), kinds.count("gpu_memcpy")
