"""Downloads against a server that misbehaves: what arrives is right, or nothing is taken."""

import dataclasses
import errno
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from filelock import FileLock

from labutils import data, download, readers, transfer
from tests import toy_data
from tests.faults.server import serve, wait_until

ROOT = Path(__file__).parents[2]
ARCHIVE = readers.CIFAR10.remote_files[0].name

# Behaviour of the only mirror, and what the user reads about it.
USELESS = {
    "slow": r"slower than 100 kB/s for 1 s",
    "stall": r"slower than 100 kB/s for 1 s",
    "silent": r"slower than 100 kB/s for 1 s",
    "drop-at-once": r"the connection breaks off",
    "short": r"sent [\d,]+ bytes, cifar-10-python.tar.gz has [\d,]+",
    "long": r"sends more than the [\d,]+ bytes of cifar-10-python.tar.gz",
    "wrong-bytes": r"came with wrong bytes \(checksum\), thrown away",
    "403": r"HTTP 403 \(forbidden\)",
    "404": r"HTTP 404 \(not there\)",
    "503": r"HTTP 503 \(overloaded\)",
    "loop": r"it redirects more than 5 times",
    "html": r"a web page came instead of cifar-10-python.tar.gz; .* wants a login first",
}
KEEPS_WHAT_CAME = ("slow", "stall")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    toy_data.build(folder)
    return folder


@pytest.fixture(scope="module")
def server(files):
    with serve(files) as server:
        yield server


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A data folder of its own, no other in sight, and short waits."""
    folder = tmp_path / "data"
    monkeypatch.setenv("LABUTILS_DATA", "auto")
    monkeypatch.delenv("LABUTILS_MIRRORS", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(data, "_folders", lambda: [folder])
    monkeypatch.setattr(transfer, "SLOW_SECONDS", 1)
    monkeypatch.setattr(readers, "read_sample", lambda spec, find_cache: toy_data.arrays(spec.name))
    return folder


@pytest.fixture
def mirrors(files, store, monkeypatch):
    """Call it with URLs or folders: these are the datasets' mirrors then."""
    return lambda *urls: toy_data.install(files, urls, monkeypatch.setattr)


def part_of(store):
    return store / "cache" / f"{ARCHIVE}.part"


def assert_no_trace(store):
    """Nothing in the store that could be taken for data."""
    names = {path.name for path in store.rglob("*") if path.is_file()}
    assert names <= {"cifar10.lock", "mnist.lock"}


# --- one mirror that fails ----------------------------------------------------------------------


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
        assert_no_trace(store)


@pytest.mark.parametrize("behaviour", USELESS)
def test_the_next_mirror_delivers(behaviour, server, mirrors, store, capsys):
    mirrors(server.url(behaviour), server.url("good"))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")
    assert train.source == "downloaded"
    said = capsys.readouterr().out
    assert re.search(USELESS[behaviour], said)
    assert said.splitlines()[-1] == "CIFAR-10 · 500 + 100 images · downloaded, verified"
    assert not part_of(store).exists()


def test_full_repeats_every_failure(server, mirrors):
    mirrors(server.url("404"), server.url("wrong-bytes"))
    with pytest.raises(data.DataError) as caught:
        data.load("cifar10", source="full")
    assert "HTTP 404" in str(caught.value) and "wrong bytes" in str(caught.value)
    assert "LABUTILS_DATA_DIR" in str(caught.value)


def test_second_load_is_local_and_asks_nobody(server, mirrors, capsys):
    mirrors(server.url("redirect"))
    data.load("mnist")
    before = server.requests.total()
    train, test = data.load("mnist")
    assert server.requests.total() == before
    assert train.source == "local" and toy_data.same(train, test, "mnist")
    assert "MNIST · 60 + 20 images · local copy, verified" in capsys.readouterr().out


# --- resuming -----------------------------------------------------------------------------------


def test_dropped_connections_are_resumed_on_the_same_mirror(server, mirrors):
    before = server.requests["drop"]
    mirrors(server.url("drop"))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")
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


