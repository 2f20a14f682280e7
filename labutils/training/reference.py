"""Reference runs: what the recipes reach on the real data, measured by a command and kept as JSON.

``python -m labutils reference cnn_logits --seeds 0 1 2`` trains and writes
``data/reference_runs/cnn_logits.json``; ``load_reference("cnn_logits")`` reads it for a notebook.
"""

import hashlib
import json
import statistics
from pathlib import Path

import torch

from labutils.training.history import History

_PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = (_PACKAGE.parent / "data" / "reference_runs", _PACKAGE.parent / "labutils_reference_runs")
# What images are called whose fingerprint this is. CIFAR-10's own have never been in our hands: for
# those a run goes by the checksums that torchvision gives of the files.
KNOWN_IMAGES = {
    "06b0d1f124c4e5fa": "the original MNIST",
    "381da081404d108c": "CIFAR-10 after one JPEG compression",
}


def describe_images(train, test) -> dict:
    """Return which images a run sees, for its record: fingerprint, words, and where they are from.

    The fingerprint is that of all pixels and labels of both ``ImageSet``s, in their order. Files
    with torchvision's checksums are the original ones; a copy of one's own can be anything.
    """
    content = hashlib.sha256()
    for images in (train, test):
        content.update(images.images.contiguous().numpy().data)
        content.update(images.labels.to(torch.uint8).numpy().data)
    fingerprint = content.hexdigest()[:16]
    title = {"cifar10": "CIFAR-10", "mnist": "MNIST"}[train.name]
    words = {"sample": f"the sample for {title}", "npz": f"an unverified copy of {title}"}
    return {
        "name": train.name,
        "source": train.source,
        "images": [len(train), len(test)],
        "fingerprint": fingerprint,
        "words": KNOWN_IMAGES.get(fingerprint) or words.get(train.source, f"the original {title}"),
    }


def pack(weights: torch.Tensor) -> dict:
    """Return a tensor as small whole numbers for JSON: ``values * scale``, of this ``shape``."""
    scale = weights.detach().abs().max().item() / 127
    values = (weights.detach().float() / scale).round().int().flatten().tolist()
    return {"shape": list(weights.shape), "scale": scale, "values": values}


class ReferenceRuns:
    """The runs of one recipe, a run per seed.

    Attributes:
        name: of the recipe and of the file.
        recipe: the recipe's fields, a dictionary.
        runs: a dictionary per seed with lists by epoch (``train_loss``, ``test_loss``,
            ``test_accuracy``, ``seconds``), ``running_loss`` (a list per epoch), and what it ran
            on.
    """

    def __init__(self, name: str, recipe: dict, runs: list[dict]):
        self.name = name
        self.recipe = recipe
        self.runs = runs

    @property
    def num_seeds(self) -> int:
        return len(self.runs)

    @property
    def images(self) -> str:
        """Which images the runs saw: ``"CIFAR-10 after one JPEG compression"``."""
        words = {run.get("data", {}).get("words", "unknown images") for run in self.runs}
        return " and ".join(sorted(words))

    def values(self, key: str) -> list[list[float]]:
        """Return the values of every seed, epoch by epoch: ``[epochs][seeds]``."""
        try:
            return [list(epoch) for epoch in zip(*(run[key] for run in self.runs), strict=True)]
        except KeyError:
            known = ", ".join(k for k, v in self.runs[0].items() if isinstance(v, list))
            raise KeyError(f"{self.name} has no {key!r}; it has {known}") from None

    def median(self, key: str) -> list[float]:
        """Return the median over the seeds, epoch by epoch."""
        return [statistics.median(epoch) for epoch in self.values(key)]

    def low(self, key: str) -> list[float]:
        """Return the lowest seed's value, epoch by epoch."""
        return [min(epoch) for epoch in self.values(key)]

    def high(self, key: str) -> list[float]:
        """Return the highest seed's value, epoch by epoch."""
        return [max(epoch) for epoch in self.values(key)]

    def band(self, key: str) -> tuple[list[float], list[float]]:
        """Return ``(lowest, highest)`` over the seeds, epoch by epoch."""
        return self.low(key), self.high(key)

    def filters(self) -> torch.Tensor:
        """Return the first layer's weights ``[out, in, k, k]`` of the first seed that kept them."""
        kept = next(run["filters"] for run in self.runs if "filters" in run)
        return kept["scale"] * torch.tensor(kept["values"], dtype=torch.float).view(kept["shape"])

    def describe(self) -> str:
        """Return a sentence: how many seeds, on which images and devices, and where they ended."""
        low, high = self.low("test_accuracy")[-1], self.high("test_accuracy")[-1]
        reached = f"{100 * low:.1f} %" if low == high else f"{100 * low:.1f} to {100 * high:.1f} %"
        epochs = len(self.median("test_accuracy"))
        seeds = "1 seed" if self.num_seeds == 1 else f"{self.num_seeds} seeds"
        devices = ", ".join(sorted({run["device"] for run in self.runs}))
        return (
            f"Reference run {self.name}: {seeds} on {self.images} ({devices}), test "
            f"accuracy {reached} after {epochs} epoch{'s' * (epochs != 1)}."
        )

    def table(self) -> str:
        """Return the median over the seeds as a text table, one line per epoch."""
        keys = ("train_loss", "test_loss", "test_accuracy")
        return History(**{k: self.median(k) for k in keys if k in self.runs[0]}).table()

    def __repr__(self):
        return self.describe()


def load_reference(name: str, *, missing_ok: bool = False) -> ReferenceRuns | None:
    """Return the reference runs of a recipe (``recipe.name``).

    Args:
        missing_ok: return ``None``, and say so in a line, where there are none.

    Raises:
        FileNotFoundError: there is no such file; the message names those that exist.
    """
    for folder in FOLDERS:
        path = folder / f"{name}.json"
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            return ReferenceRuns(content["name"], content["recipe"], content["runs"])
    if missing_ok:
        print(f"No reference run {name} has been measured yet.")
        return None
    there = sorted({path.stem for folder in FOLDERS for path in folder.glob("*.json")})
    raise FileNotFoundError(
        f"there is no reference run {name!r}; there are: {', '.join(there) or 'none'}. "
        "Measure one with `python -m labutils reference NAME`."
    )
