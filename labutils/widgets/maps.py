"""The maps of a network: what each channel of each layer answers to an image."""

from collections import Counter
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from labutils.plotting.colors import ORANGE
from labutils.plotting.figure import Picture
from labutils.plotting.inputs import as_images
from labutils.plotting.sheet import WIDTH, Sheet
from labutils.plotting.words import listing, number, percent, sentences, short
from labutils.shapes.table import shape_text

from .controls import choice, slider, step_buttons
from .explorer import Explorer, View

MOST_KEPT = 16  # images, of which all activations are kept
STRONGEST = 4  # channels shown beside the chosen one
EDGE, SIDE = 6, 190  # pixels, at the left, and of a large image


def feature_maps(model: nn.Module, images, *, mean=None, std=None) -> Explorer:
    """Image, layer and channel of a network -> what the channel answers to the image.

    An image runs through the network once, in evaluation mode; what all layers answered is kept
    for the last few images.

    Args:
        model: a network whose layers are modules; those that return maps ``[C, H, W]`` can be
            chosen.
        images: ``[N, C, H, W]`` as the model takes them, or a dataset whose items are such an
            image, or an image and its label.
        mean, std: what they were normalised with, if not to 0..1 or -1..1.

    Raises:
        ValueError: there is no image, or no layer that returns maps.
        TypeError: ``images`` holds something else.
    """
    if not hasattr(images, "__getitem__"):
        raise TypeError(
            f"images must be a tensor (N, C, H, W) or a dataset, got {type(images).__name__}; "
            "of a DataLoader hand over its .dataset"
        )
    if len(images) == 0:
        raise ValueError("images is empty: there is nothing to look at")

    @lru_cache(MOST_KEPT)
    def answered(index: int) -> tuple[np.ndarray, str, list[np.ndarray]]:
        """An image as it is drawn, its name, and the maps of all layers."""
        image, name = _image_and_name(images, index)
        pixels = as_images(image[None], mean, std)[0]
        return pixels, name, [maps for _, maps in _all_maps(model, image)]

    first = _all_maps(model, _image_and_name(images, 0)[0])
    names = [f"{name} {shape_text(maps.shape)}" for name, maps in first]
    if not names:
        raise ValueError(
            f"no module of {type(model).__name__} returns maps (C, H, W): there is nothing "
            "to draw. A network of linear layers has none."
        )

    def count_channels(controls) -> None:
        maps = answered(controls["image"].value)[2][controls["layer"].value]
        controls["channel"].set_range(0, len(maps) - 1)

    def draw(image, layer, channel) -> View:
        pixels, name, every = answered(image)
        maps = every[layer]
        means = maps.mean(axis=(1, 2))
        strongest = np.argsort(-means, kind="stable")[:STRONGEST].tolist()
        picture = _channel_of_layer(pixels, name, names[layer], maps, channel, strongest)
        map_ = maps[channel]
        text = (
            f"{name}, map {channel} of {names[layer]}: from {number(map_.min())} to "
            f"{number(map_.max())}, {percent((map_ == 0).mean())} of its values are 0.\n"
            f"Strongest on average: "
            f"{listing(f'map {one} ({number(means[one])})' for one in strongest)}."
        )
        return View(picture, text)

    controls = {
        "image": slider("image", 0, len(images) - 1, 0),
        "layer": choice("layer", {name: place for place, name in enumerate(names)}),
        "channel": slider("channel", 0, 1, 0),
    }
    return Explorer(
        "The feature map explorer",
        controls,
        draw,
        adjust=count_channels,
        buttons=step_buttons("channel"),
        rows=[["layer"], ["image", "channel"]],
    )


