"""Settings of each thread, which upper rooms change for a while and lower ones read."""

from __future__ import annotations

import contextlib
import threading
from contextlib import AbstractContextManager


class Setting(threading.local):
    """A value that each thread has for itself.

    Parameters
    ----------
    value : object
        What it is where nobody has set it.

    Examples
    --------
    >>> greeting = Setting("hello")
    >>> with greeting.set("good night"):
    ...     print(greeting.value)
    good night
    >>> greeting.value
    'hello'
    """

    def __init__(self, value):
        self.value = value

    @contextlib.contextmanager
    def set(self, value):
        """Within it, this thread finds another value."""
        before, self.value = self.value, value
        try:
            yield
        finally:
            self.value = before


checks_are_deferred = Setting(False)
before_step = Setting(lambda optimizer: None)  # what an optimizer calls before it changes a parameter


def deferred_checks() -> AbstractContextManager[None]:
    """Leave out, in this thread, the checks of values for which the host would have to wait for the GPU.

    What such a check would have refused, a label that is no class, then makes the result NaN. Who looks at results only
    now and then, as the training loop does, checks then.

    Examples
    --------
    >>> with deferred_checks():
    ...     checks_are_deferred.value
    True
    """
    return checks_are_deferred.set(True)
