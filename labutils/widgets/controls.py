"""What a reader turns: sliders with a number box, lists and buttons.

Each has a visible name, which is its accessible name too, and works with the keyboard alone. Two
are our own: ipywidgets' sliders have no name for a screen reader, and the arrow keys that its lists
need are taken by JupyterLab, which goes to the next cell.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import anywidget
import ipywidgets
from traitlets import Any, Float, Int, List, Unicode, Union, observe, validate

HERE = Path(__file__).parent
Controls = Mapping[str, ipywidgets.Widget]
Action = Callable[[Controls], None]  # what a button does, or what comes before a drawing
STYLE = (HERE / "explorer.css").read_text("utf-8")


def _number(start):
    return Union([Int(), Float()], default_value=start).tag(sync=True)


class Slider(anywidget.AnyWidget):
    """A slider paired with a number box; whole numbers where min, max and step are whole.

    A value beyond the range is moved to its end, also where the range itself changes.
    """

    _esm = (HERE / "slider.js").read_text("utf-8")
    _css = STYLE

    name = Unicode().tag(sync=True)
    min = _number(0)
    max = _number(10)
    step = _number(1)
    value = _number(0)

    @validate("value")
    def _in_range(self, proposal):
        value = min(max(proposal.value, self.min), self.max)
        whole = all(isinstance(number, int) for number in (self.min, self.max, self.step))
        return round(value) if whole else float(value)

    def set_range(self, low, high) -> None:
        """Change the ends, and the value with them where it would lie outside."""
        with self.hold_sync():
            self.min, self.max = low, high
            self.value = min(max(self.value, low), high)


def slider(name: str, low, high, value, step=1) -> Slider:
    """Return a slider and number box from ``low`` to ``high`` in steps of ``step``."""
    # The range comes first: the value is held to it.
    made = Slider(name=name, min=low, max=high, step=step)
    made.value = value
    return made


class Choice(anywidget.AnyWidget):
    """A list to choose from: texts on the screen, any values behind them."""

    _esm = (HERE / "choice.js").read_text("utf-8")
    _css = STYLE

    name = Unicode().tag(sync=True)
    texts = List(Unicode()).tag(sync=True)
    index = Int(0).tag(sync=True)
    values = List()  # these two stay with the kernel
    value = Any()

    @observe("index")
    def _chosen(self, change) -> None:
        self.value = self.values[change.new]

    @observe("value")
    def _set(self, change) -> None:
        self.index = self.values.index(change.new)


def choice(name: str, options: dict) -> Choice:
    """Return a list to choose from, values by text; the first one is chosen."""
    values = list(options.values())
    return Choice(name=name, texts=list(options), values=values, value=values[0])


def button(name: str) -> ipywidgets.Button:
    """Return a button; what a click does is given to the explorer, as its ``buttons``."""
    return ipywidgets.Button(description=name, layout={"width": "auto"})


def move(name: str, by: int) -> Action:
    """Return what a button does that moves a slider, which stops at its ends.

    Args:
        name: of the slider among the explorer's controls.
    """

    def clicked(controls) -> None:
        controls[name].value += by

    return clicked


def step_buttons(name: str) -> dict:
    """Return an explorer's ``buttons`` to the slider's previous and to its next value."""
    return {f"Previous {name}": move(name, -1), f"Next {name}": move(name, 1)}
