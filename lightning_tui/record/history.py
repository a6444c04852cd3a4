"""Fold a run's events, in the order they are read, into what a person wants to know: one snapshot of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import singledispatchmethod
from typing import NamedTuple, TypeGuard

import msgspec

from lightning_tui.record.command_progress import CommandLog, CommandProgress, RankPlace
from lightning_tui.record.commands import Command
from lightning_tui.record.directory import RunRecord
from lightning_tui.record.events import (
    Acknowledged,
    AnyEvent,
    CheckpointRemoved,
    CheckpointSaved,
    Ended,
    ExceptionRaised,
    FitEnd,
    Hello,
    Memory,
    Metrics,
    Number,
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
    TrainerSeen,
)
from lightning_tui.record.hardware import GpuHistory, GpuKey, NodeHardware, NodeView, name_nodes
from lightning_tui.record.index import Sums
from lightning_tui.record.pace import Pace, epochs_of
from lightning_tui.record.samples import GpuSample, HostSample
from lightning_tui.record.series import Series, Timeline
from lightning_tui.record.standstill import NodeClock, RankPosition, Standstill, standstill_of
from lightning_tui.record.state import (
    Facts,
    Failure,
    RunState,
    caught_at_the_end,
    caught_sentence,
    derive,
    first_failure,
    is_stop_exception,
    restart_sentence,
)


class RankView(msgspec.Struct, frozen=True, kw_only=True):
    """One rank as last heard of. Memory in bytes, times in seconds."""

    rank: int
    host: str
    pid: int
    state: str
    """The stage it is in, or `exited`, `failed`, `gone`."""
    epoch: int | None = None
    global_step: int | None = None
    step_time_s: float | None = None
    data_wait_s: float | None = None
    device: str | None = None
    device_uuid: str | None = None
    allocated: int | None = None
    reserved: int | None = None
    peak_allocated: int | None = None
    device_total: int | None = None


class ProgressView(msgspec.Struct, frozen=True, kw_only=True):
    """How far global rank 0 is. `fraction` is of the whole fit, 0 to 1."""

    stage: Stage
    epoch: int
    max_epochs: int | None
    global_step: int
    max_steps: int | None
    batch: int
    total_batches: int | None
    fraction: float | None
    eta_s: float | None
    steps_per_s: float | None = None
    samples_per_s: float | None = None
    step_time_s: float | None = None
    data_wait_s: float | None = None
    usual_s: float | None = None
    """Usual wall time between two batches of this stage."""
    stalled_s: float | None = None
    """How long nothing has come, where that is much longer than usual (`RunSnapshot.standstill`)."""
    validation_s: float | None = None
    """Usual time of one validation."""


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run at one moment."""

    record: RunRecord
    directory: str
    state: RunState
    detail: str
    """One sentence where there is more to say than the state, else empty."""
    attempt: int
    supervisor: SupervisorStarted | None
    trainer: TrainerSeen | None
    progress: ProgressView | None
    metrics: Mapping[str, Series]
    """Live objects that the follower goes on filling; they may be read at any time."""
    ranks: tuple[RankView, ...]
    checkpoints: tuple[CheckpointSaved, ...]
    host: HostSample | None
    gpus: tuple[GpuSample, ...]
    gpus_missing: str | None
    stopping: Stopping | None
    commands: tuple[CommandProgress, ...]
    failure: Failure | None
    ended: Ended | None
    started_at: float | None
    ended_at: float | None
    notices: tuple[str, ...]
    """Things a person should know beside the state: telemetry that broke, unreadable lines, processes left over."""
    ranks_alive: bool
    """Whether any process of the run lives on this host."""
    nodes: tuple[NodeView, ...] = ()
    """Hardware of every node that has a supervisor, by node number. `host` and `gpus` above are the first one's."""
    gpu_history: Mapping[GpuKey, GpuHistory] = {}
    """The last minutes of each GPU; replaced whole, never changed."""
    restarts: tuple[Restarting, ...] = ()
    """Each time that the supervisor has started the program again, oldest first."""
    caught: tuple[ExceptionRaised, ...] = ()
    """Exceptions of this attempt that left a Trainer and that the program caught: it went on, or ended well."""
    fit_end: FitEnd | None = None
    """How the newest fit came to its end; `None` where it did not."""
    program_end: ProgramEnd | None = None
    """How global rank 0 left the program, in its own words; `None` where it did not come to that."""
    timeline: Timeline | None = None
    """Which epoch and time belong to a step; a live object, as the metrics are."""
    standstill: Standstill | None = None
    """That its ranks stand still, or stood so when a person ended it; `None` where they move."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come: it has ended, or it is lost and none of its processes lives."""
        return self.state.is_final or (self.state is RunState.LOST and not self.ranks_alive)

    def took_s(self, now: float) -> float | None:
        """Seconds from its start to its end, or to `now`; `None` where it never began, or nobody saw its end."""
        if self.started_at is None or (self.is_over and self.ended_at is None):
            return None
        return max(0.0, (self.ended_at or now) - self.started_at)


