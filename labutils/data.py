"""The datasets: where they come from, and how they are handed to a notebook.

``train, test = data.load("cifar10")`` looks, in this order, for

1. files in torchvision's own layout, verified by checksum,
2. a user's ``cifar10.npz`` or ``mnist.npz`` (Keras' layout), used as it is,
3. a mirror to download from (``labutils.download``),
4. the embedded sample, so that every notebook runs without a network.

1 and 2 are looked for in ``LABUTILS_DATA_DIR``, the repository's ``data/`` and the user's cache
folder. ``LABUTILS_DATA`` (``auto``, ``full``, ``sample``) sets the default of ``source``.
"""

import difflib
import os
from pathlib import Path

import torch
from torch.utils.data import Dataset

from labutils import readers
from labutils.batches import Batches, random_crop, random_flip

__all__ = [
    "Batches",
    "DataError",
    "ImageSet",
    "data_folders",
    "describe_sources",
    "load",
    "random_crop",
    "random_flip",
]

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
        """Answer with the first ``n`` images as an ``ImageSet`` (all, if there are fewer)."""
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
    """Answer with the training and the test set, and print in a line where they came from.

    Args:
        name: ``"mnist"`` or ``"cifar10"``.
        transform: called on each PIL image when an item is taken, as in torchvision.
        source: ``"auto"`` (the first source that answers), ``"full"`` (never the sample) or
            ``"sample"``; by default what ``LABUTILS_DATA`` says, else ``"auto"``.

    Raises:
        ValueError: an unknown name or source.
        DataError: ``source="full"``, and no source had the whole dataset.
    """
    spec = _spec(name)
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
    troubles = []  # what was found and could not be used, for the error of source="full"

    def pass_over(what, error):
        troubles.append(f"{what}: {error}")
        _say(f"Warning: {what} is passed over: {error}.")

    for folder in _folders():
        found = readers.find_local(spec, folder)
        if found is None:
            continue
        try:
            arrays = readers.read_local(spec, found)
        except (readers.Damaged, OSError) as error:
            pass_over(found, error)
            continue
        _say(_banner(spec.title, arrays, "local copy, verified"))
        return arrays, "local"

    for folder in _folders():
        path = folder / f"{spec.name}.npz"
        if not path.is_file():
            continue
        try:
            arrays = readers.read_npz(spec, path)
        except (readers.Damaged, OSError) as error:
            pass_over(path, error)
            continue
        _say(_banner(spec.title, arrays, "local copy, unverified"))
        return arrays, "npz"

    why = "no network"
    if sample_allowed:
        return _load_sample(spec, why), "sample"
    raise DataError("\n".join(troubles))


def _load_sample(spec, why):
    arrays = readers.read_sample(spec, cache_dir=None)
    note = f"{why}: results will differ from {spec.title}"
    _say(_banner(spec.sample_title, arrays, note))
    return arrays


def _banner(title, arrays, note):
    return f"{title} · {len(arrays[0]):,} + {len(arrays[2]):,} images · {note}"


def _say(line):
    print(line)


# --- arguments and folders ----------------------------------------------------------------------


def _spec(name):
    if name in readers.SPECS:
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
    """Answer with the folders datasets are looked for in, in order, whether there or not."""
    folders = []
    own = os.environ.get("LABUTILS_DATA_DIR", "").strip()
    if own:
        folders.append(Path(own).expanduser())
    repository = Path(__file__).parents[1]
    if (repository / "pyproject.toml").is_file() and (repository / "data").is_dir():
        folders.append(repository / "data")
    import platformdirs

    folders.append(Path(platformdirs.user_cache_dir("labutils", appauthor=False)))
    return folders
