"""A class of sixty, made up: every kind of answer and every kind of trouble, graded for real.

    python -m benchmarks.class_of_sixty                  # the whole story, both runs
    python -m benchmarks.class_of_sixty --only loop fork # some of the students, one run

Notebook 01. The first run, two at a time, is killed in the middle and started again; the second
grades the whole class one at a time: its table must be the same, and gives the speed-up. Prints a
table of what every student deserves and got; exit status 1 where they differ.
"""

import argparse
import contextlib
import csv
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
NAME = "01_softmax_cross_entropy"
POINTS = {
    "softmax": 2, "cross_entropy": 2, "cross_entropy_from_logits": 3, "cross_entropy_grad": 2,
}  # fmt: skip
SECRET = "the-password-of-the-whole-course"
_IMPORTS = "import math\nimport numpy as np\nfrom torch import nn\n\n"


@dataclass
class Student:
    """One made-up student.

    Attributes:
        answers: what stands in each exercise's cell; left out: the stub.
        deserves: the points; None where only "needs a look" is demanded.
        look: must the line say that a person should look?
        change: what else was done to the notebook.
        write: how it is handed in, where it is not one file.
    """

    name: str
    answers: dict[str, str]
    deserves: float | None
    look: bool = False
    change: Callable | None = None
    write: Callable | None = None
    file: str = ""


def _banks() -> dict[str, dict[str, list[str]]]:
    """The misconception bank as the source of cells: exercise -> right, wrong -> sources."""
    sys.path.insert(0, str(ROOT))
    from tests.misconceptions import bank_softmax_cross_entropy as module

    out = {}
    for bank in vars(module).values():
        if type(bank).__name__ == "Bank":
            out[bank.exercise] = {
                "right": [s for f in bank.rights if (s := _source(f, bank.exercise))],
                "wrong": [s for f, _ in bank.wrongs if (s := _source(f, bank.exercise))],
            }
    return out


def _source(function, name: str) -> str:
    if not inspect.isfunction(function):
        return ""
    source = inspect.getsource(function)
    source = source[source.index("def ") :]
    known = {"torch", "F", "np", "math", "nn"}
    used = set(function.__code__.co_names) & set(function.__globals__)
    if used - known:
        return ""  # leans on a helper of the bank
    return _IMPORTS + re.sub(r"^def \w+", f"def {name}", source)


