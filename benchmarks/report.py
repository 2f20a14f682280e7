"""The report of ``make bench``: ``benchmarks.json`` with every round, ``benchmarks.md`` to read."""

import datetime
import json
import os
import platform
import re
from pathlib import Path

import torch

from benchmarks.rows import Row, spread
from labutils.device import describe_environment, pick_device

JSON, MARKDOWN = "benchmarks.json", "benchmarks.md"


class Report:
    """The rounds measured so far, in a folder. Every addition is written at once."""

    def __init__(self, folder: Path, rows: list[Row]):
        self.folder = folder
        self.rows = {row.name: row for row in rows}
        self.content = {"rows": {}}
        path = folder / JSON
        if path.exists():
            self.content = json.loads(path.read_text(encoding="utf-8"))

    def start_again(self, names) -> None:
        """Forget the rounds of these rows."""
        for name in names:
            self.content["rows"].pop(name, None)

    def num_rounds(self, names) -> int:
        """Return how many rounds the first of these rows has."""
        return len(self.content["rows"].get(names[0], {}).get("rounds", []))

    def add(self, measured: dict) -> None:
        """Add a round: ``{name of a row: (ours, theirs)}``, and perhaps ``"notes"``."""
        measured = dict(measured)
        notes = measured.pop("notes", {})
        for name, pair in measured.items():
            row = self.content["rows"].setdefault(name, {"rounds": []})
            row["rounds"].append([float(f"{number:.5g}") for number in pair])
            row["date"] = datetime.date.today().isoformat()
            row["machine"] = machine()
        for name, words in notes.items():
            said = self.content["rows"].setdefault(name, {"rounds": []}).setdefault("notes", [])
            if words not in said:
                said.append(words)
        self.write()

    def write(self) -> None:
        """Write both files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.content, indent=1, ensure_ascii=False)
        text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
        (self.folder / JSON).write_text(text + "\n", encoding="utf-8")
        (self.folder / MARKDOWN).write_text(self.markdown(), encoding="utf-8")

    # --- tables -----------------------------------------------------------------------------------

    def lines(self, names=None) -> list[list[str]]:
        """Return the cells of every measured row, in the rows' own order."""
        lines = []
        for name, row in self.rows.items():
            rounds = self.content["rows"].get(name, {}).get("rounds")
            if rounds and (names is None or name in names):
                lines.append(_cells(row, rounds))
        return lines

    def table(self, names=None) -> str:
        """Return a table for the terminal."""
        lines = [_HEADINGS, *self.lines(names)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADINGS))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def markdown(self) -> str:
        """Return the report as Markdown."""
        rows = self.content["rows"]
        machines = sorted({row["machine"] for row in rows.values() if "machine" in row})
        dates = sorted({row["date"] for row in rows.values() if "date" in row})
        parts = ["# Benchmarks", _INTRODUCTION, f"Measured {' and '.join(dates)} on:"]
        parts.append("\n".join(f"- {name}" for name in machines))
        lines = [_HEADINGS, ["---"] * len(_HEADINGS), *self.lines()]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        if missing := [f"`{name}`" for name in self.rows if not self.num_rounds([name])]:
            parts.append(f"Not measured: {', '.join(missing)}.")
        notes = [
            f"- **{n}**: {'; '.join(row['notes'])}" for n, row in rows.items() if row.get("notes")
        ]
        if notes:
            parts += ["## Beside the numbers", "\n".join(notes)]
        if "growth" in self.content:
            from benchmarks import growth

            parts += growth.markdown(self.content["growth"])
        return "\n\n".join(parts) + "\n"


_HEADINGS = ["row", "what", "yardstick", "ours", "theirs", "ratio", "spread", "rounds", "target"]
_INTRODUCTION = """\
Written by `make bench`. Ours and the yardstick are measured in turn in one run; numbers are medians
over the rounds, the spread is that of the ratio. The ratio is *theirs / ours* for seconds (times
faster), *ours / theirs* for rates and memory."""


def _cells(row: Row, rounds) -> list[str]:
    ours, theirs = (spread([pair[i] for pair in rounds])[0] for i in (0, 1))
    ratio, low, high = spread(row.ratios(rounds))
    mark = {True: " ✓", False: " ✗", None: ""}[row.reached(ratio)]
    return [
        row.name,
        row.title,
        row.yardstick,
        f"{_short(ours)} {row.unit}",
        f"{_short(theirs)} {row.unit}",
        f"{ratio:.2f}",
        f"{low:.2f} to {high:.2f}",
        str(len(rounds)),
        row.target + mark,
    ]


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def machine() -> str:
    """Return a line on this machine and its software."""
    return f"{_processor()}, {os.cpu_count()} cores · {describe_environment(pick_device())}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
