"""The notebooks through nbval, as continuous integration runs them: smoke budget, sample."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.rows import Row, Scale

ROOT = Path(__file__).parents[1]
SUITE = Row("nbval", "nbval over every notebook, both copies", "40 s a notebook", "s", at_least=1.0)
LIMIT = 40.0  # seconds a notebook, on two cores: the series' own budget for the smoke run


class Nbval:
    ROWS = (SUITE,)

    @staticmethod
    def measure(scale: Scale):
        folder = ROOT / "notebooks"
        notebooks = sorted([*folder.glob("*.ipynb"), *(folder / "solutions").glob("*.ipynb")])
        if scale.quick:
            notebooks = [path for path in notebooks if path.stem.startswith("06")][:1]
        start = time.perf_counter()
        out = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *map(str, notebooks)],
            cwd=ROOT, capture_output=True, text=True, env=os.environ | {"LABUTILS_DATA": "sample"},
        )  # fmt: skip
        seconds = time.perf_counter() - start
        summary = out.stdout.strip().splitlines()[-1]
        if out.returncode:
            raise RuntimeError(f"the notebooks fail: {summary}")
        cells = re.search(r"(\d+) passed", summary)[1]
        note = f"one round: {len(notebooks)} notebooks, {cells} cells, two processes"
        yield {SUITE.name: (seconds, LIMIT * len(notebooks)), "notes": {SUITE.name: note}}
