"""From the records of a class to ``grades.csv``, ``report.md`` and ``report.html``."""

import csv
import html
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import jinja2

from labutils.files import write_text

FILES = Path(__file__).parent / "report_files"
WORDS = {"right": "right", "wrong": "not right yet", "blank": "not written", "error": "error"}


def write_all(out: Path, records: list[dict], exercises: dict[str, Iterable[str]]) -> None:
    """Write the table and both reports.

    Args:
        records: one per student and notebook, sorted; see :mod:`labutils.course.grade`.
        exercises: the exercises of each notebook, in order.
    """
    # Excel takes a table for one in the system's own encoding where no mark says UTF-8.
    write_text(out / "grades.csv", "\ufeff" + grades_csv(records, exercises))
    for name in ("report.md", "report.html"):
        write_text(out / name, report(name, records, exercises))


def grades_csv(records: list[dict], exercises: dict[str, Iterable[str]]) -> str:
    """One line per student and notebook; no times in it, so that the same class gives the same."""
    graded = {record["notebook"] for record in records}
    names = [name for notebook in exercises if notebook in graded for name in exercises[notebook]]
    columns = ["student", "notebook", "points", "max_points", "status", *names, "needs_a_look",
               "notes", "file"]  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        row = record | {name: found["points"] for name, found in record["exercises"].items()}
        row |= {"needs_a_look": " ".join(record["look"]), "notes": " ".join(record["notes"])}
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return text.getvalue()


def _cell(value) -> str:
    """No formula: a spreadsheet would run what a file name or an error message begins with."""
    text = f"{value:g}" if isinstance(value, float | int) else str(value)
    return "'" + text if text.startswith(tuple("=+-@\t\r＝＋－＠")) else text


def report(name: str, records: list[dict], exercises: dict[str, Iterable[str]]) -> str:
    """Return the class report: ``report.md``, or ``report.html``, one file that needs no other."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FILES),
        undefined=jinja2.StrictUndefined,
        autoescape=name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["as_markdown"] = _as_markdown
    parts = [
        _part(notebook, here, list(exercises.get(notebook, [])))
        for notebook in [*exercises, ""]
        if (here := [r for r in records if r["notebook"] == notebook])
    ]
    return environment.get_template(f"{name}.j2").render(parts=parts)


def _as_markdown(text: str) -> str:
    """Return text that markdown shows as it is, also in a table."""
    text = html.escape(" ".join(text.split()), quote=False)
    return text.replace("|", "\\|").replace("`", "\\`").replace("[", "\\[")


def _part(notebook: str, records: list[dict], names: list[str]) -> dict:
    """What there is to say of one notebook: a sentence, who has how many points, four tables."""
    scored = sorted(r["points"] for r in records)
    most = max(r["max_points"] for r in records)
    look = [[r["student"], f"{r['points']:g}", " ".join(r["look"])] for r in records if r["look"]]
    points, misconceptions, stuck = _tables([r for r in records if r["exercises"]], names)
    return {
        "notebook": notebook,
        "summary": (
            f"{len(records)} students, {sum(bool(r['exercises']) for r in records)} graded, "
            f"{len(look)} need a look. Mean {sum(scored) / len(scored):.2f} of {most:g} points, "
            f"median {scored[len(scored) // 2]:g}."
        ),
        "distribution": [(p, sum(int(s) == p for s in scored)) for p in range(int(most) + 1)],
        "tables": [
            ("Points per exercise", ["exercise", "mean points", *WORDS.values()], points),
            ("Misconceptions, the most frequent first",
             ["students", "exercise", "what they were told", "for example"], misconceptions),
            ("Who is stuck where", ["exercise", "state", "students", "who"], stuck),
            ("Needs a look", ["student", "points", "why"], look),
        ],
    }  # fmt: skip


def _tables(graded: list[dict], names: list[str]):
    """Points per exercise, misconceptions, who is stuck where."""
    points, stuck = [], []
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        found = [(r["student"], r["exercises"][name]) for r in graded if name in r["exercises"]]
        count = Counter(f["status"] for _, f in found)
        mean = sum(f["points"] for _, f in found) / len(found) if found else 0
        most = found[0][1]["max"] if found else 0
        points.append([name, f"{mean:.2f} of {most:g}", *(str(count[status]) for status in WORDS)])
        for status in ("wrong", "error", "blank"):
            if who := [student for student, f in found if f["status"] == status]:
                stuck.append([name, WORDS[status], str(len(who)), ", ".join(who)])
        for _, f in found:
            if f["status"] in ("wrong", "error"):
                told[name, f["hint"] or f["message"]].append(f["message"])
    frequent = sorted(told.items(), key=lambda i: (-len(i[1]), names.index(i[0][0]), i[0][1]))
    misconceptions = [[str(len(m)), name, hint, m[0]] for (name, hint), m in frequent]
    return points, misconceptions, stuck
