"""From the records of a class to ``grades.csv``, ``report.md`` and ``report.html``."""

import csv
import html
import io
from collections import Counter, defaultdict
from pathlib import Path

from labutils.course.files import write_text

WORDS = {"right": "right", "wrong": "not right yet", "blank": "not written", "error": "error"}


def write_all(out: Path, records: list[dict], exercises: dict[str, list[str]]) -> None:
    """Write the table and both reports.

    Args:
        records: one per student and notebook, sorted; see :mod:`labutils.course.grade`.
        exercises: the exercises of each notebook, in order.
    """
    write_text(out / "grades.csv", grades_csv(records, exercises))
    write_text(out / "report.md", markdown(records, exercises))
    write_text(out / "report.html", page(records, exercises))


def grades_csv(records: list[dict], exercises: dict[str, list[str]]) -> str:
    """One line per student and notebook; no times in it, so that the same class gives the same."""
    graded = {r["notebook"] for r in records}
    columns = [
        name for notebook, names in exercises.items() if notebook in graded for name in names
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["student", "notebook", "points", "max_points", "status", *columns,
         "needs_a_look", "notes", "file"]
    )  # fmt: skip
    for record in records:
        scores = [record["exercises"].get(name, {}).get("points", "") for name in columns]
        row = [record["student"], record["notebook"], _number(record["points"]),
               _number(record["max_points"]), record["status"], *map(_number, scores),
               " ".join(record["look"]), " ".join(record["notes"]), record["file"]]  # fmt: skip
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(text: str) -> str:
    """No formula: a spreadsheet would run what a file name or an error message begins with."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t") else text


def _number(value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


# --- what there is to say -------------------------------------------------------------------


def _tables(records: list[dict], names: list[str]):
    """Of one notebook: points per exercise, misconceptions, who is stuck where."""
    graded = [r for r in records if r["exercises"]]
    points, stuck = [], []
    hints: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name in names:
        found = [(r["student"], r["exercises"][name]) for r in graded if name in r["exercises"]]
        count = Counter(f["status"] for _, f in found)
        mean = sum(f["points"] for _, f in found) / len(found) if found else 0
        most = found[0][1]["max"] if found else 0
        points.append([name, f"{mean:.2f} of {most:g}", *(str(count[status]) for status in WORDS)])
        for status in ("wrong", "error", "blank"):
            who = [student for student, f in found if f["status"] == status]
            if who:
                stuck.append([name, WORDS[status], str(len(who)), ", ".join(who)])
        for student, f in found:
            if f["status"] in ("wrong", "error"):
                hints[name, f["hint"] or f["message"]].append((student, f["message"]))
    misconceptions = [
        [str(len(who)), name, hint, who[0][1]]
        for (name, hint), who in sorted(
            hints.items(), key=lambda i: (-len(i[1]), names.index(i[0][0]), i[0][1])
        )
    ]
    return points, misconceptions, stuck


def _distribution(records: list[dict]) -> list[tuple[int, int]]:
    """How many students have 0, 1, 2, ... points (rounded down)."""
    most = int(max((r["max_points"] for r in records), default=0))
    count = Counter(int(r["points"]) for r in records)
    return [(points, count[points]) for points in range(most + 1)]


_HEADS = (
    ("Points per exercise", ["exercise", "mean points", *WORDS.values()]),
    ("Misconceptions, the most frequent first",
     ["students", "exercise", "what they were told", "for example"]),
    ("Who is stuck where", ["exercise", "state", "students", "who"]),
)  # fmt: skip


def _sections(records: list[dict], exercises: dict[str, list[str]]):
    """Of each notebook: name, its records, a summary sentence, its three tables, who to look at."""
    for notebook in [*exercises, ""]:
        here = [r for r in records if r["notebook"] == notebook]
        if not here:
            continue
        scored = [r["points"] for r in here]
        look = [[r["student"], f"{r['points']:g}", " ".join(r["look"])] for r in here if r["look"]]
        summary = (
            f"{len(here)} students, {sum(bool(r['exercises']) for r in here)} graded, "
            f"{len(look)} need a look. Mean {sum(scored) / len(scored):.2f} of "
            f"{max(r['max_points'] for r in here):g} points, "
            f"median {sorted(scored)[len(scored) // 2]:g}."
        )
        yield notebook, here, summary, _tables(here, exercises.get(notebook, [])), look


# --- as markdown ----------------------------------------------------------------------------


def markdown(records: list[dict], exercises: dict[str, list[str]]) -> str:
    """The class report as markdown."""
    lines = ["# Class report", ""]
    for notebook, here, summary, tables, look in _sections(records, exercises):
        lines += [f"## {notebook or 'Not recognised'}", "", summary, ""]
        lines += ["### Distribution of points", "", "```"]
        lines += [f"{p:3} | {'#' * n} {n or ''}".rstrip() for p, n in _distribution(here)]
        lines += ["```", ""]
        for (title, head), rows in zip(_HEADS, tables, strict=True):
            lines += _md_table(title, head, rows)
        lines += _md_table("Needs a look", ["student", "points", "why"], look)
    return "\n".join(lines).rstrip() + "\n"


def _md_table(title: str, head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return [f"### {title}", "", "Nothing.", ""]
    table = [head, ["---"] * len(head), *rows]
    return [
        f"### {title}", "", *("| " + " | ".join(map(_md, row)) + " |" for row in table), ""
    ]  # fmt: skip


def _md(text: str) -> str:
    text = html.escape(" ".join(text.split()), quote=False)
    return text.replace("|", "\\|").replace("`", "\\`").replace("[", "\\[")


# --- as a page ------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
th, td { border-bottom: 1px solid #8886; padding: 0.2rem 0.8rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere }
th, td:nth-child(-n+2) { overflow-wrap: normal }  /* names and numbers stay whole */
svg { max-width: 100%; height: auto }
"""


