"""Files that are whole or absent, however the program that writes them ends; and foreign text, made harmless."""

import contextlib
import errno
import os
import secrets
import shutil
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

    Raises
    ------
    OSError
        If the file cannot be written: its ``filename`` is `path`. Or if something else than a file has that name.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        if path.exists() and not path.is_file():  # root could replace even /dev/null
            raise FileExistsError(errno.EEXIST, "something that is no file has this name", str(path))
        with open(temporary, "xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the name must not reach the disk before the content
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def sync_folder(folder):
    """Wait until the names in a folder are on the disk, where the system can do that."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may write into it, but not list it
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network drives
            raise
    finally:
        os.close(handle)


def make_folder(folder, exist_ok=True):
    """Make a folder and those above it, and wait until their names are on the disk.

    Raises
    ------
    OSError
        If it cannot be made. FileExistsError if it is there and `exist_ok` is False: of two processes that make it
        at once, one gets this.
    """
    folder = Path(folder)
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(exist_ok=exist_ok)
    sync_folder(folder.parent)


def sweep_temporary_files(folder, names, older_than=STALE_AFTER):
    """Remove what killed writers of these files left in `folder`; a file that is still being written to stays."""
    for name in names:
        for temporary in Path(folder).glob(f".{name}.*.tmp"):
            with contextlib.suppress(OSError):  # another process may sweep, or finish, at the same moment
                if time.time() - temporary.stat().st_mtime < older_than:
                    continue
                if temporary.is_dir():
                    shutil.rmtree(temporary)
                else:
                    temporary.unlink()


def printable(text):
    r"""Return text from outside on one line, with what would control a terminal escaped.

    Examples
    --------
    >>> print(printable("404 \x1b[2JAll is\nwell"))
    404 \x1b[2JAll is well
    """
    return escaped(" ".join(str(text).split()))


def escaped(text):
    """Return text with all that is not printable escaped, but for tabs and the ends of lines."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in str(text))
