"""Answers to the exercises of notebook 06, as students write them."""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

# --- conv_output_size -----------------------------------------------------------------------

conv_output_size = Bank("conv_output_size")


def demand_room(size, kernel_size, padding):
    if kernel_size > size + 2 * padding:
        raise ValueError("the filter does not fit")


@conv_output_size.blank
def conv_output_size_stub(size, kernel_size, stride=1, padding=0):
    raise NotImplementedError("write conv_output_size")


@conv_output_size.wrong("+ 1 is missing")
def counts_the_steps(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    place, steps = kernel_size + stride, 0
    while place <= size + 2 * padding:
        place, steps = place + stride, steps + 1
    return steps


@conv_output_size.wrong("padding does not enter")
def counts_inside_the_picture(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return len(range(0, size - kernel_size + 1, stride))


@conv_output_size.wrong("counted once")
def pads_on_the_right_only(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    row = F.pad(torch.zeros(size), (0, padding))
    return len(row.unfold(0, kernel_size, stride))


@conv_output_size.wrong("stride does not enter")
def takes_every_place(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return F.conv1d(
        torch.zeros(1, 1, size), torch.zeros(1, 1, kernel_size), padding=padding
    ).numel()


@conv_output_size.wrong("this filter fits")
def knows_no_padding(size, kernel_size, stride=1, padding=0):
    if padding:
        raise ValueError("not supported")
    return (size - kernel_size) // stride + 1


@conv_output_size.wrong("slide the filter by hand")
def gives_the_area(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return ((size - kernel_size + 2 * padding) // stride + 1) ** 2


@conv_output_size.wrong("it is no error")
def refuses_a_remainder(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    steps, rest = divmod(size - kernel_size + 2 * padding, stride)
    if rest:
        raise ValueError("the stride does not fit")
    return steps + 1


@conv_output_size.wrong("to the nearest whole number")
def rounds_to_the_nearest(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return round((size - kernel_size + 2 * padding) / stride) + 1


@conv_output_size.wrong('"same" padding')
def as_in_keras(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return -(-size // stride)


@conv_output_size.wrong("fits: at one place")
def refuses_an_exact_fit(size, kernel_size, stride=1, padding=0):
    if kernel_size >= size + 2 * padding:
        raise ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("padded picture: padding on both sides makes room")
def compares_with_the_bare_picture(size, kernel_size, stride=1, padding=0):
    if kernel_size > size:
        raise ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("fits nowhere")
def raises_nothing(size, kernel_size, stride=1, padding=0):
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("before you divide")
def looks_at_the_rounded_result(size, kernel_size, stride=1, padding=0):
    result = int((size - kernel_size + 2 * padding) / stride) + 1
    if result <= 0:
        raise ValueError("the filter does not fit")
    return result


@conv_output_size.wrong("raised, not returned")
def returns_the_error(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        return ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("has to be a ValueError")
def raises_another_error(size, kernel_size, stride=1, padding=0):
    assert kernel_size <= size + 2 * padding, "the filter does not fit"
    return (size - kernel_size + 2 * padding) // stride + 1


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
def by_counting(n, k, stride=1, padding=0):
    places = len(range(-padding, n + padding - k + 1, stride))
    if places == 0:
        raise ValueError("no place for the filter")
    return places


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


# --- alexnet_shapes -------------------------------------------------------------------------

alexnet_shapes = Bank("alexnet_shapes")


def the_rows():
    return [
        ("INPUT", (3, 227, 227)),
        ("CONV1", (96, 55, 55)),
        ("POOL1", (96, 27, 27)),
        ("NORM1", (96, 27, 27)),
        ("CONV2", (256, 27, 27)),
        ("POOL2", (256, 13, 13)),
        ("NORM2", (256, 13, 13)),
        ("CONV3", (384, 13, 13)),
        ("CONV4", (384, 13, 13)),
        ("CONV5", (256, 13, 13)),
        ("POOL3", (256, 6, 6)),
        ("FC6", (4096,)),
        ("FC7", (4096,)),
        ("FC8", (1000,)),
    ]


def with_rows(**shapes):
    """The table with some rows replaced."""
    return [(name, shapes.get(name, shape)) for name, shape in the_rows()]


@alexnet_shapes.blank
def alexnet_shapes_stub():
    raise NotImplementedError("fill in the table")


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
    "as many as the layer has filters": dict(CONV2=(96, 27, 27)),
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


@alexnet_shapes.wrong("channels first")
def channels_last():
    return [(name, (*shape[1:], shape[0])) for name, shape in the_rows()]


@alexnet_shapes.wrong("batch dimension")
def with_a_batch():
    return [(name, (1, *shape)) for name, shape in the_rows()]


@alexnet_shapes.wrong("row of its own, though it changes no shape")
def leaves_out_the_normalisation():
    return [row for row in the_rows() if not row[0].startswith("NORM")]


@alexnet_shapes.wrong("pool comes before the normalisation")
def normalises_before_pooling():
    rows = the_rows()
    rows[2], rows[3] = ("NORM1", (96, 55, 55)), rows[2]
    return rows


@alexnet_shapes.wrong("the picture itself")
def begins_with_conv1():
    return the_rows()[1:]


@alexnet_shapes.wrong("three linear layers")
def ends_with_fc7():
    rows = the_rows()
    del rows[-1]
    return rows


@alexnet_shapes.wrong("follows CONV1, CONV2 and CONV5")
def forgets_the_last_pool():
    return [row for row in the_rows() if row[0] != "POOL3"]


@alexnet_shapes.wrong("not as text")
def shapes_as_text():
    return [(name, "x".join(map(str, shape))) for name, shape in the_rows()]


@alexnet_shapes.wrong("list of pairs")
def gives_a_dict():
    return dict(the_rows())


@alexnet_shapes.wrong("have no rows in the table")
def adds_the_softmax():
    return [*the_rows(), ("SOFTMAX", (1000,))]


@alexnet_shapes.wrong("named as in the lecture")
def names_of_its_own():
    return [(name.replace("CONV", "convolution "), shape) for name, shape in the_rows()]


@alexnet_shapes.wrong("`return`")
def prints_the_table():
    print(the_rows())


@alexnet_shapes.right
def written_out():
    return the_rows()


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


# --- AlexNet --------------------------------------------------------------------------------

AlexNetBank = Bank("AlexNet")


class Linear(nn.Linear):
    """nn.Linear without drawing its weights: the check lays its own in, and time is short."""

    def reset_parameters(self):
        nn.init.zeros_(self.bias)


class Base(nn.Module):
    """The lecture's network; the answers below change a part of it."""

    layers = {
        "conv1": lambda n: nn.Conv2d(3, 96, 11, stride=4),
        "conv2": lambda n: nn.Conv2d(96, 256, 5, padding=2),
        "conv3": lambda n: nn.Conv2d(256, 384, 3, padding=1),
        "conv4": lambda n: nn.Conv2d(384, 384, 3, padding=1),
        "conv5": lambda n: nn.Conv2d(384, 256, 3, padding=1),
        "pool": lambda n: nn.MaxPool2d(3, 2),
        "norm": lambda n: nn.LocalResponseNorm(5, k=2.0),
        "drop": lambda n: nn.Dropout(0.5),
        "fc6": lambda n: Linear(256 * 6 * 6, 4096),
        "fc7": lambda n: Linear(4096, 4096),
        "fc8": lambda n: Linear(4096, n),
    }
    other = {}

    def __init__(self, num_classes=1000):
        super().__init__()
        for name, make in (self.layers | self.other).items():
            setattr(self, name, make(num_classes))

    def block1(self, x):
        return self.norm(self.pool(F.relu(self.conv1(x))))

    def block2(self, x):
        return self.norm(self.pool(F.relu(self.conv2(x))))

    def block3(self, x):
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        return self.pool(F.relu(self.conv5(x)))

    def head(self, x):
        x = self.drop(F.relu(self.fc6(x)))
        x = self.drop(F.relu(self.fc7(x)))
        return self.fc8(x)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(x)))
        return self.head(torch.flatten(x, 1))


@AlexNetBank.blank
class Stub(nn.Module):
    def __init__(self, num_classes=1000):
        super().__init__()
        raise NotImplementedError("define the layers")

    def forward(self, x):
        raise NotImplementedError("run the layers")


@AlexNetBank.blank
class BlankForward(Base):
    def forward(self, x):
        raise NotImplementedError("run the layers")


@AlexNetBank.wrong("the number of parameters does not miss it")
class OneNormalisation(Base):
    def block2(self, x):
        return self.pool(F.relu(self.conv2(x)))


@AlexNetBank.wrong("it is not the number of channels")
class NormalisationOverAllChannels(Base):
    def block1(self, x):
        return F.local_response_norm(self.pool(F.relu(self.conv1(x))), 96)

    def block2(self, x):
        return F.local_response_norm(self.pool(F.relu(self.conv2(x))), 256)


@AlexNetBank.wrong("three years younger")
class BatchNormalisation(Base):
    other = {"bn1": lambda n: nn.BatchNorm2d(96), "bn2": lambda n: nn.BatchNorm2d(256)}

    def block1(self, x):
        return self.bn1(self.pool(F.relu(self.conv1(x))))

    def block2(self, x):
        return self.bn2(self.pool(F.relu(self.conv2(x))))


@AlexNetBank.wrong("and FC6 and FC7: without it")
class NoReLUInTheHead(Base):
    def head(self, x):
        return self.fc8(self.drop(self.fc7(self.drop(self.fc6(x)))))


@AlexNetBank.wrong("alexnet's pools overlap")
class PoolsWithoutOverlap(Base):
    other = {"pool": lambda n: nn.MaxPool2d(2, 2)}


@AlexNetBank.wrong("follows CONV1, CONV2 and CONV5")
class LastPoolForgotten(Base):
    other = {"fc6": lambda n: Linear(256 * 13 * 13, 4096)}

    def block3(self, x):
        return F.relu(self.conv5(F.relu(self.conv4(F.relu(self.conv3(x))))))


@AlexNetBank.wrong("only CONV1 takes larger steps")
class SmallStepsAtFirst(Base):
    other = {
        "conv1": lambda n: nn.Conv2d(3, 96, 11, stride=2),
        "shrink": lambda n: nn.AdaptiveMaxPool2d(6),
    }

    def block3(self, x):
        return self.shrink(super().block3(x))


@AlexNetBank.wrong("five convolutions and three linear layers.")
class OneLinearLayerMore(Base):
    other = {"fc9": lambda n: Linear(n, n)}

    def head(self, x):
        return self.fc9(F.relu(super().head(x)))


@AlexNetBank.wrong("three pools only")
class OnePoolMore(Base):
    def block3(self, x):
        x = F.relu(self.conv3(x))
        x = F.max_pool2d(x, 3, stride=1, padding=1)
        x = F.relu(self.conv4(x))
        return self.pool(F.relu(self.conv5(x)))


@AlexNetBank.wrong("64 and 192 are the widths of torchvision's")
class WidthsOfTorchvision(Base):
    other = {
        "conv1": lambda n: nn.Conv2d(3, 64, 11, stride=4),
        "conv2": lambda n: nn.Conv2d(64, 192, 5, padding=2),
        "conv3": lambda n: nn.Conv2d(192, 384, 3, padding=1),
        "conv4": lambda n: nn.Conv2d(384, 256, 3, padding=1),
        "conv5": lambda n: nn.Conv2d(256, 256, 3, padding=1),
    }


@AlexNetBank.wrong("every filter sees all channels")
class TwoTowers(Base):
    other = {"conv2": lambda n: nn.Conv2d(96, 256, 5, padding=2, groups=2)}


@AlexNetBank.wrong("CONV2 has 2")
class WithoutPadding(Base):
    other = {
        "conv2": lambda n: nn.Conv2d(96, 256, 5),
        "fc6": lambda n: Linear(256 * 4 * 4, 4096),
    }


@AlexNetBank.wrong("5×5 in CONV2")
class SmallFilters(Base):
    other = {"conv2": lambda n: nn.Conv2d(96, 256, 3, padding=1)}


@AlexNetBank.wrong("must be 256 × 6 × 6")
class WrongFlattenSize(Base):
    other = {"fc6": lambda n: Linear(256 * 5 * 5, 4096)}


@AlexNetBank.wrong("FC6 and FC7 have 4096 neurons")
class NarrowHead(Base):
    other = {
        "fc7": lambda n: Linear(4096, 1024),
        "fc8": lambda n: Linear(1024, n),
    }


@AlexNetBank.wrong("is missing, or is never called")
class OneConvolutionLess(Base):
    def block3(self, x):
        x = F.relu(self.conv3(x))
        return self.pool(F.relu(self.conv5(x)))


@AlexNetBank.wrong("before or after each of them")
class NoDropout(Base):
    def head(self, x):
        return self.fc8(F.relu(self.fc7(F.relu(self.fc6(x)))))


@AlexNetBank.wrong("two dropouts")
class OneDropout(Base):
    def head(self, x):
        return self.fc8(F.relu(self.fc7(self.drop(F.relu(self.fc6(x))))))


@AlexNetBank.wrong("half of the entries become zero")
class DropoutTooStrong(Base):
    other = {"drop": lambda n: nn.Dropout(0.8)}


@AlexNetBank.wrong("the class scores and the convolutions stay")
class DropsClassScores(Base):
    def head(self, x):
        return self.drop(super().head(x))


@AlexNetBank.wrong("FC8 gives that many scores")
class AlwaysThousandClasses(Base):
    def __init__(self, num_classes=1000):
        super().__init__()


@AlexNetBank.right
class WithModules(Base):
    pass


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


@AlexNetBank.right
class InThePapersOrder(Base):
    def block1(self, x):
        return self.pool(self.norm(self.conv1(x).relu()))

    def block2(self, x):
        return self.pool(self.norm(self.conv2(x).relu()))


@AlexNetBank.right
class LinearLayersAsConvolutions(Base):
    other = {
        "fc8": lambda n: nn.Conv2d(4096, n, 1),
        "fc7": lambda n: nn.Conv2d(4096, 4096, 1),
        "fc6": lambda n: nn.Conv2d(256, 4096, 6),
    }

    def forward(self, x):
        x = self.block3(self.block2(self.block1(x)))
        return self.head(x).flatten(1)


@AlexNetBank.right
class WithAHandmadeNorm(Base):
    def block1(self, x):
        return by_unfolding(self.pool(F.relu(self.conv1(x))))

    def block2(self, x):
        return by_unfolding(self.pool(F.relu(self.conv2(x))))


@AlexNetBank.right
class DropsBeforeFC6AndAfterFC7(Base):
    other = {"shrink": lambda n: nn.AdaptiveAvgPool2d(6)}  # changes nothing at 227 pixels

    def block3(self, x):
        return self.drop(self.shrink(super().block3(x)))

    def head(self, x):
        x = F.relu(self.fc6(x))
        return self.fc8(self.drop(F.relu(self.fc7(x))))


@AlexNetBank.right
class FlattensInAnotherOrder(Base):
    def forward(self, images):
        maps = self.block3(self.block2(self.block1(images)))
        rows = maps.permute(0, 2, 3, 1).reshape(len(images), -1)
        hidden = self.drop(self.fc6(rows).clamp(min=0))
        hidden = self.drop(torch.maximum(self.fc7(hidden), torch.zeros(())))
        return hidden @ self.fc8.weight.T + self.fc8.bias


# --- local_response_norm --------------------------------------------------------------------

local_response_norm = Bank("local_response_norm")


def mean_of_squares(x, size):
    """The sum of squares over size channels, divided by size, as torch computes it."""
    squares = F.pad(x.square(), (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return squares.unfold(1, size, 1).mean(-1)


@local_response_norm.blank
def local_response_norm_stub(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    raise NotImplementedError("write local_response_norm")


@local_response_norm.wrong("not over neighbouring pixels")
def over_pixels(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    left, right = size // 2, (size - 1) // 2
    squares = F.avg_pool2d(F.pad(x**2, (left, right, left, right)), size, stride=1)
    return x / (k + alpha * squares) ** beta


@local_response_norm.wrong("not 1 here")
def k_is_always_one(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return F.local_response_norm(x, size, alpha, beta)


@local_response_norm.wrong("the window is cut off")
def mean_of_those_that_exist(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    half = size // 2
    channels = x.shape[1]
    means = [(x[:, max(0, c - half) : c + half + 1] ** 2).mean(1) for c in range(channels)]
    return x / (k + alpha * torch.stack(means, 1)) ** beta


@local_response_norm.wrong("width of the whole window")
def size_is_the_radius(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(x**2, (0, 0, 0, 0, size, size)).unfold(1, 2 * size + 1, 1)
    return x / (k + alpha / size * squares.sum(-1)) ** beta


@local_response_norm.wrong("centred on its channel")
def window_to_one_side(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(x**2, (0, 0, 0, 0, size - 1, 0)).unfold(1, size, 1)
    return x / (k + alpha * squares.mean(-1)) ** beta


@local_response_norm.wrong("even window")
def even_window_the_other_way(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = F.pad(x**2, (0, 0, 0, 0, (size - 1) // 2, size // 2)).unfold(1, size, 1)
    return x / (k + alpha * squares.mean(-1)) ** beta


@local_response_norm.wrong("in-place")
def works_in_place(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    x /= (k + alpha * mean_of_squares(x, size)) ** beta
    return x


@local_response_norm.wrong("window that hangs over")
def loses_the_first_and_last_channels(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    squares = (x**2).unfold(1, size, 1).mean(-1)
    inner = x[:, size // 2 : x.shape[1] - (size - 1) // 2]
    return inner / (k + alpha * squares) ** beta


@local_response_norm.wrong("there may be fewer channels")
def needs_a_whole_window(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    if x.shape[1] < size:
        raise ValueError("too few channels")
    return F.local_response_norm(x, size, alpha, beta, k)


@local_response_norm.wrong("one value by hand")
def forgets_alpha(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + mean_of_squares(x, size)) ** beta


@local_response_norm.right
def by_unfolding(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + alpha * mean_of_squares(x, size)) ** beta


@local_response_norm.right
def by_a_loop(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    result = torch.empty_like(x)
    for c in range(x.shape[1]):
        first, last = max(0, c - size // 2), min(x.shape[1], c + (size - 1) // 2 + 1)
        total = x[:, first:last].pow(2).sum(dim=1)
        result[:, c] = x[:, c] / (k + alpha / size * total) ** beta
    return result


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


@local_response_norm.right
def by_the_module(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return nn.LocalResponseNorm(size, alpha=alpha, beta=beta, k=k)(x)


@local_response_norm.right
def through_numpy(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    values = x.numpy()
    squares = np.pad(values**2, ((0, 0), (size // 2, (size - 1) // 2), (0, 0), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(squares, size, axis=1)
    result = values / (k + alpha * windows.mean(-1)) ** beta
    return torch.from_numpy(result).to(x.dtype)


@local_response_norm.wrong("the square of a sum")
def squares_the_sum(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        out[:, c] = x[:, c] / (k + alpha / size * window.sum(1) ** 2) ** beta
    return out


@local_response_norm.wrong("A slice ends before its second number")
def slice_one_channel_short(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        window = x[:, max(0, c - size // 2) : c + (size - 1) // 2]
        out[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(1)) ** beta
    return out
