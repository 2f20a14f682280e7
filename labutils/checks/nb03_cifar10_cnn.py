"""Checks of notebook 03: normalising images, a convolution by hand, and the CNN.

The oracles are torchvision's transforms, ``F.conv2d``, and torch's own layers.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import Mistake, Values, table
from labutils.training import models

NOTEBOOK = "03_cifar10_cnn"

# --- normalize ------------------------------------------------------------------------------


def oracle_normalize(images: Tensor) -> Tensor:
    """torchvision's own pipeline, image by image: uint8 [N, H, W, C] to float32 [N, C, H, W]."""
    from torchvision.transforms import functional

    half = [0.5] * images.shape[-1]
    pictures = [functional.to_tensor(image.numpy(force=True)) for image in images]
    return torch.stack([functional.normalize(p, half, half) for p in pictures]).to(images.device)


normalize = Values(
    "normalize", NOTEBOOK, 2, oracle_normalize,
    idea="Make float32 numbers of the bytes, bring 0..255 to -1..1 with one fixed straight line, "
    "and move the channel dimension from the last place to the second.",
    hint="Two points fix the line: 0 goes to -1 and 255 to 1. What does your formula make of them?",
    failed="It gets a batch, of any number and size of images: write no size of CIFAR-10 into it, "
    "use no transform for single pictures, and move the channels with permute. (reshape would "
    "scramble the picture.)",
    shape_hint="PyTorch's order is N, C, H, W: the channels move from the last place to the "
    "second.",
    dtype_hint="A network's weights are float32, and so must its images be: convert with .float(). "
    "(float64 comes from numpy or .double(), and takes twice the memory.)",
)  # fmt: skip

_generator = torch.Generator().manual_seed(1)
# N, C, H and W differ; the colour pictures hold neither 0 nor 255.
normalize.probe(torch.randint(20, 230, (2, 4, 5, 3), generator=_generator, dtype=torch.uint8))
_grey = torch.randint(0, 256, (3, 2, 6, 1), generator=_generator, dtype=torch.uint8)
_grey[0, 0, :2, 0] = torch.tensor([0, 255])
normalize.probe(_grey)


