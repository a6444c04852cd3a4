"""The Log pane: the output of one rank or of all, followed or scrolled; and, when a run has failed, what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning_tui.text.safe import harmless
from lightning_tui.text.units import count
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, join
from lightning_tui.ui.log.lines import ALL_RANKS, Folds, Line, Lines, MatchingLines, MergedLines, PlainLines
from lightning_tui.ui.log.page import Drawn, Look, last_page, last_top, moved, page_from, unit_at
from lightning_tui.ui.log.text import LONGEST
from lightning_tui.ui.pane import Pane, frame
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from textual import events

    from lightning_tui.ui.log.following import Output
    from lightning_tui.ui.log.index import LogIndex
    from lightning_tui.ui.log.search import Search

FLOOD_LINES_PER_S = 5000
FLOOD_PERIOD_S = 0.5
_WHEEL_LINES = 3
_SIDESTEP = 16
"""Cells that one step to the side scrolls."""


class LogPane(Pane):
    """A page of a log of any length. Only the lines that are seen are ever read."""

    name_of_pane = "log"
    draws = ("run", "findings", "is_opening", "program", "readonly", "keys", "advice")

    def __init__(self, view: View, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(view)
        self.follow = True
        self.wrap = False
        self.has_times = False
        self.left = 0
        """Cells that are scrolled out at the left."""
        self.search: Search | None = None
        self.context: int | None = None
        """Lines around each that matches while only those are shown; `None` while all are."""
        self.mark: int | None = None
        """The line that was gone to, clicked, or is at the moving end of a selection."""
        self.selected_from: int | None = None
        """Where a selection began."""
        self._output: Output | None = None
        self._source: object = None
        self._lines: Lines | None = None
        self._folds: Folds | None = None
        self._opened: frozenset[tuple[int, int]] = frozenset()
        self._drawn: list[Drawn] = []
        self._known: object = None
        self._seen_lines = 0
        self._top = 0
        self._clock = clock
        self._looked_at = 0.0
        self._total_looked_at = 0

    # -------------------------------------------------------------------------------------------- what is shown

    @property
    def _log(self) -> LogIndex | None:
        return self._output.log if self._output is not None else None

    @property
    def lines(self) -> Lines | None:
        """The lines that can be scrolled through."""
        return self._lines

    @property
    def output(self) -> Output | None:
        """Where they come from."""
        return self._output

    def show_output(self, output: Output | None, is_busy: bool = False) -> None:
        """Take what the follower has; repaint where the page would look different.

        While lines pour in faster than anyone reads, or the terminal has not taken the last frame yet (`is_busy`),
        pages are skipped.
        """
        before, self._output = self._output, output
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
        line = self._line_at_top() if self._lines is not None else None
        was_matching = isinstance(self._lines, MatchingLines)
        self.search, self.context = search, context
        if was_matching or context is not None:
            self._make_lines()
            self._return_to(line)
        self.redraw()

    def set_follow(self, follow: bool) -> None:
        """Follow the end, or stay on this page."""
        self._settle_top()
        self.follow = follow
        self._seen_lines = self._lines.total if self._lines is not None else 0
        if follow:
            self.mark = self.selected_from = None
        self.redraw()

    def set_wrap(self, wrap_lines: bool) -> None:
        """Break long lines, or cut them."""
        self.wrap, self.left = wrap_lines, 0
        self.redraw()

    def set_times(self, has_times: bool) -> None:
        """Show when each line was written, or not."""
        self.has_times = has_times
        self.redraw()

    def go_to(self, position: int) -> None:
        """Put this line at the top and stay there."""
        self._stay()
        self._top = min(self._unit_first(position), self._last_top())
        self.redraw()

    def show_line(self, position: int) -> None:
        """Mark this line and bring it into view, a third from the top where the page has to move."""
        is_seen = self._is_seen(position)
        self._stay()
        self.mark = position
        if not is_seen:
            self._top = self._top_for(position)
        self.redraw()

    def scroll_by(self, lines: int) -> None:
        if self.selected_from is not None and self.mark is not None:
            self._move_mark(lines)
            return
        self._settle_top()
        last = self._last_top()
        top = min(last, self._steps_from(self._top, lines))
        is_at_end = lines > 0 and top >= last
        if not is_at_end and self.follow:
            self._stay()
        self._top, self.follow = top, is_at_end
        self._note_seen()
        self.redraw()

    def move_across(self, direction: int) -> None:
        """Scroll to the side; wrapped lines have no more there."""
        if not self.wrap:
            self.left = max(0, min(LONGEST, self.left + direction * _SIDESTEP))
            self.redraw()

    # ------------------------------------------------------------------------------------- selection and mouse

    @property
    def selection(self) -> tuple[int, int] | None:
        """First and last position that are selected."""
        if self.selected_from is None or self.mark is None:
            return None
        return min(self.selected_from, self.mark), max(self.selected_from, self.mark)

    def begin_selection(self) -> bool:
        """Select from the marked line on where it is seen, else from the last one; false where there is none."""
        place = self.here()
        if place is None:
            return False
        self._stay()
        self.selected_from = self.mark = place
        self.redraw()
        return True

    def end_selection(self) -> None:
        """Select nothing."""
        self.selected_from = self.mark = None
        self.redraw()

    def here(self) -> int | None:
        """Position of the marked line where it is on the page, else of the last line there."""
        return self.mark if self.mark is not None and self._is_seen(self.mark) else self.last_seen()

    def last_seen(self) -> int | None:
        """Position of the last line on the page."""
        return self._drawn[-1].unit.last if self._drawn else None

    def first_seen(self) -> int:
        """Position of the first line on the page."""
        return self._drawn[0].unit.first if self._drawn else 0

    def traceback_at(self, position: int) -> tuple[int, int] | None:
        """First and last line of the traceback that a line belongs to."""
        return self._folds.around(position) if self._folds is not None else None

    def toggle_traceback(self) -> bool:
        """Open or fold the marked traceback, else the last folded one on the page; false where there is none."""
        place = self.mark
        if place is None or self.traceback_at(place) is None:
            place = next((unit.first for _, unit in reversed(self._drawn) if unit.folded), None)
        around = self.traceback_at(place) if place is not None else None
        if around is None or self._lines is None or self.selected_from is not None:
            return False
        header = self._lines.at(around[0])[0]
        self._stay()
        self._opened = self._opened ^ {(header.rank, header.number)}
        self.mark = around[0]
        self.redraw()
        return True

    def open_traceback(self, position: int) -> None:
        """Show the traceback around a line whole."""
        around = self.traceback_at(position)
        if around is not None and self._lines is not None:
            header = self._lines.at(around[0])[0]
            self._opened = self._opened | {(header.rank, header.number)}

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_by(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_by(_WHEEL_LINES)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        drawn = self._drawn_at(event.y)
        if drawn is None or event.button != 1:
            return
        is_same = (
            self.mark is not None and drawn.unit.first <= self.mark <= drawn.unit.last and self.selected_from is None
        )
        if is_same and self.toggle_traceback():
            return
        self._stay()
        self.selected_from, self.mark = None, drawn.unit.first
        self.capture_mouse()
        self.redraw()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is not self or self.mark is None:
            return
        drawn = self._drawn_at(max(1, min(event.y, len(self._drawn))))
        if drawn is not None and not drawn.unit.first <= self.mark <= drawn.unit.last:
            self.selected_from = self.mark if self.selected_from is None else self.selected_from
            self.mark = drawn.unit.last
            self.redraw()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()

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
        return frame(
            [*body, *card],
            width,
            height,
            title=((f"{number} ", "faint"), (self.title_text(), self._title_token())),
            heading=self._search_words(inner_width - 8) or self._advice(inner_width - 12),
            facts=self.facts(inner_width - 3),
            is_focused=self.has_focus,
            thumb=self._thumb(room),
        )

    def _card(self, width: int, height: int) -> list[Row]:
        """What is told over the log of a run in trouble."""
        if self.view.run is None:
            return []
        from lightning_tui.ui.failure.card import failure_card  # not for the first frame

        return failure_card(self.view, width, height, self.has_focus)

    def _advice(self, width: int) -> Row:
        """What there is to advise on the run, in one line."""
        return self.view.advice.row(width) if self.view.advice is not None else EMPTY

    def summary(self, width: int) -> Row:
        page = self._page(width, 1)
        return page[-1] if page else EMPTY

    def facts(self, width: int) -> Row:
        lines, output = self._lines, self._output
        if lines is None or output is None or (self.view.run is None and not lines.total):
            return EMPTY
        parts: list[Row] = [self._following_words(), ((_whose(output), "dim"),), self._count_words(output, lines)]
        parts += [((f"from column {self.left + 1}", "dim"),)] if self.left else []
        parts += [(("wrapped", "dim"),)] if self.wrap else []
        return join(parts, width, (" · ", "dim"))

    def _following_words(self) -> Row:
        if self.selected_from is not None and self.selection is not None:
            first, last = self.selection
            return ((f"{count(last - first + 1)} selected", "accent+b"), (f" · {self.view.key('copy')} copies", "dim"))
        if self.follow:
            return (("following", "accent"),)
        new = self._lines.total - self._seen_lines if self._lines is not None else 0
        follows: Row = ((f"{self.view.key('follow')} follows", "dim"),)
        return ((f"▼ {count(new)} new", "accent+b"), (" · ", "dim"), *follows) if new > 0 else follows

    def _count_words(self, output: Output, lines: Lines) -> Row:
        if output.share is not None:
            return ((f"the end; {output.share:.0%} read", "dim"),)
        return ((count(lines.total), "text"), (" lines" if lines.total != 1 else " line", "dim"))

    def _search_words(self, width: int) -> Row:
        search = self.search
        if search is None:
            return EMPTY
        what: Row = (("/", "dim"), (harmless(search.text), "warn")) if search.text else (("lines with errors", "warn"),)
        only: Row = EMPTY
        if self.context is not None:
            only = (("only lines that match" + (f" ± {self.context}" if self.context else ""), "dim"),)
        return join([what, self._found_words(search), only], width, (" · ", "dim"))

    def _found_words(self, search: Search) -> Row:
        place = self._number_of_hit(search) if search.text else None  # a traceback has more than one line with an error
        found = f"{count(place)} of {count(search.total)}" if place is not None else f"{count(search.total)} found"
        if search.is_complete:
            return ((found if search.total else "not found", "text" if search.total else "bad"),)
        return ((found, "text"), (f", searched {search.share:.0%}", "dim"))

    def _number_of_hit(self, search: Search) -> int | None:
        """Which hit the marked line is, from 1."""
        output, lines = self._output, self._lines
        if self.mark is None or output is None or output.rank not in search.hits or lines is None or output.log.start:
            return None
        hits = search.hits[output.rank]
        line = lines.first_from(output.rank, self.mark)
        number = hits.first_from(line)
        return number + 1 if number < hits.total and hits.line_of(number) == line else None

    def _page(self, width: int, height: int) -> list[Row]:
        lines = self._lines
        if lines is None or lines.total == 0:
            self._drawn = []
            return self._empty_rows(width)[:height]
        look = self._look(width)
        if self.follow:
            self._drawn = last_page(lines, self._folds, height, look)
        else:
            self._top = min(self._top, lines.total - 1)
            self._drawn = page_from(lines, self._folds, self._top, height, look)
            self._note_seen()
        return [row for row, _ in self._drawn]

    def _empty_rows(self, width: int) -> list[Row]:
        if self.context is not None and self.search is not None:
            word = "No line matches." if self.search.is_complete else "No line matches so far."
            return [((word, "dim"),)]
        if isinstance(self._lines, MergedLines):
            return [(("No output yet: all ranks are shown once a second.", "dim"),)]
        return waiting_rows(self.view, width)

    def _look(self, width: int) -> Look:
        chosen = self.selection or ((self.mark, self.mark) if self.mark is not None else None)
        ranks = self._output.ranks if self._output is not None else ()
        has_ranks = isinstance(self._lines, MergedLines)
        return Look(
            width,
            self.wrap,
            self.left,
            self.search.pattern if self.search is not None else None,
            chosen,
            self._opened,
            len(str(max(ranks, default=0))) if has_ranks else 0,
            self._time_of if self.has_times else None,
        )

    def _time_of(self, line: Line) -> float | None:
        output = self._output
        if output is None or output.times is None:
            return None
        log = output.merged.logs[line.rank] if output.merged is not None else output.log
        return output.times.time_at(line.rank, log.offset_of(line.number))

    def _thumb(self, height: int) -> tuple[int, int] | None:
        total = self._lines.total if self._lines is not None else 0
        if total <= height or height < 2:
            return None
        size = max(1, height * height // total)
        if self.follow:
            return height - size, height - 1
        last = max(1, self._last_top())
        first = min(self._top, last) * (height - size) // last
        return first, first + size - 1

    def _must_wait(self, is_busy: bool) -> bool:
        total = self._lines.total if self._lines is not None else 0
        now = self._clock()
        waited = now - self._looked_at
        is_flood = total - self._total_looked_at > FLOOD_LINES_PER_S * max(waited, 0.05)
        if self._known is not None and (is_busy or (is_flood and waited < FLOOD_PERIOD_S)):
            return True
        self._looked_at, self._total_looked_at = now, total
        return False

    # ---------------------------------------------------------------------------------------------- its places

    def _take_source(self, before: Output | None, output: Output | None) -> None:
        """Other lines: the whole file in place of its end keeps what is seen; anything else begins at its end."""
        is_same = before is not None and output is not None and _is_grown_tail(before, output)
        shift = output.log.line_at(before.log.start) if is_same and output is not None and before is not None else 0
        self._make_lines()
        if is_same and isinstance(self._lines, PlainLines):
            self._shift(shift)
        else:
            self._top, self.follow, self.mark, self.selected_from, self.left = 0, True, None, None, 0
            self._known, self._opened = None, frozenset()

    def _make_lines(self) -> None:
        output = self._output
        if output is None:
            self._lines = self._folds = None
            return
        if output.merged is not None:
            self._lines = output.merged
        elif self._shows_matching(output) and self.search is not None and self.context is not None:
            self._lines = MatchingLines(output.log, output.rank, self.search.hits[output.rank], self.context)
        else:
            self._lines = PlainLines(output.log, output.rank)
        self._folds = None if isinstance(self._lines, MatchingLines) else Folds(self._lines)
        self._seen_lines = self._lines.total

    def _shows_matching(self, output: Output) -> bool:
        """Numbers of hits are those of lines of the whole file: its end alone cannot be filtered."""
        search = self.search
        return self.context is not None and search is not None and output.rank in search.hits and not output.log.start

    def _shift(self, lines: int) -> None:
        self._top += lines
        self.mark = self.mark + lines if self.mark is not None else None
        self.selected_from = self.selected_from + lines if self.selected_from is not None else None
        self._seen_lines = self._lines.total if self._lines is not None else 0
        self._opened = frozenset((rank, number + lines) for rank, number in self._opened)

    def _line_at_top(self) -> Line | None:
        place = self.mark if self.mark is not None else self._top
        if self._lines is None or not 0 <= place < self._lines.total:
            return None
        return next((line for line in self._lines.at(place) if not line.is_context), None)

    def _return_to(self, line: Line | None) -> None:
        """Go to the same line of other lines, or to the next one that there is."""
        had_mark, self.mark, self.selected_from = self.mark is not None, None, None
        if line is None or self._lines is None or self.follow:
            return
        place = max(0, min(self._lines.total - 1, self._lines.position_of(line.rank, line.number)))
        self._top = self._top_for(place) if had_mark else min(place, self._last_top())
        self.mark = place if had_mark else None

    def _mark_of_all(self) -> object:
        output, lines = self._output, self._lines
        if output is None or lines is None:
            return None
        percent = int(output.share * 100) if output.share is not None else None
        search = (self.search.mark, self.search.is_complete) if self.search is not None else None
        times = self.has_times and output.times is not None
        return lines.mark, output.rank, output.ranks, percent, search, times

    def _stay(self) -> None:
        """From now on do not follow the end."""
        if self.follow:
            self._settle_top()
            self.follow = False
            self._seen_lines = self._lines.total if self._lines is not None else 0

    def _note_seen(self) -> None:
        seen = self.last_seen()
        if seen is not None:
            self._seen_lines = max(self._seen_lines, seen + 1)

    def _settle_top(self) -> None:
        """While following, the top is wherever the last page begins."""
        if self.follow:
            self._top = self._last_top()

    def _last_top(self) -> int:
        if self._lines is None or not self._lines.total:
            return 0
        width, height = self.size.width - 4, self.size.height - 2
        height -= len(self._card(width, height))
        return last_top(self._lines, self._folds, max(1, height), self._look(max(1, width)))

    def _unit_first(self, position: int) -> int:
        if self._lines is None or not self._lines.total:
            return 0
        position = max(0, min(position, self._lines.total - 1))
        return unit_at(self._lines, self._folds, position, self._opened).first

    def _steps_from(self, position: int, steps: int) -> int:
        if self._lines is None or not self._lines.total:
            return 0
        position = max(0, min(position, self._lines.total - 1))
        return moved(self._lines, self._folds, position, steps, self._opened)

    def _top_for(self, position: int) -> int:
        """Where a page begins that has this line a third from its top, or is the last one."""
        return min(self._steps_from(position, -(self.page() // 3)), self._last_top())

    def _is_seen(self, position: int) -> bool:
        return bool(self._drawn) and self._drawn[0].unit.first <= position <= self._drawn[-1].unit.last

    def _move_mark(self, lines: int) -> None:
        """Move the end of the selection, and the page with it."""
        assert self.mark is not None
        self.mark = self._steps_from(self.mark, lines)
        seen = [unit for _, unit in self._drawn]
        if seen and self.mark < seen[0].first:
            self._top = self.mark
        elif seen and self.mark > seen[-1].first:
            self._top = self._steps_from(self.mark, 1 - len(seen))
        self.redraw()

    def _drawn_at(self, y: int) -> Drawn | None:
        return self._drawn[y - 1] if self.size.height >= 3 and 0 <= y - 1 < len(self._drawn) else None


def _source(output: Output | None) -> object:
    """What makes the lines other ones."""
    if output is None:
        return None
    return (output.log, output.log.generation, output.rank) if output.merged is None else output.merged


def _is_grown_tail(before: Output, output: Output) -> bool:
    """Whether the whole file has come in place of its end."""
    is_same_file = before.log.path == output.log.path and before.rank == output.rank
    return is_same_file and before.log.start > 0 and output.log.start == 0 and not output.log.generation


def _whose(output: Output) -> str:
    if output.rank == ALL_RANKS:
        return f"all {len(output.ranks)} ranks"
    return f"rank {output.rank}" if len(output.ranks) < 2 else f"rank {output.rank} of {len(output.ranks)}"


def waiting_rows(view: View, width: int) -> list[Row]:
    """What stands in place of the log while there is none."""
    if view.is_opening and view.run is None:
        return [(("opening the run …", "dim"),)]
    if view.run is not None:
        word = "No output yet." if view.is_active else "This run wrote no output."
        return [((word, "dim"),)]
    runs: Row = (("  ", "text"), (view.key("runs"), "accent+b"), (" shows the runs there are", "dim"))
    if view.readonly:
        return [EMPTY, runs]
    if view.program is None:
        first: Row = (("  ", "text"), (view.key("open"), "accent+b"), (" in the plan chooses a program", "dim"))
    else:
        first = (("  ", "text"), (view.key("start"), "accent+b"), (" starts ", "dim"), (view.program.label, "text"))
    return [EMPTY, (("  Nothing runs yet.", "text"),), EMPTY, first, runs]
