"""Whole pictures: an object in a scene, something in front now and then, light and noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from labutils.data.sample import objects
from labutils.data.sample.pen import ANY, SIDE, SIZE, ZOOM, Pen, choose_paint, pick, vary
from labutils.data.sample.scenes import SCENES, strokes

FUR = [(140, 90, 50), (185, 140, 90), (95, 65, 45), (120, 118, 115), (45, 42, 42), (225, 220, 210),
       (200, 120, 55)]  # fmt: skip
SKIN = [(90, 150, 60), (120, 170, 70), (70, 110, 60), (140, 125, 70), (130, 85, 55), (70, 130, 190),
        (215, 110, 50)]  # fmt: skip


@dataclass
class Look:
    """How a class is drawn: its shape, its usual paint, how far it tilts (degrees), and where."""

    shape: Callable
    paints: list | None
    tilt: float
    scenes: str


CLASSES = {
    "airplane": Look(objects.airplane, ANY, 28, "sky sky sky water field shore road"),
    "automobile": Look(objects.automobile, ANY, 8, "road road field shore forest room"),
    "bird": Look(objects.bird, ANY, 20, "sky sky field forest water river shore"),
    "cat": Look(objects.cat, FUR, 10, "room room field road forest shore"),
    "deer": Look(objects.deer, FUR, 8, "forest forest field field river shore road"),
    "dog": Look(objects.dog, FUR, 10, "room field road forest river shore"),
    "frog": Look(objects.frog, SKIN, 14, "river river field forest water room"),
    "horse": Look(objects.horse, FUR, 8, "field field forest road river shore"),
    "ship": Look(objects.ship, ANY, 8, "water water river river shore"),
    "truck": Look(objects.truck, ANY, 8, "road road field shore forest room"),
}


def in_front(canvas, rng):
    """Something that hides a part of the object: grass, a post, or leaves."""
    kind = rng.integers(3)
    if kind == 0:
        strokes(canvas, rng, (85, 130, 60), 16, (SIDE - 16, SIDE), 2, 12)
    elif kind == 1:
        x, w = rng.integers(0, SIDE), rng.integers(4, 10)
        canvas.rectangle([x, 0, x + w, SIDE], fill=vary(rng, (110, 95, 80), 40))
    else:
        x, y = rng.integers(0, SIDE, 2)
        colour = vary(rng, (75, 110, 55), 30)
        for dx, dy in rng.integers(-12, 13, (4, 2)):
            canvas.ellipse([x + dx - 8, y + dy - 5, x + dx + 8, y + dy + 5], fill=colour)


def paint_picture(look, rng):
    """One picture of a class, uint8 [32, 32, 3], in even light."""
    image = Image.new("RGB", (SIDE, SIDE))
    canvas = ImageDraw.Draw(image)
    SCENES[pick(rng, look.scenes.split())](canvas, rng)
    scale = SIDE * rng.uniform(0.3, 0.5)
    play = round(0.56 * SIDE - scale)  # a big one stays near the middle
    x, y = (SIDE // 2 + rng.integers(-play, play + 1, 2)).tolist()
    pen = Pen(
        canvas,
        centre=(x, y),
        scale=scale,
        stretch=rng.uniform(0.8, 1.1),
        tilt=math.radians(rng.uniform(-look.tilt, look.tilt)),
        mirror=rng.random() < 0.5,
    )
    look.shape(pen, choose_paint(rng, look.paints, image.getpixel((x, y))), rng)
    if rng.random() < 0.3:
        in_front(canvas, rng)
    return np.asarray(image.reduce(ZOOM))


def photograph(pictures, rng):
    """Light, contrast, a colour cast and noise, different for each of uint8 [N, 32, 32, 3]."""
    n = len(pictures)
    images = pictures.astype(np.float32) - 128
    images *= rng.uniform(0.75, 1.15, (n, 1, 1, 1)).astype(np.float32)  # contrast
    images += rng.uniform(-30, 30, (n, 1, 1, 1)).astype(np.float32)  # brightness
    images += rng.uniform(-10, 10, (n, 1, 1, 3)).astype(np.float32)  # cast
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = rng.uniform(-25, 25, (n, 2)).astype(np.float32)  # the light comes from a side
    images += (slope[:, :1] * ramp)[:, :, None, None] + (slope[:, 1:] * ramp)[:, None, :, None]
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    images += noise * rng.uniform(2, 10, (n, 1, 1, 1)).astype(np.float32)
    return np.clip(images + 128, 0, 255).astype(np.uint8)


def draw(num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw labelled pictures. Every ten in a row show the ten classes, in an order of their own.

    So the first n are balanced too, as far as 10 divides n.

    Returns:
        images uint8 ``[N, 32, 32, 3]`` and labels int64 ``[N]``, in CIFAR-10's order of classes.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    looks = list(CLASSES.values())
    tens = np.tile(np.arange(len(looks)), (math.ceil(num_images / len(looks)), 1))
    labels = rng.permuted(tens, axis=1).reshape(-1)[:num_images].astype(np.int64)
    pictures = np.empty((num_images, SIZE, SIZE, 3), np.uint8)
    for i, label in enumerate(labels):
        pictures[i] = paint_picture(looks[label], rng)
    return photograph(pictures, rng), labels
