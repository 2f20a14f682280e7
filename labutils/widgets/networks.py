"""Explorers of networks: what each layer costs and sees, what it answers, what it got wrong."""

from collections import Counter
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from labutils import shapes
from labutils.plotting.inputs import as_images, as_labels, as_probabilities, same_length
from labutils.plotting.inside import answer_bars, channel_of_layer, layer_of_network, share_of
from labutils.plotting.results import surest_mistakes
from labutils.plotting.sheet import message
from labutils.plotting.words import fixed, listing, number, percent, plural
from labutils.shapes.table import shape_text

from .controls import choice, slider, step_buttons
from .explorer import Explorer, View

MOST_KEPT = 16  # images, of which all activations are kept
STRONGEST = 4  # channels shown beside the chosen one


def network_walk(model: nn.Module, input_size, *, image=None, mean=None, std=None) -> Explorer:
    """A network layer by layer -> output, parameters, multiply-accumulates, receptive field.

    Nothing is computed: see :func:`labutils.shapes.trace`.

    Args:
        model: any network that :func:`labutils.shapes.trace` can follow.
        input_size: of one image, ``(C, H, W)``.
        image: of that size, to draw the receptive field on; of any usual layout, see
            :func:`labutils.plotting.inputs.as_images`.
        mean, std: what it was normalised with, if not to 0..1 or -1..1.

    Raises:
        ValueError: the model does not run with such an image, or has no layers; ``image`` has
            another size.
    """
    trace = shapes.trace(model, input_size)
    if not trace.rows:
        raise ValueError(f"{type(model).__name__} has no layers to walk through")
    behind = None
    if image is not None:
        behind = as_images([image], mean, std, "image")[0]
        if behind.shape[:2] != trace.input_size[1:]:
            raise ValueError(
                f"image has {shape_text(behind.shape[:2])} pixels, but input_size is "
                f"{shape_text(trace.input_size)}: give an image of this size"
            )

    def draw(layer) -> View:
        return View(layer_of_network(trace, layer - 1, behind), _layer_in_words(trace, layer))

    controls = {"layer": slider("layer", 1, len(trace.rows), 1)}
    return Explorer("The network walk", controls, draw, buttons=step_buttons("layer", "layer"))


def _layer_in_words(trace, layer: int) -> str:
    row = trace.rows[layer - 1]
    before = trace.rows[layer - 2].output_shape if layer > 1 else trace.input_size
    lines = [
        f"Layer {layer} of {len(trace.rows)}: {row.name}, {row.kind}, "
        f"{shape_text(before)} → {shape_text(row.output_shape)}.",
        f"{plural(row.parameters, 'parameter')} "
        f"({percent(share_of(row.parameters, trace.total_parameters), 1)} of all), "
        f"{plural(row.macs, 'multiply-accumulate')} "
        f"({percent(share_of(row.macs, trace.total_macs), 1)} of all).",
    ]
    if row.receptive_field is None:
        lines.append("Receptive field: not known.")
    else:
        sides = " × ".join(str(last - first + 1) for first, last in row.pixels)
        lines.append(f"Receptive field: {sides} pixels, the padding included.")
    return "\n".join(lines)


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

    layers = {}
    for place, (name, maps) in enumerate(_all_maps(model, _image_and_name(images, 0)[0])):
        layers[f"{name} {shape_text(maps.shape)}"] = place
    if not layers:
        raise ValueError(
            f"no module of {type(model).__name__} returns maps (C, H, W): there is nothing "
            "to draw. A network of linear layers has none."
        )
    names = list(layers)

    def count_channels(controls) -> None:
        maps = answered(controls["image"].value)[2][controls["layer"].value]
        controls["channel"].set_range(0, len(maps) - 1)

    def draw(image, layer, channel) -> View:
        pixels, name, every = answered(image)
        maps = every[layer]
        means = maps.mean(axis=(1, 2))
        strongest = np.argsort(-means, kind="stable")[:STRONGEST].tolist()
        picture = channel_of_layer(pixels, name, names[layer], maps, channel, strongest)
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
        "layer": choice("layer", layers),
        "channel": slider("channel", 0, 1, 0),
    }
    return Explorer(
        "The feature map explorer",
        controls,
        draw,
        adjust=count_channels,
        buttons=step_buttons("channel", "channel"),
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
    classes = getattr(images, "classes", None)
    if label is None:
        return item, f"image {index}"
    return item, f"image {index} ({label if classes is None else classes[label]})"


@torch.no_grad()
def _all_maps(model: nn.Module, image: torch.Tensor) -> list[tuple[str, np.ndarray]]:
    """Return (name, maps [C, H, W]) of all layers that have maps, in order of execution."""
    found, hooks, calls = [], [], Counter()

    def note(name):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor) and output.ndim == 4:
                calls[name] += 1
                again = f", call {calls[name]}" if calls[name] > 1 else ""
                maps = output[0].float().cpu().clone().numpy()  # a ReLU in place would change it
                found.append((f"{name} ({type(module).__name__}{again})", maps))

        return hook

    modules = {name or "model": module for name, module in model.named_modules()}
    for name, module in modules.items():
        if next(module.children(), None) is None:
            hooks.append(module.register_forward_hook(note(name)))
    training = {module: module.training for module in modules.values()}
    parameter = next(model.parameters(), image)
    model.eval()
    try:
        model(image[None].to(parameter.device, parameter.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for module, was in training.items():
            module.training = was
    return found


def mistakes(images, labels, probabilities, classes, *, mean=None, std=None) -> Explorer:
    """Page through what a network got wrong, from its surest mistake on.

    Args:
        images: N images, see :func:`labutils.plotting.inputs.as_images`.
        labels: the N right answers.
        probabilities: [N, K], rows sum to 1; the answer is the most probable class.
        classes: K names.
        mean, std: what the images were normalised with, if not to 0..1 or -1..1.

    Raises:
        ValueError: these do not belong together, or a row is no distribution.
    """
    given = as_probabilities(probabilities, classes)
    labels = as_labels(labels, classes, length=len(given))
    same_length(images=images, labels=labels)
    wrong = surest_mistakes(labels, given)

    def draw(mistake) -> View:
        if len(wrong) == 0:
            words = f"No mistake among {plural(len(labels), 'image')}."
            return View(message(words), words)
        index = wrong[mistake - 1]
        row, true = given[index], labels[index]
        answer = row.argmax()
        rank = int((row > row[true]).sum()) + 1
        text = (
            f"Mistake {mistake} of {len(wrong)}, the surest first ({plural(len(labels), 'image')} "
            f"in all).\nImage {index}: {classes[true]} taken for {classes[answer]} with "
            f"p = {fixed(row[answer])}; {classes[true]} has p = {fixed(row[true])}, "
            f"number {rank} of {len(classes)}."
        )
        pixels = as_images([images[index]], mean, std)[0]
        return View(answer_bars(pixels, row, classes, int(true)), text)

    controls = {"mistake": slider("mistake", 1, max(len(wrong), 1), 1)}
    return Explorer(
        "The mistakes browser", controls, draw, buttons=step_buttons("mistake", "mistake")
    )
