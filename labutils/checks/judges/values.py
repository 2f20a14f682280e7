"""An exercise whose answer is a function of values, written as data.

    entropy = Values("entropy", NOTEBOOK, 2, lambda p: Categorical(probs=p).entropy(),
                     idea="Weigh -log p with p, and add up.", hint="Add up -p log p.")
    entropy.probe(torch.tensor([0.1, 0.2, 0.7]))
    entropy.mistakes += table(
        ("the entropy in bits", lambda p: -(p * p.log2()).sum(), "Use log, not log2."),
    )

The oracle says what is right. A mistake is a wrong formula: the check recognises its results, and
the misconception bank hands it in as an answer, from this same line.
"""

import contextlib
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor

from labutils.checks.frame.ask import (
    Wrong,
    ask,
    close,
    describe,
    expect_number,
    expect_tensor,
    show,
)
from labutils.checks.frame.exercise import Exercise


class Probe(NamedTuple):
    """Arguments to try an answer on. ``hint`` is empty where the mistakes are told apart."""

    args: tuple
    kwargs: dict
    call: str
    hint: str
    failed: str
    trap: Callable | None


class Mistake(NamedTuple):
    """A misconception: what comes of it (completes "What came out is ..."), a hint, formulas."""

    name: str
    hint: str
    formulas: tuple[Callable, ...]


def table(*rows: tuple, of: Callable = lambda formula: formula) -> list[Mistake]:
    """Mistakes from rows of a name, one or more formulas, and a hint.

    Long tables are laid out by hand (``# fmt: skip``), so that a page shows many rows.

    Args:
        of: makes a formula of the exercise's arguments from each one in the table.
    """
    return [Mistake(name, hint, tuple(map(of, some))) for name, *some, hint in rows]


class Values(Exercise):
    """Judge a function by its values: those of the oracle on every probe.

    They are tensors, numbers, or tuples of numbers.

    Args:
        oracle: the right function: PyTorch's, where it has one.
        hint: what to say where a result is wrong and no mistake is recognised.
        failed: what an exception most likely means; without it, ``hint``.
        shape_hint: what to say where a tensor has the wrong shape; without it, ``hint``.
        dtype_hint: what to say where only the dtype is wrong; without it, the general rule.
    """

    def __init__(
        self, name: str, notebook: str, points: int, oracle: Callable, *, idea: str, hint: str,
        failed: str = "", shape_hint: str = "", dtype_hint: str = "", seconds: float = 20.0,
    ):  # fmt: skip
        super().__init__(name, notebook, points, oracle, self._examine, idea, seconds)
        self.hint, self.failed, self.shape_hint = hint, failed or hint, shape_hint or hint
        self.dtype_hint = dtype_hint
        self.probes: list[Probe] = []
        self.mistakes: list[Mistake] = []  # the likeliest first
        self._more: list[Callable[[Any], str | None]] = []

    def probe(
        self, *args, hint: str = "", failed: str = "", call: str = "", trap: Callable | None = None,
        **kwargs,
    ) -> None:  # fmt: skip
        """Try answers on these arguments; they are handed out as clones.

        Args:
            hint: what a wrong result, shape or exception means here: this probe has its own point.
            failed: what an exception alone means here.
            call: how a reader would write the call, where the arguments are too long to show.
            trap: an answer that fails at this very probe; the bank hands it in.
        """
        failed, call = failed or hint or self.failed, call or self._call(args, kwargs)
        self.probes.append(Probe(args, kwargs, call, hint, failed, trap))

    def then(self, judge: Callable[[Any], str | None]) -> Callable:
        """Examine a right answer further: ``judge(answer)`` raises ``Wrong`` or gives a remark."""
        self._more.append(judge)
        return judge

    def expected(self, probe: Probe):
        """The oracle's value on a probe."""
        return self.oracle(*deepcopy(probe.args), **deepcopy(probe.kwargs))

    def _call(self, args: tuple, kwargs: dict) -> str:
        given = [_short(arg) for arg in args] + [f"{key}={_short(v)}" for key, v in kwargs.items()]
        return f"{self.name}({', '.join(given)})"

    def _examine(self, answer) -> str | None:
        for probe in self.probes:
            expected = self.expected(probe)
            got = self._ask(answer, probe, expected)
            if _differs(got, expected):
                self._explain(answer, probe, got, expected)
        remarks = [judge(answer) for judge in self._more]
        return next(filter(None, remarks), None)

    def _ask(self, answer, probe: Probe, expected):
        got = ask(
            answer, *deepcopy(probe.args), called=self.name, hint=probe.failed,
            **deepcopy(probe.kwargs),
        )  # fmt: skip
        if isinstance(expected, Tensor):
            return expect_tensor(got, None, None, f"The result of {probe.call}").detach()
        if isinstance(expected, tuple):
            return _expect_numbers(got, len(expected), probe.call)
        return expect_number(got, probe.call)

    def _explain(self, answer, probe: Probe, got, expected) -> NoReturn:
        """Raise Wrong: the mistake that explains the results, else the probe's or general hint."""
        mistake = self._recognise(answer, probe, got)
        seen = f"{probe.call} gave {_both(got, expected)}"
        if mistake:
            raise Wrong(f"{seen}. What came out is {mistake.name}.", mistake.hint)
        hint = probe.hint or self.hint
        if isinstance(expected, Tensor):
            shape_hint = probe.hint or self.shape_hint
            compare(got, expected, probe.call, hint, shape_hint, self.dtype_hint)
        raise Wrong(f"{seen}.", hint)

    def _recognise(self, answer, probe: Probe, got) -> Mistake | None:
        """Return the mistake that gives this result, and most of the others too.

        Two tensors are hardly ever alike by chance. Numbers are: there a mistake must explain all
        wrong results. At a probe with a point of its own it must explain the right ones too.
        """
        able = [
            (mistake, formula)
            for mistake in self.mistakes
            for formula in mistake.formulas
            if self._gives(formula, probe, got) and self._differs_at(probe, got)
        ]
        number = not isinstance(got, Tensor)
        if not able or (len(able) == 1 and not number and not probe.hint):
            return able[0][0] if able else None
        others = []
        for other in self.probes:
            if other is not probe and not other.hint:
                with contextlib.suppress(Wrong):
                    others.append((other, self._ask(answer, other, self.expected(other))))
        for other, result in others:
            if probe.hint or (number and self._differs_at(other, result)):
                able = [pair for pair in able if self._gives(pair[1], other, result)]
        alike = [sum(self._gives(formula, *other) for other in others) for _, formula in able]
        return able[alike.index(max(alike))][0] if able else None

    def _differs_at(self, probe: Probe, result) -> bool:
        """Is this value wrong on the probe? (Its dtype may be right or wrong.)"""
        return _differs(result, self.expected(probe), dtype=False)

    def _gives(self, formula: Callable, probe: Probe, result) -> bool:
        try:
            value = formula(*deepcopy(probe.args), **deepcopy(probe.kwargs))
        except Exception:  # not made for this probe
            return False
        return not _differs(result, value, dtype=False)


