"""From the cockpit to the runs screen and back: what is done with the run that was chosen there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.programs import program_of
from lightning_tui.ui.runs.screen import Attach, Outcome, Relaunch, RunsScreen
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from textual.timer import Timer

    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.metrics.pane import MetricsPane
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.plan.actions import Planning
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import Services
    from lightning_tui.ui.steering.actions import RunControl

ARRIVAL_PERIOD_S = 0.1


@dataclass
class RunsVisit:
    """One visit of the runs port."""

    _port: Port
    _options: CockpitOptions
    _services: Services
    _control: RunControl
    _planning: Planning
    _metrics: MetricsPane
    _arrival: Timer | None = None

    def begin(self) -> None:
        services = self._services
        window = RunsScreen(services.all_runs(), services.clock, lambda: self._port.view, self._let_go)
        self._port.open(window, self.take)

    def _let_go(self, directory: RunDirectory) -> None:
        """Follow this run no longer, where it is followed and over: it is about to be deleted."""
        if self._is_followed(directory) and not self._port.view.is_active:
            self._port.detach()

    def _is_followed(self, directory: RunDirectory) -> bool:
        return self._port.directory is not None and self._port.directory.path == directory.path

    def take(self, outcome: Outcome) -> None:
        """Do with the chosen run what it was chosen for."""
        if isinstance(outcome, Attach):
            self._attach(outcome)
        elif outcome is not None:
            self._relaunch(outcome)

    def _attach(self, outcome: Attach) -> None:
        if not self._is_followed(outcome.run):
            self._port.attach(outcome.run)
        if outcome.others:
            self._port.jump("metrics")
            self._arrival = self._port.set_interval(ARRIVAL_PERIOD_S, lambda: self._lay_under(outcome))

    def _lay_under(self, outcome: Attach) -> None:
        """Put the other curves under those of the run, once that has been read; not where another one was chosen."""
        is_there = self._is_followed(outcome.run)
        if is_there and self._port.view.run is None:
            return
        if self._arrival is not None:
            self._arrival.stop()
        if is_there:
            self._metrics.overlay(outcome.others)

    def _relaunch(self, outcome: Relaunch) -> None:
        """Load the run's program and the child's plan: `start` makes it the run's child."""
        port, snapshot = self._port, outcome.snapshot
        if port.view.readonly:
            port.notice(ONLY_WATCHES)
            return
        program = program_of(snapshot, self._options)
        if not port.view.is_active and not self._is_followed(outcome.origin.run) and not outcome.starts_now:
            port.attach(outcome.origin.run, is_ours=True)  # its plan is what the new one is seen against
        port.change(program=program, plan=outcome.plan, origin=outcome.origin)
        if outcome.starts_now and program is not None:
            self._control.start()
            return
        port.jump("plan")
        if program is None:
            tail = tail_of_id(snapshot.record.id)
            port.notice(f"{tail} was started with a secret, which is never recorded: type the program again", "warn")
            self._planning.type_program()
        else:
            self._planning.show_all_fields()
