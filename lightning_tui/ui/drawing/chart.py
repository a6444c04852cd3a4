"""Draw a chart: curves with labelled axes, laid out in rows of exactly one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lightning_tui.text.units import short_count, short_duration
from lightning_tui.ui.drawing.frame import PLAIN, ChartStyle, Curve, Frame, Unit, frame_of
from lightning_tui.ui.drawing.plot import plot
from lightning_tui.ui.drawing.rows import Row, Span, fill, merged
from lightning_tui.ui.drawing.ticks import good_ticks, time_ticks, value_ticks, whole_ticks

_LEAST_PLOT = 4
_ROOMY = 9
"""From this height on, the axis has a line of its own above the labels."""


class ChartLayout(NamedTuple):
    """What is drawn where: `margin` cells of labels, then the plot of `width` x `height` cells."""

    frame: Frame
    margin: int
    width: int
    height: int
    labels: dict[int, str]
    has_axes: bool


def layout_of(curves: Sequence[Curve], width: int, height: int, options: ChartStyle = PLAIN) -> ChartLayout | None:
    """Lay a chart out; `None` where there is nothing to draw or no room: it needs about 16x3 cells to be of use."""
    frame = frame_of(curves, options)
    if frame is None or width < 12 or height < 2:
        return None
    plot_height = height - (2 if height >= _ROOMY else 1)
    labels = _value_labels(frame, plot_height)
    margin = max(map(len, labels.values()), default=0) + 1
    inner = width - margin - 1
    if inner < _LEAST_PLOT:  # values too long to stand beside it: the curve is worth more than its axes
        return ChartLayout(frame, -1, width, height, {}, False)
    return ChartLayout(frame, margin, inner, plot_height, labels, True)


def chart(curves: Sequence[Curve], width: int, height: int, options: ChartStyle = PLAIN) -> list[Row]:
    """Draw curves with both axes: `height` rows of exactly `width` cells."""
    layout = layout_of(curves, width, height, options)
    if layout is None:
        return [fill((), width)] * height
    cells = plot(curves, layout.frame, layout.width, layout.height, options)
    if not layout.has_axes:
        return cells
    rows: list[Row] = []
    for y, line in enumerate(cells):
        label = layout.labels.get(y, "")
        rows.append(((f"{label:>{layout.margin}}", "dim"), ("┤" if label else "│", "border"), *line))
    return [*rows, *_axis_rows(layout, options, height - layout.height)]


def _value_labels(frame: Frame, height: int) -> dict[int, str]:
    at_most = max(2, min(8, (height + 1) // 2))
    labels: dict[int, str] = {}
    for tick, label in value_ticks(frame.low, frame.high, at_most, frame.is_log):
        row = frame.dot(tick, height * 4) // 4
        if frame.is_log and any(abs(row - other) < 2 for other in labels):
            continue
        labels[row] = label
    return labels


def _axis_rows(layout: ChartLayout, options: ChartStyle, rows: int) -> list[Row]:
    """Below the plot: the axis with its ticks and marks, and the labels; in one row the marks stand between these."""
    labels = _step_labels(layout.frame, layout.width, options.unit)
    marks = {
        layout.frame.column(mark.x, layout.width): (mark.glyph, mark.token)
        for mark in options.marks
        if mark.value is None and layout.frame.first <= mark.x <= layout.frame.last
    }
    cursor = layout.frame.column(options.cursor, layout.width) if options.cursor is not None else -1
    margin: Span = (" " * layout.margin, "dim")
    line = _label_line(labels, layout.width, options.unit)
    if rows == 1:
        cells: list[Span] = [(character, "dim") for character in line]
        for x, mark in marks.items():
            if all(not line[at].strip() for at in range(max(0, x - 1), min(len(line), x + 2))):
                cells[x] = mark
        return [(margin, ("└", "border"), *merged(cells))]
    axis: list[Span] = [("─", "border")] * layout.width
    for x, _ in labels:
        axis[x] = ("┬", "border")
    for x, mark in marks.items():
        axis[x] = mark
    if cursor >= 0:
        axis[cursor] = ("┻", "accent")
    return [(margin, ("└", "border"), *merged(axis)), (margin, (" ", "dim"), (line, "dim"))]


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
