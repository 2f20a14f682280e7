"""Windows over an input: where one fits, and what a stack of them sees.

The explorers of windows draw with the same parts: grids, padded inputs, nested squares.
"""

from labutils.shapes import output_size, receptive_field

from .colors import BLUE, DARK, GREEN, ORANGE, PURPLE
from .sheet import WIDTH, Sheet
from .words import plural, sentences

TOP = 28  # pixels, for a grid's title
MAX_CELL = 36  # pixels
FAINT = "#9A9A9A"
SIDE = 240  # pixels, of an input from above
ROW = 26  # pixels, from one position of a window to the next
POSITIONS = 340  # pixels, of the columns that they are drawn on
LEVEL, CONE = 64, (112, 250)  # pixels, from layer to layer; where the cells begin, and their width
MAX_LINES = 64  # the widest grid that is drawn cell by cell
MAX_WINDOWS = 8  # more are cut to the first three and the last two
MAX_FIELD = 64


def draw_grid(sheet, left, size, cell) -> None:
    """Draw the lines of a square grid of cells, below a title; none where they would touch."""
    for place in range(size + 1 if size <= MAX_LINES else 0):
        along = place * cell
        sheet.line(left + along, TOP, left + along, TOP + size * cell, FAINT, 0.7)
        sheet.line(left, TOP + along, left + size * cell, TOP + along, FAINT, 0.7)


def draw_input(sheet, left, size, padding, spare, cell) -> None:
    """Draw an input from above: its padding grey, hatched the last columns no window reaches."""
    side, width = (size + 2 * padding) * cell, spare * cell
    sheet.box(left, TOP, side, side, DARK)
    sheet.box(left + padding * cell, TOP + padding * cell, size * cell, size * cell, BLUE)
    if spare:
        edge = side - width
        sheet.box(left + edge, TOP, width, side, PURPLE, fill="hatch")
        sheet.box(left, TOP + edge, edge, width, PURPLE, fill="hatch")


def convolution_window(size, kernel_size, stride=1, padding=0, *, title="") -> None:
    """Show where a window fits along one side of an input, and which columns are left over.

    Left, the positions along one side, one below the other; right, the same from above with the
    first and the last window. Padding is grey, what is left over is hatched.

    Args:
        size, kernel_size, stride, padding: whole numbers, in pixels.

    Raises:
        TypeError, ValueError: as :func:`labutils.shapes.output_size` does, where the window is
            larger than the padded input, say.
    """
    steps = output_size(size, kernel_size, stride, padding)
    padded = size + 2 * padding
    spare = padded - (steps - 1) * stride - kernel_size
    shown = list(range(steps)) if steps <= MAX_WINDOWS else [0, 1, 2, None, steps - 2, steps - 1]
    sheet = Sheet(WIDTH, TOP + max(SIDE, 24 + ROW * (len(shown) + 1)) + 6, hatch=PURPLE)
    arithmetic = f"⌊({size} − {kernel_size} + 2·{padding}) / {stride}⌋ + 1 = {steps}"
    sheet.words(4, 18, arithmetic, bold=True)
    windows = [None if place is None else (place + 1, place * stride) for place in shown]
    _draw_positions(sheet, size, kernel_size, padding, windows, spare)

    left, cell = WIDTH - 4 - SIDE, SIDE / padded
    sheet.words(left, 18, f"{steps}×{steps} windows", bold=True)
    draw_input(sheet, left, size, padding, spare, cell)
    draw_grid(sheet, left, padded, cell)
    for start, dash in ((0, ""), ((steps - 1) * stride * cell, "9 5")):
        look = {"fill": "none", "line": 3, "dash": dash}
        sheet.box(left + start, TOP + start, kernel_size * cell, kernel_size * cell, ORANGE, **look)
    said = (
        f"An input {size} wide with padding {padding} gives {padded} columns; a window of "
        f"{kernel_size} moved by {stride} fits {plural(steps, 'time')}"
    )
    left_over = f"{plural(spare, 'column')} left over" if spare else "Nothing is left over"
    sheet.show(sentences(title, said, f"{left_over}: {arithmetic}"), title)


def _draw_positions(sheet, size, kernel, padding, windows, spare) -> None:
    """Draw the input as a row of cells, below it the windows (number, start) as bars, or dots."""
    padded = size + 2 * padding
    cell, top, high = POSITIONS / padded, TOP + 24, ROW - 4
    whole = f"{padded} columns" + (f" = {size} + 2·{padding} padding" if padding else "")
    sheet.words(4, TOP + 16, whole, size=13)
    sheet.box(4, top, POSITIONS, high, DARK)
    sheet.box(4 + padding * cell, top, size * cell, high, BLUE)
    for place in range(1, padded if padded <= MAX_LINES else 0):
        sheet.line(4 + place * cell, top, 4 + place * cell, top + high, FAINT, 0.7)
    for row, window in enumerate(windows, 1):
        y = top + row * ROW
        if window is None:
            sheet.words(4 + POSITIONS / 2, y + 14, "…", align="middle")
            continue
        number, start = window
        end = start + kernel
        sheet.box(4 + start * cell, y, kernel * cell, high, ORANGE)
        text = f"{number}: columns {start}–{end - 1}" if kernel > 1 else f"{number}: {start}"
        if kernel * cell > 8 * len(text):
            sheet.words(4 + (start + end) / 2 * cell, y + 16, text, align="middle", size=13)
        elif padded - end < start:  # where there is more room
            sheet.words(4 + start * cell - 6, y + 16, text, align="end", size=13)
        else:
            sheet.words(4 + end * cell + 6, y + 16, text, size=13)
    if spare:
        left, height = 4 + (padded - spare) * cell, ROW * (len(windows) + 1) - 4
        sheet.box(left, top, spare * cell, height, PURPLE, fill="hatch", dash="6 3")
        sheet.words(4 + POSITIONS, TOP + 16, f"{spare} left over", align="end", size=13)


