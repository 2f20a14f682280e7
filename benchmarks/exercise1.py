"""Exercise 1 of the lecture: a training step, a test, the whole of it, and the way to 47 %.

Both sides make the same updates of the same network, in the same order: ``data.Batches`` replays
``DataLoader``'s shuffle.
"""

import dataclasses
import time

from benchmarks import lecture, ours, peers
from benchmarks.rows import Group, Row, Scale, in_turn, timed
from labutils import training
from labutils.device import seed_everything
from labutils.training import models, recipes
from labutils.training.reference import describe_images

RECIPE = recipes.CNN_DOUBLE_SOFTMAX["cpu"]
# The same network with logits, on some of the images, at a rate that rises and falls.
QUICK = dataclasses.replace(
    recipes.CNN_LOGITS["cpu"],
    name="cnn_quick",
    batch_size=32,
    num_epochs=1,
    num_images=19_200,
    lr=0.05,
    nesterov=True,
    schedule="one-cycle",
)
GOAL = 0.47  # test accuracy that the lecture's slide ends with
MAX_EPOCHS = 12  # when the lecture's recipe is given up
PRINTED_EVERY = 2000  # batches, as the lecture prints its running loss
LOSS, ACCURACY = 0.002, 0.3  # nats and percentage points that two runs of the same may differ

STEP = Row("exercise1_step", "exercise 1, a training step", "lecture", "ms", at_least=2.0)
STEPS = {
    "lecture": STEP,
    "PyTorch tutorial, 2 workers": dataclasses.replace(
        STEP, name="exercise1_step_tutorial", yardstick="PyTorch tutorial, 2 workers", at_least=None
    ),
} | peers.rows(STEP, STEP.name)
TEST = Row("exercise1_test", "exercise 1, a test on all test images", "lecture", "s", at_least=8.0)
WHOLE = Row("exercise1_whole", "exercise 1, 4 epochs with tests", "lecture", "s", at_least=2.2)
SAME_LOSS, SAME_ACCURACY = (
    Row(
        f"exercise1_same_{name}",
        f"largest difference of a {what}, order replayed",
        f"{limit:g} allowed",
        unit,
        "ours / theirs",
        at_most=1.0,
    )
    for name, what, limit, unit in (
        ("loss", "running loss", LOSS, "nats"),
        ("accuracy", "test accuracy", ACCURACY, "points"),
    )
)
TO_47 = Row("exercise1_to_47", "exercise 1, to 47 %", "lecture's recipe", "s", at_least=15.0)


def measure_step(scale: Scale):
    train = ours.load("cifar10", scale)[0].subset(scale.pick(8000, 200))
    epoch = (models.cnn_softmax, train, RECIPE.batch_size, RECIPE.lr)
    contestants = peers.epochs(*epoch) | {
        "ours": lambda: ours.epoch_seconds(RECIPE, train),
        "PyTorch tutorial, 2 workers": peers.epochs(*epoch, num_workers=2)["lecture"],
    }
    for seconds in in_turn(contestants, scale.rounds):
        ms = {name: 1000 * RECIPE.batch_size * its / len(train) for name, its in seconds.items()}
        own = ms.pop("ours")
        yield {STEPS[name].name: (own, theirs) for name, theirs in ms.items()}


def measure_test(scale: Scale):
    test = ours.load("cifar10", scale)[1].subset(scale.pick(10_000, 400))
    model = models.cnn_softmax()
    _, batches = RECIPE.make_batches(test, test)
    _, loader = lecture.loaders(test, test, RECIPE.batch_size)
    contestants = {
        "ours": lambda: timed(training.evaluate, model, batches)[0],
        "lecture": lambda: timed(lecture.accuracy, model, loader)[0],
    }
    for seconds in in_turn(contestants, scale.rounds):
        yield {TEST.name: (seconds["ours"], seconds["lecture"])}


def measure_whole(scale: Scale):
    """One run of the lecture's code gives all rows: it goes on until it has reached 47 %."""
    train, test = ours.load("cifar10", scale)
    images = describe_images(train, test)["words"]
    train, test = train.subset(scale.pick(50_000, 400)), test.subset(scale.pick(10_000, 400))

    def train_ours(recipe, model):
        return recipes.train(recipe, model, train, test, verbose=False)

    for seed in range(scale.first, scale.first + scale.rounds):
        seed_everything(seed)
        own, history = timed(train_ours, RECIPE, models.cnn_softmax())
        theirs = _lecture_run(train, test, seed, scale)
        seed_everything(seed)
        seconds, quick = timed(train_ours, QUICK, models.cnn())
        reached = quick.test_accuracy[-1]
        loss, accuracy = _differences(history, theirs)
        measured = {
            WHOLE.name: (own, theirs["seconds"][RECIPE.num_epochs - 1]),
            SAME_LOSS.name: (loss, LOSS),
            SAME_ACCURACY.name: (100 * accuracy, ACCURACY),
        }
        if scale.quick or min(reached, theirs["accuracy"][-1]) >= GOAL:
            measured[TO_47.name] = (seconds, theirs["seconds"][-1])
        notes = _notes(seed, reached, theirs["accuracy"])
        yield measured | {"notes": notes, "images": images}


def _lecture_run(train, test, seed: int, scale: Scale) -> dict:
    """Train as the lecture does, for its epochs and on to the goal; what came out, by epoch."""
    seed_everything(seed)
    model = models.cnn_softmax()
    optimizer = lecture.sgd(model, RECIPE.lr)
    train_loader, test_loader = lecture.loaders(train, test, RECIPE.batch_size)
    losses, accuracies, seconds = [], [], []
    num_epochs = RECIPE.num_epochs
    start = time.perf_counter()
    while len(losses) < num_epochs or (
        accuracies[-1] < GOAL and len(losses) < scale.pick(MAX_EPOCHS, num_epochs)
    ):
        losses.append(lecture.train_epoch(model, train_loader, optimizer))
        accuracies.append(lecture.accuracy(model, test_loader))
        seconds.append(time.perf_counter() - start)
    return {"losses": losses, "accuracy": accuracies, "seconds": seconds}


def _differences(history, theirs) -> tuple[float, float]:
    """The largest difference of a running loss as the lecture prints it, and of an accuracy."""
    other = training.History(batch_loss=theirs["losses"][: len(history)])
    every = min(PRINTED_EVERY, len(theirs["losses"][0]))
    losses = zip(history.running_loss(every), other.running_loss(every), strict=True)
    pairs = [pair for epochs in losses for pair in zip(*epochs, strict=True)]
    accuracies = zip(history.test_accuracy, theirs["accuracy"], strict=False)
    return max(abs(a - b) for a, b in pairs), max(abs(a - b) for a, b in accuracies)


def _notes(seed: int, reached: float, accuracies: list[float]) -> dict:
    by_epoch = ", ".join(f"{100 * accuracy:.1f}" for accuracy in accuracies)
    return {
        WHOLE.name: f"seed {seed}: the lecture's test accuracy by epoch {by_epoch} %",
        TO_47.name: f"seed {seed}: ours {100 * reached:.1f} %, the lecture's recipe "
        f"{100 * accuracies[-1]:.1f} % after {len(accuracies)} epochs",
    }


GROUPS = {
    "exercise1_step": Group(tuple(STEPS.values()), measure_step),
    "exercise1_test": Group((TEST,), measure_test),
    "exercise1_whole": Group((WHOLE, SAME_LOSS, SAME_ACCURACY, TO_47), measure_whole),
}
