"""Whether operations are recorded, and whether NumPy warns: settings of each thread."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, overload

import numpy as np

from minitorch_cnn.backend.annotations import F, Self

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]


class _Mode(threading.local):
    def __init__(self):
        self.recording = True
        self.is_quiet = False
        self.before = []  # what it was outside of each `with no_grad()` or `enable_grad()` that is open


mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return mode.recording


class no_grad:
    """Do not record operations inside a ``with`` block or a decorated function or generator.

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> x = mt.ones(2, requires_grad=True)
    >>> with mt.no_grad():
    ...     print((x * 2).requires_grad)
    False
    """

    recording = False

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: F) -> F: ...
    def __new__(cls, function: Callable | None = None) -> Any:
        """A setting; with a function, as the decorator ``@no_grad`` without brackets, that function under it."""
        setting = super().__new__(cls)
        return setting if function is None else setting(function)

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return _step_by_step(self, function)

        @wraps(function)
        def decorated(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return decorated

    def __enter__(self) -> None:
        mode.before.append(mode.recording)
        mode.recording = self.recording

    def __exit__(self, *_: object) -> None:
        mode.recording = mode.before.pop()


class enable_grad(no_grad):
    """Record operations inside a ``with`` block or a decorated function or generator."""

    recording = True


def _step_by_step(setting, function):
    """A generator function that runs under a setting, while its caller does not."""

    @wraps(function)
    def decorated(*args, **kwargs):
        generator, step = function(*args, **kwargs), next
        given = ()
        try:
            while True:
                with setting:
                    value = step(generator, *given)
                try:
                    step, given = type(generator).send, ((yield value),)
                except GeneratorExit:
                    with setting:
                        generator.close()
                    raise
                except BaseException as error:
                    step, given = type(generator).throw, (error,)
        except StopIteration as end:
            return end.value

    return decorated


class set_grad_enabled:
    """Record operations, or do not, from now on, or to the end of a ``with`` block, or in a decorated function.

    Parameters
    ----------
    enabled : bool

    Examples
    --------
    >>> import minitorch_cnn as mt
    >>> with mt.set_grad_enabled(False):
    ...     mt.is_grad_enabled()
    False
    """

    def __init__(self, enabled: bool) -> None:
        self.enabled, self.before, mode.recording = bool(enabled), mode.recording, bool(enabled)

    def __call__(self, function: F) -> F:
        mode.recording = self.before
        return (enable_grad if self.enabled else no_grad)(function)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        mode.recording = self.before


_NOTHING = nullcontext()


def quiet():
    """A ``with`` block in which NumPy does not warn: overflow is inf and 0/0 is NaN, as in PyTorch."""
    return _NOTHING if mode.is_quiet else np.errstate(all="ignore")


@contextmanager
def quiet_throughout():
    """Like `quiet`, once for many operations: to switch the warnings off and on takes as long as a small operation."""
    before = mode.is_quiet
    with quiet():
        mode.is_quiet = True
        try:
            yield
        finally:
            mode.is_quiet = before
