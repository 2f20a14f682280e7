"""The drawn sample: small pictures of CIFAR-10's ten classes, for when CIFAR-10 is out of reach.

Nothing is shipped and nothing is downloaded: ``sample`` draws 4,000 + 1,000 pictures with Pillow in
a few seconds and keeps them in a cache. A picture is made in three steps: a scene (``SCENES``), the
object in some pose and paint (``CLASSES``) with something in front of it now and then, and light
and noise (``photograph``). Its class decides the object's shape; scene, side, size and light vary
so much that single pixels tell little. ``tests/benchmarks/measure_drawn.py`` measures how little.

Everything is own work. All chance comes from one seeded generator, so the same seed gives the same
pictures everywhere.
"""

import colorsys
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = 32  # pixels of a side
ZOOM = 3  # drawn this much larger, then averaged down: smooth edges
SIDE = SIZE * ZOOM
NUM_TRAIN, NUM_TEST = 4000, 1000
TRAIN_SEED, TEST_SEED = 2012, 2014

BLACK, WHITE = (25, 25, 30), (245, 245, 240)
GLASS, TYRE = (150, 190, 215), (35, 35, 40)
CIRCLE = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 18, endpoint=False)]


# --- tools ------------------------------------------------------------------------------------


class Pen:
    """Draws in the object's own coordinates: it fills about -1..1, y points up, it looks right.

    The pose turns them into pixels: mirror, stretch, tilt, enlarge, move.
    """

    def __init__(self, canvas, *, centre, scale, stretch=1.0, tilt=0.0, mirror=False):
        self.canvas = canvas
        self.centre = centre
        self.scale = scale
        across = -stretch if mirror else stretch
        self.xx, self.xy = scale * across * np.cos(tilt), scale * np.sin(tilt)
        self.yx, self.yy = scale * across * np.sin(tilt), -scale * np.cos(tilt)

    def place(self, points):
        """Object coordinates to whole pixels of the enlarged canvas."""
        x0, y0 = self.centre
        return [
            (round(x0 + self.xx * x + self.xy * y), round(y0 + self.yx * x + self.yy * y))
            for x, y in points
        ]

    def shape(self, points, colour):
        """A filled polygon."""
        self.canvas.polygon(self.place(points), fill=colour)

    def oval(self, x, y, width, height, colour, tilt=0.0):
        """A filled ellipse around (x, y); width and height are half axes, tilt in radians."""
        c, s = np.cos(tilt), np.sin(tilt)
        points = [(x + width * a * c - height * b * s, y + width * a * s + height * b * c)
                  for a, b in CIRCLE]  # fmt: skip
        self.shape(points, colour)

    def line(self, points, width, colour):
        """A stroke through the points, ``width`` wide."""
        pixels = max(1, round(width * self.scale))
        self.canvas.line(self.place(points), fill=colour, width=pixels, joint="curve")


@dataclass
class Paint:
    """The colours of one object: its body, the same in shadow and in light, and a second one."""

    body: tuple
    shade: tuple
    light: tuple
    accent: tuple


def mix(colour, other, share):
    """``colour`` with ``share`` (0..1) of ``other`` mixed in."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


def vary(rng, colour, amount=22):
    """``colour`` a little different each time."""
    return tuple(
        int(min(255, max(0, c + d)))
        for c, d in zip(colour, rng.integers(-amount, amount + 1, 3), strict=True)
    )


def pick(rng, options):
    """One of the options."""
    return options[rng.integers(len(options))]


def brightness(colour):
    """How bright a colour looks, 0..255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


# --- ten shapes -------------------------------------------------------------------------------


def airplane(pen, paint, rng):
    """Fuselage with swept wings and a tail fin, seen from above and the side."""
    span = rng.uniform(0.6, 0.95)
    pen.shape([(0.25, 0.05), (-0.1, 0.05), (-0.45, 0.75 * span), (-0.2, 0.75 * span)], paint.shade)
    pen.shape([(-0.55, 0.05), (-0.98, 0.05), (-1.05, 0.5), (-0.85, 0.5)], paint.accent)
    pen.oval(0, 0, 1.0, 0.17, paint.body)
    pen.shape([(-0.7, 0.0), (-0.95, 0.0), (-1.12, -0.28), (-0.97, -0.28)], paint.shade)
    pen.shape([(0.3, -0.04), (-0.12, -0.04), (-0.55, -span), (-0.27, -span)], paint.light)
    pen.line([(-0.5, 0.05), (0.6, 0.05)], 0.05, BLACK)
    pen.shape([(0.72, 0.03), (0.92, 0.03), (0.78, 0.12), (0.68, 0.12)], BLACK)


