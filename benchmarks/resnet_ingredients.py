"""``python -m benchmarks.resnet_ingredients``: what each ingredient of notebook 08 brings.

The recipe ``resnet_cpu`` in short: four epochs of the first 15,000 images, a seventh of the whole.
Each row takes one ingredient away, or changes it, and leaves all else as it is; what counts is the
accuracy on all test images after the last epoch. Needs the real dataset. Every run is written when
it ends to ``data/reference_runs/resnet_ingredients.json``, and is not done again: stop it at any
time.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path

from labutils import data
from labutils.device import pick_device, seed_everything
from labutils.files import write_json
from labutils.tools.measure import circumstances
from labutils.training import evaluate, models, recipes
from labutils.training.reference import describe_images

NAME = "resnet_ingredients"
FILE = Path(__file__).parents[1] / "data" / "reference_runs" / f"{NAME}.json"
BASE = dataclasses.replace(recipes.RESNET["cpu"], name=NAME, num_images=15_000, num_epochs=4)
EVERYTHING = "everything"
# By row: what is changed in the network, and what in the recipe.
ROWS = {
    EVERYTHING: ({}, {}),
    "no BatchNorm": ({"batch_norm": False}, {}),
    "no BatchNorm, a tenth of the rate": ({"batch_norm": False}, {"lr": BASE.lr / 10}),
    "no shortcuts": ({"shortcuts": False}, {}),
    "no mirror image in the test": ({"mirrored": False}, {}),
    "no augmentation": ({}, {"augment": ()}),
    "no label smoothing": ({}, {"label_smoothing": 0.0}),
    "a constant rate": ({}, {"schedule": None}),
    "half the batch": ({}, {"batch_size": BASE.batch_size // 2}),
    "twice the batch": ({}, {"batch_size": BASE.batch_size * 2}),
}


def measure(row: str, seed: int, train, test, base=BASE) -> dict:
    """Train a row's network from ``seed``; return what came of it.

    Where the loss stopped being a number, ``test_accuracy`` is empty.
    """
    network, changes = ROWS[row]
    recipe, device = dataclasses.replace(base, **changes), pick_device()
    seed_everything(seed)
    model = models.kaiming_init(models.laptop_resnet(**network)).to(device)
    start, losses, accuracies = time.perf_counter(), [], []
    try:
        losses = recipes.train(recipe, model, train, verbose=False).train_loss
        _, batches = dataclasses.replace(recipe, num_images=None).make_batches(train, test, device)
        accuracies = [evaluate(model, batches, dtype=recipe.number_type(device))[1]]
    except FloatingPointError as error:
        print(f"{row}, seed {seed}: {error}")
    return {
        "row": row,
        "seed": seed,
        "train_loss": [round(loss, 5) for loss in losses],
        "test_accuracy": accuracies,
        "seconds": round(time.perf_counter() - start, 1),
    }


def table(runs: list[dict]) -> str:
    """Return the rows' test accuracies, median and spread, as a text table."""
    width, lines = max(map(len, ROWS)), []
    base = _reached(runs, EVERYTHING)
    for row in ROWS:
        reached = _reached(runs, row)
        line = f"{row:<{width}}  "
        if reached:
            accuracies = reached.values()
            low, high, median = min(accuracies), max(accuracies), statistics.median(accuracies)
            line += f"{median:6.1%}  ({low:.1%} to {high:.1%}, {len(reached)} seeds)"
            gains = [reached[seed] - base[seed] for seed in reached if seed in base]
            if row != EVERYTHING and gains:
                gain, spread = statistics.median(gains), max(base.values()) - min(base.values())
                line += f"  {100 * gain:+.1f} points from the same seeds"
                if abs(gain) <= spread:
                    line += ", inside the seeds' spread"
            lines.append(line)
        if failed := sum(run["row"] == row and not run["test_accuracy"] for run in runs):
            lines.append(f"{row:<{width}}  {failed} seeds went off the rails")
    return "\n".join(lines)


def _reached(runs, row) -> dict[int, float]:
    """Return seed -> test accuracy."""
    return {run["seed"]: its for run in runs if run["row"] == row for its in run["test_accuracy"]}


def main(words=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shared", action="store_true", help="say that the machine was shared")
    parser.add_argument("--file", type=Path, default=FILE, help="where the JSON goes")
    arguments = parser.parse_args(words)

    train, test = data.load(BASE.dataset, source="full")
    content = {"name": NAME, "recipe": BASE.as_dict(), "runs": []}
    if arguments.file.exists():
        content = json.loads(arguments.file.read_text(encoding="utf-8"))
        if content["recipe"] != BASE.as_dict():
            print(f"{arguments.file} was measured with another recipe: delete it to start anew.")
            return 1
    runs = content["runs"]
    done = {(run["row"], run["seed"]) for run in runs}
    about = {"data": describe_images(train, test)}
    about |= circumstances(BASE, pick_device(), arguments.shared)
    for seed in arguments.seeds:
        for row in arguments.rows:
            if (row, seed) not in done:
                runs.append(measure(row, seed, train, test) | about)
                write_json(arguments.file, content)
                print(f"{row}, seed {seed}: {runs[-1]['seconds']:.0f} s", flush=True)
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
