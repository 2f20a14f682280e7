"""``python -m labutils reference NAME``: train by a recipe on the real data and record the run.

It writes ``data/reference_runs/NAME.json``, which ``training.load_reference`` reads. With
``--processes 2`` (or under ``torchrun``) several processes train together.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

import torch

from labutils import data, files
from labutils.device import BUDGETS, seed_everything
from labutils.training import distributed, models, recipes
from labutils.training.checkpoints import CheckpointError
from labutils.training.processes import (
    LaunchError,
    is_launched,
    joined,
    launch,
    own_device,
    rank_and_world,
)
from labutils.training.reference import FOLDERS, describe_images, pack

RUNNING_LOSS_EVERY = 2000  # mini-batches, as the lecture prints it
LOCK_SECONDS = 60  # to wait for others that add a run; each takes a moment


def measure(
    recipe, seed: int, *, source=None, shared=False, checkpoint=None, filters=False
) -> dict:
    """Train by ``recipe`` from ``seed`` on ``data.load``'s ``source``; return a run's record.

    ``filters`` keeps the weights of the first layer too.
    """
    device = own_device()
    train, test = data.load(recipe.dataset, source=source)
    seed_everything(seed)
    model = models.MODELS[recipe.model]().to(device)
    history = distributed.train(recipe, model, train, test, checkpoint=checkpoint)
    if len(history) < recipe.num_epochs:
        raise KeyboardInterrupt  # fit() keeps a part of a run; a reference run must be whole
    columns = ("train_loss", "test_loss", "test_accuracy")
    record = {"seed": seed} | {name: _rounded(getattr(history, name)) for name in columns}
    record["seconds"] = [round(seconds, 2) for seconds in history.seconds]
    running = history.running_loss(RUNNING_LOSS_EVERY)
    if any(running):
        record["running_loss"] = [_rounded(epoch) for epoch in running]
    if filters:
        record["filters"] = pack(next(model.parameters()))
    about = circumstances(recipe, device, shared)
    return record | {"data": describe_images(train, test), **about}


def circumstances(recipe, device, shared: bool) -> dict:
    """Return what a run was measured on, and when, for its record."""
    return {
        "device": device.type,
        "device_name": _device_name(device),
        "processes": rank_and_world()[1],
        "threads": torch.get_num_threads(),
        "dtype": str(recipe.number_type(device) or torch.float32).removeprefix("torch."),
        "machine_was_shared": shared,  # then the seconds say little
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.date.today().isoformat(),
    }


def write(recipe, run: dict, folder: Path, *, replace: bool = False) -> Path:
    """Add a run to the recipe's file, in place of an older one of the same seed.

    Runs of several processes have files of their own, beside those that notebooks show. Safe beside
    other processes that write the same file, which is never half-written.

    Raises:
        ValueError: the file was measured with another recipe, and ``replace`` is not set.
    """
    world = run.get("processes", 1)
    name = recipe.name if world == 1 else f"{recipe.name}_in_{world}_processes"
    path = folder / f"{name}.json"
    lock = Path(tempfile.gettempdir()) / f"labutils_{path.name}.lock"
    with files.lock(lock, timeout=LOCK_SECONDS):
        runs = []
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["recipe"] == recipe.as_dict():
                runs = [old for old in content["runs"] if old["seed"] != run["seed"]]
            elif not replace:
                raise ValueError(
                    f"{path} was measured with another recipe. Give --replace to start it anew."
                )
        runs = sorted([*runs, run], key=lambda its: its["seed"])
        content = {"name": name, "recipe": recipe.as_dict(), "runs": runs}
        files.write_json(path, content)
    return path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=sorted(recipes.RECIPES), help="which recipe")
    parser.add_argument("--budget", choices=BUDGETS, default="cpu")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=FOLDERS[0], help="where the JSON goes")
    parser.add_argument("--replace", action="store_true", help="drop runs of another recipe")
    parser.add_argument("--shared", action="store_true", help="say that the machine was shared")
    parser.add_argument("--sample", action="store_true", help="allow the embedded sample (a trial)")
    parser.add_argument("--filters", action="store_true", help="keep the first layer's weights")
    parser.add_argument(
        "--checkpoints", type=Path, metavar="FOLDER", help="save each epoch there, and go on"
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="train in N processes of this machine together"
    )


def main(arguments: argparse.Namespace) -> int:
    if arguments.processes is not None and not is_launched():
        return in_processes(arguments.processes)
    with joined():
        return record(arguments)


def in_processes(number: int) -> int:
    """Start this very command in several processes; return its exit status."""
    if number < 1:
        print(f"--processes must be at least 1, got {number}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes as Ctrl-C does
    go_on = "With --checkpoints FOLDER, the same command goes on after the last whole epoch."
    try:
        launch("-m", "labutils", *sys.argv[1:], processes=number, seconds=None, aloud=True)
    except LaunchError as error:
        print(f"{error}\n{go_on}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Stopped by you; no process is left. {go_on}", file=sys.stderr)
        return 130
    return 0


def record(arguments: argparse.Namespace) -> int:
    """Train with every seed and write what came of it; return the exit status."""
    recipe = recipes.RECIPES[arguments.name][arguments.budget]
    source = None if arguments.sample else "full"  # a reference run on the sample would be none
    print(f"{recipe.name}: {recipe.describe()}")
    for seed in arguments.seeds:
        checkpoint = arguments.checkpoints and arguments.checkpoints / f"{recipe.name}_{seed}.pt"
        try:
            run = measure(
                recipe, seed, source=source, shared=arguments.shared, checkpoint=checkpoint,
                filters=arguments.filters,
            )  # fmt: skip
            if rank_and_world()[0] != 0:
                continue
            path = write(recipe, run, arguments.folder, replace=arguments.replace)
        except (data.DataError, files.Locked, ValueError, CheckpointError) as error:
            print(error, file=sys.stderr)
            return 1
        print(f"seed {seed}: {100 * run['test_accuracy'][-1]:.2f} % · wrote {path}", flush=True)
    return 0


def _rounded(values) -> list[float]:
    return [round(value, 5) for value in values]


def _device_name(device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores"
