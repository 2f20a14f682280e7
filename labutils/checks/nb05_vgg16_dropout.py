"""Checks of notebook 05: dropout by hand, VGG16, and predicting with an ensemble.

The oracles are ``F.dropout``, the network of the reference runs, and the mean of softmaxes.
"""

from copy import copy, deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, close, expect_tensor, show
from labutils.checks.judges.networks import Dropout, Network
from labutils.checks.judges.values import Values, compare, table
from labutils.training import models

NOTEBOOK = "05_vgg16_dropout"

# --- dropout --------------------------------------------------------------------------------

dropout = Values(
    "dropout", NOTEBOOK, 3, F.dropout,
    idea="In training draw one uniform number for each entry, set the entry to zero where the "
    "number is below p, and divide the rest by 1 - p. In evaluation give x back.",
    hint="Dropout is for training only: when training is False, give x back as it is.",
)  # fmt: skip

for _p in (0.2, 1.0):
    _x = torch.linspace(-1, 2, 30).reshape(6, 5)
    dropout.probe(_x, _p, False, call=f"dropout(x, {_p}, training=False)")

dropout.mistakes += table(
    ("x · (1 - p)", lambda x, p, training: x * (1 - p),
     "Scaling in evaluation belongs to the older form of dropout. The inverted one divides by "
     "1 - p in training, and leaves evaluation alone."),
    ("x / (1 - p)", lambda x, p, training: x / (1 - p),
     "In evaluation nothing is dropped, so nothing needs to be made up for: the division belongs "
     "to training."),
)  # fmt: skip

# What else than 1 / (1 - p) what is kept may be multiplied by.
_SCALES = (
    (
        lambda p: 1,
        "What is kept must grow by 1 / (1 - p) in training, so that the sum stays the same on "
        "average and evaluation needs no change.",
    ),
    (
        lambda p: 1 - p,
        "Divide by 1 - p rather than multiply: what is kept makes up for what is dropped.",
    ),
    (lambda p: 1 / p, "The scale has p where it needs 1 - p, the probability to keep an entry."),
    (lambda p: p, "What is kept must grow, not shrink: divide by the probability to keep, 1 - p."),
    (lambda p: (1 - p) ** -2, "The division by 1 - p is done twice."),
)


def _drop(answer, x: Tensor, p: float, hint: str = "") -> tuple[Tensor, str]:
    """What an answer makes of x in training, of the right shape and finite; and the call."""
    call = f"dropout(x, {p}, training=True)"
    got = ask(answer, x, p, True, called="dropout", hint=hint)
    got = expect_tensor(got, tuple(x.shape), None, f"The result of {call}").detach()
    if not torch.isfinite(got).all():
        raise Wrong(
            f"{call} gives NaN or infinity.",
            "With p = 1 the scale 1 / (1 - p) divides by zero, and 0 · infinity is NaN. "
            "Everything is dropped there: give zeros back.",
        )
    return got, call


@dropout.then
def _examine_training(answer) -> None:
    """Shares, scale and independence."""
    x = torch.rand(80, 5, 20, 25) + 1  # so many that a share off by 1 % shows
    for p in (0.2, 0.5):
        got, call = _drop(answer, x, p)
        zero = got == 0
        share = float(zero.float().mean())
        if not share:
            raise Wrong(
                f"{call} sets nothing to zero; expected about {p:.0%} of the entries.",
                "In training each entry becomes 0 with probability p.",
            )
        for dim in range(x.dim()):
            if (zero == zero.narrow(dim, 0, 1)).all():
                raise Wrong(
                    f"{call} drops the same places all along dimension {dim} of x.",
                    "One draw must decide about one entry: draw as many random numbers as x has "
                    "entries, in the shape of x.",
                )
        if abs(share - p) > 0.006:  # more than five standard deviations
            hint = f"About {p:.0%} of many entries should be zero: compare a uniform number with p."
            if abs(share - (1 - p)) < 0.006:
                hint = "p is the probability to drop an entry, not to keep it: turn the comparison."
            raise Wrong(f"{call} sets {share:.1%} of the entries to zero; expected {p:.1%}.", hint)
        _examine_scale(got[~zero] / x[~zero], p, call)
        again = [_drop(answer, x, p)[0] == 0 for _ in range(3)]
        if (again[0] == zero).all():
            raise Wrong(
                f"{call} drops the same entries every time.",
                "Draw new random numbers at every call: no seed inside the function, and no mask "
                "that is kept.",
            )
        numbers = {int(mask.sum()) for mask in (zero, *again)}
        if len(numbers) == 1:
            raise Wrong(
                f"{call} drops exactly {numbers.pop():,} of {x.numel():,} entries every time.",
                "Each entry is dropped by a draw of its own, so that the number of zeros varies. "
                "Choosing a fixed number of them is something else.",
            )


