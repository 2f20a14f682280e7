"""Numbers by name, as bars: probabilities, comparisons, layers, ensembles, histograms."""

import numpy as np

from .figure import (
    BLUE,
    COLORS,
    DARK,
    HATCHES,
    LIGHT,
    ORANGE,
    fit_title,
    headroom,
    new_axes,
    series_style,
    show,
)
from .inputs import as_array, as_labels, as_named, as_probabilities, same_length
from .words import count, fixed, listing, number, percent, percents, plural, sentences


def fill(index: int = 0) -> dict:
    """The look of bar series ``index``: light fill, dark edge, and a hatch that needs no colour."""
    color = COLORS[index % len(COLORS)]
    return {
        "facecolor": LIGHT.get(color, "white"),
        "edgecolor": color,
        "hatch": HATCHES[index % len(HATCHES)],
    }


def draw_bars(axis, names, values, spell, horizontal=True, index=0, marked=(), log=False):
    """Draw one bar per name, its number at its end; those in ``marked`` are hatched."""
    values = np.asarray(values, dtype=float)
    places = np.arange(len(names))
    draw = axis.barh if horizontal else axis.bar
    for place, value in zip(places, values, strict=True):
        look = fill(index) | ({"hatch": "///"} if place in marked else {})
        draw(place, value if np.isfinite(value) else 0.0, 0.72, **look)
    if log:
        (axis.set_xscale if horizontal else axis.set_yscale)("log")
    else:
        headroom(axis, values[np.isfinite(values)], 0.3 if horizontal else 0.12, horizontal)
    for place, value in zip(places, values, strict=True):
        end = value if np.isfinite(value) else 0.0
        toward = -1 if end < 0 else 1
        axis.annotate(
            spell(value),
            (end, place) if horizontal else (place, end),
            xytext=(4 * toward, 0) if horizontal else (0, 3 * toward),
            textcoords="offset points",
            ha=("left" if toward > 0 else "right") if horizontal else "center",
            va="center" if horizontal else "bottom" if toward > 0 else "top",
            fontsize=8.5,
        )
    if horizontal:
        axis.set_yticks(places, names)
        axis.invert_yaxis()
        axis.grid(True, axis="x")
        axis.grid(False, axis="y")
        axis.axvline(0, color=DARK, linewidth=0.8) if not log else None
    else:
        axis.set_xticks(places, names)
        axis.axhline(0, color=DARK, linewidth=0.8) if not log else None


def draw_groups(axis, series: dict, names, spell=None) -> None:
    """Draw bars of several series side by side at each name, upright; averages as lines."""
    width = 0.8 / len(series)
    for index, (label, values) in enumerate(series.items()):
        places = np.arange(len(names)) + (index - (len(series) - 1) / 2) * width
        bars = axis.bar(places, values, width * 0.94, label=label, **fill(index))
        if spell and len(series) * len(names) <= 30:
            axis.bar_label(bars, [spell(value) for value in values], padding=2, fontsize=8.5)
    long = sum(len(str(name)) for name in names) > 70
    axis.set_xticks(range(len(names)), names)
    if long:
        axis.tick_params(axis="x", rotation=35)
    if len(series) > 1:
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=3)


@series_style()
def probability_bars(
    probabilities, classes, *, true=None, titles=None, columns=3, title="", top=3
) -> None:
    """Show distributions over the classes as bars, several beside each other.

    Args:
        probabilities: [K] or [M, K], each row sums to 1; or a dictionary of [K] by name.
        classes: K names.
        true: the right class (a number, or one per row): its bar is hatched.
        titles: one per row, e.g. ``["T = 0.5", "T = 1"]``.
        top: how many classes the alt text names per row.
    """
    if isinstance(probabilities, dict):
        titles = [str(name) for name in probabilities]
        probabilities = list(probabilities.values())
    rows = as_probabilities(probabilities, classes)
    titles = [""] * len(rows) if titles is None else [str(text) for text in titles]
    same_length(probabilities=rows, titles=titles)
    marks = [None] * len(rows) if true is None else list(np.broadcast_to(true, len(rows)))
    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    fig, axes = new_axes(
        lines, columns, lines * (0.7 + 0.26 * len(classes)), 8 if columns > 1 else 5, sharey=True
    )
    for axis in axes[len(rows) :]:
        axis.remove()
    said = []
    for axis, row, text, mark in zip(axes, rows, titles, marks, strict=False):
        draw_bars(axis, classes, row, fixed, marked=() if mark is None else (int(mark),))
        axis.set(xlim=(0, 1.18), xticks=(0, 0.5, 1))
        fit_title(axis, text)
        best = np.argsort(-row, kind="stable")[:top]
        said.append(
            f"{text + ': ' if text else ''}"
            + listing(f"{classes[label]} {fixed(row[label])}" for label in best)
        )
    _invert_once(axes)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    noted = ""
    if true is not None:
        noted = "hatched: the true class " + listing(
            dict.fromkeys(str(classes[int(mark)]) for mark in marks)
        )
    show(fig, alt=sentences(title, *said, noted))


