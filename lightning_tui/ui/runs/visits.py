"""From the cockpit to the runs screen and back: what is done with the run that was chosen there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.programs import program_of
from lightning_tui.ui.runs.screen import Attach, Outcome, Relaunch, RunsScreen
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.timer import Timer

    from lightning_tui.ui.cockpit.screen import CockpitScreen
    from lightning_tui.ui.metrics.curves import OtherRun
    from lightning_tui.ui.metrics.pane import MetricsPane
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.plan.actions import Planning
    from lightning_tui.ui.services import Services

ARRIVAL_PERIOD_S = 0.1


class RunsVisit:
    """One visit of the runs screen."""

    def __init__(
        self,
        screen: CockpitScreen,
        options: CockpitOptions,
        services: Services,
        planning: Planning,
        metrics: MetricsPane,
    ) -> None:
        self._screen = screen
        self._options = options
        self._services = services
        self._planning = planning
        self._metrics = metrics
        self._arrival: Timer | None = None

    def begin(self) -> None:
        """Open the screen."""
        screen, services = self._screen, self._services
        window = RunsScreen(services.all_runs(), services.clock, lambda: screen.view, screen.let_go)
        screen.app.push_screen(window, self.take)

    def take(self, outcome: Outcome) -> None:
        """Do with the chosen run what it was chosen for."""
        if isinstance(outcome, Attach):
            self._attach(outcome)
        elif outcome is not None:
            self._relaunch(outcome)

    def _attach(self, outcome: Attach) -> None:
        directory = self._screen.directory
        if directory is None or directory.path != outcome.run.path:
            self._screen.attach(outcome.run)
        if outcome.others:
            self._screen.action_jump("metrics")
            self._arrival = self._screen.set_interval(ARRIVAL_PERIOD_S, lambda: self._lay_under(outcome))

    def _lay_under(self, outcome: Attach) -> None:
        """Put the other curves under those of the run, once that has been read; not where another one was chosen."""
        directory, run = self._screen.directory, self._screen.view.run
        is_there = directory is not None and directory.path == outcome.run.path
        if is_there and run is None:
            return
        if self._arrival is not None:
            self._arrival.stop()
        if is_there:
            self._overlay(outcome.others)

    def _overlay(self, others: Sequence[OtherRun]) -> None:
        self._metrics.overlay(others)

    def _relaunch(self, outcome: Relaunch) -> None:
        """Load the run's program and the child's plan: `start` makes it the run's child."""
        screen, snapshot = self._screen, outcome.snapshot
        if screen.view.readonly:
            screen.notice(ONLY_WATCHES)
            return
        program = program_of(snapshot, self._options)
        is_shown = screen.directory is not None and screen.directory.path == outcome.origin.run.path
        if not screen.view.is_active and not is_shown and not outcome.starts_now:
            screen.attach(outcome.origin.run, is_ours=True)  # its plan is what the new one is seen against
        screen.change(program=program, plan=outcome.plan, origin=outcome.origin)
        if outcome.starts_now and program is not None:
            screen.action_start()
            return
        screen.action_jump("plan")
        if program is None:
            tail = tail_of_id(snapshot.record.id)
            screen.notice(f"{tail} was started with a secret, which is never recorded: type its program", "warn")
            self._planning.type_program()
        else:
            self._planning.show_all_fields()
