"""Notebook 09 where no processes are to be had: it says so, and shows what was recorded."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

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
