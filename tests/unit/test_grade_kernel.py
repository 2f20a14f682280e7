"""Grading for real: one submission that tries everything, in a real kernel."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labutils.course import autograde
from labutils.course.notebook_text import as_text
from labutils.course.rebuild import grade_id
from labutils.course.release import student_copy
from labutils.course.sandbox import ROOT, Sandbox

NAME = "01_softmax_cross_entropy"
# The path of a socket must be short, and pytest's folders are not.
SHORT = "/tmp" if os.name == "posix" else None

# Right, but it warns in every way, prints, leaves processes behind, and turns into nonsense where
# it finds a secret. The check's name is lost on top.
SOFTMAX = """
import glob, os, sys, time, warnings

def spy():
    seen = str(dict(os.environ))
    if not APART:
        return "hunter2" in seen
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            seen += open(path, errors="replace").read()
        except OSError:
            pass
    return "hunter2" in seen or os.path.exists(SOLUTION)

found = spy()
os.write(2, b"a warning of a C library")
if hasattr(os, "fork"):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
            os._exit(0)

def softmax(z):
    warnings.warn("careful")
    print("beware", file=sys.stderr)
    return z if found else torch.softmax(z, -1)

class check:
    softmax = staticmethod(lambda answer: answer)
"""
WRONG = "def cross_entropy(p, q):\n    return -(p * torch.log2(q)).sum()"
LOGITS = "def cross_entropy_from_logits(logits, targets)\n    return 0"
GRAD = """
def cross_entropy_grad(logits, targets):
    y = F.one_hot(targets, logits.shape[1])
    return (softmax(logits) - y) / len(logits)
"""


def _namespaces_work() -> bool:
    """Does this system allow what hides processes and files?"""
    rootless = [] if sys.platform == "linux" and os.getuid() == 0 else ["--user"]
    command = ["unshare", *rootless, "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(command).returncode == 0


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("g")
    solution = ROOT / "notebooks" / "solutions" / f"{NAME}.ipynb"
    template = student_copy(nbformat.read(solution, as_version=4), NAME)
    notebook = nbformat.from_dict(template)
    answers = {
        "softmax": SOFTMAX.replace("SOLUTION", repr(str(solution))).replace(
            "APART", str(_namespaces_work())
        ), "cross_entropy": WRONG,
        "cross_entropy_from_logits": LOGITS, "cross_entropy_grad": GRAD,
        "check-cross_entropy": "pass",
    }  # fmt: skip
    for cell in notebook.cells:
        cell.source = answers.get(grade_id(cell), cell.source)
    (folder / "handed_in").mkdir()
    submission = folder / "handed_in" / "a.ipynb"
    nbformat.write(notebook, submission)
    (folder / "handed_in" / "labutils.py").write_text("raise SystemExit")
    scratch = Path(tempfile.mkdtemp(dir=SHORT))
    os.environ["COURSE_PASSWORD"] = "hunter2"
    try:
        record = autograde.grade(
            autograde.Job(
                template=as_text(template),
                submission=submission, annotated=folder / "annotated.ipynb", scratch=scratch,
                hidden=(solution.parent, submission.parent), cell_limit=60, time_limit=400,
                memory=6 * 2**30,
            )
        )  # fmt: skip
    finally:
        del os.environ["COURSE_PASSWORD"]
    yield record, folder, scratch
    shutil.rmtree(scratch)


def test_warnings_cost_nothing_and_no_secret_is_seen(graded):
    record = graded[0]
    assert record["exercises"]["softmax"] == {
        "max": 2.0, "points": 2.0, "status": "right", "message": "Right.", "hint": ""
    }, record  # fmt: skip


def test_wrong_answers_are_told_why_and_cost_no_later_exercise(graded):
    exercises = graded[0]["exercises"]
    assert exercises["cross_entropy"]["status"] == "wrong"
    assert "bits" in exercises["cross_entropy"]["hint"]
    assert exercises["cross_entropy_from_logits"]["status"] == "error"
    assert "SyntaxError" in exercises["cross_entropy_from_logits"]["message"]
    assert exercises["cross_entropy_grad"]["points"] == 2
    assert graded[0]["points"] == 4
    assert graded[0]["notes"] == ["check-cross_entropy was changed or deleted: restored."]
    assert graded[0]["look"] == []


def test_no_process_is_left_behind(graded):
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME", "").startswith(str(graded[2])):
                left.append(process)
        except (psutil.Error, OSError):
            pass
    assert not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]
    assert list(graded[2].iterdir()) == []


def test_the_annotated_notebook_says_it_too(graded):
    notebook = nbformat.read(graded[1] / "annotated.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert "4 of 9 points" in notebook.cells[0].source
    remarks = [c.source for c in notebook.cells if c.source.startswith("> **Graded ·")]
    assert len(remarks) == 4 and "bits" in remarks[1]


def test_an_endless_cell_is_interrupted_and_the_next_ones_run():
    cells = [new_code_cell("while True:\n    pass", id="endless"), new_code_cell("1", id="next")]
    with tempfile.TemporaryDirectory(dir=SHORT, ignore_cleanup_errors=True) as folder:
        run = Sandbox(Path(folder), [], 6 * 2**30).run(new_notebook(cells=cells), 3, 400)
    assert run.trouble == [] and run.replies["next"]["status"] == "ok"
    assert run.replies["endless"]["ename"] == "CellTimeoutError"


def test_the_kernel_gets_a_handful_of_variables_and_hides_only_what_it_can(tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "hunter2")
    monkeypatch.setenv("LABUTILS_DATA", "full")
    (tmp_path / "secret").mkdir()
    sandbox = Sandbox(tmp_path, [tmp_path / "secret", ROOT, tmp_path / "nothing"], 2**30)
    environment = sandbox.environment()
    assert "hunter2" not in str(environment) and environment["LABUTILS_DATA"] == "sample"
    assert Path(environment["HOME"]) == tmp_path / "home"
    assert sandbox.hidden == [tmp_path / "secret"], "the package itself must stay in sight"
