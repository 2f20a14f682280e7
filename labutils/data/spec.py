"""What is known of a dataset, and a user's npz. ``mnist`` and ``cifar10`` say the rest of theirs.

Whatever reads images returns ``(x_train, y_train, x_test, y_test)``: uint8 images (NHWC for colour,
NHW for gray) and int64 labels. No pickle is opened before its checksum matched.
"""

import functools
import hashlib
import io
from dataclasses import dataclass
from os.path import isfile  # unlike Path's, it bears a drive that is dead
from pathlib import Path

import numpy as np

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


class Damaged(Exception):
    """A dataset file is there, but is not what it should be. The message says in which way."""


class MirrorFailed(Exception):
    """One mirror did not deliver one file; the next may."""

    def __init__(self, message, *, unreachable=False, try_again=False):
        super().__init__(message)
        self.unreachable = unreachable
        self.try_again = try_again


@dataclass(frozen=True)
class RemoteFile:
    """A file as the mirrors serve it. Digests read ``"md5:..."`` or ``"sha256:..."``."""

    name: str
    size: int
    digest: str
    unpacked_digest: str = ""


@dataclass(frozen=True)
class Spec:
    """What is known of a dataset. Each has a class of its own, which adds

    - ``find(folder)``: where in ``folder`` it lies in torchvision's layout, by the names of the
      files, or ``None``,
    - ``read(path)``: the arrays of what ``find`` found, every file verified (``Damaged`` and
      ``OSError`` say what is wrong),
    - ``target(file, folder)``: where a downloaded file is put, and ``unpack(folder)``,
    - ``sample(find_cache)``: the arrays of the embedded sample; ``find_cache()`` gives a folder for
      what is drawn, or ``None``.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    remote_files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    folder: str  # where its files lie, in torchvision's layout
    disk_bytes: int  # needed while it is fetched and unpacked
    sample_title: str

    def verify(self, folder: Path) -> str:
        """Read the dataset in ``folder`` whole; return what is wrong, an empty text if nothing."""
        found = self.find(folder)
        if found is None:
            return f"{self.title} is not there, or not whole"
        try:
            self.read(found)
        except Damaged as error:
            return str(error)
        except OSError as error:
            return f"{found} cannot be read ({error.strerror})"
        return ""

    def find_npz(self, folder: Path) -> Path | None:
        """Return the user's ``mnist.npz`` or ``cifar10.npz`` in ``folder``, if it is there."""
        path = folder / f"{self.name}.npz"
        return path if isfile(path) else None

    def read_npz(self, path: Path):
        """Read an npz as Keras lays it out, checking all that can be.

        Images are uint8 ``[N, 28, 28]`` or ``[N, 32, 32, 3]``, labels whole numbers 0..9 of shape
        ``[N]`` or ``[N, 1]``.

        Raises:
            Damaged: keys, shapes, dtypes or labels are wrong, or it is no npz at all.
            OSError: the file cannot be read.
        """
        try:
            arrays = _load_npz(path)
        except (OSError, Damaged):
            raise
        except Exception as error:  # numpy and zipfile raise many kinds for a broken file
            raise Damaged(f"it cannot be read as npz without pickles ({error})") from None
        x_train, y_train, x_test, y_test = (arrays[key] for key in NPZ_KEYS)
        y_train = self._check_part("train", x_train, y_train)
        return x_train, y_train, x_test, self._check_part("test", x_test, y_test)

    def _check_part(self, part, images, labels):
        """Check images and labels of one part; return the labels as int64 ``[N]``."""
        n = len(images) if images.ndim else 0
        if images.dtype != np.uint8:
            raise Damaged(f"x_{part} has dtype {images.dtype}, expected uint8 (0..255)")
        if images.shape[1:] != self.image_shape:
            expected = ", ".join(["N", *map(str, self.image_shape)])
            raise Damaged(f"x_{part} has shape {images.shape}, expected ({expected})")
        if n == 0:
            raise Damaged(f"x_{part} is empty")
        if not np.issubdtype(labels.dtype, np.integer):
            raise Damaged(f"y_{part} has dtype {labels.dtype}, expected whole numbers")
        if labels.shape not in ((n,), (n, 1)):
            raise Damaged(f"y_{part} has shape {labels.shape}, expected ({n},), one label an image")
        wrong = labels[(labels < 0) | (labels > 9)]
        if wrong.size:
            raise Damaged(f"y_{part} holds the label {wrong[0]}, expected 0 to 9")
        return labels.reshape(-1).astype(np.int64)


def _load_npz(path):
    content = np.load(path, allow_pickle=False)
    if isinstance(content, np.ndarray):
        raise Damaged("it holds a single array, not an npz archive")
    with content:
        missing = [key for key in NPZ_KEYS if key not in content]
        if missing:
            held = ", ".join(content.files) or "nothing"
            raise Damaged(f"it lacks {', '.join(missing)} (it holds {held})")
        return {key: content[key] for key in NPZ_KEYS}


def cache_of(folder: Path) -> Path:
    """Where partial files, locks and drawn images of a data folder lie."""
    return folder / "cache"


def matches(stream, digest: str) -> bool:
    """Say whether an open binary file has this digest."""
    algorithm, expected = digest.split(":")
    # Some systems refuse MD5 unless told that no secret depends on it.
    new = functools.partial(hashlib.new, algorithm, usedforsecurity=False)
    return hashlib.file_digest(stream, new).hexdigest() == expected


def verified(name: str, content: bytes, digest: str) -> bytes:
    """Return the content of a file; Damaged if it fails its checksum."""
    if not matches(io.BytesIO(content), digest):
        raise Damaged(f"{name} fails its checksum")
    return content