def compare(
    got, expected: Tensor, call: str, hint: str, shape_hint: str = "", dtype_hint: str = ""
) -> None:
    """Demand that ``got`` is the tensor ``expected``: kind, shape, values up to rounding, dtype.

    Args:
        call: what was called, as a reader would write it: ``softmax(z)``.
        hint: what to say where the values are wrong; ``shape_hint``, ``dtype_hint``: where those
            are.
    """
    what = f"The result of {call}"
    got = expect_tensor(got, expected.shape, None, what, shape_hint).detach()
    if not close(got, expected):
        raise Wrong(f"{call} gave {_both(got, expected)}.", hint)
    expect_tensor(got, expected.shape, expected.dtype, what, dtype_hint=dtype_hint)


def gradient(result: Tensor, tensor: Tensor, direction: Tensor | None = None) -> Tensor | None:
    """The gradient of ``result``, weighted by ``direction``, by ``tensor``; None: none flows."""
    if not result.requires_grad:
        return None
    (grad,) = torch.autograd.grad(result, tensor, direction, retain_graph=True, allow_unused=True)
    return grad


def plain(number: float) -> str:
    """All digits of a whole number (7, not 7.0), else six."""
    return str(int(number)) if float(number).is_integer() else f"{number:g}"


def _differs(got, expected, dtype: bool = True) -> bool:
    """NaN differs from everything, NaN too."""
    if isinstance(got, Tensor):
        expected = torch.as_tensor(expected)
        return not close(got, expected) or (dtype and got.dtype != expected.dtype)
    return got != expected


def _expect_numbers(got, many: int, call: str) -> tuple[float, ...]:
    """Demand so many numbers in a tuple or list (or tensor or array)."""
    try:
        # One more than asked for tells that there are too many, also of what never ends.
        values = None if isinstance(got, (dict, str, set)) else tuple(islice(got, many + 1))
    except TypeError:
        values = None
    if values is None or len(values) != many:
        text = f"{call} is {describe(got)}; expected a tuple of {many} numbers."
        raise Wrong(text, f"Return {many} numbers with a comma between them.")
    return tuple(expect_number(value, f"An entry of {call}") for value in values)


def _value(value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(plain, value))})"
    return show(value) if isinstance(value, Tensor) else plain(value)


def _both(got, expected) -> str:
    """What came out and what was expected; of tensors too long to show, where they first differ."""
    if not isinstance(got, Tensor) or not isinstance(expected, Tensor):
        return f"{_value(got)}; expected {_value(expected)}"
    if got.shape != expected.shape:
        return f"a tensor of shape {tuple(got.shape)}; expected {tuple(expected.shape)}"
    wrong = ~torch.isclose(got.double(), expected.double(), rtol=1e-4, atol=1e-6)
    first = int(wrong.flatten().int().argmax()) if wrong.numel() > 12 else 0
    if first < 6:  # to be seen at the start
        return f"{show(got)}; expected {show(expected)}"
    seen, right = (show(tensor.flatten()[first:]) for tensor in (got, expected))
    return f"[..., {seen[1:]}; expected [..., {right[1:]}"


def _short(value) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    if value.numel() <= 9:
        return show(value)
    return f"a tensor of shape {tuple(value.shape)}"
