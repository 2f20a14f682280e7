"""Checks of notebook 02: a dataset, the MLP, one epoch of training, and the accuracy.

The oracles are torchvision's ``to_tensor`` (to import it costs seconds, so a test compares it with
the dataset here), torch's own layers, and autograd with the formula of gradient descent.

What is known to come out of wrong answers stands in tables, from which the misconception bank makes
its answers, too.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from labutils.checks.frame.ask import (
    Wrong,
    ask,
    close,
    describe,
    expect_number,
    expect_tensor,
    show,
)
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges import loops
from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import table
from labutils.training import models

NOTEBOOK = "02_mnist_mlp"

# --- DigitDataset ---------------------------------------------------------------------------


class OracleDataset(Dataset):
    """Digits as torchvision hands them out: (float32 [1, 28, 28] in [0, 1], int)."""

    def __init__(self, images: Tensor, labels: Tensor):
        self.images = images  # uint8 [N, 28, 28]
        self.labels = labels  # int64 [N]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.images[index].unsqueeze(0).to(torch.float32) / 255
        return image, int(self.labels[index])


def examine_dataset(answer: Callable) -> None:
    """Length, items at both ends and between, image values, labels; nothing changed."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(5, 250, (7, 28, 28), dtype=torch.uint8, generator=generator)
    images[2] //= 2  # one image is darker than the others
    labels = torch.tensor([3, 1, 4, 1, 5, 9, 2])
    before = images.clone(), labels.clone()

    dataset = ask(answer, images, labels, called="DigitDataset")
    if not isinstance(dataset, Dataset):
        raise Wrong(
            f"DigitDataset(images, labels) gave {describe(dataset)}; expected a "
            "torch.utils.data.Dataset.",
            "Derive the class from Dataset: its name stands in parentheses after the class's own.",
        )
    _examine_length(dataset, len(images))
    oracle = OracleDataset(*before)
    for index in (2, 0, 6, 3):
        image, label = _item(dataset, index)
        _examine_image(image, before[0], index, oracle[index][0])
        _examine_label(label, before[1], index)
    given = torch.equal(images, before[0]) and torch.equal(labels, before[1])
    again = _item(dataset, 2)[0]
    if not (given and close(again, oracle[2][0])):
        what = "the images or labels that DigitDataset was given"
        raise Wrong(
            f"Reading items changed {'the stored images' if given else what}.",
            "An in-place operation on the stored tensor changes it for every later epoch: compute "
            "a new tensor from the image instead.",
        )


def _examine_length(dataset: Dataset, expected: int) -> None:
    missing = "len() of a Dataset needs a method __len__ that returns the number of images."
    if not hasattr(dataset, "__len__"):
        raise Wrong("len(dataset) does not work: there is no method __len__.", missing)
    length = expect_number(ask(len, dataset, hint=missing), "len(dataset)")
    if length != expected:
        raise Wrong(
            f"len(dataset) is {length:g}; expected {expected}, one for each image.",
            "That counts pixels or rows. The first dimension of the images counts the images."
            if length in (expected * 784, 784, 28, expected * 28)
            else "The length is the number of images that were handed over.",
        )


def _item(dataset: Dataset, index: int) -> tuple:
    if type(dataset).__getitem__ is Dataset.__getitem__:
        raise Wrong(
            "dataset[0] does not work: there is no method __getitem__.",
            "A Dataset needs a method __getitem__(self, index): it returns an image and its label.",
        )
    item = ask(dataset.__getitem__, index, called="DigitDataset.__getitem__")
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise Wrong(
            f"dataset[{index}] is {describe(item)}; expected a pair (image, label).",
            "The label is missing: an item is a pair, the image and its label."
            if isinstance(item, Tensor)
            else "Return the two separated by a comma; the DataLoader stacks each into a batch.",
        )
    image, label = item
    if [isinstance(part, Tensor) and part.dim() > 1 for part in item] == [False, True]:
        raise Wrong(
            f"dataset[{index}] is a pair (label, image); expected (image, label).",
            "Swap the two: whoever unpacks a batch writes the images first.",
        )
    return image, label


