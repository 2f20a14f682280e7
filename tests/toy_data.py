"""Noise as a dataset, and in MNIST's and CIFAR-10's file formats, for tests and benchmarks.

``build(folder)`` writes the files a mirror would serve; ``install(folder, mirrors)`` makes labutils
take them, with their checksums, for the real ones.
"""

import dataclasses
import gzip
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import torch

from labutils import data
from labutils.data.cifar10 import CIFAR10, Cifar10
from labutils.data.mnist import MNIST, Mnist
from labutils.data.spec import RemoteFile

PER_BATCH = 100  # images in each of CIFAR-10's six batches: an archive of 1.8 MB of noise


def arrays(name: str):
    """Return the toy dataset as labutils should read it."""
    rng = np.random.default_rng(0)
    if name == "mnist":
        sizes, shape = (60, 20), (28, 28)
    else:
        sizes, shape = (5 * PER_BATCH, PER_BATCH), (32, 32, 3)
    parts = []
    for size in sizes:
        parts.append(rng.integers(0, 256, (size, *shape), dtype=np.uint8))
        parts.append(rng.integers(0, 10, size))
    return tuple(parts)


def noise(num_images: int, side: int = 32, colours: int = 3) -> data.ImageSet:
    """Return an ``ImageSet`` of noise, in CIFAR-10's shape or (one colour) MNIST's."""
    shape = (num_images, side, side, colours) if colours > 1 else (num_images, side, side)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.arange(num_images) % 10
    name = "cifar10" if colours > 1 else "mnist"
    return data.ImageSet(images, labels, classes="0123456789", name=name, source="noise")


def build(folder: Path) -> None:
    """Write the four files of MNIST and the archive of CIFAR-10 into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(MNIST.remote_files, arrays("mnist"), strict=True):
        (folder / file.name).write_bytes(gzip.compress(_idx(array), mtime=0))
    batches = _cifar10_batches()
    with tarfile.open(folder / CIFAR10.remote_files[0].name, "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"{CIFAR10.folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def install(folder: Path, mirrors, patch=setattr) -> None:
    """Let labutils know the files in ``folder`` (made by ``build``) and where to fetch them.

    ``patch(module, name, value)`` is ``monkeypatch.setattr`` in a test.
    """
    digests = {name: _md5(content) for name, content in _cifar10_batches().items()}
    del digests["batches.meta"]
    about = dict(mirrors=tuple(mirrors), disk_bytes=1)
    specs = {
        "cifar10": dataclasses.replace(
            CIFAR10, batches=digests, images_per_batch=PER_BATCH, **about
        ),
        "mnist": dataclasses.replace(MNIST, **about),
    }
    for name, spec in specs.items():
        files = []
        for file, array in zip(spec.remote_files, arrays(name), strict=False):
            content = (folder / file.name).read_bytes()
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            unpacked = _md5(_idx(array)) if name == "mnist" else ""
            files.append(RemoteFile(file.name, len(content), digest, unpacked))
        specs[name] = dataclasses.replace(spec, remote_files=tuple(files))
    patch(data, "SPECS", specs)


def install_sample(patch=setattr) -> None:
    """Let labutils take the toy datasets for the embedded samples, too."""
    for kind in (Cifar10, Mnist):
        patch(kind, "sample", lambda spec, find_cache: arrays(spec.name))


def load_whole(name: str) -> str:
    """Load the toy dataset, which must come byte for byte; return its source."""
    train, test = data.load(name, source="full")
    assert same(train, test, name)
    return train.source


def same(train, test, name: str) -> bool:
    """Say whether two loaded ImageSets are the toy dataset, byte for byte."""
    loaded = (train.images, train.labels, test.images, test.labels)
    return all(
        np.array_equal(found.numpy(), wanted)
        for found, wanted in zip(loaded, arrays(name), strict=True)
    )


def _md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


def _idx(array):
    array = array.astype(np.uint8)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return header + array.tobytes()


def _cifar10_batches():
    x_train, y_train, x_test, y_test = arrays("cifar10")
    images, labels = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    batches = {}
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        rows = slice(PER_BATCH * number, PER_BATCH * (number + 1))
        pixels = images[rows].transpose(0, 3, 1, 2).reshape(PER_BATCH, -1)
        batches[name] = _python2_pickle(np.ascontiguousarray(pixels), labels[rows])
    names = b"".join(_python2_string(name) for name in CIFAR10.classes)
    batches["batches.meta"] = b"\x80\x02}" + _python2_string("label_names") + b"](" + names + b"es."
    return batches


def _python2_string(text):
    return b"U" + bytes([len(text)]) + text.encode()


def _python2_pickle(pixels, labels):
    """What Python 2 and its NumPy wrote for ``{"data": pixels, "labels": labels}``."""
    rows, columns = pixels.shape
    shape = b"(" + pickle.BININT + rows.to_bytes(4, "little")
    shape += pickle.BININT + columns.to_bytes(4, "little") + b"t"
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
    dtype += b"(K\x03U\x01|NNNJ" + b"\xff" * 4 + b"J" + b"\xff" * 4 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    array += b"(K\x01" + shape + dtype + pickle.NEWFALSE
    array += b"T" + pixels.nbytes.to_bytes(4, "little") + pixels.tobytes() + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return (
        b"\x80\x02}(" + _python2_string("data") + array + _python2_string("labels") + listed + b"u."
    )
