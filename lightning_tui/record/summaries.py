"""A run in a line, and the summaries of a whole runs home, kept so that a list of thousands opens at once.

The kept ones are a cache and nothing else: only of runs that are over, each used only while every file and folder that
it was made from is as it was. A run's supervisor leaves one in the run directory when it ends, so that even the first
list of a home need not read thousands; a list keeps all that it has seen in one file of the home. Both files may be
deleted at any time, and are not written where that cannot be done.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

from lightning_tui.files import keep, read_kept
from lightning_tui.record.best import MetricSummary, leading_metric
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.notes import FILE as NOTES
from lightning_tui.record.notes import read_notes
from lightning_tui.record.reader import read_snapshot
from lightning_tui.record.snapshot import ProgressView, RunSnapshot
from lightning_tui.record.state import RunState

SUMMARIES_VERSION = 2

SETTLED_S = 2.0
"""A file that was changed so lately may change again within one tick of its clock: its run is not kept yet."""

FILE = "summary.msgpack"
"""Of one run, in its directory."""

_EVENT_FILE = re.compile(r"(?:rank-)?\d{1,9}(?:-\d+)?\.jsonl")

Stamp: TypeAlias = tuple[int, int] | None
"""Time of the last change (ns) and size of a file or folder; `None` where it is not there."""

Stamps: TypeAlias = dict[str, Stamp]
"""By path below the run directory."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of runs says of one. Times in UTC epoch seconds, sizes in bytes."""

    id: str
    directory: str
    state: RunState
    detail: str
    is_over: bool
    program: str
    """The program's label."""
    folder: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    progress: ProgressView | None
    metric: MetricSummary | None
    """The one that tells runs apart: what checkpoints are chosen by, else a validation loss, else a loss."""
    size: int | None
    """What the run directory takes on disk, checkpoints in it included."""
    host: str | None
    """Where its first supervisor ran; `None` where none was seen."""
    parent: str | None
    name: str | None
    note: str | None


class _Kept(msgspec.Struct):
    summary: RunSummary
    stamps: Stamps
    seen_from: str
    """The host that looked. A run that is lost may be alive on another one."""


class _SummariesContent(msgspec.Struct):
    """Of a file: by the runs' ids, those of a home, or the one that a run's supervisor has left."""

    version: int
    runs: dict[str, _Kept]


def summarize(directory: RunDirectory, snapshot: RunSnapshot | None = None) -> RunSummary:
    """The run in a line, read from its files.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
    """
    run = read_snapshot(directory) if snapshot is None else snapshot
    notes = read_notes(directory)
    return RunSummary(
        id=directory.id,
        directory=str(directory.path),
        state=run.state,
        detail=run.detail,
        is_over=run.is_over,
        program=run.record.program.label,
        folder=run.record.program.folder,
        created_at=run.record.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        progress=run.progress,
        metric=leading_metric(run.metrics, run.trainer),
        size=size_on_disk(directory.path),
        host=run.supervisor.host if run.supervisor is not None else None,
        parent=run.record.parent,
        name=notes.name,
        note=notes.note,
    )


def size_on_disk(folder: Path) -> int | None:
    """Bytes that the folder's files take on disk, links not followed; `None` where it cannot be read.

    What was deleted meanwhile does not count.
    """
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        total += size_on_disk(Path(entry.path)) or 0
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512  # st_blocks is in units of 512 bytes
    except OSError:
        return None
    return total


def leave_summary(directory: RunDirectory, snapshot: RunSnapshot) -> None:
    """Keep the summary of a run that has ended in its directory, for the first list that meets it.

    For its supervisor, once all of the run's processes are gone and its own last word is written: nobody adds to the
    event files then, so they need not have settled. What cannot be written is not kept.
    """
    stamps = _stamps(directory)
    if not snapshot.state.is_final or not _has_settled({NOTES: stamps[NOTES]}, time.time()):
        return
    summary = summarize(directory, snapshot)
    _write(directory.path / FILE, {directory.id: _kept(summary, stamps)})


