"""Output sizes, receptive fields and layer tables, held against PyTorch itself."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from labutils.shapes import ReceptiveField, Row, Trace, output_size, receptive_field, trace

windows = st.tuples(
    st.integers(1, 6), st.integers(1, 5), st.integers(0, 4), st.integers(1, 3)
)  # kernel size, stride, padding, dilation


# --- output_size ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(size=st.integers(1, 40), window=windows)
def test_output_size_is_that_of_a_convolution(size, window):
    layer = nn.Conv1d(1, 1, *window, device="meta")
    try:
        expected = layer(torch.empty(1, 1, size, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, *window)
    else:
        assert output_size(size, *window) == expected


@settings(deadline=None, max_examples=300)
@given(size=st.integers(1, 40), window=windows, ceil_mode=st.booleans())
def test_output_size_is_that_of_a_pooling(size, window, ceil_mode):
    kernel_size, stride, padding, dilation = window
    padding = min(padding, kernel_size // 2)  # PyTorch allows no more
    layer = nn.MaxPool2d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    try:
        expected = layer(torch.empty(1, 1, size, size, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, kernel_size, stride, padding, dilation, ceil_mode)
    else:
        assert output_size(size, kernel_size, stride, padding, dilation, ceil_mode) == expected


def test_ceil_mode_starts_no_window_in_the_padding():
    # Rounded up there would be 3 windows, the third one beginning at pixel 4, beyond the image's 3.
    assert output_size(3, kernel_size=2, stride=3, padding=1, ceil_mode=True) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3, 5), ValueError, "5 pixels does not fit into an input of 3 pixels"),
        ((0, 1), ValueError, "size must be at least 1, got 0"),
        ((8, 0), ValueError, "kernel_size must be at least 1"),
        ((8, 3, 0), ValueError, "stride must be at least 1"),
        ((8, 3, 1, -1), ValueError, "padding must be at least 0"),
        ((8, 3, 1, 0, 0), ValueError, "dilation must be at least 1"),
        ((8.0, 3), TypeError, "size must be a whole number, got 8.0"),
        ((8, 3, True), TypeError, "stride must be a whole number"),
    ],
)
def test_output_size_says_what_is_wrong(arguments, error, words):
    with pytest.raises(error, match=words):
        output_size(*arguments)


# --- receptive_field ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(layers=st.lists(windows, max_size=4))
def test_receptive_field_is_the_support_of_the_gradient(layers):
    expected = receptive_field(layers)
    stack = nn.Sequential(*(nn.Conv1d(1, 1, *window) for window in layers))
    for weight in stack.parameters():  # no zeros and no cancelling
        nn.init.uniform_(weight, 0.5, 1.0)
    image = torch.ones(1, 1, 6000, requires_grad=True)
    output = stack(image)
    position = output.shape[-1] // 2  # far from the padding, which has no gradient
    (grad,) = torch.autograd.grad(output[0, 0, position], image)
    seen = grad[0, 0].nonzero().flatten().tolist()
    first = expected.start + position * expected.jump
    assert (seen[0], seen[-1]) == (first, first + expected.field - 1)


def test_receptive_field_accepts_kernel_sizes_alone():
    assert receptive_field([]) == ReceptiveField(1, 1, 0)
    assert receptive_field([3, 3, 3]).field == receptive_field([7]).field == 7
    assert receptive_field([(11, 4), (3, 2)]) == ReceptiveField(field=19, jump=8, start=0)


def test_receptive_field_says_what_is_wrong():
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        receptive_field([(3, 0)])
    with pytest.raises(ValueError, match="a layer is"):
        receptive_field([(3, 1, 1, 1, 1)])
    with pytest.raises(TypeError, match="kernel_size must be a whole number"):
        receptive_field([(3.5,)])


# --- trace ----------------------------------------------------------------------------------------

TORCHVISION = (
    "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "googlenet", "resnet18", "resnet34", "resnet50",
)  # fmt: skip


def from_torchvision(name, **options):
    """A torchvision model without memory, in evaluation mode."""
    import torchvision

    options |= {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        return getattr(torchvision.models, name)(**options).eval()


@pytest.mark.parametrize("name", TORCHVISION)
def test_trace_equals_pytorch(name):
    model = from_torchvision(name)
    table = trace(model, (3, 224, 224))

    shapes = []
    for layer_name, layer in model.named_modules():
        if not list(layer.children()):
            layer.register_forward_hook(
                lambda _, inputs, output, name=layer_name: shapes.append((name, output.shape[1:]))
            )
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        model(torch.empty(1, 3, 224, 224, device="meta"))

    modules = {layer_name for layer_name, _ in shapes}
    assert [(r.name, r.output_shape) for r in table.rows if r.name in modules] == shapes
    assert table.total_parameters == sum(p.numel() for p in model.parameters())
    assert 2 * table.total_macs == flops.get_total_flops()

    for row in table.rows:
        if row.name in modules:
            layer = model.get_submodule(row.name)
            assert row.kind == type(layer).__name__
            assert row.parameters == sum(p.numel() for p in layer.parameters())
            by_layer = flops.get_flop_counts().get(f"{type(model).__name__}.{row.name}", {})
            assert 2 * row.macs == sum(by_layer.values())
            if isinstance(layer, nn.Conv2d):
                window = (row.kernel_size, row.stride, row.padding)
                assert window == (layer.kernel_size, layer.stride, layer.padding)


def test_unused_parameters_are_googlenets_auxiliary_classifiers():
    model = from_torchvision("googlenet")
    expected = sum(p.numel() for aux in (model.aux1, model.aux2) for p in aux.parameters())
    table = trace(model, (3, 224, 224))
    assert table.unused_parameters == expected > 0
    assert "(not run)" in table.table()


@pytest.mark.parametrize(
    ("name", "options", "parameters", "gigamacs"),
    [
        ("googlenet", {}, 13_004_888, 1.498),  # the auxiliary heads rest in evaluation mode
        ("googlenet", {"aux_logits": False}, 6_624_904, 1.498),
        ("resnet18", {}, 11_689_512, 1.814),
        ("resnet34", {}, 21_797_672, 3.664),
        ("resnet50", {}, 25_557_032, 4.089),
    ],
)
def test_the_cost_of_branches_and_additions(name, options, parameters, gigamacs):
    table = trace(from_torchvision(name, **options), (3, 224, 224))
    assert table.total_parameters == parameters
    assert round(table.total_macs / 1e9, 3) == gigamacs


# The windows that see most in each module or block. (torchvision's GoogLeNet has 3x3 for 5x5.)
GOOGLENET = [(7, 2), (3, 2), 1, 3, (3, 2), 3, 3, (3, 2), 3, 3, 3, 3, 3, (2, 2), 3, 3]
RESNET18 = [(7, 2), (3, 2), *[3] * 4, *[(3, 2), 3, 3, 3] * 3]
RESNET34 = [(7, 2), (3, 2), *[3] * 6, (3, 2), *[3] * 7, (3, 2), *[3] * 11, (3, 2), *[3] * 5]
RESNET50 = [(7, 2), (3, 2), *[3] * 3, (3, 2), *[3] * 3, (3, 2), *[3] * 5, (3, 2), *[3] * 2]


@pytest.mark.parametrize(
    ("name", "layer", "windows"),
    [
        ("googlenet", "inception5b.cat", GOOGLENET),
        ("resnet18", "layer4.1.add", RESNET18),
        ("resnet34", "layer4.2.add", RESNET34),
        ("resnet50", "layer4.2.add", RESNET50),
    ],
)
def test_where_branches_meet_the_one_that_sees_most_counts(name, layer, windows):
    rows = trace(from_torchvision(name), (3, 224, 224)).rows
    (seen,) = [row.receptive_field for row in rows if row.name == layer]
    assert seen == receptive_field(windows).field


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        # Araujo et al. 2019 (doi:10.23915/distill.00021), their table of well-known networks.
        ("alexnet", "features.12", 195),
        ("vgg16", "features.30", 212),
        ("inception_v3", "Mixed_7c.cat", 1311),
    ],
)
def test_receptive_fields_of_well_known_networks(name, layer, expected):
    table = trace(from_torchvision(name), (3, 299, 299))
    assert [row.receptive_field for row in table.rows if row.name == layer][-1] == expected


class Branches(nn.Module):
    """Two windows of different reach, added and concatenated, with a stride and a skip."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, stride=2, padding=1)
        self.wide = nn.Conv2d(2, 2, (1, 5), padding=(0, 2))
        self.tall = nn.Conv2d(2, 2, 3, padding="same", dilation=2)
        self.head = nn.Conv2d(6, 1, 2, stride=2)

    def forward(self, x):
        x = self.stem(x)
        both = self.wide(x) + x
        both += 1
        return self.head(F.avg_pool2d(torch.cat([both, self.tall(x), x], dim=1), 3, 1, 1))


