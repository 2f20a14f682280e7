"""Processes and threads on two cores: the same batches, computed in three ways.

One process with one thread, one with two threads, two processes with one thread each: an epoch of
``labutils.training.distributed.train``, in fresh processes that ``torchrun`` starts for all alike.
What starting them takes is not in it.
"""

import argparse
import dataclasses
import os

import torch

from benchmarks import ours
from benchmarks.rows import Group, Row, Scale, in_turn
from labutils.training import distributed, recipes
from labutils.training.processes import joined, launch, rank_and_world

BATCH = 64
RECIPES = {"cnn": recipes.CNN_LOGITS["cpu"], "vgg11": recipes.VGG11["cpu"]}
IMAGES = {"cnn": 300 * BATCH, "vgg11": 10 * BATCH}
ALONE, WAYS = "1x1", {"1x2": "1 process, 2 threads", "2x1": "2 processes, 1 thread each"}


def images_per_second(network: str, way: str, scale: Scale) -> float:
    """Launch the training of an epoch by ``"processes x threads"``; return rank 0's images/s."""
    processes, threads = map(int, way.split("x"))
    images = scale.pick(IMAGES[network], BATCH)
    words = ["-m", "benchmarks.processes", network, images, "--threads", threads]
    said = launch(*words, *["--quick"] * scale.quick, processes=processes)
    return images / float(said.splitlines()[-1])


def group(network: str) -> Group:
    """Return the group of one network: both ways to use two cores, against one of them."""
    rows = {
        way: Row(
            f"processes_{network}_{way}",
            f"{network.upper()} training, batch {BATCH}, {words}",
            "1 process, 1 thread",
            "images/s",
            "ours / theirs",
        )
        for way, words in WAYS.items()
    }

    def measure(scale: Scale):
        contestants = {
            way: lambda way=way: images_per_second(network, way, scale) for way in [ALONE, *WAYS]
        }
        dtype = RECIPES[network].number_type("cpu") or torch.float32
        note = f"in {str(dtype).removeprefix('torch.')}, an epoch of {IMAGES[network]:,} images"
        for rates in in_turn(contestants, scale.rounds, warm_up=False):
            measured = {rows[way].name: (rates[way], rates[ALONE]) for way in WAYS}
            yield measured | {"notes": {rows["1x2"].name: note}}

    return Group(tuple(rows.values()), measure)


GROUPS = {f"processes_{network}": group(network) for network in RECIPES}


def main() -> None:
    """What a rank does: one epoch to warm up, and one that counts; rank 0 prints its seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=RECIPES)
    parser.add_argument("images", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    recipe = dataclasses.replace(RECIPES[options.network], batch_size=BATCH, num_epochs=2)
    os.environ["LABUTILS_DEVICE"] = "cpu"  # it is cores that are compared
    torch.set_num_threads(options.threads)
    with joined():
        train = ours.load("cifar10", Scale(quick=options.quick))[0].subset(options.images)
        model = ours.network(recipe.model)
        history = distributed.train(recipe, model, train, verbose=False)
        if rank_and_world()[0] == 0:
            print(history.seconds[-1])


if __name__ == "__main__":
    main()
