"""A training step that is captured once and replayed: a function of tensors, on top of a recording."""

from __future__ import annotations

from collections.abc import Callable

from minitorch_cnn.autograd.tensor import Tensor
from minitorch_cnn.backend import get_array_module
from minitorch_cnn.backend.annotations import P, R
from minitorch_cnn.gpu.recording import Recording

__all__ = ["capture"]


def capture(step: Callable[P, R], warmup: int = 2) -> Callable[P, R]:
    """A training step that is recorded as a CUDA graph, of which each later call starts all computations at once.

    To start a computation on a GPU takes the host a few microseconds, and Python takes more for each. A small network's
    step has dozens of them, and the GPU waits. A captured step is started as a whole.

    The first calls compute the step as usual; the next one records it. From then on, a call copies the tensors that it
    is given to where the recording found them, and replays. What Python does in the step, it does no more: a number
    that it computed stays what it was, a branch that it took stays taken. The exception is `optim.SGD`, whose settings,
    such as the learning rate, are looked up at each call.

    Parameters
    ----------
    step : callable
        Takes tensors, and returns a tensor, a tuple of tensors, or None. It should contain all of ``zero_grad()``,
        forward, ``backward()`` and ``optimizer.step()``. Nothing in it may be read back (`item`, `float`, `print`,
        ``if`` on a tensor, an index that is a mask) or copied from the host (`tensor`, random numbers as in
        `nn.Dropout`).
    warmup : int
        How many calls compute as usual: at least 1.

    Returns
    -------
    callable
        Takes and returns what `step` does, but tensors without a graph. Calls on a CPU, and with tensors of another
        shape or type than those of the first call, as the last batch of an epoch may be, compute as usual.

    Raises
    ------
    RuntimeError
        By the call that records, if something in the step cannot be captured; by a later one, if a parameter or its
        momentum lies elsewhere in memory than when the step was captured, or momentum was switched on or off.

    Notes
    -----
    A label that is no class is not refused with an error, for that would be a read: the loss becomes NaN.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> net = mt.nn.Linear(2, 3).to("cuda" if mt.cuda.is_available() else "cpu")
    >>> optimizer = mt.optim.SGD(net.parameters(), lr=0.1)
    >>> def step(x, y):
    ...     optimizer.zero_grad()
    ...     l = mt.nn.functional.cross_entropy(net(x), y)
    ...     l.backward()
    ...     optimizer.step()
    ...     return l.detach()
    >>> step = mt.cuda.capture(step)
    >>> step(mt.ones(4, 2).to(net.weight.device), mt.zeros(4).long().to(net.weight.device)).shape
    ()
    """
    if warmup < 1:
        raise ValueError(f"capture needs at least one call to warm up, got warmup={warmup}")
    return _Captured(step, warmup)


class _Captured:
    """A step, its recording, and the tensors that the recording reads and writes."""

    def __init__(self, step, warmup):
        self.step, self.warmup = step, warmup
        self.recording = self.inputs = self.outputs = None

    def __call__(self, *tensors):
        if not tensors or not all(isinstance(x, Tensor) and x.is_cuda for x in tensors):
            return self.step(*tensors)
        if self.inputs is None:
            self.inputs = [x.detach().clone() for x in tensors]
            self.recording = Recording(get_array_module(tensors[0].array))
        if [(x.shape, x.dtype) for x in tensors] != [(x.shape, x.dtype) for x in self.inputs]:
            return self.step(*tensors)
        if self.warmup:
            self.warmup -= 1
            return self.recording.warm_up(lambda: self.step(*tensors))
        if self.recording.graph is None:
            self._record()
        for static, x in zip(self.inputs, tensors):
            static.array[...] = x.array
        self.recording.replay()
        return _copied(self.outputs)

    def _record(self):
        try:
            inputs = [x.detach() for x in self.inputs]  # they know that their memory is somebody else's, and stays
            self.outputs = self.recording.record(lambda: self.step(*inputs))
        except Exception as error:
            self.recording.before_replay.clear()
            raise RuntimeError(
                f"the step cannot be captured: {type(error).__name__}: {error}. While it is captured, nothing may be "
                "read back (item(), float(), print(), if on a tensor, an index that is a mask) or copied from the host "
                "(tensor(), random numbers as in Dropout); call such a step uncaptured"
            ) from error


def _copied(outputs):
    """The tensors that a step returned, in memory of their own: the next replay writes to the old one."""
    if isinstance(outputs, (tuple, list)):
        return type(outputs)(map(_copied, outputs))
    return outputs.detach().clone() if isinstance(outputs, Tensor) else outputs
