"""Helper package of the CNN lab series. Import the part you need: ``from labutils import data``.

Importing ``labutils`` itself costs next to nothing: no submodule is loaded until it is asked for.
"""

import sys

__version__ = "0.1.0"

# Not every console and log file can write "·", "×" or a name in Hangul (cp1252, cp949, ASCII, half
# a surrogate pair): show "?" there instead of raising. Notebooks have streams of their own.
for _stream in (sys.stdout, sys.stderr):
    if getattr(_stream, "errors", None) in ("strict", "surrogateescape") and hasattr(
        _stream, "reconfigure"
    ):
        _stream.reconfigure(errors="replace")
