"""What do the ranks say that matters to their supervisor: which processes they are, and whether they listen."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias

import msgspec

from lightning_tui.launch.processes import ProcessFacts, process_facts, still_lives
from lightning_tui.record.directory import RunDirectory, process_belongs
from lightning_tui.record.events import Acknowledged, FitEnd, Hello, StageChanged, TelemetryTrouble, TrainerSeen
from lightning_tui.record.tail import LineTail

_Heard: TypeAlias = Hello | TrainerSeen | StageChanged | FitEnd | Acknowledged | TelemetryTrouble

_FILE = re.compile(r"rank-(\d{1,9})(?:-\d+)?\.jsonl")
_WRITES_CHECKPOINT = ("stop", "checkpoint")


class RankWatch:
    """Follows the event files of one attempt, and the processes of this host that wrote them."""

    def __init__(self, directory: RunDirectory, attempt: int) -> None:
        self._directory = directory
        self._folder = directory.events(attempt)
        self._tails: dict[Path, LineTail] = {}
        self._decoder = msgspec.json.Decoder(_Heard)
        self._trainer_seen = False
        self._in_stage = False
        self._acks: dict[str, Acknowledged] = {}
        self._alive: dict[int, tuple[int, ProcessFacts]] = {}
        """Rank and identity of each process, by pid."""
        self._gone: list[tuple[int, int]] = []

    @property
    def listens(self) -> bool:
        """Whether telemetry of global rank 0 is in a stage, and so can take a command."""
        return self._trainer_seen and self._in_stage

    @property
    def saving(self) -> bool:
        """Whether a checkpoint on request is being written."""
        return any(ack.status == "taken" and ack.op in _WRITES_CHECKPOINT for ack in self._acks.values())

    @property
    def answers(self) -> dict[str, str]:
        """Last answer to each command, by its id."""
        return {command: ack.status for command, ack in self._acks.items()}

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
                    self._hear(rank, line)

    def newly_gone(self) -> list[tuple[int, int]]:
        """Rank and pid of each process that has vanished since the last call, by ascending rank."""
        if not self._gone and not self._vanished():
            return []
        # Looked at twice, so that a rank whose death took a higher one along is never named after it.
        for pid in self._vanished():
            self._gone.append((self._alive.pop(pid)[0], pid))
        gone, self._gone = sorted(self._gone), []
        return gone

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if _FILE.fullmatch(path.name))
        except OSError:
            return []

    def _hear(self, rank: int, line: bytes) -> None:
        try:
            event = self._decoder.decode(line)
        except msgspec.DecodeError:  # the many events that do not matter here
            return
        if isinstance(event, Hello):
            self._meet(event)
        elif isinstance(event, Acknowledged):
            self._acks[event.command] = event
        elif rank == 0:
            self._hear_stage(event)

    def _hear_stage(self, event: TrainerSeen | StageChanged | FitEnd | TelemetryTrouble) -> None:
        if isinstance(event, TrainerSeen):
            self._trainer_seen = True
        elif isinstance(event, StageChanged):
            self._in_stage = event.stage != "done"
        else:
            self._in_stage = False

    def _meet(self, hello: Hello) -> None:
        if hello.host != os.uname().nodename:
            return
        facts = process_facts(hello.pid)
        if facts is None or not process_belongs(hello.pid, self._directory):
            self._gone.append((hello.rank, hello.pid))
        else:
            self._alive[hello.pid] = (hello.rank, facts)

    def _vanished(self) -> list[int]:
        return [pid for pid, (_, facts) in self._alive.items() if not still_lives(facts)]
