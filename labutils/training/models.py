"""The networks of the reference runs, written plainly and independently of the notebooks' own."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The lecture's configurations A and D (Simonyan and Zisserman, "Very Deep Convolutional Networks
# for Large-Scale Image Recognition", ICLR 2015, Table 1): channels of 3x3 convolutions, "M" a pool.
CONFIG_A = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")
CONFIG_D = (
    64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M",
)  # fmt: skip


def mlp() -> nn.Sequential:
    """Notebook 02's network: ``[N, 1, 28, 28]`` to logits ``[N, 10]``, 784-512-10 with ReLU."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 10))


def cnn() -> nn.Sequential:
    """The lecture's exercise 1 without its softmax: ``[N, 3, 32, 32]`` to logits ``[N, 10]``."""
    return nn.Sequential(
        nn.Conv2d(3, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8, 10),
    )


def cnn_softmax() -> nn.Sequential:
    """The lecture's exercise 1 as printed: a softmax at the end, and the loss takes another."""
    return nn.Sequential(*cnn(), nn.Softmax(dim=1))


def vgg_features(config) -> nn.Sequential:
    """The convolutional part of a VGG: ``[N, 3, H, W]`` to ``[N, C, H / 2^pools, W / 2^pools]``."""
    layers, channels = [], 3
    for width in config:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def vgg11(num_classes: int = 10) -> nn.Sequential:
    """Exercise 2: configuration A and one linear layer, with PyTorch's default weights."""
    return nn.Sequential(*vgg_features(CONFIG_A), nn.Flatten(), nn.Linear(512, num_classes))


def vgg16(num_classes: int = 10) -> nn.Sequential:
    """Exercise 2-2: configuration D, three linear layers, dropout 0.5; default weights."""
    head = [nn.Flatten()]
    for inputs in (512, 4096):
        head += [nn.Linear(inputs, 4096), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*vgg_features(CONFIG_D), *head, nn.Linear(4096, num_classes))


