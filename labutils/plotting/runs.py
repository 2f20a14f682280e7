"""Training runs: loss and accuracy epoch by epoch, beside the band of measured reference runs."""

import numpy as np

from .colors import BLUE, COLORS, DARK, LIGHT, MARKERS, ORANGE, REFERENCE
from .figure import figure_title, new_axes, panel_title, series_style, show, write
from .inputs import as_array, as_named, same_length
from .words import about, change, fixed, percent, percents, plural, sentences


def _runs(histories) -> dict:
    """Histories by name, each with at least one epoch."""
    runs = as_named(histories, "history")
    for name, run in runs.items():
        if not len(run.train_loss):
            raise ValueError(f"the history {name!r} has no epoch yet: run fit first")
    return runs


def _series(run, key) -> list[float]:
    """A run's numbers per epoch; empty where it did not measure them."""
    return [float(value) for value in (getattr(run, key, None) or [])]


def _draw_run(axis, values, color, **look) -> None:
    axis.plot(np.arange(1, len(values) + 1), values, color=color, **look)


def _label_axes(axis, shares=False) -> None:
    """Whole epochs to the right; heights that are ``shares`` in percent."""
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if shares:
        axis.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")


@series_style()
def training_curves(history, reference=None, *, title="") -> None:
    """Show loss and test accuracy epoch by epoch, over the band of measured reference runs.

    The loss on the test images is drawn too where there are at most two runs.

    Args:
        history: a :class:`labutils.training.History`, or several by name.
        reference: a reference run (``name``, ``num_seeds``, ``images``, ``median(key)``,
            ``low(key)``, ``high(key)``), or several by name; one that has the name of a history is
            compared with that history, the others with the histories that have none of their own.

    Raises:
        ValueError: a history without an epoch.
    """
    runs = _runs(history)
    references = {} if reference is None else as_named(reference, "reference")
    tested = any(_series(run, "test_accuracy") for run in runs.values())
    fig, axes = new_axes(1, 2 if tested else 1, 3.7, 8 if tested else 5)
    names = list(runs)
    for index, (name, run) in enumerate(runs.items()):
        look = {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)]}
        train, test = _series(run, "train_loss"), _series(run, "test_loss")
        _draw_run(axes[0], train, **look, linestyle="-", label=f"{name} training loss".strip())
        if test and len(runs) < 3:
            dashed = {"linestyle": "--", "linewidth": 1.1, "markerfacecolor": "white"}
            _draw_run(axes[0], test, **look, **dashed, label=f"{name} test loss".strip())
        if accuracy := _series(run, "test_accuracy"):
            _draw_run(axes[1], accuracy, **look, linestyle="-")
    for name, its in references.items():
        own = name and name in runs
        color = COLORS[names.index(name) % len(COLORS)] if own else REFERENCE
        for axis, key in zip(axes, ("train_loss", "test_accuracy"), strict=False):
            _draw_reference(axis, its, key, color)
    for axis, what in zip(axes, ("Loss", "Test accuracy"), strict=False):
        panel_title(axis, what)
        _label_axes(axis, shares=what != "Loss")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower left", ncols=min(3, len(labels)))
    figure_title(fig, title)
    said = [_run_words(name, run, references, names) for name, run in runs.items()]
    show(fig, alt=sentences(title, *said))


def _draw_reference(axis, reference, key, color) -> None:
    """The band from the lowest to the highest seed, and the median in it."""
    median, low, high = reference.median(key), reference.low(key), reference.high(key)
    epochs = np.arange(1, len(median) + 1)
    seeds = plural(reference.num_seeds, "seed")
    look = {"color": color, "alpha": 0.22}
    axis.fill_between(epochs, low, high, linewidth=0, zorder=1, **look)
    if len(median) == 1:  # a band of one epoch has no width
        axis.plot([1, 1], [low[0], high[0]], linewidth=9, marker="", **look)
    label = f"reference {reference.name}, {seeds},\non {reference.images}"
    _draw_run(axis, median, color, linestyle=":", marker="", linewidth=2, label=label)


def _run_words(name, run, references, names) -> str:
    """One run in a sentence: how loss and accuracy go, and how they lie to the reference."""
    loss, accuracy = _series(run, "train_loss"), _series(run, "test_accuracy")
    text = f"loss {change(loss, fixed)} over {plural(len(loss), 'epoch')}"
    if not accuracy:
        return about(name, text)
    text += f"; test accuracy {change(accuracy, percent)}"
    own = [references[name]] if name in references else []
    general = [its for key, its in references.items() if key not in names]
    fitting = own or general
    compared = [against(accuracy, its, named=len(fitting) > 1) for its in fitting]
    return about(name, ", ".join([text, *compared]))


