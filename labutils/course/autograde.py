"""Grade one submission with nbgrader's autograder; each in a process of its own."""

import functools
import json
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labutils.course.files import as_text, write_text
from labutils.course.rebuild import annotate, exercise_names, grade_id, rebuild

RESULT = "application/vnd.labutils.result+json"
STUDENT = "student"  # each submission has a gradebook of its own


@dataclass(frozen=True)
class Job:
    """One submission to grade: all that its process needs to know.

    ``gradebook`` is a database that knows the released notebook and no students; it is copied.
    ``annotated`` is where the annotated notebook goes, ``scratch`` a folder with a short path (of
    a Unix socket it may have about 100 characters). Times in seconds, memory in bytes.
    """

    notebook: str
    template: str
    gradebook: Path
    submission: Path
    annotated: Path
    scratch: Path
    hidden: tuple[Path, ...]
    cell_limit: float
    time_limit: float
    memory: int


def make_gradebook(path: Path, templates: dict[str, NotebookNode]) -> None:
    """Write a gradebook that knows these released notebooks: their cells, points, checksums."""
    _find_alembic()
    _prepare_databases()
    from nbgrader.api import Gradebook
    from nbgrader.preprocessors import ComputeChecksums, SaveCells

    url = f"sqlite:///{path}"
    for name, template in templates.items():
        with Gradebook(url) as gradebook:
            gradebook.update_or_create_assignment(name)
        template = nbformat.from_dict(template)
        resources = {"nbgrader": {"notebook": name, "assignment": name, "db_url": url}}
        for preprocessor in (ComputeChecksums(), SaveCells()):
            template, resources = preprocessor.preprocess(template, resources)


@functools.cache
def _prepare_databases() -> None:
    """The gradebooks are scratch files: they need not survive a power failure, which is slow."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def no_waiting_for_the_disk(connection, record):
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")


def _find_alembic() -> None:
    """nbgrader runs the command ``alembic``, which lies beside this Python."""
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = beside + os.pathsep + os.environ.get("PATH", "")


def grade(job: Job) -> dict:
    """Grade one submission and write its annotated notebook; return its record.

    The record has ``points``, ``max_points``, ``exercises`` (points, status, message and hint of
    each), ``notes`` (what was put right), ``look`` (why a person should look) and ``seconds``.
    """
    start = time.perf_counter()
    # Should even the grader hang, this process ends, and only this one.
    last_resort = threading.Timer(job.time_limit + 300, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    template = nbformat.reads(job.template, as_version=4)
    submission = read_notebook(job.submission)
    rebuilt = rebuild(template, submission)
    trouble: list[str] = []
    folder = Path(tempfile.mkdtemp(dir=job.scratch))
    try:
        points, graded = _autograde(job, rebuilt.notebook, folder, trouble)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    record = {"points": 0.0, "max_points": 0.0, "exercises": {}}
    record |= {"notes": rebuilt.notes, "look": rebuilt.look + trouble}
    for name in exercise_names(template):
        check = next(c for c in template.cells if grade_id(c) == f"check-{name}")
        most = float(check.metadata["nbgrader"]["points"])
        found = _finding(name, points.get(f"check-{name}", 0.0), graded)
        unproven = found.pop("unproven", False)
        if found["points"] and unproven:
            record["look"].append(f"{name} has points, but its check did not say why.")
        record["exercises"][name] = {"max": most} | found
        record["points"] += found["points"]
        record["max_points"] += most
    job.annotated.parent.mkdir(parents=True, exist_ok=True)
    write_text(job.annotated, as_text(annotate(submission, rebuilt.answers, record)))
    return record | {"seconds": round(time.perf_counter() - start, 2)}


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook that may be damaged, in any format version.

    Raises:
        ValueError: it is no notebook; the message says why.
    """
    try:
        notebook = nbformat.reads(path.read_text("utf-8-sig"), as_version=4)
        for cell in notebook.cells:
            cell.source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
            cell.metadata = cell.get("metadata") or NotebookNode()
            if cell.cell_type == "code":
                cell.outputs = cell.get("outputs") or []
                cell.execution_count = cell.get("execution_count")
    except Exception as error:  # whatever a damaged file makes of itself
        reason = str(error).strip().splitlines()
        raise ValueError(f"no readable notebook ({type(error).__name__}: {reason[:1]})") from error
    return notebook


