"""Pictures of the explorers of notebook 01: softmax, and cross-entropy with its gradient."""

import math

from .figure import BLUE, DARK, GREEN, ORANGE, PURPLE, Picture
from .sheet import WIDTH, Sheet
from .words import fixed, listing, number, sentences

NAMES, GAP = 50, 12  # space for the names at the left, and between panels
TOP, ROW, BAR = 34, 32, 22


def _panels(classes, panels) -> Sheet:
    """Draw panels of horizontal bars side by side, one row per class.

    Args:
        panels: (title, values, ends of the axis, colour, spell) each. A value that is not a number
            has no bar.
    """
    sheet = Sheet(WIDTH, TOP + ROW * len(classes) + 8)
    width = (WIDTH - NAMES) / len(panels) - GAP
    for place, name in enumerate(classes):
        sheet.words(NAMES - 8, TOP + place * ROW + 16, name, align="end")
    for index, (title, values, (low, high), color, spell) in enumerate(panels):
        left = NAMES + index * (width + GAP)
        scale = width / (high - low)
        zero = left - low * scale
        sheet.words(left, 18, title, bold=True)
        for place, value in enumerate(values):
            top = TOP + place * ROW
            end = zero + scale * (min(max(value, low), high) if math.isfinite(value) else 0)
            sheet.box(min(zero, end), top, abs(end - zero), BAR, color)
            away, align = (-5, "end") if end < zero else (5, "start")
            sheet.words(end + away, top + 16, spell(value), align=align)
        sheet.line(zero, TOP - 5, zero, TOP + ROW * len(classes))
    return sheet


def softmax_bars(classes, z, naive, stable) -> Picture:
    """Return the scores, the naive softmax in 32 bits, and the stable one, as bars.

    Args:
        classes: K names.
        z: [K] scores as they go into the exponential.
        naive: [K] what exp(z) / sum(exp(z)) gives; may be NaN.
        stable: [K] probabilities.
    """
    low, high = min(0, *z), max(0, *z)
    room = 0.35 * ((high - low) or 1)  # for the numbers at the ends of the bars
    ends = (low - room * (low < 0), high + room * (high > 0 or low == 0))
    sheet = _panels(
        classes,
        [
            ("z = (score + shift) / T", z, ends, DARK, number),
            ("naive: eᶻ / sum of eᶻ", naive, (0, 1.35), ORANGE, _share),
            ("softmax", stable, (0, 1.35), BLUE, _share),
        ],
    )
    works = all(math.isfinite(value) for value in naive)
    said = [
        f"scores {named(classes, z, number)}",
        f"softmax {named(classes, stable, fixed)}",
        "the naive formula gives " + named(classes, naive, fixed if works else number),
    ]
    return sheet.picture(sentences("Bars: " + "; ".join(said)))


def cross_entropy_bars(classes, target, predicted) -> Picture:
    """Return the target, the prediction, and the gradient by the logits, as bars.

    Args:
        classes: K names.
        target, predicted: [K] distributions.
    """
    gradient = [q - p for p, q in zip(target, predicted, strict=True)]
    sheet = _panels(
        classes,
        [
            ("target p", target, (0, 1.35), GREEN, fixed),
            ("prediction q", predicted, (0, 1.35), BLUE, fixed),
            ("gradient q − p", gradient, (-1.6, 1.6), PURPLE, fixed),
        ],
    )
    said = [
        f"target {named(classes, target, fixed)}",
        f"prediction {named(classes, predicted, fixed)}",
        f"gradient {named(classes, gradient, fixed)}",
    ]
    return sheet.picture(sentences("Bars: " + "; ".join(said)))


def named(names, values, spell) -> str:
    """``cat 0.56, dog 0.34 and ship 0.10``."""
    return listing(f"{name} {spell(value)}" for name, value in zip(names, values, strict=True))


def _share(value) -> str:
    return "nan" if math.isnan(value) else fixed(value)