def _examine_scale(ratio: Tensor, p: float, call: str) -> None:
    seen, expected = float(ratio.mean()), 1 / (1 - p)
    if not close(ratio, torch.full_like(ratio, seen)):
        raise Wrong(
            f"{call} does not multiply all it keeps by the same number.",
            "What is kept grows by 1 / (1 - p), all of it alike.",
        )
    if abs(seen - expected) > 1e-3:
        hints = (hint for scale, hint in _SCALES if abs(seen - scale(p)) < 1e-3)
        otherwise = "On average the sum of x must stay the same: divide by 1 - p."
        raise Wrong(
            f"{call} multiplies what it keeps by {seen:.3g}; expected 1/(1 - p) = {expected:.3g}.",
            next(hints, otherwise),
        )


@dropout.then
def _examine_ends(answer) -> None:
    """p = 0 and p = 1."""
    x = torch.randn(4, 5, dtype=torch.float64)
    got, call = _drop(answer, x, 0.0)
    nothing = "With p = 0 nothing is dropped, and 1 / (1 - p) is 1: x comes back as it is."
    compare(got, x, call, nothing)
    division = "p = 1 is a case of its own: everything is dropped, and 1 / (1 - p) does not exist."
    got, call = _drop(answer, x, 1.0, division)
    compare(got, torch.zeros_like(x), call, division)


@dropout.then
def _examine_generator(answer) -> None:
    """The same seed of torch, the same mask."""
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        results.append(_drop(answer, torch.ones(200), 0.5)[0])
    if not close(*results):
        raise Wrong(
            "After the same torch.manual_seed, dropout gives two different results.",
            "Draw from torch's generator (torch.rand and its relatives), not from numpy's or "
            "Python's, so that one seed makes a whole run repeatable.",
        )


@dropout.then
def _examine_gradient(answer) -> None:
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
    "VGG16", NOTEBOOK, 3, models.vgg16, (3, 3, 32, 32), num_classes=7, dropout=_DROPOUT,
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
)  # fmt: skip

# --- ensemble_predict -----------------------------------------------------------------------


class _Member(nn.Module):
    """Gives logits [N, 4]; with dropout and batch norm, so that training mode shows.

    It notes for every call whether any of its parts was in training mode.
    """

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3 * 4 * 4, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(16, 4)
        with torch.no_grad():  # probabilities far from even ones, different in every row
            self.norm.running_mean.normal_()
            self.out.weight.mul_(6)
        self.calls: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(any(module.training for module in self.modules()))
        return self.out(self.drop(F.relu(self.norm(self.hidden(images.flatten(1))))))

    def changes(self, before: nn.Module) -> list[str]:
        """Names of weights that are other than before, or frozen."""
        pairs = zip(self.state_dict().items(), before.state_dict().values(), strict=False)
        names = [name for (name, t), old in pairs if t.dtype != old.dtype or not t.equal(old)]
        return names + [name for name, p in self.named_parameters() if not p.requires_grad]


class _Ensemble(Values):
    """Before its values are judged, the members say how they were used."""

    def _ask(self, answer, probe, expected):
        members, images = deepcopy(probe.args)
        given = copy(members)
        got = ask(answer, given, images, called=self.name, frozen=False)
        if given != members:
            raise Wrong(
                f"{self.name} changed the list of models.",
                "The list is the caller's: no pop, no append.",
            )
        for number, member in enumerate(members, 1):
            if not member.calls:
                alone = not any(other.calls for other in members)
                raise Wrong(
                    f"{self.name} did not ask model {number} of {len(members)}.",
                    "Ask the models that are handed over as an argument, not the notebook's own."
                    if alone
                    else "Every member is asked: does a return stand inside the loop?",
                )
            if any(member.calls):
                raise Wrong(
                    f"{self.name} ran model {number} in training mode.",
                    "Dropout and batch norm behave differently in training: the result would be "
                    "a matter of chance. Switch each with model.eval() first.",
                )
        what = f"The result of {probe.call}"
        if isinstance(got, Tensor) and got.requires_grad:
            raise Wrong(
                f"{what} still carries a graph (requires_grad=True).",
                "Nothing is learned here: run the models under torch.no_grad(), or every "
                "prediction keeps all its activations in memory.",
            )
        changes = [c for m, old in zip(members, probe.args[0], strict=True) for c in m.changes(old)]
        if changes:
            raise Wrong(
                f"{self.name} left a model changed: {', '.join(changes[:3])}.",
                "Predicting must not touch a model: no update, no running statistics, no "
                "requires_grad = False on its weights. Only its mode may change.",
            )
        if not images.equal(probe.args[1]):
            raise Wrong(
                f"{self.name} changed the images it was given.",
                "An in-place operation works on the caller's own tensor: make a new one instead.",
            )
        return expect_tensor(got, None, None, what)


