"""One writer for each folder: a lock that a killed process does not leave behind."""

import contextlib
import json
import os
import socket
import sys
from pathlib import Path

from minitorch_cnn.data.files import printable


class Locked(RuntimeError):
    """Another process, which lives, writes to this folder."""


class FolderLock:
    """The right to write to a folder, which one process at a time has.

    The system itself holds the lock on the file ``.lock`` and lets go of it when the process ends, however it ends.
    What stands in the file is for people: who it is. Only on a drive that knows no locks is it read: then a process
    counts as alive if there is one of its number, on this machine, that began when the one in the file did.

    Parameters
    ----------
    folder : str or Path
        It has to be there.

    Raises
    ------
    Locked
        If another one has it. The text names the process.
    OSError
        If the folder cannot be written to.
    """

    def __init__(self, folder):
        self.path = Path(folder) / ".lock"
        while True:
            self.file = open(self.path, "a+b")  # noqa: SIM115 (it stays open)
            try:
                free = _lock(self.file)
                self.file.seek(0)
                holder = self.file.read(4096)
                if free is False or (free is None and _lives(holder)):
                    raise Locked(f"{folder} is in use by {_name_of(holder)}")
                if free is None or _is_there(self.file, self.path):
                    break
            except BaseException:
                self.file.close()
                raise
            self.file.close()  # of a lock that was given back, and whose file is gone, between open and lock
        self.file.truncate(0)
        self.file.write(json.dumps(_identity(os.getpid())).encode())
        self.file.flush()

    def release(self):
        """Give the folder back."""
        if not self.file.closed:
            if os.name == "nt":  # no open file can be removed there
                self.file.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.file.close()


def _lock(file):
    """Lock an open file until it is closed: True if that worked, False if another has it, None if there are none."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # far behind the content, which others can read then
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _is_there(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _identity(process):
    return {"process": process, "machine": socket.gethostname(), "begun": _begun(process)}


def _begun(process):
    """When a process began, as Linux counts it; numbers of processes are used again. None where that is not told."""
    try:
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _lives(holder):
    """Whether the process of a lock file may be alive; one on another machine may."""
    try:
        identity = json.loads(holder)
        if identity["machine"] != socket.gethostname():
            return True
        if os.name == "posix":
            with contextlib.suppress(PermissionError):  # another user's
                os.kill(identity["process"], 0)
        return identity["begun"] == _begun(identity["process"])
    except (ValueError, KeyError, TypeError, OSError, OverflowError):  # nobody, or one that has ended
        return False


def _name_of(holder):
    try:
        identity = json.loads(holder)
        return f"process {int(identity['process'])} on {printable(identity['machine'])}"
    except (ValueError, KeyError, TypeError):  # it has only just locked the file
        return "another process"
