"""Answers to the exercises of notebook 08, as students write them."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock

from labutils.checks.nb08_resnet import _mean, _var, _y

from .bank import Bank
from .mutants import Text, mutants

# --- batch_norm -----------------------------------------------------------------------------

batch_norm = Bank("batch_norm")

BY_CHANNEL = Text("""
def batch_norm(x, weight, bias, mean, var, training):
    new_mean, new_var = mean, var
    if training:
        mean = x.mean(dim=(0, 2, 3))
        var = x.var(dim=(0, 2, 3), unbiased=False)
        with torch.no_grad():
            new_mean = 0.9 * new_mean + 0.1 * mean
            new_var = 0.9 * new_var + 0.1 * x.var(dim=(0, 2, 3))
    z = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + 1e-5)
    y = weight[:, None, None] * z + bias[:, None, None]
    return y, new_mean, new_var
""")
KEEPING_DIMENSIONS = Text("""
def batch_norm(x, weight, bias, mean, var, training):
    weight, bias = weight.view(1, -1, 1, 1), bias.view(1, -1, 1, 1)
    if not training:
        z = (x - mean.view(1, -1, 1, 1)) / (var.view(1, -1, 1, 1) + 1e-5) ** 0.5
        return weight * z + bias, mean, var
    center = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - center) ** 2).mean((0, 2, 3), keepdim=True)
    count = x.numel() / x.shape[1]
    unbiased = variance * count / (count - 1)
    new_mean = 0.9 * mean + 0.1 * center.flatten().detach()
    new_var = 0.9 * var + 0.1 * unbiased.flatten().detach()
    return weight * (x - center) / (variance + 1e-5) ** 0.5 + bias, new_mean, new_var