def page(records: list[dict], exercises: dict[str, list[str]]) -> str:
    """The class report as one HTML file that needs nothing else."""
    body = []
    for notebook, here, summary, tables, look in _sections(records, exercises):
        body += [f"<h2>{html.escape(notebook or 'Not recognised')}</h2>", f"<p>{summary}</p>"]
        body += ["<h3>Distribution of points</h3>", _bars(_distribution(here))]
        for (title, head), rows in zip(_HEADS, tables, strict=True):
            body.append(_html_table(title, head, rows))
        body.append(_html_table("Needs a look", ["student", "points", "why"], look))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Class report</title><style>{_STYLE}</style></head>\n<body><h1>Class report</h1>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _html_table(title: str, head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return f"<h3>{title}</h3><p>Nothing.</p>"
    lines = ["<tr>" + "".join(f'<th scope="col">{h}</th>' for h in head) + "</tr>"]
    for row in rows:
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<h3>{title}</h3><table>" + "\n".join(lines) + "</table>"


def _bars(distribution: list[tuple[int, int]]) -> str:
    """A bar chart as SVG: points to the right, number of students upwards."""
    wide, high = 46, 160
    most = max((n for _, n in distribution), default=0) or 1
    said = ", ".join(f"{n} with {p}" for p, n in distribution if n)
    parts = [
        f'<svg role="img" viewBox="0 0 {wide * len(distribution) + 10} {high + 60}" '
        f'width="{wide * len(distribution) + 10}" font-size="14" fill="currentColor">'
        f"<title>Students by points: {said}.</title>"
    ]
    for place, (points, n) in enumerate(distribution):
        x, height = 5 + place * wide, high * n / most
        middle = x + wide / 2 - 4
        parts.append(
            f'<rect x="{x}" y="{high + 20 - height:.1f}" width="{wide - 8}" '
            f'height="{height:.1f}" fill="#0072b2"/>'
            f'<text x="{middle}" y="{high + 38}" text-anchor="middle">{points}</text>'
        )
        if n:
            y = high + 14 - height
            parts.append(f'<text x="{middle}" y="{y:.1f}" text-anchor="middle">{n}</text>')
    parts.append(f'<text x="5" y="{high + 56}">points (bars: number of students)</text></svg>')
    return "".join(parts)