def against(values, reference, named=False) -> str:
    """Test accuracy inside, above or below the band at the last epoch both have, in whole percents.

    Args:
        values: in [0, 1], by epoch.
        named: say the reference's name too.
    """
    last = min(len(values), len(reference.median("test_accuracy"))) - 1
    low, high = reference.low("test_accuracy")[last], reference.high("test_accuracy")[last]
    value, bottom, top = (round(100 * share) for share in (values[last], low, high))
    same = "inside" if reference.num_seeds > 1 else "level with"
    side = same if bottom <= value <= top else "below" if value < bottom else "above"
    whose = f" of {reference.name}" if named else ""
    when = "" if last == len(values) - 1 else f" at epoch {last + 1}"
    what = "reference band" if reference.num_seeds > 1 else "reference run"
    return f"{side} the {what}{whose} ({percents(low, high)}){when}"


@series_style()
def loss_by_step(losses, *, every=1, levels=None, title="") -> None:
    """Show the loss batch by batch within training, averaged over every few batches.

    Args:
        losses: one number per mini-batch, in order; a list of such lists, one per epoch (a
            history's ``batch_loss``); or several of either by name.
        every: how many mini-batches are averaged into one point, as in a printed running loss.
        levels: losses to compare with, ``{text: loss}``, as dotted lines.

    Raises:
        ValueError: fewer mini-batches than ``every``.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    fig, (axis,) = new_axes(1, 1, 3.2, 6)
    said = []
    for name, given in as_named(losses, "losses").items():
        flat = np.concatenate([np.atleast_1d(as_array(part, "losses")) for part in given])
        points = len(flat) // every
        if not points:
            raise ValueError(
                f"losses hold {plural(len(flat), 'mini-batch', 'mini-batches')}, fewer than "
                f"every={every}; give a smaller every"
            )
        means = flat[: points * every].reshape(points, every).mean(axis=1)
        steps = every * np.arange(1, points + 1)
        marker = None if name else ""  # they tell curves apart: a single one has none
        axis.plot(steps, means, label=name, marker=marker, markevery=max(1, points // 12))
        said.append(about(name, f"loss {change(means, fixed)} over {len(flat):,} mini-batches"))
    for text, level in (levels or {}).items():
        axis.axhline(level, color=DARK, linestyle=":", linewidth=1.2, marker="")
        write(axis, steps[-1], level, text, away=(0, 4), ha="right", va="bottom")
        said.append(f"Dotted: {text}, {fixed(level)}")
    if name:
        axis.legend()
    axis.set(xlabel="mini-batch", ylabel="loss" if every == 1 else f"mean loss of {every:,}")
    panel_title(axis, title)
    show(fig, alt=sentences(title, *said))


@series_style()
def train_test_gap(histories, *, title="") -> None:
    """Show accuracy on training and test images, run by run, and the gap between them.

    Args:
        histories: a history with ``train_accuracy`` and ``test_accuracy``, or several by name.
    """
    runs = _runs(histories)
    columns = 2 if len(runs) == 4 else min(3, len(runs))
    rows = -(-len(runs) // columns)
    fig, axes = new_axes(rows, columns, 3.0 * rows, 8 if columns > 1 else 5, sharey=True)
    said = []
    for axis, (name, run) in zip(axes, runs.items(), strict=False):
        train, test = _series(run, "train_accuracy"), _series(run, "test_accuracy")
        if not train or not test:
            raise ValueError(f"the history {name!r} needs train_accuracy and test_accuracy")
        same_length(train_accuracy=train, test_accuracy=test)
        epochs = range(1, len(train) + 1)
        band = {"facecolor": LIGHT[ORANGE], "hatch": "///", "edgecolor": "white"}
        axis.fill_between(epochs, test, train, **band)
        _draw_run(axis, train, BLUE, label="training images")
        _draw_run(axis, test, ORANGE, marker="s", linestyle="--", label="test images")
        _label_axes(axis, shares=True)
        gaps = [100 * (high - low) for high, low in zip(train, test, strict=True)]
        panel_title(axis, about(name, f"gap {fixed(gaps[-1], 1)} points"))
        gap = change(gaps, lambda points: fixed(points, 1))
        ends = f"accuracy ends at {percent(train[-1])} in training, {percent(test[-1])} in test"
        said.append(about(name, f"{ends}; the gap {gap} points"))
    for axis in axes[len(runs) :]:
        axis.remove()
    axes[0].set_ylabel("accuracy")
    axes[0].legend()
    figure_title(fig, title)
    show(fig, alt=sentences(title, *said))
