"""Judging functions that give one number: every case is tried, then the wrong ones explained."""

from collections.abc import Callable, Iterable

from labutils.checks.core import Wrong, ask, expect_number

Case = tuple[tuple, dict]  # positional and named arguments


def recognise(
    answer,
    name: str,
    cases: Iterable[Case],
    oracle: Callable,
    mistakes: Iterable[tuple[Callable, str]],
    otherwise: str,
) -> None:
    """Demand the oracle's number in every case.

    Args:
        mistakes: wrong formulas, each with its hint; the first one that explains all the wrong
            results names the mistake.
        otherwise: the hint where none does.
    """
    wrong = []
    for args, kwargs in cases:
        given = [repr(arg) for arg in args] + [f"{key}={value}" for key, value in kwargs.items()]
        call = f"{name}({', '.join(given)})"
        got = expect_number(ask(answer, *args, **kwargs), call)
        expected = oracle(*args, **kwargs)
        if got != expected:
            wrong.append((args, kwargs, got, f"{call} gave {plain(got)}; expected {expected}."))
    if not wrong:
        return
    for formula, hint in mistakes:
        if all(formula(*args, **kwargs) == got for args, kwargs, got, _ in wrong):
            raise Wrong(wrong[0][-1], hint)
    raise Wrong(wrong[0][-1], otherwise)


def plain(number: float) -> str:
    """All digits of a whole number (7, not 7.0), else six."""
    return str(int(number)) if number.is_integer() else f"{number:g}"
