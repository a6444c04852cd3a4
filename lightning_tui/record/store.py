"""All runs of a runs home: make, list, find and delete them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
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
from lightning_tui.record.history import RunSnapshot
from lightning_tui.record.reader import read_snapshot
from lightning_tui.record.state import RunState


class UnreadableRun(msgspec.Struct, frozen=True):
    """A folder in the runs home that looks like a run and cannot be read."""

    id: str
    directory: str
    problem: str


class RunStore:
    """The runs under one folder. Nothing is cached: the files are the truth."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()

    def create(
        self,
        *,
        program: ProgramRecord,
        plan: dict[str, FieldValue],
        now: float,
        parent: str | None = None,
        made_by: str = "",
        environment: dict[str, str] | None = None,
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
            made_by=made_by,
            environment=environment or {},
        )
        directory = RunDirectory(self.home / record.id)
        directory.create(record)
        return directory, record

    def directories(self) -> list[RunDirectory]:
        """Every folder that holds a `run.json`, in no order. A missing home holds no runs.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        try:
            with os.scandir(self.home) as entries:
                paths = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RecordError(f"The runs home {self.home} cannot be read: {error.strerror or error}.") from error
        return [RunDirectory(path) for path in paths if (path / "run.json").exists()]

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
                broken.append((directory, UnreadableRun(directory.id, str(directory.path), str(error))))
        readable.sort(key=lambda pair: pair[1].created_at, reverse=True)
        return [*readable, *broken]

    def snapshots(self) -> list[RunSnapshot | UnreadableRun]:
        """Every run as it stands now, newest first.

        Raises:
            RecordError: the home exists and cannot be read.
        """
        return [
            record if isinstance(record, UnreadableRun) else read_snapshot(directory)
            for directory, record in self.records()
        ]

    def find(self, name: str) -> RunDirectory:
        """Find a run by its id, a unique prefix of it, or its unique last part (`7f3a01`).

        Raises:
            RecordError: no run, or more than one, goes by that name.
        """
        directories = {directory.id: directory for directory in self.directories()}
        if name in directories:
            return directories[name]
        matches = sorted(i for i in directories if name and (i.startswith(name) or i.rpartition("-")[2] == name))
        if len(matches) == 1:
            return directories[matches[0]]
        if not matches:
            raise RecordError(f"No run is called {name!r} in {self.home}. See them with: lightning-tui runs")
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
        if path.parent != self.home or path.is_symlink() or not (path / "run.json").exists():
            raise RecordError(f"{path} is not a run of {self.home}; nothing was deleted.")
        if self._is_alive(directory):
            raise RecordError(f"The run {directory.id} is alive. Stop it first: lightning-tui stop {directory.id}")
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise RecordError(f"{path} cannot be deleted: {error.strerror or error}.") from error

    def _is_alive(self, directory: RunDirectory) -> bool:
        if supervisor_alive(directory):
            return True
        try:
            snapshot = read_snapshot(directory)
        except RecordError:
            return False
        if snapshot.state is RunState.QUEUED:
            return True
        return any(process_belongs(rank.pid, directory) for rank in snapshot.ranks)

    def _fresh_id(self, label: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", Path(label.split()[0] if label.split() else "run").stem.lower()).strip("-")[
            :24
        ]
        while True:
            run_id = f"{slug or 'run'}-{secrets.token_hex(3)}"
            if not (self.home / run_id).exists():
                return run_id
