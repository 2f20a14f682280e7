"""MNIST: its files, how they are read, and scikit-learn's digits as its sample."""

import gzip
from os.path import isfile
from pathlib import Path

import numpy as np

from labutils.data.spec import RemoteFile, Spec, verified


class Mnist(Spec):
    """Four files in ``MNIST/raw``, each packed as it was downloaded, or unpacked by torchvision."""

    def find(self, folder):
        raw = folder / self.folder
        files = (raw / file.name for file in self.remote_files)
        found = all(isfile(file) or isfile(file.with_suffix("")) for file in files)
        return raw if found else None

    def read(self, path):
        arrays = [_read_idx(path, file) for file in self.remote_files]
        x_train, y_train, x_test, y_test = arrays
        return x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64)

    def target(self, file, folder):
        return folder / self.folder / file.name

    def unpack(self, folder):
        """Nothing: the files are read as they are."""

    def sample(self, find_cache):
        """scikit-learn's 1,797 handwritten digits (8x8, 0..16), scaled to MNIST's format.

        Each is enlarged to 20x20 and gets a border of 4 pixels, as MNIST's digits have. The last
        360 of the file are the test set.
        """
        from PIL import Image
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = (digits.images * (255 / 16)).round().astype(np.uint8)
        images = np.zeros((len(pixels), 28, 28), np.uint8)
        for image, small in zip(images, pixels, strict=True):
            large = Image.fromarray(small).resize((20, 20), Image.Resampling.BICUBIC)
            image[4:24, 4:24] = large
        labels = digits.target.astype(np.int64)
        return images[:1437], labels[:1437], images[1437:], labels[1437:]


def _read_idx(raw: Path, file: RemoteFile) -> np.ndarray:
    """Read one file of MNIST, packed or unpacked: a header, then the bytes of the array."""
    packed = raw / file.name
    unpacked = packed.with_suffix("")
    if packed.is_file():
        content = gzip.decompress(verified(packed.name, packed.read_bytes(), file.digest))
    else:
        content = verified(unpacked.name, unpacked.read_bytes(), file.unpacked_digest)
    # The header: two zero bytes, the type (8: uint8), the number of axes, and their lengths.
    axes = content[3]
    shape = np.frombuffer(content, ">i4", count=axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


# Sizes and MD5s: torchvision.datasets.MNIST.resources, and the files themselves. Those of the
# unpacked files, as torchvision leaves them, were measured on the verified packed ones.
MNIST = Mnist(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    image_shape=(28, 28),
    remote_files=(
        RemoteFile("train-images-idx3-ubyte.gz", 9912422,
                   "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873", "md5:6bbc9ace898e44ae57da46a324031adb"),
        RemoteFile("train-labels-idx1-ubyte.gz", 28881,
                   "md5:d53e105ee54ea40749a09fcbcd1e9432", "md5:a25bea736e30d166cdddb491f175f624"),
        RemoteFile("t10k-images-idx3-ubyte.gz", 1648877,
                   "md5:9fb629c4189551a2d022fa330f9573f3", "md5:2646ac647ad5339dbf082846283269ea"),
        RemoteFile("t10k-labels-idx1-ubyte.gz", 4542,
                   "md5:ec29112dd5afa0611ce80d1b7f02629c", "md5:27ae3e4e09519cfbb04c329615203637"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    folder="MNIST/raw",
    disk_bytes=12_000_000,
    sample_title="digits sample",
)  # fmt: skip
