"""What an answer does to the process, torch or the system is undone, in every exercise."""

import os
import sys
import textwrap

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks import EXERCISES
from labutils.checks.frame.guard import TorchItself
from tests.misconceptions.mutants import Text


def answer(body: str):
    """A function of anything with this body."""
    imports = "import builtins, os, sys, tempfile, threading, time"
    return Text(f"{imports}\ndef f(*args, **kwargs):\n{textwrap.indent(body, '    ')}")()


ENDS = ["os._exit(3)", "os.abort()", "builtins.quit()"]
UNRULY = [
    *ENDS,
    "torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2)\nraise ValueError",
    "torch.set_grad_enabled(False)",
    "sys.stdout.close()\nprint('x')",
    "torch.softmax = nn.Linear = F.relu = F.cross_entropy = torch.Tensor.softmax = None",
    "del torch.softmax, nn.Linear, F.relu, torch.Tensor.backward",
    "for _ in range(20):\n    threading.Thread(target=time.sleep, args=[0.1], daemon=True).start()",
    "np.seterr(all='raise')\nsys.setrecursionlimit(10**6)",
    "os.chdir(os.path.dirname(os.getcwd()))",
    "with tempfile.TemporaryDirectory() as folder:\n    os.chdir(folder)",
]
if hasattr(os, "fork"):
    UNRULY += ["os.fork()", "if os.fork() == 0:\n    raise ValueError('in the child')"]


def _world():
    return (
        os.getpid(), torch.get_num_threads(), torch.is_grad_enabled(), sys.stdout.closed,
        np.geterr(), sys.getrecursionlimit(), torch.softmax, nn.Linear, F.relu, F.cross_entropy,
        torch.Tensor.softmax, torch.Tensor.backward, os._exit, os.abort, os.getcwd(), input,
    )  # fmt: skip


@pytest.mark.parametrize("body", UNRULY, ids=ascii)
def test_the_world_is_as_before(body):
    before, unruly = _world(), answer(body)
    for exercise in EXERCISES.values():
        result = exercise.run(unruly)
        assert result.done and not result.passed and result.message and result.hint, result
        assert _world() == before, exercise.name


@pytest.mark.parametrize("body", ENDS)
def test_an_answer_that_would_end_the_kernel_is_told(body):
    for exercise in EXERCISES.values():
        assert "never ends the program" in exercise.run(answer(body)).hint, exercise.name


def test_a_right_answer_that_replaces_torch_is_told_so():
    own = torch.softmax

    def softmax(z):
        torch.softmax = softmax
        torch.Tensor.exp = None
        return own(z, -1)

    result = EXERCISES["softmax"].run(softmax)
    assert "replaced or deleted torch.softmax, torch.Tensor.exp" in result.message
    assert "name of its own" in result.hint and torch.softmax is own
    assert torch.ones(1).exp() > 2, "an inherited method is there again"


def test_a_function_replaced_before_the_check_changes_no_verdict():
    own = torch.softmax
    try:
        torch.softmax = lambda z, dim: z
        assert EXERCISES["softmax"].run(lambda z: z).hint
        assert torch.softmax is own
    finally:
        torch.softmax = own


def test_torch_changes_nothing_of_itself_on_ordinary_use():
    watch = TorchItself()
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)  # its first step loads the compiler
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert watch.replaced() == []


def test_the_random_state_of_a_mac_is_put_back(monkeypatch):
    """A stand-in: its generator counts what is drawn."""
    drawn = [7]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor(drawn).byte())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: drawn.__setitem__(0, int(state)))

    def draws(z):
        drawn[0] += 1
        return torch.softmax(z, -1)

    assert EXERCISES["softmax"].run(draws).passed
    assert drawn == [7]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: 1 / 0)
    assert EXERCISES["softmax"].run(draws).passed, "a Mac whose GPU fails stops no check"
