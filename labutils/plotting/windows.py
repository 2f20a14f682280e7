"""Windows over an input: where one fits, and what a stack of them sees."""

import numpy as np

from .figure import (
    BLUE,
    DARK,
    GREEN,
    ORANGE,
    PURPLE,
    bare,
    box,
    figure_title,
    line,
    new_axes,
    panel_title,
    series_style,
    show,
)
from .words import plural, sentences

MAX_CELLS = 32  # the widest padded input drawn cell by cell
MAX_FROM_ABOVE = 16  # the widest drawn from above, too
MAX_WINDOWS = 8  # more are cut to the first three and the last two
MAX_FIELD = 64
LEFT_OVER = {"color": PURPLE, "facecolor": "none", "hatch": "xxx", "linestyle": "--"}


def _whole(least: int, **named) -> None:
    for name, value in named.items():
        if int(value) != value or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


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
    _whole(1, size=size, kernel_size=kernel_size, stride=stride)
    _whole(0, padding=padding)
    padded = size + 2 * padding
    if kernel_size > padded:
        raise ValueError(
            f"a window of {kernel_size} does not fit into {size} pixels with padding {padding} "
            f"({padded} in all)"
        )
    starts = list(range(0, padded - kernel_size + 1, stride))
    left_over = padded - starts[-1] - kernel_size
    flat = padded <= MAX_FROM_ABOVE
    rows = 2.5 + min(len(starts), MAX_WINDOWS)
    height = max(0.34 * rows + 0.3, 2.9 if flat else 0)
    fig, axes = new_axes(1, 2 if flat else 1, height, width_ratios=[3, 2] if flat else None)
    _draw_positions(axes[0], size, kernel_size, padding, starts, left_over)
    arithmetic = f"⌊({size} − {kernel_size} + 2·{padding}) / {stride}⌋ + 1 = {len(starts)}"
    panel_title(axes[0], arithmetic)
    if flat:
        _draw_from_above(axes[1], size, kernel_size, padding, starts, left_over)
        panel_title(axes[1], f"{len(starts)}×{len(starts)} windows")
    figure_title(fig, title)
    said = (
        f"An input {size} wide with padding {padding} gives {padded} columns; a window of "
        f"{kernel_size} moved by {stride} fits {plural(len(starts), 'time')}"
    )
    spare = f"{plural(left_over, 'column')} left over" if left_over else "nothing is left over"
    show(fig, alt=sentences(title, said, f"{spare.capitalize()}: {arithmetic}"))


def _cells(size, padding) -> list[tuple[int, int, dict]]:
    """The padded row as (start, width, look): padding dotted, at most MAX_CELLS single cells."""
    dotted, plain = {"color": DARK, "hatch": "..."}, {"color": BLUE}
    if size + 2 * padding <= MAX_CELLS:
        inside = range(padding, padding + size)
        return [(i, 1, plain if i in inside else dotted) for i in range(size + 2 * padding)]
    blocks = [(0, padding, dotted), (padding, size, plain), (padding + size, padding, dotted)]
    return [block for block in blocks if block[1]]


