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

import itertools
import linecache
import re
import textwrap
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from torchvision import transforms

from .bank import Bank

# What a notebook imports.
_NAMES = dict(
    __name__="__main__", torch=torch, nn=nn, F=F, np=np, Dataset=Dataset, transforms=transforms
)
_COUNT = itertools.count(1)


class Text:
    """The text of a function or class, the last one that it defines; ``names`` are what it uses."""

    def __init__(self, source: str, **names):
        self.source, self.names = textwrap.dedent(source).lstrip("\n"), names

    def __call__(self, *changes: str) -> Callable:
        """Return the function or class with ``changes`` made everywhere: old, new, old, new, ...

        Of several new lines each gets the indentation of the line where the change begins. As for
        a notebook's cell, error messages can quote the source.
        """
        source, names = self.source, _NAMES | self.names
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            if old not in source:
                raise ValueError(f"{old!r} does not stand in\n{source}")
            line = source[: source.index(old)].rpartition("\n")[2]
            indent = line[: len(line) - len(line.lstrip())]
            source = source.replace(old, new.replace("\n", "\n" + indent))
        cell = f"<answer {next(_COUNT)}>"
        linecache.cache[cell] = len(source), None, source.splitlines(keepends=True), cell
        exec(compile(source, cell, "exec"), names)
        return names[re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE)[-1]]


def mutants(bank: Bank, text: Text, *table: tuple[str, ...]) -> None:
    """Register wrong answers: each line of the table is a piece of the hint, then the changes."""
    for hint, *changes in table:
        bank.wrong(hint)(text(*changes))
