"""What every check is made of: an exercise, its result, and safe ways to try an answer.

A check is a plain function ``examine(answer) -> str | None``. It tries the answer with :func:`ask`
and raises :class:`Wrong` at the first thing that is not right, the known misconceptions first.
Returning means the answer is right; a returned string is a word to say along with the praise.
"""

import copy
import difflib
import dis
import html
import os
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from labutils.checks.errors import likely_cause
from labutils.checks.guard import TORCH_ITSELF, guarded, load_late_imports
from labutils.checks.memorylimit import memory_limit
from labutils.checks.timelimit import TimeIsUp, time_limit


class Wrong(Exception):
    """The answer is wrong: ``message`` has what was seen and what was expected, ``hint`` why."""

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
        oracle: an independent right answer (PyTorch, torchvision); the notebook goes on with it
            while the student's own is not right.
        examine: raises :class:`Wrong` or :class:`NotDone`; returns a remark or None when right.
        idea: the way to the solution in a sentence or two (never code), shown from the third
            failure on.
        seconds: how long an answer may compute before it is called endless.
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
        try:
            with guarded(), memory_limit(), time_limit(self.seconds):
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
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an answer so odd that the check itself stumbled over it
            return Result(
                False,
                True,
                f"The check could not make sense of what {self.name} gave back "
                f"({type(error).__name__}: {_first_line(error)}).",
                "Compare the type and shape of your result with the signature in the exercise.",
            )
        return Result(True, True, remark or "Right.")


# --- trying an answer -----------------------------------------------------------------------


