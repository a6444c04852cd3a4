"""A series keeps every extreme and every NaN in bounded memory."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.record.series import Series

values = st.floats(width=32) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.lists(values, min_size=1, max_size=300))
def test_extremes_and_broken_values_survive_any_merging(added: list[float]) -> None:
    series = Series(capacity=8)
    for step, value in enumerate(added):
        series.add(step, value)
    bins = series.bins()
    finite = [value for value in added if math.isfinite(value)]
    lows = [low for low in bins.low if not math.isnan(low)]
    highs = [high for high in bins.high if not math.isnan(high)]
    assert len(bins.steps) <= 8
    assert (min(lows, default=None), max(highs, default=None)) == (
        min(finite, default=None),
        max(finite, default=None),
    )
    assert any(bins.broken) == (len(finite) < len(added))
    assert (series.lowest, series.highest) == (min(finite, default=None), max(finite, default=None))


def test_bins_begin_at_their_first_step() -> None:
    series = Series(capacity=4)
    for step in range(8):
        series.add(step, float(step))
    bins = series.bins()
    assert list(bins.steps) == [0.0, 2.0, 4.0, 6.0]
    assert list(bins.low) == [0.0, 2.0, 4.0, 6.0]
    assert list(bins.high) == [1.0, 3.0, 5.0, 7.0]


def test_the_first_broken_step_is_remembered() -> None:
    series = Series()
    for step, value in enumerate([1.0, math.nan, math.inf]):
        series.add(step, value)
    assert series.first_broken_step == 1
    assert series.last_step == 2
