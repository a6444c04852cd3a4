"""What is done with the runs of the list? They are compared, relaunched, resumed, deleted, pruned and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lightning_tui.record import UnreadableRun
from lightning_tui.services.runs import Origin, directory_of
from lightning_tui.text.units import plural, size
from lightning_tui.ui.metrics.curves import laid_under
from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.runs.listing import is_over, state_of, title_of, titles_of

if TYPE_CHECKING:
    from textual.app import App

    from lightning_tui.record import RunDirectory
    from lightning_tui.record.checkpoints import Checkpoint
    from lightning_tui.record.summaries import RunSummary
    from lightning_tui.services.runs import ComparedRuns, Deletion, ListedRun, PlannedChild, PruneRule, RunDetails
    from lightning_tui.ui.metrics.curves import OtherRun
    from lightning_tui.ui.runs.asking import TypedNotes
    from lightning_tui.ui.runs.listing import Listing
    from lightning_tui.ui.runs.panes import RunsTable
    from lightning_tui.ui.runs.threads import RunsThreads
    from lightning_tui.ui.services import RunServices
    from lightning_tui.ui.view import View


class RunsPort(Protocol):
    """What the actions need of the screen; all of it is for the event loop alone."""

    @property
    def app(self) -> App[Any]:
        """Where windows are opened."""

    @property
    def is_active(self) -> bool:
        """Whether an answer is still wanted: it was not asked for twice, and the screen was not left meanwhile."""

    def say(self, text: str, token: str = "text") -> None:
        """Say something in the first line for a while."""

    def show(self, listing: Listing) -> None:
        """Show this list from now on."""

    def attach(self, run: RunDirectory, others: tuple[OtherRun, ...] = ()) -> None:
        """Leave the screen for this run, with the curves of others under its own."""

    def relaunch(self, child: PlannedChild, *, starts_now: bool) -> None:
        """Leave the screen with a child of a run: to be started at once, or to be changed first."""


@dataclass(frozen=True)
class RunActions:
    """Asks, does it in a thread, and shows what came of it."""

    port: RunsPort
    table: RunsTable
    services: RunServices
    threads: RunsThreads
    clock: Callable[[], float]
    view: Callable[[], View]
    let_go: Callable[[RunDirectory], None]
    """Has the cockpit leave a run that is to be deleted."""

    def readable(self) -> RunSummary | None:
        """The run under the cursor; where it cannot be read, it is said why."""
        run = self.table.current
        if isinstance(run, UnreadableRun):
            self.port.say(run.problem, "warn")
            return None
        return run

    def _may_change(self) -> bool:
        if self.view().readonly:
            self.port.say(ONLY_WATCHES)
        return not self.view().readonly

    def compare(self, *, is_overlay: bool) -> None:
        """Compare two runs, or lay their curves over each other."""
        pair = self._pair()
        if pair is None:
            return
        first, second = map(directory_of, pair)
        self.threads.ask(
            "The runs cannot be compared",
            lambda: self.services.compare(first, second),
            lambda found: self._show_compared(pair, found, is_overlay=is_overlay),
        )

    def _pair(self) -> list[RunSummary] | None:
        """The two runs that are meant; where there are no two, that is said."""
        pair = self.table.listing.compared(self.table.current)
        if len(pair) == 2:
            return pair
        key = self.view().key("runs-mark")
        reason = f"{len(pair)} runs are marked: two can be compared" if len(pair) > 2 else f"{key} marks the first run"
        self.port.say(reason if len(pair) != 1 else "one run is marked: go to another one")
        return None

    def _show_compared(self, pair: Sequence[RunSummary], found: ComparedRuns, *, is_overlay: bool) -> None:
        if not self.port.is_active:
            return
        if is_overlay:
            self._lay_over(found)
            return
        from lightning_tui.ui.runs.comparison import ComparisonScreen

        window = ComparisonScreen(pair, found.comparison, self.view)
        self.port.app.push_screen(window, lambda answer: self._lay_over(found) if answer else None)

    def _lay_over(self, found: ComparedRuns) -> None:
        """Leave for the first run, with the second one's curves under its own."""
        other = laid_under(found.first.record.program.label, found.second)
        self.port.attach(directory_of(found.first), (other,))

    def relaunch(self) -> None:
        """Plan a child of the current run that begins anew, to be changed first."""
        if self._may_change() and (run := self.readable()) is not None:
            self._plan_child(Origin(directory_of(run)), starts_now=False)

    def _plan_child(self, origin: Origin, *, starts_now: bool) -> None:
        def take(child: PlannedChild) -> None:
            if self.port.is_active:
                self.port.relaunch(child, starts_now=starts_now)

        self.threads.ask("The run cannot be relaunched", lambda: self.services.plan_child(origin), take)

    def resume(self) -> None:
        """Show the checkpoints of the current run, and go on from one."""
        if (run := self.readable()) is not None:
            self.threads.ask(
                "The checkpoints cannot be read",
                lambda: self.services.details(directory_of(run)),
                lambda details: self._show_checkpoints(run, details),
            )

    def _show_checkpoints(self, run: RunSummary, details: RunDetails) -> None:
        from lightning_tui.ui.runs.asking import checkpoints_window

        if not self.port.is_active:
            return
        window = checkpoints_window(run, details.checkpoints, self.clock())
        self.port.app.push_screen(window, lambda chosen: self._resume(run, chosen) if chosen is not None else None)

    def _resume(self, run: RunSummary, checkpoint: Checkpoint) -> None:
        from lightning_tui.ui.runs.asking import resume_window

        if not self._may_change():
            return
        origin = Origin(directory_of(run), checkpoint.path, checkpoint.global_step)

        def take(answer: str | None) -> None:
            if answer:
                self._plan_child(origin, starts_now=answer == "start")

        self.port.app.push_screen(resume_window(run, checkpoint), take)

    def delete(self) -> None:
        """Delete the marked runs, else the current one, after asking."""
        listing = self.table.listing
        runs = listing.chosen(self.table.current)
        if not runs or not self._may_change():
            return
        alive = next((run for run in runs if not is_over(run)), None)
        if alive is not None:
            self.port.say(f"{title_of(alive)} is {state_of(alive)}: an active run cannot be deleted", "warn")
            return
        from lightning_tui.ui.runs.asking import delete_window

        window = delete_window(runs, len(listing.children_left(runs)))
        self.port.app.push_screen(window, lambda answer: self._delete(runs) if answer else None)

    def prune(self) -> None:
        """Ask by which rule runs shall go, show which these are, and delete them."""
        from lightning_tui.ui.runs.asking import prune_window

        if self._may_change():
            self.port.app.push_screen(prune_window(), lambda rule: self._take_rule(rule) if rule is not None else None)

    def _take_rule(self, rule: PruneRule) -> None:
        from lightning_tui.ui.runs.asking import OTHER, RULE_HELP, typed_rule
        from lightning_tui.ui.windows.field import FieldWindow

        if rule != OTHER:
            self._preview(rule)
            return
        window = FieldWindow("Delete runs", "", RULE_HELP, typed_rule)
        self.port.app.push_screen(window, lambda text: self._preview(typed_rule(text)) if text is not None else None)

    def _preview(self, rule: PruneRule) -> None:
        self.threads.ask(
            "The runs to delete cannot be determined",
            lambda: self.services.prunable(rule),
            lambda found: self._show_doomed(rule, found.doomed),
        )

    def _show_doomed(self, rule: PruneRule, doomed: Sequence[RunSummary]) -> None:
        from lightning_tui.ui.runs.asking import preview_window

        if not doomed:
            self.port.say("no run matches this rule")
        elif self.port.is_active:
            window = preview_window(doomed, self.clock())
            self.port.app.push_screen(window, lambda answer: self._delete(doomed, rule) if answer else None)

    def _delete(self, runs: Sequence[ListedRun], rule: PruneRule | None = None) -> None:
        """Delete them, as far as they can be deleted; by a rule, those that still fall under it."""
        if not self._may_change():
            return
        directories = [directory_of(run) for run in runs]
        for directory in directories:
            self.let_go(directory)
        self.port.say(f"deleting {titles_of(runs)} …")
        self.threads.ask(
            "The run cannot be deleted",
            lambda: self.services.delete(directories, rule),
            lambda done: self._show_deleted(runs, done),
        )

    def _show_deleted(self, runs: Sequence[ListedRun], done: Deletion) -> None:
        listing, gone = self.table.listing, {str(directory.path) for directory in done.deleted}
        deleted = [run for run in runs if run.directory in gone]
        left = tuple(run for run in listing.runs if run.directory not in gone)
        freed = f", {size(done.freed)} freed" if done.freed else ""
        self.port.say(f"deleted: {titles_of(deleted)}{freed}" if deleted else "nothing was deleted")
        self.port.show(listing.read(left, listing.is_complete))
        if done.refusals:
            from lightning_tui.ui.windows.window import message_window

            more = len(done.refusals) - 1
            why = done.refusals[0] + (f" And {plural(more, 'other')} could not be deleted either." if more else "")
            self.port.app.push_screen(message_window("Not everything could be deleted", why))

    def note(self) -> None:
        """Type a name and a note for the current run."""
        from lightning_tui.ui.runs.asking import NotesWindow

        if self._may_change() and (run := self.readable()) is not None:
            self.port.app.push_screen(NotesWindow(run), lambda typed: self._write(run, typed) if typed else None)

    def _write(self, run: RunSummary, typed: TypedNotes) -> None:
        if not self._may_change():
            return
        directory = directory_of(run)

        def take(_: object) -> None:
            self.threads.watch.look_again(run.directory)
            self.port.say(f"saved: {title_of(run)}")

        self.threads.ask("The note was not saved", lambda: self.services.write_notes(directory, *typed), take)