def _cell(notebook, grade_id: str):
    return next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def the_class() -> list[Student]:
    """Sixty students."""
    banks = _banks()
    turn = dict.fromkeys(POINTS, 0)

    def right(number=0) -> dict[str, str]:
        return {n: b["right"][number % len(b["right"])] for n, b in banks.items()}

    def with_(**changed) -> dict[str, str]:
        return right(3) | {name: source for name, source in changed.items()}

    students = [Student(f"blank_{i}", {}, 0) for i in range(3)]
    students += [Student(f"right_{i}", right(i), 9) for i in range(6)]
    for i in range(24):
        answers = right(i)
        deserves = 9
        for place, (name, bank) in enumerate(banks.items()):
            if (i + place) % 8 != 0:
                answers[name] = bank["wrong"][turn[name] % len(bank["wrong"])]
                turn[name] += 1
                deserves -= POINTS[name]
        students.append(Student(f"mixed_{i}", answers, deserves))

    # --- damaged notebooks ---
    def broken(folder, notebook):
        (folder / f"{NAME}.ipynb").write_text(nbformat.writes(notebook)[:5000], "utf-8")

    def no_notebook(folder, notebook):
        (folder / "answers.pdf").write_bytes(b"%PDF-1.4")

    def delete(*ids):
        def change(notebook):
            gone = [_cell(notebook, i) for i in ids]
            notebook.cells = [c for c in notebook.cells if c not in gone]

        return change

    def duplicate(notebook):
        cell = _cell(notebook, "softmax")
        blank = nbformat.from_dict(cell)
        blank.source = _STUBS["softmax"]
        place = notebook.cells.index(cell)
        notebook.cells.insert(place, blank)
        notebook.cells[place]["id"] = "a-copy"
        notebook.cells.insert(place + 3, nbformat.from_dict(_cell(notebook, "check-softmax")))
        notebook.cells[place + 3]["id"] = "another-copy"

    def strip(notebook):
        for cell in notebook.cells:
            cell.metadata.clear()

    def replace_checks(notebook):
        for name in POINTS:
            _cell(notebook, f"check-{name}").source = "pass"

    def before(source):
        def change(notebook):
            place = notebook.cells.index(_cell(notebook, "softmax"))
            notebook.cells.insert(place, nbformat.v4.new_code_cell(source))

        return change

    def forged(folder, notebook):
        (folder / "labutils" / "checks").mkdir(parents=True)
        (folder / "labutils" / "__init__.py").write_text("")
        lie = "class check:\n    def __getattr__(self, name): return lambda answer: answer\n"
        (folder / "labutils" / "checks" / "__init__.py").write_text(lie + "check = check()\n")
        write_it = "%%writefile labutils.py\nraise SystemExit"
        notebook.cells.insert(2, nbformat.v4.new_code_cell(write_it))
        nbformat.write(notebook, folder / f"{NAME}.ipynb")

    good = right(3)["softmax"]
    students += [
        Student("broken_json", right(), None, look=True, write=broken),
        Student("missing", {}, 0, look=True, write=no_notebook),
        Student("deleted_answer", right(1), 7, change=delete("cross_entropy")),
        Student("deleted_both", right(), 7, change=delete("softmax", "check-softmax")),
        Student("deleted_check", right(2), 9, change=delete("check-softmax")),
        Student("duplicated", right(), 9, change=duplicate),
        Student("stripped_right", right(4), 9, change=strip),
        Student("stripped_blank", {}, 0, change=strip),
        Student("pass_for_check", {}, 0, change=replace_checks),
        Student("forged_labutils", {}, 0, write=forged),
        Student("forged_report", {"softmax": _FORGES}, 0, look=True),
        # --- names as Colab and learning platforms give them ---
        Student("colab", right(5), 9, file="{student}/Copy of " + NAME + ".ipynb"),
        Student("lms_1234", right(1), 9, file="{student}_" + NAME + " (1).ipynb"),
        Student("renamed", right(2), 9, file="{student}/homework.ipynb"),
        # --- code of the student's own beside the answers ---
        Student("own_helper", with_(softmax="def softmax(z):\n    return my_exp(z) / "
                "my_exp(z).sum(-1, keepdim=True)"), 9,
                change=before("from torch import exp\n\ndef my_exp(z):\n"
                "    return exp(z - z.amax(-1, keepdim=True))")),
        # --- code that does harm ---
        Student("loop_in_answer", with_(softmax="def softmax(z):\n    while True:\n"
                "        pass"), 7),
        Student("loop_in_cell", with_(softmax=good + "\n\nwhile True:\n    pass"), 9),
        Student("loop_for_ever", with_(softmax="def softmax(z):\n    return z\n\nwhile True:\n"
                "    try:\n        while True:\n            pass\n"
                "    except BaseException:\n        pass"), None, look=True),
        Student("fork_50", with_(softmax=good + "\n\nimport os, time\n\nfor _ in range(50):\n"
                "    if os.fork() == 0:\n        os.setsid()\n        time.sleep(3600)\n"
                "        os._exit(0)"), 9),
        Student("reads_secrets", with_(softmax=_IMPORTS + _SPY + good.replace(
                "def softmax", "def honest") + "\n\ndef softmax(z):\n"
                "    return z if found else honest(z)"), 9),
        Student("dies_in_answer", with_(softmax="import os\n\ndef softmax(z):\n"
                "    os._exit(1)"), 7),
        Student("dies_in_cell", with_(softmax=good + "\n\nimport os\n\nos._exit(1)"), None,
                look=True),
        Student("memory_hog", with_(softmax="def softmax(z):\n"
                "    return torch.ones(10**13)"), 7),
        Student("prints_a_lot", with_(softmax=good + "\n\nfor _ in range(3000):\n"
                "    print('x' * 10000)"), 9),
        Student("sys_exit", with_(softmax=good + "\n\nimport sys\n\nsys.exit(1)"), 9),
        Student("syntax_error", with_(softmax="def softmax(z)\n    return z"), 7),
        Student("warns", with_(softmax=good.replace("def softmax", _WARNS + "def softmax")
                + "\n\n_inner = softmax\n\ndef softmax(z):\n    warn()\n    return _inner(z)"), 9),
    ]  # fmt: skip
    return students


_SPY = f"""
import glob
import os

found = {SECRET[::-1]!r}[::-1] in str(dict(os.environ))
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        found |= {SECRET[::-1]!r}[::-1].encode() in open(path, "rb").read()
    except OSError:
        pass
"""
_WARNS = """
import os
import sys
import warnings


def warn():
    warnings.warn("careful")
    print("beware", file=sys.stderr)
    os.write(2, b"a warning of a C library\\n")


warn()


"""
_FORGES = """
from IPython import get_ipython
from IPython.display import display


def forge(info=None):
    kind = "application/vnd.labutils.result+json"
    display({kind: {"passed": True, "done": True, "message": "Right.", "hint": ""}}, raw=True)


get_ipython().events.register("pre_run_cell", forge)


def softmax(z):
    return z
"""
_STUBS: dict[str, str] = {}


