"""Recipes of training as data: one place that the notebooks and the reference runs share.

``recipes.VGG11["cpu"]`` is the recipe of notebook 04 on a laptop. Its fields can be read aloud, and
its methods make the batches, the optimizer and the schedule that they describe. What
``recipes.train(recipe, model, train, test)`` does, written out::

    train_batches, test_batches = recipe.make_batches(train, test, device)
    optimizer = recipe.make_optimizer(model)
    scheduler = recipe.make_scheduler(optimizer, len(train_batches))
    history = training.fit(model, train_batches, test_batches, optimizer=optimizer,
                           scheduler=scheduler, **recipe.fit_settings(device))
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from labutils import data, speed
from labutils.device import device_of
from labutils.training import models
from labutils.training.estimate import estimate_seconds, say_seconds
from labutils.training.history import History
from labutils.training.loop import fit

# The longest announced training on a GPU, in seconds: on one with fast bfloat16 (an A100), and on
# an older one (a T4).
LESSON, LESSON_ON_OLDER_GPU = 5 * 60, 15 * 60

AUGMENTATIONS = {
    "flip": data.random_flip,
    "crop": data.random_crop(padding=4),
    "small crop": data.random_crop(padding=2),
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a network is trained, but the seed.

    Attributes:
        name: of the recipe, and of its reference run.
        model: a name in ``models.MODELS``; a notebook trains the student's own instead.
        dataset: ``"mnist"`` or ``"cifar10"``.
        num_images: train on the first so many images; ``None`` for all.
        optimizer: ``"SGD"`` or ``"Adam"``.
        lr: learning rate; the highest one, where there is a schedule.
        schedule: ``None`` (constant) or ``"one-cycle"``: the rate rises in a straight line from
            almost nothing over the first ``warmup`` share of all steps, then falls as straight.
        augment: what is done to training images, in this order: ``"flip"``, ``"crop"`` (by
            up to 4 pixels), ``"small crop"`` (2).
        grad_clip: largest norm of the gradient, or ``None``.
        label_smoothing: this share of each label is spread evenly over all classes, in the training
            loss and in the test loss.
        mean, std: of the normalisation ``(x / 255 - mean) / std``.
        fast: computes in a 16-bit type where the device is faster with it (``labutils.speed``).
        eval_batch_size: images in a test batch; changes nothing but the time.
    """

    name: str
    model: str
    dataset: str
    batch_size: int
    num_epochs: int
    lr: float
    optimizer: str = "SGD"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: str | None = None
    warmup: float = 0.2
    augment: tuple[str, ...] = ()
    grad_clip: float | None = None
    mean: float = 0.5
    std: float = 0.5
    fast: bool = False
    num_images: int | None = None
    eval_batch_size: int = 250
    label_smoothing: float = 0.0

    def make_batches(self, train, test=None, device=None):
        """Return the training and the test ``data.Batches`` of two ``ImageSet``s.

        Without ``test``, the second answer is ``None``.
        """
        if self.num_images is not None:
            train = train.subset(self.num_images)
            test = test and test.subset(self.num_images)
        common = {
            "device": device,
            "mean": self.mean,
            "std": self.std,
            "channels_last": speed.fast_memory_format(device or "cpu") is torch.channels_last,
        }
        batches = data.Batches(
            train, self.batch_size, shuffle=True, augment=augmentation(self.augment), **common
        )
        return batches, test and data.Batches(test, self.eval_batch_size, **common)

    def make_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's parameters."""
        # Fused: one pass over all weights, not one for each operation. It counts where the weights
        # are many and the batches small.
        fused = device_of(model).type in ("cpu", "cuda")
        common = {"lr": self.lr, "weight_decay": self.weight_decay, "fused": fused}
        if self.optimizer == "Adam":
            return torch.optim.Adam(model.parameters(), **common)
        return torch.optim.SGD(
            model.parameters(), momentum=self.momentum, nesterov=self.nesterov, **common
        )

    def make_scheduler(self, optimizer: torch.optim.Optimizer, steps_per_epoch: int):
        """Return the schedule, to be stepped after every batch, or ``None``."""
        if self.schedule is None:
            return None
        curve = OneCycle(self.num_epochs * steps_per_epoch, self.warmup)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, curve)

    def fit_settings(self, device) -> dict:
        """Return the recipe's keyword arguments for ``training.fit``."""
        loss_fn = models.LOSSES.get(self.model, F.cross_entropy)
        if self.label_smoothing:
            loss_fn = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)
        return {
            "loss_fn": loss_fn,
            "num_epochs": self.num_epochs,
            "step_scheduler": "batch",
            "grad_clip": self.grad_clip,
            "dtype": self.number_type(device),
        }

    def number_type(self, device) -> torch.dtype | None:
        """Return what the network is computed in on this device; ``None``: its own type."""
        return speed.fast_dtype(device) if self.fast else None

    def as_dict(self) -> dict:
        """Return the fields as plain values, for JSON."""
        fields = dataclasses.asdict(self)
        return fields | {"augment": list(self.augment)}

    def describe(self) -> str:
        """Return the recipe in a sentence."""
        parts = [
            f"{self.num_epochs} epoch{'s' * (self.num_epochs > 1)} of batches of {self.batch_size}"
        ]
        step = f"{self.optimizer}, learning rate {self.lr:g}"
        if self.momentum:
            step += f", {'Nesterov ' * self.nesterov}momentum {self.momentum:g}"
        if self.weight_decay:
            step += f", weight decay {self.weight_decay:g}"
        parts.append(step)
        if self.schedule:
            parts.append(f"{self.schedule} schedule with {100 * self.warmup:.0f} % warm-up")
        if self.augment:
            parts.append(f"random {' and '.join(self.augment)}")
        if self.grad_clip:
            parts.append(f"gradients clipped to norm {self.grad_clip:g}")
        if self.label_smoothing:
            parts.append(f"labels smoothed by {self.label_smoothing:g}")
        if self.num_images:
            parts.append(f"the first {self.num_images:,} images only")
        return "; ".join(parts)


