"""Whole networks: volumes to scale, units of a fully connected one, and those that won ILSVRC."""

import math

from labutils.shapes.table import shape_text

from .colors import BLUE, DARK, GREEN, LIGHT, ORANGE
from .figure import bare, line, new_axes, panel_title, series_style, show, write
from .sheet import WIDTH, Sheet
from .words import listing, percent, plural, sentences

EDGE = 6  # pixels, left and right of everything
TOP = 50  # pixels, above the front of the largest cuboid
TALLEST, WIDEST = 110, 56  # pixels, of the boxes of a network
SLANT, RISE = 0.45, 0.2  # how far the top of a cuboid lies to the right and up, in heights


def draw_volumes(sheet, left, top, shapes, colors, *, marked=None, cuboids=False) -> list[float]:
    """Draw a box for each shape, its height the pixels, its width √channels; return their middles.

    Args:
        left, top: of the whole, and of the tallest box.
        shapes: ``(C, H, W)`` or ``(F,)``, which are flat.
        colors: one per shape.
        marked: the place of the one with a thick edge.
        cuboids: draw them as seen obliquely, as far as there is room; they reach a bit above.
    """
    roots = [math.sqrt(shape[0] if shape else 1) for shape in shapes]
    sides = [shape[1] if len(shape) > 1 else 0 for shape in shapes]
    heights = [max(TALLEST * side / max(*sides, 1), 3) for side in sides]
    room = WIDTH - EDGE - left
    gap = min(0.25 * room / len(shapes), 12)
    slant = min(SLANT, 0.35 * room / sum(heights)) if cuboids else 0.0
    free = room - gap * len(shapes) - slant * sum(heights)
    scale = min(free / sum(roots), WIDEST / max(roots))
    x, bottom, middles = left, top + TALLEST, []
    for index, (root, height, color) in enumerate(zip(roots, heights, colors, strict=True)):
        right, y = x + scale * root, bottom - height
        sheet.box(x, y, right - x, height, color, line=3 if index == marked else 1)
        away, up = slant * height, RISE * height
        if cuboids:
            back = [(right + away, y - up), (right, y)]
            lid = [(x, y), (x + away, y - up)]
            side = [(right, bottom), (right + away, bottom - up)]
            for face in (lid, side):
                sheet.curve([*face, *back, face[0]], color, fill="white")
        middles.append((x + right) / 2)
        x = right + away + gap
    return middles


def network_volumes(layers, *, title="") -> None:
    """Show a network as boxes: height and depth are the spatial size to scale, width the channels.

    Widths go with the square root of the number of channels, else 4,096 would hide 3.

    Args:
        layers: pairs of name and shape, channels first: ``("conv1", (96, 55, 55))`` or
            ``("fc8", (1000,))``; a :class:`labutils.shapes.Trace` gives them as ``volumes()``.
    """
    layers = [(str(name), tuple(int(side) for side in shape)) for name, shape in layers]
    if not layers:
        raise ValueError("layers is empty: there is nothing to draw")
    for name, shape in layers:
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise ValueError(f"the shape of {name} must be (C, H, W) or (F,), got {shape}")
    shapes = [shape for _, shape in layers]
    spatial = [shape for shape in shapes if len(shape) == 3]
    upright = len(layers) > 7  # labels, where they would touch
    labels = [(name, shape_text(shape)) for name, shape in layers]
    bottom = TOP + TALLEST
    longest = max(len(" ".join(label)) for label in labels)
    sheet = Sheet(WIDTH, bottom + (14 + 8.6 * longest if upright else 46))
    scale = "height: pixels to scale; width: √channels"
    sheet.words(WIDTH - EDGE, 18, scale, align="end", size=12)
    colors = [GREEN if len(shape) == 3 else ORANGE for shape in shapes]
    middles = draw_volumes(sheet, 34, TOP, shapes, colors, cuboids=True)
    for middle, label in zip(middles, labels, strict=True):
        if upright:
            sheet.words(middle + 4, bottom + 8, " ".join(label), align="end", size=12, turn=-90)
        else:
            sheet.words(middle, bottom + 18, label[0], align="middle", size=12)
            sheet.words(middle, bottom + 34, label[1], align="middle", size=12)
    ends = " to ".join(f"{name} ({size})" for name, size in (labels[0], labels[-1]))
    said = f"{plural(len(layers), 'box', 'boxes')} from {ends}"
    if len(spatial) > 1:
        said += (
            f"; sides go from {spatial[0][1]} to {plural(spatial[-1][1], 'pixel')}, "
            f"channels from {spatial[0][0]} to {max(shape[0] for shape in spatial)}"
        )
    every = listing(map(" ".join, labels), 24)
    sheet.show(sentences(title, said, f"In order: {every}"), title)


