"""The course on Colab: badges and the install cell, from the repository that a fork names."""

import argparse
import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from labutils.checks import EXERCISES
from labutils.course import colab, release
from tests import matrix

from .test_release import NAME, _solution

MINE = colab.Repository("some-course/labs", "autumn")


def _released(repository):
    return release.student_copy(_solution(), NAME, repository)


def test_nothing_of_colab_is_written_without_a_repository():
    assert "colab" not in nbformat.writes(_released(None))


def test_badge_and_install_cell_name_the_repository_and_its_branch():
    cells = _released(MINE).cells
    assert "/github/some-course/labs/blob/autumn/notebooks/some_other_notebook.ipynb" in (
        cells[1].source
    )
    assert "git+https://github.com/some-course/labs@autumn" in cells[2].source
    assert nbformat.writes(_released(MINE)) == nbformat.writes(_released(MINE))


@pytest.mark.parametrize("name", ["labs", "a/b/c", "a b/c", "a/b; rm", "https://x/a/b", ""])
def test_what_is_no_repository_is_refused(name):
    with pytest.raises(ValueError, match="owner/name"):
        colab.Repository(name)
    with pytest.raises(ValueError, match="branch"):
        colab.Repository("a/b", 'main" --evil')


def test_pyproject_names_the_repository_and_the_command_line_wins(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(release, "EXERCISES", {"softmax": EXERCISES["softmax"]})
    folder = tmp_path / "notebooks"
    (folder / "solutions").mkdir(parents=True)
    name = EXERCISES["softmax"].notebook + ".ipynb"
    nbformat.write(_solution(), folder / "solutions" / name)

    def run(check=False, repository=None, branch=None):
        status = release.main(argparse.Namespace(
            notebooks=folder, check=check, repository=repository, branch=branch
        ))  # fmt: skip
        return status, (folder / name).read_text("utf-8") if (folder / name).exists() else ""

    assert "colab" not in run()[1]
    text = '[tool.labutils]\nrepository = "mine/labs"\nbranch = "autumn"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert run(check=True)[0] == 1, "the copies lack the badge now"
    assert "mine/labs@autumn" in run()[1]
    assert run(check=True)[0] == 0
    assert "their/labs@autumn" in run(repository="their/labs")[1]
    assert run(check=True)[0] == 1, "pyproject.toml says otherwise"
    assert run(repository="no repository")[0] == 2
    assert "owner/name" in capsys.readouterr().err


def test_the_package_asks_for_nothing_newer_than_colab_has():
    """An upgrade of what is imported already asks for a restart of the runtime."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    present = {its.name: its.specifier for its in map(Requirement, matrix.COLAB)}
    for wanted in map(Requirement, project["dependencies"]):
        if wanted.name != "pycurl":
            assert wanted.name in present, f"is {wanted.name} on Colab?"
            for pin in present[wanted.name]:
                assert pin.version in wanted.specifier, f"Colab's {wanted.name} is too old"


_COLAB = """
import sys
sys.path[:0] = [{target!r}, {stand_in!r}, {packages!r}]
if {on_colab}:
    import google.colab
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell({cell!r}).raise_error()
import importlib
importlib.invalidate_caches()
try:
    import labutils
    print("labutils", labutils.__version__)
except ImportError:
    print("no labutils")
"""


def _git(folder, *words):
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True)


def test_the_cell_installs_on_colab_where_the_package_is_missing(tmp_path, monkeypatch):
    origin = tmp_path / "some-course" / "labs"
    (origin / "labutils").mkdir(parents=True)
    (origin / "labutils" / "__init__.py").write_text('__version__ = "stand-in"\n')
    (origin / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "labutils"\nversion = "9.9"\n[tool.setuptools]\npackages=["labutils"]\n'
    )
    _git(origin, "init", "--quiet", "--initial-branch", "autumn")
    _git(origin, "add", ".")
    _git(origin, "commit", "--quiet", "-m", "A course")
    (tmp_path / "stand_in" / "google" / "colab").mkdir(parents=True)
    (tmp_path / "stand_in" / "google" / "colab" / "__init__.py").write_text("")
    monkeypatch.setattr(colab, "HOST", tmp_path.as_uri())
    cell, target = colab.install_source(MINE), tmp_path / "target"

    def run(on_colab: bool) -> str:
        code = _COLAB.format(
            target=str(target),
            stand_in=str(tmp_path / "stand_in"),
            packages=sysconfig.get_path("purelib"),
            on_colab=on_colab,
            cell=cell,
        )
        settings = {
            "PIP_TARGET": str(target),
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it the other way round: no isolation
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "IPYTHONDIR": str(tmp_path / "ipython"),
        }
        # -S: the installed labutils of this environment is out of sight.
        done = subprocess.run(
            [sys.executable, "-S", "-P", "-c", code], cwd=tmp_path, env=os.environ | settings,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    assert run(on_colab=False) == "no labutils", "elsewhere nothing is installed"
    assert run(on_colab=True) == "labutils stand-in"
    before = (target / "labutils" / "__init__.py").stat().st_mtime_ns
    assert run(on_colab=True) == "labutils stand-in"
    assert (target / "labutils" / "__init__.py").stat().st_mtime_ns == before, "installed again"
