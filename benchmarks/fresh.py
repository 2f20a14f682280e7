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
PIPELINES = ("ours", "lecture")


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

    return nn.Sequential(
        nn.Conv2d(3, 8 * width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8 * width, 16 * width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8 * width, 10),
    )


def noise(num_images: int):
    """Return an ``ImageSet`` of noise."""
    import torch

    from labutils.data import ImageSet

    images = torch.randint(0, 256, (num_images, 32, 32, 3), dtype=torch.uint8)
    labels = torch.randint(0, 10, (num_images,))
    return ImageSet(images, labels, classes="0123456789", name="cifar10", source="noise")


def train(dataset, batch_size: int, width: int) -> float:
    """Train an epoch our way; return its seconds."""
    from labutils.training import recipes

    recipe = dataclasses.replace(recipes.CNN_LOGITS["cpu"], batch_size=batch_size, num_epochs=1)
    history = recipes.train(recipe, wider_cnn(width), dataset, verbose=False)
    return history.seconds[0]


def train_as_lecture(dataset, batch_size: int, width: int) -> float:
    """Train an epoch on a torchvision dataset; return its seconds."""
    import time

    import torch
    from torch.utils.data import DataLoader

    from benchmarks import lecture

    model = wider_cnn(width)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    loader = DataLoader(dataset, batch_size, shuffle=True)
    start = time.perf_counter()
    lecture.train_epoch(model, loader, optimizer)
    return time.perf_counter() - start


def measure(pipeline: str, images: int, batch_size: int, width: int, folder: str) -> dict:
    """Train on noise of so many images, or on the dataset in ``folder``."""
    from benchmarks import lecture

    few = noise(2 * batch_size)
    if pipeline == "ours":
        train(few, batch_size, width)
    else:
        train_as_lecture(lecture.dataset(few), batch_size, width)
    program = _peak_mb()
    if folder and pipeline == "lecture":
        dataset, tests = (lecture.read_cifar10(folder, train=part) for part in (True, False))
        size, source = dataset.data.nbytes + tests.data.nbytes, "torchvision"
    else:
        dataset, tests = _load(folder) if folder else (noise(images), None)
        size, source = dataset.images.nbytes, dataset.source
        size += tests.images.nbytes if tests else 0
    function = train if pipeline == "ours" else train_as_lecture
    return {
        "seconds": function(dataset, batch_size, width),
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", choices=PIPELINES, default="ours")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=1)
    parser.add_argument("--folder", default="", help="load CIFAR-10 from there, instead of noise")
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
