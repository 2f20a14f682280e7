"""Downloads against a server that misbehaves: what arrives is right, or nothing is taken."""

import dataclasses
import errno
import io
import os
import re
import signal
import subprocess
import sys
import tarfile

import pytest
from filelock import FileLock

from labutils import data
from labutils.data import download, transfer
from tests import toy_data
from tests.faults.disks import ARCHIVE, ROOT, assert_nothing_but, part_of
from tests.faults.server import serve, wait_until

# Behaviour of the only mirror, and what the user reads about it.
USELESS = {
    "slow": r"slower than 100 kB/s for 1 s",
    "stall": r"slower than 100 kB/s for 1 s",
    "silent": r"slower than 100 kB/s for 1 s",
    "drop-at-once": r"the connection breaks off",
    "short": r"sends [\d,]+ bytes, cifar-10-python.tar.gz has [\d,]+",
    "long": r"sends [\d,]+ bytes, cifar-10-python.tar.gz has [\d,]+",
    "short-unsaid": r"sent [\d,]+ bytes, cifar-10-python.tar.gz has [\d,]+",
    "wrong-bytes": r"came with wrong bytes \(checksum\), thrown away",
    "403": r"HTTP 403 \(forbidden\)",
    "404": r"HTTP 404 \(not there\)",
    "503": r"HTTP 503 \(overloaded\)",
    "loop": r"it redirects more than 5 times",
    "html": r"a web page came instead of cifar-10-python.tar.gz; .* wants a login first",
}
USELESS["html-unsaid"] = USELESS["html"]
KEEPS_WHAT_CAME = ("slow", "stall")


# --- one mirror that fails ------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", USELESS)
def test_useless_mirror_is_explained_and_the_sample_taken(
    behaviour, server, mirrors, store, capsys
):
    mirrors(server.url(behaviour))
    train, _ = data.load("cifar10")
    said = capsys.readouterr().out
    assert train.is_sample
    assert re.search(USELESS[behaviour], said)
    assert "download failed: results will differ from CIFAR-10" in said
    if behaviour in KEEPS_WHAT_CAME:
        assert part_of(store).stat().st_size > 0
        assert "MB are kept" in said and "data fetch cifar10 --patient" in said
    else:
        assert_nothing_but(store)


@pytest.mark.parametrize("behaviour", USELESS)
def test_the_next_mirror_delivers(behaviour, server, mirrors, store, capsys):
    mirrors(server.url(behaviour), server.url("good"))
    assert toy_data.load_whole("cifar10") == "downloaded"
    said = capsys.readouterr().out
    assert re.search(USELESS[behaviour], said)
    assert said.splitlines()[-1] == "CIFAR-10 · 500 + 100 images · downloaded, verified"
    assert not part_of(store).exists()


def test_second_load_is_local_and_asks_nobody(server, mirrors, capsys):
    mirrors(server.url("redirect"))
    data.load("mnist")
    before = server.requests.total()
    assert toy_data.load_whole("mnist") == "local"
    assert server.requests.total() == before
    assert "MNIST · 60 + 20 images · local copy, verified" in capsys.readouterr().out


# --- resuming -------------------------------------------------------------------------------------


def test_dropped_connections_are_resumed_on_the_same_mirror(server, mirrors):
    before = server.requests["drop"]
    mirrors(server.url("drop"))
    toy_data.load_whole("cifar10")
    assert server.requests["drop"] - before == 3  # a third of the file each


def test_next_mirror_goes_on_where_the_slow_one_stopped(server, mirrors, monkeypatch):
    mirrors(server.url("stall"), server.url("good"))
    sizes = []
    fetch = transfer.fetch

    def watched(url, file, part, **options):
        sizes.append(part.stat().st_size if part.exists() else 0)
        fetch(url, file, part, **options)

    monkeypatch.setattr(transfer, "fetch", watched)
    data.load("cifar10", source="full")
    assert sizes == [0, 50_000]


@pytest.mark.parametrize("behaviour", ["no-range", "416"])
def test_what_came_is_kept_where_the_next_mirror_cannot_go_on(behaviour, server, mirrors, capsys):
    mirrors(server.url("stall"), server.url(behaviour))
    toy_data.load_whole("cifar10")
    assert "wrong bytes" not in capsys.readouterr().out


@pytest.mark.parametrize("behaviour", ["html", "html-unsaid", "short", "long", "404", "loop"])
def test_a_useless_mirror_does_not_cost_what_an_earlier_one_sent(
    behaviour, server, files, mirrors, store
):
    mirrors(server.url("stall"), server.url(behaviour))
    assert data.load("cifar10")[0].is_sample
    assert part_of(store).read_bytes() == (files / ARCHIVE).read_bytes()[:50_000]


