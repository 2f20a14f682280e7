"""Ideas as pictures: from scores to the loss, the six steps, a filter at work, dropout, batches."""

import numpy as np

from .bars import draw_bars
from .figure import (
    BLUE,
    DARK,
    LIGHT,
    ORANGE,
    WIDTH,
    bare,
    fit_title,
    new_axes,
    new_figure,
    series_style,
    show,
    text_color,
)
from .inputs import as_array, as_labels, same_length
from .words import fixed, listing, number, percent, plural, sentences

PIPELINE = (
    ("Dataset", "images and labels"),
    ("DataLoader", "batches of them"),
    ("Model", "images → logits"),
    ("Loss", "logits, labels → a number"),
    ("Optimizer", "gradients → new weights"),
    ("Train and test", "repeat; then measure"),
)


@series_style()
def score_probability_loss(logits, classes, target, *, title="") -> None:
    """Show the three stations of a classifier: scores, probabilities by softmax, loss by -log.

    Args:
        logits: [K] scores.
        classes: K names.
        target: the right class, a number.
    """
    scores = as_array(logits, "logits", ndim=1).astype(float)
    same_length(logits=scores, classes=classes)
    target = int(as_labels([target], classes, "target")[0])
    exponentials = np.exp(scores - scores.max())
    probabilities = exponentials / exponentials.sum()
    p = probabilities[target]
    loss = -np.log(p)
    fig, (left, middle, right) = new_axes(1, 3, 2.9)
    draw_bars(left, classes, scores, fixed, marked=(target,))
    fit_title(left, "1  Scores (logits)")
    draw_bars(middle, classes, probabilities, fixed, marked=(target,), index=2)
    middle.set(xlim=(0, 1.3), xticks=(0, 0.5, 1), yticklabels=[])
    fit_title(middle, "2  Probabilities")
    x = np.linspace(0.01, 1, 200)
    right.plot(x, -np.log(x), marker="", color=DARK)
    right.plot(p, loss, marker="D", markersize=9, color=ORANGE, linestyle="")
    right.annotate(
        f"−log {fixed(p)} = {fixed(loss)}",
        (p, loss),
        xytext=(6, 10),
        textcoords="offset points",
        ha="left" if p < 0.55 else "center",
    )
    right.set(xlabel=f"p of {classes[target]}", xlim=(0, 1.1))
    fit_title(right, "3  Loss")
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    said = [
        "scores "
        + listing(f"{name} {fixed(score)}" for name, score in zip(classes, scores, strict=True)),
        "softmax makes them probabilities "
        + listing(f"{name} {fixed(q)}" for name, q in zip(classes, probabilities, strict=True)),
        f"the true class {classes[target]} (hatched) has {fixed(p)}, so the loss is "
        f"−log {fixed(p)} = {fixed(loss)}",
    ]
    show(fig, alt=sentences(title, *said))


@series_style()
def pipeline_steps(highlight=None, steps=PIPELINE) -> None:
    """Show the steps of the PyTorch pipeline as boxes in a row, one of them marked.

    Args:
        highlight: number of the step the text is at, from 1.
        steps: pairs of name and what it does.
    """
    steps = list(steps)
    if highlight is not None and not 1 <= highlight <= len(steps):
        raise ValueError(f"highlight must be 1 to {len(steps)}, got {highlight}")
    from textwrap import fill

    fig = new_figure(1.7)
    axis = fig.subplots()
    for place, (name, what) in enumerate(steps):
        here = highlight == place + 1
        _rounded(axis, place, here)
        axis.text(place + 0.42, 0.74, str(place + 1), ha="center", va="center", fontsize=9)
        axis.text(
            place + 0.42, 0.54, fill(name, 10), ha="center", va="center", weight="bold", fontsize=9
        )
        axis.text(place + 0.42, 0.2, fill(what, 14), ha="center", va="center", fontsize=8)
        if place:
            axis.annotate(
                "",
                (place, 0.45),
                (place - 0.16, 0.45),
                arrowprops={"arrowstyle": "-|>", "color": DARK},
            )
    loop = {"arrowstyle": "-|>", "color": DARK, "connectionstyle": "bar,fraction=-0.06"}
    if steps == list(PIPELINE):
        axis.annotate("", (2.42, -0.02), (4.42, -0.02), arrowprops=loop)
        axis.text(3.42, -0.27, "again for every batch", ha="center", va="center", fontsize=8.5)
    axis.set_xlim(-0.05, len(steps) - 0.1)
    axis.set_ylim(-0.42, 0.95)
    bare(axis, equal=False)
    said = listing(f"{place}. {name} ({what})" for place, (name, what) in enumerate(steps, start=1))
    marked = "" if highlight is None else f"we are at step {highlight}, {steps[highlight - 1][0]}"
    loops = "model, loss and optimizer repeat for every batch" if steps == list(PIPELINE) else ""
    show(fig, alt=sentences(f"{plural(len(steps), 'step')}: {said}", loops, marked))


