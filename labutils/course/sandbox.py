"""Where a submission's code runs: a kernel apart from everything else, and gone without a trace.

The grader stays outside; only the kernel, which runs what a student wrote, goes in. It gets an
empty folder as its home, a handful of environment variables, limited memory, and on Linux, where
the system allows it, no network and no view of other processes or of the class's files.
"""

import os
import signal
import sys
import uuid
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbgrader.preprocessors import Execute

ROOT = Path(__file__).parents[2]  # the folder that holds this labutils
_MARK = "LABUTILS_SUBMISSION"
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS",
)  # fmt: skip
_OUTPUT_LIMIT = 500_000  # characters that one cell may print


class Sandbox:
    """What one submission's kernel may use, and the mark by which its processes are found.

    Args:
        folder: an empty folder of this submission's own, with a short path.
        hidden: folders that its code should not see (the class's files, the solutions).
        memory: bytes of memory that each of its processes may ask for.
    """

    def __init__(self, folder: Path, hidden: list[Path], memory: int):
        self.home, self.run = folder / "home", folder / "run"
        self.log = self.run / "kernel.log"
        self.home.mkdir()
        self.run.mkdir()
        self.memory = memory
        self.mark = uuid.uuid4().hex
        needed = [self.home, self.run, ROOT / "labutils", Path(sys.prefix), Path(sys.base_prefix)]
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
        return kept | home | {
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
            "http_proxy": nowhere,
            "https_proxy": nowhere,
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
        }  # fmt: skip

    def command(self, connection_file: str) -> list[str]:
        script = Path(__file__).with_name("sandbox_kernel.py")
        options = [str(ROOT), str(self.memory), *map(str, self.hidden)]
        return [sys.executable, "-P", "-s", str(script), connection_file, *options]

    def kill(self) -> None:
        """End the kernel and every process that it left behind."""
        import psutil

        if self.pid is not None and hasattr(os, "killpg"):
            try:
                os.killpg(self.pid, signal.SIGKILL)  # the kernel leads a session of its own
            except (ProcessLookupError, PermissionError):
                pass
        for _ in range(20):  # until no new ones turn up
            left = [p for p in psutil.process_iter() if self._is_ours(p)]
            for process in left:
                try:
                    process.kill()
                except psutil.Error:
                    pass
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


def kernel_manager(sandbox: Sandbox) -> type[AsyncKernelManager]:
    """A kernel manager class that starts its kernel in ``sandbox``."""

    class SandboxedKernelManager(AsyncKernelManager):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            # Unix sockets lie in the file system: they reach a kernel that has no network.
            self.transport = "ipc" if os.name == "posix" else "tcp"
            self.connection_file = str(sandbox.run / "k.json")
            self.shutdown_wait_time = 1.0

        def format_kernel_cmd(self, extra_arguments=None):
            return sandbox.command(self.connection_file)

        async def _async_launch_kernel(self, kernel_cmd, **kwargs):
            kwargs["env"] = sandbox.environment()
            kwargs["cwd"] = str(sandbox.home)
            with open(sandbox.log, "wb") as log:  # what the kernel says outside of any cell
                kwargs |= {"stdout": log, "stderr": log}
                await super()._async_launch_kernel(kernel_cmd, **kwargs)
            sandbox.pid = self.provisioner.pid

        _launch_kernel = None  # only the asynchronous way is used

    return SandboxedKernelManager


def execute_preprocessor(sandbox: Sandbox, trouble: list[str]) -> type[Execute]:
    """nbgrader's Execute, with its kernel in ``sandbox``.

    When the kernel dies, what was graded before stays; check cells that did not finish get an
    error, so that nbgrader gives no points for them, and ``trouble`` says what happened.
    """

    class SandboxedExecute(Execute):
        def __init__(self, *args, **kwargs):
            kwargs["kernel_manager_class"] = kernel_manager(sandbox)
            super().__init__(*args, **kwargs)
            self.finished: set[str] = set()

        def preprocess(self, nb, resources, km=None):
            try:
                return super().preprocess(nb, resources, km)
            except TimeoutError:
                trouble.append("a cell ran on after it was told to stop.")
            except (DeadKernelError, RuntimeError) as error:
                trouble.append(f"its kernel died ({' '.join(str(error).split())[:200]}).")
            finally:
                sandbox.kill()
            for cell in nb.cells:
                if cell.cell_type == "code" and cell.id not in self.finished:
                    cell.outputs = [_error("StoppedError", "this cell was not run to its end")]
            return nb, resources

        def on_cell_executed(self, **kwargs):
            super().on_cell_executed(**kwargs)
            self.finished.add(kwargs["cell"].id)

        def output(self, outs, msg, display_id, cell_index):
            content = msg["content"]
            size = len(str(content.get("text", ""))) + len(str(content.get("data", "")))
            printed = sum(len(o.get("text", "")) + len(str(o.get("data", ""))) for o in outs)
            if printed + size > _OUTPUT_LIMIT and msg["msg_type"] != "error":
                return None  # a flood; the rest is dropped
            return super().output(outs, msg, display_id, cell_index)

    return SandboxedExecute


def _error(name: str, text: str):
    from nbformat.v4 import new_output

    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
