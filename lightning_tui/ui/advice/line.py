"""Which line tells of the advice on a run? The gravest that is new, how many there are, and the key that tells more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.text.units import plural
from lightning_tui.ui.drawing.canvas import printable
from lightning_tui.ui.drawing.rows import EMPTY, Row
from lightning_tui.ui.view import AdviceLine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lightning_tui.diagnosis.live import Advice
    from lightning_tui.ui.view import View

MARKS = {"error": ("✖ ", "bad"), "warning": ("▲ ", "warn"), "hint": ("◇ ", "accent")}


def untold(advice: Sequence[Advice], told: Collection[str], view: View) -> Advice | None:
    """The gravest that is new. A run that is over has said what counts; advice is then for the next one."""
    if not view.is_active:
        return None
    return next((each for each in advice if each.id not in told and each.until is None), None)


def advice_line(advice: Sequence[Advice], new: Advice | None, view: View) -> AdviceLine | None:
    """`new` and how many more there are; without it how many there are."""
    if not advice:
        return None
    key: Row = ((" ", "text"), (view.key("advice"), "accent+b"))
    if new is None:
        return AdviceLine(EMPTY, ((plural(len(advice), "suggestion"), "dim"), *key))
    more: Row = ((f" · 1 of {len(advice)}", "dim"),) if len(advice) > 1 else EMPTY
    return AdviceLine(printable((MARKS[new.severity], (new.title, "text"))), (*more, *key))
