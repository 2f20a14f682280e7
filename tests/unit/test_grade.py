"""Grading a class: who handed in what, what is graded, what is written, what survives a kill."""

import argparse
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import nbformat
import pytest

from labutils.course import autograde, class_report, grade, names, rebuild, slices, submissions
from labutils.course.sandbox import Run

from . import fake_grading

ROOT = Path(__file__).parents[2]
NAME, TWO = "01_softmax_cross_entropy", "02_mnist_mlp"
NAMES = ["softmax", "cross_entropy", "cross_entropy_from_logits", "cross_entropy_grad"]


@pytest.fixture(scope="module")
def template():
    return nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)


@pytest.fixture
def notebook(template):
    return nbformat.from_dict(template)


def _cell(notebook, name):
    return next(c for c in notebook.cells if rebuild.grade_id(c) == name)


def _sources(built):
    return [c.source for c in built.notebook.cells]


def _add(notebook, before, source):
    place = notebook.cells.index(_cell(notebook, before))
    notebook.cells.insert(place, nbformat.v4.new_code_cell(source))


# --- slices ---------------------------------------------------------------------------------


def test_statements_know_what_they_bind_and_use():
    source = (
        "import os.path as p\n@deco\ndef f(x, y=eps):\n    z = x + g(y)\n    return z\na = 1; b = a"
    )
    one, two, three, four = slices.statements(source)
    assert one.binds == {"p"} and one.defines
    assert two.binds == {"f"} and two.uses == {"deco", "eps", "g"} and two.defines
    assert two.source.startswith("@deco")
    assert three.binds == {"a"} and not three.defines
    assert four.binds == {"b"} and four.uses == {"a"} and four.source == "b = a"


@pytest.mark.parametrize(
    "source, binds, uses",
    [
        # From Python 3.12 on, symtable counts x as a name of the scope around.
        ("w = [x / y for x in range(9)]", "w", "range y"),
        ("w = {x: z for x in x for z in x if (last := z)}", "w last", "x"),
        ("f = lambda x, y=x: x + y + z", "f", "x z"),
        (
            "class A(B):\n    n = 1\n    m = n\n    def f(self): return n, [k for k in self]",
            "A",
            "B n",
        ),
        ("def f(x):\n    global n\n    n = x\n    def g(): nonlocal x; x = m", "f", "n m"),
        ("def f(x: T, *y, z=d, **k) -> R: return x, y, z, k", "f", "T R d"),
        ("try:\n    import a.b, c as d\nexcept E as e:\n    e", "a d e", "E e"),
        ("match p:\n    case [A(), *rest] | {**rest}: n += 1", "rest n", "p A"),
        ("del a, b.c, d[e]", "a", "b d e"),
        ("from a import *", "*", ""),
    ],
)
def test_names_are_told_alike_on_every_python(source, binds, uses):
    (statement,) = slices.statements(source)
    assert (statement.binds, statement.uses) == (set(binds.split()), set(uses.split()))


@pytest.mark.parametrize("pasted", ["\x0c", "\u2028", "\x85"])
def test_a_statement_keeps_its_lines_where_pasted_signs_stand_before_it(pasted):
    found = slices.statements(f"# a{pasted}b\nX = 1\nY = 2")
    assert [(s.source, *s.binds) for s in found] == [("X = 1", "X"), ("Y = 2", "Y")]


@pytest.mark.parametrize("student", ["con", "Aux", "com1", "LPT9"])
def test_no_student_is_called_as_a_device_of_windows(student):
    assert names.as_file_name(student).startswith(f"{student}-")
    assert names.as_file_name(f"{student}rad") == f"{student}rad"


def test_cells_that_are_not_python_have_no_statements():
    assert slices.statements("def f(:") is None


@pytest.mark.parametrize("magic", ["time", "capture", "writefile a.py", "script python", "debug"])
def test_below_a_cells_magic_stands_python(magic):
    found = slices.statements(f"\n%%{magic}\nx = 1\n!ls\n%matplotlib inline")
    assert found[0].binds == {"x"} and len(found) == 3


def test_only_what_is_needed_is_chosen_in_order():
    pool = slices.statements("a = 1\nb = a\nc = train()\nfor i in range(3):\n    d = b\ntrain()")
    assert [s.source.split()[0] for s in slices.needed(pool, {"d"})] == ["a", "b", "for"]