class OneCycle:
    """The share of the highest learning rate at a step: straight up, then straight down.

    After Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2018, without the last phase.
    """

    def __init__(self, num_steps: int, warmup: float):
        self.num_steps = num_steps
        self.top = max(1, round(warmup * num_steps))  # the step with the whole rate

    def __call__(self, step: int) -> float:
        rising = (step + 1) / (self.top + 1)
        falling = (self.num_steps - step) / max(1, self.num_steps - self.top)
        return max(0.0, min(rising, falling))


def augmentation(names):
    """Return a function that applies the named augmentations in turn; ``None`` for none."""
    if not names:
        return None

    def augment(images):
        for name in names:
            images = AUGMENTATIONS[name](images)
        return images

    augment.__qualname__ = "+".join(names)  # how a checkpoint calls it
    return augment


def train(
    recipe: Recipe, model: nn.Module, train_set, test_set=None, *, announce=False, **settings
) -> History:
    """Train ``model`` by the recipe, on the device it is on; ``settings`` go to ``training.fit``.

    Args:
        train_set, test_set: ``ImageSet``; the test set may be left out.
        announce: before it begins, print the recipe, and how long a whole training takes here. On
            a GPU that needs longer than a lesson has, train for a quarter of the epochs, and say so
            (:func:`for_a_lesson`).
    """
    device = device_of(model)
    model.to(memory_format=speed.fast_memory_format(device))
    train_batches, test_batches = recipe.make_batches(train_set, test_set, device)
    if announce:
        seconds = estimate_seconds(
            model,
            train_batches,
            recipe.num_epochs,
            settings.get("loss_fn") or recipe.fit_settings(device)["loss_fn"],
            test_loader=test_batches,
            dtype=recipe.number_type(device),
        )
        print(recipe.describe().replace("; ", "\n"))
        print(f"A whole training takes {say_seconds(seconds)} here.", flush=True)
        recipe, settings["checkpoint"] = for_a_lesson(
            recipe, device, seconds, settings.get("checkpoint")
        )
    optimizer = recipe.make_optimizer(model)
    scheduler = recipe.make_scheduler(optimizer, len(train_batches))
    settings = recipe.fit_settings(device) | settings
    return fit(
        model, train_batches, test_batches, optimizer=optimizer, scheduler=scheduler, **settings
    )


