"""The geometry of networks: windows over an input, receptive fields, volumes to scale, ILSVRC."""

import numpy as np

from .figure import (
    BLUE,
    DARK,
    GREEN,
    LIGHT,
    ORANGE,
    PURPLE,
    bare,
    fit_title,
    new_axes,
    new_figure,
    series_style,
    show,
)
from .words import listing, percent, plural, sentences

MAX_CELLS = 32  # the widest padded input drawn cell by cell
MAX_WINDOWS = 12


def _box(axis, x, y, width, height, color=DARK, fill=True, **look):
    """A rectangle with its lower left corner at (x, y)."""
    from matplotlib.patches import Rectangle

    look = {"facecolor": LIGHT[color] if fill else "none", "edgecolor": color} | look
    return axis.add_patch(Rectangle((x, y), width, height, **look))


def _whole(least: int = 1, **named) -> None:
    for name, value in named.items():
        if int(value) != value or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


# --- One window over an input ---------------------------------------------------------------------


@series_style()
def convolution_window(size, kernel_size, stride=1, padding=0, *, title="") -> None:
    """Show where a window fits along one side of an input, and which columns are left over.

    Left, the positions along one side, one below the other; right, for small inputs, the same from
    above with the first and the last window. Padding is dotted, what is left over is hatched.

    Args:
        size, kernel_size, stride, padding: whole numbers, in pixels.

    Raises:
        ValueError: the window is larger than the padded input.
    """
    _whole(size=size, kernel_size=kernel_size, stride=stride)
    _whole(0, padding=padding)
    padded = size + 2 * padding
    if kernel_size > padded:
        raise ValueError(
            f"a window of {kernel_size} does not fit into {size} pixels with padding {padding} "
            f"({padded} in all)"
        )
    starts = list(range(0, padded - kernel_size + 1, stride))
    left_over = padded - starts[-1] - kernel_size
    flat = padded <= 16
    fig, axes = new_axes(1, 2 if flat else 1, 3.4, width_ratios=[3, 2] if flat else None)
    _draw_positions(axes[0], size, kernel_size, padding, starts, left_over)
    fit_title(axes[0], f"({size} − {kernel_size} + 2·{padding}) / {stride} + 1 → {len(starts)}")
    if flat:
        _draw_from_above(axes[1], size, kernel_size, padding, starts, left_over)
        fit_title(axes[1], f"{len(starts)}×{len(starts)} windows")
    if title:
        fig.suptitle(title, x=0.01, ha="left")
    said = (
        f"an input {size} wide with padding {padding} gives {padded} columns; a window of "
        f"{kernel_size} moved by {stride} fits {plural(len(starts), 'time')}"
    )
    spare = f"{plural(left_over, 'column')} left over" if left_over else "nothing is left over"
    show(fig, alt=sentences(title, said, f"{spare}; the output is {len(starts)} wide"))


def _draw_positions(axis, size, kernel, padding, starts, left_over) -> None:
    """The input as a row of cells, below it every window (or the first and last ones) as a bar."""
    padded = size + 2 * padding
    many = padded > MAX_CELLS
    cell = padded / 24 if many else 1.0  # height of a row
    parts = (
        (0, padding, DARK, "..."),
        (padding, size, BLUE, ""),
        (padding + size, padding, DARK, "..."),
    )
    for start, width, color, hatch in parts:
        if not width:
            continue
        steps = [(start, width)] if many else [(start + i, 1) for i in range(width)]
        for x, wide in steps:
            _box(axis, x, 0, wide, cell, color, hatch=hatch, linewidth=0.8)
    axis.text(padded / 2, cell * 1.25, f"{padded} columns", ha="center", va="bottom", fontsize=9)
    shown = list(range(len(starts)))
    if len(shown) > MAX_WINDOWS:
        shown = [0, 1, 2, None, len(starts) - 2, len(starts) - 1]
    for row, index in enumerate(shown, start=1):
        y = -row * cell * 1.15
        if index is None:
            axis.text(padded / 2, y + cell / 2, "…", ha="center", va="center")
            continue
        _box(axis, starts[index], y, kernel, cell * 0.85, ORANGE)
        near_end = starts[index] + kernel > padded * 0.75
        axis.text(
            starts[index] - cell * 0.3 if near_end else starts[index] + kernel + cell * 0.3,
            y + cell * 0.42,
            f"{index + 1}",
            va="center",
            ha="right" if near_end else "left",
            fontsize=9,
        )
    if left_over:
        bottom = -len(shown) * cell * 1.15
        _box(
            axis,
            padded - left_over,
            bottom,
            left_over,
            cell - bottom,
            PURPLE,
            fill=False,
            hatch="xxx",
            linestyle="--",
        )
    axis.set_xlim(-padded * 0.03, padded * 1.03)
    axis.set_ylim(-(len(shown) + 0.3) * cell * 1.15, cell * 2.6)
    bare(axis, equal=False)


