"""axe-core over a page: what a screen reader, a keyboard or weak eyes would stumble over."""

from functools import cache

from axe_playwright_python.sync_playwright import Axe

# The rules that a notebook's author can break. https://github.com/dequelabs/axe-core/
RULES = """
aria-input-field-name button-name color-contrast empty-heading empty-table-header heading-order
image-alt input-image-alt label link-name role-img-alt select-name svg-img-alt table-duplicate-name
td-headers-attr th-has-data-cells
""".split()
# What JupyterLab 4 itself gets wrong, whatever the notebook says. Its code editor has no name, and
# comments and operators of its colour theme have a contrast of 3.5 to 4.4; the button that folds a
# section has no name; the brackets beside a cell that was not run are grey on white (2.2).
JUPYTERLAB = [".cm-editor", ".jp-collapseHeadingButton", ".jp-InputPrompt"]


@cache
def _axe() -> Axe:
    return Axe()


def violations(page, include: str = "html", exclude: list[str] = (), rules=RULES) -> list[str]:
    """Return one line for each element that breaks a rule: the rule, the element, and why.

    Args:
        page: the ``playwright.sync_api.Page``.
        include: CSS selector of the part to look at. Text outside the window is not judged by its
            contrast (axe takes it for hidden), so show all of it first.
        exclude: CSS selectors of what is left out.
    """
    context = {"include": [[include]], "exclude": [[selector] for selector in exclude]}
    options = {"runOnly": list(rules), "resultTypes": ["violations"]}
    response = _axe().run(page, context=context, options=options).response
    return [
        f"{rule['id']}: {node['html'][:200]} {_why(node)}"
        for rule in response["violations"]
        for node in rule["nodes"]
    ]


def _why(node: dict) -> str:
    """Return the first of axe's reasons for one element."""
    reasons = [check["message"] for check in node["any"] + node["all"] + node["none"]]
    return reasons[0] if reasons else ""
