"""Every picture is shown with alt text that says its numbers, is small, and leaves no trace."""

import base64
import io
import random
import re
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image

from labutils import plotting, shapes
from labutils.plotting import words
from labutils.training import models
from labutils.training.reference import ReferenceRuns

CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(64) % 10
LOGITS = RNG.normal(size=(64, 10)) + 2.0 * np.eye(10)[LABELS]
ACCURACY = f"{100 * (LOGITS.argmax(axis=1) == LABELS).mean():.0f} %"
FILTERS = RNG.normal(size=(8, 3, 3, 3)) * np.arange(1, 9)[:, None, None, None]
MAPS = torch.tensor(RNG.normal(size=(8, 16, 16))).relu()
P, LOSSES = np.linspace(0.01, 1, 100), np.linspace(2.3, 1.3, 1000)
SCORES = torch.tensor([2.0, 1.0, 0.5, -1.0])
FROM_MINUS_ONE = torch.linspace(-1, 1, 3 * 28 * 28).reshape(3, 1, 28, 28)
PROBABILITIES = torch.tensor(LOGITS).softmax(dim=1)


def history(train_loss, test_accuracy, **more):
    return SimpleNamespace(
        train_loss=train_loss,
        test_loss=[loss + 0.1 for loss in train_loss],
        test_accuracy=test_accuracy,
        seconds=[1.0] * len(train_loss),
        **more,
    )


def reference(*accuracy, loss=(1.41, 1.22, 1.15, 1.12)):
    """A recorded run, each seed with its own test accuracy by epoch."""
    seeds = [{"train_loss": list(loss), "test_accuracy": its} for its in accuracy]
    return ReferenceRuns("cnn-logits", {}, seeds)


THREE_SEEDS = reference(
    [0.52, 0.57, 0.59, 0.60], [0.53, 0.59, 0.60, 0.62], [0.51, 0.58, 0.61, 0.64]
)
LOGITS_RUN = history(
    [2.30, 1.52, 1.30, 1.15], [0.45, 0.55, 0.58, 0.61], train_accuracy=[0.44, 0.56, 0.63, 0.70]
)
DOUBLE_RUN = history(
    [2.28, 2.12, 2.05, 2.01], [0.33, 0.40, 0.44, 0.47], train_accuracy=[0.31, 0.39, 0.44, 0.475]
)
VGG11 = shapes.trace(models.vgg11(), (3, 32, 32)).volumes(short_names=True)
ALEXNET = "conv1 conv2 conv3 conv4 conv5 fc6 fc7 fc8".split()
PARAMETERS = [34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000]
ILSVRC = [
    (2010, "NEC-UIUC", None, 0.282), (2011, "XRCE", None, 0.258), (2012, "AlexNet", 8, 0.153),
    (2013, "Clarifai", 8, 0.112), (2014, "GoogLeNet", 22, 0.067), (2015, "ResNet", 152, 0.036),
]  # fmt: skip
DROPOUT_BEFORE = np.arange(1, 25).reshape(4, 6) / 10
DROPOUT_AFTER = DROPOUT_BEFORE * 2 * (np.arange(24).reshape(4, 6) % 3 > 0)

