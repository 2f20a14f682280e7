"""``python -m benchmarks.notebook_times [01 03 ...]``: how long the solutions run here.

Budget, data and device come from the environment (``LABUTILS_BUDGET``, ``LABUTILS_DATA``, ...), as
for a student. Nothing is written: the outputs may show images of the real datasets.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.rows import timed
from labutils.device import describe_environment, pick_device

SOLUTIONS = Path(__file__).parents[1] / "notebooks" / "solutions"


def run(path: Path) -> tuple[float, float]:
    """Run a notebook in a scratch folder; return its seconds and those of its longest cell."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:  # checkpoints of an earlier run do not count
        client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": folder}})
        with client.setup_kernel(env=os.environ | {"CI": "true"}):
            spans = [timed(client.execute_cell, *its[::-1])[0] for its in enumerate(notebook.cells)]
    return sum(spans), max(spans)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of file names; default: all")
    names = tuple(parser.parse_args().names) or ("",)
    print(describe_environment(pick_device()))
    print(f"budget {os.environ.get('LABUTILS_BUDGET', 'by device')}, {os.cpu_count()} cores")
    print(f"{'notebook':<28}{'seconds':>9}{'longest cell':>14}{'load before':>13}")
    for path in sorted(SOLUTIONS.glob("*.ipynb")):
        if path.stem.startswith(names):
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
            whole, longest = run(path)
            print(f"{path.stem:<28}{whole:9.0f}{longest:14.0f}{load:13.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
