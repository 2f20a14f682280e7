# ruff: noqa: F401 - what is imported here is what the package offers
"""The datasets: where they come from, and how they are handed to a notebook.

``train, test = data.load("cifar10")`` looks, in this order, for

1. files in torchvision's own layout, verified by checksum,
2. a user's ``cifar10.npz`` or ``mnist.npz`` (Keras' layout), used as it is,
3. a mirror to download from (``labutils.data.download``),
4. the embedded sample, so that every notebook runs without a network.

1 and 2 are looked for in ``LABUTILS_DATA_DIR``, the repository's ``data/`` and the user's cache
folder. ``LABUTILS_DATA`` (``auto``, ``full``, ``sample``) sets the default of ``source``.
"""

import copy
import difflib
import os
from pathlib import Path

import torch
from torch.utils.data import Dataset

from labutils.data import download
from labutils.data.batches import Batches, random_crop, random_flip
from labutils.data.cifar10 import CIFAR10
from labutils.data.mnist import MNIST
from labutils.data.spec import Damaged, Spec, cache_of

SPECS = {spec.name: spec for spec in (CIFAR10, MNIST)}
NAMES = tuple(SPECS)
# What is asked, in this order, for each `source` a user may name, and what the banner says of it.
SOURCES = {
    "auto": ("local", "npz", "downloaded", "sample"),
    "full": ("local", "npz", "downloaded"),
    "sample": ("sample",),
}
NOTES = {
    "local": "local copy, verified",
    "npz": "local copy, unverified",
    "downloaded": "downloaded, verified",
    "sample": "{why}: results will differ from {title}",
}


class DataError(RuntimeError):
    """The full dataset was asked for and is not to be had; the message says why."""


class ImageSet(Dataset):
    """Labelled images in memory, a ``torch.utils.data.Dataset`` as torchvision's are.

    ``dataset[i]`` is ``(image, label)``: a PIL image, or what ``transform`` makes of it, and an
    ``int``.

    Attributes:
        images: uint8 tensor, ``[N, H, W, 3]`` for colour, ``[N, H, W]`` for gray.
        labels: int64 tensor ``[N]``.
        classes: the names of the classes, in the order of the labels.
        name: ``"mnist"`` or ``"cifar10"``.
        source: ``"local"``, ``"npz"``, ``"downloaded"`` or ``"sample"``.
        transform: called on each PIL image by ``dataset[i]``; ``None`` for none.
    """

    def __init__(self, images, labels, *, classes, name, source, transform=None):
        self.images = torch.as_tensor(images)
        self.labels = torch.as_tensor(labels)
        self.classes = tuple(classes)
        self.name = name
        self.source = source
        self.transform = transform

    @property
    def is_sample(self) -> bool:
        """Whether this is the embedded sample instead of the real dataset."""
        return self.source == "sample"

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        from PIL import Image

        image = Image.fromarray(self.images[index].numpy())
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.labels[index])

    def subset(self, n: int) -> "ImageSet":
        """Return the first ``n`` images as an ``ImageSet`` (all, if there are fewer)."""
        if n < 1:
            raise ValueError(f"subset() needs at least 1 image, got {n}")
        part = copy.copy(self)
        part.images, part.labels = self.images[:n], self.labels[:n]
        return part

    def __repr__(self):
        return f"ImageSet({self.name}, {len(self):,} images, {self.source})"


def load(name: str, transform=None, source: str | None = None) -> tuple[ImageSet, ImageSet]:
    """Return the training and the test set, and print in a line where they came from.

    Args:
        name: ``"mnist"`` or ``"cifar10"``.
        transform: called on each PIL image when an item is taken, as in torchvision.
        source: ``"auto"`` (the first source that answers), ``"full"`` (never the sample) or
            ``"sample"``; by default what ``LABUTILS_DATA`` says, else ``"auto"``.

    Raises:
        ValueError: an unknown name or source.
        DataError: ``source="full"``, and no source had the whole dataset.
    """
    spec = spec_of(name)
    search = _Search(spec)
    for origin in SOURCES[_source(source)]:
        arrays = getattr(search, origin)()
        if arrays is not None:
            break
    else:
        reasons = "".join(f"\n- {text}" for text in search.troubles)
        raise DataError(
            f"the full {spec.title} was asked for, and no source has it:{reasons}\n"
            "Name a folder that holds it in LABUTILS_DATA_DIR, or a mirror in LABUTILS_MIRRORS, "
            "or set LABUTILS_DATA=auto to go on with the sample."
        )
    x_train, y_train, x_test, y_test = arrays
    title = spec.sample_title if origin == "sample" else spec.title
    note = NOTES[origin].format(why=search.why_sample, title=spec.title)
    print(f"{title} · {len(x_train):,} + {len(x_test):,} images · {note}")
    about = dict(classes=spec.classes, name=spec.name, source=origin, transform=transform)
    return ImageSet(x_train, y_train, **about), ImageSet(x_test, y_test, **about)


