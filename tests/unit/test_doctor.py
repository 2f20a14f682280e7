"""The doctor: a line for everything, [FAIL] lines with advice, and an honest exit status."""

import importlib.metadata
import os
import shutil
from collections import namedtuple

import pytest

from labutils import __main__ as commands
from labutils.tools import doctor


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


def test_a_missing_package_fails_and_says_what_to_do(capsys, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "ipywidgets":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    status, text = _report(capsys)
    assert status == 1
    assert "[FAIL] ipywidgets is missing" in text and "make env" in text
    assert "1 of these" in text


def test_an_old_python_fails(monkeypatch):
    monkeypatch.setattr(doctor, "MIN_PYTHON", (99, 0))
    finding = doctor._python()
    assert not finding.ok and "needs Python 99.0" in str(finding)


def test_a_full_disk_fails(capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30, 2**20))
    status, text = _report(capsys)
    assert status == 1 and "[FAIL] 0.0 GiB free" in text and "LABUTILS_DATA_DIR" in text


def test_a_device_that_is_not_there_fails(capsys, monkeypatch):
    monkeypatch.setenv("LABUTILS_DEVICE", "warp")
    status, text = _report(capsys)
    assert status == 1 and "[FAIL] device" in text and "'warp'" in text


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


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        commands.main(["dokter"])
    assert caught.value.code == 2 and "dokter" in capsys.readouterr().err
