"""Files that are whole or absent."""

import os
import stat
import time

import pytest

from minitorch_cnn.data.files import STALE_AFTER, atomic_file, sweep_temporary_files


def test_the_name_appears_when_the_content_is_complete(tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path) as file:
        file.write(b"ha")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_it_is_said(tmp_path, monkeypatch):
    calls = []

    def noted(fd, fsync=os.fsync):
        status = os.fstat(fd)
        calls.append("folder" if stat.S_ISDIR(status.st_mode) else status.st_size)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "replace", lambda *names, replace=os.replace: (calls.append("replace"), replace(*names)))
    with atomic_file(tmp_path / "file") as file:
        file.write(b"12345")
    assert calls == [5, "replace", *(["folder"] if os.name != "nt" else [])]


@pytest.mark.skipif(os.name == "nt", reason="no file modes there")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_mode_follows_the_umask(tmp_path, umask):
    old = os.umask(umask)
    try:
        with atomic_file(tmp_path / "file"):
            pass
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as one, atomic_file(path) as two:
        one.write(b"1" * 10)
        two.write(b"2" * 5)
    assert path.read_bytes() == b"1" * 10  # the one that ended last
    assert os.listdir(tmp_path) == ["file"]


def test_sweeping_spares_the_living_and_the_strangers(tmp_path):
    names = [".file.1-ab.tmp", ".file.2-cd.tmp", ".other.1-ab.tmp", "file"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    past = time.time() - STALE_AFTER - 1
    for name in names:
        if name != ".file.2-cd.tmp":
            os.utime(tmp_path / name, (past, past))
    sweep_temporary_files(tmp_path, ["file"])
    assert sorted(os.listdir(tmp_path)) == sorted(names[1:])