_LAYOUT = (
    "A batch is (N, C, H, W), also with one colour: give each image a first dimension of size 1."
)
# What dataset[index] may be instead, of images uint8 [N, 28, 28].
IMAGE_MISTAKES = table(
    ("the image with values from 0 to 255", lambda images, index: images[index][None].float(),
     "uint8 runs from 0 to 255: divide by 255 to get to [0, 1]."),
    ("the image as it was handed over", lambda images, index: images[index],
     "Two things are missing: values in [0, 1] instead of 0 to 255, and the channel dimension in "
     "front."),
    ("the image without its channel dimension", lambda images, index: images[index] / 255, _LAYOUT),
    ("the image with the channel last", lambda images, index: images[index][..., None] / 255,
     "PyTorch puts channels first: (1, 28, 28), not (28, 28, 1)."),
    ("the image as one row of 784 numbers", lambda images, index: images[index].flatten() / 255,
     "Flattening is the model's business (an MLP needs it, a CNN must not have it). Keep "
     "(1, 28, 28)."),
    ("the image with a mean subtracted, divided by a standard deviation",
     lambda images, index: images[index][None] / 127.5 - 1,
     lambda images, index: (images[index][None] / 255 - 0.1307) / 0.3081,
     "That standardises the data (to [-1, 1], or with MNIST's own numbers), which is another good "
     "idea. Here [0, 1] is asked for: divide by 255 and stop."),
    ("the image divided by 256", lambda images, index: images[index][None] / 256,
     "There are 256 values, but the largest is 255: divide by 255 so that white becomes 1."),
    ("the image after an integer division", lambda images, index: images[index][None] // 255 * 1.0,
     "`//` throws the fraction away, so that nearly every pixel is 0: use `/`."),
    ("the image scaled by the darkest or brightest pixel at hand",
     lambda images, index: images[index][None] / images[index].max(),
     lambda images, index: images[index][None] / images.max(),
     lambda images, index: _stretched(images[index][None].float()),
     "The scale must not depend on the data at hand: divide by 255, the largest uint8, not by the "
     "maximum of the image or of the dataset."),
    ("the image after a subtraction in uint8",
     lambda images, index: (images[index][None] - 128) / 127,
     "uint8 has no negative numbers: 0 - 128 wraps around to 128. Convert to float first."),
    ("the image turned over (rows and columns swapped)",
     lambda images, index: images[index][None].mT / 255,
     "Something transposes the image: a permute or reshape too many."),
    ("the negative of the image", lambda images, index: 1 - images[index][None] / 255,
     "Black is 0 and white is 1, as in MNIST."),
    ("all images at once", lambda images, index: images[:, None] / 255,
     lambda images, index: images / 255,
     "dataset[index] is one image: use the index, and add the channel dimension."),
    ("the image divided by 255 twice", lambda images, index: images[index][None] / 255 / 255,
     "Divided by 255 in two places (in __init__ and in __getitem__, or beside ToTensor, which does "
     "it too): once is enough."),
    ("another image", lambda images, index: images[0][None] / 255,
     lambda images, index: images[index - 1][None] / 255,
     lambda images, index: images[(index + 1) % len(images)][None] / 255,
     lambda images, index: images[-1 - index][None] / 255,
     "Use the index that __getitem__ is given, which counts from 0: image and label share it."),
)  # fmt: skip


def _stretched(x: Tensor) -> Tensor:
    return (x - x.min()) / (x.max() - x.min())


