"""Checks of notebook 06: output sizes, AlexNet's table of shapes, AlexNet, and its normalisation.

The oracles are PyTorch's: layers on the meta device, where a picture has a shape and no memory, and
``F.local_response_norm``.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe, expect_number
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Dropout, Network
from labutils.checks.judges.values import Values, table

NOTEBOOK = "06_alexnet_output_sizes"

# --- conv_output_size -----------------------------------------------------------------------


def _conv_output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """What nn.Conv2d makes of a picture without memory; ValueError where it refuses."""
    layer = nn.Conv2d(1, 1, kernel_size, stride, padding, device="meta")
    try:
        return layer(torch.empty(1, 1, size, size, device="meta")).shape[-1]
    except RuntimeError:
        raise ValueError(
            f"a filter of {kernel_size} pixels is larger than the input of {size} pixels with "
            f"padding {padding} on both sides"
        ) from None


conv_output_size = Values(
    "conv_output_size", NOTEBOOK, 2, _conv_output_size,
    idea="After its first place the filter can still move by (size + both paddings - filter) "
    "pixels. Count how many whole strides fit into that, and add the first place.",
    hint="Slide the filter by hand over a row of a few pixels, count its places, and compare.",
)  # fmt: skip

for _args, _kwargs in (
    ((32, 5), {}),
    ((227, 11, 4), {}),
    ((55, 3, 2), {}),
    ((13, 3, 1, 1), {}),
    ((27, 5, 1, 2), {}),
    ((28, 5), {"padding": 2}),
    ((9, 3), {"stride": 2}),
    ((8, 2), {"stride": 2, "padding": 1}),
):
    conv_output_size.probe(
        *_args,
        failed="This filter fits: only one larger than the padded picture is an error.",
        **_kwargs,
    )
_ROUND_DOWN = (
    "When the stride does not divide evenly, the last pixels are left out: round down, to a whole "
    "number. It is no error."
)
for _args in ((224, 11, 4, 2), (10, 3, 4), (12, 3, 4), (13, 3, 4)):
    conv_output_size.probe(*_args, failed=_ROUND_DOWN)
conv_output_size.probe(
    *(5, 5),
    hint="A filter exactly as large as the picture fits: at one place. Only a larger one is an "
    "error.",
)
conv_output_size.probe(
    *(3, 5, 1, 1),
    hint="Compare the filter with the padded picture: padding on both sides makes room for it.",
)

conv_output_size.mistakes += table(
    ("the number of steps", lambda n, k, stride=1, padding=0: (n - k + 2 * padding) // stride,
     "The + 1 is missing: the fraction counts steps, and there is a place before the first step."),
    ("the size with half of the padding",
     lambda n, k, stride=1, padding=0: (n - k + padding) // stride + 1,
     "The padding is counted once, but it lies on both sides of the picture."),
    ("the size without padding", lambda n, k, stride=1, padding=0: (n - k) // stride + 1,
     "The padding does not enter: it makes the picture larger before the filter slides."),
    ("the size of a picture made smaller by the padding",
     lambda n, k, stride=1, padding=0: (n - k - 2 * padding) // stride + 1,
     "The padding makes the picture larger, so it is added, not subtracted."),
    ("the size for stride 1", lambda n, k, stride=1, padding=0: n - k + 2 * padding + 1,
     "The stride does not enter: the filter moves that many pixels at a time."),
    ("the size before rounding",
     lambda n, k, stride=1, padding=0: (n - k + 2 * padding) / stride + 1, _ROUND_DOWN),
    ("the size rounded up, or to the nearest whole number",
     lambda n, k, stride=1, padding=0: math.ceil((n - k + 2 * padding) / stride) + 1,
     lambda n, k, stride=1, padding=0: round((n - k + 2 * padding) / stride + 1),
     lambda n, k, stride=1, padding=0: round((n - k + 2 * padding) / stride) + 1,
     "A filter that would hang over the edge, however little, is not applied: round down."),
    ("the size with the 1 inside the brackets",
     lambda n, k, stride=1, padding=0: (n - k + 2 * padding + 1) // stride,
     "The 1 is inside the division. It is the filter's first place, and is added after the steps "
     "have been counted: mind the brackets."),
    ("the size with only the padding divided",
     lambda n, k, stride=1, padding=0: n - k + 2 * padding // stride + 1,
     "Only the padding is divided by the stride: the whole numerator needs brackets."),
    ("the size with two times + 1",
     lambda n, k, stride=1, padding=0: (n - (k - 1) + 2 * padding) // stride + 1,
     "One is added twice: size - (kernel_size - 1) counts the places already."),
    ('the size with "same" padding', lambda n, k, stride=1, padding=0: math.ceil(n / stride),
     'That is the size with "same" padding, whatever the filter. Here the padding is given.'),
)  # fmt: skip


@conv_output_size.then
def _refusals(answer: Callable) -> None:
    """Demand a ValueError where the filter is larger than the padded picture."""
    refused = object()

    def attempt(*args):
        try:
            return answer(*args)
        except ValueError:
            return refused

    for args in ((3, 5), (4, 7, 1, 1), (2, 3, 2), (5, 11, 4)):
        hint = "A filter that does not fit is an error, and it has to be a ValueError."
        got = ask(attempt, *args, called="conv_output_size", hint=hint)
        if got is refused:
            continue
        hint = "A filter larger than the padded input fits nowhere: raise a ValueError, no number."
        if isinstance(got, ValueError):
            hint = "An error is raised, not returned: `raise`, not `return`."
        elif isinstance(got, (int, float)) and got > 0:
            hint = (
                "Compare the filter with the padded picture before you divide: rounding can make a "
                "size of something that is negative."
            )
        size, kernel_size, padding = args[0], args[1], args[3] if len(args) > 3 else 0
        raise Wrong(
            f"conv_output_size{args} gave {describe(got)}; expected a ValueError, as the filter "
            f"({kernel_size}) is larger than the padded input ({size + 2 * padding}).",
            hint,
        )


# --- alexnet_shapes -------------------------------------------------------------------------

_ROWS = "CONV1 POOL1 NORM1 CONV2 POOL2 NORM2 CONV3 CONV4 CONV5 POOL3 FC6 FC7 FC8".split()


def _alexnet_layers() -> list[nn.Module]:
    """The layers that lead to the rows of the lecture's table after the input."""
    with torch.device("meta"):
        network = OracleAlexNet()
    kinds = nn.Conv2d, nn.MaxPool2d, nn.LocalResponseNorm, nn.Linear
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


