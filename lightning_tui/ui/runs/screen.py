"""The runs screen: every run in the runs home, described and compared, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import directory_of
from lightning_tui.ui.drawing.canvas import Area
from lightning_tui.ui.keys import RUNS_KEYS
from lightning_tui.ui.messages import (
    Broken,
    CursorMoved,
    DetailsRead,
    FilterTyped,
    Refused,
    Returned,
    RunsRead,
    RunsUnread,
)
from lightning_tui.ui.runs.actions import RunActions
from lightning_tui.ui.runs.bars import Bar, runs_keys_row, title_row
from lightning_tui.ui.runs.panes import DetailsPane, RunsTable
from lightning_tui.ui.runs.threads import RunsThreads
from lightning_tui.ui.view import Notice

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.services.runs import Origin, PlannedChild
    from lightning_tui.ui.metrics.curves import OtherRun
    from lightning_tui.ui.runs.listing import Listing
    from lightning_tui.ui.services import RunServices
    from lightning_tui.ui.view import View

NOTICE_S = 6.0


class Attach(NamedTuple):
    """Leave the screen for this run, with the curves of others under its own."""

    run: RunDirectory
    others: tuple[OtherRun, ...] = ()


class Relaunch(NamedTuple):
    """Leave the screen with a child of a run: to be started at once, or to be changed first."""

    origin: Origin
    snapshot: RunSnapshot
    plan: Plan
    starts_now: bool


Outcome = Attach | Relaunch | None
"""With what the screen is left."""


class RunsScreen(Screen[Outcome]):
    """The list, and where there is room what is told of the selected run."""

    palette_keys = RUNS_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, show=False, id=key.id) for key in RUNS_KEYS
    ]
    DEFAULT_CSS = """
    RunsScreen { background: $background; overflow: hidden; }
    RunsScreen > Canvas { position: absolute; }
    """

    def __init__(
        self,
        services: RunServices,
        clock: Callable[[], float],
        view: Callable[[], View],
        let_go: Callable[[RunDirectory], None],
    ) -> None:
        """Make it; `view` is what the cockpit beneath shows, and `let_go` has it leave a run that is to be deleted."""
        super().__init__()
        self._clock = clock
        self._view = view
        self._notice: Notice | None = None
        run, home = view().run, view().runs_home
        self.table = RunsTable(clock(), run.record.id if run is not None else None, home, view().key("runs-mark"))
        self.details = DetailsPane()
        self._title_bar = Bar("runs-title", lambda width: title_row(self.table.listing, home, self._notice, width))
        self._keys_bar = Bar("runs-keys", lambda width: runs_keys_row(self._view(), RUNS_KEYS, width))
        self.threads = RunsThreads(services, self.post_message)
        self.actions = RunActions(self, self.table, services, self.threads, clock, view, let_go)

    def compose(self) -> ComposeResult:
        yield from (self._title_bar, self.table, self.details, self._keys_bar)

    def on_mount(self) -> None:
        self._arrange()
        self.table.focus()
        self.threads.start()
        self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        self.threads.end()

    def on_resize(self) -> None:
        self._arrange()
        self._want_details()

    def _arrange(self) -> None:
        width, height = self.app.size
        places = arrange(width, height)
        parts = {"title": self._title_bar, "table": self.table, "details": self.details, "keys": self._keys_bar}
        for name, part in parts.items():
            place = places.get(name)
            part.display = place is not None
            if place is not None:
                part.styles.offset = (place.x, place.y)
                part.styles.width, part.styles.height = place.width, place.height

    def _tick(self) -> None:
        """Let times go on, and a notice end."""
        now = self._clock()
        if self._notice is not None and self._notice.until is not None and self._notice.until <= now:
            self._notice = None
        self.table.tick(now)
        self.details.tick(now)
        self._title_bar.redraw()

    def show(self, listing: Listing) -> None:
        before = self.table.current
        self.table.show(listing, self._clock())
        self._title_bar.redraw()
        self._show_details()
        after = self.table.current
        if before is None or after is None or after.directory != before.directory:
            self._want_details()

    def _show_details(self) -> None:
        run = self.table.current
        self.details.show(run, self.table.listing.kin(run) if run is not None else (), self._clock())

    def _want_details(self) -> None:
        """Read what is told of the selected run, where it is shown."""
        run = self.table.current
        is_wanted = self.details.display and isinstance(run, RunSummary)
        self.threads.reader.want(directory_of(run) if is_wanted and run is not None else None)

    def say(self, text: str, token: str = "text") -> None:
        self._notice = Notice(text, token, self._clock() + NOTICE_S)
        self._title_bar.redraw()

    @on(RunsRead)
    def _runs_read(self, event: RunsRead) -> None:
        self.show(self.table.listing.read(event.runs, event.is_complete))

    @on(RunsUnread)
    def _runs_unread(self, event: RunsUnread) -> None:
        self.show(self.table.listing._replace(runs=(), is_complete=True, problem=event.sentence))

    @on(DetailsRead)
    def _details_read(self, event: DetailsRead) -> None:
        self.details.take(event)
        if event.details is None:
            self.threads.watch.look_again(event.directory)

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._want_details()
        self._show_details()

    @on(FilterTyped)
    def _filter_typed(self) -> None:
        self.show(self.table.listing)

    @on(Returned)
    def _returned(self, event: Returned) -> None:
        event.stop()
        event.take()

    @on(Broken)
    def _broken(self, event: Broken) -> None:
        event.stop()
        self.say(event.sentence, "warn")

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        event.stop()
        from lightning_tui.ui.windows.window import message_window

        self.app.push_screen(message_window(event.title, event.sentence))

    def attach(self, run: RunDirectory, others: tuple[OtherRun, ...] = ()) -> None:
        self.dismiss(Attach(run, others))

    def relaunch(self, child: PlannedChild, *, starts_now: bool) -> None:
        """Leave the screen with a child of a run: to be started at once, or to be changed first."""
        self.dismiss(Relaunch(*child, starts_now))

    def action_filter(self) -> None:
        self.table.begin_typing()

    def action_sort(self) -> None:
        self.show(self.table.listing.sorted_next())

    def action_mark(self) -> None:
        if (run := self.actions.readable()) is not None:
            self.table.mark(run)

    def action_close(self) -> None:
        if not self.table.clear_filter() and not self.table.unmark():
            self.dismiss(None)

    def action_help(self) -> None:
        from lightning_tui.ui.help import help_window

        self.app.push_screen(help_window(self._view(), RUNS_KEYS))

    def action_attach(self) -> None:
        if (run := self.actions.readable()) is not None:
            self.attach(directory_of(run))

    def action_compare(self) -> None:
        self.actions.compare(is_overlay=False)

    def action_overlay(self) -> None:
        self.actions.compare(is_overlay=True)

    def action_relaunch(self) -> None:
        self.actions.relaunch()

    def action_checkpoints(self) -> None:
        self.actions.resume()

    def action_delete(self) -> None:
        self.actions.delete()

    def action_prune(self) -> None:
        self.actions.prune()

    def action_note(self) -> None:
        self.actions.note()


def arrange(width: int, height: int) -> dict[str, Area]:
    """Where the parts stand: details beside the list where it is wide, below it where it is high enough, else none."""
    side = min(64, width // 3) if width >= 160 else 0
    below = (8 if height < 30 else 11) if not side and width >= 60 and height >= 20 else 0
    places = {
        "title": Area(0, 0, width, 1),
        "table": Area(0, 1, width - side, height - 2 - below),
        "keys": Area(0, height - 1, width, 1),
    }
    if side:
        places["details"] = Area(width - side, 1, side, height - 2)
    elif below:
        places["details"] = Area(0, height - 1 - below, width, below)
    return places
