"""Draw curves in braille dots: a pure function from metrics' bins to rows; no peak and no NaN is lost.

Where several values fall into one column of dots, their span is drawn dim and their mean bright: a line looks like a
line, and the noise stays in sight.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from lightning_tui.text.units import short_count, short_duration
from lightning_tui.ui.drawing.rows import Row, Span, fill

if TYPE_CHECKING:
    from lightning_tui.record.series import Bins

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille bit of each dot, by row and column within a cell."""

BROKEN_MARK = "×"

_THICK_FROM = 5
"""From this height on lines are two dots thick."""

Unit = Literal["step", "epoch", "time"]


class Curve(NamedTuple):
    """One metric to draw, and the token of its colour. `bins.steps` may hold any rising x, such as seconds."""

    token: str
    bins: Bins
    line: Sequence[float] | None = None
    """What is drawn bright in place of each bin's mean: a smoothed curve."""
    is_thin: bool = False
    """Whether it is what others are compared with: a thin line without spans."""


class Frame(NamedTuple):
    """The part of the plane that is shown: first and last step, lowest and highest value."""

    first: float
    last: float
    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """How high a value stands, 0 to 1; what lies outside is drawn at the edge."""
        if self.is_log:
            if value <= 0:
                return 0.0
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)  # halves: the span may be no float
        return min(1.0, max(0.0, share))

    def column(self, x: float, width: int) -> int:
        """Column of an x, of `width` columns."""
        return min(width - 1, max(0, round((x - self.first) / (self.last - self.first) * (width - 1))))


class Mark(NamedTuple):
    """A sign in the plot at a value, or, without one, on the axis below it."""

    x: float
    value: float | None
    glyph: str
    token: str


class Look(NamedTuple):
    """How a chart is drawn, beside its curves."""

    is_log: bool = False
    window: tuple[float, float] | None = None
    """First and last x that are shown; `None` for all."""
    cursor: float | None = None
    marks: tuple[Mark, ...] = ()
    unit: Unit = "step"


PLAIN = Look()


def frame_of(curves: Sequence[Curve], look: Look = PLAIN) -> Frame | None:
    """The frame that holds all finite values of the window; `None` where there is none (or, on a log scale, none > 0).

    A smoothed line may begin outside of what its bins hold, never end there: it moves within their span.
    """
    xs = [curve.bins.steps for curve in curves if len(curve.bins.steps)]
    if not xs:
        return None
    first, last = look.window or (min(map(min, xs)), max(map(max, xs)))
    last = last if last > first else first + 1
    values = [value for curve in curves for value in _values_within(curve.bins, first, last)]
    if look.is_log:
        values = [value for value in values if value > 0]
    if not values:
        return None
    low, high = _apart(min(values), max(values), look.is_log)
    return Frame(first, last, low, high, look.is_log)


def _values_within(bins: Bins, first: float, last: float) -> Iterator[float]:
    """Lowest and highest values of the bins in the window; all, where it has none: a line may run through it."""
    xs = bins.steps
    if len(xs) and (xs[0] < first or xs[-1] > last):
        inside = [i for i, x in enumerate(xs) if first <= x <= last]
        if inside:
            start, end = max(0, inside[0] - 1), inside[-1] + 2
            bins = bins._replace(low=bins.low[start:end], high=bins.high[start:end])
    for column in (bins.low, bins.high):
        if len(column) and math.isfinite(sum(column)):  # nothing is NaN: two values tell as much as all, for any scale
            positive = min((value for value in column if value > 0), default=0.0) if min(column) <= 0 else 0.0
            yield from (min(column), max(column), *((positive,) if positive else ()))
        else:
            yield from (value for value in column if not math.isnan(value))


def _apart(low: float, high: float, is_log: bool) -> tuple[float, float]:
    if high - low > abs(high) * 1e-9:
        return low, high
    if is_log:
        return low / 2, high * 2
    pad = abs(high) * 0.1 or 1.0
    return low - pad, high + pad


# ------------------------------------------------------------------------------------------------------------ layout

_LEAST_PLOT = 4
_ROOMY = 9
"""From this height on, the axis has a line of its own above the labels."""


class Layout(NamedTuple):
    """What is drawn where: `margin` cells of labels, then the plot of `width` x `height` cells."""

    frame: Frame
    margin: int
    width: int
    height: int
    labels: dict[int, str]
    has_axes: bool


