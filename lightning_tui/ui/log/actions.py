"""What the keys of the log do: search, step through hits and errors, filter, jump, select, copy, save."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from lightning_tui.text.units import count
from lightning_tui.ui.log.lines import ALL_RANKS, MatchingLines
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.log.following import Output, OutputFollower
    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.log.search import Search
    from lightning_tui.ui.messages import LogCopied
    from lightning_tui.ui.port import Port

CONTEXT_LINES = 2
NO_LOG = "there is no log to look at"

Direction = Literal[1, -1]


class Jump(msgspec.Struct, frozen=True):
    """Where a person wants to go: to a share of the log, to a line counted from 1, or to a time."""

    share: float | None = None
    line: int | None = None
    moment: float | None = None


def parse_jump(text: str, now: float) -> Jump:
    """`50 %`, `1200`, `12:31`, `10m` (ago), `start`, `end`.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if text in ("start", "end"):
        return Jump(share=0.0 if text == "start" else 1.0)
    if (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)) and float(match[1]) <= 100:
        return Jump(share=float(match[1]) / 100)
    if re.fullmatch(r"[0-9]{1,15}", text) and int(text) > 0:
        return Jump(line=int(text))
    try:
        from lightning_tui.output.times import parse_moment

        return Jump(moment=parse_moment(text, now))
    except ValueError:
        raise ValueError(
            f"{text!r} is no place in the log. Allowed are 50 %, a line's number (1200), a time (12:31:05, "
            "2026-05-01 12:31), how long ago (10m, 2h), start and end."
        ) from None


