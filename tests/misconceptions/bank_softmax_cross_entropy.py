"""Answers to the exercises of notebook 01, as students write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank
from .mutants import Text, mutants

# --- softmax --------------------------------------------------------------------------------

softmax = Bank("softmax")


@softmax.right
def softmax_by_logsumexp(scores):
    return (scores - torch.logsumexp(scores, -1)[..., None]).exp()


@softmax.right
def softmax_through_numpy(z):
    a = z.numpy()
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return torch.from_numpy(e / e.sum(axis=-1, keepdims=True))


@softmax.right
def softmax_in_place_on_its_own(z):
    out = z.clone()
    out -= out.amax(-1, keepdim=True)
    out.exp_()
    out /= out.sum(-1, keepdim=True)
    return out


@softmax.right
def softmax_row_by_row(z, eps=0.0):
    rows = [(r - r.max()).exp() for r in z.reshape(-1, z.shape[-1])]
    return torch.stack([r / (r.sum() + eps) for r in rows]).reshape(z.shape)


@softmax.right
def softmax_by_einsum(z):
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return torch.einsum("...k,...->...k", e, 1 / torch.einsum("...k->...", e))


softmax.right(nn.Softmax(dim=-1))


@softmax.right
def softmax_with_a_small_epsilon(z):
    e = torch.exp(z - z.amax(-1, keepdim=True))
    return e / (e.sum(-1, keepdim=True) + 1e-12)


SOFTMAX = Text(
    """
def softmax(z):
    shifted = z - z.max(dim=-1, keepdim=True).values
    e = torch.exp(shifted)
    return e / e.sum(dim=-1, keepdim=True)
""",
    math=math,
)
SHIFT, SUM = "z.max(dim=-1, keepdim=True).values", "e.sum(dim=-1, keepdim=True)"
softmax.right(SOFTMAX())
mutants(
    softmax, SOFTMAX,
    ("over the batch", "dim=-1", "dim=0"),
    ("count from the end", "dim=-1", "dim=1"),
    ("the whole tensor must not sum to 1", SUM, "e.sum()"),
    ("broadcasting", SUM, "e.sum(dim=-1)"),
    ("still be divided by their sum", f" / {SUM}", ""),
    ("minus too many", "exp(shifted)", "exp(-shifted)"),
    ("base e", "exp(shifted)", "exp2(shifted)"),
    ("one exponential, one division", "exp(shifted)", "exp(shifted / 2)"),
    ("overflows to inf", f" - {SHIFT}", ""),
    ("not one maximum for the whole batch", SHIFT, "z.max()"),
    ("same number for the whole row", SHIFT, "z.max(dim=0).values"),
    ("subtracting the mean", SHIFT, "z.mean(dim=-1, keepdim=True)"),
    ("did you clip", f"z - {SHIFT}", "z.clamp(-80, 80)"),
    ("in-place", "shifted = z -", "shifted = z\nshifted -="),
    ("stay in torch", "return e", "e = e.numpy()\nreturn e", SUM, "e.sum(-1, keepdims=True)"),
    ("dtype of its argument", "exp(shifted)", "exp(shifted.float())"),
    ("`return`", "return e", "e = e"),
    ("max, min, sort and topk with a dim give two results", ".values", ""),
    ("Functions of the module math", "torch.exp", "math.exp"),
    ("numpy's functions stumble", "torch.exp", "np.exp", SUM, "np.sum(e)"),
    ("only builds the layer", f"e / {SUM}", "nn.Softmax(z)"),
)  # fmt: skip


# --- cross_entropy --------------------------------------------------------------------------

cross_entropy = Bank("cross_entropy")


@cross_entropy.right
def cross_entropy_where(p, q):
    terms = torch.where(p == 0, torch.zeros_like(p), p * torch.log(q))
    return -torch.sum(terms)


@cross_entropy.right
def cross_entropy_xlogy(target, prediction):
    return -torch.xlogy(target, prediction).sum()


@cross_entropy.right
def cross_entropy_nansum(p, q):
    return -torch.nansum(p * q.log())


@cross_entropy.right
def cross_entropy_by_hand(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        if a > 0:
            total -= a * math.log(b) if b > 0 else -math.inf
    return torch.tensor(total, dtype=p.dtype)


@cross_entropy.right
def cross_entropy_dot(p, q):
    i = torch.nonzero(p).squeeze(1)
    return p[i].dot(-q[i].log())


@cross_entropy.right
def cross_entropy_numpy(p, q):
    a, b = p.numpy(), q.numpy()
    with np.errstate(divide="ignore"):
        logs = np.log(b, where=a > 0, out=np.zeros_like(b))
    return torch.as_tensor(-(a * logs).sum())


CROSS_ENTROPY = Text("""
def cross_entropy(p, q):
    keep = p > 0
    terms = p[keep] * torch.log(q[keep])
    return -terms.sum()
