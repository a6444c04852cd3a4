"""Two runs side by side: where their plans differ, what the Trainer really used, metrics and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.screen import Screen

from lightning_tui.record.comparison import Comparison, FieldDifference, MetricPair
from lightning_tui.record.summaries import RunSummary
from lightning_tui.text.units import count, gib, number, per_step, short_duration, size
from lightning_tui.ui.drawing.canvas import frame, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill
from lightning_tui.ui.keys import COMPARE_KEYS
from lightning_tui.ui.metrics.grouping import quantities
from lightning_tui.ui.plan.words import UNSET, value_words
from lightning_tui.ui.runs.bars import Bar, runs_keys_row
from lightning_tui.ui.runs.listing import title_of
from lightning_tui.ui.runs.table import CHILD, state_mark
from lightning_tui.ui.windows.window import Text, moving

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from lightning_tui.record.best import MetricSummary
    from lightning_tui.record.events import FieldValue
    from lightning_tui.ui.view import View

BEST = "★"
_GAP = 2
_ROOMY = 34
"""Cells that a metric's best, its step and last take."""


class ColumnWidths(NamedTuple):
    """Widths of the three columns: what it is, the first run, the second run."""

    label: int
    value: int


def comparison_rows(runs: Sequence[RunSummary], found: Comparison, width: int) -> list[Row]:
    """The whole comparison, section by section."""
    label = min(26, max(11, width // 4))
    cells = ColumnWidths(label, (width - label - 2 * _GAP) // 2)
    rows = [_row("", cells, *map(_name, runs)), *_sum_rows(runs, found, cells)]
    rows += [EMPTY, _section("Plan", _plan_words(found), width)]
    rows += [_field_row(field, cells) for field in found.fields]
    rows += [EMPTY, _section("Metrics", "best, where, and last" if found.metrics else "none was logged", width)]
    return [*rows, *(_metric_row(metric, cells) for metric in _in_order(found.metrics))]


def _row(label: str, cells: ColumnWidths, first: Row, second: Row) -> Row:
    return (
        *fill(crop(printable(((label, "dim"),)), cells.label), cells.label),
        (" " * _GAP, "text"),
        *fill(crop(printable(first), cells.value), cells.value),
        (" " * _GAP, "text"),
        *crop(printable(second), cells.value),
    )


def _section(title: str, words: str, width: int) -> Row:
    row: Row = ((title, "accent+b"), (f"  {words} ", "dim"))
    return (*row, ("─" * max(0, width - sum(len(text) for text, _ in row)), "faint"))


def _name(run: RunSummary) -> Row:
    return ((title_of(run), "text+b"), *(((f"  {CHILD}", "accent"),) if run.parent is not None else EMPTY))


def _sum_rows(runs: Sequence[RunSummary], found: Comparison, cells: ColumnWidths) -> Iterator[Row]:
    first, second = found.first, found.second
    yield _row("state", cells, *map(state_mark, runs))
    if first.program != second.program:
        yield _row("program", cells, _text(first.program), _text(second.program))
    yield _row("took", cells, *(_said(one.duration_s, short_duration) for one in (first, second)))
    yield _row("step", cells, *(_said(one.global_step, count) for one in (first, second)))
    yield _row("step time", cells, *(_said(one.step_time_s, per_step) for one in (first, second)))
    if first.world_size != second.world_size:
        yield _row("ranks", cells, *(_said(one.world_size, count) for one in (first, second)))
    if first.peak_memory is not None or second.peak_memory is not None:
        yield _row(
            "peak memory",
            cells,
            *(_said(one.peak_memory, lambda amount: f"{gib(amount)} GiB") for one in (first, second)),
        )
    yield _row("checkpoints", cells, *(_text(str(one.checkpoints)) for one in (first, second)))
    yield _row("size on disk", cells, *(_said(run.size, size) for run in runs))
    if first.versions != second.versions:
        yield _row("software", cells, *(_said(one.versions, str) for one in (first, second)))


def _said(value: object, words: Callable[..., str]) -> Row:
    return _text(words(value)) if value is not None else (("N/A", "faint"),)


def _text(text: str) -> Row:
    return ((text, "text"),)


def _plan_words(found: Comparison) -> str:
    amount = len(found.fields)
    return "the same, and so are the values in use" if not amount else "where they differ"


def _field_row(field: FieldDifference, cells: ColumnWidths) -> Row:
    values = (
        _field_value(field.name, planned, actual) for planned, actual in zip(field.planned, field.actual, strict=True)
    )
    return _row(field.name, cells, *values)


def _field_value(name: str, planned: FieldValue, actual: FieldValue) -> Row:
    """What the plan asked for, and what was in effect where that is something else."""
    used = value_words(name, actual) if actual is not None else None
    if planned is None:
        return ((used, "text"), (" script's", "faint")) if used is not None else ((UNSET, "faint"),)
    asked = value_words(name, planned)
    became: Row = ((" → ", "dim"), (used, "text")) if used not in (None, asked) else EMPTY
    return ((asked, "accent+b"), *became)


def _in_order(pairs: Sequence[MetricPair]) -> list[MetricPair]:
    """As the Metrics pane has them: losses first, learning rates last."""
    by_name = {pair.name: pair for pair in pairs}
    return [by_name[member.name] for quantity in quantities(by_name) for member in quantity.members]


def _metric_row(pair: MetricPair, cells: ColumnWidths) -> Row:
    values = (
        _metric_value(metric, is_better=pair.better == place, is_roomy=cells.value >= _ROOMY)
        for place, metric in enumerate((pair.first, pair.second))
    )
    return _row(pair.name, cells, *values)


def _metric_value(metric: MetricSummary | None, *, is_better: bool, is_roomy: bool) -> Row:
    if metric is None or metric.last is None:
        return (("–", "faint"),)
    last = number(metric.last)
    if metric.best is None:
        return ((f"  {last:<9}", "text"), ("last", "dim"))
    at = f"{f'at {count(metric.best_step)}' if metric.best_step is not None else '':<11}" if is_roomy else ""
    token = "good+b" if is_better else "text"
    star: Row = ((f"{BEST} ", "good"),) if is_better else (("  ", "text"),)
    return (*star, (f"{number(metric.best):<9}", token), (at, "dim"), (f"last {last}", "dim"))


class ComparisonPage(Text):
    """Rows that scroll; how many are below is said."""

    def rows(self, width: int, height: int) -> list[Row]:
        body = self._body(width - 4)
        room = height - 2
        self._top = min(self._top, max(0, len(body) - room))
        more = len(body) - room - self._top
        facts: Row = ((f"↓ {more} more", "dim"),) if more > 0 else EMPTY
        seen = body[self._top : self._top + room]
        return frame(seen, width, height, title=self._title, facts=facts, is_focused=True)


class ComparisonScreen(Screen[bool]):
    """Left with whether the curves of both shall be shown."""

    palette_keys = COMPARE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, key.action, key.help, show=False, id=key.id) for key in COMPARE_KEYS),
        *moving("scroll_page", page_down="pagedown,space"),
    ]
    DEFAULT_CSS = """
    ComparisonScreen { background: $background; overflow: hidden; }
    ComparisonScreen > Canvas { height: 1; width: 100%; }
    ComparisonScreen > ComparisonPage { height: 1fr; }
    """

    def __init__(self, runs: Sequence[RunSummary], found: Comparison, view: Callable[[], View]) -> None:
        super().__init__()
        self._runs = runs
        self._page = ComparisonPage((("Two runs", "text+b"),), lambda width: comparison_rows(runs, found, width), EMPTY)
        self._bars = (
            Bar("comparison-title", self._title_row),
            Bar("comparison-keys", lambda width: runs_keys_row(view(), COMPARE_KEYS, width)),
        )

    def compose(self) -> ComposeResult:
        yield from (self._bars[0], self._page, self._bars[1])

    def on_mount(self) -> None:
        self._page.focus()

    def _title_row(self, width: int) -> Row:
        from lightning_tui.ui.words import BRAND

        first, second = map(title_of, self._runs)
        return fill(printable((*BRAND, ("   ", "text"), (first, "text"), ("  and  ", "dim"), (second, "text"))), width)

    def action_scroll_page(self, lines: int) -> None:
        self._page.scroll_lines(lines)

    def action_overlay(self) -> None:
        self.dismiss(True)

    def action_close(self) -> None:
        self.dismiss(False)
