"""The window to choose a plan field's value from: what is recommended is said, what cannot work is dim and says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_tui.ui.modals.window import Item, ListWindow, cropped
from lightning_tui.ui.panes.plan import LABELS
from lightning_tui.ui.rows import Row

if TYPE_CHECKING:
    from lightning_tui.plan.catalog import Choice

OTHER = "\0other"
"""The answer that asks for a field to type in."""


def choice_window(field: str, choices: Sequence[Choice], value: object) -> ListWindow[str]:
    """Choose one of the catalog's values, or none, or type another."""
    items = [
        Item("", (("as the script says", "text"),), note="The program's own value is not touched."),
        *(_item(choice) for choice in choices),
        Item(OTHER, (("other …", "dim"),), note="Type any value that the Trainer takes."),
    ]
    now = written(value)
    start = next((place for place, item in enumerate(items) if item.value == now), 0)
    return ListWindow(LABELS[field], items, start)


def written(value: object) -> str:
    """A field's value as a person would type it."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _item(choice: Choice) -> Item[str]:
    if not choice.available:
        return Item(choice.name, ((choice.name, "dim"),), cropped(choice.reason, 34, "dim"), False, choice.reason)
    right: Row = (("recommended", "good"),) if choice.recommended else ()
    return Item(choice.name, ((choice.name, "text"),), right, note=choice.reason)