def _examine_image(image, images: Tensor, index: int, expected: Tensor) -> None:
    what = f"The image of dataset[{index}]"
    expect_tensor(image, None, None, what)
    seen = (
        f"{what} has shape {tuple(image.shape)} and values from {_range(image)}; expected shape "
        f"(1, 28, 28) and values from {_range(expected)}"
    )
    for name, hint, formulas in IMAGE_MISTAKES:
        values = [formula(images, index) for formula in formulas]
        if any(close(image, value) and not close(value, expected) for value in values):
            raise Wrong(f"{seen}. What came out is {name}.", hint)
    expect_tensor(image, (1, 28, 28), None, what, _LAYOUT)
    if image.dtype != torch.float32 and close(image, expected, atol=1e-3):
        raise Wrong(
            f"{what} has dtype {describe(image).split(', ')[-1]}; expected float32.",
            "A model's weights are float32, and a layer refuses images of another dtype: convert "
            "with .float().",
        )
    if not close(image, expected):
        raise Wrong(f"{seen}.", "Each pixel is its uint8 value divided by 255, nothing else.")


def _range(image: Tensor) -> str:
    if image.numel() == 0:
        return "nothing to nothing"
    return f"{show(image.min().item())} to {show(image.max().item())}"


def _examine_label(label, labels: Tensor, index: int) -> None:
    what = f"The label of dataset[{index}]"
    one = "Each image has one label, a class number: labels[index], not all labels and not one-hot."
    value, expected = expect_number(label, what, one), int(labels[index])
    if value != expected:
        if value == index:
            hint = "That is the index itself: look the label up in the labels handed over."
        elif value in (labels[0], labels[index - 1], labels[(index + 1) % len(labels)]):
            hint = "That is another image's label: image and label share the same index."
        else:
            hint = "The label is the number that was handed over for this image, unchanged."
        raise Wrong(f"{what} is {value:g}; expected {expected}.", hint)
    dtype = default_collate([label]).dtype
    if dtype not in (torch.int64, torch.uint8):
        raise Wrong(
            f"{what} is {describe(label)}, which makes a batch of dtype "
            f"{str(dtype).removeprefix('torch.')}; expected an int.",
            "A label is the number of a class, and cross_entropy refuses floats (and int32) for "
            "one: int(...).",
        )


# --- MLP ------------------------------------------------------------------------------------

_FLATTEN = (
    "A linear layer works on the last dimension, and that must be all 784 pixels: flatten each "
    "image first, from dimension 1 on."
)
mlp = Network(
    "MLP", NOTEBOOK, 2, models.mlp, (4, 1, 28, 28),
    idea="Flatten each image to 784 numbers, map them to 512 with a linear layer, apply ReLU, map "
    "to ten scores with a second linear layer, and return these as they are.",
    hints={
        "features": "The sizes are 784 → 512 → 10: all pixels in, 512 hidden units, one output "
        "for each digit.",
        "flatten": _FLATTEN,
        "size": _FLATTEN,
        "shape": "One row of ten class scores for each image: flatten all but the first dimension, "
        "and end in a linear layer with ten outputs.",
        "too many": "784-512-10 names three sizes, and between them are two linear layers.",
        "too few": "784-512-10 names three sizes, so there are two linear layers with a ReLU "
        "between them.",
        "dropout": "Dropout is a fine idea for notebook 05, but this network has none.",
    },
)  # fmt: skip

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
    model, lr = loops.Watched(), 1e-4
    model.eval()  # as accuracy leaves it
    optimizer = loops.WatchedSGD(model, lr)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)  # left by an earlier call
    # Not the cross-entropy that everybody knows by heart: loss_fn must be used.
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.2)
    images, labels = loops.make_batches()
    before = [p.detach().clone() for p in model.parameters()]
    loader = loops.make_loader(images, labels)
    hint = (
        "The images go into the model; what comes out goes into loss_fn first, the labels second; "
        "and the loss that comes out is propagated backwards."
    )
    try:
        got = ask(answer, model, loader, loss_fn, optimizer, frozen=False, hint=hint)
    except Wrong as wrong:
        if model.calls and not model.calls[0].graph:
            raise Wrong(
                wrong.message,
                "The model ran without gradients: no_grad() and inference_mode() are for testing.",
            ) from None
        raise
    _examine_training(model)
    moved = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    _examine_number_of_steps(len(optimizer.gradients), len(model.calls), moved)
    batches = list(loops.make_loader(images, labels))
    losses = _examine_steps(optimizer, batches, loss_fn)
    _examine_weights(model, optimizer, before, lr)
    _examine_mean_loss(got, losses)
    loops.expect_trainable(model, "train_one_epoch")
    loops.expect_unchanged(loader, images, labels, "train_one_epoch")
    loops.expect_moves(
        answer, images, labels,
        lambda model: loss_fn, lambda model: torch.optim.SGD(model.parameters(), lr=lr),
    )  # fmt: skip
    if isinstance(got, Tensor) and got.requires_grad:
        return (
            "Right. One thing: the loss you return still carries its graph, which keeps every "
            "batch in memory; .item() takes the number alone."
        )
    return None


