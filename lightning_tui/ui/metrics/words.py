"""What the Metrics pane says in words: last and best values, what the cursor reads, how far the fit is, how fast."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.text.safe import harmless
from lightning_tui.text.units import count, number, per_step, plural, short_count, short_duration
from lightning_tui.ui.drawing.frame import Unit
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, first_fitting, join, width_of
from lightning_tui.ui.metrics.curves import BEST, CurveSettings, DrawnCurve, Reading, reading_at
from lightning_tui.ui.metrics.grouping import RATES, Quantity, best_point, falls, learning_rate
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from lightning_tui.record import ProgressView, RankView, RunSnapshot, Series

STRAGGLER = 1.1
"""A rank is named when its step, or its step and the wait of the others, is so many times as long as usual."""

_GAP: Span = ("   ", "text")


def waiting_rows(view: View) -> list[Row]:
    """What stands in place of the chart while there is nothing to draw."""
    if view.run is None and view.is_opening:
        return [(("opening the run …", "dim"),)]
    if view.run is None:
        return [(("The metrics of the next run appear here.", "dim"),)]
    if view.state in ("queued", "starting"):
        return [(("The program is starting; its first metrics appear here.", "dim"),)]
    if view.is_active and view.run.trainer is None:
        return [(("No Trainer has been seen yet; output, hardware and exit are shown without one.", "dim"),)]
    if view.is_active:
        return [(("No metric has been logged yet.", "dim"),)]
    return [(("This run logged no metrics.", "dim"),)]


# ------------------------------------------------------------------------------------------------------------ values


def values_row(view: View, quantity: Quantity, width: int, *, with_speed: bool = True) -> Row:
    """Last values with their colours, best, then rate and speed; parts that do not fit are left out whole."""
    assert view.run is not None
    known = view.run.metrics
    parts = value_parts(view.run, quantity)
    rate = learning_rate(known)
    if rate is not None and quantity.name != RATES and known[rate].last is not None:
        parts.append((("lr ", "dim"), (number(known[rate].last or 0.0), "text")))
    return join([*parts, *_speeds(view.run.progress if view.is_active and with_speed else None)], width, _GAP)


def value_parts(run: RunSnapshot, quantity: Quantity) -> list[Row]:
    """What is broken, the last value of each series, and the best one."""
    known = run.metrics
    pairs = list(zip(quantity.members, quantity.tokens(), strict=True))
    broken = [broken_words(member.name, known[member.name]) for member, _ in pairs if member.name in known]
    values = [
        _value(member.role, token, known[member.name], falls(quantity))
        for member, token in pairs
        if member.name in known and known[member.name].broken_since is None
    ]
    return [row for row in (*broken, *values, _best(run, quantity)) if row]


def broken_words(name: str, series: Series) -> Row:
    """In words, that values are NaN or infinite, and since when."""
    step = series.first_broken_step
    if step is None or series.last is None:
        return EMPTY
    name = harmless(name)
    word = "NaN" if math.isnan(series.last) else "infinite" if math.isinf(series.last) else ""
    if word and series.broken_since is not None:
        return ((f"✖ {name} is {word} since step {count(series.broken_since)}", "bad+b"),)
    return ((f"✖ {name} was NaN/inf {plural(series.broken_count, 'time')}, first at step {count(step)}", "bad"),)


def _value(role: str, token: str, series: Series, less_is_better: bool) -> Row:
    last = series.last
    if last is None:
        return EMPTY
    shown = f"{token}+b" if math.isfinite(last) else "bad+b"
    return ((f"{role} ", "dim"), (number(last), shown), *_trend(role, series, less_is_better))


def _trend(role: str, series: Series, less_is_better: bool) -> tuple[Span, ...]:
    """Whether a loss of the training falls of late."""
    if role != "train" or not less_is_better or series.last is None or not math.isfinite(series.last):
        return ()
    change = _recent_change(series)
    if change is None:
        return ()
    return ((" ▼", "good"),) if change < 0 else ((" ▲", "warn"),)


def _best(run: RunSnapshot, quantity: Quantity) -> Row:
    """The best value, and where; said to be now where it is the last one."""
    best = best_point(quantity, run.metrics)
    if best is None or run.metrics[best[0].name].count < 2:
        return EMPTY
    member, point = best
    if point.step == run.metrics[member.name].last_step:
        return ((f"{BEST} best now", "good"),)
    return ((f"{BEST} ", "good"), (number(point.value), "text"), (f" @ {short_count(point.step)}", "dim"))


def _recent_change(series: Series) -> float | None:
    """Mean of the last tenth of the curve minus that of the tenth before; `None` where that is no more than noise."""
    means = [value for value in series.bins().mean or () if math.isfinite(value)]
    tenth = max(4, len(means) // 10)
    now, before = means[-tenth:], means[-2 * tenth : -tenth]
    if min(len(now), len(before)) < 4:
        return None
    (mean, error), (mean_before, error_before) = _mean_and_error(now), _mean_and_error(before)
    change = mean - mean_before
    return change if abs(change) > 2 * math.hypot(error, error_before) else None


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


# ------------------------------------------------------------------------------------------------------------ cursor


def reading_row(
    drawn: Sequence[DrawnCurve], span: tuple[float, float], cells: int, settings: CurveSettings, width: int
) -> Row:
    """What each curve says at the cursor of a chart of so many cells, and how far this run is from the others.

    Where it is narrow, the spans of the values give way first.
    """
    if settings.cursor is None:
        return EMPTY
    half = (span[1] - span[0]) / max(1, cells - 1) / 2
    first, last = settings.cursor - half, settings.cursor + half
    readings = [(one, reading) for one in drawn if (reading := reading_at(one.curve, first, last)) is not None]
    own = {one.name: (one, reading) for one, reading in readings if one.other is None}
    others = _differences(readings, {name: reading.mean for name, (_, reading) in own.items()})

    def told(has_spans: bool) -> list[Row]:
        return [
            _own_reading(
                one,
                reading,
                where_words(reading.x, settings.unit) if not first <= reading.x <= last else "",
                has_spans=has_spans,
            )
            for one, reading in sorted(own.values(), key=lambda pair: pair[0].role not in ("train", "val"))
        ]

    whole = join([*told(True), *others], 10_000, _GAP)
    return whole if width_of(whole) <= width else join([*told(False), *others], width, _GAP)


def where_words(x: float, unit: Unit) -> str:
    """A place on the axis in words."""
    if unit == "step":
        return f"step {count(round(x))}"
    return f"epoch {x:.2f}" if unit == "epoch" else f"after {short_duration(x)}"


def _own_reading(one: DrawnCurve, reading: Reading, there: str, *, has_spans: bool) -> Row:
    """The mean, its span, and where that is where the curve has no value at the cursor itself."""
    if math.isnan(reading.mean):
        return ((f"{one.role} ", "dim"), ("NaN/inf", "bad+b"))
    row: Row = ((f"{one.role} ", "dim"), (number(reading.mean), f"{one.curve.token}+b"))
    if there:
        row = (*row, (f" at {there}", "dim"))
    if has_spans and reading.high > reading.low:
        row = (*row, (f" ({number(reading.low)} … {number(reading.high)})", "dim"))
    return (*row, (" NaN/inf", "bad+b")) if reading.is_broken else row


def _differences(readings: Sequence[tuple[DrawnCurve, Reading]], own: Mapping[str, float]) -> list[Row]:
    """How much more or less this run has than each of the others."""
    rows: dict[str, Row] = {}
    ends: dict[str, Row] = {}
    for one, reading in readings:
        mine = own.get(one.name, math.nan)
        if one.other is None or math.isnan(mine - reading.mean):
            continue
        difference = mine - reading.mean
        sign = "+" if difference > 0 else "−" if difference < 0 else "±"
        row = rows.get(one.other.id, EMPTY)
        said: Row = ((f"{one.role} ", "dim"), (f"{sign}{number(abs(difference))} ", "text+b"))
        rows[one.other.id] = (*row, *said)
        ends[one.other.id] = (("vs ", "dim"), (f"{one.other.glyph} {one.other.label}", one.other.token))
    return [(*row, *ends[name]) for name, row in rows.items()]


def legend_row(drawn: Sequence[DrawnCurve], width: int) -> Row:
    """Which hue is which run, and its last values."""
    rows: dict[str, Row] = {}
    for one in drawn:
        if one.other is not None and one.series.last is not None:
            name: Row = ((f"{one.other.glyph} {one.other.label}", one.other.token),)
            value: Row = ((f" {one.role} ", "dim"), (number(one.series.last), "text"))
            rows[one.other.id] = (*rows.get(one.other.id, name), *value)
    return join(list(rows.values()), width, _GAP)


# ---------------------------------------------------------------------------------------------------------- progress


def progress_row(view: View, width: int, widest_bar: int = 24) -> Row:
    """Epoch or stage, a bar, percent and the time that is left; or that nothing moves."""
    progress = view.run.progress if view.run is not None else None
    if progress is None:
        return EMPTY
    where = where_row(progress)
    stall = stall_row(view)
    if progress.fraction is None:
        return join([where, stall], width)
    percent: Row = ((f"{int(progress.fraction * 100):3d} %", "text"),)
    parts = [where, percent]
    if stall:
        parts.append(stall)
    elif view.is_active and view.state == "paused":
        parts.append((("paused", "warn"),))
    elif view.is_active and view.state != "stopping" and progress.eta_s is not None:
        parts.append((("ETA ", "dim"), (short_duration(progress.eta_s), "text")))
    taken = width_of(join(parts, 200))
    bar = min(widest_bar, width - taken - 2)
    if bar >= 6:
        parts.insert(1, bar_row(progress.fraction, bar))
    return join(parts, width) if width > 4 else EMPTY


def short_progress(view: View, width: int) -> Row:
    """As much of the progress as fits whole."""
    progress = view.run.progress if view.run is not None else None
    if progress is None:
        return EMPTY
    where = where_row(progress)
    if progress.fraction is None:
        return first_fitting([where, EMPTY], width)
    percent: Row = ((f"{int(progress.fraction * 100)} %", "text"),)
    both = (*where, ("  ", "text"), *percent)
    long = [progress_row(view, 60, widest_bar=widest) for widest in (10, 0)]
    return first_fitting([*long, both, percent, EMPTY], width)


def where_row(progress: ProgressView) -> Row:
    """The stage, epoch or step."""
    if progress.stage in ("validate", "sanity_check", "test", "predict"):
        word = {"validate": "validating", "sanity_check": "sanity check"}.get(progress.stage, progress.stage)
        of = f"/{count(progress.total_batches)}" if progress.total_batches else ""
        return ((f"{word} ", "dim"), (f"{count(progress.batch)}{of}", "text"))
    if progress.max_epochs is not None and progress.max_epochs > 0:
        shown = min(progress.epoch + 1, progress.max_epochs)
        return (("epoch ", "dim"), (f"{shown}/{progress.max_epochs}", "text"))
    of = f"/{count(progress.max_steps)}" if progress.max_steps and progress.max_steps > 0 else ""
    return (("step ", "dim"), (f"{count(progress.global_step)}{of}", "text"))


def bar_row(fraction: float, width: int) -> Row:
    """A bar of this width."""
    done = round(min(1.0, max(0.0, fraction)) * width)
    return (("━" * done, "accent"), ("┄" * (width - done), "faint"))


def stall_row(view: View) -> Row:
    """That no batch has come for far longer than usual; empty where all is well."""
    progress = view.run.progress if view.run is not None else None
    if progress is None or progress.stalled_s is None or not view.is_active or view.state in ("paused", "stopping"):
        return EMPTY
    usual = f" · usual {per_step(progress.usual_s)}" if progress.usual_s is not None else ""
    noun = ("step" if progress.stage == "train" else "batch") + ("" if usual else " yet")
    return ((f"no {noun} for {_span(progress.stalled_s)}", "warn+b"), (usual, "dim"))


def _span(seconds: float) -> str:
    return f"{int(seconds)} s" if seconds < 120 else f"{int(seconds / 60)} min"


# ------------------------------------------------------------------------------------------------------------- speed


def pace_row(view: View, width: int) -> Row:
    """How fast it goes and what holds it up: step, data, validation, straggler, checkpoints, restarts."""
    run = view.run
    progress = run.progress if run is not None else None
    if run is None or progress is None:
        return EMPTY
    parts: list[Row] = [*_speeds(progress)] if view.is_active else []
    if progress.step_time_s and progress.data_wait_s is not None:
        share = progress.data_wait_s / progress.step_time_s
        parts.append((("data wait ", "dim"), (f"{share:.0%}".replace("%", " %"), "warn" if share > 0.2 else "text")))
    straggler = straggler_of(run.ranks) if view.is_active else None
    if straggler is not None:
        parts.append(straggler_row(straggler))
    if progress.validation_s is not None:
        parts.append((("validation ", "dim"), (per_step(progress.validation_s), "text")))
    saves = [saved.seconds for saved in run.checkpoints if saved.seconds is not None]
    if saves:
        parts.append((("checkpoint ", "dim"), (per_step(statistics.fmean(saves)), "text")))
    if run.attempt:
        parts.append(((f"restarted {plural(run.attempt, 'time')}", "warn"),))
    return join(parts, width, _GAP)


class Straggler(NamedTuple):
    """The rank that the others wait for."""

    rank: int
    step_time_s: float
    usual_s: float
    is_data: bool
    """Whether it is the data that it waits for: all ranks' steps take as long, since the others wait for it."""


