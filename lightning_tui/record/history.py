"""What has a run said so far? Its events are folded in the order they are read; `snapshot_of` freezes what is known."""

from __future__ import annotations

from copy import deepcopy
from functools import singledispatchmethod

from msgspec.structs import replace

from lightning_tui.record.command_progress import CommandLog
from lightning_tui.record.commands import Command
from lightning_tui.record.directory import RunRecord
from lightning_tui.record.events import (
    Acknowledged,
    AnyEvent,
    CheckpointRemoved,
    CheckpointSaved,
    DeviceMemory,
    Ended,
    ExceptionRaised,
    FitEnd,
    Hello,
    ProgramEnd,
    Progress,
    RankAcknowledged,
    RankGone,
    RecordGap,
    Restarting,
    Sampled,
    Saving,
    Stage,
    StageChanged,
    Stopping,
    SupervisorStarted,
    TelemetryTrouble,
)
from lightning_tui.record.fits import FitLog
from lightning_tui.record.hardware import HardwareHistory
from lightning_tui.record.index import SkippedTotals
from lightning_tui.record.pace import Pace
from lightning_tui.record.standstill import NodeClock
from lightning_tui.record.state import Failure, caught_at_the_end, first_failure, is_stop_exception

TRACEBACKS_KEPT = 16
"""Of the newest exceptions that the program caught: a sweep may catch thousands."""


class RankHistory:
    """What one rank has said in this attempt; later processes of the same rank (spawn) take over."""

    def __init__(self, hello: Hello, before: RankHistory | None = None) -> None:
        self.hello = hello
        self.stage: Stage = "setup"
        self.has_entered = False
        """Whether it has come to a Trainer."""
        self.heard_at = hello.time
        """When it last said that something went on, by the clock of its node."""
        self.global_step: int | None = None
        self.latest: Progress | None = None
        """Its newest progress, of whichever stage."""
        self.progress: Progress | None = before.progress if before is not None else None
        self.memory: DeviceMemory | None = None
        self.last_word: str | None = None
        self.spoke = False
        """Whether it has said how it ended; a rank that spoke did not vanish."""
        self._has_trained: bool = before is not None and before._has_trained
        self._fits_now = False

    def enters(self, stage: Stage) -> None:
        """It is in this stage now."""
        self.stage = stage
        self._fits_now = stage != "setup" and (self._fits_now or stage in ("sanity_check", "train"))
        self._has_trained = self._has_trained or stage == "train"

    def progresses(self, event: Progress) -> None:
        """It is so far; in an evaluation after a fit, it is where the fit has come to."""
        if self._fits_now or not self._has_trained:
            self.progress = event

    @property
    def is_in_fit(self) -> bool:
        """Whether it trains or validates, and has not said how that ended."""
        return not self.spoke and self.stage not in ("setup", "done")

    @property
    def is_before_fit(self) -> bool:
        """Whether it has not come to its fit, and has not said how it ended."""
        return not self.spoke and self.stage == "setup"

    def hears(self, event: StageChanged | Progress) -> None:
        """Note where it is now."""
        self.enters(event.stage)
        self.global_step, self.heard_at = event.global_step, event.time
        self.latest = event if isinstance(event, Progress) else self.latest


