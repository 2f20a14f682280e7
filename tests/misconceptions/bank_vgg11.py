"""Answers to the exercises of notebook 04, as students write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank
from .mutants import Text, mutants

# --- receptive_field ------------------------------------------------------------------------

receptive_field = Bank("receptive_field")

FORWARDS = Text("""
def receptive_field(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides):
        side += (kernel_size - 1) * step
        step *= stride
    return side
""")
GROW, WIDEN = "side += (kernel_size - 1) * step", "step *= stride"


BACKWARDS = Text("""
def receptive_field(kernel_sizes, strides):
    side = 1
    for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides)):
        side = (side - 1) * stride + kernel_size
    return side
""")
EACH = "for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides))"
receptive_field.right(FORWARDS())
receptive_field.right(BACKWARDS())
mutants(
    receptive_field, FORWARDS,
    ("strides do not enter", WIDEN, "pass"),
    ("own stride is applied too early", f"{GROW}\n        {WIDEN}", f"{WIDEN}\n{GROW}"),
    ("strides pile up", WIDEN, "step = stride"),
    ("strides multiply", WIDEN, "step += stride"),
    ("the count starts at 1", "side, step = 1", "side, step = 0"),
    ("the window's first pixel is there already", "(kernel_size - 1)", "kernel_size"),
    ("stands inside the loop", "    return", "        return"),
    ("`return`", "return side", "print(side)"),
    ("side of the square", "return side", "return side**2"),
    ("keep two numbers", GROW, "side += kernel_size + stride - 2"),
    ("no layer at all", "1, 1", "kernel_sizes[0], strides[0]",
     "zip(kernel_sizes, strides)", "zip(kernel_sizes[1:], strides[1:])"),
)  # fmt: skip
mutants(
    receptive_field, BACKWARDS,
    ("a stride widens the layers after it", EACH, EACH.replace("reversed", "list")),
    ("in-place", EACH, "while strides",
     "stride + kernel_size", "strides.pop() + kernel_sizes.pop()"),
)  # fmt: skip


@receptive_field.right
def one_sum(kernel_sizes, strides):
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, k in enumerate(kernel_sizes))


@receptive_field.right
def with_numpy(kernel_sizes, strides):
    steps = np.cumprod([1, *strides])[:-1]
    return np.dot(np.array(kernel_sizes, dtype=int) - 1, steps) + 1


@receptive_field.right
def recursive(layers, strides):
    if not layers:
        return 1.0
    return (recursive(layers[1:], strides[1:]) - 1) * strides[0] + layers[0]


@receptive_field.right
def as_a_tensor(kernel_sizes, strides):
    side = torch.tensor(1)
    step = torch.tensor(1)
    for k, s in zip(kernel_sizes, strides, strict=True):
        side = side + (k - 1) * step
        step = step * s
    return side


# --- conv_parameters ------------------------------------------------------------------------

conv_parameters = Bank("conv_parameters")

BY_CASES = Text("""
def conv_parameters(in_channels, out_channels, kernel_size, bias=True):
    weights = out_channels * in_channels * kernel_size * kernel_size
    if bias:
        return weights + out_channels
    return weights
""")


mutants(
    conv_parameters, BY_CASES,
    ("biases are not counted", "if bias", "if not weights"),
    ("argument bias is not looked at", "if bias", "if weights"),
    ("wrong way round", "if bias", "if not bias"),
    ("a bias of its own", "weights + out_channels", "weights + 1"),
    ("one for each output channel", "weights + out_channels", "weights + in_channels"),
    ("the side is counted once", "kernel_size * kernel_size", "kernel_size"),
    ("its double", "kernel_size * kernel_size", "2 * kernel_size"),
    ("and their defaults", "bias=True", "bias"),
    ("count one filter first",
     "in_channels * kernel_size * kernel_size", "(in_channels * kernel_size) ** 2"),
)  # fmt: skip


@conv_parameters.wrong("how many tensors hold the parameters")
def counts_the_tensors(in_channels, out_channels, kernel_size, bias=True):
    return len(list(nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias).parameters()))


conv_parameters.right(BY_CASES())


@conv_parameters.right
def by_formula(in_channels, out_channels, kernel_size, bias=True):
    return out_channels * (in_channels * kernel_size**2 + bias)


@conv_parameters.right
def by_asking_pytorch(in_channels, out_channels, kernel_size, bias=True):
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias)
    return sum(p.numel() for p in layer.parameters())


@conv_parameters.right
def by_numpy(c, filters, k, bias=True, **unused):
    return np.prod([c, filters, k, k]) + np.where(bias, filters, 0)


@conv_parameters.right
def by_tensor_shapes(c, filters, k, bias=True):
    return torch.tensor(torch.empty(filters, c, k, k, device="meta").numel() + filters * bias)


# --- make_features --------------------------------------------------------------------------

features = Bank("make_features")


class Squeeze(nn.Module):
    def forward(self, x):
        return x.squeeze()


FEATURES = """
def make_features(config):
    layers, in_channels = [], 3
    for entry in config:
        if entry == "M":
            layers += [nn.MaxPool2d(2)]
        else:
            layers += [nn.Conv2d(in_channels, entry, 3, padding=1), nn.ReLU()]
            in_channels = entry
    return nn.Sequential(*layers)
