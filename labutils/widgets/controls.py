"""What a reader turns: sliders with a number box, choices, switches and buttons.

Each has a visible name, which is its accessible name too, and works with the keyboard alone.
ipywidgets' own sliders have no name for a screen reader, so :class:`Slider` is our own.
"""

from pathlib import Path

import anywidget
import ipywidgets
from traitlets import Float, Int, Unicode, Union, validate

HERE = Path(__file__).parent
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
    """Answer with a slider and number box from ``low`` to ``high`` in steps of ``step``."""
    # The range comes first: the value is held to it.
    made = Slider(name=name, min=low, max=high, step=step)
    made.value = value
    return made


def choice(name: str, options, value=None) -> ipywidgets.Dropdown:
    """Answer with a list to choose from: texts, or a dictionary of values by text."""
    pairs = list(options.items()) if isinstance(options, dict) else [(str(o), o) for o in options]
    value = pairs[0][1] if value is None else value
    return ipywidgets.Dropdown(
        options=pairs, value=value, description=name, style={"description_width": "initial"}
    )


def switch(name: str, value: bool = False) -> ipywidgets.Checkbox:
    """Answer with a box to tick."""
    return ipywidgets.Checkbox(value=value, description=name, indent=False)


def button(name: str, hint: str = "") -> ipywidgets.Button:
    """Answer with a button; ``hint`` is shown over it, and must begin with what is written on it.

    Give it to an explorer's ``buttons``, with what a click does.
    """
    return ipywidgets.Button(description=name, tooltip=hint or name, layout={"width": "auto"})
