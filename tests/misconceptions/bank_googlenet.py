"""Answers to the exercises of notebook 07, as students write them."""

import torch
import torch.nn.functional as F
from torch import nn

from labutils import shapes

from .bank import Bank
from .mutants import Text, mutants

# --- one_by_one -----------------------------------------------------------------------------

one_by_one = Bank("one_by_one")

EINSUM = Text("""
def one_by_one(x, weight, bias):
    mixed = torch.einsum("nchw,kc->nkhw", x, weight)
    return mixed + bias[:, None, None]
""")
PERMUTE = Text("""
def one_by_one(x, weight, bias):
    pixels = x.permute(0, 2, 3, 1)
    mixed = pixels @ weight.T + bias
    return mixed.permute(0, 3, 1, 2)
""")
LOOP = Text("""
def one_by_one(x, weight, bias):
    channels = []
    for k in range(len(weight)):
        out = torch.zeros_like(x[:, 0])
        for c in range(x.shape[1]):
            out = out + weight[k, c] * x[:, c]
        channels.append(out + bias[k])
    return torch.stack(channels, dim=1)
""")


@one_by_one.blank
def one_by_one_stub(x, weight, bias):
    raise NotImplementedError


one_by_one.right(EINSUM())
one_by_one.right(PERMUTE())
one_by_one.right(LOOP())
one_by_one.right(lambda x, weight, bias: F.conv2d(x, weight[..., None, None], bias))


@one_by_one.right
def by_flattened_pixels(x, weight, bias):
    n, _, height, width = x.shape
    return (weight @ x.flatten(2) + bias[:, None]).view(n, -1, height, width)


@one_by_one.right
def by_broadcasting(x, weight, bias):
    return (x[:, None] * weight[..., None, None]).sum(2) + bias.view(1, -1, 1, 1)


mutants(
    one_by_one,
    EINSUM,
    ("weight is [K, C]", "kc->", "ck->"),
    ("added to every pixel of channel k", "mixed + bias[:, None, None]", "mixed"),
    ("a channel's own and lies along dimension 1", "bias[:, None, None]", "bias"),
    ("rows stay rows", "nkhw", "nkwh"),
    ("the channels back to dimension 1", "nkhw", "nhwk", "bias[:, None, None]", "bias"),
    ("a step of its own", "mixed + bias[:, None, None]", "F.relu(mixed + bias[:, None, None])"),
    ("something cut the graph", "x, weight)", "x, weight.detach())"),
)
mutants(
    one_by_one,
    PERMUTE,
    ("move the channels there first", "x.permute(0, 2, 3, 1)", "x", ".permute(0, 3, 1, 2)", ""),
    ("only cut the row of them anew", ".permute(0, 3, 1, 2)", ".reshape(len(x), -1, *x.shape[2:])"),
)
mutants(
    one_by_one,
    LOOP,
    ("add it once, behind the loop", "weight[k, c] * x[:, c]", "weight[k, c] * x[:, c] + bias[k]",
     "out + bias[k])", "out)"),
    ("a weight of its own", "weight[k, c] * x", "x"),
    ("channel k has row k", "weight[k, c]", "weight[0, c]"),
    ("nothing divides by their number", "out + bias[k])", "out / x.shape[1] + bias[k])"),
    ("with K channels", "dim=1)", "dim=1).flatten(2)"),
    ("the sum of its old channels", "range(x.shape[1])", "range(x.shape[1] - 1)"),
    ("the channels of x are its dimension 1", "range(len(weight))", "range(len(weight) + 1)"),
)  # fmt: skip


@one_by_one.wrong("Height and width are averaged away")
def of_averages(x, weight, bias):
    return F.linear(x.mean(dim=(2, 3)), weight, bias)[:, :, None, None]


# --- inception_cost -------------------------------------------------------------------------

inception_cost = Bank("inception_cost")

