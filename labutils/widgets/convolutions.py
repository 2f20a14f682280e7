"""Explorers of notebooks 03, 04 and 06: one window on a grid, and a stack of them."""

from labutils.plotting import windows
from labutils.plotting.colors import BLUE, DARK, GREEN, ORANGE, PURPLE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet, message
from labutils.plotting.words import count, listing, plural, sentences
from labutils.shapes import output_size, receptive_field

from .controls import move, slider, step_buttons
from .explorer import Explorer, View

GRID = 300  # pixels, side of the largest grid
MOST_LAYERS = 5


def convolution(size=7, kernel_size=3, stride=1, padding=0, dilation=1) -> Explorer:
    """Size, kernel, stride, padding, dilation -> every window, the output size, what is left over.

    Args:
        size, kernel_size, stride, padding, dilation: what it starts with, whole numbers; the input
            has at most 32 pixels a side.
    """
    controls = {
        "size": slider("input size", 1, 32, size),
        "kernel_size": slider("kernel size", 1, 11, kernel_size),
        "stride": slider("stride", 1, 8, stride),
        "padding": slider("padding", 0, 5, padding),
        "dilation": slider("dilation", 1, 4, dilation),
        "window": slider("window", 1, 1, 1),
    }
    return Explorer(
        "The convolution explorer",
        controls,
        _convolution,
        adjust=_count_windows,
        buttons=step_buttons("window"),
        rows=[["size", "kernel_size", "stride", "padding"], ["dilation", "window"]],
    )


def _count_windows(controls) -> None:
    """Let the window slider end at the last window; where none fits, the draw function says so."""
    numbers = [control.value for name, control in controls.items() if name != "window"]
    try:
        steps = output_size(*numbers)
    except ValueError:
        steps = 1
    controls["window"].set_range(1, steps**2)


def _convolution(size, kernel_size, stride, padding, dilation, window) -> View:
    reach = dilation * (kernel_size - 1) + 1
    formula = f"⌊({size} + 2·{padding} − {dilation}·({kernel_size} − 1) − 1) / {stride}⌋ + 1"
    try:
        steps = output_size(size, kernel_size, stride, padding, dilation)
    except ValueError as error:
        return View(message("The window does not fit into the input."), f"No output: {error}.")
    place = row, column = divmod(window - 1, steps)
    spare = size + 2 * padding - (steps - 1) * stride - reach
    lines = [
        f"Output size {formula} = {steps}.",
        f"Window {window} of {steps**2}: it starts at row {row * stride}, column "
        f"{column * stride} of the padded input, and makes the output's entry ({row}, {column}).",
        f"Warning: {plural(spare, 'column')} at the right and {plural(spare, 'row')} at the bottom "
        "are left over: no window reaches them."
        if spare
        else "Nothing is left over.",
    ]
    picture = _window_on_grid(size, kernel_size, stride, padding, dilation, steps, place)
    return View(picture, "\n".join(lines))


def _window_on_grid(size, kernel_size, stride, padding, dilation, steps, place) -> Picture:
    """Draw one window on the padded input, and the output entry that it makes.

    Args:
        steps: positions along one side.
        place: (row, column) of the output entry.
    """
    padded = size + 2 * padding
    reach = dilation * (kernel_size - 1) + 1
    spare = padded - (steps - 1) * stride - reach
    cell = min(GRID / padded, windows.MAX_CELL)
    row, column = place
    sheet = Sheet(WIDTH, windows.TOP + cell * max(padded, steps) + 10, hatch=PURPLE)
    sheet.words(4, 18, f"input {size}×{size}" + (f" + padding {padding}" if padding else ""))
    windows.draw_input(sheet, 4, size, padding, spare, cell)
    x, y = 4 + column * stride * cell, windows.TOP + row * stride * cell
    for down in range(kernel_size):
        for right in range(kernel_size):
            step = dilation * cell
            sheet.box(x + right * step, y + down * step, cell, cell, ORANGE)
    windows.draw_grid(sheet, 4, padded, cell)
    sheet.box(x, y, reach * cell, reach * cell, ORANGE, fill="none", line=3)

    left = WIDTH - 4 - GRID
    sheet.words(left, 18, f"output {steps}×{steps}")
    sheet.box(left, windows.TOP, steps * cell, steps * cell, GREEN)
    windows.draw_grid(sheet, left, steps, cell)
    sheet.box(left + column * cell, windows.TOP + row * cell, cell, cell, ORANGE, line=3)

    spread = f" spread over {reach} pixels" if dilation > 1 else ""
    first, last = (column * stride, column * stride + reach - 1)
    said = [
        f"An input of {size}×{size} with padding {padding}, and a window of {kernel_size}×"
        f"{kernel_size}{spread}",
        f"It stands at row {row + 1}, column {column + 1} of {steps}×{steps} positions, on the "
        f"columns {first} to {last} of the padded input",
        f"Hatched: {plural(spare, 'column')} at the right and as many rows below, which no window "
        "reaches"
        if spare
        else "",
    ]
    return sheet.picture(sentences(*said))


