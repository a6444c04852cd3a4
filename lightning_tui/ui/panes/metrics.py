"""The Metrics pane: the curves of one quantity, its last values, how fast it goes, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_tui.ui.chart import Curve, chart, frame_of, plot
from lightning_tui.ui.metrics import Quantity, chosen, falls, learning_rate, quantities, series_of
from lightning_tui.ui.panes.base import Pane
from lightning_tui.ui.rows import EMPTY, Row, Span, centred, first_fitting, join, width_of
from lightning_tui.ui.view import View
from lightning_tui.words import count, number, per_step, short_duration

if TYPE_CHECKING:
    from lightning_tui.record import ProgressView, Series


class MetricsPane(Pane):
    """A chart with its facts."""

    name_of_pane = "metrics"

    def body(self, width: int, height: int) -> list[Row]:
        view = self.view
        quantity = shown_quantity(view)
        if quantity is None or view.run is None:
            return centred(waiting_rows(view), width, height)
        curves = curves_of(view, quantity)
        return [values_row(view, quantity, width), *chart(curves, width, height - 1)]

    def summary(self, width: int) -> Row:
        return summary_row(self.view, width)

    def heading(self) -> Row:
        quantity = shown_quantity(self.view)
        return ((quantity.name, "dim"),) if quantity is not None else EMPTY

    def facts(self, width: int) -> Row:
        return progress_row(self.view, width)


def shown_quantity(view: View) -> Quantity | None:
    """The quantity that is drawn."""
    return chosen(quantities(view.run.metrics), view.metric) if view.run is not None else None


def curves_of(view: View, quantity: Quantity) -> list[Curve]:
    """Its curves, validation over training."""
    known = view.run.metrics if view.run is not None else {}
    return [Curve(role, known[name].bins()) for role, name in series_of(quantity, known)]


def waiting_rows(view: View) -> list[Row]:
    """What stands in place of the chart while there is nothing to draw."""
    if view.run is None and view.is_opening:
        return [(("opening the run …", "dim"),)]
    if view.run is None:
        return [(("The curves of the next run appear here.", "dim"),)]
    if view.state in ("queued", "starting"):
        return [(("The program is starting; its first metrics appear here.", "dim"),)]
    if view.is_active and view.run.trainer is None:
        return [(("No Trainer has been seen yet; output, hardware and exit work without one.", "dim"),)]
    if view.is_active:
        return [(("No metric has been logged yet.", "dim"),)]
    return [(("This run logged no metrics.", "dim"),)]


def values_row(view: View, quantity: Quantity, width: int) -> Row:
    """Last values with their colours, then rate and speed; parts that do not fit are left out whole."""
    assert view.run is not None
    known = view.run.metrics
    parts = [_value(role, known[name], falls(quantity)) for role, name in series_of(quantity, known)]
    broken = [part for role, name in series_of(quantity, known) if (part := _broken(role, known[name]))]
    rate = learning_rate(known)
    if rate is not None and known[rate].last is not None:
        parts.append((("lr ", "dim"), (number(known[rate].last or 0.0), "text")))
    return join([*broken, *parts, *_speeds(view.run.progress if view.is_active else None)], width, ("   ", "text"))


def summary_row(view: View, width: int) -> Row:
    """Values, a small curve and progress in one line."""
    quantity = shown_quantity(view)
    if quantity is None or view.run is None:
        return waiting_rows(view)[0]
    known = view.run.metrics
    names = series_of(quantity, known)
    values = join([*filter(None, (_broken(role, known[n]) for role, n in names)),
                   *(_value(role, known[n], falls(quantity)) for role, n in names)], width)  # fmt: skip
    progress = _short_progress(view, width - width_of(values) - 2)
    room = width - width_of(values) - width_of(progress) - 4
    curve = _small_curve(curves_of(view, quantity)[:1], min(16, room))
    return join([values, curve, progress], width)


def _short_progress(view: View, width: int) -> Row:
    """As much of the progress as fits whole."""
    progress = view.run.progress if view.run is not None else None
    if progress is None:
        return EMPTY
    where = _where(progress)
    if progress.fraction is None:
        return first_fitting([where, EMPTY], width)
    percent: Row = ((f"{int(progress.fraction * 100)} %", "text"),)
    both = (*where, ("  ", "text"), *percent)
    long = [progress_row(view, 60, widest_bar=widest) for widest in (10, 0)]
    return first_fitting([*long, both, percent, EMPTY], width)


def progress_row(view: View, width: int, widest_bar: int = 24) -> Row:
    """Epoch or stage, a bar, percent and the time that is left."""
    progress = view.run.progress if view.run is not None else None
    if progress is None:
        return EMPTY
    where = _where(progress)
    if progress.fraction is None:
        return join([where], width)
    percent: Row = ((f"{int(progress.fraction * 100):3d} %", "text"),)
    parts = [where, percent]
    if view.is_active and view.state != "stopping" and progress.eta_s is not None:
        parts.append((("ETA ", "dim"), (short_duration(progress.eta_s), "text")))
    taken = width_of(join(parts, 200))
    bar = min(widest_bar, width - taken - 2)
    if bar >= 6:
        parts.insert(1, _bar(progress.fraction, bar))
    return join(parts, width) if width > 4 else EMPTY


def _where(progress: ProgressView) -> Row:
    if progress.stage in ("validate", "sanity_check", "test", "predict"):
        word = {"validate": "validating", "sanity_check": "sanity check"}.get(progress.stage, progress.stage)
        of = f"/{count(progress.total_batches)}" if progress.total_batches else ""
        return ((f"{word} ", "dim"), (f"{count(progress.batch)}{of}", "text"))
    if progress.max_epochs is not None and progress.max_epochs > 0:
        shown = min(progress.epoch + 1, progress.max_epochs)
        return (("epoch ", "dim"), (f"{shown}/{progress.max_epochs}", "text"))
    of = f"/{count(progress.max_steps)}" if progress.max_steps and progress.max_steps > 0 else ""
    return (("step ", "dim"), (f"{count(progress.global_step)}{of}", "text"))


def _bar(fraction: float, width: int) -> Row:
    done = round(min(1.0, max(0.0, fraction)) * width)
    return (("━" * done, "accent"), ("┄" * (width - done), "faint"))


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


def _value(role: str, series: Series, less_is_better: bool) -> Row:
    last = series.last
    if last is None:
        return EMPTY
    token = f"{role}+b" if math.isfinite(last) else "bad+b"
    return ((f"{role} ", "dim"), (number(last), token), *_remark(role, series, less_is_better))


def _remark(role: str, series: Series, less_is_better: bool) -> tuple[Span, ...]:
    """`best` for a validation value that no other one beats; for a training loss whether it falls."""
    if not less_is_better or series.last is None or not math.isfinite(series.last) or series.count < 2:
        return ()
    if role == "val":
        return ((" best", "good"),) if series.last == series.lowest else ()
    change = _recent_change(series)
    if change is None:
        return ()
    return ((" ▼", "good"),) if change < 0 else ((" ▲", "warn"),)


def _recent_change(series: Series) -> float | None:
    """Mean of the last tenth of the curve minus that of the tenth before; `None` where that is no more than noise."""
    _, low, high, _ = series.bins()
    tenth = max(4, len(low) // 10)
    now = _middles(low[-tenth:], high[-tenth:])
    before = _middles(low[-2 * tenth : -tenth], high[-2 * tenth : -tenth])
    if min(len(now), len(before)) < 4:
        return None
    (mean, error), (mean_before, error_before) = _mean_and_error(now), _mean_and_error(before)
    change = mean - mean_before
    return change if abs(change) > 2 * math.hypot(error, error_before) else None


def _middles(low: Sequence[float], high: Sequence[float]) -> list[float]:
    return [(a + b) / 2 for a, b in zip(low, high, strict=True) if math.isfinite(a) and math.isfinite(b)]


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def _broken(role: str, series: Series) -> Row:
    """In words, that a value was NaN or infinite, and since when."""
    step = series.first_broken_step
    return ((f"✖ {role} NaN/inf at step {count(step)}", "bad+b"),) if step is not None else EMPTY


def _small_curve(curves: list[Curve], width: int) -> Row:
    frame = frame_of(curves)
    return plot(curves, frame, width, 1)[0] if frame is not None and width >= 6 else EMPTY
