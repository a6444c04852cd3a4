"""What do the ranks say that matters to their supervisor: which processes they are, and whether they listen."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TypeAlias

import msgspec

from lightning_tui.launch.processes import ProcessFacts, process_facts, still_lives
from lightning_tui.record.directory import RunDirectory, process_belongs
from lightning_tui.record.events import (
    Acknowledged,
    FitEnd,
    Hello,
    Progress,
    Saving,
    StageChanged,
    TelemetryTrouble,
    TrainerSeen,
)
from lightning_tui.record.pace import Pace
from lightning_tui.record.tail import LineTail

_Heard: TypeAlias = Hello | TrainerSeen | StageChanged | Progress | Saving | FitEnd | Acknowledged | TelemetryTrouble

_FILE = re.compile(r"rank-(\d{1,9})(?:-\d+)?\.jsonl")


class RankWatch:
    """Follows the event files of one attempt, and the processes of this host that wrote them."""

    def __init__(self, directory: RunDirectory, attempt: int) -> None:
        self._directory = directory
        self._folder = directory.events(attempt)
        self._tails: dict[Path, LineTail] = {}
        self._decoder = msgspec.json.Decoder(_Heard)
        self._trainer_seen = False
        self._in_stage = False
        self._is_validating = False
        self._pace = Pace()
        self._moved_at = time.monotonic()
        self._acks: dict[str, Acknowledged] = {}
        self._alive: dict[int, tuple[int, ProcessFacts]] = {}
        """Rank and identity of each process, by pid."""
        self._saving: str | None = None
        self.met: set[int] = set()
        """Every rank that has said hello from this host."""
        self._gone: list[tuple[int, int]] = []

    @property
    def listens(self) -> bool:
        """Whether telemetry of global rank 0 is in a stage, and so can take a command."""
        return self._trainer_seen and self._in_stage

    @property
    def is_validating(self) -> bool:
        """Whether global rank 0 is in a validation: several ranks take a command only after it."""
        return self._in_stage and self._is_validating

    def stands_still(self, *, is_idle: bool) -> bool:
        """Whether global rank 0 has said nothing for far longer than usual; `is_idle`: the run computes nothing."""
        if self._pace.last_heard is None:
            return False
        silent_s = time.monotonic() - self._moved_at
        return self._pace.stalled_s(self._pace.last_heard + silent_s, is_idle=is_idle) is not None

    @property
    def saving(self) -> str | None:
        """The checkpoint that global rank 0 has begun to write and is not done with; `None` where there is none."""
        return self._saving

    @property
    def answers(self) -> dict[str, str]:
        """Last answer to each command, by its id."""
        return {command: ack.status for command, ack in self._acks.items()}

    @property
    def alive(self) -> set[int]:
        """Ranks of this host whose processes live, as far as was looked."""
        return {rank for rank, facts in self._alive.values() if still_lives(facts)}

    @property
    def pids(self) -> list[int]:
        """Pids of the living ranks, by ascending rank."""
        return [pid for _, pid in sorted((rank, pid) for pid, (rank, _) in self._alive.items())]

    def read(self) -> None:
        """Take in what was written since the last time."""
        for path in self._files():
            tail = self._tails.setdefault(path, LineTail(path))
            rank = int(path.name.removesuffix(".jsonl").split("-")[1])
            while lines := tail.poll():
                for line in lines:
                    self._apply_line(rank, line)

    def newly_gone(self) -> list[tuple[int, int]]:
        """Rank and pid of each process that has vanished since the last call, by ascending rank."""
        if not self._gone and not self._vanished():
            return []
        # Looked at twice, so that a rank whose death took a higher one along is never named after it.
        for pid in self._vanished():
            self._gone.append((self._alive.pop(pid)[0], pid))
        if any(rank == 0 for rank, _ in self._gone):
            self._saving = None
        gone, self._gone = sorted(self._gone), []
        return gone

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if _FILE.fullmatch(path.name))
        except OSError:
            return []

    def _apply_line(self, rank: int, line: bytes) -> None:
        try:
            event = self._decoder.decode(line)
        except msgspec.DecodeError:  # the many events that do not matter here
            return
        if isinstance(event, Hello):
            self._meet(event)
        elif isinstance(event, Acknowledged):
            self._acks[event.command] = event
        elif rank == 0:
            self._apply_stage(event)

    def _apply_stage(self, event: TrainerSeen | StageChanged | Progress | Saving | FitEnd | TelemetryTrouble) -> None:
        self._moved_at = time.monotonic()
        if isinstance(event, TrainerSeen):
            self._trainer_seen = True
        elif isinstance(event, Progress):
            self._pace.progresses(event)
        elif isinstance(event, StageChanged):
            self._pace.enters(event.stage, event.time)
            self._in_stage = event.stage != "done"
            self._is_validating = event.stage == "validate"
        elif isinstance(event, Saving):
            self._pace.saves(event)
            self._saving = None if event.is_over else event.path
        else:
            self._in_stage = False

    def _meet(self, hello: Hello) -> None:
        if hello.host != os.uname().nodename:
            return
        self.met.add(hello.rank)
        facts = process_facts(hello.pid)
        if facts is None or not process_belongs(hello.pid, self._directory):
            self._gone.append((hello.rank, hello.pid))
        else:
            self._alive[hello.pid] = (hello.rank, facts)

    def _vanished(self) -> list[int]:
        return [pid for pid, (_, facts) in self._alive.items() if not still_lives(facts)]
