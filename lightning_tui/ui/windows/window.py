"""The windows that open over the cockpit: a bordered list to choose from, or a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from lightning_tui.text.safe import harmless
from lightning_tui.ui.drawing.canvas import Canvas, frame, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, ends, selected, width_of, wrap

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

ValueT = TypeVar("ValueT")
ResultT = TypeVar("ResultT")

WIDEST = 96


@dataclass(frozen=True)
class Item(Generic[ValueT]):
    """A line to choose."""

    value: ValueT
    left: Row
    right: Row = EMPTY
    is_enabled: bool = True
    note: str = ""
    """Told beneath the list while the cursor stands here."""


class ItemList(Canvas, Generic[ValueT], can_focus=True):
    """Lines with a cursor, in a border."""

    def __init__(self, title: str, items: Sequence[Item[ValueT]], keys: Row, start: int = 0) -> None:
        super().__init__()
        self.title = title
        self.items: list[Item[ValueT]] = list(items)
        self.keys = keys
        self.cursor = start
        self.waiting = ""
        """What to say while there are no lines."""
        self.note_height = 2
        self._top = 0

    @property
    def current(self) -> Item[ValueT] | None:
        """The line under the cursor."""
        return self.items[self.cursor] if self.items else None

    def take(self, items: Sequence[Item[ValueT]]) -> None:
        """Show other lines; the cursor stays where it is."""
        self.items = list(items)
        self.cursor = max(0, min(self.cursor, len(items) - 1))
        self.redraw()

    def move(self, lines: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(len(self.items) - 1, self.cursor + lines))
        self.redraw()

    def wanted_size(self) -> tuple[int, int]:
        """Columns and rows that show all of it."""
        widest = max((width_of(item.left) + width_of(item.right) + 4 for item in self.items), default=30)
        has_notes = any(item.note for item in self.items)
        width = max(widest, width_of(self.keys) + 4, len(self.title) + 6, 44 if has_notes else 30) + 6
        return width, len(self.head(width)) + len(self.items) + 2 + (1 + self.note_height) * has_notes

    def head(self, width: int) -> list[Row]:
        """What stands above the lines and does not scroll."""
        return []

    def note_token(self) -> str:
        """Colour of the note."""
        return "dim"

    def rows(self, width: int, height: int) -> list[Row]:
        inner = width - 4
        head, note = self.head(inner), self._note_rows(inner)
        room = max(1, height - 2 - len(head) - len(note))
        self._top = min(max(self._top, self.cursor - room + 1), self.cursor)
        body = [self._item_row(place, inner) for place in range(self._top, min(len(self.items), self._top + room))]
        if not self.items:
            body = [((self.waiting, "dim"),)]
        body += [EMPTY] * (room - len(body))
        title: Row = ((self.title, "text+b"),)
        return frame([*head, *body, *note], width, height, title=title, facts=self.keys, is_focused=True)

    def on_click(self, event: events.Click) -> None:
        above = 1 + len(self.head(self.size.width - 4))
        self.cursor = max(0, min(len(self.items) - 1, self._top + event.y - above))
        self.redraw()

    def _item_row(self, place: int, width: int) -> Row:
        item = self.items[place]
        is_here = place == self.cursor
        left = item.left if item.is_enabled else tuple((text, "dim") for text, _ in item.left)
        row = ends(printable(((" ", "text"), *left)), printable((*item.right, (" ", "text"))), width)
        row = (*row, (" " * (width - width_of(row)), "text"))
        return selected(row) if is_here else row

    def _note_rows(self, width: int) -> list[Row]:
        if not any(item.note for item in self.items):
            return []
        note = self.current.note if self.current is not None else ""
        lines = [
            (((" "), "text"), *row) for row in wrap(harmless(note), width - 2, self.note_token())[: self.note_height]
        ]
        return [(("─" * width, "border"),), *lines, *[EMPTY] * (self.note_height - len(lines))]


class FittedWindow(ModalScreen["ResultT | None"], Generic[ResultT]):
    """A window as large as what it holds, in the middle of the screen; closing it answers nothing."""

    part: Canvas

    def compose(self) -> ComposeResult:
        yield self.part

    def on_mount(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def action_close(self) -> None:
        self.dismiss(None)

    def _fit(self) -> None:
        """Give the window its size on the screen as it is now, and a place in the middle, a little above."""
        screen_width, screen_height = self.app.size
        width, height = self.wanted_size(screen_width)
        width, height = max(20, min(width, WIDEST, screen_width - 2)), max(3, min(height, screen_height - 2))
        self.part.styles.width, self.part.styles.height = width, height
        self.part.styles.offset = ((screen_width - width) // 2, max(0, (screen_height - height) * 2 // 5))

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        """Columns and rows that show all of it."""
        raise NotImplementedError


class ListWindow(FittedWindow[ValueT], Generic[ValueT]):
    """Choose one of several things; escape chooses nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", show=False),
        Binding("enter", "choose", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home,g", "move(-100000)", show=False),
        Binding("end,G", "move(100000)", show=False),
    ]

    def __init__(self, title: str, items: Sequence[Item[ValueT]], start: int = 0, keys: Row | None = None) -> None:
        super().__init__()
        self.part = self.list = ItemList(title, items, keys or hint(("enter", "choose"), ("esc", "close")), start)

    def action_choose(self) -> None:
        item = self.list.current
        if item is not None and item.is_enabled:
            self.dismiss(item.value)

    def action_move(self, lines: int) -> None:
        self.list.move(lines)

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        return self.list.wanted_size()


