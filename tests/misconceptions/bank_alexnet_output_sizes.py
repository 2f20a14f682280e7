"""Answers to the exercises of notebook 06, as students write them."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank
from .mutants import Text, mutants

# --- conv_output_size -----------------------------------------------------------------------

conv_output_size = Bank("conv_output_size")


@conv_output_size.right
def by_formula(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        raise ValueError(f"a filter of {kernel_size} does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.right
def by_floor(size, kernel_size, stride=1, padding=0):
    room = size - kernel_size + 2 * padding
    if room < 0:
        raise ValueError
    return np.floor(room / stride + 1)


@conv_output_size.right
def by_asking_pytorch(size, kernel_size, stride=1, padding=0):
    row = torch.zeros(1, 1, size)
    try:
        row = F.conv1d(row, torch.zeros(1, 1, kernel_size), stride=stride, padding=padding)
    except RuntimeError as error:
        raise ValueError("too large") from error
    return row.size(-1)


@conv_output_size.right
def by_tensor(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    result = torch.div(size + 2 * padding - reach, stride, rounding_mode="floor") + 1
    if reach > size + 2 * padding:
        raise ValueError("too large")
    return torch.as_tensor(result)


CONV_OUTPUT_SIZE = Text("""
def conv_output_size(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        raise ValueError("the filter does not fit")
    places = range(-padding, size + padding - kernel_size + 1, stride)
    return len(places)
""")
TOO_LARGE, STEPS = "kernel_size > size + 2 * padding", "(size - kernel_size + 2 * padding) / stride"
conv_output_size.right(CONV_OUTPUT_SIZE())
mutants(
    conv_output_size, CONV_OUTPUT_SIZE,
    ("+ 1 is missing", "len(places)", "len(places) - 1"),
    ("padding does not enter", "range(-padding, size + padding", "range(0, size"),
    ("counted once", "range(-padding", "range(0"),
    ("stride does not enter", ", stride)", ")"),
    ("over the edge, however little", "len(places)", f"round({STEPS}) + 1"),
    ('"same" padding', "len(places)", "len(range(0, size, stride))"),
    ("slide the filter by hand", "len(places)", "len(places) ** 2"),
    ("this filter fits", "if kernel_size", "if padding:\n    raise ValueError\nif kernel_size"),
    ("it is no error", "places =", f"if {STEPS} % 1:\n    raise ValueError\nplaces ="),
    ("fits: at one place", "> size", ">= size"),
    ("padded picture: padding on both sides makes room", TOO_LARGE, "kernel_size > size"),
    ("fits nowhere", TOO_LARGE, "False"),
    ("before you divide", TOO_LARGE, f"int({STEPS}) < 0", "len(places)", f"int({STEPS}) + 1"),
    ("raised, not returned", "raise", "return"),
    ("has to be a ValueError", "raise ValueError", "raise IndexError"),
)  # fmt: skip


# --- alexnet_shapes -------------------------------------------------------------------------

alexnet_shapes = Bank("alexnet_shapes")


def the_rows():
    return [
        ("INPUT", (3, 227, 227)),
        ("CONV1", (96, 55, 55)), ("POOL1", (96, 27, 27)), ("NORM1", (96, 27, 27)),
        ("CONV2", (256, 27, 27)), ("POOL2", (256, 13, 13)), ("NORM2", (256, 13, 13)),
        ("CONV3", (384, 13, 13)), ("CONV4", (384, 13, 13)), ("CONV5", (256, 13, 13)),
        ("POOL3", (256, 6, 6)), ("FC6", (4096,)), ("FC7", (4096,)), ("FC8", (1000,)),
    ]  # fmt: skip


def with_rows(**shapes):
    """The table with some rows replaced."""
    return [(name, shapes.get(name, shape)) for name, shape in the_rows()]


# Hint -> the rows that differ from the right ones.
WRONG_ROWS = {
    "does not come out even": dict(INPUT=(3, 224, 224), CONV1=(96, 54, 54), POOL1=(96, 26, 26)),
    "three colour channels of 227×227": dict(INPUT=(1, 227, 227)),
    "keep three dimensions": dict(POOL3=(9216,)),
    "height and width stay equal": dict(POOL2=(256, 13, 27)),
    "the size stays only where": dict(POOL2=(256, 27, 27)),
    "put this row's numbers into the formula": dict(CONV4=(384, 17, 17)),
    "+ 1 is missing": dict(CONV1=(96, 54, 54)),
    "padding does not enter": dict(CONV2=(256, 23, 23)),
    "counted once": dict(CONV2=(256, 25, 25)),
    "stride does not enter": dict(CONV1=(96, 217, 217)),
    "not by 3": dict(POOL1=(96, 18, 18)),
    "each channel by itself": dict(POOL1=(48, 27, 27)),
    "channels come out as the layer has filters": dict(CONV2=(96, 27, 27)),
    "two GPUs": dict(CONV1=(48, 55, 55)),
    "torchvision's alexnet": dict(CONV1=(64, 55, 55), POOL1=(64, 27, 27), NORM1=(64, 27, 27)),
    "look up the number of filters": dict(CONV5=(384 + 128, 13, 13)),
    "keeps the shape": dict(NORM1=(96, 26, 26)),
    "what goes into FC6": dict(FC6=(9216,)),
    "one score for each": dict(FC8=(10,)),
    "one number for each neuron": dict(FC6=(4096, 6, 6)),
    "needs a comma": dict(FC6=4096, FC7=4096, FC8=1000),
}
for hint, wrong_rows in WRONG_ROWS.items():
    alexnet_shapes.wrong(hint)(functools.partial(with_rows, **wrong_rows))


# Hint -> what is returned instead of the rows.
WRONG_TABLES = {
    "channels first": lambda rows: [(name, (*shape[1:], shape[0])) for name, shape in rows],
    "batch dimension": lambda rows: [(name, (1, *shape)) for name, shape in rows],
    "changes no shape and has a row of its own": lambda rows: [r for r in rows if "N" != r[0][0]],
    "pool comes before the normalisation": lambda rows: (
        [*rows[:2], ("NORM1", (96, 55, 55)), rows[2], *rows[4:]]
    ),
    "the picture itself": lambda rows: rows[1:],
    "three linear layers": lambda rows: rows[:-1],
    "follows CONV1, CONV2 and CONV5": lambda rows: [row for row in rows if row[0] != "POOL3"],
    "not as text": lambda rows: [(name, "x".join(map(str, shape))) for name, shape in rows],
    "list of pairs": dict,
    "have no rows in the table": lambda rows: [*rows, ("SOFTMAX", (1000,))],
    "named as in the lecture": lambda rows: [
        (n.replace("CONV", "convolution"), s) for n, s in rows
    ],
    "`return`": print,
}
for hint, change in WRONG_TABLES.items():
    alexnet_shapes.wrong(hint)(lambda change=change: change(the_rows()))
alexnet_shapes.right(the_rows)


@alexnet_shapes.right
def in_the_words_of_the_slide():
    return [[name.replace("POOL", "Max pool").title(), list(shape)] for name, shape in the_rows()]


@alexnet_shapes.right
def by_the_formula():
    def side(n, k, s=1, p=0):
        return (n - k + 2 * p) / s + 1

    rows, n = [("input", (3, 227, 227))], 227
    plan = [
        ("conv1", 96, 11, 4, 0), ("max pool1", 96, 3, 2, 0), ("norm1", 96, 1, 1, 0),
        ("conv2", 256, 5, 1, 2), ("max pool2", 256, 3, 2, 0), ("norm2", 256, 1, 1, 0),
        ("conv3", 384, 3, 1, 1), ("conv4", 384, 3, 1, 1), ("conv5", 256, 3, 1, 1),
        ("max pool3", 256, 3, 2, 0),
    ]  # fmt: skip
    for name, channels, k, s, p in plan:
        n = side(n, k, s, p)
        rows.append((name, (channels, n, n)))
    return rows + [("fc6", (4096,)), ("fc7", (4096,)), ("fc8", (1000,))]


@alexnet_shapes.right
def by_running_layers():
    layers = {
        "CONV1": nn.Conv2d(3, 96, 11, 4), "POOL1": nn.MaxPool2d(3, 2), "NORM1": nn.Identity(),
        "CONV2": nn.Conv2d(96, 256, 5, padding=2), "POOL2": nn.MaxPool2d(3, 2),
        "NORM2": nn.Identity(), "CONV3": nn.Conv2d(256, 384, 3, padding=1),
        "CONV4": nn.Conv2d(384, 384, 3, padding=1), "CONV5": nn.Conv2d(384, 256, 3, padding=1),
        "POOL3": nn.MaxPool2d(3, 2),
    }  # fmt: skip
    x = torch.zeros(3, 227, 227)
    rows = [("INPUT", x.shape)]
    for name, layer in layers.items():
        x = layer(x)
        rows.append((name, x.shape))
    return rows + [("FC6", torch.Size([4096])), ("FC7", (4096,)), ("FC8", torch.zeros(1000).shape)]


@alexnet_shapes.right
def linear_layers_as_convolutions():
    rows = [(name, shape if len(shape) == 3 else (*shape, 1, 1)) for name, shape in the_rows()]
    return tuple((name, np.array(shape)) for name, shape in rows)


# --- local_response_norm --------------------------------------------------------------------

local_response_norm = Bank("local_response_norm")


@local_response_norm.right
def by_unfolding(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(x.square(), (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return x / (k + alpha * squares.unfold(1, size, 1).mean(-1)) ** beta


@local_response_norm.right
def by_cumulative_sums(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    padded = F.pad(x.double() ** 2, (0, 0, 0, 0, size // 2 + 1, (size - 1) // 2)).cumsum(1)
    sums = padded[:, size:] - padded[:, :-size]
    return (x * (k + alpha / size * sums).pow(-beta)).to(x.dtype)


@local_response_norm.right
def by_a_convolution(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(x.square().unsqueeze(1), (0, 0, 0, 0, size // 2, (size - 1) // 2))
    ones = torch.ones(1, 1, size, 1, 1, dtype=x.dtype)
    sums = F.conv3d(squares, ones).squeeze(1)
    return x.div((sums * alpha / size + k) ** beta)


@local_response_norm.right
def by_a_band_matrix(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    c = torch.arange(x.shape[1])
    offset = c[None, :] - c[:, None]
    band = ((offset >= -(size // 2)) & (offset <= (size - 1) // 2)).to(x.dtype)
    sums = torch.einsum("ij,njhw->nihw", band, x * x)
    return x / torch.pow(k + alpha * sums / size, beta)


local_response_norm.right(
    lambda x, size=5, alpha=1e-4, beta=0.75, k=2.0: nn.LocalResponseNorm(size, alpha, beta, k)(x)
)


@local_response_norm.right
def through_numpy(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    values = x.numpy()
    squares = np.pad(values**2, ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(squares, size, axis=1)
    result = values / (k + alpha * windows.mean(-1)) ** beta
    return torch.from_numpy(result).to(x.dtype)


LOCAL_RESPONSE_NORM = Text("""
def local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    out = torch.empty_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        out[:, c] = x[:, c] / (k + alpha / size * window.pow(2).sum(dim=1)) ** beta
    return out
""")
WINDOW = "c - size // 2) : c + (size - 1) // 2 + 1"
local_response_norm.right(LOCAL_RESPONSE_NORM())
mutants(
    local_response_norm, LOCAL_RESPONSE_NORM,
    ("divides alpha by the size", "alpha / size", "alpha"),
    ("use the arguments", "** beta", "** 0.75"),
    ("not 1 here", "(k +", "(1 +"),
    ("the window is local", f"x[:, max(0, {WINDOW}]", "x"),
    ("the window is cut off", "alpha / size * window.pow(2).sum", "alpha * window.pow(2).mean"),
    ("width of the whole window", WINDOW, "c - size) : c + size + 1"),
    ("centred on its channel", WINDOW, "c - size + 1) : c + 1"),
    ("even window", WINDOW, "c - (size - 1) // 2) : c + size // 2 + 1"),
    ("A slice ends before its second number", "// 2 + 1]", "// 2]"),
    ("the square of a sum", "pow(2).sum(dim=1)", "sum(dim=1).pow(2)"),
    ("one value by hand", "alpha / size * ", ""),
    ("in-place", "torch.empty_like(x)", "x"),
    ("window that hangs over", "return out", "return out[:, size // 2 : -(size // 2)]"),
    ("there may be fewer channels", "out =", "if size > x.shape[1]:\n    raise ValueError\nout ="),
)  # fmt: skip


# --- AlexNet --------------------------------------------------------------------------------

AlexNetBank = Bank("AlexNet")


class Linear(nn.Linear):
    """nn.Linear without drawing its weights: the check lays its own in, and time is short."""

    def reset_parameters(self):
        nn.init.zeros_(self.bias)


ALEXNET = Text(
    """
class AlexNet(nn.Module):
    def __init__(self, num_classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2)
        self.norm = nn.LocalResponseNorm(5, k=2.0)
        self.drop = nn.Dropout(0.5)
        self.fc6 = Linear(256 * 6 * 6, 4096)
        self.fc7 = Linear(4096, 4096)
        self.fc8 = Linear(4096, num_classes)

    def forward(self, x):
        x = self.norm(self.pool(F.relu(self.conv1(x))))
        x = self.norm(self.pool(F.relu(self.conv2(x))))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = self.pool(F.relu(self.conv5(x)))
        x = torch.flatten(x, 1)
        x = self.drop(F.relu(self.fc6(x)))
        x = self.drop(F.relu(self.fc7(x)))
        return self.fc8(x)
""",
    Linear=Linear,
    by_unfolding=by_unfolding,
)
BLOCK1, BLOCK2 = (f"self.norm(self.pool(F.relu(self.conv{i}(x))))" for i in (1, 2))
FC6, FC7 = (f"self.drop(F.relu(self.fc{i}(x)))" for i in (6, 7))
POOL3, FLATTEN = "self.pool(F.relu(self.conv5(x)))", "torch.flatten(x, 1)"
AlexNetBank.blank(ALEXNET(f"x = {BLOCK1}", "raise NotImplementedError"))
mutants(
    AlexNetBank, ALEXNET,
    ("the number of parameters does not miss it", BLOCK2, "self.pool(F.relu(self.conv2(x)))"),
    ("three years younger", "norm = nn.LocalResponseNorm(5, k=2.0)", "bn1 = nn.BatchNorm2d(96)",
     BLOCK1, "self.bn1(self.pool(F.relu(self.conv1(x))))", BLOCK2, "self.pool(self.conv2(x))"),
    ("and FC6 and FC7: without it", FC6, "self.drop(self.fc6(x))"),
    ("alexnet's pools overlap", "MaxPool2d(3, 2)", "MaxPool2d(2, 2)"),
    ("follows CONV1, CONV2 and CONV5", POOL3, "F.relu(self.conv5(x))", "6 * 6", "13 * 13"),
    ("only CONV1 takes larger steps",
     "stride=4", "stride=2", FLATTEN, "torch.flatten(F.adaptive_max_pool2d(x, 6), 1)"),
    ("five convolutions and three linear layers.", "nn.Dropout(0.5)",
     "nn.Dropout(0.5)\nself.fc9 = Linear(num_classes, num_classes)",
     "return self.fc8(x)", "return self.fc9(F.relu(self.fc8(x)))"),
    ("three pools only", "self.conv4(x)", "self.conv4(F.max_pool2d(x, 3, stride=1, padding=1))"),
    ("64 and 192 are the widths of torchvision's",
     "96", "64", "64, 256", "64, 192", "(256, 384", "(192, 384"),
    ("every filter sees all channels", "padding=2", "padding=2, groups=2"),
    ("CONV2 has 2", ", padding=2", "", "6 * 6", "4 * 4"),
    ("5×5 in CONV2", "5, padding=2", "3, padding=1"),
    ("must be 256 × 6 × 6", "6 * 6", "5 * 5"),
    ("FC6 and FC7 have 4096 neurons",
     "(4096, 4096)", "(4096, 1024)", "(4096, num_classes)", "(1024, num_classes)"),
    ("is missing, or is never called", "x = F.relu(self.conv4(x))", ""),
    ("before or after each of them", "nn.Dropout(0.5)", "nn.Identity()"),
    ("two dropouts", FC7, "F.relu(self.fc7(x))"),
    ("half of the entries become zero", "Dropout(0.5)", "Dropout(0.8)"),
    ("the class scores and the convolutions stay", "self.fc8(x)", "self.drop(self.fc8(x))"),
    ("FC8 gives that many scores", "(4096, num_classes)", "(4096, 1000)"),
)  # fmt: skip
for changes in (
    (),
    # the paper's order
    (BLOCK1, "self.pool(self.norm(self.conv1(x).relu()))",
     BLOCK2, "self.pool(self.norm(self.conv2(x).relu()))"),
    # linear layers as convolutions
    ("Linear(256 * 6 * 6, 4096)", "nn.Conv2d(256, 4096, 6)", "Linear(4096, 4096)",
     "nn.Conv2d(4096, 4096, 1)", "Linear(4096, num_classes)", "nn.Conv2d(4096, num_classes, 1)",
     FLATTEN, "x", "self.fc8(x)", "self.fc8(x).flatten(1)"),
    ("self.norm(", "by_unfolding("),
    # dropout before FC6 and after FC7; what changes nothing at 227 pixels
    (FC6, "F.relu(self.fc6(x))", FLATTEN, "self.drop(F.adaptive_avg_pool2d(x, 6).flatten(1))"),
    # flattened in another order; layers written out
    (FLATTEN, "x.permute(0, 2, 3, 1).reshape(len(x), -1)",
     FC6, "self.drop(self.fc6(x).clamp(min=0))",
     FC7, "self.drop(torch.maximum(self.fc7(x), torch.zeros(())))",
     "self.fc8(x)", "x @ self.fc8.weight.T + self.fc8.bias"),
):  # fmt: skip
    AlexNetBank.right(ALEXNET(*changes))


@AlexNetBank.right
def by_a_function(num_classes=1000):
    def conv(c_in, c_out, k, **kwargs):
        return [nn.Conv2d(c_in, c_out, k, **kwargs), nn.ReLU(inplace=True)]

    def pool():
        return nn.MaxPool2d(kernel_size=3, stride=2)

    return nn.Sequential(
        *conv(3, 96, 11, stride=4), pool(), nn.LocalResponseNorm(5),
        *conv(96, 256, 5, padding=2), pool(), nn.LocalResponseNorm(5),
        *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1),
        *conv(384, 256, 3, padding=1), pool(),
        nn.Flatten(),
        nn.Dropout(), Linear(9216, 4096), nn.ReLU(inplace=True),
        nn.Dropout(), Linear(4096, 4096), nn.ReLU(inplace=True),
        Linear(4096, num_classes),
    )  # fmt: skip
