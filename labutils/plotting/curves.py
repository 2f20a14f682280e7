"""Curves: functions, training runs beside their reference band, activations by depth."""

import numpy as np

from .figure import (
    BLUE,
    COLORS,
    DARK,
    LIGHT,
    ORANGE,
    REFERENCE,
    fit_title,
    new_axes,
    series_style,
    show,
)
from .inputs import as_array, as_named, same_length
from .words import change, fixed, number, percent, percents, plural, sentences


def _evaluate(curve, x, name):
    """Answer with y values: a function is called with x as a float64 tensor."""
    if callable(curve):
        import torch

        curve = curve(torch.tensor(x, dtype=torch.float64))
    y = as_array(curve, name or "the curve", ndim=1).astype(float)
    same_length(x=x, **{name or "curve": y})
    return y


def _draw_curves(axis, x, curves, xlabel, ylabel, title="", step=False) -> list[str]:
    """Draw named curves over one x; answer with a sentence on each."""
    said = []
    for index, (name, curve) in enumerate(curves.items()):
        y = _evaluate(curve, x, name)
        finite = np.isfinite(y)
        if not finite.any():
            raise ValueError(f"{name or 'the curve'} has no finite value to draw")
        gap = max(1, len(x) // 8)
        axis.plot(
            x,
            np.where(finite, y, np.nan),
            label=name,
            markevery=(index * gap // 3 % gap, gap),
            drawstyle="steps-post" if step else "default",
            marker=None if len(x) > 1 else "o",
        )
        said.append(_curve_words(name or ylabel or "the curve", x, y, xlabel))
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if list(curves) != [""]:
        axis.legend()
    fit_title(axis, title)
    return said


def _curve_words(name, x, y, xlabel) -> str:
    """Start, end, and what lies outside them."""
    text = f"{name} {change(y, number)}"
    if len(y) > 1:
        text += f" as {xlabel} goes from {number(x[0])} to {number(x[-1])}"
    finite = np.where(np.isfinite(y), y, np.nan)
    low, high = np.nanargmin(finite), np.nanargmax(finite)
    margin = 0.02 * (finite[high] - finite[low])
    ends = [value for value in (y[0], y[-1]) if np.isfinite(value)] or [finite[low]]
    if finite[high] > max(ends) + margin:
        text += f", highest {number(y[high])} at {number(x[high])}"
    if finite[low] < min(ends) - margin:
        text += f", lowest {number(y[low])} at {number(x[low])}"
    return text


@series_style()
def function_curves(
    x, curves, *, xlabel="x", ylabel="", title="", marks=None, step=False, log=False, ylim=None
) -> None:
    """Show one or several functions of one variable.

    Args:
        x: increasing numbers [N].
        curves: y values [N] or a function of a tensor; or a dictionary of these by name.
        marks: points to point out, ``{text: (x, y)}``.
        step: draw steps (a learning rate, say) in place of slopes.
        log: logarithmic y axis.
        ylim: (lowest, highest) y shown.
    """
    x = as_array(x, "x", ndim=1).astype(float)
    fig, (axis,) = new_axes(1, 1, 3.2, 6)
    said = _draw_curves(axis, x, as_named(curves, "curves"), xlabel, ylabel, title, step)
    for text, (place, value) in (marks or {}).items():
        axis.plot(place, value, marker="o", markersize=8, color=DARK, linestyle="")
        axis.annotate(text, (place, value), xytext=(8, 6), textcoords="offset points", fontsize=9)
        said.append(f"marked: {text}, at {number(place)} the value {number(value)}")
    if log:
        axis.set_yscale("log")
    if ylim is not None:
        axis.set_ylim(*ylim)
    show(fig, alt=sentences(title, *said))


@series_style()
def why_not_mse(margins=None) -> None:
    """Show squared error and cross-entropy of two classes, and their slopes, over the margin.

    The margin is the right class's logit minus the other's, p = sigmoid(margin); the losses are
    (1 - p)² and -log p, the slopes their derivatives by the margin: -2 (1 - p)² p and -(1 - p).
    """
    x = np.linspace(-8, 8, 161) if margins is None else as_array(margins, "margins", ndim=1)
    p = 1 / (1 + np.exp(-x))
    fig, axes = new_axes(1, 2, 3.2)
    xlabel = "logit of the right class minus the other's"
    said = [
        *_draw_curves(
            axes[0],
            x,
            {"cross-entropy": -np.log(p), "squared error": (1 - p) ** 2},
            xlabel,
            "loss",
            "Loss",
        ),
        *_draw_curves(
            axes[1],
            x,
            {"slope of cross-entropy": p - 1, "slope of squared error": -2 * (1 - p) ** 2 * p},
            xlabel,
            "slope",
            "What gradient descent feels",
        ),
    ]
    show(
        fig,
        alt=sentences("Where the model is sure and wrong (left), only cross-entropy pulls", *said),
    )


@series_style()
def double_softmax_gradient(num_classes=10, margins=None) -> None:
    """Show how a softmax before ``CrossEntropyLoss`` shrinks the gradient that reaches the logits.

    The right class's logit lies ``margin`` above all others. Drawn is the derivative of the loss by
    that logit, turned around: once with logits given to the loss, once with probabilities.
    """
    import torch
    import torch.nn.functional as F

    x = np.linspace(-8, 8, 161) if margins is None else as_array(margins, "margins", ndim=1)
    target = torch.zeros(len(x), dtype=torch.long)
    curves = {}
    for name, twice in (("logits", False), ("softmax first", True)):
        logits = torch.zeros(len(x), num_classes, dtype=torch.float64)
        logits[:, 0] = torch.tensor(x)
        logits.requires_grad_()
        given = logits.softmax(dim=1) if twice else logits
        loss = F.cross_entropy(given, target, reduction="sum")
        curves[name] = -torch.autograd.grad(loss, logits)[0][:, 0].numpy()
    fig, (axis,) = new_axes(1, 1, 3.2, 6)
    said = _draw_curves(
        axis,
        x,
        curves,
        "logit of the right class minus the others'",
        "push on the right logit",
        f"Push toward the right answer, {num_classes} classes",
    )
    show(fig, alt=sentences(*said))


# --- Training runs --------------------------------------------------------------------------------


def _runs(histories) -> dict:
    """Histories by name, each with at least one epoch."""
    runs = as_named(histories, "history")
    for name, run in runs.items():
        if not len(run.train_loss):
            raise ValueError(
                f"the history {name} has no epoch yet: run fit first".replace("  ", " ")
            )
    return runs


def _series(run, key) -> list[float]:
    """A run's numbers per epoch; empty where it did not measure them."""
    return [float(value) for value in (getattr(run, key, None) or [])]


def _epochs(values) -> np.ndarray:
    return np.arange(1, len(values) + 1)


def _epoch_axis(axis) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _percent_axis(axis) -> None:
    axis.yaxis.set_major_formatter(lambda value, _: percent(value))


def _draw_reference(axis, reference, key, color) -> None:
    """The band from lowest to highest seed, and the median in it."""
    median = reference.median(key)
    seeds = plural(reference.num_seeds, "seed")
    label = f"reference {reference.name}, {seeds}"
    epochs = _epochs(median)
    axis.fill_between(
        epochs, reference.low(key), reference.high(key), color=color, alpha=0.22, linewidth=0
    )
    axis.plot(
        epochs, median, color=color, linestyle=(0, (1, 1)), marker="_", linewidth=1.4, label=label
    )


def _against_reference(values, reference, key) -> str:
    """Inside, above or below the band at the last epoch both have."""
    last = min(len(values), len(reference.median(key))) - 1
    low, high, value = reference.low(key)[last], reference.high(key)[last], values[last]
    side = "inside" if low <= value <= high else "below" if value < low else "above"
    at = "" if last == len(values) - 1 else f" at epoch {last + 1}"
    return f"{side} the reference band of {reference.name} ({percents(low, high)}){at}"


@series_style()
def training_curves(history, reference=None, *, title="") -> None:
    """Show loss and test accuracy epoch by epoch, over the band of measured reference runs.

    Args:
        history: a :class:`labutils.training.History`, or several by name.
        reference: a reference run (``epochs``, ``median(key)``, ``low(key)``, ``high(key)``), or
            several by name; where a name is that of a history, it is compared with that one.

    Raises:
        ValueError: a history without an epoch.
    """
    runs = _runs(history)
    references = {} if reference is None else as_named(reference, "reference")
    tested = any(_series(run, "test_accuracy") for run in runs.values())
    fig, axes = new_axes(1, 2 if tested else 1, 3.4, 8 if tested else 5)
    _draw_loss(axes[0], runs)
    if tested:
        for index, (name, run) in enumerate(runs.items()):
            accuracy = _series(run, "test_accuracy")
            axes[1].plot(
                _epochs(accuracy),
                accuracy,
                color=COLORS[index % len(COLORS)],
                label=name or "this run",
            )
        _percent_axis(axes[1])
        fit_title(axes[1], "Test accuracy")
    for place, (name, ref) in enumerate(references.items()):
        color = (
            COLORS[list(runs).index(name) % len(COLORS)]
            if name in runs and name
            else (REFERENCE, DARK)[place % 2]
        )
        for axis, key in zip(axes, ("train_loss", "test_accuracy"), strict=False):
            _draw_reference(axis, ref, key, color)
    for axis in axes:
        _epoch_axis(axis)
        axis.legend()
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    said = [_run_words(name, run, references) for name, run in runs.items()]
    show(fig, alt=sentences(title, *said))


def _draw_loss(axis, runs) -> None:
    """Training loss, and test loss as open markers where it was measured."""
    for index, (name, run) in enumerate(runs.items()):
        color = COLORS[index % len(COLORS)]
        train, test = _series(run, "train_loss"), _series(run, "test_loss")
        axis.plot(_epochs(train), train, color=color, label=f"{name} training".strip())
        if test:
            axis.plot(
                _epochs(test),
                test,
                color=color,
                linewidth=1,
                markerfacecolor="white",
                label=f"{name} test".strip(),
            )
    fit_title(axis, "Loss")


def _run_words(name, run, references) -> str:
    """One run in a sentence, as the design's example of alt text has it."""
    loss, accuracy = _series(run, "train_loss"), _series(run, "test_accuracy")
    text = f"{name}: " if name else ""
    text += f"loss {change(loss, fixed)} over {plural(len(loss), 'epoch')}"
    if not accuracy:
        return text
    text += f"; test accuracy {change(accuracy, percent)}"
    fitting = {name: references[name]} if name in references else references
    compared = [_against_reference(accuracy, ref, "test_accuracy") for ref in fitting.values()]
    return ", ".join([text, *compared])


@series_style()
def train_test_gap(histories, *, title="") -> None:
    """Show accuracy on training and test images, run by run; the area between is overfitting.

    Args:
        histories: a history with ``train_accuracy`` and ``test_accuracy``, or several by name.
    """
    runs = _runs(histories)
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    fig, axes = new_axes(rows, columns, 3.0 * rows, 8 if columns > 1 else 5, sharey=True)
    said = []
    for axis, (name, run) in zip(axes, runs.items(), strict=False):
        train, test = _series(run, "train_accuracy"), _series(run, "test_accuracy")
        if not train or not test:
            raise ValueError(
                f"the history {name} lacks train_accuracy or test_accuracy, which the gap needs"
            )
        same_length(train_accuracy=train, test_accuracy=test)
        epochs = _epochs(train)
        axis.fill_between(
            epochs, test, train, facecolor=LIGHT[ORANGE], hatch="///", edgecolor="white"
        )
        axis.plot(epochs, train, color=BLUE, label="training images")
        axis.plot(epochs, test, color=ORANGE, marker="s", linestyle="--", label="test images")
        gaps = [100 * (a - b) for a, b in zip(train, test, strict=True)]
        fit_title(axis, f"{name + ': ' if name else ''}gap {fixed(gaps[-1], 1)} points")
        _epoch_axis(axis)
        said.append(
            f"{name + ': ' if name else ''}training accuracy ends at {percent(train[-1])}, test "
            f"accuracy at {percent(test[-1])}; "
            f"the gap {change(gaps, lambda gap: fixed(gap, 1))} points"
        )
    for axis in axes[len(runs) :]:
        axis.remove()
    _percent_axis(axes[0])
    axes[0].set_ylabel("accuracy")
    axes[0].legend()
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    show(fig, alt=sentences(title, *said))


@series_style()
def activations_by_depth(
    runs, layers=None, *, ylabel="standard deviation of the activations", title=""
) -> None:
    """Show how a quantity (scale of activations or gradients) goes with depth, logarithmic.

    Args:
        runs: one number per layer, from input to output; or several such lists by name.
        layers: names of the layers; by default numbered from 1.
    """
    runs = {
        name: as_array(values, "runs", ndim=1).astype(float)
        for name, values in as_named(runs, "runs").items()
    }
    depth = max(len(values) for values in runs.values())
    layers = (
        [str(i + 1) for i in range(depth)] if layers is None else [str(name) for name in layers]
    )
    fig, (axis,) = new_axes(1, 1, 3.4, 7)
    said = []
    for name, values in runs.items():
        same_length(layers=layers, **{name or "values": values})
        axis.plot(range(depth), np.where(values > 0, values, np.nan), label=name)
        said.append(
            f"{name or ylabel} {change(values, number)} from {layers[0]} to {layers[-1]}"
            + (f" (a factor of {number(values[-1] / values[0])})" if values[0] > 0 else "")
        )
    axis.set_yscale("log")
    axis.set_ylabel(ylabel)
    axis.set_xticks(range(depth), layers, rotation=45 if sum(map(len, layers)) > 60 else 0)
    if list(runs) != [""]:
        axis.legend()
    fit_title(axis, title)
    show(fig, alt=sentences(title or ylabel, *said))
