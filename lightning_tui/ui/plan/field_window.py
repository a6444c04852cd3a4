"""The window to choose a plan field's value from: what is recommended is said, what cannot work is dim and says why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lightning_tui.plan.fields import FIELD_TEXTS
from lightning_tui.plan.model import KINDS
from lightning_tui.text.units import gib
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill, width_of
from lightning_tui.ui.plan.memory import line, span_words, verdict
from lightning_tui.ui.windows.search import NOTHING_MATCHES, SearchWindow
from lightning_tui.ui.windows.window import Item, hint

if TYPE_CHECKING:
    from lightning_tui.plan.catalog import Choice
    from lightning_tui.plan.estimate import Estimate
    from lightning_tui.services.cases import FieldChoices

OTHER = "\0other"
"""The answer that asks for a field to type in."""

_NAME_WIDTHS = (14, 26, 30)
"""Least, most, and most where the window is wide; longer names are cut, and whole in the note."""
_LINE_WIDTH = 12
_LINE_FROM = 86
"""Columns from which an estimate is drawn besides."""
_RIGHT = "recommended"

_RARE = re.compile(r"(ddp|ddp_spawn|ddp_fork|ddp_notebook)_find_unused_parameters_(true|false)|xla_debug")
"""Variants of others: found by searching, and not in the way otherwise."""


def has_choices(field: str) -> bool:
    """Whether the values of a field can be listed; the others are typed."""
    return field in ("strategy", "precision", "devices") or bool(KINDS[field].choices)


class ChoiceWindow(SearchWindow[str]):
    """Choose one of the catalog's values, or none, or type another; lines are `width` cells at most."""

    def __init__(self, field: str, value: object, script: object = None, width: int = 90) -> None:
        self.field = field
        self._value, self._script, self._width = written(value), script, width
        self._is_waiting = True
        self._is_hasty = False
        keys = hint(("enter", "take"), ("esc", "close"))
        super().__init__(FIELD_TEXTS[field].label, [], _words, self._value, keys, is_rare=_RARE.fullmatch)
        self.search.waiting = "loading …"

    def take_choices(self, found: FieldChoices) -> None:
        """Show the choices; where more has been learnt of them, the cursor stays where it is."""
        current = self.search.current
        was_waiting, self._is_waiting = self._is_waiting, False
        self.search.waiting = NOTHING_MATCHES
        if found.estimates and found.capacity is not None:
            self.search.legend = (("memory of ", "dim"), (gib(found.capacity), "text"), (" GiB a GPU", "dim"))
        self.take_items(self._items(found), current.value if current is not None else self._value)
        if was_waiting:
            self._fit()
            if self._is_hasty:
                self.action_choose()

    def action_choose(self) -> None:
        """Enter that was pressed before there was anything to take is meant for what comes."""
        self._is_hasty = self._is_waiting
        super().action_choose()

    def _items(self, found: FieldChoices) -> list[Item[str]]:
        longest = max((len(choice.name) for choice in found.choices if not _RARE.fullmatch(choice.name)), default=0)
        names = max(_NAME_WIDTHS[0], min(_NAME_WIDTHS[2 if self._width >= _LINE_FROM else 1], longest))
        told = f" It is {written(self._script)}." if self._script is not None else ""
        return [
            Item("", (("  as the script says", "text"),), note=f"The value of the program is not changed.{told}"),
            *(_item(choice, found, self._value, names, self._width) for choice in found.choices),
            Item(OTHER, (("  other …", "dim"),), note="Type any value that the Trainer accepts."),
        ]


def written(value: object) -> str:
    """A field's value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value)) + ("," if len(value) == 1 and isinstance(value[0], int) else "")
    return str(value)


def _words(name: str) -> str:
    return {"": "as the script says", OTHER: "other"}.get(name, name)


def _item(choice: Choice, found: FieldChoices, present: str, names: int, width: int) -> Item[str]:
    mark = "▸ " if choice.name == present else "  "
    name: Row = ((mark, "accent"), *fill(((choice.name, "text"),), names), ("  ", "text"))
    room = width - width_of(name) - len(_RIGHT) - 2
    if not choice.available:
        return Item(choice.name, (*name, *_short(choice.reason, width - width_of(name))), EMPTY, False, _told(choice))
    right: Row = ((_RIGHT, "good"),) if choice.recommended else ((" " * len(_RIGHT), "text"),)
    estimate = found.estimates.get(choice.name)
    if estimate is None or estimate.low is None:
        told = fill(_short(choice.reason, room), room)
    else:
        told = _estimate_row(estimate, found.capacity, has_line=width >= _LINE_FROM)
    return Item(choice.name, (*name, *told), right, note=_told(choice))


def _estimate_row(estimate: Estimate, capacity: int | None, has_line: bool) -> Row:
    row: Row = ((f"{span_words(estimate):>11} GiB  ", "text"), *fill((verdict(estimate),), 11))
    if capacity is None:
        return row[:1]
    return (*line(estimate, capacity, _LINE_WIDTH), ("  ", "text"), *row) if has_line else row


def _short(reason: str, width: int) -> Row:
    """A reason that fits, else the part of it before its remedy; the note has it whole."""
    said: Row = ((reason, "dim"),)
    return said if width_of(said) <= width else crop(((re.split(r": |; ", reason)[0], "dim"),), width)


def _told(choice: Choice) -> str:
    return f"{choice.name}: {choice.reason}" if choice.reason else choice.name
