"""Grade a class: a folder of notebooks in, a table, annotated notebooks and a class report out.

Each submission is graded in a process of its own, and each result is written down at once, so
that a run can be interrupted and continued: what is written down is not graded again.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import nbformat

from labutils.course import class_report, submissions
from labutils.course.autograde import Job, grade
from labutils.course.names import as_file_name, readable
from labutils.course.notebook_text import as_text
from labutils.course.rebuild import exercise_points
from labutils.course.submissions import Submission
from labutils.files import Locked, lock, write_text

_LABUTILS = Path(__file__).parents[1]


class GradeError(Exception):
    """Nothing can be graded; the message says why, and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submissions", type=Path, help="folder: one notebook or folder a student")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="results go here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--time-limit", type=float, default=300, metavar="S", help="a submission")
    parser.add_argument("--memory-limit", type=float, default=6, metavar="GB", help="a process")
    parser.add_argument("--notebook", metavar="NAME", help="only this one (01, 03_cifar10_cnn)")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), metavar="FOLDER")


def main(arguments: argparse.Namespace) -> int:
    try:
        _choose_short_temporary_folder()
        arguments.out.mkdir(parents=True, exist_ok=True)
        with lock(arguments.out / ".lock"):
            return grade_class(arguments)
    except Locked:
        why = f"Another run is grading into {arguments.out}."
    except GradeError as error:
        why = str(error)
    except OSError as error:
        why = f"Grading stopped ({error}). Is {arguments.out} a folder that can be written to?"
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where this one stopped.", file=sys.stderr)
        return 130
    print(why, file=sys.stderr)
    return 2


def grade_class(arguments: argparse.Namespace) -> int:
    """Self-test, grade what is not graded yet, write table and reports."""
    if not arguments.submissions.is_dir():
        raise GradeError(f"There is no folder {arguments.submissions}.")
    templates = _templates(arguments.notebooks)
    only = _chosen(arguments.notebook, templates)
    found = submissions.find(arguments.submissions, templates, only, arguments.out)
    if not found:
        raise GradeError(f"There is nothing in {arguments.submissions}.")
    records_folder = arguments.out / "records"
    with tempfile.TemporaryDirectory(prefix="g-", ignore_cleanup_errors=True) as scratch:
        class_ = _Class(arguments, templates, Path(scratch))
        records, to_grade = {}, {}
        for submission in found:
            key = _key(submission)
            written = _read_record(records_folder / f"{key}.json")
            if not submission.readable:
                records[key] = _ungraded()
            elif written and written["digest"] == class_.digest(submission):
                records[key] = written["record"]
            else:
                to_grade[key] = submission
        print(f"{len(found)} submissions, {len(to_grade)} to grade.", flush=True)
        if to_grade:
            class_.self_test({s.notebook for s in to_grade.values()})

        def done(key: str, record: dict) -> None:
            submission = to_grade[key]
            records[key] = record
            text = json.dumps({"digest": class_.digest(submission), "record": record})
            write_text(records_folder / f"{key}.json", text)
            print(
                f"[{len(records)}/{len(found)}] {submission.student} · {submission.notebook}: "
                f"{record['points']:g} of {class_.most(submission.notebook):g}"
                + (" · needs a look" if record["look"] else ""),
                flush=True,
            )

        run({key: class_.job(s) for key, s in to_grade.items()}, arguments.jobs, done)
    in_order = [class_.complete(s, records[_key(s)]) for s in found]
    class_report.write_all(arguments.out, in_order, class_.points)
    look = sum(bool(r["look"]) for r in in_order)
    print(f"{arguments.out / 'grades.csv'} and report.html are written; {look} need a look.")
    return 0


