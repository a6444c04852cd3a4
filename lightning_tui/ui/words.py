"""The screen's own words: its name, the colour of each state, the state of a rank, and short names."""

from __future__ import annotations

from lightning_tui.text.units import STATE_GLYPHS
from lightning_tui.ui.drawing.rows import Row, Span

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