class _Rank:
    """What one rank has said in this attempt; later processes of the same rank (spawn) take over."""

    def __init__(self, hello: Hello) -> None:
        self.hello = hello
        self.stage: Stage = "setup"
        self.has_entered = False
        self.heard_at = hello.time
        self.global_step: int | None = None
        self.progress: Progress | None = None
        self.memory: Memory | None = None
        self.last_word: str | None = None
        self.spoke = False
        """Whether it has said how it ended; a rank that spoke did not vanish."""

    @property
    def is_in_fit(self) -> bool:
        """Whether it trains or validates, and has not said how that ended."""
        return not self.spoke and self.stage not in ("setup", "done")

    @property
    def is_before_fit(self) -> bool:
        return not self.spoke and self.stage == "setup"

    def position(self, now: NodeClock, left: tuple[float, str] | None) -> RankPosition:
        """Where it is, by the clock of its node; `left`: when and how it left."""
        return RankPosition(
            rank=self.hello.rank,
            stage=self.stage if self.has_entered else None,
            global_step=self.global_step,
            progress=self.progress,
            silent_s=now.since(self.heard_at),
            left="" if left is None else left[1],
            left_s=0.0 if left is None else now.since(left[0]),
        )

    def view(self, gone: bool) -> RankView:
        progress, memory = self.progress, self.memory
        return RankView(
            rank=self.hello.rank,
            host=self.hello.host,
            pid=self.hello.pid,
            state=self.last_word or ("gone" if gone else self.stage),
            epoch=progress.epoch if progress else None,
            global_step=progress.global_step if progress else None,
            step_time_s=progress.step_time_s if progress else None,
            data_wait_s=progress.data_wait_s if progress else None,
            device=memory.device if memory else None,
            device_uuid=memory.uuid if memory else None,
            allocated=memory.allocated if memory else None,
            reserved=memory.reserved if memory else None,
            peak_allocated=memory.peak_allocated if memory else None,
            device_total=memory.total if memory else None,
        )