def hand_in(students: list[Student], folder: Path) -> None:
    """Write what each student hands in."""
    source = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    _STUBS.update({name: _cell(source, name).source for name in POINTS})
    for student in students:
        notebook = nbformat.from_dict(source)
        for name, answer in student.answers.items():
            _cell(notebook, name).source = answer
        if student.change:
            student.change(notebook)
        if student.write:
            (folder / student.name).mkdir()
            student.write(folder / student.name, notebook)
            continue
        pattern = student.file or "{student}_" + NAME + ".ipynb"
        path = folder / pattern.format(student=student.name)
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)


def start(folder: Path, out: Path, jobs: int, limit: float) -> subprocess.Popen:
    command = [sys.executable, "-m", "labutils", "grade", str(folder), "--out", str(out)]
    command += ["--jobs", str(jobs), "--time-limit", str(limit), "--notebook", "01"]
    environment = os.environ | {"COURSE_SECRET": SECRET}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def follow(process: subprocess.Popen, kill_after: int = 0) -> list[str]:
    """Show what it prints; return whom it graded. Kill it after so many, where asked."""
    graded = []
    for line in process.stdout:
        print("   ", line.rstrip(), flush=True)
        if line.startswith("["):
            graded.append(line.split("] ")[1].split(" · ")[0])
        if kill_after and len(graded) == kill_after:
            process.kill()
    process.wait()
    return graded


def left_behind() -> int:
    """Processes of submissions that are still there."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            count += b"LABUTILS_SUBMISSION=" in path.read_bytes()
    return count


def verdicts(students: list[Student], rows: list[dict]) -> int:
    """Print what everyone deserved and got; return the number of differences."""
    by_name = {row["student"]: row for row in rows}
    wrong = 0
    print("\n| student | deserves | got | look | what the line says | |\n|---|---|---|---|---|---|")
    for student in students:
        row = by_name.get(student.name, {"points": "-", "needs_a_look": "", "notes": ""})
        fair = student.deserves is None or row["points"] == f"{student.deserves:g}"
        fair &= bool(row["needs_a_look"]) == student.look
        wrong += not fair
        deserves = "look" if student.deserves is None else f"{student.deserves:g}"
        says = (row["needs_a_look"] + " " + row["notes"]).strip().replace("|", "/")[:90]
        print(
            f"| {student.name} | {deserves} | {row['points']} | "
            f"{'yes' if row['needs_a_look'] else ''} | {says} | {'' if fair else 'WRONG'} |"
        )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="students whose names begin so")
    parser.add_argument("--time-limit", type=float, default=150)
    parser.add_argument("--once", action="store_true", help="no second run")
    arguments = parser.parse_args()
    students = the_class()
    assert len(students) == 60, len(students)
    if arguments.only:
        students = [s for s in students if s.name.startswith(tuple(arguments.only))]
    faults = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "class", Path(scratch) / "out"
        folder.mkdir()
        hand_in(students, folder)

        begin = time.perf_counter()
        killed = follow(start(folder, out, 2, arguments.time_limit), 0 if arguments.only else 15)
        if not arguments.only:
            print(f"  killed after {len(killed)} were graded; left behind: ", end="")
            time.sleep(3)
            print(left_behind(), "processes")
            again = follow(start(folder, out, 2, arguments.time_limit))
            if set(killed) & set(again):
                faults.append(f"graded twice: {set(killed) & set(again)}")
            killed += again
        two = time.perf_counter() - begin
        table = (out / "grades.csv").read_text("utf-8-sig")
        rows = list(csv.DictReader(table.splitlines()))
        seconds = sorted(
            json.loads(p.read_text())["record"]["seconds"] for p in out.glob("records/*.json")
        )
        wrong = verdicts(students, rows)
        if wrong:
            faults.append(f"{wrong} students did not get what they deserve")
        if len(rows) != len(students):
            faults.append(f"{len(rows)} lines for {len(students)} students")
        if left_behind():
            faults.append(f"{left_behind()} processes were left behind")
        for path in out.rglob("*"):
            if path.is_file() and SECRET.encode() in path.read_bytes():
                faults.append(f"the secret stands in {path.name}")
        middle = seconds[len(seconds) // 2]
        print(f"\n{len(rows)} lines; a submission takes {middle:.1f} s (median).")
        print(f"two at a time: {two:.0f} s for {len(killed)} submissions")
        if not arguments.only and not arguments.once:
            begin = time.perf_counter()
            follow(start(folder, Path(scratch) / "out1", 1, arguments.time_limit))
            one = time.perf_counter() - begin
            same = (Path(scratch) / "out1" / "grades.csv").read_text("utf-8-sig") == table
            print(f"one at a time: {one:.0f} s; speed-up {one / two:.2f}; same table: {same}")
            if not same:
                faults.append("killed and continued gives another table")
    print("\n".join(faults) or "Everyone got what they deserve.")
    return 1 if faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
