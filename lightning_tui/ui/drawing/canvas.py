"""How do rows come onto the screen? They become strips, only changed rows are repainted; and a quiet border around."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.app import App
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from lightning_tui.text.safe import harmless, is_harmless
from lightning_tui.ui.drawing.ascii import ascii_row
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill, width_of
from lightning_tui.ui.drawing.theme import Palette


class Area(NamedTuple):
    """A rectangle in cells."""

    x: int
    y: int
    width: int
    height: int


@functools.lru_cache
def _palette(theme: str, has_few_colours: bool, has_no_colour: bool) -> Palette:
    return Palette(theme, has_few_colours, has_no_colour)


def palette_of(app: App[object]) -> Palette:
    """The palette of the app's present theme, for the colours that the terminal has."""
    return _palette(app.theme, app.console.color_system == "standard", app.no_color)


class Canvas(Widget):
    """A widget that draws rows. `redraw` repaints those that differ from what stands on the screen."""

    ground: ClassVar[str] = "ground"

    def __init__(self, part: str | None = None) -> None:
        """Make it; `part` is its id on the screen."""
        super().__init__(id=part)
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._drawn_for: tuple[int, int, str] | None = None

    def rows(self, width: int, height: int) -> Sequence[Row]:
        """What to draw; at most `height` rows of at most `width` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew, and repaint the rows that changed."""
        if self._drawn_for != self._drawing_key():
            self._drawn_for = None
            self.refresh()
            return
        width, height = self.size
        before = self._rows
        self._take_rows(width, height)
        changed = [
            Region(*_changed_columns(old, new), 1).translate((0, y))
            for y, (old, new) in enumerate(zip(before, self._rows, strict=True))
            if old != new
        ]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        if self._drawn_for != self._drawing_key():
            self._rows, self._strips = [], []
            self._take_rows(*self.size)
            self._drawn_for = self._drawing_key()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def notify_style_update(self) -> None:
        """A new theme: every style is another one."""
        super().notify_style_update()
        self._drawn_for = None

    def stand(self, place: Area | None) -> None:
        """Take this place on the screen; with none, be seen no more."""
        self.display = place is not None
        if place is not None:
            self.styles.offset = (place.x, place.y)
            self.styles.width, self.styles.height = place.width, place.height

    def _drawing_key(self) -> tuple[int, int, str]:
        return self.size.width, self.size.height, self.app.theme

    def _take_rows(self, width: int, height: int) -> None:
        rows = [fill(printable(row), width) for row in self.rows(width, height)[:height]]
        rows += [fill(EMPTY, width)] * (height - len(rows))
        if getattr(self.app, "is_ascii", False):
            rows = [ascii_row(row) for row in rows]
        known = dict(zip(self._rows, self._strips, strict=True))
        self._strips = [known.get(row) or self._strip(row, width) for row in rows]
        self._rows = rows

    def _strip(self, row: Row, width: int) -> Strip:
        palette = palette_of(self.app)
        return Strip([Segment(text, palette.style(token, self.ground)) for text, token in row], width)


def printable(row: Row) -> Row:
    """The last gate before the terminal: names, labels and messages come from programs and files, too.

    Where a row is fitted between others it is needed before: what is made printable grows.
    """
    if is_harmless("".join(text for text, _ in row)):
        return row
    return tuple((harmless(text), token) for text, token in row)


def _changed_columns(old: Row, new: Row) -> tuple[int, int, int]:
    """Column, row 0 and width of what lies between the spans that two rows of one width share at both ends."""
    head = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    rest = zip(reversed(old[head:]), reversed(new[head:]), strict=False)
    tail = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], rest))
    return width_of(new[:head]), 0, max(width_of(row[head : len(row) - tail]) for row in (old, new))


def frame(
    body: Sequence[Row],
    width: int,
    height: int,
    *,
    title: Row,
    heading: Row = EMPTY,
    facts: Row = EMPTY,
    is_focused: bool = False,
    thumb: tuple[int, int] | None = None,
) -> list[Row]:
    """Put a rounded border around rows: title at the upper left, heading at the upper right, facts at the lower right.

    `thumb` is the part `(first, last)` of the right border that tells what of a longer text is seen.
    """
    line = "accent" if is_focused else "border"
    rows = [_edge("╭", "╮", width, line, left=title, right=heading)]
    for y in range(height - 2):
        row = fill(printable(body[y]) if y < len(body) else EMPTY, width - 4)
        is_thumb = thumb is not None and thumb[0] <= y <= thumb[1]
        rows.append((("│ ", line), *row, (" ┃", "accent") if is_thumb else (" │", line)))
    rows.append(_edge("╰", "╯", width, line, right=facts))
    return rows


def _edge(first: str, last: str, width: int, line: str, left: Row = EMPTY, right: Row = EMPTY) -> Row:
    room = width - 4
    left = (*((" ", line),), *crop(left, room - 2), (" ", line)) if left else EMPTY
    room -= width_of(left)
    right = (*((" ", line),), *crop(right, room - 3), (" ", line)) if right and room > 6 else EMPTY
    dashes = width - 4 - width_of(left) - width_of(right)
    return ((f"{first}─", line), *left, ("─" * dashes, line), *right, (f"─{last}", line))


def labelled(label: str, value: Row, width: int, label_width: int = 11) -> Row:
    """A dim label and its value; the value is cut at the right end."""
    return ((f"{label:<{label_width}}", "dim"), *crop(value, width - label_width))
