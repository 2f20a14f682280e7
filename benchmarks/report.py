"""The report of ``make bench``: ``benchmarks.json`` with every round, ``benchmarks.md`` to read."""

import datetime
import json
import os
import platform
import re
from pathlib import Path

import torch

from benchmarks.rows import Row, spread
from labutils import files
from labutils.device import describe_environment, pick_device

JSON, MARKDOWN = "benchmarks.json", "benchmarks.md"
HEADINGS = ["row", "what", "yardstick", "ours", "theirs", "ratio", "spread", "rounds", "target"]
INTRODUCTION = """\
Written by `make bench`. Ours and the yardstick are measured in turn in one run; numbers are medians
over the rounds, the spread is that of the ratio. The ratio is *theirs / ours* for seconds (times
faster), *ours / theirs* for rates and memory."""


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

    def rounds(self, name: str) -> list:
        """Return the rounds of a row, pairs of ours and theirs."""
        return self.content["rows"].get(name, {}).get("rounds", [])

    def add(self, measured: dict) -> None:
        """Add a round: ``{name of a row: (ours, theirs)}``, ``"notes"``, and which ``"images"``."""
        about = {"date": datetime.date.today().isoformat(), "machine": machine()}
        about |= {"images": measured["images"]} if "images" in measured else {}
        for name, pair in measured.items():
            if name not in ("notes", "images"):
                row = self.content["rows"].setdefault(name, {"rounds": []})
                row["rounds"].append([float(f"{number:.5g}") for number in pair])
                row |= about
        for name, words in measured.get("notes", {}).items():
            said = self.content["rows"].setdefault(name, {"rounds": []}).setdefault("notes", [])
            if words not in said:
                said.append(words)
        self.write()

    def write(self) -> None:
        """Write both files."""
        files.write_json(self.folder / JSON, self.content)
        files.write_text(self.folder / MARKDOWN, self.markdown())

    def lines(self, names=None) -> list[list[str]]:
        """Return the cells of every measured row, in the rows' own order."""
        return [
            _cells(self.rows[name], self.rounds(name))
            for name in self.rows
            if self.rounds(name) and (names is None or name in names)
        ]

    def table(self, names=None) -> str:
        """Return a Markdown table, in columns for the terminal."""
        lines = [HEADINGS, *self.lines(names)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        return "\n".join(
            "| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines
        )  # fmt: skip

    def markdown(self) -> str:
        """Return the report as Markdown."""
        rows = self.content["rows"].values()
        dates, machines = (
            sorted({row[kind] for row in rows if kind in row}) for kind in ("date", "machine")
        )
        parts = ["# Benchmarks", INTRODUCTION, f"Measured {' and '.join(dates)} on:"]
        parts += ["\n".join(f"- {name}" for name in machines), self.table()]
        if missing := [f"`{name}`" for name in self.rows if not self.rounds(name)]:
            parts.append(f"Not measured: {', '.join(missing)}.")
        said = {
            name: ([f"on {row['images']}"] if "images" in row else []) + row.get("notes", [])
            for name, row in self.content["rows"].items()
        }
        if any(said.values()):
            lines = [f"- **{name}**: {'; '.join(notes)}" for name, notes in said.items() if notes]
            parts += ["## Beside the numbers", "\n".join(lines)]
        if "growth" in self.content:
            from benchmarks import growth

            parts += growth.markdown(self.content["growth"])
        return "\n\n".join(parts) + "\n"


def _cells(row: Row, rounds) -> list[str]:
    ours, theirs = (f"{_short(spread(side)[0])} {row.unit}" for side in zip(*rounds, strict=True))
    ratio, low, high = spread(row.ratios(rounds))
    mark = {True: " ✓", False: " ✗", None: ""}[row.reached(ratio)]
    numbers = [f"{ratio:.2f}", f"{low:.2f} to {high:.2f}", str(len(rounds)), row.target + mark]
    return [row.name, row.title, row.yardstick, ours, theirs, *numbers]


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def machine() -> str:
    """Return a line on this machine and its software."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    name = f"{name} ({torch.backends.cpu.get_cpu_capability()})"
    return f"{name}, {os.cpu_count()} cores · {describe_environment(pick_device())}"
