"""Where in the log is a person? What is seen of its lines, whether the end is followed, and what is marked there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.ui.log.lines import Folds, Line, Lines, MatchingLines
from lightning_tui.ui.log.page import Drawn, Look, last_page, last_top, moved, page_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.ui.drawing.rows import Row
    from lightning_tui.ui.log.page import Unit


class Room(NamedTuple):
    """What a page depends on but for its place."""

    look: Look
    height: int
    """Rows of log lines."""
    page: int
    """Rows by which a page is turned."""


class LogPlace:
    """A place among lines that grow. Positions are those of `lines`, from 0; without lines nothing moves."""

    def __init__(self, room: Callable[[], Room], redraw: Callable[[], None]) -> None:
        """Make it; `room` tells of the page as it would be drawn now, `redraw` is called after each move."""
        self.lines: Lines | None = None
        self.follow = True
        self.top = 0
        self.mark: int | None = None
        """The line that was gone to, clicked, or is at the moving end of a selection."""
        self.selected_from: int | None = None
        """Where a selection began."""
        self.opened: frozenset[tuple[int, int]] = frozenset()
        """Rank and number of the first lines of tracebacks that are shown whole."""
        self.drawn: list[Drawn] = []
        """The page as it was drawn last."""
        self._folds: Folds | None = None
        self._seen = 0
        self._room = room
        self._redraw = redraw

    @property
    def total(self) -> int:
        """How many lines there are."""
        return self.lines.total if self.lines is not None else 0

    @property
    def unseen(self) -> int:
        """How many lines have come that were never on a page."""
        return self.total - self._seen

    # ---------------------------------------------------------------------------------------------- other lines

    def show(self, lines: Lines | None) -> None:
        """Take other lines; the place among them is still to be told."""
        self.lines = lines
        self._folds = None if lines is None or isinstance(lines, MatchingLines) else Folds(lines)
        self._seen = self.total

    def begin_anew(self) -> None:
        """Follow the end of lines of which nothing is known yet."""
        self.top, self.follow, self.mark, self.selected_from, self.opened = 0, True, None, None, frozenset()

    def shift(self, amount: int) -> None:
        """The same lines have other positions now."""
        self.top += amount
        self.mark = self.mark + amount if self.mark is not None else None
        self.selected_from = self.selected_from + amount if self.selected_from is not None else None
        self.opened = frozenset((rank, number + amount) for rank, number in self.opened)

    def line(self) -> Line | None:
        """The marked line, or the one at the top."""
        place = self.mark if self.mark is not None else self.top
        if self.lines is None or not 0 <= place < self.total:
            return None
        return next((line for line in self.lines.at(place) if not line.is_context), None)

    def return_to(self, line: Line | None) -> None:
        """Go to the same line of other lines, or to the next one that there is."""
        had_mark, self.mark, self.selected_from = self.mark is not None, None, None
        if line is None or self.lines is None or self.follow:
            return
        place = max(0, min(self.total - 1, self.lines.position_of(line.rank, line.number)))
        self.top = self._top_for(place) if had_mark else min(place, self._last_top())
        self.mark = place if had_mark else None

    # --------------------------------------------------------------------------------------------------- moving

    def set_follow(self, follow: bool) -> None:
        """Follow the end, or stay on this page."""
        self._settle_top()
        self.follow, self._seen = follow, self.total
        if follow:
            self.mark = self.selected_from = None
        self._redraw()

    def go_to(self, position: int) -> None:
        """Put this line at the top and stay there."""
        self._stay()
        self.top = min(self._steps_from(position, 0), self._last_top())
        self._redraw()

    def show_line(self, position: int) -> None:
        """Mark this line and bring it into view, a third from the top where the page has to move."""
        is_seen = self._is_seen(position)
        self._stay()
        self.mark = position
        if not is_seen:
            self.top = self._top_for(position)
        self._redraw()

    def scroll_by(self, amount: int) -> None:
        """Move the page, or the end of the selection and the page with it."""
        if self.selected_from is not None and self.mark is not None:
            self._move_mark(self.mark, amount)
            return
        self._settle_top()
        last = self._last_top()
        top = min(last, self._steps_from(self.top, amount))
        is_at_end = amount > 0 and top >= last
        if not is_at_end and self.follow:
            self._stay()
        self.top, self.follow = top, is_at_end
        self._note_seen()
        self._redraw()

    def _move_mark(self, mark: int, amount: int) -> None:
        self.mark = mark = self._steps_from(mark, amount)
        if self.drawn and mark < self.drawn[0].unit.first:
            self.top = mark
        elif self.drawn and mark > self.drawn[-1].unit.first:
            self.top = self._steps_from(mark, 1 - len(self.drawn))
        self._redraw()

    # ------------------------------------------------------------------------------------------- what is marked

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
        self._redraw()
        return True

    def end_selection(self) -> None:
        """Select nothing."""
        self.selected_from = self.mark = None
        self._redraw()

    def click(self, unit: Unit) -> bool:
        """Mark this; false where it was marked already, and is a traceback: then that is opened or folded."""
        is_same = self.mark is not None and unit.first <= self.mark <= unit.last and self.selected_from is None
        if is_same and self.toggle_traceback():
            return False
        self._stay()
        self.selected_from, self.mark = None, unit.first
        self._redraw()
        return True

    def drag_to(self, unit: Unit) -> None:
        """Select from the marked line to this."""
        if self.mark is not None and not unit.first <= self.mark <= unit.last:
            self.selected_from = self.mark if self.selected_from is None else self.selected_from
            self.mark = unit.last
            self._redraw()

    def here(self) -> int | None:
        """Position of the marked line where it is on the page, else of the last line there."""
        return self.mark if self.mark is not None and self._is_seen(self.mark) else self.last_seen()

    def last_seen(self) -> int | None:
        """Position of the last line on the page."""
        return self.drawn[-1].unit.last if self.drawn else None

    def first_seen(self) -> int:
        """Position of the first line on the page."""
        return self.drawn[0].unit.first if self.drawn else 0

    # ------------------------------------------------------------------------------------------------ tracebacks

    def traceback_at(self, position: int) -> tuple[int, int] | None:
        """First and last line of the traceback that a line belongs to."""
        return self._folds.around(position) if self._folds is not None else None

    def toggle_traceback(self) -> bool:
        """Open or fold the marked traceback, else the last folded one on the page; false where there is none."""
        place = self.mark
        if place is None or self.traceback_at(place) is None:
            place = next((unit.first for _, unit in reversed(self.drawn) if unit.folded), None)
        around = self.traceback_at(place) if place is not None else None
        if around is None or self.selected_from is not None:
            return False
        self._stay()
        self.opened ^= self._header(around[0])
        self.mark = around[0]
        self._redraw()
        return True

    def open_traceback(self, position: int) -> None:
        """Show the traceback around a line whole."""
        if (around := self.traceback_at(position)) is not None:
            self.opened |= self._header(around[0])

    def _header(self, position: int) -> frozenset[tuple[int, int]]:
        assert self.lines is not None
        header = self.lines.at(position)[0]
        return frozenset({(header.rank, header.number)})

    # --------------------------------------------------------------------------------------------------- its page

    def page(self, height: int, look: Look) -> list[Row]:
        """The rows that are seen now."""
        if self.lines is None or not self.total:
            self.drawn = []
        elif self.follow:
            self.drawn = last_page(self.lines, self._folds, height, look)
        else:
            self.top = min(self.top, self.total - 1)
            self.drawn = page_from(self.lines, self._folds, self.top, height, look)
            self._note_seen()
        return [row for row, _ in self.drawn]

    def thumb(self, height: int) -> tuple[int, int] | None:
        """First and last row of a bar that tells which part is seen; none where all is."""
        if self.total <= height or height < 2:
            return None
        size = max(1, height * height // self.total)
        if self.follow:
            return height - size, height - 1
        last = max(1, self._last_top())
        first = min(self.top, last) * (height - size) // last
        return first, first + size - 1

    def _stay(self) -> None:
        """From now on do not follow the end."""
        if self.follow:
            self._settle_top()
            self.follow, self._seen = False, self.total

    def _note_seen(self) -> None:
        if (last := self.last_seen()) is not None:
            self._seen = max(self._seen, last + 1)

    def _settle_top(self) -> None:
        """While following, the top is wherever the last page begins."""
        if self.follow:
            self.top = self._last_top()

    def _last_top(self) -> int:
        if self.lines is None or not self.total:
            return 0
        room = self._room()
        return last_top(self.lines, self._folds, room.height, room.look)

    def _steps_from(self, position: int, steps: int) -> int:
        if self.lines is None or not self.total:
            return 0
        return moved(self.lines, self._folds, max(0, min(position, self.total - 1)), steps, self.opened)

    def _top_for(self, position: int) -> int:
        """Where a page begins that has this line a third from its top, or is the last one."""
        return min(self._steps_from(position, -(self._room().page // 3)), self._last_top())

    def _is_seen(self, position: int) -> bool:
        return bool(self.drawn) and self.first_seen() <= position <= self.drawn[-1].unit.last
