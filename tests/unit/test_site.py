"""The exported site: what its pages hold, and that bad input leaves nothing half written."""

import argparse
import os
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from labutils.course import pages, site

from .test_plotting import contrast

PICTURE = '<img src="data:image/png;base64,AAAA" alt="A curve that falls">'
WIDGET = "application/vnd.jupyter.widget-view+json"


def _notebook(prose="# 01 · First\n\nAbout it.\n\n## One", source="print(1)", outputs=None):
    v4 = nbformat.v4
    if outputs is None:
        outputs = [v4.new_output("stream", text="1\n")]
    code = v4.new_code_cell(source, outputs=outputs)
    return v4.new_notebook(cells=[v4.new_markdown_cell(prose), code])


@pytest.fixture
def folder(tmp_path):
    """A series of two notebooks."""
    solutions = tmp_path / "notebooks" / "solutions"
    solutions.mkdir(parents=True)
    nbformat.write(_notebook(), solutions / "01_first.ipynb")
    nbformat.write(_notebook("# 02 · Second\n\nMore.\n\n## Two"), solutions / "02_second.ipynb")
    return solutions.parent


def _run(folder: Path, out: Path, **options) -> int:
    options = {"no_pdf": True} | options
    return site.main(argparse.Namespace(notebooks=folder, out=out, **options))


