"""Did a training loss jump, and did it come back? Median and median deviation over what was logged before."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from lightning_tui.record import Series

BEFORE = 64
"""Points before, of which the usual value and its spread are taken."""
KEPT = 5
"""Points in a row that must lie beyond: one bad batch is no spike."""
DEVIATIONS = 8.0
"""Median absolute deviations above the median. For normal noise that is 5.4 standard deviations, and five in a row."""
RISE = 0.2
"""Of the median, at least: a loss that hardly varies has next to no deviation."""
PLACES = 48
"""Places that are looked at in one turn."""
MOST_METRICS = 4


class Spike(NamedTuple):
    """A training loss that went up and stayed there for several points."""

    metric: str
    step: int
    before: float
    """Median of the points before."""
    limit: float
    """What all the points lie above."""
    peak: float
    back_at: int | None = None
    """Step from which it was as before again."""


class LossWatch:
    """Looks at the end of each training loss as it grows, and remembers its newest spike."""

    def __init__(self) -> None:
        self.spikes: dict[str, Spike] = {}
        self._seen: dict[str, tuple[int, float]] = {}
        """By metric: how many values it had, and the step up to which it was looked at."""

    def add(self, metrics: Mapping[str, Series]) -> None:
        """Look at what is new."""
        for name in sorted(filter(is_training_loss, metrics))[:MOST_METRICS]:
            series = metrics[name]
            count, until = self._seen.get(name, (0, -math.inf))
            if series.count != count and series.count > BEFORE + KEPT:
                self._seen[name] = (series.count, self._scan(name, series, until))

    def _scan(self, name: str, series: Series, until: float) -> float:
        bins = series.bins()
        values = bins.mean if bins.mean is not None else bins.low
        steps = bins.steps
        spike = self.spikes.get(name)
        if spike is not None:
            self.spikes[name] = _followed(spike, steps, values, bins.high)
        start = max(BEFORE, bisect_right(steps, until))
        end = len(values) - KEPT  # the last bin may still be filling
        if end <= start:
            return until
        stride = max(1, (end - start) // PLACES)
        for place in range(start, end, stride):
            found = spike_at(values, place)
            if found is not None and (spike is None or spike.back_at is not None):
                before, limit = found
                peak = max(value for value in bins.high[place:] if math.isfinite(value))
                self.spikes[name] = Spike(name, int(steps[place]), before, limit, peak)
                return float(steps[end - 1])
        return float(steps[end - 1])


def is_training_loss(name: str) -> bool:
    """Whether a metric is a loss that is logged step by step: known by its name alone."""
    lower = name.lower()
    return "loss" in lower and not any(word in lower for word in ("val", "test", "eval", "epoch"))


def spike_at(values: Sequence[float], place: int) -> tuple[float, float] | None:
    """Usual value before and the limit, where the `KEPT` points from `place` on all lie above it."""
    before = sorted(value for value in values[max(0, place - BEFORE) : place] if math.isfinite(value))
    after = values[place : place + KEPT]
    if len(before) < BEFORE // 2 or len(after) < KEPT:
        return None
    middle, lowest = before[len(before) // 2], min(after)
    least = middle + RISE * abs(middle)
    if not lowest > least:  # most places end here; NaN does too
        return None
    limit = max(least, middle + DEVIATIONS * median(abs(value - middle) for value in before))
    return (middle, limit) if all(value > limit for value in after) else None


def _followed(spike: Spike, steps: Sequence[float], values: Sequence[float], high: Sequence[float]) -> Spike:
    """The spike with what became of it: half of the way back, for several points, counts as back."""
    first = bisect_right(steps, spike.step)
    peak = max([spike.peak, *(value for value in high[first:] if math.isfinite(value))])
    if spike.back_at is not None:
        return spike
    last = [value for value in values[-KEPT - 1 : -1] if math.isfinite(value)]
    is_back = first < len(values) - KEPT and len(last) == KEPT and max(last) < (spike.before + spike.limit) / 2
    return spike._replace(peak=peak, back_at=int(steps[-KEPT - 1]) if is_back else None)
