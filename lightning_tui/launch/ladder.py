"""When does a stop get harder? The stop ladder as a pure state machine: it looks, and says on which rung to stand.

Rungs: `asked` (telemetry finishes the batch and saves), `sigterm` (to the program's main process alone), `sigkill` (to
all of the run). Each has its patience, whose clock stands still while a checkpoint is being written. Times are seconds
of a monotonic clock that the caller reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from lightning_tui.record.commands import Command

Rung: TypeAlias = Literal["asked", "sigterm", "sigkill"]

Phase: TypeAlias = Literal["unheard", "asked", "leaving"]
"""Of the rung `asked`: nobody listens, telemetry listens, the fit is over."""

UNHEARD_PATIENCE_S = 1.0
"""How long a program without telemetry is given before SIGTERM: nothing in it can obey."""

SAME_ASK_S = 1.0
"""Stops asked within this time of each other are one: two people at once, or a key pressed twice, mean one stop."""

BUSY_FACTOR = 20
"""Checkpoints that are being written are waited for this many times the rung's patience, all together."""


class StopView(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of the run at one moment."""

    now: float
    asked: tuple[Command, ...] = ()
    """Commands that are new since the last look, oldest first."""
    listens: bool = False
    """Whether a Trainer with our telemetry is in a stage."""
    busy: bool = False
    """Whether a checkpoint is being written, or a validation goes on: what was asked is taken after that."""
    hangs: bool = False
    """Whether it is in a validation that stands still: that it was waited for is taken back."""
    answers: Mapping[str, str] = {}
    """Last answer to each command, by its id: `taken`, `done` or `refused`."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stop stands."""

    patience_s: float
    term_patience_s: float | None = None
    """Patience of the rung `sigterm`; `None`: as that of the first one."""
    rung: Rung | None = None
    request: Command | None = None
    """The command that is being carried out."""
    phase: Phase = "unheard"
    since: float = 0.0
    """When this rung, or this phase of it, began; moved on by the time for which its clock stood still."""
    busy_since: float | None = None
    """Since when a checkpoint is being written; `None` where none is."""
    busy_s: float = 0.0
    """For how long the stop has waited for checkpoints before."""

    @property
    def deadline(self) -> float | None:
        """When the next, harder rung is due; `None` where there is none, or where no deadline was wanted."""
        if self.rung is None or self.request is None or self.rung == "sigkill":
            return None
        if self.rung == "asked" and self.request.after != "batch" and self.phase != "leaving":
            return None
        if self.busy_since is not None:
            return self.busy_since + max(self._patience_s, BUSY_FACTOR * self._patience_s - self.busy_s)
        is_unheard = self.rung == "asked" and self.phase == "unheard"
        return self.since + (min(UNHEARD_PATIENCE_S, self._patience_s) if is_unheard else self._patience_s)

    @property
    def _patience_s(self) -> float:
        given = self.request
        gentle = self.patience_s if given is None or given.patience_s is None else given.patience_s
        if self.rung == "asked":
            return gentle
        after_sigterm = (
            self.term_patience_s if given is None or given.term_patience_s is None else given.term_patience_s
        )
        return gentle if after_sigterm is None else after_sigterm


def climb(ladder: Ladder, view: StopView) -> Ladder:
    """Take one look and say where the stop stands now. The caller acts where the rung has changed."""
    for command in view.asked:
        ladder = _obey(ladder, command, view.now)
    ladder = _wait_while_busy(ladder, view)
    if ladder.rung == "asked":
        ladder = _follow(ladder, view)
    if ladder.deadline is not None and view.now >= ladder.deadline:
        ladder = _harder(ladder, view.now)
    return ladder


def _obey(ladder: Ladder, command: Command, now: float) -> Ladder:
    if command.op == "kill" and ladder.rung != "sigkill":
        return msgspec.structs.replace(_on(ladder, "sigkill", now), request=command)
    if command.op != "stop":
        return ladder
    if ladder.rung is None or ladder.request is None:
        return msgspec.structs.replace(_on(ladder, "asked", now), request=command, phase="unheard")
    if command.after != "batch":  # softer than what is under way
        return ladder
    if ladder.rung == "asked" and ladder.request.after != "batch":
        return msgspec.structs.replace(_on(ladder, "asked", now), request=command, phase="unheard")
    if 0 <= command.time - ladder.request.time < SAME_ASK_S:
        return ladder
    return _harder(msgspec.structs.replace(ladder, request=command), now)


def _harder(ladder: Ladder, now: float) -> Ladder:
    rung: Rung = "sigterm" if ladder.rung == "asked" else "sigkill"
    return _on(ladder, rung, now) if rung != ladder.rung else ladder


def _on(ladder: Ladder, rung: Rung, now: float) -> Ladder:
    """Step on a rung; it has all of its time before it, also where a checkpoint is not done yet."""
    if ladder.busy_since is not None:
        busy_s = ladder.busy_s + now - ladder.busy_since
        ladder = msgspec.structs.replace(ladder, busy_since=now, busy_s=busy_s)
    return msgspec.structs.replace(ladder, rung=rung, since=now)


def _wait_while_busy(ladder: Ladder, view: StopView) -> Ladder:
    """Stop the rung's clock while a checkpoint is being written, and let it go on after that."""
    if ladder.rung is None or view.busy == (ladder.busy_since is not None):
        return ladder
    if ladder.busy_since is None:
        return msgspec.structs.replace(ladder, busy_since=view.now)
    took = view.now - ladder.busy_since
    since = ladder.since if view.hangs else min(view.now, ladder.since + took)
    return msgspec.structs.replace(ladder, busy_since=None, busy_s=ladder.busy_s + took, since=since)


def _follow(ladder: Ladder, view: StopView) -> Ladder:
    """See how the request is answered; a new phase has a patience of its own."""
    if ladder.request is not None and view.answers.get(ladder.request.id) == "refused":
        return _harder(ladder, view.now)
    phase = _phase(ladder, view)
    return ladder if phase == ladder.phase else msgspec.structs.replace(ladder, phase=phase, since=view.now)


def _phase(ladder: Ladder, view: StopView) -> Phase:
    answered = ladder.request is not None and view.answers.get(ladder.request.id) == "done"
    if ladder.phase == "leaving" or answered:
        return "leaving"
    if view.listens:
        return "asked"
    return "unheard" if ladder.phase == "unheard" else "leaving"
