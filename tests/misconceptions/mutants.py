"""Wrong answers that differ from a right one in a line or two, made from its text.

LOOP = Text('''
def total(numbers):
    result = 0
    for number in numbers:
        result += number
    return result
''')
total.right(LOOP())
mutants(total, LOOP, ("the loop overwrites", "+=", "="))
"""

import re
import textwrap
from collections.abc import Callable

from .bank import Bank


class Text:
    """The text of a function or class, the last one that it defines; ``names`` are what it uses."""

    def __init__(self, source: str, **names):
        self.source, self.names = textwrap.dedent(source), names

    def __call__(self, *changes: str) -> Callable:
        """Return the function or class with ``changes`` made everywhere: old, new, old, new, ..."""
        source, names = self.source, dict(self.names)
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            if old not in source:
                raise ValueError(f"{old!r} does not stand in{source}")
            source = source.replace(old, new)
        exec(source, names)
        return names[re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE)[-1]]


def mutants(bank: Bank, text: Text, *table: tuple[str, ...]) -> None:
    """Register wrong answers: each line of the table is a piece of the hint, then the changes."""
    for hint, *changes in table:
        answer = text(*changes)
        answer.__name__ = hint  # the test's name
        bank.wrong(hint)(answer)
