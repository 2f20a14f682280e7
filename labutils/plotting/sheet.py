"""A sheet of boxes, lines, words and images, for explorers and what they share with other pictures.

It is written as SVG, in about a millisecond; the same in matplotlib takes a tenth of a second,
too long for a picture that follows a slider. Colours are those of the series.
"""

import base64
import io
from html import escape

from .colors import DARK, LIGHT
from .figure import Picture

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
WIDTH = 620  # pixels: it is still read when a narrow window shrinks it
SIZE = 14  # pixels, of words
TITLE = 26  # pixels, above the sheet
HATCH = (
    '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><path d="M0 0V7" stroke="{color}" stroke-width="2.5"/></pattern>'
)


class Sheet:
    """A white sheet, sizes in pixels, the origin in the upper left corner.

    Args:
        width, height: of the sheet.
        hatch: colour of the lines of hatched boxes.
    """

    def __init__(self, width: float, height: float, hatch: str = DARK):
        self.width, self.height = width, height
        self._hatch = hatch
        self._parts = []

    def box(self, x, y, width, height, color=DARK, *, fill="", edge="", line=1.0, dash="") -> None:
        """Draw a rectangle: light inside, dark edge; ``fill="hatch"`` or ``"none"`` for others."""
        inside = "url(#hatch)" if fill == "hatch" else fill or LIGHT[color]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<rect x="{x:.6g}" y="{y:.6g}" width="{width:.6g}" height="{height:.6g}" '
            f'fill="{inside}" stroke="{edge or color}" stroke-width="{line:.3g}"{dashes}/>'
        )

    def line(self, x1, y1, x2, y2, color=DARK, width=1.0) -> None:
        """Draw a straight line."""
        self._parts.append(
            f'<path d="M{x1:.6g} {y1:.6g}L{x2:.6g} {y2:.6g}" stroke="{color}" '
            f'stroke-width="{width:.3g}"/>'
        )

    def curve(self, points, color=DARK, width=1.0, fill="none") -> None:
        """Draw straight from point to point, ``(x, y)`` each."""
        places = "L".join(f"{x:.6g} {y:.6g}" for x, y in points)
        if places:
            self._parts.append(
                f'<path d="M{places}" fill="{fill}" stroke="{color}" stroke-width="{width:.3g}" '
                'stroke-linejoin="round"/>'
            )

    def words(
        self, x, y, text, *, align="start", size=SIZE, bold=False, color="black", turn=0
    ) -> None:
        """Write on the baseline ``y`` from ``x`` on, around it (``"middle"``) or up to it.

        ``turn`` is in degrees, around this place, clockwise.
        """
        weight = ' font-weight="bold"' if bold else ""
        turned = f' transform="rotate({turn} {x:.6g} {y:.6g})"' if turn else ""
        self._parts.append(
            f'<text x="{x:.6g}" y="{y:.6g}" font-size="{size}" text-anchor="{align}" '
            f'fill="{color}"{weight}{turned}>{escape(str(text))}</text>'
        )

    def image(self, x, y, width, height, pixels) -> None:
        """Draw an image, every pixel of it with sharp edges.

        Args:
            pixels: numpy array of floats in 0 to 1, [H, W] for grey values or [H, W, 3].
        """
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray((255 * pixels).round().astype("uint8")).save(buffer, format="PNG")
        self._parts.append(
            f'<image x="{x:.6g}" y="{y:.6g}" width="{width:.6g}" height="{height:.6g}" '
            'preserveAspectRatio="none" style="image-rendering:pixelated" '
            f'href="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"/>'
        )

    def framed(self, x, y, side, pixels, color=DARK, line=1.0) -> None:
        """Draw an image into a square, not stretched, and a frame around it."""
        cell = side / max(pixels.shape[:2])
        place = (x, y, cell * pixels.shape[1], cell * pixels.shape[0])
        self.image(*place, pixels)
        self.box(*place, color, fill="none", line=line)

    def picture(self, alt: str, title: str = "") -> Picture:
        """Return the picture, which ``alt`` puts into words, with a title above the sheet."""
        drawn, height = "".join(self._parts), self.height
        page = Sheet(self.width, height + TITLE) if title else Sheet(self.width, height)
        page.box(0, 0, page.width, page.height, fill="white", edge="none")
        if title:
            page.words(4, 18, title, bold=True)
            drawn = f'<g transform="translate(0 {TITLE})">{drawn}</g>'
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{page.width:g}" '
            f'height="{page.height:g}" viewBox="0 0 {page.width:g} {page.height:g}" '
            f'font-family="{FONT}"><defs>{HATCH.format(color=self._hatch)}</defs>'
            f"{''.join(page._parts)}{drawn}</svg>"
        )
        return Picture(svg.encode(), alt, "image/svg+xml")

    def show(self, alt: str, title: str = "") -> None:
        """Display the picture as a cell's output."""
        self.picture(alt, title).show()


def message(text: str) -> Picture:
    """Return a sheet that says why there is nothing to draw."""
    sheet = Sheet(WIDTH, 60)
    sheet.words(WIDTH / 2, 36, text, align="middle")
    return sheet.picture(text)
