"""Checks of notebook 07: the 1×1 convolution, what a module costs, Inception, and its loss.

The oracles are PyTorch's: ``F.conv2d``, ``shapes.trace`` on the meta device, a twin with the
student's weights, and the negative log-likelihood.
"""

import functools
import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils import shapes
from labutils.checks.frame.ask import Wrong, ask, expect_tensor
from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import Values, compare, gradient, table
from labutils.training import models

NOTEBOOK = "07_googlenet"

# --- one_by_one -----------------------------------------------------------------------------


def _one_by_one(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight[:, :, None, None], bias)


one_by_one = Values(
    "one_by_one",
    NOTEBOOK,
    2,
    _one_by_one,
    idea="At every pixel, the C numbers of its channels are a vector, and weight @ vector + bias "
    "gives K new ones: einsum, or a matrix product with the channels moved to the last place.",
    hint="Take one pixel: its new channel k is the sum of its old channels, each times a number of "
    "weight's row k, plus bias[k].",
    failed="Print the shapes: weight is [K, C], and the channels of x are its dimension 1.",
    shape_hint="The result is [N, K, H, W]: as many pixels as x has, in the same places, with K "
    "channels.",
)


def _some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# First where all sizes are equal and every mistake runs, then where they differ.
one_by_one.probe(_some(2, 3, 3, 3), _some(3, 3), _some(3))
one_by_one.probe(_some(2, 4, 5, 6), _some(3, 4), _some(3))
one_by_one.probe(_some(3, 2, 1, 7), _some(5, 2), _some(5))
one_by_one.probe(_some(1, 6, 4, 4).double(), _some(2, 6).double(), _some(2).double())

one_by_one.mistakes += table(
    ("the product with the weights transposed", lambda x, w, b: _one_by_one(x, w.T, b),
     "weight is [K, C]: row k holds what the new channel k takes of each old one."),
    ("the sum without the bias", lambda x, w, b: _one_by_one(x, w, 0 * b),
     "bias[k] is added to every pixel of channel k."),
    ("the sum with a bias along the width", lambda x, w, b: _one_by_one(x, w, 0 * b) + b,
     lambda x, w, b: _one_by_one(x, w, 0 * b) + b[:, None],
     "A bias is a channel's own and lies along dimension 1: bias[:, None, None], or bias.view(1, "
     "-1, 1, 1)."),
    ("the sum with the bias once for each input channel",
     lambda x, w, b: _one_by_one(x, w, b * x.shape[1]),
     "The bias is added in every round of the loop over the channels: add it once, behind the "
     "loop."),
    ("the sum of the channels, without weights",
     lambda x, w, b: _one_by_one(x, torch.ones_like(w), b),
     "Each channel counts with a weight of its own before they are added."),
    ("the mean over the channels", lambda x, w, b: _one_by_one(x, w / x.shape[1], b),
     "The weighted channels are added up; nothing divides by their number."),
    ("the same channel K times", lambda x, w, b: _one_by_one(x, w[:1].expand_as(w), b),
     "One row of weight serves all new channels: channel k has row k."),
    ("one answer for the whole picture",
     lambda x, w, b: _one_by_one(x.mean((2, 3), keepdim=True), w, b),
     lambda x, w, b: _one_by_one(x.mean((2, 3), keepdim=True).expand_as(x), w, b),
     "Height and width are averaged away. Each pixel keeps its own answer."),
    ("a product along the width", lambda x, w, b: F.linear(x, w, b),
     "x @ weight.T and nn.Linear take the last dimension of x, which is the width: move the "
     "channels there first, x.permute(0, 2, 3, 1), and back afterwards."),
    ("a picture with its numbers in other places",
     lambda x, w, b: F.linear(x.reshape(-1, x.shape[1]), w, b).reshape(len(x), -1, *x.shape[2:]),
     lambda x, w, b: F.linear(x.permute(0, 2, 3, 1), w, b).reshape(len(x), -1, *x.shape[2:]),
     "reshape and view do not move numbers, they only cut the row of them anew. permute exchanges "
     "dimensions, before the product and after it."),
    ("the right numbers with the channels last",
     lambda x, w, b: _one_by_one(x, w, b).permute(0, 2, 3, 1),
     "Move the channels back to dimension 1: .permute(0, 3, 1, 2)."),
    ("the picture with height and width exchanged",
     lambda x, w, b: _one_by_one(x, w, b).transpose(2, 3),
     "Rows stay rows: look at the order of the dimensions in permute, transpose or einsum."),
    ("the result after a ReLU", lambda x, w, b: _one_by_one(x, w, b).relu(),
     "The convolution alone is asked for; the ReLU is a step of its own."),
)  # fmt: skip


