"""From a run's metrics to curves: over steps, epochs or time, smoothed, marked, beside those of other runs."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lightning_tui.ui.drawing.frame import ChartMark, Curve, Unit
from lightning_tui.ui.metrics.grouping import Member, Quantity, best_point
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot, Series
    from lightning_tui.record.series import Bins, Timeline

UNITS: tuple[Unit, ...] = ("step", "epoch", "time")
SMOOTHINGS = (0.0, 0.9, 0.97, 0.99, 0.997)
"""Weights of the moving mean; 0 is none."""

BEST, SAVED = "★", "◆"
_VIEWPORT = 1000.0
_LEAST_DISTANCE = 1e-3

OTHER_TOKENS = ("third", "fourth", "fifth")
OTHER_GLYPHS = ("●", "■", "▲")
"""How other runs are told apart without colour."""


class CurveSettings(msgspec.Struct, frozen=True):
    """How the metrics are looked at; the same for all charts, so that they can be compared."""

    chosen: tuple[str, ...] = ()
    """Quantities to draw, in this order; empty for all."""
    current: str | None = None
    is_log: bool = False
    smoothing: float = 0.0
    unit: Unit = "step"
    window: tuple[float, float] | None = None
    cursor: float | None = None
    is_alone: bool = False
    """Whether the current quantity has the pane for itself where there is room for more."""


class OtherRun(msgspec.Struct, frozen=True):
    """A run that is laid under this one, as it was when it was chosen."""

    id: str
    label: str
    metrics: Mapping[str, Series]
    timeline: Timeline | None
    started_at: float | None
    token: str
    glyph: str


def laid_under(program: str, run: RunSnapshot, beside: Sequence[OtherRun] = ()) -> OtherRun:
    """A run for the curves of one of this program, in a colour that those beside it do not have."""
    taken = {other.token for other in beside}
    token, glyph = next(pair for pair in zip(OTHER_TOKENS, OTHER_GLYPHS, strict=True) if pair[0] not in taken)
    label = run.record.program.label
    label = f"{'' if label == program else f'{label} '}{tail_of_id(run.record.id)}"
    return OtherRun(run.record.id, label, run.metrics, run.timeline, run.started_at, token, glyph)


class DrawnCurve(NamedTuple):
    """A curve, what it is, and the series that it is made of."""

    role: str
    name: str
    series: Series
    curve: Curve
    other: OtherRun | None = None


def drawn_curves(
    run: RunSnapshot, quantity: Quantity, settings: CurveSettings, others: Sequence[OtherRun] = ()
) -> list[DrawnCurve]:
    """Curves of a quantity, those of other runs first: what comes later is drawn over them."""
    drawn = []
    for other in others:
        for member in leading(quantity):
            if (series := other.metrics.get(member.name)) is not None and series.count:
                curve = _curve(series, other.token, settings, other.timeline, other.started_at)
                drawn.append(DrawnCurve(member.role, member.name, series, curve._replace(is_thin=True), other))
    own = leading(quantity) if others else quantity.members  # beside others, hues are needed for the runs
    for member, token in zip(quantity.members, quantity.tokens(), strict=True):
        series = run.metrics.get(member.name)
        if series is not None and series.count and member in own:
            curve = _curve(series, token, settings, run.timeline, run.started_at)
            drawn.append(DrawnCurve(member.role, member.name, series, curve))
    return drawn


def leading(quantity: Quantity) -> list[Member]:
    """What runs are compared by: the series of training and validation, else the first one."""
    return [member for member in quantity.members if member.role in ("train", "val")] or list(quantity.members[:1])


def marks_of(run: RunSnapshot, quantity: Quantity, settings: CurveSettings) -> tuple[ChartMark, ...]:
    """The best value, and below the axis the checkpoints that are there."""
    marks = []
    best = best_point(quantity, run.metrics)
    if best is not None and run.metrics[best[0].name].count > 1:
        (x,) = _xs([best[1].step], settings.unit, run.timeline, run.started_at)
        marks.append(ChartMark(x, best[1].value, BEST, "val+b"))
    steps = sorted({checkpoint.global_step for checkpoint in run.checkpoints})
    saved = _xs(steps, settings.unit, run.timeline, run.started_at)
    return (*marks, *(ChartMark(x, None, SAVED, "good") for x in saved))


def usable_unit(run: RunSnapshot, unit: Unit) -> Unit:
    """The unit, or steps where nothing is known of the run's epochs and times."""
    return unit if run.timeline is not None and run.timeline.is_known else "step"


