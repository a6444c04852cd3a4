"""What is drawn in a chart, and which part of the plane is shown? Curves, marks, and the frame that holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from lightning_tui.record.series import Bins

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

    def dot(self, value: float, height: int) -> int:
        """Row of a value, of `height` rows of dots counted from the top."""
        return height - 1 - round(self.share(value) * (height - 1))

    def column(self, x: float, width: int) -> int:
        """Column of an x, of `width` columns."""
        return min(width - 1, max(0, round((x - self.first) / (self.last - self.first) * (width - 1))))


class ChartMark(NamedTuple):
    """A sign in the plot at a value, or, without one, on the axis below it."""

    x: float
    value: float | None
    glyph: str
    token: str


class ChartStyle(NamedTuple):
    """How a chart is drawn, beside its curves."""

    is_log: bool = False
    window: tuple[float, float] | None = None
    """First and last x that are shown; `None` for all."""
    cursor: float | None = None
    marks: tuple[ChartMark, ...] = ()
    unit: Unit = "step"


PLAIN = ChartStyle()


def frame_of(curves: Sequence[Curve], options: ChartStyle = PLAIN) -> Frame | None:
    """The frame that holds all finite values of the window; `None` where there is none (or, on a log scale, none > 0).

    A smoothed line may begin outside of what its bins hold, never end there: it moves within their span.
    """
    xs = [curve.bins.steps for curve in curves if len(curve.bins.steps)]
    if not xs:
        return None
    first, last = options.window or (min(map(min, xs)), max(map(max, xs)))
    last = last if last > first else first + 1
    values = [value for curve in curves for value in _values_within(curve.bins, first, last)]
    if options.is_log:
        values = [value for value in values if value > 0]
    if not values:
        return None
    low, high = _apart(min(values), max(values), options.is_log)
    return Frame(first, last, low, high, options.is_log)


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
