"""Checks of notebook 06's arithmetic: the output-size formula and AlexNet's table of shapes.

The oracle is PyTorch: its layers run on the meta device, where a picture has a shape and no memory.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import nn

from labutils.checks.frame.ask import Wrong, ask, describe, expect_number
from labutils.checks.numbers import plain, recognise

# --- conv_output_size -----------------------------------------------------------------------


def oracle_conv_output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """What nn.Conv2d makes of a picture without memory; ValueError where it refuses."""
    layer = nn.Conv2d(1, 1, kernel_size, stride, padding, device="meta")
    try:
        return layer(torch.empty(1, 1, size, size, device="meta")).shape[-1]
    except RuntimeError:
        raise ValueError(
            f"a filter of {kernel_size} pixels is larger than the input of {size} pixels with "
            f"padding {padding} on both sides"
        ) from None


_ROUND_DOWN = (
    "When the stride does not divide evenly, the last pixels are left out: round down, to a whole "
    "number. It is no error."
)
_ROUND_NEVER_UP = (
    "This rounds to the nearest whole number. A filter that would hang over the edge is never "
    "applied, however little: round down."
)

_SIZE_MISTAKES: list[tuple[Callable, str]] = [
    (
        lambda n, k, stride=1, padding=0: (n - k + 2 * padding) // stride,
        "The + 1 is missing: the fraction counts the steps, and the filter has a place before the "
        "first step.",
    ),
    (
        lambda n, k, stride=1, padding=0: (n - k + padding) // stride + 1,
        "The padding is counted once, but it lies on both sides of the picture.",
    ),
    (
        lambda n, k, stride=1, padding=0: (n - k) // stride + 1,
        "The padding does not enter: it makes the picture larger before the filter slides.",
    ),
    (
        lambda n, k, stride=1, padding=0: (n - k - 2 * padding) // stride + 1,
        "The padding makes the picture larger, so it is added, not subtracted.",
    ),
    (
        lambda n, k, stride=1, padding=0: n - k + 2 * padding + 1,
        "The stride does not enter: the filter moves that many pixels at a time.",
    ),
    (lambda n, k, stride=1, padding=0: (n - k + 2 * padding) / stride + 1, _ROUND_DOWN),
    (
        lambda n, k, stride=1, padding=0: math.ceil((n - k + 2 * padding) / stride) + 1,
        "This rounds up. A filter that would hang over the edge is not applied: round down.",
    ),
    (
        lambda n, k, stride=1, padding=0: round((n - k + 2 * padding) / stride + 1),
        _ROUND_NEVER_UP,
    ),
    (
        lambda n, k, stride=1, padding=0: round((n - k + 2 * padding) / stride) + 1,
        _ROUND_NEVER_UP,
    ),
    (
        lambda n, k, stride=1, padding=0: (n - k + 2 * padding + 1) // stride,
        "The 1 is inside the division. It is the filter's first place, and is added after the "
        "steps have been counted: mind the brackets.",
    ),
    (
        lambda n, k, stride=1, padding=0: n - k + 2 * padding // stride + 1,
        "Only the padding is divided by the stride: the whole numerator needs brackets.",
    ),
    (
        lambda n, k, stride=1, padding=0: (n - (k - 1) + 2 * padding) // stride + 1,
        "One is added twice: (size - (kernel_size - 1)) counts the places already. Use either "
        "form, not both.",
    ),
    (
        lambda n, k, stride=1, padding=0: math.ceil(n / stride),
        'That is the size with "same" padding, whatever the filter. Here the padding is given.',
    ),
]

_SIZE_CASES = [
    ((32, 5), {}),
    ((227, 11, 4), {}),
    ((55, 3, 2), {}),
    ((13, 3, 1, 1), {}),
    ((27, 5, 1, 2), {}),
    ((28, 5), {"padding": 2}),
    ((9, 3), {"stride": 2}),
    ((8, 2), {"stride": 2, "padding": 1}),
    ((224, 11, 4, 2), {}),  # a remainder from here on
    ((10, 3, 4), {}),
    ((12, 3, 4), {}),
    ((13, 3, 4), {}),
]


def examine_conv_output_size(answer: Callable) -> None:
    """Compare with nn.Conv2d: even cases, remainders, just fitting filters, too large ones."""
    _recognise_sizes(answer)
    _fits(
        answer,
        (5, 5),
        "A filter exactly as large as the picture fits: at one place. Only a larger one is an "
        "error.",
    )
    _fits(
        answer,
        (3, 5, 1, 1),
        "Compare the filter with the padded picture: padding on both sides makes room for it.",
    )
    for args in ((3, 5), (4, 7, 1, 1), (2, 3, 2), (5, 11, 4)):
        _refuses(answer, args)


def _recognise_sizes(answer: Callable) -> None:
    """Where the filter fits: numbers, and no error for a remainder."""

    def has_remainder(size, kernel_size, stride=1, padding=0) -> bool:
        return (size - kernel_size + 2 * padding) % stride != 0

    def without_refusal(*args, **kwargs):
        try:
            return answer(*args, **kwargs)
        except (ValueError, AssertionError) as error:
            fits = "This filter fits: only one larger than the padded picture is an error."
            raise Wrong(
                f"conv_output_size{args} raised {type(error).__name__}: {error}",
                _ROUND_DOWN if has_remainder(*args, **kwargs) else fits,
            ) from None

    recognise(
        without_refusal if callable(answer) else answer,
        "conv_output_size",
        _SIZE_CASES,
        oracle_conv_output_size,
        _SIZE_MISTAKES,
        "Slide the filter by hand over a row of a few pixels and count its places, then compare "
        "with the formula.",
    )


def _fits(answer: Callable, args: tuple, hint: str) -> None:
    call = f"conv_output_size{args}"
    got = expect_number(ask(answer, *args, hint=hint), call)
    expected = oracle_conv_output_size(*args)
    if got != expected:
        raise Wrong(f"{call} gave {plain(got)}; expected {expected}.", hint)


def _refuses(answer: Callable, args: tuple) -> None:
    """Demand a ValueError."""
    call = f"conv_output_size{args}"
    size, kernel_size, padding = args[0], args[1], args[3] if len(args) > 3 else 0
    why = f"the filter ({kernel_size}) is larger than the padded input ({size + 2 * padding})"
    refused = object()

    def attempt(*args):
        try:
            return answer(*args)
        except ValueError:
            return refused

    got = ask(
        attempt,
        *args,
        called="conv_output_size",
        hint="A filter that does not fit is an error, and it has to be a ValueError.",
    )
    if got is refused:
        return
    message = f"{call} gave {describe(got)}; expected a ValueError, as {why}."
    if isinstance(got, ValueError):
        raise Wrong(message, "An error is raised, not returned: `raise`, not `return`.")
    if isinstance(got, (int, float)) and got > 0:
        raise Wrong(
            message,
            "Compare the filter with the padded picture before you divide: rounding can make a "
            "size of something that is negative.",
        )
    raise Wrong(
        message,
        "A filter larger than the padded input fits nowhere, and no number says that: raise a "
        "ValueError.",
    )


# --- alexnet_shapes -------------------------------------------------------------------------


class Step(NamedTuple):
    """A row of the lecture's table and what leads to it."""

    name: str
    layer: nn.Module


