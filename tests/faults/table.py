"""``python -m tests.faults.table``: every fault that is thought of, and what becomes of it.

For each fault: how many tries it took, what the user has in the end, what was lost, and below it
all that the user read. A misbehaving mirror is tried twice: the lines are those of a load that has
no other, and what the user has is with a good one after it. "Lost" counts images and weights that
are not what they should be, files that look whole and are not, and good checkpoints that are gone.

The mirrors serve the real MNIST where its files are on this machine, else a toy; all else is done
with toys. Where the rights allow it, the full disk is a real one, a small tmpfs.
"""

import argparse
import contextlib
import dataclasses
import datetime
import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import trustme

from labutils import data, files
from labutils.data import cifar10, transfer
from labutils.data.spec import NPZ_KEYS
from labutils.training import checkpoints
from labutils.training.processes import LaunchError
from tests import toy_data
from tests.faults import concurrent_loads, kill_and_resume, ranks
from tests.faults.disks import ARCHIVE, FullDisk, can_mount, part_of
from tests.faults.server import (
    BEHAVIOURS,
    black_hole,
    real_mnist,
    refusing_proxy,
    serve,
    wait_until,
)

COLUMNS = "{:<72}{:>5}  {:<13}{:>5}"
TORCHRUN_PORT = 29500  # by default
DAY = datetime.timedelta(days=1)
IN_A_NAMESPACE = "LABUTILS_FAULTS_IN_A_NAMESPACE"


@dataclasses.dataclass
class Outcome:
    """What became of a fault: how many tries, what the user has, things lost, lines read."""

    tries: int
    then: str
    lost: int
    said: list[str]


class Place:
    """Folders for the scenarios: ``files`` as a mirror serves them, and new empty ones."""

    def __init__(self, scratch: Path):
        self.scratch = scratch
        self.files = scratch / "files"
        toy_data.build(self.files)
        self.count = 0

    def new(self) -> Path:
        """Return a new, empty folder."""
        self.count += 1
        folder = self.scratch / f"{self.count}" / "folder"
        folder.mkdir(parents=True)
        return folder

    def load(self, name: str, store: Path, *mirrors: str, full=False, before=()) -> Outcome:
        """Load a toy dataset from these mirrors; compare every byte of what came."""
        toy_data.install(self.files, mirrors)
        return load(name, store, full, lambda train, test: toy_data.same(train, test, name), before)


def load(name: str, store: Path, full: bool, is_right: Callable, before=()) -> Outcome:
    """Load a dataset into ``store`` or a folder before it; return what came and what was said."""
    data._folders = lambda: [*before, store]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        train, test = data.load(name, source="full" if full else "auto")
    lost = int(not train.is_sample and not is_right(train, test))
    spec = data.SPECS[name]
    lost += bool(spec.find(store)) and bool(spec.verify(store))
    return Outcome(1, train.source, lost, out.getvalue().splitlines())


# --- download -------------------------------------------------------------------------------------


def misbehaving_mirrors(place: Place):
    """Each behaviour of the test server: alone, then with a good mirror after it."""
    raw = real_mnist()
    title = "the real MNIST" if raw else "a toy MNIST"
    for behaviour, meaning in BEHAVIOURS.items():

        def scenario(behaviour=behaviour):
            with serve(raw or place.files) as server:

                def fetch(*behaviours, full):
                    mirrors = tuple(map(server.url, behaviours))
                    if raw:
                        spec = dataclasses.replace(REAL_MNIST, mirrors=mirrors)
                        with mock.patch.dict(data.SPECS, mnist=spec):
                            return load("mnist", place.new(), full, is_real_mnist)
                    return place.load("mnist", place.new(), *mirrors, full=full)

                alone = fetch(behaviour, full=False)
                tries = server.requests[behaviour]
                both = fetch(behaviour, "good", full=True)  # what the user has in the end
            return Outcome(tries, both.then, alone.lost + both.lost, alone.said)

        yield f"{title}: the mirror {meaning}", scenario


REAL_MNIST = data.SPECS["mnist"]  # before any toy is installed in its place


def is_real_mnist(train, test) -> bool:
    """Compare with the real files, read from where they lie."""
    arrays = REAL_MNIST.read(real_mnist())
    loaded = (train.images, train.labels, test.images, test.labels)
    return all(np.array_equal(a.numpy(), b) for a, b in zip(loaded, arrays, strict=True))


