"""Checks of notebook 01: softmax, cross-entropy, and its gradient.

The oracles are torch's own: ``torch.softmax``, ``torch.special.xlogy``, ``F.cross_entropy``, and
autograd.
"""

import contextlib
from collections.abc import Callable, Iterator
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from labutils.checks.frame.ask import Wrong, ask, close, expect_tensor, show
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.values import WrongValue, compare

NOTEBOOK = "01_softmax_cross_entropy"

# --- softmax --------------------------------------------------------------------------------


def oracle_softmax(z: Tensor) -> Tensor:
    """torch's softmax along the last dimension, [..., K] to [..., K]."""
    return torch.softmax(z, dim=-1)


def examine_softmax(answer: Callable) -> None:
    """Compare with torch.softmax: values, any number of dimensions, large scores, dtype."""
    # A square first: there a sum over the wrong dimension, or without keepdim, raises no error.
    z = torch.tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 0.0], [0.0, 4.0, 1.0]])
    _compare_softmax(answer, z, "softmax(z)")

    anywhere = (
        "The classes lie along the last dimension, and there may be none, one or two dimensions "
        "before it: count from the end, dim=-1, and keep that dimension in sums (keepdim=True)."
    )
    for shape in ((3,), (2, 4), (2, 3, 4)):
        z = torch.linspace(-1, 2, 24)[: torch.Size(shape).numel()].reshape(shape)
        call = f"softmax of a tensor of shape {shape}"
        compare(ask(answer, z, hint=anywhere), oracle_softmax(z), call, (), anywhere, anywhere)

    _examine_large_scores(answer)
    z = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    compare(ask(answer, z), oracle_softmax(z), "softmax of a float64 tensor")


def _compare_softmax(answer: Callable, z: Tensor, call: str) -> None:
    e = z.exp()
    best = F.one_hot(z.argmax(-1), z.shape[-1]).float()
    batch = (
        "Your columns sum to 1, so it normalises over the batch. Each row is one sample: normalise "
        "over the classes, dim=-1."
    )
    mistakes = [
        WrongValue(torch.softmax(z, 0), "a softmax over the batch (dim=0)", batch),
        WrongValue(
            e / e.sum(),
            "e^z divided by the sum over all samples",
            "Divide each row by its own sum: the whole tensor must not sum to 1, every row must.",
        ),
        WrongValue(
            e / e.sum(-1),
            "e^z divided by the row sums, laid out along the wrong dimension",
            "A sum drops its dimension, and broadcasting lines the rest up from the right: keep "
            "the dimension with keepdim=True.",
        ),
        WrongValue(
            e,
            "e^z, not normalised",
            "The exponential makes scores positive; to become probabilities they must still be "
            "divided by their sum.",
        ),
        WrongValue(
            z / z.sum(-1, keepdim=True),
            "the scores divided by their sum, without an exponential",
            "Scores can be negative or sum to zero. Take the exponential of each score first; "
            "then divide by the sum.",
        ),
        WrongValue(
            torch.log_softmax(z, -1),
            "the logarithm of the softmax",
            "That is log-softmax: these are log-probabilities. Probabilities lie between 0 and 1.",
        ),
        WrongValue(
            torch.sigmoid(z),
            "a sigmoid of each score on its own",
            "A sigmoid looks at one score alone, so its rows do not sum to 1. Softmax compares the "
            "scores of a row with each other.",
        ),
        WrongValue(
            torch.softmax(-z, -1),
            "a softmax of the negated scores",
            "The largest score must get the largest probability: look for a minus too many in the "
            "exponent.",
        ),
        WrongValue(
            best,
            "1 for the largest score and 0 elsewhere",
            "That is argmax as one-hot. Softmax is its soft relative: the second best gets a share "
            "too.",
        ),
        WrongValue(
            z.argmax(-1).float(),
            "the index of the largest score",
            "argmax decides for a class; softmax gives a probability for every class, in the "
            "shape of z.",
        ),
        WrongValue(
            2**z / (2**z).sum(-1, keepdim=True),
            "powers of 2, normalised",
            "Softmax is built with the base e: torch.exp.",
        ),
    ]
    for wrong_max in (z.amax(0), z.amax(-1)):  # subtracted along the wrong dimension
        shifted = (z - wrong_max).exp()
        mistakes.append(
            WrongValue(
                shifted / shifted.sum(-1, keepdim=True),
                "the softmax of scores shifted differently within one row",
                "Only a shift by the same number for the whole row leaves its softmax unchanged: "
                "take the maximum over the classes, with keepdim=True.",
            )
        )
    hint = "Each row is e^z divided by the sum of e^z over that row: one exponential, one division."
    compare(ask(answer, z, hint=hint), oracle_softmax(z), call, mistakes, hint)


