"""What do the keys that search the log do? They ask for a pattern, step through hits or errors, and filter by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from lightning_tui.ui.log.lines import ALL_RANKS, MatchingLines

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_tui.ui.log.following import Output
    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.log.search import Search
    from lightning_tui.ui.port import Port

CONTEXT_LINES = 2

Direction = Literal[1, -1]


class LogSearch:
    """The one search that goes on, if any. The pane shows what it finds."""

    def __init__(self, port: Port, pane: LogPane) -> None:
        self._port = port
        self._pane = pane
        self._search: Search | None = None
        self._filters_next = False
        """Whether what is typed next shall also be all that is shown."""
        self._last_text = ""
        self._wanted: Direction | None = None
        """A step to a hit that the search has not come to yet."""

    def stop(self) -> None:
        """Look for nothing any more."""
        self.end_thread()
        self._search = self._wanted = None
        self._pane.show_search(None, None)

    def end_thread(self) -> None:
        """Leave what was found as it is."""
        if self._search is not None:
            self._search.stop()

    def back(self) -> bool:
        """Leave the filter, else the search; false where there is none."""
        if self._search is None:
            return False
        if self._pane.context is not None:
            self._pane.show_search(self._search, None)
        else:
            self.stop()
        return True

    def look(self, output: Output) -> None:
        """Say why a search was given up; where another rank's output is shown now, look for the same there."""
        if self._search is not None and self._search.problem is not None:
            self._port.notice(self._search.problem, "warn")
            self.stop()
        self._search_where_it_is_shown(output)

    def go_on(self) -> None:
        """Take the step that is still wanted."""
        if self._wanted is not None:
            self.step(self._wanted)

    def ask(self, *, filters: bool) -> None:
        from lightning_tui.output.search import compile_search
        from lightning_tui.ui.log.prompt import ask

        self._filters_next = filters
        title = "Show only lines that match" if filters else "Search"
        key = self._port.view.key
        explanation = (
            "A regular expression, such as loss=\\d+ or nan|inf. Case is ignored unless there is a capital letter. "
            f"Then {key('next-hit')} and {key('previous-hit')} step through what was found, esc clears it."
        )
        ask(self._port, self._pane, title, explanation, compile_search, self._take_pattern, self._last_text)

    def _take_pattern(self, text: str) -> None:
        from lightning_tui.output.search import compile_search

        self._last_text = text
        self._begin(text, compile_search(text), 0 if self._filters_next else None)
        if not self._pane.place.follow and not self._filters_next:
            self.step(1)

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

    def next_filter(self) -> None:
        """All lines, only those that match, those with some around them, all lines again."""
        pane = self._pane
        if pane.output is not None and pane.output.rank == ALL_RANKS:
            self._say_filter_is_of_one_rank()
        elif self._search is None:
            self.ask(filters=True)
        else:
            following = {None: 0, 0: CONTEXT_LINES, CONTEXT_LINES: None}
            pane.show_search(self._search, following[pane.context])

    def _say_filter_is_of_one_rank(self) -> None:
        self._port.notice(f"one rank's lines can be filtered: {self._port.view.key('rank')} chooses it", "warn")

    def step(self, direction: Direction) -> None:
        """Go to the next or previous hit; with no search, to the next or previous error."""
        pane = self._pane
        if self._search is None:
            from lightning_tui.output.search import compile_errors

            self._begin("", (compile_errors(), None), None)
        search, place, output = self._search, pane.place, pane.output
        if search is None or place.lines is None or output is None:
            return
        if output.share is not None or (isinstance(place.lines, MatchingLines) and not search.is_complete):
            self._wanted = direction
            return
        # Whoever follows the end stands behind the last hit: there is nothing below.
        direction = -1 if place.follow and place.mark is None else direction
        found = self._hit_from(direction)
        if found is not None and (direction > 0 or search.is_complete):
            self._wanted = None
            if search.text:
                place.open_traceback(found)
            place.show_line(found)
        elif not search.is_complete:
            self._wanted = direction
        else:
            self._wanted = None
            self._port.notice(self._nothing_found(search, direction))

    def _hit_from(self, direction: Direction) -> int | None:
        from lightning_tui.ui.log.search import next_hit, previous_hit

        place, search = self._pane.place, self._search
        lines = place.lines
        if search is None or lines is None or not lines.total:
            return None
        here = place.mark if place.mark is not None else (lines.total if place.follow else None)
        folded = place.traceback_at(here) if here is not None and not search.text else None
        first, last = folded or (here, here)
        if direction > 0:
            begin = last + 1 if last is not None else place.first_seen()
            return next_hit(lines, search.hits, begin) if begin < lines.total else None
        return previous_hit(lines, search.hits, first if first is not None else place.first_seen())

    def _nothing_found(self, search: Search, direction: Direction) -> str:
        what = f"/{search.text}" if search.text else "error"
        if not search.total:
            if not search.text:
                self.stop()
            return f"{what}: not found" if search.text else "no errors in this log"
        other = self._port.view.key("previous-hit") if direction > 0 else self._port.view.key("next-hit")
        return f"no match below; {other} searches up" if direction > 0 else f"no match above; {other} searches down"


def _paths(output: Output) -> dict[int, Path]:
    if output.merged is not None:
        return {rank: log.path for rank, log in output.merged.logs.items()}
    return {output.rank: output.log.path}
