"""The drawn sample: small pictures of CIFAR-10's ten classes, for when CIFAR-10 is out of reach.

Nothing is shipped and nothing is downloaded: :func:`sample` draws 4,000 + 1,000 pictures with
Pillow in a few seconds and keeps them in a cache. A picture is made in four steps:

- ``scenes``: a background, from sky to living room,
- ``objects``: one of the ten shapes, drawn with a ``pen`` that knows its pose,
- ``pictures``: both together, something in front now and then, light and noise,
- ``cache``: the sample as a whole, drawn on first use.

Its class decides an object's shape. Scene, side, size, colour and light vary so much that single
pixels tell little; ``benchmarks/measure_drawn.py`` measures how little. All of it is own
work, and all chance comes from one seeded generator: the same seed gives the same pictures.
"""

from labutils.data.sample.cache import sample
from labutils.data.sample.pictures import draw

__all__ = ["draw", "sample"]