def automobile(pen, paint, rng):
    """A low body, a cabin with two windows, two wheels."""
    roof = rng.uniform(0.42, 0.6)
    back = rng.uniform(-0.85, -0.5)
    pen.shape([(back - 0.1, 0.05), (back + 0.15, roof), (0.25, roof), (0.6, 0.05)], paint.body)
    pen.shape([(back + 0.08, 0.08), (back + 0.22, roof - 0.1), (-0.1, roof - 0.1), (-0.1, 0.08)],
              GLASS)  # fmt: skip
    pen.shape([(0.0, 0.08), (0.0, roof - 0.1), (0.2, roof - 0.1), (0.45, 0.08)], GLASS)
    pen.shape([(-1, 0.05), (0.6, 0.08), (0.97, -0.02), (1, -0.38), (-1, -0.38)], paint.body)
    pen.shape([(-1, -0.25), (1, -0.25), (1, -0.38), (-1, -0.38)], paint.shade)
    pen.oval(0.93, -0.1, 0.07, 0.07, (250, 235, 150))
    for x in (-0.58, 0.58):
        pen.oval(x, -0.38, 0.25, 0.25, TYRE)
        pen.oval(x, -0.38, 0.11, 0.11, (190, 190, 195))


def bird(pen, paint, rng):
    """A round body with a beak and a tail, on thin legs or with its wings up."""
    flying = rng.random() < 0.4
    if flying:
        lift = rng.uniform(0.6, 0.95)
        pen.shape([(0.25, 0.1), (-0.15, 0.1), (-0.1, lift), (0.25, lift * 0.9)], paint.shade)
    else:
        for x in (-0.12, 0.12):
            pen.line([(x, -0.3), (x + 0.05, -0.85), (x + 0.2, -0.85)], 0.07, (190, 120, 40))
    pen.shape([(-0.3, 0.12), (-1.0, 0.05), (-1.0, -0.2), (-0.35, -0.2)], paint.shade)
    pen.oval(0, -0.05, 0.52, 0.33, paint.body, tilt=0.25)
    pen.oval(0.1, -0.18, 0.32, 0.18, paint.light, tilt=0.25)
    pen.shape([(0.65, 0.5), (0.65, 0.22), (1.02, 0.32)], (235, 160, 40))
    pen.oval(0.5, 0.37, 0.25, 0.24, paint.body)
    pen.oval(0.58, 0.42, 0.06, 0.06, BLACK)
    if flying:
        pen.shape([(0.2, 0.05), (-0.3, 0.0), (-0.75, 0.85 * lift), (-0.45, lift)], paint.accent)
    else:
        pen.oval(-0.15, 0.0, 0.36, 0.16, paint.accent, tilt=0.3)


def cat(pen, paint, rng):
    """Sitting, face to us: pointed ears, whiskers, a tail that curls up."""
    x = rng.uniform(-0.1, 0.2)
    pen.line([(-0.3, -0.8), (-0.75, -0.7), (-0.8, -0.2), (-0.65, 0.1)], 0.16, paint.shade)
    pen.oval(0, -0.5, 0.42, 0.5, paint.body)
    pen.oval(0, -0.5, 0.2, 0.34, paint.light)
    for side in (-1, 1):
        pen.oval(0.22 * side, -0.92, 0.16, 0.1, paint.light)
        pen.shape([(x + 0.5 * side, 0.35), (x + 0.45 * side, 1.0), (x + 0.08 * side, 0.65)],
                  paint.body)  # fmt: skip
        pen.shape([(x + 0.42 * side, 0.5), (x + 0.4 * side, 0.82), (x + 0.2 * side, 0.62)],
                  (225, 150, 150))  # fmt: skip
    pen.oval(x, 0.32, 0.54, 0.42, paint.body)
    if rng.random() < 0.5:  # a tabby
        for dx in (-0.16, 0, 0.16):
            pen.line([(x + dx, 0.72), (x + dx, 0.52)], 0.07, paint.shade)
    pen.oval(x, 0.15, 0.25, 0.17, paint.light)
    eye = pick(rng, [(120, 200, 80), (230, 200, 60), (110, 190, 220)])
    for side in (-1, 1):
        pen.oval(x + 0.23 * side, 0.4, 0.12, 0.11, eye)
        pen.oval(x + 0.23 * side, 0.4, 0.05, 0.1, BLACK)
        for dy in (0.04, -0.06):
            pen.line([(x + 0.15 * side, 0.16), (x + 0.72 * side, 0.14 + 1.5 * dy)], 0.03, WHITE)
    pen.shape([(x - 0.08, 0.25), (x + 0.08, 0.25), (x, 0.15)], (215, 110, 120))