class Text(Canvas, can_focus=True):
    """Rows to read, in a border; they scroll where they are many."""

    def __init__(self, title: Row, body: Callable[[int], list[Row]], keys: Row) -> None:
        super().__init__()
        self._title = title
        self._body = body
        self._keys = keys
        self._top = 0

    def retitle(self, title: Row) -> None:
        """Put another title over it; it is drawn with the next redraw."""
        self._title = title

    def scroll_lines(self, lines: int) -> None:
        """Move the text."""
        self._top = max(0, self._top + lines)
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        body = self._body(width - 6)
        room = height - 2
        self._top = min(self._top, max(0, len(body) - room))
        seen = [((" ", "text"), *row) for row in body[self._top : self._top + room]]
        facts = self._keys if len(body) <= room else (*hint(("↓", "more")), ("   ", "text"), *self._keys)
        return frame(seen, width, height, title=self._title, facts=facts, is_focused=True)


class TextWindow(FittedWindow[None]):
    """Something to read: help, or why something cannot be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "close", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
    ]

    def __init__(self, title: Row, body: Callable[[int], list[Row]], width: int = 64, keys: Row | None = None) -> None:
        super().__init__()
        self._body = body
        self._wanted = width
        self.part = self.text = Text(title, body, keys or hint(("esc", "close")))

    def action_scroll(self, lines: int) -> None:
        self.text.scroll_lines(lines)

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        width = min(self._wanted, screen_width - 4)
        return width, len(self._body(width - 6)) + 2


def message_window(title: str, sentence: str, token: str = "bad+b") -> TextWindow:
    """Say why something cannot be done."""

    def body(width: int) -> list[Row]:
        rows: list[Row] = [EMPTY]
        for line in sentence.splitlines():
            rows += wrap(line, width) or [EMPTY]
        return [*rows, EMPTY]

    return TextWindow(((title, token),), body)


def hint(*pairs: tuple[str, str]) -> Row:
    """Keys and what they do, for a lower border."""
    row: Row = EMPTY
    for key, word in pairs:
        row = (*row, *((("  ", "text"),) if row else EMPTY), (key, "accent"), (f" {word}", "dim"))
    return row


def cropped(text: str, width: int, token: str = "text") -> Row:
    """One span, cut to a width."""
    return crop(((text, token),), width)
