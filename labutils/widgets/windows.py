"""Explorers of notebooks 03, 04 and 06: one window on a grid, and a stack of them."""

from labutils.plotting.grid_windows import nested_fields, window_on_grid
from labutils.plotting.sheet import message
from labutils.plotting.words import listing, plural
from labutils.shapes import output_size, receptive_field

from .controls import slider, step_buttons
from .explorer import Explorer, View

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
        buttons=step_buttons("window", "window"),
        rows=[["size", "kernel_size", "stride", "padding"], ["dilation", "window"]],
    )


def _count_windows(controls) -> None:
    """Let the window slider end at the last window; where none fits, the draw function says so."""
    numbers = [control.value for name, control in controls.items() if name != "window"]
    size, kernel_size, stride, padding, dilation = numbers
    try:
        steps = output_size(size, kernel_size, stride, padding, dilation)
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
    row, column = divmod(window - 1, steps)
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
    picture = window_on_grid(size, kernel_size, stride, padding, dilation, steps, (row, column))
    return View(picture, "\n".join(lines))


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
        buttons={"Add a layer": _add_layer, "Remove a layer": _remove_layer},
        rows=[["layers", "channels"], layers[0] + layers[1], layers[2] + layers[3], layers[4]],
    )


def _hide_unused_layers(controls) -> None:
    for number in range(1, MOST_LAYERS + 1):
        shown = number <= controls["layers"].value
        for name in (f"kernel_{number}", f"stride_{number}"):
            controls[name].layout.display = None if shown else "none"


def _add_layer(controls) -> None:
    controls["layers"].value += 1  # the slider stops at its ends


def _remove_layer(controls) -> None:
    controls["layers"].value -= 1


def _receptive_fields(layers, channels, **windows) -> View:
    stack = [(windows[f"kernel_{n}"], windows[f"stride_{n}"]) for n in range(1, layers + 1)]
    seen = receptive_field(stack)
    squares = sum(kernel**2 for kernel, _ in stack)
    grown = [receptive_field(stack[:depth]).field for depth in range(1, layers + 1)]
    lines = [
        f"Receptive field: {listing(f'{field}×{field}' for field in grown)} after "
        f"{'layer 1' if layers == 1 else f'layers 1 to {layers}'}; "
        f"neighbouring outputs lie {plural(seen.jump, 'pixel')} apart.",
        f"Weights without biases: {' + '.join(f'{k}²' for k, _ in stack)} = {squares}, times C²: "
        f"{squares * channels**2:,}. One {seen.field}×{seen.field} convolution that sees as much: "
        f"{seen.field**2} C² = {seen.field**2 * channels**2:,}.",
    ]
    return View(nested_fields(stack, channels), "\n".join(lines))
