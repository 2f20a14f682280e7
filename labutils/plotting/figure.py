"""How a picture is made and shown: style, colours, empty axes, and alt text."""

import base64
import html
import io
import sys
from contextlib import contextmanager
from pathlib import Path

from .colors import DARK, LIGHT
from .fonts import as_png

STYLE_FILE = Path(__file__).with_name("series.mplstyle")
MAX_BYTES = 100_000
DPI = 100
WIDTH = 8.0  # inches: 800 px, about the width of a notebook's output


class Picture(dict):
    """A picture as the mimebundle that notebooks show, with alt text.

    JupyterLab ignores alt text on ``image/png``, so the output carries an ``<img alt=...>`` as
    ``text/html`` beside the plain PNG or SVG, and the alt text itself as ``text/plain``.
    """

    def __init__(self, image: bytes, alt: str, kind: str = "image/png"):
        if not alt.strip():
            raise ValueError("got an empty alt text; say in a sentence what the picture shows")
        encoded = base64.b64encode(image).decode()
        self.alt = alt
        self.source = f"data:{kind};base64,{encoded}"  # what an <img> takes as its src
        img = f'<img src="{self.source}" alt="{html.escape(alt, quote=True)}">'
        plain = encoded if kind == "image/png" else image.decode()  # as nbformat stores them
        super().__init__({"text/html": img, kind: plain, "text/plain": alt})

    def show(self) -> None:
        """Display it as a cell's output."""
        from IPython.display import display

        display(self, raw=True)

    def __str__(self):  # where nothing but text can be printed
        return self.alt

    __repr__ = __str__


def show(fig, *, alt: str) -> None:
    """Display a matplotlib figure with alt text, and close it.

    Args:
        fig: a ``matplotlib.figure.Figure``.
        alt: what a sighted reader takes from the picture, in a sentence or two.

    Raises:
        ValueError: ``alt`` is empty.
    """
    png = as_png(fig, DPI)
    if pyplot := sys.modules.get("matplotlib.pyplot"):  # only a notebook's own figures are its
        pyplot.close(fig)
    Picture(_compact(png), alt).show()


def _compact(png: bytes) -> bytes:
    """Return the PNG itself, or, where it is large, with one of fewer colours."""
    if len(png) < MAX_BYTES:
        return png
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colors in (256, 64, 16):
        buffer = io.BytesIO()
        few = image.quantize(colors, dither=Image.Dither.NONE)
        few.save(buffer, format="PNG", optimize=True)
        if buffer.tell() < MAX_BYTES:
            break
    return buffer.getvalue()


@contextmanager
def series_style():
    """Draw in the style of the series; put back afterwards what the notebook had set."""
    import matplotlib.style
    from matplotlib.font_manager import FontProperties

    own = FontProperties().get_name()  # the notebook's font: it may have letters that ours lacks
    with matplotlib.style.context(STYLE_FILE, after_reset=True):
        matplotlib.rcParams["font.family"] = ["DejaVu Sans", own]
        yield


def new_figure(height: float, width: float = WIDTH, layout: str | None = "constrained"):
    """Return an empty figure, sizes in inches. It belongs to no pyplot state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def new_axes(rows: int, columns: int, height: float, width: float = WIDTH, **kwargs):
    """Return a figure and its axes, a flat list row by row."""
    fig = new_figure(height, width)
    return fig, list(fig.subplots(rows, columns, squeeze=False, **kwargs).flat)


def bare(axis, xlim, ylim, equal: bool = True) -> None:
    """Leave only the drawing: no ticks, frame or grid; by default a unit is as wide as high."""
    axis.set_axis_off()
    axis.set(xlim=xlim, ylim=ylim)
    if equal:
        axis.set_aspect("equal", anchor="N")


def panel_title(axis, text: str) -> None:
    """Set a panel's title, flush left as all titles of the series."""
    axis.set_title(text, loc="left")


def figure_title(fig, text: str) -> None:
    """Set the title over all panels, if there is one."""
    if text:
        fig.suptitle(text, x=0.005, ha="left")


def line(axis, x, y, color, width: float = 1.0, **look):
    """Draw a plain line, without the markers and dashes of a curve."""
    axis.plot(x, y, color=color, linewidth=width, **({"linestyle": "-", "marker": ""} | look))


def write(axis, x, y, text, *, away=(0, 0), **look) -> None:
    """Write around a place, or ``away`` from it by so many points (right, up); small by default."""
    look = {"ha": "center", "va": "center", "fontsize": 9} | look
    axis.annotate(text, (x, y), xytext=away, textcoords="offset points", **look)


def text_color(background) -> str:
    """Return black or white, whichever reads better on an RGB colour (values 0 to 1)."""
    red, green, blue = background[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


def box(axis, x, y, width, height, color=DARK, **look):
    """Draw a rectangle from its lower left corner: light inside, dark edge."""
    from matplotlib.patches import Rectangle

    look = {"facecolor": LIGHT[color], "edgecolor": color} | look
    axis.add_patch(Rectangle((x, y), width, height, **look))