def ask(answer: Callable, *args, frozen: bool = True, called: str = "", hint: str = "", **kwargs):
    """Call a student's function, class or model and return what it returns.

    Args:
        frozen: the arguments must come back unchanged.
        called: the name to use in messages, where ``answer.__name__`` does not say it.
        hint: what an exception most likely means in this very call, instead of a general word.

    Raises:
        NotDone: the stub's own NotImplementedError came out.
        Wrong: ``answer`` cannot be called, raised something else, or changed what it was given
            or torch itself.
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
    except (NotDone, Wrong, TimeIsUp, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and its kind too
        _explain(error, name, args, hint)
    replaced = TORCH_ITSELF.replaced()
    if replaced:
        raise Wrong(
            f"{name} replaced or deleted {', '.join(replaced[:3])}.",
            "PyTorch's own functions are shared by everything in the notebook: give your function "
            "a name of its own, and assign nothing to torch. (It was put back.)",
        )
    if frozen and not _same(before, (args, kwargs)):
        raise Wrong(
            f"{name} changed what it was given.",
            "An in-place operation (+=, -=, x[...] = ..., .add_(), .sort(), .pop()) works on the "
            "caller's own data. Make a new tensor or list instead.",
        )
    return result


def _explain(error: BaseException, name: str, args: tuple, hint: str) -> NoReturn:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_library(f.filename)]
    text = _first_line(error)
    if isinstance(error, NotImplementedError):
        if not _is_library(frames[-1].filename) and _raised_by_hand(error.__traceback__):
            raise NotDone from None
        if 'required "forward"' in text:
            network = name.removesuffix("'s forward")
            raise Wrong(
                f"{network} has no forward method.",
                "A module computes in `forward(self, x)`. Is yours there, spelled so, and indented "
                "so that it belongs to the class?",
            ) from None
    given = ", ".join(describe(a) for a in args)
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    raise Wrong(
        f"{name}({given}) raised {type(error).__name__}: {text}{where}",
        likely_cause(error, text, hint),
    ) from None


def _raised_by_hand(trace: TracebackType) -> bool:
    """Did a ``raise`` statement raise this, and not compiled code called from that line?"""
    while trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code.co_code
    return dis.opname[code[trace.tb_lasti]] == "RAISE_VARARGS"


def _first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an exception class of the student's own can be broken too
        return ""
    return lines[0][:300] if lines else ""


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
    if isinstance(value, nn.Module):
        return f"the module {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    try:
        text = repr(value)
    except Exception:  # a class of the student's own, not finished yet
        return f"a {type(value).__name__}"
    if isinstance(value, str) and len(text) > 60:
        return f"{text[:50]}..."
    if isinstance(value, (list, tuple)) and len(text) > 60:
        return f"a {type(value).__name__} of {len(value)}"
    plain = len(text) <= 60 and "\n" not in text and " at 0x" not in text
    return text if plain else f"a {type(value).__name__}"


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
    return f"{value + 0.0:.{digits}g}" if isinstance(value, float) else str(value)  # no "-0"


def expect_tensor(
    value, shape: tuple[int, ...] | None, dtype: torch.dtype | None, what: str, hint: str = ""
) -> Tensor:
    """Demand an ordinary torch tensor of this shape and dtype (None: any); return it.

    "Ordinary" means dense, and on the default device, where the checks hand over their arguments.
    """
    if value is None:
        raise Wrong(f"{what} is None.", "Is there a `return` at the end of the function?")
    if type(value).__module__ == "torch.return_types":
        raise Wrong(
            f"{what} is the pair (values, indices) of torch.{type(value).__name__}; expected one "
            "tensor.",
            "With a dim, torch.max gives two results: .values are the largest entries, .indices "
            "say where they stand. argmax gives the indices alone.",
        )
    if not isinstance(value, Tensor):
        expected = "a torch tensor" + ("" if shape is None else f" of shape {tuple(shape)}")
        raise Wrong(
            f"{what} is {describe(value)}; expected {expected}.",
            "Stay in torch: its functions take and give tensors, and .item(), .tolist() and "
            ".numpy() leave it.",
        )
    device = torch.get_default_device()
    if value.device.type != device.type:
        raise Wrong(
            f"{what} is on the device {value.device.type}; expected {device.type}.",
            "A result stays on the device of its argument; nothing has to be moved here.",
        )
    if value.layout != torch.strided:
        raise Wrong(
            f"{what} is a tensor with layout {value.layout}; expected an ordinary, dense one.",
            "Return it .to_dense().",
        )
    if shape is not None and tuple(value.shape) != tuple(shape):
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
    """Demand a number (Python, numpy or a 0-d tensor); return it as a float."""
    if value is None:
        raise Wrong(f"{what} is None.", "Is there a `return` at the end of the function?")
    single = isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0
    plain = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if single or plain:
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            pass  # complex, text, no data, beyond a float
    raise Wrong(f"{what} is {describe(value)}; expected a number.", hint or "Return one number.")


class Mistake(NamedTuple):
    """A known wrong result: its value, what it is (completes "that is ..."), and what to do."""

    value: Tensor
    name: str
    hint: str


def compare(
    got,
    expected: Tensor,
    call: str,
    mistakes: Iterable[Mistake] = (),
    otherwise: str = "",
    shape_hint: str = "",
) -> None:
    """Demand that ``got`` is the tensor ``expected``: kind, shape, values up to rounding, dtype.

    The known mistakes come first, so that one with another shape or dtype is recognised too.

    Args:
        call: what was called, as a reader would write it: ``softmax(z)``.
        mistakes: wrong results to recognise, the likeliest first.
        otherwise: the hint where the shape is right and no mistake is recognised.
        shape_hint: the hint where the shape is wrong.
    """
    got = expect_tensor(got, None, None, f"The result of {call}").detach()
    seen = f"{call} gave {show(got)}; expected {show(expected)}"
    for mistake in mistakes:
        if close(got, mistake.value) and not close(mistake.value, expected):
            raise Wrong(f"{seen}. What came out is {mistake.name}.", mistake.hint)
    expect_tensor(got, expected.shape, None, f"The result of {call}", shape_hint)
    if not close(got, expected):
        raise Wrong(f"{seen}.", otherwise or "Work the example out by hand, term by term.")
    expect_tensor(got, expected.shape, expected.dtype, f"The result of {call}")


def close(a: Tensor, b: Tensor, rtol: float = 1e-4, atol: float = 1e-6) -> bool:
    """Are two tensors equal up to rounding? NaN never is; infinities must agree."""
    return a.shape == b.shape and torch.allclose(
        a.detach().double(), b.detach().double(), rtol=rtol, atol=atol
    )


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
