"""A pen for objects in any pose, and a few words for colours."""

import colorsys
import copy
import math
from dataclasses import dataclass

SIZE = 32  # pixels of a side
ZOOM = 3  # drawn this much larger, then averaged down: smooth edges
SIDE = SIZE * ZOOM

BLACK, WHITE = (25, 25, 30), (245, 245, 240)
ANY = None  # a colour of any hue
GLASS, TYRE = (150, 190, 215), (35, 35, 40)
CIRCLE = [(math.cos(math.tau * i / 16), math.sin(math.tau * i / 16)) for i in range(16)]


class Pen:
    """Draws in the object's own coordinates: it fills about -1..1, y points up, it looks right.

    The pose turns them into pixels: mirror, stretch, tilt, enlarge, move.
    """

    def __init__(self, canvas, *, centre, scale, stretch=1.0, tilt=0.0, mirror=False):
        self.canvas = canvas
        self.centre = centre
        self.scale = scale
        across = -stretch if mirror else stretch
        self.xx, self.xy = scale * across * math.cos(tilt), scale * math.sin(tilt)
        self.yx, self.yy = scale * across * math.sin(tilt), -scale * math.cos(tilt)

    def at(self, x, y, size):
        """A pen for a part of the object: its centre at (x, y), its unit ``size`` long."""
        part = copy.copy(self)
        part.centre = self._place(x, y)
        for step in ("scale", "xx", "xy", "yx", "yy"):
            setattr(part, step, size * getattr(self, step))
        return part

    def _place(self, x, y):
        x0, y0 = self.centre
        return x0 + self.xx * x + self.xy * y, y0 + self.yx * x + self.yy * y

    def _pixels(self, points):
        """Object coordinates to whole pixels of the enlarged canvas."""
        return [tuple(map(round, self._place(*point))) for point in points]

    def shape(self, points, colour):
        """A filled polygon."""
        self.canvas.polygon(self._pixels(points), fill=colour)

    def oval(self, x, y, width, height, colour, tilt=0.0):
        """A filled ellipse around (x, y); width and height are half axes, tilt in radians."""
        wx, wy = width * math.cos(tilt), width * math.sin(tilt)
        hx, hy = -height * math.sin(tilt), height * math.cos(tilt)
        self.shape([(x + wx * a + hx * b, y + wy * a + hy * b) for a, b in CIRCLE], colour)

    def line(self, points, width, colour):
        """A stroke through the points, ``width`` wide."""
        pixels = max(1, round(width * self.scale))
        self.canvas.line(self._pixels(points), fill=colour, width=pixels, joint="curve")


@dataclass
class Paint:
    """The colours of one object: its body, the same in shadow and in light, a second one, and
    black or white, whichever stands out from the scene."""

    body: tuple
    shade: tuple
    light: tuple
    accent: tuple
    outline: tuple


def mix(colour, other, share):
    """``colour`` with ``share`` (0..1) of ``other`` mixed in."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))


def vary(rng, colour, amount=22):
    """``colour`` a little different each time."""
    steps = rng.integers(-amount, amount + 1, 3).tolist()
    return tuple(min(255, max(0, c + step)) for c, step in zip(colour, steps, strict=True))


def pick(rng, options):
    """One of the options."""
    return options[rng.integers(len(options))]


def brightness(colour):
    """How bright a colour looks, 0..255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def any_colour(rng):
    """Any hue, from pale to strong, from dark to bright."""
    hue, saturation, value = rng.random(), rng.uniform(0.05, 0.9), rng.uniform(0.3, 1.0)
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue, saturation, value))


def choose_paint(rng, paints, behind):
    """A body colour that stands out from the colour ``behind`` it, and four to go with it."""
    for _ in range(4):
        body = any_colour(rng) if paints is ANY else vary(rng, pick(rng, paints))
        if abs(brightness(body) - brightness(behind)) > 45:
            break
    accent = any_colour(rng)
    outline = BLACK if brightness(behind) > 110 else WHITE
    return Paint(body, mix(body, BLACK, 0.4), mix(body, WHITE, 0.5), accent, outline)
