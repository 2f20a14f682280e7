"""Notebook 06: answers to AlexNet and local_response_norm, as students write them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

local_response_norm = Bank("local_response_norm")


def mean_of_squares(x, size):
    """The sum of squares over size channels, divided by size, as torch computes it."""
    squares = F.pad(x.square(), (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return squares.unfold(1, size, 1).mean(-1)


@local_response_norm.blank
def local_response_norm_stub(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    raise NotImplementedError("write local_response_norm")


@local_response_norm.wrong("divides alpha by the size")
def alpha_as_in_the_paper(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + alpha * size * mean_of_squares(x, size)) ** beta


@local_response_norm.wrong("use the arguments")
def ignores_the_arguments(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (2 + 1e-4 * mean_of_squares(x, 5)) ** 0.75


@local_response_norm.wrong("not over neighbouring pixels")
def over_pixels(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    left, right = size // 2, (size - 1) // 2
    squares = F.avg_pool2d(F.pad(x**2, (left, right, left, right)), size, stride=1)
    return x / (k + alpha * squares) ** beta


@local_response_norm.wrong("the window is local")
def over_all_channels(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + alpha / size * (x**2).sum(1, keepdim=True)) ** beta


@local_response_norm.wrong("the square is missing")
def without_squares(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    padded = F.pad(x, (0, 0, 0, 0, size // 2, (size - 1) // 2))
    return x / (k + alpha * padded.unfold(1, size, 1).mean(-1)) ** beta


@local_response_norm.wrong("neighbouring channels is missing")
def without_neighbours(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + alpha / size * x**2) ** beta


@local_response_norm.wrong("not 1 here")
def k_is_always_one(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return F.local_response_norm(x, size, alpha, beta)


@local_response_norm.wrong("constant k is missing")
def without_k(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (alpha * mean_of_squares(x, size)) ** beta


@local_response_norm.wrong("whole bracket")
def power_of_the_sum_alone(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + (alpha * mean_of_squares(x, size)) ** beta)


@local_response_norm.wrong("do not multiply")
def multiplies(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x * (k + alpha * mean_of_squares(x, size)) ** beta


@local_response_norm.wrong("power beta is missing")
def without_the_power(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / (k + alpha * mean_of_squares(x, size))


@local_response_norm.wrong("square root")
def with_a_square_root(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return x / torch.sqrt(k + alpha * mean_of_squares(x, size))


@local_response_norm.wrong("that is the factor")
def gives_the_factor(x, size=5, alpha=1e-4, beta=0.75, k=2.0):
    return (k + alpha * mean_of_squares(x, size)) ** -beta


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


AlexNetBank = Bank("AlexNet")


class Linear(nn.Linear):
    """nn.Linear without drawing its weights: the check lays its own in, and time is short."""

    def reset_parameters(self):
        nn.init.zeros_(self.bias)


class Base(nn.Module):
    """The lecture's network; the answers below change a part of it."""

    widths = (96, 256, 384, 384, 256)

    def __init__(self, num_classes=1000):
        super().__init__()
        a, b, c, d, e = self.widths
        self.conv1 = self.make_conv(3, a, 11, stride=4)
        self.conv2 = self.make_conv(a, b, 5, padding=2)
        self.conv3 = self.make_conv(b, c, 3, padding=1)
        self.conv4 = self.make_conv(c, d, 3, padding=1)
        self.conv5 = self.make_conv(d, e, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 2)
        self.norm = nn.LocalResponseNorm(5, k=2.0)
        self.drop = nn.Dropout(0.5)
        self.fc6 = Linear(e * 6 * 6, 4096)
        self.fc7 = Linear(4096, 4096)
        self.fc8 = Linear(4096, num_classes)

    make_conv = nn.Conv2d

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


@AlexNetBank.wrong("NORM1 and NORM2")
class NoNormalisation(Base):
    norm = None

    def block1(self, x):
        return self.pool(F.relu(self.conv1(x)))

    def block2(self, x):
        return self.pool(F.relu(self.conv2(x)))


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


@AlexNetBank.wrong("normalised is what comes out of it")
class NormalisesBeforeReLU(Base):
    def block1(self, x):
        return self.pool(F.relu(self.norm(self.conv1(x))))

    def block2(self, x):
        return self.pool(F.relu(self.norm(self.conv2(x))))