def test_receptive_field_of_branches_is_the_support_of_the_gradient():
    model = Branches()
    for weight in model.parameters():
        nn.init.uniform_(weight, 0.5, 1.0)
    image = torch.ones(1, 1, 60, 60, requires_grad=True)
    (grad,) = torch.autograd.grad(model(image)[0, 0, 7, 7], image)
    rows, columns = grad[0, 0].nonzero(as_tuple=True)
    side = max(rows.max() - rows.min(), columns.max() - columns.min()).item() + 1
    assert trace(model, (1, 60, 60)).rows[-1].receptive_field == side


class SlicedShortcut(nn.Module):
    """Blocks of a convolution with stride 2 and every second pixel, added; then one more window."""

    def __init__(self, start=0):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(3))
        self.last = nn.Conv2d(1, 1, (1, 3))
        self.start = start

    def forward(self, x):
        for i, conv in enumerate(self.convs):
            sliced = x[..., self.start :: 2, ::2] if i else x[:, :, self.start :: 2, ::2]
            x = conv(x) + sliced
        return self.last(x[:1])


@pytest.mark.parametrize("start", [0, 1])
def test_a_shortcut_by_slices_has_the_stride_of_the_convolution(start):
    model = SlicedShortcut(start)
    for weight in model.parameters():
        nn.init.uniform_(weight, 0.5, 1.0)
    image = torch.ones(1, 1, 64, 64, requires_grad=True)
    output = model(image)
    row, column = output.shape[2] // 2, output.shape[3] // 2
    (grad,) = torch.autograd.grad(output[0, 0, row, column], image)
    seen = [(side.min().item(), side.max().item()) for side in grad[0, 0].nonzero().T]
    last = trace(model, (1, 64, 64)).rows[-1]
    assert last.pixels == tuple(seen)
    assert last.receptive_field == max(b - a + 1 for a, b in seen)


