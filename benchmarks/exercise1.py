"""Exercise 1 of the lecture: a training step, a test, the whole of it, and the way to 47 %.

Both sides make the same updates of the same network, in the same order: ``data.Batches`` replays
``DataLoader``'s shuffle.
"""

import dataclasses
import time

import torch

from benchmarks import lecture, ours, peers
from benchmarks.rows import Row, Scale, in_turn
from labutils import training
from labutils.device import seed_everything
from labutils.training import models, recipes

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

STEP = Row("exercise1_step", "exercise 1, a training step", "lecture", "ms", at_least=2.0)
TUTORIAL = Row(
    "exercise1_step_tutorial", "exercise 1, a training step", "PyTorch tutorial, 2 workers", "ms"
)
PEERS = {
    name: Row(f"exercise1_step_{name.lower()}", "exercise 1, a training step", name, "ms",
              at_least=1.0)
    for name in peers.PACKAGES
}  # fmt: skip
TEST = Row("exercise1_test", "exercise 1, a test on all test images", "lecture", "s", at_least=8.0)
WHOLE = Row("exercise1_whole", "exercise 1, 4 epochs with tests", "lecture", "s", at_least=2.2)
SAME_LOSS = Row(
    "exercise1_same_loss",
    "largest difference of a running loss, order replayed",
    "0.002 allowed",
    "nats",
    "ours / theirs",
    at_most=1.0,
)
SAME_ACCURACY = Row(
    "exercise1_same_accuracy",
    "largest difference of a test accuracy, order replayed",
    "0.3 allowed",
    "points",
    "ours / theirs",
    at_most=1.0,
)
TO_47 = Row("exercise1_to_47", "to 47 % on CIFAR-10", "lecture's recipe", "s", at_least=15.0)


def _sgd(model):
    return torch.optim.SGD(model.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum)


class Step:
    ROWS = (STEP, TUTORIAL, *PEERS.values())

    @staticmethod
    def measure(scale: Scale):
        train, _ = ours.load("cifar10", scale)
        train = train.subset(scale.pick(8000, 200))
        dataset, steps = lecture.dataset(train), len(train) / RECIPE.batch_size

        def by_lecture(num_workers):
            def run():
                model = models.cnn_softmax()
                loader, _ = lecture.loaders(train, train, RECIPE.batch_size, num_workers)
                start = time.perf_counter()
                lecture.train_epoch(model, loader, _sgd(model))
                return time.perf_counter() - start

            return run

        def by_peer(epoch):
            return lambda: epoch(
                models.cnn_softmax(), dataset, RECIPE.batch_size, RECIPE.lr, RECIPE.momentum
            )

        contestants = {
            "ours": lambda: ours.epoch_seconds(RECIPE, train),
            STEP.name: by_lecture(0),
            TUTORIAL.name: by_lecture(2),
        }
        for name, epoch in peers.available().items():
            contestants[PEERS[name].name] = by_peer(epoch)
        for seconds in in_turn(contestants, scale.rounds):
            per_step = {name: 1000 * value / steps for name, value in seconds.items()}
            own = per_step.pop("ours")
            yield {name: (own, theirs) for name, theirs in per_step.items()}


class Test:
    ROWS = (TEST,)

    @staticmethod
    def measure(scale: Scale):
        _, test = ours.load("cifar10", scale)
        test = test.subset(scale.pick(10_000, 400))
        model = models.cnn_softmax()
        _, batches = RECIPE.make_batches(test, test)
        _, loader = lecture.loaders(test, test, RECIPE.batch_size)

        def timed(function, *arguments):
            def run():
                start = time.perf_counter()
                function(*arguments)
                return time.perf_counter() - start

            return run

        contestants = {
            "ours": timed(training.evaluate, model, batches),
            "lecture": timed(lecture.accuracy, model, loader),
        }
        for seconds in in_turn(contestants, scale.rounds):
            yield {TEST.name: (seconds["ours"], seconds["lecture"])}


class Whole:
    """One run of the lecture's code gives all rows: it goes on until it has reached 47 %."""

    ROWS = (WHOLE, SAME_LOSS, SAME_ACCURACY, TO_47)

    @staticmethod
    def measure(scale: Scale):
        train, test = ours.load("cifar10", scale)
        train = train.subset(scale.pick(50_000, 400))
        test = test.subset(scale.pick(10_000, 400))
        for seed in range(scale.first, scale.first + scale.rounds):
            seed_everything(seed)
            model = models.cnn_softmax()
            start = time.perf_counter()
            history = recipes.train(RECIPE, model, train, test, verbose=False)
            own = time.perf_counter() - start

            theirs = _lecture_run(train, test, seed, scale)

            seed_everything(seed)
            start = time.perf_counter()
            quick = recipes.train(QUICK, models.cnn(), train, test, verbose=False)
            seconds, reached = time.perf_counter() - start, quick.test_accuracy[-1]

            loss, accuracy = _differences(history, theirs)
            measured = {
                WHOLE.name: (own, theirs["seconds"][RECIPE.num_epochs - 1]),
                SAME_LOSS.name: (loss, 0.002),
                SAME_ACCURACY.name: (100 * accuracy, 0.3),
            }
            if scale.quick or min(reached, theirs["accuracy"][-1]) >= GOAL:
                measured[TO_47.name] = (seconds, theirs["seconds"][-1])
            yield measured | {"notes": _notes(seed, reached, theirs["accuracy"])}


def _lecture_run(train, test, seed: int, scale: Scale) -> dict:
    """Train as the lecture does, for its epochs and on to the goal; what came out, by epoch."""
    seed_everything(seed)
    model = models.cnn_softmax()
    optimizer = _sgd(model)
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
