"""The datasets: where they come from, and how they are handed to a notebook.

``train, test = data.load("cifar10")`` looks, in this order, for

1. files in torchvision's own layout, verified by checksum,
2. a user's ``cifar10.npz`` or ``mnist.npz`` (Keras' layout), used as it is,
3. a mirror to download from (``labutils.data.download``),
4. the embedded sample, so that every notebook runs without a network.

1 and 2 are looked for in ``LABUTILS_DATA_DIR``, the repository's ``data/`` and the user's cache
folder. ``LABUTILS_DATA`` (``auto``, ``full``, ``sample``) sets the default of ``source``.
"""

import difflib
import os
from pathlib import Path

import torch
from torch.utils.data import Dataset

from labutils.data import download, readers
from labutils.data.batches import Batches, random_crop, random_flip

__all__ = [
    "Batches",
    "NAMES",
    "DataError",
    "ImageSet",
    "data_folders",
    "describe_sources",
    "load",
    "random_crop",
    "random_flip",
]

NAMES = tuple(readers.SPECS)
SOURCES = ("auto", "full", "sample")


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
        return ImageSet(
            self.images[:n],
            self.labels[:n],
            classes=self.classes,
            name=self.name,
            source=self.source,
            transform=self.transform,
        )

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
    source = _source(source)
    if source == "sample":
        arrays, origin = _load_sample(spec, why="sample asked for"), "sample"
    else:
        arrays, origin = _load_full(spec, sample_allowed=source == "auto")
    x_train, y_train, x_test, y_test = arrays
    about = dict(classes=spec.classes, name=spec.name, source=origin, transform=transform)
    return ImageSet(x_train, y_train, **about), ImageSet(x_test, y_test, **about)


# --- the sources, in order --------------------------------------------------------------------


def _load_full(spec, sample_allowed):
    """Try local files, a user's npz, the mirrors and, if allowed, the sample."""
    troubles = []  # for the error of source="full"

    def warn(text):
        if text not in troubles:
            troubles.append(text)
            print(f"Warning: {text}.")

    arrays = _read_verified(spec, warn)
    if arrays is not None:
        print(_banner(spec.title, arrays, "local copy, verified"))
        return arrays, "local"
    arrays = _read_npz(spec, warn)
    if arrays is not None:
        print(_banner(spec.title, arrays, "local copy, unverified"))
        return arrays, "npz"
    why = fetch(spec, warn)
    arrays = _read_verified(spec, warn) if not why else None
    if arrays is not None:
        print(_banner(spec.title, arrays, "downloaded, verified"))
        return arrays, "downloaded"
    if not sample_allowed:
        reasons = "".join(f"\n- {text}" for text in troubles)
        raise DataError(
            f"the full {spec.title} was asked for, and no source has it:{reasons}\n"
            "Name a folder that holds it in LABUTILS_DATA_DIR, or a mirror in LABUTILS_MIRRORS, "
            "or set LABUTILS_DATA=auto to go on with the sample."
        )
    return _load_sample(spec, why or "download failed"), "sample"


def _read_verified(spec, warn):
    for folder in _folders():
        found = readers.find_local(spec, folder)
        if found is None:
            continue
        try:
            return readers.read_local(spec, found)
        except FileNotFoundError:
            continue  # another process is putting a fresh copy there
        except (readers.Damaged, OSError) as error:
            warn(f"{found} is passed over: {error}")
    return None


def _read_npz(spec, warn):
    for folder in _folders():
        path = folder / f"{spec.name}.npz"
        if not path.is_file():
            continue
        try:
            return readers.read_npz(spec, path)
        except (readers.Damaged, OSError) as error:
            warn(f"{path} is passed over: {error}")
    return None