def small_alexnet(num_classes: int = 10) -> nn.Sequential:
    """Notebook 06's AlexNet for ``[N, 3, 32, 32]``: its form, fewer channels, filters of 7x7."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 7, stride=2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.LocalResponseNorm(5, k=2.0),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.LocalResponseNorm(5, k=2.0),
        nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(),
        nn.Conv2d(96, 96, 3, padding=1), nn.ReLU(),
        nn.Conv2d(96, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, num_classes),
    )  # fmt: skip


class Inception(nn.Module):
    """GoogLeNet's module: ``[N, in_channels, H, W]`` to ``[N, c1 + c3 + c5 + pool, H, W]``.

    Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, Figure 2b.

    Args:
        widths: ``(c1, r3, c3, r5, c5, pool)``; r3 and r5 are the reductions before 3x3 and 5x5.
    """

    def __init__(self, in_channels: int, widths: tuple[int, ...]):
        super().__init__()
        c1, r3, c3, r5, c5, pool = widths
        self.one = nn.Sequential(nn.Conv2d(in_channels, c1, 1), nn.ReLU())
        self.three = nn.Sequential(
            *(nn.Conv2d(in_channels, r3, 1), nn.ReLU()),
            *(nn.Conv2d(r3, c3, 3, padding=1), nn.ReLU()),
        )
        self.five = nn.Sequential(
            *(nn.Conv2d(in_channels, r5, 1), nn.ReLU()),
            *(nn.Conv2d(r5, c5, 5, padding=2), nn.ReLU()),
        )
        self.pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(in_channels, pool, 1), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


# Notebook 07's network for 32x32: a number is a 3x3 convolution, "M" a 2x2 pool, a tuple the widths
# of an Inception module.
MINI_GOOGLENET = (
    32, "M", 64, "M",
    (64, 48, 96, 8, 24, 24), (80, 64, 128, 16, 32, 32), (96, 64, 144, 16, 32, 32), "M",
    (128, 96, 192, 24, 64, 64), (128, 96, 192, 24, 64, 64),
)  # fmt: skip


class MiniGoogLeNet(nn.Module):
    """``[N, 3, 32, 32]`` to logits ``[N, num_classes]``, with PyTorch's default weights.

    With ``heads`` there are two auxiliary classifiers, after the first and the third module; in
    training mode the output is then a tuple: the logits, and those of both heads.
    """

    def __init__(self, num_classes: int = 10, heads: bool = False):
        super().__init__()
        parts, channels, heads_for = [], 3, []
        for width in MINI_GOOGLENET:
            if width == "M":
                parts.append(nn.MaxPool2d(2))
            elif isinstance(width, int):
                parts.append(
                    nn.Sequential(nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU())
                )
                channels = width
            else:
                c1, _, c3, _, c5, pool = width
                parts.append(Inception(channels, width))
                channels = c1 + c3 + c5 + pool
                heads_for.append((len(parts) - 1, channels))
        self.parts = nn.ModuleList(parts)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes)
        )
        places = [heads_for[0], heads_for[2]] if heads else []
        self.heads = nn.ModuleDict({str(i): _head(width, num_classes) for i, width in places})

    def forward(self, images: Tensor):
        x, auxiliary = images, []
        for i, part in enumerate(self.parts):
            x = part(x)
            if self.training and str(i) in self.heads:
                auxiliary.append(self.heads[str(i)](x))
        logits = self.classifier(x)
        return (logits, *auxiliary) if auxiliary else logits


def _head(in_channels: int, num_classes: int) -> nn.Sequential:
    """An auxiliary classifier on maps of 8x8, as GoogLeNet's on 14x14."""
    return nn.Sequential(
        *(nn.AvgPool2d(5, stride=3), nn.Conv2d(in_channels, 64, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(64 * 2 * 2, 128), nn.ReLU(), nn.Dropout(0.7), nn.Linear(128, num_classes)),
    )


# Notebook 08's network worth waiting for: channels of the first convolution and of three stages.
LAPTOP_WIDTHS, WIDE_WIDTHS = (32, 32, 96, 192), (64, 128, 256, 512)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, and what came in added to what they give, before the last ReLU.

    ``[N, in_channels, H, W]`` to ``[N, channels, H / stride, W / stride]``, as He et al., "Deep
    Residual Learning for Image Recognition", CVPR 2016, Figure 2. Where these shapes differ, what
    came in loses pixels and gains channels of zeros (option A there), without a parameter.

    Args:
        shortcut: without it this is the same block of a plain network.
        batch_norm: without it the convolutions have biases.
    """

    def __init__(self, in_channels, channels, stride=1, shortcut=True, batch_norm=True):
        super().__init__()
        self.body = nn.Sequential(
            *convolution(in_channels, channels, stride, batch_norm=batch_norm),
            nn.ReLU(),
            *convolution(channels, channels, batch_norm=batch_norm),
        )
        self.stride, self.new_channels, self.has_shortcut = stride, channels - in_channels, shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        if self.has_shortcut:
            kept = x[:, :, :: self.stride, :: self.stride]
            y = y + F.pad(kept, (0, 0, 0, 0, 0, self.new_channels))
        return F.relu(y)


def convolution(in_channels, channels, stride=1, batch_norm=True) -> list[nn.Module]:
    """Return a 3x3 convolution with its BatchNorm, whose bias takes the place of its own."""
    conv = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=not batch_norm)
    return [conv, nn.BatchNorm2d(channels)] if batch_norm else [conv]


def cifar_resnet(
    depth: int, shortcuts: bool = True, batch_norm: bool = True, num_classes: int = 10
) -> nn.Sequential:
    """He et al.'s network for CIFAR-10: ``[N, 3, H, W]`` to logits ``[N, num_classes]``.

    It has ``depth`` = 6n + 2 layers with weights: one convolution, three stages of n blocks with
    16, 32 and 64 channels, and a linear layer. ``shortcuts=False`` is its plain twin.

    Raises:
        ValueError: no n gives this depth.
    """
    num_blocks, rest = divmod(depth - 2, 6)
    if rest or num_blocks < 1:
        raise ValueError(f"depth must be 6n + 2 (8, 14, 20, ...), got {depth}")
    layers, channels = [*convolution(3, 16, batch_norm=batch_norm), nn.ReLU()], 16
    for width in (16, 32, 64):
        for _ in range(num_blocks):
            stride = width // channels  # 2 where a stage begins with twice the channels
            layers.append(ResidualBlock(channels, width, stride, shortcuts, batch_norm))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


class Mirrored(nn.Sequential):
    """Layers that in eval mode answer with the mean for an image and for its mirror image."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits if self.training else (logits + super().forward(images.flip(3))) / 2


def laptop_resnet(
    widths=LAPTOP_WIDTHS, shortcuts=True, batch_norm=True, mirrored=True, num_classes: int = 10
) -> nn.Sequential:
    """A residual network for minutes on a CPU: ``[N, 3, 32, 32]`` to logits ``[N, num_classes]``.

    A convolution, then three stages: a convolution, a pool that halves height and width, and a
    residual block. It is shallow, and wide only where the images are small and a channel costs
    little; after the network of Page, "How to Train Your ResNet", 2018.

    Args:
        widths: the channels of the first convolution and of the stages.
        mirrored: answer in eval mode as :class:`Mirrored`, which doubles the time of an answer.
    """
    first, *stages = widths
    layers, channels = [*convolution(3, first, batch_norm=batch_norm), nn.ReLU()], first
    for width in stages:
        conv, *norm = convolution(channels, width, batch_norm=batch_norm)
        layers += [conv, nn.MaxPool2d(2), *norm, nn.ReLU()]  # the pool first: less to normalise
        layers.append(ResidualBlock(width, width, 1, shortcuts, batch_norm))
        channels = width
    network = Mirrored if mirrored else nn.Sequential
    return network(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, num_classes))


