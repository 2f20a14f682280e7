"""What a benchmark compares: rows, each ours against a yardstick, measured in rounds.

A group of rows has a generator, ``measure(scale)``. It measures ours and the yardsticks in turn, so
that a busy machine disturbs all alike, and yields after every round a dictionary ``{name of a row:
(ours, yardstick)}``; a row may be missing in a round. Under ``"notes"`` it may yield, by row, words
on what came out beside the two numbers.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch


@dataclass(frozen=True)
class Row:
    """A line of the report.

    Attributes:
        name: to select it; begins with the name of its group.
        title: what is measured.
        yardstick: what it is compared with.
        unit: of both numbers.
        ratio: ``"theirs / ours"`` (of seconds: times faster) or ``"ours / theirs"``.
        at_least, at_most: what the ratio should be, if anything.
    """

    name: str
    title: str
    yardstick: str
    unit: str
    ratio: str = "theirs / ours"
    at_least: float | None = None
    at_most: float | None = None

    def ratios(self, rounds: list[tuple[float, float]]) -> list[float]:
        """Return the ratio of every round."""
        if self.ratio == "theirs / ours":
            return [theirs / ours for ours, theirs in rounds]
        return [ours / theirs for ours, theirs in rounds]

    def reached(self, ratio: float) -> bool | None:
        """Say whether a ratio is as it should be; ``None`` where nothing is demanded."""
        if self.at_least is not None:
            return ratio >= self.at_least
        return None if self.at_most is None else ratio <= self.at_most

    @property
    def target(self) -> str:
        """What is demanded of the ratio, in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        rounds: of every group that can be repeated.
        first: number of the first round: so many were measured before, with other seeds.
        quick: a smoke test on the sample: the numbers mean nothing.
    """

    rounds: int = 5
    first: int = 0
    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """Return the number of images (or epochs) for this run."""
        return quick if self.quick else full


class Group(NamedTuple):
    """Rows that are measured together."""

    rows: tuple[Row, ...]
    measure: Callable[[Scale], Iterator[dict]]


def wait() -> None:
    """Wait until a GPU has computed all that it was asked for, as a clock stops only then."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def timed(function: Callable, *arguments) -> tuple[float, Any]:
    """Call a function; return how many seconds it took, and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    wait()
    return time.perf_counter() - start, result


def in_turn(
    contestants: dict[str, Callable[[], float]], rounds: int, warm_up: bool = True
) -> Iterator[dict[str, float]]:
    """Yield what each contestant answered, round by round; another one begins every time.

    With ``warm_up``, a round before them is not counted: it fills caches.
    """
    names = list(contestants)
    for number in range(-warm_up, rounds):
        start = number % len(names)
        answers = {name: contestants[name]() for name in names[start:] + names[:start]}
        if number >= 0:
            yield answers


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return ``(median, lowest, highest)``."""
    return statistics.median(values), min(values), max(values)
