"""Checks of notebook 05: dropout by hand, VGG16, and predicting with an ensemble."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, close, expect_tensor, show
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Dropout, Network
from labutils.checks.judges.predictors import (
    Probe,
    examine_graph,
    examine_left_alone,
    examine_use,
    probabilities_mistakes,
)
from labutils.checks.judges.values import WrongValue, compare
from labutils.training import models

NOTEBOOK = "05_vgg16_dropout"

# --- dropout --------------------------------------------------------------------------------


def oracle_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """PyTorch's own inverted dropout, any shape."""
    return F.dropout(x, p, training)


def examine_dropout(answer: Callable) -> None:
    """Evaluation; shares, scale and independence in training; p = 0 and 1; seed; gradient."""
    _examine_evaluation(answer)
    for p in (0.2, 0.5):
        _examine_training(answer, p)
    _examine_ends(answer)
    _examine_generator(answer)
    _examine_gradient(answer)


def _examine_evaluation(answer: Callable) -> None:
    x = torch.randn(6, 5)
    for p in (0.2, 1.0):
        call = f"dropout(x, {p}, training=False)"
        got = ask(answer, x, p, False, called="dropout")
        if isinstance(got, Tensor) and got.shape == x.shape and ((got == 0) & (x != 0)).any():
            raise Wrong(
                f"{call} sets entries to zero; expected x as it is.",
                "Dropout is for training only: when training is False, give x back.",
            )
        mistakes = [
            WrongValue(
                x * (1 - p),
                "x · (1 - p)",
                "Scaling in evaluation belongs to the older form of dropout. The inverted one "
                "divides by 1 - p in training, and leaves evaluation alone.",
            )
        ]
        if p < 1:
            mistakes.append(
                WrongValue(
                    x / (1 - p),
                    "x / (1 - p)",
                    "In evaluation nothing is dropped, so nothing needs to be made up for: the "
                    "division belongs to training.",
                )
            )
        compare(got, x, call, mistakes, "When training is False, x comes back as it is.")


_INDEPENDENT = (
    "One draw must decide about one entry: draw as many random numbers as x has entries, in the "
    "shape of x."
)


def _examine_training(answer: Callable, p: float) -> None:
    call = f"dropout(x, {p}, training=True)"
    x = torch.rand(40, 5, 10, 10) + 1
    got = _numbers(ask(answer, x, p, True, called="dropout"), x, call)
    zero = got == 0
    if not zero.any():
        raise Wrong(
            f"{call} sets nothing to zero; expected about {p:.0%} of the entries.",
            "In training each entry becomes 0 with probability p.",
        )
    for dim in range(x.dim()):
        if (zero == zero.narrow(dim, 0, 1)).all():
            raise Wrong(
                f"{call} drops the same places all along dimension {dim} of x.", _INDEPENDENT
            )
    share = float(zero.float().mean())
    if abs(share - p) > 0.03:
        hint = f"About {p:.0%} of many entries should be zero: compare a uniform number with p."
        if abs(share - (1 - p)) < 0.03:
            hint = "p is the probability to drop an entry, not to keep it: turn the comparison."
        raise Wrong(f"{call} sets {share:.0%} of the entries to zero; expected {p:.0%}.", hint)
    _examine_scale(got[~zero] / x[~zero], p, call)
    again = _numbers(ask(answer, x, p, True, called="dropout"), x, call) == 0
    if (again == zero).all():
        raise Wrong(
            f"{call} drops the same entries every time.",
            "Draw new random numbers at every call: no seed inside the function, and no mask that "
            "is kept.",
        )
    shares = {int(zero.sum()), int(again.sum())}
    for _ in range(2):
        shares.add(int((ask(answer, x, p, True, called="dropout") == 0).sum()))
    if len(shares) == 1:
        raise Wrong(
            f"{call} drops exactly {shares.pop():,} of {x.numel():,} entries every time.",
            "Each entry is dropped by a draw of its own, so that the number of zeros varies. "
            "Choosing a fixed number of them is something else.",
        )


