"""The help window: every key, from the one table."""

from __future__ import annotations

from lightning_tui.ui.drawing.rows import EMPTY, Row, wrap
from lightning_tui.ui.keys import APP_KEYS, COMPARE_KEYS, GROUP_TITLES, KEYS, RUNS_KEYS, Key
from lightning_tui.ui.view import View
from lightning_tui.ui.windows.window import TextWindow
from lightning_tui.ui.words import STATE_MARKS

_KEY_WIDTH = 12


_ALL = (*KEYS, *APP_KEYS, *RUNS_KEYS, *COMPARE_KEYS)


def help_window(view: View, keys: tuple[Key, ...] = _ALL) -> TextWindow:
    """What the keys do."""
    return TextWindow((("Keys", "text+b"),), lambda width: help_rows(view, width, keys), width=72)


def help_rows(view: View, width: int, keys: tuple[Key, ...] = _ALL) -> list[Row]:
    """The table of keys by group, and the glyphs of the states."""
    rows: list[Row] = []
    for group, title in GROUP_TITLES.items():
        told = [key for key in keys if key.group == group]
        rows += [EMPTY, ((title, "accent+b"),)] if told else []
        for key in told:
            lines = wrap(key.help, width - _KEY_WIDTH)
            rows.append(((f"{view.key(key.id):<{_KEY_WIDTH}}", "text+b"), *lines[0]))
            rows += [((" " * _KEY_WIDTH, "text"), *line) for line in lines[1:]]
    rows += [EMPTY, (("States", "accent+b"),)]
    rows += [
        ((f"{glyph:<{_KEY_WIDTH}}", f"{token}+b"), (state, "text")) for state, (glyph, token) in STATE_MARKS.items()
    ]
    return [*rows, EMPTY]