def _draw_from_above(axis, size, kernel, padding, starts, left_over) -> None:
    """The padded input as a grid, with the first and the last window."""
    padded = size + 2 * padding
    _draw_grid(axis, padded, DARK, hatch="...")
    for row in range(padding, padding + size):
        for column in range(padding, padding + size):
            _box(axis, column, row, 1, 1, BLUE, linewidth=0.8)
    if left_over:
        edge = padded - left_over
        for x, y, width, height in ((edge, 0, left_over, padded), (0, edge, edge, left_over)):
            _box(axis, x, y, width, height, PURPLE, fill=False, hatch="xxx", linestyle="--")
    for start, style in ((starts[0], "-"), (starts[-1], "--")):
        _box(axis, start, start, kernel, kernel, ORANGE, fill=False, linewidth=3, linestyle=style)
    axis.set_xlim(-0.3, padded + 0.3)
    axis.set_ylim(padded + 0.3, -0.3)
    bare(axis)


def _draw_grid(axis, side, color, hatch="") -> None:
    for row in range(side):
        for column in range(side):
            _box(axis, column, row, 1, 1, color, hatch=hatch, linewidth=0.8)


# --- A stack of windows ---------------------------------------------------------------------------


@series_style()
def receptive_field_stack(kernel_sizes, strides=None, *, title="") -> None:
    """Show what one output of a stack of layers sees of each layer below it, down to the input.

    Left from the side, one row of cells per layer; right from above: the squares that the output
    sees, layer by layer, to one scale.

    Args:
        kernel_sizes: from input to output.
        strides: one per layer; by default all 1.
    """
    kernels = list(kernel_sizes)
    strides = [1] * len(kernels) if strides is None else list(strides)
    if not kernels or len(kernels) != len(strides):
        raise ValueError(
            f"give at least one kernel size and one stride per kernel, got {kernels} and {strides}"
        )
    for kernel, stride in zip(kernels, strides, strict=True):
        _whole(kernel_size=kernel, stride=stride)
    seen = [1]  # cells seen at each level, from the output down
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        seen.append((seen[-1] - 1) * stride + kernel)
    seen.reverse()
    field = seen[0]
    if field > 64:
        raise ValueError(f"the stack sees {field} pixels; more than 64 cannot be drawn as cells")
    fig, axes = new_axes(
        1, 2, 0.9 + 0.62 * len(seen) if len(seen) > 3 else 3.2, width_ratios=[3, 2]
    )
    _draw_cone(axes[0], seen, kernels, strides)
    _draw_nested(axes[1], seen, strides)
    name = " + ".join(
        f"{k}×{k}" + (f"/{s}" if s > 1 else "") for k, s in zip(kernels, strides, strict=True)
    )
    fit_title(axes[0], title or f"{name}: one output sees {field}×{field}")
    steps = [str(cells) for cells in reversed(seen[:-1])]
    said = (
        f"a stack of {name}: one output sees "
        + ", then ".join(steps)
        + f" cells a side; the last are {field}×{field} input pixels, as of one {field}×{field} filter"
    )
    show(fig, alt=sentences(title, said))


def _draw_cone(axis, seen, kernels, strides) -> None:
    """Rows of cells, input at the bottom; lines join a cell to the outermost cells it sees."""
    middle, jump = seen[0] / 2, 1
    rows = []
    for level, cells in enumerate(seen):
        centers = middle + jump * (np.arange(cells) - (cells - 1) / 2)
        rows.append(centers)
        color = ORANGE if level == len(seen) - 1 else BLUE if level == 0 else GREEN
        for center in centers:
            _box(axis, center - 0.42, 1.6 * level, 0.84, 0.6, color)
        name = "input" if level == 0 else f"layer {level}"
        axis.text(-0.4, 1.6 * level + 0.3, f"{name}: {cells}", ha="right", va="center", fontsize=9)
        if level < len(strides):
            jump *= strides[level]
    for level in range(1, len(seen)):
        for index, center in enumerate(rows[level]):
            first = index * strides[level - 1]
            ends = rows[level - 1][first], rows[level - 1][first + kernels[level - 1] - 1]
            strong = index in (0, len(rows[level]) - 1)
            for below, side in zip(ends, (-0.42, 0.42), strict=True):
                axis.plot(
                    [center + side, below + side],
                    [1.6 * level, 1.6 * level - 1.0],
                    marker="",
                    color=DARK if strong else "#BBBBBB",
                    linewidth=1.3 if strong else 0.7,
                    linestyle="-",
                )
    axis.set_xlim(-0.5 - 0.24 * max(seen[0], 7), seen[0] + 0.3)
    axis.set_ylim(-0.3, 1.6 * len(seen) - 0.7)
    bare(axis, equal=False)