# --- rebuilding -----------------------------------------------------------------------------


def test_nothing_of_the_notebook_runs_but_what_answers_need(template, notebook):
    answer = "def softmax(z):\n    return helper(z) * EPS"
    _cell(notebook, "softmax").source = answer
    _add(notebook, "softmax", "EPS = 1.0\n\ndef helper(z):\n    return F.softmax(z, -1)\n\ntrain()")
    sources = _sources(rebuild.rebuild(template, notebook))
    assert answer in sources and any("def helper" in s for s in sources) and "EPS = 1.0" in sources
    assert any("import torch.nn.functional as F" in s for s in sources)
    text = "\n".join(sources)
    assert "train()" not in text and "plotting" not in text and "data.load" not in text
    assert text.index("EPS =") < text.index("def softmax") < text.index("check.softmax(")


def test_checks_and_helpers_that_were_changed_are_the_original_ones(template, notebook):
    _cell(notebook, "check-softmax").source = "pass"
    setup = next(c for c in notebook.cells if c.source.startswith("import torch"))
    setup.source = setup.source.replace("import torch.nn", "from fake import F  # ")
    _cell(notebook, "softmax").source = "def softmax(z):\n    return F.softmax(z, -1)"
    built = rebuild.rebuild(template, notebook)
    assert "softmax = check.softmax(softmax)" in _sources(built)
    assert not any("fake" in s for s in _sources(built))
    assert built.notes == ["check-softmax was changed or deleted: restored."]


def test_answers_are_found_without_metadata_and_among_copies(template, notebook):
    answer = "def softmax(z):\n    return z.softmax(-1)"
    stub = _cell(notebook, "softmax")
    place = notebook.cells.index(stub)
    copy = nbformat.from_dict(stub)
    copy.source = answer
    notebook.cells.insert(place, copy)  # the answer above, the blank stub below
    built = rebuild.rebuild(template, notebook)
    assert built.answers["softmax"] == place and answer in _sources(built)
    for cell in notebook.cells:
        cell.metadata.clear()
    built = rebuild.rebuild(template, notebook)
    assert built.answers["softmax"] == place and "found by its name" in built.notes[0]


def test_a_deleted_answer_is_a_blank_one(template, notebook):
    notebook.cells.remove(_cell(notebook, "softmax"))
    notebook.cells.remove(_cell(notebook, "check-softmax"))
    built = rebuild.rebuild(template, notebook)
    assert built.answers["softmax"] is None
    assert _cell(template, "softmax").source in _sources(built)
    assert "the cell of softmax was deleted." in built.notes


@pytest.mark.parametrize(
    "kind, above, said",
    [("markdown", "", "a markdown cell"), ("raw", "", "a raw cell")]
    + [("code", m, m) for m in ("%%writefile", "%%script", "%%debug", "%%prun", "%%timeit")],
)
@pytest.mark.parametrize("tagged", [True, False])
def test_an_answer_in_a_cell_that_does_not_define_it_counts(
    template, notebook, kind, above, said, tagged
):
    answer = "def softmax(z):\n    return z.softmax(-1)"
    cell = _cell(notebook, "softmax")
    cell.cell_type, cell.source = kind, f"{above} x\n{answer}" if above else answer
    if not tagged:
        cell.metadata.clear()
    built = rebuild.rebuild(template, notebook)
    assert answer in _sources(built) and said in built.notes[-1]


def test_the_true_reason_is_given_where_there_is_no_answer(template, notebook):
    _cell(notebook, "softmax").source = "def soft_max(z):\n    return z.softmax(-1)"
    assert "the cell of softmax gives it no value." in rebuild.rebuild(template, notebook).notes


def test_statements_beside_an_answer_stand_alone_and_fail_alone(template, notebook):
    answer = "def softmax(z):\n    return z.softmax(-1) * SCALE * ONES[0]"
    mount = 'from google.colab import drive\ndrive.mount("/content/drive")\nimport sys'
    _cell(notebook, "softmax").source = f"{mount}\n{answer}"
    name = "F"  # of the released notebook: as a loop's own name it is the student's
    _add(notebook, "softmax", f"SCALE = 1\nONES = [1.0 for {name} in range(9)]\nopen('data')")
    sources = _sources(rebuild.rebuild(template, notebook))
    for alone in (*mount.split("\n"), answer, "SCALE = 1", "ONES = [1.0 for F in range(9)]"):
        assert alone in sources
    assert not any("open(" in source for source in sources)