@one_by_one.then
def _gradients_of_all_three(answer: Callable) -> None:
    given = [t.requires_grad_() for t in (_some(2, 3, 4, 5), _some(2, 3), _some(2))]
    cut = (
        "Something cut the graph: .detach(), .data, .item(), no_grad(), torch.tensor(...) of a "
        "tensor, or a way through numpy."
    )
    got = expect_tensor(ask(answer, *given, hint=cut), (2, 2, 4, 5), None, "The result")
    weights = _some(2, 2, 4, 5)
    for name, tensor in zip(("x", "weight", "bias"), given, strict=True):
        grad = gradient(got, tensor, weights)
        if grad is None:
            text = f"No gradient flows back through one_by_one to {name}; expected one that does."
            raise Wrong(text, cut)
        (expected,) = torch.autograd.grad(_one_by_one(*given), tensor, weights)
        compare(grad, expected, f"The backward pass of one_by_one to {name}", cut)


# --- inception_cost -------------------------------------------------------------------------


@functools.cache
def _inception_cost(in_channels: int, widths: tuple[int, ...], side: int) -> tuple[int, int]:
    with torch.device("meta"):
        table = shapes.trace(models.Inception(in_channels, widths), (in_channels, side, side))
    return table.total_parameters, table.total_macs


inception_cost = Values(
    "inception_cost",
    NOTEBOOK,
    2,
    _inception_cost,
    idea="Write down the six convolutions as (in, out, kernel size). Each has in · out · k · k "
    "weights and out biases, and does its weights' work once at every one of side · side places.",
    hint="List the six convolutions, each with what goes in and what comes out, and compute one "
    "branch by hand.",
)
for _args in (
    (192, (64, 96, 128, 16, 32, 32), 28),  # the paper's 3a
    (6, (2, 3, 4, 5, 7, 8), 5),
    (480, (192, 96, 208, 16, 48, 64), 14),
    (10, (1, 2, 3, 4, 5, 6), 1),
):
    inception_cost.probe(*_args)


def _convolutions(in_channels, widths) -> list[tuple[int, int, int]]:
    """(in, out, places in the window) of the six: 1×1; reduction, 3×3; reduction, 5×5; pool."""
    c1, r3, c3, r5, c5, pool = widths
    return [
        (in_channels, c1, 1),
        *((in_channels, r3, 1), (r3, c3, 9)),
        *((in_channels, r5, 1), (r5, c5, 25)),
        (in_channels, pool, 1),
    ]


def _cost(change: Callable = lambda convolutions, in_channels, widths: convolutions) -> Callable:
    """A formula that counts other convolutions."""

    def cost(in_channels, widths, side):
        them = change(_convolutions(in_channels, widths), in_channels, widths)
        macs = sum(i * o * k for i, o, k in them)
        return macs + sum(o for _, o, _ in them), macs * side**2

    return cost


def _with(more: Callable) -> Callable:
    """A formula of the right (parameters, macs) and of the six convolutions and the side."""

    def cost(in_channels, widths, side):
        right = _inception_cost(in_channels, widths, side)
        return more(*right, _convolutions(in_channels, widths), side)

    return cost


def _macs_of(them, side) -> int:
    return sum(i * o * k for i, o, k in them) * side**2


