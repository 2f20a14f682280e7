"""``python -m tests.faults.wild ../shared/wild``: what the inputs found in the wild say now.

Each is a small program that says on top what is expected of it, and how to run it. Here stands by
which words one sees that it is so. Prints everything the inputs say; exit status 1 where one of
them lacks its words.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = {
    "answer_in_markdown_cell": "graded as code.*answer found: True",
    "certificates_korean_path": "HTTP 404",
    "checkpoint_dead_drive": "Training goes on.*4 epochs",
    "checkpoint_numpy_lr": "2 of 3 epochs are done.*once more: 3 epochs",
    "colab_explorer": r"(widget-view[^\n]*colab.*){3}",
    "comprehension_python312": "the grading notebook: True",
    "csv_korean_excel": "byte order mark: True",
    "dataloader_spawn_message": "Set num_workers=0.*file and import it",
    "file_name_bytes": r"\[2/2\] .*1 need a look",
    "grade_lock_nfs": "graded\n0",
    "grade_long_tmpdir": "9 of 9.*0 need a look",
    "mps_macos13_bfloat16": "^None$",
    "out_of_memory_message": "smaller batch_size.*restart the kernel",
    "plot_korean_title": r"(no installed font has them|Hangul: \['.*).*\n0 warnings",
    "students_left_out": "handed in by 8 - found 8",
    "students_split_in_two": r"\A(ok  [^\n]*\n){8}\Z",
}


def run(path: Path) -> str:
    """Run one input in the repository's root with this Python; return all that it said."""
    command = ["bash", path, sys.executable] if path.suffix == ".sh" else [sys.executable, path]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared" / "wild")
    paths = sorted(p for p in parser.parse_args(arguments).folder.glob("*.[ps][yh]"))
    failed = 0
    for path in paths:
        began, said = time.monotonic(), run(path)
        words = WORDS.get(path.stem)
        right = words is not None and re.search(words, said, re.DOTALL | re.MULTILINE) is not None
        failed += not right
        print(f"--- {'ok   ' if right else 'WRONG'} {path.name}, {time.monotonic() - began:.0f} s")
        print(said.rstrip(), flush=True)
    print(f"--- Python {sys.version.split()[0]}: {len(paths)} inputs, {failed} wrong")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