COST = Text("""
def inception_cost(in_channels, widths, side):
    c1, r3, c3, r5, c5, pool = widths
    layers = [
        (in_channels, c1, 1),
        (in_channels, r3, 1),
        (r3, c3, 3),
        (in_channels, r5, 1),
        (r5, c5, 5),
        (in_channels, pool, 1),
    ]
    parameters = macs = 0
    for i, o, k in layers:
        weights = i * o * k * k
        parameters += weights + o
        macs += weights * side * side
    return parameters, macs
""")


@inception_cost.blank
def inception_cost_stub(in_channels, widths, side):
    raise NotImplementedError


inception_cost.right(COST())
inception_cost.right(COST("return parameters, macs", "return [float(parameters), np.int64(macs)]"))


@inception_cost.right
def by_one_sum(n, widths, side):
    a, r3, b, r5, c, p = widths
    weights = n * (a + r3 + r5 + p) + 9 * r3 * b + 25 * r5 * c
    return torch.tensor([weights + sum(widths), weights * side**2])


@inception_cost.right
def by_tracing(in_channels, widths, side):
    c1, r3, c3, r5, c5, pool = widths
    with torch.device("meta"):
        layers = [
            nn.Conv2d(in_channels, c1, 1),
            nn.Sequential(nn.Conv2d(in_channels, r3, 1), nn.Conv2d(r3, c3, 3, padding=1)),
            nn.Sequential(nn.Conv2d(in_channels, r5, 1), nn.Conv2d(r5, c5, 5, padding=2)),
            nn.Conv2d(in_channels, pool, 1),
        ]
    tables = [shapes.trace(layer, (in_channels, side, side)) for layer in layers]
    parameters = sum(p.numel() for layer in layers for p in layer.parameters())
    return torch.tensor(parameters), sum(table.total_macs for table in tables)


mutants(
    inception_cost,
    COST,
    ("parameters come first", "return parameters, macs", "return macs, parameters"),
    ("hands its own channels on", "(r3, c3, 3)", "(in_channels, c3, 3)",
     "(r5, c5, 5)", "(in_channels, c5, 5)"),
    ("six convolutions in all", "(in_channels, r3, 1),", "", "(in_channels, r5, 1),", ""),
    ("do not see the input", "(in_channels, r3, 1),", "", "(in_channels, r5, 1),", "",
     "(r3, c3, 3)", "(in_channels, c3, 3)", "(r5, c5, 5)", "(in_channels, c5, 5)"),
    ("to pool channels follows it", "(in_channels, pool, 1),", ""),
    ("9 of 3×3, and 25 of 5×5", "k * k", "k"),
    ("has a bias, which is a parameter", "weights + o", "weights"),
    ("a bias is added, not multiplied", "macs += weights", "macs += (weights + o)"),
    ("the 1×1 ones too", "side * side", "(side * side if k > 1 else 1)"),
    ("side² places", "side * side", "side"),
    ("used anew at each", " * side * side", ""),
    ("a reduction stands before", "c1, r3, c3, r5, c5, pool", "c1, c3, r3, c5, r5, pool"),
    ("counts once", "weights * side * side", "2 * weights * side * side"),
    ("with a comma between them", "return parameters, macs", "return macs"),
    ("compute one branch by hand", "(r5, c5, 5)", "(r5, c5, 7)"),
)  # fmt: skip


@inception_cost.wrong("stand side by side")
def multiplies_the_branches(n, widths, side):
    a, r3, b, r5, c, p = widths
    branches = [
        (n * a, a),
        (n * r3 + 9 * r3 * b, r3 + b),
        (n * r5 + 25 * r5 * c, r5 + c),
        (n * p, p),
    ]
    parameters = macs = 1
    for weights, biases in branches:
        parameters *= weights + biases
        macs *= weights * side**2
    return parameters, macs


# --- Inception ------------------------------------------------------------------------------

Inception = Bank("Inception")

