"""A program in several processes on this machine: PyTorch's torchrun, with a time limit.

What a rank's error says is found and told, and no process is left behind.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # else gloo asks the network who this machine is
GRACE = 40  # seconds: torchrun gives its ranks 30 before it ends them by force


class LaunchError(RuntimeError):
    """The program did not run to its end; the message says what each rank said last."""


def launch(program, *arguments, processes: int = 2, seconds: float = 300.0) -> str:
    """Run a Python file in several processes that find each other, and wait for its end.

    It is ``python -m torch.distributed.run --standalone`` with gloo on loopback. Every process has
    its ``RANK`` and ``WORLD_SIZE``, and one thread.

    Args:
        program: the file; ``arguments`` are its command line.
        seconds: how long it may take, the start included (a few seconds a process).

    Returns:
        What rank 0 printed.

    Raises:
        LaunchError: a rank failed, the time was up, or no process could be started.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "--redirects=3"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        logs, said = Path(folder), Path(folder, "torchrun.log")
        command += [f"--log-dir={logs}", str(program), *map(str, arguments)]
        with said.open("w") as output:
            status = _status(command, output, seconds)
        if status != 0:
            why = f"was stopped after {seconds:g} s" if status is None else "failed"
            name = Path(program).name
            words = "\n".join(_last_words(logs, said.read_text("utf-8", "replace"), name))
            raise LaunchError(f"{name} {why}.\n{words}".rstrip())
        return _log(logs, "0", "stdout")


def _status(command: list[str], output, seconds: float) -> int | None:
    """Return torchrun's exit status; None where the time was up."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if sys.platform in LOOPBACK:
        environment.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
    if os.name == "nt":
        environment.setdefault("USE_LIBUV", "0")  # PyTorch for Windows comes without it
    try:
        # In a session of its own: a notebook's interrupt reaches us alone, and we end it in order.
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    except OSError as error:
        raise LaunchError(f"No process can be started here: {error}.") from None
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """End torchrun and its ranks, wherever they are."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False)
    else:
        process.terminate()  # torchrun ends its ranks first
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def _log(logs: Path, rank: str, stream: str) -> str:
    found = list(logs.glob(f"*/attempt_0/{rank}/{stream}.log"))
    return found[0].read_text("utf-8", "replace") if found else ""


def _last_words(logs: Path, torchrun: str, program: str) -> list[str]:
    """Return a line for each rank: its error and where; else how it ended, as torchrun saw it."""
    in_program = re.compile(rf'{re.escape(program)}", line (\d+)')
    ended = dict(re.findall(r"rank +: (\d+).*\n +exitcode +: (-?\d+)", torchrun))
    lines = []
    for rank in sorted(path.name for path in logs.glob("*/attempt_0/[0-9]*")):
        said = re.sub(r"(?m)^\[rank\d+\]: ?", "", _log(logs, rank, "stderr")).strip()
        if said:
            where = in_program.findall(said)
            place = f" ({program}, line {where[-1]})" if where else ""
            # A traceback's last line is not indented; threads that die later may write behind it.
            errors = re.findall(r"(?m)^ .*\n(\S.*)$", said) or said.splitlines()
            lines.append(f"rank {rank}: {errors[-1]}{place}")
        elif rank in ended:
            lines.append(f"rank {rank}: ended with exit status {ended[rank]}, without a word")
        else:
            lines.append(f"rank {rank}: no error; it was still running or had ended well")
    return lines or torchrun.strip().splitlines()[-3:]
