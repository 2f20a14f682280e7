"""Where a submission's code runs: a kernel apart from everything else, and gone without a trace.

The grader stays outside; only the kernel, which runs what a student wrote, goes in. It gets an
empty folder as its home, a handful of environment variables, limited memory, and on Linux, where
the system allows it, no network and no view of other processes or of the class's files.
"""

import contextlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from labutils.course import RESULT

ROOT = Path(__file__).parents[2]  # the folder that holds this labutils
_MARK = "LABUTILS_SUBMISSION"
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS",
)  # fmt: skip


@dataclass
class Run:
    """What came of a notebook that was run.

    Attributes:
        replies: by cell id, how the kernel ended the cell: a ``status``, "ok" or "error", and for
            an error ``ename`` and ``evalue``. A cell that was not run to its end is missing.
        results: by cell id, what :func:`labutils.course.kernel.end_check` reported there. Two where
            an answer reported something of its own as well.
        trouble: what a person should look at.
    """

    replies: dict[str, dict] = field(default_factory=dict)
    results: dict[str, list[dict]] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)


class Sandbox:
    """What one submission's kernel may use, and the mark by which its processes are found.

    Args:
        folder: an empty folder of this submission's own, with a short path.
        hidden: folders that its code should not see (the class's files, the solutions).
        memory: bytes of memory that each of its processes may ask for.
    """

    def __init__(self, folder: Path, hidden: Iterable[Path], memory: int):
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        self.memory = memory
        self.mark = uuid.uuid4().hex
        needed = [folder, ROOT / "labutils", Path(sys.prefix), Path(sys.base_prefix)]
        self.hidden = [
            h for h in hidden if h.is_dir() and not any(n.is_relative_to(h) for n in needed)
        ]
        self.pid: int | None = None

    def environment(self) -> dict[str, str]:
        """All that the kernel learns of the caller's environment."""
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        nowhere = "http://127.0.0.1:9"  # for systems where the network cannot be taken away
        home = {
            name: str(self.home)
            for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "IPYTHONDIR")
        }
        proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        return kept | home | dict.fromkeys(proxies, nowhere) | {
            _MARK: self.mark,
            "LABUTILS_BUDGET": "smoke",
            "LABUTILS_DATA": "sample",
            "LABUTILS_DEVICE": "cpu",
            "CUDA_VISIBLE_DEVICES": "",
            "NBGRADER_EXECUTION": "autograde",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MPLCONFIGDIR": str(self.home / ".matplotlib"),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CI": "true",
        }  # fmt: skip

    def command(self, connection_file: str) -> list[str]:
        script = Path(__file__).with_name("sandbox_kernel.py")
        options = [str(ROOT), str(self.memory), *map(str, self.hidden)]
        return [sys.executable, "-P", "-s", str(script), connection_file, *options]

    def run(self, notebook: NotebookNode, cell_limit: float, time_limit: float) -> Run:
        """Run all cells, whatever becomes of each; leave no process behind.

        Args:
            notebook: the notebook to run; its outputs are not kept.
            cell_limit: seconds after which a cell is interrupted.
            time_limit: seconds after which everything is killed.
        """
        run = Run()

        def time_is_up():
            after = f"after {time_limit:g} seconds"
            run.trouble.append(f"it was still running {after} and was stopped.")
            self.kill()

        watchdog = threading.Timer(time_limit, time_is_up)
        watchdog.daemon = True
        watchdog.start()
        client = _Client(self, run, notebook, cell_limit)
        try:
            with client.setup_kernel():
                for number, cell in enumerate(notebook.cells):
                    client.execute_cell(cell, number)
        except TimeoutError:
            run.trouble.append("a cell ran on after it was told to stop.")
        except RuntimeError as error:
            run.trouble.append(f"its kernel died ({' '.join(str(error).split())[:200]}).")
        finally:
            watchdog.cancel()
            self.kill()
        return run

    def kill(self) -> None:
        """End the kernel and every process that it left behind."""
        import psutil

        if self.pid is not None and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # the kernel leads a session of its own
        for _ in range(20):  # until no new ones turn up
            left = [p for p in psutil.process_iter() if self._is_ours(p)]
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            if not left:
                return
            psutil.wait_procs(left, timeout=0.5)

    def _is_ours(self, process) -> bool:
        import psutil

        try:
            return (
                process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(_MARK) == self.mark
            )
        except (psutil.Error, OSError):
            return False


class _KernelManager(AsyncKernelManager):
    """Starts its kernel in a sandbox."""

    def __init__(self, sandbox: Sandbox):
        super().__init__()
        self.sandbox = sandbox
        # Unix sockets lie in the file system: they reach a kernel that has no network.
        self.transport = "ipc" if os.name == "posix" else "tcp"
        self.connection_file = str(sandbox.folder / "k.json")

    def format_kernel_cmd(self, extra_arguments=None):
        return self.sandbox.command(self.connection_file)

    async def _async_launch_kernel(self, kernel_cmd, **kwargs):
        kwargs["env"] = self.sandbox.environment()
        kwargs["cwd"] = str(self.sandbox.home)
        # What the kernel says outside of any cell.
        with open(self.sandbox.folder / "kernel.log", "wb") as log:
            kwargs |= {"stdout": log, "stderr": log}
            await super()._async_launch_kernel(kernel_cmd, **kwargs)
        self.sandbox.pid = self.provisioner.pid

    _launch_kernel = None  # only the asynchronous way is used


class _Client(NotebookClient):
    """Of all that a cell sends, keeps how it ended and the results of checks."""

    def __init__(self, sandbox: Sandbox, run: Run, notebook: NotebookNode, cell_limit: float):
        too_long = f"this cell was still running after {cell_limit:g} seconds"
        super().__init__(
            notebook,
            allow_errors=True,
            timeout=int(cell_limit),
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "CellTimeoutError", "evalue": too_long},
            startup_timeout=180,
            iopub_timeout=20,  # a busy machine may need as long to deliver an output
            raise_on_iopub_timeout=True,
            shutdown_kernel="immediate",
            record_timing=False,
            on_cell_executed=self._keep_reply,
        )
        self._sandbox, self._run = sandbox, run

    def create_kernel_manager(self):
        self.km = _KernelManager(self._sandbox)
        return self.km

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "status":
            return super().process_message(msg, cell, cell_index)
        found = self._run.results.setdefault(cell.id, [])
        if RESULT in msg["content"].get("data", {}) and len(found) < 2:
            found.append(msg["content"]["data"][RESULT])
        return None  # nobody reads the rest, and it may be a flood

    def _keep_reply(self, cell, cell_index, execute_reply):
        self._run.replies[cell.id] = execute_reply["content"]
