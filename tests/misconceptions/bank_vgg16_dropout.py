"""Answers to the exercises of notebook 05, as students write them."""

import random
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

# --- dropout --------------------------------------------------------------------------------

dropout = Bank("dropout")


@dropout.blank
def dropout_stub(x, p, training):
    raise NotImplementedError


@dropout.right
def by_the_book(x, p, training):
    if not training or p == 0:
        return x
    if p == 1:
        return torch.zeros_like(x)
    mask = (torch.rand_like(x) >= p).to(x.dtype)
    return x * mask / (1 - p)


@dropout.right
def by_bernoulli(x, p, training=True):
    if training:
        keep = torch.empty(x.shape).bernoulli_(1 - p)
        x = x * keep.type_as(x) / max(1 - p, 1e-9)
    return x


@dropout.right
def by_masked_fill(x, p, training):
    if not training:
        return x.clone()
    out = x.masked_fill(torch.rand(x.shape) < p, 0)
    return out / (1 - p) if p < 1 else out


@dropout.right
def by_a_module(x, p, training):
    return nn.Dropout(p).train(training)(x)


@dropout.right
def by_where(x, p, training):
    if not training:
        return x
    dropped = torch.bernoulli(torch.full(x.shape, float(p))).bool()
    scale = 1 / (1 - p) if p != 1 else 0.0
    return torch.where(dropped, torch.zeros((), dtype=x.dtype), x * scale)


@dropout.wrong("so that the sum stays the same on average")
def not_scaled(x, p, training):
    return x * (torch.rand_like(x) >= p) if training else x


@dropout.wrong("belongs to the older form")
def scales_in_evaluation(x, p, training):
    return x * (torch.rand_like(x) >= p) if training else x * (1 - p)


@dropout.wrong("when training is False, give x back")
def always_drops(x, p, training):
    return F.dropout(x, p)


@dropout.wrong("nothing needs to be made up for")
def divides_in_evaluation(x, p, training):
    if p == 1:
        return torch.zeros_like(x) if training else x
    return (x * (torch.rand_like(x) >= p) if training else x) / (1 - p)


@dropout.wrong("not to keep it")
def p_keeps(x, p, training):
    return x * (torch.rand_like(x) < p) / p if training else x


@dropout.wrong("The scale has p where it needs 1 - p")
def divides_by_p(x, p, training):
    return x * (torch.rand_like(x) >= p) / p if training and p else x


@dropout.wrong("Divide by 1 - p rather than multiply")
def multiplies(x, p, training):
    return x * (torch.rand_like(x) >= p) * (1 - p) if training else x


@dropout.wrong("One draw must decide about one entry")
def one_mask_for_all_rows(x, p, training):
    if not training:
        return x
    return x * (torch.rand(x.shape[1:]) >= p) / (1 - p)


@dropout.wrong("as many random numbers as x has entries")
def drops_rows(x, p, training):
    if not training:
        return x
    return x * (torch.rand(len(x), *[1] * (x.dim() - 1)) >= p) / (1 - p)


@dropout.wrong("in the shape of x")
def drops_channels(x, p, training):
    return F.dropout2d(x, p, training)


@dropout.wrong("0 · infinity is NaN")
def nan_at_one(x, p, training):
    return x * (torch.rand_like(x) >= p) / (1 - p) if training else x


@dropout.wrong("p = 1 is a case of its own")
def divides_by_zero(x, p, training):
    scale = 1 / (1 - p) if training else 1
    return x * (torch.rand_like(x) >= p) * scale if training else x


@dropout.wrong("Draw from torch's generator")
def by_numpy(x, p, training):
    if not training or p == 1:
        return x * (not training)
    mask = torch.from_numpy(np.random.rand(*x.shape) >= p)
    return x * mask / (1 - p)


@dropout.wrong("not from numpy's or Python's")
def by_random(x, p, training):
    if not training or p == 1:
        return x * (not training)
    mask = [random.random() >= p for _ in range(x.numel())]
    return x * torch.tensor(mask).view(x.shape) / (1 - p)