def oracle_alexnet_shapes() -> list[tuple[str, tuple[int, ...]]]:
    """The lecture's fourteen rows, as PyTorch's layers give them."""
    x = torch.empty(1, 3, 227, 227, device="meta")
    rows = [("INPUT", tuple(x.shape[1:]))]
    for name, layer in zip(_ROWS, _alexnet_layers(), strict=True):
        x = layer(x.flatten(1) if isinstance(layer, nn.Linear) else x)
        rows.append((name, tuple(x.shape[1:])))
    return rows


def examine_alexnet_shapes(answer: Callable) -> None:
    """Name the first row that is wrong, with the arithmetic that gives the right one."""
    rows = list(_rows(ask(answer)))
    expected = oracle_alexnet_shapes()
    layers = [None, *_alexnet_layers()]
    _expect_channels_first(rows)
    for i, (name, shape) in enumerate(expected):
        before = expected[i - 1][1] if i else ()
        if i >= len(rows) or _plain_name(rows[i][0]) != name:
            _wrong_name(rows, i, name)
        got = rows[i][1]
        if len(shape) == 1 and got[1:] == (1, 1):  # (4096, 1, 1) counts as (4096,)
            got = got[:1]
        if got != shape:
            raise Wrong(
                f"Row {i + 1}, {name}: you have {got}; expected {shape}. "
                f"{_arithmetic(name, layers[i], before, shape)}",
                _shape_hint(name, layers[i], before, shape, got),
            )
    if len(rows) > len(expected):
        raise Wrong(
            f"There are {len(rows)} rows; expected 14. After FC8 comes {rows[14][0]!r}.",
            "FC8 gives the class scores and is the last row. ReLU, dropout and softmax change no "
            "shape, and have no rows in the table.",
        )


