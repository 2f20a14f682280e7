"""Pictures of the explorers that look inside a network: a layer, a channel, a wrong answer."""

import math

import numpy as np

from labutils.shapes import Trace
from labutils.shapes.table import shape_text

from .figure import BLUE, DARK, GREEN, ORANGE, PURPLE, Picture
from .sheet import WIDTH, Sheet
from .words import count, fixed, listing, number, percent, plural, sentences

EDGE = 6  # pixels, left and right of everything
SIDE = 190  # pixels, of a large image
TALLEST, WIDEST = 110, 56  # pixels, of the boxes of a network
MOST_BARS = 10  # classes beside an image
LONGEST = 13  # letters of a class's name


def layer_of_network(trace: Trace, place: int, image=None) -> Picture:
    """Return a network's volumes, one of them marked, what it costs, and what it sees.

    Args:
        trace: the network's layers.
        place: of the marked one in ``trace.rows``.
        image: what the network looks at, as :meth:`Sheet.image` takes it; drawn as a plain box
            where there is none.
    """
    row = trace.rows[place]
    top = TALLEST + 88
    sheet = Sheet(WIDTH, top + SIDE + EDGE, hatch=PURPLE)
    sheet.words(EDGE, 18, f"{short(row.name, 28)} ({row.kind})", bold=True)
    scale = "height: pixels; width: √channels; blue: has parameters"
    sheet.words(WIDTH - EDGE, 18, scale, align="end", size=12)
    _volumes(sheet, trace, place, top=32)
    seen = _what_it_sees(sheet, top, trace.input_size, row.pixels, image)
    left = WIDTH / 2
    sheet.words(left, top - 10, f"output {shape_text(row.output_shape)}", bold=True)
    costs = [
        ("parameters", row.parameters, trace.total_parameters),
        ("multiply-accumulates", row.macs, trace.total_macs),
    ]
    for y, (name, own, whole) in zip((top + 12, top + 84), costs, strict=True):
        sheet.words(left, y + 8, f"{count(own)} of {count(whole)} {name}")
        _share_bar(sheet, left, y + 18, share_of(own, whole))
    said = [
        f"Boxes for the input and {plural(len(trace.rows), 'layer')}; number {place + 1} is "
        f"marked: {row.name} ({row.kind}) with an output of {shape_text(row.output_shape)}",
        seen,
        "Bars: " + listing(f"{percent(share_of(*n), 1)} of all {name}" for name, *n in costs),
    ]
    return sheet.picture(sentences(*said))


def share_of(own: float, whole: float) -> float:
    """Return own / whole; nothing of nothing is no share."""
    return own / whole if whole else 0.0


def short(name, longest: int = LONGEST) -> str:
    """Return a name that fits beside a picture."""
    name = str(name)
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _volumes(sheet, trace, place, top) -> None:
    """Draw a box for the input and for each layer, and mark that of one."""
    shapes = [trace.input_size, *(row.output_shape for row in trace.rows)]
    weighted = [False, *(row.parameters for row in trace.rows)]
    roots = [math.sqrt(shape[0] if shape else 1) for shape in shapes]
    room = WIDTH - 2 * EDGE
    gap = min(0.25 * room / len(shapes), 12)
    scale = min((room - gap * len(shapes)) / sum(roots), WIDEST / max(roots))
    tallest = max(shape[1] if len(shape) > 1 else 1 for shape in shapes)
    x, bottom = EDGE, top + TALLEST
    for index, (shape, root) in enumerate(zip(shapes, roots, strict=True)):
        height = max(TALLEST * shape[1] / tallest, 3) if len(shape) > 1 else 3
        marked = index == place + 1
        color = ORANGE if marked else BLUE if weighted[index] else GREEN if index else DARK
        sheet.box(x, bottom - height, scale * root, height, color, line=3 if marked else 1)
        if marked:
            sheet.words(x + scale * root / 2, bottom + 18, "▲", align="middle", color=ORANGE)
        x += scale * root + gap


def _what_it_sees(sheet, top, input_size, pixels, image) -> str:
    """Draw the input and the part of it that one output depends on; return a sentence."""
    if pixels is None or len(input_size) != 3 or len(pixels) != 2:
        said = "What one output sees of the input is not known here"
        sheet.words(EDGE, top + 30, said[:27])
        sheet.words(EDGE, top + 50, said[27:].strip())
        return said
    (first_row, last_row), (first_column, last_column) = pixels
    _, height, width = input_size
    sides = f"{last_row - first_row + 1}×{last_column - first_column + 1}"
    sheet.words(EDGE, top - 10, f"one output sees {sides} pixels", bold=True)
    up, left = min(0, first_row), min(0, first_column)
    cell = SIDE / max(max(height, last_row + 1) - up, max(width, last_column + 1) - left)

    def place(first_row, first_column, last_row, last_column) -> tuple[float, ...]:
        x, y = EDGE + cell * (first_column - left), top + cell * (first_row - up)
        return x, y, cell * (last_column - first_column + 1), cell * (last_row - first_row + 1)

    field = place(first_row, first_column, last_row, last_column)
    whole = place(0, 0, height - 1, width - 1)
    sheet.box(*field, PURPLE, fill="hatch")  # what of it shows beside the image is padding
    if image is None:
        sheet.box(*whole, BLUE)
        inside = (
            max(first_row, 0), max(first_column, 0),
            min(last_row, height - 1), min(last_column, width - 1),
        )  # fmt: skip
        sheet.box(*place(*inside), ORANGE, edge="none")
    else:
        sheet.image(*whole, image)
        sheet.box(*field, fill="none", edge="white", line=5)
    sheet.box(*field, ORANGE, fill="none", line=3)
    beyond = first_row < 0 or first_column < 0 or last_row >= height or last_column >= width
    return (
        f"Outlined on the input of {height}×{width}: the output in the middle sees rows "
        f"{signed(first_row)} to {last_row} and columns {signed(first_column)} to {last_column}"
        + ("; hatched, what of it lies in the padding" if beyond else "")
    )