def test_a_slice_that_is_no_map_leaves_the_field_as_it_is():
    class Picked(nn.Module):
        def forward(self, x):
            x = F.max_pool2d(x, 2)
            return x[:, 0].flatten(1)[:, ::2]

    assert trace(Picked(), (3, 8, 8)).rows[-1].receptive_field == 2


class Functional(nn.Module):
    """Everything but the layers' weights is called as a function, some of it in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 16 * 16, 10)
        self.weight = nn.Parameter(torch.zeros(10, 10))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x), inplace=True), 2)
        x = torch.flatten(x, 1)
        x = F.dropout(self.fc(x), 0.5, self.training)
        x = F.linear(x, self.weight) @ self.weight
        return F.log_softmax(x, dim=1)


def test_functions_have_rows_of_their_own():
    table = trace(Functional(), (3, 32, 32))
    names = "conv relu max_pool2d flatten fc dropout linear matmul log_softmax".split()
    assert [row.name for row in table.rows] == names
    rows = {row.name: row for row in table.rows}
    pool = ("max_pool2d", "max_pool2d", (2, 2), (2, 2), (0, 0), (8, 16, 16), 0, 0)
    assert rows["max_pool2d"] == Row(*pool, 8 * 16 * 16 * 4, 4, ((15, 18), (15, 18)))
    assert rows["conv"].memory == 8 * 32 * 32 * 4
    assert rows["relu"].memory == rows["flatten"].memory == rows["dropout"].memory == 0
    assert rows["flatten"].output_shape == (2048,)
    assert rows["flatten"].receptive_field == 4  # nothing is mixed yet
    assert rows["fc"].receptive_field == 4 + 15 * 2
    assert (rows["linear"].parameters, rows["matmul"].parameters) == (100, 0)
    assert (rows["linear"].macs, rows["matmul"].macs) == (100, 100)


def test_shared_parameters_are_counted_once():
    layer = nn.Conv2d(4, 4, 3, padding=1)
    tied = nn.Conv2d(4, 4, 3, padding=1)
    tied.weight = layer.weight
    table = trace(nn.Sequential(layer, layer, tied), (4, 8, 8))
    assert [row.parameters for row in table.rows] == [148, 0, 4]
    assert len({row.macs for row in table.rows}) == 1


@pytest.mark.parametrize(
    "head",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveMaxPool2d(1),
        nn.Sequential(nn.Flatten(), nn.Linear(2 * 7 * 7, 3)),
        nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(2 * 3 * 3, 3)),
        nn.Sequential(nn.AdaptiveAvgPool2d(9), nn.Flatten(), nn.Linear(2 * 9 * 9, 3)),
        nn.Conv2d(2, 3, 7),
    ],
)
def test_a_global_head_sees_the_whole_map(head):
    table = trace(nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), head), (1, 15, 15))
    assert table.rows[-1].receptive_field == 15


def test_a_mean_over_the_sides_is_a_global_pooling():
    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))

    assert trace(Mean(), (3, 20, 12)).rows[-1].receptive_field == 20


def test_the_receptive_field_behind_attention_is_not_known():
    class Attention(nn.Module):
        def forward(self, x):
            x = x.flatten(2)
            return (x @ x.mT) @ x

    assert trace(Attention(), (3, 8, 8)).rows[-1].receptive_field is None


def test_the_model_is_left_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU())
    model[2].eval()
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append("hook"))
    model.register_forward_pre_hook(lambda *_: calls.append("pre-hook"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    trace(model, (3, 8, 8))
    assert [m.training for m in model.modules()] == [True, True, True, False, True]
    assert calls == []
    assert all(p.device.type == "cpu" and p.requires_grad for p in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    model(torch.zeros(2, 3, 8, 8))
    assert calls == ["pre-hook", "hook"]
    assert len(model[0]._forward_hooks) == 1 and not model[3]._forward_hooks


def test_a_model_that_does_not_fit_is_named_by_layer():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(99, 2))
    with pytest.raises(ValueError, match=r"image of 3×8×8: in 2 \(Linear\)"):
        trace(model, (3, 8, 8))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with pytest.raises(ValueError, match="without the batch"):
        trace(model, (1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"like \(3, 32, 32\)"):
        trace(model, ())


# --- the table ------------------------------------------------------------------------------------


def small():
    return trace(nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)), (3, 32, 32))


def test_table_is_aligned_text_with_totals():
    assert repr(small()) == small().table()
    assert small().table(("name", "output_shape", "parameters", "macs")).splitlines() == [
        "layer    output  parameters     MACs",
        "------------------------------------",
        "0      16×32×32         448  442,368",
        "1      16×32×32           0        0",
        "2      16×16×16           0        0",
        "------------------------------------",
        "total                   448  442,368",
    ]


def test_table_names_the_columns_there_are():
    with pytest.raises(ValueError, match="colour.*receptive_field"):
        small().table(["name", "colour"])


def test_html_table_has_headers_and_escapes_names():
    page = Trace((1, 2, 2), [Row("<b>", "Conv2d", (3, 3), output_shape=(1, 2, 2))])._repr_html_()
    assert page.count('<th scope="col">') == 10 and page.count('<th scope="row">') == 2
    assert "&lt;b&gt;" in page and "<b>" not in page and "<td>3×3</td>" in page


def test_volumes_are_what_a_picture_draws():
    assert small().volumes() == [("input", (3, 32, 32)), ("0", (16, 32, 32)), ("2", (16, 16, 16))]


def test_short_names_number_each_kind():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)
            )
            self.head = nn.Linear(4, 10)

        def forward(self, x):
            return self.head(F.adaptive_avg_pool2d(self.blocks(x), 1).flatten(1))

    volumes = trace(Net(), (3, 16, 16)).volumes(short_names=True)
    assert [name for name, _ in volumes] == ["input", "conv1", "pool1", "conv2", "pool2", "fc1"]
    assert volumes[0][1] == (3, 16, 16) and volumes[-1][1] == (10,)
