"""Every answer of the bank gets what it deserves: wrong ones their own hint, right ones a pass."""

import importlib
import json
from pathlib import Path

import pytest

from labutils.checks import EXERCISES, Result

from .bank import BANKS
from .hints import hints_of
from .mutants import Text

for path in sorted(Path(__file__).parent.glob("bank_*.py")):
    importlib.import_module(f"{__package__}.{path.stem}")

WRONG = [(b.exercise, answer, hint) for b in BANKS.values() for answer, hint in b.wrongs]
RIGHT = [(b.exercise, answer) for b in BANKS.values() for answer in b.rights]
HALF = [(b.exercise, answer) for b in BANKS.values() for answer in b.blanks]

# What an exercise of values declares is an answer too.
DECLARED = [
    pytest.param(e.name, formula, m.hint, id=f"{e.name}-{m.name}")
    for e in EXERCISES.values()
    for m in getattr(e, "mistakes", ())
    for formula in m.formulas
] + [
    pytest.param(e.name, p.trap, p.hint, id=f"{e.name}-trap-{p.call}")
    for e in EXERCISES.values()
    for p in getattr(e, "probes", ())
    if p.trap
]
DECLARED += [
    pytest.param(bank.exercise, answer, mistake.hint, id=f"{bank.exercise}-{mistake.name}")
    for bank in BANKS.values()
    for answer, mistake in bank.declared
]

RESULTS: list[Result] = []


def run(exercise: str, answer) -> Result:
    RESULTS.append(EXERCISES[exercise].run(answer))
    return RESULTS[-1]


def _id(value):
    return value[:40] if isinstance(value, str) else getattr(value, "__name__", "")


@pytest.mark.parametrize("exercise, answer, hint", WRONG, ids=_id)
def test_a_wrong_answer_gets_its_own_hint(exercise, answer, hint):
    result = run(exercise, answer)
    assert not result.passed and result.done, result
    assert result.message
    assert hint.lower() in result.hint.lower(), f"{result.message}\n{result.hint}"


@pytest.mark.parametrize("exercise, answer, hint", DECLARED)
def test_a_declared_mistake_is_recognised(exercise, answer, hint):
    result = run(exercise, answer)
    assert not result.passed and result.hint == hint, result


@pytest.mark.parametrize("exercise, answer", RIGHT, ids=_id)
def test_a_right_answer_passes(exercise, answer):
    result = run(exercise, answer)
    assert result.passed and result.done and not result.hint, result


def stub(exercise: str):
    """The exercise as it is handed out."""
    path = Path(__file__).parents[2] / "notebooks" / f"{EXERCISES[exercise].notebook}.ipynb"
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise:
            return Text("".join(cell["source"]))()


BLANK = [*((name, stub(name)) for name in EXERCISES), *HALF]


@pytest.mark.parametrize("exercise, answer", BLANK, ids=_id)
def test_a_blank_answer_is_reported_as_not_done(exercise, answer):
    result = EXERCISES[exercise].run(answer)
    assert not result.passed and not result.done and not result.hint, result


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_a_bank_that_is_full(name):
    bank = BANKS.get(name)
    assert bank, f"no bank for {name}"
    declared = len(getattr(EXERCISES[name], "mistakes", ())) + len(bank.declared)
    assert len(bank.wrongs) + declared >= 6 and len(bank.rights) >= 4
    assert 2 * len(bank.wrongs) >= declared, "a third is to be written apart from the check"
    fragments = [hint.lower() for _, hint in bank.wrongs]
    assert len(set(fragments)) == len(fragments), "two wrong answers share a hint"


@pytest.mark.parametrize("name", EXERCISES)
def test_the_oracle_itself_passes(name):
    exercise = EXERCISES[name]
    result = exercise.run(exercise.oracle)
    assert result.passed, result


def test_a_message_quotes_the_line_of_an_answer_made_from_text():
    answer = Text("def softmax(z):\n    return z.soft()\n")("soft", "no_such_thing")
    assert "(line 2: return z.no_such_thing())" in EXERCISES["softmax"].run(answer).message


@pytest.mark.parametrize("module", sorted({f"nb{e.notebook}" for e in EXERCISES.values()}))
def test_every_hint_is_heard(module):
    """Last, as it asks what the answers above were told."""
    if len(RESULTS) < len(WRONG + DECLARED + RIGHT):
        pytest.skip("only a part of the bank was run")
    said = [text for result in RESULTS for text in (result.message, result.hint)]
    unheard = [hint for hint in hints_of(module) if not any(hint in text for text in said)]
    assert not unheard, "no answer of the bank gets these hints"
