"""The cockpit's one screen: it holds what is known, hands it to the panes as it comes, and carries out the keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from lightning_tui.services.programs import ProgramChoice
from lightning_tui.ui.cockpit.arrangement import arrange, kind_of
from lightning_tui.ui.cockpit.bars import Banner, Footer
from lightning_tui.ui.cockpit.environment import EnvironmentPane
from lightning_tui.ui.cockpit.opening import (
    choose,
    count_of_gpus,
    end_of_opening,
    first_view,
    judged,
    plan_of,
    program_of,
)
from lightning_tui.ui.cockpit.state_line import StateLine
from lightning_tui.ui.failure.actions import RELAUNCHED_S, FailureActions
from lightning_tui.ui.gpus.pane import GpusPane, wanted_rows
from lightning_tui.ui.keys import KEYS, PANES
from lightning_tui.ui.log.actions import LogActions
from lightning_tui.ui.log.pane import LogPane
from lightning_tui.ui.messages import (
    Answered,
    Broken,
    ChoicesKnown,
    Diagnosed,
    EnvironmentKnown,
    LeaveNow,
    LogCopied,
    MeasureFailed,
    PlanExported,
    PlanJudged,
    PlansListed,
    ProgramFound,
    Recommended,
    Refused,
    Relaunched,
    RunStarted,
    SoftwareKnown,
)
from lightning_tui.ui.metrics.actions import MetricActions
from lightning_tui.ui.metrics.pane import MetricsPane
from lightning_tui.ui.orders import ONLY_WATCHES, Orders
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.plan.actions import Planning
from lightning_tui.ui.plan.pane import PlanPane
from lightning_tui.ui.services import Services
from lightning_tui.ui.steering.actions import RunControl
from lightning_tui.ui.threads import Follower, MachineWatch, SoftwareProbe
from lightning_tui.ui.view import Notice

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.ui.advice.actions import Advising
    from lightning_tui.ui.options import CockpitOptions

TICK_S = 0.1
NOTICE_S = 6.0
LEAVE_PATIENCE_S = 0.6
"""How long leaving waits for threads; one that hangs in a driver's call is left behind."""