def legs(pen, rng, colour, shade, xs, top, width):
    """Four legs in stride: the two far ones in shadow first."""
    stride = rng.uniform(-0.16, 0.16)
    back, front = xs
    for x, step, ink in ((back + 0.12, -stride, shade), (front - 0.12, stride, shade),
                         (back, stride, colour), (front, -stride, colour)):  # fmt: skip
        pen.line([(x, top), (x + step / 2, -0.5), (x + step, -0.95)], width, ink)


def deer(pen, paint, rng):
    """Slender legs, an upright neck, antlers, a white tail and spots."""
    legs(pen, rng, paint.body, paint.shade, (-0.55, 0.2), -0.1, 0.1)
    pen.oval(-0.18, 0.0, 0.55, 0.25, paint.body)
    pen.oval(-0.72, 0.1, 0.1, 0.14, WHITE)
    pen.shape([(0.1, 0.1), (0.35, 0.55), (0.52, 0.5), (0.38, -0.1)], paint.body)
    pen.oval(0.55, 0.52, 0.26, 0.12, paint.body, tilt=-0.3)
    pen.oval(0.3, 0.62, 0.13, 0.06, paint.shade, tilt=2.6)
    horn = (225, 205, 165) if brightness(paint.body) < 110 else (75, 50, 30)
    for x in (0.38, 0.5):
        reach = 0.3 * (x - 0.44) / 0.06
        pen.line([(x, 0.58), (x + 0.6 * reach, 0.82), (x + 0.5 * reach, 1.08)], 0.06, horn)
        pen.line([(x + 0.5 * reach, 0.78), (x + 1.3 * reach, 0.98)], 0.06, horn)
    for dx, dy in ((-0.5, 0.08), (-0.3, 0.13), (-0.1, 0.07), (-0.38, -0.03), (0.05, 0.12)):
        pen.oval(dx, dy, 0.045, 0.045, paint.light)
    pen.oval(0.55, 0.57, 0.04, 0.04, BLACK)


def dog(pen, paint, rng):
    """Standing on short legs: a snout with a black nose, a hanging ear, the tail up, a collar."""
    wag = rng.uniform(-0.2, 0.15)
    pen.line([(-0.6, 0.05), (-0.82, 0.3), (-0.85 + wag, 0.68)], 0.13, paint.body)
    legs(pen, rng, paint.body, paint.shade, (-0.5, 0.3), -0.2, 0.19)
    pen.oval(-0.1, -0.12, 0.6, 0.3, paint.body)
    pen.shape([(0.1, 0.1), (0.3, 0.55), (0.65, 0.4), (0.48, -0.2)], paint.body)
    pen.oval(0.75, 0.3, 0.27, 0.15, paint.light)
    pen.oval(0.5, 0.42, 0.3, 0.28, paint.body)
    pen.oval(0.98, 0.36, 0.08, 0.07, BLACK)
    pen.oval(0.6, 0.5, 0.06, 0.06, BLACK)
    pen.oval(0.3, 0.28, 0.13, 0.3, paint.shade, tilt=-0.15)
    pen.line([(0.2, 0.12), (0.56, 0.0)], 0.09, paint.accent)