@torch.no_grad()
def kaiming_init(model: nn.Module) -> nn.Module:
    """Draw weights so that activations keep their scale through ReLU layers; biases become 0.

    A weight's variance is 2 / fan_in (He et al., "Delving Deep into Rectifiers", ICCV 2015).
    Returns the model, changed in place.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


def _small_alexnet() -> nn.Sequential:
    model = kaiming_init(small_alexnet())
    nn.init.normal_(model[0].weight, std=0.01)  # AlexNet's own: little noise to be seen in filters
    return model


# As the reference runs begin: with PyTorch's default weights VGG does not learn (notebook 04).
MODELS = {
    "mlp": mlp,
    "cnn": cnn,
    "cnn_softmax": cnn_softmax,
    "vgg11": lambda: kaiming_init(vgg11()),
    "vgg16": lambda: kaiming_init(vgg16()),
    "small_alexnet": _small_alexnet,
    "googlenet": lambda: kaiming_init(MiniGoogLeNet()),
    "googlenet_heads": lambda: kaiming_init(MiniGoogLeNet(heads=True)),
    "laptop_resnet": lambda: kaiming_init(laptop_resnet()),
    "wide_resnet": lambda: kaiming_init(laptop_resnet(WIDE_WIDTHS)),
}
# Notebook 08's race; "_half" sees images of half the height and width, which a CPU has time for.
RACE = {
    "plain20": partial(cifar_resnet, 20, shortcuts=False),
    "residual20": partial(cifar_resnet, 20),
    "plain56": partial(cifar_resnet, 56, shortcuts=False),
    "residual56": partial(cifar_resnet, 56),
}
for _name, _make in RACE.items():
    MODELS[_name] = lambda make=_make: kaiming_init(make())
    MODELS[f"{_name}_half"] = lambda make=_make: nn.Sequential(
        nn.AvgPool2d(2), *kaiming_init(make())
    )


def loss_with_heads(outputs, labels: Tensor, weight: float = 0.3) -> Tensor:
    """Cross-entropy of the logits; of a tuple, the first's plus ``weight`` times each other's."""
    if isinstance(outputs, Tensor):
        return F.cross_entropy(outputs, labels)
    main, *others = (F.cross_entropy(logits, labels) for logits in outputs)
    return main + weight * sum(others)


# What a model is trained by, where it is not the cross-entropy.
LOSSES = {"googlenet_heads": loss_with_heads}