def _logits(members, images: Tensor) -> Tensor:
    """[M, N, K], in eval mode and without gradients."""
    with torch.no_grad():
        return torch.stack([member.eval()(images) for member in members])


ensemble_predict = _Ensemble(
    "ensemble_predict", NOTEBOOK, 2,
    lambda models, images: _logits(models, images).softmax(2).mean(0),
    idea="Ask each model in evaluation mode and without gradients, take the softmax over the "
    "classes, add them up while counting, and divide by the count.",
    hint="Each member gives its own probabilities (softmax over the classes); take their mean.",
    shape_hint="One row per image and one column per class: the mean goes over the members only.",
)  # fmt: skip

with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    _MEMBERS = [_Member().train() for _ in range(3)]
    _IMAGES = torch.randn(5, 3, 4, 4)
ensemble_predict.probe(_MEMBERS, _IMAGES, call="ensemble_predict of three models")
ensemble_predict.probe(
    tuple(_MEMBERS[:1]), _IMAGES[:1], call="ensemble_predict of one model and one image"
)


@ensemble_predict.then
def _examine_generator_of_models(answer) -> None:
    members, images = deepcopy((_MEMBERS, _IMAGES))
    hint = (
        "models may be anything a for loop takes, also a generator, which has no length and no "
        "index and can be walked once: count the members as you go."
    )
    got = ask(answer, (member for member in members), images, frozen=False, hint=hint)
    call = "ensemble_predict of a generator of models"
    compare(got, ensemble_predict.oracle(members, images), call, hint, hint)


def _running(members: Tensor, value: Tensor) -> Tensor:
    for member in members:
        value = (value + member) / 2
    return value


# Formulas of the members' logits z, [M, N, K].
ensemble_predict.mistakes += table(
    ("the softmax of the mean logits", lambda z: z.mean(0).softmax(1),
     "The mean is taken of the logits, before the softmax. A member with large logits would "
     "outvote the others: average the probabilities."),
    ("the mean of the logits", lambda z: z.mean(0),
     "There is no softmax: average probabilities, not logits."),
    ("the sum of the probabilities", lambda z: z.softmax(2).sum(0),
     "The rows sum to the number of models: divide by it."),
    ("a count of votes", lambda z: F.one_hot(z.argmax(2), z.shape[2]).float().mean(0),
     lambda z: F.one_hot(z.argmax(2), z.shape[2]).float().sum(0),
     "A majority vote forgets how sure each member is. Average the probabilities themselves, "
     "before any argmax."),
    ("the labels", lambda z: z.softmax(2).mean(0).argmax(1),
     "That is the decision. Return the mean probabilities, [N, K]; whoever wants labels takes the "
     "argmax of them."),
    ("what the last model says alone", lambda z: z[-1].softmax(1), lambda z: z[-1],
     lambda z: z[-1].softmax(1) / len(z),
     "Only the last member counts: the loop overwrites the result instead of adding to it."),
    ("what the first model says", lambda z: z[0].softmax(1), "Only the first member counts."),
    ("a mean of means", lambda z: _running(z.softmax(2)[1:], z.softmax(2)[0]),
     lambda z: _running(z.softmax(2), torch.zeros(z.shape[1:])),
     "Halving at every step gives the last member half of all the weight. Sum first, then divide "
     "once by the number of models."),
    ("a softmax of the mean probabilities", lambda z: z.softmax(2).mean(0).softmax(1),
     "The mean of probabilities sums to 1 already; another softmax flattens it."),
    ("the largest probability among the members", lambda z: z.softmax(2).amax(0),
     "The largest of the members' probabilities do not sum to 1: take their mean."),
    ("the mean of softmaxes over the batch", lambda z: z.softmax(1).mean(0),
     "The columns sum to 1, not the rows: each member's softmax goes over the classes, dim=1."),
    ("the mean of softmaxes over the members", lambda z: z.softmax(0).mean(0),
     "This softmax runs over the stacked models. Take it over the classes, the last dimension."),
    ("the probabilities of all members", lambda z: z.softmax(2),
     "The members' probabilities are stacked, [M, N, K]: take their mean over dimension 0."),
    ("the mean of softmaxes of softmaxes", lambda z: z.softmax(2).softmax(2).mean(0),
     "Softmax was applied twice, which flattens the probabilities: the models give logits, so once "
     "is enough."),
    ("a mean of log-probabilities", lambda z: z.log_softmax(2).mean(0),
     "log_softmax gives the logarithm of the probabilities: average the probabilities themselves."),
    ("a mean of sigmoids", lambda z: z.sigmoid().mean(0),
     "A sigmoid looks at each class alone, so that the rows do not sum to 1: softmax compares the "
     "classes."),
    of=lambda formula: lambda models, images: formula(_logits(models, images)),
)  # fmt: skip

EXERCISES = [dropout, vgg16, ensemble_predict]