def _rows(answer) -> Iterator[tuple[str, tuple]]:
    """The answer's rows as (name, shape); Wrong where it is no table."""
    pairs = "Return a list of pairs: a name, and the shape as a tuple of numbers."
    if isinstance(answer, (dict, str)) or not hasattr(answer, "__iter__"):
        hint = "Is there a `return` at the end?" if answer is None else pairs
        raise Wrong(f"alexnet_shapes() gave {describe(answer)}; expected a list of pairs.", hint)
    for i, row in enumerate(answer):
        if not isinstance(row, (tuple, list)) or len(row) != 2 or not isinstance(row[0], str):
            raise Wrong(f"Row {i + 1} is {describe(row)}; expected a pair (name, shape).", pairs)
        name, shape = row
        shape = shape.tolist() if hasattr(shape, "tolist") else shape
        if not isinstance(shape, (tuple, list)):
            hint = pairs
            if isinstance(shape, str):
                hint = "Give the shape as numbers, not as text."
            elif isinstance(shape, (int, float)):
                hint = "A tuple of one number needs a comma: (4096) is just 4096, (4096,) a shape."
            where = f"Row {i + 1}, {name}: the shape is {describe(shape)}"
            raise Wrong(f"{where}; expected a tuple.", hint)
        sides = [expect_number(side, f"In row {i + 1}, {name}, a side") for side in shape]
        yield name, tuple(int(side) if side.is_integer() else side for side in sides)


def _plain_name(name: str) -> str:
    """Letter case, blanks and a MAX before POOL do not count."""
    letters = "".join(letter for letter in name.upper() if letter.isalnum())
    return letters.removeprefix("MAX")


def _expect_channels_first(rows: list[tuple[str, tuple]]) -> None:
    first = next((shape for _, shape in rows if len(shape) >= 3), ())
    seen = f"Row 1, {rows[0][0]}: you have {rows[0][1]}; expected (3, 227, 227)." if rows else ""
    if len(first) == 4:
        raise Wrong(seen, "These are shapes of one image: leave the batch dimension out.")
    if len(first) == 3 and first[0] == first[1] and first[2] == 3:
        raise Wrong(
            seen,
            "The table in the lecture has height × width × channels. PyTorch, and this exercise, "
            "put the channels first: (C, H, W).",
        )


def _wrong_name(rows: list[tuple[str, tuple]], i: int, name: str) -> NoReturn:
    """Row ``i`` is missing, or another one stands there."""
    there = [_plain_name(row) for row, _ in rows]
    missing, kind = name not in there, name.rstrip("0123456789")
    hint = "The rows are named as in the lecture, and stand in the order of execution."
    if kind == "INPUT":
        hint = "The first row is the picture itself, INPUT: all later sizes are computed from it."
    elif missing and kind == "NORM":
        hint = "The normalisation changes no shape and has a row of its own: that is what it says."
    elif missing and kind == "POOL":
        hint = "A max pool follows CONV1, CONV2 and CONV5, with a row of its own."
    elif missing and kind == "FC":
        hint = "Three linear layers, FC6, FC7 and FC8, end the network, each with a row."
    elif kind == "POOL" and there[i : i + 1] == [name.replace("POOL", "NORM")]:
        hint = (
            "In the lecture's table the pool comes before the normalisation. (In the paper it is "
            "the other way round.)"
        )
    seen = f"you have {rows[i][0]}" if i < len(rows) else "there is none"
    raise Wrong(f"Row {i + 1}: expected {name}, {seen}.", hint)


def _window(layer: nn.Module) -> tuple[int, int, int]:
    """Kernel size, stride and padding of a convolution or pooling with square windows."""
    sides = (layer.kernel_size, layer.stride, layer.padding)
    return tuple(side[0] if isinstance(side, tuple) else side for side in sides)


def _arithmetic(name: str, layer: nn.Module | None, before: tuple, shape: tuple) -> str:
    """The right row's calculation in words."""
    if layer is None:
        return "The picture has 3 channels of 227×227 pixels."
    if name.startswith("NORM"):
        return "It changes values, not the shape."
    if name.startswith("FC"):
        return f"One number for each of its {shape[0]} neurons."
    k, s, p = _window(layer)
    size = f"({before[1]} - {k} + 2*{p})/{s} + 1 = {(before[1] - k + 2 * p) / s + 1:g}"
    if name.startswith("CONV"):
        return f"{size}, and each of its {shape[0]} filters gives one channel."
    return f"{size}, and the {shape[0]} channels stay."


