"""The thread in which a search for a batch size or a learning rate runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning_tui.refusal import RefusalError
from lightning_tui.ui.threads import Worker

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, TuningStep
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.services.tuning import Goal
    from lightning_tui.ui.services import TuningSearch


class TuningThread(Worker):
    """One search. What it has come to is left here, for a timer to draw."""

    def __init__(
        self, search: TuningSearch, goal: Goal, program: ProgramChoice, plan: Plan, post: Callable[[Message], object]
    ) -> None:
        super().__init__(f"tuning {program.label}", post)
        self.steps: list[TuningStep] = []
        """Grows."""
        self.result: BatchSizeResult | LearningRateResult | None = None
        self.refusal: str | None = None
        self.is_over = False
        self._search = search
        self._asked = (goal, program, plan)

    def _body(self) -> None:
        try:
            self.result = self._search(*self._asked, self.steps.append, self._stop.is_set)
        except RefusalError as error:
            self.refusal = str(error)
        finally:
            self.is_over = True
