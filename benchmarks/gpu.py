"""``python -m benchmarks.gpu``: what a GPU makes of the recipes, as tables, in at most 8 minutes.

First the speed of training by the ``gpu`` recipes: as they are, with larger batches, in float16,
and with forward, loss, backward and clipping replayed as one CUDA graph. Then how far whole
trainings get with larger batches, at learning rates that grow with the batch's root or with the
batch. What there was no time for is named. Needs the real dataset, and writes nothing.
"""

import argparse
import dataclasses
import itertools
import os
import statistics
import sys
import time
from unittest import mock

import torch
from torch import nn

from benchmarks import ours
from benchmarks.rows import Scale, timed
from benchmarks.vgg import flops_per_image, product_rate
from labutils import speed
from labutils.device import describe_environment, pick_device, seed_everything
from labutils.training import load_reference, recipes
from labutils.training.loop import autocast

MINUTES = 7.5  # after so many, nothing more is begun
LARGER = {512: (0.1, 0.2), 1024: (0.14, 0.4)}  # batch sizes, and rates to try; now 128 and 0.05
SPEED = ["network", "batch", "number type", "how", "images/s", "ms a step", "TFLOP/s",
         "of the product", "peak GiB"]  # fmt: skip
REACHED = ["network", "batch", "rate", "epochs", "seed", "test accuracy", "seconds", "to the goal"]


