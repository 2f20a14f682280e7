"""Picture of a training that is still running: loss batch by batch, test accuracy by epoch."""

import math

from .figure import BLUE, DARK, LIGHT, ORANGE, REFERENCE, Picture
from .runs import against
from .sheet import WIDTH, Sheet
from .words import change, fixed, percent, plural, sentences

HEIGHT = 262
TOP, BOTTOM = 30, 196  # of both panels
LOSS, ACCURACY = (44, 356), (424, WIDTH - 14)  # left and right end of each panel
POINTS = 200  # of the loss curve; more would not be seen
GRID = "#DDDDDD"


def training_so_far(losses, num_batches, num_epochs, accuracy=(), reference=None) -> Picture:
    """Return how far a training is: its loss by batch, and its test accuracy by epoch.

    A reference run knows the mean loss of each epoch, so its band is as wide as the epoch.

    Args:
        losses: a number per mini-batch so far, from the first epoch on; at least one.
        num_batches: mini-batches of an epoch.
        num_epochs: of the whole training; the axes have room for all of them.
        accuracy: in [0, 1] after each whole epoch.
        reference: a reference run, as ``training_curves`` takes it.
    """
    every = max(1, round(num_batches * num_epochs / POINTS))
    points = _averages(losses, every, num_batches)
    means = [
        sum(losses[start : start + num_batches]) / num_batches
        for start in range(0, len(losses) - num_batches + 1, num_batches)
    ]
    band, reached = _bands(reference, num_epochs)
    heights = [value for _, value in points] + [high for _, high in band]
    top = max(filter(math.isfinite, heights), default=1.0)
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, math.inf) if 6 * step >= top)
    if step == math.inf:
        step = top / 4
    top = step * max(1, math.ceil(1.02 * top / step))  # losses may all be 0

    sheet = Sheet(WIDTH, HEIGHT)
    panel = _Panel(sheet, LOSS, (0, num_epochs), top)
    panel.frame("Loss", step, lambda value: f"{value:.3g}")
    for epoch, (low, high) in enumerate(band):
        panel.band(epoch, epoch + 1, low, high)
    panel.curve(points, BLUE, 1.5)
    for epoch, mean in enumerate(means):
        panel.curve([(epoch, mean), (epoch + 1, mean)], ORANGE, 3)

    panel = _Panel(sheet, ACCURACY, (0.5, num_epochs + 0.5), 1.0)
    panel.frame("Test accuracy", 0.25, percent)
    for epoch, (low, high) in enumerate(reached, 1):
        panel.band(epoch - 0.5, epoch + 0.5, low, high)
    panel.curve(list(enumerate(accuracy, 1)), BLUE, 1.5)
    for epoch, share in enumerate(accuracy, 1):
        panel.mark(epoch, share, BLUE)
    if not accuracy:
        middle = (ACCURACY[0] + ACCURACY[1]) / 2
        sheet.words(middle, BOTTOM - 12, "after an epoch", align="middle")

    _legend(sheet, every, reference)
    return sheet.picture(_alt(points, num_batches, num_epochs, accuracy, reference))


def _averages(losses, every, num_batches) -> list[tuple[float, float]]:
    """Return ``(epochs passed, mean loss)`` of every few batches, the last few included."""
    points = []
    for start in range(0, len(losses), every):
        some = losses[start : start + every]
        points.append(((start + len(some)) / num_batches, sum(some) / len(some)))
    return points


def _bands(reference, num_epochs):
    """Return ``(low, high)`` by epoch of the reference's loss and of its accuracy."""
    if reference is None:
        return [], []
    keys = ("train_loss", "test_accuracy")
    both = (zip(reference.low(key), reference.high(key), strict=True) for key in keys)
    return [list(band)[:num_epochs] for band in both]


class _Panel:
    """Axes on a sheet: epochs to the right, values from 0 to ``top`` upwards."""

    def __init__(self, sheet, ends, epochs, top):
        self.sheet, self.top, self.epochs = sheet, top, epochs
        self.left, self.right = ends

    def x(self, epoch) -> float:
        first, last = self.epochs
        return self.left + (self.right - self.left) * (epoch - first) / (last - first)

    def y(self, value) -> float:
        return BOTTOM - (BOTTOM - TOP) * value / self.top

    def frame(self, title, step, spell) -> None:
        """Draw title, grid, and the numbers at both axes."""
        self.sheet.words(self.left, 18, title, bold=True)
        for index in range(round(self.top / step) + 1):
            height = self.y(index * step)
            self.sheet.line(self.left, height, self.right, height, GRID if index else DARK)
            self.sheet.words(self.left - 6, height + 5, spell(index * step), align="end")
        first, last = math.ceil(self.epochs[0]), math.floor(self.epochs[1])
        for epoch in range(first, last + 1, math.ceil((last - first + 1) / 7)):
            self.sheet.words(self.x(epoch), BOTTOM + 18, epoch, align="middle")
        self.sheet.words(self.right, BOTTOM + 36, "epoch", align="end")

    def band(self, first, last, low, high) -> None:
        """Draw the reference's range over some epochs; one seed's is a thick line."""
        x, y = self.x(first), self.y(high)
        width, height = self.x(last) - x, max(2, self.y(low) - y)
        self.sheet.box(x, y, width, height, fill=LIGHT[DARK], edge=REFERENCE, line=1.5)

    def curve(self, points, color, width) -> None:
        """Draw through ``(epoch, value)``; what is not a number is left out."""
        inside = [(self.x(x), self.y(y)) for x, y in points if math.isfinite(y)]
        self.sheet.curve(inside, color, width)

    def mark(self, epoch, value, color) -> None:
        self.sheet.box(self.x(epoch) - 4, self.y(value) - 4, 8, 8, fill=color, edge="white")


def _legend(sheet, every, reference) -> None:
    y = HEIGHT - 10
    batches = "a batch" if every == 1 else f"{every} batches"
    sheet.line(4, y - 5, 26, y - 5, BLUE, 1.5)
    sheet.words(32, y, f"mean of {batches}")
    sheet.line(172, y - 5, 194, y - 5, ORANGE, 3)
    sheet.words(200, y, "mean of an epoch")
    if reference is not None:
        sheet.box(334, y - 9, 22, 7, fill=LIGHT[DARK], edge=REFERENCE, line=1.5)
        seeds = plural(reference.num_seeds, "seed")
        sheet.words(362, y, f"reference {reference.name}, {seeds}")


def _alt(points, num_batches, num_epochs, accuracy, reference) -> str:
    passed = f"{points[-1][0]:.3g} of {plural(num_epochs, 'epoch')}"
    loss = f"Curve: loss {change([value for _, value in points], fixed)} in {passed}"
    if not accuracy:
        return sentences(loss)
    reached = f"Test accuracy {change(accuracy, percent)} over {plural(len(accuracy), 'epoch')}"
    if reference is not None:
        reached += ", " + against(accuracy, reference)
    return sentences(loss, reached)