class _Search:
    """Asks a source for a dataset's arrays; ``None`` means that it has none."""

    def __init__(self, spec):
        self.spec = spec
        self.why_sample = "sample asked for"
        self.troubles = []  # for the error of source="full"

    def local(self):
        return self._first_sound(self.spec.find, self.spec.read)

    def npz(self):
        return self._first_sound(self.spec.find_npz, self.spec.read_npz)

    def downloaded(self):
        self.why_sample = download.fetch(self.spec, _folders(), self._warn)
        return None if self.why_sample else self.local()

    def sample(self):
        usable = (folder for folder in _folders() if not download.why_not_usable(folder))
        return self.spec.sample(find_cache=lambda: next(map(cache_of, usable), None))

    def _first_sound(self, find, read):
        for path in filter(None, map(find, _folders())):
            try:
                return read(path)
            except FileNotFoundError:
                continue  # another process is putting a fresh copy there
            except (Damaged, OSError) as error:
                self._warn(f"{path} is passed over: {error}")
        return None

    def _warn(self, text):
        if text not in self.troubles:
            self.troubles.append(text)
            print(f"Warning: {text}.")


# --- for `python -m labutils doctor` ----------------------------------------------------------


def data_folders() -> list[tuple[Path, str]]:
    """Return the folders looked in, in order, each with its state. Nothing is created."""
    return [(folder, _state(folder)) for folder in _folders()]


def _state(folder):
    # Of os.path, not of Path: these bear a drive that is dead, or not ours to look at.
    if os.path.isdir(folder):
        return "writable" if os.access(folder, os.W_OK) else "read-only"
    if os.path.exists(folder):
        return "not a folder"
    parent = next(filter(os.path.exists, folder.parents), "")  # a drive's letter may be free
    can_create = os.path.isdir(parent) and os.access(parent, os.W_OK)
    return "not there yet" if can_create else "not there, and cannot be created"


def describe_sources(name: str) -> str:
    """Say from where ``load(name)`` would take the dataset, without loading or downloading it."""
    spec = spec_of(name)
    source = _source(None)
    if source == "sample":
        return f"the embedded {spec.sample_title} (LABUTILS_DATA=sample)"
    tested = " (its checksums are tested when it is loaded)"
    for find, note in ((spec.find, tested), (spec.find_npz, ", unverified")):
        for found in filter(None, map(find, _folders())):
            return f"local copy {found}{note}"
    megabytes = sum(file.size for file in spec.remote_files) / 1e6
    fallback = "an error" if source == "full" else f"the embedded {spec.sample_title}"
    first = download.label(download.mirrors(spec)[0])
    return f"download of {megabytes:,.0f} MB, first from {first}; without a network {fallback}"


# --- arguments and folders ----------------------------------------------------------------------


def spec_of(name: str) -> Spec:
    """Return what is known of a dataset; ValueError, with a hint, for an unknown name."""
    if isinstance(name, str) and name in SPECS:
        return SPECS[name]
    known = ", ".join(repr(known) for known in SPECS)
    close = difflib.get_close_matches(str(name).lower().replace("-", ""), SPECS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown dataset {name!r}; known are {known}.{hint}")


def _source(source):
    origin = "source" if source is not None else "LABUTILS_DATA"
    if source is None:
        source = os.environ.get("LABUTILS_DATA", "").strip().lower() or "auto"
    if source not in SOURCES:
        raise ValueError(
            f"{origin} is {source!r}; expected 'auto' (the first source that answers), "
            "'full' (never the sample) or 'sample'"
        )
    return source


def _folders() -> list[Path]:
    """Return the folders datasets are looked for in, in order, whether there or not."""
    import platformdirs

    folders = [Path(platformdirs.user_cache_dir("labutils", appauthor=False))]
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").is_file() and (repository / "data").is_dir():
        folders.insert(0, repository / "data")
    if own := os.environ.get("LABUTILS_DATA_DIR", "").strip():
        folders.insert(0, Path(os.path.expanduser(own)))
    return folders
