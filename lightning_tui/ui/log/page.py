"""A page of the log as rows, from any line on or up to the end: only what is seen is read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill, selected, width_of
from lightning_tui.ui.log.lines import Folds, Line, Lines
from lightning_tui.ui.log.text import cut_left, highlight, log_row, wrap_row

HIT = "warn+r"
"""Token of what was searched for."""


class Look(msgspec.Struct, frozen=True):
    """How lines are drawn."""

    width: int
    is_wrapped: bool = False
    left: int = 0
    """Cells that are scrolled out at the left."""
    pattern: re.Pattern[str] | None = None
    chosen: tuple[int, int] | None = None
    """First and last position on the selection's ground."""
    opened: frozenset[tuple[int, int]] = frozenset()
    """Rank and number of the first lines of tracebacks that are shown whole."""
    rank_width: int = 0
    """Digits of the column with the rank, 0 for none."""
    time_of: Callable[[Line], float | None] | None = None
    """When a line was written, where that is to be shown."""


class Unit(NamedTuple):
    """What one step of scrolling passes over: one line, or a folded traceback."""

    first: int
    last: int
    lines: tuple[Line, ...]
    folded: int = 0
    """Lines of the traceback, of which the last one is shown."""


class Drawn(NamedTuple):
    """A row and where it comes from."""

    row: Row
    unit: Unit


def unit_at(lines: Lines, folds: Folds | None, position: int, opened: frozenset[tuple[int, int]]) -> Unit:
    """The unit that a position belongs to."""
    around = folds.around(position) if folds is not None else None
    if around is not None:
        first, last = around
        header = lines.at(first)[0]
        if (header.rank, header.number) not in opened:
            return Unit(first, last, lines.at(last), last - first + 1)
    return Unit(position, position, lines.at(position))


def page_from(lines: Lines, folds: Folds | None, top: int, height: int, look: Look) -> list[Drawn]:
    """The rows of a page whose first line is `top`."""
    drawn: list[Drawn] = []
    position = top
    while len(drawn) < height and position < lines.total:
        unit = unit_at(lines, folds, position, look.opened)
        drawn += [Drawn(row, unit) for row in draw(unit, look)]
        position = unit.last + 1
    return _without_repeated_times(drawn[:height], look)


def last_page(lines: Lines, folds: Folds | None, height: int, look: Look) -> list[Drawn]:
    """The rows of the page at the end."""
    drawn: list[Drawn] = []
    position = lines.total - 1
    while len(drawn) < height and position >= 0:
        unit = unit_at(lines, folds, position, look.opened)
        drawn = [*(Drawn(row, unit) for row in draw(unit, look)), *drawn]
        position = unit.first - 1
    return _without_repeated_times(drawn[-height:] if height > 0 else [], look)


def last_top(lines: Lines, folds: Folds | None, height: int, look: Look) -> int:
    """The first line of the last page that is full of whole lines."""
    position, rows, top = lines.total - 1, 0, lines.total
    while position >= 0:
        unit = unit_at(lines, folds, position, look.opened)
        rows += len(draw(unit, look)) if look.is_wrapped or len(unit.lines) > 1 else 1
        if rows > height and top < lines.total:
            break
        top, position = unit.first, unit.first - 1
    return max(0, min(top, lines.total - 1))


def moved(lines: Lines, folds: Folds | None, position: int, steps: int, opened: frozenset[tuple[int, int]]) -> int:
    """The line so many units further on, or back where `steps` is below 0."""
    for _ in range(abs(steps)):
        unit = unit_at(lines, folds, position, opened)
        following = unit.last + 1 if steps > 0 else unit.first - 1
        if not 0 <= following < lines.total:
            return unit.first
        position = following
    return unit_at(lines, folds, position, opened).first if lines.total else 0


def draw(unit: Unit, look: Look) -> list[Row]:
    """The rows of a unit, each at most `look.width` cells."""
    rows: list[Row] = []
    for line in unit.lines:
        rows += _draw_line(line, unit, look)
    if look.chosen is not None and look.chosen[0] <= unit.last and unit.first <= look.chosen[1]:
        rows = [selected(fill(row, look.width)) for row in rows]
    return rows


def _draw_line(line: Line, unit: Unit, look: Look) -> list[Row]:
    gutter = _gutter(line, look)
    room = max(1, look.width - width_of(gutter))
    row = log_row(line.data)
    if line.is_context:
        row = tuple((text, "dim") for text, _ in row)
    elif look.pattern is not None:
        row = highlight(row, look.pattern, HIT)
    if unit.folded:
        row = (("▸ ", "accent"), *row)
        told: Row = ((f"  traceback, {unit.folded} lines", "dim"),)
        row = (*row, *told) if width_of(row) + width_of(told) <= room else row
    elif (line.rank, line.number) in look.opened:
        row = (("▾ ", "accent"), *row)
    if not look.is_wrapped:
        return [(*gutter, *crop(cut_left(row, look.left), room))]
    first, *others = wrap_row(row, room) or [EMPTY]
    indent: Row = ((" " * width_of(gutter), "text"),) if gutter else EMPTY
    return [(*gutter, *first), *((*indent, *other) for other in others)]


def _gutter(line: Line, look: Look) -> Row:
    gutter: Row = EMPTY
    if look.time_of is not None:
        moment = look.time_of(line)
        gutter = ((f"{_clock(moment)} ", "faint"),)
    if look.rank_width:
        gutter = (
            *gutter,
            (f"{line.rank:>{look.rank_width}} ", "accent" if line.rank == 0 else "train"),
            ("│ ", "border"),
        )
    return gutter


def _clock(moment: float | None) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment)) if moment is not None else " " * 8


def _without_repeated_times(drawn: list[Drawn], look: Look) -> list[Drawn]:
    """A time stands once, at the first line of its second."""
    if look.time_of is None:
        return drawn
    before = ""
    kept = []
    for row, unit in drawn:
        text, token = row[0] if row else ("", "text")
        kept.append(Drawn(((" " * len(text), token), *row[1:]) if text == before and text.strip() else row, unit))
        before = text if text.strip() else before
    return kept
