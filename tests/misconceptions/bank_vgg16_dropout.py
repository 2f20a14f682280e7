"""Answers to the exercises of notebook 05, as students write them."""

import random
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank
from .mutants import Text, mutants

# --- dropout --------------------------------------------------------------------------------

dropout = Bank("dropout")

BY_THE_BOOK = Text(
    """
    def dropout(x, p, training):
        if not training:
            return x.clone()
        if p == 1:
            return torch.zeros_like(x)
        mask = torch.rand_like(x) >= p
        return x * mask / (1 - p)
    """,
    random=random,
)


dropout.right(BY_THE_BOOK())


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


RESULT = "x * mask / (1 - p)"
mutants(
    dropout, BY_THE_BOOK,
    ("so that the sum stays the same on average", RESULT, "x * mask"),
    ("belongs to the older form", "x.clone()", "x * (1 - p)"),
    ("nothing needs to be made up for", "x.clone()", "x / (1 - p) if p < 1 else x"),
    ("when training is False, give x back", "not training", "p == 0"),
    ("not to keep it", ">= p", "< p"),
    ("the scale has p where it needs 1 - p", "/ (1 - p)", "/ p if p else x"),
    ("divide by 1 - p rather than multiply", "/ (1 - p)", "* (1 - p)"),
    ("must grow, not shrink", "/ (1 - p)", "* p"),
    ("done twice", "/ (1 - p)", "/ (1 - p) / (1 - p)"),
    ("on average the sum of x must stay the same", RESULT, "x * mask * x.sum() / (x * mask).sum()"),
    ("all of it alike", RESULT, "x * mask * (x.sum(-1) / (x * mask).sum(-1))[..., None]"),
    ("of many entries should be zero", "torch.rand_like", "torch.randn_like"),
    ("one draw must decide about one entry", "torch.rand_like(x)", "torch.rand(x.shape[1:])"),
    ("as many random numbers as x has entries",
     "torch.rand_like(x)", "torch.rand(len(x), *[1] * (x.dim() - 1))"),
    ("compare a uniform number", "rand_like(x) >= p", "randint(0, 100, x.shape) > 100 * p"),
    ("0 · infinity is NaN", "p == 1", "p > 1"),
    ("p = 1 is a case of its own", "p == 1", "p > 1", RESULT, "x * mask * (1 / (1 - p))"),
    ("with p = 0 nothing is dropped", "p == 1", "not 0 < p < 1"),
    ("no seed inside the function", "mask =", "torch.manual_seed(0)\nmask ="),
    ("no .detach()", "x * mask", "x.data * mask"),
    ("what is dropped gets 0", f"return {RESULT}", f"return x + ({RESULT} - x).detach()"),
    ("becomes 0 with probability p", "x * mask / (1 - p)", "x"),
    ("Draw from torch's generator",
     "torch.rand_like(x)", "torch.from_numpy(np.random.rand(*x.shape))"),
    ("not from numpy's or Python's", "torch.rand_like(x)",
     "torch.tensor([random.random() for _ in range(x.numel())]).view(x.shape)"),
    ("in-place operation", f"return {RESULT}", "x[~mask] = 0\nx /= 1 - p\nreturn x"),
    ("number of zeros varies", "torch.rand_like(x) >= p",
     "torch.randperm(x.numel()).view(x.shape) >= round(p * x.numel())"),
)  # fmt: skip
dropout.wrong("in the shape of x")(F.dropout2d)


# --- VGG16 ----------------------------------------------------------------------------------

vgg16 = Bank("VGG16")


class OwnDropout(nn.Module):
    def __init__(self, whole_rows=False):
        super().__init__()
        self.whole_rows = whole_rows

    def forward(self, x):
        draws = torch.rand(x.shape[1]) if self.whole_rows else torch.rand_like(x)
        return x * (draws < 0.5) * 2 if self.training else x


PLAIN_VGG16 = Text(
    """
    def make_features(config):
        layers, in_channels = [], 3
        for entry in config:
            if entry == "M":
                layers += [nn.MaxPool2d(2, 2)]
            else:
                layers += [nn.Conv2d(in_channels, entry, 3, padding=1), nn.ReLU(inplace=True)]
                in_channels = entry
        return nn.Sequential(*layers)


    class VGG16(nn.Module):
        def __init__(self, num_classes=10):
            super().__init__()
            config = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M"]
            config += [512, 512, 512, "M", 512, 512, 512, "M"]
            self.features = make_features(config)
            self.classifier = nn.Sequential(
                nn.Linear(512, 4096), nn.ReLU(), nn.Dropout(0.5),
                nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
                nn.Linear(4096, num_classes),
            )

        def forward(self, x):
            x = self.features(x)
            return self.classifier(x.flatten(1))
    """,
    OwnDropout=OwnDropout,
)


vgg16.right(PLAIN_VGG16())


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


