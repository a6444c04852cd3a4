"""Follows the output of a run's ranks for the log: its newest state is one frozen value that the screen takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.output.times import OutputTimes
from lightning_tui.ui.log.index import LogIndex, LogReading
from lightning_tui.ui.log.lines import ALL_RANKS, MergedLines

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_tui.record import RunDirectory, RunSnapshot

_LIMIT = 8 << 20
"""Bytes of one file that are read at a time."""


class Output(NamedTuple):
    """What the log can show now."""

    log: LogIndex
    rank: int
    """Whose output it is, or `ALL_RANKS`; then `log` is that of the lowest rank."""
    ranks: tuple[int, ...]
    """Ranks that have an output file."""
    share: float | None = None
    """How much of the file is read as long as only its end can be shown, 0 to 1."""
    merged: MergedLines | None = None
    times: OutputTimes | None = None
    """There where times were asked for, and read so far."""


class OutputFollower:
    """Reads what is new. `turn` runs in the follower's thread; `choose` and `want_times` may be called by another."""

    def __init__(self, directory: RunDirectory) -> None:
        self.newest: Output | None = None
        self.wants_times = False
        self.directory = directory
        self._chosen: int | None = None
        self._times = OutputTimes(directory)
        self._readings: dict[Path, LogReading] = {}
        self._merged: MergedLines | None = None

    def choose(self, rank: int) -> None:
        """Follow this rank from now on, or `ALL_RANKS`."""
        self._chosen = rank

    def turn(self, snapshot: RunSnapshot) -> bool:
        """Read what is new, once; true where there is more at once."""
        # Until a program that failed has been started again, what it printed stays to be read.
        attempt = min(snapshot.attempt, max(self.directory.attempts(), default=0))
        outputs = self.directory.outputs(attempt)
        times = self._read_times()
        if self._chosen == ALL_RANKS and len(outputs) > 1:
            return self._read_all(snapshot, outputs, times)
        rank = self._rank_to_show(snapshot, tuple(outputs))
        path = self.directory.output(attempt, rank)
        is_behind = self._reading(path).poll(_LIMIT)
        self._forget_but({path})
        reading = self._reading(path)
        self.newest = Output(reading.shown, rank, tuple(outputs), reading.share, None, times)
        return is_behind

    def _read_times(self) -> OutputTimes | None:
        """Sizes are read before the files, so that a file is never shorter than its newest known size."""
        if not self.wants_times and self._chosen != ALL_RANKS:
            return None
        while self._times.poll():
            pass
        return self._times

    def _read_all(self, snapshot: RunSnapshot, outputs: dict[int, Path], times: OutputTimes | None) -> bool:
        assert times is not None
        is_behind = False
        for path in outputs.values():
            is_behind |= self._reading(path).poll(_LIMIT)
        self._forget_but(set(outputs.values()))
        logs = {rank: self._reading(path).whole for rank, path in outputs.items()}
        known = self._merged.logs if self._merged is not None else {}
        generations = tuple(log.generation for log in logs.values())
        if self._merged is None or known != logs or self._merged.generations != generations:
            self._merged = MergedLines(logs, times)
        self._merged.extend(is_over=snapshot.is_over)
        lowest = next(iter(logs.values()))
        missing = sum(log.missing for log in logs.values())
        share = 1 - missing / sum(log.size + log.missing for log in logs.values()) if missing > _LIMIT else None
        self.newest = Output(lowest, ALL_RANKS, tuple(outputs), share, self._merged, times)
        return is_behind

    def _reading(self, path: Path) -> LogReading:
        if path not in self._readings:
            self._readings[path] = LogReading(path)
        return self._readings[path]

    def _forget_but(self, paths: set[Path]) -> None:
        self._readings = {path: reading for path, reading in self._readings.items() if path in paths}

    def _rank_to_show(self, snapshot: RunSnapshot, ranks: tuple[int, ...]) -> int:
        if self._chosen is not None and self._chosen != ALL_RANKS:
            return self._chosen
        failed = snapshot.failure.rank if snapshot.failure is not None else None
        return failed if failed in ranks and failed is not None else 0