class Summaries:
    """The kept summaries of one runs home."""

    def __init__(self, home: Path) -> None:
        """Read what was kept; nothing where there is nothing, or nothing that fits."""
        self.path = home / "summaries.msgpack"
        self._home = home
        self._runs = _load(self.path)
        self.new = 0
        """How many came to those that are kept since the last save."""

    def get(self, run_id: str) -> RunSummary | None:
        """The kept summary of a run, where nothing of the run has changed since it was made."""
        kept = self._runs.get(run_id)
        if kept is None or not self._holds(run_id, kept):
            kept = self._left(run_id)
        return None if kept is None else msgspec.structs.replace(kept.summary, directory=str(self._home / run_id))

    def _left(self, run_id: str) -> _Kept | None:
        """What the run's supervisor has left, where it still holds; kept with the others then."""
        found = _load(self._home / run_id / FILE).get(run_id)
        if found is None or not self._holds(run_id, found):
            return None
        self._runs[run_id] = found
        self.new += 1
        return found

    def make(self, directory: RunDirectory) -> RunSummary:
        """Make a run's summary, and keep it where the run is over.

        Raises:
            RecordError: `run.json` is missing, broken or too new.
        """
        stamps, before = _stamps(directory), time.time()
        summary = summarize(directory)
        if summary.is_over and _has_settled(stamps, before):
            self._runs[directory.id] = _kept(summary, stamps)
            self.new += 1
        return summary

    def save(self, present: Iterable[str]) -> None:
        """Write those of the runs that are `present`; where that cannot be done, nothing happens."""
        runs = {run_id: self._runs[run_id] for run_id in present if run_id in self._runs}
        self.new = 0
        _write(self.path, runs)

    def _holds(self, run_id: str, kept: _Kept) -> bool:
        if not kept.summary.state.is_final and kept.seen_from != os.uname().nodename:
            return False
        base = f"{self._home}/{run_id}/"
        return all(_stamp(base + name) == stamp for name, stamp in kept.stamps.items())


def _load(path: Path) -> dict[str, _Kept]:
    """What the file holds; nothing where it is not there, torn, or of another version."""
    try:
        content = msgspec.msgpack.decode(read_kept(path) or b"", type=_SummariesContent)
    except (msgspec.DecodeError, ValueError):
        return {}
    return content.runs if content.version == SUMMARIES_VERSION else {}


def _write(path: Path, runs: dict[str, _Kept]) -> None:
    keep(path, msgspec.msgpack.encode(_SummariesContent(SUMMARIES_VERSION, runs)))


def _kept(summary: RunSummary, stamps: Stamps) -> _Kept:
    return _Kept(summary, stamps, os.uname().nodename)


def _has_settled(stamps: Stamps, now: float) -> bool:
    """Whether none of these was changed so lately that another change might look the same."""
    return max((stamp[0] for stamp in stamps.values() if stamp is not None), default=0) / 1e9 < now - SETTLED_S


def _stamps(directory: RunDirectory) -> Stamps:
    """All that a summary depends on. A folder changes when anything in it comes or goes."""
    base = str(directory.path)
    attempts = directory.attempts()
    folders = ["supervisor", *(f"attempt-{number}/events" for number in attempts)]
    files = [
        f"{folder}/{path.name}"
        for folder in folders
        for path in (directory.path / folder).glob("*.jsonl")
        if _EVENT_FILE.fullmatch(path.name)
    ]
    folders += [os.path.relpath(place, base) for place, _, _ in os.walk(directory.checkpoints)]
    next_attempt = f"attempt-{max(attempts, default=-1) + 1}"
    return {name: _stamp(f"{base}/{name}") for name in ("run.json", NOTES, next_attempt, *folders, *files)}


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each of 20,000 takes longer than the call itself
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
