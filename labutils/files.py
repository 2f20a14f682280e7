"""Files that other programs may use too: locks, and writing a file whole or not at all."""

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# What a file system answers that has no locks (network drives) or lets nobody write.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EIO, errno.EROFS)


class Locked(Exception):
    """Another process holds a lock; the message says which lock."""


@contextlib.contextmanager
def lock(path: Path, timeout: float = 0, waiting: str = "") -> Iterator[bool]:
    """Let one process at a time into the block; the others wait for it.

    The operating system takes the lock back from a process that dies. The block is given whether
    the lock is held: where the file system has no locks, all go ahead, and must bear each other.
    They wait ``timeout`` seconds, and ``waiting`` is printed when that begins.

    Raises:
        Locked: another process held the lock all the time.
        OSError: the lock's folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    file_lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _ask_for_locks(path.parent)
        try:
            file_lock.acquire(timeout=min(timeout, 0.1))
        except Timeout:
            if waiting:
                print(waiting)
            file_lock.acquire(timeout=timeout)
    except Timeout:
        raise Locked(f"another process has held {path} for {timeout:g} s") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    try:
        yield file_lock.is_locked
    finally:
        with contextlib.suppress(OSError):
            file_lock.release()


def _ask_for_locks(folder: Path) -> None:
    """Raise OSError where the file system has no locks: old versions of filelock wait instead."""
    try:
        import fcntl
    except ImportError:  # Windows has locks everywhere
        return
    with tempfile.TemporaryFile(dir=folder) as own:  # nobody else can hold this one
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of ``path`` when the block has ended well.

    A reader never sees half a file; a failure leaves the old one and nothing else. With
    ``durable`` it outlives a power cut, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cut, as a name may be as long as the file system allows (255 bytes, 4 to a letter).
    part = path.with_name(f"{path.name[:50]}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        try:
            os.replace(part, path)
        except PermissionError as error:  # on Windows: Excel, a virus scanner, a sync program
            held = "it is open in another program, or not yours to replace"
            raise PermissionError(error.errno, held, str(path)) from None
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_json(path: Path, content) -> None:
    """Write JSON for people: a line per field, and lists of numbers on one line each."""
    lines = json.dumps(content, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), lines)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all: in UTF-8, with the same bytes on every system.

    Half a surrogate pair becomes an escape, which means the same in JSON.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
