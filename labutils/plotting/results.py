"""What a model got right and wrong: predictions, mistakes, confusion, accuracy by class."""

import numpy as np

from .bars import bar_look
from .colors import GREEN, LIGHT, ORANGE
from .figure import WIDTH, new_axes, new_figure, panel_title, series_style, show, write
from .images import tiles
from .inputs import as_images, as_labels, as_named, as_predictions, as_probabilities, same_length
from .words import about, fixed, listing, percent, plural, sentences


@series_style()
def mistakes(images, labels, probabilities, classes, *, mean=None, std=None) -> None:
    """Show the mistakes the model was surest of, at most 16, each with the probability it gave.

    Args:
        images: N images, as for :func:`image_grid`.
        labels: the N right answers.
        probabilities: [N, K], rows sum to 1.
        classes: K names.
    """
    probabilities = as_probabilities(probabilities, classes)
    labels = as_labels(labels, classes, length=len(probabilities))
    same_length(images=images, labels=labels)
    wrong = surest_mistakes(labels, probabilities)
    summary = f"{plural(len(wrong), 'mistake')} among {plural(len(labels), 'image')}"
    if len(wrong) == 0:
        fig = new_figure(1.0, 5)
        fig.text(0.02, 0.5, f"No mistakes among {plural(len(labels), 'image')}.")
        show(fig, alt=sentences(f"{summary}: no picture"))
        return
    predicted, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    worst = wrong[:16]
    chosen = [images[i] for i in worst] if isinstance(images, (list, tuple)) else images[worst]
    named = [(classes[labels[i]], classes[predicted[i]], fixed(sureness[i])) for i in worst]
    titles = [f"{true}\n→ {answer}\np = {p}" for true, answer, p in named]
    heading = f"{summary}: true class → answer, and its p"
    fig = tiles(as_images(chosen, mean, std), titles, title=heading)
    said = listing(f"{true} taken for {answer} (p = {p})" for true, answer, p in named[:3])
    show(fig, alt=sentences(summary, f"The surest of them: {said}"))