def _numbers(got, x: Tensor, call: str) -> Tensor:
    got = expect_tensor(got, tuple(x.shape), None, f"The result of {call}")
    if not torch.isfinite(got).all():
        raise Wrong(f"{call} gives NaN or infinity.", _NOT_A_NUMBER)
    return got.detach()


_NOT_A_NUMBER = (
    "With p = 1 the scale 1 / (1 - p) divides by zero, and 0 · infinity is NaN. Everything is "
    "dropped there: give zeros back."
)


def _examine_scale(ratio: Tensor, p: float, call: str) -> None:
    seen = float(ratio.mean())
    message = (
        f"{call} multiplies what it keeps by {seen:.3g}; expected 1/(1 - p) = {1 / (1 - p):.3g}."
    )
    if not close(ratio, torch.full_like(ratio, seen)):
        raise Wrong(
            f"{call} does not multiply all it keeps by the same number.",
            "What is kept grows by 1 / (1 - p), all of it alike.",
        )
    known = {
        1.0: "What is kept must grow by 1 / (1 - p) in training, so that the sum stays the same on "
        "average and evaluation needs no change.",
        1 - p: "Divide by 1 - p rather than multiply: what is kept makes up for what is dropped.",
        1 / p: "The scale has p where it needs 1 - p, the probability to keep an entry.",
        p: "What is kept must grow, not shrink: divide by the probability to keep, 1 - p.",
        (1 - p) ** -2: "The division by 1 - p is done twice.",
    }
    if abs(seen * (1 - p) - 1) < 1e-3:
        return
    for value, hint in known.items():
        if abs(seen - value) < 1e-3:
            raise Wrong(message, hint)
    raise Wrong(message, "On average the sum of x must stay the same: divide by 1 - p.")


def _examine_ends(answer: Callable) -> None:
    x = torch.randn(4, 5, dtype=torch.float64)
    no_gap = "With p = 0 nothing is dropped, and 1 / (1 - p) is 1: x comes back as it is."
    division = "p = 1 is a case of its own: everything is dropped, and 1 / (1 - p) does not exist."
    got = ask(answer, x, 0.0, True, called="dropout")
    compare(got, x, "dropout(x, 0.0, training=True)", (), no_gap)
    call = "dropout(x, 1.0, training=True)"
    got = _numbers(ask(answer, x, 1.0, True, called="dropout", hint=division), x, call)
    if got.any():
        raise Wrong(f"{call} gave {show(got)}; expected zeros.", division)


def _examine_generator(answer: Callable) -> None:
    """The same seed of torch, the same mask."""
    x = torch.ones(200)
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(ask(answer, x, 0.5, True, called="dropout"))
    if not close(*results):
        raise Wrong(
            "After the same torch.manual_seed, dropout gives two different results.",
            "Draw from torch's generator (torch.rand and its relatives), not from numpy's or "
            "Python's, so that one seed makes a whole run repeatable.",
        )


def _examine_gradient(answer: Callable) -> None:
    x = torch.ones(50, requires_grad=True)
    got = ask(answer, x, 0.5, True, frozen=False, called="dropout")
    if not got.requires_grad:
        raise Wrong(
            "No gradient flows back through dropout.",
            "Layers before it could not learn: no .detach(), .data or .numpy() on x.",
        )
    (grad,) = torch.autograd.grad(got.sum(), x)
    expected = got.detach()  # x is 1 everywhere
    if not close(grad, expected):
        raise Wrong(
            f"The gradient through dropout is {show(grad)}; expected {show(expected)}.",
            "What is kept passes its gradient on, times 1 / (1 - p); what is dropped gets 0.",
        )


# --- VGG16 ----------------------------------------------------------------------------------

# The hidden linear layers are numbers 14 and 15: a dropout after each; before the first one too, or
# before each instead, as in torchvision's AlexNet.
_DROPOUT = Dropout(0.5, (frozenset({14, 15}), frozenset({13, 14, 15}), frozenset({13, 14})))

