"""What is declared in several places is the same everywhere, and nothing points at this machine."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import conftest
from tests import matrix

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch"}


def _tracked() -> list[Path]:
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if out.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in out.stdout.split("\0") if name and (ROOT / name).is_file()]


def _requirements(*texts: str) -> dict[str, Requirement]:
    """Return requirements by their normalized name; a later one of the same name counts."""
    return {canonicalize_name(r.name): r for r in map(Requirement, texts)}


LOCAL = _requirements(*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"])


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins.items()}


def test_environment_yml_names_the_packages_of_pyproject():
    text = (ROOT / "environment.yml").read_text("utf-8")
    conda = set(re.findall(r"^  - ([a-z][\w.-]*(?:[<>=!~][^\s]*)?)$", text, flags=re.M))
    conda -= {"conda-forge", "pip"}
    # A single version: where a range is asked for, Binder takes a default of its own.
    expected = {"python=3.12"}
    assert "3.12" in SpecifierSet(PROJECT["requires-python"])
    for name, requirement in LOCAL.items():
        expected.add(f"{CONDA_NAMES.get(name, name)}{requirement.specifier}")
    assert conda == expected


def test_constraints_pin_every_dependency_inside_its_range():
    extras = PROJECT["optional-dependencies"].values()
    for text in PROJECT["dependencies"] + [r for group in extras for r in group]:
        requirement = Requirement(text)
        if requirement.name != "labutils":
            pinned = _pins().get(canonicalize_name(requirement.name))
            assert pinned, f"{requirement.name} has no line in constraints.txt"
            assert pinned in requirement.specifier, f"{requirement.name}=={pinned} is out of range"


def test_the_pinned_versions_take_the_oldest_python_that_is_promised():
    oldest = f"{PROJECT['requires-python'].removeprefix('>=')}.0"
    for name, version in _pins().items():
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if found.version == version:
            wanted = found.metadata.get("Requires-Python") or ""
            assert oldest in SpecifierSet(wanted), f"{name}=={version} needs Python {wanted}"


def test_the_matrix_tells_what_is_new_from_what_is_changed():
    before, after = ["ipywidgets==7.7.1", "torch==2.11.0"], ["ipywidgets==8.1.9", "pycurl==7.49.0"]
    assert matrix.changes(before, after) == "new pycurl==7.49.0; changed ipywidgets==8.1.9"
    assert matrix.changes(after, after) == "new nothing; changed nothing"


# Put together from parts, so that this file does not name what it forbids.
FORBIDDEN = [r"py" + r"pi\.org", r"python" + r"hosted", r"npm" + r"js\.", r"debian" + r"\.org"]
MACHINE_PATH = r"(?<![\w./])/(work|tmp|root|home)/[\w./-]+"


def test_no_registry_host_and_no_path_of_a_machine():
    for path in _tracked():
        text = path.read_text("utf-8", errors="ignore")
        for pattern in FORBIDDEN:
            assert not re.search(pattern, text), f"{path} names {pattern}"
        if path.suffix in {".ipynb", ".md", ".toml", ".yml", ".json", ".txt"}:
            found = re.search(MACHINE_PATH, text)
            assert not found, f"{path} holds the path {found[0]}"


def test_no_dataset_is_committed():
    for path in _tracked():
        assert path.suffix not in {".npz", ".gz", ".pt", ".pkl"}, path
        assert path.stat().st_size < 3_000_000, f"{path} is too large for the repository"


def test_skipped_browser_tests_are_said_once():
    path, reason = "tests/browser/test_x.py", ("conftest.py", 1, "Skipped: no chromium")
    skipped = [SimpleNamespace(nodeid=path, longrepr=reason)] * 2
    skipped.append(SimpleNamespace(nodeid="tests/unit/test_x.py", longrepr=("", 1, "else")))
    said = []
    conftest.pytest_terminal_summary(
        SimpleNamespace(getreports=lambda kind: skipped, write_line=said.append)
    )
    assert said == ["2 browser tests were skipped: no chromium"]


def test_importing_labutils_loads_no_heavy_module():
    code = (
        "import sys, json, labutils; heavy = {'torch', 'torchvision', 'matplotlib', 'ipywidgets', "
        "'sklearn', 'numpy'}; print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []
