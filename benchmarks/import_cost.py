"""``python -m benchmarks.import_cost``: ``import labutils`` beside ``import torch``.

Fresh interpreters, in turn, so that a busy machine disturbs both alike; medians and their ratio.
"""

import argparse
import statistics
import subprocess
import sys
import time

STATEMENTS = {"torch": "import torch", "torch and labutils": "import torch, labutils"}


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for statement in STATEMENTS.values():
        seconds(statement)  # fills the file cache; not counted
    times = {name: [] for name in STATEMENTS}
    for _ in range(rounds):
        for name, statement in STATEMENTS.items():
            times[name].append(seconds(statement))
    for name, values in times.items():
        print(f"{name:<20}{statistics.median(values):7.3f} s  (median of {rounds})")
    ratios = [b / a for a, b in zip(*times.values(), strict=True)]
    print(
        f"{'ratio':<20}{statistics.median(ratios):7.3f}    ({min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
