"""A JupyterLab of its own, and a notebook in it driven as a reader would, for tests and benchmarks.

The server listens on loopback, asks for a token, serves a copy of the notebooks, and keeps
settings, kernels' histories and logs in a scratch folder: nothing of the user's is read or written.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from labutils.course.chromium import ARGUMENTS, find_chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
# All cells are in the page at once, nothing is saved behind our back, nobody is asked for news.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
# Tools for teachers, which students do not have: their extension needs a server of its own.
DISABLED = ["@jupyter/nbgrader"]


class Lab:
    """A running JupyterLab: where it is (``url``, ``token``) and what it serves (``folder``)."""

    def __init__(self, url: str, token: str, folder: Path):
        self.url, self.token, self.folder = url, token, folder

    def page_of(self, path: str) -> str:
        """Return the address that opens a notebook, given below ``folder``, alone."""
        return f"{self.url}lab/tree/{path}?token={self.token}&reset"


@contextlib.contextmanager
def running_lab(scratch: Path, notebooks: Path = NOTEBOOKS) -> Iterator[Lab]:
    """Serve a copy of a folder of notebooks as long as the ``with`` block runs.

    Args:
        scratch: an empty folder for the copy and for all that JupyterLab writes.
        notebooks: the folder to copy. Kernels inherit this process's ``LABUTILS_...`` settings.

    Raises:
        RuntimeError: the server did not come up within a minute; the message ends with its log.
    """
    folder = scratch / "notebooks"
    shutil.copytree(notebooks, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for plugin, values in SETTINGS.items():
        path = scratch / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    page_config = scratch / "config" / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    page_config.write_text(json.dumps({"disabledExtensions": dict.fromkeys(DISABLED, True)}))
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "CI": "true",  # quiet progress bars
    }
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--expose-app-in-browser"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
    log = scratch / "jupyterlab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield Lab(_address(server, scratch / "runtime", log), token, folder)
    finally:
        server.terminate()  # it shuts its kernels down, too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Wait until the server answers; return its URL, which ends with a slash."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        for info in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, httpx.TransportError):  # half written; not yet up
                url = json.loads(info.read_text())["url"]
                httpx.get(url + "api", timeout=5)
                return url
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class NotebookPage:
    """One notebook, open in JupyterLab in a Playwright page.

    Attributes:
        page: the ``playwright.sync_api.Page``, for everything else.
        console: the errors that the browser's console has shown so far.
    """

    def __init__(self, page, lab: Lab):
        self.page, self.lab, self.console = page, lab, []
        page.set_default_timeout(120_000)  # a machine that is busy with other tests is slow
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.console.append(str(error)))

    def _note(self, message) -> None:
        if message.type == "error":
            self.console.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, path: str, timeout: float = 120) -> None:
        """Open a notebook, given below the lab's folder, and wait until its kernel is idle."""
        self.page.goto(self.lab.page_of(path))
        self.page.wait_for_function(
            """path => {
                const panel = window.jupyterapp?.shell.currentWidget;
                if (panel?.context?.path !== path) return false;
                return panel.sessionContext.session?.kernel?.status === 'idle';
            }""",
            arg=path,
            timeout=1000 * timeout,
        )
        # A widget's callback has no cell: what it raises is seen only here.
        self.page.evaluate(
            """() => {
                window.kernelErrors = [];
                const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
                kernel.iopubMessage.connect((_, message) => {
                    if (message.header.msg_type === 'error')
                        window.kernelErrors.push(
                            `${message.content.ename}: ${message.content.evalue}`);
                });
            }"""
        )

    def run_all(self, timeout: float = 300) -> None:
        """Run all cells; come back when the last is done, or one has raised.

        Raises:
            playwright.sync_api.TimeoutError: they were not done within ``timeout`` seconds.
        """
        self.start_all()
        self.page.wait_for_function("window.allRun", timeout=1000 * timeout)
        self.wait_for_idle()

    def start_all(self) -> None:
        """Run all cells without waiting; the page's ``window.allRun`` says when that is done."""
        self.page.evaluate(
            """() => {
                window.allRun = false;
                jupyterapp.commands.execute('notebook:run-all-cells')
                    .finally(() => { window.allRun = true; });
            }"""
        )

    def wait_for_idle(self, timeout: float = 120) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
            timeout=1000 * timeout,
        )

    def cells(self) -> list[dict]:
        """Return the cells as they stand now, in nbformat's form, outputs included."""
        return self.page.evaluate("jupyterapp.shell.currentWidget.content.model.toJSON().cells")

    def errors(self) -> list[str]:
        """Return what went wrong in cells and in widgets' callbacks, one line for each."""
        found = []
        for number, cell in enumerate(self.cells()):
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    found.append(f"cell {number}: {output['ename']}: {output['evalue']}")
                elif output.get("name") == "stderr":
                    found.append(f"cell {number} wrote to stderr: {''.join(output['text'])}")
        in_cells = " ".join(found)
        callbacks = self.page.evaluate("window.kernelErrors")
        return found + [f"a callback: {line}" for line in callbacks if line not in in_cells]

    def use_theme(self, name: str) -> None:
        """Switch to ``LIGHT`` or ``DARK``, and wait until it is on."""
        light = "true" if name == LIGHT else "false"
        self.page.evaluate(
            "name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name
        )
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")

    def show_whole(self) -> None:
        """Make the window as tall as the notebook, so that nothing has to be scrolled to."""
        outer = "document.querySelector('.jp-Notebook .jp-WindowedPanel-outer')"
        width = self.page.viewport_size["width"]
        height = self.page.evaluate(f"{outer}.firstElementChild.scrollHeight")
        self.page.set_viewport_size({"width": width, "height": height + 300})
        # JupyterLab's body has no height of its own, which axe takes for a page without content.
        self.page.add_style_tag(content="body { width: 100vw; height: 100vh }")
        self.page.wait_for_function(f"{outer}.clientHeight > {height}")
        self.page.evaluate(f"{outer}.scrollTop = 0")

    def close(self) -> None:
        """Shut the kernel down, so that the next notebook has the machine for itself."""
        self.page.evaluate("jupyterapp.shell.currentWidget?.sessionContext.shutdown()")


@contextlib.contextmanager
def notebook_alone(**settings) -> Iterator[NotebookPage]:
    """A NotebookPage in a JupyterLab and a Chromium of its own, for commands that are no tests.

    Args:
        settings: of Playwright's ``new_page``, such as ``viewport``.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_lab(Path(scratch)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield NotebookPage(browser.new_page(**settings), lab)
        browser.close()
