"""The benchmark: its arithmetic, its report, its yardsticks, and a quick run of all of it."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision import datasets

from benchmarks import __main__ as command
from benchmarks import fresh, gpu, growth, lecture, memory, processes, resnet_ingredients, startup
from benchmarks.peers import PACKAGES
from benchmarks.report import JSON, MARKDOWN, Report
from benchmarks.rows import Row, Scale, in_turn, spread
from labutils import data
from labutils.device import seed_everything
from labutils.training import models, recipes
from tests import toy_data

ROOT = Path(__file__).parents[2]
FASTER = Row("faster", "a step", "lecture", "ms", at_least=2.0)
SMALLER = Row("smaller", "memory", "images", "MB", "ours / theirs", at_most=1.5)


# --- rows and report --------------------------------------------------------------------------


def test_a_ratio_above_one_is_ours_for_seconds_and_a_share_for_the_rest():
    assert FASTER.ratios([(1.0, 3.0), (2.0, 2.0)]) == [3.0, 1.0]
    assert SMALLER.ratios([(1.0, 4.0)]) == [0.25]
    assert FASTER.reached(2.0) and not FASTER.reached(1.9)
    assert SMALLER.reached(1.5) and not SMALLER.reached(1.6)
    assert Row("any", "", "", "s").reached(0.1) is None


def test_contestants_take_turns_and_the_first_round_does_not_count():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) or len(calls) for name in "abc"}
    rounds = list(in_turn(contestants, rounds=2))
    assert len(rounds) == 2 and calls[3:] == list("abc") + list("bca")
    assert sorted(calls[:3]) == list("abc")
    assert rounds[1] == {"b": 7, "c": 8, "a": 9}
    assert len(list(in_turn(contestants, rounds=1, warm_up=False))) == 1 and len(calls) == 12


def test_the_spread_is_median_and_extremes():
    assert spread([5.0, 1.0, 2.0]) == (2.0, 1.0, 5.0)


def test_a_report_keeps_every_round_and_goes_on_from_its_file(tmp_path):
    Report(tmp_path, [FASTER, SMALLER]).add({"faster": (1.0, 1.9), "notes": {"faster": "busy"}})
    report = Report(tmp_path, [FASTER, SMALLER])
    report.add({"faster": (1.0, 2.1), "smaller": (3.0, 2.0), "notes": {"faster": "busy"}})
    report.add({"faster": (1.0, 8.0), "images": "noise"})
    saved = json.loads((tmp_path / JSON).read_text())["rows"]
    assert saved["faster"]["rounds"] == [[1.0, 1.9], [1.0, 2.1], [1.0, 8.0]]
    assert saved["faster"]["notes"] == ["busy"] and torch.__version__ in saved["faster"]["machine"]
    assert len(report.rounds("faster")) == 3 and report.rounds("else") == []
    (line, other) = report.lines()
    assert line[5:] == ["2.10", "1.90 to 8.00", "3", "at least 2 ✓"]
    assert other[5:] == ["1.50", "1.50 to 1.50", "1", "at most 1.5 ✓"]
    text = (tmp_path / MARKDOWN).read_text()
    cells = ["faster", "a step", "lecture", "1 ms", "2.1 ms", "2.10"]
    assert re.search(r"\| " + r" +\| ".join(cells) + r" +\|", text)
    assert "**faster**: on noise; busy" in text and "Not measured" not in text
    report.start_again(["faster"])
    assert report.rounds("faster") == [] and len(report.lines()) == 1
    assert "Not measured: `faster`." in report.markdown()


def test_the_groups_names_are_their_rows_beginnings():
    names = [row.name for group in command.GROUPS.values() for row in group.rows]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("wrong", [["nonsense"], ["--rounds", "0"]])
def test_wrong_arguments_are_named(wrong, capsys):
    with pytest.raises(SystemExit):
        command.main(wrong)
    assert wrong[-1] in capsys.readouterr().err


# --- yardsticks -------------------------------------------------------------------------------


@pytest.mark.parametrize("colours", [1, 3])
def test_the_lectures_dataset_gives_what_batches_gives(colours):
    images = toy_data.noise(20, colours=colours)
    _, loader = lecture.loaders(images, images, batch_size=8)
    scale = {} if colours == 3 else {"mean": 0, "std": 1}
    for (ours, y), (theirs, z) in zip(data.Batches(images, 8, **scale), loader, strict=True):
        assert torch.equal(ours, theirs) and torch.equal(y, z)


def test_the_lectures_loop_and_ours_train_alike():
    recipe = recipes.CNN_DOUBLE_SOFTMAX["cpu"]
    train, test = toy_data.noise(160), toy_data.noise(60)
    seed_everything(3)
    model = models.cnn_softmax()
    history = recipes.train(recipe, model, train, test, verbose=False)
    seed_everything(3)
    other = models.cnn_softmax()
    optimizer = torch.optim.SGD(other.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    train_loader, test_loader = lecture.loaders(train, test, recipe.batch_size)
    for losses, share in zip(history.batch_loss, history.test_accuracy, strict=True):
        theirs = lecture.train_epoch(other, train_loader, optimizer)
        assert losses == pytest.approx(theirs, abs=1e-4)
        assert share == pytest.approx(lecture.accuracy(other, test_loader), abs=1e-9)


def test_the_graphed_step_trains_as_fit_does():
    """With a stand-in for the graph: its work is done again, in the same memory."""
    recipe = dataclasses.replace(recipes.VGG11["smoke"], batch_size=16, num_epochs=2, fast=False)
    images = toy_data.noise(40)  # two whole batches and a short one

    def small():
        seed_everything(3)
        return models.cnn()

    model = small()
    losses, seconds = gpu.train_graphed(recipe, model, images, capture=lambda work: work)
    other = small()
    history = recipes.train(recipe, other, images, verbose=False)
    assert losses == history.batch_loss and len(seconds) == 2
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_what_a_gpu_makes_of_the_recipes_is_printed(capsys):
    assert gpu.main([]) == 1 and "no CUDA GPU here" in capsys.readouterr().err
    assert gpu.main(["--quick", "--networks", "vgg11", "--seeds", "0"]) == 0
    said = capsys.readouterr().out
    for words in ("product of 64² matrices", "ms on cpu", "one CUDA graph", "of the product"):
        assert words in said
    assert re.search(r"vgg11 +16 +0.05 +1 +0 +\d+\.\d+% +\d", said) and "Time is up" not in said


def test_every_layout_holds_the_same_images(tmp_path):
    folders = memory.write_cifar10(tmp_path, per_batch=20)
    about = json.loads((folders["npz"] / "about.json").read_text())
    spec = dataclasses.replace(data.SPECS["cifar10"], **about)
    expected = spec.read_npz(folders["npz"] / "cifar10.npz")
    for layout in ("folder", "archive"):
        found = spec.read(spec.find(folders[layout]))
        assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    theirs = lecture.read_cifar10(folders["folder"], train=True)
    assert (theirs.data == expected[0]).all()


def test_a_process_is_not_charged_for_the_memory_of_the_one_that_started_it():
    code = "from benchmarks import fresh; print(fresh._peak_mb())"  # without torch
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert 1 < float(out.stdout) < 100 < fresh._peak_mb()  # with it


def test_a_cell_without_a_picture_is_no_measurement():
    with pytest.raises(RuntimeError, match="showed no picture"):
        startup.seconds_to_picture("print('nothing to see')")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        startup.seconds_to_picture("1 / 0")


def test_growth_in_words_and_in_a_small_picture(tmp_path):
    points = {axis: [[v, 0.01 * v, 100.0 + v] for v in vs] for axis, vs in growth.AXES.items()}
    alt = growth.draw(points, tmp_path / "growth.png")
    assert "Images from 2,500 to 80,000: an epoch from 25 to 8e+02 s" in alt
    assert 5_000 < (tmp_path / "growth.png").stat().st_size < 100_000


def test_the_committed_report_is_of_the_rows_there_are():
    report = Report(command.RESULTS, [r for g in command.GROUPS.values() for r in g.rows])
    assert set(report.content["rows"]) <= set(report.rows)
    assert (command.RESULTS / MARKDOWN).read_text(encoding="utf-8") == report.markdown()


def test_a_quick_run_measures_every_row(tmp_path, monkeypatch):
    """All but those that take seconds each, ``python -m benchmarks --quick`` runs them too."""

    def run_here(environment=None, **options):  # instead of in a fresh process
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        return fresh.measure(**options)

    monkeypatch.setattr(fresh, "run", run_here)
    # What it changes in a process of its own:
    monkeypatch.setitem(data.SPECS, "cifar10", data.SPECS["cifar10"])
    for module, name in (
        (datasets.CIFAR10, "_check_integrity"),
        (datasets.cifar, "check_integrity"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    names = ["exercise1_test", "exercise1_whole", "mnist_epoch", "vgg11_rate", "memory", "growth"]
    assert command.main(["--quick", "--out", str(tmp_path), *names]) == 0
    saved = json.loads((tmp_path / JSON).read_text())
    for name in names[:-1]:
        for row in command.GROUPS[name].rows:
            if row.yardstick not in PACKAGES:  # they may not be installed
                assert len(saved["rows"][row.name]["rounds"]) == 1
    assert set(saved["growth"]) == set(growth.AXES)
    assert (tmp_path / "growth.png").stat().st_size < 100_000


def test_processes_and_threads_are_timed_in_processes_of_their_own(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert processes.images_per_second("cnn", "2x1", Scale(quick=True)) > 0
    rates = {"1x1": 100.0, "1x2": 150.0, "2x1": 90.0}
    monkeypatch.setattr(processes, "images_per_second", lambda network, way, scale: rates[way])
    (measured,) = processes.group("vgg11").measure(Scale(rounds=1))
    assert measured["processes_vgg11_1x2"] == (150.0, 100.0)
    assert measured["processes_vgg11_2x1"] == (90.0, 100.0)


def test_a_fresh_process_answers_with_its_numbers():
    out = fresh.run(images=16, batch_size=8, width=2)
    assert out["source"] == "noise" and out["images_mb"] == 16 * growth.IMAGE_MB
    assert out["seconds"] > 0 and out["program_mb"] > 100


# --- the ingredients of notebook 08's network -------------------------------------------------


def run_of(row, seed, accuracy):
    return {"row": row, "seed": seed, "test_accuracy": [] if accuracy is None else [accuracy]}


def test_the_table_of_ingredients_says_what_is_inside_the_seeds():
    runs = [run_of("everything", seed, accuracy) for seed, accuracy in enumerate((0.7, 0.71, 0.72))]
    runs += [run_of("no shortcuts", seed, accuracy) for seed, accuracy in enumerate((0.68, 0.7))]
    runs += [run_of("no augmentation", 0, 0.65), run_of("no BatchNorm", 0, None)]
    lines = [line.split("  ", 1) for line in resnet_ingredients.table(runs).splitlines()]
    assert {name.strip(): " ".join(words.split()) for name, words in lines} == {
        "everything": "71.0% (70.0% to 72.0%, 3 seeds)",
        "no BatchNorm": "1 seeds went off the rails",
        "no shortcuts": "69.0% (68.0% to 70.0%, 2 seeds) -1.5 points from the same seeds, "
        "inside the seeds' spread",
        "no augmentation": "65.0% (65.0% to 65.0%, 1 seeds) -5.0 points from the same seeds",
    }


@pytest.mark.parametrize("row", resnet_ingredients.ROWS)
def test_every_ingredient_can_be_left_out(row):
    images = toy_data.noise(64)
    base = dataclasses.replace(resnet_ingredients.BASE, num_epochs=1, num_images=64)
    run = resnet_ingredients.measure(row, 0, images, images, base)
    assert len(run["train_loss"]) == len(run["test_accuracy"]) == 1
    other = {"network": resnet_ingredients.ROWS[row][0], "recipe": resnet_ingredients.ROWS[row][1]}
    assert (other == {"network": {}, "recipe": {}}) == (row == "everything")


def test_a_run_of_an_ingredient_is_not_done_twice(tmp_path, monkeypatch, capsys):
    images, file = toy_data.noise(64), tmp_path / "runs.json"
    monkeypatch.setattr(data, "load", lambda name, source: (images, images))
    done = []

    def measure(row, seed, train, test):
        done.append((row, seed))
        return run_of(row, seed, 0.5) | {"seconds": 1.0}

    monkeypatch.setattr(resnet_ingredients, "measure", measure)
    for seeds in ("0", "1"), ("0", "2"):
        words = ["--rows", "everything", "--file", str(file), "--seeds", *seeds]
        assert resnet_ingredients.main(words) == 0
    assert done == [("everything", seed) for seed in (0, 1, 2)]
    content = json.loads(file.read_text())
    assert [run["seed"] for run in content["runs"]] == [0, 1, 2]
    monkeypatch.setattr(resnet_ingredients, "BASE", recipes.MLP["cpu"])
    assert resnet_ingredients.main(["--file", str(file)]) == 1
    assert "another recipe" in capsys.readouterr().out


def test_the_recorded_ingredients_are_of_the_recipe_as_it_is():
    content = json.loads(resnet_ingredients.FILE.read_text(encoding="utf-8"))
    assert content["recipe"] == resnet_ingredients.BASE.as_dict()
    assert {run["row"] for run in content["runs"]} <= set(resnet_ingredients.ROWS)
    assert all(run["data"]["words"] for run in content["runs"])
