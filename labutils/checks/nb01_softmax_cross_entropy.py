"""Checks of notebook 01: softmax, cross-entropy, and its gradient.

The oracles are torch's own: ``torch.softmax``, ``torch.special.xlogy``, ``F.cross_entropy``, and
autograd.
"""

import math
from collections.abc import Callable
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from labutils.checks.frame.ask import Wrong, ask, expect_tensor, show
from labutils.checks.judges.values import Values, compare

NOTEBOOK = "01_softmax_cross_entropy"

# --- softmax --------------------------------------------------------------------------------

softmax = Values(
    "softmax",
    NOTEBOOK,
    2,
    lambda z: torch.softmax(z, dim=-1),
    idea="Shift every row so that its largest score is 0, take the exponential of each score, and "
    "divide each row by its own sum, all along the last dimension.",
    hint="Each row is e^z divided by the sum of e^z over that row: one exponential, one division.",
)

# A square first: there a sum over the wrong dimension, or without keepdim, raises no error.
softmax.probe(tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 0.0], [0.0, 4.0, 1.0]]))
for _shape in ((3,), (2, 4), (2, 3, 4)):
    softmax.probe(
        torch.linspace(-1, 2, 24)[: math.prod(_shape)].reshape(_shape),
        call=f"softmax of a tensor of shape {_shape}",
        hint="The classes lie along the last dimension, and there may be none, one or two "
        "dimensions before it: count from the end, dim=-1, and keep that dimension in sums "
        "(keepdim=True).",
        trap=lambda z: torch.softmax(z, 1),
    )
softmax.probe(
    tensor([1000.0, 1001.0, 1002.0]),
    hint="e^1000 overflows to inf, and inf/inf is NaN. A shift of the whole row changes nothing: "
    "subtract the row's maximum before the exponential, then no exponent is above 0.",
    trap=lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
)
# Shifting by something else than the row's own maximum fails on one of these.
softmax.probe(
    tensor([0.0, 0.0, 1000.0]),
    hint="The largest exponent must be 0 for exp to be safe. Subtracting the mean leaves large "
    "ones: subtract the maximum.",
)
softmax.probe(
    tensor([[1000.0, 1001.0], [-1000.0, -1001.0]]),
    hint="The second row's exponentials all underflow to 0, and 0/0 is NaN: subtract each row's "
    "own maximum, not one maximum for the whole tensor.",
)
softmax.probe(tensor([0.0, 1.0, 2.0], dtype=torch.float64), call="softmax of a float64 tensor")


def _shifted(z: Tensor) -> Tensor:
    return z - z.amax(-1, keepdim=True)


