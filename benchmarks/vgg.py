"""VGG11 and VGG16: how much of the processor's arithmetic training uses, and how fast others are.

The mark is a product of two 2048 x 2048 matrices in the number type used, measured in turn with the
training. Ours counts the floating-point operations of convolutions and linear layers, forward and
backward, as PyTorch's ``FlopCounterMode`` does.
"""

import dataclasses
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import lecture, ours, peers
from benchmarks.rows import Row, Scale, in_turn
from labutils import speed
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


def product_rate(dtype: torch.dtype, size: int = SIZE) -> float:
    """Return the GFLOP/s of a few matrix products in a row."""
    matrix = torch.randn(size, size).to(dtype)
    matrix @ matrix  # warms up
    times = 4
    start = time.perf_counter()
    for _ in range(times):
        matrix @ matrix
    return times * 2 * size**3 / (time.perf_counter() - start) / 1e9


def group(name: str, recipe, batch_size: int, num_batches: int, at_least: float):
    """Return the group of one network."""
    recipe = dataclasses.replace(recipe, batch_size=batch_size, num_epochs=1, num_images=None)
    about = f"{recipe.model.upper()} training, batch {batch_size}"
    product = Row(
        f"{name}_rate",
        about,
        f"product of {SIZE}² matrices",
        "GFLOP/s",
        "ours / theirs",
        at_least=at_least,
    )
    slides = Row(f"{name}_lecture", about, "lecture's pipeline", "images/s", "ours / theirs")
    rivals = {
        peer: Row(f"{name}_{peer.lower()}", about, peer, "images/s", "ours / theirs", at_least=1.0)
        for peer in peers.PACKAGES
    }

    class Group:
        ROWS = (product, slides, *rivals.values())

        @staticmethod
        def measure(scale: Scale):
            train, _ = ours.load("cifar10", scale)
            size, images = scale.pick(batch_size, 4), scale.pick(num_batches * batch_size, 8)
            train = train.subset(images)
            dataset, make = lecture.dataset(train), models.MODELS[recipe.model]
            dtype = speed.fast_dtype("cpu") or torch.float32
            gflops = flops_per_image(recipe.model) / 1e9

            def own():
                return images / ours.epoch_seconds(recipe, train, batch_size=size)

            def by_lecture():
                model = make()
                loader, _ = lecture.loaders(train, train, size)
                optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)
                start = time.perf_counter()
                lecture.train_epoch(model, loader, optimizer)
                return images / (time.perf_counter() - start)

            def by_peer(epoch):
                return lambda: images / epoch(make(), dataset, size, LR, 0.9)

            contestants = {
                "ours": own,
                product.name: lambda: product_rate(dtype, scale.pick(SIZE, 64)),
                slides.name: by_lecture,
            }
            for peer, epoch in peers.available().items():
                contestants[rivals[peer].name] = by_peer(epoch)
            note = (
                f"{gflops:.3f} GFLOP an image, in {str(dtype).removeprefix('torch.')}; the "
                "lecture's pipeline and the peers compute in float32, their default"
            )
            for rates in in_turn(contestants, scale.rounds):
                rate = rates.pop("ours")
                measured = {key: (rate, theirs) for key, theirs in rates.items()}
                measured[product.name] = (rate * gflops, rates[product.name])
                yield measured | {"notes": {product.name: note}}

    return Group


VGG11 = group("vgg11", recipes.VGG11["cpu"], batch_size=128, num_batches=6, at_least=0.82)
VGG16 = group("vgg16", recipes.VGG16["cpu"], batch_size=256, num_batches=3, at_least=0.80)