# Each example: the call, and what its alt text has to say.
EXAMPLES = {
    "image_grid": (
        lambda: plotting.image_grid(NOISE[:8], LABELS[:8], CLASSES, title="The first eight"),
        ["8 images of 32×32 pixels", "plane, car, bird", "The first eight"],
    ),
    "image_grid, many": (lambda: plotting.image_grid(NOISE), ["64 images"]),
    "image_grid, normalised, channels first": (
        lambda: plotting.image_grid(FROM_MINUS_ONE, titles=["7", "2", "1"]),
        ["3 images of 28×28 pixels: 7, 2 and 1"],
    ),
    "filters": (
        lambda: plotting.filters(FILTERS),
        ["8 filters of 3×3 as colour tiles", "weights from −", "weakest filter 0"],
    ),
    "feature_maps": (
        lambda: plotting.feature_maps(MAPS, image=NOISE[0]),
        ["8 feature maps of 16×16, beside the input image", "52 % of all values are zero"],
    ),
    "predictions": (
        lambda: plotting.predictions(NOISE[:4], PROBABILITIES[:4], CLASSES, LABELS[:4]),
        ["plane: right, answered plane with p = 0.79"],
    ),
    "mistakes": (
        lambda: plotting.mistakes(NOISE, LABELS, PROBABILITIES, CLASSES),
        ["mistakes among 64 images", "taken for", "p = "],
    ),
    "mistakes, none": (
        lambda: plotting.mistakes(NOISE[:2], [0, 1], np.eye(10)[:2], CLASSES),
        ["0 mistakes among 2 images"],
    ),
    "confusion_matrix": (
        lambda: plotting.confusion_matrix(LOGITS, LABELS, CLASSES),
        [
            f"Accuracy {ACCURACY} over 64 images",
            "Best class truck (100 %), worst deer (33 %)",
            "dog taken for frog (3 of 6)",
        ],
    ),
    "per_class_accuracy": (
        lambda: plotting.per_class_accuracy(LOGITS, LABELS, CLASSES),
        [f"{ACCURACY} right overall; worst deer with 33 %, best truck with 100 %"],
    ),
    "per_class_accuracy, two models": (
        lambda: plotting.per_class_accuracy({"cnn": LOGITS, "vgg11": LABELS}, LABELS, CLASSES),
        ["cnn: ", "vgg11: 100 % right overall"],
    ),
    "probability_bars": (
        lambda: plotting.probability_bars([0.7, 0.2, 0.1], CLASSES[:3]),
        ["Plane 0.70, car 0.20 and bird 0.10"],
    ),
    "probability_bars, temperatures": (
        lambda: plotting.probability_bars(
            {f"T = {t:g}": torch.softmax(SCORES / t, 0) for t in (0.25, 1, 4)}, CLASSES[:4]
        ),
        ["T = 0.25: plane 0.98", "T = 4: plane 0.34"],
    ),
    "value_bars": (
        lambda: plotting.value_bars(
            {"plane": 0.24, "car": -0.9, "bird": 0.66}, title="p − y", marked="car"
        ),
        ["p − y. plane 0.24, car −0.9 and bird 0.66. Hatched: car."],
    ),
    "bars_by_layer": (
        lambda: plotting.bars_by_layer(
            ALEXNET,
            dict.fromkeys(["parameters", "bytes"], PARAMETERS),
            kinds=["conv"] * 5 + ["linear"] * 3,
        ),
        ["62.4 M in all, most in fc6 (37.8 M, 61 %)", "conv 6 % and linear 94 %"],
    ),
    "ensemble_bars": (
        lambda: plotting.ensemble_bars([0.881, 0.886, 0.89], 0.906),
        [
            "The 3 members reach 88.1–89.0 %",
            "the ensemble 90.6 %, 1.6 points above the best member",
        ],
    ),
    "function_curves": (
        lambda: plotting.function_curves(
            P, {"−log p": lambda p: -torch.log(p)}, xlabel="p", marks={"p = 0.5": (0.5, 0.693)}
        ),
        [
            "Over p from 0.01 to 1: −log p falls from 4.61 to 0.",
            "Marked: p = 0.5, at 0.5 the value 0.693",
        ],
    ),
    "function_curves, steps and a maximum": (
        lambda: plotting.function_curves(
            [0, 1, 2, 3], [0.0, 3.0, 1.0, 0.5], step=True, ylabel="lr"
        ),
        ["lr rises from 0 to 0.5", "highest 3 at 1"],
    ),
    "why_not_mse": (
        lambda: plotting.why_not_mse(),
        ["cross-entropy falls from 8 to 3.4e-4", "squared error", "lowest −0.296"],
    ),
    "double_softmax_gradient": (
        lambda: plotting.double_softmax_gradient(),
        ["with logits falls from 1 to", "with softmax first", "highest 0.237"],
    ),
    "training_curves": (
        lambda: plotting.training_curves(LOGITS_RUN, THREE_SEEDS),
        [
            "Loss falls from 2.30 to 1.15 over 4 epochs; test accuracy rises from 45 % to 61 %, "
            "inside the reference band (60–64 %)."
        ],
    ),
    "training_curves, two runs": (
        lambda: plotting.training_curves(
            {"logits": LOGITS_RUN, "double softmax": DOUBLE_RUN}, {"logits": THREE_SEEDS}
        ),
        [
            "logits: loss falls",
            "61 %, inside the reference band (60–64 %)",
            "double softmax: loss falls from 2.28 to 2.01 over 4 epochs; "
            "test accuracy rises from 33 % to 47 %.",
        ],
    ),
    "training_curves, one epoch": (
        lambda: plotting.training_curves(history([2.1], [0.2]), THREE_SEEDS),
        ["Loss is 2.10 over 1 epoch; test accuracy is 20 %, below the reference band", "(51–53 %)"],
    ),
    "loss_by_step": (
        lambda: plotting.loss_by_step(
            {"DataLoader": [LOSSES[::2]] * 2, "Batches": LOSSES},
            every=100,
            levels={"guessing": 2.303},
        ),
        [
            "DataLoader: loss falls from 2.20 to 1.40 over 1,000 mini-batches",
            "Batches: loss falls",
            "Dotted: guessing, 2.30",
        ],
    ),
    "train_test_gap": (
        lambda: plotting.train_test_gap({"logits": LOGITS_RUN, "double softmax": DOUBLE_RUN}),
        ["logits: accuracy ends at 70 % in training, 61 % in test", "to 9.0 points"],
    ),
    "activations_by_depth": (
        lambda: plotting.activations_by_depth(
            {"default": [0.3, 0.1, 0.03, 0.01, 0.003], "Kaiming": [0.9, 1.0, 0.8, 0.9, 1.1]}
        ),
        [
            "default: falls from 0.3 to 0.003 from layer 1 to layer 5",
            "Kaiming: rises from 0.9 to 1.1",
        ],
    ),
    "convolution_window": (
        lambda: plotting.convolution_window(7, 3, 3),
        [
            "a window of 3 moved by 3 fits 2 times",
            "1 column left over: ⌊(7 − 3 + 2·0) / 3⌋ + 1 = 2",
        ],
    ),
    "convolution_window, padded": (
        lambda: plotting.convolution_window(5, 3, 1, 1),
        ["padding 1 gives 7 columns", "Nothing is left over", "+ 1 = 5"],
    ),
    "convolution_window, large": (
        lambda: plotting.convolution_window(227, 11, 4),
        ["fits 55 times", "⌊(227 − 11 + 2·0) / 4⌋ + 1 = 55"],
    ),
    "receptive_field_stack": (
        lambda: plotting.receptive_field_stack([3, 3, 3]),
        [
            "after 1 layer 3×3, after 2 layers 5×5, after 3 layers 7×7 pixels of the input",
            "From the output down, it sees 3, then 5, then 7 cells",
        ],
    ),
    "receptive_field_stack, strides": (
        lambda: plotting.receptive_field_stack([3, 3], [2, 2]),
        ["3×3, stride 2 + 3×3, stride 2", "after 2 layers 7×7", "3, then 7"],
    ),
    "network_volumes": (
        lambda: plotting.network_volumes(VGG11, title="VGG11"),
        [
            "15 boxes from input (3×32×32) to fc1 (10)",
            "sides go from 32 to 1 pixel, channels from 3 to 512",
        ],
    ),
    "network_volumes, few": (
        lambda: plotting.network_volumes(VGG11[:4]),
        ["4 boxes", "conv1 64×32×32"],
    ),
    "mlp_layers": (
        lambda: plotting.mlp_layers([784, 512, 10]),
        ["input 784, then hidden 512, then logits 10", "407,050 parameters"],
    ),
    "ilsvrc_timeline": (
        lambda: plotting.ilsvrc_timeline(ILSVRC),
        ["from 28.2 % to 3.6 %", "2012 AlexNet 15.3 %, 8 layers", "2011 XRCE 25.8 %, shallow"],
    ),
    "score_probability_loss": (
        lambda: plotting.score_probability_loss([2.0, 1.0, -1.0], ["cat", "dog", "car"], 0),
        ["cat 2.00, dog 1.00 and car −1.00", "cat 0.71", "−log 0.71 = 0.35"],
    ),
    "pipeline_steps": (
        lambda: plotting.pipeline_steps(),
        ["6 steps: 1. Dataset (images and labels), 2. ", "Steps 2 to 5 repeat for every batch"],
    ),
    "residual_block": (
        lambda: plotting.residual_block(),
        ["conv 3×3, BatchNorm, ReLU, conv 3×3 and BatchNorm", "is added before the last ReLU"],
    ),
    "convolution_example": (
        lambda: plotting.convolution_example(
            [[0, 0, 1, 1, 1]] * 5, [[-1, 0, 1]] * 3, position=(0, 1), title="A filter for edges"
        ),
        ["An image of 5×5, a filter of 3×3", "an output of 3×3; the outlined window gives 3"],
    ),
    "pooling_example": (
        lambda: plotting.pooling_example(np.arange(25).reshape(5, 5), 3, 2, position=(1, 1)),
        ["each 3×3 window, moved by 2, makes an output of 2×2", "The outlined window gives 24"],
    ),
    "dropout_mask": (
        lambda: plotting.dropout_mask(DROPOUT_BEFORE, DROPOUT_AFTER),
        ["8 of 24 activations are dropped (33 %", "multiplied by 2.00", "from 1.25 to"],
    ),
    "batch_order": (
        lambda: plotting.batch_order(
            {"shuffle=False": [[0, 1, 2, 3], [4, 5]], "shuffle=True": [[3, 5, 1, 4], [0, 2]]}
        ),
        ["shuffle=False: 2 batches of 4 and 2, the first with samples 0, 1, 2 and 3"],
    ),
}


