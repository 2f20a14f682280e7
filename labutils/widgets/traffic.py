"""The explorer of notebook 09: what several processes send at an update, and how long it takes."""

import math

from labutils.plotting.colors import BLUE, DARK, ORANGE
from labutils.plotting.figure import Picture
from labutils.plotting.sheet import WIDTH, Sheet
from labutils.plotting.words import listing, number, plural, sentences

from .controls import choice, slider
from .explorer import Explorer, View

# Parameters: of the series' networks, and of three of torchvision's beside them.
NETWORKS = {
    "CNN (notebook 03)": 11_642,
    "MLP (notebook 02)": 407_050,
    "GoogLeNet": 6_624_904,
    "VGG11 (notebook 04)": 9_225_610,
    "ResNet-18": 11_689_512,
    "ResNet-50": 25_557_032,
    "VGG16 (notebook 05)": 33_638_218,
    "AlexNet (notebook 06)": 62_378_344,
}
NAMES, TOP, ROW, BAR = 100, 44, 28, 20  # pixels
FASTEST, SLOWEST = 1e-6, 1e2  # seconds, the ends of the axis
TICKS = {1e-6: "1 µs", 1e-3: "1 ms", 1.0: "1 s", 1e2: "100 s"}


def all_reduce() -> Explorer:
    """Network, processes, bandwidth -> bytes that a process sends an update, and their seconds."""
    controls = {
        "network": choice("network", {name: name for name in reversed(NETWORKS)}),
        "processes": slider("processes", 1, 64, 2),
        "bandwidth": slider("bandwidth (Gbit/s)", 0.1, 100.0, 1.0, 0.1),
    }
    rows = [["network"], ["processes", "bandwidth"]]
    return Explorer("The all-reduce explorer", controls, _all_reduce, rows=rows)


def bytes_sent(parameters: int, processes: int) -> float:
    """Return the bytes that each process sends in a ring all-reduce of 32-bit gradients.

    Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
    workstations", JPDC 69(2), 2009.
    """
    return 2 * (processes - 1) / processes * 4 * parameters


def _all_reduce(network, processes, bandwidth) -> View:
    seconds = {
        name: 8 * bytes_sent(parameters, processes) / (1e9 * bandwidth)
        for name, parameters in NETWORKS.items()
    }
    parameters = NETWORKS[network]
    size = as_size(4 * parameters)
    text = (
        f"{network}: {parameters:,} gradients of 4 bytes are {size}.\n"
        f"Each of {plural(processes, 'process', 'processes')} sends "
        f"2 · ({processes} − 1) / {processes} · {size} = "
        f"{as_size(bytes_sent(parameters, processes))} an update.\n"
        f"At {number(bandwidth)} Gbit/s that takes {as_time(seconds[network])} at the least."
    )
    return View(_bars(seconds, network, processes, bandwidth), text)


def as_size(size: float) -> str:
    """Return bytes in the unit that suits them: ``1.5 MB``."""
    for limit, unit in ((1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            return f"{number(size / limit)} {unit}"
    return f"{number(size)} B"


def as_time(seconds: float) -> str:
    """Return seconds in the unit that suits them: ``12 ms``."""
    for unit, name in ((1, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{number(seconds / unit)} {name}"
    return f"{number(1e6 * seconds)} µs"


def _bars(seconds: dict[str, float], network: str, processes: int, bandwidth: float) -> Picture:
    """Draw the seconds of an update for every network on a logarithmic axis, one of them marked."""
    sheet = Sheet(WIDTH, TOP + ROW * len(seconds) + 8)
    scale = (WIDTH - NAMES - 80) / math.log10(SLOWEST / FASTEST)
    who = plural(processes, "process", "processes")
    sheet.words(4, 18, f"an update between {who} at {number(bandwidth)} Gbit/s", bold=True)
    for tick, name in TICKS.items():
        x = NAMES + scale * math.log10(tick / FASTEST)
        sheet.line(x, TOP - 5, x, TOP + ROW * len(seconds), DARK, 0.5)
        sheet.words(x, TOP - 8, name, align="middle", size=12)
    for place, (name, value) in enumerate(seconds.items()):
        top, chosen = TOP + place * ROW, name == network
        length = scale * math.log10(max(value, FASTEST) / FASTEST)
        sheet.words(NAMES - 8, top + 15, name.partition(" (")[0], align="end", bold=chosen)
        sheet.box(NAMES, top, length, BAR, ORANGE if chosen else BLUE)
        sheet.words(NAMES + length + 6, top + 15, as_time(value), bold=chosen)
    times = listing(f"{name} {as_time(value)}" for name, value in seconds.items())
    said = [
        f"Bars: the time that an update's bytes need between {who} at {number(bandwidth)} "
        f"Gbit/s, on a logarithmic axis: {times}",
        f"Marked: {network}",
    ]
    return sheet.picture(sentences(*said))
