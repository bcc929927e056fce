"""A training step on all cores: the batch in shards, each with a forward and a backward on a thread of its own.

NumPy lets go of Python's interpreter lock while it multiplies, adds and copies, so threads really run side by side.
The number of shards follows from the batch alone, and their gradients are summed in a fixed order: the result does not
depend on the number of threads, to the last bit. It also bounds the memory of the column matrices, of which a shard has
its own. Shards should be few, since Python takes its time for each of them, on whatever thread, under one lock.
"""

import functools
import os
import queue
import threading

from minitorch_cnn import autograd, nn
from minitorch_cnn.autograd.mode import quiet_throughout
from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import keep_freed_memory
from minitorch_cnn.ops.shape import cat

LARGEST_SHARD = 128  # examples


def shard_count(batch):
    """Into how many shards to cut a batch: two, and twice as many for as long as one is larger than `LARGEST_SHARD`.

    A power of two, so that two processes cut their halves of a batch into the shards of the whole.

    Examples
    --------
    >>> [shard_count(n) for n in (32, 256, 257, 1024)]
    [2, 2, 4, 8]
    """
    count = 2
    while batch > count * LARGEST_SHARD:
        count *= 2
    return count


def backward_in_shards(net, loss, x, y, shards=None):
    """``y_hat = net(x); l = loss(y_hat, y); l.backward()``, on all cores.

    Gradients are those of the whole batch up to rounding. The batch stays whole on a GPU, if it requires a gradient
    itself, with a module that is not `shardable` (batch normalization and dropout in training, and classes that do not
    say they are, or that override the `forward` of one that does), and with a loss other than the plain mean of
    `nn.CrossEntropyLoss`, `nn.NLLLoss` or `nn.MSELoss`.

    Parameters
    ----------
    net : Module
    loss : Module
        Maps outputs and targets to a number, such as `nn.CrossEntropyLoss()`.
    x, y : Tensor
        A batch, of shapes (N, ...) and (N, ...). One of no examples has the loss 0 and no gradients.
    shards : int, optional
        Into how many parts to split the batch, by default `shard_count`.

    Returns
    -------
    Tensor
        The loss, detached.
    Tensor
        The outputs of the network, detached.

    Raises
    ------
    ValueError
        If `x` and `y` differ in length.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> net = mt.nn.Linear(3, 2)
    >>> l, y_hat = backward_in_shards(net, mt.nn.CrossEntropyLoss(), mt.ones(8, 3), mt.zeros(8, dtype=mt.int64))
    >>> y_hat.shape, net.weight.grad.shape
    ((8, 2), (2, 3))
    """
    if len(x) == len(y) == 0:  # of a batch with fewer examples than processes
        y_hat = forward_in_shards(net, x)
        return y_hat.sum(), y_hat
    if x.requires_grad or y.requires_grad or not _can_be_split(net, loss, y):
        y_hat = net(x)
        l = loss(y_hat, y)
        l.backward()
        return l.detach(), y_hat.detach()

    parameters = [p for p in net.parameters() if p.requires_grad]

    def forward_and_backward(x, y):
        y_hat = net(x)
        l = loss(y_hat, y) * (len(x) / batch)
        return l.detach(), y_hat.detach(), autograd.grad(l, parameters, allow_unused=True)

    batch = len(x)
    losses, outputs, gradients = zip(*map_shards(forward_and_backward, x, y, shards=shards), strict=True)
    for parameter, parts in zip(parameters, zip(*gradients, strict=True), strict=True):
        parts = [part for part in parts if part is not None]
        if parts:
            total = Tensor(_sum([part.array for part in parts]) if len(parts) > 1 else parts[0].array.copy())
            parameter.grad = total if parameter.grad is None else parameter.grad.add_(total)
    return _sum(losses), cat(outputs)


def forward_in_shards(net, x, shards=None):
    """``net(x)`` without recording, on all cores.

    Parameters
    ----------
    net : Module
    x : Tensor
        A batch, of shape (N, ...).
    shards : int, optional
        Into how many parts to split the batch, by default `shard_count`.

    Returns
    -------
    Tensor
        The outputs of the network.
    """
    with autograd.no_grad():
        return cat(map_shards(net, x, shards=shards)) if _can_be_split(net, None, x) else net(x)