softmax.mistake(
    "a softmax over the batch (dim=0)",
    "Your columns sum to 1, over the batch. Each row is one sample: its classes are dim=-1.",
    lambda z: torch.softmax(z, 0),
)
softmax.mistake(
    "e^z divided by the sum over all samples",
    "Divide each row by its own sum: the whole tensor must not sum to 1, every row must.",
    lambda z: z.exp() / z.exp().sum(),
    lambda z: _shifted(z).exp() / _shifted(z).exp().sum(),
)
softmax.mistake(
    "e^z divided by the row sums, laid out along the wrong dimension",
    "A sum drops its dimension, and broadcasting lines up from the right: keep it, keepdim=True.",
    lambda z: z.exp() / z.exp().sum(-1),
    lambda z: _shifted(z).exp() / _shifted(z).exp().sum(-1),
)
softmax.mistake(
    "e^z, not normalised",
    "The exponential makes scores positive; they must still be divided by their sum.",
    lambda z: z.exp(),
    lambda z: _shifted(z).exp(),
)
softmax.mistake(
    "the scores divided by their sum, without an exponential",
    "Scores can be negative or sum to 0: take the exponential of each score first, then divide.",
    lambda z: z / z.sum(-1, keepdim=True),
)
softmax.mistake(
    "the logarithm of the softmax",
    "That is log-softmax: these are log-probabilities. Probabilities lie between 0 and 1.",
    lambda z: torch.log_softmax(z, -1),
)
softmax.mistake(
    "a sigmoid of each score on its own",
    "A sigmoid looks at one score alone, so its rows do not sum to 1. Softmax compares the scores "
    "of a row with each other.",
    lambda z: torch.sigmoid(z),
)
softmax.mistake(
    "a softmax of the negated scores",
    "The largest score must get the largest probability: look for a minus too many.",
    lambda z: torch.softmax(-z, -1),
)
softmax.mistake(
    "1 for the largest score and 0 elsewhere",
    "That is argmax as one-hot. Softmax is its soft relative: the second best gets a share too.",
    lambda z: F.one_hot(z.argmax(-1), z.shape[-1]).float(),
)
softmax.mistake(
    "the index of the largest score",
    "argmax decides for a class; softmax gives a probability for every class, in the shape of z.",
    lambda z: z.argmax(-1),
)
softmax.mistake(
    "powers of 2, normalised",
    "Softmax is built with the base e: torch.exp.",
    lambda z: 2**z / (2**z).sum(-1, keepdim=True),
)
softmax.mistake(
    "the softmax of scores shifted differently within one row",
    "Only a shift by the same number for the whole row leaves its softmax unchanged: take the "
    "maximum over the classes, with keepdim=True.",
    lambda z: torch.softmax(z - z.amax(0), -1),
    lambda z: torch.softmax(z - z.amax(-1), -1),
)
softmax.mistake(
    "the same for every class",
    "Did you clip the scores? Then large ones become equal. Subtract the row's maximum instead.",
    lambda z: torch.softmax(z.clamp(-80, 80), -1),
)

# --- cross_entropy --------------------------------------------------------------------------

cross_entropy = Values(
    "cross_entropy",
    NOTEBOOK,
    2,
    lambda p, q: 0 - torch.special.xlogy(p, q).sum(),  # xlogy knows that 0 log 0 is 0
    idea="Only classes with p above 0 take part. Keep those, weigh -log q of each with its p, and "
    "add up; log of 0 then gives infinity exactly where it should.",
    hint="Weigh -log q of each class with p, and add up.",
    shape_hint="One number is asked for, a tensor of shape (): add up all the terms, keep no "
    "dimension.",
)

cross_entropy.probe(tensor([0.5, 0.3, 0.2]), tensor([0.2, 0.7, 0.1]))
for _p, _q in (([0.0, 1.0, 0.0], [0.0, 0.5, 0.5]), ([1.0, 0.0], [1.0, 0.0])):
    cross_entropy.probe(
        tensor(_p),
        tensor(_q),
        hint="0 · log 0 counts as 0 here, but in floating point it is 0 · (-inf) = NaN. Leave out "
        "the entries where p is 0, or put 0 there.",
        trap=lambda p, q: -(p * q.log()).sum(),
    )
# Two entries left of three: here p and q picked differently no longer line up by broadcasting.
cross_entropy.probe(
    tensor([0.5, 0.0, 0.5]),
    tensor([0.25, 0.0, 0.75]),
    hint="Keep the same entries of both tensors, those where p is above 0.",
)
cross_entropy.probe(
    tensor([0.5, 0.5]),
    tensor([1.0, 0.0]),
    hint="An entry with p > 0 and q = 0 makes the cross-entropy infinite. A small number added to "
    "q (or a clamp) hides that: handle only the entries where p is 0.",
    trap=lambda p, q: -(p * (q + 1e-7).log()).sum(),
)
cross_entropy.probe(
    tensor([0.25, 0.75], dtype=torch.float64),
    tensor([0.5, 0.5], dtype=torch.float64),
    call="cross_entropy of float64 tensors",
)

