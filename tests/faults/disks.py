"""Disks that fill up or cannot be written to, and what a data folder may hold afterwards."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

from labutils import data

ROOT = Path(__file__).parents[2]
ARCHIVE = data.SPECS["cifar10"].remote_files[0].name


def part_of(store):
    """Where the partial download of CIFAR-10's archive lies."""
    return store / "cache" / f"{ARCHIVE}.part"


def assert_nothing_but(store, left=frozenset()):
    """Nothing in the store that could be taken for data, but the files ``left``."""
    names = {path.name for path in store.rglob("*") if path.is_file()}
    assert names - {"cifar10.lock", "mnist.lock"} == left


class FullDisk:
    """A file that takes the first bytes and then no more."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(content)


def can_mount(folder) -> bool:
    """Say whether this system lets us mount a file system that only our own process sees."""
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0
