"""What every check is made of: an exercise, its result, and what the notebook calls.

A check is a plain function ``examine(answer) -> str | None``. It tries the answer with
:func:`~labutils.checks.frame.ask.ask` and raises :class:`~labutils.checks.frame.ask.Wrong` at the
first thing that is not right, the known misconceptions first. Returning means the answer is right;
a returned string is a word to say along with the praise.
"""

import difflib
import functools
import html
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labutils.checks.frame.ask import NotDone, Wrong, first_line
from labutils.checks.frame.guard import guarded, load_late_imports
from labutils.checks.frame.memorylimit import memory_limit
from labutils.checks.frame.timelimit import TimeIsUp, Waited, how_long_to_wait, time_limit


@dataclass(frozen=True)
class Result:
    """What a check found. ``done`` is False for a blank answer; ``hint`` is empty when passed."""

    passed: bool
    done: bool
    message: str
    hint: str = ""


@dataclass
class Exercise:
    """One exercise: its oracle and the function that examines an answer.

    Attributes:
        name: what the student's function or class is called; also the nbgrader ``grade_id``.
        notebook: file name without ``.ipynb``.
        points: what a right answer scores.
        oracle: an independent right answer (PyTorch, torchvision); the notebook goes on with it
            while the student's own is not right.
        examine: raises :class:`Wrong` or :class:`NotDone`; returns a remark or None when right.
        idea: the way to the solution in a sentence or two (never code), shown from the third
            failure on.
        seconds: how long an answer may compute before it is called endless. After a quarter of it
            the reader is told; an answer that only waits is stopped sooner.
    """

    name: str
    notebook: str
    points: int
    oracle: Callable
    examine: Callable[[Any], str | None]
    idea: str
    seconds: float = 20.0

    def run(self, answer) -> Result:
        """Examine ``answer``; never raise or hang, and leave random states and settings alone.

        Only KeyboardInterrupt gets out: it is the reader who wants to stop.
        """
        load_late_imports()
        patience = how_long_to_wait(self.seconds)
        say = functools.partial(
            print,
            f"{self.name} is still running. It will be stopped when it has computed for "
            f"{self.seconds:g} seconds, or waited for {patience:g}.",
            file=sys.stderr,  # the reader's; a busy machine's word must not count as output
            flush=True,
        )
        try:
            with guarded(), memory_limit(), time_limit(self.seconds, say):
                remark = self.examine(answer)
        except NotDone:
            return Result(False, False, f"{self.name} is not written yet.")
        except Wrong as wrong:
            message, hint = wrong.message, wrong.hint
        except Waited:
            message = f"{self.name} computed nothing for {patience:g} seconds and was stopped."
            hint = (
                "It waits for something that does not come: a sleep, a lock, another thread. An "
                "answer computes and returns; nothing in it has to wait."
            )
        except TimeIsUp:
            message = (
                f"{self.name} was still running after {self.seconds:g} seconds and was stopped."
            )
            hint = "Look for a loop that never ends, or work that grows with every call."
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an answer so odd that the check itself stumbled over it
            message = (
                f"The check could not make sense of what {self.name} gave back "
                f"({type(error).__name__}: {first_line(error)})."
            )
            hint = "Compare the type and shape of your result with the signature in the exercise."
        else:
            return Result(True, True, remark or "Right.")
        return Result(False, True, message, hint)


# --- what the notebook calls ----------------------------------------------------------------


class Check:
    """``softmax = check.softmax(softmax)``: show the result, return a function that works.

    What a wrong answer is told grows with the tries: what was seen against what was expected, then
    the hint too, then the idea of the solution too.
    """

    def __init__(self, exercises: dict[str, Exercise]):
        self._exercises = exercises
        self.results: dict[str, Result] = {}  # what each exercise's last check found
        self._passed: set[str] = set()
        self._failures: dict[str, int] = {}
        self._lent: set[str] = set()  # names that stand for the reference in the notebook

    def __dir__(self):
        return list(self._exercises)

    def __getattr__(self, name: str) -> Callable:
        if name not in self._exercises:
            near = difflib.get_close_matches(name, self._exercises, n=1)
            guess = f"; did you mean check.{near[0]}?" if near else ""
            raise AttributeError(
                f"there is no exercise {name!r}{guess} (exercises: {', '.join(self._exercises)})"
            )
        return lambda answer: self._run(self._exercises[name], answer)

    def _run(self, exercise: Exercise, answer):
        if exercise.name in self._lent and answer is exercise.oracle:
            return self._ask_for_own(exercise)
        result = exercise.run(answer)
        self.results[exercise.name] = result
        if result.passed:
            self._passed.add(exercise.name)
            self._failures.pop(exercise.name, None)
        else:
            self._passed.discard(exercise.name)
        if result.done and not result.passed:
            self._failures[exercise.name] = self._failures.get(exercise.name, 0) + 1
        if os.environ.get("NBGRADER_EXECUTION") and not result.passed:
            raise AssertionError(f"{exercise.name}: {result.message} {result.hint}".strip())
        _display(self._lines(exercise, result), result)
        if result.passed:
            self._lent.discard(exercise.name)
            return answer
        self._lent.add(exercise.name)
        return exercise.oracle

    def _ask_for_own(self, exercise: Exercise):
        """The check was run again without the cell above it: the reference earns no points."""
        result = Result(False, False, f"{exercise.name} stands for the reference implementation.")
        lines = [
            f"[TO DO] {result.message}",
            "Run the cell with your own answer again, and then this one.",
            self._progress(exercise.notebook),
        ]
        _display(lines, result)
        return exercise.oracle

    def _lines(self, exercise: Exercise, result: Result) -> list[str]:
        if result.passed:
            lines = [f"[OK] {exercise.name}: {result.message}"]
        elif not result.done:
            lines = [
                f"[TO DO] {result.message}",
                "The notebook goes on with a reference implementation.",
            ]
        else:
            lines = [f"[NOT YET] {exercise.name}: {result.message}"]
            tries = self._failures[exercise.name]
            if tries >= 2:
                lines.append(f"Hint: {result.hint}")
            if tries >= 3:
                lines.append(f"The idea: {exercise.idea}")
            lines.append(
                "Until yours is right, the notebook goes on with a reference implementation."
            )
        return [*lines, self._progress(exercise.notebook)]

    def _progress(self, notebook: str) -> str:
        here = [e for e in self._exercises.values() if e.notebook == notebook]
        done = [e for e in here if e.name in self._passed]
        points = f"{sum(e.points for e in done)} of {sum(e.points for e in here)} points"
        return f"{len(done)} of {len(here)} exercises done · {points}"


def _display(lines: list[str], result: Result) -> None:
    """Show the lines as text, and in a notebook as a box with a coloured edge too."""
    text = "\n".join(lines)
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(text)
        return
    colour = "#009e73" if result.passed else "#d55e00" if result.done else "#767676"
    paragraphs = "".join(f"<p style='margin:0.2em 0'>{html.escape(line)}</p>" for line in lines)
    box = f"<div style='border-left:4px solid {colour}; padding:0.2em 0.8em'>{paragraphs}</div>"
    display({"text/html": box, "text/plain": text}, raw=True)
