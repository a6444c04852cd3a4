"""What the runs screen asks of the house about all runs: each callable is called in a thread, fakes stand in tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext as refusals
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.ui.runs.lines import UNREADABLE, RunLine, Value
from lightning_tui.ui.services import after_loading

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.record.checkpoints import Checkpoint
    from lightning_tui.record.summaries import RunSummary
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.settings import Settings

_TROUBLED = ("failed", "killed", "lost")


class Origin(NamedTuple):
    """The run that a child is started from."""

    run: RunDirectory
    checkpoint: str | None = None
    """What the child goes on from; `None`: it begins anew."""
    step: int | None = None
    """Of that checkpoint."""


class PruneRule(NamedTuple):
    """Which runs go: what any of the conditions asks for."""

    older_than_s: float | None = None
    keep_size: int | None = None
    """Bytes that the rest may take."""
    keep: int | None = None
    """How many of the newest stay."""


@dataclass(frozen=True)
class RunDetails:
    """All that the screen tells of one run."""

    snapshot: RunSnapshot
    checkpoints: tuple[Checkpoint, ...] = ()
    """Newest first."""
    diagnosis: str = ""
    """What went wrong, in a few words; empty where nothing did, or nobody can tell."""


@dataclass(frozen=True)
class RunServices:
    """Each callable may raise `RefusalError`."""

    lines: Callable[[], Iterator[RunLine]]
    """Every run."""
    line: Callable[[RunDirectory], RunLine]
    """One run as it is now."""
    mark: Callable[[], object]
    """Differs when a run was made or deleted since it was asked last."""
    details: Callable[[RunDirectory], RunDetails]
    prunable: Callable[[PruneRule], tuple[RunLine, ...]]
    """The runs that this rule deletes, oldest first."""
    delete: Callable[[RunDirectory], None]
    write_words: Callable[[RunDirectory, str, str], None]
    """A run's name and note."""
    plan_of_child: Callable[[Origin], Plan]
    """The plan that a child would have where nothing is changed."""
    relaunch: Callable[[Origin, ProgramChoice, Plan], RunDirectory]
    """Start a child under this plan."""


def real_run_services(settings: Settings, environ: Mapping[str, str]) -> RunServices:
    """The services of a real cockpit. Touches nothing slow yet."""
    modules = ("services.starting", "services.children", "diagnosis")
    return RunServices(
        lines=after_loading(partial(_lines, settings.runs_home), *modules),
        line=after_loading(_line, *modules),
        mark=partial(_mark, settings.runs_home),
        details=after_loading(_details, *modules),
        prunable=after_loading(partial(_prunable, settings.runs_home), *modules),
        delete=after_loading(partial(_delete, settings.runs_home), *modules),
        write_words=after_loading(_write_words, *modules),
        plan_of_child=after_loading(_plan_of_child, *modules),
        relaunch=after_loading(partial(_relaunch, settings, environ), *modules),
    )


# ---------------------------------------------------------------------------------------------------------- reading


def line_of(run: RunSummary) -> RunLine:
    """A run as a line of the list."""
    metric = run.metric
    best = last = None
    if metric is not None and metric.best is not None:
        best = Value(metric.name, metric.best, metric.best_step)
    if metric is not None and metric.last is not None:
        last = Value(metric.name, metric.last, metric.last_step)
    return RunLine(
        id=run.id,
        directory=run.directory,
        state=run.state.value,
        detail=run.detail,
        program=run.program,
        folder=run.folder,
        name=run.name or "",
        note=run.note or "",
        parent=run.parent,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        fraction=run.progress.fraction if run.progress is not None else None,
        best=best,
        last=last,
        is_more_better=metric is not None and metric.mode == "max",
        size=run.size,
        is_over=run.is_over,
    )


def _lines(home: Path) -> Iterator[RunLine]:
    from lightning_tui.record import RunDirectory, RunStore, UnreadableRun

    with refusals():
        for run in RunStore(home).summaries():
            if isinstance(run, UnreadableRun):
                yield unreadable_line(RunDirectory(Path(run.directory)), run.problem)
            else:
                yield line_of(run)


def unreadable_line(directory: RunDirectory, problem: str) -> RunLine:
    """A run that cannot be read, and why."""
    return RunLine(id=directory.id, directory=str(directory.path), state=UNREADABLE, detail=problem)


def _line(directory: RunDirectory) -> RunLine:
    from lightning_tui.record.summaries import summarize

    with refusals():
        return line_of(summarize(directory))


def _mark(home: Path) -> object:
    try:
        found = home.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_mtime_ns


def _details(directory: RunDirectory) -> RunDetails:
    from lightning_tui.record import read_snapshot
    from lightning_tui.record.checkpoints import checkpoints_of

    with refusals():
        snapshot = read_snapshot(directory)
    return RunDetails(snapshot, checkpoints_of(directory, snapshot), _diagnosis(directory, snapshot))


def _diagnosis(directory: RunDirectory, snapshot: RunSnapshot) -> str:
    from lightning_tui.diagnosis import diagnose, evidence_of_run
    from lightning_tui.record import RecordError

    if snapshot.state.value not in _TROUBLED:
        return ""
    try:
        found = diagnose(evidence_of_run(directory, snapshot))
    except (RecordError, OSError):
        return ""
    return found[0].title if found else ""


# ----------------------------------------------------------------------------------------------------------- changing


def _prunable(home: Path, rule: PruneRule) -> tuple[RunLine, ...]:
    from lightning_tui.record import RunStore, UnreadableRun
    from lightning_tui.record.pruning import runs_to_prune

    with refusals():
        runs = [run for run in RunStore(home).summaries() if not isinstance(run, UnreadableRun)]
    return tuple(map(line_of, runs_to_prune(runs, now=time.time(), **rule._asdict())))


def _write_words(directory: RunDirectory, name: str, note: str) -> None:
    from lightning_tui.record.notes import set_name, set_note

    with refusals():
        set_name(directory, name)
        set_note(directory, note)


def _delete(home: Path, directory: RunDirectory) -> None:
    from lightning_tui.record import RunStore

    with refusals():
        RunStore(home).delete(directory)


def _plan_of_child(origin: Origin) -> Plan:
    from lightning_tui.services.children import plan_of_child

    with refusals():
        return plan_of_child(origin.run.read_record(), {}, origin.checkpoint)


def _relaunch(
    settings: Settings, environ: Mapping[str, str], origin: Origin, choice: ProgramChoice, plan: Plan
) -> RunDirectory:
    from lightning_tui.plan.comparison import changed_fields
    from lightning_tui.services.children import plan_of_child, program_of_run, relaunch
    from lightning_tui.services.starting import check_may_start

    with refusals():
        record = origin.run.read_record()
        given = None if list(choice.given) == record.program.given else list(choice.given)
        check_may_start(settings, environ, program_of_run(record, given, environ).interpreter, plan)
        resumed = plan_of_child(record, {}, origin.checkpoint)
        checkpoint = origin.checkpoint if plan.ckpt_path == resumed.ckpt_path else None
        changed = changed_fields(plan_of_child(record, {}, checkpoint), plan)
        changes = {name: after for name, (_, after) in changed.items()}
        return relaunch(settings, origin.run, changes, checkpoint=checkpoint, environ=environ, given=given)
