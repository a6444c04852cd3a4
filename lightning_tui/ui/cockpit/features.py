"""Who carries out which key, and who takes which report? The controllers of all features, behind one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.cockpit.answers import Answers
from lightning_tui.ui.failure.actions import FailureActions
from lightning_tui.ui.log.actions import LogActions
from lightning_tui.ui.metrics.actions import MetricActions
from lightning_tui.ui.orders import ONLY_WATCHES, Orders
from lightning_tui.ui.plan.actions import Planning
from lightning_tui.ui.steering.actions import RunControl
from lightning_tui.ui.tuning.actions import Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lightning_tui.ui.advice.actions import Advising
    from lightning_tui.ui.cockpit.parts import Parts
    from lightning_tui.ui.log.following import OutputFollower
    from lightning_tui.ui.messages import Takes
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import Services
    from lightning_tui.ui.threads import Follower


class Features:
    """Made with the screen; what only a run needs is made when the first frame stands."""

    def __init__(self, port: Port, parts: Parts, options: CockpitOptions, services: Services) -> None:
        self._port = port
        self._parts = parts
        self._options = options
        self._services = services
        orders = Orders(services, port.post_message, readonly=options.readonly)
        self.planning = Planning(port, options, orders)
        self.control = RunControl(port, orders, self.planning.type_program)
        self.log = LogActions(port, parts.log, services.clock)
        self.failures = FailureActions(port, parts.log, self.log, services)
        self.metrics = MetricActions(port, parts.metrics, services)
        self.advising: Advising | None = None
        self._tuning = Tuning(port, services, self.planning.type_program)

    def begin(self) -> None:
        """The first frame is on the screen."""
        from lightning_tui.ui.advice.actions import Advising

        self.advising = Advising(self._port, self._services)

    def follow(self, follower: Follower | None, output: OutputFollower | None) -> None:
        """Another run is followed now, or none."""
        self.log.follow(output)
        if self.advising is not None:
            self.advising.follow(follower)

    def tick(self, *, is_busy: bool) -> None:
        """Take what the threads have left; large repaints wait while the terminal `is_busy`."""
        self.log.tick(is_busy)
        self.failures.tick()
        if self.advising is not None:
            self.advising.tick()

    def takes(self) -> Takes:
        """Each report, and what takes it."""
        own = (Answers(self._port, self._options.environ), self.control, self.failures, self.planning)
        return {kind: take for feature in own for kind, take in feature.takes().items()}

    def acts(self) -> Mapping[str, Callable[..., object]]:
        """Each verb of the table of keys, and what carries it out."""
        parts = self._parts
        return {
            "start": self.control.start,
            "control": self.control.act,
            "leave": self.control.leave,
            "runs": self._visit_runs,
            "fix": self.failures.fix,
            "report": self.failures.report,
            "advice": self._show_advice,
            "plan": self._open_plan_window,
            "tune": self._tuning.open,
            "metrics": self.metrics.act,
            "log": self._act_on_log,
            "open": self._open,
            "back": self._back,
            "number": self._take_number,
            "zoom": parts.zoom,
            "focus_pane": parts.go_round,
            "scroll_pane": parts.scroll,
            "move_across": parts.move_across,
            "help": self._show_help,
        }

    # ------------------------------------------------------------------------------- keys that more than one may mean

    def _open(self) -> None:
        """What Enter does depends on the pane."""
        parts, pane = self._parts, self._parts.focused
        if pane is parts.gpus and parts.gpus.current is not None and pane.size.height >= 3:
            from lightning_tui.ui.gpus.window import GpuWindow

            self._port.open(GpuWindow(parts.gpus, lambda: self._port.view))
        elif pane is parts.log and (self.failures.open() or parts.log.place.toggle_traceback()):
            pass
        elif pane is parts.metrics and parts.zoomed is not None:
            self.metrics.open()
        elif pane is not parts.plan or (parts.plan.size.height < 3 and parts.zoomed is None):
            parts.zoom()
        elif self._port.view.readonly:
            self._port.notice(ONLY_WATCHES)
        else:
            self.planning.edit(parts.plan.field)

    def _back(self) -> None:
        """Leave what was begun last."""
        parts = self._parts
        if parts.focused is parts.log and self.log.back():
            return
        if parts.focused is parts.metrics and self.metrics.back():
            return
        if parts.zoomed is not None:
            parts.zoom()
        elif self._port.view.origin is not None:
            self._port.change(origin=None)

    def _take_number(self, number: int, pane: str) -> None:
        if not self.failures.number(number):
            self._parts.jump(pane)

    def _act_on_log(self, what: str) -> None:
        if what != "copy" or not self.failures.copy():
            self.log.act(what)

    def _open_plan_window(self, window: str) -> None:
        if self._port.view.readonly and window != "command":
            self._port.notice(ONLY_WATCHES)
        else:
            self.planning.open(window, self._parts.plan.field)

    def _show_advice(self) -> None:
        if self.advising is not None:
            self.advising.open()

    def _visit_runs(self) -> None:
        from lightning_tui.ui.runs.visits import RunsVisit

        features = (self.control, self.planning, self._parts.metrics)
        RunsVisit(self._port, self._options, self._services, *features).begin()

    def _show_help(self) -> None:
        from lightning_tui.ui.help import help_window

        self._port.open(help_window(self._port.view))
