"""What the key that tunes does: it opens the window, and what was found there goes into the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lightning_tui.ui.orders import ONLY_WATCHES

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.services.tuning import Goal
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import Services
    from lightning_tui.ui.tuning.window import TuningThread


class Tuning:
    """Looks for a batch size or a learning rate for the chosen program."""

    def __init__(self, port: Port, services: Services, type_program: Callable[[], None]) -> None:
        """Make it; `type_program` asks for a program where none is chosen."""
        self._port = port
        self._services = services
        self._type_program = type_program

    def open(self) -> None:
        """Open the window, where there is a program and nothing has the device."""
        view = self._port.view
        if view.readonly:
            self._port.notice(ONLY_WATCHES)
        elif view.is_active:
            self._port.notice("a run is active: tune when it has ended, because tuning needs the device", "warn")
        elif view.program is None:
            self._type_program()
        else:
            self._open_window(view.program)

    def _open_window(self, program: ProgramChoice) -> None:
        from lightning_tui.ui.tuning.window import TuningThread, TuningWindow

        def begin(goal: Goal) -> TuningThread:
            return TuningThread(self._services.tune, goal, program, self._port.view.plan, self._port.post_message)

        self._port.open(TuningWindow(program.label, begin), self._take)

    def _take(self, changes: dict[str, object] | None) -> None:
        if changes:
            self._port.change(plan=msgspec.structs.replace(self._port.view.plan, **changes))
            words = ", ".join(f"{name} {value}" for name, value in changes.items())
            self._port.notice(f"in the plan: {words}", "good")