def _examine_large_scores(answer: Callable) -> None:
    overflow = (
        "e^1000 overflows to inf, and inf/inf is NaN. A shift of the whole row changes nothing: "
        "subtract the row's maximum before the exponential, then no exponent is above 0."
    )
    z = torch.tensor([1000.0, 1001.0, 1002.0])
    clipped = WrongValue(
        torch.full((3,), 1 / 3),
        "the same for every class",
        "Did you clip the scores? Then all large ones become equal. Shift them instead: subtract "
        "the row's maximum.",
    )
    compare(ask(answer, z), oracle_softmax(z), "softmax([1000, 1001, 1002])", [clipped], overflow)

    # Shifting by something else than the row's own maximum fails on one of these.
    z = torch.tensor([0.0, 0.0, 1000.0])
    hint = (
        "The largest exponent must be 0 for exp to be safe. Subtracting the mean leaves large ones:"
        " subtract the maximum."
    )
    compare(ask(answer, z), oracle_softmax(z), "softmax([0, 0, 1000])", (), hint)
    z = torch.tensor([[1000.0, 1001.0], [-1000.0, -1001.0]])
    hint = (
        "The second row's exponentials all underflow to 0, and 0/0 is NaN: subtract each row's own "
        "maximum, not one maximum for the whole tensor."
    )
    call = "softmax([[1000, 1001], [-1000, -1001]])"
    compare(ask(answer, z), oracle_softmax(z), call, (), hint)


# --- cross_entropy --------------------------------------------------------------------------


def oracle_cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    """H(p, q) = -sum p log q in nats, [K] and [K] to []; xlogy knows that 0 log 0 is 0."""
    return 0 - torch.special.xlogy(p, q).sum()


def examine_cross_entropy(answer: Callable) -> None:
    """Compare with -sum xlogy(p, q): values, zeros on either side, dtype."""
    p = torch.tensor([0.5, 0.3, 0.2])
    q = torch.tensor([0.2, 0.7, 0.1])
    _compare_cross_entropy(answer, p, q)

    # 0 log 0
    p, q = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.5, 0.5])
    call = "cross_entropy([0, 1, 0], [0, 0.5, 0.5])"
    nothing = (
        "0 · log 0 counts as 0 here, but in floating point it is 0 · (-inf) = NaN. Leave out the "
        "entries where p is 0, or put 0 there."
    )
    compare(ask(answer, p, q), oracle_cross_entropy(p, q), call, (), nothing)
    p = q = torch.tensor([1.0, 0.0])
    call = "cross_entropy([1, 0], [1, 0])"
    compare(ask(answer, p, q.clone()), oracle_cross_entropy(p, q), call, (), nothing)
    # Two entries left of three: here p and q picked differently no longer line up by broadcasting.
    p, q = torch.tensor([0.5, 0.0, 0.5]), torch.tensor([0.25, 0.0, 0.75])
    call = "cross_entropy([0.5, 0, 0.5], [0.25, 0, 0.75])"
    both = "Keep the same entries of both tensors, those where p is above 0."
    compare(ask(answer, p, q, hint=both), oracle_cross_entropy(p, q), call, (), both)

    # p > 0 where q = 0
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
    call = "cross_entropy([0.5, 0.5], [1, 0])"
    left_out = WrongValue(
        torch.tensor(0.0),
        "the sum without the entries where q is 0",
        "Leave out entries by p, not by q: where p > 0 and q = 0 something was called impossible "
        "that happens, and that costs infinitely much.",
    )
    finite = (
        "An entry with p > 0 and q = 0 makes the cross-entropy infinite. A small number added to q "
        "(or a clamp) hides that: handle only the entries where p is 0."
    )
    compare(ask(answer, p, q), oracle_cross_entropy(p, q), call, [left_out], finite)

    p = torch.tensor([0.25, 0.75], dtype=torch.float64)
    q = torch.tensor([0.5, 0.5], dtype=torch.float64)
    compare(ask(answer, p, q), oracle_cross_entropy(p, q), "cross_entropy of float64 tensors")