def _shape_hint(name: str, layer, before: tuple, shape: tuple, got: tuple) -> str:
    """Why row ``name`` may be ``got`` instead of ``shape``, where the row before is ``before``."""
    if name == "INPUT":
        return (
            "With 224 pixels the arithmetic of CONV1 does not come out even; 227 is the size that "
            "fits. (The paper says 224, and means this.)"
            if 224 in got
            else "The picture has three colour channels of 227×227 pixels, channels first."
        )
    if name.startswith("NORM"):
        return "Normalisation rescales the values and keeps the shape of the row before it."
    if name == "FC6" and math.prod(got) == math.prod(before):
        return "That is what goes into FC6. A row of the table says what comes out."
    if name == "FC8":
        return "The last layer has one score for each of ImageNet's classes: 1000 of them."
    if name.startswith("FC"):
        return "A linear layer gives one number for each neuron, whatever came in: 4096 here."
    if len(got) != 3:
        return "Convolution and pooling keep three dimensions: channels, height, width."
    if got[1:] != shape[1:]:
        return _side_hint(name, layer, before[1], got)
    if name.startswith("POOL"):
        return "A pool works on each channel by itself: the number of channels stays."
    if got[0] * 2 == shape[0]:
        return (
            "That is one of the two halves that the paper spreads over two GPUs. The simplified "
            "network has them in one: twice as many."
        )
    if got[0] in (64, 192):
        return "These are the widths of torchvision's alexnet, a later version of the network."
    if got[0] == before[0]:
        return "As many channels come out as the layer has filters, however many came in."
    return "Look up the number of filters in the lecture's table: it is the number of channels."


def _side_hint(name: str, layer: nn.Module, size: int, got: tuple) -> str:
    if got[1] != got[2]:
        return "Picture and windows are square here, so height and width stay equal."
    k, s, p = _window(layer)
    for mistake in conv_output_size.mistakes:
        for formula in mistake.formulas:
            if got[1] in (formula(size, k, s, p), int(formula(size, k, s, p))):
                return mistake.hint
    if name.startswith("POOL") and got[1] == (size - k) // k + 1:
        return "These pools overlap: windows of 3×3 move by 2, not by 3."
    if got[1] == size:
        return "The size stays only where padding makes up for the filter; compute it here."
    return "Put this row's numbers into the formula: (size - filter + 2*padding)/stride + 1."


# --- AlexNet --------------------------------------------------------------------------------


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
    "AlexNet", NOTEBOOK, 3, OracleAlexNet, (2, 3, 227, 227),
    scale=200.0,  # strong enough to feel the normalisation
    num_classes=10,
    # FC6 and FC7 are layers 6 and 7: each has a dropout, before or after it.
    dropout=Dropout(0.5, tuple(map(frozenset, ({6, 7}, {5, 6}, {5, 7}, {5, 6, 7})))),
    idea="Write the layers down in the order of the table of shapes, a ReLU after each convolution "
    "and after FC6 and FC7; flatten between POOL3 and FC6; a dropout with FC6 and with FC7.",
    seconds=60.0,
    hints=_HINTS,
)  # fmt: skip

alexnet.also("", partial(OracleAlexNet, k=1.0))
alexnet.also(
    "Right, in the paper's order: it normalises before it pools, the lecture after.",
    *(partial(OracleAlexNet, order="relu norm pool", k=k) for k in (1.0, 2.0)),
)
alexnet.mistakes += table(
    ("AlexNet has no NORM1 and NORM2.", partial(OracleAlexNet, norms=()), _NO_NORM),
    ("AlexNet has NORM1 or NORM2 only.",
     partial(OracleAlexNet, norms=(1,)), partial(OracleAlexNet, norms=(2,)), _NO_NORM),
    ("NORM1 and NORM2 run over windows of 96 and 256 channels; expected 5.",
     *(partial(OracleAlexNet, sizes=(96, 256), k=k) for k in (1.0, 2.0)),
     "The first argument of nn.LocalResponseNorm is the width of its window, 5 channels in the "
     "paper; it is not the number of channels."),
    ("AlexNet normalises before the ReLU.",
     *(partial(OracleAlexNet, order="norm relu pool", k=k) for k in (1.0, 2.0)),
     "The ReLU follows the convolution at once; normalised is what comes out of it."),
)  # fmt: skip

