"""The colours of the series, safe for the colour-blind, and the marks that stand in for them."""

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#C65500", "#008A64", "#A8578A"
DARK, OLIVE = "#404040", "#8A6D00"
COLORS = (BLUE, ORANGE, GREEN, PURPLE, DARK, OLIVE)
LIGHT = {
    BLUE: "#CFE3F1",
    ORANGE: "#F6DCC8",
    GREEN: "#CDE8DF",
    PURPLE: "#ECDAE5",
    DARK: "#E4E4E4",
    OLIVE: "#EEE7C8",
}
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++")
REFERENCE = "#6B6B6B"
