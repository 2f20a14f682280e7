"""Checks of notebook 06: AlexNet itself here, its arithmetic and its normalisation beside it."""

from functools import partial

from torch import Tensor, nn

from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Dropout, Network
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


_FC6_FC7 = (
    "Dropout belongs to the two large linear layers, FC6 and FC7: there are the parameters. The "
    "class scores and the convolutions stay as they are."
)
_NO_NORM = (
    "A local response normalisation belongs after POOL1 and after POOL2 (NORM1 and NORM2). It has "
    "no weights, so the number of parameters does not miss it."
)

_HINTS = {
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
    "no dropout": "Regularise FC6 and FC7: a dropout of 0.5 before or after each of them.",
    "missing dropout": "Two layers are regularised, FC6 and FC7, so there are two dropouts.",
    "dropout elsewhere": _FC6_FC7,
    "dropout last": _FC6_FC7,
    "dropout rate": "The lecture's recipe has dropout 0.5, so half of the entries become zero.",
}

alexnet = Network(
    "AlexNet",
    NOTEBOOK,
    3,
    OracleAlexNet,
    (2, 3, 227, 227),
    scale=200.0,  # strong enough to feel the normalisation
    num_classes=10,
    # FC6 and FC7 are layers 6 and 7: each has a dropout, before or after it.
    dropout=Dropout(0.5, tuple(map(frozenset, ({6, 7}, {5, 6}, {5, 7}, {5, 6, 7})))),
    idea="Write the layers down in the order of the table of shapes, a ReLU after each convolution "
    "and after FC6 and FC7; flatten between POOL3 and FC6; a dropout with FC6 and with FC7.",
    seconds=60.0,
    hints=_HINTS,
)

alexnet.also("", partial(OracleAlexNet, k=1.0))
alexnet.also(
    "Right, in the paper's order: it normalises before it pools, the lecture after.",
    *(partial(OracleAlexNet, order="relu norm pool", k=k) for k in (1.0, 2.0)),
)
alexnet.mistake("AlexNet has no NORM1 and NORM2.", _NO_NORM, partial(OracleAlexNet, norms=()))
alexnet.mistake(
    "AlexNet has NORM1 or NORM2 only.",
    _NO_NORM,
    partial(OracleAlexNet, norms=(1,)),
    partial(OracleAlexNet, norms=(2,)),
)
alexnet.mistake(
    "NORM1 and NORM2 run over windows of 96 and 256 channels; expected 5.",
    "The first argument of nn.LocalResponseNorm is the width of its window, 5 channels in the "
    "paper; it is not the number of channels.",
    *(partial(OracleAlexNet, sizes=(96, 256), k=k) for k in (1.0, 2.0)),
)
alexnet.mistake(
    "AlexNet normalises before the ReLU.",
    "The ReLU follows the convolution at once; normalised is what comes out of it.",
    *(partial(OracleAlexNet, order="norm relu pool", k=k) for k in (1.0, 2.0)),
)


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
    alexnet,
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