def _compare_cross_entropy(answer: Callable, p: Tensor, q: Tensor) -> None:
    expected = oracle_cross_entropy(p, q)
    terms = -p * q.log()
    mistakes = [
        WrongValue(
            oracle_cross_entropy(q, p),
            "the cross-entropy of q and p, the arguments swapped",
            "The first argument p holds the true probabilities and weighs; the logarithm belongs "
            "to the prediction q.",
        ),
        WrongValue(
            -expected,
            "the right value with the wrong sign",
            "Logarithms of probabilities are negative: the minus in front makes the sum positive.",
        ),
        WrongValue(
            terms.mean(),
            "the mean of the terms",
            "Sum over the classes: p already weighs the terms, there is nothing more to average.",
        ),
        WrongValue(
            terms,
            "the terms, not yet summed",
            "One number is asked for: add the terms up.",
        ),
        WrongValue(
            -terms,
            "the terms p log q, one for each class",
            "Two things are missing: the minus in front, and the sum over the classes.",
        ),
        WrongValue(
            -(p * q.log2()).sum(),
            "the cross-entropy in bits",
            "A base-2 logarithm counts bits. Nats come from the natural logarithm, torch.log.",
        ),
        WrongValue(
            -(p * q.log10()).sum(),
            "the cross-entropy with base-10 logarithms",
            "log10 is neither bits nor nats: use the natural logarithm, torch.log.",
        ),
        WrongValue(
            (p * (p.log() - q.log())).sum(),
            "the Kullback-Leibler divergence of p and q",
            "KL is cross-entropy minus the entropy of p: the logarithm of p does not belong here.",
        ),
        WrongValue(
            (q * (q.log() - p.log())).sum(),
            "the Kullback-Leibler divergence of q and p",
            "That is a KL divergence, and with swapped arguments: only log q is needed, weighed "
            "by p.",
        ),
        WrongValue(
            -(p * p.log()).sum(),
            "the entropy of p",
            "That is H(p), which never looks at the prediction: the logarithm is of q.",
        ),
        WrongValue(
            -q[p.argmax()].log(),
            "-log q of the likeliest class alone",
            "That holds for one-hot p only. Every class counts with its weight p.",
        ),
        WrongValue(
            -q.log().sum(),
            "the sum of -log q, not weighed by p",
            "Weigh each -log q with the true probability p of its class.",
        ),
        WrongValue(
            F.cross_entropy(q, p),
            "F.cross_entropy, which takes q for logits",
            "F.cross_entropy applies softmax to its first argument; q already holds probabilities.",
        ),
        WrongValue(
            F.binary_cross_entropy(q, p, reduction="sum"),
            "a binary cross-entropy of every class",
            "The (1-p) log(1-q) terms belong to yes/no questions. Here the classes share one "
            "distribution: -p log q alone.",
        ),
        WrongValue(
            F.binary_cross_entropy(q, p),
            "the mean of binary cross-entropies",
            "Neither (1-p) log(1-q) terms nor a mean: sum -p log q over the classes.",
        ),
        WrongValue(
            ((p - q) ** 2).sum(),
            "the squared error",
            "Squared differences are another loss: this one is built from log q.",
        ),
        WrongValue(
            ((p - q) ** 2).mean(),
            "the mean squared error",
            "The mean of squared differences is another loss: this one is built from log q.",
        ),
    ]
    call = f"cross_entropy({show(p)}, {show(q)})"
    hint = "Weigh -log q of each class with p, and add up."
    shape = (
        "One number is asked for, a tensor of shape (): add up all the terms, keep no dimension."
    )
    compare(ask(answer, p, q, hint=hint), expected, call, mistakes, hint, shape)


# --- cross_entropy_from_logits --------------------------------------------------------------


def oracle_cross_entropy_from_logits(logits: Tensor, targets: Tensor) -> Tensor:
    """torch's cross-entropy, [N, K] and [N] to [], mean over the batch."""
    return F.cross_entropy(logits, targets)


