"""The list of runs as rows: which columns a width has room for, and how one run stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lightning_tui.record import UnreadableRun
from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import ListedRun
from lightning_tui.text.units import NOT_KNOWN, ago, number, short_duration
from lightning_tui.text.units import size as size_words
from lightning_tui.ui.drawing.canvas import printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, crop, fill, selected, width_of
from lightning_tui.ui.metrics.words import bar_row
from lightning_tui.ui.runs.listing import fraction_of, label_of, state_of, took_s
from lightning_tui.ui.words import STATE_MARKS, tail_of_id

UNREADABLE_MARK = ("✖", "dim")
MARKED, UNMARKED = ("◆ ", "accent"), ("  ", "text")
CHILD, NOTED = "↳", "✎"
GAP = 2
_LEAST_RUN, _LEAST_NOTE = 20, 14
_MARK = 2
_UNKNOWN: Row = (("–", "faint"),)


class TableMoment(NamedTuple):
    """What all rows are drawn with."""

    now: float
    current: str | None
    """Id of the run that the cockpit shows."""
    order: str
    """Name of the column that the list is sorted by."""


class Column(NamedTuple):
    """One column; numbers stand at its right end."""

    name: str
    width: int
    cell: Callable[[RunSummary, TableMoment], Row]
    is_number: bool = True


def state_mark(run: ListedRun) -> Row:
    """Glyph and word of the state."""
    state = state_of(run)
    glyph, token = STATE_MARKS.get(state, UNREADABLE_MARK)
    return ((f"{glyph} ", token), (state, token))


def value_row(name: str, value: float, room: int) -> Row:
    """A metric's name and value; of a long name the end gives way."""
    return (*crop(printable(((name, "dim"),)), room - len(number(value)) - 1), (" ", "text"), _number(value))


def _number(value: float) -> Span:
    said = number(value)
    return said, "bad" if said in ("NaN", "+inf", "-inf") else "text"


def _best(run: RunSummary) -> Row:
    """The best value; the last one where nobody knows which way is better."""
    metric = run.metric
    value = None if metric is None else metric.last if metric.best is None else metric.best
    return value_row(metric.name, value, 17) if metric is not None and value is not None else _UNKNOWN


def _last(run: RunSummary) -> Row:
    return (_number(run.metric.last),) if run.metric is not None and run.metric.last is not None else _UNKNOWN


def _progress(run: RunSummary) -> Row:
    fraction = fraction_of(run)
    return ((f"{int(fraction * 100)} %", "dim" if run.is_over else "text"),) if fraction is not None else _UNKNOWN


def _bar(run: RunSummary) -> Row:
    fraction = fraction_of(run)
    bar = bar_row(fraction, 10) if fraction is not None else EMPTY
    return tuple((text, "faint" if run.is_over and token == "accent" else token) for text, token in bar)


def _took(run: RunSummary, now: float) -> Row:
    seconds = took_s(run, now)
    return ((short_duration(seconds), "dim"),) if seconds is not None else _UNKNOWN


def _size(run: RunSummary) -> Row:
    return ((size_words(run.size), "text"),) if run.size is not None else ((NOT_KNOWN, "faint"),)


_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("best", 17, lambda run, moment: _best(run)),
        Column("last", 8, lambda run, moment: _last(run)),
        Column("", 10, lambda run, moment: _bar(run), False),
        Column("done", 5, lambda run, moment: _progress(run)),
        Column("took", 8, lambda run, moment: _took(run, moment.now)),
        Column("when", 11, lambda run, moment: ((ago(moment.now - run.created_at), "dim"),)),
        Column("size", 8, lambda run, moment: _size(run)),
    )
}
"""The columns behind state and run, in the order in which they stand."""

_WANTED = ("when", "done", "best", "size", "took", "last", "")
"""The same in the order in which they are given room."""


def columns_for(width: int) -> list[Column]:
    """Columns that have room beside the state and the run's name."""
    left = width - _MARK - _state_width(width) - GAP - _LEAST_RUN
    taken = set()
    for name in _WANTED:
        cost = _COLUMNS[name].width + GAP
        if cost > left:
            break
        taken.add(name)
        left -= cost
    return [column for name, column in _COLUMNS.items() if name in taken]


def header_row(width: int, moment: TableMoment) -> Row:
    """Names of the columns; the one that the list is sorted by is lit."""
    columns = columns_for(width)
    row: Row = (
        UNMARKED,
        *_title("state", moment, _state_width(width), False),
        (" " * GAP, "text"),
        *fill((("run", "faint"),), _run_width(width, columns)),
    )
    for column in columns:
        row = (*row, (" " * GAP, "text"), *_title(column.name, moment, column.width, column.is_number))
    return row


def run_row(run: ListedRun, moment: TableMoment, width: int, *, is_here: bool, is_marked: bool) -> Row:
    """One run."""
    columns = columns_for(width)
    run_width = _run_width(width, columns)
    row: Row = (*fill(state_mark(run), _state_width(width)), (" " * GAP, "text"))
    if isinstance(run, UnreadableRun):
        row = (*row, *printable(((run.id, "dim"), (f"  {run.problem}", "faint"))))
    else:
        row = (*row, *fill(_run_cell(run, moment, run_width), run_width))
        for column in columns:
            row = (*row, (" " * GAP, "text"), *_aligned(column.cell(run, moment), column.width, column.is_number))
    row = fill((MARKED if is_marked else UNMARKED, *row), width)
    return selected(row) if is_here else row


def _run_cell(run: RunSummary, moment: TableMoment, room: int) -> Row:
    """Name or program, the end of the id, from which run it comes, and where there is room the note."""
    here: Row = ((" ◂", "accent"),) if run.id == moment.current else EMPTY
    child: Row = ((f" {CHILD}", "accent"),) if run.parent is not None else EMPTY
    pen: Row = ((f" {NOTED}", "accent"),) if run.note else EMPTY
    marks = (*child, *pen, *here)
    tail: Row = crop(printable(((f" {tail_of_id(run.id)}", "dim"),)), room // 2)
    label = crop(printable(((label_of(run), "text"),)), max(6, room - width_of(tail) - width_of(marks)))
    row = (*label, *tail, *marks)
    left = room - width_of(row) - 1
    if run.note and left >= _LEAST_NOTE:
        row = (*label, *tail, *child, *pen, (" ", "text"), *crop(printable(((run.note, "dim"),)), left), *here)
    return row


def _title(name: str, moment: TableMoment, width: int, is_number: bool) -> Row:
    is_sorted = bool(name) and name == moment.order
    return _aligned(((f"{name}{' ↓' if is_sorted else ''}", "accent" if is_sorted else "faint"),), width, is_number)


def _aligned(row: Row, width: int, is_number: bool) -> Row:
    row = crop(row, width)
    return ((" " * (width - width_of(row)), "text"), *row) if is_number else fill(row, width)


def _state_width(width: int) -> int:
    return 12 if width >= 44 else 10


def _run_width(width: int, columns: list[Column]) -> int:
    return width - _MARK - _state_width(width) - GAP - sum(column.width + GAP for column in columns)