"""
BY_THE_BOOK = Text(FEATURES, Squeeze=Squeeze)
CONV = "nn.Conv2d(in_channels, entry, 3, padding=1)"
RELU, POOL, RESULT = "nn.ReLU()", "nn.MaxPool2d(2)", "nn.Sequential(*layers)"
# A ReLU only where the number of channels changes, so not between two equal convolutions.
RELU_ONCE = f", {RELU}]", f"] + [{RELU}] * (in_channels != entry)"


features.right(BY_THE_BOOK())


@features.right
def like_torchvision(config):
    from torchvision.models.vgg import make_layers

    return make_layers(config)


@features.right
def appends_blocks(cfg, channels=3):
    net = nn.Sequential()
    for i, entry in enumerate(cfg):
        if isinstance(entry, str):
            net.add_module(f"pool{i}", nn.MaxPool2d(2))
            continue
        net.add_module(f"block{i}", nn.Sequential(nn.LazyConv2d(entry, 3, padding=1), nn.ReLU()))
    return net


@features.right
def pairs_of_neighbours(config):
    widths = [3] + [v for v in config if v != "M"]
    pairs = iter(zip(widths[:-1], widths[1:], strict=True))

    def layer(entry):
        if entry == "M":
            return nn.MaxPool2d((2, 2), (2, 2))
        i, o = next(pairs)
        return nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(i, o, (3, 3)), nn.Threshold(0.0, 0.0))

    return nn.Sequential(*map(layer, config))


class ReLUAndPool(nn.Module):
    def forward(self, x):
        return torch.relu(F.max_pool2d(x, 2))


@features.right
def relu_after_the_pool(config):
    """max and ReLU may change places."""
    layers, c = [], 3
    for entry, after in zip(config, [*config[1:], 0], strict=True):
        if entry == "M":
            layers.append(ReLUAndPool())
        else:
            layers.append(nn.Conv2d(c, entry, 3, 1, 1))
            c = entry
            if after != "M":
                layers.append(nn.ReLU())
    return nn.Sequential(*layers)


mutants(
    features, BY_THE_BOOK,
    ("single linear map", f", {RELU}", ""),
    ("every single convolution, not every block", *RELU_ONCE),
    ("VGG of 2014 has no batch norm", RELU, f"nn.BatchNorm2d(entry), {RELU}"),
    ("without overlap or padding", POOL, "nn.MaxPool2d(3, 2)"),
    ("rounded down", POOL, "nn.MaxPool2d(2, ceil_mode=True)"),
    ("pools are 2×2 with stride 2", POOL, "nn.MaxPool2d(2, stride=1)"),
    ("not the mean", POOL, "nn.AvgPool2d(2)"),
    ("loses two pixels a side", ", padding=1", ""),
    ("VGG's convolutions are all 3×3", "3, padding=1", "1"),
    ("come with a bias", "padding=1", "padding=1, bias=False"),
    ("3 at first, then the number before", "in_channels = entry", "pass"),
    ('An "M" leaves the channels', f"{POOL}]", f"{POOL}]; in_channels = 64"),
    ("nn.Sequential(*layers) makes one", RESULT, "layers"),
    ("into one nn.Sequential and return", RESULT, "nn.Linear(3, 4)"),
    ("Is there a `return`", f"return {RESULT}", RESULT),
    ('Only an "M" makes a pool', RELU, f"{RELU}, {POOL}"),
    ("2×2 max pool in its place", POOL, ""),
    ("did not become a convolution", "in config:", "in config[:-1]:"),
    ("is one convolution", RELU, f"{RELU}, nn.Conv2d(entry, entry, 1)"),
    ("nothing is flattened here", "*layers)", "*layers, nn.Flatten())"),
    ("for a single image too", "*layers)", "*layers, Squeeze())"),
    ("in-place operation", "for entry in config:", "while config:\n    entry = config.pop(0)"),
    ("not among the features", RELU, f"{RELU}, nn.Dropout2d(0.2)"),
    ("with the star", "*layers", "layers"),
    ("Only modules go into nn.Sequential", RELU, "F.relu"),
    # one object for all layers of one size
    ("share their weights", "[], 3", "[], 3\nmade = {}", CONV,
     f"made.setdefault((in_channels, entry), {CONV})"),
)  # fmt: skip


# --- VGG11 ----------------------------------------------------------------------------------

vgg11 = Bank("VGG11")

PLAIN_VGG11 = Text(
    FEATURES
    + """
