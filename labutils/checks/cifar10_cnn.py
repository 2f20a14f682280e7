"""Checks of notebook 03: normalising images, the CNN, and predicting with it."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Network
from labutils.checks.judges.predictors import (
    Probe,
    examine_graph,
    examine_labels,
    examine_left_alone,
    examine_use,
    probabilities_mistakes,
)
from labutils.checks.judges.values import WrongValue, compare
from labutils.training import models

NOTEBOOK = "03_cifar10_cnn"

# --- normalize ------------------------------------------------------------------------------


def oracle_normalize(images: Tensor) -> Tensor:
    """torchvision's own pipeline, image by image: uint8 [N, H, W, C] to float32 [N, C, H, W]."""
    from torchvision.transforms import functional

    half = [0.5] * images.shape[-1]
    pictures = [functional.to_tensor(image.numpy(force=True)) for image in images]
    return torch.stack([functional.normalize(p, half, half) for p in pictures]).to(images.device)


def examine_normalize(answer: Callable) -> None:
    """Values and layout on images with N, C, H and W all different; colour and grey."""
    generator = torch.Generator().manual_seed(1)
    for shape in ((2, 4, 5, 3), (3, 2, 6, 1)):
        images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        images[0, 0, 0, 0], images[0, 0, 1, 0] = 0, 255
        call = f"normalize of images of shape {shape}"
        got = ask(answer, images, hint=_FAILED)
        _expect_float32(got, call)
        expected = oracle_normalize(images)
        compare(got, expected, call, _normalize_mistakes(images), _OTHERWISE, _LAYOUT)


_OTHERWISE = (
    "Two points fix the line: 0 goes to -1 and 255 to 1. What does your formula make of them?"
)
_FAILED = (
    "It gets a batch, of any number and size of images: write no size of CIFAR-10 into it, use no "
    "transform for single pictures, and move the channels with permute. (reshape would scramble "
    "the picture.)"
)
_LAYOUT = "PyTorch's order is N, C, H, W: the channels move from the last place to the second."


def _expect_float32(got, call: str) -> None:
    if not isinstance(got, Tensor) or got.dtype == torch.float32:
        return
    hints = {
        torch.float64: "float64 comes from numpy or .double(), and takes twice the memory: a "
        "network's weights are float32, and so must its images be.",
        torch.uint8: "uint8 knows no fractions and nothing below 0: make float32 of the images "
        "first, then compute.",
    }
    raise Wrong(
        f"{call} is a {describe(got)}; expected float32.",
        hints.get(got.dtype, "Images for a network are float32: convert with .float()."),
    )


