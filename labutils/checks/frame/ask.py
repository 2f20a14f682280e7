"""Safe ways to try an answer, and to judge what it gives back.

:func:`ask` calls the answer; it and the ``expect_...`` functions raise :class:`Wrong` at the first
thing that is not right.
"""

import copy
import dis
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from labutils.checks.frame.errors import likely_cause
from labutils.checks.frame.guard import SETTINGS, TORCH_ITSELF
from labutils.checks.frame.timelimit import TimeIsUp


class Wrong(Exception):
    """The answer is wrong: ``message`` has what was seen and what was expected, ``hint`` why."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotDone(Exception):
    """The answer still raises the stub's own NotImplementedError."""


# --- trying an answer -----------------------------------------------------------------------


def ask(answer: Callable, *args, frozen: bool = True, called: str = "", hint: str = "", **kwargs):
    """Call a student's function, class or model and return what it returns.

    Args:
        frozen: the arguments must come back unchanged.
        called: the name to use in messages, where ``answer.__name__`` does not say it.
        hint: what an exception most likely means in this very call, instead of a general word.

    Raises:
        NotDone: the stub's own NotImplementedError came out.
        Wrong: ``answer`` cannot be called, raised something else, or changed what it was given,
            torch itself or its settings.
    """
    name = called or getattr(answer, "__name__", type(answer).__name__)
    if not callable(answer):
        raise Wrong(
            f"Expected a function or class, got {describe(answer)}.",
            "The name now stands for something else: run the cell that defines it again, "
            "and hand over the function itself, without calling it.",
        )
    before = copy.deepcopy((args, kwargs)) if frozen else None
    settings = {setting: get() for setting, (get, _) in SETTINGS.items()}
    try:
        result = answer(*args, **kwargs)
    except (NotDone, Wrong, TimeIsUp, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and its kind too
        _explain(error, name, args, hint)
    for setting, (get, _) in SETTINGS.items():
        if get() != settings[setting]:
            raise Wrong(
                f"{name} leaves {setting} at {get()} for the rest of the program; it was "
                f"{settings[setting]}.",
                "Switch gradients off for a block only: `with torch.no_grad():`. Behind it they "
                "are again as they were. Other settings are the notebook's, not a function's.",
            )
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
            "An in-place operation (+=, x[...] = ..., .add_(), inplace=True, .sort()) works on "
            "the caller's own data. Make a new tensor or list instead.",
        )
    return result


def _explain(error: BaseException, name: str, args: tuple, hint: str) -> NoReturn:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_library(f.filename)]
    text = first_line(error)
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


def first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an exception class of the student's own can be broken too
        return ""
    return lines[0][:300] if lines else ""


_LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (torch, np)) + (
    str(Path(__file__).parents[1]),
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
    value,
    shape: tuple[int, ...] | None,
    dtype: torch.dtype | None,
    what: str,
    hint: str = "",
    dtype_hint: str = "",
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
            dtype_hint or "A float result has the dtype of its argument; class labels are int64.",
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


def close(a: Tensor, b: Tensor, rtol: float = 1e-4, atol: float = 1e-6) -> bool:
    """Are two tensors equal up to rounding? NaN never is; infinities must agree."""
    return a.shape == b.shape and torch.allclose(
        a.detach().double(), b.detach().double(), rtol=rtol, atol=atol
    )
