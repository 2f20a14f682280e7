"""What every check is made of: an exercise, its result, and safe ways to try an answer.

A check is a plain function ``examine(answer) -> str | None``. It tries the answer with :func:`ask`
and raises :class:`Wrong` at the first thing that is not right, the known misconceptions first.
Returning means the answer is right; a returned string is a word to say along with the praise.
"""

import contextlib
import copy
import difflib
import html
import io
import os
import random
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from labutils.checks.timelimit import TimeIsUp, time_limit


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
        name: what the student's function or class is called; also the nbgrader ``grade_id``.
        notebook: file name without ``.ipynb``.
        points: what a right answer scores.
        reference: an independent right answer (PyTorch, torchvision); the notebook goes on with it
            while the student's own is not right.
        examine: raises :class:`Wrong` or :class:`NotDone`; returns a remark or None when right.
        idea: the way to the solution in a sentence or two (never code), shown from the second
            failure on.
        seconds: how long an answer may take before it is called endless.
    """

    name: str
    notebook: str
    points: int
    reference: Callable
    examine: Callable[[Any], str | None]
    idea: str
    seconds: float = 20.0

    def run(self, answer) -> Result:
        """Examine ``answer``. Never raises, never hangs, and leaves random states and settings alone."""
        try:
            with _guarded(), time_limit(self.seconds):
                remark = self.examine(answer)
        except NotDone:
            return Result(False, False, f"{self.name} is not written yet.")
        except Wrong as wrong:
            return Result(False, True, wrong.message, wrong.hint)
        except TimeIsUp:
            return Result(
                False,
                True,
                f"{self.name} was still running after {self.seconds:g} seconds and was stopped.",
                "Look for a loop that never ends, or work that grows with every call.",
            )
        except Exception as error:  # an answer so odd that the check itself stumbled over it
            return Result(
                False,
                True,
                f"The check could not make sense of what {self.name} gave back: "
                f"{type(error).__name__}: {error}",
                "Compare the type and shape of your result with the signature in the exercise.",
            )
        return Result(True, True, remark or "Right.")


# --- trying an answer -----------------------------------------------------------------------


def ask(answer: Callable, *args, frozen: bool = True, called: str = "", **kwargs):
    """Call a student's function, class or model and answer with what it returns.

    Args:
        frozen: the arguments must come back unchanged.
        called: the name to use in messages, where ``answer.__name__`` does not say it.

    Raises:
        NotDone: the stub's own NotImplementedError came out.
        Wrong: ``answer`` cannot be called, raised something else, or changed what it was given.
    """
    name = called or getattr(answer, "__name__", type(answer).__name__)
    if not callable(answer):
        raise Wrong(
            f"Expected a function or class, got {describe(answer)}.",
            "The name now stands for something else: run the cell that defines it again, "
            "and hand over the function itself, without calling it.",
        )
    before = copy.deepcopy((args, kwargs)) if frozen else None
    try:
        result = answer(*args, **kwargs)
    except (NotDone, Wrong):
        raise
    except (Exception, SystemExit) as error:
        _explain(error, name, args)
    if frozen and not _same(before, (args, kwargs)):
        raise Wrong(
            f"{name} changed what it was given.",
            "An in-place operation (+=, -=, x[...] = ..., .add_(), .sort(), .pop()) works on the "
            "caller's own data. Make a new tensor or list instead.",
        )
    return result


def _explain(error: BaseException, name: str, args: tuple) -> NoReturn:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_library(f.filename)]
    if isinstance(error, NotImplementedError):
        if not _is_library(frames[-1].filename):
            raise NotDone from None
        if 'required "forward"' in str(error):
            raise Wrong(
                f"{name} has no forward method.",
                "A module computes in `forward(self, x)`. Is yours there, spelled so, and indented "
                "so that it belongs to the class?",
            ) from None
    given = ", ".join(describe(a) for a in args)
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    text = str(error).strip().splitlines()
    first = text[0][:300] if text else ""
    raise Wrong(
        f"{name}({given}) raised {type(error).__name__}: {first}{where}",
        _ERROR_HINTS.get(
            type(error), "Call it yourself on a small example, and read the last line first."
        ),
    ) from None


_ERROR_HINTS = {
    RecursionError: "The function calls itself and never stops: did you mean torch's function of that name?",
    SystemExit: "A function in a notebook returns its result; it never ends the program.",
    MemoryError: "This asks for more memory than there is: look at the shapes, a broadcast may blow up.",
    NameError: "A name is used that was never given a value: a typo, or a cell that was not run yet.",
    AttributeError: "Check the spelling, and (in a class) that __init__ stores the name on self.",
}

_LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (torch, np)) + (
    str(Path(__file__).parent),
)


def _is_library(filename: str) -> bool:
    return filename.startswith(_LIBRARIES) or "site-packages" in filename


def _same(a, b) -> bool:
    """Are two argument structures equal, tensors and modules included?"""
    if isinstance(a, Tensor):
        return (
            isinstance(b, Tensor)
            and a.shape == b.shape
            and a.dtype == b.dtype
            and torch.equal(torch.nan_to_num(a.detach()), torch.nan_to_num(b.detach()))
        )
    if isinstance(a, nn.Module):
        ours, theirs = a.state_dict(), b.state_dict()
        return ours.keys() == theirs.keys() and all(_same(ours[k], theirs[k]) for k in ours)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (int, float, str, bool, type(None))):
        return a == b
    return True  # loaders, optimizers: not ours to compare


# --- judging a value ------------------------------------------------------------------------


def describe(value) -> str:
    """A few words for a value: ``tensor of shape (2, 3), float32``, ``a list of 3``, ``None``."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"tensor of shape {tuple(value.shape)}, {dtype}"
    if isinstance(value, np.ndarray):
        return f"numpy array of shape {value.shape}, {value.dtype}"
    if isinstance(value, (list, tuple)) and len(repr(value)) > 60:
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, nn.Module):
        return f"the module {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:50]}..."


