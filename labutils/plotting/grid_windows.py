"""Pictures of the explorers of windows: where one fits, and what a stack of them sees."""

from labutils.shapes import receptive_field

from .figure import BLUE, DARK, GREEN, LIGHT, ORANGE, PURPLE, Picture
from .sheet import WIDTH, Sheet
from .words import count, plural, sentences

GRID = 300  # pixels, side of the largest grid
MAX_CELL = 36  # pixels
TOP = 28  # pixels, for a grid's title
FAINT = "#9A9A9A"


def _grid(sheet, left, size, cell) -> None:
    for place in range(size + 1):
        along = place * cell
        sheet.line(left + along, TOP, left + along, TOP + size * cell, FAINT, 0.7)
        sheet.line(left, TOP + along, left + size * cell, TOP + along, FAINT, 0.7)


def window_on_grid(size, kernel_size, stride, padding, dilation, steps, place) -> Picture:
    """Return one window on the padded input, and the output entry that it makes.

    Args:
        size, kernel_size, stride, padding, dilation: of the convolution, in pixels.
        steps: positions along one side.
        place: (row, column) of the output entry.
    """
    padded = size + 2 * padding
    reach = dilation * (kernel_size - 1) + 1
    spare = padded - (steps - 1) * stride - reach
    cell = min(GRID / padded, MAX_CELL)
    sheet = Sheet(WIDTH, TOP + cell * max(padded, steps) + 10, hatch=PURPLE)
    row, column = place

    sheet.words(4, 18, f"input {size}×{size}" + (f" + padding {padding}" if padding else ""))
    left, side = 4, padded * cell
    sheet.box(left, TOP, side, side, DARK)
    sheet.box(left + padding * cell, TOP + padding * cell, size * cell, size * cell, BLUE)
    if spare:
        edge, width = (padded - spare) * cell, spare * cell
        sheet.box(left + edge, TOP, width, side, PURPLE, fill="hatch")
        sheet.box(left, TOP + edge, edge, width, PURPLE, fill="hatch")
    y, x = TOP + row * stride * cell, left + column * stride * cell
    for down in range(kernel_size):
        for right in range(kernel_size):
            step = dilation * cell
            sheet.box(x + right * step, y + down * step, cell, cell, ORANGE)
    _grid(sheet, left, padded, cell)
    sheet.box(x, y, reach * cell, reach * cell, ORANGE, fill="none", line=3)

    left = WIDTH - 4 - GRID
    sheet.words(left, 18, f"output {steps}×{steps}")
    sheet.box(left, TOP, steps * cell, steps * cell, GREEN)
    _grid(sheet, left, steps, cell)
    sheet.box(left + column * cell, TOP + row * cell, cell, cell, ORANGE, line=3)

    first, last = (column * stride, column * stride + reach - 1)
    said = [
        f"An input of {size}×{size} with padding {padding}, and a window of {kernel_size}×"
        f"{kernel_size}" + (f" spread over {reach} pixels" if dilation > 1 else ""),
        f"It stands at row {row + 1}, column {column + 1} of {steps}×{steps} positions, on the "
        f"columns {first} to {last} of the padded input",
        f"Hatched: {plural(spare, 'column')} at the right and as many rows below, which no window "
        "reaches"
        if spare
        else "",
    ]
    return sheet.picture(sentences(*said))


def nested_fields(layers, channels) -> Picture:
    """Return what one output sees of the input, layer by layer, and what the stack costs.

    Left, squares on the input; right, the weights of the stack beside those of one convolution
    with a filter as large as the whole field.

    Args:
        layers: (kernel_size, stride) from input to output.
        channels: of every layer's input and output.
    """
    fields = [1] + [receptive_field(layers[:depth]).field for depth in range(1, len(layers) + 1)]
    side = fields[-1]
    cell = min(GRID / side, MAX_CELL)
    legend = TOP + 148
    sheet = Sheet(WIDTH, max(TOP + side * cell, legend + 24 * len(fields)) + 6)
    sheet.words(4, 18, f"one output sees {side}×{side} pixels", bold=True)
    sheet.box(4, TOP, side * cell, side * cell, fill="white")
    for depth in range(len(fields) - 1, -1, -1):
        start, width = (side - fields[depth]) / 2 * cell, fields[depth] * cell
        color = BLUE if depth == 0 else ORANGE if depth % 2 else GREEN
        sheet.box(4 + start, TOP + start, width, width, color, fill=LIGHT[color], line=2)
    if side <= 64:
        _grid(sheet, 4, side, cell)

    left = GRID + 30
    sheet.words(left, 18, f"weights, with C = {channels} channels", bold=True)
    stack = sum(kernel**2 for kernel, _ in layers)
    name = " + ".join(f"{kernel}×{kernel}" for kernel, _ in layers)
    bars = [
        (f"{name}: {stack} C²", stack, BLUE),
        (f"one {side}×{side}: {side**2} C²", side**2, DARK),
    ]
    longest = max(stack, side**2)
    for place, (label, squares, color) in enumerate(bars):
        top = TOP + 22 + place * 66
        sheet.words(left, top, label, size=13)
        sheet.box(left, top + 7, (WIDTH - left - 75) * squares / longest, 22, color)
        end = left + (WIDTH - left - 75) * squares / longest
        sheet.words(end + 5, top + 23, count(squares * channels**2))
    for depth, field in enumerate(fields):
        text = f"after {plural(depth, 'layer')}: {field}×{field}" if depth else "one pixel"
        y = legend + depth * 24
        color = BLUE if depth == 0 else ORANGE if depth % 2 else GREEN
        sheet.box(left, y, 14, 14, color, line=2)
        sheet.words(left + 22, y + 12, text)

    grown = ", ".join(
        f"after {plural(depth, 'layer')} {field}×{field}"
        for depth, field in enumerate(fields[1:], 1)
    )
    said = [
        f"Squares around one pixel of the input: {grown}",
        f"Bars: the stack {name} has {count(stack * channels**2)} weights, one {side}×{side} "
        f"convolution {count(side**2 * channels**2)}",
    ]
    return sheet.picture(sentences(*said))
