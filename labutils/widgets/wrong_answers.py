"""The browser of a network's mistakes: each image, and the probabilities given to its classes."""

import math

import numpy as np

from labutils.plotting.colors import DARK, GREEN, ORANGE
from labutils.plotting.figure import Picture
from labutils.plotting.inputs import as_images, as_labels, as_probabilities, same_length
from labutils.plotting.results import surest_mistakes
from labutils.plotting.sheet import WIDTH, Sheet, message
from labutils.plotting.words import fixed, listing, plural, sentences, short

from .controls import slider, step_buttons
from .explorer import Explorer, View

MOST_BARS = 10  # classes beside an image
EDGE, SIDE = 6, 190  # pixels, at the left, and of the image


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
        return View(_answer_bars(pixels, row, classes, int(true)), text)

    controls = {"mistake": slider("mistake", 1, max(len(wrong), 1), 1)}
    return Explorer("The mistakes browser", controls, draw, buttons=step_buttons("mistake"))


def _answer_bars(image, probabilities, classes, true: int) -> Picture:
    """Draw an image beside the probabilities that a network gave to its classes.

    The true class is hatched and in bold, the network's answer has a thick edge; both are named.

    Args:
        image: as :meth:`Sheet.image` takes it.
        probabilities: [K]; of more than ten classes the most probable ten and the true one.
        classes: K names.
        true: the right class.
    """
    answer = int(np.argmax(probabilities))
    shown = sorted({*np.argsort(-probabilities, kind="stable")[:MOST_BARS].tolist(), true})
    top, row, bar = 30, 24, 17
    sheet = Sheet(WIDTH, top + max(SIDE, row * len(shown)) + EDGE, hatch=GREEN)
    sheet.words(EDGE, 18, f"true: {short(classes[true])}", bold=True)
    sheet.framed(EDGE, top, SIDE, image)
    left, full = 312, 200
    sheet.words(left, 18, "probability", bold=True)
    for place, label in enumerate(shown):
        y = top + place * row
        color = GREEN if label == true else ORANGE if label == answer else DARK
        value = float(probabilities[label])
        width = full * value if math.isfinite(value) else 0.0
        fill = "hatch" if label == true else ""
        sheet.words(left - 8, y + 14, short(classes[label]), align="end", bold=label == true)
        sheet.box(left, y, width, bar, color, fill=fill, line=3 if label == answer else 1)
        note = " true" if label == true else ""
        note += " answer" if label == answer else ""
        sheet.words(left + width + 6, y + 14, fixed(value) + note)
    sheet.line(left, top - 4, left, top + row * len(shown))
    given = listing((f"{classes[label]} {fixed(probabilities[label])}" for label in shown), 12)
    said = f"An image of the class {classes[true]}, taken for {classes[answer]}"
    return sheet.picture(sentences(said, f"Bars, the true class hatched: {given}"))