vgg16 = Network(
    "VGG16",
    NOTEBOOK,
    3,
    models.vgg16,
    (3, 3, 32, 32),
    num_classes=7,
    dropout=_DROPOUT,
    idea="make_features with configuration D, flatten, then linear, ReLU, dropout twice over, "
    "and a last linear layer that gives the logits.",
    hints={
        "channels": "Configuration D is 64, 64, M, 128, 128, M, 256 three times, M, 512 three "
        "times, M, 512 three times, M.",
        "kernel": "1×1 filters stand in configuration C. In D all thirteen convolutions are 3×3.",
        "too many": "Configuration D has thirteen convolutions (2, 2, 3, 3, 3), and three linear "
        "layers follow: sixteen layers with weights.",
        "too few": "Sixteen layers with weights: thirteen convolutions (2, 2, 3, 3, 3) and three "
        "linear layers. Is one missing, or never called in forward?",
        "no pool": "There are five max pools, one after each group of convolutions: "
        "32, 16, 8, 4, 2, 1 pixels a side.",
        "extra pool": "A pool comes after each of the five groups of convolutions, and nowhere "
        "else.",
        "average pool": "Only max pools here. The adaptive average pool to 7×7 in torchvision "
        "belongs to 224×224 images; for 32×32 the features end as 1×1.",
        "features": "The linear layers are 512→4096, 4096→4096 and 4096→num_classes: five pools "
        "leave one single pixel of 32×32, in 512 channels.",
        "size": "7×7×512 is what is left of 224×224. Of 32×32, five pools leave 1×1×512: the first "
        "linear layer takes 512 numbers.",
        "no ReLU": "A ReLU follows every layer but the last. Between two linear layers it is "
        "easily forgotten, and without it they are one.",
        "batch norm": "This is VGG of 2014, before batch norm: dropout is what regularises it.",
    },
)

# --- ensemble_predict -----------------------------------------------------------------------


def oracle_ensemble_predict(models: Iterable[nn.Module], images: Tensor) -> Tensor:
    """The mean over the members of their probabilities, [N, K]; in eval mode, without gradients."""
    members = []
    for model in models:
        was_training = model.training
        model.eval()
        with torch.no_grad():
            members.append(F.softmax(model(images), dim=1))
        model.train(was_training)
    return torch.stack(members).mean(dim=0)


def examine_ensemble_predict(answer: Callable) -> None:
    """Three members in training mode; then a generator of them, and a single member."""
    images = torch.randn(5, 3, 4, 4)
    before = images.clone()
    models = [Probe(num_classes=4).train() for _ in range(3)]
    logits = torch.stack([model.logits(images) for model in models])
    expected = F.softmax(logits, dim=2).mean(0)

    call = "ensemble_predict of three models"
    given = list(models)
    got = ask(answer, given, images, frozen=False)
    if len(given) != 3 or any(a is not b for a, b in zip(given, models, strict=True)):
        raise Wrong(
            "ensemble_predict changed the list of models.",
            "The list is the caller's: no pop, no append.",
        )
    for number, model in enumerate(models, 1):
        if any(m.calls for m in models):  # if none is called at all, the first one says so
            _expect_called(model, number)
        examine_use(model, "ensemble_predict")
    examine_graph(got, f"The result of {call}")
    compare(got, expected, call, _ensemble_mistakes(logits), _ENSEMBLE, _ENSEMBLE_SHAPE)
    for model in models:
        examine_left_alone(model, "ensemble_predict", images, before)

    once = (
        "models may be anything a for loop takes, also a generator, which has no length and no "
        "index and can be walked once: count the members as you go."
    )
    got = ask(answer, (model for model in models), images, frozen=False, hint=once)
    compare(got, expected, "ensemble_predict of a generator of models", (), once, once)
    got = ask(answer, tuple(models[:1]), images[:1], frozen=False)
    expected = F.softmax(logits[0, :1], dim=1)
    call = "ensemble_predict of one model and one image"
    compare(got, expected, call, (), _ENSEMBLE, _ENSEMBLE_SHAPE)


_ENSEMBLE = "Each member gives its own probabilities (softmax over the classes); take their mean."
_ENSEMBLE_SHAPE = "One row per image and one column per class: the mean goes over the members only."