class LogActions:
    """Carries out the keys of the log pane. All of it runs on the event loop; slow work goes to threads."""

    def __init__(self, port: Port, pane: LogPane, clock: Callable[[], float]) -> None:
        self._port = port
        self._pane = pane
        self._clock = clock
        self.reading: OutputFollower | None = None
        self._search: Search | None = None
        self._filters_next = False
        """Whether what is typed next shall also be all that is shown."""
        self._last_text = ""
        self._wanted: Direction | None = None
        """A step to a hit that the search has not come to yet."""
        self._wanted_moment: float | None = None

    def follow(self, reading: OutputFollower | None) -> None:
        """Show what this one reads from now on."""
        self.stop_search()
        self.reading = reading
        self._wanted_moment = None
        self._pane.show_output(None)
        if reading is not None:
            reading.wants_times = self._pane.has_times

    def tick(self, is_busy: bool) -> None:
        """Take what the threads have left."""
        output = self.reading.newest if self.reading is not None else None
        if output is None:
            return
        if self._search is not None and self._search.problem is not None:
            self._port.notice(self._search.problem, "warn")
            self.stop_search()
        self._search_where_it_is_shown(output)
        self._pane.show_output(output, is_busy)
        if self._wanted is not None:
            self._step(self._wanted)
        if self._wanted_moment is not None and output.times is not None and output.share is None:
            self._go_to_moment(self._wanted_moment, output)

    def go_to(self, rank: int, line: int) -> bool:
        """Go to this line of a rank; false where it cannot be shown yet: then that rank's output is asked for."""
        reading, output, lines = self.reading, self._pane.output, self._pane.lines
        if reading is None:
            return True
        if output is None or lines is None or output.rank not in (rank, ALL_RANKS):
            reading.choose(rank)
            return False
        if output.share is not None:  # only its end is known, and its lines have other numbers
            return False
        position = max(0, min(lines.total - 1, lines.position_of(rank, line)))
        self._pane.open_traceback(position)
        self._pane.show_line(position)
        return True

    def stop(self) -> None:
        """End what goes on in threads."""
        if self._search is not None:
            self._search.stop()

    # ----------------------------------------------------------------------------------------------------- keys

    def act(self, what: str) -> None:
        """Do what a key asks for; its name stands in the table of keys."""
        if what == "rank":
            self._choose_rank()
        elif self._pane.lines is None:
            self._port.notice(NO_LOG)
        else:
            self._acts()[what]()

    def _acts(self) -> dict[str, Callable[[], None]]:
        pane = self._pane
        return {
            "follow": lambda: pane.set_follow(not pane.follow),
            "top": lambda: pane.go_to(0),
            "bottom": lambda: pane.set_follow(True),
            "wrap": lambda: pane.set_wrap(not pane.wrap),
            "times": self._toggle_times,
            "search": lambda: self._ask_for_pattern(filters=False),
            "filter": self._next_filter,
            "next": lambda: self._step(1),
            "previous": lambda: self._step(-1),
            "jump": self._ask_for_jump,
            "select": self._toggle_selection,
            "copy": self._copy,
            "save": self._save,
        }

    def back(self) -> bool:
        """Leave what was begun last: a selection, the filter, the search, the mark. False where there is none."""
        pane = self._pane
        if pane.selected_from is not None:
            pane.end_selection()
        elif pane.context is not None:
            pane.show_search(self._search, None)
        elif self._search is not None:
            self.stop_search()
        elif pane.mark is not None:
            pane.end_selection()
        else:
            return False
        return True

    def _choose_rank(self) -> None:
        output, run, reading = self._pane.output, self._port.view.run, self.reading
        if reading is None or run is None or output is None or len(output.ranks) < 2:
            self._port.notice("there is the output of one rank only" if run is not None else "no run is open")
            return
        from lightning_tui.ui.log.ranks_window import rank_window

        window = rank_window(run, output.ranks, output.rank, is_active=self._port.view.is_active)

        def take(rank: int | None) -> None:
            if rank is not None:
                reading.choose(rank)

        self._port.open(window, take)

    def _toggle_times(self) -> None:
        if self.reading is not None:
            self.reading.wants_times = True
        self._pane.set_times(not self._pane.has_times)

    # --------------------------------------------------------------------------------------------------- search

    def stop_search(self) -> None:
        """Look for nothing any more."""
        if self._search is not None:
            self._search.stop()
        self._search = self._wanted = None
        self._pane.show_search(None, None)

    def _ask_for_pattern(self, *, filters: bool) -> None:
        from lightning_tui.output.search import compile_search

        self._filters_next = filters
        title = "Show only lines that match" if filters else "Search"
        explanation = (
            "A regular expression, such as loss=\\d+ or nan|inf. Small letters find capitals too. "
            f"Then {self._key('next-hit')} and {self._key('previous-hit')} step through what was found, esc clears it."
        )
        self._prompt(title, explanation, compile_search, self._take_pattern, self._last_text)

    def _take_pattern(self, text: str) -> None:
        from lightning_tui.output.search import compile_search

        self._last_text = text
        self._begin(text, compile_search(text), 0 if self._filters_next else None)
        if not self._pane.follow and not self._filters_next:
            self._step(1)

    def _begin(
        self, text: str, patterns: tuple[re.Pattern[bytes], re.Pattern[str] | None], context: int | None
    ) -> None:
        output = self._pane.output
        if output is None:
            return
        if self._search is not None:
            self._search.stop()
        self._search = self._searching(text, patterns, output)
        if output.rank == ALL_RANKS and context is not None:
            context = None
            self._say_filter_is_of_one_rank()
        self._wanted = None
        self._pane.show_search(self._search, context)

    def _searching(
        self, text: str, patterns: tuple[re.Pattern[bytes], re.Pattern[str] | None], output: Output
    ) -> Search:
        from lightning_tui.ui.log.search import Search

        search = Search(text, patterns, _paths(output), self._port.post_message)
        search.start()
        return search

    def _search_where_it_is_shown(self, output: Output) -> None:
        """Another rank's output is shown now: look for the same there."""
        search = self._search
        if search is not None and {rank: hits.path for rank, hits in search.hits.items()} != _paths(output):
            shown = self._pane.context
            search.stop()
            self._search = self._searching(search.text, search.patterns, output)
            self._pane.show_search(self._search, shown if output.rank != ALL_RANKS else None)

    def _next_filter(self) -> None:
        """All lines, only those that match, those with some around them, all lines again."""
        pane = self._pane
        if pane.output is not None and pane.output.rank == ALL_RANKS:
            self._say_filter_is_of_one_rank()
        elif self._search is None:
            self._ask_for_pattern(filters=True)
        else:
            following = {None: 0, 0: CONTEXT_LINES, CONTEXT_LINES: None}
            pane.show_search(self._search, following[pane.context])

    def _say_filter_is_of_one_rank(self) -> None:
        self._port.notice(f"one rank's lines can be filtered: {self._key('rank')} chooses it", "warn")

    def _step(self, direction: Direction) -> None:
        """Go to the next or previous hit; with no search, to the next or previous error."""
        pane = self._pane
        if self._search is None:
            from lightning_tui.output.search import compile_errors

            self._begin("", (compile_errors(), None), None)
        search, lines, output = self._search, pane.lines, pane.output
        if search is None or lines is None or output is None:
            return
        if output.share is not None or (isinstance(lines, MatchingLines) and not search.is_complete):
            self._wanted = direction
            return
        # Whoever follows the end stands behind the last hit: there is nothing below.
        direction = -1 if pane.follow and pane.mark is None else direction
        found = self._hit_from(direction)
        if found is not None and (direction > 0 or search.is_complete):
            self._wanted = None
            if search.text:
                pane.open_traceback(found)
            pane.show_line(found)
        elif not search.is_complete:
            self._wanted = direction
        else:
            self._wanted = None
            self._port.notice(self._nothing_found(search, direction))

    def _hit_from(self, direction: Direction) -> int | None:
        from lightning_tui.ui.log.search import next_hit, previous_hit

        pane, search = self._pane, self._search
        lines = pane.lines
        if search is None or lines is None or not lines.total:
            return None
        here = pane.mark if pane.mark is not None else (lines.total if pane.follow else None)
        folded = pane.traceback_at(here) if here is not None and not search.text else None
        first, last = folded or (here, here)
        if direction > 0:
            begin = last + 1 if last is not None else pane.first_seen()
            return next_hit(lines, search.hits, begin) if begin < lines.total else None
        return previous_hit(lines, search.hits, first if first is not None else pane.first_seen())

    def _nothing_found(self, search: Search, direction: Direction) -> str:
        what = f"/{search.text}" if search.text else "error"
        if not search.total:
            if not search.text:
                self.stop_search()
            return f"{what}: not found" if search.text else "no error is in this log"
        other = self._key("previous-hit") if direction > 0 else self._key("next-hit")
        return f"no more below, {other} goes up" if direction > 0 else f"no more above, {other} goes down"

    # ----------------------------------------------------------------------------------------------------- jump

    def _ask_for_jump(self) -> None:
        explanation = "To 50 %, line 1200, the time 12:31 or 10m ago (by the second), start or end."
        self._prompt("Jump", explanation, lambda text: parse_jump(text, self._clock()), self._take_jump)

    def _take_jump(self, text: str) -> None:
        pane, lines = self._pane, self._pane.lines
        jump = parse_jump(text, self._clock())
        if lines is None:
            return
        if jump.moment is not None:
            self._wanted_moment = jump.moment
            if self.reading is not None:
                self.reading.wants_times = True
        elif jump.share == 1.0:
            pane.set_follow(True)
        elif jump.share is not None:
            pane.go_to(int(lines.total * jump.share))
        elif jump.line is not None and jump.line > lines.total:
            self._port.notice(f"there are {count(lines.total)} lines")
        elif jump.line is not None:
            pane.show_line(jump.line - 1)

    def _go_to_moment(self, moment: float, output: Output) -> None:
        lines, times = self._pane.lines, output.times
        self._wanted_moment = None
        if lines is None or times is None:
            return
        ranks = output.ranks if output.merged is not None else (output.rank,)
        logs = output.merged.logs if output.merged is not None else {output.rank: output.log}
        places = [lines.position_of(rank, logs[rank].line_at(times.offset_at(rank, moment))) for rank in ranks]
        if not any(True for _ in times.ticks()):
            self._port.notice("when the lines were written is not known: no supervisor sampled their sizes", "warn")
        elif min(places) >= lines.total:
            self._pane.set_follow(True)
            self._port.notice("nothing was written after that")
        else:
            self._pane.show_line(min(places))

    # ----------------------------------------------------------------------------------------- select, copy, save

    def _toggle_selection(self) -> None:
        if self._pane.selected_from is not None:
            self._pane.end_selection()
        elif self._pane.begin_selection():
            keys = f"↑ and ↓ select lines, {self._key('copy')} copies them, esc ends it"
            self._port.notice(keys)

    def _copy(self) -> None:
        """Copy the selection, the traceback that is marked, the marked line, or the last line that is seen."""
        pane, run = self._pane, self._directory()
        place = pane.here()
        if place is None or pane.lines is None or run is None:
            self._port.notice(NO_LOG)
            return
        from lightning_tui.ui.log.copying import copy_lines

        traceback = pane.traceback_at(place)
        first, last = pane.selection or traceback or (place, place)
        what = "traceback" if pane.selection is None and traceback is not None else ""
        lines, target = pane.lines.twin(), run.path / "copied.txt"
        self._act("copying", lambda: copy_lines(lines, first, last, target, what))

    def _save(self) -> None:
        """Write all lines that can be scrolled through to a file of their own."""
        pane, run, output = self._pane, self._directory(), self._pane.output
        if pane.lines is None or run is None or output is None:
            self._port.notice(NO_LOG)
            return
        if not isinstance(pane.lines, MatchingLines) and output.merged is None:
            self._port.notice(f"all of it is in {output.log.path}")
            return
        from lightning_tui.ui.log.copying import save_lines

        whose = "all-ranks" if output.rank == ALL_RANKS else f"rank-{output.rank}"
        what = "matching" if isinstance(pane.lines, MatchingLines) else "merged"
        lines, target = pane.lines.twin(), run.path / f"log-{whose}-{what}.txt"
        self._port.notice("saving the shown lines …", seconds=None)
        self._act("saving", lambda: save_lines(lines, target))

    def _act(self, name: str, act: Callable[[], LogCopied]) -> None:
        Action(name, act, self._port.post_message).start()

    # ---------------------------------------------------------------------------------------------------- details

    def _prompt(
        self, title: str, explanation: str, check: Callable[[str], object], take: Callable[[str], None], last: str = ""
    ) -> None:
        from lightning_tui.ui.log.prompt import LogPrompt

        window = LogPrompt(title, explanation, check, lambda: self._pane.region, last)
        self._port.open(window, lambda text: take(text) if text else None)

    def _directory(self) -> RunDirectory | None:
        return self.reading.directory if self.reading is not None else None

    def _key(self, key_id: str) -> str:
        return self._port.view.key(key_id)


def _paths(output: Output) -> dict[int, Path]:
    if output.merged is not None:
        return {rank: log.path for rank, log in output.merged.logs.items()}
    return {output.rank: output.log.path}
