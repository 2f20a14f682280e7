"""Checks of notebook 08: BatchNorm, the shortcut without parameters, the block, the network.

The oracles are ``F.batch_norm``, a slice with zeros behind it (a convolution with a partial
identity), and twins of the student's networks with the same weights and running statistics.
"""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe, expect_tensor
from labutils.checks.frame.exercise import Exercise
from labutils.checks.judges.networks import Network
from labutils.checks.judges.values import Values, compare, gradient, table

NOTEBOOK = "08_resnet"
EPS = 1e-5

_generator = torch.Generator().manual_seed(8)


def _some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=_generator)


# --- batch_norm -----------------------------------------------------------------------------


def _batch_norm(x: Tensor, weight, bias, mean, var, training: bool) -> tuple[Tensor, ...]:
    """PyTorch's own, with its eps of 1e-5 and momentum of 0.1; it changes mean and var in place."""
    mean, var = mean.clone(), var.clone()
    return F.batch_norm(x, mean, var, weight, bias, training), mean, var


def _part_of_batch_norm(place: int, **hints: str) -> Values:
    return Values(
        "batch_norm", NOTEBOOK, 0, lambda *args: _batch_norm(*args)[place], idea="", **hints
    )


# Each of the three results is judged by itself, with mistakes of its own: y first.
_y = _part_of_batch_norm(
    0,
    hint="Take one channel: all its numbers, of all images and places, minus one mean, divided by "
    "one root; then times weight[c], plus bias[c].",
    failed="Print the shapes: the statistics of a channel are one number each, [C], and against x "
    "they need the shape [C, 1, 1].",
    shape_hint="y has the shape of x: [N, C, H, W].",
)
_mean = _part_of_batch_norm(
    1,
    hint="In training: new mean = 0.9 · old mean + 0.1 · the batch's mean. In evaluation: the old "
    "one.",
    shape_hint="The running statistics have one number a channel: [C]. mean(dim=(0, 2, 3)) without "
    "keepdim gives such a shape.",
)
_var = _part_of_batch_norm(
    2,
    hint="In training: new var = 0.9 · old var + 0.1 · the batch's unbiased variance. In "
    "evaluation: the old one.",
    shape_hint="One number a channel, for the variance too: [C].",
)


def _probe(x: Tensor, var: Tensor) -> None:
    """Probe all three parts, in both modes, with γ and β that are not 1 and 0."""
    channels = x.shape[1]
    weight, bias, mean = (_some(channels).to(x) for _ in range(3))
    for training in (True, False):
        for place, part in enumerate((_y, _mean, _var)):
            call = f"batch_norm(x, weight, bias, mean, var, {training})[{place}]"
            part.probe(x, weight, bias, mean, var, training, call=call)


# First where all sizes are equal and every mistake runs, with variances so small that eps counts;
# then few numbers a channel, and many.
_probe(4e-3 * _some(3, 3, 3, 3), 1e-5 * (1 + _some(3).square()))
_probe(1 + 2 * _some(2, 4, 3, 1), 0.5 + _some(4).square())
_probe(3 * _some(4, 2, 3, 5).double() - 1, 0.5 + _some(2).double().square())


def _along_channels(vector: Tensor) -> Tensor:
    return vector[:, None, None]


