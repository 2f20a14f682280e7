"""VGG11 to 75 %, by notebook 04's recipe for a laptop, data loading included.

It takes minutes. Every epoch is saved: stopped by Ctrl-C, the same command goes on.
"""

from pathlib import Path

from benchmarks import ours
from benchmarks.rows import Group, Row, Scale, timed
from labutils.device import seed_everything
from labutils.training import models, recipes
from labutils.training.reference import describe_images

GOAL = 0.75
BUDGET = 3.5 * 50_000  # images
ROW = Row("vgg11_to_75", "VGG11 to 75 %", "3.5 epochs", "images", at_least=1.0)
CHECKPOINTS = Path(".work") / "benchmarks"


def measure(scale: Scale):
    recipe = recipes.VGG11["smoke" if scale.quick else "cpu"]
    loading, (train, test) = timed(ours.load, "cifar10", scale)
    seed_everything(0)
    checkpoint = None if scale.quick else CHECKPOINTS / f"{recipe.name}_to_75.pt"
    model = models.MODELS[recipe.model]()
    history = recipes.train(recipe, model, train, test, checkpoint=checkpoint, verbose=False)
    if len(history) < recipe.num_epochs:
        raise KeyboardInterrupt
    if checkpoint is not None:
        checkpoint.unlink()
    reached = [i for i, share in enumerate(history.test_accuracy, 1) if share >= GOAL]
    accuracies = ", ".join(f"{100 * share:.1f}" for share in history.test_accuracy)
    seconds = loading + sum(history.seconds[: reached[0] if reached else None])
    note = (
        f"seed 0, test accuracy by epoch {accuracies} %; "
        f"{'75 % reached after' if reached else 'not reached in'} {seconds:.0f} s, "
        f"{loading:.1f} s of them for loading the data"
    )
    images = describe_images(train, test)["words"]
    measured = {"notes": {ROW.name: note}, "images": images}
    if reached or scale.quick:
        images = (reached or [1])[0] * min(len(train), recipe.num_images or len(train))
        measured[ROW.name] = (images, BUDGET)
    yield measured


GROUPS = {"vgg11_to_75": Group((ROW,), measure)}