def _rounded(axis, x, here) -> None:
    from matplotlib.patches import FancyBboxPatch

    color = ORANGE if here else BLUE
    axis.add_patch(
        FancyBboxPatch(
            (x + 0.04, 0.04),
            0.76,
            0.8,
            boxstyle="round,pad=0.03",
            facecolor=LIGHT[color] if here else "white",
            edgecolor=color,
            linewidth=2.6 if here else 1.2,
        )
    )


# --- Grids of numbers -----------------------------------------------------------------------------


def _number_grid(axis, values, spell, title="", marked=None, crossed=None) -> None:
    """Draw a matrix as cells with numbers; ``marked`` is outlined, ``crossed`` struck out."""
    import matplotlib

    rows, columns = values.shape
    largest = np.nanmax(abs(values)) or 1.0
    shades = matplotlib.colormaps["PuOr"](0.5 + 0.38 * values / largest)
    axis.imshow(shades, interpolation="nearest")
    for row, column in np.ndindex(rows, columns):
        out = crossed is not None and crossed[row, column]
        color = "#777777" if out else text_color(shades[row, column])
        axis.text(
            column,
            row,
            spell(values[row, column]),
            ha="center",
            va="center",
            color=color,
            fontsize=9,
        )
        if out:
            axis.plot(
                [column - 0.4, column + 0.4],
                [row - 0.4, row + 0.4],
                color=DARK,
                linewidth=1.2,
                marker="",
                linestyle="-",
            )
    for place in range(rows + 1):
        axis.plot(
            [-0.5, columns - 0.5],
            [place - 0.5] * 2,
            color="#999999",
            linewidth=0.6,
            marker="",
            linestyle="-",
        )
    for place in range(columns + 1):
        axis.plot(
            [place - 0.5] * 2,
            [-0.5, rows - 0.5],
            color="#999999",
            linewidth=0.6,
            marker="",
            linestyle="-",
        )
    if marked is not None:
        from matplotlib.patches import Rectangle

        row, column, height, width = marked
        axis.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), width, height, fill=False, edgecolor=ORANGE, linewidth=3
            )
        )
    axis.set_xlim(-0.6, columns - 0.4)
    axis.set_ylim(rows - 0.4, -0.6)
    bare(axis)
    axis.set_title(title)


def _grids_beside(grids, signs, height=2.6):
    """Answer with a figure and one axis per grid, widths to scale, signs written between them."""
    ratios = []
    for grid in grids:
        ratios += [grid.shape[1], 0.8]
    fig = new_figure(height)
    axes = list(fig.subplots(1, len(ratios) - 1, width_ratios=ratios[:-1]))
    for axis, sign in zip(axes[1::2], signs, strict=True):
        bare(axis, equal=False)
        axis.text(0.5, 0.5, sign, ha="center", va="center", fontsize=15, transform=axis.transAxes)
    return fig, axes[::2]


@series_style()
def convolution_example(image, kernel, position=(0, 0), *, stride=1, title="") -> None:
    """Show a filter at work: the image, the filter, and what it answers at every position.

    As in deep learning, the filter is not flipped (cross-correlation).

    Args:
        image: [H, W] numbers, small.
        kernel: [k, k] numbers.
        position: (row, column) of the output entry whose window is outlined.
    """
    image = as_array(image, "image", ndim=2).astype(float)
    kernel = as_array(kernel, "kernel", ndim=2).astype(float)
    if any(k > n for k, n in zip(kernel.shape, image.shape, strict=True)):
        raise ValueError(f"a filter of {kernel.shape} does not fit into an image of {image.shape}")
    if max(image.shape) > 12:
        raise ValueError(
            f"an image of {image.shape} is too large to write its numbers; at most 12×12"
        )
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)[::stride, ::stride]
    output = (windows * kernel).sum(axis=(2, 3))
    row, column = position
    if not (0 <= row < output.shape[0] and 0 <= column < output.shape[1]):
        raise ValueError(f"position {position} lies outside the output of shape {output.shape}")
    fig, axes = _grids_beside([image, kernel, output], ["∗", "="])
    top, left = row * stride, column * stride
    _number_grid(axes[0], image, _short, "image", (top, left, *kernel.shape))
    _number_grid(axes[1], kernel, _short, "filter")
    _number_grid(axes[2], output, _short, "output", (row, column, 1, 1))
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    said = (
        f"an image of {_size(image)}, a filter of {_size(kernel)} moved by {stride}, an output of "
        f"{_size(output)}; the outlined window gives {number(output[row, column])}"
    )
    spread = f"outputs lie between {number(output.min())} and {number(output.max())}"
    show(fig, alt=sentences(title, said, spread))


