"""The explorer of notebook 08: how a gradient fares on its way back through many layers."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from labutils import speed
from labutils.plotting.colors import BLUE, DARK, ORANGE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet, message
from labutils.plotting.words import listing, number, sentences
from labutils.training import models

from .controls import choice, slider
from .explorer import Explorer, View

STAGES = (16, 32, 64)  # channels
DEEPEST = 56  # layers: it takes a twentieth of a second
LEFT, RIGHT, TOP, BOTTOM = 64, WIDTH - 16, 44, 250  # pixels, of the panel
HEIGHT = BOTTOM + 44


def gradients(images, labels) -> Explorer:
    """Depth, shortcuts, BatchNorm, zero-γ -> the gradient's norm at the input of every block.

    The networks have 6n + 2 layers, as those of notebook 08, and untrained Kaiming weights.

    Args:
        images, labels: a small batch, float ``[N, 3, H, W]`` and int ``[N]``.
    """

    @functools.cache
    def norms(*chosen) -> list[float]:
        return gradient_norms(images, labels, *chosen)

    def draw(depth, shortcuts, batch_norm, zero_gamma) -> View:
        zero_gamma = zero_gamma and batch_norm
        name = _name(depth, shortcuts, batch_norm, zero_gamma)
        return _view(name, norms(depth, shortcuts, batch_norm, zero_gamma))

    controls = {
        "depth": slider("depth", 8, DEEPEST, 20, 6),  # its steps are all of the form 6n + 2
        "shortcuts": choice("network", {"plain": False, "residual": True}),
        "batch_norm": choice("BatchNorm", {"with": True, "without": False}),
        "zero_gamma": choice("second γ of a block begins as", {"one": False, "zero": True}),
    }
    rows = [["depth"], ["shortcuts", "batch_norm", "zero_gamma"]]
    return Explorer("The gradient explorer", controls, draw, adjust=_hide_gamma, rows=rows)


def _hide_gamma(controls) -> None:
    """Without BatchNorm there is no γ."""
    controls["zero_gamma"].layout.display = None if controls["batch_norm"].value else "none"


def gradient_norms(
    images, labels, depth: int, shortcuts: bool, batch_norm=True, zero_gamma=False
) -> list[float]:
    """Return the norm of the loss's gradient by the input of each of the 3n blocks, first to last.

    A block of the plain network is a pair of its convolutions.

    Args:
        zero_gamma: the second BatchNorm of a block has γ = 0.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.kaiming_init(models.cifar_resnet(depth, shortcuts, batch_norm))
    model.requires_grad_(False)  # weights' gradients are not asked for: a third of the time
    x, inputs = images, []
    with speed.threads_for(model, len(images)):
        for layer in model:
            if isinstance(layer, models.ResidualBlock):
                inputs.append(x if inputs else x.requires_grad_())
                if zero_gamma:
                    nn.init.zeros_(layer.body[-1].weight)
            x = layer(x)
        gradients = torch.autograd.grad(F.cross_entropy(x, labels), inputs)
    return [gradient.norm().item() for gradient in gradients]


def _name(depth, shortcuts, batch_norm, zero_gamma) -> str:
    gamma = ", γ = 0 in the second one of a block" if zero_gamma else ""
    kind = "Residual" if shortcuts else "Plain"
    return f"{kind}, {depth} layers, {'with' if batch_norm else 'without'} BatchNorm{gamma}"


def _view(name: str, norms: list[float]) -> View:
    first, last = norms[0], norms[-1]
    if not min(norms) > 0:
        text = f"{name}.\nThe gradient is zero: no block can learn."
        return View(message("No gradient comes back to any block."), text)
    ratio, how = first / last, "just as large"
    if number(first) != number(last):
        how = f"{number(max(ratio, 1 / ratio))} times {'larger' if ratio > 1 else 'smaller'}"
    text = (
        f"{name}.\nAt the last of {len(norms)} blocks the gradient's norm is {number(last)}, "
        f"at the first {number(first)}: {how}."
    )
    return View(_curve(name, norms), text)


def _curve(name: str, norms: list[float]) -> Picture:
    """Draw the norms over the blocks, on a logarithmic axis of whole decades."""
    sheet = Sheet(WIDTH, HEIGHT)
    low = min(-3, math.floor(math.log10(min(norms))))
    high = max(1, math.ceil(math.log10(max(norms))))
    wide, tall = (RIGHT - LEFT) / len(norms), (BOTTOM - TOP) / (high - low)

    def place(block: float, norm: float) -> tuple[float, float]:
        return LEFT + wide * (block + 0.5), BOTTOM - tall * (math.log10(norm) - low)

    sheet.words(4, 18, "norm of the gradient at the input of each block", bold=True)
    for decade in range(low, high + 1, max(1, (high - low) // 6)):
        y = place(0, 10.0**decade)[1]
        sheet.line(LEFT, y, RIGHT, y, "#DDDDDD")
        sheet.words(LEFT - 6, y + 5, number(10.0**decade), align="end", size=12)
    for stage, channels in enumerate(STAGES):
        left = LEFT + stage * (RIGHT - LEFT) / len(STAGES)
        sheet.line(left, TOP, left, BOTTOM, DARK, 0.7)
        middle = left + (RIGHT - LEFT) / len(STAGES) / 2
        sheet.words(middle, BOTTOM + 18, f"{channels} channels", align="middle", size=13)
    sheet.words((LEFT + RIGHT) / 2, BOTTOM + 36, "first block to last", align="middle", size=13)
    places = [place(block, norm) for block, norm in enumerate(norms)]
    sheet.curve(places, BLUE, 2)
    for x, y in places:
        sheet.box(x - 2.5, y - 2.5, 5, 5, ORANGE)
    ends = [norms[i * (len(norms) - 1) // 6] for i in range(7)] if len(norms) > 7 else norms
    said = f"From the first block to the last: {listing(map(number, ends))}"
    return sheet.picture(sentences(f"Gradient's norm by block, logarithmic. {name}", said))