def examine_cross_entropy_from_logits(answer: Callable) -> None:
    """Compare with F.cross_entropy: values, other shapes, large logits, dtype, gradient."""
    # A square first, where mixed-up dimensions raise no error.
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 2.0], [0.5, 3.0, 1.0]])
    targets = torch.tensor([2, 0, 2])
    _compare_loss(answer, logits, targets)

    generator = torch.Generator().manual_seed(1)
    for n, k in ((4, 3), (2, 5), (1, 10)):
        logits = torch.randn(n, k, generator=generator)
        targets = torch.arange(n) * 2 % k
        expected = oracle_cross_entropy_from_logits(logits, targets)
        call = f"cross_entropy_from_logits of {n} samples and {k} classes"
        hint = (
            "It worked for 3 samples of 3 classes, so look for a dimension that is mixed up or "
            "written as a fixed number."
        )
        compare(ask(answer, logits, targets, hint=hint), expected, call, (), hint)

    _examine_large_logits(answer)

    logits = torch.tensor([[0.0, 1.0], [2.0, 1.0]], dtype=torch.float64)
    targets = torch.tensor([0, 1])
    expected = oracle_cross_entropy_from_logits(logits, targets)
    compare(ask(answer, logits, targets), expected, "cross_entropy_from_logits of float64 logits")
    _examine_gradient(answer)


def _compare_loss(answer: Callable, logits: Tensor, targets: Tensor) -> None:
    n, k = logits.shape
    each = F.cross_entropy(logits, targets, reduction="none")
    expected = each.mean()
    probabilities = logits.softmax(-1)
    rows = torch.arange(n)
    picked = logits[rows, targets]
    twice = (
        "F.cross_entropy, F.log_softmax and nn.CrossEntropyLoss take logits and apply softmax "
        "themselves: apply it once."
    )
    mistakes = [
        WrongValue(
            F.cross_entropy(probabilities, targets),
            "the loss of a softmax of a softmax",
            twice,
        ),
        WrongValue(
            -logits.log_softmax(0)[rows, targets].mean(),
            "the loss of a softmax over the batch (dim=0)",
            "Your softmax runs over the samples of the batch. The classes are dim=1, or dim=-1.",
        ),
        WrongValue(
            each.sum(),
            "the sum of the losses",
            "A sum grows with the batch: take the mean over the batch.",
        ),
        WrongValue(
            each,
            "the loss of each sample",
            "Each sample has its loss now; take their mean to get one number.",
        ),
        WrongValue(
            each.sum() / (n * k),
            "the sum of the losses divided by N·K",
            "Divide by the number of samples N only: each sample contributes one term, not K. (A "
            "mean over an N×K matrix counts the zeros too.)",
        ),
        WrongValue(
            -expected,
            "the right value with the wrong sign",
            "The loss is minus the log-probability of the target: it is never negative.",
        ),
        WrongValue(
            -picked.mean(),
            "minus the target's logit, without the normalisation",
            "A logit alone is no log-probability: the log of the sum of all exponentials must be "
            "subtracted from it.",
        ),
        WrongValue(
            -probabilities[rows, targets].mean(),
            "minus the mean probability of the targets",
            "The logarithm is missing. F.nll_loss does not take it either: it wants "
            "log-probabilities.",
        ),
        WrongValue(
            -probabilities[rows, targets].mean().log(),
            "the logarithm of the mean probability",
            "First the logarithm of each sample's probability, then the mean: they do not commute.",
        ),
        WrongValue(
            expected / torch.log(torch.tensor(2.0)),
            "the loss in bits",
            "log2 measures in bits; the natural logarithm is meant.",
        ),
        *(
            WrongValue(
                (logits.logsumexp(-1) - shift - picked).mean(),
                "the loss with the maximum still subtracted from the log-sum-exp",
                "You shifted inside the exponential; add the maximum back outside the logarithm: "
                "LSE(z) = m + log of the sum of e^(z-m).",
            )
            for shift in (logits.amax(-1), logits.amax())
        ),
        *(
            WrongValue(
                value,
                "the loss with log-sum-exp over the batch (dim=0)",
                "Your log-sum-exp adds up the samples. It runs over the classes of one sample, "
                "dim=-1.",
            )
            for value in (
                (logits.logsumexp(0) - picked).mean(),
                (logits.logsumexp(0, keepdim=True) - logits)[rows, targets].mean(),
            )
        ),
        *(
            WrongValue(
                value,
                "a sum from which a mean was subtracted",
                "Only one of the two parts was divided by N. Take the difference for each sample "
                "first, then one mean over all of them.",
            )
            for value in (
                logits.logsumexp(-1).sum() - picked.mean(),
                logits.logsumexp(-1).mean() - picked.sum(),
            )
        ),
        WrongValue(
            ((logits - logits.amax(-1)).exp().sum(-1).log() + logits.amax(-1) - picked).mean(),
            "the loss of logits shifted differently within one row",
            "A maximum of shape (N,) lines up with the columns, not the rows: keep it (N, 1) with "
            "keepdim=True while you subtract it.",
        ),
        WrongValue(
            -logits.log_softmax(-1)[:, targets].mean(),
            "a mean over every pair of sample and target",
            "logits[:, targets] picks the columns of all targets for every row, N×N numbers. You "
            "want one per row: row i, column targets[i].",
        ),
        WrongValue(
            -logits.log_softmax(-1)[targets, rows].mean(),
            "the loss with rows and columns mixed up",
            "The first index is the sample, the second the class: row i, column targets[i].",
        ),
        WrongValue(
            -logits.log_softmax(-1).amax(-1).mean(),
            "-log of the largest probability",
            "The largest probability is what the model believes; the loss looks at the target's "
            "probability, believed or not.",
        ),
        WrongValue(
            -logits.log_softmax(-1).mean(),
            "the mean over all classes",
            "The targets did not enter: only the target's log-probability of each row counts.",
        ),
        WrongValue(
            -(targets * logits.log_softmax(-1)).sum() / n,
            "the log-probabilities weighed with the class numbers",
            "The targets are class numbers, not one-hot rows: pick entries by number, or make "
            "them one-hot first.",
        ),
        WrongValue(
            F.mse_loss(probabilities, F.one_hot(targets, k).float()),
            "a mean squared error",
            "Squared errors are another loss: this one is -log of the target's probability.",
        ),
    ]
    shape = "One number is asked for, of shape (): one loss for each sample, then their mean."
    hint = "For each row: -log of the softmax at the target's place; then the mean over the rows."
    call = f"cross_entropy_from_logits({show(logits)}, {show(targets)})"
    compare(ask(answer, logits, targets, hint=hint), expected, call, mistakes, hint, shape)