# What explorers draw, too.
AS_SVG = {"convolution_window", "receptive_field_stack", "network_volumes", "residual_block"}


def width_of(output) -> int:
    if svg := output.get("image/svg+xml"):
        root = ElementTree.fromstring(svg)
        background = root.find("{http://www.w3.org/2000/svg}rect")  # as there are dark notebooks
        assert (background.get("fill"), background.get("width")) == ("white", root.get("width"))
        assert background.get("height") == root.get("height")
        return int(root.get("width"))
    return Image.open(io.BytesIO(base64.b64decode(output["image/png"]))).width


@pytest.fixture
def shown(monkeypatch):
    """The outputs a notebook would get, in order."""
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: outputs.append(data))
    return outputs


@pytest.mark.parametrize("name", EXAMPLES)
def test_picture(name, shown):
    import matplotlib
    import matplotlib.pyplot as plt

    call, says = EXAMPLES[name]
    settings = dict(matplotlib.rcParams)
    generators = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    call()
    (output,) = shown
    image = "image/svg+xml" if name.split(",")[0] in AS_SVG else "image/png"
    assert set(output) == {"text/html", image, "text/plain"}
    alt = output["text/plain"]
    for part in says:
        assert part in alt, alt
    assert output["text/html"].startswith("<img ") and "alt=" in output["text/html"]
    assert len(output[image]) < 4 / 3 * plotting.figure.MAX_BYTES  # a PNG in base64
    assert width_of(output) <= 860
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == settings
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert (np.random.get_state()[1] == generators[1]).all()
    assert random.getstate() == generators[2]