def map_shards(function, *tensors, shards=None):
    """Call a function on each shard of a batch, each on a thread, with BLAS at one thread inside.

    Within a shard it calls the function on the thread that is there.

    Parameters
    ----------
    function : callable
        Called with one shard of each tensor.
    *tensors : Tensor
        Batches of one length.
    shards : int, optional
        Into how many parts to split them, by default `shard_count`.

    Returns
    -------
    list
        What the function returned, in the order of the shards.

    Raises
    ------
    ValueError
        If the tensors differ in length.
    """
    lengths = [len(tensor) for tensor in tensors]
    batch = lengths[0]
    if set(lengths) != {batch}:
        raise ValueError(f"the tensors of a batch need one length, got {' and '.join(map(str, lengths))}")
    shards = max(1, min(shards or shard_count(batch), batch))
    bounds = [batch * i // shards for i in range(shards + 1)]
    recording = autograd.is_grad_enabled()

    def call(i):
        with quiet_throughout(), autograd.enable_grad() if recording else autograd.no_grad():
            return function(*(tensor[bounds[i] : bounds[i + 1]] for tensor in tensors))

    return _pool.map(call, shards)


# The layers whose output for an example depends on that example and the parameters alone, in the mode that they are in.
# A class of a user's may say so by an attribute `shardable = True`; it speaks of the `forward` of its own class.
_BY_EXAMPLE = {
    nn.Conv2d, nn.ConvTranspose2d, nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Linear, nn.Flatten,
    nn.Unflatten, nn.Identity, nn.Sigmoid, nn.Tanh, nn.ReLU, nn.Sequential, nn.ModuleList,
}  # fmt: skip
_IN_EVALUATION = {nn.Dropout, nn.BatchNorm2d, nn.BatchNorm1d}
_ALONG_A_DIMENSION = {nn.Softmax, nn.LogSoftmax}  # unless it is that of the batch


def is_shardable(module):
    """Whether a batch may be computed in parts, by what is known of the class whose `forward` runs."""
    if "forward" in vars(module):
        return False
    known = _BY_EXAMPLE | _IN_EVALUATION | _ALONG_A_DIMENSION
    decides = next(c for c in type(module).__mro__ if c in known or "shardable" in vars(c) or "forward" in vars(c))
    if decides in _IN_EVALUATION:
        return not module.training and getattr(module, "running_mean", 0) is not None
    if decides in _ALONG_A_DIMENSION:
        return module.dim == -1 or (module.dim or 0) > 0
    return decides in _BY_EXAMPLE or vars(decides).get("shardable", False)


def _can_be_split(net, loss, y):
    """Whether the outputs, and with a loss its mean, can be computed part by part."""
    if y.is_cuda or not all(is_shardable(module) for module in net.modules()):
        return False
    return loss is None or _is_mean(loss, y)


def _is_mean(loss, y):
    """Whether a loss is the mean over the examples, each with the same weight."""
    if type(loss) not in (nn.CrossEntropyLoss, nn.NLLLoss, nn.MSELoss) or loss.reduction != "mean":
        return False
    return type(loss) is nn.MSELoss or (loss.weight is None and not (y.array == loss.ignore_index).any())


def _sum(parts):
    """Sum in halves, as two processes that share a batch do: their sum is the same to the last bit."""
    half = len(parts) // 2
    return _sum(parts[:half]) + _sum(parts[half:]) if half else parts[0]


def available_cores():
    """Return the set of cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count()))


class _Pool:
    """Threads that compute the shards of one batch at a time, with BLAS at one thread."""

    def __init__(self):
        self.threads = None
        self.reset()

    def reset(self):
        """Forget the threads: of those before a fork, the new process has none."""
        self.executor = None
        self.lock = threading.Lock()  # the limit of BLAS is one for all: who overlaps would restore another's
        self.here = threading.local()

    def map(self, function, count):
        """Return ``[function(0), ..., function(count - 1)]``; within a call of `function`, on the thread of that."""
        if getattr(self.here, "in_shard", False):
            return [function(i) for i in range(count)]

        keep_freed_memory()
        results, waiting = [None] * count, queue.SimpleQueue()

        def work():
            self.here.in_shard = True
            try:
                for i in iter(waiting.get, None):
                    results[i] = function(i)
            finally:
                self.here.in_shard = False

        with self.lock, _blas().limit(limits=1, user_api="blas"):
            threads = min(count, self.threads or len(available_cores()))
            for i in (*range(count), *[None] * threads):  # a None for each thread to stop at
                waiting.put(i)
            others = [self._started().submit(work) for _ in range(threads - 1)]
            errors = []
            try:
                work()
            finally:
                while others:  # taken out, and errors too: an error holds this frame, which would hold the error
                    errors += filter(None, [others.pop(0).exception()])  # waits for the thread
        if errors:
            raise errors.pop(0)
        return results

    def _started(self):
        from concurrent.futures import ThreadPoolExecutor

        if self.executor is None:
            others = (self.threads or len(available_cores())) - 1  # the calling thread takes part
            self.executor = ThreadPoolExecutor(others, thread_name_prefix="shard")
        return self.executor


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def use_threads(count):
    """Compute shards on `count` threads from now on; None, the default, is one for each core."""
    with _pool.lock:
        _pool.threads, _pool.executor = count, None


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.reset)
