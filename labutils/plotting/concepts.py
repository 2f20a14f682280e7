"""Ideas as pictures: from scores to the loss, the six steps, which sample is in which batch."""

from textwrap import fill

import numpy as np

from .bars import draw_bars
from .colors import BLUE, DARK, GREEN, ORANGE
from .figure import (
    bare,
    box,
    figure_title,
    line,
    new_axes,
    panel_title,
    series_style,
    show,
    text_color,
    write,
)
from .inputs import as_array, as_labels, same_length
from .sheet import WIDTH, Sheet
from .words import fixed, listing, plural, sentences

PIPELINE = (
    ("Dataset", "images and labels"),
    ("DataLoader", "batches of them"),
    ("Model", "images → logits"),
    ("Loss", "logits, labels → a number"),
    ("Optimizer", "gradients → new weights"),
    ("Train and test", "repeat; then measure"),
)
BLOCK = ("conv 3×3", "BatchNorm", "ReLU", "conv 3×3", "BatchNorm")
LOOP = (2, 5)  # first and last step of what repeats for every batch
MAX_SAMPLES = 40


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
    draw_bars(left, classes, scores, fixed, marked=(target,), room=0.4)
    panel_title(left, "1  Scores (logits)")
    draw_bars(middle, classes, probabilities, fixed, marked=(target,))
    middle.set(xlim=(0, 1.3), xticks=(0, 0.5, 1), yticklabels=[])
    panel_title(middle, "2  Probabilities")
    x = np.linspace(0.01, 1, 200)
    right.plot(x, -np.log(x), marker="", color=DARK, linestyle="-")
    right.plot(p, loss, marker="D", markersize=9, color=ORANGE)
    away, align = ((8, 4), "left") if p < 0.5 else ((0, 26), "center")
    look = {"away": away, "ha": align, "va": "baseline", "fontsize": 10}
    write(right, p, loss, f"−log {fixed(p)} = {fixed(loss)}", **look)
    right.set(xlabel=f"probability of {classes[target]}", xlim=(0, 1.1))
    panel_title(right, "3  Loss = −log(probability)")
    figure_title(fig, title)

    def by_class(values):
        pairs = zip(classes, values, strict=True)
        return listing(f"{name} {fixed(value)}" for name, value in pairs)

    said = [
        f"Scores {by_class(scores)}",
        f"Softmax makes them probabilities {by_class(probabilities)}",
        f"The true class {classes[target]} (hatched) has {fixed(p)}, so the loss is "
        f"−log {fixed(p)} = {fixed(loss)}",
    ]
    show(fig, alt=sentences(title, *said))


@series_style()
def pipeline_steps() -> None:
    """Show the steps of the PyTorch pipeline as boxes in a row."""
    from matplotlib.patches import FancyBboxPatch

    fig, (axis,) = new_axes(1, 1, 1.8)
    arrow = {"arrowstyle": "-|>", "color": DARK}
    look = {"boxstyle": "round,pad=0.03", "facecolor": "white", "edgecolor": BLUE, "linewidth": 1.2}
    for place, (name, what) in enumerate(PIPELINE):
        axis.add_patch(FancyBboxPatch((place + 0.04, 0.04), 0.76, 0.8, **look))
        write(axis, place + 0.42, 0.74, str(place + 1))
        write(axis, place + 0.42, 0.54, fill(name, 10), weight="bold")
        write(axis, place + 0.42, 0.2, fill(what, 14), fontsize=8.5)
        if place:
            axis.annotate("", (place, 0.45), (place - 0.16, 0.45), arrowprops=arrow)
    first, last = LOOP
    start, end = last - 0.58, first - 0.58
    line(axis, [start, start, end, end], [0, -0.2, -0.2, -0.06], DARK)
    axis.annotate("", (end, 0.02), (end, -0.08), arrowprops=arrow)
    write(axis, (start + end) / 2, -0.29, "again for every batch")
    bare(axis, (-0.05, len(PIPELINE) - 0.1), (-0.38, 0.95), equal=False)
    steps = listing(f"{place}. {name} ({what})" for place, (name, what) in enumerate(PIPELINE, 1))
    repeats = f"Steps {first} to {last} repeat for every batch"
    show(fig, alt=sentences(f"{len(PIPELINE)} steps: {steps}", repeats))