def smoothed(xs: Sequence[float], values: Sequence[float], weight: float) -> array[float]:
    """Exponential moving mean, its start corrected; NaN is passed over.

    As in W&B's time-weighted moving average the weight counts per thousandth of the range of x, so that a curve looks
    alike however often it was logged: between two values d apart it is `weight ** (1000 * d / range)`.
    """
    span = (xs[-1] - xs[0]) / _VIEWPORT if len(xs) > 1 else 0.0
    mean, correction, before = 0.0, 0.0, xs[0] if len(xs) else 0.0
    found = array("d", values)
    for at, x in enumerate(xs):
        value = found[at]
        if value != value:  # NaN; this loop is what a redraw waits for
            continue
        distance = (x - before) / span if span > 0 else 1.0
        kept = weight ** (max(_LEAST_DISTANCE, distance))
        before = x
        fresh = 1.0 - kept
        mean = kept * mean + fresh * value
        correction = kept * correction + fresh
        found[at] = mean / correction
    return found


class Reading(NamedTuple):
    """What a curve says at the cursor: mean, lowest and highest of the values nearest to it, and their x."""

    x: float
    mean: float
    low: float
    high: float
    is_broken: bool


def reading_at(curve: Curve, first: float, last: float) -> Reading | None:
    """Read the values from `first` to `last`; where none is, the one before. `None` before the curve begins."""
    xs = curve.bins.steps
    stop = bisect_right(xs, last)
    start = bisect_right(xs, first - 1e-12 * max(1.0, abs(first)))
    if start >= stop:
        start = stop - 1
    if start < 0:
        return None
    bins = curve.bins
    line = curve.line if curve.line is not None else bins.mean if bins.mean is not None else bins.low
    finite = [i for i in range(start, stop) if not math.isnan(bins.low[i])]
    is_broken = any(bins.broken[start:stop])
    if not finite:
        return Reading(xs[start], math.nan, math.nan, math.nan, is_broken)
    mean = math.fsum(line[i] / len(finite) for i in finite)
    return Reading(xs[start], mean, min(bins.low[i] for i in finite), max(bins.high[i] for i in finite), is_broken)


def _curve(
    series: Series, token: str, settings: CurveSettings, timeline: Timeline | None, began: float | None
) -> Curve:
    bins = _in_order(series.bins())
    xs = _xs(bins.steps, settings.unit, timeline, began)
    mean = bins.mean if bins.mean is not None else bins.low
    line = smoothed(xs, mean, settings.smoothing) if settings.smoothing else None
    return Curve(token, bins._replace(steps=xs), line)


def _in_order(bins: Bins) -> Bins:
    """A restart repeats steps; its values come later, and stand behind the earlier ones of the same step."""
    steps = bins.steps
    if all(map(float.__le__, steps, steps[1:])):
        return bins
    order = sorted(range(len(steps)), key=steps.__getitem__)
    mean = bins.mean if bins.mean is not None else bins.low
    low, high, means, sorted_steps = (array("d", [c[i] for i in order]) for c in (bins.low, bins.high, mean, steps))
    return bins._replace(
        steps=sorted_steps, low=low, high=high, mean=means, broken=bytearray(bins.broken[i] for i in order)
    )


def _xs(steps: Sequence[float], unit: Unit, timeline: Timeline | None, began: float | None) -> array[float]:
    if unit == "step" or timeline is None or not timeline.is_known:
        return steps if isinstance(steps, array) else array("d", steps)
    if unit == "epoch":
        return timeline.epochs_at(steps)
    times = timeline.times_at(steps)
    zero = began if began is not None else timeline.times_at([0.0])[0]
    return array("d", [time - zero for time in times])
