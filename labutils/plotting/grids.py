"""Small grids of numbers: a filter at work, pooling, dropout."""

import numpy as np

from labutils.shapes.table import shape_text

from .colors import DARK, REFERENCE
from .figure import bare, box, figure_title, line, new_axes, series_style, show, text_color, write
from .inputs import as_array
from .words import fixed, number, percent, plural, sentences

MAX_SIDE = 12
CELL = 0.4  # inches


def _matrix(values, name) -> np.ndarray:
    """Floats [H, W], few enough to write each number."""
    array = np.atleast_2d(as_array(values, name, ndim=(1, 2))).astype(float)
    if max(array.shape) > MAX_SIDE:
        raise ValueError(
            f"{name} of {_size(array)} is too large to write its numbers; "
            f"at most {MAX_SIDE}×{MAX_SIDE}"
        )
    return array


def _size(array) -> str:
    return shape_text(array.shape)


def _draw_grids(title, grids, signs, *, outlined=None, crossed=None):
    """Return a figure of grids of numbers side by side, all cells of one size.

    Args:
        grids: matrices by name.
        signs: what stands between them.
        outlined: by name, the window (row, column, height, width) with a thick outline.
        crossed: by name, a matrix of booleans: cells that are struck out.
    """
    rows = max(grid.shape[0] for grid in grids.values())
    gap = 1.3
    widths = [max(grid.shape[1], 0.25 * len(name)) for name, grid in grids.items()]
    width = sum(widths) + gap * len(signs)
    fig, (axis,) = new_axes(1, 1, CELL * (rows + 1.2), CELL * (width + 0.6))
    x = 0.0
    for index, (name, grid) in enumerate(grids.items()):
        top = (rows - grid.shape[0]) / 2
        _draw_numbers(axis, x, top, grid, (crossed or {}).get(name))
        if outlined and name in outlined:
            row, column, height, wide = outlined[name]
            look = {"facecolor": "none", "edgecolor": "black", "linewidth": 3}
            box(axis, x + column, top + row, wide, height, **look)
        axis.text(x, top - 0.25, name, weight="bold", va="bottom")
        x += widths[index] + gap
        if index < len(signs):
            write(axis, x - gap / 2, rows / 2, signs[index], fontsize=15)
    bare(axis, (-0.2, width + 0.4), (rows + 0.1, -0.9))
    figure_title(fig, title)
    return fig


def _draw_numbers(axis, x, y, grid, crossed) -> None:
    """One matrix: positive cells violet, negative ones orange, each with its number."""
    from matplotlib import colormaps

    largest = np.nanmax(abs(grid)) or 1.0
    for (row, column), value in np.ndenumerate(grid):
        shade = colormaps["PuOr"](0.5 + 0.3 * value / largest)
        out = crossed is not None and crossed[row, column]
        left, top = x + column, y + row
        box(axis, left, top, 1, 1, facecolor=shade, edgecolor="#999999", linewidth=0.6)
        color = REFERENCE if out else text_color(shade)
        write(axis, left + 0.5, top + 0.5, number(round(value, 2)), color=color)
        if out:
            line(axis, [left + 0.1, left + 0.9], [top + 0.1, top + 0.9], DARK, 1.2)


def _slide(image, window, stride, position) -> tuple[np.ndarray, dict]:
    """Return all windows [H', W', k, k] of an image, and the outlines of the one at ``position``.

    The outlines are that of the window on the image, and that of its entry in the output.
    """
    if any(side > whole for side, whole in zip(window, image.shape, strict=True)):
        raise ValueError(
            f"a window of {shape_text(window)} does not fit into an image of {_size(image)}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(image, window)[::stride, ::stride]
    (row, column), (rows, columns) = position, windows.shape[:2]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(f"position {position} lies outside the output of {rows}×{columns}")
    outlined = {"image": (row * stride, column * stride, *window), "output": (row, column, 1, 1)}
    return windows, outlined


@series_style()
def convolution_example(image, kernel, position=(0, 0), *, stride=1, title="") -> None:
    """Show a filter at work: the image, the filter, and what it answers at every position.

    As in deep learning, the filter is not flipped (cross-correlation).

    Args:
        image: [H, W] numbers, at most 12×12.
        kernel: [k, k] numbers.
        position: (row, column) of the output entry that is outlined, with its window.
    """
    image, kernel = _matrix(image, "image"), _matrix(kernel, "kernel")
    windows, outlined = _slide(image, kernel.shape, stride, position)
    output = (windows * kernel).sum(axis=(2, 3))
    grids = {"image": image, "filter": kernel, "output": output}
    fig = _draw_grids(title, grids, "∗=", outlined=outlined)
    said = (
        f"An image of {_size(image)}, a filter of {_size(kernel)} moved by {stride}, an output of "
        f"{_size(output)}; the outlined window gives {number(output[tuple(position)])}"
    )
    spread = f"Outputs lie between {number(output.min())} and {number(output.max())}"
    show(fig, alt=sentences(title, said, spread))


@series_style()
def pooling_example(image, kernel_size=2, stride=None, position=(0, 0), *, title="") -> None:
    """Show max pooling at work: the image, and the largest number of every window.

    Args:
        image: [H, W] numbers, at most 12×12.
        kernel_size: side of the window.
        stride: how far it moves; by default its size. Smaller strides overlap.
        position: (row, column) of the output entry that is outlined, with its window.
    """
    image = _matrix(image, "image")
    stride = stride or kernel_size
    windows, outlined = _slide(image, (kernel_size, kernel_size), stride, position)
    output = windows.max(axis=(2, 3))
    fig = _draw_grids(title, {"image": image, "output": output}, "→", outlined=outlined)
    said = (
        f"An image of {_size(image)}; the largest of each {kernel_size}×{kernel_size} window, "
        f"moved by {stride}, makes an output of {_size(output)}"
    )
    pointed = f"The outlined window gives {number(output[tuple(position)])}"
    show(fig, alt=sentences(title, said, pointed))


@series_style()
def dropout_mask(before, after, p=0.5, *, title="") -> None:
    """Show dropout in training: activations, what is left of them, and what it does to the mean.

    Args:
        before: [H, W] or [N] activations, at most 12×12.
        after: the same shape, dropped entries 0 and the others scaled by 1 / (1 - p).
        p: probability to drop.
    """
    before, after = _matrix(before, "before"), _matrix(after, "after")
    if before.shape != after.shape:
        raise ValueError(
            f"before and after must have one shape, got {_size(before)} and {_size(after)}"
        )
    dropped, kept = (before != 0) & (after == 0), (before != 0) & (after != 0)
    means = fixed(before.mean()), fixed(after.mean())
    first, second = f"before: mean {means[0]}", f"after: mean {means[1]}"
    fig = _draw_grids(title, {first: before, second: after}, "→", crossed={second: dropped})
    amount = int(dropped.sum())
    said = (
        f"Dropout with p = {number(p)}: {amount} of {plural(before.size, 'activation')} are "
        f"dropped ({percent(amount / before.size)}, struck out)"
    )
    scaled = ""
    if kept.any():
        scaled = f"The others are multiplied by {fixed(np.median(after[kept] / before[kept]))}"
    changed = f"The mean goes from {means[0]} to {means[1]}"
    show(fig, alt=sentences(title, said, scaled, changed))
