"""The walk through a network: what each layer makes, what it costs, and what it sees."""

from torch import nn

from labutils import shapes
from labutils.plotting.architectures import EDGE, TALLEST, draw_volumes
from labutils.plotting.colors import BLUE, DARK, GREEN, ORANGE, PURPLE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet
from labutils.plotting.words import count, listing, percent, plural, sentences, short
from labutils.shapes.table import shape_text

from .controls import slider, step_buttons
from .explorer import Explorer, View

SIDE = 190  # pixels, of the input


def network_walk(model: nn.Module, input_size) -> Explorer:
    """A network layer by layer -> output, parameters, multiply-accumulates, receptive field.

    Nothing is computed: see :func:`labutils.shapes.trace`.

    Args:
        model: any network that :func:`labutils.shapes.trace` can follow.
        input_size: of one image, ``(C, H, W)``.

    Raises:
        ValueError: the model does not run with such an image, or has no layers.
    """
    trace = shapes.trace(model, input_size)
    if not trace.rows:
        raise ValueError(f"{type(model).__name__} has no layers to walk through")

    def draw(layer) -> View:
        return View(_layer_of_network(trace, layer - 1), _layer_in_words(trace, layer))

    controls = {"layer": slider("layer", 1, len(trace.rows), 1)}
    return Explorer("The network walk", controls, draw, buttons=step_buttons("layer"))


def _layer_in_words(trace, layer: int) -> str:
    row = trace.rows[layer - 1]
    before = trace.rows[layer - 2].output_shape if layer > 1 else trace.input_size
    lines = [
        f"Layer {layer} of {len(trace.rows)}: {row.name}, {row.kind}, "
        f"{shape_text(before)} → {shape_text(row.output_shape)}.",
        f"{plural(row.parameters, 'parameter')} "
        f"({percent(_share(row.parameters, trace.total_parameters), 1)} of all), "
        f"{plural(row.macs, 'multiply-accumulate')} "
        f"({percent(_share(row.macs, trace.total_macs), 1)} of all).",
    ]
    if row.receptive_field is None:
        lines.append("Receptive field: not known.")
    else:
        sides = " × ".join(str(last - first + 1) for first, last in row.pixels)
        lines.append(f"Receptive field: {sides} pixels, the padding included.")
    return "\n".join(lines)


def _share(own: float, whole: float) -> float:
    """Return own / whole; nothing of nothing is no share."""
    return own / whole if whole else 0.0


def _layer_of_network(trace: shapes.Trace, place: int) -> Picture:
    """Draw a network's volumes, ``trace.rows[place]`` marked, what that costs, and what it sees."""
    row = trace.rows[place]
    top = TALLEST + 88
    sheet = Sheet(WIDTH, top + SIDE + EDGE, hatch=PURPLE)
    sheet.words(EDGE, 18, f"{short(row.name, 28)} ({row.kind})", bold=True)
    scale = "height: pixels; width: √channels; blue: has parameters"
    sheet.words(WIDTH - EDGE, 18, scale, align="end", size=12)
    colors = [DARK, *(BLUE if one.parameters else GREEN for one in trace.rows)]
    colors[place + 1] = ORANGE
    volumes = [trace.input_size, *(one.output_shape for one in trace.rows)]
    middles = draw_volumes(sheet, EDGE, 32, volumes, colors, marked=place + 1)
    sheet.words(middles[place + 1], TALLEST + 50, "▲", align="middle", color=ORANGE)
    seen = _what_it_sees(sheet, top, trace.input_size, row.pixels)
    left = WIDTH / 2
    sheet.words(left, top - 10, f"output {shape_text(row.output_shape)}", bold=True)
    costs = [
        ("parameters", row.parameters, trace.total_parameters),
        ("multiply-accumulates", row.macs, trace.total_macs),
    ]
    full = WIDTH - EDGE - left - 64  # the rest is for the number
    for y, (name, own, whole) in zip((top + 30, top + 102), costs, strict=True):
        sheet.words(left, y - 10, f"{count(own)} of {count(whole)} {name}")
        sheet.box(left, y, full, 22, DARK, fill="white")
        sheet.box(left, y, full * _share(own, whole), 22, BLUE)
        sheet.words(left + full + 8, y + 16, percent(_share(own, whole), 1))
    said = [
        f"Boxes for the input and {plural(len(trace.rows), 'layer')}; number {place + 1} is "
        f"marked: {row.name} ({row.kind}) with an output of {shape_text(row.output_shape)}",
        seen,
        "Bars: " + listing(f"{percent(_share(*n), 1)} of all {name}" for name, *n in costs),
    ]
    return sheet.picture(sentences(*said))


def _what_it_sees(sheet, top, input_size, pixels) -> str:
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
    sheet.box(*field, PURPLE, fill="hatch")  # what of it shows beside the input is padding
    sheet.box(*whole, BLUE)
    inside = (
        max(first_row, 0), max(first_column, 0),
        min(last_row, height - 1), min(last_column, width - 1),
    )  # fmt: skip
    sheet.box(*place(*inside), ORANGE, edge="none")
    sheet.box(*field, ORANGE, fill="none", line=3)
    beyond = first_row < 0 or first_column < 0 or last_row >= height or last_column >= width
    padding = "; hatched, what of it lies in the padding" if beyond else ""
    said = (
        f"Outlined on the input of {height}×{width}: the output in the middle sees rows "
        f"{first_row} to {last_row} and columns {first_column} to {last_column}{padding}"
    )
    return said.replace("-", "−")