class RunHistory:
    """The fold: `apply` each event once. Used by one thread."""

    def __init__(self, record: RunRecord, directory: str) -> None:
        self.record = record
        self.directory = directory
        self.attempt = 0
        self.fits = FitLog()
        self.checkpoints: list[CheckpointSaved] = []
        self.supervisor: SupervisorStarted | None = None
        self.hardware = HardwareHistory()
        self.commands = CommandLog()
        self.started_at: float | None = None
        self.unreadable_lines = 0
        self.clocks: dict[int, NodeClock] = {0: NodeClock()}
        """By node number; the first node's is always there."""
        self.restarts: list[Restarting] = []
        self.gaps: dict[int | None, RecordGap] = {}
        """The newest of each rank, and of the supervisor (`None`)."""
        self._begin_attempt()

    def _begin_attempt(self) -> None:
        self.ranks: dict[int, RankHistory] = {}
        self.gone: list[RankGone] = []
        self.exceptions: list[tuple[int, ExceptionRaised]] = []
        self.caught: list[ExceptionRaised] = []
        """Exceptions after which the rank that raised them went on; the others are in `exceptions`."""
        self.program_ends: dict[int, ProgramEnd] = {}
        self.left_early: list[tuple[int, ProgramEnd]] = []
        self.left_before: list[tuple[int, ProgramEnd]] = []
        self.fit_seen = False
        self.fit_end: FitEnd | None = None
        self.ended: Ended | None = None
        self.stopping: Stopping | None = None
        self.stop_began: float | None = None
        self.clocks_at_signal: dict[int, NodeClock] = {}
        """As they were when the first signal was sent."""
        self.troubles: list[tuple[int, str]] = []

    def apply_rank_event(self, attempt: int, rank: int, event: AnyEvent) -> None:
        """Take an event of `rank`; of an attempt before the newest one, what the training has come to still counts."""
        self._enter_attempt(attempt)
        if rank == 0:  # another rank's own loss goes by the same name
            self.fits.apply(attempt, event)
        if attempt == self.attempt or isinstance(event, CheckpointSaved | CheckpointRemoved):
            self._apply(event, rank)

    def _enter_attempt(self, attempt: int) -> None:
        if attempt > self.attempt:
            self.attempt = attempt
            self._begin_attempt()
            self.pace.restarts()

    @property
    def pace(self) -> Pace:
        """Of the current fit."""
        return self.fits.current.pace

    def apply_supervisor_event(self, event: AnyEvent, node: int = 0) -> None:
        """Take an event from the `supervisor/` file of a node."""
        if isinstance(event, Sampled):
            self.hardware.add_sample(node, event)
            self.clocks.setdefault(node, NodeClock()).take(event)
        elif isinstance(event, SupervisorStarted):
            self.hardware.name_host(node, event.host)
        self._apply(event, None)

    def apply_command(self, command: Command) -> None:
        """Take a command file; an answer may already have come."""
        self.commands.apply_command(command)

    @singledispatchmethod
    def _apply(self, event: AnyEvent, rank: int | None) -> None:
        """Events that change nothing here are fine."""

    @_apply.register
    def _(self, event: Hello, rank: int) -> None:
        self.ranks[rank] = RankHistory(event, self.ranks.get(rank))

    @_apply.register
    def _(self, event: StageChanged, rank: int) -> None:
        if event.stage in ("train", "sanity_check") and rank == 0:
            self.fit_seen = True
        if event.stage == "train" and rank == 0:
            self.fit_end = None
        if event.stage not in ("done", "paused"):
            self._goes_on(rank)
        if rank in self.ranks:
            self.ranks[rank].has_entered = True
            self.ranks[rank].hears(event)
        if rank == 0:
            self.pace.enters(event.stage, event.time)

    @_apply.register
    def _(self, event: Progress, rank: int) -> None:
        if rank in self.ranks:
            self.ranks[rank].hears(event)
            self.ranks[rank].progresses(event)
        if rank == 0:
            self.pace.progresses(event)

    @_apply.register
    def _(self, event: DeviceMemory, rank: int) -> None:
        if rank in self.ranks:
            self.ranks[rank].memory = event

    @_apply.register
    def _(self, event: Saving, rank: int) -> None:
        if rank == 0:
            self.pace.saves(event)
        if rank in self.ranks:
            self.ranks[rank].heard_at = event.time

    @_apply.register
    def _(self, event: CheckpointSaved, rank: int) -> None:
        self.checkpoints = [c for c in self.checkpoints if c.path != event.path] + [event]
        if rank == 0:
            self.pace.saved(event)

    @_apply.register
    def _(self, event: CheckpointRemoved, rank: int) -> None:
        self.checkpoints = [c for c in self.checkpoints if c.path != event.path]

    @_apply.register
    def _(self, event: ExceptionRaised, rank: int) -> None:
        self.exceptions.append((rank, event))
        if rank == 0 and not is_stop_exception(event.type):
            self.fit_seen = False  # that fit has had its end
        self._last_word(rank, "exited" if is_stop_exception(event.type) else "failed")

    @_apply.register
    def _(self, event: FitEnd, rank: int) -> None:
        if rank == 0:
            self.fit_end = event
        if rank in self.ranks:
            self.ranks[rank].spoke, self.ranks[rank].stage = True, "done"

    @_apply.register
    def _(self, event: ProgramEnd, rank: int) -> None:
        if rank in self.ranks and self.ranks[rank].is_in_fit:
            self.left_early.append((rank, event))
        elif rank in self.ranks and event.code == 0 and self.ranks[rank].is_before_fit:
            self.left_before.append((rank, event))
        self.program_ends[rank] = event
        self._last_word(rank, "exited")

    @_apply.register
    def _(self, event: TelemetryTrouble, rank: int) -> None:
        self.troubles.append((rank, event.message))

    @_apply.register
    def _(self, event: Acknowledged, rank: int) -> None:
        self.commands.apply_answer(event, self.attempt)

    @_apply.register
    def _(self, event: RankAcknowledged, rank: int) -> None:
        self.commands.apply_rank(event, rank)

    @_apply.register
    def _(self, event: SupervisorStarted, rank: None) -> None:
        self._enter_attempt(event.attempt)
        self.supervisor = event
        self.started_at = self.started_at or event.time
        self.ended = None

    @_apply.register
    def _(self, event: RankGone, rank: None) -> None:
        self.gone.append(event)

    @_apply.register
    def _(self, event: Stopping, rank: None) -> None:
        self.stopping, self.stop_began = event, self.stop_began or event.time
        if event.rung != "asked" and not self.clocks_at_signal:
            self.clocks_at_signal = deepcopy(self.clocks)

    @_apply.register
    def _(self, event: Restarting, rank: None) -> None:
        self.restarts.append(event)
        self._enter_attempt(event.attempt)

    @_apply.register
    def _(self, event: RecordGap, rank: int | None) -> None:
        self.gaps[rank] = event

    @_apply.register
    def _(self, event: Ended, rank: None) -> None:
        self.ended = event

    def _goes_on(self, rank: int) -> None:
        """A rank that enters another stage has caught what it raised before."""
        if any(of == rank for of, _ in self.exceptions):
            self.caught += [each for of, each in self.exceptions if of == rank]
            if len(self.caught) > TRACEBACKS_KEPT:
                self.caught[-TRACEBACKS_KEPT - 1] = replace(self.caught[-TRACEBACKS_KEPT - 1], traceback="")
            self.exceptions = [(of, each) for of, each in self.exceptions if of != rank]
        if rank in self.ranks and self.ranks[rank].last_word == "failed":
            self.ranks[rank].spoke, self.ranks[rank].last_word = False, None

    def caught_exceptions(self) -> list[ExceptionRaised]:
        """The exceptions of this attempt that the program caught: it went on after them, or left well."""
        left_well = self.ended is not None and self.ended.code == 0
        caught = list(self.caught)
        for rank in {of for of, _ in self.exceptions}:
            raised = [each for of, each in self.exceptions if of == rank]
            caught += caught_at_the_end(raised, rank, self.program_ends.get(rank), program_left_well=left_well)
        return caught

    def _last_word(self, rank: int, word: str) -> None:
        if rank in self.ranks:
            self.ranks[rank].spoke = True
            self.ranks[rank].last_word = "failed" if self.ranks[rank].last_word == "failed" else word

    def sums(self) -> SkippedTotals:
        """What an index stores; the rest is told again by the lines that it keeps."""
        return SkippedTotals(self.fits.state(), self.unreadable_lines)

    def restore(self, sums: SkippedTotals) -> None:
        """Go on from an index whose kept lines were applied before.

        Raises:
            ValueError: it is damaged.
        """
        self.fits = FitLog.restored(sums.fits)
        self.unreadable_lines = sums.unreadable_lines

    def failure(self) -> Failure | None:
        """The first thing that went wrong in this attempt."""
        spoke = [number for number, rank in self.ranks.items() if rank.spoke]
        caught = self.caught_exceptions()
        uncaught = [(rank, each) for rank, each in self.exceptions if each not in caught]
        return first_failure(uncaught, self.gone, spoke, self.ended, self.left_early, self.left_before)

    def departure(self, rank: int) -> tuple[float, str] | None:
        """When and how a rank left, where it did so before anybody asked the run to end."""
        end, raised = self.program_ends.get(rank), [each for of, each in self.exceptions if of == rank]
        gone = next((event for event in self.gone if event.rank == rank), None)
        if raised:
            left = raised[0].time, f"failed of {raised[0].type.rpartition('.')[2]}"
        elif end is not None:
            left = end.time, f"left with exit code {end.code}"
        elif gone is not None and not self.ranks[rank].spoke:
            left = gone.time, "vanished"
        else:
            return None
        return left if self.stop_began is None or left[0] < self.stop_began else None

    def is_gone(self, number: int) -> bool:
        """Whether the rank's process has vanished, or the supervisor has left nothing of the run behind."""
        ended = self.ended is not None and self.ranks[number].hello.pid not in self.ended.survivors
        return ended or any(event.rank == number for event in self.gone)

    def was_ended_before(self, restart: Restarting) -> bool:
        """Whether somebody asked for an end while the run waited to start again."""
        return self.ended is not None and self.supervisor is not None and self.supervisor.attempt < restart.attempt
