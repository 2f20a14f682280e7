"""``python -m labutils doctor``: an [OK] or [FAIL] line for everything the notebooks need."""

import argparse
import importlib.metadata
import os
import platform
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
MIN_FREE_GPU_GIB = 2.0  # VGG16 in training, and what CUDA keeps for itself
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
    wanted = ".".join(map(str, MIN_PYTHON))
    what = f"Python {platform.python_version()} at {sys.executable}"
    advice = f"At least Python {wanted} is needed: install it, delete .venv, run {_install()}."
    yield Finding(sys.version_info >= MIN_PYTHON, what, advice)


def _packages() -> Iterator[Finding]:
    for name, purpose in PACKAGES.items():
        version = _version(name)
        what = f"{name} {version or 'is missing'} ({purpose})"
        yield Finding(version is not None, what, f"In the repository, run {_install()}.")
    version = _version("jupyterlab")
    what = f"jupyterlab {version or 'is not here'} (opening the notebooks)"
    advice = "Colab and some editors do without. Else: `python -m pip install jupyterlab`."
    yield Finding(True if version else None, what, advice)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except Exception:  # it is not there, or its folder is damaged
        return None


def _torchvision_fits() -> Iterator[Finding]:
    try:
        import torchvision  # noqa: F401  (a build that does not match torch's fails right here)
    except Exception as error:
        what = f"torchvision does not load: {type(error).__name__}: {error}"
        reinstall = "`python -m pip install --force-reinstall torch torchvision`"
        advice = f"Its build does not match torch's. Reinstall both together: {reinstall}."
        yield Finding(False, what, advice)
    else:
        yield Finding(True, "torchvision loads beside torch")


def _device() -> Iterator[Finding]:
    from labutils.device import describe_environment, describe_memory, pick_device

    device = pick_device()
    yield Finding(True, describe_environment(device))
    if device.type == "cuda":
        import torch

        enough = torch.cuda.mem_get_info(device)[0] >= MIN_FREE_GPU_GIB * 2**30
        advice = (
            f"At least {MIN_FREE_GPU_GIB:g} GiB are wanted: close other programs and notebooks "
            "that use the GPU (`nvidia-smi` lists them), or set LABUTILS_DEVICE=cpu."
        )
        yield Finding(enough or None, f"GPU memory: {describe_memory(device)}", advice)


def _disk() -> Iterator[Finding]:
    where = Path.cwd()
    free = shutil.disk_usage(where).free / 2**30
    wanted = f"At least {MIN_FREE_GIB:g} GiB are wanted for datasets and checkpoints"
    advice = f"{wanted}: free some, or point LABUTILS_DATA_DIR at a larger disk."
    yield Finding(free >= MIN_FREE_GIB, f"{free:.1f} GiB free in {where}", advice)


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
    what = f"LABUTILS_DATA_DIR is {folder}"
    if not os.path.isdir(folder):
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            advice = "Create the folder, or name one that you may create."
            return Finding(False, f"{what}: {error.strerror}", advice)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding(True, f"{what}, writable")
    except OSError:
        readable = os.access(folder, os.R_OK | os.X_OK)
        advice = "Ask for read permission (r and x), or name another folder."
        return Finding(readable, f"{what}, {'read-only' if readable else 'not readable'}", advice)


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
