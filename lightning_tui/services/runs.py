"""What can be done with the runs of a home? List, describe, compare, name, prune and delete them, and plan a child.

Each function raises `RecordError` where the home, or a run that it needs, cannot be read or written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lightning_tui.record import RecordError, RunDirectory, RunSnapshot, RunStore, UnreadableRun, read_snapshot
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of
from lightning_tui.record.comparison import Comparison, compare_runs
from lightning_tui.record.notes import set_name, set_note
from lightning_tui.record.pruning import runs_to_prune
from lightning_tui.record.summaries import RunSummary, size_on_disk

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan

ListedRun: TypeAlias = RunSummary | UnreadableRun


class RunDetails(NamedTuple):
    """All that is told of one run."""

    snapshot: RunSnapshot
    checkpoints: tuple[Checkpoint, ...] = ()
    """Newest first."""
    diagnosis: str = ""
    """What went wrong, in a few words; empty where nothing did, or nobody can tell."""


class ComparedRuns(NamedTuple):
    """Two runs, and in what they differ."""

    first: RunSnapshot
    second: RunSnapshot
    comparison: Comparison


class PruneRule(NamedTuple):
    """Which runs go: what any of the conditions asks for."""

    older_than_s: float | None = None
    keep_size: int | None = None
    """Bytes that the rest may take."""
    keep: int | None = None
    """How many of the newest stay."""


class Pruning(NamedTuple):
    """What a rule would delete, oldest first, of all runs that can be read."""

    doomed: tuple[RunSummary, ...]
    readable: tuple[RunSummary, ...]


class Deletion(NamedTuple):
    """What was deleted, the bytes on disk that it took, and why the rest was not."""

    deleted: tuple[RunDirectory, ...]
    freed: int
    refusals: tuple[str, ...]


class Origin(NamedTuple):
    """The run that a child is started from."""

    run: RunDirectory
    checkpoint: str | None = None
    """What the child goes on from; `None`: it begins anew."""
    step: int | None = None
    """Of that checkpoint."""


class PlannedChild(NamedTuple):
    """A child that is not started yet: its parent, and the plan that it has where nothing is changed."""

    origin: Origin
    snapshot: RunSnapshot
    """Of the parent."""
    plan: Plan


def list_runs(home: Path) -> Iterator[ListedRun]:
    """Every run in a line, one by one as they are read, newest first; those that cannot be read at the end."""
    return RunStore(home).summaries()


def home_mark(home: Path) -> object:
    """Differs when a run was made or deleted since it was asked last."""
    try:
        found = home.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_mtime_ns


def directory_of(run: ListedRun | RunSnapshot) -> RunDirectory:
    """Where the run lies."""
    return RunDirectory(Path(run.directory))


def details_of(directory: RunDirectory) -> RunDetails:
    """All that is told of a run."""
    snapshot = read_snapshot(directory)
    return RunDetails(snapshot, checkpoints_of(directory, snapshot), _diagnosis(directory, snapshot))


def _diagnosis(directory: RunDirectory, snapshot: RunSnapshot) -> str:
    from lightning_tui.diagnosis import diagnose, evidence_of_run

    if snapshot.state not in ("failed", "killed", "lost"):
        return ""
    try:
        found = diagnose(evidence_of_run(directory, snapshot))
    except (RecordError, OSError):
        return ""
    return found[0].title if found else ""


def compare(first: RunDirectory, second: RunDirectory) -> ComparedRuns:
    """Put two runs side by side as they are now."""
    runs = read_snapshot(first), read_snapshot(second)
    return ComparedRuns(*runs, compare_runs(*runs, time.time()))


def write_notes(directory: RunDirectory, name: str | None = None, note: str | None = None) -> None:
    """Give a run a name, a note, or both; `None` leaves what is there, empty text takes it away."""
    if name is not None:
        set_name(directory, name)
    if note is not None:
        set_note(directory, note)


def prunable(home: Path, rule: PruneRule) -> Pruning:
    """What this rule would delete; never a run that may be alive, nor one that a live child may need."""
    runs = tuple(run for run in list_runs(home) if isinstance(run, RunSummary))
    return Pruning(tuple(runs_to_prune(runs, now=time.time(), **rule._asdict())), runs)


def delete(home: Path, runs: Sequence[RunDirectory], rule: PruneRule | None = None) -> Deletion:
    """Delete runs that are over, one by one, as far as they can be deleted.

    Of runs that were chosen by a `rule` only those that still fall under it: meanwhile a child may have been started
    that goes on from one of them.
    """
    still = None if rule is None else {run.id for run in prunable(home, rule).doomed}
    store, deleted, refusals, freed = RunStore(home), [], [], 0
    for directory in (one for one in runs if still is None or one.id in still):
        try:
            size = size_on_disk(directory.path) or 0
            store.delete(directory)
        except RecordError as error:
            refusals.append(str(error))
        else:
            deleted.append(directory)
            freed += size
    return Deletion(tuple(deleted), freed, tuple(refusals))


def plan_child(origin: Origin) -> PlannedChild:
    """The child that is started where nothing is changed. Raises also `PlanError`: the run's plan cannot be read."""
    from lightning_tui.services.children import plan_of_child

    snapshot = read_snapshot(origin.run)
    return PlannedChild(origin, snapshot, plan_of_child(snapshot.record, {}, origin.checkpoint))
