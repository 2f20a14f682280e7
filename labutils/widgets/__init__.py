"""Explorers to play with: controls, and a picture that follows them. ``widgets.softmax()``.

============= =================================================================================
``softmax``   scores, temperature and shift -> probabilities; where the naive formula overflows
============= =================================================================================

Each answers with an :class:`Explorer`, which the last line of a cell shows. A new one is a function
``draw(**values) -> View`` over a picture of :mod:`labutils.plotting`, and the controls it takes.
"""

from .distributions import softmax
from .explorer import Explorer, View

__all__ = ["Explorer", "View", "softmax"]
