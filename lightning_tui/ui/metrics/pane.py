"""The Metrics pane: curves with a cursor, one chart or a grid of them, and how far and how fast the fit is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from lightning_tui.ui.drawing.chart import chart, layout_of
from lightning_tui.ui.drawing.frame import ChartStyle, Unit, frame_of
from lightning_tui.ui.drawing.plot import plot
from lightning_tui.ui.drawing.rows import EMPTY, Row, centred, fill, join, width_of
from lightning_tui.ui.metrics.curves import (
    SMOOTHINGS,
    UNITS,
    CurveSettings,
    DrawnCurve,
    OtherRun,
    drawn_curves,
    marks_of,
    usable_unit,
)
from lightning_tui.ui.metrics.grouping import Quantity, quantities
from lightning_tui.ui.metrics.words import (
    legend_row,
    pace_row,
    progress_row,
    reading_row,
    short_progress,
    value_parts,
    values_row,
    waiting_rows,
    where_words,
)
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.view import View

CELL_WIDTH, CELL_HEIGHT = 46, 10
"""A chart of a grid has at least this room."""
GRID_GAP = 2
PACE_HEIGHT = 18
"""From this height on a row tells how fast it goes."""

REDRAW_S = 1.0
MANY_POINTS = 512
"""A curve of so many points is drawn anew once a second at most: one more would hardly be seen."""

_NARROWEST = 1 / 2048


class _Chart(NamedTuple):
    """A chart as it was drawn, and for what."""

    key: object
    counts: tuple[int, ...]
    at: float
    rows: list[Row]
    drawn: list[DrawnCurve]


class MetricsPane(Pane):
    """Charts with their facts. What is looked at, and how, stays with the pane until another run comes."""

    name_of_pane = "metrics"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.settings = CurveSettings()
        self.others: tuple[OtherRun, ...] = ()
        self._run_id: str | None = None
        self._charts: dict[str, _Chart] = {}
        self._seen: tuple[float, float, int] | None = None
        self._whole: tuple[float, float] | None = None

    def show(self, view: View) -> None:
        run_id = view.run.record.id if view.run is not None else None
        if run_id is not None and run_id != self._run_id:
            self._run_id, self._charts, self.others = run_id, {}, ()
            self._seen = self._whole = None
            self.settings = replace(self.settings, chosen=(), current=None, cursor=None, window=None)
        super().show(view)

    # ------------------------------------------------------------------------------------------------- what is drawn

    def shown(self) -> list[Quantity]:
        """The quantities to draw: those that were chosen, else all."""
        known = quantities(self.view.run.metrics) if self.view.run is not None else []
        by_name = {quantity.name: quantity for quantity in known}
        return [by_name[name] for name in self.settings.chosen if name in by_name] or known

    def current(self) -> Quantity | None:
        """The quantity that keys are about."""
        shown = self.shown()
        return next((q for q in shown if q.name == self.settings.current), shown[0] if shown else None)

    @property
    def unit(self) -> Unit:
        return usable_unit(self.view.run, self.settings.unit) if self.view.run is not None else "step"

    def body(self, width: int, height: int) -> list[Row]:
        current = self.current()
        if current is None or self.view.run is None:
            return centred(waiting_rows(self.view), width, height)
        pace = pace_row(self.view, width) if height >= PACE_HEIGHT else EMPTY
        foot = [row for row in (self._legend(width, current), pace) if row]
        height -= len(foot)
        columns, lines = grid_shape(width, height, len(self.shown()))
        is_grid = columns * lines > 1 and not self.settings.is_alone
        rows = self._grid(width, height, columns, lines) if is_grid else self._single(current, width, height, pace)
        return [*rows, *foot]

    def _legend(self, width: int, current: Quantity) -> Row:
        """Names and ends of the other runs."""
        assert self.view.run is not None
        drawn = drawn_curves(self.view.run, current, self.settings, self.others) if self.others else []
        return legend_row(drawn, width)

    def _single(self, quantity: Quantity, width: int, height: int, pace: Row) -> list[Row]:
        drawn, rows = self._chart(quantity, width, height - 1, None)
        reading = self._reading(drawn, width)
        return [reading or values_row(self.view, quantity, width, with_speed=not pace), *rows]

    def _grid(self, width: int, height: int, columns: int, lines: int) -> list[Row]:
        shown, current = self.shown(), self.current()
        assert current is not None
        first = shown.index(current) // (columns * lines) * (columns * lines)
        page = shown[first : first + columns * lines]
        columns = min(columns, len(page))
        lines = -(-len(page) // columns)
        cell = (width - GRID_GAP * (columns - 1)) // columns
        reach = self._reach(page)
        rows: list[Row] = []
        for line in range(lines):
            cell_height = height // lines + (1 if line < height % lines else 0)
            room = cell_height - (1 if line < lines - 1 else 0)
            cells = [
                self._cell(quantity, cell, room, reach, is_current=quantity == current)
                for quantity in page[line * columns : (line + 1) * columns]
            ]
            rows += [_side_by_side([part[y] for part in cells], cell) for y in range(room)]
            rows += [EMPTY] * (cell_height - room)
        return rows

    def _cell(
        self, quantity: Quantity, width: int, height: int, reach: tuple[float, float] | None, *, is_current: bool
    ) -> list[Row]:
        assert self.view.run is not None
        drawn, rows = self._chart(quantity, width, height - 1, reach)
        name: Row = ((quantity.name, "accent+b" if is_current and self.has_focus else "text+b"),)
        values = [self._reading(drawn, width - width_of(name) - 3)] if self.settings.cursor is not None else []
        values = [row for row in values if row] or value_parts(self.view.run, quantity)
        return [join([name, *values], width, ("   ", "text")), *rows]

    def _reach(self, page: Sequence[Quantity]) -> tuple[float, float] | None:
        """First and last x of all charts of a page: they share one axis, so that the cursor means one place in all."""
        assert self.view.run is not None
        if self.settings.window is not None:
            return self.settings.window
        settings = replace(self.settings, unit=self.unit, smoothing=0.0)
        curves = [one.curve for q in page for one in drawn_curves(self.view.run, q, settings, self.others)]
        xs = [curve.bins.steps for curve in curves if len(curve.bins.steps)]
        return (min(map(min, xs)), max(map(max, xs))) if xs else None

    def _chart(
        self, quantity: Quantity, width: int, height: int, reach: tuple[float, float] | None
    ) -> tuple[list[DrawnCurve], list[Row]]:
        run = self.view.run
        assert run is not None
        settings = replace(self.settings, unit=self.unit, current=None, chosen=())
        series = [run.metrics[member.name] for member in quantity.members if member.name in run.metrics]
        counts = tuple(one.count for one in series)
        ids = tuple(map(id, series)), tuple(other.id for other in self.others), len(run.checkpoints)
        is_current = quantity == self.current()
        many = max(counts, default=0) >= MANY_POINTS
        key = (width, height, settings, reach if settings.window or not many else None, ids, is_current)
        known = self._charts.get(quantity.name)
        is_same = known is not None and known.key == key
        if known is not None and is_same and (known.counts == counts or (many and self.view.now - known.at < REDRAW_S)):
            return known.drawn, known.rows
        drawn = drawn_curves(run, quantity, settings, self.others)
        options = ChartStyle(
            settings.is_log, settings.window or reach, settings.cursor, marks_of(run, quantity, settings), settings.unit
        )
        curves = [one.curve for one in drawn]
        layout = layout_of(curves, width, height, options)
        if layout is not None and is_current:
            self._seen = layout.frame.first, layout.frame.last, layout.width
            whole = frame_of(curves, options._replace(window=None, is_log=False))
            self._whole = (whole.first, whole.last) if whole is not None else None
        rows = chart(curves, width, height, options) if layout is not None else _nothing(settings, width, height)
        self._charts[quantity.name] = _Chart(key, counts, self.view.now, rows, drawn)
        return drawn, rows

    def _reading(self, drawn: Sequence[DrawnCurve], width: int) -> Row:
        if self.settings.cursor is None or self._seen is None:
            return EMPTY
        first, last, cells = self._seen
        settings = replace(self.settings, unit=self.unit)
        return reading_row(drawn, (first, last), cells, settings, width)

    def summary(self, width: int) -> Row:
        current, run = self.current(), self.view.run
        if current is None or run is None:
            return waiting_rows(self.view)[0]
        values = join(value_parts(run, current), width)
        progress = short_progress(self.view, width - width_of(values) - 2)
        room = width - width_of(values) - width_of(progress) - 4
        curve = _small_curve(drawn_curves(run, current, CurveSettings()), min(16, room))
        return join([values, curve, progress], width)

    def heading(self) -> Row:
        current = self.current()
        fits = self.view.run.fits_sentence() if self.view.run is not None else ""
        if current is None:
            return ((fits, "dim"),) if fits else EMPTY
        settings = self.settings
        shown = self.shown()
        place = f" {shown.index(current) + 1}/{len(shown)}" if len(shown) > 1 and self.has_focus else ""
        row: Row = ((current.name, "text"), (place, "dim"))
        if settings.cursor is not None:
            row = (*row, (" · ", "dim"), (where_words(settings.cursor, self.unit), "accent+b"))
        if settings.window is not None:
            row = (*row, (" · ", "dim"), (f"{_window_words(settings.window, self.unit)} is shown", "accent"))
        said = [
            "log scale" if settings.is_log else "",
            f"EMA {settings.smoothing:g}" if settings.smoothing else "",
            f"by {self.unit}" if self.unit != "step" else "",
            fits,
        ]
        return (*row, *((f" · {word}", "dim") for word in said if word))

    def facts(self, width: int) -> Row:
        return progress_row(self.view, width)

    # ----------------------------------------------------------------------------------------------- what keys change

    def change(self, **changes: object) -> None:
        self.settings = replace(self.settings, **changes)
        self.redraw()

    def overlay(self, others: Sequence[OtherRun]) -> None:
        """Lay these runs under this one, in place of those before."""
        self.others = tuple(others)
        self.redraw()

    def scroll_by(self, lines: int) -> None:
        """A line is a quantity; a page goes nearer (up) or further away."""
        if abs(lines) < self.page():
            self.go_to_next(lines)
        else:
            self.zoom_axis(-1 if lines < 0 else 1)

    def page(self) -> int:
        return 10

    def go_to_next(self, places: int) -> None:
        """Go to another quantity, around the corner."""
        shown, current = self.shown(), self.current()
        if current is not None:
            self.change(current=shown[(shown.index(current) + places) % len(shown)].name)

    def move_across(self, direction: int) -> None:
        """Move the cursor by a cell; at the edge of a window, the window goes with it."""
        if self._seen is None or self._whole is None:
            return
        first, last, cells = self._seen
        step = (last - first) / max(1, cells - 1)
        if self.settings.cursor is None:
            self.change(cursor=last)
            return
        x = min(self._whole[1], max(self._whole[0], self.settings.cursor + direction * step))
        self.change(cursor=x, window=self._window_with(x))

    def zoom_axis(self, direction: int) -> None:
        """Show half of the axis (-1), around the cursor or at its end; or twice as much (1)."""
        if self._seen is None or self._whole is None:
            return
        first, last, _ = self._seen
        whole = self._whole[1] - self._whole[0]
        span = (last - first) * (0.5 if direction < 0 else 2.0)
        if span >= whole or whole <= 0:
            self.change(window=None)
            return
        span = max(span, whole * _NARROWEST)
        centre = self.settings.cursor if self.settings.cursor is not None else last
        start = min(max(self._whole[0], centre - span / 2), self._whole[1] - span)
        self.change(window=(start, start + span))

    def toggle_log(self) -> None:
        self.change(is_log=not self.settings.is_log)

    def next_smoothing(self) -> None:
        """Smooth more, and after the most not at all."""
        place = SMOOTHINGS.index(self.settings.smoothing)
        self.change(smoothing=SMOOTHINGS[(place + 1) % len(SMOOTHINGS)])

    def next_unit(self) -> None:
        """Count the axis in the next unit; places on the old axis mean nothing there."""
        unit = UNITS[(UNITS.index(self.settings.unit) + 1) % len(UNITS)]
        self.change(unit=unit, cursor=None, window=None)

    def back(self) -> bool:
        """Take back the cursor and the window, then the single chart; false where there is nothing to take back."""
        if self.settings.cursor is not None or self.settings.window is not None:
            self.change(cursor=None, window=None)
        elif self.settings.is_alone:
            self.change(is_alone=False)
        else:
            return False
        return True

    def _window_with(self, x: float) -> tuple[float, float] | None:
        window = self.settings.window
        if window is None or window[0] <= x <= window[1]:
            return window
        shift = x - window[0] if x < window[0] else x - window[1]
        return window[0] + shift, window[1] + shift


def grid_shape(width: int, height: int, count: int) -> tuple[int, int]:
    """Columns and lines of a grid of so many charts in this room; 1, 1 where there is room for one only."""
    columns = max(1, min(count, (width + GRID_GAP) // (CELL_WIDTH + GRID_GAP)))
    lines = max(1, min(-(-count // columns), height // CELL_HEIGHT))
    while columns > 1 and -(-count // (columns - 1)) <= lines:  # fewer and wider where they fit as well
        columns -= 1
    return columns, lines


def _side_by_side(parts: Sequence[Row], width: int) -> Row:
    row: Row = EMPTY
    for part in parts:
        row = (*row, *((((" " * GRID_GAP), "text"),) if row else EMPTY), *fill(part, width))
    return row


def _nothing(settings: CurveSettings, width: int, height: int) -> list[Row]:
    sentence = "no value above 0: nothing to draw on a log scale" if settings.is_log else "no finite value here"
    rows = centred([((sentence, "dim"),)], width, height)
    return [*rows, *[EMPTY] * (height - len(rows))][: max(0, height)]


def _window_words(window: tuple[float, float], unit: Unit) -> str:
    first, last = (where_words(x, unit).removeprefix(f"{unit} ").removeprefix("after ") for x in window)
    return f"{unit} {first} … {last}"


def _small_curve(drawn: Sequence[DrawnCurve], width: int) -> Row:
    curves = [one.curve for one in drawn[:1]]
    frame = frame_of(curves)
    return plot(curves, frame, width, 1)[0] if frame is not None and width >= 6 else EMPTY
