"""The two parts of the runs screen that draw: the list, of which only the rows in sight are made, and the details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_tui.text.units import count
from lightning_tui.ui.drawing.canvas import Canvas, frame, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, centred, fill, wrap
from lightning_tui.ui.messages import CursorMoved, FilterTyped
from lightning_tui.ui.runs import table
from lightning_tui.ui.runs.details import curve_rows, detail_rows
from lightning_tui.ui.runs.lines import RunLine
from lightning_tui.ui.windows.window import hint
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from textual import events

    from lightning_tui.ui.runs.services import RunDetails

FRAMED_FROM = 8
"""Rows from which on the list has a border."""
CURVE_BESIDE_FROM = 104
CURVE_WIDTH = 46
LOWEST_CURVE = 8


class RunsTable(Canvas, can_focus=True):
    """The runs, with a cursor that stays on its run whatever comes or goes around it."""

    def __init__(self, moment: table.Moment, mark_key: str) -> None:
        super().__init__("runs-table")
        self.mark_key = mark_key
        self.moment = moment
        self.lines: Sequence[RunLine] = ()
        self.marked: tuple[str, ...] = ()
        """Directories of the marked runs, in the order in which they were marked."""
        self.total = 0
        self.order_words = ""
        self.waiting = "reading the runs …"
        self.filter = ""
        self.is_typing = False
        self.cursor = 0
        self._is_moved = False
        """Until the cursor is moved it stays on the first run, whichever that is."""
        self._top = 0

    @property
    def current(self) -> RunLine | None:
        """The run under the cursor."""
        return self.lines[self.cursor] if self.lines else None

    def take(self, lines: Sequence[RunLine]) -> None:
        """Show these; the cursor stays on its run, or where that one stood."""
        current = self.current
        self.lines = lines
        if current is not None and self._is_moved:
            places = (place for place, line in enumerate(lines) if line.directory == current.directory)
            self.cursor = next(places, self.cursor)
        self.cursor = max(0, min(self.cursor, len(lines) - 1))
        self.redraw()

    def move(self, amount: int) -> None:
        """Move the cursor."""
        self._go_to(self.cursor + amount)

    def page(self) -> int:
        """Runs of one page."""
        return max(1, self._room() - 1)

    def _go_to(self, place: int) -> None:
        self.cursor = max(0, min(len(self.lines) - 1, place))
        self._is_moved = self.cursor > 0
        self.redraw()
        self.post_message(CursorMoved())

    def _is_framed(self) -> bool:
        return self.size.height >= FRAMED_FROM and self.size.width >= 44

    def _room(self) -> int:
        """Rows for runs: without the border and the columns' names."""
        return max(1, self.size.height - (3 if self._is_framed() else 1))

    def rows(self, width: int, height: int) -> list[Row]:
        if not self._is_framed():
            return self._body(width, height)
        return frame(
            self._body(width - 4, height - 2),
            width,
            height,
            title=self._title(),
            heading=((self.order_words, "dim"),),
            facts=self._facts(),
            is_focused=True,
            thumb=self._thumb(height - 3),
        )

    def _body(self, width: int, height: int) -> list[Row]:
        if not self.lines:
            said = wrap(self.waiting, min(width, 60), "dim")
            return centred(said, width, height)
        room = height - 1
        self._top = max(0, min(max(self._top, self.cursor - room + 1), self.cursor, len(self.lines) - room))
        rows = [self._search_row() if self._is_searching_in_place() else table.header_row(width, self.moment)]
        for place in range(self._top, min(len(self.lines), self._top + room)):
            line = self.lines[place]
            is_marked = line.directory in self.marked
            rows.append(table.run_row(line, self.moment, width, is_here=place == self.cursor, is_marked=is_marked))
        return rows

    def _is_searching_in_place(self) -> bool:
        """Whether the words that are looked for stand where the columns' names stood: without a border."""
        return not self._is_framed() and (self.is_typing or bool(self.filter))

    def _search_row(self) -> Row:
        cursor: Row = (("▏", "accent"),) if self.is_typing else EMPTY
        return printable((("/ ", "accent"), (self.filter, "text+b"), *cursor))

    def _title(self) -> Row:
        if self.is_typing or self.filter:
            return (*self._search_row(), (f" {count(len(self.lines))} of {count(self.total)}", "dim"))
        return (("All runs", "text+b"),)

    def _facts(self) -> Row:
        if self.is_typing:
            return hint(("enter", "keep"), ("esc", "all runs"))
        if self.marked:
            return (("◆ ", "accent"), (f"{len(self.marked)} marked", "dim"), *self._place())
        if not self.lines:
            return EMPTY
        return (*hint((self.mark_key, "marks")), *self._place())

    def _place(self) -> Row:
        return ((f"   {count(self.cursor + 1)} of {count(len(self.lines))}", "dim"),)

    def _thumb(self, room: int) -> tuple[int, int] | None:
        total = len(self.lines)
        if total <= room:
            return None
        size = max(1, room * room // total)
        first = 1 + self._top * (room - size) // max(1, total - room)
        return first, first + size - 1

    # ----------------------------------------------------------------------------------------------------- typing

    def begin_typing(self) -> None:
        """Letters search from now on."""
        self.is_typing = True
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        if not self.is_typing:
            return
        if event.key in ("enter", "escape"):
            event.stop()
            self.is_typing = False
            self._look_for(self.filter if event.key == "enter" else "")
        elif event.key in ("backspace", "ctrl+h"):
            event.stop()
            self._look_for(self.filter[:-1])
        elif event.character is not None and event.character.isprintable():
            event.stop()
            self._look_for(self.filter + event.character)

    def clear_filter(self) -> bool:
        """Show all runs again; false where all are shown."""
        if not self.filter:
            return False
        self._look_for("")
        return True

    def _look_for(self, text: str) -> None:
        self.filter = text
        self.redraw()
        self.post_message(FilterTyped(text))

    def on_click(self, event: events.Click) -> None:
        above = 2 if self._is_framed() else 1
        if event.y >= above and self.lines:
            self._go_to(self._top + event.y - above)


class DetailsPane(Canvas):
    """What is told of the selected run."""

    def __init__(self) -> None:
        super().__init__("runs-details")
        self.line: RunLine | None = None
        self.details: RunDetails | None = None
        self.trouble = ""
        self.kin: Sequence[RunLine] = ()
        self.now = 0.0

    def show(
        self, line: RunLine | None, details: RunDetails | None, kin: Sequence[RunLine], now: float, trouble: str = ""
    ) -> None:
        """Tell this run; `trouble` is why there are no details."""
        self.line, self.details, self.kin, self.now, self.trouble = line, details, kin, now, trouble
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        line = self.line
        if line is None:
            return frame([], width, height, title=EMPTY)
        body = self._body(line, width - 4, height - 2)
        title = printable(((line.name or line.program or line.id, "dim+b"), (f" {tail_of_id(line.id)}", "dim")))
        return frame(body, width, height, title=title, heading=table.state_mark(line))

    def _body(self, line: RunLine, width: int, height: int) -> list[Row]:
        """The facts, and where there is room the curve of what matters most: beside them, or below."""
        if width >= CURVE_BESIDE_FROM and not self.trouble:
            left = width - CURVE_WIDTH - 3
            facts = detail_rows(line, self.details, self.kin, left, self.now)[:height]
            curve = curve_rows(self.details, CURVE_WIDTH, height)
            facts += [EMPTY] * (height - len(facts))
            if curve:
                return [(*fill(fact, left + 3), *row) for fact, row in zip(facts, curve, strict=True)]
        trouble = wrap(self.trouble, width, "warn")
        facts = [*trouble, *detail_rows(line, self.details, self.kin, width, self.now)][:height]
        room = min(height - len(facts) - 1, 16)
        return [*facts, EMPTY, *curve_rows(self.details, width, room)] if room >= LOWEST_CURVE else facts
