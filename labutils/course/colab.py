"""A course's own repository in its student copies: Open-in-Colab badges, and the Colab install.

A fork says once, in ``pyproject.toml``, where it lives:

    [tool.labutils]
    repository = "owner/name"
    branch = "main"

Without that nothing is written.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

HOST = "https://github.com"
_COLAB = "https://colab.research.google.com"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_BRANCH = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Repository:
    """Where a course's fork lives: ``owner/name`` and the branch that students get.

    Raises:
        ValueError: a name or branch that cannot be one.
    """

    name: str
    branch: str = "main"

    def __post_init__(self):
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the repository {self.name!r} is not of the form owner/name")
        if not _BRANCH.fullmatch(self.branch) or ".." in self.branch:
            raise ValueError(f"{self.branch!r} is no name of a branch")


def configured(root: Path) -> Repository | None:
    """The repository that ``pyproject.toml`` in ``root`` names; None where it names none."""
    path = root / "pyproject.toml"
    if not path.exists():
        return None
    settings = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("labutils", {})
    if not settings.get("repository"):
        return None
    return Repository(settings["repository"], settings.get("branch", "main"))


def install_source(repository: Repository) -> str:
    """The cell that installs the package on Colab, where it is missing, and only there."""
    url = f"git+{HOST}/{repository.name}@{repository.branch}"
    return (
        "# On Colab this installs the course's package. Elsewhere it does nothing.\n"
        "import importlib.util\n"
        "import sys\n"
        "\n"
        'if "google.colab" in sys.modules and importlib.util.find_spec("labutils") is None:\n'
        f'    %pip install --quiet "{url}"'
    )


def add_colab(student: NotebookNode, name: str, repository: Repository, folder: str) -> None:
    """Write the badge and the install cell into a student copy, in place, after its first cell.

    Args:
        name: the notebook's file name without ``.ipynb``.
        folder: where the student copies lie in the repository.
    """
    address = f"{_COLAB}/github/{repository.name}/blob/{repository.branch}/{folder}/{name}.ipynb"
    badge = nbformat.v4.new_markdown_cell(
        f"[![Open in Colab]({_COLAB}/assets/colab-badge.svg)]({address})"
    )
    install = nbformat.v4.new_code_cell(install_source(repository))
    badge["id"], install["id"] = "colab-badge", "colab-install"  # the same at every release
    student.cells[1:1] = [badge, install]