def _alexnet_steps() -> list[Step]:
    with torch.device("meta"):
        return [
            Step("CONV1", nn.Conv2d(3, 96, 11, stride=4)),
            Step("POOL1", nn.MaxPool2d(3, stride=2)),
            Step("NORM1", nn.LocalResponseNorm(5)),
            Step("CONV2", nn.Conv2d(96, 256, 5, padding=2)),
            Step("POOL2", nn.MaxPool2d(3, stride=2)),
            Step("NORM2", nn.LocalResponseNorm(5)),
            Step("CONV3", nn.Conv2d(256, 384, 3, padding=1)),
            Step("CONV4", nn.Conv2d(384, 384, 3, padding=1)),
            Step("CONV5", nn.Conv2d(384, 256, 3, padding=1)),
            Step("POOL3", nn.MaxPool2d(3, stride=2)),
            Step("FC6", nn.Sequential(nn.Flatten(), nn.Linear(9216, 4096))),
            Step("FC7", nn.Linear(4096, 4096)),
            Step("FC8", nn.Linear(4096, 1000)),
        ]


def oracle_alexnet_shapes() -> list[tuple[str, tuple[int, ...]]]:
    """The lecture's fourteen rows, as PyTorch's layers give them."""
    x = torch.empty(1, 3, 227, 227, device="meta")
    rows = [("INPUT", tuple(x.shape[1:]))]
    for name, layer in _alexnet_steps():
        x = layer(x)
        rows.append((name, tuple(x.shape[1:])))
    return rows


