"""Notebooks as files: the same bytes on every machine, written whole or not at all."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)


def as_text(notebook: NotebookNode) -> str:
    """A notebook as the bytes that are committed: the same on every machine."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"
