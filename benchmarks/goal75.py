"""VGG11 to 75 % on CIFAR-10, by notebook 04's recipe for a laptop, data loading included.

It takes minutes. Every epoch is saved: stopped by Ctrl-C, the same command goes on.
"""

import time
from pathlib import Path

from benchmarks import ours
from benchmarks.rows import Row, Scale
from labutils.device import seed_everything
from labutils.training import models, recipes

GOAL = 0.75
BUDGET = 3.5 * 50_000  # images
ROW = Row("vgg11_to_75", "VGG11 to 75 % on CIFAR-10", "3.5 epochs", "images", at_least=1.0)
CHECKPOINTS = Path(".work") / "benchmarks"


class To75:
    ROWS = (ROW,)

    @staticmethod
    def measure(scale: Scale):
        recipe = recipes.VGG11["smoke" if scale.quick else "cpu"]
        start = time.perf_counter()
        train, test = ours.load("cifar10", scale)
        loading = time.perf_counter() - start
        seed_everything(0)
        checkpoint = None if scale.quick else CHECKPOINTS / f"{recipe.name}_to_75.pt"
        history = recipes.train(
            recipe, models.MODELS[recipe.model](), train, test, checkpoint=checkpoint, verbose=False
        )
        if len(history) < recipe.num_epochs:
            raise KeyboardInterrupt
        if checkpoint is not None:
            checkpoint.unlink()
        reached = [i for i, share in enumerate(history.test_accuracy, 1) if share >= GOAL]
        accuracies = ", ".join(f"{100 * share:.1f}" for share in history.test_accuracy)
        seconds = loading + sum(history.seconds[: reached[0] if reached else None])
        notes = {
            ROW.name: f"seed 0, test accuracy by epoch {accuracies} %; "
            + (
                f"75 % reached after {seconds:.0f} s"
                if reached
                else f"not reached in {seconds:.0f} s"
            )
            + f", {loading:.1f} s of them for loading the data"
        }
        if reached or scale.quick:
            images = (reached or [1])[0] * min(len(train), recipe.num_images or len(train))
            yield {ROW.name: (images, BUDGET), "notes": notes}
        else:
            yield {"notes": notes}