def test_an_answer_that_reaches_for_the_reference_is_looked_at(template, notebook):
    _cell(
        notebook, "softmax"
    ).source = "from labutils.checks import EXERCISES\nsoftmax = EXERCISES['softmax'].oracle"
    assert "the answer to softmax mentions" in rebuild.rebuild(template, notebook).look[0]


def test_the_annotated_notebook_is_the_students_own_with_remarks(template, notebook):
    answers = rebuild.rebuild(template, notebook).answers
    found = {"points": 0.0, "max": 2.0, "status": "wrong", "message": "a | b", "hint": "<b>"}
    record = {"points": 0.0, "look": [], "notes": [], "exercises": {
        "softmax": found}}  # fmt: skip
    out = rebuild.annotate(notebook, answers, record)
    nbformat.validate(out)
    assert len(out.cells) == len(notebook.cells) + 2
    remark = out.cells[answers["softmax"] + 2].source
    assert "0 of 2 points" in remark and r"a \| b" in remark and "<b>" not in remark.split("\\<")[0]


# --- who handed in what ---------------------------------------------------------------------


def test_students_and_notebooks_are_recognised(template, notebook, tmp_path):
    other = nbformat.read(ROOT / "notebooks" / f"{TWO}.ipynb", as_version=4)
    templates = {NAME: template, TWO: other}
    nbformat.write(notebook, tmp_path / f"anna_b_12345_{NAME} (1).ipynb")
    nbformat.write(notebook, tmp_path / f"anna_b_12345_{NAME}.ipynb")
    nbformat.write(other, tmp_path / f"Copy of {TWO}.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "dora_unrelated.ipynb")
    (tmp_path / f"emil_{NAME}.ipynb").write_text('{"cells": [')
    (tmp_path / "fritz").mkdir()
    (tmp_path / "notes.txt").write_text("")
    unknown = f"? Copy of {TWO}.ipynb"
    found = {(s.student, s.notebook): s for s in submissions.find(tmp_path, templates) if s.path}
    said = {
        ("anna_b_12345", NAME): "2 files for this notebook: graded",
        (unknown, TWO): "whose it is",
        ("dora_unrelated", ""): "none of the series",
        ("emil", NAME): "no readable notebook",
    }
    assert found.keys() == said.keys()
    assert all(words in (found[row].look + found[row].notes)[0] for row, words in said.items())
    missing = {s.student: s for s in submissions.find(tmp_path, templates, NAME) if s.path is None}
    assert missing.keys() == {unknown, "fritz", "notes"}
    assert "only notes.txt" in missing["notes"].look[0]


# Student -> files, with ONE and TWO for the names of the notebooks. What ends in a slash is an
# empty folder, what has ipynb or "homework" in its name a notebook, all else something else.
ODD_NAMES = {
    "browser": ["browser_ONE.ipynb", "browser_ONE (1).ipynb", "browser_ONE (12).ipynb"],
    "lab": ["lab_ONE.ipynb", "lab_ONE-Copy1.ipynb", "lab_TWO-Copy2.ipynb"],
    "windows": ["windows_ONE - Copy.ipynb", "windows_ONE - Copy (2).ipynb",
                "windows_ONE - 복사본.ipynb", "windows_TWO - Kopie.ipynb"],
    "macos": ["macos_ONE copy.ipynb", "macos_ONE copy 2.ipynb", "macos_TWO 복사본 2.ipynb"],
    "linux": ["linux_ONE (copy).ipynb", "linux_ONE (another copy).ipynb", "linux_TWO (사본).ipynb"],
    "colab": ["Copy of colab_ONE.ipynb", "colab_Copy of ONE.ipynb", "colab_ONE.ipynb의 사본.ipynb",
              "colab_“ONE.ipynb”的副本.ipynb", "Kopie von colab_TWO.ipynb"],
    "stamped": ["stamped_attempt_2024-03-05-10-30-00_ONE.ipynb", "stamped_2024-03-07_ONE.ipynb",
                "stamped_attempt_2024-03-06-09-00-00_TWO.ipynb"],
    "Kim Minji_77": ["Kim Minji_77_assignsubmission_file_/ONE.ipynb",
                     "Kim Minji_77_assignsubmission_file_TWO.ipynb"],
    "1-2 - Ada Lee": ["1-2 - Ada Lee - Mar 5, 2024 1030 AM/ONE.ipynb",
                      "1-2 - Ada Lee - May 12, 2024 930 PM/TWO.ipynb"],
    "김민지": ["김민지_ONE.ipynb", unicodedata.normalize("NFD", "김민지_TWO.ipynb")],
    "ending": ["ending_ONE.ipynb.txt", "ending_TWO.ipynb.json"],
    "CAPITALS": ["CAPITALS_ONE.IPYNB"],
    "spelled": ["spelled_01-Softmax Cross-Entropy.ipynb", "spelled_02mnistmlp.ipynb"],
    "behind": ["ONE_behind.ipynb", "TWO-behind (1).ipynb"],
    "quoted": ["'quoted'_ONE.ipynb", "  quoted _TWO.ipynb"],
    "renamed": ["renamed.ipynb", "renamed/homework - 복사본.ipynb"],
    "other": ["other_ONE.zip", "other_TWO.html"],
    "folder": ["folder/answers.pdf", "folder/answers.py"],
    "both": ["both/ONE.ipynb", "both/answers.pdf"],
    "broken": ["broken_ONE.ipynb"],
    "empty": ["empty/"],
    "student-1": ["student-1.ipynb"],
    "student-2": ["student-2.ipynb"],
    "? Copy of ONE.ipynb": ["Copy of ONE.ipynb"],
    "? ONE (1).ipynb": ["ONE (1).ipynb"],
    "? TWO.zip": ["TWO.zip"],
    "": [".DS_Store", "__MACOSX/._ONE.ipynb", "Thumbs.db", "lab/.ipynb_checkpoints/ONE.ipynb"],
}  # fmt: skip


def test_every_odd_file_has_a_row_and_no_student_has_two(template, tmp_path):
    other = nbformat.read(ROOT / "notebooks" / f"{TWO}.ipynb", as_version=4)
    templates = {NAME: template, TWO: other}

    def named(text):
        return text.replace("ONE", NAME).replace("TWO", TWO)

    files = {named(file): named(who) for who, those in ODD_NAMES.items() for file in those}
    if sys.platform == "linux":  # as unzip leaves the names of a Korean Windows
        files[os.fsdecode(named("이수진_ONE.ipynb").encode("cp949"))] = "이수진"
    for file, student in files.items():
        path = tmp_path / file
        (path if file.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if re.search("ipynb|homework", file, re.I) and student != "broken":
            second = TWO in file or "02mnist" in file
            path.write_text(nbformat.writes(other if second else template), "utf-8")
        elif not file.endswith("/"):
            path.write_bytes(b"PK" if student else b"")
    (tmp_path / "results" / "annotated").mkdir(parents=True)
    (tmp_path / "results" / "annotated" / "x.ipynb").write_text("{}")

    found = submissions.find(tmp_path, templates, out=tmp_path / "results")
    rows = [(s.student, s.notebook) for s in found]
    assert len(set(rows)) == len(rows)
    assert {student for student, _ in rows} == set(files.values()) - {""}
    assert len(files) >= 40 and len(ODD_NAMES) >= 12
    for file, student in files.items():
        lines = [s for s in found if s.student == student]
        told = [names.readable(s.path.name) for s in lines if s.path]
        told += [line for s in lines for line in s.look + s.notes]
        name = names.readable(Path(file).name)
        assert not student or file.endswith("/") or any(name in line for line in told), file
    by_row = dict(zip(rows, found, strict=True))
    assert by_row["browser", NAME].path.stem.endswith("(12)")
    assert by_row["stamped", NAME].path.stem.startswith("stamped_2024-03-07")
    assert "also handed in: answers.pdf" in by_row["both", NAME].notes[0]
    if sys.platform == "linux":
        assert by_row["이수진", NAME].readable and "no UTF-8" in by_row["이수진", NAME].look[0]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cells": 3}', '{"cells": [{}], "nbformat": 4}', "\x00\xff"]
)
def test_damaged_notebooks_are_refused_in_one_way(tmp_path, text):
    path = tmp_path / "a.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="no readable notebook"):
        notebook = autograde.read_notebook(path)
        assert notebook.cells, "an empty one is readable"
        raise AssertionError


# --- what the checks found ------------------------------------------------------------------

OK = {"status": "ok"}
ERROR = {"status": "error", "ename": "AssertionError", "evalue": "two\nlines"}
RIGHT = {"passed": True, "done": True, "message": "Right.", "hint": ""}
WRONG = RIGHT | {"passed": False, "hint": "use dim=-1"}


@pytest.mark.parametrize(
    "check, reports, status, look",
    [
        (OK, [RIGHT], "right", False),
        (ERROR, [WRONG], "wrong", False),
        (ERROR, [WRONG | {"done": False}], "blank", False),
        (ERROR, [], "error", False),
        (None, [], "error", False),  # not run to its end
        # What only an answer can do that reports for itself:
        (OK, [WRONG], "error", True),
        (OK, [], "error", True),
        (OK, [RIGHT, RIGHT], "error", True),
        (ERROR, [RIGHT, WRONG], "error", True),
        (ERROR, [RIGHT], "error", False),
    ],
)
def test_only_a_check_that_passed_and_said_so_once_scores(check, reports, status, look):
    replies = {"answer-softmax": OK} | ({"check-softmax": check} if check else {})
    found, said = autograde._finding("softmax", Run(replies, {"result-softmax": reports}))
    assert found["status"] == status and bool(said) == look
    assert status != "error" or "\n" not in found["message"]


# --- the report -----------------------------------------------------------------------------


def _record(student, status, points, hint=""):
    found = {"points": points, "max": 2.0, "status": status, "message": "saw this", "hint": hint}
    return {
        "student": student, "notebook": NAME, "points": points, "max_points": 2,
        "status": "graded", "exercises": {"softmax": found}, "look": [], "notes": [], "file": "f",
    }  # fmt: skip


def test_the_report_counts_misconceptions_and_escapes_what_students_write():
    evil = "<script>alert(1)</script>"
    records = [
        _record("=1+1", "wrong", 0.0, "use dim=-1"),
        _record(evil, "wrong", 0.0, "use dim=-1"),
        _record("carla", "right", 2.0),
        _record("dora", "blank", 0.0),
    ]
    exercises = {NAME: ["softmax"]}
    rows = list(csv.reader(class_report.grades_csv(records, exercises).splitlines()))
    assert rows[1][0] == "'=1+1" and rows[3][:6] == ["carla", NAME, "2", "2", "graded", "2"]
    text = class_report.report("report.md", records, exercises)
    page = class_report.report("report.html", records, exercises)
    assert "| 2 | softmax | use dim=-1 | saw this |" in text
    assert "| softmax | not written | 1 | dora |" in text and "  0 | ### 3" in text
    assert "Mean 0.50 of 2 points, median 0." in text
    assert evil not in page and evil not in text and "&lt;script&gt;" in page
    assert '<th scope="col">state</th>' in page and '<th scope="col"></th>' not in page
    assert "3 with 0, 1 with 2" in page and "http" not in page, "self-contained"


def test_the_table_opens_in_excel_and_half_a_surrogate_pair_stops_nothing(tmp_path):
    class_report.write_all(
        tmp_path, [_record("김민지", "wrong", 0.0, "\ud800")], {NAME: ["softmax"]}
    )
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent,")
    assert r"\ud800" in (tmp_path / "report.html").read_text("utf-8")
    path = tmp_path / "a.ipynb"
    half = nbformat.v4.new_code_cell("'\ud83d'")
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=[half])))
    assert autograde.read_notebook(path).cells[0].source == "'?'"