def _autograde(job: Job, notebook: NotebookNode, folder: Path, trouble: list[str]):
    """Run nbgrader's Autograde; return points by grade_id, and the notebook as it ran."""
    from nbgrader.api import Gradebook
    from nbgrader.converters import Autograde
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import IgnorePattern, LimitOutput, SaveAutoGrades
    from traitlets.config import Config

    from labutils.course.sandbox import Sandbox, execute_preprocessor

    _prepare_databases()
    warnings.filterwarnings("ignore", module="nbgrader")
    course = folder / "course"
    name = job.notebook
    submitted = course / "submitted" / STUDENT / name
    submitted.mkdir(parents=True)
    shutil.copy(job.gradebook, course / "gradebook.db")
    write_text(submitted / f"{name}.ipynb", as_text(notebook))
    sandbox = Sandbox(folder, [course, *job.hidden], job.memory)

    config = Config()
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.assignment_id = name
    config.CourseDirectory.student_id = STUDENT
    config.Execute.timeout = int(job.cell_limit)
    config.Execute.startup_timeout = 180
    config.Execute.iopub_timeout = 20  # a busy machine may need as long to deliver an output
    config.Execute.error_on_timeout = _too_long(job.cell_limit)
    # nbgrader gives no points where anything stands in stderr; a warning is no mistake.
    config.IgnorePattern.enabled = True
    config.IgnorePattern.pattern = r"(?s)^"
    config.Autograde.autograde_preprocessors = [
        execute_preprocessor(sandbox, trouble), IgnorePattern, LimitOutput, SaveAutoGrades,
    ]  # fmt: skip
    log = logging.Logger("labutils.grade")
    log.addHandler(logging.NullHandler())
    directory = CourseDirectory(config=config, log=log)

    def time_is_up():
        trouble.append(f"it was still running after {job.time_limit:g} seconds and was stopped.")
        sandbox.kill()

    watchdog = threading.Timer(job.time_limit, time_is_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        Autograde(coursedir=directory, config=config, log=log).start()
    except NbGraderException as error:
        trouble.append(f"nbgrader could not grade it: {error}")
    finally:
        watchdog.cancel()
        sandbox.kill()
    graded = course / "autograded" / STUDENT / name / f"{name}.ipynb"
    if not graded.exists():
        return {}, notebook
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(name, name, STUDENT).grades
        points = {g.name: float(g.auto_score or 0) for g in grades}
    return points, nbformat.read(graded, as_version=4)


def _too_long(seconds: float) -> dict:
    text = f"this cell was still running after {seconds:g} seconds"
    return {"ename": "CellTimeoutError", "evalue": text, "traceback": [text]}


def _finding(name: str, points: float, graded: NotebookNode) -> dict:
    """What happened to one exercise: its status, and what its check said."""
    cells = graded.cells
    ids = [grade_id(c) for c in cells]
    if f"check-{name}" not in ids:
        return {"points": 0.0, "status": "error", "message": "It could not be graded.", "hint": ""}
    at = ids.index(f"check-{name}")
    for output in cells[at + 1].outputs if at + 1 < len(cells) else []:
        found = output.get("data", {}).get(RESULT)
        if found:
            found = json.loads(found) if isinstance(found, str) else found
            status = "right" if found["passed"] else "wrong" if found["done"] else "blank"
            if points == 0 and status == "right":
                status = "error"
            return {"points": points, "status": status} | {
                key: str(found[key]) for key in ("message", "hint")
            } | {"unproven": not found["passed"]}  # fmt: skip
    errors = [
        f"{o.ename}: {o.evalue}".splitlines()[0][:300]
        for cell in (cells[ids.index(name)], cells[at])
        for o in cell.outputs
        if o.output_type == "error"
    ]
    message = errors[0] if errors else "Its check did not come to an end."
    hint = _KNOWN.get(message.partition(":")[0], "The answer's own cell stopped with an error.")
    return {"points": points, "status": "error", "message": message, "hint": hint, "unproven": True}


_KNOWN = {
    "SyntaxError": "The cell is not valid Python.",
    "IndentationError": "The cell is not valid Python.",
    "CellTimeoutError": "Look for a loop that never ends.",
    "StoppedError": "The run was stopped before or in this cell.",
}
