"""Checks of the two loops of notebook 02: one epoch of training, and the accuracy.

Both are tried on a linear classifier that writes down how it is called. The gradient at every
step, and the weights after it, are worked out with ``torch.autograd.grad`` and the formula of
gradient descent.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from labutils.checks.frame.ask import Wrong, ask, close, describe, expect_number, show
from labutils.checks.judges.faraway import FarAway

# --- what they are tried on -----------------------------------------------------------------

NUM_CLASSES = 10
BATCHES = (4, 4, 2)  # sizes; the last one is short


class _Call(NamedTuple):
    training: bool
    graph: bool


class _Watched(nn.Module):
    """A linear classifier that writes down how it was called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(784, NUM_CLASSES)
        self.calls: list[_Call] = []

    def forward(self, images: Tensor) -> Tensor:
        logits = self.linear(images.flatten(1))
        self.calls.append(_Call(self.training, logits.requires_grad))
        return logits


class _WatchedSGD(torch.optim.SGD):
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


def _make_batches() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    # Brighter than real images, so that gradients are long enough for any clipping to show.
    images = 20 * torch.rand(sum(BATCHES), 1, 28, 28, generator=generator)
    labels = torch.randint(0, NUM_CLASSES, (sum(BATCHES),), generator=generator)
    return images, labels


def _loader(images: Tensor, labels: Tensor) -> DataLoader:
    return DataLoader(TensorDataset(images, labels), batch_size=BATCHES[0])


_MOVE = (
    "Model and batch lie on different devices. Move images and labels of each batch to the device "
    "of the model, which its parameters know; a global device, or .cuda(), is not always the same."
)

# --- train_one_epoch ------------------------------------------------------------------------


def oracle_train_one_epoch(model, loader, loss_fn, optimizer) -> float:
    """One epoch of training; the mean loss per sample, measured before each update."""
    device = next(model.parameters()).device
    model.train()
    total, count = 0.0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def examine_train_one_epoch(answer: Callable) -> str | None:
    """Watch the calls, the gradient at each step, the weights after it, and the mean loss."""
    model, lr = _Watched(), 1e-4
    model.eval()  # as accuracy leaves it
    optimizer = _WatchedSGD(model, lr)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)  # left by an earlier call
    # Not the cross-entropy that everybody knows by heart: loss_fn must be used.
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.2)
    images, labels = _make_batches()
    before = [p.detach().clone() for p in model.parameters()]
    try:
        got = ask(
            answer,
            model,
            _loader(images, labels),
            loss_fn,
            optimizer,
            frozen=False,
            hint="The images go into the model; what comes out goes into loss_fn first, the labels "
            "second; and the loss that comes out is propagated backwards.",
        )
    except Wrong as wrong:
        if model.calls and not model.calls[0].graph:
            raise Wrong(
                wrong.message,
                "The model ran without gradients: no_grad() and inference_mode() are for testing.",
            ) from None
        raise
    _examine_calls(model)
    moved = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    _examine_number_of_steps(len(optimizer.gradients), len(model.calls), moved)
    batches = list(_loader(images, labels))
    losses = _examine_steps(optimizer, batches, loss_fn)
    _examine_weights(model, before, batches, loss_fn, lr)
    _examine_mean_loss(got, losses)
    _examine_moves(answer, images, labels, loss_fn)
    if isinstance(got, Tensor) and got.requires_grad:
        return (
            "Right. One thing: the loss you return still carries its graph, which keeps every "
            "batch in memory; .item() takes the number alone."
        )
    return None


def _examine_calls(model: _Watched) -> None:
    if not model.calls:
        raise Wrong(
            "train_one_epoch never called the model.",
            "Each batch of the loader goes through the model: is there a loop, and a call in it?",
        )
    if not all(call.training for call in model.calls):
        raise Wrong(
            "The model was in evaluation mode while it was trained; expected training mode.",
            "Whoever measured the accuracy before left the model in eval mode: switch it back "
            "with model.train() at the start. Dropout and batch norm depend on it.",
        )


def _examine_number_of_steps(steps: int, calls: int, moved: bool) -> None:
    n = len(BATCHES)
    if steps == n:
        return
    seen = f"{n} batches made {steps} update{'' if steps == 1 else 's'} of the weights"
    if steps == 0 and moved:
        seen = "The weights changed, but not by the optimizer that was handed over"
        hint = "Use the optimizer that is an argument; a new one each epoch forgets its momentum."
    elif steps == 0 and calls >= n:
        hint = (
            "The optimizer's step is missing: backward only computes gradients, step moves the "
            "weights."
        )
    elif calls == 1:
        hint = (
            "It stops after the first batch. A return (or break) indented into the loop ends it "
            "at once: move it behind the loop."
        )
    elif steps == 1:
        hint = (
            "One step for the whole epoch: backward and step belong inside the loop, once for "
            "each batch."
        )
    elif steps < n:
        hint = "Every batch counts, the short last one too: one update for each."
    else:
        hint = "One pass over the loader is one epoch; the loop over epochs is the caller's."
    raise Wrong(f"{seen}; expected {n} updates, one per batch.", hint)


