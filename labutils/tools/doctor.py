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

ON_WINDOWS = os.name == "nt"
MIN_PYTHON = (3, 11)
# CIFAR-10's archive, its unpacked batches and a VGG16 checkpoint fit in this.
MIN_FREE_GIB = 2.0
# Package -> what the series needs it for.
PACKAGES = {
    "torch": "tensors and networks",
    "torchvision": "datasets and reference networks",
    "ipywidgets": "the explorers",
    "anywidget": "the explorers' sliders and pictures",
    "matplotlib": "the pictures",
    "scikit-learn": "the digits sample",
    "pycurl": "downloads",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` says what to do if it is not OK.

    ``ok`` is ``None`` for what may be as it is.
    """

    ok: bool | None
    what: str
    advice: str = ""

    def __str__(self) -> str:
        mark = {True: "OK", False: "FAIL", None: "--"}[self.ok]
        advice = "" if self.ok else f"\n       -> {self.advice}"
        return f"[{mark}] {self.what}{advice}"


def examine() -> Iterator[Finding]:
    """Yield the findings, cheapest first. An examination that breaks off is a finding, too."""
    for look_at in (_python, _packages, _torchvision_fits, _device, _disk, _data):
        try:
            yield from look_at()
        except Exception as error:
            what = f"{look_at.__name__.strip('_')}: {type(error).__name__}"
            yield Finding(False, what, str(error))


def _install() -> str:
    """Return the commands that install the series here, as the README has them."""
    if _has_make():
        return "`make env`"
    unix = "`python3 -m venv .venv`, `. .venv/bin/activate`"
    windows = r"`py -m venv .venv`, `.venv\Scripts\activate`"
    pip = '`python -m pip install -c constraints.txt -e ".[lab]"`'
    return f"{windows if ON_WINDOWS else unix}, {pip}"


def _has_make() -> bool:
    return not ON_WINDOWS and shutil.which("make") is not None


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, MIN_PYTHON))
    yield Finding(
        sys.version_info >= MIN_PYTHON,
        f"Python {version} at {sys.executable}",
        f"The series needs Python {wanted} or newer: install it, delete .venv, run {_install()}.",
    )


def _packages() -> Iterator[Finding]:
    for name, purpose in PACKAGES.items():
        version = _version(name)
        yield Finding(
            version is not None,
            f"{name} {version or 'is missing'} ({purpose})",
            f"In the repository, run {_install()}.",
        )
    version = _version("jupyterlab")
    yield Finding(
        True if version else None,
        f"jupyterlab {version or 'is not here'} (opening the notebooks)",
        "Colab and editors with notebooks do without. Else: `python -m pip install jupyterlab`.",
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except Exception:  # it is not there, or its folder is damaged
        return None


def _torchvision_fits() -> Iterator[Finding]:
    try:
        import torchvision  # noqa: F401  (a build that does not match torch's fails right here)
    except Exception as error:
        yield Finding(
            False,
            f"torchvision does not load: {type(error).__name__}: {error}",
            "Its build does not match torch's. Reinstall both together: "
            "`python -m pip install --force-reinstall torch torchvision`.",
        )
    else:
        yield Finding(True, "torchvision loads beside torch")


def _device() -> Iterator[Finding]:
    from labutils.device import describe_environment, pick_device

    yield Finding(True, describe_environment(pick_device()))


def _disk() -> Iterator[Finding]:
    where = Path.cwd()
    free = shutil.disk_usage(where).free / 2**30
    yield Finding(
        free >= MIN_FREE_GIB,
        f"{free:.1f} GiB free in {where}",
        f"At least {MIN_FREE_GIB:g} GiB are wanted for datasets and checkpoints: free some, or "
        "point LABUTILS_DATA_DIR at a larger disk.",
    )


def _data() -> Iterator[Finding]:
    from labutils import data

    if os.environ.get("LABUTILS_DATA_DIR"):
        yield _configured_folder(data.data_folders()[0][0])
    for folder, state in data.data_folders():
        yield Finding(True, f"data folder {folder}: {state}")
    for name in data.NAMES:
        yield Finding(True, f"{name}: {data.describe_sources(name)}")


def _configured_folder(folder: Path) -> Finding:
    """LABUTILS_DATA_DIR must be readable; a read-only one (JupyterHub) will do if filled."""
    if not os.path.isdir(folder):
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
        failed += finding.ok is False
    if failed:
        print(f"\n{failed} of these need your attention, see the arrows.")
        return 1
    print("\nAll is well.")
    if _version("jupyterlab"):
        print(f"`{'make lab' if _has_make() else 'jupyter lab notebooks/'}` opens the notebooks.")
    return 0
