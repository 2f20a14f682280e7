"""A recipe's training, shared by the processes that ``torchrun`` started: notebook 09's, for all.

    torchrun --standalone --nproc-per-node=2 -m labutils reference cnn_logits

Every rank shuffles and augments the batch that one process would have, by the same seed, and takes
its part of the images, dealt out as ``DistributedSampler`` does. ``DistributedDataParallel``
averages the gradients, each image with the same weight. So batch size, learning rate and number of
steps are the recipe's own, and any number of processes ends with the weights of one, up to
rounding. Two kinds of layers end that: dropout, whose masks each rank draws, and BatchNorm, which
normalises by the rank's own images (and whose running means are rank 0's).

Rank 0 alone evaluates, prints, and writes. What is distributed lies around ``training.fit``.
"""

import functools
import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from labutils import data, speed
from labutils.device import device_of
from labutils.training import recipes
from labutils.training.history import History
from labutils.training.loop import fit
from labutils.training.processes import is_launched, rank_and_world


def train(
    recipe: recipes.Recipe, model: nn.Module, train_set, test_set=None, **settings
) -> History:
    """Train as ``recipes.train`` does, within ``processes.joined``, with all ranks; alone, just so.

    Returns:
        The history. On ranks but 0, what is tested in it says nothing.

    Raises:
        ValueError: there are more ranks than images in a batch, or this rank has other images, or
            another checkpoint, than rank 0.
    """
    rank, world = rank_and_world()
    if not is_launched():
        return recipes.train(recipe, model, train_set, test_set, **settings)
    if world > recipe.batch_size:
        raise ValueError(
            f"{world} processes cannot share batches of {recipe.batch_size} images: "
            f"start at most {recipe.batch_size}"
        )
    _compare_with_rank_0(train_set, settings.get("checkpoint"))
    print(describe(recipe, model, world), flush=True)
    device = device_of(model)
    model.to(memory_format=speed.fast_memory_format(device))
    batches, test_batches = recipe.make_batches(train_set, test_set, device)
    share = Share(batches, rank, world)
    settings = recipe.fit_settings(device) | settings
    settings["loss_fn"] = share.loss_by(settings["loss_fn"])
    if rank != 0:
        test_batches = test_batches and FirstBatch(test_batches)
        settings.setdefault("on_batch", lambda progress: False)  # no second progress bar
    parallel = DistributedDataParallel(model)
    parallel.broadcast_buffers = False  # rank 0 evaluates alone: nobody awaits its running means
    optimizer = recipe.make_optimizer(model)
    scheduler = recipe.make_scheduler(optimizer, len(batches))
    return fit(parallel, share, test_batches, optimizer=optimizer, scheduler=scheduler, **settings)


def describe(recipe: recipes.Recipe, model: nn.Module, world: int) -> str:
    """Return in words how the work is shared, and what that changes."""
    each, rest = divmod(recipe.batch_size, world)
    text = (
        f"{world} process{'es' * (world > 1)}: each computes {each}{f' to {each + 1}' * (rest > 0)}"
        f" of a batch's {recipe.batch_size} images. Batch size, learning rate and number of steps "
        "are those of one process."
    )
    if world > 1 and any(isinstance(layer, _BatchNorm) for layer in model.modules()):
        text += "\nBatchNorm is not: each process normalises by its own images."
    return text


class Share:
    """This rank's part of every batch of ``whole``, and the loss that belongs to it.

    Attributes:
        whole: the ``data.Batches`` of one process, the same on every rank.
        weight: of this rank's mean loss in the present batch; 1 where all have equally many images.
    """

    def __init__(self, whole: data.Batches, rank: int, world: int):
        self.whole, self.rank, self.world = whole, rank, world
        self.dataset, self.weight = whole.dataset, 1.0
        self.batch_size = -(-whole.batch_size // world)  # rounded up

    def __len__(self) -> int:
        return len(self.whole)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        gpus = [self.whole.device] if self.whole.device.type == "cuda" else []
        for step, (images, labels) in enumerate(self.whole):
            own = slice(self.rank, None, self.world)
            self.weight = self.world * len(labels[own]) / len(labels)
            if self.weight == 0:  # a last batch of fewer images than ranks: one that does not count
                own = slice(1)
            # What the network draws (dropout) is this rank's own, and forgotten afterwards: all
            # ranks go on with the same order and the same augmentation.
            with torch.random.fork_rng(gpus, enabled=self.world > 1):
                if self.world > 1:
                    self._seed(self.world * step + self.rank)
                yield images[own], labels[own]

    def _seed(self, number: int) -> None:
        """Seed the generator that the network draws from by its next draw, and a number."""
        seed = number + int(torch.randint(2**62, ()))
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes ten times as long
        if self.whole.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def loss_by(self, loss_fn):
        """Return a loss with the value of the whole batch and the gradient of this rank's part.

        The mean of these gradients over the ranks is the gradient of the whole batch.
        """

        @functools.wraps(loss_fn)  # to a checkpoint it is the same loss
        def loss(logits, labels: Tensor) -> Tensor:
            own = loss_fn(logits, labels)
            if not torch.is_grad_enabled():  # a test, on this rank alone
                return own
            own = self.weight * own
            mean = own.detach() / self.world
            dist.all_reduce(mean)
            return own + (mean - own.detach())

        return loss


class FirstBatch:
    """One batch of ``whole``: what ranks evaluate whose answer nobody asks for."""

    def __init__(self, whole: data.Batches):
        self.whole = whole

    def __iter__(self):
        yield next(iter(self.whole))


def _compare_with_rank_0(train_set: data.ImageSet, checkpoint) -> None:
    """Refuse to train where the ranks do not begin with the same."""
    there = checkpoint is not None and Path(checkpoint).exists()
    mine = {
        "training set": zlib.crc32(train_set.images.contiguous().numpy().data),
        "checkpoint": zlib.crc32(Path(checkpoint).read_bytes()) if there else "none",
    }
    of_all = [None] * dist.get_world_size()
    dist.all_gather_object(of_all, mine)
    for name, checksum in of_all[0].items():
        if mine[name] != checksum:
            raise ValueError(
                f"this rank has another {name} than rank 0. On several machines, keep data and "
                "checkpoints in a folder that all of them share, or copy them."
            )