def show(value, digits: int = 4) -> str:
    """A tensor or number as short text: ``[0.2, 0.8]``, cut after a dozen entries."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        if value.numel() > 12:
            return f"[{', '.join(_number(v, digits) for v in value.flatten()[:6].tolist())}, ...]"
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(show(v, digits) for v in value)}]"
    return _number(value, digits)


def _number(value, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def expect_tensor(
    value, shape: tuple[int, ...], dtype: torch.dtype | None, what: str, hint: str = ""
) -> Tensor:
    """Demand a torch tensor of this shape and dtype (None: any); answer with it."""
    if value is None:
        raise Wrong(f"{what} is None.", "Is there a `return` at the end of the function?")
    if not isinstance(value, Tensor):
        raise Wrong(
            f"{what} is {describe(value)}; expected a torch tensor of shape {shape}.",
            hint or "Stay in torch: its functions take and give tensors.",
        )
    if tuple(value.shape) != tuple(shape):
        raise Wrong(
            f"{what} has shape {tuple(value.shape)}; expected {tuple(shape)}.",
            hint or "Follow the shapes line by line: print(x.shape) after each.",
        )
    if dtype is not None and value.dtype != dtype:
        raise Wrong(
            f"{what} has dtype {describe(value).split(', ')[-1]}; expected "
            f"{str(dtype).removeprefix('torch.')}.",
            "A float result has the dtype of its argument; class labels are int64.",
        )
    return value


def expect_number(value, what: str, hint: str = "") -> float:
    """Demand a number (Python, numpy or a 0-d tensor); answer with it as a float."""
    if value is None:
        raise Wrong(f"{what} is None.", "Is there a `return` at the end of the function?")
    single = isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0
    if not single and (isinstance(value, bool) or not isinstance(value, (int, float, np.number))):
        raise Wrong(
            f"{what} is {describe(value)}; expected a number.", hint or "Return one number."
        )
    return float(value)


def close(a: Tensor, b: Tensor, rtol: float = 1e-4, atol: float = 1e-6) -> bool:
    """Are two tensors equal up to rounding? NaN never is; infinities must agree."""
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=rtol, atol=atol)


# --- keeping the notebook safe --------------------------------------------------------------


class _Bounded(io.StringIO):
    """Takes whatever an answer prints and forgets what is beyond 10,000 characters."""

    def write(self, text: str) -> int:
        if self.tell() < 10_000:
            super().write(text[:10_000])
        return len(text)


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Fixed seed inside; random states, dtype, grad mode, warnings as before outside; prints swallowed."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    bin_ = _Bounded()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(bin_),
            contextlib.redirect_stderr(bin_),
            torch.enable_grad(),
        ):
            warnings.simplefilter("ignore")
            torch.set_default_dtype(torch.float32)
            torch.manual_seed(0)
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


# --- what the notebook calls ----------------------------------------------------------------


class Check:
    """``softmax = check.softmax(softmax)``: show the result, answer with a function that works."""

    def __init__(self, exercises: dict[str, Exercise]):
        self._exercises = exercises
        self._passed: set[str] = set()
        self._failures: dict[str, int] = {}

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
        result = exercise.run(answer)
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
        return answer if result.passed else exercise.reference

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
            if result.hint:
                lines.append(f"Hint: {result.hint}")
            if self._failures[exercise.name] > 1:
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