FIRST, LAST = "nn.Linear(512, 4096)", "nn.Linear(4096, num_classes)"
DROPOUT, RELU = "nn.Dropout(0.5)", "nn.ReLU()"
BEFORE_LAST = f"{DROPOUT},\n            {LAST}"
# Before the first linear layer too; before each large one, as torchvision's AlexNet; before ReLU.
vgg16.right(PLAIN_VGG16(FIRST, f"{DROPOUT}, {FIRST}"))
vgg16.right(PLAIN_VGG16(BEFORE_LAST, LAST, FIRST, f"{DROPOUT}, {FIRST}"))
vgg16.right(PLAIN_VGG16(f"{RELU}, {DROPOUT}", f"nn.Dropout(inplace=True), {RELU}"))
# Linear layers written as 1×1 convolutions, and a dropout of one's own.
vgg16.right(
    PLAIN_VGG16(
        *(f"{FIRST},", "nn.Conv2d(512, 4096, 1),"),
        *("nn.Linear(4096, 4096)", "nn.Conv2d(4096, 4096, 1)"),
        *(LAST, "nn.Conv2d(4096, num_classes, 1)"),
        *(DROPOUT, "OwnDropout()", "(x.flatten(1))", "(x)[..., 0, 0]"),
    )
)

MAPS, LOGITS, END = "self.features(x)", "self.classifier(x.flatten(1))", '512, 512, 512, "M"]'
mutants(
    vgg16, PLAIN_VGG16,
    ("hold most of the weights", f", {DROPOUT}", ""),
    ("Dropout belongs after the hidden layers", LAST, f"{LAST}, {DROPOUT}"),
    ("the convolutions have few weights", "place=True)", "place=True), nn.Dropout2d(0.1)"),
    ("each gets one", f"{FIRST}, {RELU}, {DROPOUT}", f"{FIRST}, {RELU}"),
    ("not the share that is kept", DROPOUT, "nn.Dropout(0.2)"),
    ("training=self.training", "x.flatten(1)", "F.dropout(x, 0.5).flatten(1)"),
    ("without it they are one", " nn.ReLU(),", ""),
    ("thirteen convolutions (2, 2, 3, 3, 3), and three linear layers follow",
     "256, 256, 256", "256, 256, 256, 256", "512, 512, 512", "512, 512, 512, 512"),
    ("Is one missing, or never called", END, '512, 512, "M"]'),
    ("M, 512 three times, M, 512 three times", "128, 128", "128, 256"),
    ("stand in configuration C", "entry, 3, padding=1", "entry, 1"),
    ("one after each group of convolutions", '256, "M"]', "256]", FIRST, "nn.Linear(2048, 4096)"),
    ("each of the five groups", '[64, 64, "M"', '[64, "M", 64, "M"'),
    ("adaptive average pool to 7×7", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("cross_entropy applies softmax itself", LOGITS, f"F.softmax({LOGITS}, dim=1)"),
    ("512→4096, 4096→4096 and 4096→num_classes", "4096", "512"),
    ("the first linear layer takes 512 numbers", FIRST, "nn.Linear(512 * 7, 4096)"),
    ("dropout is what regularises it", "nn.ReLU(inplace", "nn.BatchNorm2d(entry), nn.ReLU(inplace"),
    ("Each entry is dropped independently", DROPOUT, "OwnDropout(whole_rows=True)"),
)  # fmt: skip


# --- ensemble_predict -----------------------------------------------------------------------

ensemble = Bank("ensemble_predict")

STACKS = Text(
    """
    def ensemble_predict(models, images):
        members = []
        for model in models:
            model.eval()
            with torch.no_grad():
                members.append(model(images).softmax(1))
        return torch.stack(members).mean(0)
    """
)


SUMS = Text(
    """
    @torch.no_grad()
    def ensemble_predict(models, images):
        total, n = 0, 0
        for model in models:
            total = total + model.eval()(images).softmax(-1)
            n += 1
        return total / n
    """
)
ensemble.right(STACKS())
ensemble.right(SUMS())


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


mutants(
    ensemble, STACKS,
    ("average probabilities, not logits", ".softmax(1)", ""),
    ("Dropout and batch norm behave differently", "model.eval()", "model.train()"),
    ("keeps all its activations in memory", "with torch.no_grad():", "if True:"),
    ("handed over as an argument", "model(images)", "nn.Linear(48, 4)(images.flatten(1))"),
    ("must not touch a model", "model.eval()", "model.eval().requires_grad_(False)"),
    ("caller's own tensor", "model.eval()", "model.eval()\nimages -= images.mean()"),
    ("for a block only", "with torch.no_grad()", "torch.set_grad_enabled(False)\nif True"),
    ("take their mean", ".mean(0)", ".median(0).values"),
    ("one column per class", ".mean(0)", ".mean(1)"),
    ("does a return stand inside the loop", "members.append(", "return ("),
    ("the loop overwrites the result", "members.append(", "members = [(", "(1))", "(1))]"),
    ("softmax goes over the classes", ".softmax(1)", ".softmax(0)"),
    ("forgets how sure each member is", ".softmax(1)", ".argmax(1)",
     "torch.stack(members)", "F.one_hot(torch.stack(members)).float()"),
)  # fmt: skip
TOTAL = "total + model.eval()(images).softmax(-1)"
mutants(
    ensemble, SUMS,
    ("has no length", "/ n", "/ len(models)"),
    ("no index and can be walked once",
     "total, n =", "for model in models:\n    model.eval()\ntotal, n =", "model.eval()(", "model("),
    ("no pop, no append", "for model in models:", "while models:\n    model = models.pop()"),
    ("half of all the weight", TOTAL, f"({TOTAL}) / (2 if n else 1)", "total / n", "total"),
)  # fmt: skip