def residual_block() -> None:
    """Show a pair of convolutions, and below it the same pair with a shortcut around it."""
    sheet, wide, tall, step = Sheet(WIDTH, 232), 86, 34, 98
    plus = 44 + step * len(BLOCK) + 8
    for top, title in ((34, "plain: y = ReLU(F(x))"), (142, "residual: y = ReLU(F(x) + x)")):
        middle = top + tall / 2
        sheet.words(4, top - 12, title, bold=True)
        sheet.words(4, middle + 5, "x")
        sheet.line(16, middle, WIDTH - 16, middle, DARK, 1.5)
        for place, name in enumerate(BLOCK):
            x = 44 + step * place
            sheet.box(x, top, wide, tall, BLUE)
            sheet.words(x + wide / 2, middle + 5, name, align="middle", size=13)
        sheet.box(plus + 18, top, 38, tall, GREEN)
        sheet.words(plus + 37, middle + 5, "ReLU", align="middle", size=12)
        sheet.words(WIDTH - 12, middle + 5, "y")
    around = [(28, middle), (28, middle + 52), (plus, middle + 52), (plus, middle + 11)]
    sheet.curve(around, ORANGE, 2.5)
    sheet.words((28 + plus) / 2, middle + 46, "shortcut: x as it is", align="middle", size=13)
    sheet.box(plus - 11, middle - 11, 22, 22, ORANGE)
    sheet.words(plus, middle + 6, "+", align="middle", size=18)
    said = [
        f"Twice the same layers in a row, from x to y: {listing(BLOCK)}, and a last ReLU",
        "Above, plain, nothing else",
        "Below, residual, a shortcut leads x around the five layers and is added before the last "
        "ReLU",
    ]
    sheet.show(sentences(*said))


@series_style()
def batch_order(batches, *, title="") -> None:
    """Show which sample comes in which batch: one row of boxes per way of loading.

    Args:
        batches: by the name of a setting (``"shuffle=True"``), a list of batches, each a list of
            indices into the dataset; at most 40 samples in all.
    """
    from matplotlib import colormaps

    if not isinstance(batches, dict) or not batches:
        raise ValueError('batches must be a dictionary like {"shuffle=False": [[0, 1], [2, 3]]}')
    rows = {
        str(name): [[int(index) for index in batch] for batch in given]
        for name, given in batches.items()
    }
    for name, given in rows.items():
        if not any(given):
            raise ValueError(f"{name} has no batch with a sample in it")
        if sum(map(len, given)) > MAX_SAMPLES:
            raise ValueError(f"{name} has more than {MAX_SAMPLES} samples; show a small dataset")
    widest = max(sum(len(batch) + 0.5 for batch in given) for given in rows.values())
    highest = max(index for given in rows.values() for batch in given for index in batch) or 1
    fig, axes = new_axes(len(rows), 1, 0.6 * len(rows) + (0.3 if title else 0))
    said = []
    for axis, (name, given) in zip(axes, rows.items(), strict=True):
        x = 0.0
        for batch in given:
            for index in batch:  # the higher the darker
                shade = colormaps["Blues"](0.08 + 0.75 * index / highest)
                box(axis, x, 0, 0.92, 1, facecolor=shade, linewidth=0.6)
                write(axis, x + 0.46, 0.46, str(index), fontsize=8.5, color=text_color(shade))
                x += 1
            x += 0.5
        bare(axis, (-0.1, max(widest, 16)), (-0.05, 1.05), equal=False)
        axis.set_title(name, loc="left", fontweight="normal", fontsize=9)
        amount, sizes = plural(len(given), "batch", "batches"), listing(map(len, given))
        first = listing(next(filter(None, given)))
        said.append(f"{name}: {amount} of {sizes}, the first with samples {first}")
    figure_title(fig, title)
    show(fig, alt=sentences(title, *said))
