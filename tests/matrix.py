"""``python -m tests.matrix --python 3.13 --oldest``: the series in the versions that it claims.

    python -m tests.matrix --python 3.11 --oldest    # the lowest version of every range together
    python -m tests.matrix --python 3.14 --newest    # the newest of everything
    python -m tests.matrix --python 3.12 --colab     # Colab's versions, only what Colab lacks added

makes an environment in ``.work/matrix/`` (about 5 GB on Linux), runs the doctor there, the unit
tests and the solved notebooks through nbval, and prints a row of a table; the logs lie beside the
environment. Exit status 1 where anything fails.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".work" / "matrix"
# What Colab has (its runtime 2026.07, Python 3.12), of what we ask for or run on.
COLAB = """torch==2.11.0 torchvision==0.26.0 numpy==2.0.2 pillow==11.3.0 scikit-learn==1.6.1
matplotlib==3.10.0 ipywidgets==7.7.1 widgetsnbextension==3.6.10 anywidget==0.9.21 ipykernel==6.17.1
ipython==7.34.0 notebook==6.5.7 tornado==6.5.7 traitlets==5.7.1""".split()
# Only nbval runs there: the unit tests need the extra `lab`, which would upgrade what Colab has.
COLAB_TESTS = ["nbval>=0.11", "pytest>=8.0", "pytest-xdist>=3.6.1"]
HEADINGS = ["Python", "versions", "doctor", "units", "nbval, solutions"]
# pyproject.toml's settings without those of the browser tests.
NBVAL = "--nbval --nbval-current-env --nbval-cell-timeout=120 -n 2 --dist loadscope"


def floors() -> list[str]:
    """Return ``name==version`` for the lowest version that every requirement allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    texts = project["dependencies"] + [t for name in ("lab", "ta", "test") for t in extras[name]]
    lowest: dict[str, Version] = {}
    for requirement in map(Requirement, texts):
        for part in requirement.specifier:  # none for labutils itself
            version = Version(part.version)
            lowest[requirement.name] = max(lowest.get(requirement.name, version), version)
    return [f"{name}=={version}" for name, version in lowest.items()]


def install(python: str, kind: str, folder: Path) -> Path:
    """Make the environment, unless it is there with the same versions; return its Python."""
    constraints = {"oldest": floors(), "newest": [], "colab": COLAB}[kind]
    what = ["-e", ".", *COLAB_TESTS, *COLAB] if kind == "colab" else ["-e", ".[test]"]
    content = "\n".join([*constraints, *what])
    stamp, path = folder / "installed", folder / "constraints.txt"
    inside = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not stamp.exists() or stamp.read_text() != content:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path.write_text("\n".join(constraints))
        subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
        pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", path, *what], cwd=ROOT, check=True)
        stamp.write_text(content)
    return inside


def summary(command: list, log: Path, pattern: str) -> tuple[str, bool]:
    """Run a command into a log; return what the pattern finds last, and if all is well."""
    out = subprocess.run(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    log.write_text(out.stdout)
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
    python = shutil.which(f"python{options.python}") or shutil.which(options.python)
    if python is None or not options.kinds:
        parser.error(f"no Python {options.python}" if options.kinds else "name --oldest, ...")
    rows, well = [], True
    ending = r"(?m)^(\d.*) in [\d.]+s"
    for kind in options.kinds:
        folder = FOLDER / f"{Path(options.python).name}-{kind}"
        inside = install(python, kind, folder)
        pytest = [inside, "-m", "pytest", "-q"]
        cells = [options.python, kind]
        for name, command, pattern in (
            ("doctor", [inside, "-m", "labutils", "doctor"], r"(\d+ of these need|All is well)"),
            ("units", [*pytest, "tests/unit"], ending),
            ("nbval", [*pytest, "-o", f"addopts={NBVAL}", "notebooks/solutions"], ending),
        ):
            if (name, kind) == ("units", "colab"):
                cells.append("–")
                continue
            said, good = summary(command, folder / f"{name}.log", pattern)
            cells.append(said)
            well &= good
        rows.append(cells)
    for cells in [HEADINGS, ["---"] * len(HEADINGS), *rows]:
        print("| " + " | ".join(cells) + " |")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