""")


@batch_norm.blank
def batch_norm_stub(x, weight, bias, mean, var, training):
    raise NotImplementedError


batch_norm.right(BY_CHANNEL())
batch_norm.right(KEEPING_DIMENSIONS())


@batch_norm.right
def by_the_module(x, weight, bias, mean, var, training):
    norm = nn.BatchNorm2d(x.shape[1]).train(training)
    tensors = {"running_mean": mean.clone(), "running_var": var.clone()}
    y = torch.func.functional_call(norm, {"weight": weight, "bias": bias, **tensors}, x)
    return [y, *tensors.values()]


@batch_norm.right
def by_rows_of_channels(x, weight, bias, mean, var, training):
    rows = x.transpose(0, 1).flatten(1)  # a row holds all of a channel
    if training:
        var_now, mean_now = torch.var_mean(rows, dim=1)
        count = rows.shape[1]
        mean = torch.lerp(mean, mean_now.detach(), 0.1)
        var = torch.lerp(var, var_now.detach(), 0.1)
        var_now = var_now * (count - 1) / count
    else:
        mean_now, var_now = mean, var
    scale = weight * torch.rsqrt(var_now + 1e-5)
    shift = bias - scale * mean_now
    return torch.einsum("nchw,c->nchw", x, scale) + shift[None, :, None, None], mean, var


@batch_norm.right
def by_the_mean_of_squares(x, weight, bias, mean, var, training):
    m, v = mean, var
    if training:
        m = x.mean((0, 2, 3))
        v = x.pow(2).mean((0, 2, 3)) - m**2
        mean = (mean * 0.9 + m * 0.1).detach()
        var = (var * 0.9 + x.var((0, 2, 3)) * 0.1).detach()
    channels = []
    for c in range(x.shape[1]):
        channels.append((x[:, c] - m[c]) / (v[c] + 1e-5).sqrt() * weight[c] + bias[c])
    return torch.stack(channels, dim=1), mean, var


def of_part(place):
    """The right answer with one of its three results by a formula."""

    def with_formula(formula):
        def answer(*args):
            results = list(BY_CHANNEL()(*args))
            results[place] = formula(*args)
            return tuple(results)

        return answer

    return with_formula


for part_of_answer, part in enumerate((_y, _mean, _var)):
    batch_norm.recognised(part.mistakes, of_part(part_of_answer))

mutants(
    batch_norm,
    BY_CHANNEL,
    ("To normalise, the variance is the plain mean", "(0, 2, 3), unbiased=False", "(0, 2, 3)"),
    ("not seen yet", "0.1 * x.var(dim=(0, 2, 3))", "0.1 * var"),
    ("share of the new batch", "0.9 * new_mean + 0.1 * mean", "0.1 * new_mean + 0.9 * mean",
     "0.9 * new_var + 0.1 *", "0.1 * new_var + 0.9 *"),
    ("before the root is taken", "torch.sqrt(var[:, None, None] + 1e-5)",
     "(torch.sqrt(var[:, None, None]) + 1e-5)"),
    ("the root of the variance", "torch.sqrt(var[:, None, None] + 1e-5)",
     "(var[:, None, None] + 1e-5)"),
    ("depend on those beside it", "if training:", "if True:"),
    ("meets the last dimension of x", "weight[:, None, None]", "weight", "bias[:, None, None]",
     "bias"),
    ("or keepdim=True where they are taken", "mean[:, None, None])", "mean)"),
    ("the shape [C, 1, 1]", "mean[:, None, None])", "mean.reshape(x.shape))"),
    ("only what is stored for later is detached", "mean = x.mean(dim=(0, 2, 3))",
     "mean = x.mean(dim=(0, 2, 3)).detach()"),
    ("keep every batch there ever was", "with torch.no_grad():", "if True:"),
    ("the caller's own data", "new_mean = 0.9 * new_mean + 0.1 * mean",
     "new_mean *= 0.9\nnew_mean += 0.1 * mean"),
    ("come back as they came", "    z =",
     "    else:\n        new_mean = 0.9 * mean + 0.1 * x.mean(dim=(0, 2, 3))\n    z ="),
    ("return all three", "return y, new_mean, new_var", "return y"),
    ("new mean = 0.9 · old mean", "0.9 * new_mean + 0.1 * mean", "0.99 * new_mean + 0.01 * mean"),
    ("the batch's unbiased variance", "0.9 * new_var + 0.1 *", "0.99 * new_var + 0.01 *"),
    ("the order is", "return y, new_mean, new_var", "return y, new_var, new_mean"),
    ("something cut the graph on the way", "return y,", "return y.detach(),"),
    ("minus one mean, divided by one root", "bias[:, None, None]", "bias[:, None, None] + 1"),
    ("y has the shape of x", "return y,", "return y[0],"),
)  # fmt: skip
mutants(
    batch_norm,
    KEEPING_DIMENSIONS,
    ("over all images and places", "(0, 2, 3)", "(1, 2, 3)", "center.flatten().detach()",
     "x.mean((0, 2, 3)).detach()", "unbiased.flatten().detach()", "x.var((0, 2, 3)).detach()"),
    ("one variance for all images together", "(0, 2, 3)", "(2, 3)", "center.flatten().detach()",
     "x.mean((0, 2, 3)).detach()", "unbiased.flatten().detach()", "x.var((0, 2, 3)).detach()"),
    ("without keepdim gives such a shape", "0.9 * mean + 0.1 * center.flatten()",
     "0.9 * mean.view(1, -1, 1, 1) + 0.1 * center"),
    ("for the variance too", "0.9 * var + 0.1 * unbiased.flatten()",
     "0.9 * var.view(1, -1, 1, 1) + 0.1 * unbiased"),
    ("only kept for later", "center) /", "mean.view(1, -1, 1, 1)) /", "(variance + 1e-5)",
     "(var.view(1, -1, 1, 1) + 1e-5)"),
)  # fmt: skip

# --- shortcut -------------------------------------------------------------------------------

shortcut = Bank("shortcut")

BY_PADDING = Text("""
def shortcut(x, channels, stride):
    x = x[:, :, ::stride, ::stride]
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))
""")
BY_JOINING = Text("""
def shortcut(x, channels, stride):
    kept = x[:, :, ::stride, ::stride]
    n, c, h, w = kept.shape
    zeros = torch.zeros(n, channels - c, h, w, dtype=x.dtype, device=x.device)
    return torch.cat([kept, zeros], dim=1)