# --- the class, with a grader that runs nothing ------------------------------------------------


@pytest.fixture
def a_class(tmp_path, notebook, monkeypatch):
    """A folder of four submissions, the arguments to grade it, and a log of what was graded."""
    folder = tmp_path / "class"
    folder.mkdir()
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    shutil.copy(
        ROOT / "notebooks" / "solutions" / f"{NAME}.ipynb", tmp_path / "notebooks/solutions"
    )
    for student in ("anna", "ben", "carla", "dora"):
        nbformat.write(notebook, folder / f"{student}_{NAME}.ipynb")
    (tmp_path / "log").write_text("")
    monkeypatch.setattr(grade, "grade", fake_grading.grade)
    return argparse.Namespace(
        submissions=folder, out=tmp_path / "out", jobs=2, time_limit=60, memory_limit=6,
        notebook=None, notebooks=tmp_path / "notebooks",
    )  # fmt: skip


def _ask(a_class, student, what):
    path = a_class.submissions / f"{student}_{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"# do: {what}"))
    nbformat.write(notebook, path)


def _rows(a_class):
    table = (a_class.out / "grades.csv").read_text("utf-8-sig")
    return {r["student"]: r for r in csv.DictReader(table.splitlines())}


def test_one_bad_submission_never_stops_the_class(a_class, tmp_path):
    _ask(a_class, "anna", "die")
    _ask(a_class, "ben", "raise")
    assert grade.main(a_class) == 0
    rows = _rows(a_class)
    assert set(rows) == {"anna", "ben", "carla", "dora"}
    assert "died twice" in rows["anna"]["needs_a_look"]
    assert "this one is odd" in rows["ben"]["needs_a_look"]
    assert rows["carla"]["needs_a_look"] == rows["dora"]["needs_a_look"] == ""
    assert rows["carla"]["status"] == "graded"


