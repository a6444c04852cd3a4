"""Draw curves in braille dots: a pure function from a metric's bins to rows; no peak and no NaN is lost."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.ui.rows import Row, Span, fill
from lightning_tui.words import short_count

if TYPE_CHECKING:
    from lightning_tui.record.series import Bins

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille bit of each dot, by row and column within a cell."""

BROKEN_MARK = "×"


class Curve(NamedTuple):
    """One metric to draw, and the token of its colour."""

    token: str
    bins: Bins


class Frame(NamedTuple):
    """The part of the plane that is shown: first and last step, lowest and highest value."""

    first: float
    last: float
    low: float
    high: float


def frame_of(curves: Sequence[Curve]) -> Frame | None:
    """The frame that holds all finite values; `None` where there is none."""
    spans = [_finite_span(curve.bins) for curve in curves]
    lows = [low for low, _ in spans if math.isfinite(low)]
    highs = [high for _, high in spans if math.isfinite(high)]
    steps = [curve.bins.steps for curve in curves if len(curve.bins.steps)]
    if not lows or not steps:
        return None
    first, last = min(map(min, steps)), max(map(max, steps))
    low, high = min(lows), max(highs)
    if high - low <= abs(high) * 1e-9:
        pad = abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    return Frame(first, max(last, first + 1), low, high)


_LEAST_PLOT = 4


def chart(curves: Sequence[Curve], width: int, height: int) -> list[Row]:
    """Draw curves with both axes.

    Returns `height` rows of exactly `width` cells. Needs about 16x3 cells to be of use.
    """
    frame = frame_of(curves)
    if frame is None or width < 12 or height < 2:
        return [fill((), width)] * height
    plot_height = height - 1
    labels = _value_labels(frame, plot_height)
    margin = max(map(len, labels.values()), default=0) + 1
    inner = width - margin - 1
    if inner < _LEAST_PLOT:  # values too long to stand beside it: the curve is worth more than its axes
        return plot(curves, frame, width, height)
    cells = plot(curves, frame, inner, plot_height)
    rows = []
    for y, line in enumerate(cells):
        label = labels.get(y, "")
        rows.append(((f"{label:>{margin}}", "dim"), ("┤" if label else "│", "border"), *line))
    rows.append(((" " * margin, "dim"), ("└", "border"), *_step_labels(frame, inner)))
    return rows


