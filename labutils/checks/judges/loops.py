"""Judging loops over batches by watching them: a model and an optimizer that note their use.

The loops run on random pictures and a linear classifier, whose gradient at every step is worked
out with ``torch.autograd.grad``.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from labutils.checks.frame.ask import Wrong, ask, close
from labutils.checks.judges.faraway import FarAway
from labutils.checks.judges.values import Mistake

NUM_CLASSES = 10
BATCHES = (4, 4, 3)  # sizes; the last one is short, and no share of 11 is a whole per cent

_MOVE = (
    "Model and batch lie on different devices. Move images and labels of each batch to the device "
    "of the model, which its parameters know; a global device, or .cuda(), is not always the same."
)


class Call(NamedTuple):
    training: bool
    graph: bool


class Watched(nn.Module):
    """A linear classifier that writes down how it was called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(784, NUM_CLASSES)
        self.calls: list[Call] = []

    def forward(self, images: Tensor) -> Tensor:
        logits = self.linear(images.flatten(1))
        self.calls.append(Call(self.training, logits.requires_grad))
        return logits


class WatchedSGD(torch.optim.SGD):
    """Gradient descent that writes down weights and gradients at every step."""

    def __init__(self, model: nn.Module, lr: float):
        super().__init__(model.parameters(), lr=lr)
        self.weights: list[list[Tensor]] = []
        self.gradients: list[list[Tensor]] = []

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parameters = self.param_groups[0]["params"]
        self.weights.append([p.detach().clone() for p in parameters])
        self.gradients.append(
            [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
        )
        super().step()
        return loss


def make_batches() -> tuple[Tensor, Tensor]:
    """Images [N, 1, 28, 28] and labels [N], N the sum of :data:`BATCHES`."""
    generator = torch.Generator().manual_seed(3)
    # Stronger than real images: gradients are long enough for any clipping to show, and the model
    # predicts many classes.
    images = 10 * torch.randn(sum(BATCHES), 1, 28, 28, generator=generator)
    labels = torch.randint(0, NUM_CLASSES, (sum(BATCHES),), generator=generator)
    return images, labels


def make_loader(images: Tensor, labels: Tensor, batch_size: int = BATCHES[0]) -> DataLoader:
    """A loader over copies: an answer may change its dataset."""
    return DataLoader(TensorDataset(images.clone(), labels.clone()), batch_size=batch_size)


def gradient(weights: list[Tensor], batch, loss_of: Callable) -> tuple[Tensor, Tensor]:
    """Loss and gradient (in one row) of the classifier, by autograd on copies of its weights."""
    weight, bias = (w.clone().requires_grad_() for w in weights)
    images, labels = batch
    loss = loss_of(F.linear(images.flatten(1), weight, bias), labels)
    return loss.detach(), flat(torch.autograd.grad(loss, (weight, bias)))


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.detach().flatten() for t in tensors])


def near(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding, measured by the largest entry."""
    return close(a, b, rtol=1e-4, atol=1e-6 * float(b.abs().max()))


def expect_trainable(model: nn.Module, name: str) -> None:
    """All parameters still require gradients."""
    if not all(p.requires_grad for p in model.parameters()):
        raise Wrong(
            f"After {name} the model's parameters no longer require gradients.",
            "That stops all later training: compute without gradients by torch.no_grad() instead.",
        )


def expect_unchanged(loader: DataLoader, images: Tensor, labels: Tensor, name: str) -> None:
    """The dataset holds what it did."""
    if not all(map(torch.equal, loader.dataset.tensors, (images, labels))):
        raise Wrong(
            f"{name} changed the images or labels of the dataset.",
            "An in-place operation on a batch may reach the dataset itself: make new tensors.",
        )


def expect_moves(answer: Callable, images: Tensor, labels: Tensor, *more) -> None:
    """Run the loop with the model on another device than the batches.

    ``more`` are the arguments behind model and loader, made from the model.
    """
    model, images, labels = Watched(), images.clone(), labels.clone()
    loader = DataLoader(TensorDataset(images, labels), batch_size=BATCHES[0])
    with FarAway(model, images, labels):
        ask(answer, model, loader, *(make(model) for make in more), frozen=False, hint=_MOVE)


def same(a: float, b: float) -> bool:
    """Are two numbers equal up to the rounding of float32?"""
    return abs(a - b) <= 1e-6 * max(1, abs(b))


def recognise_number(
    got: float, expected: float, seen: str, mistakes: Iterable[Mistake], *args
) -> None:
    """Raise Wrong where a mistake's formula gives, of ``args``, what came out, and that is wrong.

    Args:
        seen: what was seen against what was expected, without a full stop.
    """
    for name, hint, formulas in () if same(got, expected) else mistakes:
        if any(same(got, formula(*args)) for formula in formulas):
            raise Wrong(f"{seen}. What came out is {name}.", hint)
