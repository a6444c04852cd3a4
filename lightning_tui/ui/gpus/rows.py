"""A GPU in one row: gauge and columns that stand under each other, or a cell of a grid where GPUs are many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.text.units import gib
from lightning_tui.ui.drawing.gauges import (
    FREE,
    OTHERS,
    OURS,
    PEAK,
    RESERVED,
    REST,
    UNKNOWN,
    gauge,
    legend,
    level,
    spark,
    thin,
)
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, crop, fill, width_of
from lightning_tui.ui.gpus.gpuset import FULL, GpuSet, GpuView, heat_token

if TYPE_CHECKING:
    from lightning_tui.record import GpuHistory

WIDEST_BAR = 40
SPARK = 24
"""Cells of the short history in a row."""
SPARK_S = 300
"""Seconds that it goes back."""


class Columns(NamedTuple):
    """What the rows of one set of GPUs have in common, so that their columns stand under each other and never jump."""

    label: int
    name: int
    digits: int
    """Of an amount of memory in GiB."""
    watts: int
    ranks: int
    is_training: bool
    has_peaks: bool
    has_history: bool


def columns_of(gpus: GpuSet, is_training: bool, *, has_history: bool = True) -> Columns:
    """Widths that hold whatever these GPUs may say; there is no column for what none of them tells."""
    views = gpus.gpus
    totals = [view.memory.total for view in views if view.memory.total is not None]
    limits = [view.gpu.power_limit for view in views if view.gpu.power_limit is not None]
    return Columns(
        label=max((len(view.label) for view in views), default=1),
        name=min(16, max((len(view.name) for view in views), default=0)),
        digits=len(gib(max(totals, default=0))),
        watts=len(f"{max(limits, default=100):.0f}"),
        ranks=max((len(_rank_words(view)) for view in views), default=0),
        is_training=is_training,
        has_peaks=any(view.memory.peak is not None for view in views),
        has_history=has_history,
    )


def gpu_row(view: GpuView, columns: Columns, width: int, history: GpuHistory | None = None) -> Row:
    """A GPU in one row of `width` cells; columns give way where it is narrow, and what it costs to train goes last."""
    name: Row = ((f"{view.name:<{columns.name}} ", "text"),) if width >= 50 else EMPTY
    head: Row = ((f"{view.label:>{columns.label}} ", "dim"), *crop(name, columns.name + 1))
    if view.gpu.error is not None:
        return fill((*head, *crop((("✖ ", "bad"), (view.gpu.error, "bad")), width - width_of(head))), width)
    cells = cells_for(columns, width, width_of(head))
    tail = [span for cell in cells for span in cell.draw(view, columns, history)]
    bar = _bar_width(columns, cells, width, width_of(head))
    parts = view.memory
    row = (*head, *gauge(parts.segments, parts.total, bar, parts.peak), *tail)
    return fill(_dimmed(row) if view.gpu.stale_s is not None else row, width)


def header_row(columns: Columns, width: int) -> Row:
    """What stands in each column."""
    head = columns.label + 1 + (columns.name + 1 if width >= 50 else 0)
    cells = cells_for(columns, width, head)
    bar = _bar_width(columns, cells, width, head)
    shown = [(cell.title, cell.width(columns)) for cell in cells if cell.title != "note"]
    words = "".join(f"{title:>{cell_width}}" for title, cell_width in shown if cell_width)
    return crop(((" " * head + "memory".ljust(bar) + words, "faint"),), width)


class Cell(NamedTuple):
    """A column: its title, its width with the blanks before it, and what stands in it."""

    title: str
    width: Callable[[Columns], int]
    draw: Callable[[GpuView, Columns, GpuHistory | None], Row]


@functools.lru_cache(maxsize=64)
def cells_for(columns: Columns, width: int, head: int) -> tuple[Cell, ...]:
    """The fullest set of columns that leaves the gauge room enough."""
    room = width - head - min(24, max(8, width // 5))
    return next((cells for cells in _SETS if sum(cell.width(columns) for cell in cells) <= room), ())


def _bar_width(columns: Columns, cells: Sequence[Cell], width: int, head: int) -> int:
    return max(0, min(WIDEST_BAR, width - head - sum(cell.width(columns) for cell in cells)))


def _dimmed(row: Row) -> Row:
    return tuple((text, "dim" if token not in ("faint", "bad") else token) for text, token in row)


def _memory(view: GpuView, columns: Columns, history: object) -> Row:
    used, total = view.memory.used, view.memory.total
    if used is None or total is None:
        return ((f"{'N/A':>{columns.digits + 2}}" + " " * (columns.digits + 5), "dim"),)
    return (*_used(view, columns, history), (f"/{gib(total):>{columns.digits}} GiB", "dim"))


def _used(view: GpuView, columns: Columns, history: object) -> Row:
    used = view.memory.used
    if used is None:
        return ((f"{'N/A':>{columns.digits + 2}}", "dim"),)
    token = "warn" if (view.memory.share or 0.0) >= FULL else "text"
    return ((f"  {gib(used):>{columns.digits}}", token),)


def _peak(view: GpuView, columns: Columns, history: object) -> Row:
    if not columns.has_peaks:
        return EMPTY
    peak = view.memory.peak
    return ((f"{gib(peak) if peak is not None else '':>{columns.digits + 2}}", "dim"),)


def _load(view: GpuView, columns: Columns, history: object) -> Row:
    load = view.gpu.utilization
    return ((f"{'N/A' if load is None else f'{load:.0f} %':>7}", load_token(load, columns.is_training)),)


def load_token(load: float | None, is_training: bool) -> str:
    """Colour of a utilization: while it trains, a GPU that waits is news."""
    if load is None:
        return "dim"
    if not is_training:
        return "text"
    return "good" if load >= 80 else "warn" if load < 50 else "text"


def _heat(view: GpuView, columns: Columns, history: object) -> Row:
    heat = view.gpu.temperature
    return ((f"{'N/A' if heat is None else f'{heat:.0f} °C':>8}", heat_token(heat)),)


def _power(view: GpuView, columns: Columns, history: object) -> Row:
    power = view.gpu.power
    return ((f"{'N/A' if power is None else f'{power:.0f} W':>{columns.watts + 4}}", "dim"),)


def _power_of_limit(view: GpuView, columns: Columns, history: object) -> Row:
    power, limit = view.gpu.power, view.gpu.power_limit
    if power is None or limit is None:
        return ((f"{'N/A' if power is None else f'{power:.0f} W':>{2 * columns.watts + 5}}", "dim"),)
    return ((f"  {power:>{columns.watts}.0f}", "text"), (f"/{limit:>{columns.watts}.0f} W", "dim"))


def _clock(view: GpuView, columns: Columns, history: object) -> Row:
    clock = view.gpu.clock
    return ((f"{'N/A' if clock is None else f'{clock:.0f} MHz':>10}", "dim"),)


def _mark(view: GpuView, columns: Columns, history: object) -> Row:
    worst = view.worst
    return ((f" {worst.mark}", worst.token),) if worst is not None else (("  ", "text"),)


def _ranks(view: GpuView, columns: Columns, history: object) -> Row:
    if not columns.ranks:
        return EMPTY
    return ((f"  {_rank_words(view):<{columns.ranks}}", "warn" if view.is_slowest else "dim"),)


def _history(view: GpuView, columns: Columns, history: GpuHistory | None) -> Row:
    if not columns.has_history:
        return EMPTY
    if history is None:
        return ((" " * (SPARK + 2), "dim"),)
    each = max(1, round(SPARK_S / SPARK / history.seconds))
    return ((f"  {spark(history.utilization, 100.0, SPARK, each)}", "reserved"),)


def _note(view: GpuView, columns: Columns, history: object) -> Row:
    row: list[Span] = []
    for trouble in view.troubles:
        row += [("  ", "text"), (trouble.mark, trouble.token)] if not row else [(" ·", "dim")]
        row.append((f" {trouble.text}", trouble.token))
    mild = ", ".join(view.gpu.throttled or ())
    if not row and mild:
        row = [(f"  {mild}", "dim")]
    return fill(tuple(row), NOTE)


NOTE = 26

_MEMORY = Cell("used/total GiB", lambda columns: 2 * columns.digits + 7, _memory)
_USED = Cell("GiB", lambda columns: columns.digits + 2, _used)
_PEAK = Cell("peak", lambda columns: columns.digits + 2 if columns.has_peaks else 0, _peak)
_LOAD = Cell("load", lambda columns: 7, _load)
_HEAT = Cell("heat", lambda columns: 8, _heat)
_POWER = Cell("power", lambda columns: columns.watts + 4, _power)
_POWER_OF_LIMIT = Cell("power", lambda columns: 2 * columns.watts + 5, _power_of_limit)
_CLOCK = Cell("clock", lambda columns: 10, _clock)
_RANKS = Cell("", lambda columns: columns.ranks + 2 if columns.ranks else 0, _ranks)
_MARK = Cell("", lambda columns: 2, _mark)
_NOTE = Cell("note", lambda columns: NOTE, _note)
_HISTORY = Cell(f"load, {SPARK_S // 60} min", lambda columns: SPARK + 2 if columns.has_history else 0, _history)

_SETS: tuple[tuple[Cell, ...], ...] = (
    (_MEMORY, _PEAK, _LOAD, _HEAT, _POWER_OF_LIMIT, _CLOCK, _RANKS, _HISTORY, _NOTE),
    (_MEMORY, _PEAK, _LOAD, _HEAT, _POWER_OF_LIMIT, _CLOCK, _RANKS, _NOTE),
    (_MEMORY, _PEAK, _LOAD, _HEAT, _POWER_OF_LIMIT, _RANKS, _NOTE),
    (_MEMORY, _LOAD, _HEAT, _POWER_OF_LIMIT, _RANKS, _MARK),
    (_MEMORY, _LOAD, _HEAT, _POWER, _RANKS, _MARK),
    (_MEMORY, _LOAD, _HEAT, _RANKS, _MARK),
    (_MEMORY, _LOAD, _RANKS, _MARK),
    (_USED, _LOAD, _RANKS, _MARK),
    (_USED, _LOAD, _MARK),
    (_USED, _MARK),
    (_MARK,),
)


def _rank_words(view: GpuView) -> str:
    ranks = view.ranks
    if not ranks:
        return ""
    return f"r{ranks[0]}" if len(ranks) == 1 else f"r{ranks[0]}–{ranks[-1]}"


def grid_cell(view: GpuView, width: int, is_training: bool) -> Row:
    """A GPU in few cells: gauge and load, a gauge, or one level; the last cell is a blank, or tells of trouble.

    In a single cell the mark of trouble stands in place of the level.
    """
    worst = view.worst
    if width < 4:
        shown: Row = ((worst.mark, worst.token),) if worst is not None else (_level(view),)
        return fill(shown, width)
    mark: Span = (worst.mark, worst.token) if worst is not None else (" ", "text")
    load: Row = EMPTY
    if width >= 10:
        amount = view.gpu.utilization
        load = ((f"{'N/A' if amount is None else f'{amount:.0f}%':>5}", load_token(amount, is_training)),)
    bar = width - 1 - width_of(load)
    if view.gpu.error is not None:
        word = "lost" if view.is_lost else "silent"
        return ((f"{word if len(word) < width else '':^{width - 1}}", "bad"), mark)
    row = (*thin(gauge(view.memory.segments, view.memory.total, bar)), *load)
    return (*(_dimmed(row) if view.gpu.stale_s is not None else row), mark)


def _level(view: GpuView) -> Span:
    """Memory used, in one cell, in the colour of who holds most of it."""
    memory = view.memory
    ours = memory.allocated + memory.cached + memory.rest
    token = "accent" if ours > memory.others + memory.unknown else "warn" if memory.others else "dim"
    return level(memory.share), token


def legend_of(gpus: Sequence[GpuView]) -> list[Row]:
    """The glyphs that stand in these gauges."""
    held = [view.memory for view in gpus]
    rest = "other of run" if any(memory.allocated or memory.cached for memory in held) else "this run"
    present = [
        ("allocated", OURS, any(memory.allocated for memory in held)),
        ("reserved", RESERVED, any(memory.cached for memory in held)),
        ("peak", PEAK, any(memory.peak for memory in held)),
        (rest, REST, any(memory.rest for memory in held)),
        ("others", OTHERS, any(memory.others for memory in held)),
        ("not known", UNKNOWN, any(memory.unknown for memory in held)),
        ("free", FREE, True),
    ]
    return legend([(word, span) for word, span, is_there in present if is_there])