# --- local_response_norm --------------------------------------------------------------------

local_response_norm = Values(
    "local_response_norm", NOTEBOOK, 2,
    lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(x, size, alpha, beta, k),
    idea="Square x, sum the squares over a window of channels around each channel (zeros where it "
    "hangs over), and divide x by (k + alpha / size · sum) to the power beta.",
    hint="Compute one value by hand: take the pixel's column of channels, square the window's "
    "values, add them up.",
    shape_hint="The result has the shape of x: a window that hangs over the first or last channel "
    "counts zeros there.",
)  # fmt: skip

_x = 100 * torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0))
for _args, _kwargs in (
    ((), {}),
    ((3, 1e-3, 0.5, 1.0), {}),
    ((), {"size": 7, "alpha": 2e-4}),
    ((5, 1e-4), {"beta": 1.0, "k": 3.0}),
    ((1, 1e-3), {}),
    ((4, 1e-3), {}),
):
    _given = ["x", *map(str, _args), *(f"{name}={value}" for name, value in _kwargs.items())]
    local_response_norm.probe(
        _x, *_args, call=f"local_response_norm({', '.join(_given)})", **_kwargs
    )
local_response_norm.probe(_x[:1].double(), call="local_response_norm of a float64 tensor")
local_response_norm.probe(
    _x[:, :2],
    call="local_response_norm of 2 channels",
    hint="There may be fewer channels than the window is wide: what is missing counts as zero.",
)


def _over_channels(values: Tensor, before: int, behind: int) -> Tensor:
    """The sum over the channels from ``before`` each one to ``behind`` it."""
    places = range(values.shape[1])
    sums = [values[:, max(0, c - before) : max(0, c + behind + 1)].sum(1) for c in places]
    return torch.stack(sums, dim=1)


