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
from labutils.checks.judges.values import Values, compare, table

NOTEBOOK = "01_softmax_cross_entropy"

# --- softmax --------------------------------------------------------------------------------

softmax = Values(
    "softmax", NOTEBOOK, 2, lambda z: torch.softmax(z, dim=-1),
    idea="Shift every row so that its largest score is 0, take the exponential of each score, and "
    "divide each row by its own sum, all along the last dimension.",
    hint="Each row is e^z divided by the sum of e^z over that row: one exponential, one division.",
)  # fmt: skip

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
_OVERFLOW = (
    "e^1000 overflows to inf, and inf/inf is NaN. A shift of the whole row changes nothing: "
    "subtract the row's maximum before the exponential, then no exponent is above 0."
)
_UNDERFLOW = (
    "The second row's exponentials all underflow to 0: 0/0 is NaN, and the logarithm of 0 is -inf. "
    "Subtract each row's own maximum, not one maximum for the whole batch."
)
softmax.probe(
    tensor([1000.0, 1001.0, 1002.0]),
    hint=_OVERFLOW,
    trap=lambda z: z.exp() / z.exp().sum(-1, keepdim=True),
)
# Shifting by something else than the row's own maximum fails on one of these.
softmax.probe(
    tensor([0.0, 0.0, 1000.0]),
    hint="The largest exponent must be 0 for exp to be safe. Subtracting the mean leaves large "
    "ones: subtract the maximum.",
)
softmax.probe(tensor([[1000.0, 1001.0], [-1000.0, -1001.0]]), hint=_UNDERFLOW)
softmax.probe(tensor([0.0, 1.0, 2.0], dtype=torch.float64), call="softmax of a float64 tensor")


def _shifted(z: Tensor) -> Tensor:
    return z - z.amax(-1, keepdim=True)


softmax.mistakes += table(
    ("a softmax over the batch (dim=0)", lambda z: torch.softmax(z, 0),
     "Your columns sum to 1, over the batch. Each row is one sample: its classes are dim=-1."),
    ("e^z divided by the sum over all samples", lambda z: z.exp() / z.exp().sum(),
     lambda z: _shifted(z).exp() / _shifted(z).exp().sum(),
     "Divide each row by its own sum: the whole tensor must not sum to 1, every row must."),
    ("e^z divided by the row sums, laid out along the wrong dimension",
     lambda z: z.exp() / z.exp().sum(-1), lambda z: _shifted(z).exp() / _shifted(z).exp().sum(-1),
     "A sum drops its dimension, and broadcasting lines up from the right: keep it, keepdim=True."),
    ("e^z, not normalised", lambda z: z.exp(), lambda z: _shifted(z).exp(),
     "The exponential makes scores positive; they must still be divided by their sum."),
    ("the scores divided by their sum, without an exponential",
     lambda z: z / z.sum(-1, keepdim=True),
     "Scores can be negative or sum to 0: take the exponential of each score first, then divide."),
    ("the logarithm of the softmax", lambda z: torch.log_softmax(z, -1),
     "That is log-softmax: these are log-probabilities. Probabilities lie between 0 and 1."),
    ("a sigmoid of each score on its own", lambda z: torch.sigmoid(z),
     "A sigmoid looks at one score alone, so its rows do not sum to 1. Softmax compares the scores "
     "of a row with each other."),
    ("a softmax of the negated scores", lambda z: torch.softmax(-z, -1),
     "The largest score must get the largest probability: look for a minus too many."),
    ("1 for the largest score and 0 elsewhere",
     lambda z: F.one_hot(z.argmax(-1), z.shape[-1]).float(),
     "That is argmax as one-hot. Softmax is its soft relative: the second best gets a share too."),
    ("the index of the largest score", lambda z: z.argmax(-1),
     "argmax decides for a class; softmax gives a probability for every class, in the shape of z."),
    ("powers of 2, normalised", lambda z: 2**z / (2**z).sum(-1, keepdim=True),
     "Softmax is built with the base e: torch.exp."),
    ("the softmax of scores shifted differently within one row",
     lambda z: torch.softmax(z - z.amax(0), -1), lambda z: torch.softmax(z - z.amax(-1), -1),
     "Only a shift by the same number for the whole row leaves its softmax unchanged: take the "
     "maximum over the classes, with keepdim=True."),
    ("the same for every class", lambda z: torch.softmax(z.clamp(-80, 80), -1),
     "Did you clip the scores? Then large ones become equal. Subtract the row's maximum instead."),
)  # fmt: skip

# --- cross_entropy --------------------------------------------------------------------------

