"""The window of all advice on a run: what, why, what to do; a suggestion goes into the plan, an advice goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from lightning_tui.diagnosis.report import flags
from lightning_tui.text.units import count
from lightning_tui.ui.drawing.canvas import Canvas, frame, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, dots, fill, selected, wrap
from lightning_tui.ui.windows.window import WIDEST, FittedWindow, hint
from lightning_tui.ui.words import ADVICE_MARKS

if TYPE_CHECKING:
    from lightning_tui.diagnosis import Suggestion
    from lightning_tui.diagnosis.live import Advice

MOST_TITLES = 8
"""Rows of the list of titles; more of them scroll."""
_HEIGHT = 30

Take = Callable[["Suggestion"], str]
"""Puts a suggestion into the plan; returns what to say."""
Dismiss = Callable[["Advice"], "tuple[Advice, ...]"]
"""Puts advice away; returns what is left."""


class AdviceWindow(FittedWindow[None]):
    """All advice; it stays open while suggestions are taken, and closes with the last advice."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,A", "close", show=False),
        Binding("enter,plus", "take", show=False),
        Binding("d,delete", "dismiss_advice", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("left,h,shift+tab", "choose(-1)", show=False),
        Binding("right,l,tab", "choose(1)", show=False),
        Binding("pageup", "scroll(-5)", show=False),
        Binding("pagedown,space", "scroll(5)", show=False),
        *(Binding(str(number), f"take_number({number})", show=False) for number in range(1, 10)),
    ]

    def __init__(self, advice: tuple[Advice, ...], take: Take, dismiss: Dismiss) -> None:
        super().__init__()
        self.part = self.board = AdviceBoard(advice)
        self._take = take
        self._dismiss = dismiss

    def take(self, advice: tuple[Advice, ...]) -> None:
        """Show what is known now; the cursor stays on the same advice."""
        if not advice:
            self.dismiss(None)
            return
        self.board.show(advice)
        self._fit()

    def action_move(self, lines: int) -> None:
        self.board.move(lines)

    def action_choose(self, places: int) -> None:
        self.board.choose(places)

    def action_scroll(self, lines: int) -> None:
        self.board.scroll_text(lines)

    def action_take(self) -> None:
        self._take_suggestion(self.board.chosen)

    def action_take_number(self, number: int) -> None:
        suggestions = self.board.current.suggestions
        if number <= len(suggestions):
            self._take_suggestion(number - 1)

    def action_dismiss_advice(self) -> None:
        self.take(self._dismiss(self.board.current))

    def _take_suggestion(self, place: int | None) -> None:
        suggestions = self.board.current.suggestions
        if place is None or place >= len(suggestions) or not suggestions[place].changes:
            self.board.say("the plan cannot change this: change it in the program or on the machine", "dim")
            return
        answer = self._take(suggestions[place])
        self.board.say(f"{flags(suggestions[place].changes or {})}: {answer}", "good")

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        return WIDEST, min(_HEIGHT, self.board.wanted_height(min(WIDEST, screen_width - 2)))


