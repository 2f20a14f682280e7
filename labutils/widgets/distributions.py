"""Explorers of notebook 01: from scores to probabilities, and from probabilities to a loss."""

import numpy as np

from labutils.plotting.distributions import named, softmax_bars
from labutils.plotting.words import fixed, number

from .controls import slider
from .explorer import Explorer, View

CLASSES = ("cat", "dog", "ship", "frog")
SCORES = (2.0, 1.5, -1.0, 0.0)


def softmax() -> Explorer:
    """Scores, temperature and shift -> probabilities; where the naive formula overflows."""
    controls = {
        name: slider(f"score of {name}", -5.0, 5.0, score, 0.1)
        for name, score in zip(CLASSES, SCORES, strict=True)
    }
    controls["temperature"] = slider("temperature T", 0.05, 5.0, 1.0, 0.05)
    controls["shift"] = slider("shift of all scores", -200.0, 200.0, 0.0, 5.0)
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
    if np.isfinite(naive).all():
        verdict = f"{number(total)}, and the naive formula agrees"
    elif total == 0:
        verdict = "0: each of them underflows, and 0 / 0 is not a number (nan)"
    else:
        verdict = "infinity: e^z overflows above z = 88.7, and inf / inf is not a number (nan)"
    text = (
        f"Softmax: {named(CLASSES, stable, fixed)}.\n"
        f"In 32-bit floats the exponentials sum to {verdict}."
    )
    return View(softmax_bars(CLASSES, z, naive, stable), text)
