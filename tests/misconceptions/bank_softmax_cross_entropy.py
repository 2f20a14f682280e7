"""Answers to the exercises of notebook 01, as students write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

# --- softmax --------------------------------------------------------------------------------

softmax = Bank("softmax")


@softmax.blank
def softmax_stub(z):
    raise NotImplementedError


@softmax.right
def softmax_by_the_book(z):
    shifted = z - z.max(dim=-1, keepdim=True).values
    e = torch.exp(shifted)
    return e / e.sum(dim=-1, keepdim=True)


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


@softmax.wrong("over the batch")
def softmax_over_dim_0(z):
    e = torch.exp(z - z.amax(0))
    return e / e.sum(0)


@softmax.wrong("the whole tensor must not sum to 1")
def softmax_over_everything(z):
    e = torch.exp(z - z.max())
    return e / e.sum()


@softmax.wrong("broadcasting")
def softmax_without_keepdim(z):
    e = torch.exp(z)
    return e / e.sum(-1)


@softmax.wrong("not one maximum for the whole tensor")
def softmax_with_one_maximum(z):
    e = torch.exp(z - z.max())
    return e / e.sum(-1, keepdim=True)


@softmax.wrong("subtracting the mean")
def softmax_with_the_mean(z):
    e = torch.exp(z - z.mean(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


@softmax.wrong("one exponential, one division")
def softmax_of_half_the_scores(z):
    e = torch.exp(z / 2)
    return e / e.sum(-1, keepdim=True)


@softmax.wrong("base e")
def softmax_base_2(z):
    powers = torch.exp2(z)
    return torch.stack([row / sum(row) for row in powers])


@softmax.wrong("in-place")
def softmax_in_place(z):
    z -= z.amax(-1, keepdim=True)
    z.exp_()
    return z / z.sum(-1, keepdim=True)


@softmax.wrong("stay in torch")
def softmax_returns_numpy(z):
    e = np.exp(z.numpy())
    return e / e.sum(-1, keepdims=True)


@softmax.wrong("dtype of its argument")
def softmax_in_single_precision(z):
    return torch.softmax(z.float(), -1)


@softmax.wrong("`return`")
def softmax_without_return(z):
    e = torch.exp(z - z.amax(-1, keepdim=True))
    e / e.sum(-1, keepdim=True)


@softmax.wrong("max, min, sort and topk with a dim give two results")
def subtracts_both_results_of_max(z):
    z = z - torch.max(z, dim=-1, keepdim=True)
    e = torch.exp(z)
    return e / e.sum(dim=-1, keepdim=True)


@softmax.wrong("Functions of the module math")
def one_number_at_a_time(z):
    return torch.tensor([math.exp(v) / sum(math.exp(u) for u in z) for v in z])


@softmax.wrong("numpy's functions stumble")
def with_numpy_on_a_tensor(z):
    return np.exp(z) / np.sum(np.exp(z))


@softmax.wrong("only builds the layer")
def the_layer_itself(z):
    return nn.Softmax(z)


# --- cross_entropy --------------------------------------------------------------------------

cross_entropy = Bank("cross_entropy")


@cross_entropy.blank
def cross_entropy_stub(p, q):
    raise NotImplementedError


@cross_entropy.right
def cross_entropy_masked(p, q):
    keep = p > 0
    return -(p[keep] * torch.log(q[keep])).sum()


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


@cross_entropy.wrong("first argument p holds")
def cross_entropy_swapped(p, q):
    return -torch.xlogy(q, p).sum()


@cross_entropy.wrong("weigh -log q of each class")
def cross_entropy_perplexity(p, q):
    return torch.exp(-(p * q.log()).sum())


@cross_entropy.wrong("0 · log 0")
def cross_entropy_by_a_product(p, q):
    return -p.dot(q.log())


@cross_entropy.wrong("leave out entries by p, not by q")
def cross_entropy_masked_by_q(p, q):
    keep = q > 0
    return -(p[keep] * q[keep].log()).sum()


@cross_entropy.wrong("counts bits")
def cross_entropy_bits(p, q):
    total = 0
    for a, b in zip(p, q, strict=True):
        total = total - a * math.log2(b)
    return total


@cross_entropy.wrong("(or a clamp) hides that")
def cross_entropy_clamped(p, q):
    return -(p * q.clamp(min=1e-12).log()).sum()


@cross_entropy.wrong("makes the cross-entropy infinite")
def cross_entropy_nan_to_num(p, q):
    return -torch.nan_to_num(p * q.log()).sum()


@cross_entropy.wrong("same entries of both")
def cross_entropy_masks_only_q(p, q):
    return -(p * q[p > 0].log()).sum()


@cross_entropy.wrong("minus the entropy of p")
def cross_entropy_kl(p, q):
    return (p * (p / q).log()).sum()


@cross_entropy.wrong("one-hot p only")
def cross_entropy_hard(p, q):
    label = p.max(dim=0).indices
    return F.nll_loss(torch.log(q)[None], label[None])


@cross_entropy.wrong("yes/no questions")
def cross_entropy_binary(p, q):
    return -(p * q.log() + (1 - p) * (1 - q).log()).sum()


@cross_entropy.wrong("stay in torch")
def cross_entropy_item(p, q):
    return -torch.xlogy(p, q).sum().item()


@cross_entropy.wrong("keep no dimension")
def cross_entropy_keeps_a_dimension(p, q):
    return -torch.xlogy(p, q).sum(dim=-1, keepdim=True)


@cross_entropy.wrong("in-place")
def cross_entropy_in_place(p, q):
    q[p == 0] = 1
    return -(p * q.log()).sum()


@cross_entropy.wrong("one True or False")
def asks_the_whole_tensor_at_once(p, q):
    if p == 0:
        return torch.tensor(0.0)
    return -(p * torch.log(q)).sum()


# --- cross_entropy_from_logits --------------------------------------------------------------

from_logits = Bank("cross_entropy_from_logits")


@from_logits.blank
def from_logits_stub(logits, targets):
    raise NotImplementedError


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
def from_logits_by_hand(x, t):
    m = x.max(dim=1, keepdim=True)[0].detach()
    z = x - m
    log_p = z - z.exp().sum(1, keepdim=True).log()
    total = 0
    for i in range(x.size(0)):
        total = total - log_p[i, t[i]]
    return total / x.size(0)


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


@from_logits.wrong("apply it once")
def from_logits_double_softmax(logits, targets):
    probabilities = nn.Softmax(dim=1)(logits)
    return nn.CrossEntropyLoss()(probabilities, targets)


@from_logits.wrong("over the samples of the batch")
def from_logits_over_batch(logits, targets):
    e = torch.exp(logits)
    p = e / e.sum(0)
    return sum(-torch.log(p[i, t]) for i, t in enumerate(targets)) / len(targets)


@from_logits.wrong("then the mean over the rows")
def from_logits_perplexity(logits, targets):
    return F.cross_entropy(logits, targets).exp()


@from_logits.wrong("one loss for each sample")
def from_logits_keeps_a_dimension(logits, targets):
    losses = F.cross_entropy(logits, targets, reduction="none")
    return losses.mean(dim=0, keepdim=True)


@from_logits.wrong("the logarithm is infinite")
def from_logits_log_of_softmax(logits, targets):
    p = torch.softmax(logits, dim=1)
    return -torch.log(p[torch.arange(len(targets)), targets]).mean()


@from_logits.wrong("maximum for the whole batch")
def from_logits_one_maximum(logits, targets):
    largest = torch.max(logits)
    log_sum_exp = largest + (logits - largest).exp().sum(dim=1).log()
    return (log_sum_exp - logits.gather(1, targets[:, None])[:, 0]).mean()


@from_logits.wrong("counts the zeros too")
def from_logits_mean_over_everything(logits, targets):
    y = F.one_hot(targets, logits.shape[1])
    return -(y * logits.log_softmax(1)).mean()


@from_logits.wrong("add the maximum back")
def from_logits_shift_not_taken_back(logits, targets):
    largest = logits.amax(-1, keepdim=True)
    log_sum_exp = (logits - largest).exp().sum(-1).log()
    return (log_sum_exp - logits[torch.arange(len(targets)), targets]).mean()


@from_logits.wrong("lines up with the columns")
def from_logits_shift_without_keepdim(logits, targets):
    largest = logits.amax(-1)
    log_sum_exp = (logits - largest).exp().sum(-1).log() + largest
    return (log_sum_exp - logits[torch.arange(len(targets)), targets]).mean()


@from_logits.wrong("squared errors")
def from_logits_mse(logits, targets):
    y = F.one_hot(targets, logits.shape[1]).float()
    return ((logits.softmax(1) - y) ** 2).mean()


@from_logits.wrong("caps the loss")
def from_logits_epsilon(logits, targets):
    p = torch.softmax(logits, dim=1)
    return -torch.log(p[torch.arange(len(targets)), targets] + 1e-8).mean()


@from_logits.wrong("something cut the graph")
def from_logits_detached(logits, targets):
    return F.cross_entropy(logits.detach(), targets)


@from_logits.wrong("detached from the graph")
def from_logits_half_detached(logits, targets):
    normaliser = torch.logsumexp(logits, 1).detach()
    return (normaliser - logits.gather(1, targets[:, None]).squeeze(1)).mean()


@from_logits.wrong(".numpy() and in-place")
def from_logits_numpy(logits, targets):
    a = logits.numpy()
    a = a - a.max(1, keepdims=True)
    log_p = a - np.log(np.exp(a).sum(1, keepdims=True))
    return torch.as_tensor(-log_p[np.arange(len(a)), targets.numpy()].mean())


@from_logits.wrong("stay in torch")
def from_logits_item(logits, targets):
    return F.cross_entropy(logits, targets).item()


@from_logits.wrong("written as a fixed number")
def from_logits_fixed_size(logits, targets):
    y = torch.eye(3)[targets]
    return -(y * logits.log_softmax(1)).sum() / 3


@from_logits.wrong("caller's own data")
def from_logits_in_place(logits, targets):
    logits -= logits.amax(1, keepdim=True)
    return F.cross_entropy(logits, targets)


@from_logits.wrong("one of the two parts was divided by N")
def divides_one_part_only(logits, targets):
    n = logits.shape[0]
    return torch.logsumexp(logits, -1).sum() - logits[torch.arange(n), targets].sum() / n


# --- cross_entropy_grad ---------------------------------------------------------------------

grad = Bank("cross_entropy_grad")


@grad.blank
def grad_stub(logits, targets):
    raise NotImplementedError


@grad.right
def grad_one_hot(logits, targets):
    p = torch.softmax(logits, dim=1)
    return (p - F.one_hot(targets, logits.shape[1])) / len(logits)


@grad.right
def grad_index(logits, targets):
    g = logits.softmax(-1)
    g[torch.arange(len(targets)), targets] -= 1
    g /= len(targets)
    return g


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


@grad.wrong("factor 1/n")
def grad_of_the_sum(logits, targets):
    z = logits.clone().requires_grad_()
    F.cross_entropy(z, targets, reduction="sum").backward()
    return z.grad


@grad.wrong("derivative by the probabilities")
def grad_stops_at_the_probabilities(logits, targets):
    p = logits.softmax(1).requires_grad_()
    F.nll_loss(p.log(), targets).backward()
    return p.grad


@grad.wrong("the formula: softmax minus")
def grad_with_sigmoids(logits, targets):
    return (torch.sigmoid(logits) - F.one_hot(targets, logits.shape[1])) / len(logits)


@grad.wrong("every logit gets its own")
def grad_flat(logits, targets):
    return (logits.softmax(1) - F.one_hot(targets, logits.shape[1])).flatten() / len(logits)


@grad.wrong("maximum for the whole batch")
def grad_one_maximum(logits, targets):
    e = torch.exp(logits - torch.max(logits))
    p = e / e.sum(dim=1, keepdim=True)
    p[torch.arange(len(targets)), targets] -= 1
    return p / len(targets)


@grad.wrong("do not sum over the samples")
def grad_summed(logits, targets):
    return (logits.softmax(1) - F.one_hot(targets, logits.shape[1])).mean(0)


@grad.wrong("runs over the samples")
def grad_over_batch(logits, targets):
    g = torch.exp(logits) / torch.exp(logits).sum(dim=0)
    for i, t in enumerate(targets):
        g[i, t] -= 1
    return g / len(targets)


@grad.wrong("[:, targets] touches")
def grad_every_column(logits, targets):
    g = logits.softmax(1)
    g[:, targets] -= 1
    return g / len(logits)


@grad.wrong("the first index is the sample")
def grad_transposed_index(logits, targets):
    g = logits.softmax(1)
    for i, t in enumerate(targets.tolist()):
        g[t, i] = g[t, i] - 1
    return g / len(targets)


@grad.wrong("in-place")
def grad_in_place(logits, targets):
    logits -= logits.amax(1, keepdim=True)
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    return (p - F.one_hot(targets, logits.shape[1])) / len(logits)


@grad.wrong("written as a fixed number")
def grad_fixed_size(logits, targets):
    return (logits.softmax(1) - torch.eye(3)[targets]) / 3


@grad.wrong("dtype of its argument")
def grad_in_single_precision(logits, targets):
    p = logits.float().softmax(1)
    return (p - F.one_hot(targets, logits.shape[1])) / len(logits)


@grad.wrong("that name")
def grad_calls_itself(logits, targets):
    return grad_calls_itself(logits, targets)


@grad.wrong("it stops at the largest target")
def one_hot_without_the_number_of_classes(logits, targets):
    return (torch.softmax(logits, -1) - F.one_hot(targets)) / len(logits)
