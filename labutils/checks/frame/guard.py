"""Keeping the notebook safe from what an answer does while it is examined.

Whatever it prints goes nowhere; random states, settings of torch, and torch's own functions are
afterwards as they were before; it cannot end the kernel. What nothing here can undo: a thread that
it starts goes on (Python cannot end one), file descriptor 1 closed by ``os.close`` stays closed,
and a crash in compiled code takes the kernel along. Grading a class survives those too, because
there every notebook has a process of its own.
"""

import builtins
import contextlib
import functools
import io
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn, overrides
from torch.utils import _python_dispatch


@functools.cache
def load_late_imports() -> None:
    """Have torch load what it loads on first use (sympy, its meta kernels) before any clock starts.

    On a busy machine that takes seconds. An import that the time limit cuts off stays broken.
    """
    image, weight = torch.empty(1, 1, 3, 3, device="meta"), torch.empty(1, 1, 3, 3, device="meta")
    nn.functional.conv2d(image, weight)


class _Bounded(io.StringIO):
    """Takes whatever an answer prints and forgets what is beyond 10,000 characters."""

    def write(self, text: str) -> int:
        if not self.closed and self.tell() < 10_000:
            super().write(text[:10_000])
        return len(text)


class TorchItself:
    """The public functions and classes of torch as they were when labutils was loaded.

    An answer that says ``torch.softmax = softmax`` would break the rest of the notebook, and the
    oracle with it.
    """

    # torch itself wraps this one later, when its compiler is loaded.
    _CHANGES_BY_ITSELF = "torch.manual_seed"
    _INHERITED = object()

    def __init__(self):
        self._own = {}
        places = {"torch": torch, "torch.nn": nn, "F": nn.functional, "torch.Tensor": Tensor}
        for prefix, place in places.items():
            for name in dir(place) if isinstance(place, type) else list(vars(place)):
                called = f"{prefix}.{name}"
                if name.startswith("_") or called == self._CHANGES_BY_ITSELF:
                    continue
                if callable(getattr(place, name)):
                    self._own[called] = place, name, self._now(place, name)

    def _now(self, place, name: str):
        return vars(place).get(name, self._INHERITED)

    def replaced(self) -> list[str]:
        """What is not torch's own any more, as a student would write it: ``torch.softmax``."""
        return [
            called
            for called, (place, name, own) in self._own.items()
            if self._now(place, name) is not own
        ]

    def put_back(self) -> None:
        for called in self.replaced():
            place, name, own = self._own[called]
            if own is self._INHERITED:
                delattr(place, name)
            else:
                setattr(place, name, own)


TORCH_ITSELF = TorchItself()


# --- settings and random states -------------------------------------------------------------

# Settings that an answer must leave as they are: what a reader calls to see them -> get, put back.
SETTINGS: dict[str, tuple[Callable, Callable]] = {
    "torch.is_grad_enabled()": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.get_default_dtype()": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.get_default_device()": (
        torch.get_default_device,
        lambda device: torch.set_default_device(None if device.type == "cpu" else device),
    ),
}


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # deleted meanwhile
        return None


def _go_to(folder: str | None) -> None:
    with contextlib.suppress(OSError, TypeError):
        os.chdir(folder)


def _mps_random_state() -> list[int] | None:
    with contextlib.suppress(Exception):  # no Mac, or one whose GPU torch cannot use
        if torch.backends.mps.is_available():
            return torch.mps.get_rng_state().tolist()
    return None


# What an answer may change, and finds put back.
_STATES: list[tuple[Callable, Callable]] = [
    *SETTINGS.values(),
    (torch.get_num_threads, torch.set_num_threads),
    (np.geterr, lambda kinds: np.seterr(**kinds)),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (_folder, _go_to),
    (random.getstate, random.setstate),
    (_mps_random_state, lambda state: torch.mps.set_rng_state(torch.tensor(state).byte())),
]


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    before = [get() for get, _ in _STATES]
    numpy_state = np.random.get_state()
    try:
        yield
    finally:
        for (get, put), state in zip(_STATES, before, strict=True):
            if get() != state:
                put(state)
        np.random.set_state(numpy_state)


def _modes() -> tuple[int, int]:
    return _python_dispatch._len_torch_dispatch_stack(), overrides._len_torch_function_stack()


@contextlib.contextmanager
def _modes_off() -> Iterator[None]:
    """Switch off what the time limit's alarm left on, as it rang where a recorder was leaving.

    Left on, it would keep every tensor of the notebook from then on.
    """
    dispatch, function = _modes()
    try:
        yield
    finally:
        held = []  # before torch 2.11, popping a mode that nothing else holds ends the process
        while _modes()[0] > dispatch:
            held.append(_python_dispatch._get_current_dispatch_mode())
            _python_dispatch._pop_mode()
        while _modes()[1] > function:
            overrides._pop_mode()


# --- the guard ------------------------------------------------------------------------------


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Fixed seed and no prints inside; random states and settings as before outside."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    bin_ = _Bounded()
    TORCH_ITSELF.put_back()  # a cell before this one may have replaced something
    try:
        with (
            _put_back(),
            warnings.catch_warnings(),
            contextlib.redirect_stdout(bin_),
            contextlib.redirect_stderr(bin_),
            torch.random.fork_rng(gpus),
            torch.enable_grad(),
            _no_exit(),
            _modes_off(),
        ):
            warnings.simplefilter("ignore")
            torch.set_default_dtype(torch.float32)
            torch.manual_seed(0)
            yield
    finally:
        TORCH_ITSELF.put_back()


@contextlib.contextmanager
def _no_exit() -> Iterator[None]:
    """Make os._exit, os.abort, exit and quit raise SystemExit, as sys.exit does; and no input().

    In a notebook the first two end the kernel at once, the others after the cell. input() would
    wait for the reader.
    """
    home, really_exit = os.getpid(), os._exit

    def leave(*_):
        if os.getpid() != home:  # a process that the answer forked, or that torch did
            really_exit(1)
        raise SystemExit

    def no_input(*_):
        raise RuntimeError("input() waits for the keyboard")

    names = [(os, "_exit"), (os, "abort"), (builtins, "exit"), (builtins, "quit")]
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        names.append((type(shell.exiter), "__call__"))  # a notebook's own exit and quit
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(builtins, "input", no_input))
            for place, name in names:
                if hasattr(place, name):  # without Python's site module there is no quit
                    stack.enter_context(mock.patch.object(place, name, leave))
            yield
    finally:
        if os.getpid() != home:  # the child of an os.fork in the answer came back
            really_exit(0)