def _examine_training(model: loops.Watched) -> None:
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
    n = len(loops.BATCHES)
    if steps == n:
        return
    seen = f"{n} batches made {steps} update{'' if steps == 1 else 's'} of the weights"
    if steps == 0 and moved:
        seen = "The weights changed, but not by the optimizer that was handed over"
        hint = "Use the optimizer that is an argument; a new one each epoch forgets its momentum."
    elif steps == 0 and calls >= n:
        hint = "The optimizer's step is missing: backward computes gradients, step moves weights."
    elif calls == 1:
        hint = (
            "It stops after the first batch. A return (or break) indented into the loop ends it "
            "at once: move it behind the loop."
        )
    elif steps == 1:
        hint = "One step for the whole epoch: backward and step belong inside the loop."
    elif steps < n:
        hint = "Every batch counts, the short last one too: one update for each."
    else:
        hint = "One pass over the loader is one epoch; the loop over epochs is the caller's."
    raise Wrong(f"{seen}; expected {n} updates, one per batch.", hint)


def _examine_steps(optimizer: loops.WatchedSGD, batches: list, loss_fn: Callable) -> list[float]:
    """Was the gradient at each step that of its batch alone? Return the batches' losses."""
    got = [loops.flat(gradients) for gradients in optimizer.gradients]
    pairs = zip(optimizer.weights, batches, strict=True)
    losses, right = zip(*(loops.gradient(*pair, loss_fn) for pair in pairs), strict=True)
    for i, (mine, its) in enumerate(zip(got, right, strict=True)):
        if not loops.near(mine, its):
            raise Wrong(
                f"At update {i + 1} the gradient had length {show(mine.norm().item(), 3)}; expected"
                f" {show(its.norm().item(), 3)}, that of the loss of batch {i + 1} alone.",
                _why_gradient(i, got, right, optimizer.weights[i], batches[i]),
            )
    return [loss.item() for loss in losses]


