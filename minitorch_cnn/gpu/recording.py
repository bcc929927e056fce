"""CUDA graphs: work of the GPU that is recorded once and replayed; and the checks that a thread puts off.

What else knows of it asks here: the matrix product, which then is no call of cuBLAS; the optimizer, whose settings may
change between two replays; and the loss, which checks labels.
"""

import contextlib
import threading

from minitorch_cnn.backend.arrays import transfer


class _Mode(threading.local):
    checks_are_deferred = False
    recording = None


_mode = _Mode()


@contextlib.contextmanager
def deferred_checks():
    """Leave out, in this thread, the checks of values for which the host would have to wait for the GPU.

    What such a check would have refused, a label that is no class, then makes the result NaN. Who looks at results only
    now and then, as the training loop does, checks then.

    Examples
    --------
    >>> with deferred_checks():
    ...     checks_are_deferred()
    True
    """
    before, _mode.checks_are_deferred = _mode.checks_are_deferred, True
    try:
        yield
    finally:
        _mode.checks_are_deferred = before


def checks_are_deferred():
    """Whether this thread is within `deferred_checks`."""
    return _mode.checks_are_deferred


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
        What is called before each replay; `at_replay` adds to it.
    """

    def __init__(self, xp):
        self.pool, self.stream = xp.cuda.MemoryPool(), xp.cuda.Stream(non_blocking=True)
        self.xp, self.graph, self.before_replay, self.is_open = xp, None, [], False

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
        with self._current(), self._refusing_the_host():
            self.stream.begin_capture()
            self.is_open = True
            try:
                result = function()
            except BaseException:
                with contextlib.suppress(Exception):  # after a refused call, there is no graph to end with
                    self.stream.end_capture()
                raise
            finally:
                self.is_open = False
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
    def _refusing_the_host(self):
        """Within it, nothing of the host is copied to the GPU: the graph would read memory that is free by then."""

        def refuse(data, dtype):
            raise RuntimeError("numbers of the host cannot be copied to the GPU while a step is captured")

        before, transfer.to_gpu = transfer.to_gpu, refuse
        try:
            yield
        finally:
            transfer.to_gpu = before

    @contextlib.contextmanager
    def _current(self):
        if _mode.recording is not None:
            raise RuntimeError("a captured step was called within a captured step; capture the outer one alone")
        xp, _mode.recording = self.xp, self
        try:
            with self.stream, xp.cuda.using_allocator(self._allocate), deferred_checks():
                yield
        finally:
            _mode.recording = None


def is_recording():
    """Whether what this thread gives the GPU to do is being recorded, or warmed up to be recorded, as a CUDA graph."""
    return _mode.recording is not None


def is_capturing():
    """Whether the work of this thread is not done now, but only recorded."""
    return is_recording() and _mode.recording.is_open


def at_replay(prepare):
    """While work is being recorded, have a function called before each replay of it."""
    if is_capturing():
        _mode.recording.before_replay.append(prepare)
