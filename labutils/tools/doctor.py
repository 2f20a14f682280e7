"""``python -m labutils doctor``: an [OK] or [FAIL] line for everything the notebooks need."""

import argparse
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_PYTHON = (3, 11)
# CIFAR-10's archive, its unpacked batches and a VGG16 checkpoint fit in this.
MIN_FREE_GIB = 2.0
# Package -> what the series needs it for.
PACKAGES = {
    "torch": "tensors and networks",
    "torchvision": "datasets and reference networks",
    "jupyterlab": "opening the notebooks",
    "ipywidgets": "the explorers",
    "anywidget": "the explorers' sliders and pictures",
    "matplotlib": "the pictures",
    "scikit-learn": "the digits sample",
    "pycurl": "downloads",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` says what to do when it failed."""

    ok: bool
    what: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"[{'OK' if self.ok else 'FAIL'}] {self.what}"
        return line if self.ok else f"{line}\n       -> {self.advice}"


def examine() -> Iterator[Finding]:
    """Yield the findings, cheapest first."""
    yield _python()
    for package, purpose in PACKAGES.items():
        yield _package(package, purpose)
    yield _torchvision_fits()
    yield _device()
    yield _disk()
    yield from _data()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, MIN_PYTHON))
    return Finding(
        sys.version_info >= MIN_PYTHON,
        f"Python {version} at {sys.executable}",
        f"The series needs Python {wanted} or newer: install it, delete .venv, run `make env`.",
    )


def _package(name: str, purpose: str) -> Finding:
    try:
        return Finding(True, f"{name} {importlib.metadata.version(name)} ({purpose})")
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            False,
            f"{name} is missing ({purpose})",
            "Run `make env` (or `pip install -e .` with the Python above) in the repository.",
        )


def _torchvision_fits() -> Finding:
    try:
        import torchvision  # noqa: F401  (a build that does not match torch's fails right here)
    except Exception as error:
        return Finding(
            False,
            f"torchvision does not load: {type(error).__name__}: {error}",
            "Its build does not match torch's. Reinstall both together: "
            "`pip install --force-reinstall torch torchvision`.",
        )
    return Finding(True, "torchvision loads beside torch")


def _device() -> Finding:
    try:
        from labutils.device import describe_environment, pick_device

        return Finding(True, describe_environment(pick_device()))
    except (ValueError, ImportError) as error:
        return Finding(False, "device", str(error))


def _disk() -> Finding:
    where = Path.cwd()
    free = shutil.disk_usage(where).free / 2**30
    return Finding(
        free >= MIN_FREE_GIB,
        f"{free:.1f} GiB free in {where}",
        f"At least {MIN_FREE_GIB:g} GiB are wanted for datasets and checkpoints: free some, or "
        "point LABUTILS_DATA_DIR at a larger disk.",
    )


def _data() -> Iterator[Finding]:
    try:
        from labutils import data
    except ImportError as error:
        yield Finding(False, "datasets", f"labutils.data does not load: {error}")
        return
    configured = os.environ.get("LABUTILS_DATA_DIR")
    if configured:
        yield _configured_folder(Path(configured).expanduser())
    for folder, state in data.data_folders():
        yield Finding(True, f"data folder {folder}: {state}")
    for name in data.NAMES:
        try:
            yield Finding(True, f"{name}: {data.describe_sources(name)}")
        except (ValueError, OSError) as error:
            yield Finding(False, name, str(error))


def _configured_folder(folder: Path) -> Finding:
    """LABUTILS_DATA_DIR must be readable; a read-only one (JupyterHub) will do if filled."""
    if not folder.is_dir():
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            return Finding(
                False,
                f"LABUTILS_DATA_DIR is {folder}: {error.strerror}",
                "Create the folder, or name one that you may create.",
            )
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(True, f"LABUTILS_DATA_DIR is {folder}, writable")
    except OSError:
        readable = os.access(folder, os.R_OK | os.X_OK)
        return Finding(
            readable,
            f"LABUTILS_DATA_DIR is {folder}, {'read-only' if readable else 'not readable'}",
            "Ask for read permission (r and x), or name another folder.",
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The doctor takes no arguments."""


def main(arguments: argparse.Namespace) -> int:
    failed = 0
    for finding in examine():
        print(finding, flush=True)
        failed += not finding.ok
    if failed:
        print(f"\n{failed} of these need your attention, see the arrows.")
        return 1
    print("\nAll is well. `make lab` opens the notebooks.")
    return 0
