"""Every notebook, in both copies, opened in JupyterLab and run whole, as a student does."""

import pytest

from tests.browser.lab import NOTEBOOKS

PATHS = sorted(str(path.relative_to(NOTEBOOKS)) for path in NOTEBOOKS.rglob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", PATHS)
def test_a_notebook_runs_whole(notebook, path):
    notebook.open(path)
    notebook.run_all()
    assert notebook.errors() == []
    assert notebook.console == []
