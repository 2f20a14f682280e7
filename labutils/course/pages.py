"""A solved notebook as one HTML page that needs nothing but itself and the site's style sheet.

nbconvert turns cells into HTML; formulas become MathML here, so that no script has to draw them.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import latex2mathml.converter
from bs4 import BeautifulSoup
from mistune.plugins.table import table_in_list, table_in_quote
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from labutils.course.notebook_text import without_widgets

FILES = Path(__file__).parent / "site_files"
# The light and the dark colours of code: of Pygments' styles, these have a contrast of at least
# 4.5 in every colour (xcode on #f6f6f6, monokai on #1e1e1e).
LIGHT_CODE, DARK_CODE = "xcode", "monokai"
# Of an output's forms the first that is there.
SHOWN = ["text/html", "text/markdown", "image/png", "text/plain"]
# How many parts these elements of MathML have.
CHILDREN = dict.fromkeys(("mfrac", "msub", "msup", "munder", "mover"), 2)
CHILDREN |= {"msubsup": 3, "munderover": 3}
FUNCTIONS = re.compile(r"^(log|exp|max|min|sin|cos|tanh)$")
MARKS = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)


@dataclass
class Page:
    """One notebook of the site.

    Attributes:
        name: the file's name without its ending, ``01_softmax_cross_entropy``.
        title: the notebook's first heading.
        about: its first paragraph, as HTML.
        body: the whole notebook, as HTML.
        sections: id and words (as HTML) of its headings of level 2.
        handout: name of the PDF beside it, empty where there is none.
    """

    name: str
    title: str
    about: str
    body: str
    sections: list[tuple[str, str]] = field(default_factory=list)
    handout: str = ""


class FormulaError(ValueError):
    """A formula that cannot be turned into MathML."""


def to_mathml(latex: str, display: str = "inline") -> str:
    """Return a formula as MathML that carries its LaTeX source as well.

    Raises:
        FormulaError: it holds a command that is not known, or does not end.
    """
    try:
        mathml = latex2mathml.converter.convert(latex.strip(), display=display)
    except Exception as error:  # the library raises many kinds, of its own and of Python
        raise FormulaError(f"cannot read the formula ${latex}$: {error!r}") from error
    if unknown := re.search(r"\\[a-zA-Z]+", mathml):
        raise FormulaError(f"the formula ${latex}$ holds {unknown[0]}, which is not known")
    tree = BeautifulSoup(mathml, "html.parser")
    for element in tree.find_all(list(CHILDREN)):
        if len(element.find_all(recursive=False)) != CHILDREN[element.name]:
            raise FormulaError(f"the formula ${latex}$ lacks a part, of a fraction or of an index")
    _set_functions_off(tree)
    return str(tree)


def _set_functions_off(tree: BeautifulSoup) -> None:
    """Put thin spaces around a function's name, as LaTeX does: p log q, not plogq."""
    for name in tree.find_all(["mi", "mo"], string=FUNCTIONS):
        before, after = name.find_previous_sibling(), name.find_next_sibling()
        if name.parent.name != "mrow":  # elsewhere (msub, mfrac) the place of a child has a meaning
            continue
        if before and before.name != "mo":
            name.insert_before(tree.new_tag("mspace", width="0.167em"))
        if after and after.name != "mo":
            name.insert_after(tree.new_tag("mspace", width="0.167em"))


class _Renderer(IPythonRenderer):
    """Markdown with formulas as MathML."""

    def inline_math(self, body):
        return to_mathml(body)

    def block_math(self, body):
        return f'<div class="formula">{to_mathml(body, "block")}</div>'

    def latex_environment(self, name, body):
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


def markdown_to_html(source: str) -> str:
    """Return a markdown cell as HTML, tables in quotes and lists included (exercise cards).

    Raises:
        FormulaError: a formula in it cannot be read.
    """
    markdown = MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True))
    for plugin in (table_in_quote, table_in_list):
        plugin(markdown)
    return markdown.render(source)


class _Exporter(HTMLExporter):
    """nbconvert's bare HTML of the cells; links to notebooks lead to their pages."""

    @jinja2.pass_context
    def markdown2html(self, context, source):
        return re.sub(r'(href="(?!https?:)[^"#]*)\.ipynb', r"\1.html", markdown_to_html(source))


def make_page(name: str, notebook: NotebookNode) -> Page:
    """Turn a solved, run notebook into a page.

    Raises:
        ValueError: it has no heading of level 1, or a formula that cannot be read.
    """
    exporter = _Exporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(_without_marks_and_widgets(notebook))
    tree = BeautifulSoup(body, "html.parser")
    if tree.h1 is None:
        raise ValueError("it has no heading of level 1: a page needs a title")
    first = tree.h1.find_next_sibling("p")
    for heading in tree.find_all(["h1", "h2", "h3", "h4"]):  # the ids that JupyterLab gives them
        heading["id"] = heading.get_text(" ", strip=True).replace(" ", "-")
    return Page(
        name=name,
        title=tree.h1.get_text(),
        about=first.decode_contents() if first else "",
        body=str(tree),
        sections=[(heading["id"], heading.decode_contents()) for heading in tree.find_all("h2")],
    )


def _without_marks_and_widgets(notebook: NotebookNode) -> NotebookNode:
    """Return a copy without nbgrader's marks, and with only those outputs that a page shows."""
    notebook = without_widgets(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.source = MARKS.sub("", cell.source)
        for output in cell.outputs:
            if "data" in output:
                kind = next((kind for kind in SHOWN if kind in output.data), None)
                output.data = {kind: output.data[kind]} if kind else {}
    return notebook


def style_sheet() -> str:
    """Return the site's CSS: its own, and the colours of code in light and in dark."""
    light = HtmlFormatter(style=LIGHT_CODE).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK_CODE).get_style_defs(".highlight")
    own = (FILES / "style.css").read_text("utf-8")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}"


def render(template: str, **values) -> str:
    """Fill a template of ``site_files``; the values' HTML is taken as it is."""
    loader = jinja2.FileSystemLoader(FILES)
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(**values)
