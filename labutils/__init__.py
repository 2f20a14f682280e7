"""Helper package of the CNN lab series. Import the part you need: ``from labutils import data``.

Importing ``labutils`` itself costs next to nothing: no submodule is loaded until it is asked for.
"""

__version__ = "0.1.0"
