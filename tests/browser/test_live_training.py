"""A training watched in JupyterLab, and stopped by its button while the cell runs."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.explorers import write_scratch
from tests.browser.lab import DARK, LIGHT

# Somebody watches; a batch takes 20 ms on every machine.
PREPARE = """import os, time
os.environ.pop("CI", None)
os.environ["LABUTILS_BUDGET"] = "cpu"
import torch
from torch import nn
from labutils import training
from labutils.training import load_reference

class Slow:
    def __init__(self, num_batches):
        self.num_batches = num_batches
    def __len__(self):
        return self.num_batches
    def __iter__(self):
        for _ in range(self.num_batches):
            time.sleep(0.02)
            yield torch.rand(8, 3, 4, 4), torch.arange(8)

model = nn.Sequential(nn.Flatten(), nn.Linear(48, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"""
TRAIN = """with widgets.live_training(load_reference("vgg11_cpu")) as live:
    history = training.fit(
        model, Slow(50), Slow(5), optimizer=optimizer, num_epochs=EPOCHS, on_batch=live
    )"""
NEXT = 'print(len(history), "epochs,", "training" if model.training else "evaluating")'


def start(notebook, num_epochs: int):
    """Run the cells of such a training without waiting; return the output of its cell."""
    cells = [PREPARE, TRAIN.replace("EPOCHS", str(num_epochs)), NEXT]
    notebook.open(write_scratch(notebook.lab.folder, cells))
    notebook.start_all()
    notebook.page.locator(".labutils-screen").wait_for(timeout=60_000)
    cell = notebook.page.locator(".jp-CodeCell").filter(has_text="live_training")
    return cell.locator(".jp-Cell-outputArea")


def printed(notebook, cell: int) -> str:
    outputs = notebook.cells()[cell]["outputs"]
    return "".join("".join(output.get("text", "")) for output in outputs)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_button_stops_a_running_cell_and_keeps_what_was_learned(notebook, key):
    output = start(notebook, num_epochs=1000)
    status = output.get_by_role("status")
    # A busy machine draws seldom, and may pass over an epoch.
    expect(status).to_contain_text(
        re.compile(r"After epoch ([2-9]|\d\d+) of 1000: mean loss"), timeout=60_000
    )
    expect(output).to_contain_text(re.compile(r"epoch \d+ of 1000 · batch \d+ of 50 · about"))
    output.get_by_role("button", name="Stop training").focus()
    notebook.page.keyboard.press(key)
    notebook.page.wait_for_function("window.allRun", timeout=15_000)
    notebook.wait_for_idle()

    said = printed(notebook, 2)
    found = re.search(r"Stopped by you in epoch (\d+) of 1000, after \d+ batches\.", said)
    whole = int(found[1]) - 1
    assert whole >= 2 and said.count("· training loss") == whole
    assert printed(notebook, 3) == f"{whole} epochs, evaluating\n"
    assert notebook.errors() == [] and notebook.console == []

    # What a saved notebook keeps is a picture, no widget.
    bundle = notebook.cells()[2]["outputs"][0]["data"]
    assert sorted(bundle) == ["image/svg+xml", "text/html", "text/plain"]
    expect(output.locator("img")).to_have_count(1)
    assert f"over {whole} epochs" in output.locator("img").get_attribute("alt")
    expect(output.get_by_role("button", name="Stop training")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 800])
def test_everyone_can_read_a_running_training(notebook, width):
    notebook.page.set_viewport_size({"width": width, "height": 900})
    output = start(notebook, num_epochs=1000)
    expect(output.get_by_role("status")).to_contain_text("After epoch", timeout=60_000)
    for theme in (LIGHT, DARK):
        notebook.use_theme(theme)
        output.scroll_into_view_if_needed()
        assert violations(notebook.page, ".jp-Cell-outputArea") == []
        assert output.evaluate("area => area.scrollWidth <= area.clientWidth")
    output.get_by_role("button", name="Stop training").press("Enter")
    notebook.page.wait_for_function("window.allRun", timeout=15_000)


def test_a_training_that_ends_by_itself_leaves_its_picture(notebook):
    output = start(notebook, num_epochs=3)
    notebook.page.wait_for_function("window.allRun", timeout=60_000)
    alt = output.locator("img").get_attribute("alt")
    # A band, as vgg11_cpu has several seeds.
    assert "in 3 of 3 epochs" in alt and "the reference band (" in alt
    assert output.get_by_role("button").count() == 0
    assert printed(notebook, 3) == "3 epochs, evaluating\n"
    assert notebook.errors() == [] and notebook.console == []