def test_a_mirror_whose_file_differs_is_found_out_and_the_next_one_delivers(
    server, mirrors, capsys
):
    """It goes on from the first mirror's bytes, once more from the start, then comes the next."""
    mirrors(server.url("stall"), server.url("wrong-bytes"), server.url("good"))
    before = server.requests["wrong-bytes"]
    toy_data.load_whole("cifar10")
    assert server.requests["wrong-bytes"] - before == 2
    assert "came with wrong bytes (checksum), thrown away" in capsys.readouterr().out


PARTS = {
    "wrong bytes do not condemn a good mirror": ("good", lambda archive: b"wrong" * 1000),
    "one that is long enough is not trusted": ("good", lambda archive: bytes(len(archive))),
    "nor one that is too long": ("good", lambda archive: bytes(len(archive) + 7)),
    "a whole one of a killed process is used": ("404", lambda archive: archive),
}


@pytest.mark.parametrize("case", PARTS)
def test_the_part_of_an_earlier_try(case, server, files, mirrors, store):
    behaviour, make_part = PARTS[case]
    mirrors(server.url(behaviour))
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes(make_part((files / ARCHIVE).read_bytes()))
    assert toy_data.load_whole("cifar10") == "downloaded"


def test_patient_takes_a_slow_mirror(server, mirrors, store, monkeypatch):
    mirrors(server.url("slow"))
    assert download.fetch(data.SPECS["mnist"], [store], pytest.fail, patient=True) == ""
    assert not data.SPECS["mnist"].verify(store)


def test_patient_gives_up_a_mirror_that_says_nothing(server, mirrors, store):
    mirrors(server.url("stall"))
    said = []
    why = download.fetch(data.SPECS["cifar10"], [store], said.append, patient=True)
    assert why == "download failed"
    assert ": nothing came for 1 s" in said[0] and "0.1 MB are kept" in said[1]


# --- the real files of MNIST ----------------------------------------------------------------------


def test_real_mnist_arrives_though_the_first_mirror_misbehaves(mnist_files, store, monkeypatch):
    """In one way here; `python -m tests.faults.table` tries them all."""
    with serve(mnist_files) as server:
        mirrors = (server.url("stall"), server.url("good"))
        real = dataclasses.replace(data.SPECS["mnist"], mirrors=mirrors)
        monkeypatch.setitem(data.SPECS, "mnist", real)
        train, test = data.load("mnist", source="full")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert not real.verify(store)


# --- a course's own mirror ------------------------------------------------------------------------


def test_own_mirrors_come_first(server, files, mirrors, monkeypatch, tmp_path):
    mirrors(server.url("good"))
    folder = tmp_path / "course data"
    folder.symlink_to(files, target_is_directory=True)
    monkeypatch.setenv("LABUTILS_MIRRORS", f"{server.url('404')}, {folder}")
    before = server.requests["good"]
    toy_data.load_whole("cifar10")
    assert server.requests["good"] == before


def test_tampered_folder_is_no_better_than_a_tampered_server(
    server, files, mirrors, monkeypatch, tmp_path, capsys
):
    mirrors(server.url("good"))
    (tmp_path / ARCHIVE).write_bytes((files / ARCHIVE).read_bytes()[:-1] + b"!")
    monkeypatch.setenv("LABUTILS_MIRRORS", str(tmp_path))
    toy_data.load_whole("cifar10")
    assert f"{tmp_path}: {ARCHIVE} came with wrong bytes" in capsys.readouterr().out


@pytest.mark.parametrize("spelling", ["file:///srv/the%20data", "/srv/the data", "~/the data"])
@pytest.mark.parametrize(
    "others", ["http://a.example/x  https://b", "http://a.example/x,https://b"]
)
def test_mirrors_and_folders_may_be_written_in_several_ways(others, spelling, monkeypatch):
    monkeypatch.setenv("HOME", "/srv")
    monkeypatch.setattr(os.path, "isdir", lambda path: str(path) == "/srv/the data")
    monkeypatch.setenv("LABUTILS_MIRRORS", f"{others}, {spelling}")
    first = download.mirrors(data.SPECS["mnist"])[:3]
    assert first == ["http://a.example/x", "https://b", "/srv/the data"]


