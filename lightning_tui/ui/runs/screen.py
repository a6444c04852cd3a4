"""The runs screen: every run in the runs home, told and compared, and what can be done with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from lightning_tui.refusal import RefusalError
from lightning_tui.text.units import plural, size
from lightning_tui.ui.cockpit.arrangement import Place
from lightning_tui.ui.keys import RUNS_KEYS
from lightning_tui.ui.messages import Answered, Broken, Refused
from lightning_tui.ui.metrics.curves import OTHER_GLYPHS, OTHER_TOKENS, OtherRun
from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.runs.bars import Bar, keys_row, title_row
from lightning_tui.ui.runs.lines import ORDERS, RunLine, matching, ordered
from lightning_tui.ui.runs.panes import CursorMoved, DetailsPane, FilterTyped, RunsTable
from lightning_tui.ui.runs.services import Origin
from lightning_tui.ui.runs.table import Moment
from lightning_tui.ui.runs.threads import DetailsRead, DetailsReader, RunsRead, RunsUnread, RunsWatch
from lightning_tui.ui.threads import Action
from lightning_tui.ui.view import Notice
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.record.checkpoints import Checkpoint
    from lightning_tui.ui.runs.asking import Words
    from lightning_tui.ui.runs.services import PruneRule, RunDetails, RunServices
    from lightning_tui.ui.view import View

NOTICE_S = 6.0
CLOSING_PATIENCE_S = 0.3


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


class ChildPlanned(Message):
    """The plan that a child of this run would have."""

    def __init__(self, outcome: Relaunch) -> None:
        self.outcome = outcome
        super().__init__()


class BothRead(Message):
    """Two runs that were asked for together, and what for."""

    def __init__(self, lines: Sequence[RunLine], details: Sequence[RunDetails], is_overlay: bool) -> None:
        self.lines = lines
        self.details = details
        self.is_overlay = is_overlay
        super().__init__()


class CheckpointsRead(Message):
    """What there is to tell of a run whose checkpoints were asked for."""

    def __init__(self, line: RunLine, details: RunDetails) -> None:
        self.line = line
        self.details = details
        super().__init__()


class PruneKnown(Message):
    """What a rule would delete."""

    def __init__(self, rule: PruneRule, lines: Sequence[RunLine]) -> None:
        self.rule = rule
        self.lines = lines
        super().__init__()


class Deleted(Message):
    """These runs were deleted; `refusals` say why others were not."""

    def __init__(self, lines: Sequence[RunLine], refusals: Sequence[str]) -> None:
        self.lines = lines
        self.refusals = refusals
        super().__init__()


class RunsScreen(Screen[Outcome]):
    """The list, and where there is room what is told of the selected run."""

    palette_keys = RUNS_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, key.action, key.help, show=False, id=key.id) for key in RUNS_KEYS),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
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
        self._let_go = let_go
        self._services = services
        self._clock = clock
        self._view = view
        self._lines: tuple[RunLine, ...] = ()
        self._is_complete = False
        self._order = 0
        self._notice: Notice | None = None
        self._told: DetailsRead | None = None
        """What is told of the run that was selected last."""
        self._ended = threading.Event()
        run = view().run
        moment = Moment(clock(), run.record.id if run is not None else None, ORDERS[0].name)
        self.table = RunsTable(moment, view().key("runs-mark"))
        self.table.order_words = ORDERS[0].words
        self.details = DetailsPane()
        self._title_bar = Bar("runs-title", self._title_row)
        self._keys_bar = Bar("runs-keys", lambda width: keys_row(self._view(), RUNS_KEYS, width))
        self._watch = RunsWatch(services, self._post)
        self._reader = DetailsReader(services, self._post)

    # -------------------------------------------------------------------------------------------------------- life

    def compose(self) -> ComposeResult:
        yield from (self._title_bar, self.table, self.details, self._keys_bar)

    def on_mount(self) -> None:
        self._arrange()
        self.table.focus()
        self._watch.start()
        self._reader.start()
        self.set_interval(1.0, self._tick)

    def on_unmount(self) -> None:
        self._ended.set()
        for worker in (self._watch, self._reader):
            worker.stop()
        for worker in (self._watch, self._reader):
            worker.join(CLOSING_PATIENCE_S)

    def on_resize(self) -> None:
        self._arrange()
        self._want_details()

    def _post(self, message: Message) -> None:
        if not self._ended.is_set():
            self.post_message(message)

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

    # ----------------------------------------------------------------------------------------------------- drawing

    def _tick(self) -> None:
        """Let times go on, and a notice end."""
        now = self._clock()
        if self._notice is not None and self._notice.until is not None and self._notice.until <= now:
            self._notice = None
        self.table.moment = self.table.moment._replace(now=now)
        self.table.redraw()
        self.details.now = now
        self.details.redraw()
        self._title_bar.redraw()

    def _show(self) -> None:
        order = ORDERS[self._order]
        now = self._clock()
        self.table.total = len(self._lines)
        self.table.moment = self.table.moment._replace(now=now, order=order.name)
        self.table.order_words = order.words
        self.table.take(ordered(matching(self._lines, self.table.filter), order, now))
        self._title_bar.redraw()
        self._show_details()

    def _show_details(self) -> None:
        line = self.table.current
        if line is None:
            self.details.show(None, None, (), self._clock())
            return
        kin = [one for one in self._lines if one.parent == line.id or one.id == line.parent] if line.is_readable else []
        told = self._told if self._told is not None and self._told.directory == line.directory else None
        details, trouble = (told.details, told.sentence) if told is not None else (None, "")
        self.details.show(line, details, kin, self._clock(), trouble)

    def _want_details(self) -> None:
        """Read what is told of the selected run, where it is shown."""
        line = self.table.current
        is_wanted = self.details.display and line is not None and line.is_readable
        self._reader.want(line.run if is_wanted and line is not None else None)

    def _title_row(self, width: int) -> tuple[tuple[str, str], ...]:
        return title_row(self._lines, self._is_complete, self._view().runs_home, self._notice, width)

    def say(self, text: str, token: str = "text") -> None:
        """Say something in the first line for a while."""
        self._notice = Notice(text, token, self._clock() + NOTICE_S)
        self._title_bar.redraw()

    # ---------------------------------------------------------------------------------------------------- messages

    @on(RunsRead)
    def _runs_read(self, event: RunsRead) -> None:
        before = self.table.current
        self._lines, self._is_complete = event.lines, event.is_complete
        if event.is_complete:
            self.table.waiting = f"There are no runs in {self._view().runs_home} yet."
            known = {line.directory for line in event.lines}
            self.table.marked = tuple(directory for directory in self.table.marked if directory in known)
        self._show_filtered_out()
        self._show()
        after = self.table.current
        if after is not None and (before is None or after.directory != before.directory):
            self._want_details()

    @on(RunsUnread)
    def _runs_unread(self, event: RunsUnread) -> None:
        self._lines, self._is_complete = (), True
        self.table.waiting = event.sentence
        self._show()

    @on(DetailsRead)
    def _details_read(self, event: DetailsRead) -> None:
        self._told = event
        if event.details is None:
            self._watch.look_again(event.directory)
        self._show_details()

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._want_details()
        self._show_details()

    @on(FilterTyped)
    def _filter_typed(self) -> None:
        self._show_filtered_out()
        self._show()
        self._want_details()

    def _show_filtered_out(self) -> None:
        if self.table.filter and self._lines:
            self.table.waiting = f"No run has {self.table.filter!r} in its state, program, name, note or id."

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        self.say(event.sentence)

    @on(Broken)
    def _broken(self, event: Broken) -> None:
        event.stop()
        self.say(event.sentence, "warn")

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        event.stop()
        from lightning_tui.ui.windows.window import message_window

        self.app.push_screen(message_window(event.title, event.sentence))

    # ------------------------------------------------------------------------------------------- moving and choosing

    def action_move(self, amount: int) -> None:
        self.table.move(amount)

    def action_page(self, direction: int) -> None:
        self.table.move(direction * self.table.page())

    def action_filter(self) -> None:
        self.table.begin_typing()

    def action_sort(self) -> None:
        self._order = (self._order + 1) % len(ORDERS)
        self._show()

    def action_mark(self) -> None:
        line = self.table.current
        if line is None or not self._is_readable(line):
            return
        marked = self.table.marked
        is_marked = line.directory in marked
        self.table.marked = (
            tuple(one for one in marked if one != line.directory) if is_marked else (*marked, line.directory)
        )
        self.table.move(1)

    def action_close(self) -> None:
        if self.table.clear_filter():
            return
        if self.table.marked:
            self.table.marked = ()
            self.table.redraw()
            return
        self.dismiss(None)

    def action_help(self) -> None:
        from lightning_tui.ui.cockpit.help import help_window

        self.app.push_screen(help_window(self._view(), RUNS_KEYS))

    def action_attach(self) -> None:
        line = self.table.current
        if line is not None and self._is_readable(line):
            self.dismiss(Attach(line.run))

    def _is_readable(self, line: RunLine) -> bool:
        if not line.is_readable:
            self.say(line.detail, "warn")
        return line.is_readable

    # --------------------------------------------------------------------------------------------------- comparing

    def action_compare(self) -> None:
        self._ask_for_two(is_overlay=False)

    def action_overlay(self) -> None:
        self._ask_for_two(is_overlay=True)

    def _ask_for_two(self, *, is_overlay: bool) -> None:
        pair = self._pair()
        if pair is None:
            return
        details = self._services.details

        def act() -> Message:
            return BothRead(pair, [details(line.run) for line in pair], is_overlay)

        self._give("The runs cannot be compared", act)

    def _pair(self) -> list[RunLine] | None:
        """The two marked runs, or the marked one and the current one; where there are no two, that is said."""
        by_directory = {line.directory: line for line in self._lines}
        pair = [by_directory[directory] for directory in self.table.marked if directory in by_directory]
        current = self.table.current
        if len(pair) == 1 and current is not None and current.is_readable and current not in pair:
            pair.append(current)
        if len(pair) == 2:
            return pair
        key = self._view().key("runs-mark")
        reason = f"{len(pair)} runs are marked: two can be compared" if len(pair) > 2 else f"{key} marks the first run"
        self.say(reason if len(pair) != 1 else "one run is marked: go to another one")
        return None

    @on(BothRead)
    def _both_read(self, event: BothRead) -> None:
        if not self._is_on_top:
            return
        first, second = (details.snapshot for details in event.details)
        if event.is_overlay:
            self._lay_over(first, second)
            return
        from lightning_tui.ui.runs.comparison import ComparisonScreen

        window = ComparisonScreen(event.lines, (first, second), self._clock(), self._view)
        self.app.push_screen(window, lambda answer: self._lay_over(first, second) if answer else None)

    def _lay_over(self, first: RunSnapshot, second: RunSnapshot) -> None:
        """Leave for the first run, with the second one's curves under its own."""
        from pathlib import Path

        from lightning_tui.record import RunDirectory

        program = second.record.program.label
        label = f"{'' if program == first.record.program.label else f'{program} '}{tail_of_id(second.record.id)}"
        other = OtherRun(
            id=second.record.id,
            label=label,
            metrics=second.metrics,
            timeline=second.timeline,
            started_at=second.started_at,
            token=OTHER_TOKENS[0],
            glyph=OTHER_GLYPHS[0],
        )
        self.dismiss(Attach(RunDirectory(Path(first.directory)), (other,)))

    # ---------------------------------------------------------------------------------------------------- children

    def action_relaunch(self) -> None:
        line = self.table.current
        if line is not None and self._may_change() and self._is_readable(line):
            self._plan_child(Origin(line.run), starts_now=False)

    def _plan_child(self, origin: Origin, *, starts_now: bool) -> None:
        services = self._services

        def act() -> Message:
            snapshot = services.details(origin.run).snapshot
            return ChildPlanned(Relaunch(origin, snapshot, services.plan_of_child(origin), starts_now))

        self._give("The run cannot be relaunched", act)

    @on(ChildPlanned)
    def _child_planned(self, event: ChildPlanned) -> None:
        if self._is_on_top:
            self.dismiss(event.outcome)

    def action_checkpoints(self) -> None:
        line = self.table.current
        if line is not None and self._is_readable(line):
            details = self._services.details
            self._give("The checkpoints cannot be read", lambda: CheckpointsRead(line, details(line.run)))

    @on(CheckpointsRead)
    def _checkpoints_read(self, event: CheckpointsRead) -> None:
        from lightning_tui.ui.runs.asking import CheckpointsWindow

        if not self._is_on_top:
            return
        window = CheckpointsWindow(event.line, event.details.checkpoints, self._clock())
        self.app.push_screen(window, lambda chosen: self._resume(event.line, chosen) if chosen is not None else None)

    def _resume(self, line: RunLine, checkpoint: Checkpoint) -> None:
        from lightning_tui.ui.runs.asking import resume_window

        if not self._may_change():
            return
        origin = Origin(line.run, checkpoint.path, checkpoint.global_step)

        def take(answer: str | None) -> None:
            if answer:
                self._plan_child(origin, starts_now=answer == "start")

        self.app.push_screen(resume_window(line, checkpoint), take)

    # ----------------------------------------------------------------------------------------- deleting and naming

    def action_delete(self) -> None:
        chosen = [line for line in self._lines if line.directory in self.table.marked]
        current = self.table.current
        lines = chosen or ([current] if current is not None else [])
        if not lines or not self._may_change():
            return
        alive = [line for line in lines if not line.is_over]
        if alive:
            self.say(f"{alive[0].title()} is {alive[0].state}: a live run is not deleted", "warn")
            return
        from lightning_tui.ui.runs.asking import delete_window

        doomed = {line.id for line in lines}
        children = sum(1 for line in self._lines if line.parent in doomed and line.id not in doomed)
        self.app.push_screen(delete_window(lines, children), lambda answer: self._delete(lines) if answer else None)

    def action_prune(self) -> None:
        from lightning_tui.ui.runs.asking import prune_window

        if self._may_change():
            self.app.push_screen(prune_window(), lambda rule: self._take_rule(rule) if rule is not None else None)

    def _take_rule(self, rule: PruneRule) -> None:
        from lightning_tui.ui.runs.asking import OTHER, RULE_HELP, typed_rule
        from lightning_tui.ui.windows.field import FieldWindow

        if rule != OTHER:
            self._preview(rule)
            return
        window = FieldWindow("Delete runs", "", RULE_HELP, typed_rule)
        self.app.push_screen(window, lambda text: self._preview(typed_rule(text)) if text is not None else None)

    def _preview(self, rule: PruneRule) -> None:
        self._give("It cannot be said what would go", lambda: PruneKnown(rule, self._services.prunable(rule)))

    @on(PruneKnown)
    def _prune_known(self, event: PruneKnown) -> None:
        from lightning_tui.ui.runs.asking import preview_window

        rule, lines = event.rule, event.lines
        if not lines:
            self.say("no run would go")
        if not lines or not self._is_on_top:
            return
        window = preview_window(lines, self._clock())
        self.app.push_screen(window, lambda answer: self._delete(lines, rule) if answer else None)

    def _delete(self, lines: Sequence[RunLine], rule: PruneRule | None = None) -> None:
        """Delete them one by one, as far as they can be deleted; by a rule, those that still fall under it."""
        if not self._may_change():
            return
        services = self._services

        def act() -> Message:
            gone: list[RunLine] = []
            refusals: list[str] = []
            # Meanwhile a child may have been started that goes on from one of them.
            still = None if rule is None else {line.directory for line in services.prunable(rule)}
            for line in lines if still is None else [line for line in lines if line.directory in still]:
                try:
                    services.delete(line.run)
                    gone.append(line)
                except RefusalError as error:
                    refusals.append(str(error))
            return Deleted(gone, refusals)

        for line in lines:
            self._let_go(line.run)
        self.say(f"deleting {lines[0].title() if len(lines) == 1 else plural(len(lines), 'run')} …")
        self._give("The run cannot be deleted", act)

    @on(Deleted)
    def _deleted(self, event: Deleted) -> None:
        gone = {line.directory for line in event.lines}
        self._lines = tuple(line for line in self._lines if line.directory not in gone)
        self.table.marked = tuple(directory for directory in self.table.marked if directory not in gone)
        freed = sum(line.size or 0 for line in event.lines)
        what = event.lines[0].title() if len(event.lines) == 1 else plural(len(event.lines), "run")
        self.say(f"deleted: {what}{f', {size(freed)} freed' if freed else ''}" if gone else "nothing was deleted")
        self._show()
        self._want_details()
        if event.refusals:
            from lightning_tui.ui.windows.window import message_window

            more = len(event.refusals) - 1
            why = event.refusals[0] + (f" And {plural(more, 'other')} neither." if more else "")
            self.app.push_screen(message_window("Not everything could be deleted", why))

    def action_note(self) -> None:
        from lightning_tui.ui.runs.asking import WordsWindow

        line = self.table.current
        if line is not None and self._may_change() and self._is_readable(line):
            self.app.push_screen(WordsWindow(line), lambda words: self._write(line, words) if words else None)

    def _write(self, line: RunLine, words: Words) -> None:
        if not self._may_change():
            return
        services = self._services

        def act() -> Message:
            services.write_words(line.run, words.name, words.note)
            self._watch.look_again(line.directory)
            return Answered(f"noted: {line.title()}")

        self._give("Nothing is noted", act)

    # --------------------------------------------------------------------------------------------- their details

    @property
    def _is_on_top(self) -> bool:
        """Whether an answer is still wanted: it was not asked for twice, and the screen was not left meanwhile."""
        return self.app.screen is self

    def _may_change(self) -> bool:
        if self._view().readonly:
            self.say(ONLY_WATCHES)
        return not self._view().readonly

    def _give(self, refusal: str, act: Callable[[], Message]) -> None:
        def guarded() -> Message:
            try:
                return act()
            except RefusalError as error:
                return Refused(refusal, str(error))

        Action("asking about runs", guarded, self._post).start()


def arrange(width: int, height: int) -> dict[str, Place]:
    """Where the parts stand: details beside the list where it is wide, below it where it is high enough, else none."""
    body = height - 2
    places = {"title": Place(0, 0, width, 1), "keys": Place(0, height - 1, width, 1)}
    if width >= 160:
        side = min(64, width // 3)
        return {
            **places,
            "table": Place(0, 1, width - side, body),
            "details": Place(width - side, 1, side, body),
        }
    if width >= 60 and height >= 20:
        below = 8 if height < 30 else 11
        return {
            **places,
            "table": Place(0, 1, width, body - below),
            "details": Place(0, height - 1 - below, width, below),
        }
    return {**places, "table": Place(0, 1, width, body)}