def _image_and_name(images, index: int) -> tuple[torch.Tensor, str]:
    """Return one image [C, H, W] and how to call it: ``image 3 (cat)``."""
    item, label = images[index], None
    if isinstance(item, (tuple, list)):
        item, label = item[0], int(item[1])
    if not isinstance(item, torch.Tensor) or item.ndim != 3:
        what = tuple(item.shape) if hasattr(item, "shape") else type(item).__name__
        raise TypeError(
            f"images[{index}] must be a tensor (C, H, W), or a pair of one and a label, got "
            f"{what}. A dataset needs a transform that makes tensors, such as ToTensor()."
        )
    if label is None:
        return item, f"image {index}"
    classes = getattr(images, "classes", None)
    return item, f"image {index} ({label if classes is None else classes[label]})"


@torch.no_grad()
def _all_maps(model: nn.Module, image: torch.Tensor) -> list[tuple[str, np.ndarray]]:
    """Return (name, maps [C, H, W]) of all layers that have maps, in order of execution."""
    found, calls = [], Counter()
    names = {module: name or "model" for name, module in model.named_modules()}

    def note(module, inputs, output) -> None:
        is_layer = module in names and next(module.children(), None) is None
        if is_layer and isinstance(output, torch.Tensor) and output.ndim == 4:
            calls[module] += 1
            again = f", call {calls[module]}" if calls[module] > 1 else ""
            maps = output[0].float().cpu().clone().numpy()  # a ReLU in place would change it
            found.append((f"{names[module]} ({type(module).__name__}{again})", maps))

    training = {module: module.training for module in model.modules()}
    hook = register_module_forward_hook(note)
    parameter = next(model.parameters(), image)
    model.eval()
    try:
        model(image[None].to(parameter.device, parameter.dtype))
    finally:
        hook.remove()
        for module, was in training.items():
            module.training = was
    return found


def _channel_of_layer(image, name, layer, maps, channel, strongest) -> Picture:
    """Draw an image, the map of one channel, and small the channels that answer most.

    All maps share one scale, from black (the smallest value, at most 0) to white (the largest).

    Args:
        image: as :meth:`Sheet.image` takes it.
        name, layer: of the image and of the layer.
        maps: numpy array [C, H, W], what the layer answers to the image.
        channel: which one of them is drawn large.
        strongest: up to four channels, in order.
    """
    low, high = min(0.0, float(maps.min())), float(maps.max())
    gray = ((maps - low) / ((high - low) or 1.0)).clip(0, 1)
    top, left, right = 30, 220, 434  # of the images, of the chosen map, of the strongest
    small = (SIDE - 26) / 2
    sheet = Sheet(WIDTH, top + SIDE + 26)
    sheet.words(right, 18, "strongest maps", bold=True)
    for index, strong in enumerate(strongest):
        x, y = right + index % 2 * (small + 14), top + index // 2 * (small + 26)
        chosen = strong == channel
        sheet.words(x, y + small + 16, strong, size=13, bold=chosen)
        sheet.framed(x, y, small, gray[strong], *((ORANGE, 3) if chosen else ()))
    for x, pixels, title in (
        (EDGE, image, short(name, 22)),
        (left, gray[channel], f"map {channel}"),
    ):
        sheet.words(x, 18, title, bold=True)
        sheet.framed(x, top, SIDE, pixels)
    ends = f"black is {number(low)}, white is {number(high)}"
    sheet.words(left, top + SIDE + 18, ends, size=13)
    map_ = maps[channel]
    said = [
        f"{name}, beside map {channel} of {layer}, {shape_text(map_.shape)}",
        f"Its values go from {number(map_.min())} to {number(map_.max())}, on average "
        f"{number(map_.mean())}; {ends}",
        _where(map_),
        f"Beside it the strongest maps: {listing(strongest)}",
    ]
    return sheet.picture(sentences(*said))


def _where(map_) -> str:
    """Say where a map is strongest, by row and column."""
    if map_.max() == map_.min():
        return "It is the same everywhere"
    row, column = np.unravel_index(map_.argmax(), map_.shape)
    return f"It is strongest at row {row}, column {column}"
