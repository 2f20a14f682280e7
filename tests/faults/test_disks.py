"""Disks that are full; ``test_commands.py`` fills real ones."""

import dataclasses

import pytest

from labutils import data
from labutils.data import cifar10, transfer
from tests.faults.disks import ARCHIVE, FullDisk, assert_nothing_but


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


def test_too_little_room_is_seen_before_the_download(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"))
    huge = dataclasses.replace(data.SPECS["mnist"], disk_bytes=10**18)
    monkeypatch.setitem(data.SPECS, "mnist", huge)
    before = server.requests.total()
    assert data.load("mnist")[0].is_sample
    assert server.requests.total() == before
    assert "MB free, and 1,000,000,000,000 MB are needed" in capsys.readouterr().out