def _stretched(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    return (x.float() - low) / (high - low)


def _standardised(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    x = x.float()
    return (x - x.mean(dims, keepdim=True)) / x.std(dims, keepdim=True)


def _right(x: Tensor) -> Tensor:
    return x / 127.5 - 1


_BATCH, _EACH, _CHANNEL, _PLANE = (0, 1, 2, 3), (1, 2, 3), (0, 1, 2), (1, 2)
_CIFAR_MEAN, _CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def _both(scale: Callable, move: Callable = lambda x: x.permute(0, 3, 1, 2)) -> Callable:
    return lambda images: move(scale(images))


normalize.mistakes += table(
    ("values from 0 to 1", lambda x: x / 255,
     "Dividing by 255 gives 0 to 1. Stretch it to -1 to 1: subtract the mean 0.5, divide by 0.5."),
    ("values from -0.5 to 0.5", lambda x: x / 255 - 0.5,
     "After subtracting 0.5 the range is one wide; divide by 0.5 too, so that it is two."),
    ("0.5 subtracted from values up to 255", lambda x: (x - 0.5) / 0.5,
     "Mean and standard deviation 0.5 are meant for values from 0 to 1: divide by 255 first."),
    ("the values as they were", lambda x: x.float(),
     "The values were not scaled: 255 must become 1."),
    ("values from 0 to 2", lambda x: x / 127.5,
     "The range is two wide, as it should be, but begins at 0: subtract 1."),
    ("a division by 128", lambda x: x / 128 - 1,
     "The largest byte is 255, not 256: half of it is 127.5."),
    ("values from -1 to 0", lambda x: x / 255 - 0.5 / 0.5,
     "A division goes before a subtraction, so this is x/255 - (0.5/0.5): the difference needs "
     "brackets, (x/255 - 0.5) / 0.5."),
    ("values from -0.25 to 0.25", lambda x: (x / 255 - 0.5) * 0.5,
     "After subtracting 0.5, divide by the deviation 0.5; multiplying by it halves the range "
     "instead of doubling it."),
    ("a negative of the picture", lambda x: 1 - x / 127.5,
     "Black became 1 and white -1: the sign is turned round."),
    ("values standardised by what these images hold", lambda x: _standardised(x, _EACH),
     lambda x: _standardised(x, _BATCH), lambda x: _standardised(x, _CHANNEL),
     "An image's own mean and deviation make a dark one and a bright one look alike, and those of "
     "a batch, or of its channels, change with the batch. Use fixed numbers, 0.5 and 0.5."),
    ("CIFAR-10's own mean and deviation",
     lambda x: (x / 255 - torch.tensor(_CIFAR_MEAN)) / torch.tensor(_CIFAR_STD),
     "Those numbers belong to CIFAR-10 and are often used. Here 0.5 and 0.5 are asked for, so that "
     "the range is from -1 to 1."),
    ("a range fixed by the least and the largest value at hand",
     lambda x: 2 * _stretched(x, _BATCH) - 1, lambda x: 2 * _stretched(x, _EACH) - 1,
     lambda x: 2 * _stretched(x, _CHANNEL) - 1, lambda x: 2 * _stretched(x, _PLANE) - 1,
     lambda x: _stretched(x, _BATCH), lambda x: x / x.max() * 2 - 1,
     "The darkest pixel here need not be 0, nor the brightest 255, and another batch has others: "
     "use the fixed numbers 0 and 255, not what this batch happens to hold."),
    ("bytes that wrapped round", lambda x: (x * 2 - 255) / 255, lambda x: (x - 127) / 128,
     lambda x: (x - 128) / 128, lambda x: x // 255 * 2.0 - 1,
     "Computing in uint8 wraps round at 256: 2 · 200 is 144 there, and 100 - 127 is 229. Convert "
     "to float32 first."),
    ("a picture of whole numbers", lambda x: _right(x).to(torch.uint8),
     "uint8 knows no fractions and nothing below 0: make float32 of the images first, then "
     "compute, and leave them so."),
    ("the right picture in half precision", lambda x: _right(x).half(),
     "Half precision keeps three digits. Images for a network are float32: convert with .float()."),
    of=_both,
)  # fmt: skip
for _name, _hint, (_move,) in table(
    ("still N, H, W, C", lambda x: x,
     "The channels are still last. permute moves a dimension to another place: PyTorch's order is "
     "N, C, H, W."),
    ("a reshape, which scrambles the picture",
     lambda x: x.reshape(x.shape[0], x.shape[3], *x.shape[1:3]),
     "reshape and view keep the numbers in their old order and only cut the row of them elsewhere, "
     "which mixes colours with places. To reorder dimensions use permute; show one image and see."),
    ("height and width swapped", lambda x: x.permute(0, 3, 2, 1),
     "The picture lies on its side: permute(0, 3, 2, 1) swaps height and width too; keep H before "
     "W."),
    ("C, N, H, W", lambda x: x.permute(3, 0, 1, 2),
     "The batch comes first and the channels second; here it is the other way round."),
):  # fmt: skip
    _formulas = _both(_right, _move), _both(lambda x: x / 255, _move)
    normalize.mistakes.append(Mistake(_name, _hint, _formulas))

# --- convolve -------------------------------------------------------------------------------


def oracle_convolve(image: Tensor, kernel: Tensor) -> Tensor:
    """Cross-correlation: [H, W] and [k, l] to [H - k + 1, W - l + 1], any dtype the two share.

    Where they share none, the result has the dtype of ``image * kernel``.
    """
    dtype = torch.result_type(image, kernel)
    return F.conv2d(image[None, None].to(dtype), kernel[None, None].to(dtype))[0, 0]


convolve = Values(
    "convolve", NOTEBOOK, 2, oracle_convolve,
    idea="The window has the kernel's size and stands at H - k + 1 by W - l + 1 places. At each, "
    "multiply it with the kernel entry by entry, and add all products up.",
    hint="Take the window whose upper left corner lies at (i, j), k rows and l columns. Multiply "
    "it with the kernel entry by entry, and add up: that is the output's entry (i, j).",
    failed="The window at (i, j) is image[i : i + k, j : j + l], as large as the kernel, and k and "
    "l may differ. It fits at H - k + 1 by W - l + 1 places.",
    shape_hint="A window of k rows fits into H rows at H - k + 1 places: one at row 0, and one for "
    "each row that it can still move on. The same for l columns in W.",
    dtype_hint="The result has the dtype of image * kernel, so whole numbers stay whole: "
    "torch.zeros makes float32 unless it is told dtype=torch.result_type(image, kernel).",
)  # fmt: skip

# A square kernel that differs from all its mirror images; products, sums and maxima all differ.
_image = torch.tensor([[3.0, 1.0, 0.0, 2.0], [0.0, 5.0, 1.0, 4.0], [2.0, 0.0, 6.0, 1.0]])
_kernel = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
_oblong = (
    "The kernel need not be a square: k, l = kernel.shape gives its rows and its columns, and each "
    "direction needs its own."
)
convolve.probe(_image, _kernel)
convolve.probe(_image, torch.tensor([[1.0, -2.0, 4.0], [0.5, 3.0, -1.0]]), hint=_oblong)
convolve.probe(_image.T.contiguous(), torch.tensor([[2.0], [-1.0], [0.5]]), hint=_oblong)
convolve.probe(_image, _image.flip(0), hint="A kernel as large as the image fits at one place.")
convolve.probe(_image.double() / 3, _kernel.double() / 7, call="convolve of two float64 tensors")
convolve.probe(_image.long(), torch.tensor([[1, 2], [-3, 4]]), call="convolve of two int64 tensors")
convolve.probe(_image.long(), _kernel, call="convolve of an int64 image and a float32 kernel")
convolve.probe(
    _image / 3,
    torch.tensor([[1, 2], [-3, 4]]),
    call="convolve of a float32 image and an int64 kernel",
)


def _windows(image: Tensor, kernel: Tensor) -> Tensor:
    """All windows: [H - k + 1, W - l + 1, k, l]."""
    return image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)


convolve.mistakes += table(
    ("a convolution with the kernel turned round",
     lambda image, kernel: oracle_convolve(image, kernel.flip(0, 1)),
     lambda image, kernel: oracle_convolve(image, kernel.flip(0)),
     lambda image, kernel: oracle_convolve(image, kernel.flip(1)),
     "That is the convolution of mathematics, which flips the kernel. Networks lay it on the image "
     "as it is, without a flip: entry (0, 0) on the window's upper left corner."),
    ("an output with rows and columns swapped",
     lambda image, kernel: oracle_convolve(image, kernel).T,
     lambda image, kernel: oracle_convolve(image, kernel.T),
     lambda image, kernel: oracle_convolve(image.T, kernel),
     lambda image, kernel: oracle_convolve(image.T, kernel.T).T.contiguous().T,
     "The first index counts rows (H and k), the second columns (W and l), in image, kernel and "
     "output alike: somewhere the two are swapped."),
    ("an output of the input's size",
     lambda image, kernel: oracle_convolve(_padded(image, kernel, 0), kernel),
     lambda image, kernel: oracle_convolve(_padded(image, kernel, 1), kernel),
     lambda image, kernel: _padded(oracle_convolve(image, kernel), kernel, 0),
     "No padding is asked for: the window stays inside the image, and the output is smaller than "
     "the input by k - 1 rows and l - 1 columns."),
    ("an output that is one row or column short",
     lambda image, kernel: oracle_convolve(image, kernel)[:-1, :-1],
     lambda image, kernel: oracle_convolve(image, kernel)[:-1],
     lambda image, kernel: oracle_convolve(image, kernel)[:, :-1],
     lambda image, kernel: F.pad(oracle_convolve(image, kernel)[:-1, :-1], (0, 1, 0, 1)),
     "The last window is left out: it starts at row H - k, and range(H - k) ends one before. There "
     "are H - k + 1 places, and W - l + 1."),
    ("the sum of the pixels in each window",
     lambda image, kernel: _windows(image, kernel).sum((2, 3)),
     "The kernel's entries are the weights: multiply each pixel of the window by its own, and add "
     "up then."),
    ("the mean of the products",
     lambda image, kernel: (_windows(image, kernel) * kernel).double().mean((2, 3)),
     lambda image, kernel: (_windows(image, kernel) * kernel).sum((2, 3)) / kernel.sum(),
     "The products are added up, not averaged: a kernel that is to average has 1/(k·l) in its own "
     "entries."),
    ("the largest value of each window",
     lambda image, kernel: (_windows(image, kernel) * kernel).amax((2, 3)),
     lambda image, kernel: _windows(image, kernel).amax((2, 3)),
     "A maximum is what max pooling takes. A convolution adds all the products up."),
    ("a matrix product of window and kernel, added up",
     lambda image, kernel: (_windows(image, kernel) @ kernel).sum((2, 3)),
     "`@` is the matrix product, rows times columns. Here each pixel is multiplied by the weight "
     "that lies on it: `*`."),
    ("the product of a single weight",
     lambda image, kernel: _windows(image, kernel)[..., -1, -1] * kernel[-1, -1],
     "Only the last product is left of each window: is there an = where += is needed?"),
    ("the products of each window, not added up",
     lambda image, kernel: _windows(image, kernel) * kernel,
     "One number for each window: add its products up, .sum()."),
    ("the output for windows side by side",
     lambda image, kernel: oracle_convolve(image, kernel)[:: len(kernel), :: kernel.shape[1]],
     "The window moves on by one pixel, so that windows overlap (stride 1); here it jumps by its "
     "own size."),
    ("the first window alone", lambda image, kernel: oracle_convolve(image, kernel)[0, 0],
     lambda image, kernel: oracle_convolve(image, kernel)[:1, :1],
     "That is the answer at one place. The window moves over the image, along the rows and the "
     "columns: two loops."),
    ("the output without its negative values",
     lambda image, kernel: oracle_convolve(image, kernel).clamp(min=0),
     "Negative sums stay: cutting them off is the ReLU's job, which is a layer of its own."),
    ("the right output with dimensions of size 1",
     lambda image, kernel: oracle_convolve(image, kernel)[None, None],
     lambda image, kernel: oracle_convolve(image, kernel)[None],
     "nn.functional.conv2d wants a batch and channels, and gives them back. Here a plain matrix is "
     "asked for, (H - k + 1, W - l + 1)."),
    ("the output without its fractions",
     lambda image, kernel: oracle_convolve(image, kernel).to(image.dtype),
     lambda image, kernel: oracle_convolve(image, kernel).to(kernel.dtype),
     "One of image and kernel holds whole numbers, the other has fractions, and so has the output: "
     "do not give it the dtype of the first. torch.result_type(image, kernel) is that of "
     "image * kernel."),
)  # fmt: skip


def _padded(x: Tensor, kernel: Tensor, before: int) -> Tensor:
    """x with k - 1 more rows and l - 1 more columns of zeros, ``before`` of each in front."""
    rows, columns = kernel.shape[0] - 1, kernel.shape[1] - 1
    return F.pad(x, (before, columns - before, before, rows - before))


# --- CNN ------------------------------------------------------------------------------------

cnn = Network(
    "CNN", NOTEBOOK, 3, models.cnn, (3, 3, 32, 32),
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
)  # fmt: skip

EXERCISES = [normalize, convolve, cnn]
