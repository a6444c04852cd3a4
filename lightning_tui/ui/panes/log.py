"""The Log pane: the raw output of one rank, followed or scrolled; and, when a run has failed, what happened."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.ui.logindex import LogIndex, LogMark
from lightning_tui.ui.logtext import log_row, wrap_row
from lightning_tui.ui.panes.base import Pane, frame
from lightning_tui.ui.rows import EMPTY, Row, crop, join, wrap
from lightning_tui.ui.view import View
from lightning_tui.words import count

if TYPE_CHECKING:
    from textual import events

    from lightning_tui.record import Failure

FLOOD_LINES_PER_S = 5000
FLOOD_PERIOD_S = 0.5
_WHEEL_LINES = 3


class LogPane(Pane):
    """A page of a log of any length. Only the lines that are seen are ever read."""

    name_of_pane = "log"

    def __init__(self, view: View, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(view)
        self.follow = True
        self.wrap = False
        self._log: LogIndex | None = None
        self._rank: int | None = None
        self._ranks: tuple[int, ...] = ()
        self._mark: LogMark | None = None
        self._top = 0
        self._clock = clock
        self._looked_at = 0.0

    def show_log(self, log: LogIndex | None, rank: int | None, ranks: tuple[int, ...], is_busy: bool = False) -> None:
        """Take what the follower has; repaint where the page would look different.

        While lines pour in faster than anyone reads, or the terminal has not taken the last frame yet (`is_busy`),
        pages are skipped.
        """
        if log is not self._log:
            self._log, self._top, self.follow, self._mark = log, 0, True, None
        self._rank, self._ranks = rank, ranks
        mark = log.mark if log is not None else None
        if mark == self._mark or self._must_wait(mark, is_busy):
            return
        self._mark = mark
        self.redraw()

    def set_follow(self, follow: bool) -> None:
        """Follow the end, or stay on this page."""
        self._settle_top()
        self.follow = follow
        self.redraw()

    def set_wrap(self, wrap_lines: bool) -> None:
        """Break long lines, or cut them."""
        self.wrap = wrap_lines
        self.redraw()

    def go_to(self, line: int) -> None:
        """Put this line at the top and stay there."""
        self.follow = False
        self._top = line
        self.redraw()

    def scroll_by(self, lines: int) -> None:
        self._settle_top()
        last_top = self._last_top()
        self._top = max(0, min(last_top, self._top + lines))
        self.follow = lines > 0 and self._top >= last_top
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_by(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_by(_WHEEL_LINES)

    def rows(self, width: int, height: int) -> list[Row]:
        if height < 3:
            return [crop(self.summary(width), width)]
        inner_width, inner_height = width - 4, height - 2
        card = failure_card(self.view, inner_width, inner_height // 2)
        room = inner_height - len(card)
        body = self._page(inner_width, room)
        body = body if len(body) == room or not card else [*body, *[EMPTY] * (room - len(body))]
        number = self.view.pane_key(self.name_of_pane)
        return frame(
            [*body, *card],
            width,
            height,
            title=((f"{number} ", "faint"), (self.title_text(), self._title_token())),
            facts=self.facts(inner_width - 3),
            is_focused=self.has_focus,
            thumb=self._thumb(room),
        )

    def summary(self, width: int) -> Row:
        page = self._page(width, 1)
        return page[-1] if page else EMPTY

    def facts(self, width: int) -> Row:
        log = self._log
        if log is None or (self.view.run is None and not log.lines):
            return EMPTY
        whose = f"rank {self._rank}" if len(self._ranks) < 2 else f"rank {self._rank} of {len(self._ranks)}"
        following: Row = (("following", "accent"),) if self.follow else (("space follows", "dim"),)
        lines: Row = ((count(log.lines), "text"), (" lines" if log.lines != 1 else " line", "dim"))
        parts = [((whose, "dim"),), following, lines, ((("wrapped", "dim"),) if self.wrap else EMPTY)]
        return join(parts, width, (" · ", "dim"))

    def _page(self, width: int, height: int) -> list[Row]:
        log = self._log
        if log is None or log.lines == 0:
            return waiting_rows(self.view, width)[:height]
        if self.follow:
            return last_page(log, width, height, self.wrap)
        return page_from(log, self._top, width, height, self.wrap)

    def _settle_top(self) -> None:
        """While following, the top is wherever the last page begins."""
        if self.follow:
            self._top = self._last_top()

    def _last_top(self) -> int:
        if self._log is None:
            return 0
        width, height = self.size.width - 4, self.size.height - 2
        height -= len(failure_card(self.view, width, height // 2))
        if not self.wrap:
            return max(0, self._log.lines - height)
        return _first_of_last_page(self._log, width, height)

    def _thumb(self, height: int) -> tuple[int, int] | None:
        lines = self._log.lines if self._log is not None else 0
        if lines <= height or height < 2:
            return None
        size = max(1, height * height // lines)
        last_top = max(1, self._last_top())
        top = last_top if self.follow else min(self._top, last_top)
        first = top * (height - size) // last_top
        return first, first + size - 1

    def _must_wait(self, mark: LogMark | None, is_busy: bool) -> bool:
        if mark is None or self._mark is None or mark.generation != self._mark.generation:
            return False
        now = self._clock()
        waited = now - self._looked_at
        is_flood = mark.lines - self._mark.lines > FLOOD_LINES_PER_S * max(waited, 0.05)
        if is_busy or (is_flood and waited < FLOOD_PERIOD_S):
            return True
        self._looked_at = now
        return False


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


# ------------------------------------------------------------------------------------------------------------ pages


def page_from(log: LogIndex, top: int, width: int, height: int, is_wrapped: bool) -> list[Row]:
    """The rows of a page whose first line is `top`."""
    rows: list[Row] = []
    number = top
    while len(rows) < height and number < log.lines:
        rows.extend(_rows_of_line(log, number, width, is_wrapped))
        number += 1
    return rows[:height]


def last_page(log: LogIndex, width: int, height: int, is_wrapped: bool) -> list[Row]:
    """The rows of the page at the end."""
    rows: list[Row] = []
    number = log.lines - 1
    while len(rows) < height and number >= 0:
        rows = [*_rows_of_line(log, number, width, is_wrapped), *rows]
        number -= 1
    return rows[-height:] if height > 0 else []


def _rows_of_line(log: LogIndex, number: int, width: int, is_wrapped: bool) -> list[Row]:
    row = log_row(log.line(number))
    return wrap_row(row, width) if is_wrapped else [crop(row, width)]


def _first_of_last_page(log: LogIndex, width: int, height: int) -> int:
    number, rows = log.lines, 0
    while number > 0 and rows < height:
        number -= 1
        rows += len(_rows_of_line(log, number, width, True))
    return number if rows <= height else min(log.lines - 1, number + 1)


# ------------------------------------------------------------------------------------------------------------- card


class Story(NamedTuple):
    """A failure as the card tells it."""

    title: str
    where: str
    sentence: str


def failure_card(view: View, width: int, height: int) -> list[Row]:
    """What happened, where, and which keys help: at most `height` rows, none where nothing has failed."""
    if view.run is None or view.state != "failed" or height < 2:
        return []
    story = tell(view)
    inside = width - 4
    rows: list[Row] = [join([((story.title, "bad+b"),), ((story.where, "dim"),)], inside, ("   ", "text"))]
    sentence = wrap(story.sentence, inside)[: max(1, min(3, height - 2))]
    rows += sentence
    rows.append(_help_row(view, inside))
    rows = rows[:height]
    last = len(rows) - 1
    bracket = ["╭╴" if y == 0 else "╰╴" if y == last else "│ " for y in range(len(rows))]
    return [((f" {bracket[y]} ", "bad"), *row) for y, row in enumerate(rows)]


def tell(view: View) -> Story:
    """The failure in three parts."""
    assert view.run is not None
    failure, ended = view.run.failure, view.run.ended
    if failure is None:
        title = "The program could not be started" if ended and ended.cause == "launch" else "The run failed"
        return Story(title, "", view.run.detail)
    first_line = failure.message.strip().partition("\n")[0] or "no message"
    where = [f"rank {failure.rank}" if failure.rank is not None else "", failure.hook or "", last_frame(failure)]
    return Story(failure.type, " · ".join(part for part in where if part), first_line)


def last_frame(failure: Failure) -> str:
    """The innermost place in the traceback that is no library's: `train.py:41 in training_step`."""
    frames = re.findall(r'File "([^"\n]+)", line (\d+), in (\S+)', failure.traceback)
    if not frames:
        return ""
    own = [found for found in frames if "site-packages" not in found[0] and "/lib/python" not in found[0]]
    path, line, function = (own or frames)[-1]
    return f"{path.rpartition('/')[2]}:{line} in {function}"


def _help_row(view: View, width: int) -> Row:
    start: Row = ((view.key("start"), "accent+b"), (" start again", "dim"))
    others: Row = ((view.key("rank"), "accent+b"), (" other ranks", "dim"))
    ranks = view.run.ranks if view.run is not None else ()
    parts = [
        EMPTY if view.readonly else start,
        others if len(ranks) > 1 else EMPTY,
        ((view.key("wrap"), "accent+b"), (" wrap lines", "dim")),
        ((view.key("runs"), "accent+b"), (" runs", "dim")),
    ]
    return join(parts, width, ("   ", "text"))
