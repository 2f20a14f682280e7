"""Find what a class handed in: whose file it is, and which notebook.

A class comes as a folder: with one notebook per student, named as a learning platform or Colab
names downloads (``anna_b_12345_03_cifar10_cnn (1).ipynb``), or with one folder per student.
Everything that lies there gets into the table, if only to be looked at.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from labutils.course import names
from labutils.course.autograde import read_notebook
from labutils.course.rebuild import exercise_points, grade_id
from labutils.course.slices import statements

_TOO_LARGE = 100 * 2**20
_NOT_HANDED_IN = (".", "__MACOSX", "Thumbs.db", "desktop.ini")  # left by systems and by Jupyter


@dataclass
class Submission:
    """One file, or one student without one.

    Attributes:
        student: as the file or folder is named; begins with ``?`` where that cannot be told.
        notebook: name without ``.ipynb``; empty where it cannot be told.
        path: the file; None where there is none.
        digest: of its content.
        look: why a person should look at it.
        notes: what was decided on the way.
        readable: is it one of the series' notebooks, which can be graded?
    """

    student: str
    notebook: str = ""
    path: Path | None = None
    digest: str = ""
    look: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    readable: bool = False


def find(
    folder: Path, templates: dict, only: str | None = None, out: Path | None = None
) -> list[Submission]:
    """Return what was handed in under ``folder``, one entry per student and notebook, sorted.

    Args:
        templates: the released notebooks by name.
        only: the one notebook that is asked for; others are left out.
        out: the folder of results, which nobody handed in.
    """
    handed_in = _by_student(folder, templates, out)
    chosen: list[Submission] = []
    others: dict[str, str] = {}  # what is no notebook
    for student, paths in handed_in.items():
        read = {path: _identify(path, student, templates) for path in paths}
        rest = [names.readable(path.name) for path, submission in read.items() if not submission]
        others[student] = ", ".join(rest[:5]) + ", ..." * (len(rest) > 5)
        mine: dict[str, list[Submission]] = {}
        for submission in filter(None, read.values()):
            if only in (None, submission.notebook) or not submission.notebook:
                mine.setdefault(submission.notebook, []).append(submission)
        chosen += map(_latest, mine.values())

    notebooks = {only} if only else {s.notebook for s in chosen if s.notebook} or {""}
    has = {(s.student, s.notebook) for s in chosen}
    for submission in chosen:
        if len(notebooks) == 1 and (submission.student, *notebooks) not in has:
            (submission.notebook,) = notebooks  # what cannot be told must be this one
    for submission in chosen:
        if others[submission.student]:
            submission.notes.append(f"also handed in: {others[submission.student]}.")
    chosen += _missing(chosen, others, notebooks)
    for submission in chosen:
        paths = handed_in[submission.student]
        if not all(names.is_readable(path.relative_to(folder).parts[0]) for path in paths):
            submission.look.append(f"the file's name is no UTF-8: is it {submission.student}?")
    return sorted(chosen, key=lambda s: (s.notebook, s.student))


def _by_student(folder: Path, templates: dict, out: Path | None) -> dict[str, list[Path]]:
    """The files of each student; an empty list for an empty folder."""
    found: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(_NOT_HANDED_IN) or (out and entry.resolve() == out.resolve()):
            continue
        if entry.is_dir():
            student, files = names.student_of_folder(entry.name), sorted(entry.rglob("*"))
        else:
            student = names.student_of_file(entry.name, templates)
            student, files = student or f"? {names.readable(entry.name)}", [entry]
        found.setdefault(student, []).extend(
            path
            for path in files
            if path.is_file()
            and not any(p.startswith(_NOT_HANDED_IN) for p in path.relative_to(folder).parts)
        )
    return found


def _identify(path: Path, student: str, templates: dict) -> Submission | None:
    """Read one file; None where it is no notebook and is not called one."""
    submission = Submission(student, names.notebook_of_file(path.name, templates), path)
    shown, called_one = names.readable(path.name), ".ipynb" in path.name.lower()
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise ValueError(f"the file has more than {_TOO_LARGE >> 20} MB")
        submission.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        notebook = read_notebook(path)
    except (ValueError, OSError) as error:
        submission.look.append(f"{shown}: {error}.")
        return submission if called_one else None
    ids = {grade_id(cell) for cell in notebook.cells}
    submission.notebook = (
        _most(ids, templates) or submission.notebook or _most(_defined(notebook), templates)
    )
    submission.readable = bool(submission.notebook)
    if not submission.notebook:
        submission.look.append(f"{shown}: it is none of the series' notebooks.")
    if student.startswith("?"):
        submission.look.append(f"{shown}: the file name does not say whose it is.")
    return submission


def _defined(notebook) -> set[str]:
    parsed = [statements(cell.source) or [] for cell in notebook.cells]
    return set().union(*(s.binds for found in parsed for s in found if s.defines))


def _most(some: set[str], templates: dict) -> str:
    """The notebook that has most of some names among its exercises; empty where none has."""
    counts = {n: len(some & exercise_points(t).keys()) for n, t in templates.items()}
    best = max(counts, key=counts.get, default="")
    return best if counts.get(best) else ""


def _latest(several: list[Submission]) -> Submission:
    """Of several files of one student for one notebook, the readable one with the latest time or
    the highest number in its name, and then the youngest."""

    def age(submission: Submission):
        path = submission.path
        return submission.readable, names.version(path.name), path.stat().st_mtime_ns, path

    *older, latest = sorted(several, key=age)
    if older:
        left = ", ".join(names.readable(s.path.name) for s in older)
        graded = names.readable(latest.path.name)
        latest.notes.append(f"{len(several)} files for this notebook: graded {graded}, not {left}.")
    return latest


def _missing(
    chosen: list[Submission], others: dict[str, str], notebooks: set[str]
) -> list[Submission]:
    """Students who handed in something else, or nothing that is a notebook."""
    has = {(s.student, s.notebook) for s in chosen}
    unknown = {s.student for s in chosen if s.student.startswith("?")}
    return [
        Submission(student, notebook, look=[f"there is no file for this notebook{only}."])
        for student, rest in others.items()
        for only in [rest and f", only {rest}"]
        for notebook in notebooks
        if (student, notebook) not in has and student not in unknown
    ]
