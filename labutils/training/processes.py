"""A program in several processes: PyTorch's torchrun, with a time limit, and what a rank does.

What a rank's error says is found and told, and no process is left behind.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist

from labutils.device import pick_device

LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # else gloo asks the network who this machine is
GRACE = 40  # seconds: torchrun gives its ranks 30 before it ends them by force
# Parts of what a rank reads when another one has gone.
PEER_IS_GONE = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited")


class LaunchError(RuntimeError):
    """The program did not run to its end; the message says what each rank said last."""


def launch(
    program, *arguments, processes: int = 2, seconds: float | None = 300.0, aloud: bool = False
) -> str:
    """Run a Python file in several processes that find each other, and wait for its end.

    It is ``python -m torch.distributed.run --standalone`` with gloo on loopback. Every process has
    its ``RANK`` and ``WORLD_SIZE``, and one thread.

    Args:
        program: the file; ``arguments`` are its command line. A module, as Python takes it:
            ``"-m", "labutils", ...``.
        seconds: how long it may take, the start included (a few seconds a process); ``None``: as
            long as it needs.
        aloud: what the ranks print is shown at once, where this program prints, and not returned.

    Returns:
        What rank 0 printed.

    Raises:
        LaunchError: a rank failed, the time was up, or no process could be started.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", f"--redirects={2 if aloud else 3}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        logs, said = Path(folder), Path(folder, "torchrun.log")
        command += [f"--log-dir={logs}", str(program), *map(str, arguments)]
        with said.open("w") as output:
            status = _status(command, None if aloud else output, output, seconds)
        if status != 0:
            why = f"was stopped after {seconds:g} s" if status is None else "failed"
            name = arguments[0] if program == "-m" else Path(program).name
            words = "\n".join(_last_words(logs, said.read_text("utf-8", "replace"), name))
            raise LaunchError(f"{name} {why}.\n{words}".rstrip())
        return _log(logs, "0", "stdout")


def _status(command: list[str], stdout, stderr, seconds: float | None) -> int | None:
    """Return torchrun's exit status; None where the time was up."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if sys.platform in LOOPBACK:
        environment.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
    if os.name == "nt":
        environment.setdefault("USE_LIBUV", "0")  # PyTorch for Windows comes without it
    try:
        # In a session of its own: a notebook's interrupt reaches us alone, and we end it in order.
        process = subprocess.Popen(
            command, env=environment, stdout=stdout, stderr=stderr, start_new_session=True
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
    """Return what each rank said last, its error and where; else how torchrun saw it end.

    Ranks that said the same share a line.
    """
    in_program = re.compile(rf'{re.escape(program)}", line (\d+)')
    ended = dict(re.findall(r"rank +: (\d+).*\n +exitcode +: (-?\d+)", torchrun))
    ranks_by_words = {}
    for rank in sorted((path.name for path in logs.glob("*/attempt_0/[0-9]*")), key=int):
        said = re.sub(r"(?m)^\[rank\d+\]: ?", "", _log(logs, rank, "stderr")).strip()
        # A traceback's last line is not indented; threads that die later may write behind it.
        errors = re.findall(r"(?m)^ .*\n(\S.*)$", said)
        if not errors and ended.get(rank, "").startswith("-"):
            said = ""  # a signal ended it: what it said before, say a warning, is not why
        if said:
            where = in_program.findall(said)
            place = f" ({program}, line {where[-1]})" if where else ""
            words = f"{(errors or said.splitlines())[-1]}{place}"
        elif rank in ended:
            words = f"ended with exit status {ended[rank]}, without a word"
        else:
            words = "no error; it was still running or had ended well"
        ranks_by_words.setdefault(words, []).append(rank)
    lines = [
        f"rank{'s' * (len(ranks) > 1)} {', '.join(ranks)}: {words}"
        for words, ranks in ranks_by_words.items()
    ]
    return lines or torchrun.strip().splitlines()[-3:]


# --- in a rank --------------------------------------------------------------------------------


def is_launched() -> bool:
    """Say whether this process is one of those that ``torchrun`` started."""
    return dist.is_available() and dist.is_torchelastic_launched()


def rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many have joined; 0 and 1 for one that is alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within, all ranks know each other, and ranks but 0 print nothing; alone, nothing is changed.

    Raises:
        SystemExit: another rank has ended, and this one cannot go on without it.
    """
    if not is_launched():
        yield
        return
    gpus = torch.cuda.device_count() if own_device().type == "cuda" else 0
    each_has_one = gpus >= int(os.environ["LOCAL_WORLD_SIZE"])
    dist.init_process_group("nccl" if each_has_one and dist.is_nccl_available() else "gloo")
    try:
        with contextlib.redirect_stdout(io.StringIO() if dist.get_rank() else sys.stdout):
            yield
    except RuntimeError as error:
        if any(words in str(error) for words in PEER_IS_GONE):
            raise SystemExit("ended, as another rank has ended") from None
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # as a shell calls it
    dist.destroy_process_group()


def own_device() -> torch.device:
    """Return the device of this process: where a machine has several GPUs, each rank has its own.

    Ranks on a Mac compute on the CPU: ``DistributedDataParallel`` does not know its GPU.
    """
    device = pick_device()
    if not is_launched() or device.index is not None:
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
        torch.cuda.set_device(device)
    return torch.device("cpu") if device.type == "mps" else device
