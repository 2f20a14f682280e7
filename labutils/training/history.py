"""What a training measured, epoch by epoch, and how far it is while it runs."""

import statistics
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor


@dataclass
class History:
    """What :func:`fit` measured: lists with one entry per epoch.

    Attributes:
        train_loss: mean loss per sample over the epoch, measured while the model learned.
        test_loss, test_accuracy: after the epoch, in eval mode; accuracy in [0, 1]. Empty where
            ``fit`` was given no test loader.
        train_accuracy: accuracy after the epoch on ``fit``'s ``train_eval_loader``; else empty.
        lr: learning rate at the end of the epoch.
        seconds: wall time of the epoch, with its evaluation.
        batch_loss: a list per epoch with the mean loss of every batch.
    """

    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    batch_loss: list[list[float]] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of whole epochs."""
        return len(self.train_loss)

    def append(self, **measured) -> None:
        """Add an epoch: a value for each list that ``fit`` was asked to measure."""
        for name, value in measured.items():
            getattr(self, name).append(value)

    def running_loss(self, every: int) -> list[list[float]]:
        """Mean loss of each ``every`` batches, a list per epoch; a shorter rest is left out."""
        return [
            [
                statistics.fmean(losses[end - every : end])
                for end in range(every, len(losses) + 1, every)
            ]
            for losses in self.batch_loss
        ]

    def plot(self, reference=None, *, title: str = "") -> None:
        """Show loss and accuracy by epoch, over the band of a reference run where one is given."""
        from labutils import plotting

        plotting.training_curves(self, reference, title=title)

    def table(self) -> str:
        """Return the history as a text table, one line per epoch."""
        columns = {
            "training loss": [f"{loss:.3f}" for loss in self.train_loss],
            "test loss": [f"{loss:.3f}" for loss in self.test_loss],
            "training accuracy": [f"{100 * share:.1f} %" for share in self.train_accuracy],
            "test accuracy": [f"{100 * share:.1f} %" for share in self.test_accuracy],
            "seconds": [f"{seconds:.1f}" for seconds in self.seconds],
        }
        columns = {name: cells for name, cells in columns.items() if cells}
        rows = [["epoch", *columns]]
        rows += [[str(i + 1), *(cells[i] for cells in columns.values())] for i in range(len(self))]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )


class Progress(NamedTuple):
    """How far a training is: what :func:`fit` hands to ``on_batch``.

    Attributes:
        history: the whole epochs so far.
        losses: the loss of every batch of the present epoch: numbers, or tensors where the model is
            on a GPU. To read one (``float(losses[-1])``) makes a GPU wait: do it now and then, not
            at every batch.
        num_epochs: how many were asked for.
        num_batches: batches of an epoch; ``None`` where the loader does not know.
    """

    history: History
    losses: list[float] | list[Tensor]
    num_epochs: int
    num_batches: int | None
