"""The arithmetic of layers: output sizes, receptive fields, and the table of a whole network.

>>> output_size(227, kernel_size=11, stride=4)
55
>>> receptive_field([3, 3, 3]).field
7
>>> print(trace(model, (3, 227, 227)).table())
"""

from labutils.shapes.arithmetic import ReceptiveField, output_size, receptive_field
from labutils.shapes.table import Row, Trace
from labutils.shapes.tracing import trace

__all__ = ["ReceptiveField", "Row", "Trace", "output_size", "receptive_field", "trace"]
