"""Whether operations are recorded: a setting of each thread."""

import threading
from contextlib import contextmanager


class _Mode(threading.local):
    recording = True


mode = _Mode()


def is_grad_enabled():
    """Whether operations are recorded in this thread."""
    return mode.recording


@contextmanager
def set_grad_enabled(enabled):
    """Record operations, or do not, inside a ``with`` block or a decorated function. Each thread has its own mode."""
    before, mode.recording = mode.recording, bool(enabled)
    try:
        yield
    finally:
        mode.recording = before


def no_grad():
    """Do not record operations inside a ``with`` block or a decorated function.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.ones(2, requires_grad=True)
    >>> with mt.no_grad():
    ...     print((x * 2).requires_grad)
    False
    """
    return set_grad_enabled(False)


def enable_grad():
    """Record operations inside a ``with`` block or a decorated function."""
    return set_grad_enabled(True)
