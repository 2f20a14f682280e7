"""Disks that are full, small, or not ours to write to."""

import dataclasses

import pytest

from labutils import data
from labutils.data import cifar10, transfer
from tests.faults.disks import ARCHIVE, FullDisk, assert_nothing_but, run_on_mount


@pytest.mark.parametrize(
    ("module", "left"),
    [
        (transfer, set()),  # while the archive arrives
        (cifar10, {ARCHIVE}),  # while it is unpacked: it is whole, the next load unpacks it
    ],
)
def test_full_disk(module, left, server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"), server.url("good"))
    before = server.requests["good"]
    monkeypatch.setattr(
        module, "open", lambda path, mode: FullDisk(open(path, mode), 200_000), raising=False
    )
    assert data.load("cifar10")[0].is_sample
    said = capsys.readouterr().out
    assert f"CIFAR-10 cannot be stored in {store} (No space left on device)" in said
    assert "disk full: results will differ from CIFAR-10" in said
    assert server.requests["good"] - before == 1  # another mirror would not help
    assert_nothing_but(store, left)


# Loads both datasets into a small disk: $1 is the disk, $2 the mirror.
LOAD = """
import sys
from pathlib import Path
from labutils import data
from tests import toy_data
store, files = map(Path, sys.argv[1:])
toy_data.install(files, [str(files)])
data._folders = lambda: [store]
toy_data.install_sample()
for name in ("cifar10", "mnist"):
    print(name, data.load(name, source="auto")[0].source)
print(sorted(path.name for path in store.rglob("*") if path.is_file()))
"""


@pytest.mark.parametrize(
    ("megabytes", "left"),
    [
        # The archive has 1.8 MB, unpacked it has as much again. Where it is whole, it is kept.
        (1, []),
        (3, [ARCHIVE]),
    ],
)
def test_small_file_system_that_fills_up(megabytes, left, files, tmp_path):
    """While the archive arrives, and while it is unpacked; afterwards MNIST has room."""
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$1"'
    said = run_on_mount(mount, LOAD, tmp_path, files)
    assert f"CIFAR-10 cannot be stored in {tmp_path} (No space left on device)" in said
    assert "free some space, or name a folder of your own in LABUTILS_DATA_DIR" in said
    assert "disk full: results will differ from CIFAR-10" in said
    assert "cifar10 sample" in said and "mnist downloaded" in said
    mnist = [file.name for file in data.SPECS["mnist"].remote_files]
    assert eval(said.splitlines()[-1]) == sorted([*mnist, *left, "cifar10.lock", "mnist.lock"])


def test_too_little_room_is_seen_before_the_download(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"))
    huge = dataclasses.replace(data.SPECS["mnist"], disk_bytes=10**18)
    monkeypatch.setitem(data.SPECS, "mnist", huge)
    before = server.requests.total()
    assert data.load("mnist")[0].is_sample
    assert server.requests.total() == before
    assert "MB free, and 1,000,000,000,000 MB are needed" in capsys.readouterr().out


def test_next_folder_is_taken_where_the_first_cannot_be_written(
    server, mirrors, store, monkeypatch, tmp_path, capsys
):
    mirrors(server.url("good"))
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setattr(data, "_folders", lambda: [blocked, store])
    assert data.load("mnist")[0].source == "downloaded"
    assert f"{blocked} cannot be written to (Not a directory)" in capsys.readouterr().out
    assert not data.SPECS["mnist"].verify(store)


# --- checkpoints ----------------------------------------------------------------------------------

# $1 is a disk with room for one checkpoint and not for a second beside it.
SAVE = """
import subprocess, sys
from pathlib import Path
from tests.faults.kill_and_resume import train
disk, own = map(Path, sys.argv[1:])
train("one-cycle", own / "whole.pt", own / "whole")
train("one-cycle", disk / "run.pt", own / "result")
assert [path.name for path in disk.iterdir()] == ["run.pt"]
subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
print("--- some space was freed")
train("one-cycle", disk / "run.pt", own / "again", verbose=True)
assert (own / "result").read_text() == (own / "again").read_text() == (own / "whole").read_text()
"""


def test_a_disk_that_is_full_when_a_checkpoint_is_saved(tmp_path):
    """Training goes on, the last good one is kept, and from there it goes on another time."""
    disk, own = tmp_path / "disk", tmp_path / "own"
    disk.mkdir(), own.mkdir()
    said = run_on_mount('mount -t tmpfs -o size=4m tmpfs "$1"', SAVE, disk, own)
    full, _, freed = said.partition("--- some space was freed\n")
    warning = f"Warning: the checkpoint {disk / 'run.pt'} could not be saved (No space left on "
    assert full.count(warning) == 5 and full.count("the last good one is kept") == 5
    assert freed.startswith(f"Going on from {disk / 'run.pt'}: 1 of 6 epochs are done.")
    assert "could not be saved" not in freed