def _examine_large_logits(answer: Callable) -> None:
    for row, target in (([1000.0, 0.0], 0), ([1000.0, 0.0], 1), ([0.0, -1000.0], 1)):
        logits, targets = torch.tensor([row]), torch.tensor([target])
        expected = oracle_cross_entropy_from_logits(logits, targets)
        call = f"cross_entropy_from_logits({show(logits)}, [{target}])"
        got = ask(answer, logits, targets)
        value = expect_tensor(got, (), None, f"The result of {call}").detach()
        if close(value, expected):
            continue
        seen = f"{call} gave {show(value)}; expected {show(expected)}."
        if value.isnan():
            raise Wrong(
                seen,
                "e^1000 overflows to inf, and inf/inf is NaN. Subtract each row's maximum before "
                "the exponential.",
            )
        if value.isinf():
            raise Wrong(
                seen,
                "The softmax underflows to exactly 0, or its sum overflows, and the logarithm is "
                "infinite. Do not take the log of a finished softmax: log-softmax is the logit "
                "minus log-sum-exp.",
            )
        raise Wrong(
            seen,
            "A small number inside the logarithm, or a clamp, caps the loss and with it the "
            "gradient. Log-sum-exp needs neither.",
        )


def _examine_gradient(answer: Callable) -> None:
    targets = torch.tensor([0, 2])
    values = torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]])
    mine = values.clone().requires_grad_()
    hint = (
        "These logits require a gradient, as a model's do. Stay in torch from the logits to the "
        "loss, without changing them in place: .numpy() and in-place operations fail here."
    )
    loss = ask(answer, mine, targets, hint=hint)
    loss = expect_tensor(loss, (), None, "The loss")
    if not loss.requires_grad:
        raise Wrong(
            "The loss is right, but it carries no gradient; expected one that can be trained with.",
            "Something cut the graph: .detach(), .item(), .data, no_grad(), torch.tensor(...) of a "
            "tensor, or a way through numpy.",
        )
    theirs = values.clone().requires_grad_()
    (expected,) = torch.autograd.grad(oracle_cross_entropy_from_logits(theirs, targets), theirs)
    (gradient,) = torch.autograd.grad(loss, mine, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(mine)
    compare(
        gradient,
        expected,
        "The backward pass through your loss",
        (),
        "The value is right but its gradient is not: a part of it was detached from the graph, or "
        "read with .item().",
    )


# --- cross_entropy_grad ---------------------------------------------------------------------


def oracle_cross_entropy_grad(logits: Tensor, targets: Tensor) -> Tensor:
    """Autograd's gradient of F.cross_entropy, [N, K] and [N] to [N, K]."""
    logits = logits.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(logits, targets)
    return torch.autograd.grad(loss, logits)[0]


def examine_cross_entropy_grad(answer: Callable) -> str | None:
    """Compare with autograd: values, other shapes, large logits, dtype."""
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 2.0], [0.5, 3.0, 1.0]])
    targets = torch.tensor([2, 0, 2])
    _compare_grad(answer, logits, targets)

    generator = torch.Generator().manual_seed(2)
    for n, k in ((4, 3), (2, 5), (1, 10)):
        logits = torch.randn(n, k, generator=generator)
        targets = torch.arange(n) * 2 % k
        expected = oracle_cross_entropy_grad(logits, targets)
        call = f"cross_entropy_grad of {n} samples and {k} classes"
        hint = (
            "It worked for 3 samples of 3 classes, so look for a dimension that is mixed up or "
            "written as a fixed number. F.one_hot needs the number of classes as well: by itself "
            "it stops at the largest target."
        )
        compare(ask(answer, logits, targets, hint=hint), expected, call, (), hint)

    logits, targets = torch.tensor([[1000.0, 1001.0]]), torch.tensor([0])
    expected = oracle_cross_entropy_grad(logits, targets)
    hint = "The softmax inside overflows to NaN: subtract the row's maximum before the exponential."
    compare(
        ask(answer, logits, targets), expected, "cross_entropy_grad([[1000, 1001]], [0])", (), hint
    )

    logits = torch.tensor([[0.0, 1.0], [2.0, 1.0]], dtype=torch.float64)
    targets = torch.tensor([0, 1])
    expected = oracle_cross_entropy_grad(logits, targets)
    compare(ask(answer, logits, targets), expected, "cross_entropy_grad of float64 logits")
    with _watched_autograd() as used:
        ask(answer, logits, targets)
    if used:
        return "Right. But autograd did the work; the formula was asked for. Try it by hand too."
    return None


