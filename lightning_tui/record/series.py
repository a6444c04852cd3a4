"""A metric's history in bounded memory: a min/max pyramid in which no peak and no NaN is ever lost."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeAlias

import msgspec

CAPACITY = 4096
_FLOAT_BYTES = array("d").itemsize

AtLeastOne: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class Bins(NamedTuple):
    """Columns of one length: first step of each bin, its lowest and highest finite value, and whether NaN/inf fell in.

    `low`, `high` and `mean` are NaN in a bin without a finite value.
    """

    steps: array[float]
    low: array[float]
    high: array[float]
    broken: bytearray
    mean: array[float] | None = None
    """Mean of each bin's finite values. Bins that were merged weigh the same, exact where all their values are finite.
    `None` where each bin holds one value: then `low` is it."""


class SeriesPoint(NamedTuple):
    """One value and where it was logged."""

    step: int
    value: float


class SeriesState(msgspec.Struct):
    """All of a series, to be stored; columns are bytes in the machine's own order."""

    capacity: AtLeastOne
    per_bin: AtLeastOne
    in_last: int
    finite_in_last: int
    count: int
    last: float | None
    last_step: int | None
    lowest: tuple[int, float] | None
    highest: tuple[int, float] | None
    first_broken_step: int | None
    broken_count: int
    broken_since: int | None
    columns: tuple[bytes, bytes, bytes, bytes]
    """Steps, low, high, mean."""
    broken: bytes

    def __post_init__(self) -> None:
        if {len(column) for column in self.columns} != {_FLOAT_BYTES * len(self.broken)}:
            raise ValueError("the columns of a stored series differ in length")


class TimelineState(msgspec.Struct):
    """All of a timeline, to be stored."""

    capacity: AtLeastOne
    every: AtLeastOne
    skipped: int
    columns: tuple[bytes, bytes, bytes]

    def __post_init__(self) -> None:
        sizes = {len(column) for column in self.columns}
        if len(sizes) != 1 or min(sizes) % _FLOAT_BYTES:
            raise ValueError("the columns of a stored timeline differ in length")


