"""The window with the runs that measured the same: space lays one under this run's curves, enter shows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from lightning_tui.refusal import RefusalError
from lightning_tui.text.units import ago, number
from lightning_tui.ui.drawing.rows import Row
from lightning_tui.ui.messages import Refused, RunsListed
from lightning_tui.ui.metrics.curves import OTHER_TOKENS, OtherRun, laid_under, leading
from lightning_tui.ui.metrics.grouping import Quantity
from lightning_tui.ui.threads import Worker
from lightning_tui.ui.windows.window import Item, ListWindow, hint
from lightning_tui.ui.words import STATE_MARKS, tail_of_id

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.record import RunSnapshot, UnreadableRun
    from lightning_tui.ui.services import Services

MOST_RUNS = len(OTHER_TOKENS)
CLOSING_PATIENCE_S = 0.3


class RunsWithMetric(Worker):
    """Reads all runs, and tells those that have one of these series, one by one, until it is stopped."""

    def __init__(self, services: Services, names: Sequence[str], but: str, post: Callable[[Message], object]) -> None:
        super().__init__("reading the runs", post)
        self._services, self._names, self._but = services, names, but

    def _body(self) -> None:
        found: list[RunSnapshot | UnreadableRun] = []
        try:
            for run in self._services.runs():
                if self._stop.is_set():
                    return
                metrics = getattr(run, "metrics", {})
                if any(name in metrics for name in self._names) and run.directory != self._but:
                    found.append(run)
                    self._post(RunsListed(tuple(found), False))
        except RefusalError as error:
            self._post(Refused("", str(error)))
            return
        self._post(RunsListed(tuple(found), True))


class OverlayWindow(ListWindow["tuple[OtherRun, ...]"]):
    """Dismissed with the runs to draw, none of them to draw this run alone."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", show=False)]

    def __init__(self, run: RunSnapshot, quantity: Quantity, marked: Sequence[OtherRun], services: Services) -> None:
        keys = hint(("space", "mark"), ("enter", "show"), ("esc", "close"))
        super().__init__(f"Compare {quantity.name} with other runs", [], keys=keys)
        self.list.waiting = "reading the runs …"
        self.list.note_height = 1
        self._quantity = quantity
        self._program = run.record.program.label
        self._marked = list(marked)
        self._has_changed = False
        self._runs: dict[str, RunSnapshot] = {}
        self._now = services.clock()
        self._ended = threading.Event()
        names = [member.name for member in quantity.members]
        self._reading = RunsWithMetric(services, names, run.directory, self._post_if_open)

    def on_mount(self) -> None:
        super().on_mount()
        self._reading.start()

    def on_unmount(self) -> None:
        self._ended.set()
        self._reading.stop()
        self._reading.join(CLOSING_PATIENCE_S)

    @on(RunsListed)
    def _listed(self, event: RunsListed) -> None:
        event.stop()
        from lightning_tui.record import UnreadableRun  # not for the first frame

        self._runs = {run.record.id: run for run in event.runs if not isinstance(run, UnreadableRun)}
        if event.is_complete:
            self.list.waiting = "No other run has logged this metric."
        self._redraw()

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        event.stop()
        self.list.waiting = event.sentence
        self._redraw()

    def action_mark(self) -> None:
        item = self.list.current
        run = self._runs.get(item.note) if item is not None else None
        if run is None:
            return
        kept = [other for other in self._marked if other.id != run.record.id]
        if len(kept) == len(self._marked) and len(kept) < MOST_RUNS:
            kept.append(laid_under(self._program, run, kept))
        self._marked, self._has_changed = kept, True
        self._redraw()

    def action_choose(self) -> None:
        """Show what is marked; where nothing was marked, the run under the cursor."""
        item = self.list.current
        run = self._runs.get(item.note) if item is not None else None
        if run is not None and not self._marked and not self._has_changed:
            self._marked = [laid_under(self._program, run)]
        self.dismiss(tuple(self._marked))

    def _redraw(self) -> None:
        self.list.take([self._item(run) for run in self._runs.values()])
        self._fit()

    def _item(self, run: RunSnapshot) -> Item[tuple[OtherRun, ...]]:
        other = next((other for other in self._marked if other.id == run.record.id), None)
        mark: Row = ((f"{other.glyph} ", other.token),) if other is not None else (("□ ", "faint"),)
        state = run.state.value
        glyph, token = STATE_MARKS[state]
        left: Row = (
            *mark,
            (f"{glyph} ", token),
            (f"{run.record.program.label:<18.18} ", "text"),
            (f"{tail_of_id(run.record.id):<9}", "dim"),
        )
        values: list[tuple[str, str]] = []
        for member in leading(self._quantity):
            series = run.metrics.get(member.name)
            if series is not None and series.last is not None:
                values += [(f"{member.role} ", "dim"), (f"{number(series.last):<9}", "text")]
        return Item(
            (), (*left, *values), ((f"{ago(self._now - run.record.created_at):>12}", "dim"),), note=run.record.id
        )

    def _post_if_open(self, message: Message) -> None:
        if not self._ended.is_set():
            self.post_message(message)
