"""What the explorers of notebooks 01, 03, 04, 06 and 09 show is what torch computes."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils import widgets
from labutils.checks import EXERCISES
from labutils.training import models
from labutils.widgets import traffic
from labutils.widgets.distributions import CLASSES, TARGETS


def moved(explorer, **values):
    """The explorer after its controls were set, without a fault."""
    for name, value in values.items():
        explorer.controls[name].value = value
    assert explorer.screen.problem == ""
    return explorer


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(r"−?\d+(?:\.\d+)?", text)]


def named_numbers(line: str) -> torch.Tensor:
    """The numbers behind the class names of a line, in the order of the classes."""
    found = [re.search(rf"{name} (−?\d\.\d\d)", line)[1] for name in CLASSES]
    return torch.tensor([float(text.replace("−", "-")) for text in found])


@pytest.mark.parametrize(
    "temperature, shift, naive_sum",
    [(1.0, 0.0, "13.2"), (0.5, 0.0, ""), (5.0, -100.0, ""), (0.05, 4.0, "infinity"),
     (1.0, 100.0, "infinity"), (1.0, -200.0, "0: each")],
)  # fmt: skip
def test_softmax_is_torchs_for_every_temperature_and_shift(temperature, shift, naive_sum):
    explorer = moved(widgets.softmax(), temperature=temperature, shift=shift)
    scores = torch.tensor([2.0, 1.5, -1.0, 0.0], dtype=torch.float64)
    expected = torch.softmax(scores / temperature, dim=0)
    shown = named_numbers(explorer.screen.text.splitlines()[0])
    assert torch.allclose(shown.double(), expected, atol=0.0051)
    assert f"exponentials sum to {naive_sum}" in explorer.screen.text


def test_softmax_says_that_the_naive_formula_breaks_exactly_where_it_does_in_32_bits():
    explorer = widgets.softmax()
    for shift in range(-200, 205, 25):
        moved(explorer, shift=shift)
        exponentials = torch.exp(torch.tensor([2.0, 1.5, -1.0, 0.0]) + shift)
        broken = bool((exponentials / exponentials.sum()).isnan().any())
        assert ("not a number" in explorer.screen.text) == broken, shift
        assert ("naive formula gives cat not a number" in explorer.screen.alt) == broken
    moved(explorer, shift=-105.0)  # exponentials of one bit each: torch gives (0.5, 0.5, 0, 0)
    assert "the naive formula is wrong" in explorer.screen.text
    moved(explorer, shift=-100.0)
    assert "the naive formula agrees" in explorer.screen.text


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("weights", [(60, 30, 0, 10), (1, 1, 1, 1), (0, 0, 0, 100), (3, 0, 7, 0)])
def test_cross_entropy_is_torchs(target, weights):
    given = dict(zip(CLASSES, weights, strict=True)) | {"target": TARGETS[target]}
    explorer = moved(widgets.cross_entropy(), **given)
    p = torch.tensor(TARGETS[target], dtype=torch.float64)
    logits = torch.tensor(weights, dtype=torch.float64).log()  # softmax of these is the prediction
    q = logits.softmax(dim=0)
    prediction, losses, gradient = explorer.screen.text.splitlines()
    assert torch.allclose(named_numbers(prediction).double(), q, atol=0.0051)
    assert torch.allclose(named_numbers(gradient).double(), q - p, atol=0.0051)
    entropy = torch.distributions.Categorical(p).entropy()
    if ((p > 0) & (q == 0)).any():
        assert losses.count("infinite nats") == 2  # the loss and the divergence
    else:
        divergence = F.kl_div(q.clamp_min(1e-300).log(), p, reduction="sum")
        expected = torch.stack([entropy + divergence, entropy, divergence])
        assert torch.allclose(torch.tensor(numbers(losses)).double(), expected, atol=0.00051)


def test_the_gradient_shown_is_autograds():
    explorer = moved(widgets.cross_entropy(), cat=5, dog=20, ship=45, frog=30)
    logits = torch.tensor([0.05, 0.20, 0.45, 0.30]).log().requires_grad_()
    F.cross_entropy(logits, torch.tensor(0)).backward()
    shown = named_numbers(explorer.screen.text.splitlines()[2])
    assert torch.allclose(shown, logits.grad, atol=0.0051)


def test_weights_that_are_all_0_are_told_in_words():
    explorer = moved(widgets.cross_entropy(), cat=0, dog=0, ship=0, frog=0)
    assert explorer.screen.text == explorer.screen.alt
    assert "All four weights are 0" in explorer.screen.text


@pytest.mark.parametrize(
    "settings",
    [(7, 3, 1, 0, 1), (7, 3, 2, 0, 1), (8, 3, 2, 0, 1), (5, 3, 1, 1, 1), (32, 11, 4, 5, 1),
     (9, 3, 1, 0, 4), (10, 2, 3, 1, 2), (1, 1, 8, 0, 1), (32, 1, 1, 5, 1)],
)  # fmt: skip
def test_convolution_has_torchs_windows_and_names_what_is_left_over(settings):
    names = ("size", "kernel_size", "stride", "padding", "dilation")
    size, kernel_size, stride, padding, dilation = settings
    explorer = moved(widgets.convolution(), **dict(zip(names, settings, strict=True)))
    layer = nn.Conv2d(1, 1, kernel_size, stride, padding, dilation, bias=False)
    nn.init.ones_(layer.weight)
    image = torch.zeros(1, 1, size, size, requires_grad=True)
    output = layer(image)
    steps = output.shape[-1]
    assert f"⌋ + 1 = {steps}." in explorer.screen.text.splitlines()[0]
    assert explorer.controls["window"].max == steps**2

    # What no window reaches gets no gradient; padding at the end may be left over as well.
    reached = nn.functional.pad(image, 4 * [padding]).detach().requires_grad_()
    F.conv2d(reached, layer.weight, stride=stride, dilation=dilation).sum().backward()
    columns = reached.grad[0, 0].abs().sum(dim=0).nonzero().flatten()
    spare = reached.shape[-1] - 1 - int(columns.max())
    warned = re.search(r"Warning: (\d+) column", explorer.screen.text)
    assert (int(warned[1]) if warned else 0) == spare
    assert ("Hatched" in explorer.screen.alt) == bool(spare)

    moved(explorer, window=steps**2)
    last = (steps - 1) * stride
    assert f"starts at row {last}, column {last} " in explorer.screen.text


def test_the_step_buttons_walk_over_the_windows_and_stop_at_the_ends():
    explorer = widgets.convolution(size=4, kernel_size=3)
    places = []
    for name in ["Next window"] * 4 + ["Previous window"] * 5:
        explorer.buttons[name].click()
        places.append(explorer.values["window"])
    assert places == [2, 3, 4, 4, 3, 2, 1, 1, 1]
    assert "Window 1 of 4" in explorer.screen.text


def test_a_window_that_does_not_fit_is_told_in_words():
    explorer = moved(widgets.convolution(), size=3, kernel_size=5)
    assert explorer.screen.text.startswith("No output: a window of 5 pixels does not fit")
    moved(explorer, padding=1)
    assert "= 1." in explorer.screen.text.splitlines()[0]


@pytest.mark.parametrize(
    "kernels, strides",
    [((3, 3, 3), (1, 1, 1)), ((7,), (1,)), ((5, 3), (2, 2)), ((2, 2, 2, 2, 2), (2, 2, 2, 2, 2))],
)
def test_the_receptive_field_is_what_gets_a_gradient(kernels, strides):
    explorer = widgets.receptive_fields(kernels, strides, channels=8)
    layers = [
        nn.Conv2d(1, 1, kernel, stride, bias=False)
        for kernel, stride in zip(kernels, strides, strict=True)
    ]
    for layer in layers:
        nn.init.ones_(layer.weight)
    image = torch.zeros(1, 1, 100, 100, requires_grad=True)
    nn.Sequential(*layers)(image)[0, 0, 0, 0].backward()
    side = int(image.grad[0, 0, 0].count_nonzero())
    wide = [nn.Conv2d(8, 8, kernel, bias=False).weight.numel() for kernel in kernels]
    single = nn.Conv2d(8, 8, side, bias=False).weight.numel()
    assert f"{side}×{side} after layer" in explorer.screen.text
    assert f"times C²: {sum(wide):,}." in explorer.screen.text
    assert f"C² = {single:,}." in explorer.screen.text
    assert f"{side}×{side}" in explorer.screen.alt


def test_layers_are_added_removed_and_hidden():
    explorer = widgets.receptive_fields()
    shown = [explorer.controls[f"kernel_{n}"].layout.display for n in range(1, 6)]
    assert shown == [None, None, None, "none", "none"]
    explorer.buttons["Add a layer"].click()
    assert explorer.controls["stride_4"].layout.display is None
    assert "9×9" in explorer.screen.text
    for _ in range(6):
        explorer.buttons["Remove a layer"].click()
    assert explorer.values["layers"] == 1 and explorer.screen.problem == ""
    assert "Receptive field: 3×3 after layer 1" in explorer.screen.text


def test_all_extremes_are_drawn():
    explorer = moved(widgets.receptive_fields(), layers=5, channels=512)
    moved(explorer, **{f"{what}_{n}": most for n in range(1, 6) for what, most in
                       (("kernel", 7), ("stride", 3))})  # fmt: skip
    assert "727×727" in explorer.screen.text
    with pytest.raises(ValueError, match="1 to 5 layers"):
        widgets.receptive_fields((3,) * 6, (1,) * 6)


def test_the_networks_that_send_have_their_own_numbers_of_parameters():
    torchvision_models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        networks = {
            "CNN (notebook 03)": models.cnn(),
            "MLP (notebook 02)": models.mlp(),
            "GoogLeNet": torchvision_models.googlenet(aux_logits=False, init_weights=False),
            "VGG11 (notebook 04)": models.vgg11(),
            "ResNet-18": torchvision_models.resnet18(),
            "ResNet-50": torchvision_models.resnet50(),
            "VGG16 (notebook 05)": models.vgg16(),
            "AlexNet (notebook 06)": EXERCISES["AlexNet"].oracle(),
        }
    counted = {
        name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()
    }
    assert counted == traffic.NETWORKS


@pytest.mark.parametrize("processes", [1, 2, 3, 64])
def test_an_update_sends_what_the_ring_of_the_exercise_sends(processes):
    chunks = [[torch.zeros(7) for _ in range(processes)] for _ in range(processes)]
    _, sent = EXERCISES["ring_all_reduce"].oracle(chunks)
    assert traffic.bytes_sent(7 * processes, processes) == sent
    explorer = moved(widgets.all_reduce(), processes=processes, network="ResNet-50", bandwidth=8.0)
    seconds = traffic.bytes_sent(25_557_032, processes) / 1e9
    shown = "0 µs" if processes == 1 else f"{1000 * seconds:.3g} ms"
    assert f"takes {shown} at the least" in explorer.screen.text
    assert f"ResNet-50 {shown}" in explorer.screen.alt
