"""The frame of the explorers: controls keep their range, faults are told, a picture stays."""

import sys
from types import SimpleNamespace

import nbformat
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_notebook, new_output
from torch import nn

from labutils import training, widgets
from labutils.course.notebook_text import as_text
from labutils.plotting.sheet import Sheet
from labutils.training import models
from labutils.widgets import live
from labutils.widgets.controls import choice, slider
from labutils.widgets.explorer import WIDGET_VIEW

# Every explorer, by name, as it is called in a notebook. (live_training is none: it goes around a
# training, and test_widgets_live.py looks at it.)
NAMES = [name for name, value in vars(widgets).items() if callable(value) and name.islower()]
EXPLORERS = {name: getattr(widgets, name) for name in NAMES if name != "live_training"} | {
    "network_walk": lambda: widgets.network_walk(models.cnn(), (3, 32, 32)),
    "feature_maps": lambda: widgets.feature_maps(nn.ReLU(), torch.eye(8).expand(2, 1, 8, 8)),
    "mistakes": lambda: widgets.mistakes(torch.zeros(2, 8, 8), [0, 1], [[0.1, 0.9]] * 2, "ab"),
    "gradients": lambda: widgets.gradients(torch.eye(16).expand(2, 3, 16, 16), torch.arange(2)),
}


def root_of(value: float) -> widgets.View:
    if value < 0:
        raise ValueError("no root of a negative number.")
    return widgets.View(Sheet(9, 9).picture(f"A sheet for {value}"), f"root {value**0.5:g}")


def roots(**more):
    return widgets.Explorer("The roots", {"value": slider("value", -9, 9, 4)}, root_of, **more)


def test_moving_a_control_changes_picture_and_text():
    explorer = roots()
    assert (explorer.screen.text, explorer.screen.alt) == ("root 2", "A sheet for 4")
    explorer.controls["value"].value = 9
    assert (explorer.screen.text, explorer.screen.alt) == ("root 3", "A sheet for 9")


def test_a_fault_is_told_in_the_explorer_and_gone_when_it_is_mended():
    explorer = roots()
    explorer.controls["value"].value = -1
    assert "ValueError: no root of a negative number." in explorer.screen.problem
    assert "Traceback" in explorer.screen.trace and "root_of" in explorer.screen.trace
    explorer.controls["value"].value = 1
    assert explorer.screen.problem == explorer.screen.trace == ""
    assert explorer.screen.text == "root 1"


def test_a_fault_of_a_button_is_told_too():
    def broken(controls):
        raise RuntimeError("the button is broken")

    explorer = roots(buttons={"Next": broken})
    explorer.buttons["Next"].click()
    assert "RuntimeError: the button is broken" in explorer.screen.problem


def test_a_fault_at_the_start_is_an_error_of_the_cell():
    with pytest.raises(ValueError, match="no root"):
        widgets.Explorer("The roots", {"value": slider("value", -9, 9, -4)}, root_of)


def test_a_button_moves_controls_and_draws_once():
    drawn = []

    def draw(value, other):
        drawn.append((value, other))
        return root_of(value)

    def both(controls):
        controls["value"].value, controls["other"].value = 1, 2

    controls = {"value": slider("value", 0, 9, 4), "other": slider("other", 0, 9, 0)}
    explorer = widgets.Explorer("The roots", controls, draw, buttons={"Both": both})
    explorer.buttons["Both"].click()
    assert drawn == [(4, 0), (1, 2)]


def test_adjust_changes_a_range_before_the_picture_is_drawn():
    def adjust(controls):
        controls["value"].set_range(0, controls["most"].value)

    controls = {"most": slider("most", 1, 9, 9), "value": slider("value", 0, 9, 9)}
    explorer = widgets.Explorer(
        "The roots", controls, lambda most, value: root_of(value), adjust=adjust
    )
    explorer.controls["most"].value = 4
    assert explorer.values == {"most": 4, "value": 4}
    assert explorer.screen.text == "root 2"


