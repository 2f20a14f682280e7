"""Checks of notebook 04: receptive fields, parameters, the VGGs' features, and VGG11.

The oracles are autograd and ``nn.Conv2d`` on a meta tensor, and the networks of the reference runs,
whose features a test holds equal to torchvision's.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import Values, table
from labutils.training import models

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


receptive_field = Values(
    "receptive_field", NOTEBOOK, 2, _receptive_field,
    idea="Start with a side of 1 and a step of 1. Each layer adds (kernel size - 1) steps to the "
    "side; after that, its stride multiplies the step for the layers that follow.",
    hint="Go through the layers from the input on, and keep two numbers: how far an output sees, "
    "and how many input pixels one step of the current layer is.",
)  # fmt: skip

for _kernel_sizes, _strides in (
    ([3], [1]),
    ([3, 3], [1, 1]),
    ([3, 3, 3], [1, 1, 1]),
    ([3, 3], [2, 1]),
    ([11, 3], [4, 2]),
    ([5, 2, 3, 2], [1, 2, 1, 2]),
    ([7, 3, 3, 1, 3], [2, 2, 1, 2, 1]),
    ([3, 2, 3, 2, 3, 3, 2], [1, 2, 1, 2, 1, 1, 2]),
):
    receptive_field.probe(_kernel_sizes, _strides)
receptive_field.probe(
    [],
    [],
    hint="With no layer at all, an output is the input pixel itself: one pixel.",
    trap=lambda k, s: k[0] + _field(k[1:], s[1:], first=0) * s[0],
)


def _field(kernel_sizes, strides, *, first=1, grow=lambda k: k - 1, jumps=None) -> int:
    """The usual sum with a mistake built in: what each layer adds, times the jump before it."""
    jumps = jumps or [math.prod(strides[:i]) for i in range(len(strides))]
    return first + sum(grow(k) * jump for k, jump in zip(kernel_sizes, jumps, strict=True))


def _backwards(kernel_sizes, strides) -> int:
    """The recursion from the output down to the input, without the overlap."""
    side = 1
    for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides), strict=True):
        side = side * stride + kernel_size
    return side


receptive_field.mistakes += table(
    ("the sum of the kernel sizes", lambda k, s: sum(k),
     "Neighbouring windows overlap: after the first layer, each layer adds one pixel less than its "
     "kernel size (at stride 1)."),
    ("the first layer's kernel size", lambda k, s: k[0],
     "Only the first layer counted. A return that stands inside the loop ends it in the first "
     "round: move it behind the loop."),
    ("the product of the kernel sizes", lambda k, s: math.prod(k),
     "Neighbouring windows overlap, so the field grows by addition: draw two stacked 3×3 windows "
     "and count the pixels."),
    ("right only where all strides are 1", lambda k, s: _field(k, s, jumps=[1] * len(k)),
     "The strides do not enter. After a layer of stride 2 one step of the next layer is two input "
     "pixels wide, so what later layers add counts double."),
    ("a sum in which a layer's stride widens its own window",
     lambda k, s: _field(k, s, jumps=[math.prod(s[: i + 1]) for i in range(len(s))]),
     "A layer's own stride is applied too early: it widens the steps of the layers after it, not "
     "those inside its own window."),
    ("a sum in which each layer is scaled by a single stride",
     lambda k, s: _field(k, s, jumps=[1, *s[:-1]]), lambda k, s: _field(k, s, jumps=list(s)),
     "Strides pile up: the step in input pixels is the product of all strides before."),
    ("a sum in which the strides are added up",
     lambda k, s: _field(k, s, jumps=[1 + sum(s[:i]) for i in range(len(s))]),
     lambda k, s: _field(k, s, jumps=[max(1, sum(s[:i])) for i in range(len(s))]),
     "Two layers of stride 2 make steps of four pixels, and three make steps of eight: strides "
     "multiply."),
    ("one pixel too few", lambda k, s: _field(k, s, first=0),
     "Before any layer, an output is one input pixel, so the count starts at 1, not at 0."),
    ("a sum of whole kernel sizes, times the step",
     lambda k, s: _field(k, s, grow=lambda size: size),
     lambda k, s: _field(k, s, first=0, grow=lambda size: size),
     "The window's first pixel is there already: begin with 1 pixel, and let each layer add its "
     "kernel size less 1, times the step."),
    ("a recursion from the output to the input, without the overlap", _backwards,
     "On this way, n positions at stride s lie (n - 1) · s pixels apart from first to last, not "
     "n · s."),
    ("the field of the layers in the wrong order", lambda k, s: _field(k[::-1], s[::-1]),
     "The lists go from input to output, and a stride widens the layers after it."),
    ("the area", lambda k, s: _field(k, s) ** 2, "Asked for is the side of the square."),
    ("a sum of half the kernel sizes", lambda k, s: _field(k, s, grow=lambda size: size // 2),
     "A window reaches out to both sides of its middle, so it adds its kernel size less 1, not "
     "half of it."),
)  # fmt: skip

# --- conv_parameters ------------------------------------------------------------------------


def _conv_parameters(in_channels: int, out_channels: int, kernel_size: int, bias=True) -> int:
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias, device="meta")
    return sum(parameter.numel() for parameter in layer.parameters())


conv_parameters = Values(
    "conv_parameters", NOTEBOOK, 1, _conv_parameters,
    idea="A filter has kernel_size × kernel_size weights for each input channel, and one bias if "
    "there are biases. The layer has out_channels such filters.",
    hint="Count one filter first (its width, its height, its depth), then its bias, then how many "
    "filters there are.",
)  # fmt: skip

conv_parameters.probe(3, 64, 3)
conv_parameters.probe(3, 96, 11)
conv_parameters.probe(64, 128, 3)
conv_parameters.probe(512, 512, 1)
conv_parameters.probe(3, 8, 5, False)
conv_parameters.probe(64, 64, 3, bias=False)
conv_parameters.probe(16, 4, 7, bias=True)

conv_parameters.mistakes += table(
    ("the number of tensors", lambda i, o, k, bias=True: 1 + bias,
     "That is how many tensors hold the parameters, weight and bias. Count the numbers in them."),
    ("the number of weights alone", lambda i, o, k, bias=True: o * i * k * k,
     "The biases are not counted: with bias=True every filter (every output channel) has one."),
    ("the number with biases", lambda i, o, k, bias=True: o * i * k * k + o,
     "The argument bias is not looked at: with bias=False there is nothing to add."),
    ("the number for the other value of bias",
     lambda i, o, k, bias=True: o * i * k * k + o * (not bias),
     "bias works the wrong way round: the biases are added when it is False."),
    ("the number with a single bias", lambda i, o, k, bias=True: o * i * k * k + bias,
     "Every filter has a bias of its own, so there are as many as output channels."),
    ("the number with a bias for each input channel",
     lambda i, o, k, bias=True: o * i * k * k + i * bias,
     "A bias is added to a filter's sum over all input channels: one for each output channel."),
    ("the number with more than one bias for a filter",
     lambda i, o, k, bias=True: o * i * (k * k + bias),
     lambda i, o, k, bias=True: o * (i + bias) * k * k,
     "A filter adds up its whole window in all input channels first, and then has one bias."),
    ("the number for kernels of one dimension", lambda i, o, k, bias=True: o * i * k + o * bias,
     "A kernel has kernel_size × kernel_size weights; here the side is counted once only."),
    ("the number for kernels of kernel_size · 2 weights",
     lambda i, o, k, bias=True: o * i * 2 * k + o * bias,
     "A kernel has kernel_size × kernel_size weights, which is its square, not its double."),
    ("the number for filters of a single channel", lambda i, o, k, bias=True: o * k * k + o * bias,
     "A filter is as deep as its input: it has a kernel for each input channel, and in_channels is "
     "missing here."),
    ("the number with the weights of a single filter", lambda i, o, k, bias=True: i * k * k + bias,
     lambda i, o, k, bias=True: i * k * k + o * bias,
     "A layer has as many filters as it has output channels, each with weights of its own."),
    ("the number with the channels added", lambda i, o, k, bias=True: (i + o) * k * k + o * bias,
     "Every output channel looks at every input channel, so the two numbers multiply."),
)  # fmt: skip

# --- make_features --------------------------------------------------------------------------

# Channels that are in no table, two convolutions in a row, and sides that do not halve evenly.
make_features = Network(
    "make_features", NOTEBOOK, 3, models.vgg_features, (3, 3, 18, 20),
    calls=(([6, "M", 4, 8, "M", 5],), ([5, 5, 5, "M", 7, "M"],)),
    kind=nn.Sequential,
    idea="Walk through the list and keep the number of channels so far, 3 at first. A number "
    'appends a convolution to that many channels and a ReLU, an "M" a max pool; at the end the '
    "list of layers becomes one nn.Sequential.",
    hints={
        "module": "Put the layers, in order, into one nn.Sequential and return that.",
        "no ReLU": "A ReLU follows every single convolution, not every block: without one, two "
        "convolutions in a row are a single linear map.",
        "no pool": 'Each "M" is a 2×2 max pool in its place of the list.',
        "extra pool": 'Only an "M" makes a pool; a number makes a convolution and a ReLU.',
        "pool size": 'VGG\'s pools are 2×2 with stride 2, without overlap or padding: each "M" '
        "halves the side, rounded down.",
        "channels": "A convolution takes as many channels as the last one gave: 3 at first, then "
        'the number before in the list. An "M" leaves the channels as they are.',
        "kernel": "VGG's convolutions are all 3×3 here.",
        "too few": "Some numbers of the list did not become a convolution. Is something appended "
        "to the list of layers in every round of the loop?",
        "too many": "Each number of the list is one convolution.",
        "padding": "Padding 1 keeps height and width through a 3×3 convolution; without it the "
        "picture loses two pixels a side at every layer.",
        "shared": "One convolution object stands in several places, so that these share their "
        "weights: make a new layer in every round of the loop.",
        "batch norm": "VGG of 2014 has no batch norm: convolution, ReLU, and nothing between.",
        "dropout": "Dropout belongs to the linear layers, not among the features.",
        "shape": "The result is a batch of feature maps, [N, C, H, W]: nothing is flattened here.",
        "single": "The result is a batch of feature maps, [N, C, H, W], for a single image too.",
    },
)  # fmt: skip

# --- VGG11 ----------------------------------------------------------------------------------

vgg11 = Network(
    "VGG11", NOTEBOOK, 3, models.vgg11, (3, 3, 32, 32), num_classes=7,
    idea="The features of configuration A leave 512 numbers of an image. Flatten them, and let "
    "one linear layer make num_classes logits.",
    hints={
        "channels": "Configuration A is 64, M, 128, M, 256, 256, M, 512, 512, M, 512, 512, M: each "
        "convolution takes the channels that the last one gave.",
        "too many": "VGG11 counts eleven layers with its three linear ones; here it is eight "
        "convolutions (64, 128, 256, 256, 512, 512, 512, 512) and one linear layer.",
        "too few": "Configuration A has eight convolutions, and one linear layer follows: is one "
        "missing, or never called in forward?",
        "no pool": "There are five max pools, the last one after the last convolution: "
        "32, 16, 8, 4, 2, 1 pixels a side.",
        "extra pool": "A pool comes after convolutions 1, 2, 4, 6 and 8, and nowhere else.",
        "average pool": "Only max pools here. The adaptive average pool to 7×7 in torchvision "
        "belongs to 224×224 images; for 32×32 the features end as 1×1.",
        "features": "Five pools leave one single pixel of 32×32, in 512 channels: the linear layer "
        "takes 512 numbers and gives num_classes.",
        "size": "7×7×512 is what is left of 224×224. Of 32×32, five pools leave 1×1×512: the "
        "linear layer takes 512 numbers, and the features are flattened from dimension 1 on "
        "before it.",
        "dropout": "There is no hidden linear layer that would need dropout: leave it for VGG16.",
        "no ReLU": "A ReLU follows every convolution, also between two without a pool.",
        "batch norm": "This is VGG of 2014, before batch norm. The notebook shows what good "
        "initialisation does instead.",
    },
)  # fmt: skip

EXERCISES = [receptive_field, conv_parameters, make_features, vgg11]