def _draw_positions(axis, size, kernel, padding, starts, left_over) -> None:
    """The input as a row of cells, below it the windows as bars, each with its columns."""
    padded = size + 2 * padding
    for start, width, look in _cells(size, padding):
        box(axis, start, 0, width, 0.9, linewidth=0.8, **look)
    whole = f"{padded} columns" + (f" = {size} + 2·{padding} padding" if padding else "")
    axis.text(0, 1.1, whole, va="bottom", fontsize=9)
    shown = list(range(len(starts)))
    if len(shown) > MAX_WINDOWS:
        shown = [0, 1, 2, None, len(starts) - 2, len(starts) - 1]
    for row, index in enumerate(shown, start=1):
        if index is None:
            axis.text(padded / 2, 0.4 - row, "…", ha="center", va="center", fontsize=12)
            continue
        start, end = starts[index], starts[index] + kernel
        box(axis, start, -row, kernel, 0.8, ORANGE)
        right = padded - end < start  # write where there is more room
        axis.annotate(
            f"{index + 1}: columns {start}–{end - 1}" if kernel > 1 else f"{index + 1}: {start}",
            (start if right else end, 0.4 - row),
            xytext=(-6 if right else 6, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=9,
        )
    if left_over:
        box(axis, padded - left_over, -len(shown) - 0.1, left_over, len(shown) + 1, **LEFT_OVER)
        axis.text(padded, 1.1, f"{left_over} left over", ha="right", va="bottom", fontsize=9)
    axis.set_xlim(-padded * 0.02, padded * 1.02)
    axis.set_ylim(-len(shown) - 0.3, 2.0)
    bare(axis, equal=False)


def _draw_from_above(axis, size, kernel, padding, starts, left_over) -> None:
    """The padded input as a grid, with the first and the last window."""
    padded = size + 2 * padding
    inside = range(padding, padding + size)
    for row, column in np.ndindex(padded, padded):
        look = {"color": BLUE}
        if row not in inside or column not in inside:
            look = {"color": DARK, "hatch": "..."}
        box(axis, column, row, 1, 1, linewidth=0.8, **look)
    if left_over:
        edge = padded - left_over
        box(axis, edge, 0, left_over, padded, **LEFT_OVER)
        box(axis, 0, edge, edge, left_over, **LEFT_OVER)
    for start, dashes in ((starts[0], "-"), (starts[-1], "--")):
        look = {"facecolor": "none", "linewidth": 3, "linestyle": dashes}
        box(axis, start, start, kernel, kernel, ORANGE, **look)
    axis.set_xlim(-0.3, padded + 0.3)
    axis.set_ylim(padded + 0.3, -0.3)
    bare(axis)


# --- A stack of windows ---------------------------------------------------------------------------


@series_style()
def receptive_field_stack(kernel_sizes, strides=None, *, title="") -> None:
    """Show what one output of a stack of layers sees of each layer below it, down to the input.

    Left from the side, one row of cells per layer; right the input from above, with the square that
    one output sees after the first layer, the first two, and so on.

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
    layers = list(zip(kernels, strides, strict=True))
    for kernel, stride in layers:
        _whole(1, kernel_size=kernel, stride=stride)
    seen = [1]  # cells of each level that the last output sees, from the output down
    for kernel, stride in reversed(layers):
        seen.append((seen[-1] - 1) * stride + kernel)
    seen.reverse()
    fields, jump = [1], 1  # pixels that an output sees after each layer, from the input up
    for kernel, stride in layers:
        fields.append(fields[-1] + (kernel - 1) * jump)
        jump *= stride
    if fields[-1] > MAX_FIELD:
        raise ValueError(f"the stack sees {fields[-1]} pixels; at most {MAX_FIELD} can be drawn")
    name = " + ".join(f"{k}×{k}" + (f", stride {s}" if s > 1 else "") for k, s in layers)
    fig, axes = new_axes(1, 2, max(3.2, 0.4 + 0.7 * len(seen)), width_ratios=[3, 2])
    _draw_cone(axes[0], seen, layers)
    panel_title(axes[0], "What the output sees of each layer")
    _draw_nested(axes[1], fields)
    panel_title(axes[1], "What it sees of the input")
    figure_title(fig, title or f"{name}: one output sees {fields[-1]}×{fields[-1]} pixels")
    grown = [
        f"after {plural(depth, 'layer')} {field}×{field}"
        for depth, field in enumerate(fields[1:], start=1)
    ]
    said = f"A stack of {name}: one output sees {', '.join(grown)} pixels of the input"
    down = ", then ".join(str(cells) for cells in reversed(seen[:-1]))
    show(fig, alt=sentences(title, said, f"From the output down, it sees {down} cells a side"))


def _draw_cone(axis, seen, layers) -> None:
    """Rows of cells, input at the bottom; lines join a cell to the outermost cells it sees."""
    half, gap = 0.42, 1.6
    middle, jump, below = seen[0] / 2, 1, []
    for level, cells in enumerate(seen):
        centers = middle + jump * (np.arange(cells) - (cells - 1) / 2)
        color = BLUE if level == 0 else ORANGE if level == len(layers) else GREEN
        for center in centers:
            box(axis, center - half, gap * level, 2 * half, 0.6, color)
        name = f"layer {level}" if level else "input"
        axis.annotate(
            f"{name}: {plural(cells, 'cell')}",
            (0, gap * level + 0.3),
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=9,
        )
        if level:
            kernel, stride = layers[level - 1]
            for index, center in enumerate(centers):
                outer = index in (0, cells - 1)
                for place, side in ((index * stride, -half), (index * stride + kernel - 1, half)):
                    line(
                        axis,
                        [center + side, below[place] + side],
                        [gap * level, gap * level - 1.0],
                        DARK if outer else "#BBBBBB",
                        1.3 if outer else 0.7,
                    )
        below = centers
        jump *= layers[level][1] if level < len(layers) else 1
    axis.set_xlim(-0.36 * seen[0], seen[0] + 0.2)
    axis.set_ylim(-0.2, gap * len(seen) - 0.8)
    bare(axis, equal=False)


def _draw_nested(axis, fields) -> None:
    """The input as a grid, with the square seen after each layer, all around one pixel."""
    side = fields[-1]
    for place in range(side + 1):
        line(axis, [0, side], [place, place], "#D5D5D5", 0.6, zorder=0.5)
        line(axis, [place, place], [0, side], "#D5D5D5", 0.6, zorder=0.5)
    for depth, field in reversed(list(enumerate(fields))):
        start = (side - field) / 2
        look = {"linewidth": 2.2, "linestyle": ("-", "--", "-.", ":")[depth % 4]}
        color = BLUE if depth == 0 else ORANGE if depth == len(fields) - 1 else GREEN
        box(axis, start, start, field, field, color, **look)
        ring = (field - fields[depth - 1]) / 2 if depth else 0
        if ring > side / 16 and field > 0.35 * side:  # room for its name
            axis.text(
                side / 2,
                start + field - (field - fields[depth - 1]) / 4,
                f"{plural(depth, 'layer')}: {field}×{field}",
                ha="center",
                va="center",
                fontsize=8.5,
            )
    axis.set_xlim(-0.02 * side, 1.02 * side)
    axis.set_ylim(-0.02 * side, 1.02 * side)
    bare(axis)