def _why_gradient(i: int, got: list[Tensor], right: list[Tensor], weights, batch) -> str:
    """The first explanation that holds of the gradient ``got[i]``."""
    mine, its, near = got[i], right[i], loops.near
    factor, largest = float(mine @ its / (its @ its)), float(mine.abs().max())
    stale = i == 0 and near(mine, its + 1)  # the ones that lay there before the call

    def of(loss: Callable) -> Tensor:
        return loops.gradient(weights, batch, loss)[1]

    def of_softmax(smoothing: float) -> Tensor:
        return of(lambda z, y: F.cross_entropy(z.softmax(1), y, label_smoothing=smoothing))

    for holds, hint in (
        (mine.count_nonzero() == 0,
         "There was no gradient when the optimizer stepped. The order in each batch: clear the old "
         "gradients, forward, loss, backward, step. Clearing after backward, or stepping before "
         "it, moves nothing."),
        (stale and near(got[1], mine + right[1]),
         "backward adds to the gradients that are there. They are never cleared, so every step "
         "goes along the sum of all batches so far: call zero_grad for each batch."),
        (stale,
         "Gradients of an earlier call entered the first step: zero_grad comes too late, at the "
         "end of each batch. Clear before backward, then nothing old is left."),
        (i > 0 and near(mine, got[i - 1] + its),
         "The gradients are cleared once for the epoch, but backward adds to them at each batch: "
         "zero_grad belongs inside the loop."),
        (near(mine, len(batch[1]) * its),
         "The gradient is multiplied by the batch size. loss_fn already gives the mean of the "
         "batch: use the product for the sum you report, not for backward."),
        (near(mine, factor * its) or near(mine, its.clamp(-largest, largest)),
         "The gradient was clipped, or the loss scaled, before the step. Plain training does "
         "neither."),
        (near(mine, of(F.cross_entropy)),
         "You call a loss of your own choice: use loss_fn, the argument."),
        (near(mine, of_softmax(0.0)) or near(mine, of_softmax(0.2)),
         "A softmax stands between model and loss_fn, which takes the logits as they are."),
    ):  # fmt: skip
        if holds:
            return hint
    return (
        "What is propagated backwards is not loss_fn(outputs, labels) of this batch alone: look at "
        "what enters the loss, and what happens between backward and step."
    )


def _examine_weights(model, optimizer: loops.WatchedSGD, before: list[Tensor], lr: float) -> None:
    """The formula of gradient descent leads to the same weights, with the same learning rate."""
    weights = loops.flat(before) - lr * sum(map(loops.flat, optimizer.gradients))
    if not close(loops.flat(model.parameters()), weights, rtol=1e-5, atol=1e-7):
        raise Wrong(
            "The gradients are right, but after the epoch the weights are not where gradient "
            "descent leads.",
            "Only the optimizer moves the weights: something else changes them, or its rate.",
        )
    settings, fresh = optimizer.param_groups[0], loops.WatchedSGD(model, lr).param_groups[0]
    changed = [name for name in fresh if name != "params" and settings[name] != fresh[name]]
    if changed:
        raise Wrong(
            f"train_one_epoch left the optimizer with another {' and '.join(changed)}.",
            "Its settings are the caller's choice, who may change them between epochs.",
        )


def _total(losses, sizes) -> float:
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True))


def _rounded(formula: Callable, *digits: int) -> list[Callable]:
    return [lambda *args, d=d: round(formula(*args), d) for d in digits]


# What else becomes of the batches' mean losses and their sizes.
MEAN_LOSS_MISTAKES = table(
    ("made of the batches' means, not weighed by the batches' sizes",
     lambda losses, sizes: sum(losses) / len(losses), lambda losses, sizes: sum(losses),
     lambda losses, sizes: sum(losses) / sum(sizes),
     lambda losses, sizes: sum(losses) * sizes[0] / sum(sizes),
     "loss_fn gives the mean of a batch, and the last is short: multiply each batch's mean loss "
     "with its own size, add up, and divide by the number of samples."),
    ("the sum over all samples, not divided by their number",
     lambda losses, sizes: _total(losses, sizes),
     lambda losses, sizes: _total(losses, sizes) / len(losses),
     lambda losses, sizes: _total(losses, sizes) / (len(losses) * sizes[0]),
     "Divide by the number of samples that came, len(loader.dataset) or counted: not by the number "
     "of batches, and the last batch is short."),
    ("the loss of a single batch", lambda losses, sizes: losses[0],
     lambda losses, sizes: losses[-1], lambda losses, sizes: losses[-1] * sizes[-1] / sum(sizes),
     "Add the losses up over all batches: after the loop `loss` is the last batch's. Or is the sum "
     "set back to 0 in every round, or = written for +=?"),
    ("the mean loss, rounded",
     *_rounded(lambda losses, sizes: _total(losses, sizes) / sum(sizes), 0, 1, 2, 3, 4),
     "Return all digits, and round where you print: small steps of the loss count too."),
)  # fmt: skip


