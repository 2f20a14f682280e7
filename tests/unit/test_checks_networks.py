"""Networks are judged by what they compute, and come back as they were."""

import copy
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks.frame.ask import Wrong
from labutils.checks.judges.networks import HINTS, NO_DROPOUT, Dropout, Network
from labutils.checks.judges.recorder import record
from labutils.checks.judges.values import table


class Oracle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc1 = nn.Linear(4 * 3 * 2, 6)
        self.fc2 = nn.Linear(6, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Branches(nn.Module):
    """Two branches, run from the last to the first if asked for."""

    def __init__(self, dim=1, stride=1, added=False, backwards=False):
        super().__init__()
        self.one, self.three = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 4, 3, stride, padding=1)
        self.dim, self.added, self.backwards = dim, added, backwards

    def forward(self, x):
        if self.backwards:
            three, one = self.three(x), self.one(x)
        else:
            one, three = self.one(x), self.three(x)
        return one + three if self.added else torch.cat([one, three], self.dim)


class Normed(nn.Module):
    """Two convolutions with BatchNorms, the second one's beside a way past, and a linear layer."""

    def __init__(self, bias=False, momentum=0.1):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3, padding=1, bias=bias), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4, momentum=momentum)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return self.fc((x + self.norm2(self.conv2(x))).mean((2, 3)))


def normed(norm1, **options):
    """The same with another first part."""

    class Changed(Normed):
        def forward(self, x):
            x = norm1(self, x)
            return self.fc((x + self.norm2(self.conv2(x))).mean((2, 3)))

    return lambda: Changed(**options)


def by_function(self, x, training=None):
    norm, training = self.norm1, self.training if training is None else training
    statistics = (norm.running_mean, norm.running_var)
    x = F.batch_norm(self.conv1(x), *statistics, norm.weight, norm.bias, training)
    return x.relu_()


def with_statistics_in_evaluation_only(self, x):
    norm = self.norm1
    if self.training:
        return F.batch_norm(self.conv1(x), None, None, norm.weight, norm.bias, True).relu()
    return by_function(self, x)


IMAGES = torch.randn(4, 3, 6, 4, generator=torch.Generator().manual_seed(0))


def exercise(oracle=Oracle, shape=IMAGES.shape, **options):
    return Network("Toy", "00_toy", 1, oracle, tuple(shape), idea="", **options)


def judge(answer, toy=None):
    torch.manual_seed(0)
    return (toy or exercise()).judge(answer, IMAGES)


def flattened(*order):
    class Flattened(Oracle):
        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv(x)), 2)
            return self.fc2(F.relu(self.fc1(x.permute(0, *order).flatten(1))))

    return Flattened


@pytest.mark.parametrize(
    "order", [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)]
)
def test_a_flatten_in_any_order_passes(order):
    assert judge(flattened(*order)) is None


class Branched(Branches):
    """The branches, joined in another way."""

    def __init__(self, join):
        super().__init__()
        self.join = join

    def forward(self, x):
        return self.join(self, x)


def test_branches_run_in_any_order_and_are_told_apart():
    toy = exercise(Branches, branches=True)
    assert toy.run(lambda: Branches(backwards=True)).passed
    result = toy.run(lambda: Branches(stride=2))
    assert result.hint == HINTS["stride"]
    swapped = toy.run(lambda: Branched(lambda s, x: torch.cat([s.three(x), s.one(x)], 1)))
    assert not swapped.passed and swapped.hint == HINTS["other"]


@pytest.mark.parametrize(
    "answer",
    [
        Normed,
        normed(by_function),
        lambda: nn.init.zeros_((model := Normed()).norm2.weight) is None or model,
    ],
)
@pytest.mark.parametrize("branches", [True, False])
def test_a_batch_norm_passes_in_both_modes(answer, branches):
    result = exercise(Normed, branches=branches).run(answer)
    assert result.passed, result


