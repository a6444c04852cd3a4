"""The screen's own words: its name, the colour of each state, the state of a rank, and short names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lightning_tui.text.units import STATE_GLYPHS
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, ends, width_of
from lightning_tui.ui.keys import APP_KEYS, Key

if TYPE_CHECKING:
    from lightning_tui.ui.view import View

BRAND: Row = ((" ⚡ ", "accent"), ("lightning-tui", "accent+b"))

_STATE_TOKENS = {
    "starting": "accent",
    "training": "good",
    "validating": "good",
    "paused": "warn",
    "stopping": "warn",
    "finished": "good",
    "stopped": "text",
    "failed": "bad",
    "killed": "bad",
    "lost": "warn",
}

STATE_MARKS: dict[str, Span] = {
    state: (glyph, _STATE_TOKENS.get(state, "dim")) for state, glyph in STATE_GLYPHS.items()
}
"""Each state's glyph, and the token of its colour."""

ADVICE_MARKS = {"error": ("✖ ", "bad"), "warning": ("▲ ", "warn"), "hint": ("◇ ", "accent")}

_RANK_STATES = {"setup": "starting", "sanity_check": "starting", "train": "training", "validate": "validating"}
_RANK_ENDS = frozenset({"exited", "failed", "gone"})


def rank_state(state: str, is_active: bool) -> str:
    """What a rank is doing, in a word. A rank of a run that is over does nothing, whatever it said last."""
    if not is_active and state not in _RANK_ENDS:
        return "ended"
    return _RANK_STATES.get(state, state)


def tail_of_id(run_id: str) -> str:
    """The short end of a run's id, as the screen shows it: `#7f3a01`."""
    return f"#{run_id.rpartition('-')[2]}"


def gpu_name(name: str) -> str:
    """The model alone: `NVIDIA L40S` is `L40S`."""
    for prefix in ("NVIDIA ", "Tesla ", "GeForce "):
        name = name.removeprefix(prefix)
    return name


def keys_row(view: View, keys: Sequence[Key], least_needed: Callable[[list[Key]], Key], width: int) -> Row:
    """Keys from the left in their order, the palette's at the right; where it is narrow the least needed give way."""
    offered = sorted(keys, key=lambda key: key.footer)
    while width_of(row := _keys_row(view, offered)) > width and len(offered) > 1:
        offered.remove(least_needed(offered))
    palette = next(key for key in APP_KEYS if key.id == "palette")
    right: Row = ((view.key(palette.id), "accent"), (f" {palette.label} ", "dim"))
    return ends(row, right, width) if width_of(row) + width_of(right) + 2 <= width else row


def _keys_row(view: View, keys: list[Key]) -> Row:
    row: Row = EMPTY
    for key in keys:
        label = "resume" if key.id == "pause" and view.state == "paused" else key.label
        row = (*row, ("   " if row else " ", "text"), (view.key(key.id), "accent+b"), (f" {label}", "dim"))
    return row
