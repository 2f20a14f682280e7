"""``python -m benchmarks.several_processes``: what notebook 09 shows where it can launch nothing.

It runs the solved notebook here, on the drawn sample and in the CPU's budget, and keeps what its
launched cells measured in ``data/reference_runs/several_processes.json``.
"""

import json
import os
import platform
import sys
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from labutils.course.run_solutions import ENVIRONMENT
from labutils.files import write_json

NAME = "several_processes"
ROOT = Path(__file__).parents[1]


def measure() -> dict:
    """Return what the notebook measured, by name; where it could not launch there is less."""
    folder = ROOT / "notebooks" / "solutions"
    notebook = nbformat.read(folder / "09_several_processes.ipynb", as_version=4)
    notebook.cells.append(new_code_cell("import json\nprint(json.dumps(measured))"))
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}})
    client.execute(env=os.environ | ENVIRONMENT)
    found = json.loads(notebook.cells[-1].outputs[0].text)
    return {name: [float(f"{v:.3g}") for v in values] for name, values in found.items()}


def main() -> int:
    run = measure()
    if "all-reduce" not in run:
        print("No processes are to be had here: nothing was written.", file=sys.stderr)
        return 1
    run |= {
        "device_name": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": [round(load, 1) for load in os.getloadavg()],  # above the cores: speeds say little
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    content = {"name": NAME, "recipe": {"notebook": "09_several_processes"}, "runs": [run]}
    path = ROOT / "data" / "reference_runs" / f"{NAME}.json"
    write_json(path, content)
    print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