class RunHistory:
    """The fold: `apply` each event once, `snapshot` at any time. Used by one thread."""

    def __init__(self, record: RunRecord, directory: str) -> None:
        self.record = record
        self.directory = directory
        self.attempt = 0
        self.metrics: dict[str, Series] = {}
        self.checkpoints: list[CheckpointSaved] = []
        self.supervisor: SupervisorStarted | None = None
        self._nodes: dict[int, NodeHardware] = {}
        self._hardware: _Hardware | None = None
        self.trainer: TrainerSeen | None = None
        self.commands = CommandLog()
        self.started_at: float | None = None
        self.unreadable_lines = 0
        self.timeline = Timeline()
        self._pace = Pace()
        self._clocks: dict[int, NodeClock] = {0: NodeClock()}
        self.restarts: list[Restarting] = []
        self._gaps: dict[int | None, RecordGap] = {}
        """The newest of each rank, and of the supervisor (`None`)."""
        self._last_step: int | None = None
        self._begin_attempt()

    def _begin_attempt(self) -> None:
        self.ranks: dict[int, _Rank] = {}
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
        self._stop_began: float | None = None
        self._clocks_at_signal: dict[int, NodeClock] = {}
        self.troubles: list[tuple[int, str]] = []
        self._fraction: float | None = None

    def apply_rank_event(self, attempt: int, rank: int, event: AnyEvent) -> None:
        """Take an event of `rank`; of an attempt before the newest one, what the training has come to still counts."""
        self._enter_attempt(attempt)
        if attempt == self.attempt or isinstance(event, Metrics | CheckpointSaved | CheckpointRemoved):
            self._apply(event, rank)
        elif isinstance(event, Progress) and rank == 0 and event.stage == "train":
            self._note_place(event)

    def _enter_attempt(self, attempt: int) -> None:
        if attempt > self.attempt:
            self.attempt = attempt
            self._begin_attempt()
            self._pace.restarts()

    def _note_place(self, event: Progress) -> None:
        self._last_step = event.global_step
        self.timeline.add(event.global_step, epochs_of(event), event.time)

    def apply_supervisor_event(self, event: AnyEvent, node: int = 0) -> None:
        """Take an event from the `supervisor/` file of a node."""
        if isinstance(event, Sampled | SupervisorStarted):
            self._note_hardware(event, node)
        self._apply(event, None)

    def _note_hardware(self, event: Sampled | SupervisorStarted, number: int) -> None:
        node = self._nodes.setdefault(number, NodeHardware(number))
        if isinstance(event, Sampled):
            node.take(event)
            self._clocks.setdefault(number, NodeClock()).take(event)
        else:
            node.hostname = event.host
        self._hardware = None

    def apply_command(self, command: Command) -> None:
        """Take a command file; an answer may already have come."""
        self.commands.apply_command(command)

    @singledispatchmethod
    def _apply(self, event: AnyEvent, rank: int | None) -> None:
        """Events that change nothing here are fine."""

    @_apply.register
    def _(self, event: Hello, rank: int) -> None:
        self.ranks[rank] = _Rank(event)

    @_apply.register
    def _(self, event: TrainerSeen, rank: int) -> None:
        self.trainer = event

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
            self._heard(self.ranks[rank], event)
        if rank == 0:
            self._pace.enters(event.stage, event.time)

    def _heard(self, rank: _Rank, event: StageChanged | Progress) -> None:
        rank.stage, rank.global_step, rank.heard_at = event.stage, event.global_step, event.time

    @_apply.register
    def _(self, event: Progress, rank: int) -> None:
        if rank in self.ranks:
            self.ranks[rank].progress = event
            self._heard(self.ranks[rank], event)
        if rank == 0:
            self._pace.progresses(event)
        if rank == 0 and event.stage == "train":
            self._fraction = _fraction_of_fit(event)
            self._note_place(event)

    @_apply.register
    def _(self, event: Metrics, rank: int) -> None:
        if rank != 0:  # another rank's own loss goes by the same name
            return
        for name, points in event.series.items():
            series = self.metrics.setdefault(name, Series())
            values = points.values
            series.extend(points.steps, values if _are_floats(values) else [_number(value) for value in values])

    @_apply.register
    def _(self, event: Memory, rank: int) -> None:
        if rank in self.ranks:
            self.ranks[rank].memory = event

    @_apply.register
    def _(self, event: Saving, rank: int) -> None:
        if rank == 0:
            self._pace.saves(event)
        if rank in self.ranks:
            self.ranks[rank].heard_at = event.time

    @_apply.register
    def _(self, event: CheckpointSaved, rank: int) -> None:
        self.checkpoints = [c for c in self.checkpoints if c.path != event.path] + [event]
        if rank == 0:
            self._pace.saved(event)

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
            self._fraction = 1.0 if event.finished else self._fraction
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
        self.stopping, self._stop_began = event, self._stop_began or event.time
        if event.rung != "asked" and not self._clocks_at_signal:
            self._clocks_at_signal = deepcopy(self._clocks)

    @_apply.register
    def _(self, event: Restarting, rank: None) -> None:
        self.restarts.append(event)
        self._enter_attempt(event.attempt)

    @_apply.register
    def _(self, event: RecordGap, rank: int | None) -> None:
        self._gaps[rank] = event

    @_apply.register
    def _(self, event: Ended, rank: None) -> None:
        self.ended = event

    def _goes_on(self, rank: int) -> None:
        """A rank that enters another stage has caught what it raised before."""
        if any(of == rank for of, _ in self.exceptions):
            self.caught += [each for of, each in self.exceptions if of == rank]
            self.exceptions = [(of, each) for of, each in self.exceptions if of != rank]
        if rank in self.ranks and self.ranks[rank].last_word == "failed":
            self.ranks[rank].spoke, self.ranks[rank].last_word = False, None

    def _caught(self) -> list[ExceptionRaised]:
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

    def sums(self) -> Sums:
        """What an index stores; the rest is told again by the lines that it keeps."""
        metrics = {name: series.state() for name, series in self.metrics.items()}
        return Sums(metrics, self.timeline.state(), self._pace.state(), self.unreadable_lines)

    def restore(self, sums: Sums) -> None:
        """Go on from an index whose kept lines were applied before.

        Raises:
            ValueError: it is damaged.
        """
        metrics = {name: Series.restored(state) for name, state in sums.metrics.items()}
        timeline, pace = Timeline.restored(sums.timeline), Pace.restored(sums.pace)
        self.metrics, self.timeline, self._pace = metrics, timeline, pace
        self.unreadable_lines = sums.unreadable_lines

    def failure(self) -> Failure | None:
        """The first thing that went wrong in this attempt."""
        spoke = [number for number, rank in self.ranks.items() if rank.spoke]
        caught = self._caught()
        uncaught = [(rank, each) for rank, each in self.exceptions if each not in caught]
        return first_failure(uncaught, self.gone, spoke, self.ended, self.left_early, self.left_before)

    def snapshot(
        self,
        *,
        supervisor_alive: bool,
        ranks_alive: bool,
        now: float,
        elsewhere: str | None = None,
        rebooted: bool = False,
    ) -> RunSnapshot:
        """Freeze what is known. `now` is UTC epoch seconds of the reader's clock.

        `elsewhere` names the supervisor's host where that is not the reader's; `rebooted` says that it was the
        reader's, and was started anew since.
        """
        failure = self.failure()
        facts = Facts(
            age_s=now - self.record.created_at,
            started=self.supervisor is not None,
            supervisor_alive=supervisor_alive,
            ranks_alive=ranks_alive,
            stage=self.ranks[0].stage if 0 in self.ranks else None,
            stop_asked=self.stopping is not None or self._stop_is_asked(),
            fit_seen=self.fit_seen,
            fit_end=self.fit_end,
            program_end=self.program_ends.get(0),
            telemetry_broke=bool(self.troubles),
            failure=failure,
            ended=self.ended,
            restarting=self.restarts[-1] if self.restarts else None,
            elsewhere=elsewhere,
            rebooted=rebooted,
            last_step=self._last_step,
        )
        verdict = derive(facts)
        hardware = self._hardware = self._hardware or _freeze(self._nodes)
        first = hardware.nodes[0] if hardware.nodes else None
        return RunSnapshot(
            record=self.record,
            directory=self.directory,
            state=verdict.state,
            detail=verdict.detail,
            attempt=self.attempt,
            supervisor=self.supervisor,
            trainer=self.trainer,
            progress=self._progress(),
            metrics=dict(self.metrics),
            ranks=tuple(rank.view(self._is_gone(number)) for number, rank in sorted(self.ranks.items())),
            checkpoints=tuple(self.checkpoints),
            host=first.host if first else None,
            gpus=first.gpus if first else (),
            gpus_missing=first.gpus_missing if first else None,
            stopping=self.stopping,
            commands=self._command_progress(now),
            failure=failure if verdict.state is RunState.FAILED else None,
            ended=self.ended,
            started_at=self.started_at,
            ended_at=self.ended.time if self.ended else None,
            notices=self._notices(failure),
            ranks_alive=ranks_alive,
            nodes=hardware.nodes,
            gpu_history=hardware.histories,
            restarts=tuple(self.restarts),
            caught=tuple(self._caught()),
            fit_end=self.fit_end,
            program_end=self.program_ends.get(0),
            timeline=self.timeline,
            standstill=self._standstill(),
        )

    def _is_gone(self, number: int) -> bool:
        """Whether the rank's process has vanished, or the supervisor has left nothing of the run behind."""
        ended = self.ended is not None and self.ranks[number].hello.pid not in self.ended.survivors
        return ended or any(event.rank == number for event in self.gone)

    def _stop_is_asked(self) -> bool:
        return self.commands.is_stop_asked()

    def _command_progress(self, now: float) -> tuple[CommandProgress, ...]:
        places = {
            number: RankPlace(rank.progress.global_step if rank.progress else None, rank.is_in_fit)
            for number, rank in self.ranks.items()
            if not self._is_gone(number)
        }
        return self.commands.progress(
            places,
            attempt=self.attempt,
            is_over=self.ended is not None,
            now=now,
            rank_clock=self._clocks[0].now,
        )

    def _progress(self) -> ProgressView | None:
        progress = self.ranks[0].progress if 0 in self.ranks else None
        if progress is None:
            return None
        step_time = progress.step_time_s
        per_second = 1 / step_time if step_time else None
        world_size = self.trainer.world_size if self.trainer else 1
        samples = progress.batch_size * world_size if progress.batch_size else None
        return ProgressView(
            stage=progress.stage,
            epoch=progress.epoch,
            max_epochs=progress.max_epochs,
            global_step=progress.global_step,
            max_steps=progress.max_steps,
            batch=progress.batch,
            total_batches=progress.total_batches,
            fraction=self._fraction,
            eta_s=self._pace.time_left(progress, self._fraction) if self.ended is None else None,
            steps_per_s=per_second,
            samples_per_s=samples * per_second if samples and per_second else None,
            step_time_s=step_time,
            data_wait_s=progress.data_wait_s,
            usual_s=self._pace.usual_s(),
            stalled_s=standstill.silent_s if (standstill := self._standstill()) is not None else None,
            validation_s=self._pace.validation_s,
        )

    def _standstill(self) -> Standstill | None:
        """All is told by the clocks of the ranks' nodes; the reader's own may be another one. Of a run that a person
        has ended: whether it stood still when it got its signal."""
        if self.ended is not None and self.ended.cause not in ("stop", "kill"):
            return None
        clocks = (self._clocks_at_signal if self.ended is not None else None) or self._clocks
        nodes = sorted(self._nodes.items(), reverse=True)
        of_host = {node.hostname: clocks[number] for number, node in nodes if number in clocks}
        positions = [
            rank.position(of_host.get(rank.hello.host, clocks[0]), self._departure(number))
            for number, rank in sorted(self.ranks.items())
        ]
        is_idle = all(clock.is_idle for clock in clocks.values())
        return standstill_of(positions, self._pace, is_idle=is_idle)

    def _departure(self, rank: int) -> tuple[float, str] | None:
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
        return left if self._stop_began is None or left[0] < self._stop_began else None

    def _notices(self, failure: Failure | None) -> tuple[str, ...]:
        notices = [f"rank {rank}: {said}" for rank, said in self.troubles if not _follows_from(failure, rank, said)]
        if caught := self._caught():
            notices.append(caught_sentence(caught))
        if self.ended is not None and self.ended.not_restarted:
            notices.append(f"not started again: {self.ended.not_restarted}")
        for rank, gap in self._gaps.items():
            what = "samples" if rank is None else f"rank {rank}'s progress and metrics"
            notices.append(f"{gap.reason}: {what} of {gap.seconds:.0f} s are missing in the record")
        if self.restarts and not self._was_ended_before(self.restarts[-1]):
            notices.append(restart_sentence(self.restarts[-1]))
        if self.unreadable_lines:
            notices.append(f"{self.unreadable_lines} lines of the record could not be read")
        if self.ended is not None and self.ended.cleaned:
            notices.append(f"{self.ended.cleaned} processes outlived the program and were killed")
        if self.ended is not None and self.ended.survivors:
            pids = ", ".join(map(str, self.ended.survivors))
            notices.append(f"these processes could not be killed and may still hold memory: {pids}")
        return tuple(notices)

    def _was_ended_before(self, restart: Restarting) -> bool:
        """Whether somebody asked for an end while the run waited to start again."""
        return self.ended is not None and self.supervisor is not None and self.supervisor.attempt < restart.attempt