def frog(pen, paint, rng):
    """Squatting, face to us: eyes on top of the head, a wide mouth, folded legs."""
    knee = rng.uniform(0.7, 0.9)
    for side in (-1, 1):
        pen.oval(knee * side, -0.42, 0.3, 0.4, paint.shade, tilt=0.5 * side)
        pen.shape([(0.55 * side, -0.7), (1.05 * side, -0.92), (0.45 * side, -0.95)], paint.shade)
    pen.oval(0, -0.3, 0.66, 0.56, paint.body)
    pen.oval(0, -0.5, 0.45, 0.36, paint.light)
    pen.oval(0, 0.1, 0.64, 0.38, paint.body)
    for side in (-1, 1):
        pen.line([(0.4 * side, -0.4), (0.36 * side, -0.92)], 0.14, paint.body)
        pen.oval(0.4 * side, 0.46, 0.24, 0.24, paint.body)
        pen.oval(0.4 * side, 0.5, 0.16, 0.16, (240, 230, 150))
        pen.oval(0.4 * side, 0.5, 0.11, 0.07, BLACK)
    pen.line([(-0.5, 0.1), (-0.25, -0.04), (0.25, -0.04), (0.5, 0.1)], 0.06, BLACK)


def horse(pen, paint, rng):
    """Long legs, a strong neck with a mane, a long tail."""
    sway = rng.uniform(-0.15, 0.1)
    mane = mix(paint.accent, BLACK, 0.6)
    pen.shape([(-0.62, 0.22), (-0.95 + sway, 0.05), (-0.98 + sway, -0.6), (-0.7, 0.0)], mane)
    legs(pen, rng, paint.body, paint.shade, (-0.55, 0.3), -0.1, 0.15)
    pen.oval(-0.13, 0.03, 0.6, 0.3, paint.body)
    pen.shape([(0.05, 0.2), (0.4, 0.85), (0.68, 0.7), (0.5, -0.1)], paint.body)
    pen.shape([(0.45, 0.88), (0.7, 0.8), (1.02, 0.4), (0.88, 0.28), (0.5, 0.52)], paint.body)
    pen.shape([(0.47, 0.82), (0.6, 0.82), (0.58, 1.02)], paint.body)
    pen.shape([(0.0, 0.3), (0.32, 0.9), (0.55, 0.92), (0.4, 0.7), (0.2, 0.2)], mane)
    pen.oval(0.67, 0.68, 0.05, 0.05, BLACK)


def ship(pen, paint, rng):
    """A hull in the water, with sails or with decks and a funnel."""
    if rng.random() < 0.45:
        pen.line([(0.0, -0.4), (0.0, 1.0)], 0.07, (90, 65, 45))
        pen.shape([(-0.06, 0.98), (-0.06, -0.25), (-0.8, -0.25)], paint.light)
        pen.shape([(0.08, 0.8), (0.08, -0.25), (0.65, -0.25)], paint.accent)
    else:
        deck = rng.uniform(-0.7, -0.4)
        pen.shape([(0.05, 0.3), (0.05, 0.75), (-0.22, 0.75), (-0.22, 0.3)], paint.accent)
        pen.line([(0.4, 0.0), (0.4, 0.85)], 0.05, BLACK)
        pen.shape([(deck, -0.4), (deck, 0.08), (0.6, 0.08), (0.6, -0.4)], WHITE)
        pen.shape([(deck + 0.15, 0.08), (deck + 0.15, 0.36), (0.35, 0.36), (0.35, 0.08)], WHITE)
        pen.line([(deck + 0.1, -0.1), (0.5, -0.1)], 0.08, (70, 90, 120))
        pen.line([(deck + 0.2, 0.22), (0.3, 0.22)], 0.07, (70, 90, 120))
    pen.shape([(-0.95, -0.28), (1.05, -0.22), (0.72, -0.8), (-0.8, -0.8)], paint.body)
    pen.shape([(-0.87, -0.62), (0.83, -0.62), (0.72, -0.8), (-0.8, -0.8)], paint.shade)
    pen.line([(-1.1, -0.84), (1.1, -0.84)], 0.07, (235, 245, 250))  # foam


