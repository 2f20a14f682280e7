"""``python -m tests.faults.concurrent_loads``: many first loads at once, some of them killed.

Each round starts with an empty data folder and processes that all load both toy datasets from the
test server (one mirror answers 503, the next takes a second or two), while some of them get SIGKILL
at random moments. Every process that was not killed must have the right data, and the folder must
verify clean afterwards. By default 20 processes, 10 rounds, half of the processes killed.
POSIX only: the processes are forked, so that they start together and soon.
"""

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from labutils import data
from tests import toy_data
from tests.faults.server import serve

RIGHT, WRONG = 0, 1
KILL_SECONDS = 1.6  # about as long as the first process needs for both datasets


def start_server(files: Path):
    """Serve ``files`` from a process of its own; return its id and its address."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        with serve(files) as server:
            os.write(writing, f"{server.port}\n".encode())
            signal.pause()
    os.close(writing)
    with open(reading) as pipe:
        return process, f"http://127.0.0.1:{int(pipe.readline())}"


def start_load(store: Path, report: Path, gate: tuple[int, int] | None = None) -> int:
    """Fork a process that loads both datasets; return its id.

    ``gate`` is a pipe: the process waits until its parent has closed the writing end.
    """
    process = os.fork()
    if process:
        return process
    status = WRONG
    try:
        if gate:
            reading, writing = gate
            os.close(writing)
            os.read(reading, 1)
        data._folders = lambda: [store]
        with contextlib.redirect_stdout(io.StringIO()):
            loaded = {name: data.load(name, source="full") for name in ("cifar10", "mnist")}
        if all(toy_data.same(*parts, name) for name, parts in loaded.items()):
            status = RIGHT
    except BaseException:
        report.write_text(traceback.format_exc())
    os._exit(status)


def run_round(store: Path, processes: int, rng) -> tuple[int, int, list[str]]:
    """One round; return how many were killed, how many had the right data, and problems."""
    reports = [store.with_name(f"{store.name}-{number}.txt") for number in range(processes)]
    reading, writing = os.pipe()
    children = {start_load(store, report, (reading, writing)): report for report in reports}
    os.close(writing)  # all go at once
    os.close(reading)
    began = time.monotonic()
    victims = rng.sample(list(children), processes // 2)
    moments = sorted(rng.uniform(0, KILL_SECONDS) for _ in victims)
    for moment, victim in zip(moments, victims, strict=True):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        os.kill(victim, signal.SIGKILL)
    killed, right, problems = 0, 0, []
    for child, report in children.items():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == -signal.SIGKILL:
            killed += 1
        elif status == RIGHT:
            right += 1
        else:
            problems.append(report.read_text() if report.exists() else "wrong data")
    for spec in data.SPECS.values():
        problem = spec.verify(store)
        if problem and (right or spec.find(store)):
            problems.append(problem)
    return killed, right, problems


def main(arguments=None) -> int:
    """Run the rounds and print a line for each; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    totals = [0, 0, 0]
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "files")
        toy_data.build(files)
        server, address = start_server(files)
        try:
            toy_data.install(files, [f"{address}/503/", f"{address}/paced/"])
            for number in range(1, options.rounds + 1):
                store = Path(scratch, f"store-{number}")
                killed, right, problems = run_round(store, options.processes, rng)
                print(f"round {number}: {killed} killed, {right} right, {len(problems)} wrong")
                print("".join(f"{problem}\n" for problem in problems), end="", flush=True)
                totals = [
                    a + b for a, b in zip(totals, (killed, right, len(problems)), strict=True)
                ]
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
    loads = options.processes * options.rounds
    print(f"{loads} first loads: {totals[0]} killed, {totals[1]} right, {totals[2]} wrong")
    return int(totals[2] > 0)


if __name__ == "__main__":
    sys.exit(main())
