"""Numbers and lists as alt text says them: few digits, the same on every machine."""

import math


def number(value: float) -> str:
    """Three significant digits: 2.3, 0.0451, 37.7 M; with a true minus sign."""
    value = float(value)
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    size = abs(value)
    if size >= 10_000 and size == int(size):
        text = count(size)
    elif size and (size < 0.001 or size >= 1e6):
        text = f"{size:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    else:
        text = f"{size:.3g}" if size < 999.5 else f"{size:,.0f}"
    return "−" + text if value < 0 else text


def fixed(value: float, digits: int = 2) -> str:
    """A fixed number of decimals, for numbers that are compared: 2.30, 1.15."""
    if not math.isfinite(value):
        return number(value)
    text = f"{abs(value):.{digits}f}"
    return "−" + text if value < 0 and float(text) else text


def percent(share: float, digits: int = 0) -> str:
    """A share between 0 and 1 in percent: 61 %."""
    return f"{100 * share:.{digits}f} %"


def percents(low: float, high: float, digits: int = 0) -> str:
    """A range of shares: 60–64 %, or 61 % where both are the same."""
    first, last = f"{100 * low:.{digits}f}", f"{100 * high:.{digits}f}"
    return f"{first} %" if first == last else f"{first}–{last} %"


def count(value: int) -> str:
    """A whole number: 650, 1,024, 62.4 M, 15.5 G."""
    value = int(value)
    for limit, unit in ((1e9, " G"), (1e6, " M")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:,}"


def plural(amount: int, noun: str, nouns: str = "") -> str:
    """``1 image``, ``4,000 images``; ``nouns`` where the plural does not end in s alone."""
    return f"{amount:,} {noun if amount == 1 else nouns or noun + 's'}"


def listing(items, limit: int = 12) -> str:
    """``a, b and c``; a long list is cut, and says how much is missing."""
    items = [str(item) for item in items]
    if len(items) > limit:
        items = [*items[:limit], f"{len(items) - limit} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def short(name, longest: int = 13) -> str:
    """A name that fits beside a picture: its first letters, and an ellipsis."""
    name = str(name)
    return name if len(name) <= longest else name[: longest - 1] + "…"


def sentences(*parts: str) -> str:
    """Join the parts that are not empty, each with a full stop."""
    texts = [part.strip() for part in parts if part and part.strip()]
    return " ".join(text + ("" if text[-1] in ".!?" else ".") for text in texts)


def about(name: str, text: str) -> str:
    """``name: text``; without a name, the text begins with a capital."""
    return f"{name}: {text}" if name else text[:1].upper() + text[1:]


def change(values, spell) -> str:
    """How a series goes: ``falls from 2.30 to 1.15``, ``stays at 0.10``, ``is 2.10``."""
    first, last = spell(values[0]), spell(values[-1])
    if len(values) == 1:
        return f"is {last}"
    if first == last:
        return f"stays at {last}"
    if values[0] != values[0] or values[-1] != values[-1]:  # not a number
        return f"goes from {first} to {last}"
    return f"{'falls' if values[-1] < values[0] else 'rises'} from {first} to {last}"
