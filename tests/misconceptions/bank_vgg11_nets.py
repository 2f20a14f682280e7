"""Answers to make_features and VGG11 of notebook 04, as students write them."""

import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

A = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]

# --- make_features --------------------------------------------------------------------------

features = Bank("make_features")


@features.blank
def make_features(config):
    raise NotImplementedError


@features.right
def by_the_book(config):
    layers, in_channels = [], 3
    for v in config:
        if v == "M":
            layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            layers += [nn.Conv2d(in_channels, v, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            in_channels = v
    return nn.Sequential(*layers)


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


def _features(config, conv=None, pool=None, after=None, step=True):
    """by_the_book with one thing changed."""
    conv = conv or (lambda i, o: nn.Conv2d(i, o, 3, padding=1))
    pool = pool or (lambda: nn.MaxPool2d(2))
    after = after or (lambda o, following: [nn.ReLU()])
    layers, c = [], 3
    for entry, following in zip(config, [*config[1:], "M"], strict=True):
        if entry == "M":
            layers.append(pool())
        else:
            layers += [conv(c, entry), *after(entry, following)]
            c = entry
    return nn.Sequential(*layers)


@features.wrong("single linear map")
def no_relu(config):
    return _features(config, after=lambda o, following: [])


@features.wrong("every single convolution, not every block")
def relu_once_a_block(config):
    return _features(config, after=lambda o, following: [nn.ReLU()] if following == "M" else [])


@features.wrong("VGG of 2014 has no batch norm")
def with_batch_norm(config):
    return _features(config, after=lambda o, following: [nn.BatchNorm2d(o), nn.ReLU()])


@features.wrong("without overlap or padding")
def pools_overlap(config):
    return _features(config, pool=lambda: nn.MaxPool2d(3, 2))


@features.wrong("rounded down")
def pools_round_up(config):
    return _features(config, pool=lambda: nn.MaxPool2d(2, ceil_mode=True))


@features.wrong("pools are 2×2 with stride 2")
def pools_without_stride(config):
    return _features(config, pool=lambda: nn.MaxPool2d(2, stride=1))


@features.wrong("not the mean")
def pools_by_the_mean(config):
    return _features(config, pool=lambda: nn.AvgPool2d(2))


@features.wrong("loses two pixels a side")
def no_padding(config):
    return _features(config, conv=lambda i, o: nn.Conv2d(i, o, 3))


@features.wrong("VGG's convolutions are all 3×3")
def kernel_of_one(config):
    return _features(config, conv=lambda i, o: nn.Conv2d(i, o, 1))


@features.wrong("come with a bias")
def no_bias(config):
    return _features(config, conv=lambda i, o: nn.Conv2d(i, o, 3, padding=1, bias=False))


@features.wrong("3 at first, then the number before")
def always_three(config):
    return _features(config, conv=lambda i, o: nn.Conv2d(3, o, 3, padding=1))


@features.wrong('An "M" leaves the channels')
def starts_anew_after_pool(config):
    layers, c = [], 3
    for entry in config:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            c = 64
        else:
            layers += [nn.Conv2d(c, entry, 3, padding=1), nn.ReLU()]
            c = entry
    return nn.Sequential(*layers)


@features.wrong("nn.Sequential(*layers) makes one")
def a_list(config):
    return list(_features(config))


@features.wrong("Is there a `return`")
def no_return(config):
    _features(config)


@features.wrong('Only an "M" makes a pool')
def pools_after_everything(config):
    return _features(config, after=lambda o, following: [nn.ReLU(), nn.MaxPool2d(2)])


@features.wrong("2×2 max pool in its place")
def ignores_the_pools(config):
    return _features([v for v in config if v != "M"])


@features.wrong("did not become a convolution")
def stops_at_the_last_pool(config):
    return _features(config[: -config[::-1].index("M")])


@features.wrong("nothing is flattened here")
def flattens(config):
    return nn.Sequential(_features(config), nn.Flatten())


@features.wrong("in-place operation")
def empties_the_list(config):
    layers, c = [], 3
    while config:
        entry = config.pop(0)
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(c, entry, 3, padding=1), nn.ReLU()]
            c = entry
    return nn.Sequential(*layers)


@features.wrong("not among the features")
def with_dropout(config):
    return _features(config, after=lambda o, following: [nn.ReLU(), nn.Dropout2d(0.2)])


@features.wrong("share their weights")
def one_object_for_equal_layers(config):
    layers, made, c = [], {}, 3
    for entry in config:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            made.setdefault((c, entry), nn.Conv2d(c, entry, 3, padding=1))
            layers += [made[c, entry], nn.ReLU()]
            c = entry
    return nn.Sequential(*layers)


@features.wrong("with the star")
def hands_over_the_list(config):
    layers, in_channels = [], 3
    for entry in config:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(in_channels, entry, 3, padding=1), nn.ReLU()]
            in_channels = entry
    return nn.Sequential(layers)


