"""Follow a run directory: read what is new in all its files, and hand out snapshots."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from lightning_tui.record.commands import read_commands
from lightning_tui.record.directory import RunDirectory, boot_id, process_belongs, supervisor_alive
from lightning_tui.record.events import AnyEvent, RankEvent, SupervisorEvent
from lightning_tui.record.history import RunHistory
from lightning_tui.record.index import RunIndex
from lightning_tui.record.snapshot import RunSnapshot, snapshot_of
from lightning_tui.record.tail import LineTail

EventT = TypeVar("EventT", RankEvent, SupervisorEvent)

_RANK_FILE = re.compile(r"rank-(\d{1,9})(?:-\d+)?\.jsonl")
_SILENCE_S = 10.0
"""A supervisor on another host that says nothing for so long gives no sign; it samples once a second."""

_NODE_FILE = re.compile(r"\d{1,9}\.jsonl")


class RunReader:
    """Reads one run, from its first event or on from its index. Used by one thread; writes nothing but the index."""

    def __init__(
        self,
        directory: RunDirectory,
        clock: Callable[[], float] = time.time,
        on_event: Callable[[Mapping[str, int], AnyEvent], None] | None = None,
    ) -> None:
        """Open the run; `on_event` gets each event, of all the run, with its source (`attempt` and `rank`, or `node`).

        Raises:
            RecordError: `run.json` is missing, broken or too new.
        """
        self.directory = directory
        self.history = RunHistory(directory.read_record(), str(directory.path))
        self._clock = clock
        self._on_event = on_event
        self._tails: dict[Path, LineTail] = {}
        self._rank_decoder = msgspec.json.Decoder(RankEvent)
        self._supervisor_decoder = msgspec.json.Decoder(SupervisorEvent)
        self._seen_commands: set[str] = set()
        self._has_caught_up = False
        self._heard_at = -_SILENCE_S
        self._index = RunIndex(directory) if on_event is None else None
        if self._index is not None:
            self._resume(self._index)

    def _resume(self, index: RunIndex) -> None:
        """Go on from the index; where it is damaged, read all from the start."""
        found = index.load(self._tails)
        if found is None:
            return
        kept, sums = found
        try:
            for path, lines in kept.items():
                self._apply_lines(path, lines)
            self.history.restore(sums)
        except (ValueError, TypeError):
            self._index = RunIndex(self.directory)
            self._tails = {}
            self.history = RunHistory(self.history.record, self.history.directory)

    def poll(self) -> bool:
        """Read what is new; true where there was anything."""
        events = self._poll_supervisors()
        self._listen(events)
        for attempt in self.directory.attempts():
            events += self._poll_ranks(attempt)
        commands = read_commands(self.directory.commands, self._seen_commands)
        for command in commands:
            self.history.apply_command(command)
        if self._index is not None and self._index.is_due(self._tails):
            self._index.save(self._tails, self.history.sums())
        return bool(events or commands)

    def snapshot(self) -> RunSnapshot:
        """What is known now, with a look at who is alive."""
        elsewhere = self._elsewhere()
        is_heard = elsewhere is not None and time.monotonic() - self._heard_at < _SILENCE_S
        is_supervised, ranks_alive = is_heard or supervisor_alive(self.directory), self._any_rank_alive()
        if not is_supervised:
            self.poll()  # it may have left since the last look, and its last words came before it let go of its lock
        return snapshot_of(
            self.history,
            supervisor_alive=is_supervised,
            ranks_alive=ranks_alive,
            now=self._clock(),
            elsewhere=elsewhere,
            rebooted=elsewhere is None and self._was_rebooted(),
        )

    def _listen(self, events: int) -> None:
        """Note when the supervisor was heard of; what it said before we came counts for nothing."""
        if events and self._has_caught_up:
            self._heard_at = time.monotonic()
        self._has_caught_up = self._has_caught_up or not events

    def _elsewhere(self) -> str | None:
        """The supervisor's host, where that is not this one. Its lock may not be seen from here: NFS, Lustre."""
        supervisor = self.history.supervisor
        return None if supervisor is None or supervisor.host == os.uname().nodename else supervisor.host

    def _was_rebooted(self) -> bool:
        before, now = self.history.supervisor.boot_id if self.history.supervisor else None, boot_id()
        return None not in (before, now) and before != now

    def _any_rank_alive(self) -> bool:
        pids = [rank.hello.pid for rank in self.history.ranks.values() if rank.hello.host == os.uname().nodename]
        if not pids and self.history.supervisor is not None:
            pids = [self.history.supervisor.child_pid]
        return any(process_belongs(pid, self.directory) for pid in pids)

    def _poll_supervisors(self) -> int:
        return sum(
            self._apply_lines(path, self._read_lines(path)) for path in _matching(self.directory.supervisor, _NODE_FILE)
        )

    def _poll_ranks(self, attempt: int) -> int:
        paths = _matching(self.directory.events(attempt), _RANK_FILE)
        return sum(self._apply_lines(path, self._read_lines(path)) for path in paths)

    def _apply_lines(self, path: Path, lines: list[bytes]) -> int:
        if path.parent == self.directory.supervisor:
            self._apply_supervisor_lines(path, lines)
        else:
            self._apply_rank_lines(path, lines)
        return len(lines)

    def _apply_supervisor_lines(self, path: Path, lines: list[bytes]) -> None:
        node = int(path.stem)
        for line in lines:
            event = self._decode(line, self._supervisor_decoder, {"node": node})
            if event is not None:
                self._keep(path, line, event)
                self.history.apply_supervisor_event(event, node)

    def _apply_rank_lines(self, path: Path, lines: list[bytes]) -> None:
        rank = int(path.stem.split("-")[1])
        attempt = int(path.parent.parent.name.removeprefix("attempt-"))
        for line in lines:
            event = self._decode(line, self._rank_decoder, {"attempt": attempt, "rank": rank})
            if event is not None:
                self._keep(path, line, event)
                self.history.apply_rank_event(attempt, rank, event)

    def _keep(self, path: Path, line: bytes, event: AnyEvent) -> None:
        if self._index is not None:
            self._index.note(path, line, event)

    def _read_lines(self, path: Path) -> list[bytes]:
        if path not in self._tails:
            self._tails[path] = LineTail(path)
        return self._tails[path].poll()

    def _decode(self, line: bytes, decoder: msgspec.json.Decoder[EventT], source: Mapping[str, int]) -> EventT | None:
        try:
            event = decoder.decode(line)
        except msgspec.DecodeError:
            self.history.unreadable_lines += 1
            return None
        if self._on_event is not None:
            self._on_event(source, event)
        return event


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        # By stem, so that a process comes before those that were forked from it: `rank-0`, then `rank-0-4711`.
        found = (path for path in folder.iterdir() if pattern.fullmatch(path.name))
        return sorted(found, key=lambda path: path.stem)
    except OSError:
        return []


def read_snapshot(directory: RunDirectory) -> RunSnapshot:
    """Read a run from its files, once, to their present end.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
    """
    reader = RunReader(directory)
    while reader.poll():
        pass
    return reader.snapshot()
