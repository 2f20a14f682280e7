"""``python -m tests.faults.same_series``: the solved series many times in a row, always the same?

Runs every solved notebook in the smoke budget, 20 times, two at a time, each in a kernel of its own
with a hash seed of its own. What nbval compares (standard output and text of every cell without the
tag ``nbval-ignore-output``) must be the same every time, and no cell may write to standard error.

What was run lies in ``.work/same_series/``, in a folder named after the content of the notebooks
and the package: the same command goes on where it was stopped.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import conftest  # noqa: F401  (the smoke budget and the sample, as for nbval)
from labutils import files

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "notebooks" / "solutions"
# What nbval, as conftest.py sets it, does not compare.
NOT_COMPARED = {"text/html", "image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}


def main(arguments=None) -> int:
    """Run what has not been run yet and print the comparison; 1 if anything differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="how often the series is run")
    parser.add_argument("--workers", type=int, default=2, help="notebooks at a time")
    options = parser.parse_args(arguments)
    notebooks = sorted(SOLUTIONS.glob("*.ipynb"))
    kept = ROOT / ".work" / "same_series" / fingerprint(notebooks)
    kept.mkdir(parents=True, exist_ok=True)

    def run_or_read(task: tuple[int, Path]) -> dict:
        number, path = task
        record = kept / f"{path.stem}-{number}.json"
        if not record.exists():
            files.write_text(record, json.dumps(run(path), indent=1))
        return json.loads(record.read_text())

    series = []
    with ThreadPoolExecutor(options.workers) as pool:
        records = pool.map(run_or_read, itertools.product(range(1, options.runs + 1), notebooks))
        for number in range(1, options.runs + 1):
            series.append([next(records) for _ in notebooks])
            seconds = sum(record["seconds"] for record in series[-1])
            print(f"series {number}: {seconds:.0f} s in {len(notebooks)} notebooks", flush=True)
    return report(notebooks, series)


def fingerprint(notebooks: list[Path]) -> str:
    """Return a name for the state of everything that decides what a notebook prints."""
    cells = [
        (cell.cell_type, cell.source, cell.metadata.get("tags"))
        for path in notebooks
        for cell in nbformat.read(path, as_version=4).cells
    ]
    digest = hashlib.sha256(json.dumps(cells).encode())
    for pattern in ("labutils/**/*.py", "data/reference_runs/*.json"):
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def run(path: Path) -> dict:
    """Run a notebook; return what its cells said, by cell id, and how long it took."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, record_timing=False, resources={"metadata": {"path": SOLUTIONS}}
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONHASHSEED"}
    error = ""
    began = time.perf_counter()
    try:
        # The kernel's own standard error, where it warns of its transport; not that of its cells.
        client.execute(env=environment, stderr=subprocess.DEVNULL)
    except CellExecutionError as stop:
        error = str(stop)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        "seconds": time.perf_counter() - began,
        "error": error,
        "compared": {
            cell.id: compared(cell)
            for cell in code
            if "nbval-ignore-output" not in cell.metadata.get("tags", [])
        },
        "stderr": {cell.id: text for cell in code if (text := stream(cell, "stderr"))},
    }


def stream(cell, name: str) -> str:
    """Return everything a cell wrote to a stream."""
    return "".join(
        output.text
        for output in cell.outputs
        if output.output_type == "stream" and output.name == name
    )


def compared(cell) -> list:
    """Return what nbval compares of a cell: its standard output, and its outputs in order."""
    shown = [
        {kind: content for kind, content in output.data.items() if kind not in NOT_COMPARED}
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result")
    ]
    return [stream(cell, "stdout"), *shown]


def report(notebooks: list[Path], series: list[list[dict]]) -> int:
    """Print a line for each notebook and what differed; return the exit status."""
    print(f"{'notebook':<28}{'runs':>6}{'cells compared':>16}{'different':>11}{'on stderr':>11}")
    problems = []
    for path, records in zip(notebooks, zip(*series, strict=True), strict=True):
        first = records[0]["compared"]
        different, on_stderr = [], []
        for number, record in enumerate(records, start=1):
            where = f"{path.stem}, run {number}"
            for cell, said in record["compared"].items():
                if said != first[cell]:
                    different.append(f"{where}, cell {cell}:\n  {first[cell]}\n  {said}")
            for cell, said in record["stderr"].items():
                on_stderr.append(f"{where}, cell {cell} on stderr:\n  {said}")
            if record["error"]:
                different.append(f"{where} stopped:\n{record['error']}")
        counts = f"{len(records):6}{len(first):16}{len(different):11}{len(on_stderr):11}"
        print(f"{path.stem:<28}{counts}")
        problems += different + on_stderr
    print("".join(f"{problem}\n" for problem in problems), end="")
    print(f"{len(series)} series: {'NOT the same' if problems else 'all the same'}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
