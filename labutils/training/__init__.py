# ruff: noqa: F401 - what is imported here is what the package offers
"""Training: the loop, recipes as data, checkpoints to go on from, recorded runs to compare with.

``training.fit`` is notebook 02's loop; ``training.recipes`` says how each network is trained.
"""

from labutils.device import device_of
from labutils.training.estimate import estimate_seconds, say_seconds
from labutils.training.history import History, Progress
from labutils.training.loop import evaluate, fit, in_watched_notebook, numbers, predict_all
from labutils.training.reference import ReferenceRuns, load_reference
