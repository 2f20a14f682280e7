"""What an answer does to the process, torch or the system is undone, in every exercise."""

import builtins
import os
import sys
import tempfile
import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks import EXERCISES
from labutils.checks.frame.guard import TorchItself


def ends_the_kernel(*args, **kwargs):
    os._exit(3)


def aborts(*args, **kwargs):
    os.abort()


def quits(*args, **kwargs):
    builtins.quit()


def forks(*args, **kwargs):
    os.fork()


def forks_and_raises(*args, **kwargs):
    if os.fork() == 0:
        raise ValueError("in the child")


def changes_threads(*args, **kwargs):
    torch.set_num_threads(1 if torch.get_num_threads() > 1 else 2)
    raise ValueError


def stops_gradients(*args, **kwargs):
    torch.set_grad_enabled(False)


def closes_stdout(*args, **kwargs):
    sys.stdout.close()
    print("x")


def replaces_torch(*args, **kwargs):
    torch.softmax = nn.Linear = F.relu = F.cross_entropy = torch.Tensor.softmax = None


def deletes_torch(*args, **kwargs):
    del torch.softmax, nn.Linear, F.relu, torch.Tensor.backward


def starts_threads(*args, **kwargs):
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(0.1,), daemon=True).start()


def raises_warnings(*args, **kwargs):
    np.seterr(all="raise")
    sys.setrecursionlimit(10**6)


def goes_elsewhere(*args, **kwargs):
    os.chdir(os.path.dirname(os.getcwd()))


def deletes_the_folder_it_is_in(*args, **kwargs):
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


UNRULY = [
    ends_the_kernel, aborts, quits, changes_threads, stops_gradients, closes_stdout,
    goes_elsewhere, deletes_the_folder_it_is_in,
    replaces_torch, deletes_torch, starts_threads, raises_warnings,
]  # fmt: skip
if hasattr(os, "fork"):
    UNRULY += [forks, forks_and_raises]


def _world():
    return (
        os.getpid(), torch.get_num_threads(), torch.is_grad_enabled(), sys.stdout.closed,
        np.geterr(), sys.getrecursionlimit(), torch.softmax, nn.Linear, F.relu, F.cross_entropy,
        torch.Tensor.softmax, torch.Tensor.backward, os._exit, os.abort, os.getcwd(), input,
    )  # fmt: skip


@pytest.mark.parametrize("answer", UNRULY, ids=lambda f: f.__name__)
def test_the_world_is_as_before(answer):
    before = _world()
    for exercise in EXERCISES.values():
        result = exercise.run(answer)
        assert result.done and not result.passed and result.message and result.hint, result
        assert _world() == before, exercise.name


@pytest.mark.parametrize("answer", [ends_the_kernel, aborts, quits], ids=lambda f: f.__name__)
def test_an_answer_that_would_end_the_kernel_is_told(answer):
    for exercise in EXERCISES.values():
        assert "never ends the program" in exercise.run(answer).hint, exercise.name


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