inception_cost.mistakes += table(
    ("the two numbers in the wrong order", _with(lambda p, macs, them, side: (macs, p)),
     "The parameters come first, then the multiply-accumulates."),
    ("the cost with 3×3 and 5×5 fed from the input's channels",
     _cost(lambda them, i, w: [*them[:2], (i, w[2], 9), them[3], (i, w[4], 25), them[5]]),
     "A reduction hands its own channels on: 3×3 takes r3 of them, and 5×5 takes r5."),
    ("the cost of the naive module with the pool's projection",
     _cost(lambda them, i, w: [them[0], (i, w[2], 9), (i, w[4], 25), them[5]]),
     "3×3 and 5×5 do not see the input: a 1×1 convolution to r3, or r5, channels stands before "
     "them, and it costs something itself."),
    ("the cost without the two reductions",
     _cost(lambda them, i, w: [them[0], them[2], them[4], them[5]]),
     "The reductions are convolutions as well, with weights and work: six convolutions in all."),
    ("the cost without the pool's projection", _cost(lambda them, i, w: them[:5]),
     "The pool itself is free, but a 1×1 convolution to pool channels follows it."),
    ("the cost with windows of k weights",
     _cost(lambda them, i, w: [(a, b, math.isqrt(k)) for a, b, k in them]),
     _cost(lambda them, i, w: [(a, b, {25: 5}.get(k, k)) for a, b, k in them]),
     "A window has k · k places: 9 of 3×3, and 25 of 5×5."),
    ("right in the work, and without biases in the parameters",
     _with(lambda p, macs, them, side: (p - sum(o for _, o, _ in them), macs)),
     "Every output channel of every convolution has a bias, which is a parameter."),
    ("right in the parameters, with the biases in the work",
     _with(lambda p, macs, them, side: (p, p * side**2)),
     "A bias is added, not multiplied: multiply-accumulates count weights only."),
    ("right in the parameters, with a work that forgets the places of the reductions",
     *(_with(lambda p, macs, them, side, pick=pick: (
           p, macs - _macs_of(pick(them), side) + _macs_of(pick(them), 1)
       ))
       for pick in (lambda t: [t[1], t[3]], lambda t: [one for one in t if one[2] == 1])),
     "Every convolution of a module works at all side · side places, the 1×1 ones too."),
    ("right in the parameters, with one side of the picture in the work",
     _with(lambda p, macs, them, side: (p, macs // side)),
     "A map of side · side pixels has side² places."),
    ("right in the parameters, with the work at a single place",
     _with(lambda p, macs, them, side: (p, macs // side**2)),
     "The weights are used anew at each of the side · side places."),
    ("the cost with the widths read in another order",
     *(lambda i, widths, side, order=order: _inception_cost(
           i, tuple(widths[j] for j in order), side
       )
       for order in (
           (0, 2, 1, 4, 3, 5), (0, 1, 3, 2, 4, 5), (0, 1, 2, 3, 5, 4), (1, 0, 2, 3, 4, 5)
       )),
     "widths is (c1, r3, c3, r5, c5, pool): a reduction stands before what it reduces for."),
    ("a product over the branches",
     _with(lambda p, macs, them, side: (_product(them, 1, True), _product(them, side, False))),
     "The branches stand side by side: their weights, and their work, are added."),
    ("right in the parameters, with two operations for each multiply-accumulate",
     _with(lambda p, macs, them, side: (p, 2 * macs)),
     "A multiply-accumulate is one multiplication with its addition, and counts once."),
)  # fmt: skip


def _product(them, side, biases) -> int:
    costs = [(i * o * k) * side**2 + o * biases for i, o, k in them]
    return math.prod((costs[0], costs[1] + costs[2], costs[3] + costs[4], costs[5]))


# --- Inception ------------------------------------------------------------------------------

ONE, THREE, FIVE, POOL = range(4)


class OracleInception(nn.Module):
    """The paper's module. The other arguments make variants and mistakes of it.

    Args:
        order: of the branches in the output.
        relu: after every convolution ("all"), or only after the reductions ("inner"), after the
            branches ("outer"), or nowhere ("none").
        pool: the branch's own layer; ``pool_last`` puts it behind its convolution.
        chained: each branch takes what the one before gave.
        shared: 5×5 takes the reduction of 3×3. ``naive``: there are no reductions.
    """

    def __init__(
        self, in_channels: int, widths, *, order=(ONE, THREE, FIVE, POOL), relu="all", five=5,
        pool=nn.MaxPool2d, pool_last=False, projection=True, chained=False, shared=False,
        naive=False,
    ):  # fmt: skip
        super().__init__()
        c1, r3, c3, r5, c5, last = widths
        starts = (in_channels, c1, c3, c5) if chained else (in_channels,) * 4

        def conv(inputs, outputs, size=1):
            return nn.Conv2d(inputs, outputs, size, padding=size // 2)

        inner, outer = ([nn.ReLU()] * (relu in ("all", word)) for word in ("inner", "outer"))
        three = [conv(starts[1], r3), *inner, conv(r3, c3, 3)]
        five_ = [conv(starts[2], r5), *inner, conv(r5, c5, five)]
        pooled = [pool(3, stride=1, padding=1), conv(starts[3], last)]
        if shared:
            five_ = [conv(r3, c5, five)]
        if naive:
            three, five_ = [conv(in_channels, c3, 3)], [conv(in_channels, c5, five)]
        if pool_last:
            pooled.reverse()
        branches = [[*some, *outer] for some in ([conv(starts[0], c1)], three, five_, pooled)]
        if not projection:
            branches[POOL] = pooled[:1]
        self.branches = nn.ModuleList(nn.Sequential(*branch) for branch in branches)
        self.order, self.chained, self.shared = order, chained, shared
        self.reduction = len(inner) + 1  # layers that 3×3 begins with

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for place, branch in enumerate(self.branches):
            source = outputs[-1] if self.chained and outputs else x
            if self.shared and place == FIVE:
                source = self.branches[THREE][: self.reduction](x)
            outputs.append(branch(source))
        return torch.cat([outputs[place] for place in self.order], dim=1)


class FusedInception(nn.Module):
    """The same, with 1×1 convolutions of the input computed as one and cut apart.

    Args:
        parts: which ones are one, and in what order: places in ``widths``, 0, 1 or 3.
    """

    def __init__(self, in_channels: int, widths, *, parts, order=(ONE, THREE, FIVE, POOL)):
        super().__init__()
        _, r3, c3, r5, c5, pool = widths
        self.widths, self.parts, self.order = widths, parts, order
        self.fused = nn.Conv2d(in_channels, sum(widths[part] for part in parts), 1)
        self.rest = nn.ModuleDict(
            {str(p): nn.Conv2d(in_channels, widths[p], 1) for p in (0, 1, 3) if p not in parts}
        )
        self.three = nn.Conv2d(r3, c3, 3, padding=1)
        self.five = nn.Conv2d(r5, c5, 5, padding=2)
        self.pool = nn.Conv2d(in_channels, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        pieces = self.fused(x).relu().split([self.widths[part] for part in self.parts], dim=1)
        seen = dict(zip(self.parts, pieces, strict=True))
        seen |= {int(part): conv(x).relu() for part, conv in self.rest.items()}
        pooled = self.pool(F.max_pool2d(x, 3, stride=1, padding=1)).relu()
        outputs = [seen[0], self.three(seen[1]).relu(), self.five(seen[3]).relu(), pooled]
        return torch.cat([outputs[place] for place in self.order], dim=1)


# Sizes by which every weight finds its place: no two 1×1 convolutions are equally wide.
inception = Network(
    "Inception",
    NOTEBOOK,
    3,
    OracleInception,
    (3, 6, 9, 8),
    calls=((6, (2, 3, 4, 5, 7, 8)), (6, (7, 2, 5, 3, 4, 1))),
    branches=True,
    idea="Four branches, each a small nn.Sequential of its own, all take x: 1×1; 1×1 then 3×3; "
    "1×1 then 5×5; a max pool then 1×1. A ReLU follows every convolution, and torch.cat joins the "
    "four results along dimension 1.",
    hints={
        "pool size": "The pool must keep the size: windows of 3×3 that move by 1, with padding 1.",
        "kernel": "The filters are 1×1, 3×3 and 5×5.",
        "padding": "The maps keep their size in every branch: padding 1 for 3×3, padding 2 for "
        "5×5, none for 1×1.",
        "stride": "Every window moves by one pixel: the maps keep their size in every branch.",
        "channels": "widths is (c1, r3, c3, r5, c5, pool). The reductions and both other 1×1 "
        "convolutions take in_channels; 3×3 takes r3, and 5×5 takes r5.",
        "too few": "Six convolutions: one in the first branch, two in the second and in the third, "
        "and one behind the pool.",
        "batch norm": "GoogLeNet of 2014 has no batch norm; torchvision's has. Here: convolution, "
        "ReLU.",
        "dropout": "A module has no dropout: GoogLeNet's stands before its last linear layer.",
        "shape": "The result is [N, c1 + c3 + c5 + pool, H, W]: the channels of all four branches, "
        "on maps of the input's size.",
    },
)

for _parts in [p for n in (2, 3) for p in itertools.permutations((0, 1, 3), n)]:
    inception.also("", functools.partial(FusedInception, parts=_parts))

_ORDERS = [o for o in itertools.permutations(range(4)) if o != (ONE, THREE, FIVE, POOL)]
inception.mistakes += table(
    ("The branches of Inception stand in another order; expected 1×1, 3×3, 5×5, pool.",
     *(functools.partial(OracleInception, order=order) for order in _ORDERS),
     *(functools.partial(FusedInception, parts=(0, 1, 3), order=order) for order in _ORDERS),
     "The next layer's weights expect each channel in its place: torch.cat takes the branches in "
     "the order 1×1, 3×3, 5×5, pool."),
    ("In Inception no ReLU follows the reductions.",
     functools.partial(OracleInception, relu="outer"),
     "A ReLU follows every convolution, the 1×1 ones before 3×3 and 5×5 too: without it the two "
     "are no more than one linear map."),
    ("In Inception a ReLU follows the reductions only.",
     functools.partial(OracleInception, relu="inner"),
     "A ReLU follows the last convolution of each branch as well, before or after they are "
     "joined."),
    ("Inception has no ReLU.", functools.partial(OracleInception, relu="none"),
     "A ReLU follows each of the six convolutions."),
    ("Inception pools after the 1×1 convolution of that branch.",
     functools.partial(OracleInception, pool_last=True),
     "The pool comes first, and the 1×1 convolution brings what it gave to pool channels."),
    ("Inception takes the mean of each window.",
     functools.partial(OracleInception, pool=nn.AvgPool2d),
     "The branch has a max pool: the largest value of each window, not the mean."),
    ("Inception has 3×3 filters in place of 5×5.", functools.partial(OracleInception, five=3),
     "The third branch has filters of 5×5 with padding 2. (torchvision's GoogLeNet has 3×3, as it "
     "took its weights over from a network that has.)"),
    ("In Inception each branch takes what the one before gave.",
     *(functools.partial(OracleInception, chained=True, order=order)
       for order in ((ONE, THREE, FIVE, POOL), (POOL,))),
     "The branches stand side by side: each takes x itself, not the result of another one."),
    ("In Inception 3×3 and 5×5 share one reduction.",
     functools.partial(OracleInception, shared=True),
     "Each has a 1×1 convolution of its own before it, to r3 channels and to r5."),
    ("Inception has no reductions: this is the naive module.",
     functools.partial(OracleInception, naive=True),
     "A 1×1 convolution to r3 channels comes before 3×3, and one to r5 channels before 5×5; they "
     "are what makes the module cheap."),
    ("In Inception nothing follows the pool.", functools.partial(OracleInception, projection=False),
     lambda *args: nn.Sequential(OracleInception(*args, projection=False), nn.ReLU()),
     "A pool keeps all its input's channels. A 1×1 convolution to pool channels, with its ReLU, "
     "follows it."),
)  # fmt: skip

# --- training_loss --------------------------------------------------------------------------


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(1, labels[:, None]).mean()


def _training_loss(outputs, labels: Tensor, weight: float = 0.3) -> Tensor:
    if isinstance(outputs, Tensor):
        return _loss(outputs, labels)
    main, *auxiliary = outputs
    return _loss(main, labels) + weight * sum(_loss(logits, labels) for logits in auxiliary)


training_loss = Values(
    "training_loss",
    NOTEBOOK,
    2,
    _training_loss,
    idea="Take the first of outputs apart from the others. Its cross-entropy counts whole, each "
    "other one's counts weight times; of a tensor that comes alone it is the cross-entropy.",
    hint="Compute the cross-entropy of each logits tensor by itself, then weigh and add up.",
    shape_hint="One number comes out, of shape []: F.cross_entropy averages over the batch.",
)

_labels = torch.tensor([2, 0, 4, 1, 3, 4])
_three = tuple(2 * _some(6, 5 + n)[:, :5] for n in range(3))
training_loss.probe(_three, _labels, call="training_loss((main, first, second), labels)")
training_loss.probe(_three[:2], _labels, call="training_loss((main, first), labels)")
training_loss.probe(_three, _labels, 0.5, call="training_loss((main, first, second), labels, 0.5)")
training_loss.probe(_three, _labels, weight=1.0, call="training_loss((...), labels, weight=1.0)")
training_loss.probe(
    _three[0],
    _labels,
    call="training_loss(logits, labels)",
    hint="In evaluation the heads rest, and the network gives its logits alone: outputs is then a "
    "tensor, not a tuple of them. isinstance(outputs, tuple) tells.",
    trap=lambda outputs, labels, weight=0.3: (
        _loss(outputs[0], labels) + weight * sum(_loss(logits, labels) for logits in outputs[1:])
    ),
)
training_loss.probe(
    _three[:1],
    _labels,
    call="training_loss((main,), labels)",
    hint="There may be no auxiliary head at all, and then nothing is added.",
    trap=lambda outputs, labels, weight=0.3: (
        _training_loss(outputs, labels, weight)
        + (0 if isinstance(outputs, Tensor) or outputs[1:] else 0.3)
    ),
)


def _with_heads(combine: Callable) -> Callable:
    """A formula with heads, of (main, auxiliary, labels, weight); right where there are none."""

    def loss(outputs, labels, weight=0.3):
        if isinstance(outputs, Tensor) or len(outputs) == 1:
            return _training_loss(outputs, labels, weight)
        return combine(outputs[0], outputs[1:], labels, weight)

    return loss


def _of_losses(combine: Callable) -> Callable:
    """A formula of the main loss, the auxiliary ones, and the weight."""
    return _with_heads(
        lambda main, others, t, w: combine(_loss(main, t), [_loss(one, t) for one in others], w)
    )


training_loss.mistakes += table(
    ("the main loss alone", _of_losses(lambda main, others, w: main),
     "The auxiliary heads' losses are to be added, weight times each."),
    ("the sum of all losses, unweighted", _of_losses(lambda main, others, w: main + sum(others)),
     "An auxiliary loss counts weight times: 0.3 of it, by default."),
    ("the loss for a weight of 0.3", _of_losses(lambda main, others, w: main + 0.3 * sum(others)),
     "The weight is an argument: use it in place of the number."),
    ("the loss with the weight on everything",
     _of_losses(lambda main, others, w: w * (main + sum(others))),
     "The main loss counts whole. The weight belongs to the auxiliary ones only: mind the "
     "brackets."),
    ("the loss with the weight on the main head",
     _of_losses(lambda main, others, w: w * main + sum(others)),
     _of_losses(lambda main, others, w: others[-1] + w * (main + sum(others[:-1]))),
     "It is the auxiliary losses that are weighed; the first of outputs is the main one."),
    ("the loss with the heads averaged",
     _of_losses(lambda main, others, w: main + w * sum(others) / len(others)),
     _of_losses(lambda main, others, w: (main + sum(others)) / (1 + len(others))),
     _of_losses(lambda main, others, w: (main + w * sum(others)) / (1 + len(others))),
     "Nothing is averaged over the heads: main loss + weight · first + weight · second."),
    ("the loss with 1 - weight on the main head",
     _of_losses(lambda main, others, w: (1 - w) * main + w * sum(others)),
     "The main loss counts whole, whatever the weight is."),
    ("the loss with one auxiliary head only",
     _of_losses(lambda main, others, w: main + w * others[0]),
     _of_losses(lambda main, others, w: main + w * others[-1]),
     "There may be any number of heads: a loop, or a sum over outputs[1:], takes them all."),
    ("the loss of averaged or added logits",
     _with_heads(lambda main, others, t, w: _loss(torch.stack([main, *others]).mean(0), t)),
     _with_heads(lambda main, others, t, w: _loss(main + w * sum(others), t)),
     "Each head is judged by itself: a cross-entropy for each, and then the sum."),
    ("the loss after one softmax too many",
     lambda outputs, labels, weight=0.3: _training_loss(
         outputs.softmax(-1) if isinstance(outputs, Tensor)
         else tuple(logits.softmax(-1) for logits in outputs),
         labels, weight,
     ),
     "F.cross_entropy takes logits and applies softmax itself: leave yours out."),
    ("the sum over the batch",
     lambda outputs, labels, weight=0.3: len(labels) * _training_loss(outputs, labels, weight),
     "The loss is the mean over the images of the batch."),
)  # fmt: skip


@training_loss.then
def _all_heads_learn(answer: Callable) -> None:
    outputs = tuple(logits.clone().requires_grad_() for logits in _three)
    hint = "Stay in torch from the logits to the loss: .numpy() and in-place operations fail here."
    loss = expect_tensor(ask(answer, outputs, _labels, hint=hint), (), None, "The loss")
    for name, logits in zip(("main", "first auxiliary", "second auxiliary"), outputs, strict=True):
        grad = gradient(loss, logits)
        if grad is None:
            raise Wrong(
                f"The loss is right, but no gradient reaches the {name} logits.",
                "The heads are there for their gradients: no .detach(), .item(), .data or "
                "no_grad() on the way.",
            )
        (expected,) = torch.autograd.grad(_training_loss(outputs, _labels), logits)
        call = f"The backward pass to the {name} logits"
        compare(grad, expected, call, "A part of the loss was cut off from the graph.")


EXERCISES = [one_by_one, inception_cost, inception, training_loss]