cross_entropy.mistake(
    "the cross-entropy of q and p, the arguments swapped",
    "The first argument p holds the true probabilities and weighs; the logarithm is of q.",
    lambda p, q: -torch.xlogy(q, p).sum(),
)
cross_entropy.mistake(
    "the right value with the wrong sign",
    "Logarithms of probabilities are negative: the minus in front makes the sum positive.",
    lambda p, q: (p * q.log()).sum(),
)
cross_entropy.mistake(
    "the mean of the terms",
    "Sum over the classes: p already weighs the terms, there is nothing more to average.",
    lambda p, q: -(p * q.log()).mean(),
)
cross_entropy.mistake(
    "the terms, not yet summed",
    "One number is asked for: add the terms up.",
    lambda p, q: -p * q.log(),
)
cross_entropy.mistake(
    "the terms p log q, one for each class",
    "Two things are missing: the minus in front, and the sum over the classes.",
    lambda p, q: p * q.log(),
)
cross_entropy.mistake(
    "the cross-entropy in bits",
    "A base-2 logarithm counts bits. Nats come from the natural logarithm, torch.log.",
    lambda p, q: -(p * q.log2()).sum(),
)
cross_entropy.mistake(
    "the cross-entropy with base-10 logarithms",
    "log10 is neither bits nor nats: use the natural logarithm, torch.log.",
    lambda p, q: -(p * q.log10()).sum(),
)
cross_entropy.mistake(
    "the Kullback-Leibler divergence of p and q",
    "KL is cross-entropy minus the entropy of p: the logarithm of p does not belong here.",
    lambda p, q: (p * (p / q).log()).sum(),
)
cross_entropy.mistake(
    "the Kullback-Leibler divergence of q and p",
    "That is a KL divergence, and with swapped arguments: only log q is needed, weighed by p.",
    lambda p, q: (q * (q / p).log()).sum(),
)
cross_entropy.mistake(
    "the entropy of p",
    "That is H(p), which never looks at the prediction: the logarithm is of q.",
    lambda p, q: -(p * p.log()).sum(),
)
cross_entropy.mistake(
    "-log q of the likeliest class alone",
    "That holds for one-hot p only. Every class counts with its weight p.",
    lambda p, q: -q[p.argmax()].log(),
)
cross_entropy.mistake(
    "the sum of -log q, not weighed by p",
    "Weigh each -log q with the true probability p of its class.",
    lambda p, q: -q.log().sum(),
)
cross_entropy.mistake(
    "F.cross_entropy, which takes q for logits",
    "F.cross_entropy applies softmax to its first argument; q already holds probabilities.",
    lambda p, q: F.cross_entropy(q, p),
)
cross_entropy.mistake(
    "a binary cross-entropy of every class",
    "The (1-p) log(1-q) terms belong to yes/no questions. Here the classes share one "
    "distribution: -p log q alone.",
    lambda p, q: F.binary_cross_entropy(q, p, reduction="sum"),
)
cross_entropy.mistake(
    "the mean of binary cross-entropies",
    "Neither (1-p) log(1-q) terms nor a mean: sum -p log q over the classes.",
    lambda p, q: F.binary_cross_entropy(q, p),
)
cross_entropy.mistake(
    "a squared error",
    "Squared differences, summed or averaged, are another loss: this one is built from log q.",
    lambda p, q: ((p - q) ** 2).sum(),
    lambda p, q: ((p - q) ** 2).mean(),
)
cross_entropy.mistake(
    "the sum without the entries where q is 0",
    "Leave out entries by p, not by q: where p > 0 and q = 0 something was called impossible that "
    "happens, and that costs infinitely much.",
    lambda p, q: -torch.xlogy(p, q)[q > 0].sum(),
)


# --- shared by the two losses of logits -----------------------------------------------------


def _picked(rows: Tensor, targets: Tensor) -> Tensor:
    """Entry ``targets[i]`` of each row i: [N, K] and [N] to [N]."""
    return rows[torch.arange(len(targets)), targets]


def _one_hot(logits: Tensor, targets: Tensor) -> Tensor:
    return F.one_hot(targets, logits.shape[-1]).to(logits)


