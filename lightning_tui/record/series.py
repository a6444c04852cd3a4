"""A metric's history in bounded memory: a min/max pyramid in which no peak and no NaN is ever lost."""

from __future__ import annotations

import math
from array import array
from typing import NamedTuple

CAPACITY = 4096


class Bins(NamedTuple):
    """Columns of one length: first step of each bin, its lowest and highest finite value, and whether NaN/inf fell in.

    `low` and `high` are NaN in a bin without a finite value.
    """

    steps: array[float]
    low: array[float]
    high: array[float]
    broken: bytearray


class Series:
    """Append-only values over steps. One thread adds; others may read `bins()` at any time without a lock."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep at most `capacity` bins (even); when full, neighbours merge and each bin holds twice as many values."""
        self._capacity = capacity
        self._bins = Bins(array("d"), array("d"), array("d"), bytearray())
        self._per_bin = 1
        self._in_last = 0
        self.count = 0
        self.last: float | None = None
        self.last_step: int | None = None
        self.lowest: float | None = None
        self.highest: float | None = None
        self.first_broken_step: int | None = None

    def add(self, step: int, value: float) -> None:
        """Add one value; steps are expected not to fall, but a restart may repeat them."""
        self.count += 1
        self.last, self.last_step = value, step
        finite = math.isfinite(value)
        if finite:
            self.lowest = value if self.lowest is None else min(self.lowest, value)
            self.highest = value if self.highest is None else max(self.highest, value)
        elif self.first_broken_step is None:
            self.first_broken_step = step
        if self._in_last == 0:
            self._open_bin(step)
        if finite:
            self._widen_last(value)
        else:
            self._bins.broken[-1] = 1
        self._in_last = (self._in_last + 1) % self._per_bin

    def bins(self) -> Bins:
        """Return a copy of the columns, cut to the same length."""
        steps, low, high, broken = self._bins
        length = min(len(steps), len(low), len(high), len(broken))
        return Bins(steps[:length], low[:length], high[:length], broken[:length])

    def _open_bin(self, step: int) -> None:
        if len(self._bins.steps) >= self._capacity:
            self._merge_neighbours()
        self._bins.broken.append(0)
        self._bins.high.append(math.nan)
        self._bins.low.append(math.nan)
        self._bins.steps.append(step)

    def _widen_last(self, value: float) -> None:
        _, low, high, _ = self._bins
        low[-1] = value if math.isnan(low[-1]) else min(low[-1], value)
        high[-1] = value if math.isnan(high[-1]) else max(high[-1], value)

    def _merge_neighbours(self) -> None:
        steps, low, high, broken = self._bins
        self._bins = Bins(
            steps[::2],
            array("d", map(_lower, low[::2], low[1::2])),
            array("d", map(_higher, high[::2], high[1::2])),
            bytearray(map(max, broken[::2], broken[1::2])),
        )
        self._per_bin *= 2


def _lower(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else min(a, b)


def _higher(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else max(a, b)
