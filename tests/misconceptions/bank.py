"""The format of the misconception bank: wrong and right answers of one exercise.

    softmax = Bank("softmax")

    @softmax.wrong("over the batch")        # a piece of the hint that this answer must trigger
    def normalises_columns(z): ...

    @softmax.right
    def by_logsumexp(z): ...

Answers that differ in a line or two are made from one text (``mutants.py``).

``test_bank.py`` collects every ``Bank`` of the modules beside it.
"""

from collections.abc import Callable, Iterable

from labutils.checks.judges.values import Mistake

BANKS: dict[str, "Bank"] = {}


class Bank:
    """Answers to one exercise, each a function or class, as students write them."""

    def __init__(self, exercise: str):
        self.exercise = exercise
        self.wrongs: list[tuple[Callable, str]] = []
        self.declared: list[tuple[Callable, Mistake]] = []
        self.rights: list[Callable] = []
        self.blanks: list[Callable] = []
        if exercise in BANKS:
            raise ValueError(f"there are two banks for {exercise!r}")
        BANKS[exercise] = self

    def wrong(self, hint: str) -> Callable:
        """Register a wrong answer whose hint must contain ``hint``."""

        def register(answer):
            self.wrongs.append((answer, hint))
            return answer

        return register

    def recognised(self, mistakes: Iterable[Mistake], answer_with: Callable) -> None:
        """Register what a check declares: ``answer_with(formula)`` must get the mistake's hint."""
        self.declared += [(answer_with(f), m) for m in mistakes for f in m.formulas]

    def right(self, answer: Callable) -> Callable:
        """Register an answer that must pass."""
        self.rights.append(answer)
        return answer

    def blank(self, answer: Callable) -> Callable:
        """Register an answer that is filled in by half; the stub itself is tried as released."""
        self.blanks.append(answer)
        return answer
