"""The explorers, each in a cell of a scratch notebook, for browser tests and benchmarks.

A new explorer is a new row of ``EXPLORERS``; it needs no notebook of the series.
"""

from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

SCRATCH = "explorers.ipynb"

# The largest network of the series, without memory; the one whose maps notebook 03 looks at; and
# mistakes of chance.
WALK = """import torch
from labutils.training import models
with torch.device("meta"):
    vgg16 = models.vgg16()
widgets.network_walk(vgg16, (3, 32, 32))"""
MAPS = """import torch
from labutils.training import models
torch.manual_seed(0)
widgets.feature_maps(models.cnn(), torch.rand(100, 3, 32, 32))"""
MISTAKES = """import torch
generator = torch.Generator().manual_seed(0)
images = torch.rand(100, 32, 32, 3, generator=generator)
probabilities = torch.randn(100, 10, generator=generator).softmax(dim=1)
widgets.mistakes(images, [0] * 100, probabilities, list("abcdefghij"))"""

GRADIENTS = """import torch
generator = torch.Generator().manual_seed(0)
widgets.gradients(torch.randn(16, 3, 16, 16, generator=generator), torch.arange(16) % 10)"""


class Row(NamedTuple):
    """An explorer: its cell, and the slider to move, whose every step changes the picture."""

    cell: str
    slider: str


EXPLORERS = {
    "softmax": Row("widgets.softmax()", "score of dog"),
    "cross-entropy": Row("widgets.cross_entropy()", "weight of dog"),
    "convolution": Row("widgets.convolution(size=32, kernel_size=11, padding=5)", "window"),
    "network walk": Row(WALK, "layer"),
    "feature maps": Row(MAPS, "image"),
    "mistakes": Row(MISTAKES, "mistake"),
    "all-reduce": Row("widgets.all_reduce()", "processes"),
    "gradients": Row(GRADIENTS, "depth"),
    "inception": Row("widgets.inception()", "reduction before 5×5"),
    "receptive field": Row("widgets.receptive_fields((7, 5, 7, 7), (1, 2, 1, 1))", "kernel 2"),
}


def write_scratch(folder: Path, cells: list[str]) -> str:
    """Write a notebook with ``from labutils import widgets`` and these cells; answer its name."""
    sources = ["from labutils import widgets", *cells]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, folder / SCRATCH)
    return SCRATCH


def open_scratch(notebook, cells: list[str]) -> list:
    """Open and run such a notebook; return each cell's explorer, as a Playwright locator."""
    notebook.open(write_scratch(notebook.lab.folder, cells))
    notebook.run_all()
    screens = notebook.page.locator(".labutils-screen")
    screens.nth(len(cells) - 1).wait_for()
    outputs = notebook.page.locator(".jp-Cell-outputArea").filter(has=screens)
    return [outputs.nth(place) for place in range(len(cells))]


def range_of(explorer, name: str):
    """Return the slider (not its number box) of this name."""
    return explorer.get_by_role("slider", name=name, exact=True)