@features.wrong("Only modules go into nn.Sequential")
def appends_the_function_relu(config):
    layers, in_channels = [], 3
    for entry in config:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(in_channels, entry, 3, padding=1), F.relu]
            in_channels = entry
    return nn.Sequential(*layers)


# --- VGG11 ----------------------------------------------------------------------------------

vgg11 = Bank("VGG11")


class PlainVGG11(nn.Module):
    """Right; what the answers below change is one thing each."""

    config = A

    def __init__(self, num_classes=10):
        super().__init__()
        self.features = _features(self.config)
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


@vgg11.blank
class VGG11Stub(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        raise NotImplementedError

    def forward(self, images):
        raise NotImplementedError


vgg11.right(PlainVGG11)


@vgg11.right
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


@vgg11.right
def by_a_function(num_classes=10):
    from torchvision.models import vgg11 as torchvision_vgg11

    with torch.device("meta"):
        features = torchvision_vgg11().features
    features = features.to_empty(device="cpu")
    return nn.Sequential(features, nn.Flatten(), nn.Linear(512, num_classes))


@vgg11.right
class ConvolutionAtTheEnd(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__(num_classes)
        self.classifier = nn.Conv2d(512, num_classes, kernel_size=1)

    def forward(self, x):
        return self.classifier(self.features(x)).mean((2, 3))


@vgg11.right
class ModuleListAndEinsum(nn.Module):
    """A ModuleList, an identity average pool as in torchvision, and einsum at the end."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = nn.ModuleList(_features(A))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.weight = nn.Parameter(torch.randn(num_classes, 512) * 0.01)
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = torch.flatten(self.avgpool(x), 1)
        return torch.einsum("nc,kc->nk", x, self.weight) + self.bias


@vgg11.wrong("it is eight convolutions")
class VGG13(PlainVGG11):
    config = [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]


@vgg11.wrong("is one missing, or never called")
class OneConvolutionShort(PlainVGG11):
    config = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, "M"]


@vgg11.wrong("each convolution takes the channels")
class NarrowEnd(PlainVGG11):
    config = [64, "M", 128, "M", 256, 256, "M", 256, 256, "M", 512, 512, "M"]


@vgg11.wrong("cross_entropy applies softmax itself")
class WithSoftmax(PlainVGG11):
    def forward(self, x):
        return F.softmax(super().forward(x), dim=1)


@vgg11.wrong("leave it for VGG16")
class WithDropout(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(512, num_classes))


@vgg11.wrong("counts eleven layers with its three linear ones")
class ThreeLinear(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Sequential(
            nn.Linear(512, 1024),
            nn.ReLU(),
            nn.Linear(1024, 1024),
            nn.ReLU(),
            nn.Linear(1024, num_classes),
        )


@vgg11.wrong("the last one after the last convolution")
class NoLastPool(PlainVGG11):
    config = A[:-1]

    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Linear(512 * 2 * 2, num_classes)


@vgg11.wrong("7×7×512 is what is left of 224×224")
class ForImageNet(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Linear(512 * 7 * 7, num_classes)


@vgg11.wrong("adaptive average pool to 7×7")
class WithTorchvisionsPool(ForImageNet):
    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), (7, 7))
        return self.classifier(x.flatten(1))


@vgg11.wrong("num_classes is an argument")
class AlwaysTen(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Linear(512, 10)


@vgg11.wrong("also between two without a pool")
class ReLUBeforePoolsOnly(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__(num_classes)
        self.features = _features(
            A, after=lambda o, following: [nn.ReLU()] if following == "M" else []
        )


@vgg11.wrong("before batch norm")
class WithBatchNorm(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__(num_classes)
        self.features = _features(A, after=lambda o, following: [nn.BatchNorm2d(o), nn.ReLU()])


@vgg11.wrong("AlexNet's; it is not part")
class ALRN(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__(num_classes)
        self.features.insert(2, nn.LocalResponseNorm(5, k=2.0))


@vgg11.wrong("with their defaults")
class NoDefault(PlainVGG11):
    def __init__(self, num_classes):
        super().__init__(num_classes)


@vgg11.wrong("one output per class")
class KeepsThePixels(PlainVGG11):
    def __init__(self, num_classes=10):
        super().__init__()
        self.classifier = nn.Conv2d(512, num_classes, 1)

    def forward(self, x):
        return self.classifier(self.features(x))


@vgg11.wrong("remove it, or call it")
class CallsOneTwice(LayerByLayer):
    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.pool(F.relu(self.conv3_2(F.relu(self.conv3_1(x)))))
        x = self.pool(F.relu(self.conv4_2(F.relu(self.conv4_1(x)))))
        x = self.pool(F.relu(self.conv5_1(F.relu(self.conv5_1(x)))))
        return self.fc(x.flatten(1))