cross_entropy = Values(
    "cross_entropy", NOTEBOOK, 2,
    lambda p, q: 0 - torch.special.xlogy(p, q).sum(),  # xlogy knows that 0 log 0 is 0
    idea="Only classes with p above 0 take part. Keep those, weigh -log q of each with its p, and "
    "add up; log of 0 then gives infinity exactly where it should.",
    hint="Weigh -log q of each class with p, and add up.",
    shape_hint="One number is asked for, a tensor of shape (): add up all the terms, keep no "
    "dimension.",
)  # fmt: skip

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

cross_entropy.mistakes += table(
    ("the cross-entropy of q and p, the arguments swapped", lambda p, q: -torch.xlogy(q, p).sum(),
     "The first argument p holds the true probabilities and weighs; the logarithm is of q."),
    ("the right value with the wrong sign", lambda p, q: (p * q.log()).sum(),
     "Logarithms of probabilities are negative: the minus in front makes the sum positive."),
    ("the mean of the terms", lambda p, q: -(p * q.log()).mean(),
     "Sum over the classes: p already weighs the terms, there is nothing more to average."),
    ("the terms, not yet summed", lambda p, q: -p * q.log(),
     "One number is asked for: add the terms up."),
    ("the terms p log q, one for each class", lambda p, q: p * q.log(),
     "Two things are missing: the minus in front, and the sum over the classes."),
    ("the cross-entropy with logarithms of base 2 or 10",
     lambda p, q: -(p * q.log2()).sum(), lambda p, q: -(p * q.log10()).sum(),
     "log2 counts bits. Nats come from the natural logarithm, torch.log."),
    ("the Kullback-Leibler divergence of p and q", lambda p, q: (p * (p / q).log()).sum(),
     "KL is cross-entropy minus the entropy of p: the logarithm of p does not belong here."),
    ("the Kullback-Leibler divergence of q and p", lambda p, q: (q * (q / p).log()).sum(),
     "That is a KL divergence, and with swapped arguments: only log q is needed, weighed by p."),
    ("the entropy of p", lambda p, q: -(p * p.log()).sum(),
     "That is H(p), which never looks at the prediction: the logarithm is of q."),
    ("-log q of the likeliest class alone", lambda p, q: -q[p.argmax()].log(),
     "That holds for one-hot p only. Every class counts with its weight p."),
    ("the sum of -log q, not weighed by p", lambda p, q: -q.log().sum(),
     "Weigh each -log q with the true probability p of its class."),
    ("F.cross_entropy, which takes q for logits", lambda p, q: F.cross_entropy(q, p),
     "F.cross_entropy applies softmax to its first argument; q already holds probabilities."),
    ("a binary cross-entropy of every class",
     lambda p, q: F.binary_cross_entropy(q, p, reduction="sum"),
     lambda p, q: F.binary_cross_entropy(q, p),
     "The (1-p) log(1-q) terms belong to yes/no questions. Here the classes share one "
     "distribution: sum -p log q alone."),
    ("a squared error", lambda p, q: ((p - q) ** 2).sum(), lambda p, q: ((p - q) ** 2).mean(),
     "Squared differences, summed or averaged, are another loss: this one is built from log q."),
    ("the sum without the entries where q is 0", lambda p, q: -torch.xlogy(p, q)[q > 0].sum(),
     "Leave out entries by p, not by q: where p > 0 and q = 0 something was called impossible that "
     "happens, and that costs infinitely much."),
)  # fmt: skip


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
    "cross_entropy_from_logits", NOTEBOOK, 3,
    lambda logits, targets: F.cross_entropy(logits, targets),
    idea="The loss of a sample is log-sum-exp of its row minus the target's logit. Take the "
    "log-sum-exp stably, pick one logit per row by its target, and average over the batch.",
    hint="For each row: -log of the softmax at the target's place; then the mean over the rows.",
    shape_hint="One number is asked for, of shape (): one loss for each sample, then their mean.",
)  # fmt: skip

_probe_logits(from_logits, seed=1)
from_logits.probe(
    tensor([[1000.0, 0.0]]),
    tensor([0]),
    hint=_OVERFLOW,
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
    hint=_UNDERFLOW,
    trap=lambda z, t: -_picked(z - z.max() - (z - z.max()).exp().sum(1, True).log(), t).mean(),
)