# --- damaged files on the disk --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_damaged_local_copy_is_replaced(name, server, mirrors, store, capsys):
    mirrors(server.url("good"))
    data.load(name)
    spec = data.SPECS[name]
    victim = sorted((store / spec.folder).glob("*"))[-1]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    capsys.readouterr()
    assert toy_data.load_whole(name) == "downloaded"
    assert f"{victim.name} fails its checksum" in capsys.readouterr().out
    assert not spec.verify(store)


def test_archive_members_decide_no_path(server, files, mirrors, store, tmp_path):
    """Paths that lead outside, links and devices: only known names, as files, are ever written."""
    evil, victim = store / "cache", tmp_path / "victim"
    evil.mkdir(parents=True)
    victim.write_text("untouched")
    folder = data.SPECS["cifar10"].folder

    def add(archive, name, kind=tarfile.REGTYPE, target=""):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        member.size = 4 if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(b"evil"))

    with tarfile.open(files / ARCHIVE) as good, tarfile.open(evil / ARCHIVE, "w:gz") as bad:
        add(bad, f"{folder}/data_batch_1", tarfile.SYMTYPE, str(victim))
        add(bad, f"{folder}/data_batch_2", tarfile.LNKTYPE, "../../../victim")
        add(bad, f"{folder}/data_batch_3", tarfile.FIFOTYPE)
        add(bad, f"{folder}/test_batch", tarfile.CHRTYPE)
        for member in good:
            bad.addfile(member, good.extractfile(member))
        add(bad, "../../escaped")
        add(bad, f"{folder}/../../escaped")
        add(bad, str(tmp_path / "escaped"))
        add(bad, f"{folder}/escaped")
    mirrors(server.url("good"))
    data.SPECS["cifar10"].unpack(store)
    assert not data.SPECS["cifar10"].verify(store)
    assert all(path.is_file() and not path.is_symlink() for path in (store / folder).iterdir())
    assert victim.read_text() == "untouched" and not list(tmp_path.rglob("escaped"))


# --- several processes ----------------------------------------------------------------------------

CHILD = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
from labutils import data
from labutils.data import transfer
from tests import toy_data
files, store, name, *mirrors = sys.argv[1:]
toy_data.install(Path(files), mirrors)
data._folders = lambda: [Path(store)]
toy_data.load_whole(name)
"""


@pytest.fixture
def child(files, server, store):
    """Call it with a behaviour: another process loads CIFAR-10 from such a mirror."""

    def start(behaviour):
        words = [sys.executable, "-c", CHILD, files, store, "cifar10", server.url(behaviour)]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes)
        if behaviour == "slow":
            wait_until(lambda: part_of(store).exists() and part_of(store).stat().st_size > 0)
        return process

    return start


def test_processes_that_load_together_download_once(child, server):
    before = server.requests["good"]
    children = [child("good") for _ in range(2)]
    for process in children:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert server.requests["good"] - before == 1


def test_killed_download_leaves_its_lock_and_a_part_that_is_resumed(child, server, mirrors, store):
    process = child("slow")
    process.kill()
    process.communicate()
    assert not (store / data.SPECS["cifar10"].folder).exists()
    mirrors(server.url("good"))
    toy_data.load_whole("cifar10")


def test_half_unpacked_folder_of_a_killed_process_is_cleared(server, mirrors, store):
    mirrors(server.url("good"))
    scratch = store / "cache" / "cifar10-unpack-dead" / "new"
    scratch.mkdir(parents=True)
    (scratch / "data_batch_1").write_bytes(b"half")
    data.load("cifar10", source="full")
    assert not scratch.parent.exists()


def test_waiting_for_another_process_is_said_and_ends(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"))
    monkeypatch.setattr(download, "LOCK_SECONDS", 0.2)
    (store / "cache").mkdir(parents=True)
    with FileLock(store / "cache" / "mnist.lock"):
        assert data.load("mnist")[0].is_sample
    said = capsys.readouterr().out
    assert "Another process is fetching MNIST" in said
    assert "another process has held" in said


def test_file_systems_without_locks_do(server, mirrors, store, monkeypatch):
    """Each process then has partial files of its own: another one's are not touched."""

    def no_locks(self, *_, **__):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(FileLock, "acquire", no_locks)
    mirrors(server.url("good"))
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes(b"of another process")
    assert toy_data.load_whole("cifar10") == "downloaded"
    assert [path.name for path in (store / "cache").iterdir()] == [part_of(store).name]


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to a child is POSIX")
def test_interrupt_stops_a_download_at_once_and_keeps_the_part(child, store):
    process = child("slow")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert part_of(store).exists()