def _gradient(weights: list[Tensor], batch, loss_of: Callable) -> tuple[Tensor, list[Tensor]]:
    """Loss and gradient of the linear classifier, by autograd on copies of its weights."""
    weight, bias = (w.clone().requires_grad_() for w in weights)
    images, labels = batch
    loss = loss_of(F.linear(images.flatten(1), weight, bias), labels)
    return loss.detach(), list(torch.autograd.grad(loss, (weight, bias)))


def _examine_steps(optimizer: _WatchedSGD, batches: list, loss_fn: Callable) -> list[Tensor]:
    """Was the gradient at each step that of its batch alone? Return the batches' losses."""
    got = [_flat(gradients) for gradients in optimizer.gradients]
    losses, right = [], []
    for weights, batch in zip(optimizer.weights, batches, strict=True):
        loss, gradients = _gradient(weights, batch, loss_fn)
        losses.append(loss)
        right.append(_flat(gradients))
    wrong = [i for i in range(len(batches)) if not _near(got[i], right[i])]
    if not wrong:
        return losses
    i = wrong[0]
    raise Wrong(
        f"At update {i + 1} the gradient had length {show(got[i].norm().item(), 3)}; expected "
        f"{show(right[i].norm().item(), 3)}, that of the loss of batch {i + 1} alone.",
        _why_gradient(i, got, right, optimizer.weights[i], batches[i]),
    )


def _why_gradient(i: int, got: list[Tensor], right: list[Tensor], weights, batch) -> str:
    mine, its = got[i], right[i]
    if mine.count_nonzero() == 0:
        return (
            "There was no gradient when the optimizer stepped. The order in each batch: clear the "
            "old gradients, forward, loss, backward, step. Clearing after backward, or stepping "
            "before it, moves nothing."
        )
    if i == 0 and _near(mine, its + 1):  # the ones that lay there before the call
        if _near(got[1], mine + right[1]):
            return (
                "backward adds to the gradients that are there. They are never cleared, so every "
                "step goes along the sum of all batches so far: call zero_grad for each batch."
            )
        return (
            "Gradients of an earlier call entered the first step: zero_grad comes too late, at the "
            "end of each batch. Clear before backward, then nothing old is left."
        )
    if i > 0 and _near(mine, got[i - 1] + its):
        return (
            "The gradients are cleared once for the epoch, but backward adds to them at each batch:"
            " zero_grad belongs inside the loop."
        )
    factor = float(mine @ its / (its @ its))
    if _near(mine, factor * its):
        if abs(factor - len(batch[1])) < 1e-3:
            return (
                "The gradient is multiplied by the batch size. loss_fn already gives the mean of "
                "the batch: use the product for the sum you report, not for backward."
            )
        return (
            "The direction is right, the length is not: the gradient was clipped, or the loss "
            "scaled, before the step. Plain training does neither."
        )
    if _near(mine, its.clamp(-float(mine.abs().max()), float(mine.abs().max()))):
        return "The gradient's entries were clipped before the step. Plain training does not clip."
    cross_entropy = _gradient(weights, batch, F.cross_entropy)[1]
    if _near(mine, _flat(cross_entropy)):
        return "You call a loss of your own choice: use loss_fn, the argument."
    for loss in (F.cross_entropy, nn.CrossEntropyLoss(label_smoothing=0.2)):
        twice = _gradient(weights, batch, lambda z, y, loss=loss: loss(z.softmax(1), y))[1]
        if _near(mine, _flat(twice)):
            return (
                "A softmax stands between the model and loss_fn. The loss takes the logits as the "
                "model gives them."
            )
    return (
        "What is propagated backwards is not loss_fn(outputs, labels) of this batch alone: look at "
        "what enters the loss, and what happens between backward and step."
    )


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.detach().flatten() for t in tensors])


