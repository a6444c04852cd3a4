"""The window with plans under a name: those saved for this project, and the presets; enter loads, d deletes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.plan.model import Plan
from lightning_tui.plan.presets import PRESETS
from lightning_tui.text.units import ago
from lightning_tui.ui.drawing.rows import Row, crop, fill
from lightning_tui.ui.plan.field_window import written
from lightning_tui.ui.windows.window import Item, ListWindow, hint

if TYPE_CHECKING:
    from lightning_tui.plan.saved import SavedPlan

_NAME_WIDTH, _FIELDS_WIDTH = 20, 44


@dataclass(frozen=True)
class PlanAnswer:
    """Load this plan, or, where there is none, save the present one."""

    name: str = ""
    plan: Plan | None = None
    is_saved: bool = False
    """Whether it is a file, which can be deleted."""


SAVE = PlanAnswer()


class PlansWindow(ListWindow[PlanAnswer]):
    """Answers with a plan to take, or with `SAVE`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("delete,d", "delete", show=False)]

    def __init__(self, plan: Plan, delete: Callable[[str], None], now: float) -> None:
        keys = hint(("enter", "load"), ("d", "delete"), ("esc", "close"))
        self._plan, self._delete, self._now = plan, delete, now
        super().__init__("Plans by name", self._items(()), keys=keys)

    def take_plans(self, saved: Sequence[SavedPlan]) -> None:
        """Show what was found in the project's folder of plans."""
        self.list.take(self._items(saved))
        self._fit()

    def action_delete(self) -> None:
        item = self.list.current
        if item is None or not item.value.is_saved:
            return
        name = item.value.name
        items = [Item(False, (("keep it", "text"),)), Item(True, (("delete the saved plan", "bad"),))]
        window: ListWindow[bool] = ListWindow(f"Delete {name}?", items)
        self.app.push_screen(window, lambda answer: self._delete(name) if answer else None)

    def _items(self, saved: Sequence[SavedPlan]) -> list[Item[PlanAnswer]]:
        return [
            Item(
                SAVE,
                (("save this plan as …", "accent" if self._plan.changes() else "dim"),),
                is_enabled=bool(self._plan.changes()),
                note=words_of(self._plan)
                if self._plan.changes()
                else "The plan sets no field: there is nothing to save.",
            ),
            Item(
                PlanAnswer("all as the script says", Plan()),
                (("all as the script says", "text"),),
                note="Clears every field of the plan.",
            ),
            *(self._saved_item(found) for found in saved),
            *(_item(name, plan, "preset", is_saved=False) for name, plan in PRESETS.items()),
        ]

    def _saved_item(self, found: SavedPlan) -> Item[PlanAnswer]:
        when = ago(self._now - found.saved_at)
        if found.plan is None:
            left: Row = ((f"{found.name:<{_NAME_WIDTH}}", "text"), *fill((("cannot be read", "dim"),), _FIELDS_WIDTH))
            return Item(PlanAnswer(found.name, None, True), left, ((when, "dim"),), False, found.problem)
        return _item(found.name, found.plan, when, is_saved=True)


def words_of(plan: Plan) -> str:
    """The fields that are set, in a line."""
    return " · ".join(
        written(value) if name in ("strategy", "precision") else f"{name} {written(value)}"
        for name, value in plan.changes().items()
    )


def _item(name: str, plan: Plan, right: str, is_saved: bool) -> Item[PlanAnswer]:
    left: Row = (
        *fill(crop(((name, "text"),), _NAME_WIDTH - 2), _NAME_WIDTH),
        *fill(crop(((words_of(plan), "dim"),), _FIELDS_WIDTH), _FIELDS_WIDTH),
    )
    return Item(PlanAnswer(name, plan, is_saved), left, ((right, "dim"),), note=words_of(plan))