def _short(value) -> str:
    return number(round(float(value), 2))


def _size(array) -> str:
    return f"{array.shape[0]}×{array.shape[1]}"


@series_style()
def dropout_mask(before, after, p=0.5, *, title="") -> None:
    """Show dropout in training: activations, what is left of them, and what it does to the mean.

    Args:
        before: [H, W] or [N] activations, at most 10 × 12.
        after: the same shape, dropped entries 0 and the others scaled by 1 / (1 - p).
        p: probability to drop.
    """
    before = np.atleast_2d(as_array(before, "before", ndim=(1, 2))).astype(float)
    after = np.atleast_2d(as_array(after, "after", ndim=(1, 2))).astype(float)
    if before.shape != after.shape:
        raise ValueError(
            f"before and after must have one shape, got {before.shape} and {after.shape}"
        )
    if before.shape[0] > 10 or before.shape[1] > 12:
        raise ValueError(f"{_size(before)} activations are too many to draw; at most 10×12")
    dropped = (after == 0) & (before != 0)
    fig, axes = _grids_beside([before, after], ["→"], 0.6 + 0.36 * len(before))
    _number_grid(axes[0], before, _short, f"before, mean {fixed(before.mean())}")
    _number_grid(axes[1], after, _short, f"after, mean {fixed(after.mean())}", crossed=dropped)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    amount = int(dropped.sum())
    said = (
        f"dropout with p = {number(p)}: {amount} of {plural(before.size, 'activation')} are "
        f"dropped ({percent(amount / before.size)}, struck out)"
    )
    kept = ~dropped & (before != 0)
    scaled = ""
    if kept.any():
        scaled = f"the others are multiplied by {fixed(np.median(after[kept] / before[kept]))}"
    means = f"the mean goes from {fixed(before.mean())} to {fixed(after.mean())}"
    show(fig, alt=sentences(title, said, scaled, means))


@series_style()
def batch_order(batches, *, title="") -> None:
    """Show which sample comes in which batch: one row of boxes per way of loading.

    Args:
        batches: by the name of a setting (``"shuffle=True"``), a list of batches, each a list of
            indices into the dataset.
    """
    if not isinstance(batches, dict) or not batches:
        raise ValueError('batches must be a dictionary like {"shuffle=False": [[0, 1], [2, 3]]}')
    rows = {
        str(name): [[int(i) for i in batch] for batch in given] for name, given in batches.items()
    }
    longest = max(sum(len(batch) + 0.4 for batch in given) for given in rows.values())
    highest = max(max(batch) for given in rows.values() for batch in given if batch) or 1
    fig, axes = new_axes(len(rows), 1, 0.62 * len(rows) + (0.3 if title else 0), WIDTH)
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    said = []
    for axis, (name, given) in zip(axes, rows.items(), strict=True):
        x = 0.0
        for batch in given:
            for index in batch:
                shade = colormaps["Blues"](0.08 + 0.75 * index / highest)
                axis.add_patch(
                    Rectangle((x, 0), 0.92, 1, facecolor=shade, edgecolor=DARK, linewidth=0.6)
                )
                axis.text(
                    x + 0.46,
                    0.46,
                    str(index),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=text_color(shade),
                )
                x += 1
            x += 0.4
        axis.set_xlim(-0.1, longest)
        axis.set_ylim(-0.1, 1.1)
        bare(axis, equal=False)
        axis.set_title(name, loc="left", fontweight="normal", fontsize=9)
        sizes = sorted({len(batch) for batch in given}, reverse=True)
        said.append(
            f"{name}: {len(given)} batches of {listing(sizes)}, the first with samples "
            f"{listing(given[0]) if given else 'none'}"
        )
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    show(fig, alt=sentences(title, *said))
