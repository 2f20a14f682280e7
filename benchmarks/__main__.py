"""``make bench``, or ``python -m benchmarks [ROW ...]``: how fast everything is, and why.

    python -m benchmarks                      # everything
    python -m benchmarks exercise1 vgg11      # what begins with these names
    python -m benchmarks --add vgg11          # more rounds, to those already measured
    python -m benchmarks --quick              # a smoke test on the sample

Needs the real datasets. Rows are written as they are measured; Ctrl-C keeps them.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from benchmarks import growth, memory, processes, startup, suite, trainings, vgg
from benchmarks.peers import PACKAGES, available
from benchmarks.report import Report, machine
from benchmarks.rows import Group, Scale
from labutils import data

GROUPS: dict[str, Group] = {}
for module in (trainings, vgg, processes, memory, startup, suite):
    GROUPS |= module.GROUPS
GROWTH = "growth"
RESULTS = Path(__file__).parent / "results"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="ROW", help=", ".join([*GROUPS, GROWTH]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--add", action="store_true", help="keep the rounds measured before")
    parser.add_argument("--quick", action="store_true", help="a smoke test on the sample")
    parser.add_argument("--out", type=Path, help="folder of the report; default benchmarks/"
                        "results, in a quick run a temporary one")  # fmt: skip
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {options.rounds}")
    chosen = [n for n in [*GROUPS, GROWTH] if n.startswith(tuple(options.names) or "")]
    if not chosen:
        parser.error(f"no row begins with {' or '.join(options.names)}; there are "
                     f"{', '.join([*GROUPS, GROWTH])}")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        default = Path(scratch) if options.quick else RESULTS
        scale = Scale(rounds=1 if options.quick else options.rounds, quick=options.quick)
        return run(chosen, scale, options.out or default, keep=options.add)


def run(chosen: list[str], scale: Scale, folder: Path, keep: bool) -> int:
    print(machine())
    if missing := sorted(set(PACKAGES) - set(available())):
        print(
            f'Not installed, so not compared with: {", ".join(missing)} (pip install -e ".[bench]")'
        )
    report = Report(folder, [row for group in GROUPS.values() for row in group.rows])
    try:
        for name in chosen:
            print(f"--- {name}", flush=True)
            if name == GROWTH:
                points = report.content["growth"] = growth.measure(scale)
                report.write()
                growth.draw(points, folder / "growth.png")
                continue
            rows = [row.name for row in GROUPS[name].rows]
            if not keep:
                report.start_again(rows)
            begun = dataclasses.replace(scale, first=len(report.rounds(rows[0])))
            for measured in GROUPS[name].measure(begun):
                report.add(measured)
            print(report.table(rows), flush=True)
    except data.DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the rounds measured so far are kept.")
    print(f"\n{report.table()}\n\nWrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