def examine_alexnet_shapes(answer: Callable) -> None:
    """Name the first row that is wrong, with the arithmetic that gives the right one."""
    rows = list(_rows(ask(answer)))
    expected = oracle_alexnet_shapes()
    steps = [None, *(layer for _, layer in _alexnet_steps())]
    _expect_channels_first(rows)
    for i, (name, shape) in enumerate(expected):
        before = expected[i - 1][1] if i else ()
        if i >= len(rows) or _plain_name(rows[i][0]) != name:
            _wrong_name(rows, i, [row for row, _ in expected])
        got = rows[i][1]
        if _without_ones(got, len(shape)) != shape:
            raise Wrong(
                f"Row {i + 1}, {name}: you have {got}; expected {shape}. "
                f"{_arithmetic(name, steps[i], before, shape)}",
                _shape_hint(name, steps[i], before, shape, got),
            )
    if len(rows) > len(expected):
        raise Wrong(
            f"There are {len(rows)} rows; expected 14. After FC8 comes {rows[14][0]!r}.",
            "FC8 gives the class scores and is the last row. ReLU, dropout and softmax change no "
            "shape, and have no rows in the table.",
        )


def _rows(answer) -> Iterator[tuple[str, tuple]]:
    """The answer's rows as (name, shape); Wrong where it is no table."""
    if answer is None:
        raise Wrong("alexnet_shapes() gave None.", "Is there a `return` at the end?")
    pairs = "Return a list of pairs: a name, and the shape as a tuple of numbers."
    if isinstance(answer, dict):
        raise Wrong("alexnet_shapes() gave a dict; expected a list of pairs.", pairs)
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        raise Wrong(f"alexnet_shapes() gave {describe(answer)}; expected a list.", pairs)
    for i, row in enumerate(answer):
        if not isinstance(row, (tuple, list)) or len(row) != 2 or not isinstance(row[0], str):
            raise Wrong(f"Row {i + 1} is {describe(row)}; expected a pair (name, shape).", pairs)
        name, shape = row
        where = f"Row {i + 1}, {name}: the shape is {describe(shape)}"
        if isinstance(shape, str):
            raise Wrong(f"{where}; expected a tuple.", "Give the shape as numbers, not as text.")
        if isinstance(shape, (int, float)):
            raise Wrong(
                f"{where}; expected a tuple.",
                "A tuple of one number needs a comma: (4096) is just 4096, (4096,) is a shape.",
            )
        if hasattr(shape, "tolist"):
            shape = shape.tolist()
        if not isinstance(shape, (tuple, list)):
            raise Wrong(f"{where}; expected a tuple.", pairs)
        sides = [expect_number(side, f"In row {i + 1}, {name}, a side") for side in shape]
        yield name, tuple(int(side) if side.is_integer() else side for side in sides)


def _plain_name(name: str) -> str:
    """Letter case, blanks and a MAX before POOL do not count."""
    letters = "".join(letter for letter in name.upper() if letter.isalnum())
    return letters.removeprefix("MAX")


def _without_ones(shape: tuple, dims: int) -> tuple:
    """(4096, 1, 1) counts as (4096,)."""
    return shape[:1] if dims == 1 and shape[1:] == (1, 1) else shape


