"""One writer for each folder, and no lock that outlives its process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from minitorch_cnn.training import lock
from minitorch_cnn.training.lock import FolderLock, Locked

HOLD = """
import sys, time
from minitorch_cnn.training.lock import FolderLock
held = FolderLock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def no_locks(monkeypatch):
    """A drive that knows no locks."""
    monkeypatch.setattr(lock, "_lock", lambda file: None)


def test_a_folder_in_use_is_refused_and_the_process_named(tmp_path, holder):
    with pytest.raises(Locked, match=rf"in use by process {holder.pid} on "):
        FolderLock(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".lock").exists()
    FolderLock(tmp_path).release()
    assert not (tmp_path / ".lock").exists()


def test_a_lock_is_for_one_of_one_process_too_until_it_is_released(tmp_path):
    first = FolderLock(tmp_path)
    with pytest.raises(Locked, match=f"process {os.getpid()} "):
        FolderLock(tmp_path)
    first.release()
    first.release()
    FolderLock(tmp_path).release()


@pytest.mark.skipif(sys.platform != "linux", reason="when a process began is read from /proc")
def test_where_there_are_no_locks_the_process_is_looked_for(tmp_path, holder, monkeypatch):
    no_locks(monkeypatch)
    with pytest.raises(Locked, match=f"process {holder.pid} "):
        FolderLock(tmp_path)
    identity = json.loads((tmp_path / ".lock").read_text())
    (tmp_path / ".lock").write_text(json.dumps({**identity, "begun": "1"}))  # an older process of the same number
    FolderLock(tmp_path).release()
    (tmp_path / ".lock").write_text(json.dumps({**identity, "machine": "elsewhere\x1b[2J"}))  # that may be alive
    with pytest.raises(Locked, match=rf"process {holder.pid} on elsewhere\\x1b\[2J$"):
        FolderLock(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"7"])
def test_a_lock_file_of_nobody_is_taken(tmp_path, monkeypatch, content):
    (tmp_path / ".lock").write_bytes(content)
    FolderLock(tmp_path).release()
    (tmp_path / ".lock").write_bytes(content)
    no_locks(monkeypatch)
    FolderLock(tmp_path).release()


RACE = """
import sys, time
from minitorch_cnn.training.lock import FolderLock, Locked
while time.time() < float(sys.argv[2]):
    pass
won = 0
for _ in range(200):
    try:
        held = FolderLock(sys.argv[1])
    except Locked:
        continue
    try:
        open(sys.argv[1] + "/one", "x").close()
    except FileExistsError:
        sys.exit("two have it")
    import os
    os.remove(sys.argv[1] + "/one")
    held.release()
    won += 1
print(won)
"""


def test_of_two_that_take_and_give_back_at_once_never_both_have_it(tmp_path):
    start = str(time.time() + 1)
    racers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path), start], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert all(int(racer.communicate(timeout=60)[0]) > 0 for racer in racers)