def networks(place: Place):
    """What stands between this computer and every mirror."""

    def nobody_answers():
        with contextlib.ExitStack() as stack:
            mirrors = [stack.enter_context(black_hole()) for _ in range(5)]
            began = time.monotonic()
            outcome = place.load("cifar10", place.new(), *mirrors)
        outcome.said.append(f"({time.monotonic() - began:.1f} s)")
        return outcome

    def unknown_names():
        return place.load("cifar10", place.new(), "http://mirror.invalid/")

    def behind(proxy):
        with mock.patch.dict(os.environ, https_proxy=proxy):
            return place.load("cifar10", place.new(), "https://mirror.invalid/")

    def refusing():
        with refusing_proxy(407) as proxy:
            return behind(proxy)

    yield "network: five mirrors, none of them answers", nobody_answers
    yield "network: the mirrors' names are unknown", unknown_names
    yield "network: the proxy wants a password", refusing
    yield "network: the proxy is dead", lambda: behind("http://user:secret@127.0.0.1:9")


def clocks(place: Place):
    """Certificates that are refused, and a next mirror that is not."""
    authority, stranger = trustme.CA(), trustme.CA()
    now = datetime.datetime.now(datetime.UTC)
    cases = {
        "clock: too early for the mirror's certificate": (authority, "127.0.0.1", 1, 9),
        "clock: too late for the mirror's certificate": (authority, "127.0.0.1", -9, -1),
        "certificate: of nobody we trust (a login page?)": (stranger, "127.0.0.1", -1, 9),
        "certificate: of another host": (authority, "mirror.example", -1, 9),
    }
    for fault, (issuer, host, begins, ends) in cases.items():

        def scenario(issuer=issuer, host=host, begins=begins, ends=ends):
            trusted = place.new() / "trusted.pem"
            authority.cert_pem.write_to_path(trusted)
            certificate = issuer.issue_cert(
                host, not_before=now + begins * DAY, not_after=now + ends * DAY
            )
            with (
                mock.patch.dict(os.environ, SSL_CERT_FILE=str(trusted)),
                serve(place.files, certificate) as bad,
                serve(place.files) as good,
            ):
                return place.load("cifar10", place.new(), bad.url("good"), good.url("good"))

        yield fault, scenario


# --- disk -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, module):
    """A disk of this size at ``folder``: a tmpfs, or a fake for the files that ``module`` opens."""
    if os.environ.get(IN_A_NAMESPACE):
        size = f"size={kilobytes}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        written = [FullDisk(None, 1000 * kilobytes)]

        def small_open(path, mode="r"):
            file = open(path, mode)
            if set(mode) & set("wa"):
                file = FullDisk(file, written[-1].room)  # what the files before left
                written.append(file)
            return file

        with mock.patch.object(module, "open", small_open, create=True):
            yield


def disks(place: Place):
    """Disks that fill up, and folders that are not ours to write to."""

    def full_while_downloading():
        store = place.new()
        with serve(place.files) as server, small_disk(store, 1000, transfer):
            return place.load("cifar10", store, server.url("good"))

    def full_while_unpacking():
        store = place.new()
        # The archive is there; unpacked, it needs as much again.
        with small_disk(store, 3000 if os.environ.get(IN_A_NAMESPACE) else 200, cifar10):
            part_of(store).parent.mkdir()
            shutil.copy(place.files / ARCHIVE, store / "cache")
            return place.load("cifar10", store, "http://127.0.0.1:9/")

    def not_ours():
        blocked = place.new() / "blocked"
        blocked.write_text("a file where the folder should be")
        return place.load("cifar10", place.new(), str(place.files), full=True, before=[blocked])

    yield "disk: full while the archive arrives", full_while_downloading
    yield "disk: full while the archive is unpacked", full_while_unpacking
    yield "disk: the first folder cannot be written to", not_ours


def damaged_files(place: Place):
    """Files on the disk that are not what they should be; the mirror has good ones."""

    def stored():
        store = place.new()
        place.load("cifar10", store, str(place.files), full=True)
        return store, store / data.SPECS["cifar10"].folder / "data_batch_3"

    def truncated():
        store, batch = stored()
        batch.write_bytes(batch.read_bytes()[:1000])
        return place.load("cifar10", store, str(place.files))

    def tampered():
        store, batch = stored()
        trace = store / "sprung"
        batch.write_bytes(f"cos\nmkdir\n(S'{trace}'\ntR.".encode())
        outcome = place.load("cifar10", store, str(place.files))
        outcome.lost += trace.exists()
        return outcome

    def objects():
        store = place.new()
        arrays = dict(zip(NPZ_KEYS, toy_data.arrays("cifar10"), strict=True))
        np.savez(store / "cifar10.npz", **arrays | {"y_test": np.array([{}] * 100)})
        return place.load("cifar10", store, str(place.files))

    yield "file: a batch is cut off", truncated
    yield "file: a batch is a pickle that runs code", tampered
    yield "file: cifar10.npz holds pickled objects", objects


