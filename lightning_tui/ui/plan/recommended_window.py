"""The window with the recommended plan: each field with its reason; enter takes what is marked, space marks one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.plan.fields import FIELD_TEXTS
from lightning_tui.plan.model import Plan
from lightning_tui.ui.drawing.rows import Row, crop, fill
from lightning_tui.ui.plan.field_window import written
from lightning_tui.ui.windows.window import Item, ListWindow, hint

if TYPE_CHECKING:
    from lightning_tui.plan.recommended import Recommendation

_VALUE_WIDTH, _REASON_WIDTH = 16, 56


class RecommendedWindow(ListWindow["dict[str, object]"]):
    """Answers with the fields to set, and their values."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", show=False)]

    def __init__(self, plan: Plan) -> None:
        keys = hint(("enter", "apply the marked fields"), ("space", "mark"), ("esc", "close"))
        super().__init__("Recommended for this machine", [], keys=keys)
        self.list.waiting = "looking for a plan …"
        self._plan = plan
        self._found: Recommendation | None = None
        self._taken: set[str] = set()

    def take_recommendation(self, found: Recommendation) -> None:
        """Show it; what is not so already is marked."""
        self._found = found
        self._taken = {name for name, value in found.plan.changes().items() if value != getattr(self._plan, name)}
        self.list.waiting = "No recommendation for this machine."
        self._show()
        self._fit()

    def action_mark(self) -> None:
        item = self.list.current
        if item is not None:
            self._taken ^= set(item.value)
            self._show()

    def action_choose(self) -> None:
        if self._found is not None:
            changes = self._found.plan.changes()
            self.dismiss({name: value for name, value in changes.items() if name in self._taken})

    def _show(self) -> None:
        found = self._found
        if found is not None:
            changes = found.plan.changes()
            labels = 1 + max((len(FIELD_TEXTS[name].label) for name in changes), default=0)
            items = changes.items()
            self.list.take([self._item(name, value, found.reasons.get(name, ""), labels) for name, value in items])

    def _item(self, name: str, value: object, reason: str, labels: int) -> Item[dict[str, object]]:
        now = getattr(self._plan, name)
        is_taken = name in self._taken
        mark = ("■ ", "accent+b") if is_taken else ("= ", "good") if now == value else ("□ ", "dim")
        left: Row = (
            mark,
            (f"{FIELD_TEXTS[name].label:<{labels}}", "dim"),
            *fill(crop(((written(value), "text+b" if is_taken else "text"),), _VALUE_WIDTH), _VALUE_WIDTH),
            ("  ", "text"),
            *crop(((reason, "dim"),), _REASON_WIDTH),
        )
        if now == value:
            return Item({name: value}, left, note=f"{reason}. It already has this value.")
        before = f"{name} is {written(now)} now." if now is not None else f"{name} is now as the script says."
        return Item({name: value}, left, note=f"{reason}. {before}")
