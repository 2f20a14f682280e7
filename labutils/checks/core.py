"""What every check is made of: an exercise, its result, and safe ways to try an answer.

A check is a plain function ``examine(answer) -> str | None``. It tries the answer with :func:`ask`
and raises :class:`Wrong` at the first thing that is not right, the known misconceptions first.
Returning means the answer is right; a returned string is a word to say along with the praise.
"""

import contextlib
import html
import io
import os
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


class Wrong(Exception):
    """The answer is wrong: ``message`` says what was seen against what was expected, ``hint`` why."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotDone(Exception):
    """The answer still raises the stub's own NotImplementedError."""


@dataclass(frozen=True)
class Result:
    """What a check found. ``done`` is False for a blank answer; ``hint`` is empty when passed."""

    passed: bool
    done: bool
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Exercise:
    """One exercise: its oracle and the function that examines an answer.

    Attributes:
        name: also the nbgrader ``grade_id`` of its cell.
        notebook: file name without ``.ipynb``.
        points: what a right answer scores.
        reference: an independent right answer (PyTorch, torchvision), used when the student's is not.
        examine: raises :class:`Wrong` or :class:`NotDone`, or returns a remark (or None) when right.
    """

    name: str
    notebook: str
    points: int
    reference: Callable
    examine: Callable[[Any], str | None]

    def run(self, answer) -> Result:
        """Examine ``answer``. Never raises, and leaves random state and global settings as they were."""
        with _guarded():
            try:
                remark = self.examine(answer)
            except NotDone:
                return Result(False, False, f"{self.name} is not written yet.", "")
            except Wrong as wrong:
                return Result(False, True, wrong.message, wrong.hint)
        return Result(True, True, remark or "")


def ask(answer: Callable, *args, **kwargs):
    """Call a student's function or class with copies of ``args``; answer with what it returns.

    Raises:
        NotDone: the stub's own NotImplementedError came out.
        Wrong: it raised something else, or changed what it was given.
    """
    raise NotImplementedError