def _compare_grad(answer: Callable, logits: Tensor, targets: Tensor) -> None:
    n, k = logits.shape
    p = logits.softmax(-1)
    y = F.one_hot(targets, k).float()
    expected = oracle_cross_entropy_grad(logits, targets)
    over_batch = logits.softmax(0)
    every_column = p.clone()
    every_column[:, targets] -= 1
    transposed = p.clone()
    transposed[targets, torch.arange(n)] -= 1
    mistakes = [
        WrongValue(
            p - y,
            "the gradient of the summed loss",
            "The loss is a mean over N samples, so each row carries a factor 1/N.",
        ),
        WrongValue(
            -expected,
            "the right gradient with the wrong sign",
            "Raising the target's logit lowers the loss, so its entry is negative: softmax minus "
            "one-hot, not the other way round.",
        ),
        WrongValue(
            y - p,
            "one-hot minus softmax, not divided by N",
            "Two things: it is softmax minus one-hot (the target's entry is negative), and the "
            "mean over the batch divides it by N.",
        ),
        WrongValue(
            p / n,
            "the softmax divided by N",
            "The target's part is missing: subtract 1 at each row's target, before dividing by N.",
        ),
        WrongValue(
            p,
            "the softmax alone",
            "The softmax is only half of the formula: subtract the one-hot targets, and divide "
            "by N.",
        ),
        WrongValue(
            -y / p / n,
            "the gradient with respect to the probabilities",
            "-y/p is the derivative by the probabilities. The chain goes on through softmax to the "
            "logits, and there it becomes simple.",
        ),
        WrongValue(
            -y / p,
            "the gradient with respect to the probabilities, not divided by N",
            "-y/p stops at the probabilities: go on through the softmax to the logits. And the "
            "mean brings 1/N.",
        ),
        WrongValue(
            (p - y) / (n * k),
            "the gradient divided by N·K",
            "The mean is over the N samples only; the classes of one sample are not averaged.",
        ),
        WrongValue(
            (p - y) / k,
            "the gradient divided by K",
            "The mean runs over the N samples, not over the K classes: divide by N.",
        ),
        WrongValue(
            (logits - y) / n,
            "logits minus one-hot",
            "The softmax is missing: the formula compares probabilities with the one-hot targets.",
        ),
        WrongValue(
            (p - y).mean(0),
            "the mean over the batch",
            "Every sample has logits of its own, so the gradient has the shape of the logits: "
            "divide by N, do not sum over the samples.",
        ),
        WrongValue(
            F.cross_entropy(logits, targets),
            "the loss itself",
            "Its gradient is asked for: one number for each logit, in the shape of the logits.",
        ),
    ]
    for candidate, name, hint in (
        (
            over_batch - y,
            "built on a softmax over the batch (dim=0)",
            "Your softmax runs over the samples. The classes are dim=1, or dim=-1.",
        ),
        (
            logits.log_softmax(-1) - y,
            "built on the log-softmax",
            "Subtract the one-hot targets from the probabilities, not from their logarithms.",
        ),
        (
            every_column,
            "1 subtracted in every target's column of every row",
            "[:, targets] touches the columns of all targets in all rows: row i only loses 1 at "
            "column targets[i].",
        ),
        (
            transposed,
            "1 subtracted with rows and columns mixed up",
            "The first index is the sample, the second its class: row i, column targets[i].",
        ),
        (
            p - targets,
            "the softmax minus the class numbers",
            "The targets are class numbers: make them one-hot before subtracting.",
        ),
    ):
        mistakes += [WrongValue(candidate / n, name, hint), WrongValue(candidate, name, hint)]
    shape = "Every logit gets its own derivative: the gradient has the shape of the logits."
    hint = "The formula: softmax minus one-hot targets, divided by the number of samples."
    call = f"cross_entropy_grad({show(logits)}, {show(targets)})"
    compare(ask(answer, logits, targets, hint=hint), expected, call, mistakes, hint, shape)


