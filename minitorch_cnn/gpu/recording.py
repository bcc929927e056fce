"""CUDA graphs: work of the GPU that is recorded once and replayed.

Nothing else knows of a recording. It sets, for its thread and its time, what has to be done another way: products,
copies from the host, checks of values, the steps of optimizers.
"""

import contextlib
import functools

from minitorch_cnn.backend.arrays import copy_to_gpu
from minitorch_cnn.backend.settings import Setting, before_step, deferred_checks
from minitorch_cnn.gpu import kernels, sgd

_is_recording = Setting(False)


class Recording:
    """What a function gives the GPU to do, recorded as a CUDA graph that one call starts again.

    A graph computes with the addresses that it was recorded with. So its memory comes from a pool of its own, which
    lives as long as the graph: nobody else is given a piece of it. It lives as long, too, as an array that was made in
    it, such as a gradient or a momentum, which may well outlive the graph.

    Parameters
    ----------
    xp : module
        CuPy.

    Attributes
    ----------
    before_replay : list of callable
        What is called before each replay.
    """

    def __init__(self, xp):
        self.pool, self.stream = xp.cuda.MemoryPool(), xp.cuda.Stream(non_blocking=True)
        self.xp, self.graph, self.before_replay = xp, None, []

    def warm_up(self, function):
        """Call a function as it is to be recorded. It compiles its kernels, and the pool grows to what it needs."""
        xp = self.xp
        xp.cuda.get_current_stream().synchronize()  # the other stream would not wait for what is under way here
        with self._current():
            result = function()
            self.stream.synchronize()
        return result

    def record(self, function):
        """Call a function, whose work is not done now but recorded."""
        recorded_sgd = functools.partial(sgd.recorded, self.before_replay)
        with self._current(), copy_to_gpu.set(_refuse_the_host), sgd.change.set(recorded_sgd):
            self.stream.begin_capture()
            try:
                result = function()
            except BaseException:
                with contextlib.suppress(Exception):  # after a refused call, there is no graph to end with
                    self.stream.end_capture()
                raise
            self.graph = self.stream.end_capture()
        return result

    def replay(self):
        """Do the work that was recorded, on the current stream."""
        for prepare in self.before_replay:
            prepare()
        self.graph.launch()

    def _allocate(self, size):
        """A piece of the pool that keeps the pool: CuPy's own does not, and loses its memory when the pool goes."""
        piece = self.pool.malloc(size)
        memory = self.xp.cuda.UnownedMemory(piece.ptr, size, (self.pool, piece), piece.device_id)
        return self.xp.cuda.MemoryPointer(memory, 0)

    @contextlib.contextmanager
    def _current(self):
        """Within it, work goes to the stream, memory comes from the pool, and all is done as it can be recorded."""
        if _is_recording.value:
            raise RuntimeError("a captured step was called within a captured step; capture the outer one alone")
        with contextlib.ExitStack() as stack:
            stack.enter_context(_is_recording.set(True))
            stack.enter_context(self.stream)
            stack.enter_context(self.xp.cuda.using_allocator(self._allocate))
            stack.enter_context(deferred_checks())
            stack.enter_context(kernels.multiply.set(kernels.in_tiles))  # CuPy refuses to call cuBLAS
            stack.enter_context(before_step.set(_refuse_what_python_does))
            yield


def _refuse_the_host(data, dtype):
    """What a graph copied from the host, it would read again at each replay, when that memory is long free."""
    raise RuntimeError("numbers of the host cannot be copied to the GPU while a step is captured")


def _refuse_what_python_does(optimizer):
    """What an optimizer does on the host, it would do while it is recorded, and never again."""
    name = type(optimizer).__name__
    if not optimizer.capturable:
        raise RuntimeError(
            f"{name} cannot be part of a captured step: numbers that it computes in Python, such as those that depend "
            "on the count of steps, would stay what they were. Use SGD, or leave it uncaptured"
        )
    for group in optimizer.param_groups:
        for param in group["params"]:
            if param.requires_grad and not param.is_cuda:
                raise RuntimeError(
                    f"{name} expected all parameters on the GPU in a captured step, got one on {param.device}"
                )