BY_FUNCTIONS = Text("""
class Inception(nn.Module):
    def __init__(self, in_channels, widths):
        super().__init__()
        c1, r3, c3, r5, c5, pool = widths
        self.one = nn.Conv2d(in_channels, c1, 1)
        self.reduce3 = nn.Conv2d(in_channels, r3, 1)
        self.three = nn.Conv2d(r3, c3, 3, padding=1)
        self.reduce5 = nn.Conv2d(in_channels, r5, 1)
        self.five = nn.Conv2d(r5, c5, 5, padding=2)
        self.project = nn.Conv2d(in_channels, pool, 1)
        self.max_pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x):
        one = F.relu(self.one(x))
        three = F.relu(self.three(F.relu(self.reduce3(x))))
        five = F.relu(self.five(F.relu(self.reduce5(x))))
        pooled = F.relu(self.project(self.max_pool(x)))
        return torch.cat([one, three, five, pooled], dim=1)
""")
JOINED = "torch.cat([one, three, five, pooled], dim=1)"


@Inception.blank
class InceptionStub(nn.Module):
    def __init__(self, in_channels, widths):
        super().__init__()

    def forward(self, x):
        raise NotImplementedError


@Inception.blank
class InceptionStubInBothPlaces(nn.Module):
    def __init__(self, in_channels, widths):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


Inception.right(BY_FUNCTIONS())
# ReLU once more, or after the join; other names, in another order.
Inception.right(BY_FUNCTIONS(JOINED, f"F.relu({JOINED})"))
Inception.right(
    BY_FUNCTIONS(
        "one = F.relu(self.one(x))", "", "return", "one = self.one(x).clamp(min=0)\nreturn"
    )
)


@Inception.right
class BySequentials(nn.Module):
    """The branches defined, and run, from the last to the first."""

    def __init__(self, in_channels, widths):
        super().__init__()
        c1, r3, c3, r5, c5, pool = widths

        def conv(inputs, outputs, size):
            layer = nn.Conv2d(inputs, outputs, size, padding="same")
            return nn.Sequential(layer, nn.ReLU(inplace=True))

        self.branches = nn.ModuleList(
            [
                nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(in_channels, pool, 1)),
                nn.Sequential(conv(in_channels, r5, 1), conv(r5, c5, 5)),
                nn.Sequential(conv(in_channels, r3, 1), conv(r3, c3, 3)),
                conv(in_channels, c1, 1),
            ]
        )

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches][::-1], 1)


@Inception.right
class ThreeInOne(nn.Module):
    """The three 1×1 convolutions that see the input computed as one."""

    def __init__(self, in_channels, widths):
        super().__init__()
        self.widths = c1, r3, c3, r5, c5, pool = widths
        self.ones = nn.Conv2d(in_channels, r5 + c1 + r3, kernel_size=1)
        self.three = nn.Conv2d(r3, c3, kernel_size=3, padding=1)
        self.five = nn.Conv2d(r5, c5, kernel_size=5, padding=2)
        self.last = nn.Conv2d(in_channels, pool, kernel_size=1)

    def forward(self, x):
        c1, r3, _, r5, _, _ = self.widths
        for5, one, for3 = torch.split(torch.relu(self.ones(x)), [r5, c1, r3], dim=1)
        pooled = self.last(F.max_pool2d(x, 3, 1, 1))
        return torch.cat([one, self.three(for3), self.five(for5), pooled], dim=1).relu()


@Inception.right
class ByMatrices(nn.Module):
    """The 1×1 convolutions as linear layers over the channels."""

    def __init__(self, in_channels, widths):
        super().__init__()
        c1, r3, c3, r5, c5, pool = widths
        self.one, self.reduce3 = nn.Linear(in_channels, c1), nn.Linear(in_channels, r3)
        self.reduce5, self.project = nn.Linear(in_channels, r5), nn.Linear(in_channels, pool)
        self.three = nn.Conv2d(r3, c3, 3, padding=1)
        self.five = nn.Conv2d(r5, c5, 5, padding=2)

    def at_each_pixel(self, layer, x):
        return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).relu()

    def forward(self, x):
        one = self.at_each_pixel(self.one, x)
        three = self.three(self.at_each_pixel(self.reduce3, x)).relu()
        five = self.five(self.at_each_pixel(self.reduce5, x)).relu()
        pooled = self.at_each_pixel(self.project, F.max_pool2d(x, 3, stride=1, padding=1))
        return torch.cat((one, three, five, pooled), dim=1)