@contextlib.contextmanager
def _watched_autograd() -> Iterator[list]:
    """Return a list that is filled when autograd's engine is asked for a gradient."""
    used = []

    def watch(function):
        def call(*args, **kwargs):
            used.append(function)
            return function(*args, **kwargs)

        return call

    with (
        mock.patch.object(torch.autograd, "grad", watch(torch.autograd.grad)),
        mock.patch.object(torch.autograd, "backward", watch(torch.autograd.backward)),
    ):
        yield used


EXERCISES = [
    Exercise(
        "softmax",
        NOTEBOOK,
        2,
        oracle_softmax,
        examine_softmax,
        "Shift every row so that its largest score is 0, take the exponential of each score, and "
        "divide each row by its own sum, all along the last dimension.",
    ),
    Exercise(
        "cross_entropy",
        NOTEBOOK,
        2,
        oracle_cross_entropy,
        examine_cross_entropy,
        "Only classes with p above 0 take part. Keep those, weigh -log q of each with its p, and "
        "add up; log of 0 then gives infinity exactly where it should.",
    ),
    Exercise(
        "cross_entropy_from_logits",
        NOTEBOOK,
        3,
        oracle_cross_entropy_from_logits,
        examine_cross_entropy_from_logits,
        "The loss of a sample is log-sum-exp of its row minus the target's logit. Take the log-sum-"
        "exp stably, pick one logit per row by its target, and average over the batch.",
    ),
    Exercise(
        "cross_entropy_grad",
        NOTEBOOK,
        2,
        oracle_cross_entropy_grad,
        examine_cross_entropy_grad,
        "The derivative of one sample's loss by its logits is its softmax, less 1 at the target. "
        "The mean over the batch divides everything by N.",
    ),
]