""")
LOG, KEEP = "torch.log(q[keep])", "keep = p > 0"
cross_entropy.right(CROSS_ENTROPY())
mutants(
    cross_entropy, CROSS_ENTROPY,
    ("first argument p holds", "p[keep] * torch.log(q[keep])", "q[keep] * torch.log(p[keep])"),
    ("the minus in front makes", "-terms", "terms"),
    ("two things are missing", "-terms.sum()", "terms"),
    ("counts bits", "log(", "log2("),
    ("never looks at the prediction", "log(q", "log(p"),
    ("minus the entropy of p", LOG, "torch.log(q[keep] / p[keep])"),
    ("one-hot p only", "p > 0", "p == p.max()", "p[keep] * ", ""),
    ("yes/no questions", LOG, f"{LOG} + (1 - p[keep]) * torch.log(1 - q[keep])"),
    ("0 · log 0", "p > 0", "p >= 0"),
    ("(or a clamp) hides that", "(q[keep])", "(q[keep].clamp(min=1e-12))"),
    ("makes the cross-entropy infinite", "-terms", "-terms.nan_to_num()"),
    ("leave out entries by p, not by q", "p > 0", "q > 0"),
    ("same entries of both", "p[keep] *", "p *"),
    ("weigh -log q of each class", "-terms.sum()", "torch.exp(-terms.sum())"),
    ("stay in torch", ".sum()", ".sum().item()"),
    ("keep no dimension", ".sum()", ".sum(dim=0, keepdim=True)"),
    ("in-place", KEEP, f"{KEEP}\nq[~keep] = 1"),
    ("one True or False", KEEP, f"if p == 0:\n    return p.sum()\n{KEEP}"),
)  # fmt: skip


# --- cross_entropy_from_logits --------------------------------------------------------------

from_logits = Bank("cross_entropy_from_logits")


@from_logits.right
def from_logits_logsumexp(logits, targets):
    picked = logits[torch.arange(len(logits)), targets]
    return (torch.logsumexp(logits, dim=1) - picked).mean()


@from_logits.right
def from_logits_gather(logits, targets):
    log_probabilities = F.log_softmax(logits, dim=-1)
    return -log_probabilities.gather(1, targets.unsqueeze(1)).mean()


@from_logits.right
def from_logits_one_hot(logits, targets):
    y = F.one_hot(targets, num_classes=logits.shape[1])
    return -(y * logits.log_softmax(1)).sum(1).mean()


@from_logits.right
def from_logits_module(logits, targets, criterion=None):
    return (criterion or nn.CrossEntropyLoss())(logits, targets)


@from_logits.right
def from_logits_einsum(logits, targets):
    y = torch.eye(logits.shape[1], dtype=logits.dtype)[targets]
    return -torch.einsum("nk,nk->", y, logits.log_softmax(1)) / logits.shape[0]


@from_logits.right
def from_logits_nll(logits, targets):
    return F.nll_loss(F.log_softmax(logits, dim=1), targets)


FROM_LOGITS = Text("""
def cross_entropy_from_logits(logits, targets):
    n = len(targets)
    largest = logits.max(dim=1, keepdim=True).values
    log_sum_exp = largest + torch.log(torch.exp(logits - largest).sum(dim=1, keepdim=True))
    log_p = logits - log_sum_exp
    return -log_p[torch.arange(n), targets].mean()
