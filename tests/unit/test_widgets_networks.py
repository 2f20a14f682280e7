"""What the explorers of networks show is what trace, forward hooks and softmax say."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from labutils import shapes, widgets
from labutils.plotting import words
from labutils.training import models

from .test_widgets_numbers import moved

CLASSES = ("cat", "dog", "ship")


def svg_of(explorer) -> str:
    return base64.b64decode(explorer.screen.source.split(",", 1)[1]).decode()


def drawn_images(explorer) -> list[np.ndarray]:
    """The images in an explorer's picture, uint8, in the order they were drawn in."""
    encoded = re.findall(r"data:image/png;base64,([^\"]+)", svg_of(explorer))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in encoded]


# --- network walk --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, input_size",
    [(models.mlp, (1, 28, 28)), (models.cnn, (3, 32, 32)), (models.vgg11, (3, 32, 32)),
     (lambda: nn.Conv2d(1, 2, (3, 5)), (1, 9, 12)), (lambda: nn.Linear(7, 3), (7,)),
     (lambda: nn.Conv1d(2, 4, 3), (2, 20)), (nn.ReLU, (3, 4, 4))],
)  # fmt: skip
def test_every_layer_is_told_as_trace_has_it(make, input_size):
    with torch.device("meta"):
        model = make()
    trace = shapes.trace(model, input_size)
    explorer = widgets.network_walk(model, input_size)
    assert explorer.controls["layer"].max == len(trace.rows)
    macs, parameters = 0, 0
    for number, row in enumerate(trace.rows, 1):
        layer, cost, field = moved(explorer, layer=number).screen.text.splitlines()
        assert layer.startswith(f"Layer {number} of {len(trace.rows)}: {row.name}, {row.kind},")
        assert layer.endswith(f"→ {'×'.join(map(str, row.output_shape))}.")
        assert row.name in explorer.screen.alt and f"number {number} is marked" in (
            explorer.screen.alt
        )
        shown = [int(text.replace(",", "")) for text in re.findall(r"([\d,]+) [pm]", cost)]
        assert shown == [row.parameters, row.macs]
        if row.receptive_field:
            assert str(row.receptive_field) in field
        parameters, macs = parameters + shown[0], macs + shown[1]
    assert parameters == sum(p.numel() for p in model.parameters())
    assert macs == trace.total_macs


