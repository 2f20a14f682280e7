"""Explorers of notebook 01: from scores to probabilities, and from probabilities to a loss."""

import math

import numpy as np

from labutils.plotting.colors import BLUE, DARK, GREEN, ORANGE, PURPLE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet, message
from labutils.plotting.words import fixed, listing, number, sentences

from .controls import choice, slider
from .explorer import Explorer, View

CLASSES = ("cat", "dog", "ship", "frog")
SCORES = (2.0, 1.5, -1.0, 0.0)
WEIGHTS = (60, 30, 0, 10)  # percent
TARGETS = {
    f"{sure}, for sure": tuple(float(name == sure) for name in CLASSES) for sure in CLASSES
} | {"cat or dog, half each": (0.5, 0.5, 0.0, 0.0), "all four alike": (0.25, 0.25, 0.25, 0.25)}
NAMES, GAP = 50, 12  # pixels, for the names at the left, and between panels
TOP, ROW, BAR = 34, 32, 22


def softmax() -> Explorer:
    """Scores, temperature and shift -> probabilities; where the naive formula overflows."""
    controls = {
        name: slider(f"score of {name}", -5.0, 5.0, score, 0.1)
        for name, score in zip(CLASSES, SCORES, strict=True)
    }
    controls["temperature"] = slider("temperature", 0.05, 5.0, 1.0, 0.05)
    controls["shift"] = slider("shift", -200.0, 200.0, 0.0, 5.0)
    rows = [list(CLASSES), ["temperature", "shift"]]
    return Explorer("The softmax explorer", controls, _softmax, rows=rows)


def _softmax(temperature, shift, **scores) -> View:
    z = (np.array([scores[name] for name in CLASSES]) + shift) / temperature
    exponentials = np.exp(z - z.max())
    stable = exponentials / exponentials.sum()
    with np.errstate(all="ignore"):  # what breaks here is what the explorer is to show
        exponentials = np.exp(z.astype(np.float32))
        total = exponentials.sum()
        naive = exponentials / total
    if total == 0:
        verdict = "0: each of them underflows, and 0 / 0 is not a number (nan)"
    elif np.isinf(total):
        verdict = "infinity: e^z overflows above z = 88.7, and inf / inf is not a number (nan)"
    elif np.abs(naive - stable).max() < 0.005:
        verdict = f"{total:.3g}, and the naive formula agrees"
    else:
        verdict = f"{total:.1g}: too few digits are left, and the naive formula is wrong"
    text = f"Softmax: {_named(stable)}.\nIn 32-bit floats the exponentials sum to {verdict}."
    return View(_softmax_bars(z, naive, stable), text)


def _softmax_bars(z, naive, stable) -> Picture:
    """Draw scores, what exp(z) / sum(exp(z)) gives in 32 bits, and the stable softmax as bars."""
    low, high = min(0, *z), max(0, *z)
    room = 0.35 * ((high - low) or 1)  # for the numbers at the ends of the bars
    ends = (low - room * (low < 0), high + room * (high > 0 or low == 0))
    works = all(math.isfinite(value) for value in naive)

    def share(value) -> str:
        return "nan" if math.isnan(value) else fixed(value)

    return _bars(
        ("z = (score + shift) / T", z, ends, DARK, number),
        ("naive: eᶻ / sum of eᶻ", naive, (0, 1.35), ORANGE, share),
        ("softmax", stable, (0, 1.35), BLUE, share),
        said=[
            f"scores {_named(z, number)}",
            f"softmax {_named(stable)}",
            f"the naive formula gives {_named(naive, fixed if works else number)}",
        ],
    )


def cross_entropy() -> Explorer:
    """Prediction and target -> cross-entropy, entropy, KL divergence, gradient by the logits."""
    controls = {"target": choice("target p", TARGETS)}
    controls |= {
        name: slider(f"weight of {name}", 0, 100, weight)
        for name, weight in zip(CLASSES, WEIGHTS, strict=True)
    }
    rows = [["target"], list(CLASSES)]
    return Explorer("The cross-entropy explorer", controls, _cross_entropy, rows=rows)


def _cross_entropy(target, **weights) -> View:
    given = np.array([weights[name] for name in CLASSES], dtype=float)
    if not given.any():
        words = "All four weights are 0, which makes no distribution: raise one of them."
        return View(message(words), words)
    p, q = np.array(target), given / given.sum()
    sure = p > 0  # the others add nothing: 0 · log 0 = 0
    with np.errstate(divide="ignore"):  # log 0 is -inf, and the loss infinite, as it should be
        loss = -(p[sure] * np.log(q[sure])).sum()
    entropy = -(p[sure] * np.log(p[sure])).sum()
    text = (
        f"Prediction: {_named(q)} (the weights, divided by their sum).\n"
        f"Cross-entropy H(p, q) = {_nats(loss)} = entropy H(p) {_nats(entropy)} "
        f"+ KL divergence {_nats(loss - entropy)}.\n"
        f"Gradient by the logits, q − p: {_named(q - p)}."
    )
    picture = _bars(
        ("target p", p, (0, 1.35), GREEN, fixed),
        ("prediction q", q, (0, 1.35), BLUE, fixed),
        ("gradient q − p", q - p, (-1.6, 1.6), PURPLE, fixed),
        said=[f"target {_named(p)}", f"prediction {_named(q)}", f"gradient {_named(q - p)}"],
    )
    return View(picture, text)


def _nats(value) -> str:
    return f"{fixed(value + 0.0, 3)} nats"


def _named(values, spell=fixed) -> str:
    """``cat 0.56, dog 0.34, ship 0.03 and frog 0.08``."""
    return listing(f"{name} {spell(value)}" for name, value in zip(CLASSES, values, strict=True))


def _bars(*panels, said) -> Picture:
    """Draw panels of horizontal bars side by side, one row per class.

    Args:
        panels: (title, values, ends of the axis, colour, spell) each. A value that is not a number
            has no bar.
        said: the panels in words.
    """
    sheet = Sheet(WIDTH, TOP + ROW * len(CLASSES) + 8)
    width = (WIDTH - NAMES) / len(panels) - GAP
    for place, name in enumerate(CLASSES):
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
        sheet.line(zero, TOP - 5, zero, TOP + ROW * len(CLASSES))
    return sheet.picture(sentences("Bars: " + "; ".join(said)))