def _probe_logits(exercise: Values, seed: int, more: str = "") -> None:
    """A square, where mixed-up dimensions raise no error; other shapes; another dtype."""
    square = tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 2.0], [0.5, 3.0, 1.0]])
    exercise.probe(square, tensor([2, 0, 2]))
    generator = torch.Generator().manual_seed(seed)
    for n, k in ((2, 5), (4, 3), (1, 10)):
        exercise.probe(
            torch.randn(n, k, generator=generator),
            torch.arange(n) * 2 % k,
            call=f"{exercise.name} of {n} samples and {k} classes",
            hint="It worked for 3 samples of 3 classes, so look for a dimension that is mixed up "
            f"or written as a fixed number.{more}",
        )
    double = tensor([[0.0, 1.0], [2.0, 1.0]], dtype=torch.float64)
    exercise.probe(double, tensor([0, 1]), call=f"{exercise.name} of float64 logits")


# --- cross_entropy_from_logits --------------------------------------------------------------

from_logits = Values(
    "cross_entropy_from_logits",
    NOTEBOOK,
    3,
    lambda logits, targets: F.cross_entropy(logits, targets),
    idea="The loss of a sample is log-sum-exp of its row minus the target's logit. Take the "
    "log-sum-exp stably, pick one logit per row by its target, and average over the batch.",
    hint="For each row: -log of the softmax at the target's place; then the mean over the rows.",
    shape_hint="One number is asked for, of shape (): one loss for each sample, then their mean.",
)

_probe_logits(from_logits, seed=1)
from_logits.probe(
    tensor([[1000.0, 0.0]]),
    tensor([0]),
    hint="e^1000 overflows to inf, and inf/inf is NaN. Subtract each row's maximum before the "
    "exponential.",
    trap=lambda z, t: -_picked(z.exp() / z.exp().sum(1, keepdim=True), t).log().mean(),
)
for _row, _target in (([1000.0, 0.0], 1), ([0.0, -1000.0], 1)):
    from_logits.probe(
        tensor([_row]),
        tensor([_target]),
        hint="A small number inside the logarithm, or a clamp, caps the loss and with it the "
        "gradient. Log-sum-exp needs neither.",
    )
from_logits.probe(
    tensor([[1000.0, 0.0], [-1000.0, -1001.0]]),
    tensor([0, 1]),
    hint="The second row's exponentials all underflow to 0, and the logarithm of 0 is -inf: "
    "subtract each row's own maximum, not one maximum for the whole batch.",
    trap=lambda z, t: -_picked(z - z.max() - (z - z.max()).exp().sum(1, True).log(), t).mean(),
)

