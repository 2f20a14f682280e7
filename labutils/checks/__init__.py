"""Checks of the exercises: ``softmax = check.softmax(softmax)`` says what is wrong and goes on.

:data:`EXERCISES` maps each exercise's name to its :class:`Exercise`.
"""

import importlib

from labutils.checks.frame.exercise import Check, Exercise, Result

__all__ = ["EXERCISES", "Exercise", "Result", "check"]

# One module per notebook, in the order of the series.
_MODULES = (
    "nb01_softmax_cross_entropy",
    "nb02_mnist_mlp",
    "nb03_cifar10_cnn",
    "nb04_vgg11",
    "nb05_vgg16_dropout",
    "nb06_alexnet_output_sizes",
    "nb07_googlenet",
    "nb08_resnet",
    "nb09_several_processes",
)

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for module in _MODULES
    for exercise in importlib.import_module(f"labutils.checks.{module}").EXERCISES
}

check = Check(EXERCISES)