class CockpitScreen(Screen[None]):
    """Five panes, a state line and a footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, show=False, id=key.id) for key in KEYS
    ]
    DEFAULT_CSS = """
    CockpitScreen { background: $background; layers: base over; overflow: hidden; }
    CockpitScreen > Canvas { position: absolute; display: none; }
    CockpitScreen > Banner { layer: over; height: 1; width: 100%; offset: 0 1; }
    """
    AUTO_FOCUS = ""

    def __init__(self, options: CockpitOptions, services: Services) -> None:
        super().__init__()
        self._options = options
        self._services = services
        self._follower: Follower | None = None
        self._advising: Advising | None = None
        self._watch = MachineWatch(services, self.post_message)
        self._orders = Orders(services, self.post_message, readonly=options.readonly)
        self._planning = Planning(self, options, self._orders)
        self._control = RunControl(self, self._orders)
        self._probe = SoftwareProbe(services, options.interpreter, self.post_message)
        self._is_ours = False
        self._zoomed: str | None = None
        self._arranged_for: tuple[int, int, int, str | None] | None = None
        self._gpu_rows_hint = count_of_gpus()
        self.view = view = first_view(options, services.clock())
        self._state_line, self._footer, self._banner = StateLine(view), Footer(view), Banner(view)
        self._log = LogPane(view)
        self._log_actions = LogActions(self, self._log, services.clock)
        self._failures = FailureActions(self, self._log, services)
        self._plan_pane = PlanPane(view)
        self._metrics = MetricsPane(view)
        self._metric_actions = MetricActions(self, self._metrics, services)
        panes = (EnvironmentPane(view), self._plan_pane, self._metrics, GpusPane(view), self._log)
        self._panes: dict[str, Pane] = dict(zip(PANES, panes, strict=True))

    # -------------------------------------------------------------------------------------------------- life

    def compose(self) -> ComposeResult:
        yield from (self._state_line, *self._panes.values(), self._footer, self._banner)

    @property
    def directory(self) -> RunDirectory | None:
        """Where the run lives that is followed."""
        return self._follower.directory if self._follower is not None else None

    @property
    def follower(self) -> Follower | None:
        """Who follows that run."""
        return self._follower

    def on_mount(self) -> None:
        self._arrange()
        is_idle = self._options.attach is None and not self._options.start_at_once
        is_roomy = kind_of(*self.app.size) in ("normal", "wide")
        self._panes["plan" if is_idle and is_roomy else "log"].focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Start the slow work; the first frame is on the screen."""
        from lightning_tui.ui.advice.actions import Advising  # not for the first frame

        end_of_opening()
        self._advising = Advising(self, self._services)
        self.set_interval(TICK_S, self.tick)
        if self._options.attach is not None:
            self.attach(self._options.attach)
        elif self._options.start_at_once:
            self._start()
        elif self.view.program is None:
            self._orders.find_program()
        self._watch.start()
        self._probe.start()
        unknown = sorted(set(self._options.settings.keys) - set(self.view.keys or {}))
        if unknown:
            self.notice(f"settings: there is no key named {', '.join(unknown)}", "warn")

    def on_unmount(self) -> None:
        self._log_actions.stop()
        workers = [worker for worker in (self._follower, self._watch, self._probe) if worker is not None]
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(LEAVE_PATIENCE_S / len(workers))
        if self._advising is not None:
            self._advising.stop(LEAVE_PATIENCE_S / 2)

    def on_resize(self) -> None:
        if self._arranged_for is not None and self._arranged_for[:2] != self.app.size:
            self._show_all()

    def attach(self, directory: RunDirectory, *, is_ours: bool = False) -> None:
        """Follow this run from now on. Where it `is_ours`, it has the program and the plan that are chosen already."""
        self._detach()
        self._is_ours = is_ours
        self.view = replace(self.view, run=None, is_opening=True, origin=None)
        self._follower = Follower(directory, self._services, self.post_message)
        self._log_actions.follow(self._follower)
        if self._advising is not None:
            self._advising.follow(self._follower)
        self._follower.start()
        self._show_all()

    def _detach(self) -> None:
        if self._follower is not None:
            self._follower.stop()
        self._follower = None
        self._log_actions.follow(None)
        if self._advising is not None:
            self._advising.follow(None)
        self.view = replace(self.view, run=None, is_opening=False)

    # ------------------------------------------------------------------------------------------------- drawing

    def tick(self) -> None:
        """Take what the threads have left, and draw what differs."""
        follower, view = self._follower, self.view
        run = follower.newest if follower is not None else None
        hardware = self._watch.newest
        now = self._services.clock()
        notice = view.notice if view.notice is None or (view.notice.until or now + 1) > now else None
        is_new = run is not view.run or hardware is not view.hardware
        is_opening = view.is_opening and run is None
        self.view = replace(view, run=run, hardware=hardware, now=now, notice=notice, is_opening=is_opening)
        if run is not None and run is not view.run:
            self._take_run(run, view.run)
        if is_new:
            self._show_all()
        elif int(now) != int(view.now) or notice is not view.notice:
            self._show_bars()
        self._log_actions.tick(is_busy=output_is_pending(self))
        self._failures.tick()
        if self._advising is not None:
            self._advising.tick()

    def _take_run(self, run: RunSnapshot, before: RunSnapshot | None) -> None:
        """Let the run report the hardware while it lives; its first snapshot also brings what `start` needs."""
        self._control.tell_news(run, before)
        is_reported = self.view.is_active and run.host is not None
        (self._watch.is_wanted.clear if is_reported else self._watch.is_wanted.set)()
        if before is None and not self._is_ours:
            program, plan = program_of(run, self._options), plan_of(run)
            self.view = replace(self.view, program=program, plan=plan or self.view.plan)

    def _show_all(self) -> None:
        self._planning.look()
        self._arrange()
        for pane in self._panes.values():
            if pane.display:
                pane.show(self.view)
        self._show_bars()

    def _show_bars(self) -> None:
        self._state_line.show(self.view)
        self._banner.show(self.view, self.app.size.width)
        focused = self._focused_pane()
        self._footer.show(self.view, focused.name_of_pane if focused else "log", self._zoomed is not None)

    def _arrange(self) -> None:
        """Give each part its place; nothing happens where nothing changed."""
        size = self.app.size
        wanted = wanted_rows(self.view, self._gpu_rows_hint)
        key = (size.width, size.height, wanted, self._zoomed)
        if key == self._arranged_for:
            return
        self._arranged_for = key
        _, places = arrange(size.width, size.height, wanted, self._zoomed)
        for name, part in {**self._panes, "state": self._state_line, "footer": self._footer}.items():
            place = places.get(name)
            part.display = place is not None
            if place is not None:
                part.styles.offset = (place.x, place.y)
                part.styles.width, part.styles.height = place.width, place.height
        if self.focused is None or not self.focused.display:
            self.set_focus(next((self._panes[name] for name in reversed(PANES) if name in places), None))

    def _focused_pane(self) -> Pane | None:
        return self.focused if isinstance(self.focused, Pane) else None

    def notice(self, text: str, token: str = "text", seconds: float | None = NOTICE_S) -> None:
        """Say something in the state line for a while."""
        until = None if seconds is None else self._services.clock() + seconds
        self.view = replace(self.view, notice=Notice(text, token, until))
        self._show_bars()

    # ------------------------------------------------------------------------------------------------ messages

    @on(EnvironmentKnown)
    def _environment_known(self, event: EnvironmentKnown) -> None:
        environment = judged(event.environment, self.view.software)
        self.view = replace(self.view, environment=environment)
        self._show_all()

    @on(SoftwareKnown)
    def _software_known(self, event: SoftwareKnown) -> None:
        environment = judged(self.view.environment, event.software)
        self.view = replace(self.view, environment=environment, software=event.software)
        self._show_all()

    @on(ProgramFound)
    def _program_found(self, event: ProgramFound) -> None:
        if event.given and self.view.program is None and self._follower is None:
            self.view = replace(self.view, program=choose(self._options, event.given))
            self._show_all()

    @on(RunStarted)
    def _run_started(self, event: RunStarted) -> None:
        self.attach(event.directory, is_ours=True)

    @on(Diagnosed)
    def _diagnosed(self, event: Diagnosed) -> None:
        self._failures.take(event.number, event.findings)

    @on(Relaunched)
    def _relaunched(self, event: Relaunched) -> None:
        self.attach(event.directory)
        self.notice(event.sentence, "good", RELAUNCHED_S)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        self.notice(event.sentence)

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        from lightning_tui.ui.windows.window import message_window

        self.view = replace(self.view, is_opening=False, notice=None)
        self._show_all()
        self.app.push_screen(message_window(event.title, event.sentence))

    @on(Broken)
    def _broken(self, event: Broken) -> None:
        self.view = replace(self.view, is_opening=False)
        self.notice(event.sentence, "warn", seconds=None)

    @on(LogCopied)
    def _log_copied(self, event: LogCopied) -> None:
        from lightning_tui.ui.log.copying import to_clipboard

        if event.text is not None:
            to_clipboard(self.app, event.text, self._options.environ)
        self.notice(event.sentence, event.token)

    @on(LeaveNow)
    def _leave_now(self) -> None:
        self.app.exit()

    @on(ChoicesKnown)
    def _choices_known(self, event: ChoicesKnown) -> None:
        self._planning.take_choices(event.field, event.found)

    @on(PlanJudged)
    def _plan_judged(self, event: PlanJudged) -> None:
        self._planning.take_judgement(event.number, event.judgement, event.is_measured)

    @on(MeasureFailed)
    def _measure_failed(self, event: MeasureFailed) -> None:
        self._planning.measure_failed(event.sentence)

    @on(Recommended)
    def _recommended(self, event: Recommended) -> None:
        self._planning.take_recommendation(event.recommendation)

    @on(PlansListed)
    def _plans_listed(self, event: PlansListed) -> None:
        self._planning.take_plans(event.plans)

    @on(PlanExported)
    def _plan_exported(self, event: PlanExported) -> None:
        self._planning.take_exports(event.exports)

    # ------------------------------------------------------------------------------------------------- actions

    def action_start(self) -> None:
        view = self.view
        if view.readonly:
            self.notice(ONLY_WATCHES)
        elif view.is_active:
            self.notice(f"a run is going on: {view.key('stop')} stops it first", "warn")
        elif view.program is None:
            self._planning.type_program()
        else:
            self._start()

    def action_control(self, what: str) -> None:
        self._control.act(what)

    def action_runs(self) -> None:
        from lightning_tui.ui.runs.visits import RunsVisit

        RunsVisit(self, self._options, self._services, self._planning, self._metrics).begin()

    def action_open(self) -> None:
        pane = self._focused_pane()
        if isinstance(pane, GpusPane) and pane.current is not None and pane.size.height >= 3:
            self._open_gpu(pane)
        elif pane is self._log and (self._failures.open() or self._log.toggle_traceback()):
            pass
        elif pane is self._metrics and self._zoomed is not None:
            self._metric_actions.open()
        elif not isinstance(pane, PlanPane) or (pane.size.height < 3 and self._zoomed is None):
            self.action_zoom()
        elif self.view.readonly:
            self.notice(ONLY_WATCHES)
        else:
            self._planning.edit(pane.field)

    def action_plan(self, window: str) -> None:
        if self.view.readonly and window != "command":
            self.notice(ONLY_WATCHES)
        else:
            self._planning.open(window, self._plan_pane.field)

    def action_tune(self) -> None:
        view = self.view
        if view.readonly:
            self.notice(ONLY_WATCHES)
        elif view.is_active:
            self.notice("a run is going on: tune when it has ended, it wants the device for itself", "warn")
        elif view.program is None:
            self._planning.type_program()
        else:
            self._open_tuning(view.program)

    def action_advice(self) -> None:
        if self._advising is not None:
            self._advising.open()

    def action_metrics(self, what: str) -> None:
        self._metric_actions.act(what)

    def action_log(self, what: str) -> None:
        if what != "copy" or not self._failures.copy():
            self._log_actions.act(what)

    def action_fix(self) -> None:
        self._failures.fix()

    def action_report(self) -> None:
        self._failures.report()

    def action_number(self, number: int, pane: str) -> None:
        if not self._failures.number(number):
            self.action_jump(pane)

    def action_zoom(self) -> None:
        pane = self._focused_pane()
        self._zoomed = None if self._zoomed is not None or pane is None else pane.name_of_pane
        self._show_all()

    def action_back(self) -> None:
        if self._focused_pane() is self._log and self._log_actions.back():
            return
        if self._focused_pane() is self._metrics and self._metric_actions.back():
            return
        if self._zoomed is not None:
            self.action_zoom()
        elif self.view.origin is not None:
            self.change(origin=None)

    def action_focus_pane(self, direction: int) -> None:
        shown = [name for name in PANES if self._zoomed is not None or self._panes[name].display]
        focused = self._focused_pane()
        place = shown.index(focused.name_of_pane) if focused is not None and focused.name_of_pane in shown else 0
        self.action_jump(shown[(place + direction) % len(shown)])

    def action_jump(self, name: str) -> None:
        if self._zoomed is not None and self._zoomed != name:
            self._zoomed = name
            self._arrange()
        pane = self._panes[name]
        if not pane.display:
            self._zoomed = name
            self._arrange()
        self.set_focus(pane)
        self._show_all()

    def action_scroll_pane(self, unit: str, direction: int) -> None:
        pane = self._focused_pane()
        if pane is not None:
            pane.scroll_by(direction * (pane.page() if unit == "page" else 1))

    def action_move_across(self, direction: int) -> None:
        pane = self._focused_pane()
        if isinstance(pane, GpusPane | LogPane | MetricsPane):
            pane.move_across(direction)

    def action_help(self) -> None:
        from lightning_tui.ui.cockpit.help import help_window

        self.app.push_screen(help_window(self.view))

    def action_leave(self) -> None:
        follower, view = self._follower, self.view
        if follower is None or view.run is None or not view.is_active or view.readonly:
            self.app.exit()
            return
        from lightning_tui.ui.cockpit.leave import leave_window

        self.app.push_screen(leave_window(view), lambda answer: self._take_leave(answer, follower.directory))

    # ------------------------------------------------------------------------------------------- their details

    def _open_gpu(self, pane: GpusPane) -> None:
        from lightning_tui.ui.gpus.window import GpuWindow

        self.app.push_screen(GpuWindow(pane, lambda: self.view))

    def _open_tuning(self, program: ProgramChoice) -> None:
        from lightning_tui.services.tuning import Goal
        from lightning_tui.ui.tuning.thread import TuningThread
        from lightning_tui.ui.tuning.window import TuningWindow

        def begin(goal: Goal) -> TuningThread:
            return TuningThread(self._services.tune, goal, program, self.view.plan, self.post_message)

        self.app.push_screen(TuningWindow(program.label, begin), self._take_tuned)

    def _take_tuned(self, changes: dict[str, object] | None) -> None:
        if changes:
            self._planning.take_plan(msgspec.structs.replace(self.view.plan, **changes))
            words = ", ".join(f"{name} {value}" for name, value in changes.items())
            self.notice(f"in the plan: {words}", "good")

    def _start(self) -> None:
        program, plan = self.view.program, self.view.plan
        if program is None:
            return
        self._detach()
        self.view = replace(self.view, is_opening=True)
        self._show_all()
        if self.view.origin is None:
            self._orders.start(program, plan)
        else:
            self._orders.relaunch(self.view.origin, program, plan)

    def _take_leave(self, answer: str | None, directory: RunDirectory) -> None:
        if answer == "leave":
            self.app.exit()
        elif answer == "stop":
            self._orders.stop_and_leave(directory)

    def let_go(self, directory: RunDirectory) -> None:
        """Follow this run no longer, where it is followed and over: it is about to be deleted."""
        if self.directory is not None and self.directory.path == directory.path and not self.view.is_active:
            self._detach()
            self._show_all()

    def take_program(self, program: ProgramChoice) -> None:
        """Let this be the program that `start` starts; a run that is over leaves the screen."""
        if not self.view.is_active:
            self._detach()
        self.change(program=program)

    def change(self, **changes: object) -> None:
        """Show another moment, in which these parts of the view are different."""
        self.view = replace(self.view, **changes)  # type: ignore[arg-type]
        self._show_all()


def output_is_pending(screen: Screen[None]) -> bool:
    """Whether the terminal has not taken the last frames yet: then large repaints wait. Guarded: Textual's own part."""
    queue = getattr(getattr(screen.app._driver, "_writer_thread", None), "_queue", None)
    return queue is not None and queue.qsize() > 0