def for_a_lesson(recipe: Recipe, device, seconds: float, checkpoint=None):
    """Return the recipe that a lesson has time for on this device, and its checkpoint's file.

    On a GPU where ``seconds``, the estimate for the whole training, are too many, that is a quarter
    of the epochs, with a file of its own; a line says so. What has begun goes on as it began,
    whatever the estimate says another day: the file that exists decides.
    """
    is_new = recipe.number_type(device) is torch.bfloat16
    is_short = seconds > (LESSON if is_new else LESSON_ON_OLDER_GPU)
    whole = checkpoint and Path(checkpoint)
    short = whole and whole.with_stem(f"{whole.stem}_short")
    if whole and (whole.exists() or short.exists()):
        is_short = not whole.exists()
    if device.type != "cuda" or not is_short:
        return recipe, checkpoint
    num_epochs = max(1, recipe.num_epochs // 4)
    print(f"To fit a lesson, it trains for {num_epochs} of the {recipe.num_epochs} epochs", end="")
    print(f", with the checkpoint {short}." if short else ".", flush=True)
    return dataclasses.replace(recipe, name=f"{recipe.name}_short", num_epochs=num_epochs), short


def _budgets(cpu: Recipe, name: str, smoke: dict, gpu: dict | None = None) -> dict[str, Recipe]:
    """One recipe per budget; one that differs from ``cpu`` has a name of its own."""
    recipes = {"smoke": dataclasses.replace(cpu, name=f"{name}_smoke", **smoke), "cpu": cpu}
    recipes["gpu"] = dataclasses.replace(cpu, name=f"{name}_gpu", **gpu) if gpu else cpu
    return recipes


_MLP = Recipe(
    "mlp", "mlp", "mnist", 64, num_epochs=5, lr=0.001, optimizer="Adam", mean=0.0, std=1.0
)  # fmt: skip
MLP = _budgets(_MLP, "mlp", smoke={"num_epochs": 1, "num_images": 1000})

# The lecture's exercise 1, with its double softmax and without.
_LOGITS = Recipe(
    "cnn_logits", "cnn", "cifar10", 8, num_epochs=4, lr=0.001, momentum=0.9,
    eval_batch_size=1000,  # so small a network answers 250 images before two threads have met
)  # fmt: skip
_TWICE = dataclasses.replace(_LOGITS, name="cnn_double_softmax", model="cnn_softmax")
_SMOKE = {"num_epochs": 2, "num_images": 2000}
CNN_LOGITS = _budgets(_LOGITS, "cnn_logits", _SMOKE)
CNN_DOUBLE_SOFTMAX = _budgets(_TWICE, "cnn_double_softmax", _SMOKE)

_VGG11 = Recipe(
    "vgg11_cpu", "vgg11", "cifar10", 64, num_epochs=3, lr=0.03, momentum=0.9, nesterov=True,
    weight_decay=5e-4, schedule="one-cycle", augment=("flip",), grad_clip=5.0, fast=True,
)  # fmt: skip
_VGG16 = dataclasses.replace(
    _VGG11, name="vgg16_cpu", model="vgg16", num_epochs=2,
    num_images=25_000,  # half of them: notebook 05 has other networks to train as well
)  # fmt: skip
# Longer than a lesson: how far a CPU gets in an hour or less, on the way to the gpu recipes.
_LONG = {"augment": ("flip", "crop"), "num_images": None}
_GPU = _LONG | {"batch_size": 128, "lr": 0.05}
_SMOKE_11 = {"num_epochs": 1, "num_images": 512, "eval_batch_size": 128}
_SMOKE_16 = _SMOKE_11 | {"num_images": 256}
_VGG11_LONG = dataclasses.replace(_VGG11, name="vgg11_long", num_epochs=6, **_LONG)
_VGG16_LONG = dataclasses.replace(_VGG16, name="vgg16_long", num_epochs=3, **_LONG)
# Notebook 07's mini-GoogLeNet, without and with auxiliary heads.
_GOOGLENET = dataclasses.replace(_VGG11, name="googlenet_cpu", model="googlenet")
_HEADS = dataclasses.replace(_GOOGLENET, name="googlenet_heads_cpu", model="googlenet_heads")
GOOGLENET = _budgets(_GOOGLENET, "googlenet", _SMOKE_11, gpu=_GPU | {"num_epochs": 40})
GOOGLENET_HEADS = _budgets(_HEADS, "googlenet_heads", _SMOKE_11, gpu=_GPU | {"num_epochs": 40})
VGG11 = _budgets(_VGG11, "vgg11", _SMOKE_11, gpu=_GPU | {"num_epochs": 60})
VGG16 = _budgets(_VGG16, "vgg16", _SMOKE_16, gpu=_GPU | {"num_epochs": 100})
VGG11_LONG = _budgets(_VGG11_LONG, "vgg11_long", _SMOKE_11)
VGG16_LONG = _budgets(_VGG16_LONG, "vgg16_long", _SMOKE_16)
# For the filters of its first layer: a few minutes on a CPU.
_SMALL_ALEXNET = Recipe(
    "small_alexnet", "small_alexnet", "cifar10", 64, num_epochs=4, lr=0.02, momentum=0.9,
    nesterov=True, weight_decay=5e-4, schedule="one-cycle", augment=("flip", "crop"),
    grad_clip=5.0, fast=True,
)  # fmt: skip
SMALL_ALEXNET = _budgets(_SMALL_ALEXNET, "small_alexnet", _SMOKE_11)

# Notebook 08's network worth waiting for. On a GPU it is wider.
_RESNET = Recipe(
    "resnet_cpu", "laptop_resnet", "cifar10", 128, num_epochs=8, lr=0.1, momentum=0.9,
    nesterov=True, weight_decay=5e-4, schedule="one-cycle", augment=("flip", "small crop"),
    fast=True, label_smoothing=0.1,
)  # fmt: skip
_WIDE = {"model": "wide_resnet", "batch_size": 512, "num_epochs": 16, "lr": 0.4}
RESNET = _budgets(_RESNET, "resnet", _SMOKE_11, gpu=_WIDE | {"eval_batch_size": 1000})
# Its race of plain and residual networks: by training loss, so nothing is done to the images.
_RACER = Recipe(
    "racer", "plain20_half", "cifar10", 128, num_epochs=3, lr=0.1, momentum=0.9, nesterov=True,
    weight_decay=1e-4, schedule="one-cycle", fast=True, num_images=15_000,
)  # fmt: skip
_RACE_GPU = {"num_epochs": 5, "num_images": None, "eval_batch_size": 1000}
RACE = {
    name: _budgets(
        dataclasses.replace(_RACER, name=f"{name}_cpu", model=f"{name}_half"),
        name,
        smoke={"num_epochs": 1, "num_images": 256},
        gpu=_RACE_GPU | {"model": name},
    )
    for name in models.RACE
}

RECIPES = {
    "mlp": MLP,
    "cnn_double_softmax": CNN_DOUBLE_SOFTMAX,
    "cnn_logits": CNN_LOGITS,
    "vgg11": VGG11,
    "vgg16": VGG16,
    "vgg11_long": VGG11_LONG,
    "vgg16_long": VGG16_LONG,
    "small_alexnet": SMALL_ALEXNET,
    "googlenet": GOOGLENET,
    "googlenet_heads": GOOGLENET_HEADS,
    "resnet": RESNET,
    **RACE,
}
