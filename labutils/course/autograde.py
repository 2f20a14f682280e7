"""Grade one submission: run its rebuilt notebook and read what the checks found."""

import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labutils.course.notebook_text import as_text
from labutils.course.rebuild import annotate, exercise_points, rebuild
from labutils.course.sandbox import Run, Sandbox
from labutils.files import write_text


@dataclass(frozen=True)
class Job:
    """One submission to grade: all that its process needs to know.

    ``template`` is the text of the released notebook. ``annotated`` is where the annotated notebook
    goes, ``scratch`` a folder with a short path (of a Unix socket it may have about 100
    characters), ``hidden`` what the submission's code should not see. Times in seconds, memory in
    bytes.
    """

    template: str
    submission: Path
    annotated: Path
    scratch: Path
    hidden: tuple[Path, ...]
    cell_limit: float
    time_limit: float
    memory: int


def grade(job: Job) -> dict:
    """Grade one submission and write its annotated notebook; return its record.

    The record has ``points``, ``exercises`` (points, status, message and hint of each), ``notes``
    (what was put right), ``look`` (why a person should look) and ``seconds``.
    """
    start = time.perf_counter()
    # Should even the grader hang, this process ends, and only this one.
    last_resort = threading.Timer(job.time_limit + 300, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    template = nbformat.reads(job.template, as_version=4)
    submission = read_notebook(job.submission)
    rebuilt = rebuild(template, submission)
    with tempfile.TemporaryDirectory(dir=job.scratch, ignore_cleanup_errors=True) as folder:
        sandbox = Sandbox(Path(folder), job.hidden, job.memory)
        run = sandbox.run(rebuilt.notebook, job.cell_limit, job.time_limit)
    record = {"points": 0.0, "exercises": {}, "notes": rebuilt.notes}
    record["look"] = rebuilt.look + run.trouble
    for name, most in exercise_points(template).items():
        found, look = _finding(name, run)
        points = most if found["status"] == "right" else 0.0
        record["exercises"][name] = {"max": most, "points": points} | found
        record["points"] += points
        record["look"] += look
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
            source = cell.source if isinstance(cell.source, str) else "".join(cell.source)
            cell.source = source.encode("utf-8", "replace").decode()  # half a surrogate pair
            cell.metadata = cell.get("metadata") or NotebookNode()
            if cell.cell_type == "code":
                cell.outputs = cell.get("outputs") or []
                cell.execution_count = cell.get("execution_count")
    except Exception as error:  # whatever a damaged file makes of itself
        reason = str(error).strip().splitlines()
        raise ValueError(f"no readable notebook ({type(error).__name__}: {reason[:1]})") from error
    return notebook


def _finding(name: str, run: Run) -> tuple[dict, list[str]]:
    """What happened to one exercise: its status and what its check said; and what to look at.

    It is right where the check's cell ended well *and* the check reported so once. An answer that
    only shows a report of its own scores nothing.
    """
    replies = [r for id, r in run.replies.items() if id.startswith(f"answer-{name}-")]
    replies.append(run.replies.get(f"check-{name}", _STOPPED))
    results = run.results.get(f"result-{name}", [])
    passed = replies[-1]["status"] == "ok"
    if len(results) == 1 and results[0]["passed"] == passed:
        found = results[0]
        status = "right" if passed else "wrong" if found["done"] else "blank"
        return {"status": status, "message": str(found["message"]), "hint": str(found["hint"])}, []
    if passed or len(results) > 1:
        message = "How its check ended and what it reported do not agree."
        return {"status": "error", "message": message, "hint": ""}, [f"{name}: {message}"]
    error = next(r for r in replies if r["status"] != "ok")
    kind = error.get("ename", "Error")
    message = f"{kind}: {error.get('evalue', '')}".splitlines()[0][:300]
    hint = _KNOWN.get(kind, "The answer's own cell stopped with an error.")
    return {"status": "error", "message": message, "hint": hint}, []


_STOPPED = {
    "status": "error", "ename": "StoppedError", "evalue": "this cell was not run to its end"
}  # fmt: skip
_KNOWN = {
    "SyntaxError": "The cell is not valid Python.",
    "IndentationError": "The cell is not valid Python.",
    "CellTimeoutError": "Look for a loop that never ends.",
    "StoppedError": "The run was stopped before or in this cell.",
}
