"""Threads: how the work of one operation on a large array is shared among the cores.

An operation gives here a function of a part, and the parts. Into which parts its work is cut follows from the shapes
alone, and sums of parts are added in their order: a result does not depend on the number of threads, to the last bit.
(Another cut, such as by another `SMALLEST`, changes last bits.)
NumPy lets go of Python's interpreter lock while it computes, so that threads really run side by side. The libraries
that multiply matrices have threads of their own; while ours compute, they are held to one, for theirs wait by spinning.
"""

from __future__ import annotations

import functools
import os
import queue
import threading
import warnings

import numpy as np

from minitorch_cnn.backend.arguments import whole
from minitorch_cnn.backend.arrays import keep_freed_memory

SMALLEST = 2**18  # what a part holds at least, in elements times passes: less is not worth waking a thread for


def use_threads(count: int | None) -> None:
    """Share work among `count` threads from now on; None, the default, is one for each core.

    Raises
    ------
    TypeError, ValueError
        If it is neither None nor a whole number of at least 1.
    """
    _pool.wanted = count if count is None else whole("the number of threads", count, least=1)


def thread_count() -> int:
    """How many threads share the work, the calling one included."""
    return _pool.wanted or len(available_cores())


def available_cores() -> set[int]:
    """The set of cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count()))


def parts_of(size):
    """Into how many parts to cut work on so many elements: twice as many for each four times that they grow.

    Examples
    --------
    >>> [parts_of(size) for size in (10**5, 10**6, 10**7, 10**8)]
    [1, 2, 8, 16]
    """
    return 2 ** ((size // SMALLEST).bit_length() // 2)


@functools.cache
def slices(count, parts):
    """So many slices of ``range(count)``, as even as can be, but none empty.

    Examples
    --------
    >>> slices(10, 3)
    (slice(0, 3, None), slice(3, 6, None), slice(6, 10, None))
    """
    parts = max(1, min(count, parts))
    return tuple(slice(count * i // parts, count * (i + 1) // parts) for i in range(parts))


def slices_of(array, count, size=None):
    """Slices of `count` rows for work on an array, with so many elements in all: one, if they are few or on a GPU."""
    return slices(count, parts_of(array.size if size is None else size) if isinstance(array, np.ndarray) else 1)


def over(function, *arrays, passes=1):
    """``function(*arrays)``, which fills or changes the first array element by element; in parts, if large.

    They are cut along the axis that lies outermost in its memory; the others are broadcast to it. What takes as long as
    several passes over the memory, such as the exponential, is worth threads earlier.
    """
    x = arrays[0]
    parts = parts_of(x.size * passes) if isinstance(x, np.ndarray) else 1
    if parts == 1:
        function(*arrays)
        return
    axis = outermost(x)
    before = (slice(None),) * axis
    arrays = [np.broadcast_to(array, x.shape) if array.shape != x.shape else array for array in arrays]
    run(lambda part: function(*[array[(*before, part)] for array in arrays]), slices(x.shape[axis], parts))


def by_element(ufunc, x):
    """``ufunc(x)`` of an array, element by element, with the result in its memory order; in parts, if large.

    It is for what takes long: to add or multiply two arrays is to wait for their memory, and threads wait no shorter.
    """
    if not isinstance(x, np.ndarray) or x.size < SMALLEST:
        return ufunc(x)
    y = np.empty_like(x)
    over(lambda y, x: ufunc(x, out=y), y, x, passes=2)
    return y


def outermost(x):
    """The axis of an array along which neighbours lie farthest apart in memory."""
    return max(range(x.ndim), key=lambda i: (x.strides[i], x.shape[i]))


def run(function, parts):
    """Call a function with each of some parts, on threads; with BLAS at one thread, if that can be had.

    Work that comes from a part, or while the threads are busy with another thread's, is done at once.

    Returns
    -------
    list
        What it returned, in the order of the parts.

    Raises
    ------
    Exception
        That of the first part that fails. No part is being computed any more then, and some may never have been.
    """

    def compute(is_owner):
        return _pool.share(_Work(function, parts)) if is_owner else [function(part) for part in parts]

    return [function(parts[0])] if len(parts) == 1 else _in_region(compute)


def held(function):
    """``function()``, with BLAS at one thread: for a product that is large, but too small to be shared."""
    return _in_region(lambda _: function())


def _in_region(compute):
    """``compute(is_owner)`` while BLAS has one thread.

    The owner is the first that comes, and has the threads of the pool to itself; who comes while it computes has not.
    """
    if not _pool.blas():
        return compute(False)
    region = object()
    try:
        try:
            return compute(_pool.enter(region))
        finally:
            _pool.leave(region)
    except BaseException:
        _pool.leave(region)  # once more, for Ctrl-C may have struck within the line above
        raise


class _Work:
    """Parts that are still to be computed, by whatever thread comes first."""

    def __init__(self, function, parts):
        self.function, self.parts = function, parts
        self.results, self.errors = [None] * len(parts), {}
        self.lock, self.next, self.running = threading.Lock(), 0, 0
        self.finished = queue.SimpleQueue()  # of the other threads: one entry for each part

    def compute(self, is_caller=False):
        """Compute parts until there are none left."""
        while True:
            with self.lock:
                i, self.next = self.next, self.next + 1
                if i >= len(self.parts):
                    return
                self.running += not is_caller
            try:
                self.results[i] = self.function(self.parts[i])
            except BaseException as error:
                self.stop()
                if is_caller and not isinstance(error, Exception):
                    raise  # Ctrl-C: it comes before what a part says
                self.errors[i] = error
            if not is_caller:
                with self.lock:
                    self.running -= 1
                self.finished.put(i)

    def stop(self):
        """Begin no further part."""
        with self.lock:
            self.next = len(self.parts)

    def wait(self):
        """Wait for the parts that other threads are computing."""
        while self.running:
            self.finished.get()


class _Pool:
    """The threads beside the calling one, which wait for work as long as the process lives; and the threads of BLAS."""

    def __init__(self):
        self.wanted = self.libraries = self.before = None
        self.forget()

    def forget(self):
        """Begin without threads: as a forked process must, which has none of its parent's."""
        self.inbox, self.started = queue.SimpleQueue(), 0
        self.lock = threading.RLock()  # a signal's handler may compute, too
        self.regions, self.owner = set(), None
        self.leave(None)

    def blas(self):
        """The libraries that multiply matrices and whose threads can be limited."""
        if self.libraries is None:
            from threadpoolctl import ThreadpoolController

            with self.lock:
                self.libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            if not self.libraries:
                warnings.warn(
                    "no BLAS is found whose threads can be limited, so work is not shared among threads of our own",
                    stacklevel=3,
                )
        return self.libraries

    def enter(self, region):
        """Hold BLAS to one thread until all regions are left; whether this one has the threads to itself."""
        with self.lock:
            self.regions.add(region)
            if self.before is None:
                self.before = [library.get_num_threads() for library in self.libraries]
                for library in self.libraries:
                    _limit(library, 1)
            self.owner = self.owner or region
            return self.owner is region

    def leave(self, region):
        """Undo `enter`, once."""
        with self.lock:
            self.regions.discard(region)
            if self.owner is region:
                self.owner = None
            if self.before is not None and not self.regions:
                for library, count in zip(self.libraries, self.before):
                    _limit(library, count)
                self.before = None

    def share(self, work):
        helpers = min(thread_count(), len(work.parts)) - 1
        while self.started < helpers:
            keep_freed_memory()
            try:
                threading.Thread(target=_serve, args=(self.inbox,), name="parallel", daemon=True).start()
            except RuntimeError:  # the system has no more, or Python is ending: those that there are will do
                helpers = self.started
                break
            self.started += 1
        for _ in range(helpers):
            self.inbox.put(work)
        try:
            work.compute(is_caller=True)
            work.wait()
        finally:  # Ctrl-C may have struck in either
            work.stop()
            work.wait()
        if work.errors:
            try:
                raise work.errors.pop(min(work.errors))
            finally:
                work.errors.clear()  # an error that held this frame would hold itself
        return work.results


def _limit(library, count):
    """Set how many threads a BLAS uses, from whatever thread."""
    if hasattr(library, "clear_controlling_thread"):  # threadpoolctl 3.8 lets the first thread alone, in silence
        library.clear_controlling_thread(force=True)
    library.set_num_threads(count)


def _serve(inbox):
    np.seterr(all="ignore")  # a setting of each thread
    while True:
        work = inbox.get()
        work.compute()
        del work  # with the arrays that it holds


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)
