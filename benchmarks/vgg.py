"""VGG11 and VGG16: how much of the processor's arithmetic training uses, and how fast others are.

The mark is a product of two 2048 x 2048 matrices in the number type used, measured in turn with the
training. Ours counts the floating-point operations of convolutions and linear layers, forward and
backward, as PyTorch's ``FlopCounterMode`` does.
"""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ours, peers
from benchmarks.rows import Group, Row, Scale, in_turn, wait
from labutils import speed
from labutils.device import pick_device
from labutils.training import models, recipes

SIZE = 2048
LR = 0.001  # small enough for every network and library; the speed does not depend on it


def flops_per_image(model_name: str) -> float:
    """Return the floating-point operations of training with one image."""
    with torch.device("meta"):
        model, images = models.MODELS[model_name](), torch.empty(2, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return counter.get_total_flops() / len(images)


def product_rate(dtype: torch.dtype, device="cpu", size: int = SIZE) -> float:
    """Return the GFLOP/s of a few matrix products in a row."""
    matrix = torch.randn(size, size, device=device).to(dtype)
    matrix @ matrix  # warms up
    wait()
    times = 4 if matrix.device.type == "cpu" else 400
    start = time.perf_counter()
    for _ in range(times):
        matrix @ matrix
    wait()
    return times * 2 * size**3 / (time.perf_counter() - start) / 1e9


def group(recipe, batch_size: int, num_batches: int, at_least: float) -> Group:
    """Return the group of one network."""
    name = recipe.model
    title = f"{name.upper()} training, batch {batch_size}"
    product = Row(f"{name}_rate", title, f"product of {SIZE}² matrices", "GFLOP/s",
                  "ours / theirs", at_least=at_least)  # fmt: skip
    slides = Row(f"{name}_lecture", title, "lecture's pipeline", "images/s", "ours / theirs")
    rows = {"product": product, "lecture": slides} | peers.rows(slides, name)

    def measure(scale: Scale):
        device = pick_device()
        batches = num_batches if device.type == "cpu" else 30 * num_batches  # they are so short
        size, images = scale.pick(batch_size, 4), scale.pick(batches * batch_size, 8)
        train = ours.load("cifar10", scale)[0].subset(images)
        dtype = speed.fast_dtype(device) or torch.float32
        gflops = flops_per_image(name) / 1e9
        contestants = peers.epochs(lambda: ours.network(name), train, size, LR) | {
            "ours": lambda: ours.epoch_seconds(recipe, train, batch_size=size),
            "product": lambda: product_rate(dtype, device, scale.pick(SIZE, 64)),
        }
        note = (
            f"{gflops:.3f} GFLOP an image, in {str(dtype).removeprefix('torch.')}; the "
            "lecture's pipeline and the peers compute in float32, their default"
        )
        for seconds in in_turn(contestants, scale.rounds):
            mark = seconds.pop("product")
            rates = {contestant: images / its for contestant, its in seconds.items()}
            own = rates.pop("ours")
            measured = {rows[other].name: (own, theirs) for other, theirs in rates.items()}
            measured[product.name] = (own * gflops, mark)
            yield measured | {"notes": {product.name: note}}

    return Group(tuple(rows.values()), measure)


GROUPS = {
    "vgg11_rate": group(recipes.VGG11["cpu"], batch_size=128, num_batches=6, at_least=0.82),
    "vgg16_rate": group(recipes.VGG16["cpu"], batch_size=256, num_batches=3, at_least=0.80),
}