class GraphedStep:
    """A training step's forward, loss, backward and clipping, replayed as one CUDA graph.

    Called with a batch it returns the loss and leaves the gradients to the optimizer, which stays
    outside, with its learning rate. A batch of another size (an epoch's last) goes step by step.

    Args:
        images, labels: a batch as all others; the graph computes with copies of them.
        capture: takes a function, and returns one that repeats what it computed.
    """

    def __init__(self, model, images, labels, recipe, capture):
        self.parameters, self.model = list(model.parameters()), model
        self.grad_clip = recipe.grad_clip
        self.loss_fn = recipe.fit_settings(images.device)["loss_fn"]
        self.number_type = autocast(model, recipe.number_type(images.device))
        self.images, self.labels = images.clone(), labels.clone()
        self.replay = capture(lambda: self.by_steps(self.images, self.labels))
        self.gradients = [parameter.grad for parameter in self.parameters]

    def by_steps(self, images, labels):
        for parameter in self.parameters:
            parameter.grad = None
        with self.number_type:
            logits = self.model(images)
        loss = self.loss_fn(logits.float(), labels)
        loss.backward()
        if self.grad_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.grad_clip)
        return loss.detach()

    def __call__(self, images, labels):
        if len(images) != len(self.images):
            return self.by_steps(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient  # the graph's own, which a batch step by step replaced
        return self.replay()


def cuda_graph(work):
    """Return a function that replays ``work`` as a CUDA graph and returns what it returned."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):  # before a capture the libraries must have made their choices
            work()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay():
        graph.replay()
        return result

    return replay


def train_graphed(recipe, model, train, capture) -> list[list[float]]:
    """Train as ``recipes.train`` does, with a :class:`GraphedStep`; return loss and seconds.

    They are lists by epoch: of the losses of its batches, and of its seconds.
    """
    device = next(model.parameters()).device
    model.to(memory_format=speed.fast_memory_format(device)).train()
    batches, _ = recipe.make_batches(train, device=device)
    optimizer = recipe.make_optimizer(model)
    scheduler = recipe.make_scheduler(optimizer, len(batches))
    step, losses, seconds = None, [], []

    def epoch():
        nonlocal step
        kept = []
        for images, labels in batches:
            step = step or GraphedStep(model, images, labels, recipe, capture)
            kept.append(step(images, labels).clone())
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        return torch.stack(kept).tolist()

    for _ in range(recipe.num_epochs):
        took, values = timed(epoch)
        losses.append(values)
        seconds.append(took)
    return losses, seconds


def speed_rows(networks, train, products, scale: Scale):
    """Yield the rows of the table of speeds."""
    own = next(iter(products))
    ways = [(own, False), (own, True), (torch.float16, False)]
    if own is torch.float16:  # its loss is scaled, which is not captured
        ways = ways[:1]
    elif scale.quick:  # a CPU computes in float16 for minutes
        ways = ways[:2]
    for network in networks:
        for batch_size in scale.pick((128, *LARGER), (16,)):
            changes = {"batch_size": batch_size, "num_epochs": scale.pick(5, 2)}
            recipe = dataclasses.replace(recipes.RECIPES[network]["gpu"], **changes)
            for dtype, is_graphed in ways:
                name = str(dtype).removeprefix("torch.")
                how = "one CUDA graph" if is_graphed else "recipes.train"
                cells = [network, batch_size, name, how]
                try:
                    with mock.patch.dict(os.environ, LABUTILS_DTYPE=name):
                        seconds, gib = epoch_seconds(recipe, train, is_graphed)
                except RuntimeError as error:  # out of memory, or what cannot be captured
                    yield [*cells, str(error)[:60]]
                    continue
                rate = len(train) / seconds
                flops = rate * flops_per_image(recipe.model)
                share = flops / 1e9 / products[dtype]
                yield [*cells, f"{rate:,.0f}", f"{1000 * batch_size / rate:.2f}",
                       f"{flops / 1e12:.3g}", f"{share:.1%}", f"{gib:.2f}"]  # fmt: skip


def epoch_seconds(recipe, train, is_graphed: bool) -> tuple[float, float]:
    """Return the median of an epoch's seconds, without the first one's, and the peak GiB."""
    on_gpu = pick_device().type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = ours.network(recipe.model)
    if is_graphed:
        capture = cuda_graph if on_gpu else lambda work: work
        seconds = train_graphed(recipe, model, train, capture)[1]
    else:
        seconds = recipes.train(recipe, model, train, verbose=False).seconds
    peak = torch.cuda.max_memory_allocated() if on_gpu else 0
    return statistics.median(seconds[1:]), peak / 2**30


def reached_rows(networks, seeds, data, scale: Scale):
    """Yield the rows of the table of whole trainings, seed by seed."""
    tries = scale.pick([(size, lr) for size in LARGER for lr in LARGER[size]], [(16, 0.05)])
    for network, seed, (batch_size, lr) in itertools.product(networks, seeds, tries):
        recipe = recipes.RECIPES[network]["gpu"]
        changes = {"batch_size": batch_size, "lr": lr}
        changes["num_epochs"] = scale.pick(recipe.num_epochs, 1)
        recipe = dataclasses.replace(recipe, **changes)
        goal = load_reference(f"{network}_cpu").median("test_accuracy")[-1]
        seed_everything(seed)
        cells = [network, batch_size, lr, recipe.num_epochs, seed]
        try:
            history = recipes.train(recipe, ours.network(recipe.model), *data, verbose=False)
        except (FloatingPointError, RuntimeError) as error:
            yield [*cells, str(error)[:60]]
            continue
        there = [epoch for epoch, share in enumerate(history.test_accuracy, 1) if share >= goal]
        to_goal = f"{sum(history.seconds[: there[0]]):.1f} s" if there else "never"
        yield [*cells, f"{history.test_accuracy[-1]:.2%}", f"{sum(history.seconds):.1f}",
               f"{to_goal} to {goal:.1%}"]  # fmt: skip


def exercise_1(train) -> str:
    """Return how long a step takes that is too small for a GPU, there and on the CPU."""
    recipe, words = recipes.CNN_LOGITS["cpu"], []
    for device in {pick_device().type, "cpu"}:
        with mock.patch.dict(os.environ, LABUTILS_DEVICE=device):
            ours.epoch_seconds(recipe, train.subset(40))
            seconds = ours.epoch_seconds(recipe, train)
        words.append(f"{1000 * recipe.batch_size * seconds / len(train):.2f} ms on {device}")
    return ", ".join(words)


def show(headings, rows, end: float) -> None:
    """Print a table, each row as it is measured, until it is time to stop."""
    rows = itertools.chain([headings], rows)
    while time.monotonic() < end and (row := next(rows, None)):
        print("  ".join(f"{cell!s:<14}" for cell in row).rstrip(), flush=True)
    if time.monotonic() >= end:
        print("(Time is up: what follows in this table was not measured.)")
    print()


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=["vgg11", "vgg16", "resnet"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="a smoke test on the sample")
    options = parser.parse_args(arguments)
    end = time.monotonic() + 60 * MINUTES
    device, scale = pick_device(), Scale(quick=options.quick)
    if device.type != "cuda" and not options.quick:
        print("There is no CUDA GPU here: nothing is measured.", file=sys.stderr)
        return 1
    print(describe_environment(device))
    train, test = (part.subset(scale.pick(len(part), 40)) for part in ours.load("cifar10", scale))
    dtypes = dict.fromkeys([speed.fast_dtype(device) or torch.float32, torch.float16])
    size = scale.pick(8192, 64)
    products = {dtype: product_rate(dtype, device, size) for dtype in dtypes}
    rates = ", ".join(f"{rate / 1000:.3g} in {dtype}" for dtype, rate in products.items())
    print(f"product of {size}² matrices, TFLOP/s: {rates}")
    some = train.subset(scale.pick(8000, 40))
    print(f"exercise 1, a step of 8 images: {exercise_1(some)}\n", flush=True)
    show(SPEED, speed_rows(options.networks, train, products, scale), end)
    show(REACHED, reached_rows(options.networks, options.seeds, (train, test), scale), end)
    return 0


if __name__ == "__main__":
    sys.exit(main())
