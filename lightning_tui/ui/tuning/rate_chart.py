"""Draw the curve of a learning rate test: the loss over the logarithm of the rate, and rates of interest."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from lightning_tui.record.series import Bins
from lightning_tui.ui.drawing.frame import Curve, Frame
from lightning_tui.ui.drawing.plot import plot
from lightning_tui.ui.drawing.rows import Row, Span, fill
from lightning_tui.ui.drawing.ticks import value_ticks

LEAST_WIDTH, LEAST_HEIGHT = 24, 5

_HEADROOM = 0.6
"""How far above the level at which it begins a diverging loss is drawn, as a share of its fall."""


class RateMark(NamedTuple):
    """A rate to show, and how."""

    rate: float
    glyph: str
    token: str


def rate_chart(points: Sequence[tuple[float, float]], marks: Sequence[RateMark], width: int, height: int) -> list[Row]:
    """Draw `(rate, loss)` points, rates rising, with both axes: `height` rows of `width` cells.

    A loss that diverges is cut off at the upper edge, so that the fall before it can be seen. Empty where the space is
    less than 24x5 or where no loss is finite.
    """
    frame = _frame(points)
    if frame is None or width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return []
    plot_height = height - 2
    labels = _loss_labels(frame, plot_height)
    margin = max(map(len, labels.values()), default=0) + 1
    inner = width - margin - 1
    cells = plot([Curve("accent", _bins(points))], frame, inner, plot_height)
    columns = {frame.column(math.log10(mark.rate), inner): mark for mark in reversed(marks)}
    rows: list[Row] = []
    for y, line in enumerate(cells):
        label = labels.get(y, "")
        rows.append(((f"{label:>{margin}}", "dim"), ("┤" if label else "│", "border"), *_with_marks(line, columns)))
    rows.append(((" " * margin, "dim"), ("└", "border"), *_axis(columns, inner)))
    rows.append(((" " * (margin + 1), "dim"), *_rate_labels(frame, inner)))
    return [fill(row, width) for row in rows]


def _frame(points: Sequence[tuple[float, float]]) -> Frame | None:
    finite = [loss for _, loss in points if math.isfinite(loss)]
    rates = [math.log10(rate) for rate, _ in points if rate > 0]
    if not finite or not rates:
        return None
    low, high = min(finite), max(finite)
    start = statistics.median(finite[: max(3, len(finite) // 4)])
    if start > low:
        high = min(high, start + (start - low) * _HEADROOM)
    if high - low <= abs(high) * 1e-9:
        pad = abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    return Frame(rates[0], max(rates[-1], rates[0] + 0.1), low, high)


def _bins(points: Sequence[tuple[float, float]]) -> Bins:
    losses = [loss if math.isfinite(loss) else math.nan for _, loss in points]
    return Bins(
        array("d", (math.log10(rate) for rate, _ in points)),
        array("d", losses),
        array("d", losses),
        bytearray(math.isnan(loss) for loss in losses),
    )


def _with_marks(line: Row, columns: dict[int, RateMark]) -> list[Span]:
    """Draw a dashed line through the blank cells of each marked column."""
    cells = [(character, token) for text, token in line for character in text]
    return [
        ("┊", columns[x].token) if x in columns and character == " " else (character, token)
        for x, (character, token) in enumerate(cells)
    ]


def _axis(columns: dict[int, RateMark], width: int) -> list[Span]:
    return [(columns[x].glyph, columns[x].token + "+b") if x in columns else ("─", "border") for x in range(width)]


def _loss_labels(frame: Frame, height: int) -> dict[int, str]:
    ticks = value_ticks(frame.low, frame.high, max(2, min(6, height // 2)))
    return {frame.dot(tick, height): label for tick, label in ticks}


def _rate_labels(frame: Frame, width: int) -> Row:
    """Powers of ten, each beginning under its own column."""
    line = [" "] * width
    free_from = 0
    for power in range(math.ceil(frame.first - 1e-6), math.floor(frame.last + 1e-6) + 1):
        label = f"{10.0**power:.0e}".replace("e-0", "e-").replace("e+00", "")
        x = min(frame.column(power, width), width - len(label))
        if x >= free_from:
            line[x : x + len(label)] = label
            free_from = x + len(label) + 2
    return (("".join(line), "dim"),)
