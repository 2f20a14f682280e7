"""What notebook 09 recorded: shown where no processes are to be had, and on the page about them."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from benchmarks import several_processes

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions"
SANDBOX = """def launch(*arguments, **settings):
    raise LaunchError("No process can be started here: not permitted.")"""


def test_without_processes_it_goes_on_with_what_was_recorded_and_says_so():
    notebook = nbformat.read(SOLUTIONS / "09_several_processes.ipynb", as_version=4)
    setup = next(place for place, cell in enumerate(notebook.cells) if cell.id == "setup")
    notebook.cells.insert(setup + 1, new_code_cell(SANDBOX))
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": SOLUTIONS}})
    client.execute(env=os.environ | {"LABUTILS_BUDGET": "smoke", "LABUTILS_DATA": "sample"})
    text = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    launching = [name for name, said in text.items() if "RECORDED" in said]
    assert launching == ["two-processes", "sabotage", "speed-run", "loopback"]
    for name in launching:
        assert text[name].startswith("No process can be started here: not permitted.")
    assert "within 0.00001" in text["two-processes-2"]
    assert "2 × 1" in text["speed-table"] and "predicted" in text["loopback-table"]


def test_the_page_has_the_bytes_of_every_network_as_the_explorer_counts_them():
    page = several_processes.PAGE.read_text("utf-8")
    assert several_processes.tables() in page, "run python -m benchmarks.several_processes --page"
    assert "| VGG11 (notebook 04) | 36.9 MB | 295 ms | 29.5 ms |" in page
    assert "| mini-GoogLeNet (notebook 07) |" in page


def test_the_bytes_foretell_what_a_large_message_takes_and_not_a_small_one():
    ratios = {name: took / predicted for name, predicted, took in several_processes.loopback()}
    assert 1 / 1.5 < ratios["VGG11's gradient"] < 1.5
    assert ratios["1 kB"] > 100
