"""Browser tests: the machine's Chromium, and one JupyterLab for all of them."""

import pytest

from labutils.course.chromium import ARGUMENTS, find_chromium
from tests.browser.lab import NotebookPage, running_lab


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Playwright's own browsers are not there; skip where the machine has none either."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no chromium on PATH: install Debian's chromium to run the browser tests")
    return browser_type_launch_args | {"executable_path": chromium, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return browser_context_args | {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def notebook(page, lab):
    """A NotebookPage: `notebook.open("01_....ipynb")`, `notebook.run_all()`."""
    notebook = NotebookPage(page, lab)
    yield notebook
    notebook.close()