def test_every_public_function_has_an_example():
    called = {name.split(",")[0] for name in EXAMPLES}
    offered = {name for name, value in vars(plotting).items() if callable(value)}
    assert called == offered - {"show", "series_style"}


# What the error has to say, and the bad input.
FAULTS = {
    "images is empty": lambda: plotting.image_grid(NOISE[:0]),
    "give classes=": lambda: plotting.image_grid(NOISE[:2], [0, 1]),
    "images: 3, titles: 2": lambda: plotting.image_grid(NOISE[:3], [0, 1], CLASSES),
    "10 to 10, but there are 10 classes (0 to 9)": lambda: plotting.image_grid(
        NOISE[:1], [10], CLASSES
    ),
    "1 or 3 channels": lambda: plotting.image_grid(NOISE[..., :2]),
    "must all have one shape": lambda: plotting.image_grid([NOISE[0], NOISE[0, :8]]),
    "Give the mean= and std=": lambda: plotting.image_grid(torch.full((1, 3, 4, 4), 2.6)),
    "16 input channels": lambda: plotting.filters(torch.ones(8, 16, 3, 3)),
    "hold 2 images": lambda: plotting.feature_maps(torch.ones(2, 3, 4, 4)),
    "Logits go through softmax first": lambda: plotting.mistakes(NOISE, LABELS, LOGITS, CLASSES),
    "10 columns, but there are 9 classes": lambda: plotting.confusion_matrix(
        LOGITS, LABELS % 9, CLASSES[:9]
    ),
    "predictions: 5, labels: 64": lambda: plotting.per_class_accuracy(LOGITS[:5], LABELS, CLASSES),
    "must hold numbers": lambda: plotting.function_curves([1, 2], ["a", "b"]),
    "marked names ['b']": lambda: plotting.value_bars({"a": 1}, marked="b"),
    "must lie in 0 to 1": lambda: plotting.ensemble_bars([88.1], 90.0),
    "layers: 2, kinds: 2, parameters: 1": lambda: plotting.bars_by_layer(
        ["a", "b"], {"parameters": [1]}
    ),
    "no finite": lambda: plotting.function_curves([1, 2], [np.inf, np.nan]),
    "run fit first": lambda: plotting.training_curves(history([], [])),
    "needs train_accuracy": lambda: plotting.train_test_gap(history([1.0], [0.5])),
    "2 mini-batches, fewer": lambda: plotting.loss_by_step([1.0, 2.0], every=3),
    "7 pixels does not fit": lambda: plotting.convolution_window(4, 7),
    "whole number": lambda: plotting.convolution_window(4, 1.5),
    "one stride per kernel": lambda: plotting.receptive_field_stack([3, 3], [1]),
    "shape of conv1 must be (C, H, W)": lambda: plotting.network_volumes([("conv1", (3, 32))]),
    "0.153 for 15.3 %": lambda: plotting.ilsvrc_timeline([(2012, "AlexNet", 8, 15.3)]),
    "at most 12×12": lambda: plotting.convolution_example(NOISE[0, :, :, 0], [[1]]),
    "outside the output of 1×2": lambda: plotting.convolution_example(
        [[1, 2]], [[1]], position=(1, 0)
    ),
    "must have one shape": lambda: plotting.dropout_mask([1.0, 2.0], [1.0]),
    "must be a dictionary": lambda: plotting.batch_order([[0, 1]]),
}


