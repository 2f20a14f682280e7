"""One training of exercise 1's network in a fresh process: its seconds, and the memory it needs.

    python -m benchmarks.fresh --images 10000 --batch-size 64 --width 2

prints JSON: ``seconds`` of the epoch, ``program_mb`` (the peak after an epoch on a few images:
libraries, model, optimizer, activations), ``peak_mb`` on top of that, once the images are loaded
and trained on, ``images_mb``, the bytes of the images themselves, and ``source``.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

MEGABYTE = 2**20


def run(environment: dict | None = None, **options) -> dict:
    """Measure in a fresh process; options are those of the command line, by name."""
    command = [sys.executable, "-m", "benchmarks.fresh"]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    environment = os.environ | {"CI": "true"} | (environment or {})  # CI: no progress bar
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(out.stdout.splitlines()[-1])


def wider_cnn(width: int):
    """Exercise 1's network with ``width`` times as many channels."""
    from torch import nn

    from labutils.training.models import vgg_features

    features = vgg_features([8 * width, "M", 16 * width, "M"])
    return nn.Sequential(*features, nn.Flatten(), nn.Linear(16 * 8 * 8 * width, 10))


def measure(
    pipeline: str = "ours", images: int = 10_000, batch_size: int = 64, width: int = 1, folder=""
) -> dict:
    """Train on noise of so many images, or on the CIFAR-10 in ``folder``."""
    from benchmarks import lecture, ours
    from labutils.training import recipes
    from tests.toy_data import noise

    def train(dataset) -> float:
        model = wider_cnn(width)
        if pipeline == "lecture":
            return lecture.epoch_seconds(model, dataset, batch_size, lr=0.001)
        return ours.epoch_seconds(recipes.CNN_LOGITS["cpu"], dataset, model, batch_size=batch_size)

    few = noise(2 * batch_size)
    train(lecture.dataset(few) if pipeline == "lecture" else few)
    program = _peak_mb()
    if folder and pipeline == "lecture":
        dataset, tests = (lecture.read_cifar10(folder, train=part) for part in (True, False))
        size, source = dataset.data.nbytes + tests.data.nbytes, "torchvision"
    else:
        dataset, tests = _load(folder) if folder else (noise(images), None)
        size, source = dataset.images.nbytes, dataset.source
        size += tests.images.nbytes if tests else 0
    return {
        "seconds": train(dataset),
        "program_mb": program,
        "peak_mb": max(_peak_mb() - program, resource.getpagesize() / MEGABYTE),
        "images_mb": size / MEGABYTE,
        "source": source,
    }


def _load(folder):
    """Load CIFAR-10 from a folder whose files ``benchmarks.memory`` wrote."""
    from labutils import data

    about = json.loads((Path(folder) / "about.json").read_text())
    data.SPECS["cifar10"] = dataclasses.replace(data.SPECS["cifar10"], **about)
    with contextlib.redirect_stdout(io.StringIO()):
        return data.load("cifar10", source="full")


def _peak_mb() -> float:
    """The largest resident size of this process so far.

    Linux's ``ru_maxrss`` counts the program that started this one, too; ``VmHWM`` does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / MEGABYTE
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, argument_default=argparse.SUPPRESS)
    parser.add_argument("--pipeline", choices=["ours", "lecture"])
    parser.add_argument("--images", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--folder", help="load CIFAR-10 from there, instead of noise")
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
