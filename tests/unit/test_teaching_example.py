"""The exercise that the teaching guide builds from nothing, built from the guide's own lines."""

import math
import re
from pathlib import Path

import pytest
import torch

from labutils.checks import nb01_softmax_cross_entropy
from tests.misconceptions import bank as banks

GUIDE = Path(__file__).parents[2] / "docs" / "teaching.md"
CHECK, BANK = (
    block
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), flags=re.DOTALL)
    if block.startswith("entropy = ")
)


@pytest.fixture
def entropy(monkeypatch):
    monkeypatch.setattr(banks, "BANKS", {})
    check, bank = dict(vars(nb01_softmax_cross_entropy)), {"Bank": banks.Bank}
    exec(CHECK, check)
    exec(BANK, bank | {"math": math, "torch": torch}, bank)
    return check["entropy"], bank["entropy"]


def test_it_takes_at_most_sixty_lines():
    assert len((CHECK + BANK).splitlines()) <= 60


def test_it_is_a_whole_exercise(entropy):
    exercise, bank = entropy
    declared = [(formula, m.hint) for m in exercise.mistakes for formula in m.formulas]
    declared += [(probe.trap, probe.hint) for probe in exercise.probes if probe.trap]
    assert len(exercise.mistakes) >= 6 and len(bank.rights) >= 4
    assert len({hint for _, hint in declared}) == len(declared)
    assert 2 * len(bank.wrongs) >= len(exercise.mistakes)
    for answer in [exercise.oracle, *bank.rights]:
        assert exercise.run(answer).passed
    for answer, hint in declared + bank.wrongs:
        assert hint.lower() in exercise.run(answer).hint.lower()
    assert [exercise.run(answer).done for answer in bank.blanks] == [False]