def _draw_nested(axis, seen, strides) -> None:
    """The input as a grid, with the square each level covers on it."""
    field = seen[0]
    for place in range(field + 1):
        look = {"color": "#BBBBBB", "linewidth": 0.6, "marker": "", "linestyle": "-"}
        axis.plot([0, field], [place, place], **look)
        axis.plot([place, place], [0, field], **look)
    jump = 1
    for level, cells in enumerate(seen):
        side = min(field, 1 + (cells - 1) * jump) if level else field
        last = level == len(seen) - 1
        color = ORANGE if last else BLUE if level == 0 else GREEN
        _box(
            axis,
            (field - side) / 2,
            (field - side) / 2,
            side,
            side,
            color,
            fill=last,
            linewidth=2.4,
            linestyle=("-", "--", "-.", ":")[level % 4],
        )
        jump *= strides[level] if level < len(strides) else 1
    axis.set_xlim(-0.3, field + 0.3)
    axis.set_ylim(-0.3, field + 0.3)
    bare(axis)
    fit_title(axis, f"From above: {field} pixels a side")


# --- Whole networks -------------------------------------------------------------------------------


@series_style()
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
    tallest = max(shape[1] if len(shape) == 3 else 1 for _, shape in layers)
    fig, (axis,) = new_axes(1, 1, 3.6)
    x = 0.0
    places = []
    for _, shape in layers:
        height = shape[1] / tallest if len(shape) == 3 else 0.02
        height = max(height, 0.02)
        wide = 0.012 * np.sqrt(shape[0])
        places.append(x + wide / 2)
        x = _draw_box3d(axis, x, wide, height, GREEN if len(shape) == 3 else ORANGE) + 0.035
    _label_boxes(axis, layers, places, x)
    axis.set_xlim(-0.05, x + 0.05)
    axis.set_ylim(-0.95 if len(layers) > 8 else -0.45, 1.3)
    bare(axis, equal=False)
    fit_title(axis, title)
    first, last = layers[0], layers[-1]
    spatial = [shape for _, shape in layers if len(shape) == 3]
    said = f"{plural(len(layers), 'box')}".replace("boxs", "boxes")
    said += f" from {first[0]} ({_shape(first[1])}) to {last[0]} ({_shape(last[1])})"
    shrink = ""
    if len(spatial) > 1:
        shrink = (
            f"sides go from {spatial[0][1]} to {spatial[-1][1]} pixels, channels from "
            f"{spatial[0][0]} to {max(shape[0] for shape in spatial)}"
        )
    all_of_them = listing((f"{name} {_shape(shape)}" for name, shape in layers), 24)
    show(fig, alt=sentences(title, said, shrink, all_of_them))


def _shape(shape) -> str:
    return "×".join(str(side) for side in shape)


def _draw_box3d(axis, x, width, height, color) -> float:
    """A cuboid standing on y = 0 in oblique view; answers with its right end."""
    from matplotlib.patches import Polygon

    deep, up = 0.22 * height, 0.22 * height
    _box(axis, x, 0, width, height, color)
    top = [
        (x, height),
        (x + deep, height + up),
        (x + width + deep, height + up),
        (x + width, height),
    ]
    side = [
        (x + width, 0),
        (x + width + deep, up),
        (x + width + deep, height + up),
        (x + width, height),
    ]
    for corners in (top, side):
        axis.add_patch(Polygon(corners, facecolor="white", edgecolor=color))
    return x + width + deep


def _label_boxes(axis, layers, places, total) -> None:
    """Names and shapes below the boxes, upright where they would touch."""
    upright = len(layers) > 8
    for (name, shape), place in zip(layers, places, strict=True):
        axis.text(
            place,
            -0.05,
            f"{name}  {_shape(shape)}" if upright else f"{name}\n{_shape(shape)}",
            rotation=90 if upright else 0,
            ha="center",
            va="top",
            fontsize=8.5,
        )