@pytest.mark.parametrize(
    "layers",
    [[nn.Conv2d(1, 1, 3, padding=1)], [nn.Conv2d(1, 1, 5, stride=2), nn.MaxPool2d(3, 2)],
     [nn.Conv2d(1, 1, (3, 5), padding=(0, 2)), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3, dilation=2)],
     [nn.Conv2d(1, 1, 3, padding=2), nn.AdaptiveAvgPool2d(1)]],
)  # fmt: skip
def test_the_pixels_outlined_are_those_that_get_a_gradient(layers):
    model = nn.Sequential(*layers, nn.Identity())  # the last one sees what the one before sees
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    size = (1, 23, 26)
    explorer = widgets.network_walk(model, size)
    moved(explorer, layer=len(layers))
    said = re.search(
        r"sees rows (−?\d+) to (\d+) and columns (−?\d+) to (\d+)", explorer.screen.alt
    )
    rows, columns = np.array([int(n.replace("−", "-")) for n in said.groups()]).reshape(2, 2)

    image = torch.arange(23.0 * 26).reshape(1, *size).requires_grad_()
    output = model(image)[0, 0]
    output[output.shape[0] // 2, output.shape[1] // 2].backward()
    seen = image.grad[0, 0].nonzero()
    first, last = seen.min(dim=0).values.tolist(), seen.max(dim=0).values.tolist()
    if isinstance(layers[-1], nn.MaxPool2d):  # only the largest gets a gradient
        assert rows[0] <= first[0] and columns[0] <= first[1]
        assert last[0] <= rows[1] and last[1] <= columns[1]
    else:
        assert first == [max(rows[0], 0), max(columns[0], 0)]
        assert last == [min(rows[1], 22), min(columns[1], 25)]
    beyond = rows[0] < 0 or columns[0] < 0 or rows[1] > 22 or columns[1] > 25
    assert ("hatched, what of it lies in the padding" in explorer.screen.alt) == beyond


def test_the_shares_of_all_layers_make_a_whole():
    with torch.device("meta"):
        explorer = widgets.network_walk(models.vgg16(), (3, 32, 32))
    shares = []
    for layer in range(1, explorer.controls["layer"].max + 1):
        moved(explorer, layer=layer)
        shares.append([float(n) for n in re.findall(r"([\d.]+) % of all", explorer.screen.text)])
    assert np.allclose(np.sum(shares, axis=0), 100, atol=0.05 * len(shares))


class PassesOn(nn.Module):
    """Has a layer, and does not use it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return x


def test_a_network_that_does_not_run_is_told_in_words():
    with pytest.raises(ValueError, match="does not run with an image of 3×28×28"):
        widgets.network_walk(models.cnn(), (3, 28, 28))
    with pytest.raises(ValueError, match="no layers to walk through"):
        widgets.network_walk(PassesOn(), (3, 28, 28))


def test_the_step_buttons_walk_and_stop_at_the_ends():
    explorer = widgets.network_walk(models.cnn(), (3, 32, 32))
    places = []
    for name in ["Next layer"] * 8 + ["Previous layer"] * 8:
        explorer.buttons[name].click()
        places.append(explorer.values["layer"])
    assert places == [2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1, 1]


# --- inception ------------------------------------------------------------------------------------


def naive(in_channels, widths) -> nn.ModuleList:
    """The module without reductions: its layers, of which the pool has no weights."""
    c1, _, c3, _, c5, _ = widths
    sizes = ((c1, 1), (c3, 3), (c5, 5))
    layers = [nn.Conv2d(in_channels, c, k, padding="same", bias=False) for c, k in sizes]
    return nn.ModuleList([*layers, nn.MaxPool2d(3, 1, 1)])


@pytest.mark.parametrize(
    "in_channels, widths, side",
    [(256, (128, 128, 192, 32, 96, 64), 28), (10, (1, 2, 3, 4, 5, 6), 7)],
)
def test_a_module_and_the_naive_one_cost_what_trace_says(in_channels, widths, side):
    explorer = widgets.inception(in_channels, (9, 8, 7, 6, 5, 4), side)
    moved(explorer, **dict(zip(("c1", "r3", "c3", "r5", "c5", "pool"), widths, strict=True)))
    yours, other, ratio = explorer.screen.text.splitlines()
    size = (in_channels, side, side)
    with torch.device("meta"):
        table = shapes.trace(models.Inception(in_channels, widths), size)
        tables = [shapes.trace(layer, size) for layer in naive(in_channels, widths)]
    weights = table.total_parameters - sum(widths)
    out = widths[0] + widths[2] + widths[4] + widths[5]
    work = f"{weights:,} weights, {table.total_macs:,} multiply-accumulates"
    assert yours == f"Yours: {work}, {out} channels."
    cost, macs = (sum(getattr(t, f"total_{n}") for t in tables) for n in ("parameters", "macs"))
    out = sum(t.rows[0].output_shape[0] for t in tables)
    work = f"{cost:,} weights, {macs:,} multiply-accumulates"
    assert other == f"Naive: {work}, {out} channels."
    assert f"{macs / table.total_macs:.1f} times" in ratio
    assert f"yours: {out - in_channels + widths[5]} (1×1 {widths[0]}," in explorer.screen.alt


def test_the_widest_module_and_the_narrowest_are_drawn():
    explorer = widgets.inception()
    for width in (512, 1):
        moved(explorer, **dict.fromkeys(explorer.controls, width))
    assert "yours: 4 (1×1 1, 3×3 1, 5×5 1 and pool 1)" in explorer.screen.alt


# --- gradients ------------------------------------------------------------------------------------


def hooked_norms(model, images, labels) -> list[float]:
    """The same norms by hooks and PyTorch's backward, weights and all."""
    inputs = []
    for layer in model:
        if isinstance(layer, models.ResidualBlock):
            layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    loss = nn.functional.cross_entropy(model(images), labels)
    return [gradient.norm().item() for gradient in torch.autograd.grad(loss, inputs)]


BATCH = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("shortcuts", [True, False])
def test_the_gradients_are_those_of_the_network(shortcuts, batch_norm):
    torch.manual_seed(0)
    model = models.kaiming_init(models.cifar_resnet(14, shortcuts, batch_norm))
    expected = hooked_norms(model, *BATCH)
    state = torch.get_rng_state()
    explorer = widgets.gradients(*BATCH)
    moved(explorer, depth=14, shortcuts=shortcuts, batch_norm=batch_norm)
    assert torch.equal(torch.get_rng_state(), state)
    assert BATCH[0].requires_grad is False
    listed = explorer.screen.alt.rpartition("to the last: ")[2].rstrip(".")
    assert listed == words.listing(map(words.number, expected))
    assert (
        f"last of 6 blocks the gradient's norm is {words.number(expected[-1])}"
        in explorer.screen.text
    )


def test_zero_gamma_lets_the_gradient_through_or_nothing_at_all():
    explorer = moved(widgets.gradients(*BATCH), depth=20, shortcuts=True, zero_gamma=True)
    listed = explorer.screen.alt.rpartition("to the last: ")[2].rstrip(".").replace(" and ", ", ")
    norms = listed.split(", ")
    assert len(norms) == 7 and len(set(norms)) == 1  # nothing changes it
    assert "just as large" in explorer.screen.text
    moved(explorer, shortcuts=False)
    assert "The gradient is zero" in explorer.screen.text
    moved(explorer, batch_norm=False)  # there is no γ, and no choice of one
    assert "γ" not in explorer.screen.text and "smaller" in explorer.screen.text
    assert explorer.controls["zero_gamma"].layout.display == "none"


def test_the_deepest_networks_are_drawn():
    explorer = moved(widgets.gradients(*BATCH), depth=56, batch_norm=False)
    for shortcuts in (True, False):
        assert "56 layers" in moved(explorer, shortcuts=shortcuts).screen.text


# --- feature maps --------------------------------------------------------------------------------


class Pictures(torch.utils.data.Dataset):
    """Eight images with labels, and a count of how often one was asked for."""

    classes = CLASSES

    def __init__(self):
        self.images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
        self.asked = 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        self.asked += 1
        return self.images[i], i % 3


class Counting(nn.Module):
    """Counts its forward passes; has a batch norm, a dropout and a ReLU in place."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return self.relu(self.drop(self.relu(self.norm(self.conv(x))))).flatten(1)


def as_drawn(maps: torch.Tensor) -> np.ndarray:
    """Maps as grey values, black the smallest (at most 0), white the largest."""
    low, high = min(0.0, maps.min().item()), maps.max().item()
    return ((maps - low) / (high - low) * 255).numpy()


def test_the_map_shown_is_the_layers_own_answer():
    torch.manual_seed(0)
    model, images = Counting().train(), Pictures()
    explorer = widgets.feature_maps(model, images)
    model.eval()
    with torch.no_grad():
        convolved = model.conv(images.images[3][None])
        normalized = model.norm(convolved)
    answered = {"conv": convolved[0], "norm": normalized[0], "relu": normalized[0].relu()}
    names = explorer.controls["layer"].texts
    assert [name.split()[0] for name in names] == ["conv", "norm", "relu", "drop", "relu"]
    for place, name in enumerate(["conv", "norm", "relu"]):
        moved(explorer, image=3, layer=place, channel=4)
        maps = answered[name]
        image, strongest, *others = _in_parts(explorer)
        assert np.abs(image - (images.images[3].permute(1, 2, 0).numpy() + 1) * 127.5).max() <= 1
        assert np.abs(others[-1] - as_drawn(maps)[4]).max() <= 1
        best = maps.mean(dim=(1, 2)).argmax().item()
        assert f"Strongest on average: map {best} (" in explorer.screen.text
        assert np.abs(strongest - as_drawn(maps)[best]).max() <= 1
    assert explorer.screen.text.startswith("image 3 (cat), map 4 of relu (ReLU) 5×14×14: from 0 to")


def _in_parts(explorer) -> list[np.ndarray]:
    """Image, strongest maps in order, and the chosen map."""
    *strongest, image, chosen = drawn_images(explorer)
    return [image, *strongest, chosen]


def test_an_image_runs_through_the_network_once_and_leaves_no_trace():
    model, images = Counting().train(), Pictures()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.norm.eval()
    explorer = widgets.feature_maps(model, images)
    start = model.runs
    for layer in range(4):
        for channel in range(5):
            moved(explorer, layer=layer, channel=channel)
    assert model.runs == start
    moved(explorer, image=5)
    moved(explorer, image=0)
    moved(explorer, image=5)
    assert model.runs == start + 1
    assert model.training and model.drop.training and not model.norm.training
    assert not torch.nn.modules.module._global_forward_hooks
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_channels_end_at_the_layers_last_one():
    explorer = widgets.feature_maps(models.cnn(), torch.rand(2, 3, 32, 32))
    assert explorer.controls["channel"].max == 7
    moved(explorer, layer=3, channel=15)
    assert "map 15 of 3 (Conv2d) 16×16×16" in explorer.screen.text
    moved(explorer, layer=0)
    assert explorer.values["channel"] == 7
    moved(explorer, image=1)
    assert explorer.screen.text.startswith("image 1, map 7 of 0 (Conv2d)")


def test_one_grey_image_and_one_layer_with_a_single_flat_map():
    explorer = widgets.feature_maps(nn.ReLU(), -torch.ones(1, 1, 4, 4))
    assert "100 % of its values are 0" in explorer.screen.text
    assert "It is the same everywhere" in explorer.screen.alt
    assert [explorer.controls[name].max for name in ("image", "channel")] == [0, 0]


@pytest.mark.parametrize(
    "model, images, error, words",
    [
        (models.mlp(), torch.rand(2, 1, 28, 28), ValueError, "no module of Sequential returns"),
        (models.cnn(), torch.rand(0, 3, 32, 32), ValueError, "images is empty"),
        (models.cnn(), torch.rand(3, 32, 32), TypeError, r"must be a tensor \(C, H, W\)"),
        (models.cnn(), ["cat.png"], TypeError, "got str. A dataset needs a transform"),
        (models.cnn(), iter([1]), TypeError, "a tensor .* or a dataset, got list_iterator"),
    ],
)
def test_what_cannot_be_looked_at_is_told_in_words(model, images, error, words):
    with pytest.raises(error, match=words):
        widgets.feature_maps(model, images)


# --- mistakes ------------------------------------------------------------------------------------


def guesses(number=40, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (number, 6, 6, 3), generator=generator, dtype=torch.uint8)
    logits = 2 * torch.randn(number, classes, generator=generator)
    labels = torch.randint(classes, (number,), generator=generator)
    return images, labels, logits.softmax(dim=1)


def test_mistakes_come_the_surest_first_each_with_its_image_and_probabilities():
    images, labels, probabilities = guesses()
    explorer = widgets.mistakes(images, labels, probabilities, CLASSES)
    sure, answers = probabilities.max(dim=1)
    expected = sorted(
        (i for i in range(40) if answers[i] != labels[i]), key=lambda i: -sure[i].item()
    )
    assert explorer.controls["mistake"].max == len(expected) > 10
    for number, i in enumerate(expected, 1):
        moved(explorer, mistake=number)
        true, answer = CLASSES[labels[i]], CLASSES[answers[i]]
        assert f"Mistake {number} of {len(expected)}," in explorer.screen.text
        assert f"Image {i}: {true} taken for {answer} with p = {sure[i]:.2f};" in (
            explorer.screen.text
        )
        rank = 1 + (probabilities[i] > probabilities[i, labels[i]]).sum().item()
        assert explorer.screen.text.endswith(
            f"{true} has p = {probabilities[i, labels[i]]:.2f}, number {rank} of 3."
        )
        for name, value in zip(CLASSES, probabilities[i], strict=True):
            assert f"{name} {value:.2f}" in explorer.screen.alt
        assert (drawn_images(explorer)[0] == images[i].numpy()).all()
        words = re.findall(r">([\d.]+(?: \w+)+)</text>", svg_of(explorer))
        assert {text.split(" ", 1)[1] for text in words} == {"true", "answer"}


def test_a_perfect_model_gets_words():
    images, labels, _ = guesses()
    perfect = nn.functional.one_hot(labels, 3).float()
    explorer = widgets.mistakes(images, labels, perfect, CLASSES)
    assert explorer.screen.text == explorer.screen.alt == "No mistake among 40 images."
    explorer.buttons["Next mistake"].click()
    assert explorer.screen.problem == ""


def test_a_single_mistake_and_more_classes_than_are_drawn():
    probabilities = torch.full((1, 1000), 0.0005)
    probabilities[0, 7] += 0.5
    explorer = widgets.mistakes(torch.rand(1, 1, 8, 8), [999], probabilities, list(range(1000)))
    assert "Image 0: 999 taken for 7" in explorer.screen.text
    assert svg_of(explorer).count(">0.00") == 10  # the true one and nine more
    assert explorer.controls["mistake"].max == 1


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda i, y, p: (i, y, p.log()), "Logits go through softmax first"),
        (lambda i, y, p: (i[:9], y, p), "differ in length"),
        (lambda i, y, p: (i, y[:9], p), "differ in length"),
        (lambda i, y, p: (i, y + 1, p), "there are 3 classes"),
        (lambda i, y, p: (i, y, torch.cat([p, 0 * p], dim=1)), "6 entries, but there are 3"),
    ],
)
def test_what_does_not_belong_together_is_told_in_words(change, words):
    with pytest.raises(ValueError, match=words):
        widgets.mistakes(*change(*guesses()), CLASSES)