class Series:
    """Append-only values over steps. One thread adds; others may read `bins()` at any time without a lock."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep at most `capacity` bins (even); when full, neighbours merge and each bin holds twice as many values."""
        self._capacity = capacity
        self._bins = Bins(array("d"), array("d"), array("d"), bytearray(), array("d"))
        self._per_bin = 1
        self._in_last = 0
        self._finite_in_last = 0
        self.count = 0
        self.last: float | None = None
        self.last_step: int | None = None
        self.lowest_point: SeriesPoint | None = None
        self.highest_point: SeriesPoint | None = None
        self.first_broken_step: int | None = None
        self.broken_count = 0
        self.broken_since: int | None = None
        """First step of the broken values at the end; `None` while the last value is finite."""

    @property
    def lowest(self) -> float | None:
        """The lowest finite value."""
        return self.lowest_point.value if self.lowest_point is not None else None

    @property
    def highest(self) -> float | None:
        """The highest finite value."""
        return self.highest_point.value if self.highest_point is not None else None

    def add(self, step: int, value: float) -> None:
        """Add one value; steps are expected not to fall, but a restart may repeat them."""
        self.count += 1
        self.last, self.last_step = value, step
        if self._in_last == 0:
            self._open_bin(step)
        if math.isfinite(value):
            self._add_finite_value(step, value)
        else:
            self._bins.broken[-1] = 1
            self.broken_count += 1
            self.broken_since = step if self.broken_since is None else self.broken_since
            if self.first_broken_step is None:
                self.first_broken_step = step
        self._in_last = (self._in_last + 1) % self._per_bin

    def extend(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Add columns of values: the same as adding them one by one, and much faster once bins hold many."""
        at, end = 0, min(len(steps), len(values))
        while at < end:
            room = self._per_bin - self._in_last if self._in_last else 1
            part = values[at : min(end, at + room)]
            if len(part) < 2 or not math.isfinite(
                sum(part)
            ):  # a sum of finite values may be infinite: that is slow only
                for step, value in zip(steps[at:], part, strict=False):
                    self.add(step, value)
            else:
                self._add_finite(steps[at : at + len(part)], part)
            at += len(part)

    def _add_finite(self, steps: Sequence[int], values: Sequence[float]) -> None:
        """Add finite values that all fall into the last bin."""
        lowest, highest = min(values), max(values)
        if self.lowest_point is None or lowest < self.lowest_point.value:
            self.lowest_point = SeriesPoint(steps[values.index(lowest)], lowest)
        if self.highest_point is None or highest > self.highest_point.value:
            self.highest_point = SeriesPoint(steps[values.index(highest)], highest)
        _, low, high, _, mean = self._bins
        assert mean is not None
        before, self._finite_in_last = self._finite_in_last, self._finite_in_last + len(values)
        if before:
            low[-1], high[-1] = min(low[-1], lowest), max(high[-1], highest)
            kept = before / self._finite_in_last
            mean[-1] = mean[-1] * kept + sum(values) / len(values) * (1 - kept)
        else:
            low[-1], high[-1], mean[-1] = lowest, highest, sum(values) / len(values)
        self.count += len(values)
        self.last, self.last_step, self.broken_since = values[-1], steps[-1], None
        self._in_last = (self._in_last + len(values)) % self._per_bin

    def bins(self) -> Bins:
        """Return a copy of the columns, cut to the same length."""
        steps, low, high, broken, mean = self._bins
        assert mean is not None
        length = min(len(steps), len(low), len(high), len(broken), len(mean))
        return Bins(steps[:length], low[:length], high[:length], broken[:length], mean[:length])

    def state(self) -> SeriesState:
        """All of it, to be stored."""
        steps, low, high, broken, mean = self.bins()
        assert mean is not None
        return SeriesState(
            self._capacity, self._per_bin, self._in_last, self._finite_in_last, self.count, self.last, self.last_step,
            self.lowest_point, self.highest_point, self.first_broken_step, self.broken_count, self.broken_since,
            (steps.tobytes(), low.tobytes(), high.tobytes(), mean.tobytes()), bytes(broken),
        )  # fmt: skip

    @classmethod
    def restored(cls, state: SeriesState) -> Series:
        """The series that was stored."""
        series = cls(state.capacity)
        steps, low, high, mean = _columns(state.columns)
        series._bins = Bins(steps, low, high, bytearray(state.broken), mean)
        series._per_bin, series._in_last, series._finite_in_last = state.per_bin, state.in_last, state.finite_in_last
        series.count, series.last, series.last_step = state.count, state.last, state.last_step
        series.lowest_point = SeriesPoint(*state.lowest) if state.lowest is not None else None
        series.highest_point = SeriesPoint(*state.highest) if state.highest is not None else None
        series.first_broken_step, series.broken_count = state.first_broken_step, state.broken_count
        series.broken_since = state.broken_since
        return series

    def _add_finite_value(self, step: int, value: float) -> None:
        if self.lowest_point is None or value < self.lowest_point.value:
            self.lowest_point = SeriesPoint(step, value)
        if self.highest_point is None or value > self.highest_point.value:
            self.highest_point = SeriesPoint(step, value)
        self.broken_since = None
        _, low, high, _, mean = self._bins
        assert mean is not None
        self._finite_in_last += 1
        if self._finite_in_last == 1:
            mean[-1] = high[-1] = low[-1] = value
            return
        low[-1] = min(low[-1], value)
        high[-1] = max(high[-1], value)
        share = 1 / self._finite_in_last  # not a difference of two values: that may be more than a float holds
        mean[-1] = mean[-1] * (1 - share) + value * share

    def _open_bin(self, step: int) -> None:
        if len(self._bins.steps) >= self._capacity:
            self._merge_neighbours()
        steps, low, high, broken, mean = self._bins
        assert mean is not None
        broken.append(0)
        mean.append(math.nan)
        high.append(math.nan)
        low.append(math.nan)
        steps.append(step)
        self._finite_in_last = 0

    def _merge_neighbours(self) -> None:
        steps, low, high, broken, mean = self._bins
        assert mean is not None
        self._bins = Bins(
            steps[::2],
            array("d", map(_lower, low[::2], low[1::2])),
            array("d", map(_higher, high[::2], high[1::2])),
            bytearray(map(max, broken[::2], broken[1::2])),
            array("d", map(_middle, mean[::2], mean[1::2])),
        )
        self._per_bin *= 2


def _lower(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else min(a, b)


def _higher(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else max(a, b)


def _middle(a: float, b: float) -> float:
    return b if math.isnan(a) else a if math.isnan(b) else a / 2 + b / 2


def _columns(stored: Sequence[bytes]) -> list[array[float]]:
    columns = []
    for data in stored:
        column = array("d")
        column.frombytes(data)
        columns.append(column)
    return columns


class Timeline:
    """Which epoch and which time belong to a step: points along the run, bounded, with straight lines between them.

    A restart that goes back to an earlier step takes the place of what came after that step.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep at most `capacity` points (even); when full, every second one goes."""
        self._capacity = capacity
        self._steps, self._epochs, self._times = array("d"), array("d"), array("d")
        self._every = 1
        self._skipped = 0

    def add(self, step: int, epoch: float, time: float) -> None:
        """Note that `step` was reached at this time (UTC epoch seconds), so many epochs in (2.5: half of the third)."""
        if self._steps and step <= self._steps[-1]:
            if step == self._steps[-1]:
                return
            self._forget_from(step)
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        if len(self._steps) >= self._capacity:
            self._steps, self._epochs, self._times = self._steps[::2], self._epochs[::2], self._times[::2]
            self._every *= 2
        self._times.append(time)
        self._epochs.append(epoch)
        self._steps.append(step)

    def epochs_at(self, steps: Sequence[float]) -> array[float]:
        """Epochs at rising steps."""
        return _interpolated(self._steps, self._epochs, steps)

    def times_at(self, steps: Sequence[float]) -> array[float]:
        """Times at rising steps, UTC epoch seconds."""
        return _interpolated(self._steps, self._times, steps)

    def state(self) -> TimelineState:
        """All of it, to be stored."""
        columns = (self._steps.tobytes(), self._epochs.tobytes(), self._times.tobytes())
        return TimelineState(self._capacity, self._every, self._skipped, columns)

    @classmethod
    def restored(cls, state: TimelineState) -> Timeline:
        """The timeline that was stored."""
        line = cls(state.capacity)
        line._steps, line._epochs, line._times = _columns(state.columns)
        line._every, line._skipped = state.every, state.skipped
        return line

    @property
    def is_known(self) -> bool:
        """Whether there are two points to draw a line between."""
        return len(self._steps) > 1

    def _forget_from(self, step: int) -> None:
        length = bisect_left(self._steps, step)
        self._steps, self._epochs, self._times = self._steps[:length], self._epochs[:length], self._times[:length]


def _interpolated(xs: array[float], ys: array[float], at: Sequence[float]) -> array[float]:
    """Straight lines between the points, and beyond the ends the line of the outermost two."""
    known = min(len(xs), len(ys))
    if known < 2:
        return array("d", [ys[0] if known else 0.0] * len(at))
    found = []
    right, left_x, right_x, left_y, slope = 0, 0.0, -math.inf, 0.0, 0.0
    for x in at:
        if not left_x <= x <= right_x:
            right = max(1, bisect_left(xs, x, 0, known - 1))
            left_x, right_x, left_y = xs[right - 1], xs[right], ys[right - 1]
            slope = (ys[right] - left_y) / (right_x - left_x)
        found.append(left_y + (x - left_x) * slope)
    return array("d", found)