@series_style()
def ilsvrc_timeline(rows, *, title="ILSVRC classification winners") -> None:
    """Show the top-5 error of each year's winner, and above its bar how deep the network was.

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
    places = range(len(rows))
    for place, (_, _, depth, error) in enumerate(rows):
        color, hatch = (DARK, "///") if depth is None else (BLUE, "")
        errors.bar(place, error, 0.62, facecolor=LIGHT[color], edgecolor=color, hatch=hatch)
        errors.text(place, error, percent(error, 1), ha="center", va="bottom", fontsize=9)
        if depth is None:
            depths.text(place, 0, "shallow", ha="center", va="bottom", fontsize=9)
        else:
            depths.bar(place, depth, 0.62, facecolor=LIGHT[GREEN], edgecolor=GREEN)
            depths.text(place, depth, str(depth), ha="center", va="bottom", fontsize=9)
    deepest = max([depth for _, _, depth, _ in rows if depth is not None] or [1])
    errors.set_ylim(0, max(row[3] for row in rows) * 1.18)
    depths.set_ylim(0, deepest * 1.25)
    errors.yaxis.set_major_formatter(lambda value, _: percent(value))
    errors.tick_params(axis="x", length=0)
    fit_title(errors, f"{title}: top-5 error")
    fit_title(depths, "Layers with weights")
    depths.set_xticks(places, [f"{name}\n{year}" for year, name, _, _ in rows])
    said = [
        f"{year} {name} {percent(error, 1)}, " + ("shallow" if depth is None else f"{depth} layers")
        for year, name, depth, error in rows
    ]
    trend = f"top-5 error goes from {percent(rows[0][3], 1)} to {percent(rows[-1][3], 1)}"
    show(fig, alt=sentences(title, trend, listing(said, 16)))


@series_style()
def mlp_layers(sizes, names=None, *, title="") -> None:
    """Show a fully connected network: a column of units per layer, joined to all of the next.

    Args:
        sizes: units per layer, e.g. ``[784, 512, 10]``.
        names: one per layer.
    """
    sizes = [int(size) for size in sizes]
    names = ["input", *["hidden"] * (len(sizes) - 2), "logits"] if names is None else list(names)
    if len(sizes) < 2 or len(names) != len(sizes):
        raise ValueError(f"give at least two sizes and one name per size, got {sizes} and {names}")
    fig = new_figure(3.2, 6.5)
    axis = fig.subplots()
    columns = [_units(size) for size in sizes]
    for place in range(len(sizes) - 1):
        for y in columns[place]:
            for beyond in columns[place + 1]:
                axis.plot(
                    [place, place + 1],
                    [y, beyond],
                    color="#CCCCCC",
                    linewidth=0.6,
                    marker="",
                    linestyle="-",
                    zorder=0,
                )
    for place, (size, name, ys) in enumerate(zip(sizes, names, columns, strict=True)):
        color = BLUE if place == 0 else ORANGE if place == len(sizes) - 1 else GREEN
        axis.plot(
            [place] * len(ys),
            ys,
            marker="o",
            markersize=13,
            linestyle="",
            color=color,
            markerfacecolor=LIGHT[color],
        )
        if size > len(ys):
            axis.text(place, 0, "⋮", ha="center", va="center", fontsize=16)
        axis.text(place, -5.4, f"{name}\n{size:,}", ha="center", va="top")
    weights = [a * b + b for a, b in zip(sizes, sizes[1:], strict=False)]
    for place, amount in enumerate(weights):
        axis.text(place + 0.5, 4.9, f"{amount:,}\nparameters", ha="center", va="bottom", fontsize=9)
    axis.set_xlim(-0.35, len(sizes) - 0.65)
    axis.set_ylim(-7.6, 6.6)
    bare(axis, equal=False)
    fit_title(axis, title)
    chain = " to ".join(f"{size:,} {name}" for size, name in zip(sizes, names, strict=True))
    said = f"{chain} units, each joined to all of the next layer: {sum(weights):,} parameters"
    show(fig, alt=sentences(title, said))


def _units(size) -> list[float]:
    """Heights of the circles that stand for a layer: all of up to ten, else eight around a gap."""
    if size <= 10:
        return [float(place - (size - 1) / 2) for place in range(size)]
    return [-4.5, -3.5, -2.5, -1.5, 1.5, 2.5, 3.5, 4.5]
