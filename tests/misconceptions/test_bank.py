"""Every answer of the bank gets what it deserves: wrong ones their own hint, right ones a pass."""

import importlib
from pathlib import Path

import pytest

from labutils.checks import EXERCISES
from labutils.checks.judges.values import Values

from .bank import BANKS

for path in sorted(Path(__file__).parent.glob("bank_*.py")):
    importlib.import_module(f"{__package__}.{path.stem}")

WRONG = [(b.exercise, answer, hint) for b in BANKS.values() for answer, hint in b.wrongs]
RIGHT = [(b.exercise, answer) for b in BANKS.values() for answer in b.rights]
BLANK = [(b.exercise, answer) for b in BANKS.values() for answer in b.blanks]


DECLARED = [e for e in EXERCISES.values() if isinstance(e, Values)]
MISTAKES = [(e.name, f, m.hint) for e in DECLARED for m in e.mistakes for f in m.formulas]
TRAPS = [(e.name, p.trap, p.hint) for e in DECLARED for p in e.probes if p.trap]


def _id(value):
    return getattr(value, "__name__", None) or (value if value in EXERCISES else "")


@pytest.mark.parametrize("exercise, answer, hint", WRONG, ids=_id)
def test_a_wrong_answer_gets_its_own_hint(exercise, answer, hint):
    result = EXERCISES[exercise].run(answer)
    assert not result.passed and result.done, result
    assert result.message
    assert hint.lower() in result.hint.lower(), f"{result.message}\n{result.hint}"


@pytest.mark.parametrize("exercise, answer, hint", MISTAKES + TRAPS, ids=_id)
def test_a_declared_mistake_is_recognised(exercise, answer, hint):
    result = EXERCISES[exercise].run(answer)
    assert not result.passed and result.hint == hint, result


@pytest.mark.parametrize("exercise, answer", RIGHT, ids=_id)
def test_a_right_answer_passes(exercise, answer):
    result = EXERCISES[exercise].run(answer)
    assert result.passed and result.done and not result.hint, result


@pytest.mark.parametrize("exercise, answer", BLANK, ids=_id)
def test_a_blank_answer_is_reported_as_not_done(exercise, answer):
    result = EXERCISES[exercise].run(answer)
    assert not result.passed and not result.done and not result.hint, result


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_a_bank_that_is_full(name):
    bank = BANKS.get(name)
    assert bank, f"no bank for {name}"
    assert len(bank.wrongs) >= 6 and len(bank.rights) >= 4 and bank.blanks
    fragments = [hint.lower() for _, hint in bank.wrongs]
    assert len(set(fragments)) == len(fragments), "two wrong answers share a hint"


@pytest.mark.parametrize("name", EXERCISES)
def test_the_oracle_itself_passes(name):
    exercise = EXERCISES[name]
    result = exercise.run(exercise.oracle)
    assert result.passed, result
