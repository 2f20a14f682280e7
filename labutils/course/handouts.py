"""Pages as PDF, by a Chromium without a window."""

import subprocess
import tempfile
from pathlib import Path

from labutils.course.chromium import ARGUMENTS

TIME_LIMIT = 120  # seconds for one page, on a busy machine


class HandoutError(RuntimeError):
    """Chromium made no PDF."""


def print_page(chromium: str, page: Path, handout: Path) -> None:
    """Write an HTML file as PDF, A4, with an outline and tags for screen readers.

    Raises:
        HandoutError: there is no PDF afterwards; the message says what Chromium said.
    """
    # A profile of its own: nothing of the user's is touched. Chromium may still write when it ends.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, "--headless", *ARGUMENTS, f"--user-data-dir={profile}"]
        command += ["--no-pdf-header-footer", "--generate-pdf-document-outline"]
        command += [f"--print-to-pdf={handout.resolve()}", page.resolve().as_uri()]
        try:
            run = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT)
            said = run.stderr.decode(errors="replace")[-500:]
        except subprocess.TimeoutExpired:
            said = f"it was stopped after {TIME_LIMIT} seconds"
    if not handout.is_file():
        raise HandoutError(f"{chromium} made no PDF of {page.name}: {said}")