@pytest.mark.parametrize(
    "answer, key",
    [
        (normed(lambda s, x: by_function(s, x, False)), "modes"),
        (normed(lambda s, x: by_function(s, x, True)), "mixed"),
        (normed(lambda s, x: s.norm1(s.conv1(x).relu_())), "norm places"),
        (
            normed(lambda s, x: s.norm1(s.conv1(s.norm1(x[:, [0, 1, 2, 0]])[:, :3])).relu()),
            "batch norm",
        ),
        (normed(with_statistics_in_evaluation_only), "running"),
        (normed(lambda s, x: F.dropout(by_function(s, x), 0.5, s.training)), "dropout"),
        (normed(lambda s, x: F.relu(s.norm2(s.conv1(x)))), "unused"),
    ],
)
def test_what_is_wrong_with_a_batch_norm_is_named(answer, key):
    assert exercise(Normed).run(answer).hint == HINTS[key]


def test_a_network_with_batch_norm_comes_back_as_it_was():
    model = Normed().train()
    before = copy.deepcopy(model.state_dict())
    assert judge(lambda: model, exercise(Normed)) is None
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_arguments_are_handed_over_by_name_too():
    def build(width, *, bias=False):
        return nn.Sequential(nn.Flatten(), nn.Linear(72, width), nn.Linear(width, 5, bias=bias))

    toy = exercise(build, calls=((3, {"bias": True}), (4,)))
    assert toy.run(build).passed
    result = toy.run(lambda width, bias=False: build(width))
    assert result.message.startswith("Toy(3, bias=True) has 23")


def test_a_right_network_is_examined_further():
    toy = exercise()

    @toy.then
    def refuse(answer):
        raise Wrong("never", "hint")

    assert toy.run(Oracle).hint == "hint" and toy.run(lambda: None).hint != "hint"


