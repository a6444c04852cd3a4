"""The window with all metrics: letters search, space marks those to draw, enter goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from lightning_tui.ui.drawing.rows import Row, fill, join
from lightning_tui.ui.metrics.grouping import Quantity
from lightning_tui.ui.metrics.words import value_parts
from lightning_tui.ui.windows.search import SearchWindow
from lightning_tui.ui.windows.window import Item, hint

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot

_NAME_WIDTH, _VALUES_WIDTH = 26, 56


class ChosenMetrics(NamedTuple):
    """What was chosen."""

    chosen: tuple[str, ...]
    """Marked quantities; empty: all are drawn."""
    current: str


class MetricWindow(SearchWindow[str]):
    """Dismissed with what was `ChosenMetrics`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", show=False)]

    def __init__(self, run: RunSnapshot, found: Sequence[Quantity], chosen: Sequence[str], current: str) -> None:
        self._run = run
        self._found_quantities = {quantity.name: quantity for quantity in found}
        self._marked = [name for name in chosen if name in self._found_quantities]
        keys = hint(("space", "mark"), ("enter", "show"), ("esc", "close"))
        super().__init__("Metrics", [], self._search_text, current, keys)
        self._retake(current)

    def action_mark(self) -> None:
        item = self.search.current
        if item is None:
            return
        self._marked = (
            [name for name in self._marked if name != item.value]
            if item.value in self._marked
            else [*self._marked, item.value]
        )
        self._retake(item.value)

    def action_choose(self) -> None:
        item = self.search.current
        if item is not None:
            marked = tuple(self._marked)
            current = item.value if not marked or item.value in marked else marked[0]
            self.dismiss(ChosenMetrics(marked, current))  # type: ignore[arg-type]

    def _retake(self, current: str) -> None:
        amount = len(self._marked)
        told = f"{amount} of {len(self._found_quantities)} marked" if amount else "none marked: all are shown"
        self.search.legend = ((told, "dim"),)
        self.take_items([self._item(quantity) for quantity in self._found_quantities.values()], current)

    def _item(self, quantity: Quantity) -> Item[str]:
        mark: Row = (("■ ", "accent"),) if quantity.name in self._marked else (("□ ", "faint"),)
        values = join(value_parts(self._run, quantity), _VALUES_WIDTH)
        return Item(quantity.name, (*mark, *fill(((quantity.name, "text"),), _NAME_WIDTH), *values))

    def _search_text(self, name: str) -> str:
        quantity = self._found_quantities.get(name)
        return " ".join([name, *(member.name for member in quantity.members)] if quantity is not None else [name])
