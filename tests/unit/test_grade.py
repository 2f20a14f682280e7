"""Grading a class: who handed in what, what is graded, what is written, what survives a kill."""

import argparse
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from labutils.course import autograde, class_report, grade, rebuild, slices, submissions
from labutils.course.sandbox import Run

from . import fake_grading

ROOT = Path(__file__).parents[2]
NAME = "01_softmax_cross_entropy"
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


def test_cells_that_are_not_python_have_no_statements():
    assert slices.statements("def f(:") is None
    assert [s.binds for s in slices.statements("%%time\nx = 1\n!ls\n%matplotlib inline")][0] == {
        "x"
    }


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
    other = nbformat.read(ROOT / "notebooks" / "02_mnist_mlp.ipynb", as_version=4)
    templates = {NAME: template, "02_mnist_mlp": other}

    def put(path, what=notebook):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        nbformat.write(what, tmp_path / path)

    put(f"anna_b_12345_{NAME} (1).ipynb")
    put(f"anna_b_12345_{NAME}.ipynb")
    put("Copy of 02_mnist_mlp.ipynb", other)
    put("Ben Meyer_77_assignsubmission_file_/homework.ipynb")
    put("carla/02_mnist_mlp.ipynb", other)
    put("dora/unrelated.ipynb", nbformat.v4.new_notebook())
    put("carla/.ipynb_checkpoints/02_mnist_mlp-checkpoint.ipynb", other)
    (tmp_path / f"emil_{NAME}.ipynb").write_text('{"cells": [')
    (tmp_path / "fritz").mkdir()
    (tmp_path / "notes.txt").write_text("")
    found = {(s.student, s.notebook): s for s in submissions.find(tmp_path, templates) if s.path}
    assert set(found) == {
        ("anna_b_12345", NAME), ("?", "02_mnist_mlp"), ("Ben Meyer_77", NAME),
        ("carla", "02_mnist_mlp"), ("dora", ""), ("emil", NAME),
    }  # fmt: skip
    anna = found["anna_b_12345", NAME]
    assert anna.path.stem.endswith("(1)") and "2 files" in anna.notes[0]
    assert "whose it is" in found["?", "02_mnist_mlp"].look[0]
    assert "no readable notebook" in found["emil", NAME].look[0]
    assert "none of the series" in found["dora", ""].look[0]
    missing = submissions.find(tmp_path, templates, NAME)
    assert {s.student for s in missing if s.path is None} == {"?", "carla", "fritz"}


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
    return {r["student"]: r for r in csv.DictReader((a_class.out / "grades.csv").open())}


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
    table = (a_class.out / "grades.csv").read_text()
    assert len(log.read_text().splitlines()) == 4
    assert grade.main(a_class) == 0
    assert len(log.read_text().splitlines()) == 4 and "0 to grade" in capsys.readouterr().out
    assert (a_class.out / "grades.csv").read_text() == table
    _ask(a_class, "dora", "something else")
    (a_class.out / "records" / f"carla--{NAME}.json").write_text("{ half a rec")
    assert grade.main(a_class) == 0
    assert sorted(log.read_text().splitlines()[4:]) == [
        f"{s}_{NAME}.ipynb" for s in ("carla", "dora")
    ]
    assert (a_class.out / "grades.csv").read_text() == table


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
    a_class.submissions = tmp_path / "nowhere"
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
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
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
    table = (a_class.out / "grades.csv").read_text()
    shutil.rmtree(a_class.out)
    assert grade.main(a_class) == 0
    assert (a_class.out / "grades.csv").read_text() == table
