"""Every explorer is played with in JupyterLab by keyboard alone, and read by axe-core."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.explorers import EXPLORERS, open_scratch, range_of
from tests.browser.lab import DARK, LIGHT, NotebookPage

BROKEN = """from labutils.plotting.sheet import message
from labutils.widgets.controls import slider


def draw(value):
    if value > 1:
        raise ValueError("two is too much.")
    return widgets.View(message(f"A picture of {value}"), f"value {value}")


widgets.Explorer("The broken explorer", {"value": slider("value", 0, 9, 0)}, draw)"""


@pytest.fixture(scope="module")
def played(browser, lab):
    """All explorers and a broken one, by name, in one notebook; and the notebook."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    notebook = NotebookPage(page, lab)
    cells = [row.cell for row in EXPLORERS.values()]
    explorers = open_scratch(notebook, [*cells, BROKEN])
    yield notebook, dict(zip([*EXPLORERS, "broken"], explorers, strict=True))
    notebook.close()
    page.close()


def seen(explorer) -> list[str]:
    """What the picture shows, its alt text, and the text below it."""
    return explorer.locator(".labutils-screen").evaluate(
        "screen => [screen.querySelector('img').src, screen.querySelector('img').alt, "
        "screen.querySelector('[role=status]').textContent]"
    )


def expect_other(explorer, before: list[str]) -> None:
    """Wait until picture, alt text and text are all others than before."""
    for _ in range(100):
        if all(new != old for new, old in zip(seen(explorer), before, strict=True)):
            return
        explorer.page.wait_for_timeout(50)
    pytest.fail(f"nothing changed within 5 seconds: {before[1:]}")


@pytest.mark.parametrize("name", EXPLORERS)
def test_keys_on_the_slider_and_on_its_number_box_change_picture_and_text(played, name):
    notebook, explorers = played
    explorer, slider = explorers[name], EXPLORERS[name].slider
    control = range_of(explorer, slider)
    box = explorer.get_by_role("spinbutton", name=slider, exact=True)
    for where, key in ((control, "ArrowRight"), (box, "ArrowDown"), (control, "End")):
        before = seen(explorer)
        where.focus()
        notebook.page.keyboard.press(key)
        expect_other(explorer, before)
        expect(box).to_have_value(control.input_value())
    assert control.input_value() == control.get_attribute("max")
    before = seen(explorer)
    box.fill(box.get_attribute("min"))
    notebook.page.keyboard.press("Enter")
    expect_other(explorer, before)
    assert notebook.errors() == []


def test_a_held_key_ends_at_the_right_picture(played):
    notebook, explorers = played
    explorer = explorers["convolution"]
    control = range_of(explorer, "window")
    control.focus()
    notebook.page.keyboard.press("Home")
    for _ in range(40):
        notebook.page.keyboard.press("ArrowRight")
    expect(explorer.get_by_role("status")).to_contain_text("Window 41 of", timeout=5000)
    assert "row 2, column 9 of" in explorer.locator("img").get_attribute("alt")  # 32 a row


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_buttons_are_pressed_by_keyboard(played, key):
    notebook, explorers = played
    explorer = explorers["convolution"]
    for button, window in (("Next window", 2), ("Previous window", 1)):
        range_of(explorer, "window").focus()
        notebook.page.keyboard.press("Home" if window == 2 else "Shift")
        expect(explorer.get_by_role("status")).to_contain_text(f"Window {3 - window} of")
        explorer.get_by_role("button", name=button).focus()
        notebook.page.keyboard.press(key)
        expect(explorer.get_by_role("status")).to_contain_text(f"Window {window} of")


def test_a_list_is_chosen_from_by_keyboard(played):
    notebook, explorers = played
    explorer = explorers["cross-entropy"]
    before = seen(explorer)
    explorer.get_by_role("combobox", name="target p").focus()
    notebook.page.keyboard.press("ArrowDown")
    expect_other(explorer, before)


def test_a_fault_in_a_callback_is_told_in_the_explorer_and_in_the_console(played):
    notebook, explorers = played
    explorer = explorers["broken"]
    range_of(explorer, "value").focus()
    notebook.page.keyboard.press("End")
    alert = explorer.get_by_role("alert")
    expect(alert).to_contain_text("ValueError: two is too much.")
    assert any("two is too much" in line for line in notebook.console)
    notebook.page.keyboard.press("Home")
    expect(alert).to_be_hidden()
    notebook.console.clear()


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_everyone_can_read_it_and_nothing_is_cut_off(played, theme, width):
    notebook, explorers = played
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.use_theme(theme)
    notebook.show_whole()
    assert violations(notebook.page, ".jp-Cell-outputArea") == []
    for name, explorer in explorers.items():
        inside = explorer.evaluate("area => area.scrollWidth <= area.clientWidth")
        assert inside, f"{name} is wider than its output area"
    assert notebook.console == []


def test_a_stored_notebook_shows_the_picture_until_it_is_run(notebook):
    notebook.open("solutions/01_softmax_cross_entropy.ipynb")
    call = re.compile(r"widgets\.softmax\(\)")
    cell = notebook.page.locator(".jp-CodeCell").filter(has_text=call)
    picture = cell.locator(".jp-OutputArea-output img")
    expect(picture).to_have_count(1)
    assert "softmax cat 0.56" in picture.get_attribute("alt")
    assert "Loading widget" not in cell.inner_text()
    notebook.run_all()
    expect(cell.locator(".labutils-screen")).to_have_count(1)
    expect(cell.locator(".jp-OutputArea-output img")).to_have_count(1)  # not both
