"""A sheet of boxes, lines, words and images, for the pictures of explorers.

It is written as SVG, in about a millisecond; the same in matplotlib takes a tenth of a second,
too long for a picture that follows a slider. Colours are those of the series.
"""

import base64
import io
from html import escape

from .figure import DARK, LIGHT, Picture

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
WIDTH = 620  # pixels: it is still read when a narrow window shrinks it
SIZE = 14  # pixels, of words
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
        self._parts = [f"<defs>{HATCH.format(color=hatch)}</defs>"]
        self.box(0, 0, width, height, fill="white", edge="none")

    def box(self, x, y, width, height, color=DARK, *, fill="", edge="", line=1.0, dash="") -> None:
        """Draw a rectangle: light inside, dark edge; ``fill="hatch"`` or ``"none"`` for others."""
        inside = "url(#hatch)" if fill == "hatch" else fill or LIGHT[color]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<rect x="{x:.6g}" y="{y:.6g}" width="{width:.6g}" height="{height:.6g}" '
            f'fill="{inside}" stroke="{edge or color}" stroke-width="{line:.3g}"{dashes}/>'
        )

    def line(self, x1, y1, x2, y2, color=DARK, width=1.0, dash="") -> None:
        """Draw a straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<path d="M{x1:.6g} {y1:.6g}L{x2:.6g} {y2:.6g}" stroke="{color}" '
            f'stroke-width="{width:.3g}"{dashes}/>'
        )

    def curve(self, points, color=DARK, width=1.0) -> None:
        """Draw straight from point to point, ``(x, y)`` each."""
        places = "L".join(f"{x:.6g} {y:.6g}" for x, y in points)
        if places:
            self._parts.append(
                f'<path d="M{places}" fill="none" stroke="{color}" stroke-width="{width:.3g}" '
                'stroke-linejoin="round"/>'
            )

    def words(self, x, y, text, *, align="start", size=SIZE, bold=False, color="black") -> None:
        """Write on the baseline ``y`` from ``x`` on, around it (``"middle"``) or up to it."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.6g}" y="{y:.6g}" font-size="{size}" text-anchor="{align}" '
            f'fill="{color}"{weight}>{escape(str(text))}</text>'
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

    def picture(self, alt: str) -> Picture:
        """Return the picture, which ``alt`` puts into words."""
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" '
            f'height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'font-family="{FONT}">{"".join(self._parts)}</svg>'
        )
        return Picture(svg.encode(), alt, "image/svg+xml")


def message(text: str) -> Picture:
    """Return a sheet that says why there is nothing to draw."""
    sheet = Sheet(WIDTH, 60)
    sheet.words(WIDTH / 2, 36, text, align="middle")
    return sheet.picture(text)