@pytest.mark.parametrize("given, held", [(99, 9), (-99, -9), (2.4, 2), (3, 3)])
def test_a_slider_keeps_to_its_range_and_to_whole_numbers(given, held):
    control = slider("value", -9, 9, 0)
    control.value = given
    assert control.value == held and isinstance(control.value, int)


def test_a_choice_gives_values_for_texts():
    control = choice("colour", {"red": 1, "blue": 2})
    assert (control.value, control.index, control.texts) == (1, 0, ["red", "blue"])
    control.index = 1  # as the browser sets it
    assert control.value == 2
    control.value = 1
    assert control.index == 0
    with pytest.raises(ValueError):
        control.value = "d"


@pytest.mark.parametrize("name", EXPLORERS)
def test_where_no_widget_can_be_shown_stand_picture_and_words(name):
    explorer = EXPLORERS[name]()
    bundle, metadata = explorer._repr_mimebundle_()
    assert metadata == {} and bundle[WIDGET_VIEW]["model_id"] == explorer.box.model_id
    assert "<img " in bundle["text/html"] and "<p>" in bundle["text/html"]
    assert explorer.screen.alt in bundle["text/plain"]
    assert explorer.screen.text in bundle["text/plain"]
    plain = [EXPLORERS[name]()._repr_mimebundle_()[0]["text/plain"] for _ in range(2)]
    assert plain == [bundle["text/plain"]] * 2  # no number of a model, nothing by chance
    assert explorer.box.model_id not in str({k: v for k, v in bundle.items() if k != WIDGET_VIEW})


@pytest.fixture
def on_colab(monkeypatch):
    """What Colab adds to the metadata of an output with a widget, so that it is shown."""
    url = "https://example.org/manager.js"
    output = SimpleNamespace(
        enable_custom_widget_manager=lambda: None, _widgets=SimpleNamespace(_installed_url=url)
    )
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    return {WIDGET_VIEW: {"colab": {"custom_widget_manager": {"url": url}}}}


@pytest.mark.parametrize("name", EXPLORERS)
def test_on_colab_an_explorer_in_a_cells_last_line_is_shown(name, on_colab):
    data, metadata = DisplayFormatter().format(EXPLORERS[name]())
    assert WIDGET_VIEW in data and metadata == on_colab


@pytest.mark.parametrize("subshells", [True, False])
def test_on_colab_a_training_is_shown_and_names_colabs_menu(subshells, on_colab, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data, more)))
    monkeypatch.setattr(live, "_has_subshells", lambda: subshells)
    monkeypatch.setattr(live, "_hear_while_busy", lambda button: None)
    watched = live.LiveTraining()
    watched(training.Progress(training.History(), [torch.tensor(1.0)], 1, 4))
    ((data, more),) = shown
    assert WIDGET_VIEW in data and more["metadata"] == on_colab
    (hint,) = [part.value for part in watched.box.children if hasattr(part, "value")]
    assert "Runtime &gt; Interrupt execution" in hint and "Kernel" not in hint


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_has_a_name(name):
    for control in EXPLORERS[name]().controls.values():
        assert getattr(control, "name", None) or control.description


def test_committed_notebooks_keep_the_picture_and_lose_the_widget(on_colab):
    data, metadata = widgets.softmax()._repr_mimebundle_()
    output = new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    notebook = new_notebook(cells=[new_code_cell("widgets.softmax()", outputs=[output])])
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    stored = nbformat.reads(as_text(notebook), as_version=4)
    assert set(stored.cells[0].outputs[0].data) == {"text/html", "text/plain", "image/svg+xml"}
    assert stored.cells[0].outputs[0].metadata == {}
    assert "widgets" not in stored.metadata
    assert WIDGET_VIEW in notebook.cells[0].outputs[0].data, "the notebook given is not changed"