class _Class:
    """What all submissions of one run share."""

    def __init__(self, arguments: argparse.Namespace, templates: dict, scratch: Path):
        self.arguments, self.scratch = arguments, scratch
        self.texts = {name: as_text(template) for name, template in templates.items()}
        self.points = {name: exercise_points(template) for name, template in templates.items()}
        self.checks = _digest_of_checks()

    def digest(self, submission: Submission) -> str:
        """Of all that a result depends on: what was handed in, the exercises, their checks."""
        parts = submission.digest, self.texts[submission.notebook], self.checks
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def most(self, notebook: str) -> float:
        """The points of a notebook; 0 where it could not be told which one it is."""
        return sum(self.points.get(notebook, {}).values())

    def job(self, submission: Submission, annotated: Path | None = None) -> Job:
        from labutils.checks import EXERCISES
        from labutils.checks.frame.timelimit import WALL_FACTOR

        out = self.arguments.out.resolve()
        place = (
            out / "annotated" / as_file_name(submission.student) / f"{submission.notebook}.ipynb"
        )
        longest = max(EXERCISES[name].seconds for name in self.points[submission.notebook])
        return Job(
            template=self.texts[submission.notebook],
            submission=submission.path.resolve(),
            annotated=annotated or place,
            scratch=self.scratch,
            hidden=(
                self.arguments.submissions.resolve(), out,
                (self.arguments.notebooks / "solutions").resolve(),
            ),
            cell_limit=WALL_FACTOR * longest + 10,
            time_limit=self.arguments.time_limit,
            memory=int(self.arguments.memory_limit * 2**30),
        )  # fmt: skip

    def self_test(self, notebooks: set[str]) -> None:
        """Grade the solutions: where they do not get all points, nobody's points can be right."""
        folder = self.arguments.notebooks / "solutions"
        jobs = {
            name: self.job(
                Submission("solution", name, folder / f"{name}.ipynb"),
                self.scratch / "solution" / f"{name}.ipynb",
            )
            for name in sorted(notebooks)
        }
        results: dict[str, dict] = {}
        run(jobs, self.arguments.jobs, results.__setitem__)
        faults = []
        for name, record in results.items():
            print(f"self-test {name}: {record['points']:g} of {self.most(name):g}", flush=True)
            lost = {n: e for n, e in record["exercises"].items() if e["points"] < e["max"]}
            faults += [f"{name}: {n}: {e['message']}" for n, e in lost.items()]
            if not record["exercises"] or (lost and record["look"]):
                faults += [f"{name}: {line}" for line in record["look"]]
        if faults:
            raise GradeError(
                "The solutions themselves do not get all points on this machine, so nothing was "
                "graded:\n" + "\n".join(faults)
            )

    def complete(self, submission: Submission, record: dict) -> dict:
        """The record with what its line of the table says beside the points."""
        status = "graded" if record["exercises"] else "not graded"
        return record | {
            "student": submission.student,
            "notebook": submission.notebook,
            "file": readable(submission.path.name) if submission.path else "",
            "max_points": self.most(submission.notebook),
            "notes": submission.notes + record["notes"],
            "look": submission.look + record["look"],
            "status": status if submission.path else "missing",
        }


def run(jobs: dict[str, Job], workers: int, done: Callable[[str, dict], None]) -> None:
    """Grade all jobs, each in a fresh process; hand each result to ``done`` as it comes.

    A process that dies takes none of the others along: whatever was not finished then is graded
    again, one by one, and what dies again is the culprit.
    """
    waiting = dict(jobs)
    try:
        _pool(waiting, max(1, min(workers, len(jobs))), done)
        for key in list(waiting):
            _pool(one := {key: waiting[key]}, 1, done)
            if one:
                done(key, _ungraded("its process died twice"))
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.kill()
        raise


def _pool(waiting: dict[str, Job], workers: int, done: Callable[[str, dict], None]) -> None:
    if not waiting:
        return
    # A server that has everything loaded forks a fresh process per submission, where there is one.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["labutils.course.autograde"])
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_end_with_parent, max_tasks_per_child=1
    ) as pool:
        futures = {pool.submit(grade, job): key for key, job in waiting.items()}
        for future in as_completed(futures):
            key = futures[future]
            try:
                record = future.result()
            except BrokenProcessPool:
                continue
            except Exception as error:
                record = _ungraded(f"grading failed ({type(error).__name__}: {error})")
            del waiting[key]
            done(key, record)


def _ungraded(*why: str) -> dict:
    """The record of a submission that nobody graded."""
    look = [" ".join(line.split())[:500] + "." for line in why]
    return {"points": 0.0, "exercises": {}, "notes": [], "look": look, "seconds": 0}


def _end_with_parent() -> None:
    """Workers leave Ctrl-C to the main process, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch():
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _templates(folder: Path) -> dict:
    """The released notebooks by name, made from their solutions."""
    from labutils.course.release import ReleaseError, student_copy

    templates = {}
    for path in sorted((folder / "solutions").glob("*.ipynb")):
        try:
            templates[path.stem] = student_copy(nbformat.read(path, as_version=4), path.stem)
        except (ReleaseError, ValueError, nbformat.ValidationError) as error:
            print(f"{path.name} is left out, it cannot be released: {error}", file=sys.stderr)
    if not templates:
        raise GradeError(
            f"There are no solutions in {folder / 'solutions'}. Grading needs them, for the "
            "exercises and to test itself: run it in the repository's root, or name the folder "
            "of the notebooks with --notebooks."
        )
    return templates


def _chosen(name: str | None, templates: dict) -> str | None:
    if name is None:
        return None
    fitting = [t for t in templates if t.startswith(name.removesuffix(".ipynb"))]
    if len(fitting) != 1:
        raise GradeError(f"--notebook {name}: choose one of {', '.join(templates)}.")
    return fitting[0]


def _digest_of_checks() -> str:
    digest = hashlib.sha256()
    for folder in ("checks", "course"):
        for path in sorted((_LABUTILS / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _key(submission: Submission) -> str:
    return as_file_name(f"{submission.student}--{submission.notebook}")


def _read_record(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _choose_short_temporary_folder() -> None:
    """The sockets of kernels and of multiprocessing lie in the temporary folder, and the path of
    a Unix socket may have about 100 bytes."""
    if os.name == "posix" and len(os.fsencode(tempfile.gettempdir())) > 45:
        if not os.access("/tmp", os.W_OK):
            raise GradeError(f"{tempfile.gettempdir()} is too long: set TMPDIR to a short path.")
        tempfile.tempdir = "/tmp"
