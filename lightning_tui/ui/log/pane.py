"""The Log pane: the output of one rank or of all, followed or scrolled; and, when a run has failed, what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning_tui.ui.drawing.canvas import frame
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop
from lightning_tui.ui.log.facts import empty_rows, place_row, search_row
from lightning_tui.ui.log.lines import Line, Lines, MatchingLines, MergedLines, PlainLines
from lightning_tui.ui.log.page import Drawn, Look
from lightning_tui.ui.log.place import LogPlace, Room
from lightning_tui.ui.log.text import LONGEST
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from textual import events

    from lightning_tui.ui.log.following import Output
    from lightning_tui.ui.log.search import Search

FLOOD_LINES_PER_S = 5000
FLOOD_PERIOD_S = 0.5
_WHEEL_LINES = 3
_SIDESTEP = 16
"""Cells that one step to the side scrolls."""

Card = Callable[[View, int, int, bool], list[Row]]
"""Rows for a moment: of so many cells, at most so many, and whether the pane has the keys."""


class LogPane(Pane):
    """A page of a log of any length. Only the lines that are seen are ever read."""

    name_of_pane = "log"
    draws = ("run", "findings", "is_opening", "program", "readonly", "keys", "advice")

    def __init__(self, view: View, card: Card, clock: Callable[[], float] = time.monotonic) -> None:
        """Make it; `card` stands over the log of a run in trouble."""
        super().__init__(view)
        self._make_card = card
        self.place = LogPlace(self._room, self.redraw)
        self.wrap = False
        self.has_times = False
        self.left = 0
        """Cells that are scrolled out at the left."""
        self.search: Search | None = None
        self.context: int | None = None
        """Lines around each that matches while only those are shown; `None` while all are."""
        self.output: Output | None = None
        """Where the lines come from."""
        self._source: object = None
        self._known: object = None
        self._clock = clock
        self._looked_at = 0.0
        self._total_looked_at = 0

    # -------------------------------------------------------------------------------------------- what is shown

    def show_output(self, output: Output | None, is_busy: bool = False) -> None:
        """Take what the follower has; repaint where the page would look different.

        While lines pour in faster than anyone reads, or the terminal has not taken the last frame yet (`is_busy`),
        pages are skipped.
        """
        before, self.output = self.output, output
        if (source := _source(output)) != self._source:
            self._source = source
            self._take_source(before, output)
        known = self._mark_of_all()
        if known == self._known or self._must_wait(is_busy):
            return
        self._known = known
        self.redraw()

    def show_search(self, search: Search | None, context: int | None) -> None:
        """Highlight what was searched for; with `context` show only lines that match, and so many around each."""
        line = self.place.line()
        was_matching = isinstance(self.place.lines, MatchingLines)
        self.search, self.context = search, context
        if was_matching or context is not None:
            self.place.show(self._lines())
            self.place.return_to(line)
        self.redraw()

    def set_wrap(self, wrap_lines: bool) -> None:
        """Break long lines, or cut them."""
        self.wrap, self.left = wrap_lines, 0
        self.redraw()

    def set_times(self, has_times: bool) -> None:
        """Show when each line was written, or not."""
        self.has_times = has_times
        self.redraw()

    def scroll_by(self, lines: int) -> None:
        self.place.scroll_by(lines)

    def move_across(self, direction: int) -> None:
        """Scroll to the side; wrapped lines have no more there."""
        if not self.wrap:
            self.left = max(0, min(LONGEST, self.left + direction * _SIDESTEP))
            self.redraw()

    def _take_source(self, before: Output | None, output: Output | None) -> None:
        """Other lines: the whole file in place of its end keeps what is seen; anything else begins at its end."""
        self.place.show(self._lines())
        is_same = before is not None and output is not None and _is_grown_tail(before, output)
        if is_same and before is not None and output is not None and isinstance(self.place.lines, PlainLines):
            self.place.shift(output.log.line_at(before.log.start))
        else:
            self.place.begin_anew()
            self.left, self._known = 0, None

    def _lines(self) -> Lines | None:
        output, search, context = self.output, self.search, self.context
        if output is None or output.merged is not None:
            return output.merged if output is not None else None
        # Numbers of hits are those of lines of the whole file: its end alone cannot be filtered.
        if search is not None and context is not None and output.rank in search.hits and not output.log.start:
            return MatchingLines(output.log, output.rank, search.hits[output.rank], context)
        return PlainLines(output.log, output.rank)

    def _mark_of_all(self) -> object:
        output, lines = self.output, self.place.lines
        if output is None or lines is None:
            return None
        percent = int(output.share * 100) if output.share is not None else None
        search = (self.search.mark, self.search.is_complete) if self.search is not None else None
        times = self.has_times and output.times is not None
        return lines.mark, output.rank, output.ranks, percent, search, times

    def _must_wait(self, is_busy: bool) -> bool:
        total, now = self.place.total, self._clock()
        waited = now - self._looked_at
        is_flood = total - self._total_looked_at > FLOOD_LINES_PER_S * max(waited, 0.05)
        if self._known is not None and (is_busy or (is_flood and waited < FLOOD_PERIOD_S)):
            return True
        self._looked_at, self._total_looked_at = now, total
        return False

    # ----------------------------------------------------------------------------------------------------- mouse

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.place.scroll_by(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.place.scroll_by(_WHEEL_LINES)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        drawn = self._drawn_at(event.y)
        if drawn is not None and event.button == 1 and self.place.click(drawn.unit):
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is not self:
            return
        drawn = self._drawn_at(max(1, min(event.y, len(self.place.drawn))))
        if drawn is not None:
            self.place.drag_to(drawn.unit)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()

    def _drawn_at(self, y: int) -> Drawn | None:
        drawn = self.place.drawn
        return drawn[y - 1] if self.size.height >= 3 and 0 <= y - 1 < len(drawn) else None

    # ----------------------------------------------------------------------------------------------- drawing

    def rows(self, width: int, height: int) -> list[Row]:
        if height < 3:
            return [crop(self.summary(width), width)]
        inner_width, inner_height = width - 4, height - 2
        card = self._card(inner_width, inner_height)
        room = inner_height - len(card)
        body = self._page(inner_width, room)
        body = body if len(body) == room or not card else [*body, *[EMPTY] * (room - len(body))]
        number = self.view.pane_key(self.name_of_pane)
        advice = self.view.advice
        searched = search_row(self.search, self.context, self.place, self.output, inner_width - 8)
        return frame(
            [*body, *card],
            width,
            height,
            title=((f"{number} ", "faint"), (self.title_text(), self._title_token())),
            heading=searched or (advice.row(inner_width - 12) if advice is not None else EMPTY),
            facts=self.facts(inner_width - 3),
            is_focused=self.has_focus,
            thumb=self.place.thumb(room),
        )

    def _card(self, width: int, height: int) -> list[Row]:
        return self._make_card(self.view, width, height, self.has_focus) if self.view.run is not None else []

    def summary(self, width: int) -> Row:
        page = self._page(width, 1)
        return page[-1] if page else EMPTY

    def facts(self, width: int) -> Row:
        output = self.output
        if output is None or (self.view.run is None and not self.place.total):
            return EMPTY
        more: list[Row] = [((f"from column {self.left + 1}", "dim"),)] if self.left else []
        more += [(("wrapped", "dim"),)] if self.wrap else []
        return place_row(self.place, output, self.view, more, width)

    def _page(self, width: int, height: int) -> list[Row]:
        rows = self.place.page(height, self._look(width))
        return rows if self.place.total else empty_rows(self.search, self.context, self.place, self.view)[:height]

    def _room(self) -> Room:
        width, height = self.size.width - 4, self.size.height - 2
        height -= len(self._card(width, height))
        return Room(self._look(max(1, width)), max(1, height), self.page())

    def _look(self, width: int) -> Look:
        place = self.place
        ranks = self.output.ranks if self.output is not None else ()
        return Look(
            width,
            self.wrap,
            self.left,
            self.search.pattern if self.search is not None else None,
            place.selection or ((place.mark, place.mark) if place.mark is not None else None),
            place.opened,
            len(str(max(ranks, default=0))) if isinstance(place.lines, MergedLines) else 0,
            self._time_of if self.has_times else None,
        )

    def _time_of(self, line: Line) -> float | None:
        output = self.output
        if output is None or output.times is None:
            return None
        log = output.merged.logs[line.rank] if output.merged is not None else output.log
        return output.times.time_at(line.rank, log.offset_of(line.number))


def _source(output: Output | None) -> object:
    """What makes the lines other ones."""
    if output is None:
        return None
    return (output.log, output.log.generation, output.rank) if output.merged is None else output.merged


def _is_grown_tail(before: Output, output: Output) -> bool:
    """Whether the whole file has come in place of its end."""
    is_same_file = before.log.path == output.log.path and before.rank == output.rank
    return is_same_file and before.log.start > 0 and output.log.start == 0 and not output.log.generation
