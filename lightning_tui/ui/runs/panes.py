"""The two parts of the runs screen that draw: the list, of which only the rows in sight are made, and the details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.record import UnreadableRun
from lightning_tui.text.units import count
from lightning_tui.ui.drawing.canvas import Canvas, frame, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, centred, fill, wrap
from lightning_tui.ui.messages import CursorMoved, FilterTyped
from lightning_tui.ui.runs import table
from lightning_tui.ui.runs.details import curve_rows, detail_rows
from lightning_tui.ui.runs.listing import Listing, label_of
from lightning_tui.ui.windows.window import hint
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from textual import events

    from lightning_tui.record.summaries import RunSummary
    from lightning_tui.services.runs import ListedRun
    from lightning_tui.ui.messages import DetailsRead

FRAMED_FROM = 8
"""Rows from which on the list has a border."""
CURVE_BESIDE_FROM = 104
CURVE_WIDTH = 46
LOWEST_CURVE = 8


class RunsTable(Canvas, can_focus=True):
    """The runs, with a cursor that stays on its run whatever comes or goes around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
    ]

    def __init__(self, now: float, current: str | None, home: str, mark_key: str) -> None:
        """Make it, empty; `current` is the id of the run that the cockpit shows."""
        super().__init__("runs-table")
        self.listing = Listing()
        self.runs: Sequence[ListedRun] = ()
        """Those of the list that are shown, in order."""
        self.is_typing = False
        self._mark_key = mark_key
        self._home = home
        self._now = now
        self._current_id = current
        self.cursor = 0
        self._is_moved = False
        """Until the cursor is moved it stays on the first run, whichever that is."""
        self._top = 0

    @property
    def current(self) -> ListedRun | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.runs else None

    def show(self, listing: Listing, now: float) -> None:
        """Show this list; the cursor stays on its run, or where that one stood."""
        current = self.current
        self.listing = listing
        self.runs = listing.shown(now)
        if current is not None and self._is_moved:
            places = (place for place, run in enumerate(self.runs) if run.directory == current.directory)
            self.cursor = next(places, self.cursor)
        self.cursor = max(0, min(self.cursor, len(self.runs) - 1))
        self.tick(now)

    def tick(self, now: float) -> None:
        """Let times go on."""
        self._now = now
        self.redraw()

    def mark(self, run: ListedRun) -> None:
        """Mark the run or take its mark away, and go on to the next one."""
        self.listing = self.listing.toggled(run)
        self.action_move(1)

    def unmark(self) -> bool:
        """Take all marks away; false where there is none."""
        had_any = bool(self.listing.marked)
        self.listing = self.listing._replace(marked=())
        self.redraw()
        return had_any

    def action_move(self, amount: int) -> None:
        """Move the cursor."""
        self._go_to(self.cursor + amount)

    def action_page(self, direction: int) -> None:
        """Move the cursor by pages."""
        self._go_to(self.cursor + direction * self.page())

    def page(self) -> int:
        """Runs of one page."""
        return max(1, self._room() - 1)

    def _go_to(self, place: int) -> None:
        self.cursor = max(0, min(len(self.runs) - 1, place))
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
            heading=((self.listing.order.words, "dim"),),
            facts=self._facts(),
            is_focused=True,
            thumb=self._thumb(height - 3),
        )

    def _body(self, width: int, height: int) -> list[Row]:
        if not self.runs:
            said = wrap(self.listing.waiting(self._home), min(width, 60), "dim")
            return centred(said, width, height)
        room = height - 1
        self._top = max(0, min(max(self._top, self.cursor - room + 1), self.cursor, len(self.runs) - room))
        moment = table.TableMoment(self._now, self._current_id, self.listing.order.name)
        rows = [self._search_row() if self._is_searching_in_place() else table.header_row(width, moment)]
        for place, run in enumerate(self.runs[self._top : self._top + room], self._top):
            is_marked = run.directory in self.listing.marked
            rows.append(table.run_row(run, moment, width, is_here=place == self.cursor, is_marked=is_marked))
        return rows

    def _is_searching_in_place(self) -> bool:
        """Whether the words that are looked for stand where the columns' names stood: without a border."""
        return not self._is_framed() and (self.is_typing or bool(self.listing.filter))

    def _search_row(self) -> Row:
        cursor: Row = (("▏", "accent"),) if self.is_typing else EMPTY
        return printable((("/ ", "accent"), (self.listing.filter, "text+b"), *cursor))

    def _title(self) -> Row:
        if self.is_typing or self.listing.filter:
            said = f" {count(len(self.runs))} of {count(len(self.listing.runs))}"
            return (*self._search_row(), (said, "dim"))
        return (("All runs", "text+b"),)

    def _facts(self) -> Row:
        if self.is_typing:
            return hint(("enter", "keep"), ("esc", "all runs"))
        if self.listing.marked:
            return (("◆ ", "accent"), (f"{len(self.listing.marked)} marked", "dim"), *self._place())
        if not self.runs:
            return EMPTY
        return (*hint((self._mark_key, "marks")), *self._place())

    def _place(self) -> Row:
        return ((f"   {count(self.cursor + 1)} of {count(len(self.runs))}", "dim"),)

    def _thumb(self, room: int) -> tuple[int, int] | None:
        total = len(self.runs)
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
            self._look_for(self.listing.filter if event.key == "enter" else "")
        elif event.key in ("backspace", "ctrl+h"):
            event.stop()
            self._look_for(self.listing.filter[:-1])
        elif event.character is not None and event.character.isprintable():
            event.stop()
            self._look_for(self.listing.filter + event.character)

    def clear_filter(self) -> bool:
        """Show all runs again; false where all are shown."""
        if not self.listing.filter:
            return False
        self._look_for("")
        return True

    def _look_for(self, text: str) -> None:
        self.listing = self.listing._replace(filter=text)
        self.redraw()
        self.post_message(FilterTyped())

    def on_click(self, event: events.Click) -> None:
        above = 2 if self._is_framed() else 1
        if event.y >= above and self.runs:
            self._go_to(self._top + event.y - above)