# --- checkpoints ----------------------------------------------------------------------------------


def checkpoint_faults(place: Place):
    """A good checkpoint of a whole run, and something that is wrong with it."""
    folder = place.new()
    good = folder / "run.pt"
    kill_and_resume.train("one-cycle", good, folder / "result")
    content = good.read_bytes()

    def go_on(path, kind="one-cycle"):
        """Go on from a file that must be refused and left as it is."""
        before = path.read_bytes()
        try:
            kill_and_resume.train(kind, path, folder / "other")
            return Outcome(1, "went on", 1, [])
        except checkpoints.CheckpointError as error:
            return Outcome(1, "refused", int(path.read_bytes() != before), [str(error)])

    def changed(change):
        path = place.new() / "run.pt"
        path.write_bytes(change(bytearray(content)))
        return path

    def flip(content):
        content[len(content) // 2] ^= 1
        return content

    def another_dataset():
        fewer = kill_and_resume.images(200)
        with mock.patch.object(kill_and_resume, "images", lambda: fewer):
            return go_on(changed(bytes))

    def runs_code():
        class Trap:
            def __reduce__(self):
                return os.mkdir, (str(folder / "sprung"),)

        path = place.new() / "run.pt"
        torch.save({"run": {}, "history": Trap()}, path)
        outcome = go_on(path)
        outcome.lost += (folder / "sprung").exists()
        return outcome

    def full_while_saving():
        """Room for one checkpoint and not for a second beside it; then the run goes on from it."""
        store = place.new()
        path = store / "run.pt"
        ends = [folder / "first", folder / "second"]
        with small_disk(store, 4000, files), said_aloud() as out:
            for end in ends:
                kill_and_resume.train("one-cycle", path, end)
            saved = torch.load(path, weights_only=True)
            alone = list(store.iterdir()) == [path]
        said = out.getvalue().splitlines()
        kept = len(saved["history"]["train_loss"])
        same = all(end.read_text() == (folder / "result").read_text() for end in ends)
        lost = int(not (same and alone and kept))
        return Outcome(len(said), f"epoch {kept} kept", lost, said[:1])

    yield "checkpoint: cut off", lambda: go_on(changed(lambda content: content[:-100]))
    yield "checkpoint: one bit changed", lambda: go_on(changed(flip))
    yield "checkpoint: of another model", lambda: go_on(changed(bytes), kind="plateau")
    yield "checkpoint: of another dataset", another_dataset
    yield "checkpoint: of another recipe", lambda: go_on(changed(bytes), kind="workers")
    yield "checkpoint: a pickle that runs code", runs_code
    yield "checkpoint: the disk is full while it is saved", full_while_saving


def said_aloud():
    return contextlib.redirect_stdout(io.StringIO())


# --- killed ---------------------------------------------------------------------------------------


def kills(place: Place):
    """SIGKILL at random moments."""

    def while_downloading():
        store = place.new()
        with serve(place.files) as server:
            toy_data.install(place.files, [server.url("slow")])
            process = concurrent_loads.start_load(store, store / "report")
            wait_until(lambda: part_of(store).exists())
            time.sleep(random.uniform(0, 0.5))
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            kept = part_of(store).stat().st_size
            outcome = place.load("cifar10", store, server.url("good"), full=True)
        outcome.said.append(f"({kept / 1e3:.0f} kB of the killed process were used)")
        return outcome

    def while_loading_together():
        store = place.new()
        with serve(place.files) as server:
            toy_data.install(place.files, [server.url("paced")])
            killed, right, problems = concurrent_loads.run_round(store, 8, random)
        outcome = place.load("cifar10", store, str(place.files))
        said = [f"({right} of 8 processes had the right data)", *outcome.said]
        return Outcome(killed, outcome.then, len(problems) + outcome.lost, said)

    def training(in_save):
        def scenario():
            folder = place.new()
            whole, seconds = kill_and_resume.undisturbed_run("one-cycle", folder / "whole")
            process = kill_and_resume.start("one-cycle", folder)
            wait_until(lambda: (folder / "run.pt").exists())  # there is something to go on from
            kill_and_resume.kill(process, folder, random.uniform(0, seconds / 3), in_save)
            with said_aloud() as out:
                kill_and_resume.train("one-cycle", folder / "run.pt", folder / "result", True)
            lost = int((folder / "result").read_text() != whole)
            return Outcome(1, "same weights", lost, out.getvalue().splitlines()[:1])

        return scenario

    yield "killed: while it downloads", while_downloading
    yield "killed: half of eight that load together", while_loading_together
    yield "killed: while it trains", training(in_save=False)
    yield "killed: while it saves a checkpoint", training(in_save=True)


# --- several processes ----------------------------------------------------------------------------


def several_processes(place: Place):
    """Two ranks that train together; after a fault the same command goes on."""
    undisturbed = {}

    def whole() -> torch.Tensor:
        if not undisturbed:
            with said_aloud():
                undisturbed["run"] = ranks.run(place.new())["weights"]  # of one process
        return undisturbed["run"]

    def end(folder: Path, said: list[str]) -> Outcome:
        """Go on to the end, where nothing may be lost and nobody left."""
        more, result = ranks.in_processes(folder)
        same = torch.allclose(result["weights"], whole(), rtol=0, atol=1e-5)
        alone = sorted(path.name for path in folder.iterdir()) == ["result.pt", "run.pt"]
        lost = int(not same) + int(not alone) + len(ranks.left_behind(folder))
        return Outcome(1, "same weights", lost, said or more.splitlines())

    def a_rank_that(fault):
        def scenario():
            folder = place.new()
            try:
                ranks.in_processes(folder, "--fault", fault)
            except LaunchError as error:
                left = ranks.left_behind(folder)
                outcome = end(folder, str(error).splitlines())
                outcome.lost += len(left)
                return outcome
            return Outcome(1, "not noticed", 1, [])

        return scenario

    def late():
        folder = place.new()
        said, _ = ranks.in_processes(folder, "--fault", "late")
        return end(folder, said.splitlines()[:1])

    def port_in_use():
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # another program has it already
                stack.enter_context(socket.create_server(("127.0.0.1", TORCHRUN_PORT)))
            return end(place.new(), [])

    def another_world():
        folder = place.new()
        with said_aloud():
            ranks.run(folder, epochs=1)  # one process
        return end(folder, [])

    yield "ranks: one is killed in training", a_rank_that("killed")
    yield "ranks: one raises an error", a_rank_that("raises")
    yield "ranks: one sees other images", a_rank_that("other-images")
    yield f"ranks: one starts {ranks.LATE} s late", late
    yield f"ranks: torchrun's port, {TORCHRUN_PORT}, is in use", port_in_use
    yield "ranks: the checkpoint is of one process", another_world
    yield "ranks: Ctrl-C", lambda: stopped_by(signal.SIGINT, place.new())


def stopped_by(number: int, folder: Path) -> Outcome:
    """Send a signal to the command that measures a reference run, in its second epoch."""
    command = [sys.executable, "-m", "labutils", "reference", "cnn_logits", "--budget", "smoke"]
    command += ["--sample", "--processes", "2", "--seeds", "0"]
    command += ["--folder", str(folder), "--checkpoints", str(folder)]
    environment = os.environ | {"LABUTILS_DATA": "sample"}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment,
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a background job ignores it
        )  # fmt: skip
        wait_until((folder / "cnn_logits_smoke_0.pt").exists, 120)
        process.send_signal(number)
        began = time.monotonic()
        process.wait(60)
        seconds = time.monotonic() - began
        lost = len(ranks.left_behind(folder)) + (seconds > 30)
        lost += [path.name for path in folder.iterdir()] != ["cnn_logits_smoke_0.pt"]
        out.seek(0)
        said = out.read().splitlines()
    return Outcome(1, "epoch 1 kept", lost, [*said[-1:], f"({seconds:.0f} s)"])


