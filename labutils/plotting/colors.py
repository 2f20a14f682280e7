"""The colours of the series, safe for the colour-blind, and the marks that stand in for them."""

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#C65500", "#008A64", "#A8578A"
DARK, OLIVE = "#404040", "#8A6D00"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, DARK, OLIVE)
_PALE = ("#CFE3F1", "#F6DCC8", "#CDE8DF", "#ECDAE5", "#E4E4E4", "#EEE7C8")
LIGHT = dict(zip(COLORS, _PALE, strict=True))  # of each colour, for areas
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++")
REFERENCE = "#6B6B6B"
