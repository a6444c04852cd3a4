"""What is known of the plan without starting it? Asked whenever it changes; its memory is measured when asked to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.services.cases import Judgement, PlanCase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lightning_tui.ui.orders import Orders
    from lightning_tui.ui.plan.memory_windows import MeasuringWindow
    from lightning_tui.ui.port import Port


class Judging:
    """Keeps the view's judgement that of its plan. The answers are numbered: one of an older plan is not shown."""

    def __init__(self, port: Port, orders: Orders, type_program: Callable[[], None]) -> None:
        """Make it; `type_program` asks for a program where none is chosen."""
        self._port = port
        self._orders = orders
        self._type_program = type_program
        self._judged_case: PlanCase | None = None
        self._number = 0
        self._may_measure: set[tuple[tuple[str, ...], Path]] = set()
        """Programs that may be run up to their fit: asked once each."""
        self._measuring: MeasuringWindow | None = None

    @property
    def case(self) -> PlanCase:
        """The plan as it stands, and what it is for."""
        view = self._port.view
        return PlanCase(view.plan, view.program, view.environment)

    def look(self) -> None:
        """Ask anew what is known of the plan, where it or what it is for has changed."""
        case = self.case
        if case == self._judged_case or case.environment is None:
            return
        self._judged_case = case
        self._number += 1
        number = self._number
        self._orders.ask(
            "checking the plan",
            lambda _: self._take(number, Judgement()),  # nobody asked aloud
            lambda: self._orders.services.plans.judge(case),
            lambda judgement: self._take(number, judgement),
        )

    def _take(self, number: int, judgement: Judgement) -> None:
        """What is known of the plan; stale where it has changed since."""
        if number == self._number:
            self._port.change(judgement=judgement)

    def _take_measured(self, number: int, judgement: Judgement) -> None:
        self._end_measuring()
        self._take(number, judgement)
        self._judged_case = None if number != self._number else self._judged_case
        self.look()
        if number == self._number and judgement.memory is not None:
            self.show_memory()

    def show_memory(self) -> None:
        """Tell what is known of the memory; where that is nothing, measure, after asking once for each program."""
        from lightning_tui.ui.plan.memory_windows import memory_window

        view = self._port.view
        if view.judgement is not None and view.judgement.memory is not None:
            window = memory_window(view.judgement.memory, view.label or "")
            self._port.open(window, self._take_changes)
        elif view.program is None:
            self._type_program()
        elif view.is_active:
            self._port.notice("a run is active: measure the memory when it has ended", "warn")
        else:
            self._ask_to_measure()

    def _take_changes(self, changes: dict[str, object] | None) -> None:
        """What was chosen to save memory; nothing at all means: measure again."""
        if changes:
            self._port.change(plan=msgspec.structs.replace(self._port.view.plan, **changes))
        elif changes is not None:
            self._ask_to_measure()

    def _ask_to_measure(self) -> None:
        from lightning_tui.ui.plan.memory_windows import ask_window

        program = self._port.view.program
        if program is None:
            return
        key = (program.given, program.folder)

        def take(answer: bool | None) -> None:
            if answer:
                self._may_measure.add(key)
                self._measure()

        if key in self._may_measure:
            self._measure()
        else:
            self._port.open(ask_window(program.label), take)

    def _measure(self) -> None:
        from lightning_tui.ui.plan.memory_windows import MeasuringWindow

        program = self._port.view.program
        if program is None or self._measuring is not None:
            return
        self._measuring = window = MeasuringWindow(program.label)
        self._port.open(window, lambda _: None)
        number, case, is_given_up = self._number, self.case, window.given_up.is_set
        self._orders.ask(
            "measuring the memory",
            lambda why: self._tell_unmeasured("" if is_given_up() else why),
            lambda: self._orders.services.plans.measure(case, is_given_up),
            lambda judgement: self._take_measured(number, judgement),
        )

    def _tell_unmeasured(self, why: str) -> None:
        """It could not be measured, or was given up: then it is not said why."""
        from lightning_tui.ui.windows.window import message_window

        self._end_measuring()
        if not why:
            self._port.notice("measuring was cancelled; all its processes have ended")
            return
        judgement = self._port.view.judgement or Judgement()
        self._port.change(judgement=replace(judgement, unmeasured_because=why))
        self._port.open(message_window("The memory could not be measured", why))

    def _end_measuring(self) -> None:
        window, self._measuring = self._measuring, None
        if window is not None and self._port.window is window:
            window.dismiss(None)
