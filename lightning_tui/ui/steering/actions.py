"""What the keys that steer a run do: ask, say so within a frame, and tell what became of it, whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.messages import LeaveNow
from lightning_tui.ui.orders import ADOPTED, NO_RUN, ONLY_WATCHES, STOP_ASKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.record import CommandProgress, RunDirectory, RunSnapshot
    from lightning_tui.record.commands import Operation
    from lightning_tui.ui.orders import Orders
    from lightning_tui.ui.port import Port

IS_STOPPING = "the run is stopping"
NOT_STOPPED = "The run could not be stopped"


class RunControl:
    """Carries out the keys on the run that the cockpit shows."""

    def __init__(self, port: Port, orders: Orders, type_program: Callable[[], None]) -> None:
        """Make it; `type_program` asks for a program where none is chosen."""
        self._port = port
        self._orders = orders
        self._type_program = type_program
        self._asked: str | None = None
        """What was said when a key was pressed, until the run itself has something to say of it."""

    def act(self, what: str) -> None:
        """Do what a key says, where there is a run that it can be done to."""
        acts: dict[str, Callable[[RunDirectory], None]] = {
            "stop": self._stop,
            "end": lambda directory: self._ask(directory, "stop", after="epoch"),
            "checkpoint": self._checkpoint,
            "pause": lambda directory: self._ask(directory, "resume" if self._port.view.state == "paused" else "pause"),
            "validate": lambda directory: self._ask(directory, "validate"),
            "rate": self._ask_for_rate,
            "log_level": self._ask_for_level,
            "adopt": self._adopt,
        }
        port, directory = self._port, self._port.directory
        if port.view.readonly:
            port.notice(ONLY_WATCHES)
        elif directory is None or port.view.run is None or not port.view.is_active:
            port.notice(NO_RUN)
        else:
            acts[what](directory)

    def tell_news(self, run: RunSnapshot, before: RunSnapshot | None) -> None:
        """Say what was answered. What a passing notice said of a run that was going on is stale when it has ended."""
        notice = self._port.view.notice
        counts_down = run.stopping is not None and (before is None or before.stopping is None)
        if counts_down or (run.state.is_final and (before is None or not before.state.is_final)):
            self._port.change(notice=notice if notice is not None and notice.until is None else None)
        for progress in _news(run, before) if before is not None else []:
            self._tell(progress, run)

    def start(self) -> None:
        """Start the chosen program, where nothing is in the way."""
        view = self._port.view
        if view.readonly:
            self._port.notice(ONLY_WATCHES)
        elif view.is_active:
            self._port.notice(f"a run is active: {view.key('stop')} stops it first", "warn")
        elif view.program is None:
            self._type_program()
        else:
            self.start_now()

    def start_now(self) -> None:
        """Start the chosen program, as a child of another run where one was chosen for that."""
        services, view, program = self._orders.services, self._port.view, self._port.view.program
        if program is None:
            return
        self._port.detach(is_opening=True)

        def act() -> RunDirectory:
            if view.origin is None:
                return services.start(program, view.plan)
            return services.all_runs().relaunch(view.origin, program, view.plan)

        def take(directory: RunDirectory) -> None:
            self._port.attach(directory, is_ours=True)

        self._orders.change("starting", "The run could not be started", act, take)

    def leave(self) -> None:
        """Leave; a run that goes on may be stopped first."""
        view, directory = self._port.view, self._port.directory
        if directory is None or view.run is None or not view.is_active or view.readonly:
            self._port.post_message(LeaveNow())
            return
        from lightning_tui.ui.steering.windows import leave_window

        def take(answer: str | None) -> None:
            if answer == "leave":
                self._port.post_message(LeaveNow())
            elif answer == "stop":
                self._order_stop(directory, lambda _: self._port.post_message(LeaveNow()))

        self._port.open(leave_window(view), take)

    def _stop(self, directory: RunDirectory) -> None:
        if self._port.view.state == "stopping":
            self._ask_to_stop_harder(directory)
        else:
            self._order_stop(directory, lambda _: self._port.notice(STOP_ASKED))
            self._port.notice(STOP_ASKED, "warn")

    def _checkpoint(self, directory: RunDirectory) -> None:
        if self._port.view.state == "stopping":
            self._port.notice(f"{IS_STOPPING}: which also saves a checkpoint")
        else:
            self._ask(directory, "checkpoint")

    def _adopt(self, directory: RunDirectory) -> None:
        if self._port.view.state == "lost":
            adopt = self._orders.services.adopt
            self._order("The run cannot be adopted", lambda: adopt(directory), lambda _: self._port.notice(ADOPTED))
        else:
            self._port.notice("the run still has its supervisor: there is nothing to adopt")

    def _ask_for_rate(self, directory: RunDirectory) -> None:
        from lightning_tui.ui.steering.windows import parsed_rate, rate_window

        def take(text: str | None) -> None:
            if text is not None:
                group, value = parsed_rate(text)
                self._ask(directory, "set-lr", value=value, group=group)

        run = self._port.view.run
        if run is not None:
            self._port.open(rate_window(run), take)

    def _ask_for_level(self, directory: RunDirectory) -> None:
        from lightning_tui.ui.steering.windows import level_window

        def take(level: str | None) -> None:
            if level is not None:
                self._ask(directory, "log-level", level=level)

        self._port.open(level_window(), take)

    def _ask_to_stop_harder(self, directory: RunDirectory) -> None:
        from lightning_tui.ui.steering.windows import harder_window

        def take(answer: str | None) -> None:
            if answer == "harder":
                self._order_stop(directory, lambda _: self._port.notice("going to the next step of the stop now"))
            elif answer == "kill":
                said = "kill requested: ending every process of the run"
                self._order(
                    NOT_STOPPED, lambda: self._orders.services.kill(directory), lambda _: self._port.notice(said)
                )

        self._port.open(harder_window(self._port.view), take)

    def _ask(self, directory: RunDirectory, op: Operation, **what: object) -> None:
        from lightning_tui.record.command_words import asked_words

        if self._port.view.state == "stopping":
            self._port.notice(IS_STOPPING)
            return
        self._asked = asked_words(op, what)
        self._port.notice(self._asked, "warn")
        self._order(
            "The command cannot be sent", lambda: self._orders.services.tell(directory, op, what), lambda _: None
        )

    def _order_stop(self, directory: RunDirectory, take: Callable[[object], object]) -> None:
        """Ask for a gentle stop; asked again, for the next and harder step at once."""
        self._order(NOT_STOPPED, lambda: self._orders.services.stop(directory), take)

    def _order(self, refusal: str, act: Callable[[], object], take: Callable[[object], object]) -> None:
        self._orders.change("sending a command to the run", refusal, act, take)

    def _tell(self, progress: CommandProgress, run: RunSnapshot) -> None:
        """Say how it ended; until then the state line itself tells where it stands, in place of what the key said."""
        from lightning_tui.record.command_words import is_told, said_by, status_words

        port = self._port
        if progress.is_settled:
            words = f"{said_by(progress)}{status_words(progress, run)}"
            detail = f": {progress.detail}" if is_told(progress) else ""
            port.notice(words + detail, "good" if progress.status == "done" else "warn")
        elif port.view.notice is not None and port.view.notice.text == self._asked:
            port.change(notice=None)


def _news(run: RunSnapshot, before: RunSnapshot) -> list[CommandProgress]:
    """Commands that stand elsewhere than before; a stop is told by the run's state."""
    known = {progress.id: (progress.status, progress.is_settled) for progress in before.commands}
    return [
        progress
        for progress in run.commands
        if progress.op not in ("stop", "kill") and (progress.status, progress.is_settled) != known.get(progress.id)
    ]
