"""All runs of a runs home: make, list, find and delete them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lightning_tui.record.directory import (
    ProgramRecord,
    RecordError,
    RunDirectory,
    RunRecord,
    process_belongs,
    supervisor_alive,
)
from lightning_tui.record.events import FieldValue
from lightning_tui.record.notes import read_notes
from lightning_tui.record.reader import read_snapshot
from lightning_tui.record.snapshot import RunSnapshot
from lightning_tui.record.state import RunState
from lightning_tui.record.summaries import RunSummary, Summaries

HALF_MADE_S = 15.0
"""How long a folder without `run.json` may be one that is just being made."""

SAVE_AFTER_RUNS = 200
"""So many new summaries are saved at once: a first look at thousands of runs that is broken off is not lost."""

HEARTBEAT_S = 900.0
"""A supervisor writes every second: a record that was written to within this time, seen from afar, may be a live run's.
Clocks of two hosts, and what a network disk tells late, may differ by minutes."""

_DOOMED = ".deleting-"


class UnreadableRun(msgspec.Struct, frozen=True):
    """A folder in the runs home that looks like a run and cannot be read."""

    id: str
    directory: str
    problem: str


class RunStore:
    """The runs under one folder. The files are the truth: what is kept of them is used only while they are the same."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()

    def create(
        self,
        *,
        program: ProgramRecord,
        plan: dict[str, FieldValue],
        now: float,
        parent: str | None = None,
        resumed_from: str | None = None,
        made_by: str = "",
        environment: dict[str, str] | None = None,
        max_restarts: int = 0,
    ) -> tuple[RunDirectory, RunRecord]:
        """Make a new run directory under a fresh id.

        Raises:
            RecordError: the runs home cannot be written.
        """
        record = RunRecord(
            id=self._fresh_id(program.label),
            created_at=now,
            program=program,
            plan=plan,
            parent=parent,
            resumed_from=resumed_from,
            made_by=made_by,
            environment=environment or {},
            max_restarts=max_restarts,
        )
        directory = RunDirectory(self.home / record.id)
        directory.create(record)
        return directory, record

    def directories(self) -> list[RunDirectory]:
        """Every run and what is left of half-made ones, in no order. A missing home holds no runs.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        return [RunDirectory(path) for path in self._folders() if _is_run(path)]

    def _folders(self) -> list[Path]:
        try:
            with os.scandir(self.home) as entries:
                return [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False) and e.name[0] != "."]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RecordError(f"The runs home {self.home} cannot be read: {error.strerror or error}.") from error

    def records(self) -> list[tuple[RunDirectory, RunRecord | UnreadableRun]]:
        """Every run with its record, newest first; a broken one stands at the end, with what is wrong.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        readable: list[tuple[RunDirectory, RunRecord]] = []
        broken: list[tuple[RunDirectory, UnreadableRun]] = []
        for directory in self.directories():
            try:
                readable.append((directory, directory.read_record()))
            except RecordError as error:
                broken.append((directory, _unreadable(directory, error)))
        readable.sort(key=lambda pair: pair[1].created_at, reverse=True)
        return [*readable, *broken]

    def snapshots(self) -> Iterator[RunSnapshot | UnreadableRun]:
        """Every run as it is now, newest first; broken ones at the end.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        for directory, record in self.records():
            try:
                yield record if isinstance(record, UnreadableRun) else read_snapshot(directory)
            except RecordError as error:
                yield _unreadable(directory, error)

    def summaries(self) -> Iterator[RunSummary | UnreadableRun]:
        """Every run in a line, one by one as they are read, newest first; broken ones at the end.

        Those of runs that are over are kept in the home (see `record.summaries`), the others are read anew.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        kept = Summaries(self.home)
        found: list[tuple[float, RunDirectory, RunSummary | None]] = []
        broken: list[UnreadableRun] = []
        folders = self._folders()
        for directory in map(RunDirectory, folders):
            summary = kept.get(directory.id)
            try:
                created_at = directory.read_record().created_at if summary is None else summary.created_at
                found.append((created_at, directory, summary))
            except RecordError as error:
                broken += [_unreadable(directory, error)] if _is_run(directory.path) else []
        found.sort(key=lambda one: one[0], reverse=True)
        try:
            for _, directory, summary in found:
                yield from [summary] if summary is not None else _made(kept, directory)
                if kept.new >= SAVE_AFTER_RUNS:
                    kept.save(folder.name for folder in folders)
            yield from broken
        finally:
            if kept.new:
                kept.save(folder.name for folder in folders)

    def find(self, name: str) -> RunDirectory:
        """Find a run by its id, a unique prefix of it, its unique last part (`7f3a01`), or the name it was given.

        Raises:
            RecordError: no run, or more than one, goes by that name.
        """
        directories = {directory.id: directory for directory in self.directories()}
        if name in directories:
            return directories[name]
        matches = sorted(i for i in directories if name and (i.startswith(name) or i.rpartition("-")[2] == name))
        if not matches and name:
            matches = sorted(i for i, directory in directories.items() if read_notes(directory).name == name)
        if len(matches) == 1:
            return directories[matches[0]]
        if not matches:
            raise RecordError(f"No run has the id or name {name!r} in {self.home}. See them with: lightning-tui runs")
        shown = ", ".join(matches[:5]) + (" …" if len(matches) > 5 else "")
        raise RecordError(f"{name!r} means more than one run: {shown}. Type more of the id.")

    def newest(self) -> RunDirectory | None:
        """The newest run that is active, else the newest of all; `None` where there is none.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        directories = [directory for directory, record in self.records() if isinstance(record, RunRecord)]
        active = (directory for directory in directories if supervisor_alive(directory))
        return next(active, directories[0] if directories else None)

    def delete(self, directory: RunDirectory) -> None:
        """Delete a run that is over, with all its files.

        Raises:
            RecordError: the run is alive, lies outside the home, is a link, or cannot be deleted.
        """
        path = directory.path
        if path.parent == self.home and _is_there(path) is False:
            raise RecordError(f"The run {directory.id} no longer exists.")
        if path.parent != self.home or path.is_symlink() or not _is_run(path):
            raise RecordError(f"{path} is not a run of {self.home}; nothing was deleted.")
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise RecordError(f"{path} belongs to another user or cannot be read; nothing was deleted.")
        if may_be_alive(directory):
            raise RecordError(
                f"The run {directory.id} is still active. Stop it first: lightning-tui stop {directory.id}"
            )
        doomed = self.home / f"{_DOOMED}{directory.id}-{secrets.token_hex(3)}"
        try:
            path.rename(doomed)  # at once and whole: whoever looks meanwhile sees no half of a run
        except FileNotFoundError as error:
            raise RecordError(f"The run {directory.id} no longer exists.") from error
        except OSError as error:
            raise RecordError(f"{path} cannot be deleted: {error.strerror or error}.") from error
        try:
            shutil.rmtree(doomed)
        except OSError as error:
            if doomed.exists():
                raise RecordError(
                    f"{directory.id} is only partly deleted: {doomed} is left, {error.strerror or error}."
                ) from error

    def sweep(self) -> None:
        """Delete what deletions that were cut short have left."""
        with contextlib.suppress(OSError):
            for path in self.home.glob(f"{_DOOMED}*"):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)

    def _fresh_id(self, label: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", Path(label.split()[0] if label.split() else "run").stem.lower()).strip("-")[
            :24
        ]
        while True:
            run_id = f"{slug or 'run'}-{secrets.token_hex(3)}"
            if not (self.home / run_id).exists():
                return run_id


def may_be_alive(directory: RunDirectory) -> bool:
    """Whether anything of the run lives here, or may live on the host that it began on."""
    if supervisor_alive(directory):
        return True
    try:
        snapshot = read_snapshot(directory)
    except RecordError:  # its ranks cannot be known by name, but they carry its marker
        return any(process_belongs(int(pid), directory) for pid in os.listdir("/proc") if pid.isdigit())  # noqa: PTH208
    if snapshot.state is RunState.QUEUED or _may_live_elsewhere(directory, snapshot):
        return True
    return any(process_belongs(rank.pid, directory) for rank in snapshot.ranks)


def _made(kept: Summaries, directory: RunDirectory) -> Iterator[RunSummary | UnreadableRun]:
    """The run's summary; nothing where it was deleted meanwhile."""
    try:
        yield kept.make(directory)
    except (RecordError, OSError) as error:
        if _is_run(directory.path):
            yield _unreadable(directory, error)


def _unreadable(directory: RunDirectory, error: Exception) -> UnreadableRun:
    problem = str(error)
    if _is_there(directory.path / "run.json") is False:
        problem = f"run.json is missing: creating the run was interrupted. Remove it: lightning-tui rm {directory.id}"
    return UnreadableRun(directory.id, str(directory.path), problem)


def _is_run(path: Path) -> bool:
    if _is_there(path / "run.json") is not False:
        return True
    try:
        is_old = time.time() - path.stat().st_mtime > HALF_MADE_S
    except OSError:
        return False
    return is_old and all((path / name).is_dir() for name in ("supervisor", "commands", "checkpoints"))


def _is_there(path: Path) -> bool | None:
    """Whether the file is there; `None` where the folder does not let us look."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return True


def _may_live_elsewhere(directory: RunDirectory, snapshot: RunSnapshot) -> bool:
    """Whether a run that looks lost from here may be alive on the host that it began on."""
    supervisor = snapshot.supervisor
    if snapshot.state is not RunState.LOST or supervisor is None or supervisor.host == os.uname().nodename:
        return False
    try:
        return time.time() - directory.supervisor_log(supervisor.node).stat().st_mtime < HEARTBEAT_S
    except OSError:
        return False