def layout_of(curves: Sequence[Curve], width: int, height: int, look: Look = PLAIN) -> Layout | None:
    """Lay a chart out; `None` where there is nothing to draw or no room: it needs about 16x3 cells to be of use."""
    frame = frame_of(curves, look)
    if frame is None or width < 12 or height < 2:
        return None
    plot_height = height - (2 if height >= _ROOMY else 1)
    labels = _value_labels(frame, plot_height)
    margin = max(map(len, labels.values()), default=0) + 1
    inner = width - margin - 1
    if inner < _LEAST_PLOT:  # values too long to stand beside it: the curve is worth more than its axes
        return Layout(frame, -1, width, height, {}, False)
    return Layout(frame, margin, inner, plot_height, labels, True)


def chart(curves: Sequence[Curve], width: int, height: int, look: Look = PLAIN) -> list[Row]:
    """Draw curves with both axes: `height` rows of exactly `width` cells."""
    layout = layout_of(curves, width, height, look)
    if layout is None:
        return [fill((), width)] * height
    cells = plot(curves, layout.frame, layout.width, layout.height, look)
    if not layout.has_axes:
        return cells
    rows: list[Row] = []
    for y, line in enumerate(cells):
        label = layout.labels.get(y, "")
        rows.append(((f"{label:>{layout.margin}}", "dim"), ("┤" if label else "│", "border"), *line))
    return [*rows, *_axis_rows(layout, look, height - layout.height)]


def plot(curves: Sequence[Curve], frame: Frame, width: int, height: int, look: Look = PLAIN) -> list[Row]:
    """Draw curves without axes: `height` rows of `width` cells. Cells that two curves share show them by turns."""
    canvas = _Canvas(width, height)
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
    for mark in look.marks:
        if mark.value is not None and frame.first <= mark.x <= frame.last:
            canvas.put(mark, frame)
    if look.cursor is not None:
        canvas.cursor(frame.column(look.cursor, width))
    return canvas.rows()


class _Canvas:
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

    def put(self, mark: Mark, frame: Frame) -> None:
        """Put a glyph at a value."""
        if mark.value is not None:
            place = self._dot(mark.value, frame) // 4, frame.column(mark.x, self._width)
            self._glyphs.setdefault(place, (mark.glyph, mark.token))

    def cursor(self, x: int) -> None:
        """Lift a column."""
        self._cursor = x

    def rows(self) -> list[Row]:
        """The cells as rows."""
        return [_merged([self._cell(y, x) for x in range(self._width)]) for y in range(self._height)]

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
        return _dot(value, frame, self._height * 4 - (self._height >= _THICK_FROM))

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


def _dot(value: float, frame: Frame, height: int) -> int:
    return height - 1 - round(frame.share(value) * (height - 1))


def _merged(line: list[Span]) -> Row:
    """Put neighbours of one token together: fewer bytes to the terminal."""
    merged: list[Span] = []
    for text, token in line:
        if merged and (merged[-1][1] == token or (text == " " and "s" not in merged[-1][1].partition("+")[2])):
            merged[-1] = (merged[-1][0] + text, merged[-1][1])
        else:
            merged.append((text, token))
    return tuple(merged)


# ------------------------------------------------------------------------------------------------------------- axes


def good_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) between `low` and `high`."""
    if not high > low or at_most < 1 or math.isinf(high - low):
        return []
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * factor for factor in (1, 2, 2.5, 5) if power * factor >= rough), power * 10)
    return _multiples(step, low, high)


def whole_ticks(low: float, high: float, at_most: int) -> list[float]:
    """As `good_ticks`, but whole numbers only: there is no half a step."""
    return [tick for tick in good_ticks(low, high, at_most) if tick == round(tick)]


def log_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Powers of ten between `low` and `high`; where those are few, 2 and 5 times them too; else round numbers."""
    if not high > low > 0 or at_most < 1:
        return []
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((top - bottom) / at_most))
    for factors in ((1, 2, 5), (1,)):
        powers = [power for power in range(bottom, top + 1) if power % every == 0]
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= at_most:
            break
    return ticks if len(ticks) >= 2 else good_ticks(low, high, at_most)


_TIME_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400)


