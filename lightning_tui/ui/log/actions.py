"""What the keys of the log do: follow, choose whose output is shown, select, copy, save; and search and jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.log.jumping import LogJump
from lightning_tui.ui.log.lines import ALL_RANKS, MatchingLines
from lightning_tui.ui.log.searching import LogSearch
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.ui.log.following import OutputFollower
    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.messages import LogCopied
    from lightning_tui.ui.port import Port

NO_LOG = "there is no log to show"


class LogActions:
    """Carries out the keys of the log pane. All of it runs on the event loop; slow work goes to threads."""

    def __init__(self, port: Port, pane: LogPane, clock: Callable[[], float]) -> None:
        self.reading: OutputFollower | None = None
        self._port = port
        self._pane = pane
        self._search = LogSearch(port, pane)
        self._jump = LogJump(port, pane, clock, self._want_times)

    def follow(self, reading: OutputFollower | None) -> None:
        """Show what this one reads from now on."""
        self._search.stop()
        self._jump.forget()
        self.reading = reading
        self._pane.show_output(None)
        if reading is not None:
            reading.wants_times = self._pane.has_times

    def tick(self, is_busy: bool) -> None:
        """Take what the threads have left."""
        output = self.reading.newest if self.reading is not None else None
        if output is not None:
            self._search.look(output)
            self._pane.show_output(output, is_busy)
            self._search.go_on()
            self._jump.go_on(output)

    def go_to(self, rank: int, line: int) -> bool:
        """Go to this line of a rank; false where it cannot be shown yet: then that rank's output is asked for."""
        reading, output, place = self.reading, self._pane.output, self._pane.place
        if reading is None:
            return True
        if output is None or place.lines is None or output.rank not in (rank, ALL_RANKS):
            reading.choose(rank)
            return False
        if output.share is not None:  # only its end is known, and its lines have other numbers
            return False
        position = max(0, min(place.total - 1, place.lines.position_of(rank, line)))
        place.open_traceback(position)
        place.show_line(position)
        return True

    def stop(self) -> None:
        self._search.end_thread()

    def act(self, what: str) -> None:
        """Do what a key asks for; its name stands in the table of keys."""
        if what == "rank":
            self._choose_rank()
        elif self._pane.place.lines is None:
            self._port.notice(NO_LOG)
        else:
            self._acts()[what]()

    def _acts(self) -> dict[str, Callable[[], None]]:
        pane, place, search = self._pane, self._pane.place, self._search
        return {
            "follow": lambda: place.set_follow(not place.follow),
            "top": lambda: place.go_to(0),
            "bottom": lambda: place.set_follow(True),
            "wrap": lambda: pane.set_wrap(not pane.wrap),
            "times": self._toggle_times,
            "search": lambda: search.ask(filters=False),
            "filter": search.next_filter,
            "next": lambda: search.step(1),
            "previous": lambda: search.step(-1),
            "jump": self._jump.ask,
            "select": self._toggle_selection,
            "copy": self._copy,
            "save": self._save,
        }

    def back(self) -> bool:
        """Leave what was begun last: a selection, the filter, the search, the mark. False where there is none."""
        place = self._pane.place
        if place.selected_from is None and self._search.back():
            return True
        if place.mark is None:
            return False
        place.end_selection()
        return True

    def _choose_rank(self) -> None:
        output, run, reading = self._pane.output, self._port.view.run, self.reading
        if reading is None or run is None or output is None or len(output.ranks) < 2:
            self._port.notice("only one rank has output" if run is not None else "no run is open")
            return
        from lightning_tui.ui.log.ranks_window import rank_window

        window = rank_window(run, output.ranks, output.rank, is_active=self._port.view.is_active)

        def take(rank: int | None) -> None:
            if rank is not None:
                reading.choose(rank)

        self._port.open(window, take)

    def _toggle_times(self) -> None:
        self._want_times()
        self._pane.set_times(not self._pane.has_times)

    def _want_times(self) -> None:
        if self.reading is not None:
            self.reading.wants_times = True

    def _toggle_selection(self) -> None:
        if self._pane.place.selected_from is not None:
            self._pane.place.end_selection()
        elif self._pane.place.begin_selection():
            keys = f"↑ and ↓ select lines, {self._port.view.key('copy')} copies them, esc ends it"
            self._port.notice(keys)

    def _copy(self) -> None:
        """Copy the selection, the traceback that is marked, the marked line, or the last line that is seen."""
        place, run = self._pane.place, self._port.directory
        here = place.here()
        if here is None or place.lines is None or run is None:
            self._port.notice(NO_LOG)
            return
        from lightning_tui.ui.log.copying import copy_lines

        traceback = place.traceback_at(here)
        first, last = place.selection or traceback or (here, here)
        what = "traceback" if place.selection is None and traceback is not None else ""
        lines, target = place.lines.twin(), run.path / "copied.txt"
        self.take_out("copying", lambda: copy_lines(lines, first, last, target, what))

    def _save(self) -> None:
        """Write all lines that can be scrolled through to a file of their own."""
        lines, run, output = self._pane.place.lines, self._port.directory, self._pane.output
        if lines is None or run is None or output is None:
            self._port.notice(NO_LOG)
            return
        if not isinstance(lines, MatchingLines) and output.merged is None:
            self._port.notice(f"all of it is in {output.log.path}")
            return
        from lightning_tui.ui.log.copying import save_lines

        whose = "all-ranks" if output.rank == ALL_RANKS else f"rank-{output.rank}"
        what = "matching" if isinstance(lines, MatchingLines) else "merged"
        twin, target = lines.twin(), run.path / f"log-{whose}-{what}.txt"
        self._port.notice("saving the lines …", seconds=None)
        self.take_out("saving", lambda: save_lines(twin, target))

    def take_out(self, name: str, act: Callable[[], LogCopied]) -> None:
        """Copy or save something in a thread; what came of it is said."""
        Action(name, "Nothing is copied", act, self._port.post_message, self._port.post_message).start()