def test_nothing_is_graded_twice_unless_it_changed(a_class, tmp_path, capsys):
    log = tmp_path / "log"
    assert grade.main(a_class) == 0
    table = (a_class.out / "grades.csv").read_text("utf-8")
    assert len(log.read_text().splitlines()) == 4
    assert grade.main(a_class) == 0
    assert len(log.read_text().splitlines()) == 4 and "0 to grade" in capsys.readouterr().out
    assert (a_class.out / "grades.csv").read_text("utf-8") == table
    _ask(a_class, "dora", "something else")
    (a_class.out / "records" / f"carla--{NAME}.json").write_text("{ half a rec")
    assert grade.main(a_class) == 0
    assert sorted(log.read_text().splitlines()[4:]) == [
        f"{s}_{NAME}.ipynb" for s in ("carla", "dora")
    ]
    assert (a_class.out / "grades.csv").read_text("utf-8") == table


def test_solutions_without_full_points_stop_everything(a_class, monkeypatch, capsys):
    path = a_class.notebooks / "solutions" / f"{NAME}.ipynb"
    path.write_text(
        path.read_text().replace("return exponentials", "return 0  # your code goes here")
    )
    assert grade.main(a_class) == 2
    said = capsys.readouterr().err
    assert "do not get all points" in said and "softmax" in said
    assert not (a_class.out / "grades.csv").exists()


