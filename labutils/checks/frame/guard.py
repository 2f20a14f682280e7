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
from collections.abc import Iterator
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


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Fixed seed and no prints inside; random states and settings as before outside."""
    states = random.getstate(), np.random.get_state()
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    device, threads = torch.get_default_device(), torch.get_num_threads()
    modes = _python_dispatch._len_torch_dispatch_stack(), overrides._len_torch_function_stack()
    depth, warned = sys.getrecursionlimit(), np.geterr()
    bin_ = _Bounded()
    TORCH_ITSELF.put_back()  # a cell before this one may have replaced something
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(bin_),
            contextlib.redirect_stderr(bin_),
            torch.random.fork_rng(gpus),
            torch.enable_grad(),
            _no_exit(),
        ):
            warnings.simplefilter("ignore")
            torch.set_default_dtype(torch.float32)
            torch.manual_seed(0)
            yield
    finally:
        # The alarm of the time limit may ring just where a recorder is being switched off. Left on,
        # it would keep every tensor of the notebook from then on.
        while _python_dispatch._len_torch_dispatch_stack() > modes[0]:
            _python_dispatch._pop_mode()
        while overrides._len_torch_function_stack() > modes[1]:
            overrides._pop_mode()
        TORCH_ITSELF.put_back()
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)
        random.setstate(states[0])
        np.random.set_state(states[1])
        np.seterr(**warned)
        sys.setrecursionlimit(depth)


@contextlib.contextmanager
def _no_exit() -> Iterator[None]:
    """Make os._exit, os.abort, exit and quit raise SystemExit, as sys.exit does.

    In a notebook the first two end the kernel at once, the others after the cell.
    """
    home, really_exit = os.getpid(), os._exit

    def leave(*_):
        if os.getpid() != home:  # a process that the answer forked, or that torch did
            really_exit(1)
        raise SystemExit

    names = [(os, "_exit"), (os, "abort"), (builtins, "exit"), (builtins, "quit")]
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        names.append((type(shell.exiter), "__call__"))  # a notebook's own exit and quit
    try:
        with contextlib.ExitStack() as stack:
            for place, name in names:
                if hasattr(place, name):  # without Python's site module there is no quit
                    stack.enter_context(mock.patch.object(place, name, leave))
            yield
    finally:
        if os.getpid() != home:  # the child of an os.fork in the answer came back
            really_exit(0)
