"""The frame around every check: it never crashes, hangs, or lets an answer leave traces."""

import mmap
import os
import random
import signal
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import torch
from torch import overrides
from torch.overrides import TorchFunctionMode
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

from labutils.checks.frame.ask import Wrong, ask, close, expect_number, expect_tensor
from labutils.checks.frame.exercise import Check, Exercise, Result
from labutils.checks.frame.timelimit import TimeIsUp, time_limit
from labutils.checks.judges.values import Values, compare, table
from tests.misconceptions.hints import hints_of
from tests.misconceptions.mutants import Text
from tests.misconceptions.test_bank import WRONG


def double(x):
    return 2 * x


def examine(answer):
    x = torch.ones(3)
    got = expect_tensor(ask(answer, x), (3,), torch.float32, "double(x)")
    if not close(got, 2 * x):
        raise Wrong(f"double(1) is {got[0].item():g}; expected 2.", "Multiply by two.")


EXERCISE = Exercise("double", "00_test", 2, double, examine, "Twice the number.", seconds=1.0)


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


class Rude(BaseException):
    pass


class Opaque:
    def __repr__(self):
        raise ValueError("no repr")


class Broken(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise ValueError("broken")


def answer(body: str):
    """The answer ``double(x)`` with this body."""
    text = Text(f"def double(x):\n{textwrap.indent(body, '    ')}", **globals())
    return text()


LOOPS, SLEEPS, EXITS = "while True:\n    pass", "time.sleep(1000)", "sys.exit(3)"
SWALLOWS = f"""
while True:
    try:
        time.sleep(0.05)
    except BaseException:
        break
{LOOPS}"""
RAISES, TEXT = 'raise ValueError("something")', 'return "2"'
IMPOSSIBLE = "return torch.empty(10**15)"
# What an odd answer does -> a piece of the hint.
ODD = {
    "2 * x": "`return`",
    TEXT: "Stay in torch",
    "return (2 * x)[:2]": "print(x.shape)",
    "return (2 * x).double()": "dtype of its argument",
    "return x * float('nan')": "Multiply",
    RAISES: "read the last line",
    EXITS: "ends the program",
    "return double(x)": "calls itself",
    "x *= 2\nreturn x": "in-place",
    LOOPS: "never ends",
    SWALLOWS: "waits for something",
    SLEEPS: "waits for something",
    "lock = threading.Lock()\nlock.acquire()\nlock.acquire()": "waits for something",
    "return float(input('twice 1? '))": "given all that it needs",
    "torch.set_grad_enabled(False)\nreturn 2 * x": "for a block only",
    IMPOSSIBLE: "more memory than there is",
    # gigabytes, never touched: 400 MB each in torch, 100 MB each in Python
    "kept = []\nwhile True:\n    kept.append(torch.empty(10**8))": "more memory than there is",
    "kept = []\nwhile True:\n    kept.append(bytes(10**8))": "more memory than there is",
    "return (2 * x).to('meta')": "device of its argument",
    "return (2 * x).to_sparse()": "to_dense",
    # torch itself raises NotImplementedError here
    "return torch.tensor([1, 2]).softmax(0)": "read the last line",
    "raise Unprintable": "read the last line",
    "raise Rude('get out')": "read the last line",
    "return Opaque()": "Stay in torch",
    "return torch.Tensor._make_subclass(Broken, 2 * x)": "type and shape of your result",
    "return torch.max(x, dim=0)": ".values are the largest",
    "return [v for v in x].sum()": "a list stands where",
    "with torch.no_grad:\n    return 2 * x": "brackets are missing",
    "return 2 * y": "a typo",
}
HOGS = [body for body in ODD if "10**8" in body]


def test_long_results_are_shown_where_they_differ():
    right = torch.arange(40.0)
    wrong = torch.where(right == 30, 7, right)
    with pytest.raises(Wrong) as caught:
        compare(wrong, right, "f(x)", "")
    text = "f(x) gave [..., 7, 31, 32, 33, 34, 35, 36, 37, 38, 39]; expected [..., 30, 31, 32, 33, "
    assert caught.value.message == f"{text}34, 35, 36, 37, 38, 39]."


@pytest.mark.parametrize("body, hint", ODD.items(), ids=ascii)
def test_odd_answers_get_a_clear_result(body, hint):
    result = EXERCISE.run(answer(body))
    assert not result.passed and result.done and result.message
    assert hint.lower() in result.hint.lower()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
@pytest.mark.parametrize("hog", HOGS)
def test_memory_has_its_limit_beside_cuda_too(hog, monkeypatch):
    """CUDA sets aside address space as large as a GPU's memory, which is not to be written to."""
    set_aside = []

    def beside_cuda(x):
        set_aside.append(mmap.mmap(-1, 2**38, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0))
        answer(hog)(x)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert ODD[hog] in EXERCISE.run(beside_cuda).hint
    [space] = set_aside
    space.close()


@pytest.mark.parametrize("module", ["ask", "errors"])
def test_every_hint_of_the_frame_is_heard(module):
    """By an odd answer here, by one of the bank, or by one of the two tests that say so."""
    heard = ["The name now stands", "a name of its own", *ODD.values()]
    heard += [fragment for _, _, fragment in WRONG]
    hints = hints_of(f"frame/{module}")
    assert not [hint for hint in hints if not any(f.lower() in hint.lower() for f in heard)]


@pytest.mark.parametrize("thing", [None, 3, "double", torch.ones(3)])
def test_what_is_no_function_is_named(thing):
    result = EXERCISE.run(thing)
    assert "Expected a function" in result.message and "The name now stands" in result.hint


def test_the_line_of_the_student_is_named():
    assert f"(line 2: {RAISES})" in EXERCISE.run(answer(RAISES)).message


@pytest.mark.parametrize("rest", ["", "()", "('write it')", "  # your code goes here"])
def test_a_blank_answer_is_not_done_and_not_wrong(rest):
    stub = answer(f"raise NotImplementedError{rest}")
    assert EXERCISE.run(stub) == Result(False, False, "double is not written yet.")


def test_an_answer_leaves_no_traces(capsys):
    def messy(x):
        print("x" * 10**6)
        print("x", file=sys.stderr)
        torch.manual_seed(7), np.random.seed(7), random.seed(7)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        y = x * 2
        torch.set_default_device("meta")
        return y

    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    EXERCISE.run(messy)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert torch.get_default_device() == torch.device("cpu")
    assert capsys.readouterr() == ("", "")


def test_check_returns_the_answer_or_the_reference(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check = Check({"double": EXERCISE})
    mine = lambda x: x + x  # noqa: E731
    assert check.double(mine) is mine
    assert "1 of 1 exercises done · 2 of 2 points" in capsys.readouterr().out
    text = answer(TEXT)
    assert check.double(text) is double
    first = capsys.readouterr().out
    assert "[NOT YET]" in first and "expected a torch tensor" in first
    assert "Hint:" not in first and "The idea" not in first
    check.double(text)
    second = capsys.readouterr().out
    assert "Hint: Stay in torch" in second and "The idea" not in second
    check.double(text)
    third = capsys.readouterr().out
    assert "Hint: Stay in torch" in third and "The idea: Twice the number." in third
    assert check.double(answer("raise NotImplementedError")) is double
    assert "[TO DO]" in capsys.readouterr().out


def test_the_reference_handed_out_earns_no_points(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    check = Check({"double": EXERCISE})
    lent = check.double(answer(TEXT))
    capsys.readouterr()
    assert check.double(lent) is double  # the check's cell alone, run twice
    again = capsys.readouterr().out
    assert "[OK]" not in again and "0 of 2 points" in again and "your own answer" in again
    mine = lambda x: x + x  # noqa: E731
    assert check.double(mine) is mine
    assert "2 of 2 points" in capsys.readouterr().out


def test_under_nbgrader_a_wrong_answer_raises(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match="tensor"):
        Check({"double": EXERCISE}).double(answer(TEXT))


def test_an_unknown_exercise_is_named_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean check.double"):
        _ = Check({"double": EXERCISE}).doubel


@pytest.mark.parametrize("value", [7, 7.0, np.float32(7), torch.tensor(7), np.int64(7)])
def test_numbers_of_every_kind_are_numbers(value):
    assert expect_number(value, "f(x)") == 7


@pytest.mark.parametrize(
    "value",
    [None, "7", True, torch.ones(2), [7], 1j, torch.tensor(1j), torch.ones((), device="meta")],
)
def test_other_things_are_no_numbers(value):
    with pytest.raises(Wrong):
        expect_number(value, "f(x)")


SAME = Values(
    "f", "00_toy", 1, torch.clone, idea="", hint="Something else.", shape_hint="Two of them."
)
SAME.probe(torch.tensor([1.0, 2.0]))
SAME.mistakes += table(
    ("the negative", lambda x: -x, "Drop the minus."),
    ("the sum", lambda x: x.sum(), "Keep the entries."),
    ("the same", lambda x: x, "Never said."),
    ("nothing", lambda x: x * float("nan"), "Never said either."),
)


@pytest.mark.parametrize(
    "got, hint",
    [
        (torch.tensor([-1.0, -2.0]), "Drop the minus."),
        (torch.tensor([-1.0, -2.0], dtype=torch.float64), "Drop the minus."),
        (torch.tensor(3.0), "Keep the entries."),
        (torch.tensor([1.0, 3.0]), "Something else."),
        (torch.tensor([1.0, float("nan")]), "Something else."),
        (torch.tensor([float("nan")] * 2), "Something else."),
        (torch.tensor([1.0]), "Two of them."),
        (torch.tensor([1.0, 2.0], dtype=torch.float64), "dtype of its argument"),
        ([1.0, 2.0], "Stay in torch"),
        (None, "return"),
    ],
)
def test_values_recognise_known_mistakes_first(got, hint):
    result = SAME.run(lambda x: got)
    assert hint in result.hint and "f([1, 2])" in result.message


def test_values_let_rounding_and_gradients_pass():
    assert SAME.run(lambda x: x + 1e-6).passed
    assert SAME.run(lambda x: x.clone().requires_grad_()).passed


def test_an_answer_that_works_in_place_spoils_no_probe():
    assert "in-place" in SAME.run(lambda x: x.zero_()).hint
    assert SAME.run(torch.clone).passed


def test_numbers_alike_by_chance_are_told_apart_by_the_other_probes():
    exercise = Values("g", "00_toy", 1, lambda n: n + 1, idea="", hint="Something else.")
    exercise.mistakes += table(
        ("twice n", lambda n: 2 * n, "Add, do not double."),
        ("n squared", lambda n: n**2, "Add, do not square."),
    )
    exercise.probe(2)
    exercise.probe(3)
    assert "What came out is n squared." in exercise.run(lambda n: n * n).message
    assert exercise.run(lambda n: {2: 4, 3: 5}[n]).hint == "Something else."


def test_a_keyboard_interrupt_goes_through():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EXERCISE.run(interrupted)


class Functions(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class Operators(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", [Functions, Operators])
def test_a_mode_that_the_alarm_left_on_is_switched_off(kind):
    def modes():
        return overrides._len_torch_function_stack(), _python_dispatch._len_torch_dispatch_stack()

    def leaves_it_on(x):
        kind().__enter__()
        raise TimeIsUp

    before = modes()
    result = EXERCISE.run(leaves_it_on)
    assert "still running" in result.message
    assert modes() == before


def test_time_limit_stops_python_code_in_another_thread():
    seen = []

    def body():
        try:
            with time_limit(0.2):
                while True:
                    pass
        except TimeIsUp:
            seen.append("stopped")

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(10)
    assert seen == ["stopped"]


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_machine_that_is_busy_with_others_does_not_make_an_answer_wrong(in_thread, capsys):
    """It gets a tenth of the processor for twice as long as it may compute; the reader is told."""
    results = []

    def patient(x):
        end = time.monotonic() + 2 * EXERCISE.seconds
        while time.monotonic() < end:
            began = time.process_time()
            while time.process_time() < began + 0.01:
                pass
            time.sleep(0.09)
        return 2 * x

    def body():
        results.append(EXERCISE.run(patient))

    if in_thread:
        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
    else:
        body()
    assert results[0].passed, results[0]
    told = "computed for 1 seconds, or waited for 0.5."
    assert capsys.readouterr().err.count(told) == 1


@pytest.fixture
def windows(monkeypatch):
    """No alarm, no limit of memory, no fork, no clock of another thread."""
    for place, name in (
        (signal, "setitimer"),
        (signal, "SIGALRM"),
        (os, "fork"),
        (time, "pthread_getcpuclockid"),
    ):
        monkeypatch.delattr(place, name, raising=False)
    monkeypatch.setitem(sys.modules, "resource", None)


@pytest.mark.parametrize("body", [LOOPS, SWALLOWS, SLEEPS, IMPOSSIBLE, EXITS], ids=ascii)
def test_on_windows_odd_answers_are_stopped_too(body, windows):
    began = time.monotonic()
    assert ODD[body] in EXERCISE.run(answer(body)).hint
    assert time.monotonic() - began < 10


def test_on_windows_a_right_answer_passes(windows):
    assert EXERCISE.run(double).passed


def test_time_limit_leaves_quick_code_alone():
    with time_limit(5):
        done = 1 + 1
    assert done == 2
