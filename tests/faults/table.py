"""``python -m tests.faults.table``: each fault a download can meet, and what becomes of it.

Two loads for every behaviour of the test server: with the misbehaving mirror alone (what does the
user read?), and with a good mirror after it (does the dataset arrive?). The dataset is the toy
CIFAR-10 of ``tests/toy_data.py``. "Lost" counts images that arrived wrong, or files left behind
that bear a dataset's name and are not whole.
"""

import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

from labutils import data, readers, transfer
from tests import toy_data
from tests.faults.server import BEHAVIOURS, serve

COLUMNS = "{:<40}{:>6}{:>9}  {:<11}{:>5}  {}"


def main() -> int:
    """Print the table; answer with 1 if anything was lost."""
    transfer.SLOW_SECONDS = 1
    readers.read_sample = lambda spec, find_cache: toy_data.arrays(spec.name)
    lost_in_all = 0
    print(COLUMNS.format("the mirror ...", "tries", "seconds", "then", "lost", "what is said"))
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "files")
        toy_data.build(files)
        for behaviour, meaning in BEHAVIOURS.items():
            store = Path(scratch, behaviour)
            with serve(files) as server:
                began = time.monotonic()
                alone, said = _load(files, store / "alone", [server.url(behaviour)])
                seconds = time.monotonic() - began
                tries = server.requests[behaviour]
                urls = [server.url(behaviour), server.url("good")]
                _, then, lost = _load_full(files, store / "with", urls)
            lost += _half_files(store / "alone")
            lost_in_all += lost
            outcome = said[0].removeprefix("Warning: ") if alone else said[-1]
            outcome = outcome.partition(": ")[2] if alone else outcome
            print(COLUMNS.format(meaning, tries, f"{seconds:.1f}", then, lost, outcome))
    return int(lost_in_all > 0)


def _load(files, store, urls):
    """Load in ``auto``; answer with whether it came to the sample, and the lines printed."""
    toy_data.install(files, urls)
    data._folders = lambda: [store]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        train, _ = data.load("cifar10", source="auto")
    return train.is_sample, out.getvalue().splitlines()


def _load_full(files, store, urls):
    toy_data.install(files, urls)
    data._folders = lambda: [store]
    with contextlib.redirect_stdout(io.StringIO()):
        train, test = data.load("cifar10", source="full")
    wrong = not toy_data.same(train, test, "cifar10")
    return train, train.source, int(wrong) + _half_files(store)


def _half_files(store) -> int:
    """Count datasets in the store that look there and are not whole."""
    found = readers.find_local(readers.CIFAR10, store)
    return int(bool(found and readers.verify(readers.CIFAR10, store)))


if __name__ == "__main__":
    sys.exit(main())
