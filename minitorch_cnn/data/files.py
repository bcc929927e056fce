"""Files that are whole or absent, however the program that writes them ends."""

import contextlib
import os
import secrets
import time
from pathlib import Path

STALE_AFTER = 600  # seconds without a write: longer than any stall that a download survives


@contextlib.contextmanager
def atomic_file(path):
    """Open a temporary file for writing that becomes `path` when the block ends, and vanishes if the block fails.

    It lies in the same folder, because only there a rename is atomic. Every writer has its own, so processes
    that write the same file at once do not meet; the last one wins. It is made by `open`, so that its mode
    follows the umask (that of `tempfile` would be 0600).

    Parameters
    ----------
    path : str or os.PathLike
        The name that the file gets. A file of that name is replaced.

    Yields
    ------
    io.BufferedRandom
        Writable and readable; its ``name`` is that of the temporary file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the name must not reach the disk before the content
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep_temporary_files(folder, names):
    """Remove what killed writers of these files left in `folder`; a file that is still being written to stays."""
    for name in names:
        for temporary in Path(folder).glob(f".{name}.*.tmp"):
            with contextlib.suppress(OSError):  # another process may sweep, or finish, at the same moment
                if time.time() - temporary.stat().st_mtime > STALE_AFTER:
                    temporary.unlink()