NO_COMMANDS = "commands can no longer be taken"
"""How a rank begins that has lost the agreement with the others (`Steering.break_down`)."""


def _follows_from(failure: Failure | None, rank: int, trouble: str) -> bool:
    """Whether a rank lost the others because one of them has failed: then that is to be told, not this."""
    return failure is not None and failure.rank != rank and trouble.startswith(NO_COMMANDS)


class _Hardware(NamedTuple):
    """What the nodes' samples add up to, made once a sample and not once a snapshot."""

    nodes: tuple[NodeView, ...]
    histories: Mapping[GpuKey, GpuHistory]


def _freeze(nodes: Mapping[int, NodeHardware]) -> _Hardware:
    ordered = [nodes[number] for number in sorted(nodes)]
    named = list(zip(ordered, name_nodes(ordered), strict=True))
    histories = {key: history for node, name in named for key, history in node.histories(name).items()}
    return _Hardware(tuple(node.view(name) for node, name in named), histories)


def _fraction_of_fit(progress: Progress) -> float | None:
    """Share of the whole fit that is done: Lightning ends at whichever of its limits comes first."""
    shares = []
    if progress.max_steps and progress.max_steps > 0:
        shares.append(progress.global_step / progress.max_steps)
    if progress.max_epochs and progress.max_epochs > 0 and progress.total_batches:
        shares.append((progress.epoch + progress.batch / progress.total_batches) / progress.max_epochs)
    return min(1.0, max(shares)) if shares else None


def _are_floats(values: Sequence[Number]) -> TypeGuard[Sequence[float]]:
    return all(type(value) is float for value in values)


def _number(value: Number) -> float:
    return value if isinstance(value, float | int) else math.nan if value == "nan" else float(value)
