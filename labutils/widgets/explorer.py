"""The frame of every explorer: controls above, the picture below, and its numbers in words."""

import html
import traceback
from collections.abc import Callable, Mapping
from typing import NamedTuple

import anywidget
import ipywidgets
from traitlets import Unicode

from labutils.plotting.figure import Picture

from .controls import HERE, STYLE, Action, Controls, button

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class View(NamedTuple):
    """What an explorer shows: a picture, and a few lines that state its numbers."""

    picture: Picture
    text: str

    def mimebundle(self) -> dict:
        """Return an output that shows it without a kernel."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.text.splitlines())
        return {
            **self.picture,
            "text/html": self.picture["text/html"] + lines,
            "text/plain": f"{self.picture.alt}\n{self.text}",
        }


class Screen(anywidget.AnyWidget):
    """Picture, text and problem of an explorer, as the browser shows them.

    The elements stay the same when what they show changes, which is what lets a screen reader
    announce the new text.
    """

    _esm = (HERE / "screen.js").read_text("utf-8")
    _css = STYLE

    source = Unicode().tag(sync=True)  # of the <img>
    alt = Unicode().tag(sync=True)
    text = Unicode().tag(sync=True)
    problem = Unicode().tag(sync=True)
    trace = Unicode().tag(sync=True)  # goes to the browser's console

    def show(self, view: View) -> None:
        """Show a picture and its text, and no problem."""
        with self.hold_sync():  # one message, so that picture and text change together
            self.source, self.alt = view.picture.source, view.picture.alt
            self.text = view.text
            self.problem = self.trace = ""

    def fail(self, who: str, error: Exception, advice: str) -> None:
        """Say what went wrong above the picture, and where in the browser's console."""
        with self.hold_sync():
            what = f"{type(error).__name__}: {error}"
            self.problem = f"{who} cannot show this. {what} {advice}"
            self.trace = "".join(traceback.format_exception(error))


def live_output(box: ipywidgets.Widget, screen: Screen, view: View) -> tuple[dict, dict]:
    """Return data and metadata of a cell's output: the box, or the view where none can be shown.

    The metadata is anywidget's: Colab loads only those widgets of which an output says from where.
    """
    data, metadata = screen._repr_mimebundle_()
    widget = {**data[WIDGET_VIEW], "model_id": box.model_id}
    return {**view.mimebundle(), WIDGET_VIEW: widget}, metadata


class Explorer:
    """Controls, and a picture that follows them.

    The last line of a cell shows it. Where there is no kernel or no widget manager, the picture of
    the start state stands in its place, with its alt text and numbers.

    Args:
        title: its name, for messages.
        controls: by the name under which ``draw`` takes their values.
        draw: returns the :class:`View` of these values. Impossible values are its business: it
            says in words what does not fit.
        adjust: called with the controls before each drawing, for what depends on another control:
            a range, whether it is shown.
        buttons: by what is written on them, what a click does; it is handed the controls.
        rows: names of the controls row by row; by default all in one, which wraps where it must.
    """

    def __init__(
        self,
        title: str,
        controls: Controls,
        draw: Callable[..., View],
        *,
        adjust: Action | None = None,
        buttons: Mapping[str, Action] | None = None,
        rows: list[list[str]] | None = None,
    ):
        self.title = title
        self.controls = dict(controls)
        self.screen = Screen()
        self._draw, self._adjust = draw, adjust
        self._drawing = False
        self._start = self._view()  # a fault at the start is an error of the cell
        self.screen.show(self._start)
        for control in self.controls.values():
            control.observe(self._changed, "value")
        self.buttons = {}
        for name, action in (buttons or {}).items():
            self.buttons[name] = button(name)
            self.buttons[name].on_click(lambda _, action=action: self._update(action))
        self.box = ipywidgets.VBox([*self._rows(rows), self.screen])

    @property
    def values(self) -> dict:
        """The controls' values, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def _rows(self, rows) -> list[ipywidgets.Widget]:
        lines = [[self.controls[name] for name in row] for row in rows or [list(self.controls)]]
        if self.buttons:
            lines.append(list(self.buttons.values()))
        wrapping = {"flex_flow": "row wrap", "align_items": "flex-end"}
        return [ipywidgets.Box(line, layout=wrapping) for line in lines]

    def _view(self) -> View:
        if self._adjust:
            self._adjust(self.controls)
        return self._draw(**self.values)

    def _changed(self, _) -> None:
        if not self._drawing:  # a control moved by `adjust` or a button belongs to this drawing
            self._update()

    def _update(self, action: Action | None = None) -> None:
        """Act and draw; say in words what went wrong. The front end would lose the exception."""
        self._drawing = True
        try:
            if action:
                action(self.controls)
            self.screen.show(self._view())
        except Exception as error:
            advice = "The picture below is the last one that worked: move the control back, or run "
            self.screen.fail(self.title, error, advice + "the cell again.")
        finally:
            self._drawing = False

    def _repr_mimebundle_(self, **_) -> tuple[dict, dict]:
        """The live explorer; its start state as a picture and text where no widget can be shown."""
        return live_output(self.box, self.screen, self._start)
