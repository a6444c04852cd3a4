"""What the cockpit can ask of the outside: each order is carried out in a thread and answered by one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lightning_tui.ui.messages import Answered, ChoicesKnown, LeaveNow, ProgramFound, Refused, RunsListed, RunStarted
from lightning_tui.ui.services import RefusalError
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.environment import Environment
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.ui.services import ProgramChoice, Services

CHECKPOINT_ASKED = "asked for a checkpoint: it is saved after the batch"
STOP_ASKED = "asked to stop: the batch ends, then a checkpoint is saved"
_RUNS_AT_ONCE = 20


class Orders:
    """Gives orders; none of the methods waits."""

    def __init__(self, services: Services, post: Callable[[Message], object]) -> None:
        self._services = services
        self._post = post

    def start(self, program: ProgramChoice, plan: Plan) -> None:
        """Start a run; answered by `RunStarted`."""
        self._give("starting", "The run could not be started", lambda: RunStarted(self._services.start(program, plan)))

    def stop(self, directory: RunDirectory) -> None:
        """Ask for a gentle stop."""
        self._tell(directory, self._services.stop, Answered(STOP_ASKED))

    def stop_harder(self, directory: RunDirectory) -> None:
        """Take the stop's next step at once."""
        self._tell(directory, self._services.stop, Answered("the next step of the stop is taken now"))

    def checkpoint(self, directory: RunDirectory) -> None:
        """Ask for a checkpoint."""
        self._tell(directory, self._services.checkpoint, Answered(CHECKPOINT_ASKED), "No checkpoint can be saved")

    def kill(self, directory: RunDirectory) -> None:
        """End every process of the run."""
        self._tell(directory, self._services.kill, Answered("asked to kill: every process of the run is ended"))

    def stop_and_leave(self, directory: RunDirectory) -> None:
        """Ask for a gentle stop; answered by `LeaveNow`."""
        self._tell(directory, self._services.stop, LeaveNow())

    def list_runs(self) -> None:
        """Read all runs; answered by one or more `RunsListed`."""
        self._give("listing the runs", "The runs cannot be listed", self._list_runs)

    def delete(self, directory: RunDirectory) -> None:
        """Delete a run; answered by the list of those that are left."""

        def act() -> Message:
            self._services.delete(directory)
            return self._list_runs()

        self._give("deleting", "The run cannot be deleted", act)

    def find_program(self) -> None:
        """Ask which program to offer; answered by `ProgramFound`."""
        self._give(
            "looking for the last program",
            "The last program is not known",
            lambda: ProgramFound(tuple(self._services.last_program())),
        )

    def find_choices(self, field: str, environment: Environment | None) -> None:
        """Ask what a plan's field may be set to; answered by `ChoicesKnown`."""

        def act() -> Message:
            return ChoicesKnown(field, tuple(self._services.choices(field, environment)))

        self._give("looking up the choices", "The choices are not known", act)

    def _tell(
        self,
        directory: RunDirectory,
        tell: Callable[[RunDirectory], None],
        answer: Message,
        refusal: str = "The run could not be stopped",
    ) -> None:
        def act() -> Message:
            tell(directory)
            return answer

        self._give("asking the run", refusal, act)

    def _give(self, name: str, refusal: str, act: Callable[[], Message]) -> None:
        def guarded() -> Message:
            try:
                return act()
            except RefusalError as error:
                return Refused(refusal, str(error))

        Action(name, guarded, self._post).start()

    def _list_runs(self) -> Message:
        runs: list[RunSnapshot | UnreadableRun] = []
        for run in self._services.runs():
            runs.append(run)
            if len(runs) % _RUNS_AT_ONCE == 0:
                self._post(RunsListed(tuple(runs), False))
        return RunsListed(tuple(runs), True)