def test_wrong_arguments_are_answered_in_a_sentence(a_class, capsys, tmp_path):
    a_class.notebook = "99"
    assert grade.main(a_class) == 2 and NAME in capsys.readouterr().err
    a_class.notebook, a_class.notebooks = None, tmp_path / "nothing"
    assert grade.main(a_class) == 2 and "There are no solutions" in capsys.readouterr().err
    a_class.out = tmp_path / "log"
    assert grade.main(a_class) == 2 and "can be written to" in capsys.readouterr().err
    a_class.out, a_class.submissions = tmp_path / "out", tmp_path / "nowhere"
    assert grade.main(a_class) == 2 and "There is no folder" in capsys.readouterr().err


_KILLED = """
import argparse, sys
from pathlib import Path
from labutils.course import grade
from tests.unit import fake_grading
grade.grade = fake_grading.grade
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.exit(grade.main(argparse.Namespace(
        submissions=folder / "class", out=folder / "out", jobs=1, time_limit=60, memory_limit=6,
        notebook=None, notebooks=folder / "notebooks",
    )))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_killed_in_the_middle_and_started_again(a_class, tmp_path):
    _ask(a_class, "carla", "wait")
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    (tmp_path / "wait").touch()
    # A cluster's folder for temporary files: too long for the path of a Unix socket.
    (long := tmp_path / ("job-folder-" * 10)).mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(long)}
    process = subprocess.Popen([sys.executable, script, tmp_path], env=environment)
    log, end = tmp_path / "log", time.monotonic() + 240
    while "carla" not in log.read_text() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / "wait").unlink()
    assert log.read_text().split() == [f"{s}_{NAME}.ipynb" for s in ("anna", "ben", "carla")]
    assert grade.main(a_class) == 0
    assert sorted(log.read_text().split()[3:]) == [f"{s}_{NAME}.ipynb" for s in ("carla", "dora")]
    table = (a_class.out / "grades.csv").read_text("utf-8")
    shutil.rmtree(a_class.out)
    assert grade.main(a_class) == 0
    assert (a_class.out / "grades.csv").read_text("utf-8") == table
