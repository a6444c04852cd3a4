"""What is known of a run at one moment? The frozen views that others read, and how they are made of its history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from lightning_tui.record.command_progress import CommandProgress, RankPlace
from lightning_tui.record.directory import RunRecord
from lightning_tui.record.events import (
    CheckpointSaved,
    Ended,
    ExceptionRaised,
    FitEnd,
    ProgramEnd,
    Restarting,
    Stage,
    Stopping,
    SupervisorStarted,
    TrainerSeen,
)
from lightning_tui.record.fits import Fit, FitWord
from lightning_tui.record.hardware import GpuHistory, GpuKey, NodeView
from lightning_tui.record.history import RankHistory, RunHistory
from lightning_tui.record.samples import GpuSample, HostSample
from lightning_tui.record.series import Series, Timeline
from lightning_tui.record.standstill import NodeClock, RankPosition, Standstill, standstill_of
from lightning_tui.record.state import Facts, Failure, RunState, caught_sentence, derive, restart_sentence


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


class FitView(msgspec.Struct, frozen=True, kw_only=True):
    """One of the program's fits. Times in UTC epoch seconds."""

    number: int
    state: FitWord
    exception: str | None
    """Type of the exception that left it."""
    trainer: TrainerSeen | None
    progress: ProgressView | None
    metrics: Mapping[str, Series]
    """Live objects, as the run's are."""
    began_at: float | None
    ended_at: float | None


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a run at one moment. Trainer, progress, metrics and timeline are the current fit's."""

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
    fits: tuple[FitView, ...] = ()
    """The program's fits: the current one, then the others by number. Of very many, those between are left out."""
    fits_left_out: Mapping[str, int] = {}
    """How many of those ended how."""

    @property
    def fit_count(self) -> int:
        """How many fits the program has begun so far."""
        return len(self.fits) + sum(self.fits_left_out.values())

    def fits_sentence(self) -> str:
        """Where there are several fits: which one is the current one, and how the others ended; else empty."""
        if self.fit_count < 2:
            return ""
        ends = Counter(self.fits_left_out)
        ends.update(fit.state for fit in self.fits[1:])
        others = ", ".join(f"{number} {word}" for word, number in ends.items())
        return f"fit {self.fits[0].number} of {self.fit_count} · others: {others}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come: it has ended, or it is lost and none of its processes lives."""
        return self.state.is_final or (self.state is RunState.LOST and not self.ranks_alive)

    def took_s(self, now: float) -> float | None:
        """Seconds from its start to its end, or to `now`; `None` where it never began, or nobody saw its end."""
        if self.started_at is None or (self.is_over and self.ended_at is None):
            return None
        return max(0.0, (self.ended_at or now) - self.started_at)


