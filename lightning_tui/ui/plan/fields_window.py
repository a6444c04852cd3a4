"""The window with every field of the plan: what it is for, what is set, and what the script says; letters search."""

from __future__ import annotations

from collections.abc import Callable

from lightning_tui.plan import kinds
from lightning_tui.plan.fields import FIELD_TEXTS, GROUPS
from lightning_tui.plan.model import KINDS, Plan
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill
from lightning_tui.ui.plan.field_window import written
from lightning_tui.ui.windows.search import SearchWindow
from lightning_tui.ui.windows.window import Item, hint

_GROUP_WIDTH, _NAME_WIDTH, _VALUE_WIDTH = 13, 29, 22


def fields_window(plan: Plan, script: Callable[[str], object], start: str) -> SearchWindow[str]:
    """Choose a field; `script` tells what the program itself says of one, `None` where that is not known."""
    names = [name for group in GROUPS for name in FIELD_TEXTS if FIELD_TEXTS[name].group == group]
    items = [
        _item(name, plan, script(name), is_first=place == 0 or _group(names[place - 1]) != _group(name))
        for place, name in enumerate(names)
    ]
    keys = hint(("enter", "change"), ("esc", "close"))
    window = SearchWindow("All fields of the plan", items, _search_text, start, keys)
    amount = len(plan.changes())
    window.search.legend = ((f"{amount} of {len(names)} set", "dim"),)
    return window


def help_lines(name: str) -> list[str]:
    """What a field is for, and what may stand in it."""
    lines = [FIELD_TEXTS[name].sentence]
    if KINDS[name].allowed != kinds.text().allowed:
        lines.append(f"Allowed: {KINDS[name].allowed}.")
    return lines


def _group(name: str) -> str:
    return FIELD_TEXTS[name].group


def _search_text(name: str) -> str:
    """What can be searched for: the name, the label, the group, and the help."""
    text = FIELD_TEXTS[name]
    return f"{name} {text.label} {text.group} {text.help}"


def _item(name: str, plan: Plan, script: object, is_first: bool) -> Item[str]:
    value = getattr(plan, name)
    said: Row = ((written(value), "accent+b"),) if value is not None else (("–", "faint"),)
    right = crop(((f"script: {written(script)}", "dim"),), 22) if script is not None else EMPTY
    left: Row = (
        (f"{_group(name) if is_first else '':<{_GROUP_WIDTH}}", "dim"),
        *fill(((name, "text"),), _NAME_WIDTH),
        *crop(said, _VALUE_WIDTH),
    )
    return Item(name, left, right, note=" ".join(help_lines(name)))
