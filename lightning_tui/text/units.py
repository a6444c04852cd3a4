"""How numbers, sizes, times and states are said to a person, on the screen as in plain lines: three significant digits,
and always a unit."""

from __future__ import annotations

import math

STATE_GLYPHS = {
    "queued": "◌",
    "starting": "◔",
    "training": "●",
    "validating": "◆",
    "paused": "‖",
    "stopping": "◒",
    "finished": "✔",
    "stopped": "■",
    "failed": "✖",
    "killed": "⊗",
    "lost": "?",
}
"""Each state's own glyph, by the state's word."""

NOT_KNOWN = "N/A"

GIB = 1 << 30
_UNITS = ((1 << 40, "TiB"), (GIB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def number(value: float) -> str:
    """Three significant digits: `1.38`, `812`, `0.0450`, `3.00e-4`; NaN and infinities in words."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def count(value: int) -> str:
    """A whole number with thin groups: `12 408`."""
    return f"{value:,}".replace(",", " ")


def short_count(value: float) -> str:
    """A big number short: `950`, `2 k`, `1.5 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def size(amount: int) -> str:
    """Bytes with a unit: `412 GiB`, `1.42 GiB`, `64 MiB`."""
    for unit_size, unit in _UNITS:
        if amount >= unit_size:
            value = amount / unit_size
            return f"{value:.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.3g} {unit}"
    return f"{amount} B"


def gib(amount: int) -> str:
    """Bytes as GiB with one decimal and without the unit, for columns."""
    return f"{amount / GIB:.1f}"


def duration(seconds: float) -> str:
    """`00:12:31`, and with days `2d 03:04:05`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    clock = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{days}d {clock}" if days else clock


def short_duration(seconds: float) -> str:
    """`04:11`, or with hours `1:04:11`."""
    text = duration(seconds)
    if text.startswith("00:"):
        return text[3:]
    return text.removeprefix("0")


def per_step(seconds: float) -> str:
    """Time of one step: `41 ms`, `2.31 s`."""
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1000)} ms"


def ago(seconds: float) -> str:
    """How long something is past, roughly: `just now`, `5 min ago`, `3 h ago`, `2 days ago`."""
    minutes = int(seconds / 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // 1440} days ago"


def plural(amount: int, noun: str, several: str = "") -> str:
    """`1 warning`, `2 warnings`; `several` is the plural where it is not the noun with an `s`."""
    return f"{count(amount)} {noun if amount == 1 else several or noun + 's'}"
