"""Notebooks as text: the same bytes on every machine."""

from copy import deepcopy

import nbformat
from nbformat import NotebookNode

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def as_text(notebook: NotebookNode) -> str:
    """A notebook as the bytes that are committed: the same on every machine."""
    return nbformat.writes(without_widgets(notebook)).rstrip("\n") + "\n"


def without_widgets(notebook: NotebookNode) -> NotebookNode:
    """Return a copy without the widgets of a kernel that is gone; their pictures stay.

    For a stored widget JupyterLab shows "Error displaying widget" instead of the picture beside it.
    """
    stored = deepcopy(notebook)
    stored.metadata.pop("widgets", None)
    for cell in stored.cells:
        for output in cell.get("outputs", []):
            for part in ("data", "metadata"):  # Colab's says from where a widget is loaded
                output.get(part, {}).pop(WIDGET_VIEW, None)
    return stored
