"""A small training that several ranks share, with a fault in rank 1, to be launched:

    python -m torch.distributed.run --standalone --nproc-per-node=2 -m tests.faults.ranks FOLDER

It saves ``run.pt`` each epoch and ends with ``result.pt``: all weights and the losses. From
another program :func:`run` does the same, in one process and without torchrun.
"""

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn

from labutils.device import seed_everything
from labutils.training import distributed, models, recipes
from labutils.training.processes import joined, launch, own_device, rank_and_world
from tests.toy_data import noise

# Batches of 8, augmented; float32, so that all is equal up to rounding. 49 images leave a last
# batch of one, which two ranks cannot share evenly.
SMALL = dataclasses.replace(
    recipes.CNN_LOGITS["cpu"], num_epochs=3, lr=0.01, augment=("flip", "crop")
)
# Notebook 09's comparison: 1 × 64 and 2 × 32.
RECIPES = {
    "small": SMALL,
    "norm": dataclasses.replace(SMALL, model="norm"),
    "cnn": dataclasses.replace(SMALL, batch_size=64),
    "vgg11": dataclasses.replace(recipes.VGG11["cpu"], num_epochs=1, fast=False),
}
MODELS = models.MODELS | {
    "norm": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(5), nn.Flatten()),
        *(nn.Dropout(0.5), nn.Linear(8 * 6 * 6, 10)),
    )
}
FAULTS = ("none", "killed", "raises", "late", "other-images")
LATE = 8  # seconds


def run(folder: Path, kind="small", images=49, fault="none", epochs=None) -> dict:
    """Train, with a checkpoint; return ``{"weights": [P], "losses": list}``, kept on rank 0 too."""
    rank, _ = rank_and_world()
    recipe = dataclasses.replace(RECIPES[kind], num_epochs=epochs or RECIPES[kind].num_epochs)
    train_set, test_set = noise(images), noise(20)
    if fault == "other-images" and rank == 1:
        train_set.images[0, 0, 0, 0] ^= 1
    seed_everything(0)
    model = MODELS[recipe.model]().to(own_device())

    def in_the_second_epoch(progress) -> None:
        if len(progress.history) == 1 and len(progress.losses) == 3 and rank == 1:
            if fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault == "raises":
                raise ValueError("rank one has had enough")

    history = distributed.train(
        recipe, model, train_set, test_set, checkpoint=folder / "run.pt",
        on_batch=in_the_second_epoch,
    )  # fmt: skip
    weights = weights_of(model)
    result = {"weights": weights, "losses": history.batch_loss, "tests": history.test_loss}
    if rank == 0:
        torch.save(result, folder / "result.pt")
    return result


def weights_of(model) -> torch.Tensor:
    """Return all weights of a network, ``[P]``."""
    return torch.cat([its.detach().reshape(-1).cpu() for its in model.parameters()])


def in_processes(folder: Path, *options, processes: int = 2) -> tuple[str, dict]:
    """Launch :func:`run`; return what was said and the result."""
    said = launch("-m", "tests.faults.ranks", folder, *options, processes=processes)
    return said, torch.load(folder / "result.pt")


def left_behind(folder: Path) -> list[str]:
    """Return the processes whose command line names the folder, after a moment."""
    time.sleep(0.5)
    running = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True).stdout
    return [line for line in running.splitlines() if str(folder) in line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=RECIPES, default="small")
    parser.add_argument("--images", type=int, default=49)
    parser.add_argument("--epochs", type=int, help="fewer than the recipe has")
    parser.add_argument("--fault", choices=FAULTS, default="none")
    options = parser.parse_args()
    if options.fault == "late" and os.environ["RANK"] == "1":
        time.sleep(LATE)
    with joined():
        run(**vars(options))


if __name__ == "__main__":
    sys.exit(main())
