"""Draw curves in braille dots: a pure function from metrics' bins to rows; no peak and no NaN is lost.

Where several values fall into one column of dots, their span is drawn dim and their mean bright: a line looks like a
line, and the noise stays in sight.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lightning_tui.ui.drawing.frame import PLAIN, ChartMark, ChartStyle, Curve, Frame
from lightning_tui.ui.drawing.rows import Row, Span, merged

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille bit of each dot, by row and column within a cell."""

BROKEN_MARK = "×"

_THICK_FROM = 5
"""From this height on lines are two dots thick."""


def plot(curves: Sequence[Curve], frame: Frame, width: int, height: int, options: ChartStyle = PLAIN) -> list[Row]:
    """Draw curves without axes: `height` rows of `width` cells. Cells that two curves share show them by turns."""
    canvas = _DotGrid(width, height)
    folded = [(curve, list(_columns(curve, frame, width * 2))) for curve in curves]
    for curve, columns in folded:
        if (curve.bins.mean is not None or curve.line is not None) and not curve.is_thin:
            canvas.bands(columns, frame, f"{curve.token}+d")
    for curve, columns in folded:
        if curve.bins.mean is not None or curve.line is not None:
            canvas.line(columns, frame, curve.token, is_thin=curve.is_thin)
        else:
            canvas.spans(columns, frame, curve.token)
    broken = sorted({column.x // 2 for _, columns in folded for column in columns if column.is_broken})
    canvas.broken(broken)
    for mark in options.marks:
        if mark.value is not None and frame.first <= mark.x <= frame.last:
            canvas.put(mark, frame)
    if options.cursor is not None:
        canvas.cursor(frame.column(options.cursor, width))
    return canvas.rows()


class _DotGrid:
    """Dots by cell; each cell has one token: a line takes over from a span, and two lines take turns."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._bits = [[0] * width for _ in range(height)]
        self._tokens = [["text"] * width for _ in range(height)]
        self._glyphs: dict[tuple[int, int], Span] = {}
        self._cursor: int | None = None

    def bands(self, columns: Sequence[_Column], frame: Frame, token: str) -> None:
        """Draw the span of each column that has one."""
        for column in columns:
            if column.low < column.high:
                self._span(column.x, self._dot(column.high, frame), self._dot(column.low, frame), token)

    def line(self, columns: Sequence[_Column], frame: Frame, token: str, *, is_thin: bool) -> None:
        """Draw a line from column to column; what is broken all through interrupts it."""
        before: tuple[int, int] | None = None
        for column in columns:
            if math.isnan(column.line):
                before = None if column.is_broken else before
                continue
            here = (column.x, self._dot(column.line, frame))
            self._segment(before or here, here, token)
            if self._height >= _THICK_FROM and not is_thin:
                self._segment(_below(before or here), _below(here), token)
            before = here

    def spans(self, columns: Sequence[_Column], frame: Frame, token: str) -> None:
        """Draw columns from lowest to highest value, with the gaps between neighbours closed."""
        dotted = [
            (column.x, self._dot(column.high, frame), self._dot(column.low, frame))
            for column in columns
            if not math.isnan(column.low)
        ]
        for x, top, bottom in _connected(dotted):
            self._span(x, top, bottom, token)

    def broken(self, cells: Sequence[int]) -> None:
        """Mark columns of NaN and infinity on the floor, and where they begin all the way up."""
        for y in range(self._height - 1) if cells else ():
            if not self._bits[y][cells[0]]:
                self._glyphs[y, cells[0]] = ("╎", "bad")
        for x in cells:
            if x % 2 or x == cells[0] or not self._bits[self._height - 1][x]:  # another curve there stays in sight
                self._glyphs[self._height - 1, x] = (BROKEN_MARK, "bad+b")

    def put(self, mark: ChartMark, frame: Frame) -> None:
        """Put a glyph at a value."""
        if mark.value is not None:
            place = self._dot(mark.value, frame) // 4, frame.column(mark.x, self._width)
            self._glyphs.setdefault(place, (mark.glyph, mark.token))

    def cursor(self, x: int) -> None:
        """Lift a column."""
        self._cursor = x

    def rows(self) -> list[Row]:
        """The cells as rows."""
        return [merged([self._cell(y, x) for x in range(self._width)]) for y in range(self._height)]

    def _cell(self, y: int, x: int) -> Span:
        text, token = self._glyphs.get((y, x)) or (
            (chr(0x2800 + self._bits[y][x]), self._tokens[y][x]) if self._bits[y][x] else (" ", "text")
        )
        if x != self._cursor:
            return text, token
        if text == " ":
            return "┊", "accent+s"
        return text, f"{token}s" if "+" in token else f"{token}+s"

    def _dot(self, value: float, frame: Frame) -> int:
        return frame.dot(value, self._height * 4 - (self._height >= _THICK_FROM))

    def _span(self, x: int, top: int, bottom: int, token: str) -> None:
        column = x // 2
        for y in range(top, bottom + 1):
            row = y // 4
            before = self._tokens[row][column]
            if before != token:
                if column % 2 and self._bits[row][column] and not before.endswith("+d") and not token.endswith("+d"):
                    continue  # two lines in one cell take turns, so that neither vanishes below the other
                self._bits[row][column], self._tokens[row][column] = 0, token
            self._bits[row][column] |= _DOTS[y % 4][x % 2]

    def _segment(self, start: tuple[int, int], end: tuple[int, int], token: str) -> None:
        (x0, y0), (x1, y1) = start, end
        self._span(x1, y1, y1, token)
        before = y0
        for x in range(x0 + 1, x1 + 1):
            y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
            if abs(y - before) > 1:  # a steep line: half of the rise in each of the two columns
                middle = (y + before) // 2
                beyond = middle + (1 if y > before else 0)
                self._span(x - 1, min(before, middle), max(before, middle), token)
                self._span(x, min(beyond, y), max(beyond, y), token)
            else:
                self._span(x, y, y, token)
            before = y


def _below(place: tuple[int, int]) -> tuple[int, int]:
    """The same line one dot lower: two dots thick, braille reads as a line and not as a string of dots."""
    return place[0], place[1] + 1


class _Column(NamedTuple):
    """What falls into a column of dots. `low`, `high` and `line` are NaN where nothing in it is finite."""

    x: int
    low: float
    high: float
    line: float
    is_broken: bool


def _columns(curve: Curve, frame: Frame, width: int) -> Iterator[_Column]:
    """Fold bins into dot columns; at the edges of a window the line goes on to what lies outside."""
    steps, low, high, broken, line = _sorted_columns(curve)
    start = bisect_left(steps, frame.first)
    stop = bisect_left(steps, frame.last * (1 + 1e-12) + 1e-12)
    scale = (width - 1) / (frame.last - frame.first)
    if start and (edge := _crossing(steps, line, start, frame.first)) is not None:
        yield _Column(0, edge, edge, edge, False)
    at = start
    is_whole = math.isfinite(sum(low[start:stop])) and math.isfinite(sum(line[start:stop]))
    while at < stop:
        x = min(width - 1, max(0, round((steps[at] - frame.first) * scale)))
        end = min(stop, max(at + 1, bisect_left(steps, frame.first + (x + 0.5) / scale, at)))
        is_broken = any(broken[at:end])
        lows = low[at:end] if is_whole else [value for value in low[at:end] if not math.isnan(value)]
        if is_whole:
            yield _Column(x, min(lows), max(high[at:end]), sum(line[at:end]) / (end - at), is_broken)
        elif len(lows):
            highs = [value for value in high[at:end] if not math.isnan(value)]
            means = [value for value in line[at:end] if not math.isnan(value)]
            yield _Column(x, min(lows), max(highs), math.fsum(value / len(means) for value in means), is_broken)
        else:
            yield _Column(x, math.nan, math.nan, math.nan, is_broken)
        at = end
    if stop < len(steps) and stop and (edge := _crossing(steps, line, stop, frame.last)) is not None:
        yield _Column(width - 1, edge, edge, edge, False)


def _crossing(steps: Sequence[float], line: Sequence[float], right: int, x: float) -> float | None:
    """Value at `x` of the line from the bin left of it to the bin right of it."""
    if right >= len(steps) or math.isnan(line[right - 1]) or math.isnan(line[right]):
        return None
    share = (x - steps[right - 1]) / ((steps[right] - steps[right - 1]) or 1.0)
    return line[right - 1] * (1 - share) + line[right] * share


def _sorted_columns(
    curve: Curve,
) -> tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[int], Sequence[float]]:
    """A restart repeats steps: then the columns are put back into the order of steps."""
    steps, low, high, broken, mean = curve.bins
    line = curve.line if curve.line is not None else mean if mean is not None else low
    if all(map(float.__le__, steps, steps[1:])):
        return steps, low, high, broken, line
    order = sorted(range(len(steps)), key=steps.__getitem__)
    return (
        [steps[i] for i in order],
        [low[i] for i in order],
        [high[i] for i in order],
        [broken[i] for i in order],
        [line[i] for i in order],
    )


def _connected(columns: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Dots `(x, top, bottom)` of each column, with the gaps between neighbours closed by straight lines."""
    previous: tuple[int, int, int] | None = None
    for column in columns:
        if previous is not None:
            yield from _bridge(previous, column)
        yield column
        previous = column


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