mutants(
    Inception,
    BY_FUNCTIONS,
    ("which are dimension 1", "dim=1", "dim=0"),
    ("cannot be added", JOINED, "one + three + five + pooled"),
    ("must keep the size", "stride=1, padding=1", "stride=2, padding=1"),
    ("padding 1 for 3×3", "3, padding=1)", "3)"),
    ("the order 1×1, 3×3, 5×5, pool", "[one, three, five,", "[three, one, five,"),
    ("the 1×1 ones before 3×3 and 5×5 too", "F.relu(self.reduce3(x))", "self.reduce3(x)",
     "F.relu(self.reduce5(x))", "self.reduce5(x)"),
    ("the last convolution of each branch", "one = F.relu(self.one(x))", "one = self.one(x)",
     "F.relu(self.three(", "(self.three(", "F.relu(self.five(", "(self.five(",
     "F.relu(self.project(self.max_pool(x)))", "self.project(self.max_pool(x))"),
    ("each of the six convolutions", "F.relu(", "("),
    ("the pool comes first", "self.project(self.max_pool(x))", "self.max_pool(self.project(x))"),
    ("the largest value of each window", "nn.MaxPool2d", "nn.AvgPool2d"),
    ("filters of 5×5 with padding 2", "5, padding=2", "3, padding=1"),
    ("each takes x itself", "(in_channels, r3, 1)", "(c1, r3, 1)", "self.reduce3(x)",
     "self.reduce3(one)", "(in_channels, r5, 1)", "(c3, r5, 1)", "self.reduce5(x)",
     "self.reduce5(three)", "(in_channels, pool, 1)", "(c5, pool, 1)", "self.max_pool(x)",
     "self.max_pool(five)", JOINED, "pooled"),
    ("to r3 channels and to r5", "self.reduce5 = nn.Conv2d(in_channels, r5, 1)", "",
     "nn.Conv2d(r5, c5", "nn.Conv2d(r3, c5", "reduce5(x)", "reduce3(x)"),
    ("they are what makes the module cheap", "self.reduce3 = nn.Conv2d(in_channels, r3, 1)", "",
     "self.reduce5 = nn.Conv2d(in_channels, r5, 1)", "", "nn.Conv2d(r3,", "nn.Conv2d(in_channels,",
     "nn.Conv2d(r5,", "nn.Conv2d(in_channels,", "F.relu(self.reduce3(x))", "x",
     "F.relu(self.reduce5(x))", "x"),
    ("with its ReLU, follows it", "self.project = nn.Conv2d(in_channels, pool, 1)", "",
     "F.relu(self.project(self.max_pool(x)))", "self.max_pool(x)"),
    ("every window moves by one pixel", "c1, 1)", "c1, 1, stride=2)"),
    ("the filters are 1×1, 3×3 and 5×5", "c3, 3, padding=1", "c3, 5, padding=2"),
    ("3×3 takes r3, and 5×5 takes r5", "nn.Conv2d(in_channels, r3, 1)",
     "nn.Conv2d(in_channels, r5, 1)", "nn.Conv2d(r3, c3", "nn.Conv2d(r5, c3"),
    ("two in the second and in the third", "self.project = nn.Conv2d(in_channels, pool, 1)", "",
     "self.five = nn.Conv2d(r5, c5, 5, padding=2)", "",
     "F.relu(self.five(F.relu(self.reduce5(x))))", "F.relu(self.reduce5(x))",
     "F.relu(self.project(self.max_pool(x)))", "self.max_pool(x)"),
    ("torchvision's has", "self.max_pool =", "self.norm = nn.BatchNorm2d(c1)\nself.max_pool =",
     "F.relu(self.one(x))", "F.relu(self.norm(self.one(x)))"),
    ("before its last linear layer", JOINED, f"F.dropout({JOINED}, 0.4, self.training)"),
    ("on maps of the input's size", JOINED, f"{JOINED}.flatten(1)"),
    ("with a bias here", "c1, 1)", "c1, 1, bias=False)"),
)  # fmt: skip