def _right_scale(z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return z * _along_channels(weight) + _along_channels(bias)


def _normalised(
    dims=(0, 2, 3), correction=0, center=lambda mean: mean,
    root=lambda var: (var + EPS).sqrt(), scale=_right_scale,
) -> Callable:  # fmt: skip
    """A formula of y: the statistics over ``dims`` in training, the running ones in evaluation."""

    def y(x, weight, bias, mean, var, training):
        mean, var = _along_channels(mean), _along_channels(var)
        if training:
            mean = x.mean(dims, keepdim=True)
            var = x.var(dims, correction=correction, keepdim=True)
        return scale((x - center(mean)) / root(var), weight, bias)

    return y


_y.mistakes += table(
    ("a normalisation of each image by itself (a layer norm)", _normalised((1, 2, 3)),
     "BatchNorm's mean and variance are those of a channel over all images and places of the "
     "batch: dim=(0, 2, 3)."),
    ("a normalisation of each map by itself (an instance norm)", _normalised((2, 3)),
     "The batch belongs to it: a channel has one mean and one variance for all images together, "
     "dim=(0, 2, 3)."),
    ("a normalisation over the batch alone", _normalised((0,)),
     "A channel is normalised as a whole: its height and width belong to the mean as well, "
     "dim=(0, 2, 3)."),
    ("a normalisation over everything", _normalised((0, 1, 2, 3)),
     "The channels are not mixed: each has a mean and a variance of its own."),
    ("y with the unbiased variance", _normalised(correction=1),
     "To normalise, the variance is the plain mean of the squares, divided by N·H·W: "
     "var(..., correction=0), which is unbiased=False. Only the running one takes the unbiased."),
    ("y without the root", _normalised(root=lambda var: var + EPS),
     "Divide by the standard deviation, which is the root of the variance: (var + eps).sqrt()."),
    ("y with eps outside the root", _normalised(root=lambda var: var.sqrt() + EPS),
     "eps is added to the variance, before the root is taken: (var + eps).sqrt()."),
    ("y without eps", _normalised(root=lambda var: var.sqrt()),
     "A channel that is constant has the variance 0, and 0 / 0 is NaN: eps = 1e-5 keeps the root "
     "away from 0."),
    ("y normalised by the batch in evaluation too",
     lambda x, w, b, mean, var, training: _batch_norm(x, w, b, mean, var, True)[0],
     "In evaluation (training=False) x is normalised with mean and var, as they were handed over: "
     "an image must not depend on those beside it."),
    ("y normalised by the running statistics in training too",
     lambda x, w, b, mean, var, training: _batch_norm(x, w, b, mean, var, False)[0],
     "In training x is normalised with the mean and the variance of this very batch. The running "
     "ones are only kept for later."),
    ("y with the two modes exchanged",
     lambda x, w, b, mean, var, training: _batch_norm(x, w, b, mean, var, not training)[0],
     "It is the wrong way round: training=True takes the batch's statistics."),
    ("y normalised by the running statistics after their update",
     lambda x, w, b, mean, var, training: _batch_norm(
         x, w, b, *_batch_norm(x, w, b, mean, var, True)[1:], False
     )[0],
     "The update is for later. In training x is normalised with the batch's own mean and variance, "
     "in evaluation nothing is updated."),
    ("y without weight and bias", _normalised(scale=lambda z, w, b: z),
     "The last step is missing: y = weight · normalised + bias, channel by channel."),
    ("y without the bias", _normalised(scale=lambda z, w, b: _right_scale(z, w, 0 * b)),
     "bias[c] is added at the end to the whole channel c."),
    ("y without the weight", _normalised(scale=lambda z, w, b: _right_scale(z, w / w, b)),
     "weight[c] multiplies the whole normalised channel c, before the bias is added."),
    ("y with weight and bias in each other's place",
     _normalised(scale=lambda z, w, b: _right_scale(z, b, w)),
     "weight multiplies, bias is added."),
    ("y with weight and bias along the width", _normalised(scale=lambda z, w, b: z * w + b),
     _normalised(scale=lambda z, w, b: z * w + _along_channels(b)),
     _normalised(scale=lambda z, w, b: z * _along_channels(w) + b),
     "A tensor of shape [C] meets the last dimension of x, which is the width. Lay it along the "
     "channels: weight[:, None, None], or weight.view(1, -1, 1, 1)."),
    ("y with the statistics along the width", _normalised(center=Tensor.flatten),
     _normalised(root=lambda var: (var.flatten() + EPS).sqrt()),
     _normalised(center=Tensor.flatten, root=lambda var: (var.flatten() + EPS).sqrt()),
     "Mean and variance have the shape [C], and so meet the width of x. Lay them along the "
     "channels: mean[:, None, None], or keepdim=True where they are taken."),
)  # fmt: skip


@_y.then
def _gradient_through_the_statistics(y: Callable) -> None:
    given = [torch.randn(shape).requires_grad_() for shape in ((3, 2, 2, 3), 2, 2)]
    fixed = torch.zeros(2), torch.ones(2), True
    cut = (
        "Something cut the graph on the way to y: .detach(), .data, no_grad() around too much, or "
        "torch.tensor(...) of a tensor."
    )
    got = expect_tensor(ask(y, *given, *fixed, called="batch_norm", hint=cut), None, None, "y")
    direction = torch.arange(36.0).cos().view(3, 2, 2, 3)
    for name, tensor in zip(("x", "weight", "bias"), given, strict=True):
        grad = gradient(got, tensor, direction)
        if grad is None:
            raise Wrong(f"y is right, but no gradient flows back from it to {name}.", cut)
        right = _batch_norm(*given, *fixed)[0]
        (expected,) = torch.autograd.grad(right, tensor, direction)
        compare(
            grad, expected, f"The backward pass of batch_norm from y to {name}",
            "The batch's mean and variance are made of x, and the gradient flows through them too: "
            "only what is stored for later is detached.",
        )  # fmt: skip


def _kept(update: Callable) -> Callable:
    """A formula of running statistics, of (old, the batch's); in evaluation the old ones."""
    return lambda old, batch, training: update(old, batch) if training else old


def _of_means(formula: Callable) -> Callable:
    return lambda x, w, b, mean, var, training: formula(mean, x.mean((0, 2, 3)), training)


def _of_variances(formula: Callable) -> Callable:
    return lambda x, w, b, mean, var, training: formula(var, x.var((0, 2, 3)), training)


_mean.mistakes += table(
    ("the old mean", lambda old, batch, training: old,
     "In training the running mean moves: new = 0.9 · old + 0.1 · batch. Return the new one."),
    ("the batch's mean alone", _kept(lambda old, batch: batch),
     "The running mean remembers earlier batches: new = 0.9 · old + 0.1 · batch."),
    ("the mean with 0.9 and 0.1 exchanged", _kept(lambda old, batch: 0.1 * old + 0.9 * batch),
     "PyTorch's momentum of 0.1 is the share of the new batch: new = 0.9 · old + 0.1 · batch."),
    ("the old mean, whole, plus a tenth of the batch's",
     _kept(lambda old, batch: old + 0.1 * batch),
     "The two shares make one whole: the old one counts 0.9 times."),
    ("a mean that is updated in evaluation too",
     lambda old, batch, training: 0.9 * old + 0.1 * batch,
     "In evaluation nothing is learned, and nothing updated: mean and var come back as they came."),
    ("the batch's mean in evaluation too", lambda old, batch, training: batch,
     "The second result is the running mean, not the batch's; in evaluation it is the one that was "
     "handed over."),
    of=_of_means,
)  # fmt: skip
_mean.mistakes += table(
    ("the variance", lambda *args: _batch_norm(*args)[2],
     "The order is (y, mean, var)."),
)  # fmt: skip


def _biased(batch: Tensor, x: Tensor) -> Tensor:
    count = x.numel() / x.shape[1]
    return batch * (count - 1) / count


_var.mistakes += table(
    ("the old variance", lambda old, batch, training: old,
     "The running variance moves as the running mean does: new = 0.9 · old + 0.1 · batch."),
    ("the variance with 0.9 and 0.1 exchanged", _kept(lambda old, batch: 0.1 * old + 0.9 * batch),
     "The new batch has a share of 0.1 in the variance as well."),
    ("the variance with a tenth of the batch's standard deviation",
     _kept(lambda old, batch: 0.9 * old + 0.1 * batch.sqrt()),
     "It is the variance that is stored: no root here."),
    ("a variance that is updated in evaluation too",
     lambda old, batch, training: 0.9 * old + 0.1 * batch,
     "In evaluation the variance comes back as it came, too."),
    of=_of_variances,
)  # fmt: skip
_var.mistakes += table(
    ("the variance with the batch's biased one",
     lambda x, w, b, mean, var, training: (
         0.9 * var + 0.1 * x.var((0, 2, 3), correction=0) if training else var
     ),
     "What is stored is to hold for images not seen yet, so PyTorch stores the unbiased variance, "
     "divided by N·H·W - 1: x.var(...) as it is by default. Only y takes the biased one."),
)  # fmt: skip


@_var.then
@_mean.then
def _no_graph_is_kept(part: Callable) -> None:
    given = torch.randn(3, 2, 2, 3).requires_grad_(), torch.ones(2), torch.zeros(2)
    got = ask(part, *given, torch.zeros(2), torch.ones(2), True, called="batch_norm")
    if got.requires_grad:
        raise Wrong(
            "The running statistics carry a graph; expected plain numbers.",
            "Running statistics that remember their graph keep every batch there ever was in "
            "memory. Detach what comes of the batch where it is stored, or update under "
            "torch.no_grad().",
        )


def _examine_batch_norm(answer) -> None:
    for place, part in enumerate((_y, _mean, _var)):
        part.examine(_part(answer, place))


def _part(answer, place: int):
    """The answer that gives one of the three results alone."""
    if not callable(answer):
        return answer

    def part(*args):
        result = answer(*args)
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            raise Wrong(
                f"batch_norm gave {describe(result)}; expected three tensors, (y, mean, var).",
                "Return all three, in both modes: `return y, mean, var`.",
            )
        return result[place]

    return part


batch_norm = Exercise(
    "batch_norm",
    NOTEBOOK,
    3,
    _batch_norm,
    _examine_batch_norm,
    idea="In training, take mean and biased variance of every channel over dim=(0, 2, 3); in "
    "evaluation, the running ones. Subtract, divide by the root of variance + eps, scale, shift. "
    "In training return 0.9 · old + 0.1 · batch for both statistics, without a graph, with the "
    "unbiased variance.",
)

# --- shortcut -------------------------------------------------------------------------------


def _shortcut(x: Tensor, channels: int, stride: int) -> Tensor:
    """Option A: every stride-th pixel, and zeros for the channels that x has not."""
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))


