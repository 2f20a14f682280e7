"""What the grader's own cells call inside a submission's kernel, around each check cell."""

from IPython.display import display

from labutils.checks import EXERCISES, check
from labutils.course import RESULT


def begin_check():
    """Return the check object for the next check cell, whatever the answer did to its name."""
    check.results.clear()
    return check


def end_check(name: str, namespace: dict) -> None:
    """Show what the check of exercise ``name`` found, for the report.

    Where the answer was not right, ``name`` stands for the reference from here on, as it does in
    the notebook itself: no later exercise is lost because of an earlier one.
    """
    result = check.results.pop(name, None)
    if result is None or not result.passed:
        namespace[name] = EXERCISES[name].oracle
    if result is not None:
        text = f"{name}: {result.message} {result.hint}".strip()
        display({RESULT: vars(result) | {"name": name}, "text/plain": text}, raw=True)
