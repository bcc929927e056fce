"""Ctrl-C, SIGTERM and SIGHUP: the first is noted, and the training ends after its batch; the second ends it at once."""

import contextlib
import os
import signal
import threading


class Interrupted(KeyboardInterrupt):
    """A signal ends the program, with the exit code that a shell gives for that signal."""

    def __init__(self, number, text=""):
        super().__init__(text)
        self.number, self.exit_code = number, 128 + number


class Signals:
    """Within a ``with`` block, the signals that ask a program to end.

    A signal that is ignored when the block begins, as SIGHUP is under nohup, stays ignored.

    Attributes
    ----------
    received : int or None
        The signal that was noted.
    is_noting : bool
        Whether a first signal is noted only, because somebody looks at `received` soon.
    """

    def __init__(self):
        self.received, self.is_noting, self.before = None, False, {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():  # Python lets no other one handle signals
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                number = getattr(signal, name, None)  # Windows has no SIGHUP
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self.before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame):
        if self.is_noting and self.received is None:
            self.received = number
            with contextlib.suppress(OSError):  # print may be in use just now
                os.write(2, b"\nEnding after this batch, with a checkpoint. Once more: at once.\n")
        else:
            raise Interrupted(self.received or number)
