"""The fault commands in small: by default they do 200 loads, 100 runs, and every fault."""

import os
import re
import subprocess
import sys

import pytest

from tests.faults import wild
from tests.faults.disks import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it forks, and fills queues")
# What becomes of each fault, and what the user reads of it.
OFFLINE = "sample .*of CIFAR-10 can be reached .*{}.*look at the network connection, then try again"
CLOCK = r"certificate {}.*this computer's clock says \d{{4}}-\d\d-\d\d \d\d:\d\d: if that is wrong"
PROVES_NOTHING = "no secure connection.*log in first.*let SSL_CERT_FILE name its certificate"
FULL = (
    r"sample .*CIFAR-10 cannot be stored in /\S+ \(No space left on device\): free some space, or "
    "name a folder of your own in LABUTILS_DATA_DIR.*disk full: results will differ from CIFAR-10"
)
FAULTS = {
    "network: five mirrors, none of them answers": OFFLINE.format("no answer within 3 s")
    + r".*no network: results will differ.*\([3-6]\.\d s\)",
    "network: the mirrors' names are unknown": OFFLINE.format("its name cannot be resolved"),
    "network: the proxy wants a password": OFFLINE.format(r"the proxy refuses \(HTTP 407\)"),
    "network: the proxy is dead": OFFLINE.format("proxy cannot be used .*HTTPS_PROXY and NO_PROXY"),
    "clock: too early for the mirror's certificate": CLOCK.format("is not yet valid"),
    "clock: too late for the mirror's certificate": CLOCK.format("has expired"),
    "certificate: of nobody we trust (a login page?)": PROVES_NOTHING,
    "certificate: of another host": PROVES_NOTHING,
    "disk: full while the archive arrives": FULL,
    "disk: full while the archive is unpacked": FULL,
    "disk: the first folder cannot be written to": r"cannot be written to \(Not a directory\)",
    "file: a batch is cut off": "data_batch_3 fails its checksum",
    "file: a batch is a pickle that runs code": "data_batch_3 fails its checksum",
    "file: cifar10.npz holds pickled objects": "cannot be read as npz without pickles",
    "checkpoint: cut off": "refused .*it is cut off, or something else.*Delete it to start anew",
    "checkpoint: one bit changed": "refused .*its part .* fails its checksum",
    "checkpoint: of another model": "refused .*its model is not this one",
    "checkpoint: of another dataset": "refused .*images 400, this one is images 200",
    "checkpoint: of another recipe": "refused .*weight_decay 0, this one is weight_decay 0.001",
    "checkpoint: a pickle that runs code": "refused .*could run code, and was not opened",
    "checkpoint: the disk is full while it is saved": r"10  epoch 1 kept .*the checkpoint \S+ "
    r"could not be saved \(No space left on device\); the last good one is kept\. Training goes on",
    "ranks: one is killed in training": "same weights .*tests.faults.ranks failed.*"
    "rank 1: ended with exit status -9, without a word",
    "ranks: one raises an error": "same weights .*rank 1: ValueError: rank one has had enough",
    "ranks: one sees other images": "same weights .*rank 1: ValueError: this rank has another "
    "training set than rank 0",
    "ranks: one starts 8 s late": "same weights .*2 processes: each computes 4 of a batch's 8",
    "ranks: torchrun's port, 29500, is in use": "same weights .*2 processes: each computes 4",
    "ranks: the checkpoint is of one process": r"same weights .*Going on from \S+: 1 of 3 epochs "
    "are done.*Saved by 1, it goes on in 2 processes",
    "ranks: Ctrl-C": "epoch 1 kept .*Stopped by you; no process is left.*the same command goes on",
}


def run(command, *arguments):
    words = [sys.executable, "-m", f"tests.faults.{command}", *arguments]
    direct = {name: its for name, its in os.environ.items() if not name.lower().endswith("_proxy")}
    run = subprocess.run(words, cwd=ROOT, env=direct, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


def test_many_first_loads_with_random_kills():
    said = run("concurrent_loads", "--processes", "6", "--rounds", "2")
    assert said[-1].startswith("12 first loads: ") and said[-1].endswith(", 0 wrong")


def test_runs_killed_at_random_moments_end_bitwise_as_ones_that_were_not():
    said = run("kill_and_resume", "--runs", "3")
    columns, total = said[0].split("   "), said[-1].split()
    assert total[0] == "all" and columns[-1].strip() == "equal"
    runs, kills, *_, equal = map(int, total[1:])
    assert runs == equal == 3 and kills >= 1


def test_what_was_found_in_the_wild_is_run_and_judged(tmp_path, capsys):
    (tmp_path / "grade_lock_nfs.py").write_text("print('graded')\nprint(0)")
    assert wild.main([str(tmp_path)]) == 0
    (tmp_path / "grade_long_tmpdir.sh").write_text('"$1" -c "import labutils.nothing"')
    (tmp_path / "unknown.py").write_text("")
    assert wild.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "ok    grade_lock_nfs" in said and "No module named 'labutils.nothing'" in said
    assert said.endswith(": 3 inputs, 2 wrong\n")


@pytest.fixture(scope="module")
def table():
    """What is printed by fault. Misbehaving mirrors and kills have tests of their own."""
    groups = dict.fromkeys(fault.partition(":")[0] for fault in FAULTS)
    said = run("table", "--only", *groups)
    assert said[-1] == f"{len(FAULTS)} kinds of fault, nothing lost"
    by_fault = {}
    for line in said[1:-1]:
        if not line.startswith(" "):
            fault, line = line[:72].strip(), line[72:]
        by_fault[fault] = by_fault.get(fault, "") + line
    return by_fault


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_fault_the_user_reads_what_happened_and_what_to_do(fault, table):
    assert re.search(FAULTS[fault], table[fault])
    assert "secret" not in table[fault]