def _tree(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def _body(**notebook) -> BeautifulSoup:
    return BeautifulSoup(pages.make_page("01", _notebook(**notebook)).body, "html.parser")


def test_a_site_has_an_index_and_pages_that_lead_to_their_neighbours(folder, tmp_path):
    assert _run(folder, tmp_path / "site") == 0
    index = _tree(tmp_path / "site" / "index.html")
    assert [a["href"] for a in index.table.find_all("a")] == ["01_first.html", "02_second.html"]
    assert "About it." in index.table.get_text()
    second = _tree(tmp_path / "site" / "02_second.html")
    assert [a["href"] for a in second.header.find_all("a")] == ["01_first.html", "index.html"]
    assert second.find("a", href="#Two") and second.find("h2", id="Two")
    assert second.find("a", class_="skip")["href"] == "#content"


def test_a_page_asks_for_nothing_but_its_style_sheet_and_runs_nothing(folder, tmp_path):
    _run(folder, tmp_path / "site")
    for path in (tmp_path / "site").glob("*.html"):
        tree = _tree(path)
        assert tree.find_all(["script", "iframe", "object", "embed"]) == []
        links = [link["href"] for link in tree.find_all("link")]
        assert links == ["data:,", "style.css"]
    assert "url(" not in (tmp_path / "site" / "style.css").read_text("utf-8")


def test_formulas_become_mathml():
    body = _body(prose="# T\n\nThe loss $-\\log q_t$.\n\n$$ \\frac{a}{b} $$\n")
    assert body.p.math.mi.get_text() == "log"
    assert body.select_one(".formula math")["display"] == "block"
    assert "$" not in body.get_text() and "\\" not in body.get_text()


def test_a_table_in_an_exercise_card_is_a_table():
    body = _body(prose="# T\n\n> **Exercise**\n>\n> | layer | size |\n> |---|---|\n> | a | 1 |\n")
    assert [cell.get_text() for cell in body.blockquote.find_all("th")] == ["layer", "size"]


@pytest.mark.parametrize(
    ("latex", "spaces"),
    [(r"p \log q", 2), (r"\log(q)", 0), (r"-\log q", 1), (r"\log_2 q", 0), (r"x_{\log}", 0)],
)
def test_a_functions_name_is_set_off_as_in_latex(latex, spaces):
    tree = BeautifulSoup(pages.to_mathml(latex), "html.parser")
    assert len(tree.find_all("mspace")) == spaces
    assert all(len(sub.find_all(recursive=False)) == 2 for sub in tree.find_all("msub"))


@pytest.mark.parametrize("latex", [r"\frac{1}", r"\nosuchcommand x", r"\left( 1"])
def test_a_formula_that_cannot_be_read_is_named(latex):
    with pytest.raises(pages.FormulaError) as error:
        pages.to_mathml(latex)
    assert latex in str(error.value)


def test_the_marks_of_the_solution_stay_out():
    source = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
    text = _body(source=source).find(class_="input").get_text()
    assert "return 1" in text and "SOLUTION" not in text


def test_a_picture_keeps_its_alt_text_and_an_explorer_its_picture():
    data = {WIDGET: {"model_id": "x"}, "text/html": PICTURE, "image/png": "AAAA", "text/plain": "t"}
    output = nbformat.v4.new_output("display_data", data)
    body = _body(outputs=[output])
    assert [img["alt"] for img in body.find_all("img")] == ["A curve that falls"]
    assert body.script is None and "model_id" not in str(body)


def test_code_can_be_read_in_both_colour_schemes():
    from pygments.styles import get_style_by_name

    for style, ground in ((pages.LIGHT_CODE, "#f6f6f6"), (pages.DARK_CODE, "#1e1e1e")):
        assert f"--soft: {ground}" in pages.style_sheet()
        for token, look in get_style_by_name(style):
            if look["color"] and not str(token).startswith(("Token.Generic", "Token.Error")):
                assert contrast(f"#{look['color']}", ground) >= 4.5, (style, token)


def test_an_earlier_site_is_replaced_whole(folder, tmp_path):
    out = tmp_path / "site"
    _run(folder, out)
    (folder / "solutions" / "02_second.ipynb").unlink()
    assert _run(folder, out) == 0
    assert {path.name for path in out.iterdir()} == {"01_first.html", "index.html", "style.css"}


# What is said, and the text of the second notebook.
BAD_NOTEBOOKS = {
    "02_second": '{"cells": [',
    "make solutions": nbformat.writes(_notebook(outputs=[])),
    "heading": nbformat.writes(_notebook("No heading.")),
    "frac": nbformat.writes(_notebook("# T\n\n$\\frac{1}$")),
}


@pytest.mark.parametrize("word", [*BAD_NOTEBOOKS, "no notebook"])
def test_bad_input_is_named_and_the_earlier_site_stays(folder, tmp_path, capsys, word):
    out = tmp_path / "site"
    _run(folder, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for path in folder.rglob("*.ipynb"):
        if word not in BAD_NOTEBOOKS:
            path.unlink()
        elif path.stem == "02_second":
            path.write_text(BAD_NOTEBOOKS[word], "utf-8")
    assert _run(folder, out) == 2
    said = capsys.readouterr().err
    assert word in said and "Traceback" not in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_is_no_site_is_left_alone(folder, tmp_path, capsys):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "index.html").write_text("<title>My thesis</title>")
    assert _run(folder, out) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert (out / "index.html").read_text("utf-8") == "<title>My thesis</title>"


def test_a_place_that_cannot_be_written_is_named(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert _run(folder, tmp_path / "file") == 2
    assert _run(folder, tmp_path / "file" / "site") == 2
    assert capsys.readouterr().err.count("file") >= 2


def test_without_chromium_the_pages_are_made_and_it_is_said(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(site, "find_chromium", lambda: None)
    assert _run(folder, tmp_path / "site", no_pdf=False) == 0
    assert "No PDF handouts" in capsys.readouterr().out
    assert _tree(tmp_path / "site" / "index.html").find("a", string="PDF") is None


def test_a_browser_that_prints_nothing_is_named_with_what_it_said(
    folder, tmp_path, capsys, monkeypatch
):
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    os.chmod(fake, 0o755)
    monkeypatch.setattr(site, "find_chromium", lambda: str(fake))
    assert _run(folder, tmp_path / "site", no_pdf=False) == 2
    said = capsys.readouterr().err
    assert "no display" in said and "--no-pdf" in said
    assert not (tmp_path / "site").exists()
