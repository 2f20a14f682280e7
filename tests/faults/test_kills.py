"""The commands that kill processes at random, in small: their defaults are 200 loads, 100 runs."""

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
    said = run("kill_and_resume", "--runs", "4")
    columns, total = said[0].split("   "), said[-1].split()
    assert total[0] == "all" and columns[-1].strip() == "equal"
    runs, kills, *_, equal = map(int, total[1:])
    assert runs == equal == 4 and kills >= 1
