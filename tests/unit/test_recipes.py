"""Recipes are data: what they say is what they make."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labutils import data, training
from labutils.device import BUDGETS
from labutils.training import checkpoints, models, recipes
from tests.toy_data import noise

ALL = [(name, budget) for name in recipes.RECIPES for budget in BUDGETS]


@pytest.mark.parametrize(("name", "budget"), ALL)
def test_every_recipe_makes_what_it_says(name, budget):
    recipe = recipes.RECIPES[name][budget]
    side, colours = (28, 1) if recipe.dataset == "mnist" else (32, 3)
    images = noise(300, side, colours)
    with torch.device("meta"):
        model = models.MODELS[recipe.model]()
        assert model.eval()(torch.empty(2, colours, side, side)).shape == (2, 10)
    train, test = recipe.make_batches(images, images, "cpu")
    assert train.batch_size == recipe.batch_size and train.shuffle and not test.shuffle
    assert len(train.dataset) == min(300, recipe.num_images or 300)
    assert (train.augment is None) == (recipe.augment == ()) and test.augment is None
    optimizer = recipe.make_optimizer(model)
    assert type(optimizer).__name__ == recipe.optimizer
    group = optimizer.param_groups[0]
    assert group["lr"] == recipe.lr and group["weight_decay"] == recipe.weight_decay
    assert group.get("momentum", 0.0) == recipe.momentum
    assert group.get("nesterov", False) == recipe.nesterov
    assert json.loads(json.dumps(recipe.as_dict())) == recipe.as_dict()
    assert str(recipe.batch_size) in recipe.describe()


def test_names_are_unique_to_a_recipe():
    named = {}
    for name, budget in ALL:
        recipe = recipes.RECIPES[name][budget]
        assert named.setdefault(recipe.name, recipe) == recipe


def test_exercise_1_is_the_lectures():
    for recipe in (recipes.CNN_DOUBLE_SOFTMAX["cpu"], recipes.CNN_LOGITS["gpu"]):
        assert (recipe.batch_size, recipe.num_epochs) == (8, 4)
        assert (recipe.lr, recipe.momentum) == (0.001, 0.9)
        assert recipe.schedule is None and recipe.weight_decay == 0 and recipe.augment == ()
        assert (recipe.mean, recipe.std) == (0.5, 0.5)


def test_the_double_softmax_is_the_same_network_with_a_softmax():
    torch.manual_seed(0)
    logits_model = models.cnn()
    torch.manual_seed(0)
    softmax_model = models.cnn_softmax()
    images = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(softmax_model(images), logits_model(images).softmax(dim=1))


def test_heads_are_heard_in_training_and_weighed():
    torch.manual_seed(0)
    model, images = models.MODELS["googlenet_heads"](), torch.randn(4, 3, 32, 32)
    labels = torch.tensor([1, 2, 3, 4])
    outputs = model(images)
    main, first, second = (F.cross_entropy(logits, labels) for logits in outputs)
    loss = recipes.GOOGLENET_HEADS["cpu"].fit_settings("cpu")["loss_fn"]
    torch.testing.assert_close(loss(outputs, labels), main + 0.3 * (first + second))
    logits = model.eval()(images)
    torch.testing.assert_close(loss(logits, labels), F.cross_entropy(logits, labels))


def test_a_network_with_heads_is_trained_and_timed(capsys):
    recipe = dataclasses.replace(recipes.GOOGLENET_HEADS["smoke"], num_images=64)
    images = noise(64)
    model = models.MODELS[recipe.model]()
    before = model.heads["4"][1].weight.clone()
    history = recipes.train(recipe, model, images, images, announce=True, verbose=False)
    assert "A whole training takes" in capsys.readouterr().out
    assert len(history.test_loss) == 1 and not torch.equal(before, model.heads["4"][1].weight)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mlp", 407_050), ("cnn", 11_642), ("vgg11", 9_225_610), ("vgg16", 33_638_218),
     ("small_alexnet", 334_794), ("googlenet", 1_003_490), ("googlenet_heads", 1_104_758),
     ("plain20", 269_722), ("residual20", 269_722), ("plain56", 853_018), ("residual56", 853_018),
     ("residual56_half", 853_018), ("laptop_resnet", 1_055_402), ("wide_resnet", 7_753_802)],
)  # fmt: skip
def test_parameter_counts(name, parameters):
    with torch.device("meta"):
        model = models.MODELS[name]()
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_a_residual_block_is_torchvisions():
    from torchvision.models.resnet import BasicBlock

    torch.manual_seed(0)
    theirs, own, images = BasicBlock(8, 8), models.ResidualBlock(8, 8), torch.randn(4, 8, 6, 6)
    values = zip(own.body.state_dict(), theirs.state_dict().values(), strict=True)
    own.body.load_state_dict(dict(values))
    torch.testing.assert_close(own(images), theirs(images))
    torch.testing.assert_close(own.eval()(images), theirs.eval()(images))


def test_a_shortcut_leaves_pixels_out_and_adds_channels_of_zeros():
    images = torch.randn(2, 8, 7, 6)
    for shortcut in (True, False):
        block = models.ResidualBlock(8, 12, stride=2, shortcut=shortcut)
        nn.init.zeros_(block.body[-1].weight)  # the body gives zeros: what is left is the shortcut
        expected = torch.zeros(2, 12, 4, 3)
        if shortcut:
            expected[:, :8] = images[:, :, ::2, ::2].relu()
        torch.testing.assert_close(block(images), expected)


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_the_depth_counts_the_layers_with_weights(depth):
    for shortcuts in (True, False):
        with torch.device("meta"):
            model = models.cifar_resnet(depth, shortcuts)
        layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        assert len(layers) == depth and sum(layer.bias is not None for layer in layers) == 1
        blocks = [block for block in model if isinstance(block, models.ResidualBlock)]
        assert {block.has_shortcut for block in blocks} == {shortcuts}
        n = len(blocks) // 3
        assert [i for i, block in enumerate(blocks) if block.stride == 2] == [n, 2 * n]


@pytest.mark.parametrize("depth", [2, 18, 34])
def test_a_depth_that_is_not_6n_plus_2_is_refused(depth):
    with pytest.raises(ValueError, match=f"6n \\+ 2 .* got {depth}"):
        models.cifar_resnet(depth)


def test_without_batch_norm_every_convolution_has_a_bias():
    for make in (lambda **k: models.cifar_resnet(8, **k), models.laptop_resnet):
        model = make(batch_norm=False, shortcuts=False)
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
        assert not any(block.has_shortcut for block in model if hasattr(block, "has_shortcut"))
        convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
        assert all(conv.bias is not None for conv in convs)


def test_a_mirrored_network_answers_twice_where_it_does_not_learn():
    torch.manual_seed(0)
    model, images = models.laptop_resnet((4, 4, 8, 8)), torch.randn(4, 3, 32, 32)
    once = nn.Sequential(*model)
    assert type(models.laptop_resnet(mirrored=False)) is nn.Sequential
    torch.testing.assert_close(model.eval()(images), model(images.flip(3)))
    expected = (once.eval()(images) + once(images.flip(3))) / 2
    torch.testing.assert_close(model(images), expected)
    assert not torch.allclose(once(images), once(images.flip(3)))
    model.train(), once.train()
    torch.testing.assert_close(model(images), once(images))


def test_the_race_is_run_at_half_the_height_and_width():
    torch.manual_seed(0)
    half = models.MODELS["plain20_half"]()
    torch.manual_seed(0)
    whole, images = models.MODELS["plain20"](), torch.randn(4, 3, 32, 32)
    small = F.interpolate(images, scale_factor=0.5, mode="area")
    torch.testing.assert_close(half(images), whole(small))


def test_smoothed_labels_are_spread_evenly_and_said():
    recipe = dataclasses.replace(recipes.VGG11["cpu"], label_smoothing=0.2)
    loss = recipe.fit_settings("cpu")["loss_fn"]
    logits, labels = torch.randn(5, 10), torch.arange(5)
    shares = 0.8 * F.one_hot(labels, 10) + 0.2 / 10
    torch.testing.assert_close(
        loss(logits, labels), -(shares * logits.log_softmax(1)).sum(1).mean()
    )
    assert "labels smoothed by 0.2" in recipe.describe().split("; ")
    assert "smoothed" not in recipes.VGG11["cpu"].describe()


def test_a_run_with_other_labels_is_not_gone_on_with(tmp_path):
    recipe, images = dataclasses.replace(recipes.MLP["smoke"], num_images=64), noise(64, 28, 1)
    for smoothing in (0.1, 0.1, 0.2):
        again = dataclasses.replace(recipe, label_smoothing=smoothing)
        settings = dict(checkpoint=tmp_path / "c.pt", verbose=False)
        if smoothing == 0.1:
            assert len(recipes.train(again, models.mlp(), images, **settings)) == 1
        else:
            with pytest.raises(checkpoints.CheckpointError, match="its loss_fn"):
                recipes.train(again, models.mlp(), images, **settings)


def test_the_small_alexnet_is_notebook_06s():
    folder = Path(__file__).parents[2] / "notebooks" / "solutions"
    path = next(folder.glob("06*.ipynb"))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    names = {"nn": nn}
    exec(next(text for text in texts if text.startswith("def small_alexnet")), names)
    assert str(names["small_alexnet"]()) == str(models.small_alexnet())


def test_vgg_features_are_torchvisions():
    from torchvision.models import vgg11, vgg16

    for config, theirs in ((models.CONFIG_A, vgg11), (models.CONFIG_D, vgg16)):
        with torch.device("meta"):
            own, other = models.vgg_features(config), theirs().features
        assert str(own) == str(other).replace("ReLU(inplace=True)", "ReLU()")


def test_kaiming_keeps_the_scale_through_depth():
    torch.manual_seed(0)
    images = torch.randn(64, 3, 32, 32)
    with torch.no_grad():
        kaiming = models.MODELS["vgg11"]()[:-2](images).std()
        default = models.vgg_features(models.CONFIG_A)(images).std()
    assert kaiming > 0.3 and default < 0.1 * kaiming


def test_one_cycle_rises_and_falls():
    curve = recipes.OneCycle(100, 0.2)
    shares = [curve(step) for step in range(101)]
    assert max(shares) == shares[20] == 1.0
    assert shares[:21] == sorted(shares[:21]) and shares[20:] == sorted(shares[20:], reverse=True)
    assert 0 < shares[0] < 0.1 and 0 < shares[99] < 0.05 and shares[100] == 0
    for steps in (1, 2, 3):
        assert all(0 < recipes.OneCycle(steps, 0.2)(step) <= 1 for step in range(steps))


def test_augmentations_apply_in_turn():
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    assert recipes.augmentation(()) is None
    both = recipes.augmentation(("flip", "crop"))
    torch.manual_seed(0)
    expected = recipes.AUGMENTATIONS["crop"](data.random_flip(images))
    torch.manual_seed(0)
    assert torch.equal(both(images), expected)
    assert recipes.augmentation(("flip", "crop")).__qualname__ == both.__qualname__


def test_train_follows_the_recipe_on_any_model():
    recipe = recipes.VGG11["smoke"]
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    images = noise(600)
    history = recipes.train(recipe, model, images, images, verbose=False)
    assert len(history) == recipe.num_epochs == 1
    assert len(history.batch_loss[0]) == 512 // 64
    assert history.lr[-1] == pytest.approx(0.0, abs=1e-9)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(history, training.History)


GPU, MINUTE = torch.device("cuda"), 60


@pytest.mark.parametrize(
    ("generation", "minutes", "num_epochs"),
    [((8, 0), 4, 100), ((8, 0), 6, 25), ((7, 5), 14, 100), ((7, 5), 16, 25), ((6, 1), 14, 100)],
)
def test_a_training_on_a_gpu_fits_a_lesson(monkeypatch, capsys, generation, minutes, num_epochs):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    recipe = recipes.VGG16["gpu"]
    chosen, _ = recipes.for_a_lesson(recipe, GPU, minutes * MINUTE)
    assert chosen.num_epochs == num_epochs
    said = "" if num_epochs == 100 else "To fit a lesson, it trains for 25 of the 100 epochs.\n"
    assert capsys.readouterr().out == said and (chosen is recipe) == (num_epochs == 100)
    assert recipes.for_a_lesson(recipe, torch.device("cpu"), 9e9) == (recipe, None)


def test_a_training_goes_on_as_long_as_it_began(monkeypatch, tmp_path):
    """The estimate of another day, or of a shared GPU, may be another one."""
    recipe, path, short = recipes.VGG11["gpu"], tmp_path / "a.b.pt", tmp_path / "a.b_short.pt"
    long_here, short_here = 60 * MINUTE, MINUTE

    def chosen(seconds):
        which, file = recipes.for_a_lesson(recipe, GPU, seconds, path)
        return which.num_epochs, file

    assert (chosen(short_here), chosen(long_here)) == ((60, path), (15, short))
    short.touch()
    assert chosen(short_here) == chosen(long_here) == (15, short)
    path.touch()
    assert chosen(short_here) == chosen(long_here) == (60, path)


def test_an_announced_training_that_is_too_long_is_shortened(monkeypatch, capsys, tmp_path):
    """With stand-ins for a GPU that computes as the CPU does, and for the estimate."""
    recipe = dataclasses.replace(recipes.MLP["smoke"], num_epochs=8)
    choose = recipes.for_a_lesson
    monkeypatch.setattr(recipes, "estimate_seconds", lambda *a, **k: 3600.0)
    monkeypatch.setattr(
        recipes, "for_a_lesson", lambda recipe, device, *rest: choose(recipe, GPU, *rest)
    )
    settings = dict(announce=True, checkpoint=tmp_path / "c.pt", verbose=False)
    history = recipes.train(recipe, models.mlp(), noise(64, 28, 1), **settings)
    assert len(history) == 2 and [path.name for path in tmp_path.iterdir()] == ["c_short.pt"]
    said = capsys.readouterr().out
    assert "about 60 minutes here.\nTo fit a lesson, it trains for 2 of the 8 epochs, with" in said


def test_an_announced_training_is_the_same_training(capsys):
    recipe, images = recipes.MLP["smoke"], noise(200, 28, 1)
    losses = []
    for announce in (False, True):
        torch.manual_seed(0)
        history = recipes.train(recipe, models.mlp(), images, announce=announce, verbose=False)
        losses.append(history.train_loss)
    assert losses[0] == losses[1]
    words = [*recipe.describe().split("; "), "A whole training takes a few seconds here."]
    assert capsys.readouterr().out.splitlines() == words
