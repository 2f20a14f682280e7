# ruff: noqa: F401 - what is imported here is what the package offers
"""Explorers to play with: controls, and a picture that follows them. ``widgets.softmax()``.

==================== ==========================================================================
``softmax``          scores, temperature, shift -> probabilities; where the naive one overflows
``cross_entropy``    prediction and target -> loss, entropy, KL divergence, gradient
``convolution``      every window on the grid, the output size, what is left over
``receptive_fields`` a stack of layers -> what one output sees, and what that costs
``inception``        six widths -> weights, work and channels, beside the naive module
``gradients``        depth, shortcuts, BatchNorm -> the gradient's norm at every block
``network_walk``     any network layer by layer -> volume, parameters, work, receptive field
``feature_maps``     image, layer, channel -> what a trained network answers
``mistakes``         what a network got wrong, the surest first, with all its probabilities
``all_reduce``       network, processes, bandwidth -> bytes and seconds of an update
``live_training``    a training while it runs, and a button that stops it
==================== ==========================================================================

Each returns an :class:`Explorer`, which the last line of a cell shows; only ``live_training``
is a ``with`` block around ``training.fit``. A new explorer is one file here: a function
``draw(**values) -> View`` over a picture on a ``plotting.sheet.Sheet``, and the controls it takes.
"""

from .convolutions import convolution, receptive_fields
from .distributions import cross_entropy, softmax
from .explorer import Explorer, View
from .gradients import gradients
from .live import live_training
from .maps import feature_maps
from .modules import inception
from .traffic import all_reduce
from .walk import network_walk
from .wrong_answers import mistakes
