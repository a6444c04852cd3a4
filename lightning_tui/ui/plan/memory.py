"""How is an estimate of memory said and drawn: a range, a word with its glyph, a bar against what a GPU has?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.text.units import gib
from lightning_tui.ui.drawing.gauges import gauge
from lightning_tui.ui.drawing.rows import Row, Span

if TYPE_CHECKING:
    from lightning_tui.plan.estimate import Estimate

_TOKENS = {"fits": "good", "tight": "warn", "too large": "bad"}
_GLYPHS = {"fits": "✔", "tight": "▲", "too large": "✖"}


def span_words(estimate: Estimate) -> str:
    """`22.1–27.4`, in GiB without the unit; one number where both ends are the same; N/A where it is not known."""
    if estimate.low is None:
        return "N/A"
    if estimate.high is None:
        return f"{gib(estimate.low)} or more"
    low, high = gib(estimate.low), gib(estimate.high)
    return low if low == high else f"{low}–{high}"


def verdict(estimate: Estimate) -> Span:
    """Glyph, word and colour of whether it fits."""
    return f"{_GLYPHS.get(estimate.fits, '?')} {estimate.fits}", _TOKENS.get(estimate.fits, "dim")


def bar(estimate: Estimate, capacity: int, width: int) -> Row:
    """What is surely needed, what may be, and what is left of the GPU's memory."""
    low, high = estimate.low or 0, estimate.high or 0
    token = _TOKENS.get(estimate.fits, "dim")
    return gauge([(("█", token), low), (("▒", token), max(0, high - low))], capacity, width)


def line(estimate: Estimate, capacity: int, width: int) -> Row:
    """The bar as a thin line, for lists of many."""
    low, high = estimate.low or 0, estimate.high or estimate.low or 0
    until_low, until_high = (min(width, round(end / capacity * width)) for end in (low, high))
    token = _TOKENS.get(estimate.fits, "dim")
    parts = (("━" * until_low, token), ("╍" * (until_high - until_low), token), ("┄" * (width - until_high), "faint"))
    return tuple(part for part in parts if part[0])
