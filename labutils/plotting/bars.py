"""Numbers by name, as bars: probabilities, comparisons, layers, ensembles."""

import numpy as np

from .colors import BLUE, COLORS, DARK, HATCHES, LIGHT, ORANGE
from .figure import figure_title, line, new_axes, panel_title, series_style, show, write
from .inputs import as_array, as_named, as_probabilities, same_length
from .words import about, count, fixed, listing, number, percent, percents, plural, sentences


def bar_look(index: int = 0, marked: bool = False) -> dict:
    """The look of bar series ``index``: light fill, dark edge, and a hatch that needs no colour."""
    color = COLORS[index % len(COLORS)]
    hatch = "///" if marked else HATCHES[index % len(HATCHES)]
    return {"facecolor": LIGHT[color], "edgecolor": color, "hatch": hatch}


def draw_bars(axis, names, values, spell, *, series=None, marked=(), room=0.3) -> None:
    """Draw one horizontal bar per name, from the top down, its number at its end.

    Args:
        spell: makes the text of a number.
        series: the number of each bar's series, which gives its look; by default 0.
        marked: places of the bars that are hatched.
        room: space for the numbers, as a share of the range of values.
    """
    values = np.asarray(values, dtype=float)
    ends = np.where(np.isfinite(values), values, 0.0)
    for place, (value, end) in enumerate(zip(values, ends, strict=True)):
        look = bar_look(series[place] if series else 0, place in marked)
        axis.barh(place, end, 0.72, **look)
        offset, align = (-4, "right") if end < 0 else (4, "left")
        write(axis, end, place, spell(value), away=(offset, 0), ha=align, fontsize=8.5)
    low, high = min(0.0, ends.min()), max(0.0, ends.max())
    space = room * ((high - low) or 1.0)
    axis.set_xlim(low - space * (low < 0), high + space * (high > 0 or low == 0))
    line(axis, [0, 0], [-0.5, len(values) - 0.5], DARK, 0.8)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(True, axis="x")
    axis.grid(False, axis="y")


@series_style()
def probability_bars(probabilities, classes, *, columns=3, title="") -> None:
    """Show distributions over the classes as bars, several beside each other.

    Args:
        probabilities: [K] or [M, K], each row sums to 1; or a dictionary of [K] by name.
        classes: K names.
    """
    named = isinstance(probabilities, dict)
    rows = as_probabilities(list(probabilities.values()) if named else probabilities, classes)
    titles = list(map(str, probabilities)) if named else [""] * len(rows)
    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    height, width = lines * (0.8 + 0.26 * len(classes)), 8 if columns > 1 else 5
    fig, axes = new_axes(lines, columns, height, width, sharey=True)
    for axis in axes[len(rows) :]:
        axis.remove()
    said = []
    for axis, row, text in zip(axes, rows, titles, strict=False):
        draw_bars(axis, classes, row, fixed)
        axis.set(xlim=(0, 1.18), xticks=(0, 0.5, 1))
        panel_title(axis, text)
        best = np.argsort(-row, kind="stable")[:3]
        said.append(about(text, listing(f"{classes[label]} {fixed(row[label])}" for label in best)))
    fig.supxlabel("probability", fontsize=10)
    figure_title(fig, title)
    show(fig, alt=sentences(title, *said))