""")


@shortcut.blank
def shortcut_stub(x, channels, stride):
    raise NotImplementedError


shortcut.right(BY_PADDING())
shortcut.right(BY_JOINING())


@shortcut.right
def by_a_pool_of_one_pixel(x, channels, stride):
    if stride != 1:
        x = F.max_pool2d(x, kernel_size=1, stride=stride)
    if channels == x.shape[1]:
        return x
    return nn.ZeroPad3d((0, 0, 0, 0, 0, channels - x.shape[1]))(x)


@shortcut.right
def by_assignment(x, channels, stride):
    kept = x[..., ::stride, ::stride]
    result = x.new_zeros(len(x), channels, *kept.shape[2:])
    result[:, : x.shape[1]] = kept
    return result


@shortcut.right
def by_a_convolution(x, channels, stride):
    identity = torch.eye(channels, x.shape[1], dtype=x.dtype)
    return F.conv2d(x, identity[:, :, None, None], stride=stride)


mutants(
    shortcut,
    BY_PADDING,
    ("nothing is averaged", "x[:, :, ::stride, ::stride]", "F.avg_pool2d(x, stride)"),
    ("not the largest", "x[:, :, ::stride, ::stride]", "F.max_pool2d(x, stride)"),
    ("mixes neighbouring pixels", "x[:, :, ::stride, ::stride]",
     "F.interpolate(x, scale_factor=1 / stride, mode='bilinear')"),
    ("the stride is not used", "x[:, :, ::stride, ::stride]", "x"),
    ("both sides move in strides", "::stride, ::stride]", "::stride]"),
    ("the third number of a slice", "::stride, ::stride]",
     ": (x.shape[2] + stride - 1) // stride, : (x.shape[3] + stride - 1) // stride]"),
    ("take 0, stride, 2 · stride", "::stride, ::stride]",
     "stride - 1::stride, stride - 1::stride]"),
    ("both stay whole", "x[:, :, ::stride, ::stride]", "x[:, ::stride, ::stride]"),
    ("keep their places, 0 to C - 1", "0, channels - x.shape[1])", "channels - x.shape[1], 0)"),
    ("channels do not double", "0, channels - x.shape[1])", "channels // 4, channels // 4)"),
    ("how many there are afterwards", "channels - x.shape[1])", "channels)"),
    ("not every block doubles", "channels - x.shape[1])", "x.shape[1])"),
    ("F.pad begins with the last dimension", "(0, 0, 0, 0, 0, channels", "(0, channels"),
    ("F.pad takes pairs of numbers", "(0, 0, 0, 0, 0,", "(0, 0, 0, 0,"),
    ("comes after the addition", "return F.pad(x,", "return F.pad(F.relu(x),"),
    ("the convolution beside the shortcut", "x[:, :, ::stride, ::stride]",
     "F.interpolate(x, scale_factor=1 / stride)"),
    ("either 0 or a number of x", "return F.pad(x,", "return F.pad(2 * x,"),
    ("made of x by torch's operations", "return F.pad(x,", "return F.pad(x.data,"),
    ("[N, channels, H / stride, W / stride], rounded up", "channels - x.shape[1]))",
     "channels - x.shape[1])).flatten(2)"),
)  # fmt: skip
mutants(
    shortcut,
    BY_JOINING,
    ("zeros, not copies", "[kept, zeros]", "([kept] * channels)", "dim=1)", "dim=1)[:, :channels]"),
    ("adding them changes nothing", "torch.zeros", "torch.ones"),
    ("channels is not used", "torch.cat([kept, zeros], dim=1)", "kept"),
)  # fmt: skip

# --- ResidualBlock --------------------------------------------------------------------------

ResidualBlock = Bank("ResidualBlock")

BLOCK = Text(
    """
