"""The windows that ask before a run is told: whether it shall end, its learning rate, its log level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lightning_tui.text.units import number
from lightning_tui.ui.windows.field import FieldWindow
from lightning_tui.ui.windows.window import Item, ListWindow

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot
    from lightning_tui.ui.view import View

_MOST_RATES = 4
_LEVELS = {
    "debug": "Everything, including each hook that Lightning calls.",
    "info": "Lightning's default.",
    "warning": "Warnings and errors.",
    "error": "Errors only.",
}


def rate_window(run: RunSnapshot) -> FieldWindow:
    """Type a learning rate; the present ones stand beneath."""
    rates = ", ".join(f"{name} {number(value)}" for name, value in present_rates(run)) or "not known yet"
    explanation = (
        f"Now: {rates}.\n"
        "It is set in all parameter groups; 1=3e-4 sets group 1 only (0 is the first).\n"
        "A scheduler continues from it if it can; the result says what it does."
    )
    return FieldWindow("Learning rate", "", explanation, parsed_rate)


def level_window() -> ListWindow[str]:
    """Choose how much Lightning and the root logger say."""
    items = [Item(level, ((level, "text"),), note=note) for level, note in _LEVELS.items()]
    return ListWindow("Log level, on each rank", items, start=1)


def present_rates(run: RunSnapshot) -> list[tuple[str, float]]:
    """The learning rates as they were last told: `lr`, `lr-1` where a group differs, or the program's own names."""
    names = [name for name in sorted(run.metrics) if name == "lr" or name.startswith(("lr-", "lr/"))]
    found = [(name, run.metrics[name].last) for name in names]
    return [(name, value) for name, value in found if value is not None][:_MOST_RATES]


def parsed_rate(text: str) -> tuple[int | None, float]:
    """Read `3e-4` or `1=3e-4`: group (`None` for all) and rate.

    Raises:
        ValueError: it is neither.
    """
    group, equals, rate = text.partition("=") if "=" in text else ("", "", text)
    if equals and not (group.strip().isascii() and group.strip().isdecimal()):
        raise ValueError(f"{group.strip()!r} is not a group number: 0 is the first group, as in 0=3e-4.")
    try:
        value = float(rate)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{rate.strip()!r} is not a learning rate. Allowed: a number above 0, such as 3e-4.")
    return (int(group) if equals else None), value


def leave_window(view: View) -> ListWindow[str]:
    """Leave the run running, stop it, or stay."""
    items = [
        Item(
            "leave",
            (("quit, and leave it running", "text"),),
            note="It continues without the cockpit; attach to it at any time.",
        ),
        Item("stop", (("stop it, then quit", "text"),), note="It finishes the batch, saves a checkpoint and ends."),
        Item("stay", (("stay here", "text"),), note="Nothing changes."),
    ]
    return ListWindow(f"{view.label} is {view.state}", items)


def harder_window(view: View) -> ListWindow[str]:
    """Wait for the gentle stop, take its next step now, or kill."""
    stopping = view.run.stopping if view.run is not None else None
    harder = Item(
        "harder",
        (("send SIGTERM now", "text"),),
        note="Lightning shuts down at once; progress since the last checkpoint may be lost.",
    )
    items = [
        Item("wait", (("wait", "text"),), note="The next steps follow automatically if this takes too long."),
        *([harder] if stopping is None or stopping.rung == "asked" else []),
        Item(
            "kill",
            (("kill every process of the run", "bad"),),
            note="Nothing is saved: progress since the last checkpoint is lost.",
        ),
    ]
    return ListWindow(f"{view.label} is stopping", items)