def _examine_mean_loss(got, losses: list[float]) -> None:
    what = "The result of train_one_epoch"
    if isinstance(got, (list, tuple)):
        raise Wrong(
            f"{what} is {describe(got)}; expected one number.",
            "Return the mean loss alone: one float, no list and no pair.",
        )
    value, expected = expect_number(got, what), _total(losses, loops.BATCHES) / sum(loops.BATCHES)
    seen = f"{what} is {show(value)}; expected {show(expected)}, the mean loss per sample"
    loops.recognise_number(value, expected, seen, MEAN_LOSS_MISTAKES, losses, loops.BATCHES)
    if not loops.same(value, expected):
        raise Wrong(
            f"{seen}.",
            "Weigh each batch's loss, as it was before the update, with the batch's size; add up; "
            "divide by the number of samples.",
        )


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
    """Known predictions in one square batch, then in batches of 4, 4 and 3; mode and graph."""
    model = loops.Watched().train()  # as training leaves it
    images, _ = loops.make_batches()
    with torch.no_grad():
        logits = F.linear(images.flatten(1), model.linear.weight, model.linear.bias)
    best = logits.argmax(1)

    # As many samples as classes: there a maximum over the wrong dimension raises no error.
    square, labels = images[: loops.NUM_CLASSES], best[: loops.NUM_CLASSES].clone()
    labels[[1, 4, 7]] += 1
    labels %= loops.NUM_CLASSES
    loader = loops.make_loader(square, labels, loops.NUM_CLASSES)
    in_one = _ask_accuracy(answer, model, loader)
    _examine_evaluation(model)
    loops.expect_unchanged(loader, square, labels, "accuracy")
    case = f"accuracy gave {show(in_one)}; expected 0.7 (7 of 10 right, in one batch)"
    loops.recognise_number(in_one, 0.7, case, SHAPE_MISTAKES, logits[: loops.NUM_CLASSES], labels)

    labels = best.clone()
    labels[[1, 4, 5, 6, 10]] += 1
    labels %= loops.NUM_CLASSES
    right, expected = (3, 1, 2), 6 / 11
    with torch.no_grad():
        in_three = _ask_accuracy(answer, model, loops.make_loader(images, labels))
    seen = (
        f"accuracy gave {show(in_three)}; expected {show(expected)} "
        "(3 of 4, 1 of 4 and 2 of 3 right, so 6 of 11)"
    )
    loops.recognise_number(in_three, expected, seen, ACCURACY_MISTAKES, right, loops.BATCHES)
    if not (loops.same(in_three, expected) and loops.same(in_one, 0.7)):
        raise Wrong(
            f"{case if loops.same(in_three, expected) else seen}.",
            "Count the samples whose largest logit is their label's, and divide by the number of "
            "samples.",
        )
    loops.expect_moves(answer, images, labels)


def _ask_accuracy(answer: Callable, model: nn.Module, loader: DataLoader) -> float:
    hint = (
        "Each batch of the loader is a pair (images, labels): the images go into the model, the "
        "likeliest class of each row is compared with the labels."
    )
    got = ask(answer, model, loader, hint=hint)
    return expect_number(
        got, "The result of accuracy", "One number for the whole loader: right ones / all."
    )


def _examine_evaluation(model: loops.Watched) -> None:
    if not model.calls:
        return  # the copy was called, or nothing: the value tells
    if any(call.training for call in model.calls):
        raise Wrong(
            "The model was in training mode while it was tested; expected evaluation mode.",
            "model.eval() switches dropout off and lets batch norm use what it has learned.",
        )
    loops.expect_trainable(model, "accuracy")
    if any(call.graph for call in model.calls):
        raise Wrong(
            "The model's outputs carried a graph for gradients; expected none.",
            "Testing needs no gradients, and their graph costs time and memory: wrap the loop in "
            "torch.no_grad().",
        )