def straggler_of(ranks: Sequence[RankView]) -> Straggler | None:
    """The slowest rank, where it stands out: by its step time, or by its wait for data while all steps are alike."""
    steps = {rank.rank: rank.step_time_s for rank in ranks if rank.step_time_s is not None}
    if len(steps) < 2:
        return None
    slowest = max(steps, key=lambda rank: steps[rank])
    usual = statistics.median_low(steps.values())
    if steps[slowest] > STRAGGLER * usual:
        return Straggler(slowest, steps[slowest], usual, False)
    waits = {rank.rank: rank.data_wait_s for rank in ranks if rank.data_wait_s is not None}
    if len(waits) < 2:
        return None
    hungriest = max(waits, key=lambda rank: waits[rank])
    usual_wait = statistics.median_low(waits.values())
    if waits[hungriest] - usual_wait > (STRAGGLER - 1) * usual:
        return Straggler(hungriest, waits[hungriest], usual_wait, True)
    return None


def straggler_row(straggler: Straggler) -> Row:
    """Name it."""
    what = "waiting for data" if straggler.is_data else "takes"
    return (
        (f"rank {straggler.rank}", "warn+b"),
        (f" {what} {per_step(straggler.step_time_s)}", "warn"),
        (f", others {per_step(straggler.usual_s)}", "dim"),
    )


def _speeds(progress: ProgressView | None) -> list[Row]:
    if progress is None:
        return []
    parts: list[Row] = []
    if progress.step_time_s is not None:
        parts.append(((per_step(progress.step_time_s), "text"), ("/step", "dim")))
    if progress.samples_per_s is not None:
        parts.append(((number(progress.samples_per_s), "text"), (" samples/s", "dim")))
    if progress.steps_per_s is not None:
        parts.append(((number(progress.steps_per_s), "text"), (" steps/s", "dim")))
    return parts