class Matrices(Oracle):
    """Weights stored as (in, out), images in the columns for the last layer, biases added."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(24, 6)), nn.Parameter(torch.zeros(6))
        self.c, self.d = nn.Parameter(torch.randn(5, 6)), nn.Parameter(torch.zeros(5, 1))
        del self.fc1, self.fc2

    def forward(self, x):
        x = F.max_pool2d(self.conv(x).clamp(min=0), 2).flatten(1)
        return (self.c @ torch.relu(x @ self.a + self.b).T + self.d).T


class Unfolded(Oracle):
    """The convolution as a product with unfolded windows."""

    def forward(self, x):
        columns = F.unfold(x, 3, padding=1).transpose(1, 2)  # (N, HW, 27)
        y = columns @ self.conv.weight.flatten(1).T + self.conv.bias
        y = F.relu(y).transpose(1, 2).reshape(len(x), 4, 6, 4)
        return self.fc2(F.relu(self.fc1(F.max_pool2d(y, 2).flatten(1))))


class ByOffset(Oracle):
    """The first linear layer as a sum over channels: no layer of its own to map."""

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        weights = self.fc1.weight.view(6, 4, 6)
        y = sum(x[:, c].flatten(1) @ weights[:, c].T for c in range(4)) + self.fc1.bias
        return self.fc2(F.relu(y))


class Convolutional(Oracle):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Conv2d(4, 6, (3, 2))

    def forward(self, x):
        x = F.relu(self.fc1(F.max_pool2d(F.relu(self.conv(x)), 2)))
        return self.fc2(x.flatten(1))


class Lazy(Oracle):
    def __init__(self):
        super().__init__()
        self.conv, self.fc1 = nn.LazyConv2d(4, 3, padding=1), nn.LazyLinear(6)


@pytest.mark.parametrize("answer", [Oracle, Matrices, Unfolded, ByOffset, Convolutional, Lazy])
def test_any_way_of_writing_it_passes(answer):
    assert judge(answer) is None


def changed(forward=Oracle.forward, **layers):
    """The oracle with another forward, or with other layers."""

    class Changed(Oracle):
        def __init__(self):
            super().__init__()
            for name, layer in layers.items():
                setattr(self, name, layer)

    Changed.forward = forward
    return Changed


def head(self, x):
    return self.fc2(F.relu(self.fc1(x.flatten(1))))


def pooled(self, x):
    return F.max_pool2d(F.relu(self.conv(x)), 2)


class WithDropout(Oracle):
    """Dropout ``before`` the first linear layer, and ``after`` it."""

    def __init__(self, p=0.5, before=False, after=True, drop=F.dropout):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(24, 800), nn.Linear(800, 5)
        self.p, self.before, self.after, self.drop = p, before, after, drop

    def forward(self, x):
        x = self.drop(pooled(self, x).flatten(1), self.p, self.training and self.before)
        return self.fc2(self.drop(F.relu(self.fc1(x)), self.p, self.training and self.after))


def with_dropout(p, *places):
    return exercise(WithDropout, dropout=Dropout(p, tuple(map(frozenset, places))))


def own_dropout(scale, *shape):
    """One that multiplies what it keeps by ``scale``, its mask in ``shape`` or in that of x."""

    def drop(x, p, training):
        return x * (torch.rand(shape or x.shape) >= p) * scale if training else x

    return drop


class SoftmaxInTraining(WithDropout):
    def forward(self, x):
        return super().forward(x).softmax(1) if self.training else super().forward(x)


def cut_in_training(self, x):
    logits = Oracle.forward(self, x)
    return logits.detach() if self.training else logits


def off_in_training(self, x):
    if self.training:
        torch.set_grad_enabled(False)
    return Oracle.forward(self, x)


def one_layer_twice():
    layer = nn.Linear(72, 72)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer)


def two_layers():
    return nn.Sequential(nn.Flatten(), nn.Linear(72, 72), nn.ReLU(), nn.Linear(72, 72))


# For each hint of the judge an answer that gets it; with another exercise, where the toy has none.
WRONG = {
    "instance": Oracle(),
    "return": lambda: None,
    "list": lambda: [Oracle()],
    "module": lambda: torch.zeros(4, 5),
    "several": changed(lambda s, x: (Oracle.forward(s, x), x)),
    "not finite": changed(lambda s, x: Oracle.forward(s, x) / 0),
    "softmax": changed(lambda s, x: Oracle.forward(s, x).softmax(1)),
    "no ReLU": changed(lambda s, x: head(s, F.max_pool2d(s.conv(x), 2))),
    "extra ReLU": changed(lambda s, x: Oracle.forward(s, x).relu()),
    "other activation": changed(lambda s, x: head(s, F.max_pool2d(F.gelu(s.conv(x)), 2))),
    "no pool": changed(lambda s, x: head(s, F.relu(s.conv(x))[..., ::2, ::2])),
    "extra pool": changed(lambda s, x: head(s, F.max_pool2d(pooled(s, x), 3, 1, 1))),
    "response norm": changed(lambda s, x: head(s, F.local_response_norm(pooled(s, x), 3))),
    "no response norm": (
        Oracle,
        exercise(changed(lambda s, x: head(s, F.local_response_norm(pooled(s, x), 3, 1.0)))),
    ),
    "average pool": changed(lambda s, x: head(s, F.avg_pool2d(F.relu(s.conv(x)), 2))),
    "pool size": changed(lambda s, x: head(s, F.max_pool2d(F.relu(s.conv(x)), 3, 2, 1))),
    "batch norm": changed(lambda s, x: head(s, F.layer_norm(pooled(s, x), (4, 3, 2)))),
    "dropout": changed(lambda s, x: Oracle.forward(s, F.dropout(x, 0.5, s.training))),
    "dropout in eval": changed(lambda s, x: Oracle.forward(s, F.dropout(x, 0.5))),
    "no dropout": (lambda: WithDropout(after=False), with_dropout(0.5, {2})),
    "missing dropout": (WithDropout, with_dropout(0.5, {1, 2})),
    "dropout last": (
        changed(lambda s, x: F.dropout(Oracle.forward(s, x), 0.5, s.training)),
        exercise(dropout=Dropout(0.5, (frozenset({2}),))),
    ),
    "dropout elsewhere": (WithDropout, with_dropout(0.5, {1})),
    "dropout rate": (WithDropout, with_dropout(0.2, {2})),
    "dropout scale": (lambda: WithDropout(drop=own_dropout(1)), with_dropout(0.5, {2})),
    "dropout mask": (lambda: WithDropout(drop=own_dropout(2, 1, 800)), with_dropout(0.5, {2})),
    "stride": changed(lambda s, x: head(s, F.relu(s.conv(x))), conv=nn.Conv2d(3, 4, 3, 2, 1)),
    "dilation": changed(conv=nn.Conv2d(3, 4, 3, padding=2, dilation=2)),
    "padding": changed(conv=nn.Conv2d(3, 4, 3)),
    "kernel": changed(conv=nn.Conv2d(3, 4, 5, padding=2)),
    "channels": changed(conv=nn.Conv2d(3, 8, 3, padding=1), fc1=nn.Linear(48, 6)),
    "features": changed(fc1=nn.Linear(24, 7), fc2=nn.Linear(7, 5)),
    "groups": changed(conv=nn.Conv2d(3, 6, 3, padding=1, groups=3), fc1=nn.Linear(36, 6)),
    "too many": changed(fc2=nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 5))),
    "too few": changed(lambda s, x: s.fc1(pooled(s, x).flatten(1)), fc1=nn.Linear(24, 5)),
    "bias": changed(conv=nn.Conv2d(3, 4, 3, padding=1, bias=False)),
    "needless bias": (lambda: Normed(bias=True), exercise(Normed)),
    "norm places": (normed(lambda s, x: s.norm1(s.conv1(x).relu())), exercise(Normed)),
    "running": (lambda: Normed(momentum=0.01), exercise(Normed)),
    "unused": changed(spare=nn.Linear(6, 5)),
    "shared": (one_layer_twice, exercise(two_layers)),
    "unregistered": changed(
        lambda s, x: nn.Linear(6, 5)(F.relu(s.fc1(pooled(s, x).flatten(1)))), fc2=None
    ),
    "flatten": changed(lambda s, x: s.fc2(F.relu(s.fc1(pooled(s, x).flatten())))),
    "size": changed(lambda s, x: head(s, pooled(s, x)[:, :, :2])),
    "shape": changed(lambda s, x: Oracle.forward(s, x)[..., None]),
    "single": changed(lambda s, x: Oracle.forward(s, x).squeeze()),
    "mixed": changed(lambda s, x: Oracle.forward(s, x - x.mean(0))),
    "modes": changed(lambda s, x: Oracle.forward(s, x) * (2 if s.training else 1)),
    "gradient": changed(lambda s, x: Oracle.forward(s, x).detach()),
    "other": changed(lambda s, x: Oracle.forward(s, x) + 1),
    "join": (lambda: Branches(dim=2), exercise(Branches, branches=True)),
    "join sizes": (
        lambda: Branched(lambda s, x: torch.cat([s.one(x), s.three(x)[..., 1:]], 1)),
        exercise(Branches, branches=True),
    ),
    "add": (lambda: Branches(added=True), exercise(Branches, branches=True)),
    "num_classes": (lambda n=5: Oracle(), exercise(lambda n=5: Oracle(), num_classes=7)),
}


@pytest.mark.parametrize("key", HINTS)
def test_what_differs_is_named(key):
    answer, toy = WRONG[key] if isinstance(WRONG[key], tuple) else (WRONG[key], exercise())
    result = toy.run(answer)
    assert result.hint == HINTS[key], result


@pytest.mark.parametrize(
    "forward, piece",
    [
        (lambda s, x: Oracle.forward(s, x).log_softmax(1), HINTS["softmax"]),
        (lambda s, x: Oracle.forward(s, x).softmax(0), HINTS["softmax"]),
        (lambda s, x: Oracle.forward(s, x).numpy(force=True), "torch"),
        (lambda s, x: 1 / 0 if s.training else Oracle.forward(s, x), HINTS["modes"]),
        (cut_in_training, HINTS["gradient"]),
        (off_in_training, "Switch gradients off for a block only"),
    ],
)
def test_it_is_named_in_other_forms_too(forward, piece):
    result = exercise().run(changed(forward))
    assert piece in result.hint, result


@pytest.mark.parametrize(
    "answer, key",
    [
        (lambda: WithDropout(p=0.45), "dropout rate"),
        (lambda: WithDropout(p=0.48), "dropout rate"),
        (lambda: WithDropout(drop=F.alpha_dropout), "modes"),
        (lambda: SoftmaxInTraining(), "modes"),
    ],
)
def test_dropout_is_measured_well(answer, key):
    assert with_dropout(0.5, {2}).run(answer).hint == HINTS[key]


def test_an_exercise_says_it_in_its_own_words():
    result = exercise(hints={"bias": "With a bias, please."}).run(WRONG["bias"])
    assert result.hint == "With a bias, please."
    assert result.message.endswith("4 fewer. No bias: convolution 1.")


def test_variants_and_known_mistakes_are_recognised():
    class Twice(Oracle):
        def forward(self, x):
            return super().forward(2 * x)

    toy = exercise()
    toy.also("fine too", Twice)
    assert judge(Twice, toy) == "fine too"
    toy = exercise()
    toy.mistakes += table(("It is doubled.", Oracle, Twice, "halve"))
    with pytest.raises(Wrong, match="doubled") as caught:
        judge(Twice, toy)
    assert caught.value.hint == "halve"


def test_a_network_of_the_students_own_comes_back_as_it_was():
    model = nn.Sequential(Oracle(), nn.BatchNorm1d(5)).train()
    before = copy.deepcopy(model.state_dict())
    pointers = [p.data_ptr() for p in model.parameters()]
    with pytest.raises(Wrong):
        judge(lambda: model)
    assert model.training and model[0].training
    assert pointers == [p.data_ptr() for p in model.parameters()]
    after = model.state_dict()
    assert all(after[key].equal(before[key]) for key in before)


@pytest.mark.parametrize(
    "options, dropout",
    [
        ({"p": 0.3}, Dropout(0.3, (frozenset({2}),))),
        ({"before": True}, Dropout(0.5, (frozenset({2}), frozenset({1, 2})))),
        ({"before": True, "after": False}, Dropout(0.5, (frozenset({2}), frozenset({1})))),
        ({"drop": own_dropout(2)}, Dropout(0.5, (frozenset({2}),))),
        ({"after": False}, NO_DROPOUT),
    ],
)
def test_dropout_passes_in_all_its_right_places(options, dropout):
    assert judge(lambda: WithDropout(**options), exercise(WithDropout, dropout=dropout)) is None


def test_a_recording_tells_layers_and_steps_in_order_of_execution():
    run = record(Oracle().eval(), IMAGES)
    assert run.labels() == ["convolution 1", "linear layer 1", "linear layer 2"]
    assert [[str(s) for s in gap] for gap in run.gaps] == [
        [],
        ["ReLU", "max pool 2×2, stride 2"],
        ["ReLU"],
        [],
    ]
    assert run.layers[1].picture == (4, 3, 2)


NO_IMPORTS_LATE = """
import sys
from labutils.checks import EXERCISES
exercise, before = EXERCISES["ResidualBlock"], []
examine = exercise.examine
exercise.examine = lambda answer: before.append(len(sys.modules)) or examine(answer)
assert exercise.run(exercise.oracle).passed
print(len(sys.modules) - before[0])
"""


def test_torch_loads_its_compiler_before_the_clock_starts():
    command = [sys.executable, "-c", NO_IMPORTS_LATE]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(answer.stdout) < 20, "hundreds of modules are loaded while an answer is judged"
