"""Every notebook, in both copies, opened in JupyterLab and run whole, as a student does."""

import pytest

from tests.browser.accessibility import JUPYTERLAB, violations
from tests.browser.lab import DARK, LIGHT, NOTEBOOKS

PATHS = sorted(str(path.relative_to(NOTEBOOKS)) for path in NOTEBOOKS.rglob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", PATHS)
def test_a_notebook_runs_whole_and_everyone_can_read_it(notebook, path):
    notebook.open(path)
    notebook.run_all()
    assert notebook.errors() == []
    notebook.show_whole()
    notebook.use_theme(LIGHT)  # JupyterLab keeps the theme of the notebook before
    assert violations(notebook.page, ".jp-Notebook", JUPYTERLAB) == []
    notebook.use_theme(DARK)  # changes colours only
    assert violations(notebook.page, ".jp-Notebook", JUPYTERLAB, ["color-contrast"]) == []
    assert notebook.console == []


def test_axe_sees_what_is_wrong_anywhere_in_a_notebook(notebook):
    notebook.open(PATHS[0])
    notebook.show_whole()
    # At the end of the notebook, which lies far below the window that it was opened in.
    notebook.page.evaluate(
        """() => {
            const cell = [...document.querySelectorAll('.jp-Notebook .jp-RenderedMarkdown')].pop();
            cell.innerHTML += `<h6>deep</h6><img src="data:,"><a href="#x"></a><input type="range">
                <p style="color: #888; background: #999">pale</p>
                <table><tr><th></th></tr><tr><td>1</td></tr></table>`;
        }"""
    )
    found = {line.split(":")[0] for line in violations(notebook.page, ".jp-Notebook", JUPYTERLAB)}
    broken = "heading-order image-alt link-name label color-contrast empty-table-header"
    assert found == set(broken.split())
