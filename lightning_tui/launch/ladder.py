"""When does a stop get harder? The stop ladder as a pure state machine: it looks, and says on which rung to stand.

Rungs: `asked` (telemetry finishes the batch and saves), `sigterm` (to the program's main process alone), `sigkill` (to
all of the run). Times are seconds of a monotonic clock that the caller reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from lightning_tui.record.commands import Command

Rung: TypeAlias = Literal["asked", "sigterm", "sigkill"]

Phase: TypeAlias = Literal["unheard", "asked", "saving", "leaving"]
"""Of the rung `asked`: nobody listens, telemetry listens, a checkpoint is being written, the fit is over."""

UNHEARD_PATIENCE_S = 1.0
"""How long a program without telemetry is given before SIGTERM: nothing in it can obey."""

SAME_ASK_S = 1.0
"""Stops asked within this time of each other are one: two people at once, or a key pressed twice, mean one stop."""

SAVING_FACTOR = 20
"""A checkpoint that is being written is waited for this many times the usual patience."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of the run at one moment."""

    now: float
    asked: tuple[Command, ...] = ()
    """Commands that are new since the last look, oldest first."""
    listens: bool = False
    """Whether a Trainer with our telemetry is in a stage."""
    saving: bool = False
    """Whether telemetry has taken a command that writes a checkpoint, and has not done it yet."""
    answers: Mapping[str, str] = {}
    """Last answer to each command, by its id: `taken`, `done` or `refused`."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stop stands."""

    patience_s: float
    rung: Rung | None = None
    request: Command | None = None
    """The command that is being carried out."""
    phase: Phase = "unheard"
    since: float = 0.0
    """When this rung, or this phase of it, began."""

    @property
    def deadline(self) -> float | None:
        """When the next, harder rung is due; `None` where there is none, or where no deadline was wanted."""
        if self.rung is None or self.request is None or self.rung == "sigkill":
            return None
        if self.rung == "asked" and self.request.after == "epoch" and self.phase in ("unheard", "asked"):
            return None
        waits = {
            "unheard": min(UNHEARD_PATIENCE_S, self.patience_s),
            "saving": SAVING_FACTOR * self.patience_s,
        }
        return self.since + (waits.get(self.phase, self.patience_s) if self.rung == "asked" else self.patience_s)


def climb(ladder: Ladder, view: View) -> Ladder:
    """Take one look and say where the stop stands now. The caller acts where the rung has changed."""
    for command in view.asked:
        ladder = _obey(ladder, command, view.now)
    if ladder.rung == "asked":
        ladder = _follow(ladder, view)
    if ladder.deadline is not None and view.now >= ladder.deadline:
        ladder = _harder(ladder, view.now)
    return ladder


def _obey(ladder: Ladder, command: Command, now: float) -> Ladder:
    if command.op == "kill" and ladder.rung != "sigkill":
        return msgspec.structs.replace(ladder, rung="sigkill", request=command, since=now)
    if command.op != "stop":
        return ladder
    if ladder.rung is None or ladder.request is None:
        return msgspec.structs.replace(ladder, rung="asked", request=command, phase="unheard", since=now)
    if command.after == "epoch":  # softer than what is under way
        return ladder
    if ladder.rung == "asked" and ladder.request.after == "epoch":
        return msgspec.structs.replace(ladder, request=command, phase="unheard", since=now)
    if 0 <= command.time - ladder.request.time < SAME_ASK_S:
        return ladder
    return _harder(msgspec.structs.replace(ladder, request=command), now)


def _harder(ladder: Ladder, now: float) -> Ladder:
    rung: Rung = "sigterm" if ladder.rung == "asked" else "sigkill"
    return msgspec.structs.replace(ladder, rung=rung, since=now if rung != ladder.rung else ladder.since)


def _follow(ladder: Ladder, view: View) -> Ladder:
    """See how the request is answered; a new phase has a patience of its own."""
    if ladder.request is not None and view.answers.get(ladder.request.id) == "refused":
        return _harder(ladder, view.now)
    phase = _phase(ladder, view)
    return ladder if phase == ladder.phase else msgspec.structs.replace(ladder, phase=phase, since=view.now)


def _phase(ladder: Ladder, view: View) -> Phase:
    answered = ladder.request is not None and view.answers.get(ladder.request.id) == "done"
    if ladder.phase == "leaving" or answered:
        return "leaving"
    if view.saving:
        return "saving"
    if view.listens:
        return "asked"
    return "unheard" if ladder.phase == "unheard" else "leaving"
