"""Reference runs: measured by a command, merged by seed, read by notebooks."""

import argparse
import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from labutils import data, training
from labutils.tools import measure
from labutils.training import recipes, reference
from tests.toy_data import noise


def run_of(seed, accuracy, epochs=2):
    return {
        "seed": seed,
        "train_loss": [2.0] * epochs,
        "test_accuracy": [accuracy] * epochs,
        "seconds": [1.0] * epochs,
        "device": "cpu",
    }


def command(folder, *words):
    parser = argparse.ArgumentParser()
    measure.add_arguments(parser)
    return measure.main(parser.parse_args([*words, "--folder", str(folder)]))


@pytest.fixture
def no_training(monkeypatch):
    """The command with a drawn dataset in place of the real one, and a run of no time."""

    def load(name, source=None):
        whole = noise(64, 28, 1)
        whole.source = "npz"
        return whole, whole

    monkeypatch.setattr(data, "load", load)


def test_the_command_writes_what_load_reference_reads(tmp_path, no_training, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FOLDERS", (tmp_path,))
    assert command(tmp_path, "mlp", "--budget", "smoke", "--seeds", "1", "0", "--shared") == 0
    runs = reference.load_reference("mlp_smoke")
    assert runs.num_seeds == 2 and [run["seed"] for run in runs.runs] == [0, 1]
    assert runs.recipe == recipes.MLP["smoke"].as_dict()
    for run in runs.runs:
        assert set(run) >= {"train_loss", "test_loss", "test_accuracy", "seconds", "device"}
        assert len(run["train_loss"]) == 1 and run["machine_was_shared"] is True
        assert run["versions"]["torch"] == torch.__version__
        assert run["data"]["source"] == "npz" and run["data"]["images"] == [64, 64]
        assert run["data"]["words"] == "an unverified copy of MNIST"
    assert "2 seeds on an unverified copy of MNIST (cpu)" in runs.describe()
    assert "wrote" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["mlp_smoke.json"]


def test_a_fingerprint_tells_images_apart(no_training, monkeypatch):
    train, test = data.load("mnist")
    known = reference.describe_images(train, test)["fingerprint"]
    train.images[5, 3, 3] = 1
    by_source = {}
    for train.source in ("sample", "npz", "local", "downloaded"):
        about = reference.describe_images(train, test)
        by_source[train.source] = about["words"]
        assert about["fingerprint"] != known
    assert by_source == {
        "sample": "the sample for MNIST",
        "npz": "an unverified copy of MNIST",
        "local": "the original MNIST",
        "downloaded": "the original MNIST",
    }
    monkeypatch.setitem(reference.KNOWN_IMAGES, about["fingerprint"], "MNIST with a dot")
    assert reference.describe_images(train, test)["words"] == "MNIST with a dot"


def test_the_same_seed_gives_the_same_run(no_training):
    first, second = (measure.measure(recipes.MLP["smoke"], 5) for _ in range(2))
    assert first["train_loss"] == second["train_loss"]
    assert first["train_loss"] != measure.measure(recipes.MLP["smoke"], 6)["train_loss"]


def test_the_running_loss_is_recorded_where_an_epoch_is_long_enough(no_training, monkeypatch):
    assert "running_loss" not in measure.measure(recipes.MLP["smoke"], 0)
    history = training.History(batch_loss=[[1.0] * 2000 + [3.0] * 2000 + [9.0]])
    for name in ("train_loss", "test_loss", "test_accuracy", "seconds"):
        getattr(history, name).append(0.0)
    monkeypatch.setattr(recipes, "train", lambda *a, **k: history)
    assert measure.measure(recipes.MLP["smoke"], 0)["running_loss"] == [[1.0, 3.0]]


def test_the_first_layer_is_kept_on_demand(tmp_path, no_training, monkeypatch):
    monkeypatch.setattr(reference, "FOLDERS", (tmp_path,))
    assert command(tmp_path, "mlp", "--budget", "smoke", "--seeds", "0") == 0
    assert "filters" not in reference.load_reference("mlp_smoke").runs[0]
    assert command(tmp_path, "mlp", "--budget", "smoke", "--seeds", "1", "--filters") == 0
    kept = reference.load_reference("mlp_smoke").filters()  # seed 1's: seed 0 has none
    assert kept.shape == (512, 784) and len(kept.unique()) > 100

    weights = torch.randn(4, 3, 2, 2)
    packed = json.loads(json.dumps(reference.pack(weights)))
    assert max(packed["values"], key=abs) in (-127, 127)
    its = reference.ReferenceRuns("x", {}, [{"seed": 0}, {"seed": 1, "filters": packed}])
    torch.testing.assert_close(its.filters(), weights, atol=0.51 * packed["scale"], rtol=0)


def test_a_run_that_was_interrupted_is_not_recorded(no_training, monkeypatch):
    monkeypatch.setattr(recipes, "train", lambda *a, **k: training.History())
    with pytest.raises(KeyboardInterrupt):
        measure.measure(recipes.MLP["smoke"], 0)


def test_the_sample_is_refused(tmp_path, monkeypatch, capsys):
    def load(name, source):
        assert source == "full"  # whatever the environment says
        raise data.DataError("no MNIST here")

    monkeypatch.setenv("LABUTILS_DATA", "sample")
    monkeypatch.setattr(data, "load", load)
    assert command(tmp_path, "mlp", "--budget", "smoke", "--seeds", "0") == 1
    assert "no MNIST here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_merged_and_measured_anew(tmp_path):
    recipe = recipes.MLP["smoke"]
    for run in (run_of(2, 0.5), run_of(0, 0.7), run_of(2, 0.6)):
        path = measure.write(recipe, run, tmp_path)
    runs = json.loads(path.read_text())["runs"]
    assert [(run["seed"], run["test_accuracy"][0]) for run in runs] == [(0, 0.7), (2, 0.6)]


def test_another_recipe_is_not_mixed_in(tmp_path):
    recipe = recipes.MLP["smoke"]
    path = measure.write(recipe, run_of(0, 0.5), tmp_path)
    before = path.read_text()
    other = dataclasses.replace(recipe, lr=0.5)
    with pytest.raises(ValueError, match="another recipe"):
        measure.write(other, run_of(1, 0.5), tmp_path)
    assert path.read_text() == before
    measure.write(other, run_of(1, 0.5), tmp_path, replace=True)
    assert [run["seed"] for run in json.loads(path.read_text())["runs"]] == [1]


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    recipe = recipes.MLP["smoke"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: measure.write(recipe, run_of(seed, 0.5), tmp_path), range(16)))
    content = json.loads((tmp_path / "mlp_smoke.json").read_text())
    assert [run["seed"] for run in content["runs"]] == list(range(16))


