"""Letters that a figure's fonts lack (Hangul, say), from any other font that is there."""

import io
import warnings


def as_png(fig, dpi: int) -> bytes:
    """Return a figure as PNG; letters that its fonts lack come from any installed font with them.

    Where none has them, boxes stand for them, and a sentence says so and what to do.
    """
    png, missing = _draw(fig, dpi)
    if not missing:
        return png
    families, nowhere = _families_with(missing)
    if families:
        from matplotlib.text import Text

        for text in fig.findobj(Text):
            text.set_fontfamily([*text.get_fontfamily(), *families])
        png, _ = _draw(fig, dpi)
    if nowhere:
        print(
            f"Boxes stand in this picture for {' '.join(sorted(nowhere))}: no installed font has "
            "them. Install one, such as Noto Sans CJK or Nanum Gothic, and draw it again."
        )
    return png


def _draw(fig, dpi) -> tuple[bytes, set[str]]:
    """Return a figure as PNG, and the letters that its fonts lack: matplotlib warns of each."""
    buffer, missing = io.BytesIO(), set()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fig.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    for warning in warned:
        said = str(warning.message)
        if said.startswith("Glyph ") and "missing" in said:
            missing.add(chr(int(said.split()[1])))
        else:
            warnings.warn_explicit(said, warning.category, warning.filename, warning.lineno)
    return buffer.getvalue(), missing


def _families_with(letters: set[str]) -> tuple[list[str], set[str]]:
    """Return installed fonts that have these letters, and the letters that none has."""
    from matplotlib import font_manager

    known = [font.fname for font in font_manager.fontManager.ttflist]
    # Fonts that were installed after matplotlib last looked are found in the system's folders.
    paths = dict.fromkeys([*known, *sorted(font_manager.findSystemFonts())])
    families, nowhere = [], set(letters)
    for path in paths:
        try:
            font = font_manager.get_font(path)
            has = nowhere & set(map(chr, font.get_charmap()))
            if not has or not font.scalable or "resort" in font.family_name.lower():
                continue  # a LastResort font has boxes, for everything
            if path not in known:
                font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError):  # matplotlib cannot read it
            continue
        families.append(font.family_name)
        nowhere -= has
        if not nowhere:
            break
    return families, nowhere
