"""Everything that is looked at for the advice on a run that is followed: its snapshots, its output, its disk."""

from __future__ import annotations

from lightning_tui.diagnosis.live.adviser import Adviser
from lightning_tui.diagnosis.live.disk import free_bytes
from lightning_tui.diagnosis.live.model import Advice, Around
from lightning_tui.diagnosis.live.output import OutputWarnings
from lightning_tui.diagnosis.live.replay import all_warnings, replay
from lightning_tui.record import RunDirectory, RunSnapshot

PERIOD_S = 0.5
LONGEST_PERIOD_S = 8.0
RANKS_AT_FULL_RATE = 32
"""Of more ranks each look takes longer (about 10 µs a rank and GPU), so there are fewer of them."""
DISK_PERIOD_S = 10.0
EARLIER_BYTES = 6 << 20
"""Of the events from before the first look: a few thousand batches, read in some tenths of a second."""


class RunAdviser:
    """Advice on one run as it goes on: reads output and asks the disk, so it belongs in a thread."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._is_first = True
        self._adviser = Adviser()
        self._output = OutputWarnings(directory)
        self._due = 0.0
        self._disk_due = 0.0

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What was told so far."""
        return self._adviser.advice

    def look(self, run: RunSnapshot, now: float) -> tuple[Advice, ...]:
        """Look, where it is time to; returns all advice."""
        if now < self._due and not run.is_over:
            return self._adviser.advice
        self._due = now + period_of(run)
        if self._is_first:
            self._is_first = False
            warnings = all_warnings(self._output, run)
            replay(self._adviser, self._directory, run, warnings, EARLIER_BYTES)
        free = None
        if now >= self._disk_due and not run.is_over:
            self._disk_due = now + DISK_PERIOD_S
            free = free_bytes(run)
        return self._adviser.update(run, now, Around(free, self._output.read_new(run)))


def period_of(run: RunSnapshot) -> float:
    """Seconds between two looks at a run of this size."""
    return min(LONGEST_PERIOD_S, PERIOD_S * max(1.0, len(run.ranks) / RANKS_AT_FULL_RATE))
