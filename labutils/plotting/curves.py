"""Curves of functions, and of activations by depth."""

import numpy as np

from .colors import DARK
from .figure import new_axes, panel_title, series_style, show, write
from .inputs import as_array, as_named, same_length
from .words import about, change, number, sentences

MARGIN = "logit of the right class minus the others'"


def _evaluate(curve, x, name):
    """Return y values: a function is called with x as a float64 tensor."""
    if callable(curve):
        import torch

        curve = curve(torch.tensor(x, dtype=torch.float64))
    y = as_array(curve, name or "the curve", ndim=1).astype(float)
    same_length(x=x, **{name or "curve": y})
    if not np.isfinite(y).any():
        raise ValueError(f"{name or 'the curve'} has no finite value to draw")
    return y


def _draw_curves(axis, x, curves, xlabel, ylabel, title="", step=False) -> list[str]:
    """Draw named curves over one x; return a sentence on each."""
    said = []
    gap = max(1, len(x) // 8)  # a marker at every eighth, not the same for each curve
    for index, (name, curve) in enumerate(curves.items()):
        y = _evaluate(curve, x, name)
        look = {"label": name, "markevery": (index * gap // 3 % gap, gap)}
        look["drawstyle"] = "steps-post" if step else "default"
        axis.plot(x, np.where(np.isfinite(y), y, np.nan), **look)
        said.append(f"{name or ylabel or 'the curve'} {_curve_words(x, y)}")
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if list(curves) != [""]:
        axis.legend()
    panel_title(axis, title)
    return said


def _curve_words(x, y) -> str:
    """Where it starts and ends, and where it is highest or lowest if that is in between."""
    text = change(y, number)
    finite = np.where(np.isfinite(y), y, np.nan)
    low, high = np.nanargmin(finite), np.nanargmax(finite)
    margin = 0.02 * (finite[high] - finite[low])
    ends = [value for value in (y[0], y[-1]) if np.isfinite(value)] or [finite[low]]
    if finite[high] > max(ends) + margin:
        text += f", highest {number(y[high])} at {number(x[high])}"
    if finite[low] < min(ends) - margin:
        text += f", lowest {number(y[low])} at {number(x[low])}"
    return text


def _over(xlabel, x) -> str:
    return f"Over {xlabel} from {number(x[0])} to {number(x[-1])}"


@series_style()
def function_curves(
    x, curves, *, xlabel="x", ylabel="", title="", marks=None, step=False, log=False
) -> None:
    """Show one or several functions of one variable.

    Args:
        x: increasing numbers [N].
        curves: y values [N] or a function of a tensor; or a dictionary of these by name.
        marks: points to point out, ``{text: (x, y)}``.
        step: draw steps (a learning rate, say) in place of slopes.
        log: logarithmic y axis.
    """
    x = as_array(x, "x", ndim=1).astype(float)
    fig, (axis,) = new_axes(1, 1, 3.2, 6)
    said = _draw_curves(axis, x, as_named(curves, "curves"), xlabel, ylabel, title, step)
    pointed = []
    for text, (place, value) in (marks or {}).items():
        axis.plot(place, value, marker="D", markersize=8, color=DARK, linestyle="")
        write(axis, place, value, text, away=(8, 6), ha="left", va="baseline")
        pointed.append(f"Marked: {text}, at {number(place)} the value {number(value)}")
    if log:
        axis.set_yscale("log")
    show(fig, alt=sentences(title, f"{_over(xlabel, x)}: {'; '.join(said)}", *pointed))


@series_style()
def why_not_mse() -> None:
    """Show squared error and cross-entropy of two classes, and their slopes, over the margin.

    The margin is the right class's logit minus the other's, p = sigmoid(margin); the losses are
    (1 - p)² and -log p, the slopes their derivatives by the margin: -2 (1 - p)² p and -(1 - p).
    """
    x = np.linspace(-8, 8, 161)
    p = 1 / (1 + np.exp(-x))
    fig, axes = new_axes(1, 2, 3.2)
    loss = {"cross-entropy": -np.log(p), "squared error": (1 - p) ** 2}
    slope = {"cross-entropy": p - 1, "squared error": -2 * (1 - p) ** 2 * p}
    xlabel = MARGIN.replace("others'", "other's")
    losses = _draw_curves(axes[0], x, loss, xlabel, "", "Loss")
    slopes = _draw_curves(axes[1], x, slope, xlabel, "", "Slope: what gradient descent feels")
    said = [
        f"{_over(xlabel, x)}, the loss by {' and by '.join(losses)}",
        f"The slope of {' and of '.join(slopes)}",
        "Where the model is sure and wrong, only cross-entropy still has a slope",
    ]
    show(fig, alt=sentences(*said))


@series_style()
def double_softmax_gradient(num_classes=10) -> None:
    """Show how a softmax before ``CrossEntropyLoss`` shrinks the gradient that reaches the logits.

    The right class's logit lies ``margin`` above all others. Drawn is the derivative of the loss by
    that logit, turned around: once with logits given to the loss, once with probabilities.
    """
    import torch
    import torch.nn.functional as F

    x = np.linspace(-8, 8, 161)
    target = torch.zeros(len(x), dtype=torch.long)
    curves = {}
    for name, twice in (("logits", False), ("softmax first", True)):
        logits = torch.zeros(len(x), num_classes, dtype=torch.float64)
        logits[:, 0] = torch.tensor(x)
        logits.requires_grad_()
        given = logits.softmax(dim=1) if twice else logits
        loss = F.cross_entropy(given, target, reduction="sum")
        curves[name] = -torch.autograd.grad(loss, logits)[0][:, 0]
    fig, (axis,) = new_axes(1, 1, 3.2, 6)
    title = f"Push on the right class's logit, {num_classes} classes"
    said = _draw_curves(axis, x, curves, MARGIN, "−∂loss/∂logit", title)
    show(fig, alt=sentences(title, f"{_over(MARGIN, x)}: with {'; with '.join(said)}"))


@series_style()
def activations_by_depth(
    runs, layers=None, *, ylabel="standard deviation of the activations", title=""
) -> None:
    """Show how a quantity (scale of activations or gradients) goes with depth, logarithmic.

    Args:
        runs: one number per layer, from input to output; or several such lists by name.
        layers: names of the layers; by default numbered from 1.
    """
    named = as_named(runs, "runs").items()
    runs = {name: as_array(values, "runs", ndim=1).astype(float) for name, values in named}
    depth = max(len(values) for values in runs.values())
    if layers is None:
        layers = [f"layer {i + 1}" for i in range(depth)]
    fig, (axis,) = new_axes(1, 1, 3.2, 7)
    said = []
    for name, values in runs.items():
        same_length(layers=layers, **{name or "values": values})
        axis.plot(range(depth), np.where(values > 0, values, np.nan), label=name)
        said.append(about(name, f"{change(values, number)} from {layers[0]} to {layers[-1]}"))
    axis.set_yscale("log")
    axis.set_ylabel(ylabel)
    axis.set_xticks(range(depth), layers)
    if sum(map(len, layers)) > 70:
        axis.tick_params(axis="x", rotation=40)
    if list(runs) != [""]:
        axis.legend()
    panel_title(axis, title)
    show(fig, alt=sentences(title or ylabel[:1].upper() + ylabel[1:], *said))