def _normalize_mistakes(images: Tensor) -> Iterator[WrongValue]:
    n, h, w, c = images.shape
    layouts = [
        (lambda x: x.permute(0, 3, 1, 2), "", ""),
        (
            lambda x: x,
            "still N, H, W, C",
            "The channels are still last. permute moves a dimension to another place: PyTorch's "
            "order is N, C, H, W.",
        ),
        (
            lambda x: x.reshape(n, c, h, w),
            "a reshape, which scrambles the picture",
            "reshape and view deal the same numbers out anew, row by row, and mix colours with "
            "places. To reorder dimensions use permute; show one image and see.",
        ),
        (
            lambda x: x.permute(0, 3, 2, 1),
            "height and width swapped",
            "The picture lies on its side: permute(0, 3, 2, 1) swaps height and width too; "
            "keep H before W.",
        ),
        (
            lambda x: x.permute(3, 0, 1, 2),
            "C, N, H, W",
            "The batch comes first and the channels second; here it is the other way round.",
        ),
    ]
    x = images.double()
    each = (1, 2, 3)
    scales = [
        (x / 127.5 - 1, "", ""),
        (
            x / 255,
            "values from 0 to 1",
            "Dividing by 255 gives 0 to 1. Stretch it to -1 to 1: subtract the mean 0.5, "
            "divide by 0.5.",
        ),
        (
            x / 255 - 0.5,
            "values from -0.5 to 0.5",
            "After subtracting 0.5 the range is one wide; divide by 0.5 too, so that it is two.",
        ),
        (
            (x - 0.5) / 0.5,
            "0.5 subtracted from values up to 255",
            "Mean and standard deviation 0.5 are meant for values from 0 to 1: divide by 255 "
            "first.",
        ),
        (x, "the values as they were", "The values were not scaled: 255 must become 1."),
        (
            x / 127.5,
            "values from 0 to 2",
            "The range is two wide, as it should be, but begins at 0: subtract 1.",
        ),
        (
            x / 128 - 1,
            "a division by 128",
            "The largest byte is 255, not 256: half of it is 127.5.",
        ),
        (
            x / 255 - 0.5 / 0.5,
            "values from -1 to 0",
            "A division goes before a subtraction, so this is x/255 - (0.5/0.5): the difference "
            "needs brackets, (x/255 - 0.5) / 0.5.",
        ),
        (
            (x / 255 - 0.5) * 0.5,
            "values from -0.25 to 0.25",
            "After subtracting 0.5, divide by the deviation 0.5; multiplying by it halves the "
            "range instead of doubling it.",
        ),
        (
            1 - x / 127.5,
            "a negative of the picture",
            "Black became 1 and white -1: the sign is turned round.",
        ),
        (
            (x - x.mean(each, keepdim=True)) / x.std(each, keepdim=True),
            "each image by its own mean and deviation",
            "Every image is normalised by its own mean and deviation, so that a dark one and "
            "a bright one look alike. The same formula is to hold for all images.",
        ),
        (
            (x - x.mean()) / x.std(),
            "the mean and deviation of this batch",
            "Mean and deviation of the batch change with the batch. Use fixed numbers.",
        ),
        (
            (x - x.mean((0, 1, 2))) / x.std((0, 1, 2)),
            "the mean and deviation of each channel in this batch",
            "The channels' mean and deviation are taken from this batch, and change with the "
            "next. Use fixed numbers, 0.5 and 0.5.",
        ),
        (
            (x - x.amin()) / (x.amax() - x.amin()),
            "values from 0 to 1 by the batch's least and largest",
            "Fixed numbers, please: 0 and 255, not what this batch happens to hold.",
        ),
    ]
    wrapped = "Computing in uint8 wraps round at 256: 2 · 200 is 144 there, and 100 - 127 is 229. "
    for value in (
        (images * 2 - 255).double() / 255,
        (images - 127).double() / 128,
        (images - 128).double() / 128,
        (images - 127).double() / 127.5,
        (images - 128).double() / 127,
        (images // 255).double() * 2 - 1,
    ):
        scales.append((value, "bytes that wrapped round", wrapped + "Convert to float32 first."))
    for move, layout, layout_hint in layouts:
        for value, scale, scale_hint in scales:
            if layout or scale:
                yield WrongValue(move(value), layout or scale, layout_hint or scale_hint)


# --- CNN ------------------------------------------------------------------------------------

cnn = Network(
    "CNN",
    NOTEBOOK,
    3,
    models.cnn,
    (3, 3, 32, 32),
    idea="Twice convolution (3×3, padding 1), ReLU and max pool; then flatten all but the batch, "
    "and one linear layer from 16 · 8 · 8 numbers to 10 logits, which are returned as they are.",
    hints={
        "channels": "The first convolution makes 8 channels of 3, the second 16 of 8.",
        "stride": "Stride 1 for the convolutions; it is the max pool after each that halves the "
        "size.",
        "no pool": "Each convolution is followed by ReLU and a 2×2 max pool: 32, 16, 8 pixels a "
        "side.",
        "too many": "Two convolutions and one single linear layer, no more.",
        "features": "After two pools 8×8 pixels are left in 16 channels: the linear layer takes "
        "16 · 8 · 8 numbers and gives 10.",
        "size": "After two pools 8×8 pixels are left in 16 channels: the linear layer takes "
        "16 · 8 · 8 numbers of one image.",
    },
)

# --- predict --------------------------------------------------------------------------------


def oracle_predict(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Labels int64 [N] and probabilities float [N, K], in eval mode and without gradients."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        probabilities = F.softmax(model(images), dim=1)
    model.train(was_training)
    return probabilities.argmax(dim=1), probabilities


def examine_predict(answer: Callable) -> None:
    """A model in training mode with dropout and batch norm; a batch of five, and a single image."""
    for count in (5, 1):
        images = torch.randn(count, 3, 4, 4)
        model = Probe(num_classes=4).train()
        logits, before = model.logits(images), images.clone()
        got = ask(answer, model, images, frozen=False)
        call = f"predict of {count} image{'s' if count > 1 else ''}"
        labels, probabilities = _pair(got, count, call)
        examine_use(model, "predict")
        examine_graph(probabilities, f"{call} (the probabilities)")
        compare(
            probabilities,
            F.softmax(logits, dim=1),
            f"{call} (the probabilities)",
            probabilities_mistakes(logits),
            "Softmax over the classes (dim=1) of what the model gives, once.",
            "One row per image and one column per class.",
        )
        examine_labels(labels, logits, call)
        examine_left_alone(model, "predict", images, before)


def _pair(got, count: int, call: str) -> tuple:
    if got is None:
        raise Wrong(f"{call} gave None.", "Is there a `return` at the end of the function?")
    if isinstance(got, Tensor) or not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong(
            f"{call} gave {describe(got)}; expected two results, labels and probabilities.",
            "Return both, with a comma between them: the labels first, then the probabilities.",
        )
    labels, probabilities = got
    if isinstance(labels, Tensor) and isinstance(probabilities, Tensor):
        if labels.dim() == 2 and labels.is_floating_point() and probabilities.dim() == 1:
            raise Wrong(
                f"{call} gave the probabilities first; expected (labels, probabilities).",
                "The two results are swapped: labels come first.",
            )
    return labels, probabilities


EXERCISES = [
    Exercise(
        name="normalize",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_normalize,
        examine=examine_normalize,
        idea="Make float32 numbers of the bytes, bring 0..255 to -1..1 with one fixed straight "
        "line, and move the channel dimension from the last place to the second.",
    ),
    cnn,
    Exercise(
        name="predict",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_predict,
        examine=examine_predict,
        idea="Switch the model to evaluation and gradients off, take the softmax of its logits "
        "over the classes, and let the label be the index of the largest probability.",
    ),
]
