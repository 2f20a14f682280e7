"""Waiting before the first result: ``import labutils``, and the first picture of a new kernel."""

import subprocess
import sys
import time
from collections.abc import Callable

from jupyter_client.manager import KernelManager

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
    """Start a kernel, run the code, and return the seconds until its picture arrived.

    Raises:
        RuntimeError: the code failed, or showed none.
    """
    start = time.perf_counter()
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        client.execute(code)
        while True:
            message = client.get_iopub_msg(timeout=120)
            content = message["content"]
            if message["msg_type"] == "display_data" and "image/png" in content["data"]:
                return time.perf_counter() - start
            if message["msg_type"] == "error":
                raise RuntimeError(f"the cell failed: {content['ename']}: {content['evalue']}")
            if content.get("execution_state") == "idle" and "code" not in content:
                if message["parent_header"].get("msg_type") == "execute_request":
                    raise RuntimeError("the cell showed no picture")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


GROUPS = {
    "import": group(IMPORT, seconds_to_run, IMPORT.title, IMPORT.yardstick),
    "first_plot": group(PLOT, seconds_to_picture, OUR_PLOT, PLAIN_PLOT),
}