def _near(a: Tensor, b: Tensor) -> bool:
    return close(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


def _examine_weights(model, before: list[Tensor], batches: list, loss_fn, lr: float) -> None:
    """The formula of gradient descent, step by step, leads to the same weights."""
    weights = before
    for batch in batches:
        gradients = _gradient(weights, batch, loss_fn)[1]
        weights = [w - lr * g for w, g in zip(weights, gradients, strict=True)]
    if not _near(_flat(model.parameters()), _flat(weights)):
        raise Wrong(
            "The gradients are right, but after the epoch the weights are not where gradient "
            "descent leads.",
            "Only the optimizer moves the weights: something else changes them, or its learning "
            "rate, in between.",
        )


def _examine_mean_loss(got, losses: list[Tensor]) -> None:
    what = "The result of train_one_epoch"
    if isinstance(got, (list, tuple)):
        raise Wrong(
            f"{what} is {describe(got)}; expected one number.",
            "Return the mean loss alone: one float, no list and no pair.",
        )
    value = expect_number(got, what)
    each = [loss.item() for loss in losses]
    sizes, n = BATCHES, sum(BATCHES)
    total = sum(loss * size for loss, size in zip(each, sizes, strict=True))
    known = {
        sum(each) / len(each): (
            "the mean of the batches' means",
            "The last batch is short and must weigh less: multiply each batch's mean loss with its "
            "size, add up, and divide by the number of samples.",
        ),
        total: (
            "the sum over all samples",
            "Divide the sum by the number of samples, len(loader.dataset) or counted.",
        ),
        sum(each): (
            "the sum of the batches' means",
            "loss_fn gives the mean of a batch: weigh it with the batch size, and divide by the "
            "number of samples in the end.",
        ),
        sum(each) / n: (
            "the sum of the batches' means divided by the number of samples",
            "Divided twice: loss_fn has already divided by the batch size. Multiply with it before "
            "you add up.",
        ),
        total / len(each): (
            "the sum over all samples divided by the number of batches",
            "You add up samples, so divide by samples, not by batches.",
        ),
        total / (len(each) * sizes[0]): (
            "the sum divided by batches times batch size",
            "The last batch is short: count the samples that really came.",
        ),
        sum(each) * sizes[0] / n: (
            "the sum with every batch counted as a full one",
            "The last batch is short: weigh it with its own size, not with loader.batch_size.",
        ),
        each[-1]: (
            "the loss of the last batch",
            "Add the losses up over the whole epoch; after the loop `loss` is the last batch's.",
        ),
        each[-1] * sizes[-1] / n: (
            "the last batch's share alone",
            "Is the sum set back to 0 in every round, or = written for +=?",
        ),
        each[0]: ("the loss of the first batch", "Add the losses up over all batches."),
    }
    expected = total / n
    if abs(value - expected) <= 1e-4 * abs(expected):
        return
    message = f"{what} is {show(value)}; expected {show(expected)}, the mean loss per sample"
    for wrong, (name, hint) in known.items():
        if abs(value - wrong) <= 1e-4 * abs(wrong):
            raise Wrong(f"{message}. What came out is {name}.", hint)
    raise Wrong(
        f"{message}.",
        "Weigh each batch's loss, as it was before the update, with the batch's size; add up; "
        "divide by the number of samples.",
    )


def _examine_moves(answer: Callable, images: Tensor, labels: Tensor, *loss_fn: Callable) -> None:
    """Both loops again, with the model on another device than the batches."""
    model = _Watched()
    for_training = (*loss_fn, torch.optim.SGD(model.parameters(), lr=1e-4)) if loss_fn else ()
    images, labels = images.clone(), labels.clone()
    with FarAway(model, images, labels):
        ask(answer, model, _loader(images, labels), *for_training, frozen=False, hint=_MOVE)


# --- accuracy -------------------------------------------------------------------------------


def oracle_accuracy(model, loader) -> float:
    """The share of right predictions, in evaluation mode and without gradients."""
    device = next(model.parameters()).device
    model.eval()
    right, count = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            predictions = model(images.to(device)).argmax(dim=1).to(labels.device)
            right += (predictions == labels).sum().item()
            count += len(labels)
    return right / count


def examine_accuracy(answer: Callable) -> None:
    """Known predictions in one square batch, then in batches of 4, 4 and 2; mode and graph."""
    model = _Watched().train()  # as training leaves it
    images, _ = _make_batches()
    with torch.no_grad():
        logits = F.linear(images.flatten(1), model.linear.weight, model.linear.bias)
    best = logits.argmax(1)

    # As many samples as classes: there a maximum over the wrong dimension raises no error.
    labels = best.clone()
    labels[[1, 4, 7]] += 1
    labels %= NUM_CLASSES
    data = TensorDataset(images.clone(), labels.clone())
    value = _ask_accuracy(answer, model, DataLoader(data, batch_size=len(data)))
    _examine_evaluation(model)
    if not (torch.equal(data.tensors[0], images) and torch.equal(data.tensors[1], labels)):
        raise Wrong(
            "accuracy changed the images or labels of the dataset.",
            "An in-place operation on a batch may reach the dataset itself: make new tensors.",
        )
    over_batch = (logits.argmax(0) == labels).float().mean().item()
    pairs = (best[:, None] == labels).sum().item()
    n = len(labels)
    _judge_accuracy(
        value,
        0.7,
        "7 of 10 right, in one batch",
        {
            over_batch: (
                "the share for a maximum over the batch (dim=0)",
                "argmax ran over the samples. The likeliest class of each sample is wanted: dim=1.",
            ),
            pairs / n: (
                "every prediction compared with every label",
                "(N, 1) against (N,) is broadcast to N×N comparisons: bring both to shape (N,).",
            ),
        }
        | _counting_mistakes((7,), (n,)),
    )

    # 3 of 4, 1 of 4, 2 of 2
    labels = best.clone()
    labels[[1, 4, 5, 6]] += 1
    labels %= NUM_CLASSES
    value = _ask_accuracy(answer, model, _loader(images, labels))
    known = _counting_mistakes((3, 1, 2), BATCHES)
    _judge_accuracy(value, 0.6, "3 of 4, 1 of 4 and 2 of 2 right, so 6 of 10", known)
    _examine_moves(answer, images, labels)


def _ask_accuracy(answer: Callable, model: nn.Module, loader: DataLoader) -> float:
    got = ask(
        answer,
        model,
        loader,
        hint="Each batch of the loader is a pair (images, labels): the images go into the model, "
        "the likeliest class of each row is compared with the labels.",
    )
    return expect_number(
        got, "The result of accuracy", "One number for the whole loader: right ones / all."
    )


def _examine_evaluation(model: _Watched) -> None:
    if not model.calls:
        return  # the copy was called, or nothing: the value tells
    if any(call.training for call in model.calls):
        raise Wrong(
            "The model was in training mode while it was tested; expected evaluation mode.",
            "model.eval() switches dropout off and lets batch norm use what it has learned.",
        )
    if not all(p.requires_grad for p in model.parameters()):
        raise Wrong(
            "After accuracy the model's parameters no longer require gradients.",
            "That stops all later training: compute without gradients by torch.no_grad() instead.",
        )
    if any(call.graph for call in model.calls):
        raise Wrong(
            "The model's outputs carried a graph for gradients; expected none.",
            "Testing needs no gradients, and their graph costs time and memory: wrap the loop in "
            "torch.no_grad().",
        )


def _counting_mistakes(right: tuple[int, ...], sizes: tuple[int, ...]) -> dict:
    shares = [r / size for r, size in zip(right, sizes, strict=True)]
    n, batches = sum(sizes), len(sizes)
    known = {
        100 * sum(right) / n: (
            "a percentage",
            "A fraction between 0 and 1 is asked for; percent is a matter of printing.",
        ),
        sum(right): ("the number of right predictions", "Divide by the number of samples."),
        1 - sum(right) / n: (
            "the share of wrong predictions",
            "That is the error rate: count what is equal, not what differs.",
        ),
        0.0: (
            "zero",
            "Nothing counts as right: an integer division (//) rounds down to 0, and max gives "
            "values first and their indices second.",
        ),
    }
    if batches > 1:
        known |= {
            sum(shares) / batches: (
                "the mean of the batches' accuracies",
                "The last batch is short and must weigh less: count the right ones of all batches, "
                "and divide once by the number of samples.",
            ),
            sum(right) / batches: (
                "the right ones divided by the number of batches",
                "len(loader) counts batches: divide by the number of samples.",
            ),
            sum(right) / (batches * sizes[0]): (
                "the right ones divided by batches times batch size",
                "The last batch is short: count the samples that really came.",
            ),
            shares[0]: (
                "the accuracy of the first batch",
                "It stops after the first batch: a return inside the loop ends it at once.",
            ),
            right[0] / n: (
                "the right ones of the first batch, divided by all",
                "It stops after the first batch: count on to the last.",
            ),
            shares[-1]: (
                "the accuracy of the last batch",
                "Count over all batches: are the counters set back in every round?",
            ),
            right[-1] / n: (
                "the right ones of the last batch, divided by all",
                "The count starts anew in every round: write += and set it to 0 before the loop.",
            ),
        }
    return known


def _judge_accuracy(value: float, expected: float, case: str, known: dict) -> None:
    if abs(value - expected) < 1e-4:
        return
    message = f"accuracy gave {show(value)}; expected {expected} ({case})"
    for wrong, (name, hint) in known.items():
        if abs(value - wrong) < 1e-4:
            raise Wrong(f"{message}. What came out is {name}.", hint)
    raise Wrong(
        f"{message}.",
        "Count the samples whose largest logit stands at their label, and divide by the number of "
        "samples.",
    )
