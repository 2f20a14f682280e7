"""Checks of notebook 04: receptive fields, parameters, and VGG11."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks import vgg
from labutils.checks.frame.ask import Wrong, ask, expect_number
from labutils.checks.frame.exercise import Exercise
from labutils.checks.numbers import plain, recognise

NOTEBOOK = "04_vgg11"

# --- receptive_field ------------------------------------------------------------------------


def _receptive_field(kernel_sizes: list[int], strides: list[int]) -> int:
    """By autograd: the span of input pixels that have a gradient from one output."""
    # An output's start lies less than the strides' product times the kernels' sum away from 0.
    size = math.prod(strides) * sum(kernel_sizes, 1) + 1
    image = torch.ones(1, 1, size, dtype=torch.float64, requires_grad=True)
    output = image
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        output = F.conv1d(output, torch.ones(1, 1, kernel_size, dtype=torch.float64), stride=stride)
    (grad,) = torch.autograd.grad(output[0, 0, 0], image)
    seen = grad[0, 0].nonzero()
    return int(seen.max() - seen.min()) + 1


def _field(kernel_sizes, strides, *, first=1, grow=lambda k: k - 1, jumps=None) -> int:
    """The usual sum with a mistake built in: what each layer adds, times the jump before it."""
    jumps = jumps or [math.prod(strides[:i]) for i in range(len(strides))]
    return first + sum(grow(k) * jump for k, jump in zip(kernel_sizes, jumps, strict=True))


def _backwards(kernel_sizes, strides, first, overlap) -> int:
    """The recursion from the output down to the input."""
    side = first
    for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides), strict=True):
        side = (side - overlap) * stride + kernel_size
    return side


_FIELD_MISTAKES: list[tuple[Callable, str]] = [
    (
        lambda k, s: sum(k),
        "This adds up the kernel sizes. Neighbouring windows overlap: after the first layer, each "
        "layer adds one pixel less than its kernel size (at stride 1).",
    ),
    (
        lambda k, s: k[0],
        "Only the first layer counted. A return that stands inside the loop ends it in the first "
        "round: move it behind the loop.",
    ),
    (
        lambda k, s: math.prod(k),
        "This multiplies the kernel sizes. Neighbouring windows overlap, so the field grows by "
        "addition: draw two stacked 3×3 windows and count the pixels.",
    ),
    (
        lambda k, s: _field(k, s, jumps=[1] * len(k)),
        "The strides do not enter. After a layer of stride 2 one step of the next layer is two "
        "input pixels wide, so what later layers add counts double.",
    ),
    (
        lambda k, s: _field(k, s, jumps=[math.prod(s[: i + 1]) for i in range(len(s))]),
        "A layer's own stride is applied too early: it widens the steps of the layers after it, "
        "not those inside its own window.",
    ),
    (
        lambda k, s: _field(k, s, jumps=[1, *s[:-1]]),
        "Only the stride of the layer before counts here. Strides pile up: the step in input "
        "pixels is the product of all strides before.",
    ),
    (
        lambda k, s: _field(k, s, jumps=list(s)),
        "Each layer is scaled by its own stride alone. What counts is the product of the strides "
        "of all layers before it.",
    ),
    (
        lambda k, s: _field(k, s, jumps=[1 + sum(s[:i]) for i in range(len(s))]),
        "The strides are added up. Two layers of stride 2 make steps of four pixels, and three "
        "make steps of eight: strides multiply.",
    ),
    (
        lambda k, s: _field(k, s, jumps=[max(1, sum(s[:i])) for i in range(len(s))]),
        "The strides are summed. Two layers of stride 2 make steps of four pixels, and three make "
        "steps of eight: strides multiply.",
    ),
    (
        lambda k, s: _field(k, s, first=0),
        "One pixel is missing: before any layer, an output is one input pixel, so the count "
        "starts at 1, not at 0.",
    ),
    (
        lambda k, s: _field(k, s, grow=lambda size: size),
        "Each layer adds its whole kernel size. The window's first pixel is there already: "
        "a layer adds one less.",
    ),
    (
        lambda k, s: _field(k, s, first=0, grow=lambda size: size),
        "The kernel sizes are added with the right steps, but neighbouring windows overlap: "
        "begin with 1 pixel, and let each layer add its kernel size less 1, times the step.",
    ),
    (
        lambda k, s: _backwards(k, s, first=1, overlap=0),
        "On the way from the output to the input, n positions at stride s lie (n - 1) · s pixels "
        "apart from first to last, not n · s.",
    ),
    (
        lambda k, s: _field(k[::-1], s[::-1]),
        "The layers are taken in the wrong order. The lists go from input to output, and a stride "
        "widens the layers after it.",
    ),
    (
        lambda k, s: _field(k, s) ** 2,
        "That is the area. Asked for is the side of the square.",
    ),
    (
        lambda k, s: _field(k, s, grow=lambda size: size // 2),
        "A window reaches out to both sides of its middle, so it adds its kernel size less 1, not "
        "half of it.",
    ),
]

_FIELD_CASES = [
    ([3], [1]),
    ([3, 3], [1, 1]),
    ([3, 3, 3], [1, 1, 1]),
    ([3, 3], [2, 1]),
    ([11, 3], [4, 2]),
    ([5, 2, 3, 2], [1, 2, 1, 2]),
    ([7, 3, 3, 1, 3], [2, 2, 1, 2, 1]),
    ([3, 2, 3, 2, 3, 3, 2], [1, 2, 1, 2, 1, 1, 2]),
]


def _check_receptive_field(answer) -> None:
    recognise(
        answer,
        "receptive_field",
        [((list(kernels), list(strides)), {}) for kernels, strides in _FIELD_CASES],
        _receptive_field,
        _FIELD_MISTAKES,
        "Go through the layers from the input on, and keep two numbers: how far an output sees, "
        "and how many input pixels one step of the current layer is.",
    )
    empty = "With no layer at all, an output is the input pixel itself: one pixel."
    side = expect_number(ask(answer, [], [], hint=empty), "receptive_field([], [])", empty)
    if side != 1:
        raise Wrong(
            f"receptive_field([], []) gave {plain(side)}; expected 1 (an empty stack).", empty
        )


# --- conv_parameters ------------------------------------------------------------------------


def _conv_parameters(in_channels: int, out_channels: int, kernel_size: int, bias=True) -> int:
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


_PARAMETER_MISTAKES: list[tuple[Callable, str]] = [
    (
        lambda i, o, k, bias=True: 1 + bias,
        "That is how many tensors hold the parameters, weight and bias. Count the numbers in them.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k * k,
        "The biases are not counted: with bias=True every filter (every output channel) has one.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k * k + o,
        "The argument bias is not looked at: with bias=False there is nothing to add.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k * k + o * (not bias),
        "bias works the wrong way round: the biases are added when it is False.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k * k + bias,
        "This adds a single bias. Every filter has one of its own, so there are as many as output "
        "channels.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k * k + i * bias,
        "The biases are counted by input channels. A bias is added to a filter's sum over all "
        "input channels: one for each output channel.",
    ),
    (
        lambda i, o, k, bias=True: o * i * (k * k + bias),
        "This has a bias for every pair of channels. A filter adds up all its input channels "
        "first, and then has one bias.",
    ),
    (
        lambda i, o, k, bias=True: o * (i + bias) * k * k,
        "The bias is counted once for every place in the window. It is one number a filter.",
    ),
    (
        lambda i, o, k, bias=True: o * i * k + o * bias,
        "A kernel has kernel_size × kernel_size weights; here the side is counted once only.",
    ),
    (
        lambda i, o, k, bias=True: o * i * 2 * k + o * bias,
        "A kernel has kernel_size × kernel_size weights, which is its square, not its double.",
    ),
    (
        lambda i, o, k, bias=True: o * k * k + o * bias,
        "A filter is as deep as its input: it has a kernel for each input channel, and in_channels "
        "is missing here.",
    ),
    (
        lambda i, o, k, bias=True: i * k * k + bias,
        "That is one filter. A layer has as many filters as it has output channels.",
    ),
    (
        lambda i, o, k, bias=True: i * k * k + o * bias,
        "The weights are those of one filter alone. There is a whole filter for each output "
        "channel.",
    ),
    (
        lambda i, o, k, bias=True: (i + o) * k * k + o * bias,
        "The channels are added. Every output channel looks at every input channel, so the two "
        "numbers multiply.",
    ),
]

_PARAMETER_CASES = [
    ((3, 64, 3), {}),
    ((3, 96, 11), {}),
    ((64, 128, 3), {}),
    ((512, 512, 1), {}),
    ((3, 8, 5, False), {}),
    ((64, 64, 3), {"bias": False}),
    ((16, 4, 7), {"bias": True}),
]


def _check_conv_parameters(answer) -> None:
    recognise(
        answer,
        "conv_parameters",
        _PARAMETER_CASES,
        _conv_parameters,
        _PARAMETER_MISTAKES,
        "Count one filter first (its width, its height, its depth), then its bias, then how many "
        "filters there are.",
    )


EXERCISES = [
    Exercise(
        name="receptive_field",
        notebook=NOTEBOOK,
        points=2,
        oracle=_receptive_field,
        examine=_check_receptive_field,
        idea="Start with a side of 1 and a step of 1. Each layer adds (kernel size - 1) steps to "
        "the side; after that, its stride multiplies the step for the layers that follow.",
    ),
    Exercise(
        name="conv_parameters",
        notebook=NOTEBOOK,
        points=1,
        oracle=_conv_parameters,
        examine=_check_conv_parameters,
        idea="A filter has kernel_size × kernel_size weights for each input channel, and one bias "
        "if there are biases. The layer has out_channels such filters.",
    ),
    Exercise(
        name="make_features",
        notebook=NOTEBOOK,
        points=3,
        oracle=vgg.make_features,
        examine=vgg.examine_make_features,
        idea="Walk through the list and keep the number of channels so far, 3 at first. A number "
        'appends a convolution to that many channels and a ReLU, an "M" a max pool; at the end '
        "the list of layers becomes one nn.Sequential.",
    ),
    Exercise(
        name="VGG11",
        notebook=NOTEBOOK,
        points=3,
        oracle=vgg.VGG11,
        examine=vgg.examine_vgg11,
        idea="The features of configuration A leave 512 numbers of an image. Flatten them, and "
        "let one linear layer make num_classes logits.",
    ),
]
