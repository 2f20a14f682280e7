"""Judging functions that give one number: every case is tried, then the wrong ones explained."""

from collections.abc import Callable, Iterable, Sequence

from labutils.checks.frame.ask import Wrong, ask, expect_number

Case = tuple[tuple, dict]  # positional and named arguments


def recognise(
    answer,
    name: str,
    cases: Iterable[Case],
    oracle: Callable,
    mistakes: Sequence[tuple[Callable, str]],
    otherwise: str,
) -> None:
    """Demand the oracle's number in every case.

    Args:
        mistakes: wrong formulas, each with its hint; the first one that explains the results
            names the mistake.
        otherwise: the hint where none does.
    """
    results, wrong = [], []
    for args, kwargs in cases:
        given = [repr(arg) for arg in args] + [f"{key}={value}" for key, value in kwargs.items()]
        call = f"{name}({', '.join(given)})"
        got = expect_number(ask(answer, *args, **kwargs, called=name), call)
        expected = oracle(*args, **kwargs)
        results.append((args, kwargs, got))
        if got != expected:
            wrong.append((f"{call} gave {plain(got)}; expected {expected}.", results[-1]))
    if not wrong:
        return
    message = wrong[0][0]
    # A formula that explains the right results too is the better explanation.
    for to_explain in (results, [result for _, result in wrong]):
        for formula, hint in mistakes:
            if all(formula(*args, **kwargs) == got for args, kwargs, got in to_explain):
                raise Wrong(message, hint)
    raise Wrong(message, otherwise)


def plain(number: float) -> str:
    """All digits of a whole number (7, not 7.0), else six."""
    return str(int(number)) if number.is_integer() else f"{number:g}"