@pytest.mark.parametrize("says", FAULTS)
def test_bad_input_gets_a_clear_error(says, shown):
    with pytest.raises((ValueError, TypeError), match=re.escape(says)):
        FAULTS[says]()
    assert shown == []


def test_alt_text_is_escaped_in_html_and_must_not_be_empty(shown):
    from matplotlib.figure import Figure

    plotting.show(Figure(), alt='p < 1 & "q"')
    assert 'alt="p &lt; 1 &amp; &quot;q&quot;"' in shown[0]["text/html"]
    with pytest.raises(ValueError, match="empty alt text"):
        plotting.show(Figure(), alt=" ")


def test_outside_a_notebook_only_the_alt_text_is_printed(capsys):
    plotting.value_bars({"a": 1})
    assert capsys.readouterr().out == "a 1.\n"


def test_a_figure_of_the_notebooks_own_is_closed(shown):
    import matplotlib

    with matplotlib.rc_context({"backend": "agg"}):
        import matplotlib.pyplot as plt

        plotting.show(plt.figure(), alt="Nothing.")
        assert plt.get_fignums() == []


def test_pictures_are_white_whatever_style_the_notebook_set(shown):
    import matplotlib.style

    with matplotlib.style.context("dark_background"):
        plotting.value_bars({"a": 1})
    picture = Image.open(io.BytesIO(base64.b64decode(shown[0]["image/png"]))).convert("RGB")
    assert picture.getpixel((2, 2)) == (255, 255, 255)


@pytest.fixture
def hangul(tmp_path, monkeypatch):
    """A font with the letters of 훈련, as black squares, which matplotlib has not seen yet."""
    from matplotlib import font_manager

    letters, pen = {ord(letter): f"uni{ord(letter):X}" for letter in "훈련"}, TTGlyphPen(None)
    for draw, corner in zip("mlll", [(0, 0), (0, 800), (800, 800), (800, 0)], strict=True):
        (pen.moveTo if draw == "m" else pen.lineTo)(corner)
    pen.closePath()
    names, square = [".notdef", *letters.values()], pen.glyph()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(letters)
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Two Letters", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "two.ttf")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", font_manager.fontManager.ttflist[:])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    return str(tmp_path / "two.ttf")


def black_pixels(output) -> int:
    image = Image.open(io.BytesIO(base64.b64decode(output["image/png"]))).convert("L")
    return int((np.asarray(image) < 50).sum())


