"""Find what a class handed in: whose file it is, and which notebook.

A class comes as a folder: with one notebook per student, named as a learning platform or Colab
names downloads (``anna_b_12345_03_cifar10_cnn (1).ipynb``), or with one folder per student.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from labutils.course.autograde import read_notebook
from labutils.course.rebuild import exercise_points, grade_id
from labutils.course.slices import statements

_TOO_LARGE = 100 * 2**20
_COPY = re.compile(r"^(copy of|kopie von|copie de|copia de)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"\s*\((\d+)\)$|-(\d{1,2})$")


@dataclass
class Submission:
    """One file, or one student without one.

    Attributes:
        student: as the file or folder is named.
        notebook: name without ``.ipynb``; empty where it cannot be told.
        path: the file that is graded; None where there is none.
        digest: of its content.
        look: why a person should look at it; then it is not graded.
        notes: what was decided on the way.
    """

    student: str
    notebook: str = ""
    path: Path | None = None
    digest: str = ""
    look: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(folder: Path, templates: dict, only: str | None = None) -> list[Submission]:
    """Everything handed in under ``folder``, one entry per student and notebook, sorted.

    Args:
        templates: the released notebooks by name.
        only: the one notebook that is asked for; others are left out.
    """
    found: dict[tuple[str, str], list[Submission]] = {}
    students = set()
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if entry.is_dir():
            student = _clean(entry.name.split("_assignsubmission_")[0])
            files = [
                p
                for p in sorted(entry.rglob("*.ipynb"))
                if not any(
                    part.startswith((".", "__MACOSX")) for part in p.relative_to(entry).parts
                )
            ]
            students.add(student)
        elif entry.suffix == ".ipynb":
            student, files = _student_of_file(entry.stem, templates), [entry]
            students.add(student)
        else:
            continue
        for path in files:
            submission = _identify(path, student, templates)
            if only in (None, submission.notebook) or not submission.notebook:
                found.setdefault((student, submission.notebook), []).append(submission)
    chosen = [_latest(several) for several in found.values()]
    return sorted(
        [*_complete(chosen, students, only), *_missing(chosen, students, only)],
        key=lambda s: (s.notebook, s.student),
    )


def _clean(name: str) -> str:
    return re.sub(r"[\x00-\x1f/\\]", "", name).strip(" _-.") or "?"


def _student_of_file(stem: str, templates: dict) -> str:
    """The student's part of a file name: what is left without the notebook's own name."""
    stem = _COPY.sub("", _NUMBER.sub("", stem))
    for name in templates:
        at = stem.lower().find(name.lower())
        if at >= 0:
            rest = stem[:at] + stem[at + len(name) :]
            return _clean(_COPY.sub("", _NUMBER.sub("", rest)))
    return _clean(stem)


def _identify(path: Path, student: str, templates: dict) -> Submission:
    submission = Submission(student, path=path)
    named = [n for n in templates if n.lower() in path.stem.lower()]
    submission.notebook = named[0] if named else ""
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise ValueError(f"the file has more than {_TOO_LARGE >> 20} MB")
        submission.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        notebook = read_notebook(path)
    except (ValueError, OSError) as error:
        submission.look.append(f"{path.name}: {error}.")
        return submission
    submission.notebook = _by_ids(notebook, templates) or submission.notebook or _by_names(
        notebook, templates
    )  # fmt: skip
    if not submission.notebook:
        submission.look.append(f"{path.name}: it is none of the series' notebooks.")
    if student == "?":
        submission.look.append(f"{path.name}: the file name does not say whose it is.")
    return submission


def _by_ids(notebook, templates: dict) -> str:
    ids = {grade_id(cell) for cell in notebook.cells} - {""}
    return _most({n: len(ids & set(exercise_points(t))) for n, t in templates.items()})


def _by_names(notebook, templates: dict) -> str:
    parsed = [statements(c.source) or [] for c in notebook.cells if c.cell_type == "code"]
    names = set().union(*(s.binds for some in parsed for s in some if s.defines))
    return _most({n: len(names & set(exercise_points(t))) for n, t in templates.items()})


def _most(scores: dict[str, int]) -> str:
    best = max(scores, key=scores.get, default="")
    return best if scores.get(best) else ""


def _latest(several: list[Submission]) -> Submission:
    """Of several files of one student for one notebook, the readable one with the highest
    number in its name, ``(2)``, and then the youngest."""

    def age(submission: Submission):
        numbers = _NUMBER.search(submission.path.stem)
        number = int(numbers.group(1) or numbers.group(2)) if numbers else 0
        return not submission.look, number, submission.path.stat().st_mtime_ns, submission.path

    latest = max(several, key=age)
    if len(several) > 1:
        latest.notes.append(f"{len(several)} files for this notebook: graded {latest.path.name}.")
    return latest


def _complete(chosen: list[Submission], students: set[str], only: str | None):
    """Say of a file that cannot be read which notebook it must have been, if there is but one."""
    notebooks = {s.notebook for s in chosen if s.notebook}
    single = only or (notebooks.pop() if len(notebooks) == 1 else "")
    has = {(s.student, s.notebook) for s in chosen}
    for submission in chosen:
        if not submission.notebook and (submission.student, single) not in has:
            submission.notebook = single
    return chosen


def _missing(chosen: list[Submission], students: set[str], only: str | None) -> list[Submission]:
    """Students who handed in something else, or nothing that is a notebook."""
    notebooks = {only} if only else {s.notebook for s in chosen if s.notebook}
    has = {(s.student, s.notebook) for s in chosen}
    return [
        Submission(student, notebook, look=["there is no file for this notebook."])
        for notebook in notebooks
        for student in students
        if (student, notebook) not in has
    ]
