"""A list to choose from where letters search: what matches stays, the best match first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType

from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, ends
from lightning_tui.ui.windows.window import Item, ItemList, ListWindow, moving

if TYPE_CHECKING:
    from textual import events

ValueT = TypeVar("ValueT")


NOTHING_MATCHES = "no match: backspace deletes a letter"


class SearchList(ItemList[ValueT], Generic[ValueT]):
    """Lines below the words that are looked for."""

    def __init__(self, title: str, items: Sequence[Item[ValueT]], keys: Row, start: int = 0) -> None:
        super().__init__(title, items, keys, start)
        self.query_text = ""
        self.legend: Row = EMPTY
        """What the lines are measured against; at the right end of the searched words."""
        self.hidden = 0
        """Lines that are shown only when they are searched for."""
        self.is_refused = False
        """Whether enter was pressed on a line that cannot be taken: its note then says why, in red."""

    def head(self, width: int) -> list[Row]:
        typed: Row = ((" / ", "accent"), (self.query_text, "text+b"), ("▏", "accent"))
        more = f", and {self.hidden} more" if self.hidden else ""
        left = typed if self.query_text else ((f" type to search{more}", "faint"),)
        return [ends(left, (*crop(self.legend, width), (" ", "text")), width) if self.legend else left, EMPTY]

    def note_token(self) -> str:
        return "warn" if self.is_refused else "dim"


class SearchWindow(ListWindow[ValueT], Generic[ValueT], inherit_bindings=False):
    """Choose one of several things. Letters, digits and `_ - .` search in the words of each; backspace takes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("enter", "choose", show=False),
        *moving("move", letters=False),
        Binding("backspace", "take_back", show=False),
    ]

    def __init__(
        self,
        title: str,
        items: Sequence[Item[ValueT]],
        words_of: Callable[[ValueT], str],
        start: ValueT,
        keys: Row,
        is_rare: Callable[[ValueT], object] = lambda value: False,
    ) -> None:
        """Begin at the item whose value is `start`; rare items are shown when they are searched for."""
        super().__init__(title, [], 0, keys)
        self.search: SearchList[ValueT] = SearchList(title, [], keys)
        self.search.waiting = NOTHING_MATCHES
        self.part = self.list = self.search
        self._words_of, self._is_rare = words_of, is_rare
        self.take_items(items, start)

    def take_items(self, items: Sequence[Item[ValueT]], start: ValueT) -> None:
        """Show these items; the cursor goes to `start`, and what is being searched for stays."""
        self._all = list(items)
        self._shown = [item for item in items if item.value == start or not self._is_rare(item.value)]
        self.search.hidden = len(self._all) - len(self._shown)
        found = self._found()
        places = (place for place, item in enumerate(found) if item.value == start and not self.search.query_text)
        self.search.cursor = next(places, 0)
        self.search.take(found)

    def on_key(self, event: events.Key) -> None:
        character = event.character
        if character is not None and (character.isalnum() or character in "_-."):
            event.stop()
            self._look_for(self.search.query_text + character)

    def action_take_back(self) -> None:
        self._look_for(self.search.query_text[:-1])

    def action_move(self, lines: int) -> None:
        self.search.is_refused = False
        super().action_move(lines)

    def action_choose(self) -> None:
        super().action_choose()
        item = self.search.current
        if item is not None and not item.is_enabled:
            self.search.is_refused = True
            self.search.redraw()

    def _look_for(self, text: str) -> None:
        self.search.query_text, self.search.is_refused = text, False
        self.search.cursor = 0
        self.search.take(self._found())

    def _found(self) -> list[Item[ValueT]]:
        text = self.search.query_text
        return matching(self._all, text, self._words_of) if text else self._shown


def matching(items: Sequence[Item[ValueT]], text: str, words_of: Callable[[ValueT], str]) -> list[Item[ValueT]]:
    """Items in whose words the text stands: at the very beginning first, then at a word's beginning, then anywhere."""
    wanted = _plain(text)
    ranked = [(rank, item) for item in items if (rank := _rank(_plain(words_of(item.value)), wanted)) is not None]
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]


def _plain(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ")


def _rank(words: str, wanted: str) -> int | None:
    if words.startswith(wanted):
        return 0
    if f" {wanted}" in words:
        return 1
    return 2 if wanted in words else None
