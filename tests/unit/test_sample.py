"""The drawn sample: same every time, balanced, no picture twice, a cache that mends itself."""

import platform
from pathlib import Path

import numpy as np
import PIL
import pytest

from benchmarks import measure_drawn
from labutils.data import sample
from labutils.data.cifar10 import CIFAR10
from labutils.data.sample import cache
from labutils.data.sample.objects import __dict__ as objects
from labutils.data.sample.pictures import CLASSES
from labutils.data.sample.scenes import SCENES

NUM_CLASSES = 10


@pytest.fixture(scope="module")
def whole():
    """The sample as it is handed out."""
    return sample.sample(None)


@pytest.fixture
def small(monkeypatch):
    """A sample of 60 + 20 pictures in place of the whole, and a list of the calls that drew."""
    calls = []

    def draw(num_images, seed):
        calls.append(seed)
        return sample.draw(num_images, seed)

    monkeypatch.setattr(cache, "NUM_TRAIN", 60)
    monkeypatch.setattr(cache, "NUM_TEST", 20)
    monkeypatch.setattr(cache, "draw", draw)
    return calls


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


# --- the pictures -----------------------------------------------------------------------------


def test_shapes_types_and_balance(whole):
    x_train, y_train, x_test, y_test = whole
    assert x_train.shape == (4000, 32, 32, 3) and x_test.shape == (1000, 32, 32, 3)
    assert x_train.dtype == x_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert np.bincount(y_train).tolist() == [400] * NUM_CLASSES
    assert np.bincount(y_test).tolist() == [100] * NUM_CLASSES
    assert np.bincount(y_train[:250]).tolist() == [25] * NUM_CLASSES, "a subset is not balanced"
    assert len(set(map(tuple, y_train.reshape(-1, 10)))) > 300, "the order of classes repeats"


def test_no_picture_twice_within_or_across_the_sets(whole):
    pictures = [image.tobytes() for image in np.concatenate([whole[0], whole[2]])]
    assert len(set(pictures)) == 5000


def test_the_light_leaves_something_to_see(whole):
    x_train = whole[0]
    assert 90 < x_train.mean() < 165
    assert ((x_train == 0) | (x_train == 255)).mean() < 0.05, "too many pixels are clipped"
    assert x_train.std(axis=(1, 2, 3)).min() > 8, "a picture is a single colour"


def test_classes_are_cifars_in_cifars_order():
    assert tuple(CLASSES) == CIFAR10.classes
    assert [look.shape for look in CLASSES.values()] == [objects[name] for name in CLASSES]


def test_every_scene_serves_several_classes():
    for scene in SCENES:
        users = [name for name, look in CLASSES.items() if scene in look.scenes.split()]
        assert len(users) >= 2, f"{scene} gives {users} away"
    assert {s for look in CLASSES.values() for s in look.scenes.split()} == set(SCENES)


def test_same_seed_same_pictures_other_seed_others():
    images, labels = sample.draw(40, seed=3)
    np.random.seed(0)  # the global generator has no say
    assert same(sample.draw(40, seed=3), (images, labels))
    other, _ = sample.draw(40, seed=4)
    assert not np.array_equal(images, other)


@pytest.mark.parametrize("num_images", [0, 1, 7, 23])
def test_draws_any_number_as_balanced_as_can_be(num_images):
    images, labels = sample.draw(num_images, seed=0)
    assert images.shape == (num_images, 32, 32, 3) and labels.shape == (num_images,)
    counts = np.bincount(labels, minlength=NUM_CLASSES)
    assert counts.max() - counts.min() <= 1


# --- the cache --------------------------------------------------------------------------------


def test_second_time_comes_from_the_cache(small, tmp_path):
    first = sample.sample(tmp_path / "new" / "cache")
    assert len(small) == 2
    assert same(sample.sample(tmp_path / "new" / "cache"), first)
    assert len(small) == 2, "drawn although it was cached"
    files = [path.name for path in (tmp_path / "new" / "cache").iterdir()]
    assert files == ["drawn-cifar10.npz"], "something half-written is left"


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "text", "keys", "pickle"])
def test_damaged_cache_is_drawn_again(small, tmp_path, damage):
    first = sample.sample(tmp_path)
    path = tmp_path / "drawn-cifar10.npz"
    content = bytearray(path.read_bytes())
    if damage == "keys":
        np.savez(path, x_train=first[0])
    elif damage == "pickle":
        np.savez(path, **{name: np.array([{}], object) for name in cache.NAMES}, fingerprint="")
    else:
        middle = len(content) // 2  # of the training images
        content[middle] ^= 1
        spoiled = {"empty": b"", "cut": content[:middle], "bit": content, "text": b"no archive\n"}
        path.write_bytes(spoiled[damage])
    assert same(sample.sample(tmp_path), first)
    assert len(small) == 4, "the damage went unnoticed"
    assert same(sample.sample(tmp_path), first)
    assert len(small) == 4, "the damaged cache was not replaced"


def test_consistent_cache_of_another_version_is_drawn_again(small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("PIL.__version__", "0.0")
        first = sample.sample(tmp_path)
    before = (tmp_path / "drawn-cifar10.npz").read_bytes()
    assert same(sample.sample(tmp_path), first)
    assert (tmp_path / "drawn-cifar10.npz").read_bytes() != before


def test_folder_that_cannot_be_written_only_means_no_cache(small, tmp_path):
    (tmp_path / "file").write_text("in the way")
    drawn = sample.sample(tmp_path / "file")
    assert same(sample.sample(tmp_path / "file" / "below"), drawn)
    assert same(sample.sample(None), drawn)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_failed_write_leaves_nothing_behind(small, tmp_path, monkeypatch):
    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    assert len(sample.sample(tmp_path)[0]) == 60
    assert list(tmp_path.iterdir()) == []


# --- what can be learnt -----------------------------------------------------------------------


def test_cnn_beats_a_linear_classifier_by_far(whole):
    """A short version of ``benchmarks/measure_drawn.py``, which data/README.md quotes."""
    x_train, y_train, x_test, y_test = measure_drawn.as_tensors(whole)
    tensors = x_train[:1500], y_train[:1500], x_test, y_test
    recipe = dict(epochs=4, batch_size=32, seed=0)
    linear = measure_drawn.train(measure_drawn.linear, tensors, lr=0.003, **recipe)[-1][1]
    cnn = measure_drawn.train(measure_drawn.cnn, tensors, lr=0.04, **recipe)[-1][1]
    assert linear > 15, "even a linear classifier should beat guessing"
    assert cnn > linear + 10


# Pillow before 11.3 fills polygons a little differently; another processor may round differently.
AS_MEASURED = tuple(map(int, PIL.__version__.split(".")[:2])) >= (11, 3)
AS_MEASURED = AS_MEASURED and platform.machine() in ("x86_64", "AMD64")


@pytest.mark.skipif(not AS_MEASURED, reason="draws the same pictures, but not bit by bit")
def test_readme_quotes_numbers_of_this_very_sample(whole):
    readme = Path(__file__).parents[2] / "data" / "README.md"
    assert f"sample `{measure_drawn.digest(whole)}`" in readme.read_text(encoding="utf-8"), (
        "the drawing has changed: run benchmarks/measure_drawn.py, without and with "
        "--lecture, and put its numbers into data/README.md"
    )
