"""``python -m docs.take_pictures``: the README's two pictures, taken in JupyterLab anew.

An explorer after a few moves, and what a check says to a wrong answer at the second try. Needs a
Chromium, as the browser tests do. What is seen is drawn by this repository: no dataset is touched.
"""

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

from tests.browser.explorers import write_scratch
from tests.browser.lab import LIGHT, notebook_alone

PICTURES = Path(__file__).parent / "pictures"
VIEWPORT = {"width": 1240, "height": 900}
LIMIT = 150_000  # bytes of a picture
EXPLORER = "widgets.receptive_fields((3, 3, 3), (1, 2, 1))"
WRONG_SOFTMAX = """def softmax(z):
    exponentials = torch.exp(z)
    return exponentials / exponentials.sum(dim=0)"""
# Cells, by their place in the notebook; the wrong answer fails once before it is shown.
CELLS = [
    "import torch\nfrom labutils.checks import check",
    EXPLORER,
    f"{WRONG_SOFTMAX}\n\n_ = check.softmax(softmax)",
    WRONG_SOFTMAX,
    "softmax = check.softmax(softmax)",
]


def take(cells: list[Locator], path: Path) -> None:
    """Save neighbouring cells without their prompts, in few colours and bytes.

    Raises:
        RuntimeError: the picture is larger than ``LIMIT``.
    """
    top, editor = cells[0].bounding_box(), cells[0].locator(".jp-Editor").bounding_box()
    last = cells[-1].bounding_box()
    clip = {"x": editor["x"] - 6, "y": top["y"], "width": editor["width"] + 12}
    clip["height"] = last["y"] + last["height"] - top["y"]
    picture = Image.open(io.BytesIO(cells[0].page.screenshot(clip=clip))).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > LIMIT:
        raise RuntimeError(f"{path.name} has {size:,} bytes, {LIMIT:,} are allowed")
    print(f"{path.name}: {picture.width} x {picture.height}, {size:,} bytes")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with notebook_alone(viewport=VIEWPORT, device_scale_factor=1.5) as notebook:
        notebook.open(write_scratch(notebook.lab.folder, CELLS))
        notebook.use_theme(LIGHT)
        notebook.run_all()
        notebook.page.locator(".labutils-screen img").wait_for()
        notebook.show_whole()
        # The cell that is selected has a frame and buttons: let it be the first one.
        notebook.page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
        cells = notebook.page.locator(".jp-Notebook .jp-Cell").all()
        take(cells[2:3], PICTURES / "explorer.png")
        take(cells[4:6], PICTURES / "feedback.png")
        notebook.close()


if __name__ == "__main__":
    main()
