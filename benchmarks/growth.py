"""How the cost of a training grows: with the number of images, the batch size, and the width.

Exercise 1's network on noise, every point a process of its own. Written to ``benchmarks.json`` and
drawn to ``growth.png`` beside it.
"""

from benchmarks import fresh
from benchmarks.rows import Scale
from labutils.plotting import figure
from labutils.plotting.colors import BLUE, ORANGE

START = {"images": 10_000, "batch_size": 64, "width": 1}
AXES = {
    "images": [2_500, 5_000, 10_000, 20_000, 40_000, 80_000],
    "batch_size": [8, 16, 32, 64, 128, 256, 512],
    "width": [1, 2, 4, 8, 16],
}
NAMES = {"images": "images", "batch_size": "batch size", "width": "width (times as many channels)"}
IMAGE_MB = 3072 / fresh.MEGABYTE


def measure(scale: Scale) -> dict:
    """Return the points ``[value, seconds, MB]`` along each axis, the better of two."""
    rounds = [
        {
            axis: [_point(scale, axis, value) for value in values[: scale.pick(len(values), 1)]]
            for axis, values in AXES.items()
        }
        for _ in range(scale.pick(2, 1))
    ]
    return {
        axis: [
            [float(f"{min(numbers):.4g}") for numbers in zip(*points, strict=True)]
            for points in zip(*(one[axis] for one in rounds), strict=True)
        ]
        for axis in AXES
    }


def _point(scale, axis, value) -> list[float]:
    settings = START | {axis: value}
    if scale.quick:
        settings["images"] = 4 * settings["batch_size"]
    out = fresh.run(**settings)
    return [value, out["seconds"], out["peak_mb"] if axis == "images" else out["program_mb"]]


def draw(points: dict, path) -> str:
    """Draw the points into a PNG; return its alt text."""
    from matplotlib.ticker import LogLocator

    with figure.series_style():
        fig, axes = figure.new_axes(2, 3, height=4.6)
        for column, (axis, line) in enumerate(points.items()):
            values, *numbers = zip(*line, strict=True)
            memory = "memory for the images, MB" if axis == "images" else "memory in all, MB"
            for row, title in enumerate(("seconds an epoch", memory)):
                panel = axes[3 * row + column]
                panel.plot(values, numbers[row], color=BLUE, marker="o", linestyle="-")
                panel.set_xscale("log")
                panel.set_xticks(values, [f"{value:,.0f}" for value in values], rotation=45)
                if row == 0 or axis == "images":
                    panel.set_yscale("log")
                    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                    panel.yaxis.set_major_formatter("{x:g}")
                else:
                    panel.set_ylim(0, 1.1 * max(numbers[row]))
                panel.minorticks_off()
                figure.panel_title(panel, title)
                panel.set_xlabel(NAMES[axis] if row else "")
            if axis == "images":
                sizes = [value * IMAGE_MB for value in values]
                figure.line(panel, values, sizes, ORANGE, linestyle="--")
                place = {"ha": "right", "va": "bottom", "color": ORANGE}
                figure.write(
                    panel, values[-1], sizes[0], "bytes of the images", away=(0, 4), **place
                )
        fig.savefig(path, dpi=figure.DPI, bbox_inches="tight")
    return words(points)


def words(points: dict) -> str:
    """Return what the picture shows, in numbers."""
    parts = []
    for axis, line in points.items():
        (low, quick, small), (high, slow, large) = line[0], line[-1]
        parts.append(
            f"{NAMES[axis].capitalize()} from {low:,.0f} to {high:,.0f}: an epoch from "
            f"{quick:.2g} to {slow:.2g} s, memory from {small:,.0f} to {large:,.0f} MB."
        )
    return " ".join(parts)


def markdown(points: dict) -> list[str]:
    """Return the report's paragraphs."""
    text = (
        f"Exercise 1's network, from {START['images']:,} images, batch {START['batch_size']}, "
        "8 and 16 channels on; every point a fresh process."
    )
    return ["## How cost grows", text, f"![{words(points)}](growth.png)", words(points)]
