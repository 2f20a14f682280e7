"""Waiting before the first result: ``import labutils``, and the first picture of a new kernel."""

import subprocess
import sys
import time
from collections.abc import Callable

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.rows import Group, Row, Scale, in_turn, timed

IMPORT = Row("import", "import torch, labutils", "import torch", "s", "ours / theirs", at_most=1.1)
PLOT = Row(
    "first_plot", "from kernel start to a picture", "torch and plain matplotlib", "s",
    "ours / theirs",
)  # fmt: skip
OUR_PLOT = """
import torch
from labutils import plotting
plotting.image_grid(torch.zeros(8, 32, 32, 3, dtype=torch.uint8))
"""
PLAIN_PLOT = """
import torch
import matplotlib.pyplot as plt
fig, axes = plt.subplots(1, 8)
for axis in axes:
    _ = axis.imshow(torch.zeros(32, 32, 3, dtype=torch.uint8))
plt.show()
"""


def group(row: Row, seconds: Callable[[str], float], ours: str, theirs: str) -> Group:
    """Return the group of one row: the seconds of two pieces of code."""

    def measure(scale: Scale):
        contestants = {"ours": lambda: seconds(ours), "theirs": lambda: seconds(theirs)}
        for answers in in_turn(contestants, scale.rounds, warm_up=not scale.quick):
            yield {row.name: (answers["ours"], answers["theirs"])}

    return Group((row,), measure)


def seconds_to_run(code: str) -> float:
    """Return the wall time of a fresh interpreter that runs the code."""
    return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))[0]


def seconds_to_picture(code: str) -> float:
    """Start a kernel, run the code, and return the seconds until its picture was there.

    Raises:
        RuntimeError: the code failed, or showed none.
    """
    cell = new_code_cell(code)
    client = NotebookClient(new_notebook(cells=[cell]), timeout=120, kernel_name="python3")
    start = time.perf_counter()
    with client.setup_kernel():
        try:
            client.execute_cell(cell, 0)
        except CellExecutionError as error:
            raise RuntimeError(f"the cell failed: {error.ename}: {error.evalue}") from None
        seconds = time.perf_counter() - start
    if not any("image/png" in output.get("data", {}) for output in cell.outputs):
        raise RuntimeError("the cell showed no picture")
    return seconds


GROUPS = {
    "import": group(IMPORT, seconds_to_run, IMPORT.title, IMPORT.yardstick),
    "first_plot": group(PLOT, seconds_to_picture, OUR_PLOT, PLAIN_PLOT),
}
