"""What does the cockpit do with reports that are of no one feature? It says them, and knows the machine by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.cockpit.opening import judged
from lightning_tui.ui.messages import Answered, Broken, EnvironmentKnown, LeaveNow, LogCopied, Refused, SoftwareKnown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_tui.ui.messages import Takes
    from lightning_tui.ui.port import Port


class Answers:
    """Takes them on the event loop."""

    def __init__(self, port: Port, environ: Mapping[str, str]) -> None:
        self._port = port
        self._environ = environ

    def takes(self) -> Takes:
        """Each report, and what takes it."""
        return {
            EnvironmentKnown: self._environment_known,
            SoftwareKnown: self._software_known,
            Answered: lambda event: self._port.notice(event.sentence),
            Refused: self._refused,
            Broken: self._broken,
            LogCopied: self._log_copied,
            LeaveNow: lambda event: self._port.window.app.exit(),
        }

    def _environment_known(self, event: EnvironmentKnown) -> None:
        self._port.change(environment=judged(event.environment, self._port.view.software))

    def _software_known(self, event: SoftwareKnown) -> None:
        environment = judged(self._port.view.environment, event.software)
        self._port.change(environment=environment, software=event.software)

    def _refused(self, event: Refused) -> None:
        from lightning_tui.ui.windows.window import message_window

        self._port.change(is_opening=False, notice=None)
        self._port.open(message_window(event.title, event.sentence))

    def _broken(self, event: Broken) -> None:
        self._port.change(is_opening=False)
        self._port.notice(event.sentence, "warn", seconds=None)

    def _log_copied(self, event: LogCopied) -> None:
        from lightning_tui.ui.log.copying import to_clipboard

        if event.text is not None:
            to_clipboard(self._port.window.app, event.text, self._environ)
        self._port.notice(event.sentence, event.token)