class ResidualBlock(nn.Module):
    def __init__(self, in_channels, channels, stride=1, projection=False):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.channels, self.stride, self.projection = channels, stride, None
        if projection and (stride != 1 or in_channels != channels):
            self.projection = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.projection is not None:
            past = self.projection(x)
        else:
            past = shortcut(x, self.channels, self.stride)
        return F.relu(out + past)
""",
    shortcut=BY_PADDING(),
)


@ResidualBlock.blank
class ResidualBlockStub(nn.Module):
    def __init__(self, in_channels, channels, stride=1, projection=False):
        super().__init__()

    def forward(self, x):
        raise NotImplementedError


ResidualBlock.right(BLOCK())
ResidualBlock.right(BLOCK("return F.relu(out + past)", "out += past\nreturn out.relu_()"))
ResidualBlock.right(
    BLOCK(
        "self.channels, self.stride,",
        "nn.init.zeros_(self.bn2.weight)\nself.channels, self.stride,",
    )  # begins as identity
)


@ResidualBlock.right
def by_torchvision(in_channels, channels, stride=1, projection=False):
    class OptionA(nn.Module):
        def forward(self, x):
            return by_assignment(x, channels, stride)

    past = None
    if stride > 1 or in_channels != channels:
        past = OptionA()
        if projection:
            past = nn.Sequential(
                nn.Conv2d(in_channels, channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(channels),
            )
    return BasicBlock(in_channels, channels, stride, past)


@ResidualBlock.right
class BySequentials(nn.Module):
    """The shortcut defined, and run, first."""

    def __init__(self, in_channels, channels, stride=1, projection=False):
        super().__init__()

        def convolution(inputs, size, stride):
            layer = nn.Conv2d(inputs, channels, size, stride, size // 2, bias=False)
            return [layer, nn.BatchNorm2d(channels)]

        self.past = nn.MaxPool2d(1, stride)
        self.more = channels - in_channels
        if projection and (stride, in_channels) != (1, channels):
            self.past, self.more = nn.Sequential(*convolution(in_channels, 1, stride)), 0
        self.branch = nn.Sequential(
            *convolution(in_channels, 3, stride),
            nn.ReLU(inplace=True),
            *convolution(channels, 3, 1),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        past = F.pad(self.past(x), (0, 0, 0, 0, 0, self.more))
        return self.relu(self.branch(x) + past)


@ResidualBlock.right
class ByFunctions(nn.Module):
    """Weights and statistics as parameters and buffers of its own."""

    def __init__(self, in_channels, channels, stride=1, projection=False):
        super().__init__()
        self.stride, self.channels = stride, channels
        self.projects = projection and (stride != 1 or in_channels != channels)
        shapes = [(in_channels, 3), (channels, 3)] + [(in_channels, 1)] * self.projects
        for i, (inputs, size) in enumerate(shapes):
            self.register_parameter(
                f"w{i}", nn.Parameter(0.1 * torch.randn(channels, inputs, size, size))
            )
            self.register_parameter(f"gamma{i}", nn.Parameter(torch.ones(channels)))
            self.register_parameter(f"beta{i}", nn.Parameter(torch.zeros(channels)))
            self.register_buffer(f"mean{i}", torch.zeros(channels))
            self.register_buffer(f"var{i}", torch.ones(channels))

    def step(self, i, x, stride=1):
        weight, *norm = (
            getattr(self, f"{name}{i}") for name in ("w", "mean", "var", "gamma", "beta")
        )
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        return F.batch_norm(x, *norm, training=self.training)

    def forward(self, x):
        y = self.step(1, torch.relu(self.step(0, x, self.stride)))
        if self.projects:
            return torch.relu(y + self.step(2, x, self.stride))
        return torch.relu(y + by_a_convolution(x, self.channels, self.stride))


PAST = "past = shortcut(x, self.channels, self.stride)"
NORM1 = "self.bn1.running_mean, self.bn1.running_var, self.bn1.weight, self.bn1.bias"
PROJECTS = "if projection and (stride != 1 or in_channels != channels):"
mutants(
    ResidualBlock,
    BLOCK,
    ("the shortcut is missing", "out + past", "out"),
    ("could only ever add", "F.relu(out + past)", "F.relu(out) + past"),
    ("the block ends with a ReLU", "F.relu(out + past)", "out + past"),
    ("they are one linear map", "F.relu(self.bn1(self.conv1(x)))", "self.bn1(self.conv1(x))"),
    ("after the first BatchNorm, and after the addition", "F.relu(", "("),
    ("changes nothing it need not", "self.projection(x)", "F.relu(self.projection(x))",
     "past = shortcut", "past = F.relu(x)\npast = shortcut", "shortcut(x,", "shortcut(past,"),
    ("keep it under a name of its own", "out = F.relu(self.bn1(self.conv1(x)))",
     "x = F.relu(self.bn1(self.conv1(x)))\nout = x", "self.channels, self.stride)",
     "self.channels, 1)"),
    ("the caller's own data", "out = F.relu(self.bn1(self.conv1(x)))",
     "out = F.relu(self.bn1(self.conv1(F.relu(x, inplace=True))))"),
    ("let your function shortcut do it", PAST,
     "past = x[:, :, ::self.stride, ::self.stride]\nmore = self.channels - x.shape[1]\n"
     "past = F.pad(past, (0, 0, 0, 0, more // 2, more - more // 2))"),
    ("the last two by name too", "stride=1, projection=False):\n        super().__init__()",
     "step=1, projection=False):\n    super().__init__()\n    stride = step"),
    ("has no weights", PROJECTS, "if stride != 1 or in_channels != channels:"),
    ("made only where it is needed", PROJECTS, "if projection:"),
    ("take x to the new shape", PROJECTS, "if False:"),
    ("is a convolution as the others", "                nn.BatchNorm2d(channels),\n", ""),
    ("and one behind the projection", "self.bn1(self.conv1(x))", "self.conv1(x)",
     "self.bn2(self.conv2(out))", "self.conv2(out)", "self.bn1 = nn.BatchNorm2d(channels)", "",
     "self.bn2 = nn.BatchNorm2d(channels)", "", "                nn.BatchNorm2d(channels),\n", ""),
    ("has a BatchNorm as well", "self.bn2(self.conv2(out))", "self.conv2(out)",
     "self.bn2 = nn.BatchNorm2d(channels)", ""),
    ("the second has less to do", "3, stride=stride, padding=1", "3, padding=1",
     "(channels, channels, 3,", "(channels, channels, 3, stride=stride,"),
    ("both ways end in maps of one size", "(channels, channels, 3,",
     "(channels, channels, 3, stride=stride,"),
    ("Joining is Inception's", "out + past", "torch.cat([out, past], 1)"),
    ("where their shapes are equal", PAST, "past = x"),
    ("is void", "3, padding=1, bias=False)", "3, padding=1)"),
    ("has a BatchNorm of its own", "self.bn2(self", "self.bn1(self",
     "self.bn2 = nn.BatchNorm2d(channels)", ""),
    ("a later paper of the authors", "F.relu(self.bn1(self.conv1(x)))",
     "self.bn1(F.relu(self.conv1(x)))"),
    ("before the ReLU and before the addition", "F.relu(self.bn1(self.conv1(x)))",
     "self.conv1(F.relu(self.bn1(x)))", "self.bn2(self.conv2(out))",
     "self.conv2(F.relu(self.bn2(out)))",
     "self.bn1 = nn.BatchNorm2d(channels)", "self.bn1 = nn.BatchNorm2d(in_channels)",
     "F.relu(out + past)", "out + past"),
    ("the projection is 1×1", "nn.Conv2d(in_channels, channels, 1, stride=stride,",
     "nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1,"),
    ("the second channels to channels", "nn.Conv2d(in_channels, channels, 3, stride=stride,",
     "nn.Conv2d(in_channels, in_channels, 3, stride=stride,", "self.bn1 = nn.BatchNorm2d(channels)",
     "self.bn1 = nn.BatchNorm2d(in_channels)", "nn.Conv2d(channels, channels,",
     "nn.Conv2d(in_channels, channels,"),
    ("and a third, 1×1", "self.bn2(self.conv2(out))", "self.bn2(self.conv2(self.conv3(out)))",
     "self.bn2 =",
     "self.conv3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)\nself.bn2 ="),
    ("it is a third convolution", "out = self.bn2(self.conv2(out))", "",
     "self.bn2 = nn.BatchNorm2d(channels)", "",
     "self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)", ""),
    ("have padding 1", "channels, 3, padding=1", "channels, 3"),
    ("it does not average", PAST, f"{PAST}\nif self.stride > 1:\n    past = shortcut("
     "F.avg_pool2d(x, self.stride), self.channels, 1)"),
    ("its first convolution makes the stride", "3, stride=stride, padding=1", "3, padding=1",
     "self.conv1(x)", "F.max_pool2d(self.conv1(x), self.stride)"),
    ("the batch's statistics are noise enough", "out = self.bn2(",
     "out = F.dropout(out, 0.3, self.training)\nout = self.bn2("),
    ("in evaluation least of all", "out = self.bn2(", "out = F.dropout(out, 0.3)\nout = self.bn2("),
    ("with the batch's statistics, in evaluation", "self.bn1(self.conv1(x))",
     f"F.batch_norm(self.conv1(x), {NORM1})"),
    ("not the batch's", "self.bn1(self.conv1(x))",
     f"F.batch_norm(self.conv1(x), {NORM1}, training=True)"),
    ("its momentum of 0.1", "self.bn2 = nn.BatchNorm2d(channels)",
     "self.bn2 = nn.BatchNorm2d(channels, momentum=0.9)"),
    ("the ReLU of the sum.", "return F.relu(out + past)", "return F.relu(out + past).flatten(1)"),
    ("write down the two ways", "out + past", "out - past"),
)  # fmt: skip

# --- make_resnet ----------------------------------------------------------------------------

make_resnet = Bank("make_resnet")

RESNET = Text(
    """
