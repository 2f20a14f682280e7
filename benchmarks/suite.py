"""The notebooks through nbval, as continuous integration runs them: smoke budget, sample."""

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.rows import Group, Row, Scale, timed

ROOT = Path(__file__).parents[1]
SUITE = Row("nbval", "nbval over every notebook, both copies", "40 s a notebook", "s", at_least=1.0)
LIMIT = 40.0  # seconds a notebook, on two cores: the series' own budget for the smoke run


def measure(scale: Scale):
    notebooks = sorted((ROOT / "notebooks").rglob("06*.ipynb" if scale.quick else "[0-9]*.ipynb"))
    command = [sys.executable, "-m", "pytest", "-q", *map(str, notebooks)]
    environment = os.environ | {"LABUTILS_DATA": "sample"}
    seconds, out = timed(
        lambda: subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    )
    summary = out.stdout.strip().splitlines()[-1]
    if out.returncode:
        raise RuntimeError(f"the notebooks fail: {summary}")
    cells = re.search(r"(\d+) passed", summary)[1]
    note = f"one round: {len(notebooks)} notebooks, {cells} cells, two processes"
    yield {SUITE.name: (seconds, LIMIT * len(notebooks)), "notes": {SUITE.name: note}}


GROUPS = {"nbval": Group((SUITE,), measure)}