def test_a_mirror_that_cannot_resume_starts_anew(server, mirrors):
    mirrors(server.url("stall"), server.url("no-range"))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")


def test_wrong_bytes_of_an_earlier_try_do_not_condemn_a_good_mirror(server, mirrors, store):
    mirrors(server.url("good"))
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes(b"wrong" * 1000)
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")


@pytest.mark.parametrize("extra", [0, 7])
def test_part_that_is_long_enough_is_not_trusted(extra, server, files, mirrors, store):
    mirrors(server.url("good"))
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes(b"0" * ((files / ARCHIVE).stat().st_size + extra))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")


def test_whole_part_of_a_killed_process_is_used(server, files, mirrors, store):
    mirrors(server.url("404"))
    part_of(store).parent.mkdir(parents=True)
    part_of(store).write_bytes((files / ARCHIVE).read_bytes())
    assert data.load("cifar10", source="full")[0].source == "downloaded"


def test_patient_takes_a_slow_mirror(server, mirrors, store, monkeypatch):
    mirrors(server.url("slow"))
    assert data.fetch(readers.MNIST, pytest.fail, patient=True) == ""
    assert not readers.verify(readers.MNIST, store)


# --- no network, proxies, certificates ---------------------------------------------------------


def test_no_network_is_found_out_soon(mirrors, monkeypatch, capsys):
    """Addresses that swallow every packet, as behind a firewall (TEST-NET of RFC 5737)."""
    monkeypatch.setattr(transfer, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(download, "OFFLINE_SECONDS", 0.5)
    mirrors(*(f"http://192.0.2.{host}/" for host in range(1, 30)))
    began = time.monotonic()
    train, _ = data.load("cifar10")
    assert time.monotonic() - began < 5
    said = capsys.readouterr().out
    assert train.is_sample
    assert "no mirror of CIFAR-10 can be reached (192.0.2.1: " in said
    assert "no network: results will differ from CIFAR-10" in said
    assert len(said.splitlines()) == 2


def test_refused_connections_count_as_no_network(mirrors, capsys):
    mirrors("http://127.0.0.1:9/")
    data.load("mnist")
    assert "127.0.0.1:9: it takes no connection" in capsys.readouterr().out


def test_dead_proxy_is_named(server, mirrors, monkeypatch, capsys):
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    mirrors("http://mirror.invalid/")
    data.load("mnist")
    said = capsys.readouterr().out
    assert "proxy" in said and "HTTPS_PROXY" in said and "secret" not in said


def test_password_of_a_mirror_is_not_shown(server, mirrors, capsys):
    mirrors(server.url("403").replace("http://", "http://user:secret@"))
    data.load("mnist")
    said = capsys.readouterr().out
    assert "HTTP 403" in said and "secret" not in said


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("SSL certificate problem: certificate is not yet valid", "clock says"),
        ("SSL certificate problem: certificate has expired", "clock says"),
        ("self-signed certificate in certificate chain", "SSL_CERT_FILE"),
    ],
)
def test_refused_certificate_says_what_to_look_at(text, advice):
    assert advice in transfer._tls_advice(text)


def test_a_plain_server_behind_https_is_a_failure_of_that_mirror(server, mirrors, capsys):
    mirrors(server.url("good").replace("http:", "https:"), server.url("good"))
    assert data.load("mnist")[0].source == "downloaded"
    assert "no secure connection" in capsys.readouterr().out


def test_without_pycurl_the_message_says_so(server, mirrors, monkeypatch, capsys):
    mirrors(server.url("good"))
    monkeypatch.setitem(sys.modules, "pycurl", None)
    assert data.load("mnist")[0].is_sample
    assert "pip install pycurl" in capsys.readouterr().out


# --- a course's own mirror ------------------------------------------------------------------------


