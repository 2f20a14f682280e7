"""The student copies: generated from the solutions, to the byte, with nothing given away."""

import argparse
import copy
import re
from pathlib import Path

import nbformat
import pytest

from labutils.checks import EXERCISES
from labutils.course import colab, release

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))


def _ids(path):
    return path.stem


@pytest.mark.parametrize("path", SOLUTIONS, ids=_ids)
def test_the_committed_student_copy_is_the_generated_one(path):
    solution = nbformat.read(path, as_version=4)
    repository = colab.configured(NOTEBOOKS.parent)
    expected = release.as_text(release.student_copy(solution, path.stem, repository))
    committed = NOTEBOOKS / path.name
    assert committed.read_text("utf-8") == expected, "run `make release`"


@pytest.mark.parametrize("path", SOLUTIONS, ids=_ids)
def test_no_line_of_a_solution_stands_in_the_student_copy(path):
    text = (NOTEBOOKS / path.name).read_text("utf-8")
    assert "BEGIN SOLUTION" not in text
    student = nbformat.reads(text, as_version=4)
    assert all(
        not c.outputs and c.execution_count is None for c in student.cells if c.cell_type == "code"
    )
    public = {line.strip() for cell in student.cells for line in cell.source.splitlines()}
    for cell in nbformat.read(path, as_version=4).cells:
        inside = False
        for line in map(str.strip, cell.source.splitlines()):
            if line.startswith("### "):
                inside = line == release.BEGIN
            elif inside and len(line) >= 30 and not line.startswith("#"):
                assert line not in public, f"{path.stem} gives away: {line}"


@pytest.mark.parametrize("path", SOLUTIONS, ids=_ids)
def test_solutions_are_committed_run_and_without_errors(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        assert cell.execution_count is not None, cell.source
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert all(o.output_type != "error" for o in cell.outputs), cell.source


@pytest.mark.parametrize("path", SOLUTIONS, ids=_ids)
def test_cells_are_short(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            own = [line for line in cell.source.splitlines() if not line.strip().startswith("### ")]
            assert len(own) <= 30, f"{len(own)} lines:\n{cell.source}"


def test_every_exercise_has_its_notebook():
    assert {e.notebook for e in EXERCISES.values()} == {p.stem for p in SOLUTIONS}


CARD = re.compile(
    r"^> \*\*Exercise (\d) · (\w+)\*\* — difficulty [●○]{3} · importance [●○]{3}"
    r" · about \d+ minutes · (\d) points?$",
    re.MULTILINE,
)


@pytest.mark.parametrize("path", SOLUTIONS, ids=_ids)
def test_each_exercise_has_its_card_before_it(path):
    cards, exercises = [], []
    for cell in nbformat.read(NOTEBOOKS / path.name, as_version=4).cells:
        if cell.cell_type == "markdown":
            cards += CARD.findall(cell.source)
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            name = cell.metadata["nbgrader"]["grade_id"]
            exercises.append((str(len(exercises) + 1), name, str(EXERCISES[name].points)))
            assert cards == exercises, f"no card like those of the other exercises before {name}"
    assert len(exercises) == sum(e.notebook == path.stem for e in EXERCISES.values())


ANSWER = "return torch.softmax(z, dim=-1) + 0 * z.sum()"


def _solution():
    """A small solved notebook of an exercise that exists."""
    cells = [
        nbformat.v4.new_markdown_cell("# Title"),
        nbformat.v4.new_code_cell(
            f"def softmax(z):\n    ### BEGIN SOLUTION\n    {ANSWER}\n    ### END SOLUTION"
        ),
        nbformat.v4.new_code_cell("softmax = check.softmax(softmax)"),
    ]
    common = {"schema_version": 3, "task": False}
    cells[1].metadata["nbgrader"] = common | {
        "grade": False, "solution": True, "locked": False, "grade_id": "softmax"
    }  # fmt: skip
    cells[2].metadata["nbgrader"] = common | {
        "grade": True, "solution": False, "locked": True, "grade_id": "check-softmax",
        "points": EXERCISES["softmax"].points,
    }  # fmt: skip
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return nbformat.v4.new_notebook(cells=cells)


NAME = "some_other_notebook"  # so that only what the notebook itself holds is judged


def test_the_solution_becomes_a_stub_that_defines_something():
    student = release.student_copy(_solution(), NAME)
    assert "torch.softmax" not in student.cells[1].source
    namespace = {}
    exec(student.cells[1].source, namespace)
    with pytest.raises(NotImplementedError):
        namespace["softmax"](1)


def _new(source):
    return nbformat.v4.new_code_cell(source)


# What is said, and what was done to the cells of a sound solution.
FAULTS = {
    "there must be one": lambda cells: cells[1].update(source="def softmax(z):\n    return z"),
    "is no solution cell in nbgrader": lambda cells: cells[1].metadata.pop("nbgrader"),
    "no grade_id": lambda cells: cells[1].metadata["nbgrader"].update(grade_id=""),
    "stands 2 times": lambda cells: cells.append(copy.deepcopy(cells[2])),
    "has no points": lambda cells: cells[2].metadata["nbgrader"].pop("points"),
    "no exercise 'softy'": lambda cells: cells[1].metadata["nbgrader"].update(grade_id="softy"),
    "gives away a line": lambda cells: cells.append(_new(ANSWER)),
    "cell 3 gives 'softmax' another value": lambda cells: cells.append(_new("softmax = p.exp()")),
    "gives 99 points": lambda cells: cells[2].metadata["nbgrader"].update(points=99),
}


@pytest.mark.parametrize("said", FAULTS)
def test_faults_are_refused_by_name(said):
    notebook = _solution()
    FAULTS[said](notebook.cells)
    with pytest.raises(release.ReleaseError) as caught:
        release.student_copy(notebook, EXERCISES["softmax"].notebook)
    text = str(caught.value)
    assert said in text
    assert "'cross_entropy' has no solution cell" in text and "has no check cell" in text


def test_the_command_checks_writes_and_refuses(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(release, "EXERCISES", {"softmax": EXERCISES["softmax"]})
    name = EXERCISES["softmax"].notebook + ".ipynb"
    (tmp_path / "solutions").mkdir()
    nbformat.write(_solution(), tmp_path / "solutions" / name)
    arguments = argparse.Namespace(notebooks=tmp_path, check=True, repository=None, branch=None)
    assert release.main(arguments) == 1 and not (tmp_path / name).exists()
    arguments.check = False
    assert release.main(arguments) == 0 and (tmp_path / name).exists()
    arguments.check = True
    assert release.main(arguments) == 0
    before = (tmp_path / name).read_bytes()
    (tmp_path / "solutions" / name).write_text("{ broken")
    arguments.check = False
    assert release.main(arguments) == 1 and (tmp_path / name).read_bytes() == before
    assert "Nothing was released" in capsys.readouterr().err
