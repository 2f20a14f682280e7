"""An epoch of notebook 02's MLP, batch 16: the lecture's pipeline against images in memory."""

import dataclasses

import torch

from benchmarks import lecture, ours
from benchmarks.rows import Group, Row, Scale, in_turn, timed
from labutils.device import seed_everything
from labutils.training import models, recipes
from labutils.training.reference import describe_images

# As on the lecture's slides, but for the loss: their mean squared error cannot take labels.
RECIPE = dataclasses.replace(
    recipes.MLP["cpu"], name="mlp_16", batch_size=16, num_epochs=1, lr=0.01, weight_decay=0.001
)
EPOCH = Row("mnist_epoch", "an epoch of the MLP, batch 16", "lecture", "s", at_least=2.5)
SEED = 0


def measure(scale: Scale):
    train, test = ours.load("mnist", scale)
    images = describe_images(train, test)["words"]
    train = train.subset(scale.pick(60_000, 320))
    losses = {}

    def own():
        seed_everything(SEED)
        history = recipes.train(RECIPE, models.mlp(), train, verbose=False)
        losses["ours"] = history.batch_loss[0]
        return history.seconds[0]

    def theirs():
        seed_everything(SEED)
        model = models.mlp()
        loader, _ = lecture.loaders(train, train, RECIPE.batch_size)
        optimizer = torch.optim.Adam(
            model.parameters(), lr=RECIPE.lr, weight_decay=RECIPE.weight_decay
        )
        seconds, losses["lecture"] = timed(lecture.train_epoch, model, loader, optimizer)
        return seconds

    for seconds in in_turn({"ours": own, "lecture": theirs}, scale.rounds, warm_up=False):
        mean, other = (sum(values) / len(values) for values in losses.values())
        note = f"order replayed: mean loss of the epoch {mean:.4f} and {other:.4f}"
        measured = {EPOCH.name: (seconds["ours"], seconds["lecture"])}
        yield measured | {"notes": {EPOCH.name: note}, "images": images}


GROUPS = {"mnist_epoch": Group((EPOCH,), measure)}
