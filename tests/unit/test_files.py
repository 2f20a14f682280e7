"""Locks, also where a file system has none, and files that are written whole or not at all."""

import errno
import os
import subprocess
import sys

import filelock
import pytest

from labutils import files

CODES = ["ENOLCK", "ENOTSUP", "ENOSYS", "EIO", "EROFS"]
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has locks everywhere")


def test_lock_lets_one_process_in_at_a_time(tmp_path, capsys):
    path = tmp_path / "new" / "x.lock"
    with files.lock(path) as held:
        assert held
        with pytest.raises(files.Locked, match=r"another process has held .*x.lock for 0.2 s"):
            with files.lock(path, 0.2, waiting="Waiting."):
                pytest.fail("two in the block")
    assert capsys.readouterr().out == "Waiting.\n"
    with files.lock(path) as held:
        assert held


def test_lock_of_a_process_that_was_killed_is_free(tmp_path):
    code = (
        "import os, sys, pathlib; from labutils import files\n"
        "with files.lock(pathlib.Path(sys.argv[1])): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "x.lock"], check=True)
    with files.lock(tmp_path / "x.lock") as held:
        assert held


def failing(code):
    def call(*_, **__):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    return call


@posix
@pytest.mark.parametrize("code", CODES)
def test_file_systems_without_locks_let_all_in(tmp_path, monkeypatch, code):
    import fcntl

    monkeypatch.setattr(fcntl, "flock", failing(code))
    with files.lock(tmp_path / "x.lock") as held, files.lock(tmp_path / "x.lock") as second:
        assert not held and not second
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", CODES)
def test_what_filelock_says_of_missing_locks_is_heard(tmp_path, monkeypatch, code):
    monkeypatch.setattr(filelock.FileLock, "acquire", failing(code))
    with files.lock(tmp_path / "x.lock") as held:
        assert not held


def test_lock_in_a_place_that_cannot_be_is_an_error_not_a_missing_lock(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError), files.lock(tmp_path / "file" / "x.lock"):
        pytest.fail("let in")


def test_write_text_makes_folders_and_the_same_bytes_everywhere(tmp_path):
    path = tmp_path / "new" / "grades.csv"
    files.write_text(path, "김민지\n")
    assert path.read_bytes() == "김민지\n".encode()
    files.write_text(path, "2")
    assert path.read_bytes() == b"2" and list(path.parent.iterdir()) == [path]


def test_names_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ("김" * 83 + ".csv")
    files.write_text(path, "x")
    assert path.read_text() == "x"


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure, durable):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(type(failure)), files.replacing(path, durable=durable) as file:
        file.write(b"half")
        raise failure
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_program_holds_is_named(tmp_path, monkeypatch):
    """As Excel holds grades.csv on Windows."""
    path = tmp_path / "grades.csv"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", failing("EACCES"))
    with pytest.raises(PermissionError, match="open in another program.*grades.csv"):
        files.write_text(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_cleaning_up_on_a_dead_drive_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", failing("EIO"))
    monkeypatch.setattr(os, "unlink", failing("ENOTCONN"))
    with pytest.raises(OSError) as caught:
        files.write_text(tmp_path / "file", "x")
    assert caught.value.errno == errno.EIO
