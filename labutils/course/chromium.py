"""The Chromium of this machine: where it is, and how it runs without asking anybody anything."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a sandbox, as it refuses to run as root with one.
ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update""".split()


def find_chromium() -> str | None:
    """Return the path of the Chromium on this machine, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)