def plot(curves: Sequence[Curve], frame: Frame, width: int, height: int) -> list[Row]:
    """Draw curves without axes: `height` rows of `width` cells. A cell that two curves share shows the later one."""
    bits = [[0] * width for _ in range(height)]
    tokens = [["text"] * width for _ in range(height)]
    broken: set[int] = set()
    for curve in curves:
        columns = list(_columns(curve.bins, frame, width * 2, height * 4))
        broken.update(column // 2 for column, _, _, is_broken in columns if is_broken)
        for x, top, bottom in _connected(columns):
            for y in range(top, bottom + 1):
                if tokens[y // 4][x // 2] != curve.token:
                    bits[y // 4][x // 2], tokens[y // 4][x // 2] = 0, curve.token
                bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    first_broken = min(broken, default=-1)
    rows = []
    for y in range(height):
        is_floor = y == height - 1
        line: list[Span] = []
        for x in range(width):
            if x in broken and is_floor:
                line.append((BROKEN_MARK, "bad+b"))
            elif bits[y][x]:
                line.append((chr(0x2800 + bits[y][x]), tokens[y][x]))
            elif x == first_broken:
                line.append(("╎", "bad"))
            else:
                line.append((" ", "text"))
        rows.append(_merged(line))
    return rows


class _Column(NamedTuple):
    x: int
    top: int | None
    bottom: int | None
    is_broken: bool


def _columns(bins: Bins, frame: Frame, width: int, height: int) -> Iterator[_Column]:
    """Fold bins into dot columns: lowest and highest dot of each column that has any value."""
    steps, low, high, broken = _sorted_bins(bins)
    scale = (width - 1) / (frame.last - frame.first)
    at, count = 0, len(steps)
    while at < count:
        x = min(width - 1, max(0, round((steps[at] - frame.first) * scale)))
        end = max(at + 1, bisect_left(steps, frame.first + (x + 0.5) / scale, at))
        lows = [value for value in low[at:end] if not math.isnan(value)]
        highs = [value for value in high[at:end] if not math.isnan(value)]
        is_broken = any(broken[at:end])
        if lows:
            yield _Column(x, _dot(max(highs), frame, height), _dot(min(lows), frame, height), is_broken)
        else:
            yield _Column(x, None, None, is_broken)
        at = end


def _sorted_bins(bins: Bins) -> tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[int]]:
    """A restart repeats steps: then the columns are put back into the order of steps."""
    steps = bins.steps
    if all(map(float.__le__, steps, steps[1:])):
        return steps, bins.low, bins.high, bins.broken
    order = sorted(range(len(steps)), key=steps.__getitem__)
    return (
        [steps[i] for i in order],
        [bins.low[i] for i in order],
        [bins.high[i] for i in order],
        [bins.broken[i] for i in order],
    )


def _connected(columns: Sequence[_Column]) -> Iterator[tuple[int, int, int]]:
    """Dots of each column, with the gaps between neighbours closed by straight lines."""
    previous: tuple[int, int, int] | None = None
    for column in columns:
        if column.top is None or column.bottom is None:
            continue
        if previous is not None:
            yield from _bridge(previous, (column.x, column.top, column.bottom))
        yield column.x, column.top, column.bottom
        previous = column.x, column.top, column.bottom


def _bridge(left: tuple[int, int, int], right: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
    """Dots between two columns: a line from where the left one ends to where the right one begins."""
    x0, top0, bottom0 = left
    x1, top1, bottom1 = right
    if top1 > bottom0:
        start, stop = bottom0, top1
    elif bottom1 < top0:
        start, stop = top0, bottom1
    else:
        start = stop = (max(top0, top1) + min(bottom0, bottom1)) // 2
    before = start
    for x in range(x0 + 1, x1):
        y = round(start + (stop - start) * (x - x0) / (x1 - x0))
        yield x, min(before, y), max(before, y)
        before = y
    if abs(stop - before) > 1:
        yield x1, min(before, stop), max(before, stop)


def _dot(value: float, frame: Frame, height: int) -> int:
    share = (value - frame.low) / (frame.high - frame.low)
    return height - 1 - round(min(1.0, max(0.0, share)) * (height - 1))


def _merged(line: list[Span]) -> Row:
    """Put neighbours of one token together: fewer bytes to the terminal."""
    merged: list[Span] = []
    for text, token in line:
        if merged and (merged[-1][1] == token or text == " "):
            merged[-1] = (merged[-1][0] + text, merged[-1][1])
        else:
            merged.append((text, token))
    return tuple(merged)


def _finite_span(bins: Bins) -> tuple[float, float]:
    lows = [value for value in bins.low if not math.isnan(value)]
    highs = [value for value in bins.high if not math.isnan(value)]
    return (min(lows), max(highs)) if lows else (math.nan, math.nan)


# ------------------------------------------------------------------------------------------------------------- axes


def good_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) between `low` and `high`."""
    if not high > low or at_most < 1:
        return []
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * factor for factor in (1, 2, 2.5, 5) if power * factor >= rough), power * 10)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _value_labels(frame: Frame, height: int) -> dict[int, str]:
    ticks = good_ticks(frame.low, frame.high, max(2, min(8, height // 2)))
    labels = tick_labels(ticks)
    return {_dot(tick, frame, height * 4) // 4: label for tick, label in zip(ticks, labels, strict=True)}


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels with as many decimals as tell neighbours apart."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    if largest >= 1e4:
        return [short_count(tick) for tick in ticks]
    if 0 < largest < 1e-3:
        return [f"{tick:.1e}".replace("e-0", "e-") for tick in ticks]
    for decimals in range(7):
        labels = [f"{tick:.{decimals}f}" for tick in ticks]
        if all(abs(float(label) - tick) <= 1e-9 * largest for label, tick in zip(labels, ticks, strict=True)):
            return labels
    return [f"{tick:.3g}" for tick in ticks]


def _step_labels(frame: Frame, width: int) -> Row:
    """Round step numbers, each beginning under its own column; none is cut."""
    line = [" "] * width
    free_from = 0
    for tick in good_ticks(frame.first, frame.last, max(2, width // 14)):
        label = short_count(tick)
        x = round((tick - frame.first) / (frame.last - frame.first) * (width - 1))
        x = min(x, width - len(label))
        if x < free_from:
            continue
        line[x : x + len(label)] = label
        free_from = x + len(label) + 2
    return (("".join(line), "dim"),)
