"""Checks of notebook 06: AlexNet itself here, its arithmetic and its normalisation beside it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Network, expect_num_classes, judge
from labutils.checks.output_sizes import (
    examine_alexnet_shapes,
    examine_conv_output_size,
    oracle_alexnet_shapes,
    oracle_conv_output_size,
)
from labutils.checks.response_norm import (
    examine_local_response_norm,
    oracle_local_response_norm,
)

NOTEBOOK = "06_alexnet_output_sizes"


class OracleAlexNet(nn.Module):
    """The lecture's network. The other arguments make variants and mistakes of it."""

    def __init__(
        self,
        num_classes: int = 1000,
        *,
        order: str = "relu pool norm",
        norms: tuple[int, ...] = (1, 2),
        sizes: tuple[int, int] = (5, 5),
        k: float = 2.0,
    ):
        super().__init__()

        def block(number: int) -> list[nn.Module]:
            layers = {
                "relu": nn.ReLU(),
                "pool": nn.MaxPool2d(3, stride=2),
                "norm": nn.LocalResponseNorm(sizes[number - 1], k=k),
            }
            return [layers[word] for word in order.split() if word != "norm" or number in norms]

        self.features = nn.Sequential(
            *(nn.Conv2d(3, 96, 11, stride=4), *block(1)),
            *(nn.Conv2d(96, 256, 5, padding=2), *block(2)),
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(256 * 6 * 6, 4096), nn.ReLU(), nn.Dropout(0.5)),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5)),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


def _variant(says: str, hint: str = "", **options) -> Network:
    return Network(lambda *args: OracleAlexNet(*args, **options), says, hint)


_PAPER = "Right, in the paper's order: it normalises before it pools, the lecture after."

_ALEXNET_ALSO = [
    _variant("", k=1.0),
    _variant(_PAPER, order="relu norm pool"),
    _variant(_PAPER, order="relu norm pool", k=1.0),
]

_NO_NORM = (
    "A local response normalisation belongs after POOL1 and after POOL2 (NORM1 and NORM2). It has "
    "no weights, so the number of parameters does not miss it."
)
_NORM_SIZE = (
    "The first argument of nn.LocalResponseNorm is the width of its window, 5 channels in the "
    "paper; it is not the number of channels."
)

_ALEXNET_MISTAKES = [
    _variant("AlexNet has no NORM1 and NORM2.", _NO_NORM, norms=()),
    _variant("AlexNet has a NORM1, but no NORM2.", _NO_NORM, norms=(1,)),
    _variant("AlexNet has a NORM2, but no NORM1.", _NO_NORM, norms=(2,)),
    *(
        _variant(
            "NORM1 and NORM2 run over windows of 96 and 256 channels; expected 5.",
            _NORM_SIZE,
            sizes=(96, 256),
            k=k,
        )
        for k in (1.0, 2.0)
    ),
    *(
        _variant(
            "AlexNet normalises before the ReLU.",
            "The ReLU follows the convolution at once; normalised is what comes out of it.",
            order="norm relu pool",
            k=k,
        )
        for k in (1.0, 2.0)
    ),
]

_ALEXNET_HINTS = {
    "response norm": _NO_NORM,
    "batch norm": "Batch normalisation is three years younger. AlexNet has local response "
    "normalisation, which has no weights.",
    "no ReLU": "A ReLU follows each convolution at once, and FC6 and FC7: without it, two layers "
    "are no more than one linear map.",
    "no pool": "A 3×3 max pool at stride 2 follows CONV1, CONV2 and CONV5.",
    "extra pool": "Three pools only: after CONV1, CONV2 and CONV5. The others follow one another "
    "directly.",
    "pool size": "AlexNet's pools overlap: windows of 3×3 that move by 2. A 2×2 pool gives the "
    "same sizes here, but other values.",
    "stride": "Only CONV1 takes larger steps: stride 4. All other convolutions move by 1.",
    "padding": "CONV1 has no padding (the input has 227 pixels), CONV2 has 2, and CONV3 to CONV5 "
    "have 1.",
    "kernel": "The filters are 11×11 in CONV1, 5×5 in CONV2 and 3×3 in the others.",
    "channels": "The lecture's table has 96, 256, 384, 384 and 256 filters. (64 and 192 are the "
    "widths of torchvision's alexnet, a later version.)",
    "features": "FC6 takes the 256 × 6 × 6 numbers of POOL3, and FC6 and FC7 have 4096 neurons.",
    "groups": "groups=2 is how the paper splits the network over two GPUs. The simplified network "
    "is one tower: every filter sees all channels.",
    "size": "Print the shape before FC6: for 227×227 pixels it must be 256 × 6 × 6. With 224, or "
    "other padding, it is not.",
    "too many": "Count the layers with weights: five convolutions and three linear layers.",
    "too few": "Five convolutions and three linear layers; one is missing, or is never called.",
    "num_classes": "num_classes is an argument: FC8 gives that many scores, 1000 only by default.",
}