def _invert_once(axes) -> None:
    """Shared axes are turned over by every panel; see that the first name ends on top."""
    low, high = axes[0].get_ylim()
    if low < high:
        axes[0].invert_yaxis()


@series_style()
def value_bars(values, *, unit="", title="", marked=(), log=False, digits=None, width=6.0) -> None:
    """Show named numbers as horizontal bars, the number at the end of each.

    Args:
        values: numbers by name; may be negative (scores, gradients) where ``log`` is False.
        unit: said behind each number.
        marked: names whose bars are hatched.
        log: logarithmic scale, for numbers of very different size; all must be positive.
        digits: decimals; by default three significant digits.
    """
    if not isinstance(values, dict):
        raise TypeError(
            f"values must be a dictionary of numbers by name, got {type(values).__name__}"
        )
    values = as_named(values, "values")
    array = as_array(list(values.values()), "values", ndim=1).astype(float)
    if log and (array <= 0).any():
        raise ValueError(f"a logarithmic scale needs numbers above zero, got {number(array.min())}")
    marked = {marked} if isinstance(marked, str) else set(marked)
    if unknown := marked - set(values):
        raise ValueError(f"marked names {sorted(unknown)}, which are not among {list(values)}")
    tail = f" {unit}" if unit else ""

    def spell(value):
        return (number(value) if digits is None else fixed(value, digits)) + tail

    names = list(values)
    fig, (axis,) = new_axes(1, 1, 0.75 + 0.3 * len(names), width)
    draw_bars(axis, names, array, spell, marked=[names.index(name) for name in marked], log=log)
    if log:
        axis.set_xlim(array.min() / 3, array.max() * 12)
    fit_title(axis, title)
    said = listing([f"{name} {spell(value)}" for name, value in zip(names, array, strict=True)], 16)
    show(fig, alt=sentences(title, said))


@series_style()
def class_counts(labels, classes, *, title="") -> None:
    """Show how many examples each class has.

    Args:
        labels: whole numbers [N].
        classes: names.
    """
    labels = as_labels(labels, classes)
    counts = np.bincount(labels, minlength=len(classes))
    fig, (axis,) = new_axes(1, 1, 2.6)
    draw_bars(axis, classes, counts, lambda value: f"{int(value):,}", horizontal=False)
    fit_title(axis, title or f"{len(labels):,} examples by class")
    if counts.min() == counts.max():
        said = f"{plural(len(labels), 'example')}, {counts[0]:,} of each of {len(classes)} classes"
    else:
        said = (
            f"{plural(len(labels), 'example')} of {len(classes)} classes, from {counts.min():,} "
            f"({classes[counts.argmin()]}) to {counts.max():,} ({classes[counts.argmax()]})"
        )
    show(fig, alt=sentences(title, said))


@series_style()
def histogram(values, *, xlabel="value", title="", bins=40, log=False) -> None:
    """Show how numbers are distributed (pixels, weights, activations), sets above each other.

    Args:
        values: any shape, or a dictionary of them by name. All panels share the bins.
        log: count on a logarithmic scale.
    """
    named = {
        name: as_array(given, "values").astype(float).ravel()
        for name, given in as_named(values, "values").items()
    }
    if not all(np.isfinite(array).all() for array in named.values()):
        raise ValueError("values hold numbers that are not finite (NaN or infinite)")
    low, high = min(v.min() for v in named.values()), max(v.max() for v in named.values())
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    fig, axes = new_axes(len(named), 1, 0.5 + 1.6 * len(named), 6.5, sharex=True)
    said = []
    for index, (axis, (name, array)) in enumerate(zip(axes, named.items(), strict=True)):
        axis.hist(array, edges, **fill(index) | {"hatch": ""})
        axis.axvline(array.mean(), color=DARK, linestyle="--")
        axis.set_ylabel("count")
        if log:
            axis.set_yscale("log")
        mean, std = number(array.mean()), number(array.std())
        fit_title(axis, f"{name + ': ' if name else ''}mean {mean} (dashed), std {std}")
        said.append(
            f"{name + ': ' if name else ''}{plural(array.size, 'value')} from "
            f"{number(array.min())} to {number(array.max())}, mean {mean}, standard deviation {std}"
        )
    axes[-1].set_xlabel(xlabel)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    show(fig, alt=sentences(title, *said))


