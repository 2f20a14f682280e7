"""The Inception module with widths of one's own, beside the naive one that has no reductions."""

from labutils.plotting.colors import BLUE, GREEN, ORANGE, PURPLE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet
from labutils.plotting.words import count, listing, sentences

from .controls import slider
from .explorer import Explorer, View

BRANCHES = {"1×1": BLUE, "3×3": ORANGE, "5×5": GREEN, "pool": PURPLE}
CONTROLS = {  # by the name of the width, what its slider is called
    "c1": "1×1",
    "r3": "reduction before 3×3",
    "c3": "3×3",
    "r5": "reduction before 5×5",
    "c5": "5×5",
    "pool": "1×1 after the pool",
}
WIDEST = 512  # channels
EDGE, NAMES, BAR, ROW = 4, 70, 24, 84  # pixels: at the left, for a bar's name, its height, a group


def inception(in_channels=256, widths=(128, 128, 192, 32, 96, 64), side=28) -> Explorer:
    """Six widths of an Inception module -> its weights, its work and its output's channels.

    Beside them those of the naive module: 3×3 and 5×5 as wide, but on all of the input, and the
    pool's channels as they are. It begins with GoogLeNet's module 3b.

    Args:
        in_channels, side: of the input, ``[in_channels, side, side]``.
        widths: it begins with, ``(c1, r3, c3, r5, c5, pool)``.
    """

    def draw(**chosen) -> View:
        return _beside_the_naive(in_channels, tuple(chosen.values()), side)

    controls = {
        key: slider(name, 1, WIDEST, width)
        for (key, name), width in zip(CONTROLS.items(), widths, strict=True)
    }
    rows = [["c1", "pool"], ["r3", "c3"], ["r5", "c5"]]
    return Explorer("The Inception explorer", controls, draw, rows=rows)


def costs(in_channels: int, widths) -> dict[str, tuple[list[int], list[int]]]:
    """Return (channels, weights without biases) of the four branches: ours and the naive ones."""
    c1, r3, c3, r5, c5, pool = widths
    ours = [
        in_channels * c1,
        in_channels * r3 + 9 * r3 * c3,
        in_channels * r5 + 25 * r5 * c5,
        in_channels * pool,
    ]
    naive = [in_channels * c1, 9 * in_channels * c3, 25 * in_channels * c5, 0]
    return {"yours": ([c1, c3, c5, pool], ours), "naive": ([c1, c3, c5, in_channels], naive)}


def _beside_the_naive(in_channels, widths, side) -> View:
    both = costs(in_channels, widths)
    channels, weights = zip(*both.values(), strict=True)
    groups = {
        "weights": weights,
        f"multiply-accumulates, on maps of {side}×{side}": [
            [side**2 * one for one in branches] for branches in weights
        ],
        f"channels that come out, of {in_channels} that went in": channels,
    }
    lines = []
    for name, *parts in zip(both, *groups.values(), strict=True):
        cost, work, out = (f"{sum(part):,}" for part in parts)
        lines.append(
            f"{name.capitalize()}: {cost} weights, {work} multiply-accumulates, {out} channels."
        )
    ratio = sum(weights[1]) / sum(weights[0])
    lines.append(f"The naive module does {ratio:.1f} times the work.")
    return View(_bars(groups, list(both)), "\n".join(lines))


def _bars(groups, names) -> Picture:
    """Draw, for each group, a bar for each name, its four branches in their colours."""
    top = 34
    sheet = Sheet(WIDTH, top + ROW * len(groups))
    x = EDGE
    for branch, color in BRANCHES.items():
        sheet.box(x, 6, 14, 14, color)
        sheet.words(x + 20, 18, branch)
        x += 80
    said = []
    for title, parts in groups.items():
        sheet.words(EDGE, top + 14, title, bold=True)
        scale = (WIDTH - NAMES - 80) / max(map(sum, parts))
        for row, (name, branches) in enumerate(zip(names, parts, strict=True)):
            y, x = top + 22 + row * (BAR + 4), NAMES
            sheet.words(EDGE, y + 17, name)
            for color, part in zip(BRANCHES.values(), branches, strict=True):
                sheet.box(x, y, scale * part, BAR, color)
                x += scale * part
            sheet.words(x + 6, y + 17, count(sum(branches)))
            shares = listing(
                f"{branch} {count(part)}" for branch, part in zip(BRANCHES, branches, strict=True)
            )
            said.append(f"{title}, {name}: {count(sum(branches))} ({shares})")
        top += ROW
    return sheet.picture(sentences("Bars of an Inception module and the naive one", *said))