# What else comes out of one batch of as many samples as classes.
SHAPE_MISTAKES = table(
    ("the share for a maximum over the batch (dim=0)",
     lambda logits, labels: (logits.argmax(0) == labels).double().mean().item(),
     "argmax ran over the samples. The likeliest class of each sample is wanted: dim=1."),
    ("every prediction compared with every label",
     lambda logits, labels: (logits.argmax(1, keepdim=True) == labels).sum().item() / len(labels),
     "(N, 1) against (N,) is broadcast to N×N comparisons: bring both to shape (N,)."),
)  # fmt: skip
# What else becomes of the numbers of right predictions in each batch and of the batches' sizes.
ACCURACY_MISTAKES = table(
    ("a percentage", lambda right, sizes: 100 * sum(right) / sum(sizes),
     lambda right, sizes: 100 * sum(right) // sum(sizes),
     *_rounded(lambda right, sizes: 100 * sum(right) / sum(sizes), 0, 1, 2),
     "A fraction between 0 and 1 is asked for; percent is a matter of printing."),
    ("the share of wrong predictions", lambda right, sizes: 1 - sum(right) / sum(sizes),
     "That is the error rate: count what is equal, not what differs."),
    ("zero", lambda right, sizes: sum(right) // sum(sizes),
     "Nothing counts as right: an integer division (//) rounds down to 0, and max gives values "
     "first and their indices second."),
    ("the mean of the batches' accuracies",
     lambda right, sizes: sum(r / n for r, n in zip(right, sizes, strict=True)) / len(sizes),
     "The last batch is short and must weigh less: count the right ones of all batches, and divide "
     "once by the number of samples."),
    ("the number of right predictions, not divided by that of the samples",
     lambda right, sizes: sum(right), lambda right, sizes: sum(right) / len(sizes),
     lambda right, sizes: sum(right) / (len(sizes) * sizes[0]),
     "Divide by the number of samples that really came: len(loader) counts batches, and the last "
     "is short."),
    ("the share of the first batch's right ones", lambda right, sizes: right[0] / sizes[0],
     lambda right, sizes: right[0] / sum(sizes),
     "It stops after the first batch: a return inside the loop ends it at once."),
    ("the share of the last batch's right ones", lambda right, sizes: right[-1] / sizes[-1],
     lambda right, sizes: right[-1] / sum(sizes),
     "The count starts anew in every round: write += and set it to 0 before the loop."),
    ("the accuracy, rounded", lambda right, sizes: 100 * sum(right) // sum(sizes) / 100,
     *_rounded(lambda right, sizes: sum(right) / sum(sizes), 2, 3, 4),
     "Do not round: accuracies that are compared need all their digits. Rounding is a matter of "
     "printing."),
)  # fmt: skip


EXERCISES = [
    Exercise(
        "DigitDataset", NOTEBOOK, 2, OracleDataset, examine_dataset,
        idea="Keep images and labels in __init__. __len__ counts the images; __getitem__ takes one "
        "image by its index, turns it into floats in [0, 1], adds the channel dimension, and "
        "returns it with its label.",
    ),
    mlp,
    Exercise(
        "train_one_epoch", NOTEBOOK, 3, oracle_train_one_epoch, examine_train_one_epoch,
        idea="Switch to training mode. For each batch: move it to the model's device, clear the "
        "gradients, forward, loss, backward, step. Add up loss times batch size, and divide by the "
        "number of samples after the loop.",
    ),
    Exercise(
        "accuracy", NOTEBOOK, 2, oracle_accuracy, examine_accuracy,
        idea="Switch to evaluation mode and compute without gradients. For each batch, move it to "
        "the model's device, take the class with the largest logit of each row, and count where it "
        "equals the label; divide by the number of samples at the end.",
    ),
]  # fmt: skip
