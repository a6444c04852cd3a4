"""How long does a step take, and how much of it is waiting for data? Means over a window; single steps say little."""

from __future__ import annotations

import time
from typing import Any


class StepClock:
    """Times training batches. What lies between epochs, in validation or in saving a checkpoint does not count."""

    def __init__(self) -> None:
        self.typical_s: float | None = None
        """A moving mean of a batch's time, for those who plan ahead in steps."""
        self._mark: float | None = None
        self._busy_s = 0.0
        self._wait_s = 0.0
        self._fetch_s = 0.0
        """Wait for the batch that is not done yet: a window that ends before it has no part in that."""
        self._batches = 0

    def batch_begins(self) -> float:
        """Return the time; the first batch after a pause is counted from here."""
        now = time.perf_counter()
        if self._mark is None:
            self._mark = now
        return now

    def batch_done(self) -> float:
        """Count a batch and return the time."""
        now = time.perf_counter()
        if self._mark is not None:
            took = now - self._mark
            self._busy_s += took
            self._wait_s += self._fetch_s
            self._batches += 1
            self.typical_s = took if self.typical_s is None else self.typical_s + 0.2 * (took - self.typical_s)
        self._mark, self._fetch_s = now, 0.0
        return now

    def pause(self) -> None:
        """What follows is no step, up to the next batch."""
        self._mark, self._fetch_s = None, 0.0

    def leave_out(self, seconds: float) -> None:
        """These seconds, just spent, belong to no step."""
        if self._mark is not None:
            self._mark += seconds

    def waited(self, seconds: float) -> None:
        """These seconds, just spent, went into getting a batch."""
        if self._mark is not None:
            self._fetch_s += seconds

    def take_means(self) -> tuple[float, float] | None:
        """Return the mean time of a batch and the mean wait in it, in seconds, and begin a new window."""
        if not self._batches:
            return None
        means = self._busy_s / self._batches, self._wait_s / self._batches
        self._busy_s = self._wait_s = 0.0
        self._batches = 0
        return means


class FetchTimer:
    """Stands in the place of the two functions that Lightning's epoch loop calls around the fetch of a batch.

    The time between two hooks would be no measure: with several GPUs Lightning waits there for the device itself.
    """

    def __init__(self, loop: Any, clock: StepClock) -> None:
        self._loop = loop
        self._clock = clock
        self._begun = 0.0

    def begins(self) -> None:
        type(self._loop)._on_before_fetch(self._loop)
        self._begun = time.perf_counter()

    def is_done(self) -> None:
        self._clock.waited(time.perf_counter() - self._begun)
        type(self._loop)._on_after_fetch(self._loop)


def time_fetches(loop: Any, clock: StepClock) -> None:
    """Let the clock know how long each fetch of a batch takes; a Lightning without these functions goes untimed."""
    if hasattr(type(loop), "_on_before_fetch") and hasattr(type(loop), "_on_after_fetch"):
        timer = FetchTimer(loop, clock)
        loop._on_before_fetch, loop._on_after_fetch = timer.begins, timer.is_done


def stop_timing_fetches(loop: Any) -> None:
    """Give the loop its own functions back."""
    for name in ("_on_before_fetch", "_on_after_fetch"):
        vars(loop).pop(name, None)