from_logits.mistakes += table(
    ("the loss of a softmax of a softmax", lambda z, t: F.cross_entropy(z.softmax(-1), t),
     "F.cross_entropy, F.log_softmax and nn.CrossEntropyLoss take logits and apply softmax "
     "themselves: apply it once."),
    ("the loss of a softmax, or log-sum-exp, over the batch (dim=0)",
     lambda z, t: F.nll_loss(z.log_softmax(0), t),
     lambda z, t: (z.logsumexp(0) - _picked(z, t)).mean(),
     "Your sum runs over the samples of the batch. The classes are dim=1, or dim=-1."),
    ("the sum of the losses", lambda z, t: F.cross_entropy(z, t, reduction="sum"),
     "A sum grows with the batch: take the mean over the batch."),
    ("the loss of each sample", lambda z, t: F.cross_entropy(z, t, reduction="none"),
     "Each sample has its loss now; take their mean to get one number."),
    ("the sum of the losses divided by N·K",
     lambda z, t: -(_one_hot(z, t) * z.log_softmax(-1)).mean(),
     "Divide by the number of samples N only: each sample contributes one term, not K. (A mean "
     "over an N×K matrix counts the zeros too.)"),
    ("the right value with the wrong sign", lambda z, t: -F.cross_entropy(z, t),
     "The loss is minus the log-probability of the target: it is never negative."),
    ("minus the target's logit, without the normalisation", lambda z, t: F.nll_loss(z, t),
     "A logit alone is no log-probability: subtract the log of the sum of all exponentials."),
    ("minus the mean probability of the targets", lambda z, t: F.nll_loss(z.softmax(-1), t),
     "The logarithm is missing. F.nll_loss does not take it either: it wants log-probabilities."),
    ("the logarithm of the mean probability", lambda z, t: -_picked(z.softmax(-1), t).mean().log(),
     "First the logarithm of each sample's probability, then the mean: they do not commute."),
    ("the loss in bits", lambda z, t: -_picked(z.softmax(-1), t).log2().mean(),
     "log2 measures in bits; the natural logarithm is meant."),
    ("the loss with the maximum still subtracted from the log-sum-exp",
     lambda z, t: (z.logsumexp(-1) - z.amax(-1) - _picked(z, t)).mean(),
     lambda z, t: (z.logsumexp(-1) - z.amax() - _picked(z, t)).mean(),
     "You shifted inside the exponential; add the maximum back outside the logarithm: "
     "LSE(z) = m + log of the sum of e^(z-m)."),
    ("a sum from which a mean was subtracted",
     lambda z, t: z.logsumexp(-1).sum() - _picked(z, t).mean(),
     lambda z, t: z.logsumexp(-1).mean() - _picked(z, t).sum(),
     "Only one of the two parts was divided by N. Take each sample's difference, then one mean."),
    ("the loss of logits shifted differently within one row",
     lambda z, t: ((z - z.amax(-1)).exp().sum(-1).log() + z.amax(-1) - _picked(z, t)).mean(),
     "A maximum of shape (N,) lines up with the columns, not the rows: keep it (N, 1) with "
     "keepdim=True while you subtract it."),
    ("a mean over every pair of sample and target", lambda z, t: -z.log_softmax(-1)[:, t].mean(),
     "logits[:, targets] picks the columns of all targets for every row, N×N numbers. You want one "
     "per row: row i, column targets[i]."),
    ("the loss with rows and columns mixed up",
     lambda z, t: -z.log_softmax(-1)[t, torch.arange(len(t))].mean(),
     "The first index is the sample, the second the class: row i, column targets[i]."),
    ("-log of the largest probability", lambda z, t: -z.log_softmax(-1).amax(-1).mean(),
     "The loss looks at the target's probability, believed or not, and not at the largest one."),
    ("the mean over all classes", lambda z, t: -z.log_softmax(-1).mean(),
     "The targets did not enter: only the target's log-probability of each row counts."),
    ("the log-probabilities weighed with the class numbers",
     lambda z, t: -(t * z.log_softmax(-1)).sum() / len(z),
     "The targets are class numbers, not one-hot rows: pick entries by number, or make them that."),
    ("a mean squared error", lambda z, t: F.mse_loss(z.softmax(-1), _one_hot(z, t)),
     "Squared errors are another loss: this one is -log of the target's probability."),
    ("the logarithm of a softmax that underflowed, or of a sum that overflowed",
     lambda z, t: -_picked(z.softmax(-1), t).log().mean(),
     lambda z, t: (z.exp().sum(-1).log() - _picked(z, t)).mean(),
     "The softmax underflows to exactly 0, or its sum overflows, and the logarithm is infinite. Do "
     "not take the log of a finished softmax: log-softmax is the logit minus log-sum-exp."),
)  # fmt: skip