@series_style()
def mlp_layers(sizes, *, title="") -> None:
    """Show a fully connected network: a column of units per layer, joined to all of the next.

    Args:
        sizes: units per layer, e.g. ``[784, 512, 10]``.
    """
    sizes = [int(size) for size in sizes]
    if len(sizes) < 2:
        raise ValueError(f"give at least two sizes, of input and output, got {sizes}")
    names = ["input", *["hidden"] * (len(sizes) - 2), "logits"]
    fig, (axis,) = new_axes(1, 1, 3.2, 6.5)
    columns = [_units(size) for size in sizes]
    parameters = [before * after + after for before, after in zip(sizes, sizes[1:], strict=False)]
    for place, amount in enumerate(parameters):
        for y in columns[place]:
            for beyond in columns[place + 1]:
                line(axis, [place, place + 1], [y, beyond], "#D0D0D0", 0.5, zorder=0)
        write(axis, place + 0.5, 4.9, f"{amount:,}\nparameters", va="bottom")
    for place, (size, name, ys) in enumerate(zip(sizes, names, columns, strict=True)):
        color = BLUE if place == 0 else ORANGE if place == len(sizes) - 1 else GREEN
        circles = {"marker": "o", "markersize": 13, "linestyle": ""}
        axis.plot([place] * len(ys), ys, color=color, markerfacecolor=LIGHT[color], **circles)
        if size > len(ys):
            write(axis, place, 0, "⋮", fontsize=16)
        write(axis, place, -5.4, f"{name}\n{size:,}", va="top", fontsize=10)
    bare(axis, (-0.35, len(sizes) - 0.65), (-7.6, 6.6), equal=False)
    panel_title(axis, title)
    chain = ", then ".join(f"{name} {size:,}" for size, name in zip(sizes, names, strict=True))
    said = f"Units by layer: {chain}; each is joined to all of the next layer"
    show(fig, alt=sentences(title, said, f"{sum(parameters):,} parameters"))


def _units(size) -> list[float]:
    """Heights of the circles that stand for a layer: all of up to ten, else eight around a gap."""
    if size <= 10:
        return [float(place - (size - 1) / 2) for place in range(size)]
    return [-4.5, -3.5, -2.5, -1.5, 1.5, 2.5, 3.5, 4.5]


@series_style()
def ilsvrc_timeline(rows, *, title="ILSVRC classification winners") -> None:
    """Show the top-5 error of each year's winner, and below it how deep the network was.

    Args:
        rows: tuples (year, name, depth, top-5 error); depth None where it was no deep network;
            error between 0 and 1. Give the sources in the notebook's text.
    """
    rows = [(int(year), str(name), depth, float(error)) for year, name, depth, error in rows]
    if not rows:
        raise ValueError("rows is empty: give (year, name, depth, top-5 error) tuples")
    if bad := [row for row in rows if not 0 <= row[3] <= 1]:
        raise ValueError(f"top-5 errors must lie in 0 to 1 (0.153 for 15.3 %), got {bad[0][3]}")
    fig, (errors, depths) = new_axes(2, 1, 4.4, sharex=True, height_ratios=[3, 2])
    for place, (_, _, depth, error) in enumerate(rows):
        color, hatch = (DARK, "///") if depth is None else (BLUE, "")
        errors.bar(place, error, 0.62, facecolor=LIGHT[color], edgecolor=color, hatch=hatch)
        write(errors, place, error, percent(error, 1), va="bottom")
        if depth is not None:
            depths.bar(place, depth, 0.62, facecolor=LIGHT[GREEN], edgecolor=GREEN)
        write(depths, place, depth or 0, str(depth or "shallow"), va="bottom")
    errors.margins(y=0.15)
    depths.margins(y=0.25)
    errors.yaxis.set_major_formatter(lambda value, _: percent(value))
    errors.tick_params(axis="x", length=0)
    panel_title(errors, f"{title}: top-5 error")
    panel_title(depths, "Layers with weights")
    depths.set_xticks(range(len(rows)), [f"{name}\n{year}" for year, name, _, _ in rows])
    said = [
        f"{year} {name} {percent(error, 1)}, " + ("shallow" if depth is None else f"{depth} layers")
        for year, name, depth, error in rows
    ]
    trend = f"Top-5 error goes from {percent(rows[0][3], 1)} to {percent(rows[-1][3], 1)}"
    show(fig, alt=sentences(title, trend, "; ".join(said)))