def truck(pen, paint, rng):
    """A tall box behind a cab, three wheels."""
    top = rng.uniform(0.6, 0.85)
    pen.shape([(-1.0, -0.4), (-1.0, top), (0.35, top), (0.35, -0.4)], paint.light)
    pen.shape([(-1.0, top - 0.18), (-1.0, top), (0.35, top), (0.35, top - 0.18)], paint.accent)
    for x in (-0.66, -0.32, 0.02):
        pen.line([(x, -0.3), (x, top - 0.2)], 0.04, paint.shade)
    pen.shape([(0.42, -0.45), (0.42, 0.4), (0.75, 0.4), (0.98, 0.02), (1.0, -0.45)], paint.body)
    pen.shape([(0.55, 0.02), (0.55, 0.28), (0.72, 0.28), (0.86, 0.02)], GLASS)
    pen.shape([(-1.0, -0.35), (1.02, -0.35), (1.02, -0.5), (-1.0, -0.5)], paint.shade)
    pen.oval(0.95, -0.24, 0.06, 0.07, (250, 235, 150))
    for x in (-0.75, -0.3, 0.68):
        pen.oval(x, -0.55, 0.21, 0.21, TYRE)
        pen.oval(x, -0.55, 0.09, 0.09, (190, 190, 195))


# --- scenes -----------------------------------------------------------------------------------


def bands(canvas, top, bottom, colour, other):
    """Fill the canvas from row ``top`` to ``bottom``, from one colour to the other."""
    steps = 6
    for step in range(steps):
        y0 = top + (bottom - top) * step // steps
        canvas.rectangle([0, y0, SIDE, bottom], fill=mix(colour, other, step / (steps - 1)))


