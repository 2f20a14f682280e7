"""The networks of the reference runs, written plainly and independently of the notebooks' own."""

import torch
from torch import nn

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


@torch.no_grad()
def kaiming_init(model: nn.Module) -> nn.Module:
    """Draw weights so that activations keep their scale through ReLU layers; biases become 0.

    A weight's variance is 2 / fan_in (He et al., "Delving Deep into Rectifiers", ICCV 2015).
    Returns the model, changed in place.
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
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
}