""")
BEGIN, PICK, LOG_P = "n = len(targets)", "[torch.arange(n), targets]", "logits - log_sum_exp"
RETURN = f"-log_p{PICK}.mean()"
from_logits.right(FROM_LOGITS())
mutants(
    from_logits, FROM_LOGITS,
    ("apply it once", RETURN, "nn.CrossEntropyLoss()(torch.exp(log_p), targets)"),
    ("over the samples of the batch", "dim=1", "dim=0"),
    ("a sum grows with the batch", ".mean()", ".sum()"),
    ("counts the zeros too", f"{PICK}.mean()", f"{PICK}.sum() / logits.numel()"),
    ("add the maximum back", "largest + ", ""),
    ("one of the two parts was divided by N", RETURN, f"log_sum_exp.sum() - logits{PICK}.mean()"),
    ("n×n numbers", PICK, "[:, targets]"),
    ("believed or not", PICK, ".max(dim=1).values"),
    ("squared errors", RETURN, "((log_p.exp() - F.one_hot(targets, logits.shape[1])) ** 2).mean()"),
    ("then the mean over the rows", RETURN, f"torch.exp({RETURN})"),
    ("one loss for each sample", ".mean()", ".mean(dim=0, keepdim=True)"),
    ("inf/inf is NaN", LOG_P, "torch.log(logits.exp() / logits.exp().sum(dim=1, keepdim=True))"),
    ("the logarithm is infinite", LOG_P, "torch.log(torch.softmax(logits, dim=1))"),
    ("caps the loss", LOG_P, "torch.log(torch.softmax(logits, dim=1) + 1e-8)"),
    ("maximum for the whole batch", "logits.max(dim=1, keepdim=True).values", "logits.max()"),
    ("something cut the graph", "-log_p", "-log_p.detach()"),
    ("detached from the graph", LOG_P, "logits - log_sum_exp.detach()"),
    ("through both branches", f"log_p = {LOG_P}",
     "plain = logits.exp().sum(1, keepdim=True).log()",
     "return -log_p", "log_p = logits - torch.where(largest.abs() > 80, log_sum_exp, plain)\n"
     "return -log_p"),
    (".numpy() and in-place", BEGIN, f"{BEGIN}\nlogits = torch.from_numpy(logits.numpy())"),
    ("caller's own data", BEGIN, f"{BEGIN}\nlogits -= logits.mean()"),
    ("stay in torch", ".mean()", ".mean().item()"),
    ("written as a fixed number", "arange(n)", "arange(3)"),
)  # fmt: skip


# --- cross_entropy_grad ---------------------------------------------------------------------

grad = Bank("cross_entropy_grad")


@grad.right
def grad_one_hot(logits, targets):
    p = torch.softmax(logits, dim=1)
    return (p - F.one_hot(targets, logits.shape[1])) / len(logits)


@grad.right
def grad_scatter(logits, targets):
    minus_one = torch.full((len(targets), 1), -1.0, dtype=logits.dtype)
    g = logits.log_softmax(1).exp().scatter_add(1, targets[:, None], minus_one)
    return g / logits.size(0)


@grad.right
def grad_through_numpy(logits, targets):
    z = logits.numpy()
    e = np.exp(z - z.max(1, keepdims=True))
    g = e / e.sum(1, keepdims=True)
    g[np.arange(len(g)), targets.numpy()] -= 1
    return torch.from_numpy(g / len(g))


@grad.right
def grad_autograd(logits, targets):
    z = logits.clone().requires_grad_()
    F.cross_entropy(z, targets).backward()
    return z.grad


@grad.right
def grad_autograd_on_the_given(logits, targets):
    logits.requires_grad_(True)
    return torch.autograd.grad(F.cross_entropy(logits, targets), logits)[0]


@grad.right
def grad_func(logits, targets):
    return torch.func.grad(F.cross_entropy)(logits, targets)


@grad.right
def grad_row_by_row(logits, targets):
    rows = []
    for z, t in zip(logits, targets, strict=True):
        y = torch.zeros_like(z)
        y[t] = 1
        rows.append((torch.softmax(z, 0) - y) / len(logits))
    return torch.stack(rows)


GRAD = Text("""
def cross_entropy_grad(logits, targets):
    n, k = logits.shape
    e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    g = e / e.sum(dim=1, keepdim=True)
    g[torch.arange(n), targets] -= 1
    return g / n
""")
LARGEST, MINUS = "logits.max(dim=1, keepdim=True).values", "g[torch.arange(n), targets] -= 1"
grad.right(GRAD())
mutants(
    grad, GRAD,
    ("factor 1/n", "g / n", "g"),
    ("not the other way round", "g / n", "-g / n"),
    ("the target's part is missing", MINUS, ""),
    ("not averaged", "g / n", "g / (n * k)"),
    ("do not sum over the samples", "g / n", "g.mean(dim=0)"),
    ("runs over the samples", "dim=1", "dim=0"),
    ("[:, targets] touches", "torch.arange(n), targets", ":, targets"),
    ("the first index is the sample", "torch.arange(n), targets", "targets, torch.arange(n)"),
    ("the formula: softmax minus", "torch.exp(logits", "torch.exp2(logits"),
    ("every logit gets its own", "g / n", "(g / n).flatten()"),
    ("inf/inf is NaN", f" - {LARGEST}", ""),
    ("maximum for the whole batch", LARGEST, "logits.max()"),
    ("in-place", "e = torch.exp(logits -", "logits -=", "values)", "values\ne = torch.exp(logits)"),
    ("written as a fixed number", "g / n", "g / 3"),
    ("dtype of its argument", "g / n", "(g / n).float()"),
    ("it stops at the largest target", MINUS, "g -= F.one_hot(targets)"),
    ("that name", "n, k = logits.shape", "return cross_entropy_grad(logits, targets)"),
)  # fmt: skip


@grad.wrong("derivative by the probabilities")
def grad_stops_at_the_probabilities(logits, targets):
    p = logits.softmax(1).requires_grad_()
    F.nll_loss(p.log(), targets).backward()
    return p.grad
