"""Peak memory of training on CIFAR-10, beside the program's own, for each way it lies on a disk.

The files hold noise in CIFAR-10's formats and sizes; every measurement is a process of its own.
"""

import hashlib
import json
import tarfile
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks import fresh
from benchmarks.rows import Group, Row, Scale, in_turn
from labutils.data.cifar10 import CIFAR10
from tests import toy_data

ABOUT = "peak memory of training on as much noise as CIFAR-10"
ROWS = {
    layout: Row(f"memory_{layout}", f"{ABOUT} from {words}", "bytes of the images", "MB",
                "ours / theirs", at_most=1.5)
    for layout, words in {
        "npz": "an npz", "folder": "torchvision's folder", "archive": "the archive"
    }.items()
}  # fmt: skip
LECTURE = Row(
    "memory_lecture", f"{ABOUT} from torchvision's folder", "lecture's pipeline", "MB",
    "ours / theirs", at_most=1.0,
)  # fmt: skip


def measure(scale: Scale):
    batch_size = 250
    with tempfile.TemporaryDirectory() as root:
        folders = write_cifar10(Path(root), per_batch=scale.pick(10_000, 100))
        contestants = {
            layout: lambda folder=folder: _ours(folder, batch_size)
            for layout, folder in folders.items()
        }
        contestants["lecture"] = lambda: fresh.run(
            pipeline="lecture", folder=folders["folder"], batch_size=batch_size
        )
        for out in in_turn(contestants, scale.rounds, warm_up=False):
            measured = {
                row.name: (out[layout]["peak_mb"], out[layout]["images_mb"])
                for layout, row in ROWS.items()
            }
            measured[LECTURE.name] = (out["folder"]["peak_mb"], out["lecture"]["peak_mb"])
            program = out["npz"]["program_mb"]
            note = f"the program with its model needs {program:.0f} MB before any image"
            yield measured | {"notes": {ROWS["npz"].name: note}}


def _ours(folder: Path, batch_size: int) -> dict:
    out = fresh.run({"LABUTILS_DATA_DIR": str(folder)}, folder=folder, batch_size=batch_size)
    expected = "npz" if folder.name == "npz" else "local"
    if out["source"] != expected:
        raise RuntimeError(f"{folder.name} was read as {out['source']}, expected {expected}")
    return out


def write_cifar10(root: Path, per_batch: int) -> dict[str, Path]:
    """Write noise in each layout; return its folder."""
    folders = {layout: root / layout for layout in ROWS}
    with mock.patch.object(toy_data, "PER_BATCH", per_batch):
        toy_data.build(folders["archive"])
        parts = toy_data.arrays("cifar10")
    with tarfile.open(folders["archive"] / CIFAR10.remote_files[0].name) as archive:
        archive.extractall(folders["folder"], filter="data")
    folders["npz"].mkdir()
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(folders["npz"] / "cifar10.npz", **dict(zip(names, parts, strict=True)))
    digests = {}
    for name in CIFAR10.batches:
        content = (folders["folder"] / CIFAR10.folder / name).read_bytes()
        digests[name] = f"md5:{hashlib.md5(content).hexdigest()}"
    about = json.dumps({"images_per_batch": per_batch, "batches": digests})
    for folder in folders.values():
        (folder / "about.json").write_text(about)
    return folders


GROUPS = {"memory": Group((*ROWS.values(), LECTURE), measure)}
