"""``python -m tests.matrix --python 3.13 --oldest``: the series in the versions that it claims.

    python -m tests.matrix --python 3.11 --oldest    # the lowest version of every range together
    python -m tests.matrix --python 3.12 --newest    # the newest of everything
    python -m tests.matrix --python 3.13 --colab     # Colab's versions, and what its cell installs

makes an environment in ``.work/matrix/`` (about 5 GB on Linux) with uv (``pip install uv``), which
knows how to choose the lowest versions; runs the doctor there, the unit tests and the solved
notebooks through nbval, and prints a row of a table. The logs and the list of what was installed
lie beside the environment. Exit status 1 where anything fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".work" / "matrix"
# What Colab has (its list of 2026-08-19, Python 3.13) of what we ask for or run on.
COLAB = """torch==2.11.0 torchvision==0.26.0 numpy==2.1.3 pillow==11.3.0 scikit-learn==1.6.1
matplotlib==3.10.0 ipywidgets==7.7.1 widgetsnbextension==3.6.10 anywidget==0.9.21 ipykernel==6.17.1
ipython==7.34.0 notebook==6.5.7 tornado==6.5.7 traitlets==5.7.1
tqdm filelock platformdirs certifi""".split()
NOT_ON_COLAB = ["jedi"]  # ipython asks for it
# Not the extra `test`, which would upgrade what Colab has: so of the unit tests, the widgets' run.
COLAB_TOOLS = ["nbval", "pytest", "pytest-xdist"]
COLAB_UNITS = sorted((ROOT / "tests" / "unit").glob("test_widgets*.py"))
HEADINGS = ["Python", "versions", "doctor", "units", "nbval, solutions"]
# pyproject.toml's settings without those of the browser tests.
NBVAL = "--nbval --nbval-current-env --nbval-cell-timeout=120 -n 2 --dist loadscope"


def run(*command) -> str:
    """Run a command in the repository; return what it printed."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def install(python: str, kind: str, folder: Path) -> tuple[Path, str]:
    """Make the environment anew; return its Python, and what Colab's install cell did."""
    shutil.rmtree(folder, ignore_errors=True)
    run("uv", "venv", "--quiet", "--seed", "--python", python, folder / "venv")
    inside = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = ["uv", "pip", "install", "--quiet", "--python", inside]
    said = ""
    if kind == "colab":
        run(*pip, *COLAB)
        run("uv", "pip", "uninstall", "--quiet", "--python", inside, *NOT_ON_COLAB)
        before, began = installed(inside), time.monotonic()
        run(inside, "-m", "pip", "install", "--quiet", ROOT)  # as the cell does, but from here
        seconds, after = time.monotonic() - began, installed(inside)
        said = f"Colab's cell took {seconds:.0f} s: {changes(before, after)}"
        (folder / "colab.txt").write_text("\n".join(after))
        run(*pip, "-c", folder / "colab.txt", *COLAB_TOOLS)
    else:
        lowest = ["--resolution", "lowest-direct"] if kind == "oldest" else []
        # A version without a wheel for this Python is no version for a student.
        run(*pip, *lowest, "--only-binary", ":all:", "-r", "pyproject.toml", "--extra", "test")
        run(*pip, "--no-deps", "-e", ".")
    (folder / "installed.txt").write_text("\n".join(installed(inside)))
    return inside, said


def installed(python: Path) -> list[str]:
    """Return ``name==version`` for everything in an environment but labutils."""
    lines = run("uv", "pip", "freeze", "--quiet", "--python", python).splitlines()
    return [line for line in lines if "==" in line]


def changes(before: list[str], after: list[str]) -> str:
    """Say in a few words what was installed, and what was there already in another version."""
    there = {line.split("==")[0] for line in before}
    new = sorted(set(after) - set(before))
    changed = [line for line in new if line.split("==")[0] in there]
    added = [line for line in new if line not in changed]
    return f"new {', '.join(added) or 'nothing'}; changed {', '.join(changed) or 'nothing'}"


def summary(command: list, log: Path, pattern: str) -> tuple[str, bool]:
    """Run a command into a log; return what the pattern finds last, and if all is well."""
    out = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log.write_text(out.stdout, "utf-8")
    found = re.findall(pattern, out.stdout)
    said = found[-1] if found else f"exit status {out.returncode}, see {log.relative_to(ROOT)}"
    return said, out.returncode == 0


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version = "{}.{}".format(*sys.version_info)
    parser.add_argument("--python", default=version, help="3.13, or the path of an interpreter")
    for kind in ("oldest", "newest", "colab"):
        parser.add_argument(f"--{kind}", dest="kinds", action="append_const", const=kind)
    options = parser.parse_args(arguments)
    if not options.kinds or not shutil.which("uv"):
        parser.error("name --oldest, ..." if shutil.which("uv") else "pip install uv, please")
    rows, notes, well = [], [], True
    ending = r"(?m)^(\d.*) in [\d.]+s"
    for kind in options.kinds:
        folder = FOLDER / f"{Path(options.python).name}-{kind}"
        inside, note = install(options.python, kind, folder)
        notes += [note] * bool(note)
        well &= not note or note.endswith("changed nothing")
        pytest = [inside, "-m", "pytest", "-q", "-o"]
        units = COLAB_UNITS if kind == "colab" else ["tests/unit"]
        cells = [options.python, kind]
        for name, command, pattern in (
            ("doctor", [inside, "-m", "labutils", "doctor"], r"(\d+ of these need|All is well)"),
            ("units", [*pytest, "addopts=-n 2 --dist loadscope", *units], ending),
            ("nbval", [*pytest, f"addopts={NBVAL}", "notebooks/solutions"], ending),
        ):
            said, good = summary(command, folder / f"{name}.log", pattern)
            cells.append(said)
            well &= good
        rows.append(cells)
    for cells in [HEADINGS, ["---"] * len(HEADINGS), *rows]:
        print("| " + " | ".join(cells) + " |")
    print(*notes, sep="\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