def signed(value: int) -> str:
    """Return a whole number with a true minus sign."""
    return str(value).replace("-", "−")


def _share_bar(sheet, left, top, share) -> None:
    """Draw a bar as part of a whole, and its percentage."""
    full = WIDTH - EDGE - left - 64  # the rest is for the number
    sheet.box(left, top, full, 22, DARK, fill="white")
    sheet.box(left, top, full * share, 22, BLUE)
    sheet.words(left + full + 8, top + 16, percent(share, 1))


def channel_of_layer(image, name, layer, maps, channel, strongest) -> Picture:
    """Return an image, the map of one channel, and small the channels that answer most.

    All maps share one scale, from black (the smallest value, at most 0) to white (the largest).

    Args:
        image: as :meth:`Sheet.image` takes it.
        name: of the image.
        layer: its name.
        maps: numpy array [C, H, W], what the layer answers to the image.
        channel: which one of them is drawn large.
        strongest: up to four channels, in order.
    """
    low, high = min(0.0, float(maps.min())), float(maps.max())
    gray = ((maps - low) / ((high - low) or 1.0)).clip(0, 1)
    top = 30
    sheet = Sheet(WIDTH, top + SIDE + 26)
    small = (SIDE - 26) / 2
    places = [(EDGE, SIDE, image, short(name, 22)), (220, SIDE, gray[channel], f"map {channel}")]
    sheet.words(434, 18, "strongest maps", bold=True)
    for index, strong in enumerate(strongest):
        x, y = 434 + index % 2 * (small + 14), top + index // 2 * (small + 26)
        sheet.words(x, y + small + 16, strong, size=13, bold=strong == channel)
        _framed(sheet, x, y, small, gray[strong], ORANGE if strong == channel else DARK)
    for x, side, pixels, title in places:
        sheet.words(x, 18, title, bold=True)
        _framed(sheet, x, top, side, pixels, DARK)
    ends = f"black is {number(low)}, white is {number(high)}"
    sheet.words(220, top + SIDE + 18, ends, size=13)
    map_ = maps[channel]
    said = [
        f"{name}, beside map {channel} of {layer}, {map_.shape[0]}×{map_.shape[1]}",
        f"Its values go from {number(map_.min())} to {number(map_.max())}, on average "
        f"{number(map_.mean())}; {ends}",
        _where(map_),
        f"Beside it the strongest maps: {listing(strongest)}",
    ]
    return sheet.picture(sentences(*said))


def _framed(sheet, x, y, side, pixels, color) -> None:
    """Draw an image into a square, and a frame around it."""
    cell = side / max(pixels.shape[:2])
    height, width = cell * pixels.shape[0], cell * pixels.shape[1]
    sheet.image(x, y, width, height, pixels)
    sheet.box(x, y, width, height, color, fill="none", line=3 if color == ORANGE else 1)


def _where(map_) -> str:
    """Say where a map is strongest, by row and column."""
    if map_.max() == map_.min():
        return "It is the same everywhere"
    row, column = np.unravel_index(map_.argmax(), map_.shape)
    return f"It is strongest at row {row}, column {column}"


def answer_bars(image, probabilities, classes, true: int) -> Picture:
    """Return an image beside the probabilities that a network gave to its classes.

    The true class is hatched and in bold, the network's answer has a thick edge; both are named.

    Args:
        image: as :meth:`Sheet.image` takes it.
        probabilities: [K]; of more than ten classes the most probable ten and the true one.
        classes: K names.
        true: the right class.
    """
    answer = int(np.argmax(probabilities))
    shown = sorted({*np.argsort(-probabilities, kind="stable")[:MOST_BARS].tolist(), true})
    top, row, bar = 30, 24, 17
    sheet = Sheet(WIDTH, top + max(SIDE, row * len(shown)) + EDGE, hatch=GREEN)
    sheet.words(EDGE, 18, f"true: {short(classes[true])}", bold=True)
    _framed(sheet, EDGE, top, SIDE, image, DARK)
    left, full = 312, 200
    sheet.words(left, 18, "probability", bold=True)
    for place, label in enumerate(shown):
        y = top + place * row
        color = GREEN if label == true else ORANGE if label == answer else DARK
        value = float(probabilities[label])
        width = full * value if math.isfinite(value) else 0.0
        fill = "hatch" if label == true else ""
        sheet.words(left - 8, y + 14, short(classes[label]), align="end", bold=label == true)
        sheet.box(left, y, width, bar, color, fill=fill, line=3 if label == answer else 1)
        note = " true" if label == true else ""
        note += " answer" if label == answer else ""
        sheet.words(left + width + 6, y + 14, fixed(value) + note)
    sheet.line(left, top - 4, left, top + row * len(shown))
    given = listing((f"{classes[label]} {fixed(probabilities[label])}" for label in shown), 12)
    said = f"An image of the class {classes[true]}, taken for {classes[answer]}"
    return sheet.picture(sentences(said, f"Bars, the true class hatched: {given}"))