# --- training_loss --------------------------------------------------------------------------

training_loss = Bank("training_loss")

LOSS = Text("""
def training_loss(outputs, labels, weight=0.3):
    if not isinstance(outputs, tuple):
        return F.cross_entropy(outputs, labels)
    main, *auxiliary = outputs
    loss = F.cross_entropy(main, labels)
    for logits in auxiliary:
        loss = loss + weight * F.cross_entropy(logits, labels)
    return loss
""")


@training_loss.blank
def training_loss_stub(outputs, labels, weight=0.3):
    raise NotImplementedError


training_loss.right(LOSS())


@training_loss.right
def by_weights(outputs, labels, weight=0.3):
    if torch.is_tensor(outputs):
        outputs = (outputs,)
    weights = [1.0] + [weight] * (len(outputs) - 1)
    return sum(w * nn.CrossEntropyLoss()(o, labels) for w, o in zip(weights, outputs, strict=True))


@training_loss.right
def by_log_softmax(outputs, labels, weight=0.3):
    def loss(logits):
        return F.nll_loss(logits.log_softmax(dim=1), labels)

    if isinstance(outputs, torch.Tensor):
        return loss(outputs)
    return loss(outputs[0]) + weight * sum(map(loss, outputs[1:]))


@training_loss.right
def by_stacking(outputs, labels, weight=0.3):
    if isinstance(outputs, torch.Tensor):
        return F.cross_entropy(outputs, labels)
    losses = torch.stack([F.cross_entropy(logits, labels) for logits in outputs])
    return losses[0] * (1 - weight) + weight * losses.sum()


mutants(
    training_loss,
    LOSS,
    ("losses are to be added", "loss = loss + weight * F", "F"),
    ("0.3 of it, by default", "weight * ", ""),
    ("in place of the number", "+ weight *", "+ 0.3 *"),
    ("mind the brackets", "    loss = F.cross_entropy(main, labels)",
     "    loss = weight * F.cross_entropy(main, labels)"),
    ("the first of outputs is the main one", "main, *auxiliary = outputs",
     "*auxiliary, main = outputs"),
    ("nothing is averaged over the heads", "return loss", "return loss / len(outputs)"),
    ("whatever the weight is", "loss = F.cross_entropy(main, labels)",
     "loss = F.cross_entropy(main, labels)\nif auxiliary:\n    loss = loss * (1 - weight)"),
    ("any number of heads", "in auxiliary:", "in auxiliary[:1]:"),
    ("a cross-entropy for each, and then the sum", "loss = F.cross_entropy(main, labels)",
     "return F.cross_entropy(torch.stack(outputs).mean(0), labels)"),
    ("leave yours out", "(outputs, labels)", "(outputs.softmax(1), labels)",
     "(main, labels)", "(main.softmax(1), labels)", "(logits, labels)",
     "(logits.softmax(1), labels)"),
    ("the mean over the images", ", labels)", ", labels, reduction='sum')"),
    ("outputs is then a tensor", "    if not isinstance(outputs, tuple):",
     "    if outputs is None:"),
    ("nothing is added", "main, *auxiliary = outputs", "main, first, *auxiliary = outputs",
     "loss = F.cross_entropy(main, labels)",
     "loss = F.cross_entropy(main, labels) + weight * F.cross_entropy(first, labels)"),
    ("the heads are there for their gradients", "(logits, labels)", "(logits.detach(), labels)"),
    (".numpy() and in-place operations fail here", "loss = F.cross_entropy(main, labels)",
     "loss = torch.tensor(F.cross_entropy(main, labels).numpy())"),
    ("cut off from the graph", "loss = F.cross_entropy(main, labels)",
     "loss = F.cross_entropy(main / 2 + main.detach() / 2, labels)"),
    ("averages over the batch", "return loss", "return loss[None]"),
    ("compute the cross-entropy of each", "return loss", "return loss + 1"),
)  # fmt: skip