@dropout.wrong("in-place operation")
def in_place(x, p, training):
    if training:
        x[torch.rand_like(x) < p] = 0
        x /= 1 - p
    return x


@dropout.wrong("no seed inside the function")
def seeded(x, p, training):
    torch.manual_seed(0)
    return F.dropout(x, p, training)


@dropout.wrong("number of zeros varies")
def exactly_so_many(x, p, training):
    if not training or p == 1:
        return x * (not training)
    mask = torch.ones(x.numel(), dtype=x.dtype)
    mask[torch.randperm(x.numel())[: round(p * x.numel())]] = 0
    return x * mask.view(x.shape) / (1 - p)


@dropout.wrong("no .detach()")
def through_data(x, p, training):
    return F.dropout(x.data, p, training)


@dropout.wrong("becomes 0 with probability p")
def never_drops(x, p, training):
    return x if training else x.clone()


# --- VGG16 ----------------------------------------------------------------------------------

vgg16 = Bank("VGG16")

D = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]


def _features(config=D, after=nn.Identity, kernels=None):
    layers, c = [], 3
    kernels = iter(kernels or [3] * 20)
    for v in config:
        if v == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            k = next(kernels)
            layers += [nn.Conv2d(c, v, k, padding=k // 2), nn.ReLU(inplace=True), after()]
            c = v
    return nn.Sequential(*layers)


@vgg16.blank
class VGG16Stub(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        raise NotImplementedError

    def forward(self, images):
        raise NotImplementedError


class PlainVGG16(nn.Module):
    """Right; what the answers below change is one thing each."""

    def __init__(self, num_classes=10, features=None, classifier=None):
        super().__init__()
        self.features = features or _features()
        self.classifier = nn.Sequential(*(classifier or self.head(num_classes)))

    def head(self, num_classes):
        return [
            nn.Linear(512, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, num_classes),
        ]

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


vgg16.right(PlainVGG16)


@vgg16.right
class WithFunctions(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.fc3 = nn.Linear(4096, num_classes)
        self.fc2 = nn.Linear(4096, 4096)
        self.fc1 = nn.Linear(512, 4096)
        pairs = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
        pairs += [(256, 512)] + [(512, 512)] * 5
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding="same") for i, o in pairs)

    def forward(self, x):
        for i, conv in enumerate(self.convs, 1):
            x = F.relu(conv(x))
            if i in (2, 4, 7, 10, 13):
                x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, training=self.training)
        x = F.dropout(F.relu(self.fc2(x)), p=0.5, training=self.training)
        return self.fc3(x)


@vgg16.right
class ThreeDropouts(PlainVGG16):
    """Dropout before the first linear layer too."""

    def head(self, num_classes):
        return [nn.Dropout(0.5), *super().head(num_classes)]


@vgg16.right
class LikeTorchvisionsAlexNet(PlainVGG16):
    """Dropout before each of the two large linear layers."""

    def head(self, num_classes):
        layers = super().head(num_classes)
        return [nn.Dropout(0.5), *layers[:5], layers[6]]


@vgg16.right
class DropoutBeforeReLU(PlainVGG16):
    def head(self, num_classes):
        return [
            nn.Linear(512, 4096),
            nn.Dropout(inplace=True),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.Dropout(inplace=True),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        ]


class OwnDropout(nn.Module):
    def forward(self, x):
        return x * (torch.rand_like(x) < 0.5) * 2 if self.training else x


@vgg16.right
class Convolutional(PlainVGG16):
    """Linear layers written as 1×1 convolutions, and a dropout of one's own."""

    def head(self, num_classes):
        return [
            nn.Conv2d(512, 4096, 1),
            nn.ReLU(),
            OwnDropout(),
            nn.Conv2d(4096, 4096, 1),
            nn.ReLU(),
            OwnDropout(),
            nn.Conv2d(4096, num_classes, 1),
        ]

    def forward(self, x):
        return self.classifier(self.features(x))[..., 0, 0]


@vgg16.wrong("hold most of the weights")
class NoDropout(PlainVGG16):
    def head(self, num_classes):
        return [m for m in super().head(num_classes) if not isinstance(m, nn.Dropout)]


@vgg16.wrong("Dropout belongs after the hidden layers")
class DropoutAfterTheLogits(PlainVGG16):
    def head(self, num_classes):
        return [*super().head(num_classes), nn.Dropout(0.5)]


@vgg16.wrong("the convolutions have few weights")
class DropoutInFeatures(PlainVGG16):
    def __init__(self, num_classes=10):
        super().__init__(num_classes, features=_features(after=lambda: nn.Dropout2d(0.1)))


@vgg16.wrong("each gets one")
class OnlyOneDropout(PlainVGG16):
    def head(self, num_classes):
        layers = super().head(num_classes)
        return layers[:2] + layers[3:]


@vgg16.wrong("not the share that is kept")
class DropoutOfAnotherRate(PlainVGG16):
    def head(self, num_classes):
        return [nn.Dropout(0.2) if isinstance(m, nn.Dropout) else m for m in super().head(10)]


@vgg16.wrong("training=self.training")
class DropsInEvaluation(PlainVGG16):
    def forward(self, x):
        x = F.relu(self.classifier[0](self.features(x).flatten(1)))
        x = F.relu(self.classifier[3](F.dropout(x, 0.5)))
        return self.classifier[6](F.dropout(x, 0.5))


@vgg16.wrong("without it they are one")
class NoReLUBetweenLinears(PlainVGG16):
    def head(self, num_classes):
        return [m for m in super().head(num_classes) if not isinstance(m, nn.ReLU)]


@vgg16.wrong("thirteen convolutions (2, 2, 3, 3, 3), and three linear layers follow")
class VGG19(PlainVGG16):
    def __init__(self, num_classes=10):
        config = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"]
        super().__init__(num_classes, features=_features(config))


@vgg16.wrong("Is one missing, or never called")
class VGG13(PlainVGG16):
    def __init__(self, num_classes=10):
        config = [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
        super().__init__(num_classes, features=_features(config))


@vgg16.wrong("stand in configuration C")
class ConfigurationC(PlainVGG16):
    def __init__(self, num_classes=10):
        kernels = [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]
        super().__init__(num_classes, features=_features(kernels=kernels))


@vgg16.wrong("cross_entropy applies softmax itself")
class WithSoftmax(PlainVGG16):
    def head(self, num_classes):
        return [*super().head(num_classes), nn.Softmax(dim=1)]


@vgg16.wrong("512→4096, 4096→4096 and 4096→num_classes")
class NarrowHead(PlainVGG16):
    def head(self, num_classes):
        return [
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, 512),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(512, num_classes),
        ]


@vgg16.wrong("the first linear layer takes 512 numbers")
class ForImageNet(PlainVGG16):
    def head(self, num_classes):
        return [nn.Linear(512 * 7, 4096), *super().head(num_classes)[1:]]


@vgg16.wrong("Each entry is dropped independently")
class DropsWholeRows(PlainVGG16):
    def forward(self, x):
        x = self.features(x).flatten(1)
        for i in (0, 3):
            x = F.relu(self.classifier[i](x))
            if self.training:
                x = x * (torch.rand(x.shape[1]) < 0.5) * 2
        return self.classifier[6](x)


# --- ensemble_predict -----------------------------------------------------------------------

ensemble = Bank("ensemble_predict")


@ensemble.blank
def ensemble_stub(models, images):
    raise NotImplementedError


@ensemble.right
def stacks(models, images):
    outputs = []
    for model in models:
        model.eval()
        with torch.no_grad():
            outputs.append(F.softmax(model(images), dim=1))
    return torch.stack(outputs).mean(0)


@ensemble.right
@torch.no_grad()
def sums_and_counts(models, images):
    total, n = 0, 0
    for model in models:
        total = total + model.eval()(images).softmax(-1)
        n += 1
    return total / n


@ensemble.right
def through_a_list(models, x):
    models = list(models)
    with torch.inference_mode():
        for m in models:
            m.train(False)
        return sum(nn.Softmax(1)(m(x)) for m in models) / len(models)


@ensemble.right
def by_reduce(models, images):
    def ask(model):
        mode = model.training
        probabilities = torch.softmax(model.eval()(images), 1).detach()
        model.train(mode)
        return probabilities

    members = [ask(model) for model in models]
    return reduce(torch.add, members).div(len(members))


@ensemble.right
def running_mean(models, images):
    mean = None
    for i, model in enumerate(models):
        model.eval()
        with torch.no_grad():
            p = torch.exp(F.log_softmax(model(images), dim=1))
        mean = p if mean is None else mean + (p - mean) / (i + 1)
    return mean


@ensemble.right
def through_numpy(models, images):
    with torch.no_grad():
        outputs = [model.eval()(images).softmax(1).numpy() for model in models]
    return torch.from_numpy(np.mean(outputs, axis=0))


def _members(models, images, softmax=True):
    with torch.no_grad():
        outputs = [model.eval()(images) for model in models]
    return torch.stack([z.softmax(1) for z in outputs] if softmax else outputs)


@ensemble.wrong("before the softmax")
def mean_of_logits(models, images):
    return _members(models, images, softmax=False).mean(0).softmax(1)


@ensemble.wrong("average probabilities, not logits")
def no_softmax(models, images):
    return _members(models, images, softmax=False).mean(0)


@ensemble.wrong("forgets how sure each member is")
def majority_vote(models, images):
    p = _members(models, images)
    return F.one_hot(p.argmax(2), p.shape[2]).float().mean(0)


@ensemble.wrong("sum to the number of models")
def sum_only(models, images):
    return _members(models, images).sum(0)


@ensemble.wrong("the loop overwrites the result")
def last_model(models, images):
    with torch.no_grad():
        for model in models:
            probabilities = model.eval()(images).softmax(1)
    return probabilities


@ensemble.wrong("does a return stand inside the loop")
def returns_in_the_loop(models, images):
    for model in models:
        with torch.no_grad():
            return model.eval()(images).softmax(1)


@ensemble.wrong("half of all the weight")
def mean_of_means(models, images):
    p = None
    for member in _members(models, images):
        p = member if p is None else (p + member) / 2
    return p


@ensemble.wrong("each member's softmax goes over the classes, dim=1")
def softmax_over_the_batch(models, images):
    return _members(models, images, softmax=False).softmax(1).mean(0)


@ensemble.wrong("runs over the stacked models")
def softmax_over_the_models(models, images):
    return _members(models, images, softmax=False).softmax(0).mean(0)


@ensemble.wrong("Dropout and batch norm behave differently")
def in_training_mode(models, images):
    with torch.no_grad():
        return torch.stack([model(images).softmax(1) for model in models]).mean(0)


@ensemble.wrong("keeps all its activations in memory")
def keeps_the_graph(models, images):
    return torch.stack([model.eval()(images).softmax(1) for model in models]).mean(0)


@ensemble.wrong("has no length")
def takes_the_length(models, images):
    total = 0
    with torch.no_grad():
        for model in models:
            total = total + model.eval()(images).softmax(1)
    return total / len(models)


@ensemble.wrong("no index and can be walked once")
def walks_twice(models, images):
    for model in models:
        model.eval()
    with torch.no_grad():
        return torch.stack([model(images).softmax(1) for model in models]).mean(0)


@ensemble.wrong("another softmax flattens it")
def softmax_again(models, images):
    return _members(models, images).mean(0).softmax(1)


@ensemble.wrong("That is the decision")
def labels(models, images):
    return _members(models, images).mean(0).argmax(1)


@ensemble.wrong("no pop, no append")
def pops(models, images):
    models, outputs = models if isinstance(models, list) else list(models), []
    with torch.no_grad():
        while models:
            outputs.append(models.pop().eval()(images).softmax(1))
    return torch.stack(outputs).mean(0)