def surest_mistakes(labels, probabilities) -> np.ndarray:
    """Return the places of all wrong answers, from the one given most surely on.

    Args:
        labels: numpy array of the N right answers.
        probabilities: numpy array [N, K]; the answer is the most probable class.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


@series_style()
def predictions(images, probabilities, classes, labels, *, mean=None, std=None) -> None:
    """Show images, each above bars of its three most probable classes; the true one is hatched.

    Args:
        images: N images, as for :func:`image_grid`; a few.
        probabilities: [N, K].
        classes: K names.
        labels: the N right answers.
    """
    from matplotlib.patheffects import withStroke

    probabilities = as_probabilities(probabilities, classes)
    pixels = as_images(images, mean, std)
    same_length(images=pixels, probabilities=probabilities)
    labels = as_labels(labels, classes, length=len(pixels))
    columns = min(4, len(pixels))
    rows = -(-len(pixels) // columns)
    fig = new_figure(2.6 * rows, WIDTH * max(columns, 2) / 4)
    axes = fig.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 2] * rows)
    for axis in axes.flat:
        axis.set_axis_off()
    halo = [withStroke(linewidth=2.5, foreground="white")]
    said = []
    for index, (image, row, true) in enumerate(zip(pixels, probabilities, labels, strict=True)):
        above, below = axes[2 * (index // columns) :, index % columns][:2]
        above.imshow(image)
        best = np.argsort(-row, kind="stable")[:3]
        for place, label in enumerate(best):
            color, hatch = (GREEN, "///") if label == true else (ORANGE, "")
            look = {"color": LIGHT[color], "edgecolor": color, "hatch": hatch}
            below.barh(-place, row[label], **look)
            text = f"{classes[label]}  {fixed(row[label])}"
            below.text(0.03, -place, text, va="center", fontsize=9, path_effects=halo)
        below.set_xlim(0, 1)
        verdict = "right" if best[0] == true else "wrong"
        above.set_title(f"true: {classes[true]}, {verdict}", fontsize=9, fontweight="normal")
        answer = f"answered {classes[best[0]]} with p = {fixed(row[best[0]])}"
        said.append(f"{classes[true]}: {verdict}, {answer}")
    show(fig, alt=sentences(*said[:8], f"And {len(said) - 8} more" if len(said) > 8 else ""))


@series_style()
def confusion_matrix(predictions, labels, classes, *, title="") -> None:
    """Show how often each true class (row) got each answer (column), in percent of the row.

    Args:
        predictions: labels [N], or logits or probabilities [N, K].
        labels: the N right answers.
        classes: K names.
    """
    labels = as_labels(labels, classes)
    predicted = as_predictions(predictions, classes, len(labels))
    size = len(classes)
    counts = np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    fig, (axis,) = new_axes(1, 1, 5.2, 6.4)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.grid(False)
    axis.set_xticks(range(size), classes, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(size), classes)
    axis.set(xlabel="answer of the model", ylabel="true class")
    accuracy = (predicted == labels).mean()
    panel_title(axis, title or f"Percent of each true class; accuracy {percent(accuracy)}")
    if size <= 20:
        for row, column in np.argwhere(counts > 0):
            share = shares[row, column]
            color = "white" if share > 0.5 else "black"
            write(axis, column, row, f"{100 * share:.0f}", color=color, fontsize=8.5)
    show(fig, alt=sentences(title, *_confusion_words(counts, totals, accuracy, classes)))


def _confusion_words(counts, totals, accuracy, classes):
    """Accuracy, best and worst class, and the commonest confusions."""
    seen = np.flatnonzero(totals)
    recall = np.diag(counts)[seen] / totals[seen]
    best, worst = seen[recall.argmax()], seen[recall.argmin()]
    off = counts - np.diag(np.diag(counts))
    order = np.argsort(-off, axis=None, kind="stable")[:3]
    pairs = [divmod(int(cell), len(classes)) for cell in order]
    common = [
        f"{classes[true]} taken for {classes[answer]} ({off[true, answer]:,} of {totals[true]:,})"
        for true, answer in pairs
        if off[true, answer]
    ]
    yield f"Accuracy {percent(accuracy)} over {plural(int(totals.sum()), 'image')}"
    yield (
        f"Best class {classes[best]} ({percent(recall.max())}), "
        f"worst {classes[worst]} ({percent(recall.min())})"
    )
    yield f"Commonest confusions: {listing(common)}" if common else "No confusion at all"


@series_style()
def per_class_accuracy(predictions, labels, classes, *, title="") -> None:
    """Show which share of each class is answered right, as bars.

    Args:
        predictions: labels [N], or logits or probabilities [N, K]; or several models' by name.
        labels: the N right answers.
        classes: K names.
    """
    labels = as_labels(labels, classes)
    shares, said = {}, []
    present = np.unique(labels)
    names = [str(classes[label]) for label in present]
    for name, given in as_named(predictions, "predictions").items():
        right = as_predictions(given, classes, len(labels)) == labels
        by_class = np.array([right[labels == label].mean() for label in present])
        low, high = by_class.argmin(), by_class.argmax()
        shares[name] = by_class
        text = (
            f"{percent(right.mean())} right overall; worst {names[low]} with "
            f"{percent(by_class[low])}, best {names[high]} with {percent(by_class[high])}"
        )
        said.append(about(name, text))
    fig, (axis,) = new_axes(1, 1, 3.0)
    width = 0.8 / len(shares)
    for index, (name, by_class) in enumerate(shares.items()):
        places = np.arange(len(names)) + (index - (len(shares) - 1) / 2) * width
        bars = axis.bar(places, by_class, width * 0.94, label=name, **bar_look(index))
        if len(shares) < 3:  # else the numbers would touch
            axis.bar_label(bars, fmt=lambda share: f"{100 * share:.0f}", padding=2, fontsize=8.5)
    if len(shares) > 1:
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=3)
    axis.set_xticks(range(len(names)), names, rotation=35 if sum(map(len, names)) > 70 else 0)
    axis.set_ylim(0, 1.1)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    panel_title(axis, title or "Percent answered right, class by class")
    show(fig, alt=sentences(title, *said))
