"""``python -m benchmarks.several_processes``: what notebook 09 shows where it can launch nothing.

It runs the solved notebook here, on the drawn sample and in the CPU's budget, and keeps what its
launched cells measured in ``data/reference_runs/several_processes.json``. From that it writes the
tables of ``docs/many_machines.md``: ``--page`` does only this.
"""

import argparse
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
from labutils.files import write_json, write_text
from labutils.training import models
from labutils.widgets import traffic

NAME = "several_processes"
ROOT = Path(__file__).parents[1]
RECORD = ROOT / "data" / "reference_runs" / f"{NAME}.json"
PAGE = ROOT / "docs" / "many_machines.md"
BEGIN, END = "<!-- python -m benchmarks.several_processes --page -->", "<!-- end -->"
SMALL = {
    "mini-GoogLeNet (notebook 07)": "googlenet",
    "small AlexNet (notebook 06)": "small_alexnet",
}
BANDWIDTHS = (1, 10, 100)  # Gbit/s


def measure() -> dict:
    """Return what the notebook measured, by name; where it could not launch there is less."""
    folder = ROOT / "notebooks" / "solutions"
    notebook = nbformat.read(folder / "09_several_processes.ipynb", as_version=4)
    notebook.cells.append(new_code_cell("import json\nprint(json.dumps(measured))"))
    client = NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}})
    client.execute(env=os.environ | ENVIRONMENT)
    found = json.loads(notebook.cells[-1].outputs[0].text)
    return {name: [float(f"{v:.3g}") for v in values] for name, values in found.items()}


def networks() -> dict[str, int]:
    """Return the parameters of the explorer's networks and the series' small ones, by size."""
    with torch.device("meta"):
        small = {
            name: sum(p.numel() for p in models.MODELS[model]().parameters())
            for name, model in SMALL.items()
        }
    return dict(sorted((traffic.NETWORKS | small).items(), key=lambda item: item[1]))


def tables() -> str:
    """Return what an update of two processes sends, and how loopback compares, as Markdown."""
    lines = [
        "| network | an update sends | " + " | ".join(f"{b} Gbit/s" for b in BANDWIDTHS) + " |",
        "|---|---|" + "---|" * len(BANDWIDTHS),
    ]
    for name, parameters in networks().items():
        size = traffic.bytes_sent(parameters, 2)
        times = [traffic.as_time(8 * size / (1e9 * bandwidth)) for bandwidth in BANDWIDTHS]
        lines.append(f"| {name} | {traffic.as_size(size)} | {' | '.join(times)} |")
    lines += ["", "| all-reduce on loopback | its bytes alone | measured |", "|---|---|---|"]
    for name, predicted, took in loopback():
        lines.append(f"| {name} | {traffic.as_time(predicted)} | {traffic.as_time(took)} |")
    return "\n".join(lines)


def loopback() -> list[tuple[str, float, float]]:
    """Return, by message, the seconds that its bytes need at 16 MB's bandwidth, and those it took.

    The messages are those of notebook 09; two ranks send each of them once.
    """
    (run,) = json.loads(RECORD.read_text(encoding="utf-8"))["runs"]
    sizes = {"1 kB": 1e3, "1 MB": 1e6, "16 MB": 16e6}
    sizes["VGG11's gradient"] = traffic.bytes_sent(traffic.NETWORKS["VGG11 (notebook 04)"], 2)
    took = dict(zip(sizes, run["all-reduce"], strict=True))
    bandwidth = sizes["16 MB"] / took["16 MB"]
    return [(name, size / bandwidth, took[name]) for name, size in sizes.items()]


def write_page() -> None:
    """Put the tables between their marks on the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(PAGE, f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}")
    print(f"wrote {PAGE.relative_to(ROOT)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="only write the page's tables")
    if parser.parse_args().page:
        write_page()
        return 0
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
    write_json(RECORD, content)
    print(f"wrote {RECORD.relative_to(ROOT)}")
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