from_logits.mistake(
    "the loss of a softmax of a softmax",
    "F.cross_entropy, F.log_softmax and nn.CrossEntropyLoss take logits and apply softmax "
    "themselves: apply it once.",
    lambda z, t: F.cross_entropy(z.softmax(-1), t),
)
from_logits.mistake(
    "the loss of a softmax over the batch (dim=0)",
    "Your softmax runs over the samples of the batch. The classes are dim=1, or dim=-1.",
    lambda z, t: F.nll_loss(z.log_softmax(0), t),
)
from_logits.mistake(
    "the sum of the losses",
    "A sum grows with the batch: take the mean over the batch.",
    lambda z, t: F.cross_entropy(z, t, reduction="sum"),
)
from_logits.mistake(
    "the loss of each sample",
    "Each sample has its loss now; take their mean to get one number.",
    lambda z, t: F.cross_entropy(z, t, reduction="none"),
)
from_logits.mistake(
    "the sum of the losses divided by N·K",
    "Divide by the number of samples N only: each sample contributes one term, not K. (A mean "
    "over an N×K matrix counts the zeros too.)",
    lambda z, t: -(_one_hot(z, t) * z.log_softmax(-1)).mean(),
)
from_logits.mistake(
    "the right value with the wrong sign",
    "The loss is minus the log-probability of the target: it is never negative.",
    lambda z, t: -F.cross_entropy(z, t),
)
from_logits.mistake(
    "minus the target's logit, without the normalisation",
    "A logit alone is no log-probability: subtract the log of the sum of all exponentials.",
    lambda z, t: F.nll_loss(z, t),
)
from_logits.mistake(
    "minus the mean probability of the targets",
    "The logarithm is missing. F.nll_loss does not take it either: it wants log-probabilities.",
    lambda z, t: F.nll_loss(z.softmax(-1), t),
)
from_logits.mistake(
    "the logarithm of the mean probability",
    "First the logarithm of each sample's probability, then the mean: they do not commute.",
    lambda z, t: -_picked(z.softmax(-1), t).mean().log(),
)
from_logits.mistake(
    "the loss in bits",
    "log2 measures in bits; the natural logarithm is meant.",
    lambda z, t: -_picked(z.softmax(-1), t).log2().mean(),
)
from_logits.mistake(
    "the loss with the maximum still subtracted from the log-sum-exp",
    "You shifted inside the exponential; add the maximum back outside the logarithm: "
    "LSE(z) = m + log of the sum of e^(z-m).",
    lambda z, t: (z.logsumexp(-1) - z.amax(-1) - _picked(z, t)).mean(),
    lambda z, t: (z.logsumexp(-1) - z.amax() - _picked(z, t)).mean(),
)
from_logits.mistake(
    "the loss with log-sum-exp over the batch (dim=0)",
    "Your log-sum-exp adds up the samples. It runs over the classes of one sample, dim=-1.",
    lambda z, t: (z.logsumexp(0) - _picked(z, t)).mean(),
)
from_logits.mistake(
    "a sum from which a mean was subtracted",
    "Only one of the two parts was divided by N. Take each sample's difference, then one mean.",
    lambda z, t: z.logsumexp(-1).sum() - _picked(z, t).mean(),
    lambda z, t: z.logsumexp(-1).mean() - _picked(z, t).sum(),
)
from_logits.mistake(
    "the loss of logits shifted differently within one row",
    "A maximum of shape (N,) lines up with the columns, not the rows: keep it (N, 1) with "
    "keepdim=True while you subtract it.",
    lambda z, t: ((z - z.amax(-1)).exp().sum(-1).log() + z.amax(-1) - _picked(z, t)).mean(),
)
from_logits.mistake(
    "a mean over every pair of sample and target",
    "logits[:, targets] picks the columns of all targets for every row, N×N numbers. You want one "
    "per row: row i, column targets[i].",
    lambda z, t: -z.log_softmax(-1)[:, t].mean(),
)
from_logits.mistake(
    "the loss with rows and columns mixed up",
    "The first index is the sample, the second the class: row i, column targets[i].",
    lambda z, t: -z.log_softmax(-1)[t, torch.arange(len(t))].mean(),
)
from_logits.mistake(
    "-log of the largest probability",
    "The loss looks at the target's probability, believed or not, and not at the largest one.",
    lambda z, t: -z.log_softmax(-1).amax(-1).mean(),
)
from_logits.mistake(
    "the mean over all classes",
    "The targets did not enter: only the target's log-probability of each row counts.",
    lambda z, t: -z.log_softmax(-1).mean(),
)
from_logits.mistake(
    "the log-probabilities weighed with the class numbers",
    "The targets are class numbers, not one-hot rows: pick entries by number, or make them that.",
    lambda z, t: -(t * z.log_softmax(-1)).sum() / len(z),
)
from_logits.mistake(
    "a mean squared error",
    "Squared errors are another loss: this one is -log of the target's probability.",
    lambda z, t: F.mse_loss(z.softmax(-1), _one_hot(z, t)),
)
from_logits.mistake(
    "the logarithm of a softmax that underflowed, or of a sum that overflowed",
    "The softmax underflows to exactly 0, or its sum overflows, and the logarithm is infinite. Do "
    "not take the log of a finished softmax: log-softmax is the logit minus log-sum-exp.",
    lambda z, t: -_picked(z.softmax(-1), t).log().mean(),
    lambda z, t: (z.exp().sum(-1).log() - _picked(z, t)).mean(),
)