class AdviceBoard(Canvas, can_focus=True):
    """Titles above, and the one under the cursor in full below."""

    def __init__(self, advice: tuple[Advice, ...]) -> None:
        super().__init__()
        self._advice = advice
        self._cursor = 0
        self._top = 0
        self._text_top = 0
        self._chosen: int | None = None
        self._said: Row = EMPTY

    @property
    def current(self) -> Advice:
        return self._advice[self._cursor]

    @property
    def chosen(self) -> int | None:
        """Place of the suggestion that Enter takes: the one that was gone to, else the first that the plan can do."""
        if self._chosen is not None:
            return self._chosen
        return next((place for place, each in enumerate(self.current.suggestions) if each.changes), None)

    def show(self, advice: tuple[Advice, ...]) -> None:
        here = self.current.id
        self._advice = advice
        place = next((place for place, each in enumerate(advice) if each.id == here), None)
        if place is None:
            self._chosen, self._text_top = None, 0
        self._cursor = min(self._cursor, len(advice) - 1) if place is None else place
        self.redraw()

    def move(self, lines: int) -> None:
        self._cursor = max(0, min(len(self._advice) - 1, self._cursor + lines))
        self._chosen, self._text_top, self._said = None, 0, EMPTY
        self.redraw()

    def choose(self, places: int) -> None:
        suggestions = self.current.suggestions
        if suggestions:
            here = self.chosen if self.chosen is not None else 0
            self._chosen = (here + places) % len(suggestions)
            self.redraw()

    def scroll_text(self, lines: int) -> None:
        self._text_top = max(0, self._text_top + lines)
        self.redraw()

    def say(self, sentence: str, token: str) -> None:
        """Answer a key, below the text."""
        self._said = ((sentence, token),)
        self.redraw()

    def wanted_height(self, width: int) -> int:
        """Rows for the longest of them, so that the window keeps its size while the cursor moves."""
        longest = max(len(_text_of(advice, width - 8, width - 6, None)) for advice in self._advice)
        return min(len(self._advice), MOST_TITLES) + longest + 5

    def rows(self, width: int, height: int) -> list[Row]:
        inner = width - 6
        titles = self._titles(inner, min(len(self._advice), MOST_TITLES, max(1, height // 3)))
        room = height - 2 - len(titles) - 2
        text = _text_of(self.current, inner - 2, inner, self.chosen)
        self._text_top = min(self._text_top, max(0, len(text) - room))
        below = text[self._text_top : self._text_top + room]
        below += [EMPTY] * (room - len(below))
        rule: Row = (("─" * inner, "border"),)
        body = [*titles, rule, *(((" ", "text"), *row) for row in below), crop(self._said, inner)]
        keys = hint(("enter", "add to the plan"), ("← →", "choose"), ("d", "dismiss"), ("esc", "close"))
        keys = keys if len(text) <= room else (*hint(("space", "more")), ("  ", "text"), *keys)
        title: Row = (("Suggestions for this run", "text+b"), (f"  {len(self._advice)}", "dim"))
        return frame(
            [((" ", "text"), *printable(row)) for row in body], width, height, title=title, facts=keys, is_focused=True
        )

    def _titles(self, width: int, room: int) -> list[Row]:
        self._top = min(max(self._top, self._cursor - room + 1), self._cursor)
        rows = []
        for place in range(self._top, min(len(self._advice), self._top + room)):
            advice = self._advice[place]
            glyph, token = ADVICE_MARKS[advice.severity]
            is_past = advice.until is not None
            words: Row = ((glyph, "dim" if is_past else token), (advice.title, "dim" if is_past else "text"))
            row = fill(crop(words, width), width)
            rows.append(selected(row) if place == self._cursor else row)
        return rows


def _text_of(advice: Advice, width: int, list_width: int, chosen: int | None) -> list[Row]:
    """What it is, where the list has cut that, why, and what to do."""
    is_cut = cell_len(advice.title) + 2 > list_width
    rows: list[Row] = wrap(advice.title, width, "text+b") if is_cut else []
    facts = []
    if advice.rank is not None:
        facts.append(f"rank {advice.rank}")
    if advice.step is not None:
        facts.append(f"step {count(advice.step)}")
    if advice.until is not None:
        facts.append("no longer the case")
    if facts:
        rows.append(tuple((text, "dim") for text, _ in dots(*facts)))
    rows += [*([EMPTY] if rows else []), *wrap(advice.cause, width)]
    if advice.suggestions:
        rows.append(EMPTY)
    for place, suggestion in enumerate(advice.suggestions):
        rows += _suggestion_rows(place, suggestion, width, is_chosen=place == chosen)
    return rows


def _suggestion_rows(place: int, suggestion: Suggestion, width: int, *, is_chosen: bool) -> list[Row]:
    mark = ("▸ ", "accent+b") if is_chosen else ("  ", "text")
    lines = wrap(suggestion.text, width - 5)
    rows: list[Row] = [
        (mark if at == 0 else ("  ", "text"), (f"{place + 1}  " if at == 0 else "   ", "accent"), *line)
        for at, line in enumerate(lines)
    ]
    if suggestion.changes:
        words = wrap(flags(suggestion.changes), width - 5, "accent" if is_chosen else "dim")
        rows += [(("     ", "text"), *line) for line in words]
    return rows
