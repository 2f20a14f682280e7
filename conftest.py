"""Settings of the whole test run: small budget, sample data, and what nbval compares."""

import os

# Set before any kernel starts; kernels inherit them. A caller's own setting wins.
os.environ.setdefault("LABUTILS_BUDGET", "smoke")
os.environ.setdefault("LABUTILS_DATA", "sample")
os.environ.setdefault("LABUTILS_DEVICE", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers share two cores
os.environ.setdefault("PYTHONHASHSEED", "0")


def pytest_collectstart(collector):
    """Notebooks are compared by what they say: text/plain and stdout."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "stderr", "image/png", "image/svg+xml")


def pytest_terminal_summary(terminalreporter):
    """Say once what was not run without a browser, or a GPU: a number of tests tells nobody."""
    reports = terminalreporter.getreports("skipped")
    for kind in ("browser", "gpu"):
        skipped = [its for its in reports if its.nodeid.startswith(f"tests/{kind}/")]
        if skipped:
            reason = skipped[0].longrepr[2].removeprefix("Skipped: ")
            terminalreporter.write_line(f"{len(skipped)} {kind} tests were skipped: {reason}")
