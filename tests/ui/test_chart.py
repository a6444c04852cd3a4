"""Curves in braille dots: peaks stay, gaps close, NaN is marked, axes are round."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightning_tui.record import Series
from lightning_tui.ui.drawing.chart import chart
from lightning_tui.ui.drawing.frame import Curve, frame_of
from lightning_tui.ui.drawing.plot import BROKEN_MARK, plot
from lightning_tui.ui.drawing.rows import Row, width_of
from lightning_tui.ui.drawing.ticks import good_ticks, tick_labels, whole_ticks
from tests.ui.support import text_of


def series_of(values: list[float], capacity: int = 4096) -> Series:
    series = Series(capacity)
    for step, value in enumerate(values):
        series.add(step, value)
    return series


def draw(values: list[float], width: int = 20, height: int = 5, capacity: int = 4096) -> list[str]:
    curve = Curve("train", series_of(values, capacity).bins())
    frame = frame_of([curve])
    assert frame is not None
    return [text_of(row) for row in plot([curve], frame, width, height)]


def test_one_peak_among_many_values_reaches_the_top() -> None:
    values = [0.0] * 100_000
    values[54_321] = 9.0
    rows = draw(values)
    assert [x for x, cell in enumerate(rows[0]) if cell.strip()] == [10]
    assert rows[-1].count("⣤") > 15


def test_a_line_has_no_holes() -> None:
    rows = draw([0.0, 10.0, 0.0], width=21, height=4)
    for x in range(21):
        assert any(row[x] != " " for row in rows), f"column {x} is empty"


def test_a_single_value_is_one_dot_in_the_middle() -> None:
    rows = draw([3.0], width=10, height=5)
    dots = [(x, y) for y, row in enumerate(rows) for x, cell in enumerate(row) if cell != " "]
    assert dots == [(0, 2)]


def test_nan_has_a_red_column_and_a_mark_on_the_floor() -> None:
    values = [1.0, 0.5, math.nan, math.nan, math.inf]
    curve = Curve("train", series_of(values).bins())
    frame = frame_of([curve])
    assert frame is not None
    assert (frame.low, frame.high) == (0.5, 1.0)
    rows = plot([curve], frame, 20, 4)
    assert text_of(rows[-1]).count(BROKEN_MARK) == 3
    assert any(token.startswith("bad") for _, token in rows[0])


def test_only_nan_draws_nothing_and_does_not_fail() -> None:
    curve = Curve("train", series_of([math.nan] * 4).bins())
    assert frame_of([curve]) is None
    assert [width_of(row) for row in chart([curve], 30, 6)] == [30] * 6


def test_steps_that_restart_are_put_in_order() -> None:
    series = series_of([5.0, 4.0, 3.0, 2.0])
    for step in (2, 3, 4, 5):
        series.add(step, 1.0)
    curve = Curve("train", series.bins())
    frame = frame_of([curve])
    assert frame is not None
    assert (frame.first, frame.last) == (0, 5)
    assert len(plot([curve], frame, 20, 5)) == 5


def test_of_two_curves_in_one_place_neither_vanishes() -> None:
    below, above = (Curve(token, series_of([1.0, 1.0]).bins()) for token in ("train", "val"))
    frame = frame_of([below, above])
    assert frame is not None
    tokens = {token for row in plot([below, above], frame, 10, 3) for text, token in row if text.strip()}
    assert tokens == {"train", "val"}


@example([-1111111126482944.0], 12, 2)  # its label alone is wider than that
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=200),
    st.integers(0, 90),
    st.integers(0, 30),
)
def test_any_values_at_any_size_give_exact_rows(values: list[float], width: int, height: int) -> None:
    rows: list[Row] = chart([Curve("train", series_of(values, capacity=64).bins())], width, height)
    assert len(rows) == height
    assert all(width_of(row) == width for row in rows)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1.2, 4.4), (-3, 7), (1e-6, 3e-6), (0, 81_234), (2.28, 2.31)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = good_ticks(low, high, 5)
    assert 2 <= len(ticks) <= 6
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert len(set(tick_labels(ticks))) == len(ticks)


@pytest.mark.parametrize(("low", "high"), [(0, 2), (0, 10), (3.2, 4.9), (0, 13), (99, 104), (0, 400_000), (7, 7.5)])
def test_ticks_of_steps_are_whole(low: float, high: float) -> None:
    ticks = whole_ticks(low, high, 4)
    assert len(ticks) <= 5
    assert all(tick == int(tick) and low <= tick <= high for tick in ticks)
    assert ticks


def test_labels_have_as_many_decimals_as_they_need() -> None:
    assert tick_labels([0.5, 1.0, 1.5]) == ["0.5", "1.0", "1.5"]
    assert tick_labels([1.0, 2.0]) == ["1", "2"]
    assert tick_labels([20000.0, 40000.0]) == ["20 k", "40 k"]