def _expect_channels_first(rows: list[tuple[str, tuple]]) -> None:
    shapes = [shape for _, shape in rows if len(shape) >= 3]
    if not shapes:
        return
    seen = f"Row 1, {rows[0][0]}: you have {rows[0][1]}; expected (3, 227, 227)."
    if len(shapes[0]) == 4:
        raise Wrong(seen, "These are shapes of one image: leave the batch dimension out.")
    if shapes[0][0] == shapes[0][1] and shapes[0][2] == 3:
        raise Wrong(
            seen,
            "The table in the lecture has height × width × channels. PyTorch, and this exercise, "
            "put the channels first: (C, H, W).",
        )


def _wrong_name(rows: list, i: int, names: list[str]) -> None:
    """Row ``i`` is missing, or another one stands there."""
    got = _plain_name(rows[i][0]) if i < len(rows) else None
    seen = f"you have {rows[i][0]}" if got else "there is none"
    there = [_plain_name(row) for row, _ in rows]
    name = names[i]
    hint = "The rows are named as in the lecture, and stand in the order of execution."
    if name == "INPUT":
        hint = (
            "The first row is the picture itself, INPUT: every size after it is computed from it."
        )
    elif name not in there and name.startswith("NORM"):
        hint = (
            "The normalisation has a row of its own, though it changes no shape: that is what the "
            "row says."
        )
    elif name not in there and name.startswith("POOL"):
        hint = "A max pool follows CONV1, CONV2 and CONV5, with a row of its own."
    elif name not in there and name.startswith("FC"):
        hint = "Three linear layers, FC6, FC7 and FC8, end the network, each with a row."
    elif name.startswith("POOL") and got and got.startswith("NORM"):
        hint = (
            "In the lecture's table the pool comes before the normalisation. (In the paper it is "
            "the other way round.)"
        )
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
    if name == "INPUT":
        return (
            "With 224 pixels the arithmetic of CONV1 does not come out even; 227 is the size that "
            "fits. (The paper says 224, and means this.)"
            if 224 in got
            else "The picture has three colour channels of 227×227 pixels, channels first."
        )
    if name.startswith("NORM"):
        return "Normalisation rescales the values and keeps the shape of the row before it."
    if name.startswith("FC"):
        return _linear_hint(name, before, got)
    if len(got) != 3:
        return "Convolution and pooling keep three dimensions: channels, height, width."
    if got[1:] == shape[1:]:
        return _channels_hint(name, before, shape, got)
    return _side_hint(name, layer, before, got)


def _linear_hint(name: str, before: tuple, got: tuple) -> str:
    if name == "FC6" and math.prod(got) == math.prod(before):
        return (
            "That is what goes into FC6: all numbers of POOL3 in a row. A row of the table says "
            "what comes out."
        )
    if name == "FC8":
        return "The last layer has one score for each of ImageNet's classes: 1000 of them."
    return "A linear layer gives one number for each neuron, whatever came in: 4096 here."


def _channels_hint(name: str, before: tuple, shape: tuple, got: tuple) -> str:
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
        return (
            "The channels that come out are as many as the layer has filters; how many came in "
            "does not matter for that."
        )
    return "Look up the number of filters in the lecture's table: it is the number of channels."


def _side_hint(name: str, layer, before: tuple, got: tuple) -> str:
    if got[1] != got[2]:
        return "Picture and windows are square here, so height and width stay equal."
    k, s, p = _window(layer)
    size = before[1]
    for formula, hint in _SIZE_MISTAKES:
        if got[1] in (formula(size, k, s, p), int(formula(size, k, s, p))):
            return hint
    if name.startswith("POOL") and got[1] == (size - k) // k + 1:
        return "These pools overlap: windows of 3×3 move by 2, not by 3."
    if got[1] == size:
        return "The size stays only where padding makes up for the filter; compute it here."
    return "Put this row's numbers into the formula: (size - filter + 2*padding)/stride + 1."
