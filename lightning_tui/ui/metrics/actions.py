"""What the keys of the Metrics pane do: choose, smooth, scale, lay other runs under this one, and write it all out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tui.ui.metrics.grouping import quantities
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.record import RunSnapshot
    from lightning_tui.ui.metrics.curves import OtherRun
    from lightning_tui.ui.metrics.exports import Form
    from lightning_tui.ui.metrics.pane import MetricsPane
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import Services

NOTHING_LOGGED = "no metric has been logged yet"


class MetricActions:
    """Carries out the keys; windows and threads are made when they are asked for."""

    def __init__(self, port: Port, pane: MetricsPane, services: Services) -> None:
        self._port = port
        self._pane = pane
        self._services = services

    def act(self, what: str) -> None:
        acts: dict[str, Callable[[RunSnapshot], None]] = {
            "choose": self._choose,
            "overlay": self._overlay,
            "log_scale": lambda run: self._pane.toggle_log(),
            "smooth": lambda run: self._pane.next_smoothing(),
            "unit": lambda run: self._pane.next_unit(),
            "export": self._export,
        }
        run = self._port.view.run
        if run is None or not run.metrics:
            self._port.notice(NOTHING_LOGGED)
        else:
            acts[what](run)

    def open(self) -> None:
        """Give the current chart the room of the whole grid, or take it back."""
        self._pane.change(is_alone=not self._pane.settings.is_alone)

    def back(self) -> bool:
        """Take back what the pane shows specially; false where there is nothing."""
        return self._pane.back()

    def _choose(self, run: RunSnapshot) -> None:
        from lightning_tui.ui.metrics.choice_window import MetricWindow

        current, pane = self._pane.current(), self._pane
        window = MetricWindow(run, quantities(run.metrics), pane.settings.chosen, current.name if current else "")

        def take(taken: Any) -> None:  # a `Taken`, while what the window offers are names
            if taken:
                pane.change(**taken._asdict())

        self._port.open(window, take)

    def _overlay(self, run: RunSnapshot) -> None:
        from lightning_tui.ui.metrics.runs_window import OverlayWindow

        current = self._pane.current()
        if current is None:
            return
        window = OverlayWindow(run, current, self._pane.others, self._services)
        self._port.open(window, self._add_others)

    def _add_others(self, others: tuple[OtherRun, ...] | None) -> None:
        if others is not None:
            self._pane.overlay(others)

    def _export(self, run: RunSnapshot) -> None:
        from lightning_tui.ui.metrics.exports import export_window

        window = export_window(Path(run.directory))
        self._port.open(window, lambda form: self._write(run, form) if form is not None else None)

    def _write(self, run: RunSnapshot, form: Form) -> None:
        from lightning_tui.ui.metrics.exports import export

        quantity, settings, others = self._pane.current(), self._pane.settings, self._pane.others
        Action(
            "writing the metrics",
            "Nothing was written",
            lambda: export(run, quantity, settings, others, form),
            lambda path: self._port.notice(f"written: {path}"),
            self._port.post_message,
        ).start()