@from_logits.then
def _gradients(answer: Callable) -> None:
    """The loss must be one that can be trained with."""
    values = tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]])
    _gradient(
        answer,
        values,
        "The value is right but its gradient is not: a part of it was detached from the graph, or "
        "read with .item().",
    )
    _gradient(
        answer,
        1000 * values,
        "The value is right, but its gradient is not: torch.where picks one of two values, and the "
        "gradient goes through both branches, where 0 · inf is NaN. Shift by the row's maximum in "
        "any case.",
    )


def _gradient(answer: Callable, values: Tensor, wrong: str) -> None:
    targets = tensor([0, 2])
    logits = values.clone().requires_grad_()
    hint = (
        "These logits require a gradient, as a model's do. Stay in torch from the logits to the "
        "loss, without changing them in place: .numpy() and in-place operations fail here."
    )
    loss = expect_tensor(ask(answer, logits, targets, hint=hint), (), None, "The loss")
    if not loss.requires_grad:
        raise Wrong(
            "The loss is right, but it carries no gradient; expected one that can be trained with.",
            "Something cut the graph: .detach(), .item(), .data, no_grad(), torch.tensor(...) of a "
            "tensor, or a way through numpy.",
        )
    (gradient,) = torch.autograd.grad(loss, logits, allow_unused=True)
    gradient = torch.zeros_like(logits) if gradient is None else gradient
    call = f"The backward pass through your loss of the logits {show(values)}"
    compare(gradient, _gradient_of_mean_loss(values, targets), call, wrong)


# --- cross_entropy_grad ---------------------------------------------------------------------


def _gradient_of_mean_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Autograd's gradient of F.cross_entropy, [N, K] and [N] to [N, K]."""
    logits = logits.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(logits, targets)
    return torch.autograd.grad(loss, logits)[0]


grad = Values(
    "cross_entropy_grad",
    NOTEBOOK,
    2,
    _gradient_of_mean_loss,
    idea="The derivative of one sample's loss by its logits is its softmax, less 1 at the target. "
    "The mean over the batch divides everything by N.",
    hint="The formula: softmax minus one-hot targets, divided by the number of samples.",
    shape_hint="Every logit gets its own derivative: the gradient has the shape of the logits.",
)

_probe_logits(
    grad,
    seed=2,
    more=" F.one_hot needs the number of classes as well: by itself it stops at the largest "
    "target.",
)
grad.probe(
    tensor([[1000.0, 1001.0]]),
    tensor([0]),
    hint="The softmax inside overflows to NaN: subtract the row's maximum before the exponential.",
    trap=lambda z, t: (z.exp() / z.exp().sum(1, True) - _one_hot(z, t)) / len(z),
)
grad.probe(
    tensor([[1000.0, 1001.0], [-1000.0, -1001.0]]),
    tensor([0, 1]),
    hint="The second row's exponentials all underflow to 0, and 0/0 is NaN: subtract each row's "
    "own maximum, not one maximum for the whole batch.",
)


def _with_and_without_mean(formula: Callable) -> tuple[Callable, Callable]:
    return lambda z, t: formula(z, t) / len(z), formula


def _minus_one(probabilities: Tensor, index) -> Tensor:
    """A copy with 1 subtracted at ``index``."""
    probabilities = probabilities.clone()
    probabilities[index] -= 1
    return probabilities