# --- A stack of windows ---------------------------------------------------------------------------


def fields_of(layers) -> list[int]:
    """Return how many pixels a side an output sees: of the input itself (1), after each layer.

    Args:
        layers: (kernel_size, stride) from input to output.
    """
    return [receptive_field(layers[:depth]).field for depth in range(len(layers) + 1)]


def depth_color(depth: int) -> str:
    """Return a layer's colour; 0 is the input."""
    return BLUE if depth == 0 else ORANGE if depth % 2 else GREEN


def draw_fields(sheet, left, fields, cell) -> None:
    """Draw the squares of the input that an output sees, all around one pixel, below a title."""
    for depth in reversed(range(len(fields))):
        start, width = (fields[-1] - fields[depth]) / 2 * cell, fields[depth] * cell
        sheet.box(left + start, TOP + start, width, width, depth_color(depth), line=2)
    draw_grid(sheet, left, fields[-1], cell)


def draw_legend(sheet, left, top, fields) -> None:
    """Write the size of each square beside its colour."""
    for depth, field in enumerate(fields):
        text = f"after {plural(depth, 'layer')}: {field}×{field}" if depth else "one pixel"
        sheet.box(left, top + depth * 24, 14, 14, depth_color(depth), line=2)
        sheet.words(left + 22, top + depth * 24 + 12, text)


def grown(fields) -> str:
    """Return ``after 1 layer 3×3, after 2 layers 5×5``."""
    steps = enumerate(fields[1:], 1)
    return ", ".join(f"after {plural(depth, 'layer')} {field}×{field}" for depth, field in steps)


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
    fields = fields_of(layers)
    if fields[-1] > MAX_FIELD:
        raise ValueError(f"the stack sees {fields[-1]} pixels; at most {MAX_FIELD} can be drawn")
    seen = [1]  # cells of each level that the last output sees, from the output down
    for kernel, stride in reversed(layers):
        seen.append((seen[-1] - 1) * stride + kernel)
    name = " + ".join(f"{k}×{k}" + (f", stride {s}" if s > 1 else "") for k, s in layers)
    legend = TOP + SIDE + 14
    sheet = Sheet(WIDTH, max(TOP + LEVEL * len(seen), legend + 24 * len(fields)))
    sheet.words(4, 18, "What the output sees of each layer", bold=True)
    _draw_cone(sheet, seen[::-1], layers)
    left = WIDTH - 4 - SIDE
    sheet.words(left, 18, "What it sees of the input", bold=True)
    draw_fields(sheet, left, fields, SIDE / fields[-1])
    draw_legend(sheet, left, legend, fields)
    said = f"A stack of {name}: one output sees {grown(fields)} pixels of the input"
    down = f"From the output down, it sees {', then '.join(map(str, seen[1:]))} cells a side"
    heading = title or f"{name}: one output sees {fields[-1]}×{fields[-1]} pixels"
    sheet.show(sentences(title, said, down), heading)


def _draw_cone(sheet, seen, layers) -> None:
    """Draw a row of cells per level, the input's lowest; lines join a cell to the ends it sees.

    Args:
        seen: cells of each level that the output sees, from the input up.
    """
    left, width = CONE
    cell = width / seen[0]
    half, jump, below = 0.42 * cell, cell, []
    for level, cells in enumerate(seen):
        y = TOP + 8 + LEVEL * (len(layers) - level)
        centers = [left + width / 2 + jump * (i - (cells - 1) / 2) for i in range(cells)]
        for center in centers:
            sheet.box(center - half, y, 2 * half, 26, depth_color(level))
        name = f"layer {level}" if level else "input"
        sheet.words(left - 8, y + 18, f"{name}: {plural(cells, 'cell')}", align="end", size=13)
        if level:
            kernel, stride = layers[level - 1]
            for index, center in enumerate(centers):
                look = (DARK, 1.3) if index in (0, cells - 1) else (FAINT, 0.7)
                for place, side in ((index * stride, -half), (index * stride + kernel - 1, half)):
                    sheet.line(center + side, y + 26, below[place] + side, y + LEVEL, *look)
        below = centers
        jump *= layers[level][1] if level < len(layers) else 1
