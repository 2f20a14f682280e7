"""The doctor: a line for everything, [FAIL] lines with advice, and an honest exit status."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from labutils import __main__ as commands
from labutils.tools import doctor

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("LABUTILS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("LABUTILS_DEVICE", raising=False)


def _report(capsys) -> tuple[int, str]:
    status = commands.main(["doctor"])
    return status, capsys.readouterr().out


def test_a_sound_machine_gets_only_ok_lines(capsys):
    status, text = _report(capsys)
    assert status == 0 and "[FAIL]" not in text
    for word in ("Python", "torch ", "torchvision", "jupyterlab", "ipywidgets", "device cpu"):
        assert word in text
    for word in ("GiB free", "data folder", "cifar10", "mnist"):
        assert word in text


@pytest.fixture
def missing(monkeypatch):
    """Call it with the name of a package: it is not installed then."""
    real = importlib.metadata.version

    def remove(package):
        def version(name):
            if name == package:
                raise importlib.metadata.PackageNotFoundError(name)
            return real(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return remove


@pytest.mark.parametrize("package", ["ipywidgets", "pycurl"])
def test_a_missing_package_fails_and_says_what_to_do(package, capsys, missing, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    missing(package)
    status, text = _report(capsys)
    assert status == 1
    assert f"[FAIL] {package} is missing" in text and "make env" in text
    assert "1 of these" in text


def test_without_jupyterlab_the_notebooks_open_elsewhere(capsys, missing):
    missing("jupyterlab")
    status, text = _report(capsys)
    assert status == 0 and text.endswith("All is well.\n")
    assert "[--] jupyterlab is not here" in text and "Colab" in text


@pytest.mark.parametrize(
    "windows, make, expected",
    [
        (False, True, ["`make env`"]),
        (False, False, ["`python3 -m venv .venv`", "`. .venv/bin/activate`"]),
        (True, True, ["`py -m venv .venv`", r"`.venv\Scripts\activate`"]),
        (True, False, ['python -m pip install -c constraints.txt -e ".[lab]"']),
    ],
)
def test_the_advice_is_that_of_the_readme_for_this_system(monkeypatch, windows, make, expected):
    monkeypatch.setattr(doctor, "ON_WINDOWS", windows)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/make" if make else None)
    advice = doctor._install()
    assert all(command in advice for command in expected)
    assert ("make" in advice) == (make and not windows)
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in advice.split("`")[1::2]:
        assert command in readme or command == "make env"


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), TypeError("bfloat16"), OSError()])
def test_an_examination_that_breaks_off_does_not_end_the_report(capsys, monkeypatch, error):
    def broken():
        raise error

    monkeypatch.setattr("labutils.device.pick_device", broken)
    status, text = _report(capsys)
    assert status == 1 and f"[FAIL] device: {type(error).__name__}" in text
    assert "GiB free" in text and "mnist" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "cp1252", "utf-8"])
def test_no_letter_is_too_much_for_a_console(encoding):
    code = r"import labutils; print('90 % · 3 × 3 ✓ 김민지 \udcff')"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b"90 % ") and b"?" in run.stdout


def test_an_old_python_fails(monkeypatch):
    monkeypatch.setattr(doctor, "MIN_PYTHON", (99, 0))
    [finding] = doctor._python()
    assert not finding.ok and "Python 99.0 is needed" in str(finding)


def test_a_full_disk_fails(capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30, 2**20))
    status, text = _report(capsys)
    assert status == 1 and "[FAIL] 0.0 GiB free" in text and "LABUTILS_DATA_DIR" in text


def test_a_device_that_is_not_there_fails(capsys, monkeypatch):
    monkeypatch.setenv("LABUTILS_DEVICE", "warp")
    status, text = _report(capsys)
    assert status == 1 and "[FAIL] device" in text and "'warp'" in text


@pytest.mark.parametrize("free, mark", [(10, "[OK]"), (1, "[--]")])
def test_who_has_the_memory_of_a_gpu_is_said(capsys, monkeypatch, free, mark):
    """With stand-ins for a GPU of 16 GiB."""
    monkeypatch.setattr("labutils.device.pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * 2**30, 16 * 2**30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2 * 2**30)
    status, text = _report(capsys)
    others = 16 - 2 - free
    assert status == 0 and f"{mark} GPU memory: {free}.0 of 16.0 GiB are free, 2.0 are this" in text
    assert f"program's, {others}.0 other programs' and" in text
    assert ("nvidia-smi" in text) == (free == 1)


def test_a_data_folder_that_cannot_be_made_fails(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LABUTILS_DATA_DIR", str(tmp_path / "file" / "data"))
    status, text = _report(capsys)
    assert status == 1 and "[FAIL] LABUTILS_DATA_DIR" in text


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_read_only_data_folder_is_fine(capsys, tmp_path):
    tmp_path.chmod(0o555)
    try:
        status, text = _report(capsys)
    finally:
        tmp_path.chmod(0o755)
    assert status == 0 and "read-only" in text


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as caught:
        commands.main([name, "--help"])
    assert caught.value.code == 0
    assert f"labutils {name}" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["release --check", "grade tests --out {}"])
def test_a_command_without_its_packages_says_what_to_install(words, capsys, monkeypatch, tmp_path):
    for name in ("nbgrader", "nbgrader.preprocessors"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(ROOT)
    assert commands.main(words.format(tmp_path).split()) == 2
    said = capsys.readouterr().err
    assert f"{words.split()[0]} needs nbgrader" in said
    assert said.rstrip().endswith('python -m pip install -e ".[ta]"'), "as Windows takes it, too"


def test_a_students_command_without_a_package_asks_for_no_ta_s_extra(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "labutils.tools.measure", None)
    assert commands.main(["reference", "mlp"]) == 2
    assert capsys.readouterr().err.rstrip().endswith('python -m pip install -e "."')


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        commands.main(["dokter"])
    assert caught.value.code == 2 and "dokter" in capsys.readouterr().err
