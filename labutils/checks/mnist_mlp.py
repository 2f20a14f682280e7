"""Checks of notebook 02: a dataset, the MLP, and (in :mod:`mnist_loops`) training and testing.

The oracles are torchvision's ``to_tensor`` (to import it costs seconds, so a test compares it with
the dataset here) and torch's own layers.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.data import Dataset

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
from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import WrongValue
from labutils.checks.mnist_loops import (
    examine_accuracy,
    examine_train_one_epoch,
    oracle_accuracy,
    oracle_train_one_epoch,
)
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
    images = torch.randint(0, 250, (7, 28, 28), dtype=torch.uint8, generator=generator)
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
    if not (torch.equal(images, before[0]) and torch.equal(labels, before[1])):
        raise Wrong(
            "Reading items changed the images or labels that DigitDataset was given.",
            "An in-place operation on the stored tensor changes it for every later epoch: compute "
            "a new tensor from the image instead.",
        )


def _examine_length(dataset: Dataset, expected: int) -> None:
    missing = (
        "A Dataset answers to len(): it needs a method __len__ that returns the number of images."
    )
    if not hasattr(dataset, "__len__"):
        raise Wrong("len(dataset) does not work: there is no method __len__.", missing)
    length = expect_number(ask(len, dataset, hint=missing), "len(dataset)")
    if length != expected:
        pixels = length in (expected * 784, 784, 28, expected * 28)
        raise Wrong(
            f"len(dataset) is {length:g}; expected {expected}, one for each image.",
            "That counts pixels or rows. The first dimension of the images counts the images."
            if pixels
            else "The length is the number of images that were handed over.",
        )


def _item(dataset: Dataset, index: int) -> tuple:
    if type(dataset).__getitem__ is Dataset.__getitem__:
        raise Wrong(
            "dataset[0] does not work: there is no method __getitem__.",
            "A Dataset answers to dataset[index]: it needs a method __getitem__(self, index) that "
            "returns one image and its label.",
        )
    item = ask(dataset.__getitem__, index, called="DigitDataset.__getitem__")
    if isinstance(item, Tensor):
        raise Wrong(
            f"dataset[{index}] is a {describe(item)}; expected a pair (image, label).",
            "The label is missing: an item is a pair, the image and its label.",
        )
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise Wrong(
            f"dataset[{index}] is {describe(item)}; expected a pair (image, label).",
            "Return the two separated by a comma; the DataLoader stacks each of them into a batch.",
        )
    image, label = item
    if (
        isinstance(label, Tensor)
        and label.dim() > 1
        and not (isinstance(image, Tensor) and image.dim() > 1)
    ):
        raise Wrong(
            f"dataset[{index}] is a pair (label, image); expected (image, label).",
            "Swap the two: whoever unpacks a batch writes the images first.",
        )
    return image, label


def _examine_image(image, images: Tensor, index: int, expected: Tensor) -> None:
    what = f"The image of dataset[{index}]"
    expect_tensor(image, None, None, what)
    seen = (
        f"{what} has shape {tuple(image.shape)} and values from {_range(image)}; expected shape "
        f"(1, 28, 28) and values from {_range(expected)}"
    )
    for mistake in _image_mistakes(images, index):
        if close(image, mistake.value) and not close(mistake.value, expected):
            raise Wrong(f"{seen}. What came out is {mistake.name}.", mistake.hint)
    expect_tensor(image, (1, 28, 28), None, what, _LAYOUT)
    if not close(image, expected):
        raise Wrong(f"{seen}.", "Each pixel is its uint8 value divided by 255, nothing else.")
    if image.dtype != torch.float32:
        raise Wrong(
            f"{what} has dtype {describe(image).split(', ')[-1]}; expected float32.",
            "A model's weights are float32, and a layer refuses images of another dtype: convert "
            "with .float().",
        )


def _range(image: Tensor) -> str:
    if image.numel() == 0:
        return "nothing to nothing"
    return f"{show(image.min().item())} to {show(image.max().item())}"


_LAYOUT = (
    "A batch is (N, C, H, W), also with one colour: give each image a first dimension of size 1."
)


def _image_mistakes(images: Tensor, index: int) -> list[WrongValue]:
    raw = images[index].float()
    x = raw[None]
    wrapped = ((images[index] - 128) / 127)[None]
    mistakes = [
        WrongValue(
            x,
            "the image with values from 0 to 255",
            "uint8 runs from 0 to 255: divide by 255 to get to [0, 1].",
        ),
        WrongValue(
            raw,
            "the image as it was handed over",
            "Two things are missing: values in [0, 1] instead of 0 to 255, and the channel "
            "dimension in front.",
        ),
        WrongValue(raw / 255, "the image without its channel dimension", _LAYOUT),
        WrongValue(
            (raw / 255)[..., None],
            "the image with the channel last",
            "PyTorch puts channels first: (1, 28, 28), not (28, 28, 1).",
        ),
        WrongValue(
            (raw / 255).flatten(),
            "the image as one row of 784 numbers",
            "Flattening is the model's business (an MLP needs it, a CNN must not have it). Keep "
            "(1, 28, 28).",
        ),
        WrongValue(
            x / 127.5 - 1,
            "the image scaled to [-1, 1]",
            "That is the normalisation with mean 0.5 and standard deviation 0.5. Here [0, 1] is "
            "asked for: divide by 255 and stop.",
        ),
        WrongValue(
            (x / 255 - 0.1307) / 0.3081,
            "the image with MNIST's mean subtracted, divided by its standard deviation",
            "That standardises the data, which is another good idea. Here [0, 1] is asked for.",
        ),
        WrongValue(
            x / 256,
            "the image divided by 256",
            "There are 256 values, but the largest is 255: divide by 255 so that white becomes 1.",
        ),
        WrongValue(
            (x // 255),
            "the image after an integer division",
            "`//` throws the fraction away, so that nearly every pixel is 0: use `/`.",
        ),
        WrongValue(
            x / x.max(),
            "the image divided by its own brightest pixel",
            "Every image must be scaled alike: divide by 255, not by the maximum of the image.",
        ),
        WrongValue(
            x / images.max(),
            "the image divided by the brightest pixel of the dataset",
            "The scale must not depend on the data at hand: divide by 255, the largest uint8.",
        ),
        WrongValue(
            (x - raw.min()) / (raw.max() - raw.min()),
            "the image stretched from its own darkest to its own brightest pixel",
            "Min-max scaling depends on the image: divide by 255, the same for all.",
        ),
        WrongValue(
            wrapped,
            "the image after a subtraction in uint8",
            "uint8 has no negative numbers: 0 - 128 wraps around to 128. Convert to float first.",
        ),
        WrongValue(
            (x / 255).mT,
            "the image turned over (rows and columns swapped)",
            "Something transposes the image: a permute or reshape too many.",
        ),
        WrongValue(
            1 - x / 255, "the negative of the image", "Black is 0 and white is 1, as in MNIST."
        ),
        WrongValue(
            images[:, None] / 255,
            "all images at once",
            "dataset[index] is one image: use the index.",
        ),
        WrongValue(
            images / 255,
            "all images at once",
            "dataset[index] is one image: use the index, and add the channel dimension.",
        ),
        WrongValue(
            x / 255 / 255,
            "the image divided by 255 twice",
            "Divided by 255 in two places (in __init__ and in __getitem__, or beside ToTensor, "
            "which does it too): once is enough.",
        ),
    ]
    for other in range(len(images)):
        if other == index:
            continue
        hint = (
            "Every index gives the same image: use the index that __getitem__ is given."
            if other == 0
            else "Indices count from 0, and image and label share the same index."
        )
        mistakes.append(WrongValue(images[other][None] / 255, f"image number {other}", hint))
    return mistakes


def _examine_label(label, labels: Tensor, index: int) -> None:
    what = f"The label of dataset[{index}]"
    value = expect_number(
        label,
        what,
        "Each image has one label, a class number: labels[index], not all labels and not one-hot.",
    )
    expected = int(labels[index])
    if value == expected:
        return
    if value == index:
        hint = "That is the index itself: look the label up in the labels that were handed over."
    elif value in (labels[0], labels[index - 1], labels[(index + 1) % len(labels)]):
        hint = "That is another image's label: image and label share the same index."
    else:
        hint = "The label is the number that was handed over for this image, unchanged."
    raise Wrong(f"{what} is {value:g}; expected {expected}.", hint)


# --- MLP ------------------------------------------------------------------------------------


mlp = Network(
    "MLP",
    NOTEBOOK,
    2,
    models.mlp,
    (4, 1, 28, 28),
    idea="Flatten each image to 784 numbers, map them to 512 with a linear layer, apply ReLU, map "
    "to ten scores with a second linear layer, and return these as they are.",
    hints={
        "features": "The sizes are 784 → 512 → 10: all pixels in, 512 hidden units, one output "
        "for each digit.",
        "flatten": "A linear layer works on the last dimension, and that must be all 784 pixels: "
        "flatten each image first, from dimension 1 on.",
        "size": "A linear layer works on the last dimension, and that must be all 784 pixels: "
        "flatten each image first, from dimension 1 on.",
        "shape": "One row of ten class scores for each image: flatten all but the first dimension, "
        "and end in a linear layer with ten outputs.",
        "too many": "784-512-10 names three sizes, and between them are two linear layers.",
        "too few": "784-512-10 names three sizes, so there are two linear layers with a ReLU "
        "between them.",
        "dropout": "Dropout is a fine idea for notebook 05, but this network has none.",
    },
)


EXERCISES = [
    Exercise(
        "DigitDataset",
        NOTEBOOK,
        2,
        OracleDataset,
        examine_dataset,
        "Keep images and labels in __init__. __len__ counts the images; __getitem__ takes one "
        "image by its index, turns it into floats in [0, 1], adds the channel dimension, and "
        "returns it with its label.",
    ),
    mlp,
    Exercise(
        "train_one_epoch",
        NOTEBOOK,
        3,
        oracle_train_one_epoch,
        examine_train_one_epoch,
        "Switch to training mode. For each batch: move it to the model's device, clear the "
        "gradients, forward, loss, backward, step. Add up loss times batch size, and divide by the "
        "number of samples after the loop.",
    ),
    Exercise(
        "accuracy",
        NOTEBOOK,
        2,
        oracle_accuracy,
        examine_accuracy,
        "Switch to evaluation mode and compute without gradients. For each batch, move it to the "
        "model's device, take the class with the largest logit of each row, and count where it "
        "equals the label; divide by the number of samples at the end.",
    ),
]