def test_own_mirrors_come_first(server, files, mirrors, monkeypatch, tmp_path):
    mirrors(server.url("good"))
    folder = tmp_path / "course data"
    folder.symlink_to(files, target_is_directory=True)
    monkeypatch.setenv("LABUTILS_MIRRORS", f"{server.url('404')}, {folder}")
    before = server.requests["good"]
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")
    assert server.requests["good"] == before


def test_tampered_folder_is_no_better_than_a_tampered_server(
    server, files, mirrors, monkeypatch, tmp_path, capsys
):
    mirrors(server.url("good"))
    (tmp_path / ARCHIVE).write_bytes((files / ARCHIVE).read_bytes()[:-1] + b"!")
    monkeypatch.setenv("LABUTILS_MIRRORS", str(tmp_path))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")
    assert f"{tmp_path}: {ARCHIVE} came with wrong bytes" in capsys.readouterr().out


def test_mirrors_may_be_separated_by_spaces_or_commas(monkeypatch):
    monkeypatch.setenv("LABUTILS_MIRRORS", "http://a.example/x  https://b.example,/srv/data")
    first = download.mirrors(readers.MNIST)[:3]
    assert first == ["http://a.example/x", "https://b.example", "/srv/data"]


def test_missing_mirror_folder_is_named(mirrors, server, monkeypatch, capsys):
    mirrors(server.url("good"))
    monkeypatch.setenv("LABUTILS_MIRRORS", "/no/such/folder")
    data.load("mnist")
    assert "/no/such/folder: there is no such folder" in capsys.readouterr().out


# --- the disk -------------------------------------------------------------------------------------


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