def fetch(spec, warn, *, patient: bool = False) -> str:
    """Download a dataset into the first folder that takes it.

    Args:
        spec: a ``labutils.data.readers.Spec``.
        warn: called with a sentence for everything that goes wrong.
        patient: never give a mirror up for being slow.

    Returns why it failed, in a few words, or with an empty text.
    """
    why, tried = "nowhere to store it", False
    for folder in _folders():
        obstacle = download.why_not_usable(folder, spec.disk_bytes)
        if obstacle:
            warn(f"{folder} {obstacle}, so {spec.title} is not stored there")
            continue
        tried = True
        try:
            download.download(spec, folder, warn, patient=patient)
            return ""
        except download.DownloadError as error:
            warn(str(error))
            why = error.why
            if not error.storage:
                return why
    if not tried:
        warn("name a folder of your own, with room in it, in LABUTILS_DATA_DIR")
    return why


def _load_sample(spec, why):
    usable = (folder for folder in _folders() if not download.why_not_usable(folder))
    caches = (download.cache_of(folder) for folder in usable)
    arrays = readers.read_sample(spec, find_cache=lambda: next(caches, None))
    note = f"{why}: results will differ from {spec.title}"
    print(_banner(spec.sample_title, arrays, note))
    return arrays


def _banner(title, arrays, note):
    return f"{title} · {len(arrays[0]):,} + {len(arrays[2]):,} images · {note}"


# --- for `python -m labutils doctor` ----------------------------------------------------------


def data_folders() -> list[tuple[Path, str]]:
    """Return the folders looked in, in order, each with its state. Nothing is created."""
    return [(folder, _state(folder)) for folder in _folders()]


def _state(folder):
    if folder.is_dir():
        return "writable" if os.access(folder, os.W_OK) else "read-only"
    if folder.exists():
        return "not a folder"
    parent = next(parent for parent in folder.parents if parent.exists())
    can_create = parent.is_dir() and os.access(parent, os.W_OK)
    return "not there yet" if can_create else "not there, and cannot be created"


def describe_sources(name: str) -> str:
    """Say from where ``load(name)`` would take the dataset, without loading or downloading it."""
    spec = spec_of(name)
    source = _source(None)
    if source == "sample":
        return f"the embedded {spec.sample_title} (LABUTILS_DATA=sample)"
    for folder in _folders():
        found = readers.find_local(spec, folder)
        if found is not None:
            return f"local copy {found} (its checksums are tested when it is loaded)"
    for folder in _folders():
        path = folder / f"{spec.name}.npz"
        if path.is_file():
            return f"local copy {path}, unverified"
    megabytes = sum(file.size for file in spec.remote_files) / 1e6
    fallback = "an error" if source == "full" else f"the embedded {spec.sample_title}"
    first = download.label(download.mirrors(spec)[0])
    return f"download of {megabytes:,.0f} MB, first from {first}; without a network {fallback}"


# --- arguments and folders ----------------------------------------------------------------------


def spec_of(name: str) -> readers.Spec:
    """Return what is known of a dataset; ValueError, with a hint, for an unknown name."""
    if isinstance(name, str) and name in readers.SPECS:
        return readers.SPECS[name]
    known = ", ".join(repr(known) for known in readers.SPECS)
    close = difflib.get_close_matches(str(name).lower().replace("-", ""), readers.SPECS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown dataset {name!r}; known are {known}.{hint}")


def _source(source):
    origin = "source"
    if source is None:
        origin = "LABUTILS_DATA"
        source = os.environ.get("LABUTILS_DATA", "").strip().lower() or "auto"
    if source not in SOURCES:
        raise ValueError(
            f"{origin} is {source!r}; expected 'auto' (the first source that answers), "
            "'full' (never the sample) or 'sample'"
        )
    return source


def _folders() -> list[Path]:
    """Return the folders datasets are looked for in, in order, whether there or not."""
    folders = []
    own = os.environ.get("LABUTILS_DATA_DIR", "").strip()
    if own:
        folders.append(Path(own).expanduser())
    repository = Path(__file__).parents[2]
    if (repository / "pyproject.toml").is_file() and (repository / "data").is_dir():
        folders.append(repository / "data")
    import platformdirs

    folders.append(Path(platformdirs.user_cache_dir("labutils", appauthor=False)))
    return folders