def plain_block(in_channels, channels, stride):
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )

def make_resnet(depth, shortcuts=True):
    n, rest = divmod(depth - 2, 6)
    if rest != 0:
        raise ValueError(f"{depth} is not 6n + 2")
    block = ResidualBlock if shortcuts else plain_block
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    width = 16
    for channels in (16, 32, 64):
        for i in range(n):
            stride = 2 if i == 0 and channels > 16 else 1
            layers.append(block(width, channels, stride))
            width = channels
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers)
""",
    ResidualBlock=BLOCK(),
)
IN_A_CLASS = Text(
    """
class make_resnet(nn.Module):
    def __init__(self, depth, shortcuts=True):
        super().__init__()
        if depth % 6 != 2:
            raise ValueError(f"a depth of {depth} does not fit")
        self.first = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        widths = [16] * (depth // 6 + 1) + [32] * (depth // 6) + [64] * (depth // 6)
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b, 1 if a == b else 2) for a, b in zip(widths, widths[1:])
        )
        self.shortcuts = shortcuts
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.norm(self.first(x)))
        for block in self.blocks:
            if self.shortcuts:
                x = block(x)
            else:
                x = F.relu(block.bn1(block.conv1(x)))
                x = F.relu(block.bn2(block.conv2(x)))
        return self.linear(x.mean(dim=(2, 3)))
