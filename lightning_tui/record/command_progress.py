"""What has become of each command: asked, taken by the ranks at a step, done or refused, and who is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from lightning_tui.record.commands import Command, Operation
from lightning_tui.record.events import Acknowledged, RankAcknowledged


class CommandProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A command and what became of it. Times are UTC epoch seconds of the clocks of those who said so."""

    command: Command
    status: str
    """`asked`, `taken`, `done` or `refused`, as global rank 0 says it."""
    taken_step: int | None = None
    """Lightning's global step after which all ranks take it."""
    taken_at: float | None = None
    ranks_taken: tuple[int, ...] = ()
    """Ranks that have said that they are at that batch."""
    waiting_for: tuple[int, ...] = ()
    """Ranks that have not; while none has, the one that comes first, rank 0."""
    waiting_s: float | None = None
    """How long the oldest of these has been waited for."""
    done_step: int | None = None
    done_at: float | None = None
    detail: str | None = None
    """What was done, or why not."""

    @property
    def id(self) -> str:
        return self.command.id

    @property
    def op(self) -> str:
        return self.command.op

    @property
    def by(self) -> str:
        return self.command.by

    @property
    def asked_at(self) -> float:
        return self.command.time

    @property
    def global_step(self) -> int | None:
        """The step of its last answer."""
        return self.taken_step if self.done_step is None else self.done_step

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will become of it: refused, or done by all ranks."""
        return self.status == "refused" or (self.status == "done" and not self.waiting_for)

    @property
    def took_s(self) -> float | None:
        """Seconds from being asked to the answer, `None` where there is none."""
        return None if self.done_at is None else max(0.0, self.done_at - self.asked_at)


class RankPlace(msgspec.Struct, frozen=True):
    """How far a rank is that could be waited for."""

    global_step: int | None
    is_in_fit: bool


class CommandLog:
    """The fold of commands and answers; who is waited for is derived when it is asked."""

    def __init__(self) -> None:
        self._known: dict[str, CommandProgress] = {}
        self._attempts: dict[str, int] = {}
        self._acknowledged_by: dict[str, set[int]] = {}
        self._reached: dict[str, RankAcknowledged] = {}
        """What the first rank said that came to the batch."""

    def apply_command(self, command: Command) -> None:
        """Take a command file; an answer may already have come."""
        known = self._known.get(command.id) or CommandProgress(command=command, status="asked")
        self._known[command.id] = msgspec.structs.replace(known, command=command)

    def apply_answer(self, event: Acknowledged, attempt: int) -> None:
        """Take what global rank 0 says."""
        known = self._known.get(event.command) or _unseen(event)
        changes: dict[str, object] = {"status": event.status, "detail": event.detail}
        if event.status == "taken":
            changes |= {"taken_step": event.global_step, "taken_at": event.time}
            self._acknowledged_by.setdefault(event.command, set()).add(0)
        else:
            changes |= {"done_step": event.global_step, "done_at": event.time}
        self._known[event.command] = msgspec.structs.replace(known, **changes)
        self._attempts[event.command] = attempt

    def apply_rank(self, event: RankAcknowledged, rank: int) -> None:
        """Take what a rank says for itself."""
        self._acknowledged_by.setdefault(event.command, set()).add(rank)
        self._reached.setdefault(event.command, event)

    def is_stop_asked(self) -> bool:
        """Whether anybody has asked for the run's end."""
        return any(progress.command.op in ("stop", "kill") for progress in self._known.values())

    def progress(
        self, ranks: Mapping[int, RankPlace], *, attempt: int, is_over: bool, now: float, rank_clock: float | None
    ) -> tuple[CommandProgress, ...]:
        """Each command as it stands, oldest first.

        Args:
            ranks: all that have been heard of in this attempt.
            attempt: the present one; what an earlier one has taken and not done is not done any more.
            is_over: whether the run has ended, and nobody answers any more.
            now: UTC epoch seconds by the reader's clock, which is the asker's as far as anybody knows.
            rank_clock: the newest time that the first node has told, `None` where it tells nothing.
        """
        found = []
        for name, known in self._known.items():
            if known.status in ("asked", "taken") and self._has_lapsed(name, known, attempt, is_over):
                found.append(msgspec.structs.replace(known, status="refused", detail="the run ended first"))
            else:
                found.append(self._waiting(known, ranks, is_over, now, rank_clock))
        return tuple(found)

    def _has_lapsed(self, name: str, known: CommandProgress, attempt: int, is_over: bool) -> bool:
        if known.op in ("stop", "kill"):
            return False
        return is_over or (known.status == "taken" and self._attempts.get(name, attempt) < attempt)

    def _waiting(
        self,
        known: CommandProgress,
        ranks: Mapping[int, RankPlace],
        is_over: bool,
        now: float,
        rank_clock: float | None,
    ) -> CommandProgress:
        heard, first = self._acknowledged_by.get(known.id, set()), self._reached.get(known.id)
        if first is not None and known.taken_at is None:
            known = msgspec.structs.replace(known, taken_step=first.global_step, taken_at=first.time)
        if is_over or known.status == "refused" or known.op == "kill":
            return msgspec.structs.replace(known, ranks_taken=tuple(sorted(heard)))
        if known.taken_at is None:
            since, missing = known.asked_at, {0} if 0 in ranks else set()
        else:
            since = known.taken_at
            now = rank_clock if rank_clock is not None else now
            missing = {number for number, place in ranks.items() if place.is_in_fit} - heard
            # Who has said nothing and has trained on was there all the same: its own record may be cut off.
            missing = {number for number in missing if not _is_beyond(ranks[number], known.taken_step)}
        return msgspec.structs.replace(
            known,
            ranks_taken=tuple(sorted(heard)),
            waiting_for=tuple(sorted(missing)),
            waiting_s=max(0.0, now - since) if missing else None,
        )


def _unseen(event: Acknowledged) -> CommandProgress:
    """An answer whose command's file is gone."""
    command = Command(id=event.command, op=cast(Operation, event.op), time=event.time, by="")
    return CommandProgress(command=command, status="asked")


def _is_beyond(place: RankPlace, step: int | None) -> bool:
    return place.global_step is not None and step is not None and place.global_step > step
