"""The fault commands in small: by default they do 200 loads, 100 runs, and every fault."""

import os
import subprocess
import sys

import pytest

from tests.faults.disks import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


def run(command, *arguments):
    words = [sys.executable, "-m", f"tests.faults.{command}", *arguments]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
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


def test_nothing_is_lost_by_the_faults_of_disks_clocks_and_files():
    """Those of networks and checkpoints take longer; each has tests of its own."""
    said = run("table", "--only", "disk", "clock", "certificate", "file")
    assert said[-1].endswith(" kinds of fault, nothing lost")
    assert int(said[-1].split()[0]) >= 10
