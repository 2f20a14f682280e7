"""Networks are judged by what they compute, and come back as they were."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils.checks import vgg
from labutils.checks.frame.ask import Wrong
from labutils.checks.judges import networks
from labutils.checks.judges.recorder import record


class Oracle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc1 = nn.Linear(4 * 3 * 2, 6)
        self.fc2 = nn.Linear(6, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


IMAGES = torch.randn(4, 3, 6, 4, generator=torch.Generator().manual_seed(0))


def judge(answer, **options):
    torch.manual_seed(0)
    return networks.judge(answer, Oracle, IMAGES, **options)


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


def changed(forward):
    class Changed(Oracle):
        pass

    Changed.forward = forward
    return Changed


def head(self, x):
    return self.fc2(F.relu(self.fc1(x.flatten(1))))


@pytest.mark.parametrize(
    "forward, piece",
    [
        (lambda s, x: head(s, F.max_pool2d(s.conv(x), 2)), "no more than one linear map"),
        (lambda s, x: head(s, F.avg_pool2d(F.relu(s.conv(x)), 2)), "not the mean"),
        (lambda s, x: Oracle.forward(s, x).softmax(1), "cross_entropy applies softmax"),
        (lambda s, x: Oracle.forward(s, x).log_softmax(1), "cross_entropy applies softmax"),
        (lambda s, x: Oracle.forward(s, x).relu(), "cut off every negative"),
        (lambda s, x: Oracle.forward(s, F.dropout(x, 0.5, s.training)), "not part of this network"),
        (lambda s, x: Oracle.forward(s, F.dropout(x, 0.5)), "has to be told"),
        (
            lambda s, x: Oracle.forward(s, x) * (2 if s.training else 1),
            "training and in evaluation",
        ),
        (lambda s, x: Oracle.forward(s, x) + 1, "line by line"),
        (lambda s, x: Oracle.forward(s, x - x.mean(0)), "line by line"),
        (lambda s, x: Oracle.forward(s, x).squeeze(), "squeeze() drops"),
        (lambda s, x: Oracle.forward(s, x).detach(), "cuts the graph"),
        (lambda s, x: Oracle.forward(s, x).numpy(force=True), "torch"),
        (
            lambda s, x: head(s, F.max_pool2d(F.relu(s.conv(x)), 2)[:, :, :2]),
            "must take exactly",
        ),
    ],
)
def test_what_differs_is_named(forward, piece):
    with pytest.raises(Wrong) as caught:
        judge(changed(forward))
    assert piece in caught.value.hint, caught.value.hint


def test_the_parameter_count_says_where():
    class NoBias(Oracle):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)

    with pytest.raises(Wrong, match=r"4 fewer. No bias: convolution 1\.$"):
        judge(NoBias)


def test_variants_and_known_mistakes_are_recognised():
    class Twice(Oracle):
        def forward(self, x):
            return super().forward(2 * x)

    assert judge(Twice, also=[networks.Network(Twice, "fine too")]) == "fine too"
    with pytest.raises(Wrong, match="doubled") as caught:
        judge(Twice, mistakes=[networks.Network(Twice, "doubled", "halve")])
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


class WithDropout(Oracle):
    def __init__(self, p=0.5, before=False, after=True):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(24, 800), nn.Linear(800, 5)
        self.p, self.before, self.after = p, before, after

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2).flatten(1)
        x = F.dropout(x, self.p, self.training and self.before)
        x = F.relu(self.fc1(x))
        return self.fc2(F.dropout(x, self.p, self.training and self.after))


def test_dropout_is_measured_where_it_acts():
    rates = []
    for options in ({"p": 0.3}, {"p": 0.5, "before": True}, {"after": False}):
        networks.judge(
            lambda o=options: WithDropout(**o), WithDropout, IMAGES, dropout=rates.append
        )
    assert [sorted(found) for found in rates] == [[2], [1, 2], []]
    assert rates[0][2] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    "wanted, piece",
    [
        (networks.Dropout(0.2, (frozenset({2}),)), "not the share that is kept"),
        (networks.Dropout(0.5, (frozenset({1}),)), "hidden linear layers only"),
        (networks.Dropout(0.5, (frozenset({1, 2}),)), "each gets one"),
        (networks.NO_DROPOUT, "not part of this network"),
    ],
)
def test_dropout_elsewhere_is_named(wanted, piece):
    with pytest.raises(Wrong) as caught:
        networks.judge(WithDropout, WithDropout, IMAGES, dropout=wanted)
    assert piece in caught.value.hint


@pytest.mark.parametrize(
    "name, config", [("vgg11", "CONFIGURATION_A"), ("vgg16", "CONFIGURATION_D")]
)
def test_the_vgg_features_are_torchvisions(name, config):
    import torchvision

    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)().features
    theirs = theirs.to_empty(device="cpu")
    ours = vgg.make_features(getattr(vgg, config))
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))


def test_the_number_of_parameters_of_the_references():
    with torch.device("meta"):
        counts = [sum(p.numel() for p in net().parameters()) for net in (vgg.VGG11, vgg.VGG16)]
    conv = 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256**2 + 256 * 512 + 3 * 512**2)
    assert counts[0] == conv + (64 + 128 + 2 * 256 + 4 * 512) + 5_130
    assert counts[1] == 14_714_688 + 513 * 4096 + 4097 * 4096 + 4097 * 10


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
