"""What the cockpit asks of the house to tune a program, and the thread in which a search runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from lightning_tui.ui.services import ProgramChoice, RefusalError, after_loading, refusals
from lightning_tui.ui.threads import Worker

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, TuningStep

Goal = Literal["batch-size", "lr"]


class TuningSearch(Protocol):
    """Looks for a batch size or a learning rate in a child that is gone when this returns or raises.

    Raises:
        RefusalError: there is no result; the message says why.
        Exception: whatever else; also when it was cancelled.
    """

    def __call__(
        self,
        goal: Goal,
        program: ProgramChoice,
        plan: Plan,
        on_progress: Callable[[TuningStep], None],
        is_cancelled: Callable[[], bool],
    ) -> BatchSizeResult | LearningRateResult: ...


def real_search(environ: Mapping[str, str]) -> TuningSearch:
    """The search of a real cockpit."""

    def search(
        goal: Goal,
        program: ProgramChoice,
        plan: Plan,
        on_progress: Callable[[TuningStep], None],
        is_cancelled: Callable[[], bool],
    ) -> BatchSizeResult | LearningRateResult:
        from lightning_tui.launch import resolve_program
        from lightning_tui.launch.tuning import tune_batch_size, tune_learning_rate

        tune: Callable[..., BatchSizeResult | LearningRateResult]
        tune = tune_batch_size if goal == "batch-size" else tune_learning_rate
        with refusals():
            resolved = resolve_program(
                list(program.given),
                interpreter=program.interpreter,
                interpreter_is_given=program.interpreter_is_given,
                folder=program.folder,
                environ=environ,
            )
            return tune(resolved, plan.changes(), environ=environ, on_progress=on_progress, is_cancelled=is_cancelled)

    return after_loading(search)


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