@series_style()
def value_bars(values, *, unit="", title="", marked=(), digits=None) -> None:
    """Show named numbers as horizontal bars, the number at the end of each.

    Args:
        values: numbers by name; may be negative (scores, gradients).
        unit: said behind each number.
        marked: names whose bars are hatched.
        digits: decimals; by default three significant digits.
    """
    if not isinstance(values, dict):
        raise TypeError(f"values must be numbers by name, a dict; got {type(values).__name__}")
    values = as_named(values, "values")
    array = as_array(list(values.values()), "values", ndim=1).astype(float)
    names = list(values)
    marked = [marked] if isinstance(marked, str) else list(marked)
    if unknown := [name for name in marked if name not in names]:
        raise ValueError(f"marked names {unknown}, which are not among {names}")
    tail = f" {unit}" if unit else ""

    def spell(value):
        return (number(value) if digits is None else fixed(value, digits)) + tail

    fig, (axis,) = new_axes(1, 1, 0.75 + 0.3 * len(names), 6)
    draw_bars(axis, names, array, spell, marked=[names.index(name) for name in marked])
    panel_title(axis, title)
    said = listing([f"{name} {spell(value)}" for name, value in zip(names, array, strict=True)], 16)
    show(fig, alt=sentences(title, said, f"Hatched: {listing(marked)}" if marked else ""))


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
    series = [order.index(kind) for kind in kinds]
    fig, axes = new_axes(1, len(quantities), 1.1 + 0.24 * len(layers), sharey=True)
    said = []
    for axis, (name, values) in zip(axes, quantities.items(), strict=True):
        array = as_array(values, name, ndim=1)
        draw_bars(axis, layers, array, count, series=series, room=0.35)
        axis.set_xticks([])
        panel_title(axis, f"{name}\n{count(array.sum())} in all")
        said.append(_layer_words(name, array, layers, kinds, order))
    if order != [""]:
        from matplotlib.patches import Patch

        patches = [Patch(label=kind, **bar_look(index)) for index, kind in enumerate(order)]
        fig.legend(handles=patches, loc="outside lower left", ncols=len(order))
    figure_title(fig, title)
    show(fig, alt=sentences(title, *said))


def _layer_words(name, array, layers, kinds, order) -> str:
    """Where most of a quantity lies, and what each kind of layer holds of it."""
    total = array.sum()
    if total == 0:
        return f"{name}: none"
    most = array.argmax()
    text = (
        f"{name}: {count(total)} in all, most in {layers[most]} "
        f"({count(array[most])}, {percent(array[most] / total)})"
    )
    if order == [""]:
        return text
    held = {kind: array[[its == kind for its in kinds]].sum() / total for kind in order}
    parts = [f"{kind} {percent(share)}" for kind, share in held.items() if share]
    return f"{text}; by kind: {listing(parts)}"


@series_style()
def ensemble_bars(member_accuracies, ensemble_accuracy, *, title="") -> None:
    """Show the accuracy of an ensemble beside that of its members.

    Args:
        member_accuracies: one number in 0 to 1 per member.
        ensemble_accuracy: that of their averaged probabilities.
    """
    members = as_array(member_accuracies, "member_accuracies", ndim=1).astype(float)
    every = np.append(members, float(ensemble_accuracy))
    if every.min() < 0 or every.max() > 1:
        ends = f"{number(every.min())} to {number(every.max())}"
        raise ValueError(f"accuracies must lie in 0 to 1, got {ends}")
    names = [f"member {i + 1}" for i in range(len(members))]
    fig, (axis,) = new_axes(1, 1, 0.9 + 0.32 * len(every), 6)
    spread = max(every.max() - every.min(), 0.01)
    start = max(0.0, every.min() - spread)
    for place, value in enumerate(every):
        marker, size, color = ("D", 9, ORANGE) if place == len(members) else ("o", 7, BLUE)
        line(axis, [start, value], [place, place], "#BBBBBB")
        axis.plot(value, place, marker=marker, markersize=size, color=color)
        write(axis, value, place, percent(value, 1), away=(9, 0), ha="left", fontsize=10)
    axis.set_yticks(range(len(every)), [*names, "ensemble"])
    axis.set_ylim(len(every) - 0.4, -0.6)
    axis.set_xlim(start, every.max() + spread * 0.4)
    axis.grid(False)
    axis.set_xlabel(f"accuracy (the axis starts at {percent(start, 1)})")
    axis.xaxis.set_major_formatter(lambda value, _: percent(value, 1))
    panel_title(axis, title)
    gain = 100 * (every[-1] - members.max())
    side = "above" if gain >= 0 else "below"
    reach = percents(members.min(), members.max(), 1)
    said = (
        f"The {plural(len(members), 'member')} reach {reach}; the ensemble "
        f"{percent(every[-1], 1)}, {abs(gain):.1f} points {side} the best member"
    )
    show(fig, alt=sentences(title, said))
