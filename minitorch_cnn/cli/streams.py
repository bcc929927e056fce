"""The standard streams, whatever they are: closed, read by nobody any more, or in an encoding that lacks a sign."""

import contextlib
import os
import sys

INSTEAD = str.maketrans({"×": "x", "−": "-", "·": "*", "→": "->", "²": "^2", "≤": "<=", "…": "..."})


@contextlib.contextmanager
def sturdy_streams():
    """Within the block, nothing that is printed raises an error. Yields the two streams; each has its ``error``."""
    _open_missing()
    before = sys.stdout, sys.stderr
    streams = [Stream(stream) for stream in before]
    sys.stdout, sys.stderr = streams
    try:
        yield streams
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


class Stream:
    """A text stream that falls silent where it would raise an error.

    Attributes
    ----------
    error : Exception or None
        The error, if there was one. Since then, all that is written is dropped.
    """

    def __init__(self, stream):
        self.stream, self.error = stream, None

    def write(self, text):
        """Write a text, with other signs for those that the encoding lacks."""
        try:
            self._try(self.stream.write, text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            plain = text.translate(INSTEAD).encode(encoding, "backslashreplace").decode(encoding)
            self._try(self.stream.write, plain)
        return len(text)

    def flush(self):
        """Write what waits."""
        self._try(self.stream.flush)

    def _try(self, function, *args):
        try:
            if self.error is None:
                function(*args)
        except UnicodeEncodeError:
            raise
        except (OSError, ValueError) as error:  # ValueError: of a file that is closed
            self.error = error
            with contextlib.suppress(OSError, ValueError, AttributeError):  # what waits is written when Python ends
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name):
        return getattr(self.stream, name)


def _open_missing():
    """Open /dev/null in place of each closed stream: else a checkpoint would get its number, and be printed into."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the process ends)