def _alexnet_dropout(rates: dict[int, float]) -> None:
    """FC6 and FC7 each have a dropout of 0.5, before or after them. Layers 1-5 are convolutions."""
    places = {i: f"after {'CONV' if i < 6 else 'FC'}{i}" if i else "on the images" for i in rates}
    seen = "In training mode AlexNet drops "
    for i, rate in rates.items():
        if i not in (5, 6, 7):
            raise Wrong(
                f"{seen}entries {places[i]}; expected dropout before or after FC6 and FC7 only.",
                "Dropout belongs to the two large linear layers, FC6 and FC7: there are the "
                "parameters. The class scores and the convolutions stay as they are.",
            )
        if abs(rate - 0.5) > 0.07:
            raise Wrong(
                f"{seen}{rate:.0%} of the entries {places[i]}; expected 50%.",
                "The lecture's recipe has dropout 0.5, so half of the entries become zero.",
            )
    if not rates:
        raise Wrong(
            f"{seen}nothing.",
            "Regularise FC6 and FC7: a dropout of 0.5 before or after each of them.",
        )
    if len(rates) < 2:
        raise Wrong(
            f"{seen}entries {', '.join(places.values())} only.",
            "Two layers are regularised, FC6 and FC7, so there are two dropouts.",
        )


def examine_alexnet(answer: Callable) -> str | None:
    """Judge the network by what it computes, on pictures strong enough to feel LRN."""
    images = 200 * torch.randn(2, 3, 227, 227)
    word = judge(
        answer,
        OracleAlexNet,
        images,
        also=_ALEXNET_ALSO,
        mistakes=_ALEXNET_MISTAKES,
        dropout=_alexnet_dropout,
        hints=_ALEXNET_HINTS,
    )
    expect_num_classes(answer, images, 10, _ALEXNET_HINTS["num_classes"])
    return word


EXERCISES = [
    Exercise(
        name="conv_output_size",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_conv_output_size,
        examine=examine_conv_output_size,
        idea="After its first place the filter can still move by (size + both paddings - filter) "
        "pixels. Count how many whole strides fit into that, and add the first place.",
    ),
    Exercise(
        name="alexnet_shapes",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_alexnet_shapes,
        examine=examine_alexnet_shapes,
        idea="Go down the table row by row. A convolution's channels are its filters, a pool and "
        "a normalisation keep theirs; the sides follow from the formula; a linear layer has one "
        "number a neuron.",
    ),
    Exercise(
        name="AlexNet",
        notebook=NOTEBOOK,
        points=3,
        oracle=OracleAlexNet,
        examine=examine_alexnet,
        idea="Write the layers down in the order of the table of shapes, a ReLU after each "
        "convolution and after FC6 and FC7; flatten between POOL3 and FC6; a dropout with FC6 and "
        "with FC7.",
        seconds=60.0,
    ),
    Exercise(
        name="local_response_norm",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_local_response_norm,
        examine=examine_local_response_norm,
        idea="Square x, sum the squares over a window of channels around each channel (zeros where "
        "it hangs over), and divide x by (k + alpha / size · sum) to the power beta.",
    ),
]
