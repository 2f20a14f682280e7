"""``python -m tests.faults.kill_and_resume``: training that is killed and goes on, 100 times.

Each run trains with a checkpoint, gets SIGKILL at random moments, every other run also in the
middle of a save, and is started again until it is through. It must end with bitwise the same
weights and history as a run that nobody disturbed. Four kinds of run take turns. POSIX only: the
processes are forked, so that they start at once.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # noqa: F401  (an optimizer loads it at last; so each process has it at once)
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from labutils import data, training  # noqa: F401
from labutils.device import seed_everything
from tests.toy_data import noise

NUM_EPOCHS = 6
MAX_KILLS = 3  # of one run
SAVE_SECONDS = 0.01  # about as long as a save takes here


def images(n=400):
    """Return an ImageSet of noise, 8x8 pixels in colour."""
    return noise(n, 8)


def network(*extra):
    """A small network with layers that draw random numbers or keep running means."""
    convolution = nn.Sequential(nn.Conv2d(3, 8, 3), *extra, nn.ReLU(), nn.Flatten())
    return nn.Sequential(
        convolution, nn.Dropout(), nn.Linear(8 * 36, 1024), nn.ReLU(), nn.Linear(1024, 10)
    )


def one_cycle():
    """SGD with momentum, a schedule that steps every batch, random crops."""
    train, model = images(), network()
    batches = data.Batches(train, 8, shuffle=True, augment=data.random_crop(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=NUM_EPOCHS * len(batches))
    arguments = dict(optimizer=optimizer, scheduler=schedule, step_scheduler="batch")
    return model, batches, data.Batches(train, 100), arguments


def plateau():
    """Adam in bfloat16 with clipped gradients, batch norm, and a rate that falls on a plateau."""
    train, model = images(), network(nn.BatchNorm2d(8))
    batches = data.Batches(train, 16, shuffle=True, augment=data.random_flip, seed=5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    arguments = dict(optimizer=optimizer, scheduler=schedule, dtype=torch.bfloat16, grad_clip=1.0)
    return model, batches, data.Batches(train, 100), arguments


def noisy(image):
    """Draws from all three generators."""
    pixels = np.asarray(image) / 255 + np.random.normal() + random.random()
    return torch.tensor(pixels, dtype=torch.float32).permute(2, 0, 1) + torch.rand(1)


def workers():
    """A DataLoader whose two worker processes draw random numbers."""
    train, model = images(), network()
    train.transform = noisy
    batches = DataLoader(train, batch_size=16, shuffle=True, num_workers=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.001)
    schedule = lr_scheduler.StepLR(optimizer, 2)
    return model, batches, None, dict(optimizer=optimizer, scheduler=schedule)


def steep(logits, labels):
    """A loss so large that the first steps overflow float16."""
    return 100 * nn.functional.cross_entropy(logits, labels)


def float16():
    """Scaled losses, steps left out, and a schedule that does not count them."""
    model, batches, test_batches, arguments = one_cycle()
    return (
        model,
        batches,
        test_batches,
        arguments | dict(dtype=torch.float16, grad_clip=1.0, loss_fn=steep),
    )


KINDS = {"one-cycle": one_cycle, "plateau": plateau, "workers": workers, "float16": float16}


def train(kind: str, checkpoint: Path, result: Path, verbose: bool = False) -> None:
    """Train with a checkpoint; at the end write weights and history to ``result``."""
    torch.set_num_threads(1)
    seed_everything(0)
    model, batches, test_batches, arguments = KINDS[kind]()
    arguments |= dict(num_epochs=NUM_EPOCHS, checkpoint=checkpoint, verbose=verbose)
    history = training.fit(model, batches, test_batches, **arguments)
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    numbers = dict(vars(history))
    del numbers["seconds"]
    text = json.dumps({"weights": hashlib.sha256(weights).hexdigest(), "history": numbers})
    result.write_text(text)


def start(kind: str, folder: Path) -> int:
    """Fork a process that trains; return its id."""
    process = os.fork()
    if process:
        return process
    status = 1
    # The worker processes of a DataLoader complain when they are left alone.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        train(kind, folder / "run.pt", folder / "result")
        status = 0
    except BaseException:
        (folder / "error").write_text(traceback.format_exc())
    os._exit(status)


def partial_saves(folder: Path) -> list[Path]:
    """Return the checkpoint that is being written, if there is one."""
    return list(folder.glob("run.pt.*.part"))


def kill(process: int, folder: Path, seconds: float, in_save: bool) -> bool:
    """Kill after ``seconds``, or in the next save after that; say whether it was in a save."""
    end = time.monotonic() + seconds
    while time.monotonic() < end or in_save:
        if time.monotonic() >= end and partial_saves(folder):
            time.sleep(random.uniform(0, SAVE_SECONDS))
            break
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break  # it was faster
        time.sleep(0.0005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return bool(partial_saves(folder))


def disturbed_run(kind: str, folder: Path, seconds: float, in_save: bool) -> dict[str, int]:
    """Start a run, kill it at random moments, start it again until it is through.

    Returns how often it was killed, how often during a save, and how often it went on from a
    checkpoint.
    """
    counts = {"kills": 0, "in a save": 0, "went on": 0}
    while True:
        counts["went on"] += (folder / "run.pt").exists()
        process = start(kind, folder)
        if counts["kills"] == MAX_KILLS:
            os.waitpid(process, 0)
            return counts
        save_is_due = in_save and not counts["in a save"]
        hit = kill(process, folder, random.uniform(0, seconds), save_is_due)
        if (folder / "result").exists() or (folder / "error").exists():
            return counts
        counts["kills"] += 1
        counts["in a save"] += hit


def main(arguments=None) -> int:
    """Do the runs and print a line for each kind; return 1 if one ended differently."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    random.seed(options.seed)
    columns = ("runs", "kills", "in a save", "went on", "equal")
    totals = {kind: dict.fromkeys(columns, 0) for kind in KINDS}
    whole, seconds, problems = {}, {}, []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.runs):
            kind = list(KINDS)[number % len(KINDS)]
            if kind not in whole:
                whole[kind], seconds[kind] = undisturbed_run(kind, Path(scratch, kind))
            folder = Path(scratch, str(number))
            folder.mkdir()
            counts = disturbed_run(kind, folder, seconds[kind], in_save=number % 2 == 0)
            result = folder / "result"
            equal = result.exists() and result.read_text() == whole[kind]
            if not equal:
                error = folder / "error"
                problems.append(f"run {number} ({kind}) ended differently")
                problems.append(error.read_text() if error.exists() else result.read_text())
            for name, count in (counts | {"runs": 1, "equal": int(equal)}).items():
                totals[kind][name] += count
    return report(totals, problems)


def undisturbed_run(kind: str, folder: Path) -> tuple[str, float]:
    """Return what a run ends with that nobody disturbs, and how long it takes."""
    folder.mkdir()
    began = time.monotonic()
    os.waitpid(start(kind, folder), 0)
    return (folder / "result").read_text(), time.monotonic() - began


def report(totals, problems) -> int:
    """Print the table; return the exit status."""
    columns = list(next(iter(totals.values())))
    everything = {name: sum(row[name] for row in totals.values()) for name in columns}
    print("".join(["kind of run", *(f"{name:>11}" for name in columns)]))
    for kind, row in (totals | {"all": everything}).items():
        print("".join([f"{kind:<11}", *(f"{row[name]:11}" for name in columns)]))
    print("".join(f"{problem}\n" for problem in problems), end="")
    return int(everything["equal"] != everything["runs"])


if __name__ == "__main__":
    sys.exit(main())