class VGG11(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        config = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
        self.features = make_features(config)
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.flatten(1))
"""
)
PlainVGG11 = PLAIN_VGG11()
LINEAR, END = "nn.Linear(512, num_classes)", '512, 512, "M"]'
MAPS, LOGITS = "self.features(x)", "self.classifier(x.flatten(1))"


vgg11.right(PlainVGG11)
# a convolution at the end
vgg11.right(
    PLAIN_VGG11(LINEAR, "nn.Conv2d(512, num_classes, 1)", LOGITS, "self.classifier(x).mean((2, 3))")
)


LAYER_BY_LAYER = Text("""
class LayerByLayer(nn.Module):
    def __init__(self, num_classes: int = 10, **unused):
        super().__init__()
        self.fc = nn.Linear(512, num_classes)
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, 3, padding=1)
        self.conv3_1 = nn.Conv2d(128, 256, 3, padding=1)
        self.conv3_2 = nn.Conv2d(256, 256, 3, padding=1)
        self.conv5_2 = nn.Conv2d(512, 512, 3, padding=1)  # not in the order of execution
        self.conv5_1 = nn.Conv2d(512, 512, 3, padding=1)
        self.conv4_2 = nn.Conv2d(512, 512, 3, padding=1)
        self.conv4_1 = nn.Conv2d(256, 512, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.pool(F.relu(self.conv3_2(F.relu(self.conv3_1(x)))))
        x = self.pool(F.relu(self.conv4_2(F.relu(self.conv4_1(x)))))
        x = self.pool(F.relu(self.conv5_2(F.relu(self.conv5_1(x)))))
        return self.fc(x.reshape(-1, 512))
""")
vgg11.right(LAYER_BY_LAYER())


@vgg11.right
def by_a_function(num_classes=10):
    from torchvision.models import vgg11 as torchvision_vgg11

    with torch.device("meta"):
        features = torchvision_vgg11().features
    features = features.to_empty(device="cpu")
    return nn.Sequential(features, nn.Flatten(), nn.Linear(512, num_classes))


@vgg11.right
class ModuleListAndEinsum(nn.Module):
    """A ModuleList, an identity average pool as in torchvision, and einsum at the end."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = nn.ModuleList(PlainVGG11().features)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.weight = nn.Parameter(torch.randn(num_classes, 512) * 0.01)
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = torch.flatten(self.avgpool(x), 1)
        return torch.einsum("nc,kc->nk", x, self.weight) + self.bias


mutants(
    vgg11, PLAIN_VGG11,
    ("it is eight convolutions", '[64, "M"', '[64, 64, "M"'),
    ("is one missing, or never called", END, '512, "M"]'),
    ("each convolution takes the channels", '512, 512, "M", 512', '256, 256, "M", 512'),
    ("cross_entropy applies softmax itself", LOGITS, f"F.softmax({LOGITS}, dim=1)"),
    ("leave it for VGG16", MAPS, f"F.dropout({MAPS}, 0.5, self.training)"),
    ("counts eleven layers with its three linear ones", LINEAR,
     f"nn.Sequential(nn.Linear(512, 512), {RELU}, nn.Linear(512, 512), {RELU}, {LINEAR})"),
    ("the last one after the last convolution", END, "512, 512]", "(512, num", "(2048, num"),
    ("after convolutions 1, 2, 4, 6 and 8", '256, 256, "M"', '256, "M", 256, "M"'),
    ("takes 512 numbers and gives num_classes", LINEAR, "nn.Linear(512, num_classes + 1)"),
    ("7×7×512 is what is left of 224×224", "(512, num", "(512 * 7 * 7, num"),
    ("adaptive average pool to 7×7",
     "(512, num", "(512 * 7 * 7, num", MAPS, f"F.adaptive_avg_pool2d({MAPS}, 7)"),
    ("num_classes is an argument", LINEAR, "nn.Linear(512, 10)"),
    ("also between two without a pool", *RELU_ONCE),
    ("before batch norm", RELU, f"nn.BatchNorm2d(entry), {RELU}"),
    ("AlexNet's; it is not part", MAPS, f"F.local_response_norm({MAPS}, 5)"),
    ("with the line that the stub began with", "num_classes=10", "num_classes"),
    ("one output per class", LINEAR, "nn.Conv2d(512, num_classes, 1)", "x.flatten(1)", "x"),
)  # fmt: skip
mutants(vgg11, LAYER_BY_LAYER, ("remove it, or call it", "self.conv5_2(F", "self.conv5_1(F"))
