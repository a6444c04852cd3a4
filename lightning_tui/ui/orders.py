"""What the cockpit can ask of the outside: each order is carried out in a thread and answered by one message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lightning_tui.refusal import RefusalError
from lightning_tui.services.cases import Judgement
from lightning_tui.ui.messages import (
    Answered,
    ChoicesKnown,
    CommandWritten,
    MeasureFailed,
    PlanExported,
    PlanJudged,
    PlansListed,
    ProgramFound,
    Recommended,
    Refused,
    RunStarted,
)
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from pathlib import Path

    from textual.message import Message

    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory
    from lightning_tui.record.commands import Operation
    from lightning_tui.services.cases import PlanCase
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.services.runs import Origin
    from lightning_tui.ui.services import Services

ONLY_WATCHES = "this cockpit is read-only"
NO_RUN = "no run is active"
ADOPTED = "adopted: a new supervisor watches the run"
STOP_ASKED = "stop requested: finishing the batch, then saving a checkpoint"


class Orders:
    """Gives orders; none of the methods waits."""

    def __init__(self, services: Services, post: Callable[[Message], object], *, readonly: bool = False) -> None:
        self._services = services
        self._readonly = readonly
        self._plans = services.plans
        self._post = post

    def start(self, program: ProgramChoice, plan: Plan) -> None:
        """Start a run; answered by `RunStarted`."""
        self._change(
            "starting", "The run could not be started", lambda: RunStarted(self._services.start(program, plan))
        )

    def stop(self, directory: RunDirectory, answer: Message) -> None:
        """Ask for a gentle stop; asked again, for the next and harder step at once."""
        self._tell(directory, self._services.stop, answer)

    def tell(self, directory: RunDirectory, op: Operation, what: Mapping[str, object]) -> None:
        """Ask a training for what it can do while it goes on; what becomes of it is told by the run's snapshots."""
        self._tell(
            directory,
            lambda found: self._services.tell(found, op, what),
            CommandWritten(),
            "The command cannot be sent",
        )

    def adopt(self, directory: RunDirectory) -> None:
        """Set a new supervisor over a run whose own has died."""
        if (adopt := self._services.adopt) is not None:
            self._tell(directory, adopt, Answered(ADOPTED), "The run cannot be adopted")

    def kill(self, directory: RunDirectory) -> None:
        """End every process of the run."""
        self._tell(directory, self._services.kill, Answered("kill requested: ending every process of the run"))

    def relaunch(self, origin: Origin, program: ProgramChoice, plan: Plan) -> None:
        """Start a child of a run; answered by `RunStarted`."""
        relaunch = self._services.all_runs().relaunch
        self._change("starting", "The run could not be started", lambda: RunStarted(relaunch(origin, program, plan)))

    def find_program(self) -> None:
        """Ask which program to offer; answered by `ProgramFound`."""
        self._give(
            "looking for the last program",
            "The last program is not known",
            lambda: ProgramFound(tuple(self._services.last_program())),
        )

    def find_choices(self, field: str, case: PlanCase) -> None:
        """Ask what a plan's field may be set to; answered by `ChoicesKnown`, and again where more is learnt."""

        def act() -> Message:
            found = self._plans.choices(field, case, False)
            if found.is_complete:
                return ChoicesKnown(field, found)
            self._post(ChoicesKnown(field, found))
            return ChoicesKnown(field, self._plans.choices(field, case, True))

        self._give("loading the choices", "The choices cannot be loaded", act)

    def judge(self, number: int, case: PlanCase) -> None:
        """Ask what is known of a plan; answered by `PlanJudged` with this number. Nobody asked aloud: no refusal."""

        def act() -> Message:
            try:
                return PlanJudged(number, self._plans.judge(case))
            except RefusalError:
                return PlanJudged(number, Judgement())

        self._give("checking the plan", "The plan cannot be checked", act)

    def measure(self, number: int, case: PlanCase, is_cancelled: Callable[[], bool]) -> None:
        """Run the program up to its fit and measure its memory; answered by `PlanJudged` or `MeasureFailed`."""

        def act() -> Message:
            try:
                return PlanJudged(number, self._plans.measure(case, is_cancelled), is_measured=True)
            except RefusalError as error:
                return MeasureFailed("" if is_cancelled() else str(error))

        self._give("measuring the memory", "The memory cannot be measured", act)

    def recommend(self, case: PlanCase) -> None:
        """Ask for the recommended plan; answered by `Recommended`."""
        self._give(
            "computing a recommendation", "No plan can be recommended", lambda: Recommended(self._plans.recommend(case))
        )

    def list_plans(self, case: PlanCase) -> None:
        """Read the project's saved plans; answered by `PlansListed`."""
        self._give(
            "listing the saved plans", "The saved plans cannot be listed", lambda: PlansListed(self._plans.saved(case))
        )

    def save_plan(self, case: PlanCase, name: str) -> None:
        """Save the plan under a name."""
        self._change(
            "saving the plan", "The plan was not saved", lambda: Answered(f"saved: {self._plans.save(case, name)}")
        )

    def delete_plan(self, case: PlanCase, name: str) -> None:
        """Delete a saved plan; answered by the list of those that are left."""

        def act() -> Message:
            self._plans.delete(case, name)
            return PlansListed(self._plans.saved(case))

        self._change("deleting the plan", "The plan was not deleted", act)

    def export(self, case: PlanCase) -> None:
        """Ask for the plan in its forms; answered by `PlanExported`."""
        self._give("exporting the plan", "The plan cannot be exported", lambda: PlanExported(self._plans.exports(case)))

    def write(self, path: Path, text: str) -> None:
        """Write a new file."""

        def act() -> Message:
            self._plans.write(path, text)
            return Answered(f"written: {path}")

        self._give("writing the file", "The file was not written", act)

    def _tell(
        self,
        directory: RunDirectory,
        tell: Callable[[RunDirectory], object],
        answer: Message,
        refusal: str = "The run could not be stopped",
    ) -> None:
        def act() -> Message:
            tell(directory)
            return answer

        self._change("sending a command to the run", refusal, act)

    def _change(self, name: str, refusal: str, act: Callable[[], Message]) -> None:
        """Give an order that changes something, which a cockpit that only watches never does, whoever calls."""
        if self._readonly:
            self._post(Refused(refusal, f"{ONLY_WATCHES}."))
        else:
            self._give(name, refusal, act)

    def _give(self, name: str, refusal: str, act: Callable[[], Message]) -> None:
        def guarded() -> Message:
            try:
                return act()
            except RefusalError as error:
                return Refused(refusal, str(error))

        Action(name, guarded, self._post).start()