GROUPS = (
    misbehaving_mirrors, networks, clocks, disks, damaged_files, checkpoint_faults, kills,
    several_processes,
)  # fmt: skip


def main(arguments=None) -> int:
    """Print the table; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of faults: disk clock")
    only = tuple(parser.parse_args(arguments).only)
    transfer.SLOW_SECONDS = 1
    toy_data.install_sample()
    lost = faults = 0
    print(COLUMNS.format("fault", "tries", "then", "lost"))
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(Path(scratch))
        for group in GROUPS:
            for fault, scenario in group(place):
                if not fault.startswith(only):
                    continue
                outcome = scenario()
                print(COLUMNS.format(fault, outcome.tries, outcome.then, outcome.lost))
                for line in outcome.said:
                    print(f"    {line.replace(scratch, '')}")
                sys.stdout.flush()
                lost += outcome.lost
                faults += 1
    print(f"{faults} kinds of fault, {lost or 'nothing'} lost")
    return int(lost > 0)


def in_a_namespace() -> None:
    """Start again where small disks can be mounted that nobody else sees, if this may be done."""
    if IN_A_NAMESPACE not in os.environ and can_mount(tempfile.gettempdir()):
        os.environ[IN_A_NAMESPACE] = "yes"
        command = [sys.executable, "-m", "tests.faults.table", *sys.argv[1:]]
        os.execvp("unshare", ["unshare", "-m", *command])


if __name__ == "__main__":
    in_a_namespace()
    sys.exit(main())
