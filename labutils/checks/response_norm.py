"""Check of notebook 06's local response normalisation, against ``F.local_response_norm``."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from labutils.checks.frame.ask import ask
from labutils.checks.judges.values import WrongValue, compare


def oracle_local_response_norm(
    x: Tensor, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> Tensor:
    """torch's own, with the paper's numbers as defaults."""
    return F.local_response_norm(x, size, alpha, beta, k)


def _squares_over_channels(x: Tensor, left: int, right: int) -> Tensor:
    """The sum of squares over the channels from ``left`` before to ``right`` behind each."""
    channels = range(x.shape[1])
    sums = [x[:, max(0, c - left) : c + right + 1].square().sum(1) for c in channels]
    return torch.stack(sums, dim=1)


def _lrn_mistakes(x: Tensor, size=5, alpha=1e-4, beta=0.75, k=2.0) -> Iterator[WrongValue]:
    left, right = size // 2, (size - 1) // 2
    sums = _squares_over_channels(x, left, right)
    mean = alpha / size * sums
    yield WrongValue(
        x / (k + alpha * sums) ** beta,
        "the sum of squares times alpha, as the paper writes it",
        "torch divides alpha by the size of the window, so that it weighs the mean of the squares, "
        "not their sum.",
    )
    if (size, alpha, beta, k) != (5, 1e-4, 0.75, 2.0):
        yield WrongValue(
            oracle_local_response_norm(x),
            "what the default arguments give",
            "The numbers 5, 1e-4, 0.75 or 2 are written into the formula: use the arguments.",
        )
    area = size * size
    squares = F.avg_pool2d(F.pad(x.square(), (left, right, left, right)), size, 1) * area
    for share in (size * area, area, size, 1):
        yield WrongValue(
            x / (k + alpha / share * squares) ** beta,
            "normalised over neighbouring pixels",
            "The window runs over channels, at one and the same pixel, not over neighbouring "
            "pixels.",
        )
    everything = x.square().sum(1, keepdim=True)
    for share in (size, x.shape[1], 1):
        yield WrongValue(
            x / (k + alpha / share * everything) ** beta,
            "normalised by all channels",
            "The window is local: only the channels next to each one count, size of them, not all.",
        )
    plain_sums = F.avg_pool1d(F.pad(x.movedim(1, -1).flatten(1, 2), (left, right)), size, 1)
    plain_mean = plain_sums.reshape(*x.movedim(1, -1).shape).movedim(-1, 1)
    for share in (1, size):
        yield WrongValue(
            x / (k + alpha * share * plain_mean) ** beta,
            "normalised by the values themselves",
            "It is the squares of the values that are summed: the square is missing.",
        )
    for share in (size, 1):
        yield WrongValue(
            x / (k + alpha / share * x.square()) ** beta,
            "each value normalised by itself",
            "The sum over the neighbouring channels is missing.",
        )
    for share in (size, 1):
        yield WrongValue(
            x / (k + alpha / share * (size * plain_mean).square()) ** beta,
            "the square of the sum",
            "The values are added first and squared then. Square each one first; the sum of "
            "squares is something else than the square of a sum.",
        )
    if right:
        yield WrongValue(
            x / (k + alpha / size * _squares_over_channels(x, left, right - 1)) ** beta,
            "the result for a window without its last channel",
            "A slice ends before its second number: x[:, a:b] has the channels up to b - 1, so "
            "the end needs a + 1.",
        )
    yield WrongValue(
        x / mean.add(1) ** beta,
        "the result with k = 1",
        "The constant is not 1 here: use the argument k (2 in the paper, 1 is torch's default).",
    )
    yield WrongValue(
        x / mean**beta, "the result with k = 0", "The constant k is missing inside the brackets."
    )
    yield WrongValue(
        x / (k + mean**beta),
        "the result with the power taken before k is added",
        "The power beta applies to the whole bracket, k included.",
    )
    yield WrongValue(
        x * (k + mean) ** beta,
        "the product with the bracket",
        "Strong neighbours damp a value: divide by the bracket, do not multiply.",
    )
    yield WrongValue(
        x / (k + mean),
        "the result without the power",
        "The power beta is missing: the bracket is raised to it before it divides.",
    )
    yield WrongValue(
        x / (k + mean).sqrt(),
        "the result with a square root",
        "That is a square root. The power is the argument beta.",
    )
    yield WrongValue(
        (k + mean) ** -beta,
        "the factor alone",
        "That is the factor; the value itself, x, is to be multiplied by it.",
    )
    count = _squares_over_channels(torch.ones_like(x), left, right)
    yield WrongValue(
        x / (k + alpha * sums / count) ** beta,
        "the mean over the channels that exist",
        "At the first and last channels the window is cut off. torch fills it with zeros there and "
        "still divides by its full size.",
    )
    wide = _squares_over_channels(x, size, size)
    for share in (size, 2 * size + 1):
        yield WrongValue(
            x / (k + alpha / share * wide) ** beta,
            "the result for a window twice as wide",
            "size is the width of the whole window: half of it lies on each side of the channel.",
        )
    for before, behind in ((size - 1, 0), (0, size - 1)):
        yield WrongValue(
            x / (k + alpha / size * _squares_over_channels(x, before, behind)) ** beta,
            "the result for a window on one side only",
            "The window is centred on its channel: half of it before, half of it behind.",
        )
    if size % 2 == 0:
        for before, behind in ((right, left), (left, left), (right, right)):
            yield WrongValue(
                x / (k + alpha / size * _squares_over_channels(x, before, behind)) ** beta,
                "the result for another window",
                "An even window cannot be centred: torch's has one channel more before than "
                "behind, size // 2 before and (size - 1) // 2 behind.",
            )


def examine_local_response_norm(answer: Callable) -> None:
    """Compare with F.local_response_norm: defaults, arguments, even windows, dtype, gradient."""
    x = 100 * torch.randn(2, 8, 3, 4)
    cases = [
        ((), {}),
        ((3, 1e-3, 0.5, 1.0), {}),
        ((), {"size": 7, "alpha": 2e-4}),
        ((5, 1e-4), {"beta": 1.0, "k": 3.0}),
        ((1, 1e-3), {}),
        ((4, 1e-3), {}),
    ]
    for args, kwargs in cases:
        given = ["x", *map(str, args), *(f"{key}={value}" for key, value in kwargs.items())]
        expected = oracle_local_response_norm(x, *args, **kwargs)
        compare(
            ask(answer, x, *args, **kwargs),
            expected,
            f"local_response_norm({', '.join(given)})",
            _lrn_mistakes(x, *args, **kwargs),
            "Compute one value by hand: take the pixel's column of channels, square the window's "
            "values, add them up.",
            "The result has the shape of x: a window that hangs over the first or last channel "
            "counts zeros there.",
        )
    double = x[:1].double()
    got = ask(answer, double)
    compare(got, oracle_local_response_norm(double), "local_response_norm of a float64 tensor")
    few = x[:, :2]
    hint = "There may be fewer channels than the window is wide: what is missing counts as zero."
    got = ask(answer, few, hint=hint)
    expected = oracle_local_response_norm(few)
    compare(got, expected, "local_response_norm of 2 channels", (), hint, hint)
