"""The exported series: every page walked offline in the browser, every handout opened."""

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from pypdf import PdfReader

from labutils.course.chromium import find_chromium
from labutils.course.site import build_site
from tests.browser.accessibility import violations
from tests.browser.lab import NOTEBOOKS

SOLUTIONS = NOTEBOOKS / "solutions"
# Every colour of code is held to its contrast by tests/unit/test_site.py; axe needs long for each.
CODE = [".highlight"]
NAMES = ["index", *sorted(path.stem for path in SOLUTIONS.glob("*.ipynb"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory, browser) -> Path:
    """The whole site with its handouts; needs ``browser`` only to be skipped where none is."""
    out = tmp_path_factory.mktemp("export") / "site"
    build_site(SOLUTIONS, out, find_chromium())
    return out


@pytest.fixture
def walk(page, site):
    """Open a page of the site offline; what it asks for elsewhere or does not get is a failure."""
    wrong = []
    inside = site.as_uri() + "/"
    page.context.set_offline(True)
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url[:200]}"))
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda line: line.type == "error" and wrong.append(f"says: {line.text}"))

    def handle(route):
        url = route.request.url
        if url.startswith((inside, "data:")):
            route.continue_()
        else:
            wrong.append(f"asks for {url[:200]}")
            route.abort()

    page.route("**/*", handle)

    def open_page(name: str, scheme: str = "light"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{inside}{name}.html")
        return page

    yield open_page
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_no_network_and_everyone_can_read_it(walk, name):
    page = walk(name)
    assert violations(page, exclude=CODE) == []
    pictures = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
    assert page.evaluate(pictures) == 0
    walk(name, "dark")
    assert violations(page, exclude=CODE, rules=["color-contrast"]) == []


@pytest.mark.parametrize("name", NAMES[1:])
def test_every_formula_is_drawn_and_nothing_is_left_as_source(walk, site, name):
    page = walk(name)
    # Code and what it prints may say $ and \n; prose may not.
    prose = page.evaluate(
        """() => {
            const copy = document.querySelector('main').cloneNode(true);
            copy.querySelectorAll('pre, code').forEach(element => element.remove());
            return copy.textContent;
        }"""
    )
    assert not re.search(r"\$|\\[a-zA-Z]", prose)
    assert not re.search(r"\|\s*:?---|\*\*|^#+ ", prose, re.M)  # markdown that was not understood
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('main math')].map(formula => {
            const box = formula.getBoundingClientRect();
            return [box.width, box.height];
        })"""
    )
    latex = len(re.findall(r"<math ", (site / f"{name}.html").read_text("utf-8")))
    assert len(sizes) >= latex > 0
    assert all(width > 3 and height > 3 for width, height in sizes)


def test_every_link_inside_leads_somewhere(walk, site):
    for name in NAMES:
        page = walk(name)
        links = page.evaluate("[...document.links].map(link => link.getAttribute('href'))")
        for link in links:
            if re.match(r"https?:", link):
                continue
            target, anchor = urldefrag(link)
            path = site / (target or f"{name}.html")
            assert path.is_file(), f"{name} links to {link}"
            if anchor:
                assert f'id="{unquote(anchor)}"' in path.read_text("utf-8"), f"{name}: {link}"


def test_the_series_can_be_walked_by_keyboard_from_the_index_to_its_end(walk, site):
    page = walk("index")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    seen = []
    while True:
        seen.append(Path(unquote(page.url)).stem)
        following = page.locator("header a[rel=next]")
        if not following.count():
            break
        following.focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
    assert seen == NAMES[1:]


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_no_page_is_wider_than_the_window(walk, width):
    for name in NAMES:
        page = walk(name)
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_handout_holds_the_whole_notebook(site, name):
    sheets = [sheet.extract_text() for sheet in PdfReader(site / f"{name}.pdf").pages]
    assert len(sheets) > 5
    text = unicodedata.normalize("NFKC", "".join("".join(sheets).split()))  # letters, no ligatures
    title = re.search(r"<h1[^>]*>(.*?)</h1>", (site / f"{name}.html").read_text("utf-8"))[1]
    assert text.startswith("".join(title.split()))
    assert "References" in text.rpartition("Summary")[2]
    assert "Allnotebooks" not in text  # navigation is for the screen