""",
    ResidualBlock=BLOCK(),
)


@make_resnet.blank
def make_resnet_stub(depth, shortcuts=True):
    raise NotImplementedError


make_resnet.right(RESNET())
make_resnet.right(RESNET("nn.AdaptiveAvgPool2d(1)", "nn.AvgPool2d(8)"))
make_resnet.right(IN_A_CLASS())
make_resnet.right(
    IN_A_CLASS(  # one that begins with nothing but identities
        "self.shortcuts = shortcuts",
        "self.shortcuts = shortcuts\nfor one in self.blocks:\n    nn.init.zeros_(one.bn2.weight)",
    )
)

STEM = "nn.BatchNorm2d(16), nn.ReLU()]"
mutants(
    make_resnet,
    RESNET,
    ("it is 3 for a depth of 20 only", "for i in range(n)", "for i in range(3)"),
    ("a block has two convolutions", "for i in range(n)", "for i in range(2 * n)"),
    ("what is on the shortcuts is not", "divmod(depth - 2, 6)", "(depth - 4) // 6, 0"),
    ("only stages two and three begin", "i == 0 and channels > 16", "i == 0"),
    ("a stage halves once", "i == 0 and channels > 16", "channels > 16"),
    ("32×32 become 16×16", "stride = 2 if", "stride = 1 if"),
    ("2,752 parameters", "block(width, channels, stride)",
     "block(width, channels, stride, *[True] * shortcuts)"),
    ("the same layers stand in a row", "ResidualBlock if shortcuts else plain_block",
     "ResidualBlock"),
    ("residual ones, unless", "ResidualBlock if shortcuts else plain_block", "plain_block"),
    ("64 to 512 are the widths", "(16, 32, 64)", "(64, 128, 256)", "nn.Linear(64,",
     "nn.Linear(256,", "Conv2d(3, 16,", "Conv2d(3, 64,", "BatchNorm2d(16)", "BatchNorm2d(64)",
     "width = 16", "width = 64",
     "channels > 16", "channels > 64"),
    ("is for 224×224", "(3, 16, 3, padding=1", "(3, 16, 7, padding=3"),
    ("no max pool after the first", "nn.ReLU()]", "nn.ReLU(), nn.MaxPool2d(3, 2, 1)]"),
    ("all else moves by one pixel", "(3, 16, 3, padding=1", "(3, 16, 3, stride=2, padding=1"),
    ("of the first convolution, too", STEM, "nn.BatchNorm2d(16)]"),
    ("the first convolution as every other", STEM, "nn.ReLU()]"),
    ("and then comes the ReLU", STEM, "nn.ReLU(), nn.BatchNorm2d(16)]"),
    ("so that 64 numbers are left", "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)",
     "nn.Flatten(), nn.Linear(64 * 8 * 8, 10)"),
    ("the linear layer makes 10", "nn.Linear(64, 10)", "nn.Linear(64, 100)"),
    ("[N, 64] when flattened", "nn.Linear(64, 10)", "nn.Linear(256, 10)"),
    ("the linear layer has one", "nn.Linear(64, 10)", "nn.Linear(64, 10, bias=False)"),
    ("stands before its convolution", "layers = [", "layers = [nn.BatchNorm2d(3), "),
    ("of two convolutions each", "width = 16",
     "width = 16\nlayers += [nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]"),
    ("which makes 6n + 2", "(16, 32, 64)", "(16, 64)"),
    ("[block] * n is n times one block", "layers.append(block(width, channels, stride))",
     "if i < 2:\n    one = block(width, channels, stride)\nlayers.append(one)"),
    ("only a depth between them is an error", "divmod(depth - 2, 6)", "divmod(depth, 6)"),
    ("it has to be a ValueError", "raise ValueError", "raise RuntimeError"),
    ("any depth gives some n", "if rest != 0:", "if False:"),
    ("print the network", "nn.ReLU()]", "nn.ReLU(), nn.ZeroPad2d((1, -1, 0, 0))]"),
)  # fmt: skip


@make_resnet.wrong("a plain Python list hides them")
class InAList(IN_A_CLASS()):
    def __init__(self, depth, shortcuts=True):
        super().__init__(depth, shortcuts)
        blocks = list(self.blocks)
        del self.blocks
        self.blocks = blocks