shortcut = Values(
    "shortcut",
    NOTEBOOK,
    2,
    _shortcut,
    idea="Keep every stride-th row and column by a slice, x[:, :, ::stride, ::stride], and put "
    "channels - C channels of zeros behind those that there are: F.pad, or torch.cat with zeros.",
    hint="Every number of the result is either 0 or a number of x: out[n, c, i, j] is "
    "x[n, c, i · stride, j · stride] for c < C, and 0 in the new channels.",
    failed="F.pad takes pairs of numbers from the last dimension on: (left, right, top, bottom, "
    "before, behind); the last pair is for the channels. With nothing to add, it adds 0.",
    shape_hint="The result is [N, channels, H / stride, W / stride], rounded up.",
)
shortcut.probe(_some(2, 2, 4, 4), 4, 2)
shortcut.probe(_some(2, 3, 6, 4), 7, 2)
shortcut.probe(_some(1, 2, 3, 5), 2, 1)
shortcut.probe(_some(2, 2, 4, 6), 5, 1)
shortcut.probe(_some(2, 3, 6, 6), 3, 2)
shortcut.probe(_some(1, 2, 9, 6).double(), 3, 3)
shortcut.probe(
    _some(1, 2, 5, 7),
    4,
    2,
    hint="Of 5 pixels every second is three: the first, the third, the fifth. The convolution "
    "beside the shortcut rounds up too.",
    trap=lambda x, channels, stride: _shortcut(
        x[:, :, : x.shape[2] // stride * stride, : x.shape[3] // stride * stride], channels, stride
    ),
)


def _with_zeros(pick: Callable) -> Callable:
    """A shortcut that takes its pixels by ``pick(x, stride)``; the new channels are right."""
    return lambda x, channels, stride: _shortcut(pick(x, stride), channels, 1)


def _with_pixels(widen: Callable) -> Callable:
    """A shortcut that takes the right pixels, and makes its channels by ``widen(x, channels)``."""
    return lambda x, channels, stride: widen(x[:, :, ::stride, ::stride], channels)


def _padded(x: Tensor, *padding: int) -> Tensor:
    return F.pad(x, padding)


@_with_pixels
def _in_front(x: Tensor, channels: int) -> Tensor:
    return _padded(x, 0, 0, 0, 0, channels - x.shape[1], 0)


@_with_pixels
def _on_both_sides(x: Tensor, channels: int) -> Tensor:
    new = channels - x.shape[1]
    return _padded(x, 0, 0, 0, 0, new // 2, new - new // 2)


shortcut.mistakes += table(
    ("a shortcut with the mean of each window", _with_zeros(F.avg_pool2d),
     "Option A takes one pixel of each window as it is: x[:, :, ::stride, ::stride]. Nothing is "
     "averaged."),
    ("a shortcut with the largest pixel of each window", _with_zeros(F.max_pool2d),
     "Take the first pixel of each window, not the largest. (A max pool does it with windows of "
     "one pixel.)"),
    ("a shortcut with interpolated pixels",
     *(_with_zeros(lambda x, s, mode=mode: F.interpolate(x, scale_factor=1 / s, mode=mode))
       for mode in ("bilinear", "bicubic")),
     "Interpolation mixes neighbouring pixels. Here each pixel is one of x, as it is."),
    ("a shortcut of all pixels", _with_zeros(lambda x, s: x),
     "The stride is not used: only every stride-th row and column goes on, so that the result fits "
     "to what the convolutions give."),
    ("a shortcut that skips along one side only", _with_zeros(lambda x, s: x[:, :, ::s]),
     _with_zeros(lambda x, s: x[..., ::s]),
     "Both sides move in strides, the rows and the columns: x[:, :, ::stride, ::stride]."),
    ("a corner of the picture", _with_zeros(
        lambda x, s: x[:, :, : -(-x.shape[2] // s), : -(-x.shape[3] // s)]),
     "A crop keeps one corner of the picture. Every stride-th pixel of all of it is asked for, "
     "which is the third number of a slice: [::stride]."),
    ("a shortcut that begins with another pixel",
     _with_zeros(lambda x, s: x[..., s - 1::s, s - 1::s]),
     _with_zeros(lambda x, s: x[..., 1 % s::s, 1 % s::s]),
     "The first row and column belong to it: take 0, stride, 2 · stride, ..."),
    ("a shortcut that skips channels", lambda x, channels, s: _shortcut(x[:, ::s], channels, s),
     lambda x, channels, s: _shortcut(x[:, ::s, ::s], channels, 1),
     "Dimensions 0 and 1 are images and channels: both stay whole, [:, :], and the strides come "
     "after them."),
    ("a shortcut with the channels of x again in the new ones",
     _with_pixels(lambda x, channels: torch.cat([x] * channels, 1)[:, :channels]),
     "The new channels are zeros, not copies: the block fills them."),
    ("a shortcut with ones in the new channels",
     _with_pixels(lambda x, channels: 1 + _shortcut(x - 1, channels, 1)),
     "The new channels hold zeros: adding them changes nothing."),
    ("a shortcut with the new channels in front", _in_front,
     "The old channels keep their places, 0 to C - 1, and the new ones stand behind them: the "
     "last number of F.pad's six, or the second part of torch.cat."),
    ("a shortcut with new channels on both sides", _on_both_sides,
     _with_pixels(lambda x, channels: _padded(x, 0, 0, 0, 0, channels // 4, channels // 4)),
     "Half of the zeros before and half behind is found in many repositories, often as channels // "
     "4 on each side, which is wrong where the channels do not double. Here all channels - C stand "
     "behind."),
    ("a shortcut with as many new channels as there are in all",
     _with_pixels(lambda x, channels: _padded(x, 0, 0, 0, 0, 0, channels)),
     "channels is how many there are afterwards: only channels - C of them are new, and none where "
     "x has as many already."),
    ("a shortcut with twice the channels, always",
     _with_pixels(lambda x, channels: _padded(x, 0, 0, 0, 0, 0, x.shape[1])),
     "Not every block doubles the channels: channels - C are added, which may be 0."),
    ("a shortcut without new channels", _with_pixels(lambda x, channels: x),
     "channels is not used: behind the C channels of x stand channels - C channels of zeros."),
    ("a picture with zeros at its edge",
     _with_pixels(lambda x, channels: _padded(x, 0, channels - x.shape[1])),
     _with_pixels(lambda x, channels: _padded(x, 0, 0, 0, channels - x.shape[1])),
     "These zeros stand beside the pixels. F.pad begins with the last dimension: two numbers for "
     "the width, two for the height, and then two for the channels."),
    ("a shortcut after a ReLU", lambda x, channels, s: _shortcut(x, channels, s).relu(),
     "What is negative passes too: the ReLU comes after the addition, in the block."),
)  # fmt: skip


@shortcut.then
def _gradient_to_x(answer: Callable) -> None:
    x = torch.randn(2, 2, 4, 4).requires_grad_()
    cut = "The new tensor must be made of x by torch's operations: no .data, .detach() or numpy."
    got = expect_tensor(ask(answer, x, 4, 2, hint=cut), (2, 4, 2, 2), None, "The result")
    if not got.requires_grad:
        raise Wrong("No gradient flows back through shortcut to x; expected one that does.", cut)


# --- ResidualBlock --------------------------------------------------------------------------


def _conv(
    in_channels: int, channels: int, size: int = 3, stride: int = 1, norm: bool = True
) -> nn.Sequential:
    """A convolution without bias, and its BatchNorm."""
    conv = nn.Conv2d(in_channels, channels, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels)) if norm else nn.Sequential(conv)


class OracleBlock(nn.Module):
    """The basic block: ``[N, in_channels, H, W]`` to ``[N, channels, H / stride, W / stride]``.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. The other arguments make
    mistakes of it.

    Args:
        strides: of the two convolutions.
        skip: the shortcut where there is no projection.
        projects: whether there is a projection, by what was asked for and whether x changes.
        norms: what has a BatchNorm. ``relus``: where they are; "branch" is before the addition.
        inner: the shortcut begins after the first convolution.
        join: of the branch and the shortcut; None: there is no shortcut.
    """

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, projection: bool = False, *,
        strides: Callable = lambda stride: (stride, 1), skip: Callable = _shortcut,
        projects: Callable = lambda asked, changes: asked and changes,
        norms: tuple[str, ...] = ("first", "second", "projection"),
        relus: tuple[str, ...] = ("first", "end"),
        inner: bool = False, join: Callable | None = torch.add,
    ):  # fmt: skip
        super().__init__()
        self.channels, self.stride, self.relus = channels, stride, relus
        self.inner, self.skip, self.join = inner, skip, join
        before, after = strides(stride)
        self.first = _conv(in_channels, channels, 3, before, "first" in norms)
        self.second = _conv(channels, channels, 3, after, "second" in norms)
        self.projection = None
        if projects(projection, stride != 1 or in_channels != channels):
            self.projection = _conv(in_channels, channels, 1, stride, "projection" in norms)

    def forward(self, x: Tensor) -> Tensor:
        inner = self._relu("first", self.first(x))
        branch = self._relu("branch", self.second(inner))
        if self.join:
            past = inner if self.inner else self._past(x)
            branch = self.join(branch, self._relu("past", past))
        return self._relu("end", branch)

    def _past(self, x: Tensor) -> Tensor:
        return self.projection(x) if self.projection else self.skip(x, self.channels, self.stride)

    def _relu(self, place: str, x: Tensor) -> Tensor:
        return x.relu() if place in self.relus else x


_HINTS = {  # of both networks
    "modes": "In training a BatchNorm normalises with the batch's statistics, in evaluation with "
    "its running ones. nn.BatchNorm2d follows model.train() and model.eval() by itself; "
    "F.batch_norm has to be told, training=self.training.",
    "mixed": "In evaluation a BatchNorm takes its running statistics, not the batch's. "
    "nn.BatchNorm2d follows model.eval() by itself, where track_running_stats is left as it is; "
    "F.batch_norm has to be told, training=self.training.",
    "shared": "Every convolution has a BatchNorm of its own: what is made once and called in "
    "several places shares its weights and its statistics.",
    "batch norm": "One BatchNorm is too many, or stands before its convolution: each stands behind "
    "one, and nowhere else.",
    "dropout": "The batch's statistics are noise enough: there is no dropout here.",
    "dropout in eval": "There is no dropout here, in evaluation least of all.",
    "padding": "The 3×3 convolutions have padding 1, so that the sizes fit when two ways meet.",
}

residual_block = Network(
    "ResidualBlock",
    NOTEBOOK,
    3,
    OracleBlock,
    (3, 4, 6, 8),
    calls=(
        (4, 4),
        (4, 6, 2),
        (4, 6, {"stride": 2, "projection": True}),
        (4, 4, 1, True),
        (4, 6),
    ),
    branches=True,
    idea="out = relu(bn1(conv1(x))), then out = bn2(conv2(out)), and at last the ReLU of out plus "
    "the shortcut. That is shortcut(x, channels, stride), or, where a projection is asked for and "
    "sizes or channels change, a 1×1 convolution with the same stride and a BatchNorm.",
    hints=_HINTS
    | {
        "build": "It is called as ResidualBlock(in_channels, channels, stride=1, "
        "projection=False), the last two by name too.",
        "stride": "The stride belongs to the first convolution and to the shortcut; the second "
        "convolution has stride 1. So both ways end in maps of one size.",
        "kernel": "Both convolutions of the branch are 3×3, and the projection is 1×1.",
        "channels": "The first convolution takes in_channels to channels, the second channels to "
        "channels.",
        "too many": "Two convolutions, and a third, 1×1, only as the projection.",
        "too few": "Two 3×3 convolutions follow each other, and where a projection is asked for "
        "and needed it is a third convolution.",
        "norm places": "A BatchNorm follows each convolution at once, before the ReLU and before "
        "the addition: convolution, BatchNorm, ReLU. (In a later paper of the authors it stands "
        "elsewhere; there the ReLU has moved as well.)",
        "add": "Two maps can be added where their shapes are equal. Where the stride or the "
        "channels change x, shortcut(x, channels, stride) or the projection is added, not x "
        "itself.",
        "extra pool": "A block has no pool: its first convolution makes the stride.",
        "average pool": "A block has no pool: the shortcut picks pixels, it does not average.",
        "shape": "The result is [N, channels, H / stride, W / stride], rounded up: the block ends "
        "with the ReLU of the sum.",
        "other": "Write down the two ways from x to the sum, step by step, and compare with the "
        "picture of the block.",
    },
)


def _block(**changes) -> Callable:
    return functools.partial(OracleBlock, **changes)


residual_block.mistakes += table(
    ("In ResidualBlock nothing is added: this is a plain block.",
     _block(join=None),
     "The shortcut is missing: out = out + shortcut(x, channels, stride), before the last ReLU."),
    ("ResidualBlock has a ReLU before the addition.", _block(relus=("first", "branch")),
     _block(relus=("first", "branch", "end")),
     "Add first, and take the ReLU of the sum: a branch after a ReLU could only ever add, never "
     "take away."),
    ("In ResidualBlock no ReLU follows the addition.", _block(relus=("first",)),
     "The block ends with a ReLU, of the sum."),
    ("In ResidualBlock no ReLU follows the first convolution.", _block(relus=("end",)),
     "Between the two convolutions, after the first BatchNorm, stands a ReLU: without it they are "
     "one linear map."),
    ("ResidualBlock has no ReLU.", _block(relus=()),
     "There are two: after the first BatchNorm, and after the addition."),
    ("In ResidualBlock a ReLU stands on the shortcut.",
     _block(relus=("first", "end", "past")),
     "The shortcut changes nothing it need not: no ReLU there. The one after the addition is for "
     "both."),
    ("The shortcut of ResidualBlock begins after the first convolution.", _block(inner=True),
     "It is x, what came into the block, that is carried past both convolutions: keep it under a "
     "name of its own before anything else is done."),
    ("On the shortcut the new channels do not stand behind the old ones.",
     _block(skip=_in_front), _block(skip=_on_both_sides),
     "The channels of x keep their places, and the zeros stand behind them: let your function "
     "shortcut do it."),
    ("ResidualBlock has a projection where nothing changes.",
     _block(projects=lambda asked, changes: asked),
     "Where the stride is 1 and the channels stay, x itself can be added, with projection=True "
     "too: a projection is made only where it is needed."),
    ("ResidualBlock has a projection that nobody asked for.",
     _block(projects=lambda asked, changes: changes), _block(projects=lambda asked, changes: True),
     "With projection=False the shortcut has no weights: shortcut(x, channels, stride)."),
    ("ResidualBlock has no projection though one is asked for.",
     _block(projects=lambda asked, changes: False),
     "With projection=True a 1×1 convolution with the block's stride, and a BatchNorm, take x to "
     "the new shape."),
    ("The projection has no BatchNorm.", _block(norms=("first", "second")),
     "The projection is a convolution as the others: a BatchNorm follows it, and nothing else."),
    ("ResidualBlock has no BatchNorm.", _block(norms=()),
     "A BatchNorm follows each convolution: two in the branch, and one behind the projection."),
    ("The second convolution of ResidualBlock has no BatchNorm.",
     _block(norms=("first", "projection")),
     "The second convolution has a BatchNorm as well; the addition comes after it."),
    ("The stride of ResidualBlock is that of the second convolution.",
     _block(strides=lambda stride: (1, stride)),
     "The first convolution moves by the stride: then the second has less to do."),
    ("ResidualBlock joins branch and shortcut along the channels.",
     _block(join=lambda branch, past: torch.cat([branch, past], 1)),
     _block(join=lambda branch, past: torch.cat([past, branch], 1)),
     "A residual is added, and the sum has as many channels as each of the two. Joining is "
     "Inception's (and DenseNet's) way."),
)  # fmt: skip

# --- make_resnet ----------------------------------------------------------------------------


def _blocks(depth: int) -> int:
    """Blocks of each of the three stages."""
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"the depth must be 6n + 2 (8, 14, 20, ...), got {depth}")
    return depth // 6


def _make_resnet(
    depth: int, shortcuts: bool = True, *, blocks: Callable[[int], int] = _blocks,
    stride: Callable[[int, int], int] = lambda stage, block: 2 if stage and not block else 1,
    projection: bool = False,
) -> nn.Sequential:  # fmt: skip
    """The residual network of He et al. (2016) for CIFAR-10: ``[N, 3, H, W]`` to ``[N, 10]``.

    The other arguments make mistakes of it.
    """
    join = torch.add if shortcuts else None
    layers, width = [_conv(3, 16), nn.ReLU()], 16
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(blocks(depth)):
            layers.append(OracleBlock(width, channels, stride(stage, block), projection, join=join))
            width = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


make_resnet = Network(
    "make_resnet",
    NOTEBOOK,
    2,
    _make_resnet,
    (2, 3, 32, 32),
    calls=((20,), (8, {"shortcuts": False})),
    idea="n = (depth - 2) // 6 blocks in each of three stages of 16, 32 and 64 channels; the first "
    "block of stages two and three has stride 2. Before them a 3×3 convolution to 16 channels, its "
    "BatchNorm and a ReLU; after them the mean over each map and a linear layer. A loop fills a "
    "list of layers for nn.Sequential.",
    hints=_HINTS
    | {
        "build": "depth is 6n + 2 here, so that n = (depth - 2) // 6 is a whole number: 8, 14 and "
        "20 are right, and only a depth between them is an error.",
        "too many": "There are n = (depth - 2) // 6 blocks, of two convolutions each, in each of "
        "three stages; one convolution comes before them, and one linear layer after.",
        "too few": "Count in your forward: one convolution, three stages of n blocks with two "
        "convolutions each, one linear layer, which makes 6n + 2.",
        "channels": "The first convolution gives 16 channels, as the first stage does; the others "
        "give 32 and 64. (64 to 512 are the widths for ImageNet.) A stage's first block takes what "
        "the stage before gave.",
        "kernel": "For pictures of 32×32 the network begins with a 3×3 convolution. The 7×7 with "
        "stride 2 is for 224×224.",
        "extra pool": "Pictures of 32×32 are small enough: no max pool after the first "
        "convolution, nor anywhere else.",
        "stride": "Only the first block of the second and of the third stage has stride 2. All "
        "else moves by one pixel.",
        "no ReLU": "A ReLU follows the BatchNorm of the first convolution, too.",
        "no batch norm": "A BatchNorm follows the first convolution as every other.",
        "no average pool": "Between the last block and the linear layer the mean is taken over "
        "each map, so that 64 numbers are left: nn.AdaptiveAvgPool2d(1), or x.mean((2, 3)).",
        "features": "After the mean over each map 64 numbers of an image are left; the linear "
        "layer makes 10 of them.",
        "size": "The mean over each of the 64 maps leaves 64 numbers of an image, [N, 64] when "
        "flattened from dimension 1 on, for the linear layer.",
        "bias": "The convolutions have no bias, the linear layer has one.",
        "norm places": "A BatchNorm follows every convolution at once, the first one's too, and "
        "then comes the ReLU.",
        "shared": "The same block, or layer, stands in several places, and they share its weights: "
        "[block] * n is n times one block. Make a new one in every round of the loop.",
        "other": "Print the network, and go through its layers one by one: first convolution, "
        "BatchNorm, ReLU; the blocks; mean, linear layer.",
    },
)


def _resnet(**changes) -> Callable:
    return functools.partial(_make_resnet, **changes)


make_resnet.mistakes += table(
    ("make_resnet has three blocks a stage, whatever the depth is.",
     _resnet(blocks=lambda depth: 3),
     "n is computed of the depth: n = (depth - 2) // 6. It is 3 for a depth of 20 only."),
    ("make_resnet has twice as many blocks as the depth says.",
     _resnet(blocks=lambda depth: (depth - 2) // 3),
     "A block has two convolutions: three stages of n blocks are 6n of them, so n = (depth - 2) // "
     "6."),
    ("make_resnet has a block less in each stage.", _resnet(blocks=lambda depth: depth // 6 - 1),
     "Counted are the convolutions of the blocks, the first one and the linear layer. What is on "
     "the shortcuts is not: n = (depth - 2) // 6."),
    ("make_resnet halves the maps in the first stage too.",
     _resnet(stride=lambda stage, block: 1 if block else 2),
     "The first stage keeps 32×32: only stages two and three begin with a stride of 2."),
    ("make_resnet has a stride in every block of a stage.",
     _resnet(stride=lambda stage, block: 2 if stage else 1),
     _resnet(stride=lambda stage, block: 2),
     "A stage halves once, in its first block. The others have stride 1."),
    ("make_resnet has no stride anywhere.", _resnet(stride=lambda stage, block: 1),
     "32×32 become 16×16 in the second stage and 8×8 in the third: their first blocks have stride "
     "2."),
    ("The shortcuts of make_resnet have projections (option B).", _resnet(projection=True),
     "Option A is asked for, shortcuts without weights: leave projection at False. Projections add "
     "2,752 parameters."),
    ("make_resnet adds the shortcuts with shortcuts=False too.",
     lambda depth, shortcuts=True: _make_resnet(depth),
     "With shortcuts=False the same layers stand in a row, and nothing is added: convolution, "
     "BatchNorm, ReLU, convolution, BatchNorm, ReLU."),
    ("make_resnet adds no shortcut.", lambda depth, shortcuts=True: _make_resnet(depth, False),
     "Its blocks are to be residual ones, unless shortcuts=False."),
)  # fmt: skip


@make_resnet.then
def _refusals(answer: Callable) -> None:
    """Demand a ValueError where the depth is not 6n + 2."""
    refused = object()

    def attempt(depth):
        try:
            return answer(depth)
        except ValueError:
            return refused

    for depth in (18, 10, 34, 21):
        hint = "A depth that does not fit is an error, and it has to be a ValueError."
        got = ask(attempt, depth, called="make_resnet", hint=hint)
        if got is refused:
            continue
        text = f"make_resnet({depth}) gave {describe(got)}; expected that it raises a ValueError"
        raise Wrong(
            f"{text}, as {depth} is not 6n + 2.",
            "Rounded down, any depth gives some n, and a network of another depth. Look at the "
            "rest: if (depth - 2) % 6 is not 0, raise a ValueError that says so.",
        )


EXERCISES = [batch_norm, shortcut, residual_block, make_resnet]
