"""The pages beside the code: their links lead somewhere, and what they name exists."""

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from labutils.checks import nb01_softmax_cross_entropy
from labutils.course.pages import markdown_to_html
from tests.misconceptions import bank, bank_softmax_cross_entropy

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md", *ROOT.glob("docs/*.md")]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _text(path: Path) -> str:
    """Return a page's Markdown without its blocks of code, or that of a notebook."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _text(path), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [*PAGES, *ROOT.glob("notebooks/**/[0-9]*.ipynb")],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"", _text(page))
    for link in map("".join, links):
        if not re.match("[a-z]+:", link):
            file, _, anchor = link.partition("#")
            target = (page.parent / file) if file else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in _anchors(target), f"{page.name} links to {link}"


def test_the_readme_is_short_and_its_pictures_small_and_described():
    text = README.read_text("utf-8")
    assert len(text) <= 6000
    pictures = BeautifulSoup(markdown_to_html(text), "html.parser").find_all("img")
    assert len(pictures) == 2
    for picture in pictures:
        assert len(picture["alt"].split()) >= 15
        assert (ROOT / picture["src"]).stat().st_size <= 150_000


@every_page
def test_every_file_and_command_that_a_page_names_exists(page):
    """Paths are given from the root, from the page, or inside ``labutils``."""
    text = re.sub("NN_name|NAME", "*", _text(page))
    for path in re.findall(r"`((?:[\w.*-]+/)+[\w.*-]*|\w+\.py)`", text):
        if not path.startswith(("RESULTS/", "site/", ".venv/")):  # made by a command
            found = [*ROOT.glob(path), *page.parent.glob(path), *ROOT.glob(f"labutils/**/{path}")]
            assert found, f"there is no {path}"
    for module in re.findall(
        r"python -m ((?:tests|benchmarks|docs)[\w.]*)", page.read_text("utf-8")
    ):
        assert importlib.util.find_spec(module), module


def test_the_settings_page_lists_what_the_code_reads():
    files = subprocess.run(["git", "grep", "-oh", r"LABUTILS_[A-Z]\+\(_[A-Z]\+\)*", "labutils"],
                           cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    if files.returncode:
        pytest.skip("not a git checkout")
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    listed = re.findall(r"^\| `(LABUTILS_\w+)`", page, re.M)
    internal = {"LABUTILS_SUBMISSION"}  # the grader tells its own processes
    assert set(files.stdout.split()) - internal == set(listed)


def test_the_guides_exercise_is_small_and_works(monkeypatch):
    """``entropy``, as a TA would paste it from the page."""
    monkeypatch.setattr(bank, "BANKS", {})
    page = (ROOT / "docs/teaching.md").read_text("utf-8")
    check, answers = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    assert len((check + answers).splitlines()) <= 60
    names = {**vars(nb01_softmax_cross_entropy)}
    exec(check, names)
    exercise = names["entropy"]
    names = {**vars(bank_softmax_cross_entropy)}
    exec(answers, names)
    told = {answer: exercise.run(answer) for answer in [*names["entropy"].rights, exercise.oracle]}
    assert len(told) == 5 and all(result.passed for result in told.values()), told
    wrong = [(answer, hint) for answer, hint in names["entropy"].wrongs]
    wrong += [(formula, m.hint) for m in exercise.mistakes for formula in m.formulas]
    wrong += [(probe.trap, probe.hint) for probe in exercise.probes if probe.trap]
    assert len(wrong) == 10
    for answer, hint in wrong:
        assert hint.lower() in exercise.run(answer).hint.lower()


def test_the_citation_names_the_version_that_is_installed():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert README.read_text("utf-8").startswith(f"# {citation['title']}")
