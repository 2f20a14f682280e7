"""Names of students and of their files, whatever a platform, a system or a copy made of them."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable

# What Colab, JupyterLab and the systems' file managers add to the name of a copy.
_BEFORE = r"(?:copy of|kopie von|copie de|copia de|copia di|cópia de|копия)"
_BEHIND = r"(?:copy|kopie|copie|copia|cópia|копия|복사본|사본|副本|拷贝|コピー)"
_COPY = re.compile(
    rf"^{_BEFORE}\s+|(?:^|[\s_-]){_BEFORE}\s*$"
    rf"|[\s_(-]+(?:\w+ )?{_BEHIND}\s*\d*\)?$|\s*[의の的]\s*{_BEHIND}$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\s*\((\d+)\)$|-(\d{1,2})$")
_STAMP = re.compile(
    r"[ _-]*(?:attempt[ _-]*)?\d{4}-\d\d-\d\d(?:[T _-]+\d\d[-.:]?\d\d(?:[-.:]?\d\d)?)?(?!\d)"
    r"| - [A-Z][a-z]{2,8} \d{1,2}, \d{4} \d{3,4} [AP]M",
    re.IGNORECASE,
)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)  # Windows' own
_EDGES = " _-.“”‘’「」『』\"'"


def readable(name: str) -> str:
    """Return the name of a file as text, composed (NFC) and without control characters.

    Bytes that are no UTF-8, as a zip from Windows leaves them, are taken for Korean, or else for
    Western European: different names stay different.
    """
    text = name
    for encoding in ("utf-8", "cp949", "latin-1"):
        try:
            text = os.fsencode(name).decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    return re.sub(r"[\x00-\x1f\x7f/\\]", "", unicodedata.normalize("NFC", text))


def is_readable(name: str) -> bool:
    """Return whether the bytes of a file's name are text, in UTF-8."""
    return not re.search("[\ud800-\udfff]", name)


def notebook_of_file(name: str, notebooks: Iterable[str]) -> str:
    """Return which of the ``notebooks`` a file is named after; empty where it is none."""
    return next((n for n in notebooks if _pattern(n).search(readable(name))), "")


def student_of_file(name: str, notebooks: Iterable[str]) -> str:
    """Return the student of a file: what stands before the notebook's name.

    Where nothing stands there, what stands behind it; in a name without a notebook's, all of it.
    Empty where only the notebook is named. What a copy adds to a name does not count.
    """
    stem = re.split(r"\.ipynb", readable(name), maxsplit=1, flags=re.IGNORECASE)[0]
    if stem == readable(name):
        stem = os.path.splitext(stem)[0]
    stem = stem.split("_assignsubmission_")[0]  # Moodle's
    notebook = notebook_of_file(stem, notebooks)
    if not notebook:
        return _clean(stem, numbered=True)
    before, behind = _pattern(notebook).split(stem, maxsplit=1)
    return _clean(before) or _clean(behind, numbered=True)


def student_of_folder(name: str) -> str:
    """Return the student of a folder, as a platform or a teacher names it."""
    return _clean(readable(name).split("_assignsubmission_")[0]) or "?"


def version(name: str) -> tuple[str, int]:
    """Return what says which of several files of a student is the latest: time stamp, number."""
    stem = os.path.splitext(readable(name))[0]
    stamp, number = _STAMP.search(stem), _NUMBER.search(stem)
    digits = re.sub(r"\D", "", stamp.group()) if stamp else ""
    return digits, int(number.group(1) or number.group(2)) if number else 0


def as_file_name(name: str) -> str:
    """Return a name that any system allows for a file; different names stay different."""
    plain = re.sub(r"[^\w .-]", "_", name)[:80].strip(" .") or "_"
    if plain == name and not _DEVICE.match(name):
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _pattern(notebook: str) -> re.Pattern:
    """The notebook's name, with anything or nothing instead of its underscores."""
    return re.compile(r"[\W_]*".join(map(re.escape, notebook.split("_"))), re.IGNORECASE)


def _clean(text: str, numbered: bool = False) -> str:
    """Without time stamp and marks of copies; where ``numbered``, without the number behind it."""
    text, before = _STAMP.sub("", text), None
    while text != before:
        before = text
        if numbered:
            text = re.sub(r"\s*\(\d+\)$|^-\d{1,2}$", "", text)
        text = _COPY.sub("", text).strip(_EDGES)
    return text
