"""A chart as a vector picture for reports: curves, spans, axes, legend, best value, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from lightning_tui.text.safe import harmless
from lightning_tui.text.units import number, short_count, short_duration
from lightning_tui.ui.drawing.frame import ChartStyle, Frame, frame_of
from lightning_tui.ui.drawing.ticks import good_ticks, time_ticks, value_ticks
from lightning_tui.ui.metrics.curves import DrawnCurve

WIDTH, HEIGHT = 960, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 64, 52
_COLUMNS = 1200
"""More points than this are folded: their span becomes an area, their mean the line."""

_COLOURS = {"train": "#0b69b7", "val": "#c2500c", "third": "#a62a86", "fourth": "#66700a", "fifth": "#0a7a70"}
_TEXT, _DIM, _GRID, _BAD, _GOOD = "#20232c", "#5f6575", "#e4e6ec", "#c4213c", "#137a3f"
_FONT = "font-family='Inter, Helvetica, Arial, sans-serif'"


def svg_chart(title: str, drawn: Sequence[DrawnCurve], options: ChartStyle) -> str | None:
    """Draw it, 960x480; `None` where no value is finite (on a log scale: above 0)."""
    frame = frame_of([one.curve for one in drawn], options)
    if frame is None:
        return None
    body = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' viewBox='0 0 {WIDTH} {HEIGHT}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>",
        _text(_LEFT, 28, title, 18, _TEXT, weight=600),
        *_legend(drawn),
        *_grid(frame, options),
        "<clipPath id='plot'>"
        f"<rect x='{_LEFT}' y='{_TOP - 2}' width='{WIDTH - _LEFT - _RIGHT}' height='{HEIGHT - _TOP - _BOTTOM + 4}'/>"
        "</clipPath><g clip-path='url(#plot)'>",
        *(part for one in drawn for part in _span(one, frame)),
        *(part for one in drawn for part in _line(one, frame)),
        *(part for one in drawn for part in _broken(one, frame)),
        "</g>",
        *_marks(frame, options),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _colour(token: str) -> str:
    return _COLOURS.get(token.partition("+")[0], _DIM)


def _x(value: float, frame: Frame) -> float:
    return _LEFT + (value - frame.first) / (frame.last - frame.first) * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, frame: Frame) -> float:
    return HEIGHT - _BOTTOM - frame.share(value) * (HEIGHT - _TOP - _BOTTOM)


def _text(x: float, y: float, text: str, size: int, colour: str, anchor: str = "start", weight: int = 400) -> str:
    shown = escape(harmless(text, mark=""))
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{shown}</text>"
    )


def _legend(drawn: Sequence[DrawnCurve]) -> Iterator[str]:
    x = float(_LEFT)
    for one in reversed(drawn):
        label = one.role if one.other is None else f"{one.role} · {one.other.label}"
        last = f"{label} {number(one.series.last)}" if one.series.last is not None else label
        yield f"<line x1='{x:.1f}' y1='46' x2='{x + 18:.1f}' y2='46' stroke='{_colour(one.curve.token)}'{_dash(one)} stroke-width='2.5'/>"  # noqa: E501
        yield _text(x + 24, 50, last, 13, _TEXT)
        x += 44 + 7.2 * len(last)


def _grid(frame: Frame, options: ChartStyle) -> Iterator[str]:
    for tick, label in value_ticks(frame.low, frame.high, 7, frame.is_log):
        y = _y(tick, frame)
        yield f"<line x1='{_LEFT}' y1='{y:.1f}' x2='{WIDTH - _RIGHT}' y2='{y:.1f}' stroke='{_GRID}'/>"
        yield _text(_LEFT - 10, y + 4, label, 13, _DIM, "end")
    bottom = HEIGHT - _BOTTOM
    yield f"<line x1='{_LEFT}' y1='{bottom}' x2='{WIDTH - _RIGHT}' y2='{bottom}' stroke='{_DIM}'/>"
    is_time = options.unit == "time"
    for tick in (time_ticks if is_time else good_ticks)(frame.first, frame.last, 9):
        x = _x(tick, frame)
        yield f"<line x1='{x:.1f}' y1='{bottom}' x2='{x:.1f}' y2='{bottom + 5}' stroke='{_DIM}'/>"
        yield _text(x, bottom + 20, short_duration(tick) if is_time else short_count(tick), 13, _DIM, "middle")
    yield _text(WIDTH - _RIGHT, HEIGHT - 10, options.unit, 13, _DIM, "end")


def _dash(one: DrawnCurve) -> str:
    return " stroke-dasharray='6 4'" if one.other is not None else ""


def _folded(one: DrawnCurve, frame: Frame) -> list[tuple[float, float, float, float, bool]]:
    """Columns `(x, low, high, line, is_broken)`, at most so many as can be told apart."""
    xs, low, high, broken, mean = one.curve.bins
    line = one.curve.line if one.curve.line is not None else mean if mean is not None else low
    inside = [i for i, x in enumerate(xs) if frame.first <= x <= frame.last]
    size = max(1, -(-len(inside) // _COLUMNS))
    columns = []
    for start in range(0, len(inside), size):
        part = inside[start : start + size]
        finite = [i for i in part if not math.isnan(low[i])]
        is_broken = any(broken[i] for i in part)
        if finite:
            middle = math.fsum(line[i] / len(finite) for i in finite)
            columns.append((xs[part[0]], min(low[i] for i in finite), max(high[i] for i in finite), middle, is_broken))
        else:
            columns.append((xs[part[0]], math.nan, math.nan, math.nan, is_broken))
    return columns


def _span(one: DrawnCurve, frame: Frame) -> Iterator[str]:
    columns = [column for column in _folded(one, frame) if not math.isnan(column[1])]
    if any(low < high for _, low, high, _, _ in columns) or one.curve.line is not None:
        upper = [f"{_x(x, frame):.1f},{_y(high, frame):.1f}" for x, _, high, _, _ in columns]
        lower = [f"{_x(x, frame):.1f},{_y(low, frame):.1f}" for x, low, _, _, _ in reversed(columns)]
        shape = " ".join([*upper, *lower])
        colour = _colour(one.curve.token)
        yield f"<polygon points='{shape}' fill='{colour}' fill-opacity='0.16' stroke='{colour}' stroke-opacity='0.16'/>"


def _line(one: DrawnCurve, frame: Frame) -> Iterator[str]:
    stretch: list[str] = []
    columns = [*_folded(one, frame), (0.0, math.nan, math.nan, math.nan, True)]
    for x, _, _, line, is_broken in columns:
        if not math.isnan(line):
            stretch.append(f"{_x(x, frame):.1f},{_y(line, frame):.1f}")
        elif is_broken and stretch:
            yield (
                f"<polyline points='{' '.join(stretch)}' fill='none' stroke='{_colour(one.curve.token)}' "
                f"stroke-width='2' stroke-linejoin='round'{_dash(one)}/>"
            )
            stretch = []


def _broken(one: DrawnCurve, frame: Frame) -> Iterator[str]:
    bottom = HEIGHT - _BOTTOM
    for x, _, _, _, is_broken in _folded(one, frame):
        if is_broken:
            place = f"x1='{_x(x, frame):.1f}' y1='{bottom - 8}' x2='{_x(x, frame):.1f}' y2='{bottom}'"
            yield f"<line {place} stroke='{_BAD}' stroke-width='2'/>"


def _marks(frame: Frame, options: ChartStyle) -> Iterator[str]:
    for mark in options.marks:
        if not frame.first <= mark.x <= frame.last:
            continue
        x = _x(mark.x, frame)
        if mark.value is not None:
            yield f"<circle cx='{x:.1f}' cy='{_y(mark.value, frame):.1f}' r='5' fill='#ffffff' stroke='{_colour(mark.token)}' stroke-width='2.5'/>"  # noqa: E501
            yield _text(x, _y(mark.value, frame) - 12, number(mark.value), 13, _TEXT, "middle", 600)
        else:
            y = HEIGHT - _BOTTOM
            yield f"<path d='M{x:.1f} {y - 6} l5 6 l-5 6 l-5 -6 z' fill='{_GOOD}'/>"