def test_full_disk_while_downloading(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"), server.url("good"))
    before = server.requests["good"]
    monkeypatch.setattr(
        transfer, "open", lambda path, mode: FullDisk(open(path, mode), 100_000), raising=False
    )
    assert data.load("cifar10")[0].is_sample
    said = capsys.readouterr().out
    assert f"CIFAR-10 cannot be stored in {store} (No space left on device)" in said
    assert "disk full: results will differ from CIFAR-10" in said
    assert server.requests["good"] - before == 1  # another mirror would not help
    assert_no_trace(store)


SMALL_DISK = """
import sys
from pathlib import Path
from labutils import data, readers
from tests import toy_data
files, store = map(Path, sys.argv[1:])
toy_data.install(files, [str(files)])
data._folders = lambda: [store]
readers.read_sample = lambda spec, find_cache: toy_data.arrays(spec.name)
assert data.load("cifar10")[0].is_sample
assert data.load("mnist")[0].source == "downloaded"  # there is room for this one
print(sorted(path.name for path in (store / "cache").iterdir()))
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs a file system of its own")
def test_small_file_system_that_fills_up(files, tmp_path):
    """A tmpfs of 1 MB, seen by this process only; the archive has 1.8 MB."""
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path}"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    script = tmp_path.with_suffix(".py")
    script.write_text(SMALL_DISK)
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{mount} && {sys.executable} {script} {files} {tmp_path}"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LABUTILS_DATA": "auto"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No space left on device" in run.stdout and "disk full: results" in run.stdout
    assert run.stdout.splitlines()[-1] == "['cifar10.lock', 'mnist.lock']"


def test_full_disk_while_unpacking(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"))
    plain_open = open

    def small(path, mode="r"):
        file = plain_open(path, mode)
        return FullDisk(file, 200_000) if "unpack" in str(path) else file

    monkeypatch.setattr(download, "open", small, raising=False)
    assert data.load("cifar10")[0].is_sample
    assert "disk full" in capsys.readouterr().out
    names = {path.name for path in store.rglob("*") if path.is_file()}
    assert names == {"cifar10.lock", ARCHIVE}  # the archive is whole, the next load unpacks it


def test_too_little_room_is_seen_before_the_download(server, mirrors, store, monkeypatch, capsys):
    mirrors(server.url("good"))
    huge = dataclasses.replace(readers.MNIST, disk_bytes=10**18)
    monkeypatch.setitem(readers.SPECS, "mnist", huge)
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
    assert not readers.verify(readers.MNIST, store)


# --- damaged files on the disk --------------------------------------------------------------------


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_damaged_local_copy_is_replaced(name, server, mirrors, store, capsys):
    mirrors(server.url("good"))
    data.load(name)
    spec = readers.SPECS[name]
    victim = sorted((store / spec.folder).glob("*"))[-1]
    damage(victim)
    capsys.readouterr()
    train, test = data.load(name)
    assert toy_data.same(train, test, name) and train.source == "downloaded"
    assert f"{victim.name} fails its checksum" in capsys.readouterr().out
    assert not readers.verify(spec, store)


def test_pickle_that_fails_its_checksum_is_never_opened(server, mirrors, store, monkeypatch):
    mirrors(server.url("good"))
    data.load("cifar10")
    # A pickle that would create a file when opened.
    trace = store / "opened"
    evil = f"cos\nmkdir\n(S'{trace}'\ntR.".encode()
    (store / readers.CIFAR10.folder / "test_batch").write_bytes(evil)
    mirrors(server.url("404"))
    assert data.load("cifar10")[0].is_sample
    assert not trace.exists()


def test_archive_members_decide_no_path(server, files, mirrors, store, tmp_path):
    """An archive with '../' in it, its checksum patched: only known names are ever written."""
    evil = tmp_path / "evil"
    evil.mkdir()
    with tarfile.open(files / ARCHIVE) as good, tarfile.open(evil / ARCHIVE, "w:gz") as bad:
        for member in good:
            bad.addfile(member, good.extractfile(member))
        outside = tarfile.TarInfo("../../escaped")
        outside.size = 4
        bad.addfile(outside, io.BytesIO(b"evil"))
    store.joinpath("cache").mkdir(parents=True)
    mirrors(server.url("good"))
    download.unpack(readers.CIFAR10, evil / ARCHIVE, store)
    assert not readers.verify(readers.CIFAR10, store)
    assert not list(tmp_path.rglob("escaped"))


# --- several processes ----------------------------------------------------------------------------

CHILD = """
import sys
from pathlib import Path
from labutils import data, readers, transfer
from tests import toy_data
files, store, name, *mirrors = sys.argv[1:]
toy_data.install(Path(files), mirrors)
data._folders = lambda: [Path(store)]
train, test = data.load(name, source="full")
assert toy_data.same(train, test, name)
"""


def child(files, store, name, *mirrors):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(files), str(store), name, *mirrors],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_load_together_download_once(files, server, store):
    before = server.requests["good"]
    children = [child(files, store, "cifar10", server.url("good")) for _ in range(2)]
    for process in children:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert server.requests["good"] - before == 1


def test_killed_download_leaves_its_lock_and_a_part_that_is_resumed(files, server, mirrors, store):
    process = child(files, store, "cifar10", server.url("slow"))
    wait_until(lambda: part_of(store).exists() and part_of(store).stat().st_size > 0)
    process.kill()
    process.communicate()
    assert not (store / readers.CIFAR10.folder).exists()
    mirrors(server.url("good"))
    train, test = data.load("cifar10", source="full")
    assert toy_data.same(train, test, "cifar10")


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
    def no_locks(self, *_, **__):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(FileLock, "acquire", no_locks)
    mirrors(server.url("good"))
    assert data.load("mnist")[0].source == "downloaded"


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to a child is POSIX")
def test_interrupt_stops_a_download_at_once_and_keeps_the_part(files, server, store):
    process = child(files, store, "cifar10", server.url("slow"))
    wait_until(lambda: part_of(store).exists() and part_of(store).stat().st_size > 0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert part_of(store).exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_many_first_loads_with_random_kills():
    """A small number here; `python -m tests.faults.concurrent_loads` does 200."""
    command = [sys.executable, "-m", "tests.faults.concurrent_loads"]
    run = subprocess.run(
        [*command, "--processes", "6", "--rounds", "2"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "12 first loads: " in run.stdout and run.stdout.endswith(", 0 wrong\n")
