"""The list of runs as rows: which columns a width has room for, and how one run stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lightning_tui.text.units import NOT_KNOWN, ago, number, short_duration
from lightning_tui.text.units import size as size_words
from lightning_tui.ui.drawing.canvas import printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill, selected, width_of
from lightning_tui.ui.metrics.words import bar_row
from lightning_tui.ui.runs.lines import RunLine, Value
from lightning_tui.ui.words import STATE_MARKS, tail_of_id

UNREADABLE_MARK = ("✖", "dim")
MARKED, UNMARKED = ("◆ ", "accent"), ("  ", "text")
CHILD, NOTED = "↳", "✎"
GAP = 2
_LEAST_RUN, _LEAST_NOTE = 20, 14
_MARK = 2


class Moment(NamedTuple):
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
    cell: Callable[[RunLine, Moment], Row]
    is_number: bool = True


def state_mark(line: RunLine) -> Row:
    """Glyph and word of the state."""
    glyph, token = STATE_MARKS.get(line.state, UNREADABLE_MARK)
    return ((f"{glyph} ", token), (line.state, token))


def value_row(value: Value | None, room: int) -> Row:
    """A metric's name and value; of a long name the end gives way."""
    if value is None:
        return (("–", "faint"),)
    said = number(value.value)
    token = "text" if said not in ("NaN", "+inf", "-inf") else "bad"
    return (*crop(printable(((value.name, "dim"),)), room - len(said) - 1), (" ", "text"), (said, token))


def _progress(line: RunLine) -> Row:
    if line.fraction is None:
        return (("–", "faint"),)
    return ((f"{int(line.fraction * 100)} %", "dim" if line.is_over else "text"),)


def _bar(line: RunLine) -> Row:
    if line.fraction is None:
        return EMPTY
    bar = bar_row(line.fraction, 10)
    return tuple((text, "faint" if line.is_over and token == "accent" else token) for text, token in bar)


def _took(line: RunLine, now: float) -> Row:
    seconds = line.took_s(now)
    return ((short_duration(seconds), "dim"),) if seconds is not None else (("–", "faint"),)


def _when(line: RunLine, now: float) -> Row:
    return ((ago(now - line.created_at), "dim"),) if line.created_at is not None else (("–", "faint"),)


def _size(line: RunLine) -> Row:
    return ((size_words(line.size), "text"),) if line.size is not None else ((NOT_KNOWN, "faint"),)


def _last(line: RunLine) -> Row:
    return value_row(line.last._replace(name=""), 10)[1:] if line.last is not None else (("–", "faint"),)


_COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("best", 17, lambda line, moment: value_row(line.best or line.last, 17)),
        Column("last", 8, lambda line, moment: _last(line)),
        Column("", 10, lambda line, moment: _bar(line), False),
        Column("done", 5, lambda line, moment: _progress(line)),
        Column("took", 8, lambda line, moment: _took(line, moment.now)),
        Column("when", 11, lambda line, moment: _when(line, moment.now)),
        Column("size", 8, lambda line, moment: _size(line)),
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


def header_row(width: int, moment: Moment) -> Row:
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


def run_row(line: RunLine, moment: Moment, width: int, *, is_here: bool, is_marked: bool) -> Row:
    """One run."""
    columns = columns_for(width)
    run_width = _run_width(width, columns)
    if not line.is_readable:
        row = _unreadable_row(line, width)
    else:
        row = (
            *fill(state_mark(line), _state_width(width)),
            (" " * GAP, "text"),
            *fill(_run_cell(line, moment, run_width), run_width),
        )
        for column in columns:
            row = (*row, (" " * GAP, "text"), *_aligned(column.cell(line, moment), column.width, column.is_number))
    row = fill((MARKED if is_marked else UNMARKED, *row), width)
    return selected(row) if is_here else row


def _unreadable_row(line: RunLine, width: int) -> Row:
    return (
        *fill(state_mark(line), _state_width(width)),
        (" " * GAP, "text"),
        *printable(((line.id, "dim"), (f"  {line.detail}", "faint"))),
    )


def _run_cell(line: RunLine, moment: Moment, room: int) -> Row:
    """Name or program, the end of the id, from which run it comes, and where there is room the note."""
    here: Row = ((" ◂", "accent"),) if line.id == moment.current else EMPTY
    child: Row = ((f" {CHILD}", "accent"),) if line.parent is not None else EMPTY
    pen: Row = ((f" {NOTED}", "accent"),) if line.note else EMPTY
    marks = (*child, *pen, *here)
    tail: Row = crop(printable(((f" {tail_of_id(line.id)}", "dim"),)), room // 2)
    label = crop(printable(((line.label, "text"),)), max(6, room - width_of(tail) - width_of(marks)))
    row = (*label, *tail, *marks)
    left = room - width_of(row) - 1
    if line.note and left >= _LEAST_NOTE:
        row = (*label, *tail, *child, *pen, (" ", "text"), *crop(printable(((line.note, "dim"),)), left), *here)
    return row


def _title(name: str, moment: Moment, width: int, is_number: bool) -> Row:
    is_sorted = bool(name) and name == moment.order
    return _aligned(((f"{name}{' ↓' if is_sorted else ''}", "accent" if is_sorted else "faint"),), width, is_number)


def _aligned(row: Row, width: int, is_number: bool) -> Row:
    row = crop(row, width)
    return ((" " * (width - width_of(row)), "text"), *row) if is_number else fill(row, width)


def _state_width(width: int) -> int:
    return 12 if width >= 44 else 10


def _run_width(width: int, columns: list[Column]) -> int:
    return width - _MARK - _state_width(width) - GAP - sum(column.width + GAP for column in columns)