class DetailsPane(Canvas):
    """What is told of the selected run."""

    def __init__(self) -> None:
        super().__init__("runs-details")
        self._run: ListedRun | None = None
        self._kin: Sequence[RunSummary] = ()
        self._read: DetailsRead | None = None
        """What was read last, of this run or another one."""
        self._now = 0.0

    def show(self, run: ListedRun | None, kin: Sequence[RunSummary], now: float) -> None:
        """Describe this run, with its parent and its children."""
        self._run, self._kin = run, kin
        self.tick(now)

    def take(self, read: DetailsRead) -> None:
        """Describe it by these details, where they are its own."""
        self._read = read
        self.redraw()

    def tick(self, now: float) -> None:
        """Let times go on."""
        self._now = now
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        run = self._run
        if run is None:
            return frame([], width, height, title=EMPTY)
        body = self._body(run, width - 4, height - 2)
        label = run.id if isinstance(run, UnreadableRun) else label_of(run)
        title = printable(((label, "dim+b"), (f" {tail_of_id(run.id)}", "dim")))
        return frame(body, width, height, title=title, heading=table.state_mark(run))

    def _body(self, run: ListedRun, width: int, height: int) -> list[Row]:
        """The facts, and where there is room the curve of what matters most: beside them, or below."""
        read = self._read if self._read is not None and self._read.directory == run.directory else None
        details, trouble = (read.details, read.sentence) if read is not None else (None, "")
        if width >= CURVE_BESIDE_FROM and not trouble:
            left = width - CURVE_WIDTH - 3
            facts = detail_rows(run, details, self._kin, left, self._now)[:height]
            curve = curve_rows(details, CURVE_WIDTH, height)
            facts += [EMPTY] * (height - len(facts))
            if curve:
                return [(*fill(fact, left + 3), *row) for fact, row in zip(facts, curve, strict=True)]
        facts = [*wrap(trouble, width, "warn"), *detail_rows(run, details, self._kin, width, self._now)][:height]
        room = min(height - len(facts) - 1, 16)
        return [*facts, EMPTY, *curve_rows(details, width, room)] if room >= LOWEST_CURVE else facts
