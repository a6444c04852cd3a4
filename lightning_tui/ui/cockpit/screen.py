"""The cockpit's one screen: it holds what is known, and passes on what comes: snapshots, reports and keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.actions import parse
from textual.binding import Binding, BindingType
from textual.screen import Screen

from lightning_tui.ui.cockpit.features import Features
from lightning_tui.ui.cockpit.opening import end_of_opening, first_view
from lightning_tui.ui.cockpit.parts import Parts
from lightning_tui.ui.cockpit.workers import Workers
from lightning_tui.ui.keys import KEYS
from lightning_tui.ui.messages import Report
from lightning_tui.ui.port import NOTICE_S, T
from lightning_tui.ui.programs import plan_of, program_of
from lightning_tui.ui.view import Notice, View

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.services import Services

TICK_S = 0.1
LEAVE_PATIENCE_S = 0.6
"""How long leaving waits for threads; one that hangs in a driver's call is left behind."""


class CockpitScreen(Screen[None]):
    """Five panes, a state line and a footer; it is the `Port` that the features hold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, f"act({key.action!r})", key.help, show=False, id=key.id) for key in KEYS
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
        self._clock = services.clock
        self._is_ours = False
        self._view = first_view(options, services.clock())
        self.parts = Parts(self, self._view)
        self.features = Features(self, self.parts, options, services)
        self._workers = Workers(services, options.interpreter, self.post_message)
        self._takes, self.acts = self.features.takes(), self.features.acts()

    # -------------------------------------------------------------------------------------------------- life

    def compose(self) -> ComposeResult:
        yield from self.parts

    def on_mount(self) -> None:
        self.parts.begin(is_idle=self._options.attach is None and not self._options.start_at_once)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Start the slow work; the first frame is on the screen."""
        end_of_opening()
        self.features.begin()
        self.set_interval(TICK_S, self.tick)
        if self._options.attach is not None:
            self.attach(self._options.attach)
        elif self._options.start_at_once:
            self.features.control.start_now()
        else:
            self.features.planning.find_program()
        self._workers.start()
        unknown = sorted(set(self._options.settings.keys) - set(self.view.keys or {}))
        if unknown:
            self.notice(f"settings: there is no key named {', '.join(unknown)}", "warn")

    def on_unmount(self) -> None:
        self.features.log.stop()
        self._workers.stop(LEAVE_PATIENCE_S)
        if self.features.advising is not None:
            self.features.advising.stop(LEAVE_PATIENCE_S / 2)

    def on_resize(self) -> None:
        if self.parts.is_outgrown:
            self._show()

    def attach(self, directory: RunDirectory, *, is_ours: bool = False) -> None:
        from lightning_tui.ui.log.following import OutputFollower  # not for the first frame

        self._is_ours = is_ours
        output = OutputFollower(directory)
        self.features.follow(self._workers.follow(directory, output.turn), output)
        self.change(run=None, is_opening=True, origin=None)

    def detach(self, *, is_opening: bool = False) -> None:
        self._workers.leave()
        self.features.follow(None, None)
        self.change(run=None, is_opening=is_opening)

    # ----------------------------------------------------------------------------------------------- what is shown

    @property
    def view(self) -> View:
        return self._view

    @property
    def directory(self) -> RunDirectory | None:
        return self._workers.directory

    @property
    def window(self) -> Screen[Any]:
        return self.app.screen

    @property
    def width(self) -> int:
        return self.app.size.width

    def change(self, **changes: object) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]
        if changes.keys() == {"notice"}:
            self.parts.show_bars(self._view)
        else:
            self._show()

    def notice(self, text: str, token: str = "text", seconds: float | None = NOTICE_S) -> None:
        self.change(notice=Notice(text, token, None if seconds is None else self._clock() + seconds))

    def open(self, window: Screen[T], take: Callable[[T | None], object] | None = None) -> None:
        self.app.push_screen(window, take)  # type: ignore[arg-type]

    def jump(self, pane: str) -> None:
        self.parts.jump(pane)

    def _show(self) -> None:
        self.features.planning.judging.look()
        self.parts.show(self._view)

    def tick(self) -> None:
        """Take what the threads have left, and draw what differs."""
        before, now = self._view, self._clock()
        run, hardware = self._workers.run, self._workers.hardware
        notice = before.notice if before.notice is None or (before.notice.until or now + 1) > now else None
        is_opening = before.is_opening and run is None
        self._view = replace(before, run=run, hardware=hardware, now=now, notice=notice, is_opening=is_opening)
        if run is not None and run is not before.run:
            self._take_run(run, before.run)
        if run is not before.run or hardware is not before.hardware:
            self._show()
        elif int(now) != int(before.now) or notice is not before.notice:
            self.parts.show_bars(self._view)
        self.features.tick(is_busy=output_is_pending(self))

    def _take_run(self, run: RunSnapshot, before: RunSnapshot | None) -> None:
        """Let the run report the hardware while it lives; its first snapshot also brings what `start` needs."""
        self._workers.look_at_machine(not (self._view.is_active and run.host is not None))
        if before is None and not self._is_ours:
            plan = plan_of(run) or self._view.plan
            self._view = replace(self._view, program=program_of(run, self._options), plan=plan)
        self.features.control.tell_news(run, before)

    # ------------------------------------------------------------------------------------------ reports and keys

    @on(Report)
    def _take(self, report: Report) -> None:
        if (take := self._takes.get(type(report))) is not None:
            take(report)

    def action_act(self, action: str) -> None:
        """Do what a key of the table says, such as `log('search')`."""
        _, verb, arguments = parse(action)
        self.acts[verb](*arguments)


def output_is_pending(screen: Screen[None]) -> bool:
    """Whether the terminal has not taken the last frames yet: then large repaints wait. Guarded: Textual's own part."""
    queue = getattr(getattr(screen.app._driver, "_writer_thread", None), "_queue", None)
    return queue is not None and queue.qsize() > 0