@AlexNetBank.wrong("three years younger")
class BatchNormalisation(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.bn1, self.bn2 = nn.BatchNorm2d(96), nn.BatchNorm2d(256)

    def block1(self, x):
        return self.bn1(self.pool(F.relu(self.conv1(x))))

    def block2(self, x):
        return self.bn2(self.pool(F.relu(self.conv2(x))))


@AlexNetBank.wrong("and FC6 and FC7: without it")
class NoReLUInTheHead(Base):
    def head(self, x):
        return self.fc8(self.drop(self.fc7(self.drop(self.fc6(x)))))


@AlexNetBank.wrong("cross_entropy applies softmax itself")
class SoftmaxAtTheEnd(Base):
    def head(self, x):
        return super().head(x).softmax(dim=1)


@AlexNetBank.wrong("alexnet's pools overlap")
class PoolsWithoutOverlap(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.pool = nn.MaxPool2d(2, 2)


@AlexNetBank.wrong("three pools only")
class OnePoolMore(Base):
    def block3(self, x):
        x = F.relu(self.conv3(x))
        x = F.max_pool2d(x, 3, stride=1, padding=1)
        x = F.relu(self.conv4(x))
        return self.pool(F.relu(self.conv5(x)))


@AlexNetBank.wrong("the largest value of each window")
class AveragePools(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.pool = nn.AvgPool2d(3, 2)


@AlexNetBank.wrong("64 and 192 are the widths of torchvision's")
class WidthsOfTorchvision(Base):
    widths = (64, 192, 384, 256, 256)


@AlexNetBank.wrong("every filter sees all channels")
class TwoTowers(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)


@AlexNetBank.wrong("CONV2 has 2")
class WithoutPadding(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.conv2 = nn.Conv2d(96, 256, 5)
        self.fc6 = Linear(256 * 4 * 4, 4096)


@AlexNetBank.wrong("5×5 in CONV2")
class SmallFilters(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.conv2 = nn.Conv2d(96, 256, 3, padding=1)


@AlexNetBank.wrong("must be 256 × 6 × 6")
class WrongFlattenSize(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.fc6 = Linear(256 * 5 * 5, 4096)


@AlexNetBank.wrong("FC6 and FC7 have 4096 neurons")
class NarrowHead(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.fc7 = Linear(4096, 1024)
        self.fc8 = Linear(1024, num_classes)


@AlexNetBank.wrong("is missing, or is never called")
class OneConvolutionLess(Base):
    def block3(self, x):
        x = F.relu(self.conv3(x))
        return self.pool(F.relu(self.conv5(x)))


@AlexNetBank.wrong("PyTorch's default")
class WithoutBias(Base):
    def make_conv(self, *args, **kwargs):
        return nn.Conv2d(*args, bias=False, **kwargs)


@AlexNetBank.wrong("needs a layer of its own")
class SharedHead(Base):
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.fc7.bias = self.fc6.bias


@AlexNetBank.wrong("the first dimension is the batch")
class FlattensTheBatch(Base):
    def forward(self, x):
        return self.head(torch.flatten(self.block3(self.block2(self.block1(x)))))


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
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.drop = nn.Dropout(0.8)


@AlexNetBank.wrong("the class scores and the convolutions stay")
class DropsClassScores(Base):
    def head(self, x):
        return self.drop(super().head(x))


@AlexNetBank.wrong("training=self.training")
class DropsInEvaluationToo(Base):
    def head(self, x):
        x = F.dropout(F.relu(self.fc6(x)))
        x = F.dropout(F.relu(self.fc7(x)))
        return self.fc8(x)


@AlexNetBank.wrong("FC8 gives that many scores")
class AlwaysThousandClasses(Base):
    def __init__(self, num_classes=1000):
        super().__init__()


@AlexNetBank.wrong("super().__init__()")
class WithoutSuper(nn.Module):
    def __init__(self, num_classes=1000):
        self.conv1 = nn.Conv2d(3, 96, 11, 4)


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
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.fc8 = nn.Conv2d(4096, num_classes, 1)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.fc6 = nn.Conv2d(256, 4096, 6)

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
    def __init__(self, num_classes=1000):
        super().__init__(num_classes)
        self.shrink = nn.AdaptiveAvgPool2d(6)  # changes nothing at 227 pixels

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