grad.mistake(
    "the gradient of the summed loss",
    "The loss is a mean over N samples, so each row carries a factor 1/N.",
    lambda z, t: z.softmax(-1) - _one_hot(z, t),
)
grad.mistake(
    "the right gradient with the wrong sign",
    "Raising the target's logit lowers the loss, so its entry is negative: softmax minus one-hot, "
    "not the other way round.",
    lambda z, t: (_one_hot(z, t) - z.softmax(-1)) / len(z),
)
grad.mistake(
    "one-hot minus softmax, not divided by N",
    "Two things: it is softmax minus one-hot (the target's entry is negative), and the mean over "
    "the batch divides it by N.",
    lambda z, t: _one_hot(z, t) - z.softmax(-1),
)
grad.mistake(
    "the softmax divided by N",
    "The target's part is missing: subtract 1 at each row's target, before dividing by N.",
    lambda z, t: z.softmax(-1) / len(z),
)
grad.mistake(
    "the softmax alone",
    "The softmax is only half of the formula: subtract the one-hot targets, and divide by N.",
    lambda z, t: z.softmax(-1),
)
grad.mistake(
    "the gradient with respect to the probabilities",
    "-y/p is the derivative by the probabilities. The chain goes on through softmax to the "
    "logits, and there it becomes simple.",
    lambda z, t: -_one_hot(z, t) / z.softmax(-1) / len(z),
)
grad.mistake(
    "the gradient with respect to the probabilities, not divided by N",
    "-y/p stops at the probabilities: go on through the softmax. And the mean brings 1/N.",
    lambda z, t: -_one_hot(z, t) / z.softmax(-1),
)
grad.mistake(
    "the gradient divided by N·K",
    "The mean is over the N samples only; the classes of one sample are not averaged.",
    lambda z, t: (z.softmax(-1) - _one_hot(z, t)) / z.numel(),
)
grad.mistake(
    "the gradient divided by K",
    "The mean runs over the N samples, not over the K classes: divide by N.",
    lambda z, t: (z.softmax(-1) - _one_hot(z, t)) / z.shape[1],
)
grad.mistake(
    "logits minus one-hot",
    "The softmax is missing: the formula compares probabilities with the one-hot targets.",
    lambda z, t: (z - _one_hot(z, t)) / len(z),
)
grad.mistake(
    "the mean over the batch",
    "Every sample has logits of its own: divide by N, do not sum over the samples.",
    lambda z, t: (z.softmax(-1) - _one_hot(z, t)).mean(0),
)
grad.mistake(
    "the loss itself",
    "Its gradient is asked for: one number for each logit, in the shape of the logits.",
    lambda z, t: F.cross_entropy(z, t),
)
grad.mistake(
    "built on a softmax over the batch (dim=0)",
    "Your softmax runs over the samples. The classes are dim=1, or dim=-1.",
    *_with_and_without_mean(lambda z, t: z.softmax(0) - _one_hot(z, t)),
)
grad.mistake(
    "built on the log-softmax",
    "Subtract the one-hot targets from the probabilities, not from their logarithms.",
    *_with_and_without_mean(lambda z, t: z.log_softmax(-1) - _one_hot(z, t)),
)
grad.mistake(
    "1 subtracted in every target's column of every row",
    "[:, targets] touches all rows in each target's column: row i loses 1 at targets[i] alone.",
    *_with_and_without_mean(lambda z, t: _minus_one(z.softmax(-1), (slice(None), t))),
)
grad.mistake(
    "1 subtracted with rows and columns mixed up",
    "The first index is the sample, the second its class: row i, column targets[i].",
    *_with_and_without_mean(lambda z, t: _minus_one(z.softmax(-1), (t, torch.arange(len(t))))),
)
grad.mistake(
    "the softmax minus the class numbers",
    "The targets are class numbers: make them one-hot before subtracting.",
    *_with_and_without_mean(lambda z, t: z.softmax(-1) - t),
)


@grad.then
def _by_formula(answer: Callable) -> str | None:
    with (
        mock.patch.object(torch.autograd, "grad", wraps=torch.autograd.grad) as grad_,
        mock.patch.object(torch.autograd, "backward", wraps=torch.autograd.backward) as backward,
    ):
        ask(answer, tensor([[0.0, 1.0], [2.0, 1.0]]), tensor([0, 1]))
    if grad_.called or backward.called:
        return "Right. But autograd did the work; the formula was asked for. Try it by hand too."
    return None


EXERCISES = [softmax, cross_entropy, from_logits, grad]
