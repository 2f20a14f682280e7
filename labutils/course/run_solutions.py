"""Run the solution notebooks in place, so that they are committed with their outputs.

They run on the embedded sample: pictures of the real datasets are not committed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import nbformat

from labutils.course.notebook_text import as_text
from labutils.files import write_text

# What the committed outputs are made with; the caller's environment does not count.
ENVIRONMENT = {
    "LABUTILS_DATA": "sample",
    "LABUTILS_BUDGET": "cpu",
    "LABUTILS_DEVICE": "cpu",
    "CI": "true",  # quiet progress bars
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", help="file names or beginnings (01, 03_cifar10_cnn)")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), metavar="FOLDER")


def main(arguments: argparse.Namespace) -> int:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    folder = arguments.notebooks / "solutions"
    paths = [
        p
        for p in sorted(folder.glob("*.ipynb"))
        if not arguments.names or p.stem.startswith(tuple(arguments.names))
    ]
    if not paths:
        print(f"No notebook in {folder} begins with {arguments.names}.", file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        client = NotebookClient(
            notebook, timeout=1800, record_timing=False, resources={"metadata": {"path": folder}}
        )
        try:
            client.execute(env=os.environ | ENVIRONMENT)
        except CellExecutionError as error:
            print(f"{path} stopped; nothing was written.\n{error}", file=sys.stderr)
            failed += 1
            continue
        notebook.metadata["language_info"] = {"name": "python"}
        write_text(path, as_text(notebook))
        print(f"ran {path} in {time.perf_counter() - start:.0f} s")
    return 1 if failed else 0