@series_style()
def bars_by_layer(layers, quantities, *, kinds=None, title="") -> None:
    """Show what each layer costs: one panel per quantity (parameters, MACs, memory).

    Args:
        layers: names, from input to output.
        quantities: one list of numbers per layer, by the quantity's name.
        kinds: one word per layer (``"conv"``, ``"linear"``): hatches the bars, and the alt text
            says what each kind holds together.
    """
    layers = [str(name) for name in layers]
    quantities = as_named(quantities, "quantities")
    kinds = [""] * len(layers) if kinds is None else [str(kind) for kind in kinds]
    same_length(layers=layers, kinds=kinds, **quantities)
    order = list(dict.fromkeys(kinds))
    fig, axes = new_axes(1, len(quantities), 0.9 + 0.24 * len(layers), sharey=True)
    said = []
    for axis, (name, values) in zip(axes, quantities.items(), strict=True):
        array = as_array(values, name, ndim=1)
        for place, (value, kind) in enumerate(zip(array, kinds, strict=True)):
            axis.barh(place, value, 0.74, **fill(order.index(kind)))
            axis.annotate(
                count(int(value)),
                (value, place),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        headroom(axis, array, 0.32, horizontal=True)
        axis.set_xticks([])
        axis.grid(False)
        fit_title(axis, f"{name}: {count(int(array.sum()))}")
        said.append(_layer_words(name, array, layers, kinds, order))
    axes[0].set_yticks(range(len(layers)), layers)
    axes[0].invert_yaxis()
    if order != [""]:
        _kind_legend(fig, order)
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    show(fig, alt=sentences(title, *said))


def _kind_legend(fig, order) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(label=kind, **fill(index)) for index, kind in enumerate(order)]
    fig.legend(handles=patches, loc="outside lower left", ncols=len(order))


def _layer_words(name, array, layers, kinds, order) -> str:
    """Where most of a quantity lies, and what each kind of layer holds of it."""
    total = array.sum()
    if total == 0:
        return f"{name}: none"
    most = array.argmax()
    text = (
        f"{name}: {count(int(total))} in all, most in {layers[most]} "
        f"({count(int(array[most]))}, {percent(array[most] / total)})"
    )
    if order == [""]:
        return text
    shares = [
        sum(value for value, its in zip(array, kinds, strict=True) if its == kind) / total
        for kind in order
    ]
    held = [f"{kind} {percent(share)}" for kind, share in zip(order, shares, strict=True) if share]
    return f"{text}; by kind: {listing(held)}"


@series_style()
def ensemble_bars(member_accuracies, ensemble_accuracy, *, names=None, title="") -> None:
    """Show the accuracy of an ensemble beside that of its members.

    Args:
        member_accuracies: one number in 0 to 1 per member.
        ensemble_accuracy: that of their averaged probabilities.
        names: of the members; by default numbered.
    """
    members = as_array(member_accuracies, "member_accuracies", ndim=1).astype(float)
    every = np.append(members, float(ensemble_accuracy))
    if every.min() < 0 or every.max() > 1:
        raise ValueError(
            f"accuracies must lie in 0 to 1, got {number(every.min())} to {number(every.max())}"
        )
    names = [f"member {i + 1}" for i in range(len(members))] if names is None else list(names)
    same_length(member_accuracies=members, names=names)
    fig, (axis,) = new_axes(1, 1, 0.9 + 0.32 * len(every), 6)
    spread = max(every.max() - every.min(), 0.01)
    start = max(0.0, every.min() - spread)
    for place, value in enumerate(every):
        last = place == len(members)
        axis.plot(
            [start, value], [place, place], color="#BBBBBB", linewidth=1.2, marker="", linestyle="-"
        )
        axis.plot(
            value,
            place,
            marker="D" if last else "o",
            markersize=9 if last else 7,
            color=ORANGE if last else BLUE,
            linestyle="",
        )
        axis.annotate(
            percent(value, 1),
            (value, place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
        )
    axis.set_yticks(range(len(every)), [*names, "ensemble"])
    axis.set_ylim(len(every) - 0.4, -0.6)
    axis.set_xlim(start, min(1.05, every.max() + spread * 0.4))
    axis.grid(False)
    axis.set_xlabel(f"accuracy (the axis starts at {percent(start, 1)})")
    axis.xaxis.set_major_formatter(lambda value, _: percent(value, 1))
    fit_title(axis, title)
    gain = 100 * (every[-1] - members.max())
    side = "above" if gain >= 0 else "below"
    said = (
        f"the {plural(len(members), 'member')} reach {percents(members.min(), members.max(), 1)}; "
        f"the ensemble {percent(every[-1], 1)}, {abs(gain):.1f} points {side} the best member"
    )
    show(fig, alt=sentences(title, said))
