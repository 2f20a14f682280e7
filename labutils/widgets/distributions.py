"""Explorers of notebook 01: from scores to probabilities, and from probabilities to a loss."""

import numpy as np

from labutils.plotting.distributions import cross_entropy_bars, named, softmax_bars
from labutils.plotting.sheet import message
from labutils.plotting.words import fixed

from .controls import choice, slider
from .explorer import Explorer, View

CLASSES = ("cat", "dog", "ship", "frog")
SCORES = (2.0, 1.5, -1.0, 0.0)
WEIGHTS = (60, 30, 0, 10)  # percent
TARGETS = {
    "cat, for sure": (1.0, 0.0, 0.0, 0.0),
    "dog, for sure": (0.0, 1.0, 0.0, 0.0),
    "ship, for sure": (0.0, 0.0, 1.0, 0.0),
    "frog, for sure": (0.0, 0.0, 0.0, 1.0),
    "cat or dog, half each": (0.5, 0.5, 0.0, 0.0),
    "all four alike": (0.25, 0.25, 0.25, 0.25),
}


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
    text = (
        f"Softmax: {named(CLASSES, stable, fixed)}.\n"
        f"In 32-bit floats the exponentials sum to {verdict}."
    )
    return View(softmax_bars(CLASSES, z, naive, stable), text)


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
        f"Prediction: {named(CLASSES, q, fixed)} (the weights, divided by their sum).\n"
        f"Cross-entropy H(p, q) = {_nats(loss)} = entropy H(p) {_nats(entropy)} "
        f"+ KL divergence {_nats(loss - entropy)}.\n"
        f"Gradient by the logits, q − p: {named(CLASSES, q - p, fixed)}."
    )
    return View(cross_entropy_bars(CLASSES, p, q), text)


def _nats(value) -> str:
    return f"{fixed(value + 0.0, 3)} nats"
