"""A training to watch: its loss as it falls, over the reference band, and a button to stop it."""

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator

import ipywidgets

from labutils import training
from labutils.plotting.colors import BLUE, DARK, LIGHT, ORANGE, REFERENCE
from labutils.plotting.figure import Picture
from labutils.plotting.runs import against
from labutils.plotting.sheet import WIDTH, Sheet, message
from labutils.plotting.words import change, fixed, percent, plural, sentences

from .controls import button
from .explorer import Screen, View, live_output

MIN_SECONDS = 1.0  # between two pictures
MAX_SHARE = 0.01  # of the training's time, for all pictures together
# The picture, in pixels.
HEIGHT, LINE = 262, 18  # of the picture, and of another line below it
TOP, BOTTOM = 30, 196  # of both panels
LOSS, ACCURACY = (44, 356), (424, WIDTH - 14)  # left and right end of each panel
POINTS = 200  # of the loss curve; more would not be seen
GRID = "#DDDDDD"


@contextlib.contextmanager
def live_training(reference=None) -> Iterator[Callable | None]:
    """Show a training while it runs, with a button that stops it; afterwards, how it went.

    ::

        with widgets.live_training(reference) as live:
            history = training.fit(..., on_batch=live)

    The button stops after the current batch and keeps what was learned, as Kernel > Interrupt does.
    Where nobody watches (CI, the smoke budget, outside of a notebook) ``live`` is ``None``, and the
    training is a plain one.

    Args:
        reference: :class:`~labutils.training.reference.ReferenceRuns` to lay below the curves.
    """
    if not training.in_watched_notebook():
        yield None
        return
    live = LiveTraining(reference)
    try:
        yield live
    finally:
        live.finish()


class LiveTraining:
    """What ``live_training`` gives to ``fit``: called after every batch, true when to stop.

    Everything is drawn by the thread that trains. A click arrives in another one, and only leaves a
    note, which the next call finds.
    """

    def __init__(self, reference=None):
        self.reference = reference
        self._stop = threading.Event()
        self._output = None  # opened with the first batch
        self._broken = False
        self._next = 0.0  # when to draw again
        self._epoch, self._losses = -1, []  # the present one, and its losses as numbers

    def __call__(self, progress: training.Progress) -> bool:
        now = time.monotonic()
        if len(progress.history) != self._epoch:
            self._epoch, self._losses = len(progress.history), []
        self._progress = progress
        if self._output is None:
            self._begin = now, self._batches_done()
            self._open()
        if now >= self._next and not self._broken:
            try:
                self.screen.show(self._view())
                self._words.value = self._progress_words(now)
            except Exception as error:  # must not cost a training
                self._broken = True
                self.screen.fail("The live curve", error, "The training goes on without it.")
            took = time.monotonic() - now
            self._next = now + max(MIN_SECONDS, took / MAX_SHARE)
        return self._stop.is_set()

    def _open(self) -> None:
        from IPython.display import display

        self.screen = Screen()
        self._words = ipywidgets.Label()
        line = [self._words]
        menu = "Runtime &gt; Interrupt execution" if _in_colab() else "Kernel &gt; Interrupt"
        hint = f"To stop and keep what was learned: {menu}."
        if _has_subshells():
            self.button = button("Stop training")
            self.button.on_click(lambda _: self._stop.set())
            line.insert(0, self.button)
            hint = "Stopping keeps what was learned. If the button does nothing, "
            hint += f"{menu} does the same."
        hint = ipywidgets.HTML(hint)  # a Label would be cut off in a narrow window
        wrapping = {"flex_flow": "row wrap"}
        self.box = ipywidgets.VBox([ipywidgets.Box(line, layout=wrapping), hint, self.screen])
        self._widgets = [self.box, *self.box.children, *line]
        data, metadata = live_output(self.box, self.screen, self._view_or_a_word())
        self._output = display(data, metadata=metadata, raw=True, display_id=True)
        if _has_subshells():
            _hear_while_busy(self.button)

    def finish(self) -> None:
        """Put the last picture in the widgets' place; a saved notebook keeps it."""
        if self._output is None:
            return
        self._output.update(self._view_or_a_word().mimebundle(), raw=True)
        for widget in self._widgets:
            widget.close()

    def _view_or_a_word(self) -> View:
        """The picture, or why there is none: a fault in it must not cost a training."""
        try:
            return self._view()
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            return View(message("The live curve cannot be drawn."), what)

    def _view(self) -> View:
        history, num_batches = self._progress.history, self._num_batches()
        if num_batches is None:
            return View(message("The curve begins after the first epoch."), self._epoch_words())
        losses = [loss for epoch in history.batch_loss for loss in epoch]
        if self._epoch == len(history):  # else it is whole, and in the history
            unread = self._progress.losses[len(self._losses) :]
            self._losses += training.numbers(unread)
            losses += self._losses
        accuracy, num_epochs = history.test_accuracy, self._progress.num_epochs
        picture = training_so_far(losses, num_batches, num_epochs, accuracy, self.reference)
        return View(picture, self._epoch_words())

    def _epoch_words(self) -> str:
        """The last whole epoch in a sentence; it changes seldom, for screen readers speak it."""
        history = self._progress.history
        if not len(history):
            return "No epoch is whole yet."
        text = f"After epoch {len(history)} of {self._progress.num_epochs}: "
        text += f"mean loss {fixed(history.train_loss[-1])}"
        if history.test_accuracy:
            text += f", test accuracy {percent(history.test_accuracy[-1], 1)}"
            if self.reference is not None:
                text += f", {against(history.test_accuracy, self.reference)}"
        return text + "."

    def _progress_words(self, now) -> str:
        """``epoch 2 of 8 · batch 120 of 391 · about 3 minutes left``."""
        epochs, batch = self._progress.num_epochs, len(self._progress.losses)
        text = f"epoch {self._epoch + 1} of {epochs} · batch {batch:,}"
        num_batches = self._num_batches()
        if num_batches is None:
            return text
        text += f" of {num_batches:,}"
        start, done_before = self._begin
        done = self._batches_done() - done_before
        if not done:
            return text
        left = num_batches * epochs - self._batches_done()
        return f"{text} · {training.say_seconds((now - start) / done * left)} left"

    def _num_batches(self) -> int | None:
        """Batches of an epoch; from the first whole one, where the loader does not know."""
        whole = self._progress.history.batch_loss
        return self._progress.num_batches or (len(whole[0]) if whole else None)

    def _batches_done(self) -> int:
        return self._epoch * (self._num_batches() or 0) + len(self._progress.losses)