def test_median_and_band_by_epoch():
    accuracies = [[0.30, 0.40], [0.34, 0.50], [0.31, 0.45]]
    runs = [run_of(i, 0) | {"test_accuracy": values} for i, values in enumerate(accuracies)]
    its = reference.ReferenceRuns("cnn", {"dataset": "cifar10"}, runs)
    assert its.median("test_accuracy") == [0.31, 0.45]
    assert its.band("test_accuracy") == ([0.30, 0.40], [0.34, 0.50])
    assert its.low("test_accuracy") == [0.30, 0.40] and its.high("test_accuracy") == [0.34, 0.50]
    assert "3 seeds on unknown images (cpu), test accuracy 40.0 to 50.0 % after" in its.describe()
    with pytest.raises(KeyError, match="has no 'speed'; it has train_loss"):
        its.median("speed")


def test_a_missing_reference_names_those_there_are_or_is_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "FOLDERS", (tmp_path / "nowhere", tmp_path))
    measure.write(recipes.MLP["smoke"], run_of(0, 0.5), tmp_path)
    with pytest.raises(FileNotFoundError, match="no reference run 'vgg99'; there are: mlp_smoke"):
        reference.load_reference("vgg99")
    assert reference.load_reference("mlp_smoke").name == "mlp_smoke"
    assert capsys.readouterr().out == ""
    assert reference.load_reference("vgg99", missing_ok=True) is None
    assert capsys.readouterr().out == "No reference run vgg99 has been measured yet.\n"


# Of no recipe: what notebook 09's launched cells measured, 08's ingredients, its longer trainings.
OTHERS = {"several_processes", "resnet_ingredients", "plain_and_residual_gpu"}
COMMITTED = sorted({path.stem for path in reference.FOLDERS[0].glob("*.json")} - OTHERS)
PRESENT = {recipe.name: recipe for family in recipes.RECIPES.values() for recipe in family.values()}


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_runs_are_of_the_recipe_as_it_is(name):
    runs = reference.load_reference(name)
    recipe = PRESENT[name.partition("_in_")[0]]  # cnn_logits_in_2_processes
    assert runs.recipe == recipe.as_dict(), "the recipe changed: measure the reference run anew"
    assert len(runs.median("test_accuracy")) == recipe.num_epochs
    for run in runs.runs:
        assert run["data"]["source"] != "sample"
        images = 60_000 if recipe.dataset == "mnist" else 50_000
        assert run["data"]["images"] == [images, 10_000]
        # Which images: those we know by their fingerprint, or files with torchvision's checksums.
        known = reference.KNOWN_IMAGES.get(run["data"]["fingerprint"])
        assert run["data"]["words"] == known or run["data"]["source"] in ("local", "downloaded")
    assert runs.images in runs.describe()


# What the issues of the series demand of the recipes, on the real data.
BANDS = {
    "cnn_double_softmax": [(0.30, 0.37), (0.36, 0.43), (0.39, 0.46), (0.43, 0.49)],
    "cnn_logits": [(0.50, 0.55), (0.57, 0.61), (0.58, 0.62), (0.60, 0.64)],
}


@pytest.mark.parametrize("name", BANDS)
def test_exercise_1_lies_where_the_lecture_found_it(name):
    runs = reference.load_reference(name)
    assert runs.num_seeds >= 3
    for epoch, (low, high) in enumerate(BANDS[name]):
        for accuracy in runs.values("test_accuracy")[epoch]:
            assert low <= round(accuracy, 2) <= high


def test_the_mlp_reaches_what_notebook_02_promises():
    assert min(reference.load_reference("mlp").low("test_accuracy")[-1:]) >= 0.975


def test_the_table_holds_the_median(tmp_path):
    runs = reference.ReferenceRuns(
        "x", {}, [run_of(i, share) for i, share in enumerate((0.1, 0.5, 0.2))]
    )
    header, *lines = runs.table().splitlines()
    assert header.split() == ["epoch", "training", "loss", "test", "accuracy"]
    assert [line.split() for line in lines] == [[str(i), "2.000", "20.0", "%"] for i in (1, 2)]


def test_the_story_of_the_images_names_their_fingerprints():
    story = (reference.FOLDERS[0].parent / "README.md").read_text(encoding="utf-8")
    for fingerprint, words in reference.KNOWN_IMAGES.items():
        assert f"{words} | `{fingerprint}`" in story