@pytest.mark.parametrize("way", ["installed", "set by the notebook"])
def test_letters_that_our_font_lacks_come_from_another(
    way, hangul, shown, monkeypatch, recwarn, capsys
):
    from matplotlib import font_manager, rc_context

    plotting.value_bars({"cat": 1}, title="ab")
    settings = {}
    if way == "installed":
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [hangul, hangul + "x"])
    else:
        font_manager.fontManager.addfont(hangul)
        settings["font.family"] = "Two Letters"
    with rc_context(settings):
        plotting.value_bars({"cat": 1}, title="훈련")  # two full squares of ten points
    assert black_pixels(shown[1]) > black_pixels(shown[0]) + 120
    # UserWarning is what matplotlib gives for a letter; old versions of it say that others are old.
    assert not [w for w in recwarn if w.category is UserWarning] and capsys.readouterr().out == ""
    assert "훈련" in shown[1]["text/plain"]


def test_letters_that_no_font_has_are_told_in_a_sentence(
    hangul, shown, monkeypatch, recwarn, capsys
):
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [hangul])
    plotting.value_bars({"곡 훈": 1, "선": 2}, title="곡")
    said = capsys.readouterr().out
    assert said.startswith("Boxes stand in this picture for 곡 선: no installed font has them.")
    assert said.count("\n") == 1 and not recwarn.list


def test_other_warnings_of_a_figure_still_come(shown):
    from matplotlib.figure import Figure

    fig = Figure(layout="constrained", figsize=(0.1, 0.1))
    fig.subplots().set_title("wide")
    with pytest.warns(UserWarning, match="constrained_layout not applied"):
        plotting.show(fig, alt="Nothing.")


def test_the_same_data_gives_the_same_picture(shown):
    for _ in range(2):
        plotting.value_bars({"a": 1, "b": 2})
    assert shown[0] == shown[1]


def test_gpu_like_dtypes_and_gradients_are_taken(shown):
    weights = torch.nn.Parameter(torch.ones(2, 3, 3, 3, dtype=torch.bfloat16))
    plotting.filters(weights)
    plotting.probability_bars(torch.tensor([0.5, 0.5], requires_grad=True), ("a", "b"))
    assert len(shown) == 2


def test_normalisation_is_undone():
    from labutils.plotting.inputs import as_images

    pixels = np.array([0.0, 0.25, 1.0]).reshape(1, 1, 1, 3)  # [N, H, W, C], one pixel
    mean, std = np.array([0.49, 0.48, 0.45]), np.array([0.25, 0.24, 0.26])
    assert np.allclose(as_images((pixels - mean) / std, mean, std), pixels)
    assert np.allclose(as_images((pixels - 0.5) / 0.5), pixels)
    assert np.allclose(as_images(pixels), pixels)


def test_infinite_loss_is_said_and_drawn_as_a_gap(shown):
    plotting.function_curves([0, 0.5, 1], {"−log q": [np.inf, 0.69, 0.0]}, xlabel="q")
    assert "−log q falls from infinite to 0" in shown[0]["text/plain"]


def test_a_run_is_compared_at_the_last_epoch_both_have(shown):
    longer = history([2.0] * 5, [0.5, 0.6, 0.6, 0.65, 0.9])
    plotting.training_curves(longer, THREE_SEEDS)
    assert "above the reference band (60–64 %) at epoch 4" in shown[0]["text/plain"]


def test_one_seed_is_no_band(shown):
    plotting.training_curves(LOGITS_RUN, reference([0.52, 0.57, 0.59, 0.60]))
    assert "61 %, above the reference run (60 %)" in shown[0]["text/plain"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1.5, "−1.5"),
        (0.04512, "0.0451"),
        (999.6, "1,000"),
        (1234.5, "1,234"),
        (62_378_344, "62.4 M"),
        (5e-5, "5.0e-5"),
        (-4e-8, "−4.0e-8"),
        (float("inf"), "infinite"),
        (float("nan"), "not a number"),
    ],
)
def test_numbers_in_few_digits(value, text):
    assert words.number(value) == text


def contrast(*colors: str) -> float:
    """The contrast of two colours as WCAG 2 defines it, 1 to 21."""
    parts = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_white():
    """Each colour of lines and edges has a contrast of at least 3:1 (WCAG 2, 1.4.11)."""
    import matplotlib

    with plotting.series_style():
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert tuple(cycle["color"]) == plotting.colors.COLORS
    assert tuple(cycle["marker"]) == plotting.colors.MARKERS
    for color in plotting.colors.COLORS:
        assert contrast(color, "#FFFFFF") >= 3.0


def test_matplotlib_loads_on_first_use():
    code = "import sys, labutils.plotting; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
