"""What the notebooks say can be read by everybody: by eye, by ear, and where nothing runs.

The browser tests see the same with axe; these need no browser, and look at the sources.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from labutils.course.pages import markdown_to_html

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.rglob("[0-9]*.ipynb"))
# Said of any picture, these say nothing about this one.
EMPTY_WORDS = (
    r"(an? |the )?(image|picture|plot|figure|graph|chart|diagram|screenshot)( of .{0,20})?\.?"
)

every_notebook = pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: str(path.relative_to(NOTEBOOKS))
)


@cache
def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@cache
def _prose(path: Path) -> BeautifulSoup:
    """Return all markdown cells, rendered as one page."""
    cells = [cell.source for cell in _read(path).cells if cell.cell_type == "markdown"]
    return BeautifulSoup("\n".join(markdown_to_html(cell) for cell in cells), "html.parser")


def _pictures(path: Path) -> list[dict]:
    """Return the data of every output that shows a picture."""
    outputs = [output for cell in _read(path).cells for output in cell.get("outputs", [])]
    data = [output.data for output in outputs if "data" in output]
    return [each for each in data if any(kind.startswith("image/") for kind in each)]


@every_notebook
def test_headings_are_in_order(path):
    levels = [int(heading.name[1]) for heading in _prose(path).find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    for before, after in zip(levels, levels[1:], strict=False):
        assert after <= before + 1, f"a heading of level {after} follows one of level {before}"


@every_notebook
def test_a_picture_of_the_prose_says_what_it_shows_and_is_no_formula(path):
    for picture in _prose(path).find_all("img"):
        alt = picture.get("alt", "")
        assert len(alt) > 10 and not re.fullmatch(EMPTY_WORDS, alt, re.I), picture
        assert not re.search("equation|formula|latex", f"{picture.get('src')} {alt}", re.I), picture


@every_notebook
def test_a_picture_of_an_output_says_what_it_shows(path):
    for data in _pictures(path):
        page = BeautifulSoup("".join(data.get("text/html", "")), "html.parser")
        alt = page.img and page.img.get("alt")
        assert alt, f"no alt text: {data.get('text/plain')}"
        assert len(alt.split()) >= 6 and not re.fullmatch(EMPTY_WORDS, alt, re.I), alt
        # Where no HTML is shown, the same words stand in its place.
        assert "".join(data["text/plain"]).startswith(alt)


def test_the_solved_notebooks_show_pictures():
    for path in PATHS:
        if path.parent.name == "solutions":
            assert _pictures(path), path


@every_notebook
def test_every_table_has_a_header_with_words_in_it(path):
    for table in _prose(path).find_all("table"):
        header = [cell.get_text(strip=True) for cell in table.find_all("th")]
        assert header and all(header), table


@every_notebook
def test_a_link_says_where_it_leads(path):
    for link in _prose(path).find_all("a", href=True):
        if "anchor-link" in link.get("class", []):  # nbconvert's own, at every heading
            continue
        words = link.get_text(strip=True) or (link.img and link.img.get("alt", ""))
        assert words and not re.fullmatch(r"(click )?(here|this|link|more)", words, re.I), link
        assert not words.startswith(("http:", "https:")), link
