"""The VGG networks for 32×32 images and their checks, which notebooks 04 and 05 share.

Configurations: Simonyan and Zisserman (2015), "Very deep convolutional networks for large-scale
image recognition", table 1. A unit test holds the references equal to torchvision's.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe
from labutils.checks.judges import networks

CONFIGURATION_A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
CONFIGURATION_D = [64, 64, "M", 128, 128, "M"] + [256] * 3 + ["M"] + ([512] * 3 + ["M"]) * 2


# --- references -----------------------------------------------------------------------------


def make_features(config: list) -> nn.Sequential:
    """The convolutional part: 3×3 convolutions (padding 1) with ReLU; "M" is a 2×2 max pool.

    [N, 3, H, W] to [N, C, H / 2^pools, W / 2^pools].
    """
    layers, in_channels = [], 3
    for entry in config:
        if entry == "M":
            layers.append(nn.MaxPool2d(kernel_size=2))
        else:
            layers += [nn.Conv2d(in_channels, entry, kernel_size=3, padding=1), nn.ReLU()]
            in_channels = entry
    return nn.Sequential(*layers)


class VGG11(nn.Module):
    """Configuration A for 32×32 images with one linear layer: [N, 3, 32, 32] to logits [N, K]."""

    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.features = make_features(CONFIGURATION_A)
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).flatten(1))


class VGG16(nn.Module):
    """Configuration D for 32×32 images: three linear layers, dropout after the hidden ones.

    [N, 3, 32, 32] to logits [N, K].
    """

    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.features = make_features(CONFIGURATION_D)
        self.classifier = nn.Sequential(
            nn.Linear(512, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).flatten(1))


# --- make_features --------------------------------------------------------------------------

# Channels that are in no table, two convolutions in a row, and sides that do not halve evenly.
_CONFIGS = [[6, "M", 4, 8, "M", 5], [5, 5, 5, "M", 7, "M"]]
_PICTURES = (3, 3, 18, 20)

_FEATURES_HINTS = {
    "no ReLU": "A ReLU follows every single convolution, not every block: without one, two "
    "convolutions in a row are a single linear map.",
    "no pool": 'Each "M" is a 2×2 max pool in its place of the list.',
    "extra pool": 'Only an "M" makes a pool; a number makes a convolution and a ReLU.',
    "pool size": 'VGG\'s pools are 2×2 with stride 2, without overlap or padding: each "M" halves '
    "the side, rounded down.",
    "channels": "A convolution takes as many channels as the last one gave: 3 at first, then the "
    'number before in the list. An "M" leaves the channels as they are.',
    "kernel": "VGG's convolutions are all 3×3 here.",
    "too few": "Some numbers of the list did not become a convolution. Is something appended to "
    "the list of layers in every round of the loop?",
    "too many": "Each number of the list is one convolution.",
    "padding": "Padding 1 keeps height and width through a 3×3 convolution; without it the "
    "picture loses two pixels a side at every layer.",
    "shared": "One convolution object stands in several places, so that these share their "
    "weights: make a new layer in every round of the loop.",
    "batch norm": "VGG of 2014 has no batch norm: convolution, ReLU, and nothing between.",
    "dropout": "Dropout belongs to the linear layers, not among the features.",
    "shape": "The result is a batch of feature maps, [N, C, H, W]: nothing is flattened here.",
    "single": "The result is a batch of feature maps, [N, C, H, W], for a single image too.",
}


def examine_make_features(answer: Callable) -> None:
    """Two short lists that cannot be guessed."""
    for config in _CONFIGS:
        _expect_sequential(ask(answer, list(config)), config)
        images = torch.randn(_PICTURES)
        networks.judge(answer, make_features, images, args=(list(config),), hints=_FEATURES_HINTS)


def _expect_sequential(features, config: list) -> None:
    if isinstance(features, nn.Sequential):
        return
    hint = "Put the layers, in order, into one nn.Sequential and return that."
    if isinstance(features, (list, tuple, nn.ModuleList)):
        hint = "A list of layers cannot be called. nn.Sequential(*layers) makes one module of it."
    if features is None:
        hint = "Is there a `return` at the end of the function?"
    raise Wrong(
        f"make_features({config}) gave {describe(features)}; expected an nn.Sequential.", hint
    )


# --- VGG11 ----------------------------------------------------------------------------------

_VGG11_HINTS = {
    "channels": "Configuration A is 64, M, 128, M, 256, 256, M, 512, 512, M, 512, 512, M: each "
    "convolution takes the channels that the last one gave.",
    "too many": "VGG11 counts eleven layers with its three linear ones; here it is eight "
    "convolutions (64, 128, 256, 256, 512, 512, 512, 512) and one linear layer.",
    "too few": "Configuration A has eight convolutions, and one linear layer follows: is one "
    "missing, or never called in forward?",
    "no pool": "There are five max pools, the last one after the last convolution: "
    "32, 16, 8, 4, 2, 1 pixels a side.",
    "extra pool": "A pool comes after convolutions 1, 2, 4, 6 and 8, and nowhere else.",
    "average pool": "Only max pools here. The adaptive average pool to 7×7 in torchvision belongs "
    "to 224×224 images; for 32×32 the features end as 1×1.",
    "features": "Five pools leave one single pixel of 32×32, in 512 channels: the linear layer "
    "takes 512 numbers and gives num_classes.",
    "size": "7×7×512 is what is left of 224×224. Of 32×32, five pools leave 1×1×512: the linear "
    "layer takes 512 numbers, and the features are flattened from dimension 1 on before it.",
    "dropout": "There is no hidden linear layer that would need dropout: leave it for VGG16.",
    "no ReLU": "A ReLU follows every convolution, also between two without a pool.",
    "batch norm": "This is VGG of 2014, before batch norm. The notebook shows what good "
    "initialisation does instead.",
}


def examine_vgg11(answer: Callable) -> None:
    """The same logits as the oracle's with the same weights; any number of classes."""
    images = torch.randn(3, 3, 32, 32)
    networks.judge(answer, VGG11, images, hints=_VGG11_HINTS)
    networks.expect_num_classes(answer, images, 7)