def blobs(canvas, rng, colour, count, rows, size):
    """Soft roundish spots of about one colour: clouds, bushes, pebbles."""
    for _ in range(count):
        x, y = rng.integers(0, SIDE), rng.integers(*rows)
        w, h = rng.integers(size // 2, size + 1), rng.integers(size // 3, size // 1.5 + 1)
        canvas.ellipse([x - w, y - h, x + w, y + h], fill=vary(rng, colour, 14))


def strokes(canvas, rng, colour, count, rows, dx, dy):
    """Short lines of about one colour: grass, waves, cracks."""
    for _ in range(count):
        x, y = rng.integers(0, SIDE), rng.integers(*rows)
        w, h = rng.integers(-dx, dx + 1), rng.integers(-dy, dy + 1)
        canvas.line([x - w, y - h, x + w, y + h], fill=vary(rng, colour, 18), width=2)


def some_sky(canvas, rng, bottom):
    """Blue, gray or evening sky with clouds."""
    blue = pick(rng, [(105, 165, 230), (150, 195, 235), (175, 180, 190), (235, 180, 140),
                      (70, 90, 140)])  # fmt: skip
    blue = vary(rng, blue)
    bands(canvas, 0, bottom, blue, mix(blue, WHITE, 0.45))
    blobs(canvas, rng, mix(blue, WHITE, 0.7), rng.integers(0, 5), (0, bottom), 16)


def sky(canvas, rng):
    some_sky(canvas, rng, SIDE)


def water(canvas, rng):
    horizon = rng.integers(20, 62)
    some_sky(canvas, rng, horizon)
    sea = vary(rng, pick(rng, [(40, 95, 150), (60, 130, 150), (70, 95, 105), (90, 140, 120)]))
    bands(canvas, horizon, SIDE, mix(sea, WHITE, 0.2), sea)
    strokes(canvas, rng, mix(sea, WHITE, 0.35), 22, (horizon, SIDE), 9, 0)


def field(canvas, rng):
    horizon = rng.integers(15, 62)
    some_sky(canvas, rng, horizon)
    ground = pick(rng, [(95, 150, 65), (125, 160, 75), (170, 160, 95), (215, 200, 155),
                        (230, 235, 240)])  # fmt: skip
    ground = vary(rng, ground)
    blobs(canvas, rng, mix(ground, (40, 80, 50), 0.6), 6, (horizon - 8, horizon + 2), 14)
    bands(canvas, horizon, SIDE, mix(ground, WHITE, 0.15), mix(ground, BLACK, 0.15))
    strokes(canvas, rng, mix(ground, BLACK, 0.3), 22, (horizon, SIDE), 1, 6)


def forest(canvas, rng):
    leaves = vary(rng, pick(rng, [(50, 95, 55), (80, 115, 50), (150, 110, 50), (40, 70, 70)]))
    canvas.rectangle([0, 0, SIDE, SIDE], fill=leaves)
    blobs(canvas, rng, mix(leaves, BLACK, 0.25), 7, (0, SIDE), 16)
    for _ in range(rng.integers(1, 5)):
        x, w = rng.integers(0, SIDE), rng.integers(3, 8)
        canvas.rectangle([x, 0, x + w, SIDE], fill=vary(rng, (85, 65, 45)))
    blobs(canvas, rng, mix(leaves, (200, 220, 100), 0.3), 7, (0, SIDE), 13)


def road(canvas, rng):
    horizon = rng.integers(25, 62)
    some_sky(canvas, rng, horizon)
    for _ in range(rng.integers(1, 6)):  # houses
        x, w, h = rng.integers(-10, SIDE), rng.integers(12, 34), rng.integers(8, 45)
        wall = vary(rng, pick(rng, [(170, 120, 95), (190, 185, 175), (120, 125, 135)]))
        canvas.rectangle([x, horizon - h, x + w, horizon], fill=wall)
        for y in range(horizon - h + 4, horizon - 5, 9):
            canvas.line([x + 3, y, x + w - 3, y], fill=mix(wall, BLACK, 0.4), width=3)
    asphalt = vary(rng, pick(rng, [(105, 105, 110), (140, 138, 135), (175, 160, 135)]))
    bands(canvas, horizon, SIDE, mix(asphalt, WHITE, 0.1), mix(asphalt, BLACK, 0.15))
    y = rng.integers(horizon, SIDE)
    for x in range(rng.integers(-20, 5), SIDE, 26):
        canvas.line([x, y, x + 13, y], fill=mix(asphalt, WHITE, 0.6), width=3)


def room(canvas, rng):
    wall = vary(rng, pick(rng, [(215, 205, 185), (150, 170, 180), (190, 150, 140), (110, 95, 120)]))
    canvas.rectangle([0, 0, SIDE, SIDE], fill=wall)
    gap = rng.integers(7, 22)
    for x in range(rng.integers(0, gap), SIDE, gap):  # wallpaper
        canvas.line([x, 0, x, SIDE], fill=mix(wall, BLACK, 0.12), width=3)
    if rng.random() < 0.6:  # a picture, or a window
        x, y = rng.integers(0, SIDE - 20), rng.integers(0, 25)
        w, h = rng.integers(15, 40), rng.integers(12, 35)
        inside = vary(rng, pick(rng, [(150, 200, 235), (90, 110, 80), (200, 120, 80)]))
        canvas.rectangle([x, y, x + w, y + h], fill=inside, outline=(90, 65, 45), width=3)
    floor, horizon = vary(rng, pick(rng, [(150, 105, 65), (120, 115, 110), (165, 70, 65)])), 0
    horizon = rng.integers(45, 85)
    canvas.rectangle([0, horizon, SIDE, SIDE], fill=floor)
    for y in range(horizon + 7, SIDE, 9):
        canvas.line([0, y, SIDE, y], fill=mix(floor, BLACK, 0.2), width=2)


SCENES = {f.__name__: f for f in (sky, water, field, forest, road, room)}


# --- classes ----------------------------------------------------------------------------------

FUR = [(140, 90, 50), (185, 140, 90), (95, 65, 45), (120, 118, 115), (45, 42, 42), (225, 220, 210),
       (200, 120, 55)]  # fmt: skip
SKIN = [(90, 150, 60), (120, 170, 70), (70, 110, 60), (140, 125, 70), (130, 85, 55), (70, 130, 190),
        (215, 110, 50)]  # fmt: skip
ANY = None  # a colour of any hue


@dataclass
class Look:
    """How a class is drawn: its shape, its usual paint, how far it tilts (degrees), and where."""

    shape: callable
    paints: list | None
    tilt: float
    scenes: str


CLASSES = {
    "airplane": Look(airplane, ANY, 28, "sky sky sky field water road"),
    "automobile": Look(automobile, ANY, 8, "road road field forest room sky"),
    "bird": Look(bird, ANY, 20, "sky sky field forest water room"),
    "cat": Look(cat, FUR, 10, "room room field road forest"),
    "deer": Look(deer, FUR, 8, "forest forest field field water road"),
    "dog": Look(dog, FUR, 10, "room field road forest water"),
    "frog": Look(frog, SKIN, 14, "water field forest room road"),
    "horse": Look(horse, FUR, 8, "field field forest road water"),
    "ship": Look(ship, ANY, 8, "water water water sky field"),
    "truck": Look(truck, ANY, 8, "road road field forest room sky"),
}


def choose_paint(rng, paints, behind):
    """A body colour that stands out from the colour ``behind`` it, and three to go with it."""
    for _ in range(4):
        body = any_colour(rng) if paints is ANY else vary(rng, pick(rng, paints))
        if abs(brightness(body) - brightness(behind)) > 45:
            break
    accent = any_colour(rng)
    return Paint(body, mix(body, BLACK, 0.4), mix(body, WHITE, 0.5), accent)


def any_colour(rng):
    """Any hue, from pale to strong, from dark to bright."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.9), rng.uniform(0.3, 1.0)
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation, value))


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
    x, y = SIDE // 2 + rng.integers(-14, 15, 2)
    pen = Pen(
        canvas,
        centre=(x, y),
        scale=SIDE * rng.uniform(0.3, 0.5),
        stretch=rng.uniform(0.8, 1.1),
        tilt=np.radians(rng.uniform(-look.tilt, look.tilt)),
        mirror=rng.random() < 0.5,
    )
    look.shape(pen, choose_paint(rng, look.paints, image.getpixel((int(x), int(y)))), rng)
    if rng.random() < 0.3:
        in_front(canvas, rng)
    return np.asarray(image.reduce(ZOOM))


def photograph(pictures, rng):
    """Light, contrast, a colour cast and noise, different for each of uint8 [N, 32, 32, 3]."""
    n = len(pictures)
    images = pictures.astype(np.float32) - 128
    images *= rng.uniform(0.6, 1.1, (n, 1, 1, 1)).astype(np.float32)  # contrast
    images += rng.uniform(-35, 35, (n, 1, 1, 1)).astype(np.float32)  # brightness
    images += rng.uniform(-14, 14, (n, 1, 1, 3)).astype(np.float32)  # cast
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = rng.uniform(-25, 25, (n, 2)).astype(np.float32)  # the light comes from a side
    images += (slope[:, :1] * ramp)[:, :, None, None] + (slope[:, 1:] * ramp)[:, None, :, None]
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    images += noise * rng.uniform(2, 10, (n, 1, 1, 1)).astype(np.float32)
    return np.clip(images + 128, 0, 255).astype(np.uint8)


# --- the sample -------------------------------------------------------------------------------


def draw(num_images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw labelled pictures, the ten classes in equal numbers (as far as 10 divides) and mixed.

    Returns:
        images uint8 ``[N, 32, 32, 3]`` and labels int64 ``[N]``, in CIFAR-10's order of classes.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = rng.permutation(np.arange(num_images) % len(CLASSES)).astype(np.int64)
    looks = list(CLASSES.values())
    pictures = np.empty((num_images, SIZE, SIZE, 3), np.uint8)
    for i, label in enumerate(labels):
        pictures[i] = paint_picture(looks[label], rng)
    return photograph(pictures, rng), labels


def sample(cache_dir: Path | None):
    """Answer with the drawn sample, from the cache if it is there and sound, else drawn anew.

    Args:
        cache_dir: the folder of the cache; ``None``, or one that cannot be written, means that the
            sample is drawn each time (a few seconds).

    Returns:
        ``(x_train, y_train, x_test, y_test)``: uint8 ``[4000 or 1000, 32, 32, 3]``, int64 labels.
    """
    path = Path(cache_dir) / "drawn-cifar10.npz" if cache_dir is not None else None
    arrays = _read_cache(path) if path else None
    if arrays is None:
        arrays = (*draw(NUM_TRAIN, TRAIN_SEED), *draw(NUM_TEST, TEST_SEED))
        if path:
            _write_cache(path, arrays)
    return arrays


NAMES = ("x_train", "y_train", "x_test", "y_test")


def _fingerprint(arrays) -> str:
    """Changes with this file, with Pillow and with every bit of the arrays."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(Image.__version__.encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _read_cache(path):
    """The cached arrays, or None if they are missing, damaged or of another version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = tuple(file[name] for name in NAMES)
            sound = str(file["fingerprint"]) == _fingerprint(arrays)
    except Exception:  # a damaged archive raises half a dozen kinds; all mean: draw anew
        return None
    return arrays if sound else None


def _write_cache(path, arrays):
    """Write beside the place, then rename: a reader never sees half a file."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = file.name
            np.savez(file, fingerprint=_fingerprint(arrays), **dict(zip(NAMES, arrays)))
        os.replace(part, path)
    except OSError:
        if part:
            Path(part).unlink(missing_ok=True)