def time_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round times, in seconds, between `low` and `high`: multiples of seconds, minutes, hours or days."""
    if not high > low or at_most < 1:
        return []
    rough = (high - low) / at_most
    if rough < 1:
        return good_ticks(low, high, at_most)
    days = math.ceil(rough / 86400) * 86400
    return _multiples(next((step for step in _TIME_STEPS if step >= rough), days), low, high)


def _multiples(step: float, low: float, high: float) -> list[float]:
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _value_labels(frame: Frame, height: int) -> dict[int, str]:
    at_most = max(2, min(8, (height + 1) // 2))
    ticks = (log_ticks if frame.is_log else good_ticks)(frame.low, frame.high, at_most)
    labels: dict[int, str] = {}
    names = [tick_labels([tick])[0] for tick in ticks] if frame.is_log else tick_labels(ticks)
    for tick, label in zip(ticks, names, strict=True):
        row = _dot(tick, frame, height * 4) // 4
        if frame.is_log and any(abs(row - other) < 2 for other in labels):
            continue
        labels[row] = label
    return labels


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels with as many decimals as tell neighbours apart."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    if largest >= 1e4:
        short = [short_count(tick) for tick in ticks]
        return short if len(set(short)) == len(short) else [f"{tick:,.6g}".replace(",", " ") for tick in ticks]
    if 0 < largest < 1e-3:
        return _small_labels(ticks)
    for decimals in range(7):
        labels = [f"{tick:.{decimals}f}" for tick in ticks]
        if all(abs(float(label) - tick) <= 1e-9 * largest for label, tick in zip(labels, ticks, strict=True)):
            return labels
    return [f"{tick:.3g}" for tick in ticks]


def _small_labels(ticks: Sequence[float]) -> list[str]:
    """Numbers such as `2.25e-4`, all of them with as many decimals as the longest needs."""
    labels: list[str] = []
    for decimals in range(4):
        labels = [f"{tick:.{decimals}e}".replace("e-0", "e-") if tick else "0" for tick in ticks]
        if all(abs(float(label) - tick) <= 1e-6 * abs(tick) for label, tick in zip(labels, ticks, strict=True)):
            break
    return labels


_UNIT_WORDS = {"step": "step", "epoch": "epoch", "time": "time"}


def _axis_rows(layout: Layout, look: Look, rows: int) -> list[Row]:
    """Below the plot: the axis with its ticks and marks, and the labels; in one row the marks stand between these."""
    labels = _step_labels(layout.frame, layout.width, look.unit)
    marks = {
        layout.frame.column(mark.x, layout.width): (mark.glyph, mark.token)
        for mark in look.marks
        if mark.value is None and layout.frame.first <= mark.x <= layout.frame.last
    }
    cursor = layout.frame.column(look.cursor, layout.width) if look.cursor is not None else -1
    margin: Span = (" " * layout.margin, "dim")
    line = _label_line(labels, layout.width, _UNIT_WORDS[look.unit])
    if rows == 1:
        cells: list[Span] = [(character, "dim") for character in line]
        for x, mark in marks.items():
            if all(not line[at].strip() for at in range(max(0, x - 1), min(len(line), x + 2))):
                cells[x] = mark
        return [(margin, ("└", "border"), *_merged(cells))]
    axis: list[Span] = [("─", "border")] * layout.width
    for x, _ in labels:
        axis[x] = ("┬", "border")
    for x, mark in marks.items():
        axis[x] = mark
    if cursor >= 0:
        axis[cursor] = ("┻", "accent")
    return [(margin, ("└", "border"), *_joined(axis)), (margin, (" ", "dim"), (line, "dim"))]


def _joined(line: list[Span]) -> Row:
    joined: list[Span] = []
    for text, token in line:
        if joined and joined[-1][1] == token:
            joined[-1] = (joined[-1][0] + text, token)
        else:
            joined.append((text, token))
    return tuple(joined)


def _step_labels(frame: Frame, width: int, unit: Unit) -> list[tuple[int, str]]:
    """Round numbers and their columns."""
    at_most = max(2, width // 14)
    if unit == "time":
        ticks = time_ticks(frame.first, frame.last, at_most)
        return [(frame.column(tick, width), short_duration(tick)) for tick in ticks]
    ticks = (whole_ticks if unit == "step" else good_ticks)(frame.first, frame.last, at_most)
    names = [short_count(tick) for tick in ticks]
    if len(set(names)) < len(names):  # a narrow window far along the run: short numbers no longer tell them apart
        names = [f"{tick:,.10g}".replace(",", " ") for tick in ticks]
    return [(frame.column(tick, width), name) for tick, name in zip(ticks, names, strict=True)]


def _label_line(labels: Sequence[tuple[int, str]], width: int, unit: str) -> str:
    """Labels, each in the middle below its tick, or as near as the edges allow; none is cut, none touches another."""
    line = [" "] * width
    room = width - len(unit) - 1 if width > 3 * len(unit) else width
    free_from = 0
    for x, label in labels:
        at = max(0, min(x - len(label) // 2, width - len(label)))
        if at < free_from or at + len(label) > room:
            continue
        line[at : at + len(label)] = label
        free_from = at + len(label) + 2
    if room < width:
        line[width - len(unit) :] = unit
    return "".join(line)