def receptive_fields(kernel_sizes=(3, 3, 3), strides=(1, 1, 1), channels=64) -> Explorer:
    """A stack of layers -> what one output sees of the input, and how many weights that costs.

    Args:
        kernel_sizes, strides: of the layers it starts with, from input to output, at most five.
        channels: of every layer's input and output.
    """
    given = list(zip(kernel_sizes, strides, strict=True))
    if not 1 <= len(given) <= MOST_LAYERS:
        raise ValueError(f"give 1 to {MOST_LAYERS} layers, got {len(given)}")
    controls = {
        "layers": slider("layers", 1, MOST_LAYERS, len(given)),
        "channels": slider("channels C", 1, 512, channels),
    }
    for number in range(1, MOST_LAYERS + 1):
        kernel, stride = given[number - 1] if number <= len(given) else (3, 1)
        controls[f"kernel_{number}"] = slider(f"kernel {number}", 1, 7, kernel)
        controls[f"stride_{number}"] = slider(f"stride {number}", 1, 3, stride)
    layers = [[f"kernel_{n}", f"stride_{n}"] for n in range(1, MOST_LAYERS + 1)]

    return Explorer(
        "The receptive field explorer",
        controls,
        _receptive_fields,
        adjust=_hide_unused_layers,
        buttons={"Add a layer": move("layers", 1), "Remove a layer": move("layers", -1)},
        rows=[["layers", "channels"], layers[0] + layers[1], layers[2] + layers[3], layers[4]],
    )


def _hide_unused_layers(controls) -> None:
    for number in range(1, MOST_LAYERS + 1):
        shown = number <= controls["layers"].value
        for name in (f"kernel_{number}", f"stride_{number}"):
            controls[name].layout.display = None if shown else "none"


def _receptive_fields(layers, channels, **sizes) -> View:
    stack = [(sizes[f"kernel_{n}"], sizes[f"stride_{n}"]) for n in range(1, layers + 1)]
    fields = windows.fields_of(stack)
    side = fields[-1]
    squares = sum(kernel**2 for kernel, _ in stack)
    apart = plural(receptive_field(stack).jump, "pixel")
    lines = [
        f"Receptive field: {listing(f'{field}×{field}' for field in fields[1:])} after "
        f"{'layer 1' if layers == 1 else f'layers 1 to {layers}'}; "
        f"neighbouring outputs lie {apart} apart.",
        f"Weights without biases: {' + '.join(f'{k}²' for k, _ in stack)} = {squares}, times C²: "
        f"{squares * channels**2:,}. One {side}×{side} convolution that sees as much: "
        f"{side**2} C² = {side**2 * channels**2:,}.",
    ]
    name = " + ".join(f"{kernel}×{kernel}" for kernel, _ in stack)
    return View(_fields_and_weights(fields, name, squares, channels), "\n".join(lines))


def _fields_and_weights(fields, name, squares, channels) -> Picture:
    """Draw what one output sees of the input, layer by layer, and what the stack costs.

    Left, squares on the input; right, the weights of the stack beside those of one convolution
    with a filter as large as the whole field.
    """
    side = fields[-1]
    cell = min(GRID / side, windows.MAX_CELL)
    left, legend = GRID + 30, windows.TOP + 148
    sheet = Sheet(WIDTH, max(windows.TOP + side * cell, legend + 24 * len(fields)) + 6)
    sheet.words(4, 18, f"one output sees {side}×{side} pixels", bold=True)
    windows.draw_fields(sheet, 4, fields, cell)
    sheet.words(left, 18, f"weights, with C = {channels} channels", bold=True)
    bars = [(name, squares, BLUE), (f"one {side}×{side}", side**2, DARK)]
    for top, (label, weights, color) in zip(
        (windows.TOP + 22, windows.TOP + 88), bars, strict=True
    ):
        width = (WIDTH - left - 75) * weights / max(squares, side**2)
        sheet.words(left, top, f"{label}: {weights} C²", size=13)
        sheet.box(left, top + 7, width, 22, color)
        sheet.words(left + width + 5, top + 23, count(weights * channels**2))
    windows.draw_legend(sheet, left, legend, fields)
    said = [
        f"Squares around one pixel of the input: {windows.grown(fields)}",
        f"Bars: the stack {name} has {count(squares * channels**2)} weights, one {side}×{side} "
        f"convolution {count(side**2 * channels**2)}",
    ]
    return sheet.picture(sentences(*said))
