"""Export the solved series as a web site that needs no network, with a PDF of every notebook.

The folder that comes out can be opened as it is (``index.html``) or put on any web server.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat

from labutils.course import pages
from labutils.course.chromium import find_chromium
from labutils.course.handouts import HandoutError, print_page

TITLE = "Image classification with CNNs: a lab series"
MARK = '<meta name="generator" content="labutils site">'


class SiteError(Exception):
    """No site can be made of what was given; the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=Path("site"), metavar="FOLDER")
    parser.add_argument("--no-pdf", action="store_true", help="HTML only")


def main(arguments: argparse.Namespace) -> int:
    chromium = None if arguments.no_pdf else find_chromium()
    if chromium is None and not arguments.no_pdf:
        print("No PDF handouts: there is no chromium on the PATH. The pages are made without them.")
    try:
        build_site(arguments.notebooks / "solutions", arguments.out, chromium)
    except SiteError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Open {arguments.out / 'index.html'}.")
    return 0


def build_site(solutions: Path, out: Path, chromium: str | None = None) -> None:
    """Write the site whole, or leave ``out`` as it was.

    Args:
        solutions: a folder of solved notebooks with their outputs.
        out: where the site goes; an earlier site there is replaced.
        chromium: path of the browser that prints the handouts; None makes none.

    Raises:
        SiteError: there is no notebook or a broken one, ``out`` cannot be written or holds
            something else than a site, or a handout cannot be printed.
    """
    made = _read_pages(solutions)
    _refuse_what_is_no_site(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Beside the place it will have: the last step is a mere renaming.
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            site = Path(scratch) / "site"
            site.mkdir()
            _write(made, site, chromium)
            if out.exists():
                shutil.rmtree(out)
            site.rename(out)
    except OSError as error:
        reason = error.strerror or error
        raise SiteError(f"{out} cannot be written ({reason}); choose another --out.") from error
    except HandoutError as error:
        raise SiteError(f"{error}\n--no-pdf makes the pages without handouts.") from error


def _read_pages(solutions: Path) -> list[pages.Page]:
    paths = sorted(solutions.glob("*.ipynb"))
    if not paths:
        raise SiteError(
            f"There is no notebook in {solutions}. --notebooks names the folder that holds "
            "`solutions/`, by default the repository's `notebooks`."
        )
    made = []
    for path in paths:
        try:
            notebook = nbformat.read(path, as_version=4)
            code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]
            if code and not any(cell.outputs for cell in code):
                raise ValueError("it was not run; `make solutions` runs the solved notebooks")
            made.append(pages.make_page(path.stem, notebook))
        except (ValueError, OSError, AttributeError, nbformat.ValidationError) as error:
            raise SiteError(f"{path} cannot be made into a page: {error}") from error
    return made


def _refuse_what_is_no_site(out: Path) -> None:
    """An earlier site is replaced; anything else that lies there is not ours to delete."""
    if not out.exists():
        return
    if not out.is_dir():
        raise SiteError(f"{out} is a file; --out names a folder.")
    index = out / "index.html"
    if any(out.iterdir()) and not (index.is_file() and MARK in index.read_text("utf-8", "replace")):
        raise SiteError(f"{out} holds something else than an earlier site; choose another --out.")


def _write(made: list[pages.Page], site: Path, chromium: str | None) -> None:
    """Write style sheet, pages, handouts and index into an empty folder."""
    (site / "style.css").write_text(pages.style_sheet(), "utf-8")
    for page, before, after in zip(made, [None, *made], [*made[1:], None], strict=False):
        page.handout = f"{page.name}.pdf" if chromium else ""
        path = site / f"{page.name}.html"
        html = pages.render("page.html.j2", page=page, before=before, after=after)
        path.write_text(html, "utf-8")
        if chromium:
            print_page(chromium, path, site / page.handout)
        print(f"wrote {path.name}" + (f" and {page.handout}" if chromium else ""), flush=True)
    index = pages.render("index.html.j2", title=TITLE, pages=made, handouts=bool(chromium))
    (site / "index.html").write_text(index, "utf-8")