def _in_colab() -> bool:
    return "google.colab" in sys.modules


def _has_subshells() -> bool:
    """Can this kernel hear a button while a cell runs? ipykernel can from version 7 on."""
    from IPython import get_ipython

    return "kernel subshells" in get_ipython().kernel.kernel_info.get("supported_features", ())


def _hear_while_busy(widget: ipywidgets.Widget) -> None:
    """Let the widget's messages reach the kernel while a cell runs.

    JupyterLab sends them to a thread of their own, a subshell (JEP 91). But ipykernel 7.4 notes
    which thread has written to a widget last and hands them to that one, which is the busy one.
    Without the note they go where JupyterLab sent them.
    """
    vars(widget.comm).pop("_reply_subshell_id", None)


# --- The picture ----------------------------------------------------------------------------------


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
    starts = range(0, len(losses), every)
    means = [_mean(losses[start : start + every]) for start in starts]
    passed = [min(start + every, len(losses)) / num_batches for start in starts]  # in epochs
    highest = [] if reference is None else reference.high("train_loss")[:num_epochs]
    top = max(filter(math.isfinite, [*means, *highest]), default=1.0)
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, math.inf) if 6 * step >= top)
    if step == math.inf:
        step = top / 4
    top = step * max(1, math.ceil(1.02 * top / step))  # losses may all be 0

    sheet = Sheet(WIDTH, HEIGHT if reference is None else HEIGHT + LINE)
    panel = _Panel(sheet, LOSS, (0, num_epochs), top)
    panel.frame("Loss", step, lambda value: f"{value:.3g}")
    panel.bands(reference, "train_loss", 0)
    panel.curve(passed, means, BLUE, 1.5)
    for epoch in range(len(losses) // num_batches):
        mean = _mean(losses[epoch * num_batches : (epoch + 1) * num_batches])
        panel.curve((epoch, epoch + 1), (mean, mean), ORANGE, 3)

    panel = _Panel(sheet, ACCURACY, (0.5, num_epochs + 0.5), 1.0)
    panel.frame("Test accuracy", 0.25, percent)
    panel.bands(reference, "test_accuracy", 0.5)
    panel.curve(range(1, len(accuracy) + 1), accuracy, BLUE, 1.5)
    for epoch, share in enumerate(accuracy, 1):
        x, y = panel.place(epoch, share)
        sheet.box(x - 4, y - 4, 8, 8, fill=BLUE, edge="white")
    if not accuracy:
        sheet.words(sum(ACCURACY) / 2, BOTTOM - 12, "after an epoch", align="middle")

    _legend(sheet, every, reference)
    so_far = f"{passed[-1]:.3g} of {plural(num_epochs, 'epoch')}"
    said = [f"Curve: loss {change(means, fixed)} in {so_far}"]
    if accuracy:
        compared = "" if reference is None else f", {against(accuracy, reference)}"
        epochs = plural(len(accuracy), "epoch")
        said.append(f"Test accuracy {change(accuracy, percent)} over {epochs}{compared}")
    return sheet.picture(sentences(*said))


def _mean(values) -> float:
    return sum(values) / len(values)  # statistics.fmean raises where infinities meet


class _Panel:
    """Axes on a sheet: epochs to the right, values from 0 to ``top`` upwards."""

    def __init__(self, sheet, ends, epochs, top):
        self.sheet, self.top, self.epochs = sheet, top, epochs
        self.left, self.right = ends

    def place(self, epoch, value) -> tuple[float, float]:
        first, last = self.epochs
        x = self.left + (self.right - self.left) * (epoch - first) / (last - first)
        return x, BOTTOM - (BOTTOM - TOP) * value / self.top

    def frame(self, title, step, spell) -> None:
        """Draw title, grid, and the numbers at both axes."""
        self.sheet.words(self.left, 18, title, bold=True)
        for index in range(round(self.top / step) + 1):
            _, y = self.place(0, index * step)
            self.sheet.line(self.left, y, self.right, y, GRID if index else DARK)
            self.sheet.words(self.left - 6, y + 5, spell(index * step), align="end")
        first, last = math.ceil(self.epochs[0]), math.floor(self.epochs[1])
        for epoch in range(first, last + 1, math.ceil((last - first + 1) / 7)):
            self.sheet.words(self.place(epoch, 0)[0], BOTTOM + 18, epoch, align="middle")
        self.sheet.words(self.right, BOTTOM + 36, "epoch", align="end")

    def bands(self, reference, key, start) -> None:
        """Draw the reference's range by epoch, from ``start`` on; one seed's is a thick line."""
        if reference is None:
            return
        for low, high in zip(reference.low(key), reference.high(key), strict=True):
            if start >= self.epochs[1]:
                break
            x, y = self.place(start, high)
            right, bottom = self.place(start + 1, low)
            look = {"fill": LIGHT[DARK], "edge": REFERENCE, "line": 1.5}
            self.sheet.box(x, y, right - x, max(2, bottom - y), **look)
            start += 1

    def curve(self, epochs, values, color, width) -> None:
        """Draw from point to point; what is not a number is left out."""
        points = zip(epochs, values, strict=True)
        finite = [self.place(x, y) for x, y in points if math.isfinite(y)]
        self.sheet.curve(finite, color, width)


def _legend(sheet, every, reference) -> None:
    y = HEIGHT - 10
    sheet.line(4, y - 5, 26, y - 5, BLUE, 1.5)
    sheet.words(32, y, "mean of a batch" if every == 1 else f"mean of {every} batches")
    sheet.line(172, y - 5, 194, y - 5, ORANGE, 3)
    sheet.words(200, y, "mean of an epoch")
    if reference is not None:
        y += LINE
        sheet.box(4, y - 9, 22, 7, fill=LIGHT[DARK], edge=REFERENCE, line=1.5)
        seeds = plural(reference.num_seeds, "seed")
        sheet.words(32, y, f"reference {reference.name}, {seeds}, on {reference.images}")