def snapshot_of(
    history: RunHistory,
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
    failure = history.failure()
    ended = history.ended
    facts = Facts(
        age_s=now - history.record.created_at,
        started=history.supervisor is not None,
        supervisor_alive=supervisor_alive,
        ranks_alive=ranks_alive,
        stage=history.ranks[0].stage if 0 in history.ranks else None,
        stop_asked=history.stopping is not None or history.commands.is_stop_asked(),
        fit_seen=history.fit_seen,
        fit_end=history.fit_end,
        program_end=history.program_ends.get(0),
        telemetry_broke=bool(history.troubles),
        failure=failure,
        ended=ended,
        restarting=history.restarts[-1] if history.restarts else None,
        elsewhere=elsewhere,
        rebooted=rebooted,
        last_step=history.fits.current.last_step,
    )
    verdict, current = derive(facts), history.fits.current
    hardware = history.hardware.view()
    first = hardware.nodes[0] if hardware.nodes else None
    standstill = _standstill(history)
    return RunSnapshot(
        record=history.record,
        directory=history.directory,
        state=verdict.state,
        detail=verdict.detail,
        attempt=history.attempt,
        supervisor=history.supervisor,
        trainer=current.trainer,
        progress=_progress(history, standstill),
        metrics=dict(current.metrics),
        ranks=tuple(_rank(rank, history.is_gone(number)) for number, rank in sorted(history.ranks.items())),
        checkpoints=tuple(history.checkpoints),
        host=first.host if first else None,
        gpus=first.gpus if first else (),
        gpus_missing=first.gpus_missing if first else None,
        stopping=history.stopping,
        commands=_commands(history, now),
        failure=failure if verdict.state is RunState.FAILED else None,
        ended=ended,
        started_at=history.started_at,
        ended_at=ended.time if ended else None,
        notices=tuple(_notices(history, failure)),
        ranks_alive=ranks_alive,
        nodes=hardware.nodes,
        gpu_history=hardware.histories,
        restarts=tuple(history.restarts),
        caught=tuple(history.caught_exceptions()),
        fit_end=history.fit_end,
        program_end=history.program_ends.get(0),
        timeline=current.timeline,
        fits=tuple(_fits(history, verdict.state, standstill)),
        fits_left_out=dict(history.fits.left_out),
        standstill=standstill,
    )


def _rank(rank: RankHistory, is_gone: bool) -> RankView:
    progress, memory = rank.progress, rank.memory
    return RankView(
        rank=rank.hello.rank,
        host=rank.hello.host,
        pid=rank.hello.pid,
        state=rank.last_word or ("gone" if is_gone else rank.stage),
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


def _commands(history: RunHistory, now: float) -> tuple[CommandProgress, ...]:
    places = {
        number: RankPlace(rank.progress.global_step if rank.progress else None, rank.is_in_fit)
        for number, rank in history.ranks.items()
        if not history.is_gone(number)
    }
    return history.commands.progress(
        places,
        attempt=history.attempt,
        is_over=history.ended is not None,
        now=now,
        rank_clock=history.clocks[0].now,
    )


def _fits(history: RunHistory, state: RunState, standstill: Standstill | None) -> Iterator[FitView]:
    """The current one first. Without a fit there is none: what was evaluated alone is the run's own."""
    current = history.fits.current
    others = sorted(history.fits.fits[:-1], key=lambda fit: fit.number)
    for fit in (current, *others):
        if fit.began_at is not None:
            yield FitView(
                number=fit.number,
                state=_fit_word(fit, history, state if fit is current else None),
                exception=fit.raised,
                trainer=fit.trainer,
                progress=_progress(history, standstill) if fit is current else _progress_of(fit),
                metrics=dict(fit.metrics),
                began_at=fit.began_at,
                ended_at=fit.ended_at,
            )


def _fit_word(fit: Fit, history: RunHistory, of_run: RunState | None) -> FitWord:
    """How a fit stands, by what came after it: another fit, or the end of the run in this state."""
    if fit.word == "failed":
        was_caught = of_run is None or any(each.time == fit.ended_at for each in history.caught_exceptions())
        return "caught" if was_caught else "failed"
    if fit.word == "running" and of_run is None:
        return "stopped"
    if fit.word == "running" and of_run is not None and (of_run.is_final or of_run is RunState.LOST):
        return "stopped" if of_run in (RunState.STOPPED, RunState.KILLED) else "failed"
    return fit.word


def _progress_of(fit: Fit) -> ProgressView | None:
    """How far a fit is, by its own word alone."""
    progress = fit.progress
    if progress is None:
        return None
    step_time, trainer = progress.step_time_s, fit.trainer
    per_second = 1 / step_time if step_time else None
    samples = progress.batch_size * (trainer.world_size if trainer else 1) if progress.batch_size else None
    return ProgressView(
        stage=progress.stage,
        epoch=progress.epoch,
        max_epochs=progress.max_epochs,
        global_step=progress.global_step,
        max_steps=progress.max_steps,
        batch=progress.batch,
        total_batches=progress.total_batches,
        fraction=fit.fraction,
        eta_s=None,
        steps_per_s=per_second,
        samples_per_s=samples * per_second if samples and per_second else None,
        step_time_s=step_time,
        data_wait_s=progress.data_wait_s,
    )


def _progress(history: RunHistory, standstill: Standstill | None) -> ProgressView | None:
    """How far the current fit is; an evaluation after it counts its own batches while it goes on."""
    fit, pace = history.fits.current, history.pace
    view = _progress_of(fit) if 0 in history.ranks else None
    if view is None or fit.progress is None:
        return None
    evaluation = history.fits.evaluation or fit.progress
    return msgspec.structs.replace(
        view,
        stage=evaluation.stage,
        batch=evaluation.batch,
        total_batches=evaluation.total_batches,
        eta_s=pace.time_left(fit.progress, fit.fraction) if history.ended is None else None,
        usual_s=pace.usual_s(),
        stalled_s=standstill.silent_s if standstill is not None else None,
        validation_s=pace.validation_s,
    )


def _standstill(history: RunHistory) -> Standstill | None:
    """All is told by the clocks of the ranks' nodes; the reader's own may be another one. Of a run that a person
    has ended: whether it stood still when it got its signal."""
    ended = history.ended
    if ended is not None and ended.cause not in ("stop", "kill"):
        return None
    clocks = (history.clocks_at_signal if ended is not None else None) or history.clocks
    of_host = {host: clocks[node] for host, node in history.hardware.node_of_host().items() if node in clocks}
    positions = [
        _position(rank, of_host.get(rank.hello.host, clocks[0]), history.departure(number))
        for number, rank in sorted(history.ranks.items())
    ]
    return standstill_of(positions, history.pace, is_idle=all(clock.is_idle for clock in clocks.values()))


def _position(rank: RankHistory, clock: NodeClock, left: tuple[float, str] | None) -> RankPosition:
    """Where a rank is, by the clock of its node; `left`: when and how it left."""
    return RankPosition(
        rank=rank.hello.rank,
        stage=rank.stage if rank.has_entered else None,
        global_step=rank.global_step,
        progress=rank.latest,
        silent_s=clock.since(rank.heard_at),
        left="" if left is None else left[1],
        left_s=0.0 if left is None else clock.since(left[0]),
    )


def _notices(history: RunHistory, failure: Failure | None) -> Iterator[str]:
    ended = history.ended
    for rank, trouble in history.troubles:
        if not _follows_from(failure, rank, trouble):
            yield f"rank {rank}: {trouble}"
    if caught := history.caught_exceptions():
        yield caught_sentence(caught)
    if ended is not None and ended.not_restarted:
        yield f"not restarted: {ended.not_restarted}"
    for writer, gap in history.gaps.items():
        what = "samples" if writer is None else f"rank {writer}'s progress and metrics"
        yield f"{gap.reason}: {what} of {gap.seconds:.0f} s are missing from the record"
    if history.restarts and not history.was_ended_before(history.restarts[-1]):
        yield restart_sentence(history.restarts[-1])
    if history.unreadable_lines:
        yield f"{history.unreadable_lines} lines of the record could not be read"
    if ended is not None and ended.cleaned:
        yield f"{ended.cleaned} processes outlived the program and were killed"
    if ended is not None and ended.survivors:
        pids = ", ".join(map(str, ended.survivors))
        yield f"these processes could not be killed and may still hold memory: {pids}"


NO_COMMANDS = "commands are no longer accepted"
"""How a rank begins that has lost the agreement with the others (`Steering.break_down`)."""
_NO_COMMANDS_BEFORE = "commands can no longer be taken"
"""How it began in records of earlier versions."""


def _follows_from(failure: Failure | None, rank: int, trouble: str) -> bool:
    """Whether a rank lost the others because one of them has failed: then that is to be told, not this."""
    return failure is not None and failure.rank != rank and trouble.startswith((NO_COMMANDS, _NO_COMMANDS_BEFORE))