# --- VGG16 ----------------------------------------------------------------------------------

_VGG16_HINTS = {
    "channels": "Configuration D is 64, 64, M, 128, 128, M, 256 three times, M, 512 three times, "
    "M, 512 three times, M.",
    "kernel": "1×1 filters stand in configuration C. In D all thirteen convolutions are 3×3.",
    "too many": "Configuration D has thirteen convolutions (2, 2, 3, 3, 3), and three linear "
    "layers follow: sixteen layers with weights.",
    "too few": "Sixteen layers with weights: thirteen convolutions (2, 2, 3, 3, 3) and three "
    "linear layers. Is one missing, or never called in forward?",
    "no pool": "There are five max pools, one after each group of convolutions: "
    "32, 16, 8, 4, 2, 1 pixels a side.",
    "extra pool": "A pool comes after each of the five groups of convolutions, and nowhere else.",
    "average pool": "Only max pools here. The adaptive average pool to 7×7 in torchvision belongs "
    "to 224×224 images; for 32×32 the features end as 1×1.",
    "features": "The linear layers are 512→4096, 4096→4096 and 4096→num_classes: five pools leave "
    "one single pixel of 32×32, in 512 channels.",
    "size": "7×7×512 is what is left of 224×224. Of 32×32, five pools leave 1×1×512: the first "
    "linear layer takes 512 numbers.",
    "no ReLU": "A ReLU follows every layer but the last. Between two linear layers it is easily "
    "forgotten, and without it they are one.",
    "batch norm": "This is VGG of 2014, before batch norm: dropout is what regularises it.",
}


# The hidden linear layers are numbers 14 and 15: a dropout after each; before the first one too, or
# before each instead, as in torchvision's AlexNet.
_VGG16_DROPOUT = (frozenset({14, 15}), frozenset({13, 14, 15}), frozenset({13, 14}))


def examine_vgg16(answer: Callable) -> None:
    """The same logits as the oracle's with the same weights; in training, dropout in its places."""
    images = torch.randn(3, 3, 32, 32)
    networks.judge(
        answer,
        VGG16,
        images,
        dropout=networks.Dropout(0.5, _VGG16_DROPOUT),
        hints=_VGG16_HINTS,
    )
    networks.expect_num_classes(answer, images, 7)
