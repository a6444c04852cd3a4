"""A series keeps every extreme and every NaN in bounded memory."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.record.series import Series, Timeline

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


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200))
def test_the_mean_of_full_bins_is_the_mean_of_their_values(added: list[float]) -> None:
    series = Series(capacity=8)
    for step, value in enumerate(added):
        series.add(step, value)
    bins = series.bins()
    assert bins.mean is not None
    starts = [*map(int, bins.steps), len(added)]
    for place, mean in enumerate(bins.mean):
        part = added[starts[place] : starts[place + 1]]
        assert math.isclose(mean, math.fsum(part) / len(part), rel_tol=1e-6, abs_tol=1e-6)


def test_where_the_extremes_are_and_how_long_it_is_broken() -> None:
    series = Series(capacity=4)
    for step, value in enumerate([3.0, 1.0, math.nan, 9.0, math.inf, math.nan]):
        series.add(step, value)
    assert (series.lowest_point, series.highest_point) == ((1, 1.0), (3, 9.0))
    assert (series.broken_count, series.broken_since, series.first_broken_step) == (3, 4, 2)
    series.add(6, 2.0)
    assert series.broken_since is None


def test_a_timeline_gives_epochs_and_times_of_any_step() -> None:
    line = Timeline(capacity=8)
    assert not line.is_known
    assert list(line.times_at([5.0])) == [0.0]
    for step in range(0, 101, 5):
        line.add(step, step / 50, 1000.0 + 2 * step)
    assert list(line.epochs_at([0, 12.5, 100])) == [0.0, 0.25, 2.0]
    assert list(line.times_at([7, 110])) == [1014.0, 1220.0]


def test_a_restart_rewrites_the_timeline_from_its_step_on() -> None:
    line = Timeline()
    for step, time in ((0, 0.0), (10, 10.0), (20, 20.0), (10, 100.0), (20, 110.0)):
        line.add(step, step / 10, time)
    assert list(line.times_at([5, 15, 20])) == [50.0, 105.0, 110.0]


@given(st.lists(st.integers(0, 500), min_size=2, max_size=80))
def test_a_timeline_takes_any_order_of_steps(steps: list[int]) -> None:
    line = Timeline(capacity=8)
    for time, step in enumerate(steps):
        line.add(step, step / 10, float(time))
    times = line.times_at(sorted({0.0, *map(float, steps)}))
    assert all(math.isfinite(time) for time in times)


@given(st.lists(st.lists(values, max_size=40), max_size=12))
def test_adding_columns_is_adding_one_by_one(parts: list[list[float]]) -> None:
    by_one, by_columns = Series(capacity=8), Series(capacity=8)
    step = 0
    for part in parts:
        steps = list(range(step, step + len(part)))
        step += len(part)
        by_columns.extend(steps, part)
        for one, value in zip(steps, part, strict=True):
            by_one.add(one, value)
    ours, theirs = by_columns.bins(), by_one.bins()
    assert (ours.steps, ours.broken) == (theirs.steps, theirs.broken)
    assert repr((ours.low, ours.high)) == repr((theirs.low, theirs.high))
    names = ("count", "last_step", "lowest_point", "highest_point", "first_broken_step", "broken_count", "broken_since")
    assert [getattr(by_columns, name) for name in names] == [getattr(by_one, name) for name in names]
    assert ours.mean is not None
    assert theirs.mean is not None
    for mean, expected in zip(ours.mean, theirs.mean, strict=True):
        assert math.isnan(mean) == math.isnan(expected)
        scale = max(1e-6, *(abs(v) for part in parts for v in part if math.isfinite(v)), 0.0)
        assert math.isnan(mean) or abs(mean - expected) <= 1e-9 * scale