def _over_window(values: Tensor, size: int) -> Tensor:
    """The sum over torch's window, in which an even one has a channel more before than behind."""
    return _over_channels(values, size // 2, (size - 1) // 2)


def _over_pixels(x: Tensor, size: int) -> Tensor:
    padded = F.pad(x.square(), 2 * (size // 2, (size - 1) // 2))
    return F.avg_pool2d(padded, size, stride=1) * size**2


def _by_size(x: Tensor, size: int) -> int:
    return size


def _by_one(x: Tensor, size: int) -> int:
    return 1


def _with_sums(sums: Callable, *shares: Callable) -> list[Callable]:
    """Formulas with other ``sums(x, size)`` of squares, and alpha divided by ``share(x, size)``."""
    return [
        lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0, share=share: (
            x / (k + alpha / share(x, size) * sums(x, size)) ** beta
        )
        for share in shares or (_by_size,)
    ]


def _of_mean(formula: Callable) -> Callable:
    """A formula of x, alpha times the mean of the squares, beta and k."""

    def wrong(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
        return formula(x, alpha / size * _over_window(x.square(), size), beta, k)

    return wrong


local_response_norm.mistakes += table(
    ("the sum of squares times alpha, as the paper writes it",
     *_with_sums(lambda x, size: _over_window(x.square(), size), _by_one),
     "torch divides alpha by the size of the window: it weighs the mean of the squares."),
    ("what the default arguments give",
     lambda x, *_, **__: F.local_response_norm(x, 5, 1e-4, 0.75, 2.0),
     lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(x, 5, alpha, beta, k),
     lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(x, size, 1e-4, beta, k),
     lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0: F.local_response_norm(x, size, alpha, 0.75, k),
     "The numbers 5, 1e-4, 0.75 or 2 are written into the formula: use the arguments."),
    ("normalised over neighbouring pixels",
     *_with_sums(_over_pixels, lambda x, n: n**3, lambda x, n: n**2, _by_size, _by_one),
     "The window runs over channels, at one and the same pixel, not over neighbouring pixels."),
    ("normalised by all channels",
     *_with_sums(
         lambda x, size: x.square().sum(1, True), _by_size, lambda x, _: x.shape[1], _by_one
     ),
     "The window is local: only the channels next to each one count, size of them, not all."),
    ("normalised by the values themselves", *_with_sums(_over_window, _by_size, _by_one),
     "It is the squares of the values that are summed: the square is missing."),
    ("each value normalised by itself", *_with_sums(lambda x, size: x.square(), _by_size, _by_one),
     "The sum over the neighbouring channels is missing."),
    ("the square of the sum",
     *_with_sums(lambda x, size: _over_window(x, size).square(), _by_size, _by_one),
     "The values are added first and squared then. Square each one first; the sum of squares is "
     "something else than the square of a sum."),
    ("the result for a window without its last channel",
     *_with_sums(lambda x, size: _over_channels(x.square(), size // 2, (size - 1) // 2 - 1)),
     "A slice ends before its second number: x[:, a:b] goes up to b - 1, so the end needs a + 1."),
    ("the result with k = 1", _of_mean(lambda x, mean, beta, k: x / (1 + mean) ** beta),
     "The constant is not 1 here: use the argument k (2 in the paper, 1 is torch's default)."),
    ("the result with k = 0", _of_mean(lambda x, mean, beta, k: x / mean**beta),
     "The constant k is missing inside the brackets."),
    ("the result with the power taken before k is added",
     _of_mean(lambda x, mean, beta, k: x / (k + mean**beta)),
     "The power beta applies to the whole bracket, k included."),
    ("the product with the bracket", _of_mean(lambda x, mean, beta, k: x * (k + mean) ** beta),
     "Strong neighbours damp a value: divide by the bracket, do not multiply."),
    ("the result without the power", _of_mean(lambda x, mean, beta, k: x / (k + mean)),
     "The power beta is missing: the bracket is raised to it before it divides."),
    ("the result with a square root", _of_mean(lambda x, mean, beta, k: x / (k + mean).sqrt()),
     "That is a square root. The power is the argument beta."),
    ("the factor alone", _of_mean(lambda x, mean, beta, k: (k + mean) ** -beta),
     "That is the factor; the value itself, x, is to be multiplied by it."),
    ("the mean over the channels that exist",
     *_with_sums(
         lambda x, size: _over_window(x.square(), size),
         lambda x, size: _over_window(torch.ones_like(x), size),
     ),
     "At the first and last channels the window is cut off. torch fills it with zeros there and "
     "still divides by its full size."),
    ("the result for a window twice as wide",
     *_with_sums(lambda x, n: _over_channels(x.square(), n, n), _by_size, lambda x, n: 2 * n + 1),
     "size is the width of the whole window: half of it lies on each side of the channel."),
    ("the result for a window on one side only",
     *_with_sums(lambda x, size: _over_channels(x.square(), size - 1, 0)),
     *_with_sums(lambda x, size: _over_channels(x.square(), 0, size - 1)),
     "The window is centred on its channel: half of it before, half of it behind."),
    ("the result for another window",
     *_with_sums(lambda x, size: _over_channels(x.square(), (size - 1) // 2, size // 2)),
     *_with_sums(lambda x, size: _over_channels(x.square(), size // 2, size // 2)),
     *_with_sums(lambda x, size: _over_channels(x.square(), (size - 1) // 2, (size - 1) // 2)),
     "An even window cannot be centred: torch's has one channel more before than behind, size // 2 "
     "before and (size - 1) // 2 behind."),
)  # fmt: skip


EXERCISES = [
    conv_output_size,
    Exercise(
        "alexnet_shapes", NOTEBOOK, 2, oracle_alexnet_shapes, examine_alexnet_shapes,
        idea="Go down the table row by row. A convolution's channels are its filters, a pool and a "
        "normalisation keep theirs; the sides follow from the formula; a linear layer has one "
        "number a neuron.",
    ),
    alexnet,
    local_response_norm,
]  # fmt: skip
