"""What one snapshot of a run tells that the one before did not, as a sentence for the state line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.rows import Span
from lightning_tui.words import count

if TYPE_CHECKING:
    from lightning_tui.record import CommandView, RunSnapshot


def checkpoint_news(before: RunSnapshot, now: RunSnapshot) -> Span | None:
    """The answer to a checkpoint that somebody asked for, here or elsewhere; `None` where none has come."""
    known = {view.command.id: view.status for view in before.commands}
    for view in reversed(now.commands):
        if view.command.op == "checkpoint" and view.status != known.get(view.command.id):
            return _answer(view)
    return None


def _answer(view: CommandView) -> Span | None:
    if view.status == "done":
        at_step = f" at step {count(view.global_step)}" if view.global_step is not None else ""
        return f"checkpoint saved{at_step}", "good"
    if view.status == "refused":
        return f"no checkpoint: {view.detail or 'the run gave no reason'}", "warn"
    return None
