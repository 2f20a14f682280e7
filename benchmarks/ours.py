"""Our side of every row: a recipe, trained with ``labutils.training.fit``, and its seconds."""

import dataclasses

from torch import nn

from labutils import data
from labutils.device import pick_device
from labutils.training import models, recipes


def load(name: str, scale) -> tuple[data.ImageSet, data.ImageSet]:
    """Return the dataset: the real one, or the sample in a quick run."""
    return data.load(name, source="sample" if scale.quick else "full")


def network(name: str) -> nn.Module:
    """Return a new network of ``models.MODELS``, on the device that is measured."""
    return models.MODELS[name]().to(pick_device())


def epoch_seconds(recipe, images: data.ImageSet, model=None, **changes) -> float:
    """Train a new network (or this one) for one epoch on these images; return the seconds."""
    recipe = dataclasses.replace(recipe, num_epochs=1, num_images=None, **changes)
    model = model or network(recipe.model)
    return recipes.train(recipe, model, images, verbose=False).seconds[0]