def _expect_called(model: Probe, number: int) -> None:
    if not model.calls:
        raise Wrong(
            f"ensemble_predict did not ask model {number} of 3.",
            "Every member is asked: does a return stand inside the loop?",
        )


def _ensemble_mistakes(logits: Tensor) -> Iterator[WrongValue]:
    """``logits`` [M, N, K] of the members, in order."""
    members = F.softmax(logits, dim=2)
    mean, count = members.mean(0), len(logits)
    votes = F.one_hot(logits.argmax(2), logits.shape[2]).float()
    yield WrongValue(
        F.softmax(logits.mean(0), dim=1),
        "the softmax of the mean logits",
        "The mean is taken of the logits, before the softmax. A member with large logits would "
        "outvote the others: average the probabilities.",
    )
    yield WrongValue(
        logits.mean(0),
        "the mean of the logits",
        "There is no softmax: average probabilities, not logits.",
    )
    yield WrongValue(
        members.sum(0),
        "the sum of the probabilities",
        "The rows sum to the number of models: divide by it.",
    )
    for value in (votes.mean(0), votes.sum(0)):
        yield WrongValue(
            value,
            "a count of votes",
            "A majority vote forgets how sure each member is. Average the probabilities "
            "themselves, before any argmax.",
        )
    yield WrongValue(
        mean.argmax(1),
        "the labels",
        "That is the decision. Return the mean probabilities, [N, K]; whoever wants labels takes "
        "the argmax of them.",
    )
    for value in (members[-1], logits[-1]):
        yield WrongValue(
            value,
            "what the last model says",
            "Only the last member counts: the loop overwrites the result instead of adding to it.",
        )
    yield WrongValue(
        members[-1] / count,
        "what the last model says, divided by the number of models",
        "The loop overwrites the sum with the last member, so the mean is of one model only.",
    )
    yield WrongValue(members[0], "what the first model says", "Only the first member counts.")
    running = members[0]
    for member in members[1:]:
        running = (running + member) / 2
    from_zero = torch.zeros_like(mean)
    for member in members:
        from_zero = (from_zero + member) / 2
    for value in (running, from_zero):
        yield WrongValue(
            value,
            "a mean of means",
            "Halving at every step gives the last member half of all the weight. Sum first, then "
            "divide once by the number of models.",
        )
    yield WrongValue(
        F.softmax(mean, dim=1),
        "a softmax of the mean probabilities",
        "The mean of probabilities sums to 1 already; another softmax flattens it.",
    )
    yield WrongValue(
        members.amax(0),
        "the largest probability among the members",
        "The largest of the members' probabilities do not sum to 1: take their mean.",
    )
    yield WrongValue(
        F.softmax(logits, dim=1).mean(0),
        "the mean of softmaxes over the batch",
        "The columns sum to 1, not the rows: each member's softmax goes over the classes, dim=1.",
    )
    yield WrongValue(
        F.softmax(logits, dim=0).mean(0),
        "the mean of softmaxes over the members",
        "This softmax runs over the stacked models. Take it over the classes, the last dimension.",
    )
    yield WrongValue(
        members,
        "the probabilities of all members",
        "The members' probabilities are stacked, [M, N, K]: take their mean over dimension 0.",
    )
    yield from probabilities_mistakes(logits.mean(0))


EXERCISES = [
    Exercise(
        name="dropout",
        notebook=NOTEBOOK,
        points=3,
        oracle=oracle_dropout,
        examine=examine_dropout,
        idea="In training draw one uniform number for each entry, set the entry to zero where the "
        "number is below p, and divide the rest by 1 - p. In evaluation give x back.",
    ),
    vgg16,
    Exercise(
        name="ensemble_predict",
        notebook=NOTEBOOK,
        points=2,
        oracle=oracle_ensemble_predict,
        examine=examine_ensemble_predict,
        idea="Ask each model in evaluation mode and without gradients, take the softmax over the "
        "classes, add them up while counting, and divide by the count.",
    ),
]