@from_logits.then
def _gradients(answer: Callable) -> None:
    """The loss must be one that can be trained with."""
    for scale, why in (
        (1, "a part of it was detached from the graph, or read with .item()."),
        (1000, "torch.where picks one of two values, and the gradient goes through both branches, "
         "where 0 · inf is NaN. Shift by the row's maximum in any case."),
    ):  # fmt: skip
        values = scale * tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]])
        _gradient(answer, values, f"The value is right, but its gradient is not: {why}")


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
    "cross_entropy_grad", NOTEBOOK, 2, _gradient_of_mean_loss,
    idea="The derivative of one sample's loss by its logits is its softmax, less 1 at the target. "
    "The mean over the batch divides everything by N.",
    hint="The formula: softmax minus one-hot targets, divided by the number of samples.",
    shape_hint="Every logit gets its own derivative: the gradient has the shape of the logits.",
)  # fmt: skip

_probe_logits(
    grad,
    seed=2,
    more=" F.one_hot needs the number of classes as well: by itself it stops at the largest "
    "target.",
)
grad.probe(
    tensor([[1000.0, 1001.0]]),
    tensor([0]),
    hint=_OVERFLOW,
    trap=lambda z, t: (z.exp() / z.exp().sum(1, True) - _one_hot(z, t)) / len(z),
)
grad.probe(tensor([[1000.0, 1001.0], [-1000.0, -1001.0]]), tensor([0, 1]), hint=_UNDERFLOW)


def _with_and_without_mean(formula: Callable) -> tuple[Callable, Callable]:
    return lambda z, t: formula(z, t) / len(z), formula


def _minus_one(probabilities: Tensor, index) -> Tensor:
    """A copy with 1 subtracted at ``index``."""
    probabilities = probabilities.clone()
    probabilities[index] -= 1
    return probabilities


grad.mistakes += table(
    ("the gradient of the summed loss", lambda z, t: z.softmax(-1) - _one_hot(z, t),
     "The loss is a mean over N samples, so each row carries a factor 1/N."),
    ("one-hot minus softmax", *_with_and_without_mean(lambda z, t: _one_hot(z, t) - z.softmax(-1)),
     "Raising the target's logit lowers the loss, so its entry is negative: softmax minus one-hot, "
     "not the other way round; and the mean over the batch divides it by N."),
    ("the softmax alone", *_with_and_without_mean(lambda z, t: z.softmax(-1)),
     "The target's part is missing: subtract 1 at each row's target, before dividing by N."),
    ("the gradient with respect to the probabilities",
     *_with_and_without_mean(lambda z, t: -_one_hot(z, t) / z.softmax(-1)),
     "-y/p is the derivative by the probabilities. The chain goes on through softmax to the "
     "logits, and there it becomes simple."),
    ("the gradient divided by N·K", lambda z, t: (z.softmax(-1) - _one_hot(z, t)) / z.numel(),
     "The mean is over the N samples only; the classes of one sample are not averaged."),
    ("the gradient divided by K", lambda z, t: (z.softmax(-1) - _one_hot(z, t)) / z.shape[1],
     "The mean runs over the N samples, not over the K classes: divide by N."),
    ("logits minus one-hot", lambda z, t: (z - _one_hot(z, t)) / len(z),
     "The softmax is missing: the formula compares probabilities with the one-hot targets."),
    ("the mean over the batch", lambda z, t: (z.softmax(-1) - _one_hot(z, t)).mean(0),
     "Every sample has logits of its own: divide by N, do not sum over the samples."),
    ("the loss itself", lambda z, t: F.cross_entropy(z, t),
     "Its gradient is asked for: one number for each logit, in the shape of the logits."),
    ("built on a softmax over the batch (dim=0)",
     *_with_and_without_mean(lambda z, t: z.softmax(0) - _one_hot(z, t)),
     "Your softmax runs over the samples. The classes are dim=1, or dim=-1."),
    ("built on the log-softmax",
     *_with_and_without_mean(lambda z, t: z.log_softmax(-1) - _one_hot(z, t)),
     "Subtract the one-hot targets from the probabilities, not from their logarithms."),
    ("1 subtracted in every target's column of every row",
     *_with_and_without_mean(lambda z, t: _minus_one(z.softmax(-1), (slice(None), t))),
     "[:, targets] touches all rows in each target's column: row i loses 1 at targets[i] alone."),
    ("1 subtracted with rows and columns mixed up",
     *_with_and_without_mean(lambda z, t: _minus_one(z.softmax(-1), (t, torch.arange(len(t))))),
     "The first index is the sample, the second its class: row i, column targets[i]."),
    ("the softmax minus the class numbers", *_with_and_without_mean(lambda z, t: z.softmax(-1) - t),
     "The targets are class numbers: make them one-hot before subtracting."),
)  # fmt: skip


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
