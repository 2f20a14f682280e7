"""Programs in several processes: results, each rank's error, a time limit, and nothing left."""

import os
import subprocess
import sys
import time

import pytest
import torch

from labutils.device import pick_device
from labutils.training import processes
from labutils.training.processes import (
    LaunchError,
    _last_words,
    is_launched,
    joined,
    launch,
    own_device,
    rank_and_world,
)

PROGRAM = """
import os, signal, sys, time
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank = dist.get_rank()
open(os.path.join(sys.argv[2], str(rank)), "w").write(str(os.getpid()))
tensor = torch.tensor([rank + 1.0])
dist.all_reduce(tensor)
fault = sys.argv[1]
if fault == "raises" and rank == 1:
    raise ValueError("rank one has had enough")
if fault == "killed" and rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if fault == "waits" and rank == 1:
    time.sleep(600)
dist.barrier()
print(tensor.item(), torch.get_num_threads())
dist.destroy_process_group()
"""


@pytest.fixture
def run(tmp_path):
    """Launch the program with a fault; answer what rank 0 printed."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(fault, **settings):
        return launch(program, fault, tmp_path, **settings)

    run.folder = tmp_path
    return run


def left_behind(folder) -> list[int]:
    """Ranks of the program that are still there, after a moment."""
    time.sleep(0.5)
    pids = [int((folder / name).read_text()) for name in "01" if (folder / name).exists()]
    return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return not status.stdout.strip().startswith("Z")


def test_two_processes_find_each_other_and_each_has_one_thread(run):
    assert run("none") == "3.0 1\n"
    assert left_behind(run.folder) == []


posix = pytest.mark.skipif(os.name == "nt", reason="signals")


@posix
@pytest.mark.parametrize(
    "fault, words",
    [
        ("raises", "rank 1: ValueError: rank one has had enough (program.py, line 13)"),
        ("killed", "rank 1: ended with exit status -9, without a word"),
    ],
)
def test_a_rank_that_fails_is_named_with_its_error_and_ends_the_other(run, fault, words):
    with pytest.raises(LaunchError, match="program.py failed") as caught:
        run(fault)
    assert words in str(caught.value)
    assert left_behind(run.folder) == []


@posix
def test_a_rank_that_waits_for_ever_is_stopped_when_the_time_is_up(run):
    with pytest.raises(LaunchError, match="was stopped after 25 s"):
        run("waits", seconds=25)
    assert left_behind(run.folder) == []


def test_a_program_that_does_not_begin_says_why(tmp_path):
    (tmp_path / "empty.py").write_text("import no_such_module\n")
    with pytest.raises(LaunchError, match="rank 0: ModuleNotFoundError: .*no_such_module"):
        launch(tmp_path / "empty.py", processes=1)


def test_where_no_process_can_be_started_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no_python"))
    with pytest.raises(LaunchError, match="No process can be started here"):
        launch(tmp_path / "program.py")


def test_ranks_that_say_the_same_share_a_line(tmp_path):
    for rank, words in enumerate(["no MNIST here", "no MNIST here", "ended"]):
        log = tmp_path / "run" / "attempt_0" / str(rank) / "stderr.log"
        log.parent.mkdir(parents=True)
        log.write_text(f"{words}\n")
    assert _last_words(tmp_path, "", "x") == ["ranks 0, 1: no MNIST here", "rank 2: ended"]


def test_a_warning_is_not_why_a_signal_ended_a_rank(tmp_path):
    log = tmp_path / "run" / "attempt_0" / "1" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text("train.py:3: UserWarning: slow\n  slowly()\n")
    torchrun = "  rank      : 1 (local_rank: 1)\n  exitcode  : -9 (pid: 4711)\n"
    (line,) = _last_words(tmp_path, torchrun, "train.py")
    assert line == "rank 1: ended with exit status -9, without a word"


def test_alone_a_process_is_rank_0_of_1_and_nothing_is_joined(capsys):
    with joined():
        print("said")
        assert rank_and_world() == (0, 1) and not is_launched()
    assert capsys.readouterr().out == "said\n"


def test_a_rank_that_loses_another_ends_with_a_word_and_other_errors_pass(monkeypatch):
    monkeypatch.setattr(processes, "is_launched", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LABUTILS_DEVICE", "cpu")
    began = []
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(processes.dist, name, began.append, raising=True)
    monkeypatch.setattr(processes.dist, "get_rank", lambda: 1)
    with pytest.raises(SystemExit, match="another rank has ended"), joined():
        raise RuntimeError("[pair.cc:534] Connection closed by peer [127.0.0.1]:1234")
    with pytest.raises(RuntimeError, match="size mismatch"), joined():
        raise RuntimeError("size mismatch")
    with pytest.raises(SystemExit, match="130"), joined():
        raise KeyboardInterrupt
    assert began == ["gloo"] * 3


def test_each_rank_has_a_gpu_of_its_own_and_none_has_a_macs(monkeypatch):
    assert own_device() == pick_device()
    monkeypatch.setattr(processes, "is_launched", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name, device in (("cuda", "cuda:1"), ("cuda:0", "cuda:0"), ("mps", "cpu"), ("cpu", "cpu")):
        monkeypatch.setattr(processes, "pick_device", lambda name=name: torch.device(name))
        assert own_device() == torch.device(device)
    assert chosen == [torch.device("cuda:1")]


def test_a_rank_that_writes_on_after_its_traceback_is_still_understood(tmp_path):
    log = tmp_path / "run" / "attempt_0" / "1" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "[rank1]: Traceback (most recent call last):\n"
        '[rank1]:   File "/there/train.py", line 13, in <module>\n'
        "[rank1]: ValueError: enough\n"
        "terminate called without an active exception\n"
    )
    assert _last_words(tmp_path, "", "train.py") == [
        "rank 1: ValueError: enough (train.py, line 13)"
    ]
